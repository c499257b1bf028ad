"""A program meets a store: rows, masks and what they are judged by, ready for the scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore, EventTable
from recobro_score.data.state import frozen, in_plan, payments_of
from recobro_score.features import judge, kernel
from recobro_score.features.computed import column_of
from recobro_score.features.history import bind_state, holders
from recobro_score.features.local_date import bind_calendar
from recobro_score.features.masks import fill_masks, keep_words
from recobro_score.features.program import AnyProgram, CalendarProgram, Program, StateProgram
from recobro_score.features.recipes import PromiseRule
from recobro_score.money import MISSING_MONEY


class Scan(Protocol):
    """A program bound to a store and its as-ofs."""

    def run(self, scale: NDArray[np.float64], first: int, last: int, out: NDArray[np.float64]) -> None:
        """Fill the program's columns of ``out`` (one row per pair) for the accounts ``first … last − 1``."""


@dataclass(frozen=True, slots=True, eq=False)
class TableScan:
    """The program of one event table, bound."""

    program: Program
    rows: kernel.Rows
    told: judge.Told
    moments: kernel.Moments

    def run(self, scale: NDArray[np.float64], first: int, last: int, out: NDArray[np.float64]) -> None:
        """Fill the program's columns of ``out`` (one row per pair) for the accounts ``first … last − 1``."""
        kernel.scan_table(self.rows, self.told, self.moments, self.program.slots, scale, (first, last), out)


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
    told = judge.Told(
        program.judge,
        len(program.table.dates),
        _own(program, store.tables[program.table.name]),
        promise_terms(promises),
        program.allows,
        payments_of(store),
    )
    moments = program.moments(as_ofs, known_before, store.time_zone)
    return TableScan(program, _rows(program, store), told, moments)


def major_units(store: EventStore) -> NDArray[np.float64]:
    """Return how many minor units of its currency make a major one, per account."""
    return (10 ** store.digits.astype(np.int64)).astype(np.float64)


def promise_terms(rule: PromiseRule) -> tuple[int, int]:
    """Return the grace of promises in microseconds and the thousandths of their amount that are enough."""
    return round(rule.grace_days * US_PER_DAY), round(rule.tolerance * judge.PERMILLE)


@lru_cache(maxsize=1024)
def codes_of_words(words: tuple[str, ...], vocabulary: tuple[str, ...]) -> NDArray[np.int64]:
    """Return, per word of a store's column (the last one: missing), its code in a program.

    Words that the program does not know come after those it does, each with a code of its own.
    """
    known = {word: code for code, word in enumerate(words)}
    unknown = (word for word in vocabulary if word not in known)
    known |= {word: len(words) + place for place, word in enumerate(unknown)}
    return frozen(np.array([*(known[word] for word in vocabulary), MISSING_MONEY]), np.int64)


def _rows(program: Program, store: EventStore) -> kernel.Rows:
    table = store.tables[program.table.name]
    owner = store.account_debtor if program.table.by_debtor else np.arange(store.n_accounts)
    wholes, reals = _wholes(table, program), _reals(table, program.reals, store)
    offsets = frozen(table.offsets, np.int64)
    mask = _masks(program, table, wholes, reals, major_units(store))
    known = dict(zip(program.wholes, program.words, strict=True))
    rows = kernel.Rows(
        offsets,
        frozen(owner, np.int64),
        frozen(table.at, np.int64),
        frozen(table.known_at, np.int64),
        mask,
        wholes,
        reals,
        max((len(known[name]) + len(table.vocabularies[name]) for name in program.counted), default=0),
    )
    return _gathered(rows, table, store) if program.by_debtor else rows


def _masks(
    program: Program,
    table: EventTable,
    wholes: NDArray[np.int64],
    reals: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> NDArray[np.uint64]:
    """Return the filters that each row passes for good."""
    mask = np.full(table.n_rows, program.tests.every)
    if len(program.tests.ranges):
        fill_masks(program.tests.of_numbers(), wholes, reals, frozen(table.offsets, np.int64), scale, mask)
    for place, column in enumerate(program.wholes):
        if column in table.vocabularies:
            codes = codes_of_words(program.words[place], table.vocabularies[column])
            bits = program.tests.of_words(place, codes)
            if bits is not None:
                keep_words(bits, table.columns[column], mask)
    return mask


def _gathered(rows: kernel.Rows, table: EventTable, store: EventStore) -> kernel.Rows:
    """Return the rows grouped by debtor and currency; equal instants keep the order of the account ids."""
    group, n_groups = holders(store)
    if n_groups == store.n_accounts:
        return rows
    held = group[table.owner()]
    order = np.lexsort((rows.known_at, rows.at, held))
    counts = np.bincount(held, minlength=n_groups)
    return kernel.Rows(
        frozen(np.concatenate([[0], np.cumsum(counts)]), np.int64),
        frozen(group, np.int64),
        frozen(rows.at[order], np.int64),
        frozen(rows.known_at[order], np.int64),
        rows.mask[order],
        frozen(rows.wholes[:, order], np.int64),
        np.ascontiguousarray(rows.reals[:, order]),
        rows.words,
    )


def _wholes(table: EventTable, program: Program) -> NDArray[np.int64]:
    """Return the columns whose values are read as rows of one array; a missing word is missing like money."""
    stacked = np.empty((program.valued, table.n_rows), np.int64)
    for place, column in enumerate(program.wholes[: program.valued]):
        values = table.columns[column]
        if column in table.vocabularies:
            values = codes_of_words(program.words[place], table.vocabularies[column])[values]
        stacked[place] = values
    return frozen(stacked, np.int64)


def _reals(table: EventTable, columns: tuple[str, ...], store: EventStore) -> NDArray[np.float64]:
    stacked = np.empty((len(columns), table.n_rows), np.float64)
    for place, column in enumerate(columns):
        stacked[place] = column_of(table, column, store)
    return stacked


def _own(program: Program, table: EventTable) -> NDArray[np.int64]:
    """Return what the rows are judged by (see `judge.Told`)."""
    if program.judge == judge.NOBODY:
        return frozen(np.empty((0, 0)), np.int64)
    if program.judge == judge.DATES:
        return frozen(np.stack([table.columns[date] for date in program.table.dates]), np.int64)
    more = table.columns["due_at"] if program.judge == judge.PROMISES else in_plan(table)
    return frozen(np.stack([table.columns["amount"], more]), np.int64)
