"""A program meets a store: row masks, value columns and judges, ready for the scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore, EventTable
from recobro_score.features import judge, kernel
from recobro_score.features.computed import column_of
from recobro_score.features.history import bind_state, holders
from recobro_score.features.local_date import bind_calendar
from recobro_score.features.program import (
    EVERY_FILTER,
    AnyProgram,
    CalendarProgram,
    Filter,
    Program,
    StateProgram,
)
from recobro_score.features.readable import EVENT_TABLES, MONEY, STATUS
from recobro_score.features.recipes import Between, Present, PromiseRule, Where
from recobro_score.money import MISSING_MONEY, to_major

_NOTHING = kernel.read_only(np.empty(0), np.int64)
_NO_VALUES = kernel.read_only(np.empty((0, 0)), np.float64)

Judge = Callable[[int, int, judge.Filled], None]
"""Fills the codes and judged numbers of the accounts ``first … last − 1``."""


class Scan(Protocol):
    """A program bound to a store and its as-ofs."""

    def run(self, scale: NDArray[np.float64], first: int, last: int, out: NDArray[np.float64]) -> None:
        """Fill the program's columns of ``out`` (one row per pair) for the accounts ``first … last − 1``."""


@dataclass(frozen=True, slots=True, eq=False)
class TableScan:
    """The program of one event table, bound."""

    program: Program
    rows: kernel.Rows
    moments: kernel.Moments
    judge: Judge | None

    def run(self, scale: NDArray[np.float64], first: int, last: int, out: NDArray[np.float64]) -> None:
        """Fill the program's columns of ``out`` (one row per pair) for the accounts ``first … last − 1``."""
        statuses = self._statuses(first, last)
        kernel.scan()(self.rows, statuses, self.moments, self.program.slots, scale, first, last, out)

    def _statuses(self, first: int, last: int) -> kernel.Statuses:
        if self.judge is None:
            return kernel.Statuses(np.empty(0, np.uint8), _NO_VALUES, _NOTHING, self.program.allows)
        owner = self.rows.owner[first:last]
        lengths = (self.rows.offsets[owner + 1] - self.rows.offsets[owner]) * len(self.moments.as_of)
        start = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=start[1:])
        places = max(int(start[-1]), 1)
        value = np.empty((len(self.program.table.judged), places))
        filled = judge.Filled(np.empty(places, np.uint8), value)
        self.judge(first, last, filled)
        return kernel.Statuses(
            filled.code,
            kernel.read_only(value, np.float64),
            kernel.read_only(start, np.int64),
            self.program.allows,
        )


def bind(
    program: AnyProgram,
    store: EventStore,
    as_ofs: NDArray[np.int64],
    known_before: NDArray[np.int64],
    promises: PromiseRule,
) -> Scan:
    """Bind a program to a store.

    Parameters
    ----------
    program : Program, StateProgram or CalendarProgram
        What to compute.
    store : EventStore
        Where from.
    as_ofs, known_before : int64 arrays, shape (m,)
        The instants, and what was known by then: rows with ``known_at < known_before`` count.
    promises : PromiseRule
        When a promise counts as kept.
    """
    if isinstance(program, StateProgram):
        return bind_state(program, store, as_ofs)
    if isinstance(program, CalendarProgram):
        return bind_calendar(program, store, as_ofs)
    rows = _rows(program, store)
    moments = program.moments(as_ofs, known_before, store.time_zone)
    judged = _judge(program, store, rows, moments.as_of, promises) if program.judged else None
    return TableScan(program, rows, moments, judged)


def _rows(program: Program, store: EventStore) -> kernel.Rows:
    table = store.tables[program.table.name]
    owner = store.account_debtor if program.table.by_debtor else np.arange(store.n_accounts)
    rows = kernel.Rows(
        kernel.read_only(table.offsets, np.int64),
        kernel.read_only(owner, np.int64),
        kernel.read_only(table.at, np.int64),
        kernel.read_only(table.known_at, np.int64),
        kernel.read_only(_mask(program.filters, table, store), np.uint64),
        _wholes(table, program.wholes),
        _reals(table, program.reals, store),
        max((len(table.vocabularies[column]) for column in program.counted), default=0),
    )
    return _gathered(rows, table, store) if program.by_debtor else rows


def _gathered(rows: kernel.Rows, table: EventTable, store: EventStore) -> kernel.Rows:
    """Return the rows grouped by debtor and currency; equal instants keep the order of the account ids."""
    group, n_groups = holders(store)
    if n_groups == store.n_accounts:
        return rows
    held = group[table.owner()]
    order = np.lexsort((rows.known_at, rows.at, held))
    counts = np.bincount(held, minlength=n_groups)
    return kernel.Rows(
        kernel.read_only(np.concatenate([[0], np.cumsum(counts)]), np.int64),
        kernel.read_only(group, np.int64),
        kernel.read_only(rows.at[order], np.int64),
        kernel.read_only(rows.known_at[order], np.int64),
        kernel.read_only(rows.mask[order], np.uint64),
        kernel.read_only(rows.wholes[:, order], np.int64),
        kernel.read_only(rows.reals[:, order], np.float64),
        rows.words,
    )


def _wholes(table: EventTable, columns: tuple[str, ...]) -> NDArray[np.int64]:
    """Return money and category columns as rows of one array; a missing word is missing like money."""
    stacked = np.empty((len(columns), table.n_rows), np.int64)
    for place, column in enumerate(columns):
        values = table.columns[column].astype(np.int64)
        if column in table.vocabularies:
            values[values < 0] = MISSING_MONEY
        stacked[place] = values
    return kernel.read_only(stacked, np.int64)


def _reals(table: EventTable, columns: tuple[str, ...], store: EventStore) -> NDArray[np.float64]:
    stacked = np.empty((len(columns), table.n_rows), np.float64)
    for place, column in enumerate(columns):
        stacked[place] = column_of(table, column, store)
    return kernel.read_only(stacked, np.float64)


def _mask(filters: tuple[Filter, ...], table: EventTable, store: EventStore) -> NDArray[np.uint64]:
    mask = np.full(table.n_rows, EVERY_FILTER)
    for column in sorted({c.column for f in filters for c in f if isinstance(c, Where)} - {STATUS}):
        bits = _bits_of_words(filters, column, table.vocabularies[column])
        mask &= bits[table.columns[column]]
    for bit, filter_ in enumerate(filters):
        for condition in filter_:
            if isinstance(condition, Between):
                mask[~_lies_between(condition, table, store)] &= ~np.uint64(1 << bit)
            elif isinstance(condition, Present):
                mask[table.columns[condition.column] < 0] &= ~np.uint64(1 << bit)
    return mask


@lru_cache(maxsize=1024)
def _bits_of_words(
    filters: tuple[Filter, ...], column: str, vocabulary: tuple[str, ...]
) -> NDArray[np.uint64]:
    """Return, per word of a column (the last one: missing), the filters that let it pass."""
    bits = np.full(len(vocabulary) + 1, EVERY_FILTER)
    for bit, filter_ in enumerate(filters):
        for condition in filter_:
            if isinstance(condition, Where) and condition.column == column:
                refused = [word not in condition.values for word in vocabulary]
                bits[[*refused, True]] &= ~np.uint64(1 << bit)
    return bits


def _lies_between(condition: Between, table: EventTable, store: EventStore) -> NDArray[np.bool_]:
    values = column_of(table, condition.column, store)
    if EVENT_TABLES[table.name].columns[condition.column] == MONEY:
        values = to_major(values.astype(np.int64), store.digits[table.owner()])
    return (values >= condition.low) & (values < condition.high)


def _judge(
    program: Program,
    store: EventStore,
    rows: kernel.Rows,
    as_ofs: NDArray[np.int64],
    promises: PromiseRule,
) -> Judge:
    table = store.tables[program.table.name]
    if program.table.dates:
        dates = _wholes(table, program.table.dates)
        by_dates = judge.judge_dates()
        return lambda first, last, filled: by_dates(
            rows.offsets, rows.owner, dates, as_ofs, first, last, filled
        )
    payments = _payments(store.tables["payments"])
    if table.name == "promises":
        dated = _dated(table, rows, table.columns["due_at"])
        grace = round(promises.grace_days * US_PER_DAY)
        permille = round(promises.tolerance * judge.PERMILLE)
        by_money = judge.judge_promises()
        return lambda first, last, filled: by_money(
            dated, payments, as_ofs, grace, permille, first, last, filled
        )
    in_plan = table.ids["plan_id"].is_valid().to_numpy(zero_copy_only=False)
    dated = _dated(table, rows, in_plan)
    by_schedule = judge.judge_instalments()
    return lambda first, last, filled: by_schedule(dated, payments, as_ofs, first, last, filled)


def _payments(table: EventTable) -> judge.Payments:
    arrays = (table.offsets, table.at, table.known_at, table.columns["recovery"])
    return judge.Payments(*(kernel.read_only(array, np.int64) for array in arrays))


def _dated(table: EventTable, rows: kernel.Rows, extra: NDArray[np.generic]) -> judge.Dated:
    return judge.Dated(
        rows.offsets,
        rows.at,
        rows.known_at,
        kernel.read_only(table.columns["amount"], np.int64),
        kernel.read_only(extra, np.int64),
    )
