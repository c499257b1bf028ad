"""A program meets a store: row masks, value columns and judges, ready for the scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore, EventTable
from recobro_score.features import judge, kernel
from recobro_score.features.program import EVERY_FILTER, Filter, Program
from recobro_score.features.readable import EVENT_TABLES, MONEY, STATUS
from recobro_score.features.recipes import Between, PromiseRule, Where
from recobro_score.money import MISSING_MONEY, to_major

_NOTHING = kernel.read_only(np.empty(0), np.int64)

Judge = Callable[[int, int, NDArray[np.uint8]], None]
"""Fills the codes of the accounts ``first … last − 1``."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A program bound to a store and its as-ofs."""

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
            return kernel.Statuses(np.empty(0, np.uint8), _NOTHING, self.program.allows)
        owner = self.rows.owner[first:last]
        lengths = (self.rows.offsets[owner + 1] - self.rows.offsets[owner]) * len(self.moments.as_of)
        start = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=start[1:])
        code = np.empty(max(int(start[-1]), 1), np.uint8)
        self.judge(first, last, code)
        return kernel.Statuses(code, kernel.read_only(start, np.int64), self.program.allows)


def bind(
    program: Program,
    store: EventStore,
    as_ofs: NDArray[np.int64],
    known_before: NDArray[np.int64],
    promises: PromiseRule,
) -> Scan:
    """Bind a program to a store.

    Parameters
    ----------
    program : Program
        What to compute.
    store : EventStore
        Where from.
    as_ofs, known_before : int64 arrays, shape (m,)
        The instants, and what was known by then: rows with ``known_at < known_before`` count.
    promises : PromiseRule
        When a promise counts as kept.
    """
    table = store.tables[program.table.name]
    owner = store.account_debtor if program.table.by_debtor else np.arange(store.n_accounts)
    words = max((len(table.vocabularies[column]) for column in program.counted), default=0)
    rows = kernel.Rows(
        kernel.read_only(table.offsets, np.int64),
        kernel.read_only(owner, np.int64),
        kernel.read_only(table.at, np.int64),
        kernel.read_only(table.known_at, np.int64),
        kernel.read_only(_mask(program.filters, table, store), np.uint64),
        _wholes(table, program.wholes),
        _reals(table, program.reals),
        words,
    )
    moments = program.moments(as_ofs, known_before, store.time_zone)
    judged = _judge(program, store, rows, moments.as_of, promises) if program.judged else None
    return Scan(program, rows, moments, judged)


def _wholes(table: EventTable, columns: tuple[str, ...]) -> NDArray[np.int64]:
    """Return money and category columns as rows of one array; a missing word is missing like money."""
    stacked = np.empty((len(columns), table.n_rows), np.int64)
    for place, column in enumerate(columns):
        values = table.columns[column].astype(np.int64)
        if column in table.vocabularies:
            values[values < 0] = MISSING_MONEY
        stacked[place] = values
    return kernel.read_only(stacked, np.int64)


def _reals(table: EventTable, columns: tuple[str, ...]) -> NDArray[np.float64]:
    stacked = np.empty((len(columns), table.n_rows), np.float64)
    for place, column in enumerate(columns):
        stacked[place] = table.columns[column]
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
    values = table.columns[condition.column]
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
        return lambda first, last, code: by_dates(rows.offsets, rows.owner, dates, as_ofs, first, last, code)
    payments = _payments(store.tables["payments"])
    if table.name == "promises":
        dated = _dated(table, rows, table.columns["due_at"])
        grace = round(promises.grace_days * US_PER_DAY)
        permille = round(promises.tolerance * judge.PERMILLE)
        by_money = judge.judge_promises()
        return lambda first, last, code: by_money(dated, payments, as_ofs, grace, permille, first, last, code)
    in_plan = table.ids["plan_id"].is_valid().to_numpy(zero_copy_only=False)
    dated = _dated(table, rows, in_plan)
    by_schedule = judge.judge_instalments()
    return lambda first, last, code: by_schedule(dated, payments, as_ofs, first, last, code)


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
