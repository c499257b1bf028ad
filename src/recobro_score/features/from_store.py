"""The one account of a store, laid out for the compiled function."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.events import EventStore, EventTable
from recobro_score.data.state import frozen, in_plan
from recobro_score.features import alone
from recobro_score.features.binding import codes_of_words
from recobro_score.features.computed import column_of
from recobro_score.features.flat import IN_PLAN, Layout, Part, local_columns
from recobro_score.features.local_date import LOCAL_FIELDS, day_facts, zone_changes
from recobro_score.features.static import StaticValues

_HOLDS_LOCAL_CLOCK = "contacts"
"""The table whose rows come with their local clock."""


class _Copies(NamedTuple):
    """Where the columns of a part go: row and column name."""

    table: str
    plain: tuple[tuple[int, str], ...]
    in_plan: int | None
    words: tuple[tuple[int, str, tuple[str, ...]], ...]
    counted: tuple[tuple[str, int], ...]
    reals: tuple[tuple[int, str], ...]


class StoreReader:
    """Lays out the one account of a store, as a layout asks."""

    def __init__(self, layout: Layout, static: StaticValues) -> None:
        self._copies = tuple(_copies(part) for part in layout.parts)
        self._shape = layout.ints, layout.reals
        self._static = static
        parts = layout.parts
        columns = local_columns(parts)
        self._local = frozen(
            columns[[parts[part].table != _HOLDS_LOCAL_CLOCK for part in columns[:, 0]]], np.int64
        )

    def given(self, store: EventStore) -> alone.Given:
        """Return the rows of the account."""
        tables = [_own_rows(store, store.tables[copies.table]) for copies in self._copies]
        spans = [0]
        for table in tables:
            spans.append(spans[-1] + len(table.at))
        ints = np.zeros((self._shape[0], spans[-1]), np.int64)
        reals = np.empty((self._shape[1], spans[-1]))
        words = 0
        for copies, table, low, high in zip(self._copies, tables, spans, spans[1:], strict=False):
            if low < high:
                words = max(words, _copy(copies, table, store, slice(low, high), ints, reals))
        ints.flags.writeable = False
        return alone.Given(frozen(np.array(spans), np.int64), ints, reals, self._local, words)

    def facts(self, store: EventStore, as_of: int) -> alone.Facts:
        """Return what is known of the account besides its rows."""
        accounts, vocabularies = store.accounts, store.vocabularies
        known_at = int(accounts["known_at"][0])
        places = [
            (*vocabularies[f"accounts.{name}"], None)[accounts[name][0]]
            for name in ("country", "subdivision")
        ]
        zone = store.zones[store.zone[0]]
        since, offset = zone_changes(zone)
        scale = 10.0 ** int(store.digits[0])
        return alone.Facts(
            np.array([scale]),
            self._static.of(_value_of(store), as_of, scale),
            since,
            offset,
            day_facts(as_of, zone, *places),
            int(accounts["principal"][0]),
            max(int(accounts["opened_at"][0]), known_at),
            known_at,
        )


def _own_rows(store: EventStore, table: EventTable) -> EventTable:
    """Return the rows of the account or its debtor, without those of other parties."""
    only_one = len(table.offsets) == 2
    return table if only_one else table.take(store.account_debtor)


def _value_of(store: EventStore) -> Any:  # noqa: ANN401
    """Return a function that gives the value of a column of the account or its debtor, words as text."""
    debtor = store.account_debtor[0]

    def value(table: str, column: str) -> Any:  # noqa: ANN401
        found = store.accounts[column][0] if table == "accounts" else store.debtors[column][debtor]
        words = store.vocabularies.get(f"{table}.{column}")
        if words is None:
            return found.item()
        return words[found] if found >= 0 else None

    return value


def _copies(part: Part) -> _Copies:
    own = list(enumerate(part.own, alone.OWN))
    wholes = list(
        zip(range(alone.WHOLES, alone.WHOLES + len(part.wholes)), part.wholes, part.words, strict=True)
    )
    is_word = set(part.categories)
    return _Copies(
        part.table,
        tuple((row, name) for row, name in own if name != IN_PLAN)
        + tuple((row, name) for row, name, _ in wholes if name not in is_word),
        next((row for row, name in own if name == IN_PLAN), None),
        tuple(column for column in wholes if column[1] in is_word),
        tuple((name, len(words)) for _, name, words in wholes if name in part.counted),
        tuple(enumerate(part.reals)),
    )


def _copy(
    copies: _Copies,
    table: EventTable,
    store: EventStore,
    rows: slice,
    ints: NDArray[np.int64],
    reals: NDArray[np.float64],
) -> int:
    """Copy the columns of a part; return how many codes its counted words may have."""
    columns, vocabularies = table.columns, table.vocabularies
    ints[alone.AT, rows] = table.at
    ints[alone.KNOWN_AT, rows] = table.known_at
    for row, name in copies.plain:
        ints[row, rows] = columns[name]
    if copies.in_plan is not None:
        ids = table.ids["plan_id"]
        ints[copies.in_plan, rows] = in_plan(table) if ids.null_count < len(ids) else 0
    for row, name, words in copies.words:
        ints[row, rows] = codes_of_words(words, vocabularies[name])[columns[name]]
    for row, name in copies.reals:
        if name in columns:
            reals[row, rows] = columns[name]
        elif name not in LOCAL_FIELDS:
            reals[row, rows] = column_of(table, name, store)
    return max((known + len(vocabularies[name]) for name, known in copies.counted), default=0)
