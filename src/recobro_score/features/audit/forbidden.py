"""What no feature may speak of, per country, and which features may stand for it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from recobro_score.data.events import EventStore
from recobro_score.data.names import plain
from recobro_score.errors import ConfigError, hint
from recobro_score.features.audit.columns import CATEGORY, NUMBER, Column, column_of
from recobro_score.features.audit.measures import Z_999
from recobro_score.features.audit.result import ERROR, NOTE, WARNING, Finding, Measured

EVERYWHERE = "*"


class Attribute(BaseModel):
    """One thing that features may not speak of.

    Attributes
    ----------
    id : str
        Its name.
    countries : tuple of str
        ISO codes, or ``*``.
    names : tuple of str
        Regular expressions of whole words of a column's name.
    unless : tuple of str
        Words that take a match back: the age of an account is not that of a person.
    facts, debtors : tuple of str
        Kinds of facts (regular expressions) and columns of debtors that hold the attribute itself.
    liftable : bool
        Whether the user may lift the ban for a stated reason.
    source : str
        The law or rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    countries: tuple[str, ...]
    names: tuple[str, ...]
    liftable: bool
    source: str
    unless: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    debtors: tuple[str, ...] = ()

    def applies(self, countries: Iterable[str]) -> bool:
        """Return whether it is forbidden in any of the countries."""
        return EVERYWHERE in self.countries or not set(self.countries).isdisjoint(countries)

    def named_in(self, text: str) -> bool:
        """Return whether a column's name speaks of it."""
        name = plain(text).replace(".", "_")
        if not _has_word(self.names, name):
            return False
        return not set(self.unless) & set(name.split("_"))


def _has_word(patterns: Iterable[str], name: str) -> bool:
    return any(re.search(rf"(?:^|_)(?:{pattern})(?:_|$)", name) for pattern in patterns)


@cache
def forbidden_attributes() -> tuple[Attribute, ...]:
    """Return the registry, as ``forbidden.toml`` has it."""
    text = files(__package__).joinpath("forbidden.toml").read_text(encoding="utf-8")
    return tuple(Attribute.model_validate(row) for row in tomllib.loads(text)["attribute"])


def check_lifted(lifted: Mapping[str, str]) -> None:
    """Raise `ConfigError` unless every lifted ban exists, may be lifted and has a reason."""
    known = {attribute.id: attribute for attribute in forbidden_attributes()}
    problems = []
    for name, reason in lifted.items():
        if name not in known:
            problems.append(f"no attribute {name!r} (known: {', '.join(known)}).{hint(name, known)}")
        elif not known[name].liftable:
            problems.append(f"{name} cannot be lifted: {known[name].source}")
        elif not reason.strip():
            problems.append(f"lifting {name} needs a stated reason")
    if problems:
        raise ConfigError("; ".join(problems))


def forbidden_findings(
    names: Mapping[str, str], store: EventStore, lifted: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield the features whose names, or what they read, speak of a forbidden attribute.

    Parameters
    ----------
    names : mapping of str to str
        Per feature, all that its definition names (just the name again for a column).
    store : EventStore
        Its accounts' countries decide which attributes are forbidden.
    lifted : mapping of str to str
        Attribute and stated reason.
    """
    countries = set(store.vocabularies["accounts.country"])
    for attribute in forbidden_attributes():
        if not attribute.applies(countries):
            continue
        where = "everywhere" if EVERYWHERE in attribute.countries else ", ".join(attribute.countries)
        reason = lifted.get(attribute.id)
        for feature, text in names.items():
            if not any(attribute.named_in(part) for part in text.split()):
                continue
            evidence = f"speaks of {attribute.id}, forbidden {where} ({attribute.source})"
            if reason is not None:
                evidence += f"; lifted: {reason}"
            severity, advice = (
                (ERROR, "leave it out") if reason is None else (NOTE, "keep the reason on file")
            )
            yield Finding(feature, "forbidden", severity, evidence, np.nan, np.nan, advice)


def held_attributes(store: EventStore, as_of: int, undated: Mapping[str, pa.Array]) -> dict[str, Column]:
    """Return the forbidden attributes that the portfolio itself holds, one value per account.

    They are never features; they tell which features may stand for them.

    Parameters
    ----------
    store : EventStore
        Debtors and facts.
    as_of : int
        Facts visible then count.
    undated : mapping
        Columns of the raw tables without a date, see `recobro_score.features.audit.columns.static_cells`.
    """
    countries = set(store.vocabularies["accounts.country"])
    held: dict[str, Column] = {}
    for attribute in forbidden_attributes():
        if not attribute.applies(countries):
            continue
        for name in attribute.debtors:
            values = store.debtors[name][store.account_debtor].astype(np.float64)
            held[f"{attribute.id} (debtors.{name})"] = Column(attribute.id, NUMBER, values)
        if attribute.facts:
            told = _told(store, attribute, as_of)
            held[f"{attribute.id} (facts)"] = Column(attribute.id, CATEGORY, told)
        for name, cells in undated.items():
            if attribute.named_in(name.partition(".")[2]):
                held[f"{attribute.id} ({name})"] = column_of(attribute.id, cells)
    return {name: column for name, column in held.items() if _varies(column.values)}


def _told(store: EventStore, attribute: Attribute, as_of: int) -> NDArray[np.float64]:
    """Return 1 for accounts of whose debtor a fact of the attribute was visible, else 0."""
    facts = store.tables["facts"]
    words = facts.vocabularies["kind"]
    kinds = [code for code, word in enumerate(words) if _has_word(attribute.facts, plain(word))]
    seen = np.isin(facts.columns["kind"], kinds) & (facts.at < as_of) & (facts.known_at < as_of)
    told = np.zeros(len(store.debtor_ids))
    told[facts.owner()[seen]] = 1.0
    return told[store.account_debtor]


def _varies(values: NDArray[np.float64]) -> bool:
    return len(np.unique(values[np.isfinite(values)])) > 1


def proxy_findings(measured: Iterable[Measured], threshold: float, lifted: Set[str]) -> Iterator[Finding]:
    """Yield the strongest association of each feature whose lower 99.9 % bound exceeds the threshold.

    Parameters
    ----------
    measured : iterable of Measured
        Associations with attributes, whose names begin ``against``.
    threshold : float
        From 0 to 1.
    lifted : set of str
        Attributes whose ban is lifted: their proxies are only noted.
    """
    strongest: dict[str, Measured] = {}
    for one in measured:
        if one.value - Z_999 * one.se > threshold:
            strongest[one.feature] = max(strongest.get(one.feature, one), one, key=lambda found: found.value)
    for one in strongest.values():
        evidence = f"goes with {one.against}: {one.value:.2f} ± {one.se:.2f} on a scale from 0 to 1"
        advice = "it may stand for what is forbidden: leave it out, or show that it is needed and fair"
        severity = NOTE if one.against.partition(" ")[0] in lifted else WARNING
        yield Finding(one.feature, "proxy", severity, evidence, one.value, threshold, advice)
