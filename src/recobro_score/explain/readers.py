"""Who reads a reason: the agent, the debtor, the auditor; each is told the same reasons in another way.

The *agent* who calls or writes is told which way a concept weighs, the fact behind it, and what to talk
about. The *debtor* is told what counted in their favour or less so, in plain words, with facts of a list made
for that. The *auditor* is told feature, value, weight in margin and in points of probability, and the
reference group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from recobro_score.errors import ConfigError, TextMissing
from recobro_score.explain.wording import Wording, wording_in
from recobro_score.texts import Texts, load_deny, load_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.features.schema import FeatureSchema

    Objects = NDArray[np.object_]
    Floats = NDArray[np.float64]

Reader = Literal["agent", "debtor", "auditor"]
READERS: tuple[Reader, ...] = get_args(Reader)
AGENT, DEBTOR, AUDITOR = READERS
DIRECTIONS = ("up", "down")


@dataclass(frozen=True, slots=True)
class Told:
    """Reasons to be put into words, one per entry of each array.

    Attributes
    ----------
    concept, direction : object arrays
        Concept code; ``up`` or ``down``.
    contribution : float64 array
        What the concept adds to the margin.
    feature : int64 array
        Position of the feature that pulls hardest.
    value : float64 array
        Its value.
    currency : object array
        Currency of the account.
    points, average : float64 arrays
        Contribution in probability; probability of the reference group. NaN where not known.
    """

    concept: Objects
    direction: Objects
    contribution: Floats
    feature: NDArray[np.int64]
    value: Floats
    currency: Objects
    points: Floats
    average: Floats


@lru_cache(maxsize=64)
def require_texts(reader: str, language: str, concepts: tuple[str, ...]) -> None:
    """Make sure, once, that a language holds all that a reader can be told of some concepts.

    Parameters
    ----------
    reader : str
        One of `READERS`.
    language : str
        See `recobro_score.texts.load_texts`.
    concepts : tuple of str
        Those that are never told the reader need no sentence.

    Raises
    ------
    ConfigError
        If there is no such reader, or no such language.
    TextMissing
        If a concept lacks a sentence; all that are missing in one message.
    """
    if reader not in READERS:
        msg = f"no reader {reader!r}; there are {', '.join(READERS)}"
        raise ConfigError(msg)
    texts = load_texts(language)
    told = tellable(reader, "", concepts)
    missing = [key for place in told for key in _keys(reader, concepts[place]) if key not in texts]
    if missing:
        more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
        msg = f"no {language!r} texts for {', '.join(missing[:6])}{more}"
        raise TextMissing(msg)


@lru_cache(maxsize=512)
def tellable(reader: str, country: str | None, concepts: tuple[str, ...]) -> tuple[int, ...]:
    """Return the positions of the concepts that a reader may be told of an account in a country.

    Parameters
    ----------
    reader : str
        One of `READERS`.
    country : str or None
        ISO 3166-1 alpha-2; None = not known, so that what is denied anywhere is denied.
    concepts : tuple of str
        Concept codes.
    """
    deny = load_deny()
    denied = deny.concepts_for(reader, country)
    return tuple(place for place, name in enumerate(concepts) if name not in denied and deny.may_tell(name))


def _keys(reader: str, concept: str) -> list[str]:
    if reader == AUDITOR:
        return [f"concept.{concept}"]
    keys = [f"{reader}.{concept}.{direction}" for direction in DIRECTIONS]
    return [*keys, f"agent.{concept}.talk"] if reader == AGENT else keys


def told_to(reader: str, told: Told, *, language: str, schema: FeatureSchema, reference: str) -> Objects:
    """Return the sentence of every reason for a reader, object[m].

    Parameters
    ----------
    reader : str
        One of `READERS`.
    told : Told
        The reasons.
    language : str
        See `recobro_score.texts.load_texts`.
    schema : FeatureSchema
        The features told of.
    reference : str
        Reference group of the auditor: ``training`` or ``background``.
    """
    wording = wording_in(language, schema)
    if reader == AUDITOR:
        return _audited(told, wording, reference)
    sentence = _for_agent if reader == AGENT else _for_debtor
    facts: dict[tuple[int, float, str], str | None] = {}
    made: dict[tuple[str, str, int, str | None], str] = {}
    sentences = np.empty(len(told.value), dtype=object)
    columns = (told.concept, told.direction, told.feature.tolist(), told.value.tolist(), told.currency)
    for i, (concept, direction, feature, value, currency) in enumerate(zip(*columns, strict=True)):
        fact = (feature, value, currency)
        if fact not in facts:
            unsaid = reader == DEBTOR and _is_odd(wording, feature, value)
            facts[fact] = None if unsaid else wording.value(*fact)
        key = (concept, direction, feature, facts[fact])
        if key not in made:
            made[key] = sentence(wording, *key)
        sentences[i] = made[key]
    return sentences


def _for_agent(wording: Wording, concept: str, direction: str, feature: int, value: str | None) -> str:
    texts = wording.texts
    sentence, talk = texts.render(f"agent.{concept}.{direction}"), texts.render(f"agent.{concept}.talk")
    if value is None:
        return texts.render("agent.plain", sentence=sentence, talk=talk)
    label = wording.labels[feature]
    fact = _without_unit(value, label)
    return texts.render("agent.with_fact", sentence=sentence, talk=talk, label=label, value=fact)


def _without_unit(value: str, label: str) -> str:
    """Return a value without the unit that its label begins with: days past due are 60, not 60 days."""
    number, _, unit = value.partition(" ")
    return number if unit and label.startswith(unit) else value


def _is_odd(wording: Wording, feature: int, value: float) -> bool:
    """Return whether a debtor would stumble over a value: anything below zero, and no days at all."""
    return value <= 0.5 if wording.units[feature] == "days" else value < 0.0


def _for_debtor(wording: Wording, concept: str, direction: str, feature: int, value: str | None) -> str:
    texts = wording.texts
    sentence = texts.render(f"debtor.{concept}.{direction}")
    key = f"debtor.fact.{wording.schema.names[feature]}"
    if value is None or key not in texts:
        return texts.render("debtor.plain", sentence=sentence)
    return texts.render("debtor.with_fact", sentence=sentence, fact=texts.render(key, value=value))


def _audited(told: Told, wording: Wording, reference: str) -> Objects:
    texts = wording.texts
    group = texts.render(f"auditor.reference.{reference}")
    sentences = np.empty(len(told.value), dtype=object)
    numbers = (told.contribution, told.points, told.average, told.value)
    columns = (told.concept, told.feature.tolist(), told.currency, *(column.tolist() for column in numbers))
    for i, (concept, feature, currency, margin, points, average, value) in enumerate(
        zip(*columns, strict=True)
    ):
        sentences[i] = texts.render(
            "auditor.sentence",
            concept=texts.render(f"concept.{concept}"),
            margin=_rounded(margin, 3, texts),
            points=_rounded(100.0 * points, 1, texts),
            feature=_named(feature, wording),
            value=_shown(feature, value, currency, wording),
            reference=group,
            average=texts.percent(average, 1),
        )
    return sentences


def _named(feature: int, wording: Wording) -> str:
    """Return how the auditor sees a feature: its column name, unless that is never told."""
    may_name = wording.may_name[feature]
    return wording.schema.names[feature] if may_name else wording.texts.render("auditor.unnamed")


def _shown(feature: int, value: float, currency: str, wording: Wording) -> str:
    """Return how the auditor sees a value: in words, or that it is missing, unseen, or not to be told."""
    texts = wording.texts
    if np.isnan(value):
        return texts.render("value.missing")
    if wording.is_unseen(feature, value):
        return texts.render("value.unseen")
    return wording.value(feature, value, currency) or texts.render("auditor.unnamed")


def _rounded(number: float, decimals: int, texts: Texts) -> str:
    """Return a number with its sign; what rounds to zero keeps it."""
    scale = 10.0**decimals
    magnitude = max(abs(round(number * scale)), 0.25)
    return texts.signed(np.sign(number) * magnitude / scale, decimals)
