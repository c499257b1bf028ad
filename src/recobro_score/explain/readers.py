"""Who reads a reason: the agent, the debtor, the auditor; each is told the same reasons in another way.

The *agent* who calls or writes is told which way a concept weighs, the fact behind it, and what to talk
about. The *debtor* is told what counted in their favour or less so, in plain words, with facts of a list made
for that. The *auditor* is told feature, value, weight in margin and in points of probability, and the
reference group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from recobro_score.errors import ConfigError, TextMissing
from recobro_score.explain.wording import Wording, in_words
from recobro_score.texts import Texts, load_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Objects = NDArray[np.object_]
    Floats = NDArray[np.float64]

Reader = Literal["agent", "debtor", "auditor"]
READERS: tuple[str, ...] = get_args(Reader)
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


@cache
def reader_texts(reader: str, language: str, concepts: tuple[str, ...]) -> Texts:
    """Return the texts of a language, once it is sure that they hold all that a reader can be told.

    Parameters
    ----------
    reader : str
        One of `READERS`.
    language : str
        See `recobro_score.texts.load_texts`.
    concepts : tuple of str
        Everything the reader may be told of.

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
    missing = [key for concept in concepts for key in _keys(reader, concept) if key not in texts]
    if missing:
        more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
        msg = f"no {language!r} texts for {', '.join(missing[:6])}{more}"
        raise TextMissing(msg)
    return texts


def _keys(reader: str, concept: str) -> list[str]:
    if reader == AUDITOR:
        return [f"concept.{concept}"]
    keys = [f"{reader}.{concept}.{direction}" for direction in DIRECTIONS]
    return [*keys, f"agent.{concept}.talk"] if reader == AGENT else keys


def told_to(reader: str, told: Told, wording: Wording, *, reference: str) -> Objects:
    """Return the sentence of every reason for a reader, object[m].

    Parameters
    ----------
    reader : str
        One of `READERS`.
    told : Told
        The reasons.
    wording : Wording
        Words of features and values.
    reference : str
        Reference group of the auditor: ``training`` or ``background``.
    """
    values = wording.values(told.feature, told.value, told.currency)
    if reader == AUDITOR:
        return _audited(told, values, wording, reference)
    if reader == DEBTOR:
        values[told.value < 0.0] = None
    made: dict[tuple[str, str, int, str | None], str] = {}
    sentences = np.empty(len(values), dtype=object)
    sentence = _for_agent if reader == AGENT else _for_debtor
    for i, key in enumerate(zip(told.concept, told.direction, told.feature.tolist(), values, strict=True)):
        if key not in made:
            made[key] = sentence(wording, *key)
        sentences[i] = made[key]
    return sentences


def _for_agent(wording: Wording, concept: str, direction: str, feature: int, value: str | None) -> str:
    texts = wording.texts
    sentence, talk = texts.render(f"agent.{concept}.{direction}"), texts.render(f"agent.{concept}.talk")
    if value is None:
        return texts.render("agent.plain", sentence=sentence, talk=talk)
    label = wording.label(feature)
    return texts.render("agent.with_fact", sentence=sentence, talk=talk, label=label, value=value)


def _for_debtor(wording: Wording, concept: str, direction: str, feature: int, value: str | None) -> str:
    texts = wording.texts
    sentence = texts.render(f"debtor.{concept}.{direction}")
    key = f"debtor.fact.{wording.schema.names[feature]}"
    if value is None or key not in texts:
        return texts.render("debtor.plain", sentence=sentence)
    return texts.render("debtor.with_fact", sentence=sentence, fact=texts.render(key, value=value))


def _audited(told: Told, values: Objects, wording: Wording, reference: str) -> Objects:
    texts = wording.texts
    concepts = {code: texts.render(f"concept.{code}") for code in dict.fromkeys(told.concept)}
    group = texts.render(f"auditor.reference.{reference}")
    features = {position: _named(position, wording) for position in np.unique(told.feature).tolist()}
    values = np.where(np.isnan(told.value), texts.render("value.missing"), values)
    values = np.where(wording.unseen(told.feature, told.value), texts.render("value.unseen"), values)
    margins = _rounded(told.contribution, 3, texts)
    points = _rounded(100.0 * told.points, 1, texts)
    averages = in_words(told.average, lambda p: texts.percent(p, 1))
    sentences = np.empty(len(values), dtype=object)
    columns = (told.concept, margins, points, told.feature.tolist(), values, averages)
    template = texts.sentences["auditor.sentence"]
    for i, (concept, margin, point, feature, value, average) in enumerate(zip(*columns, strict=True)):
        sentences[i] = template.format(
            concept=concepts[concept],
            margin=margin,
            points=point,
            feature=features[feature],
            value=texts.sentences["auditor.unnamed"] if value is None else value,
            reference=group,
            average=average,
        )
    return sentences


def _named(feature: int, wording: Wording) -> str:
    """Return how the auditor sees a feature: its column name, unless that is never told."""
    return (
        wording.schema.names[feature]
        if wording.may_name(feature)
        else wording.texts.render("auditor.unnamed")
    )


def _rounded(numbers: Floats, decimals: int, texts: Texts) -> Objects:
    """Return numbers with their sign; what rounds to zero keeps it."""
    scale = 10.0**decimals
    magnitude = np.maximum(np.abs(np.round(numbers * scale)), 0.25)
    return in_words(np.sign(numbers) * magnitude / scale, lambda x: texts.signed(x, decimals))
