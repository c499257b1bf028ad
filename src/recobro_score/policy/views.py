"""Rows of an event table as they read at an as-of date."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore, EventTable

PLANNING = US_PER_DAY
"""A night plans contact for the 24 hours from its as-of date on."""


def visible(table: EventTable, as_of: int) -> NDArray[np.bool_]:
    """Which rows happened and were known before `as_of`; bool[n rows]."""
    return (table.at < as_of) & (table.known_at < as_of)


def in_force(table: EventTable, as_of: int, *, ahead: int = 0) -> NDArray[np.bool_]:
    """Which rows with an `until_at` hold at `as_of`; bool[n rows].

    Parameters
    ----------
    table
        `holds` or `facts`.
    as_of
        µs UTC.
    ahead
        Rows already known that begin at most this many µs after `as_of` count too.
    """
    return (table.known_at < as_of) & (table.at <= as_of + ahead) & (times(table, "until_at") > as_of)


def times(table: EventTable, column: str) -> NDArray[np.int64]:
    """Return a time or money column as int64."""
    return cast("NDArray[np.int64]", table.columns[column])


def codes(table: EventTable, column: str) -> NDArray[np.int32]:
    """Return the codes of a category column."""
    return cast("NDArray[np.int32]", table.columns[column])


def last_row(owner: NDArray[np.int64], rows: NDArray[np.int64], n_owners: int) -> NDArray[np.int64]:
    """Return for each owner the last of the given rows (in table order) that is its own; -1 = none."""
    last = np.full(n_owners, -1, dtype=np.int64)
    np.maximum.at(last, owner[rows], rows)
    return last


def places(store: EventStore) -> tuple[NDArray[np.int64], list[tuple[str, str | None]]]:
    """Where each account's rules come from: the debtor's country, or the account's where that is unknown.

    Returns
    -------
    code : int64 array, shape (n_accounts,)
        Position in `pairs`.
    pairs : list of (country, subdivision)
        Country "" = unknown; subdivision None = unknown.
    """
    own = store.words("debtors.country")
    unknown = np.array([name is None for name in own], dtype=bool)
    country = np.where(unknown, store.words("accounts.country"), own)
    part = np.where(unknown, store.words("accounts.subdivision"), store.words("debtors.subdivision"))
    position: dict[tuple[str, str | None], int] = {}
    code = np.empty(store.n_accounts, dtype=np.int64)
    for row, (name, subdivision) in enumerate(zip(country, part, strict=True)):
        code[row] = position.setdefault((name or "", subdivision), len(position))
    return code, list(position)
