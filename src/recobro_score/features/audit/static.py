"""State without a date: columns of accounts and debtors that say how things stand, but not when."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recobro_score.data.events import EventStore
from recobro_score.data.names import plain
from recobro_score.features.audit.columns import NUMBER, Column, differing
from recobro_score.features.audit.measures import FEW_ACCOUNTS
from recobro_score.features.audit.result import ERROR, WARNING, Finding
from recobro_score.money import MISSING_MONEY, to_major

CHANGED_SHARE = 0.01
"""Share of accounts whose value may differ between two deliveries: corrections happen."""

MOST_ALIKE = 0.9
"""Share of accounts with one and the same value above which a column says too little to be called undated."""

_DATE_IT = "deliver it as a dated table (a row each time it changes, with known_at), or leave it out"
_STATIC_AMOUNTS = ("principal", "credit_limit")


def tells_of_state(name: str) -> bool:
    """Return whether a column's name tells of a state that changes."""
    words = set(plain(name).replace(".", "_").split("_"))
    telling = _state_words()
    return not words.isdisjoint(telling["state"]) and words.isdisjoint(telling["start"])


@cache
def _state_words() -> dict[str, list[str]]:
    return tomllib.loads(files(__package__).joinpath("state_words.toml").read_text(encoding="utf-8"))


def undated_by_name(names: Iterable[str]) -> Iterator[Finding]:
    """Yield undated columns of the raw tables whose names tell of a state."""
    for name in names:
        if tells_of_state(name.partition(".")[2]):
            table = name.partition(".")[0]
            evidence = f"by its name a state that changes, but {table} have one row whatever the as-of"
            yield Finding(name, "undated", WARNING, evidence, np.nan, np.nan, _DATE_IT)


def undated_by_constancy(columns: Iterable[Column], moments: int) -> Iterator[Finding]:
    """Yield columns given per as-of that tell of a state by name and yet never change."""
    for column in columns:
        values = column.values.reshape(-1, moments)
        several = np.isfinite(values).sum(axis=1) > 1
        if several.sum() < FEW_ACCOUNTS or not tells_of_state(column.name):
            continue
        lowest, highest = np.nanmin(values[several], axis=1), np.nanmax(values[several], axis=1)
        commonest = np.unique(lowest, return_counts=True)[1].max() / len(lowest)
        if commonest <= MOST_ALIKE and np.array_equal(lowest, highest):
            evidence = (
                f"by its name a state that changes, but the same at all {moments} as-ofs of every account"
            )
            yield Finding(column.name, "undated", WARNING, evidence, 0.0, np.nan, _DATE_IT)


def undated_by_change(earlier: Mapping[str, pa.Array], now: Mapping[str, pa.Array]) -> Iterator[Finding]:
    """Yield undated columns that say other things of the same accounts in an earlier delivery."""
    for name in earlier.keys() & now.keys():
        told = np.asarray(pc.and_(earlier[name].is_valid(), now[name].is_valid()))
        changed = differing(earlier[name], now[name]) & told
        share = float(changed.sum() / max(told.sum(), 1))
        if share > CHANGED_SHARE:
            evidence = (
                f"another value in {changed.sum():,} of {told.sum():,} accounts than in the earlier tables"
            )
            yield Finding(name, "undated", ERROR, evidence, share, CHANGED_SHARE, _DATE_IT)


def static_amounts(store: EventStore, moments: int) -> list[Column]:
    """Return the amounts and rates of accounts that the contract takes for static, at every as-of."""
    columns = []
    for name in _STATIC_AMOUNTS:
        minor = store.accounts[name]
        values = np.where(minor == MISSING_MONEY, np.nan, to_major(minor, store.digits))
        columns.append(Column(f"accounts.{name}", NUMBER, np.repeat(values, moments)))
    return columns
