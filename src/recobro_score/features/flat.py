"""A plan laid out flat: all programs in one set of arrays, and which columns of which table go where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.state import frozen
from recobro_score.features import aggregates, alone, judge, kernel
from recobro_score.features.binding import promise_terms
from recobro_score.features.local_date import LOCAL_FIELDS
from recobro_score.features.program import (
    CalendarProgram,
    Edge,
    Plan,
    Program,
    StateProgram,
    compile_schema,
    edge_instant,
)
from recobro_score.features.readable import CATEGORY, EVENT_TABLES
from recobro_score.features.schema import MISSING_WORD, FeatureSchema

IN_PLAN = "in_plan"
"""Stands for whether an instalment belongs to a plan."""

_JUDGED_BY = {judge.PROMISES: ("amount", "due_at"), judge.INSTALMENTS: ("amount", IN_PLAN)}
_BOOKS = {"instalments": ("amount", IN_PLAN), "payments": ("recovery",), "balances": ("balance",)}
_DPD = "dpd"
_OF_NO_ROWS = (
    aggregates.COUNT,
    aggregates.STREAK,
    aggregates.LONGEST_STREAK,
    aggregates.DECAYED_COUNT,
    aggregates.SUM,
    aggregates.DECAYED_SUM,
    aggregates.DISTINCT,
)
"""What is zero without rows; all else is missing."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table, and the columns read of them.

    Attributes
    ----------
    table : str
        The table.
    own : tuple of str
        Columns that rows are judged by, or that the state reads.
    wholes, reals : tuple of str
        Money and category columns, and numbers, in the order of their rows.
    words : tuple of tuple of str
        Per column of `wholes` the words with a code of their own; empty for money.
    counted : tuple of str
        Category columns whose words are counted.
    """

    table: str
    own: tuple[str, ...]
    wholes: tuple[str, ...] = ()
    reals: tuple[str, ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    counted: tuple[str, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """The category columns among `wholes`."""
        return tuple(name for name in self.wholes if EVENT_TABLES[self.table].columns[name] == CATEGORY)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A schema compiled for one account at a time.

    Attributes
    ----------
    plan : Plan
        What it was made from.
    flat : alone.Flat
        What the compiled function reads.
    parts : tuple of Part
        One per program, then what the state reads beyond them.
    edges : tuple
        All ends of windows.
    ints, reals : int
        Rows of `alone.Given.ints` and `alone.Given.reals`.
    """

    plan: Plan
    flat: alone.Flat
    parts: tuple[Part, ...]
    edges: tuple[Edge, ...]
    ints: int
    reals: int

    def moments(self, as_of: int, time_zone: str) -> kernel.Moments:
        """Return the instants of every edge at an as-of."""
        instants = [edge_instant(edge, as_of, time_zone) for edge in self.edges]
        own = frozen(np.array([as_of]), np.int64)
        return kernel.Moments(own, own, frozen(np.array([instants]), np.int64))


def lay_out(schema: FeatureSchema) -> Layout:
    """Compile a schema for one account at a time."""
    plan = compile_schema(schema)
    programs = [program for program in plan.programs if isinstance(program, Program)]
    parts = [_part(program) for program in programs]
    places = []
    for table, own in _BOOKS.items():
        held = next((i for i, part in enumerate(parts) if (part.table, part.own) == (table, own)), len(parts))
        if held == len(parts):
            parts.append(Part(table, own, reals=(_DPD,) if table == "balances" else ()))
        places.append(held)
    dated = parts[places[alone.DATED]]
    if _DPD not in dated.reals:
        reals = (*dated.reals, _DPD)
        parts[places[alone.DATED]] = Part(
            dated.table, dated.own, dated.wholes, reals, dated.words, dated.counted
        )
    places.append(parts[places[alone.DATED]].reals.index(_DPD))
    return Layout(
        plan,
        _flat(schema, plan, programs, places),
        tuple(parts),
        tuple(edge for program in programs for edge in program.edges),
        alone.WHOLES + max(len(part.wholes) for part in parts),
        max(len(part.reals) for part in parts),
    )


def _part(program: Program) -> Part:
    own = _JUDGED_BY.get(program.judge, program.table.dates if program.judge == judge.DATES else ())
    own = own or _BOOKS.get(program.table.name, ())
    return Part(program.table.name, own, program.wholes, program.reals, program.words, program.counted)


def local_columns(parts: Sequence[Part]) -> NDArray[np.int64]:
    """Return the columns of the local clock: part, row of reals and field."""
    rows = [
        (place, row, LOCAL_FIELDS.index(column))
        for place, part in enumerate(parts)
        for row, column in enumerate(part.reals)
        if column in LOCAL_FIELDS
    ]
    return frozen(np.array(rows).reshape(-1, 3), np.int64)


def _flat(schema: FeatureSchema, plan: Plan, programs: Sequence[Program], places: list[int]) -> alone.Flat:
    slots, tests = [one.slots for one in programs], [one.tests for one in programs]
    state = next((one for one in plan.programs if isinstance(one, StateProgram)), None)
    calendar = next((one for one in plan.programs if isinstance(one, CalendarProgram)), None)
    none = frozen(np.zeros((0, 3)), np.int64)
    return alone.Flat(
        programs=frozen(_bounds(programs), np.int64),
        code=frozen(_code(programs), np.int64),
        half_life=frozen(_joined([one.half_life for one in slots]), np.float64),
        spelled=frozen(_joined([one.spelled for one in slots]), np.float64),
        parts=frozen(np.array([one.parts for one in slots]).reshape(-1, kernel.JUDGED + 2), np.int64),
        every=frozen(np.array([one.every for one in tests], dtype=np.uint64), np.uint64),
        lookups=frozen(_lookups(programs), np.int64),
        bits=frozen(_joined([one.bits for one in tests]), np.uint64),
        ranges=frozen(_joined([np.zeros((0, 2), np.int64), *(one.ranges for one in tests)]), np.int64),
        limits=frozen(_joined([np.zeros((0, 2)), *(one.limits for one in tests)]), np.float64),
        outside=frozen(_joined([one.outside for one in tests]), np.uint64),
        allows=frozen(np.array([one.allows for one in programs], np.uint64).reshape(-1, 8), np.uint64),
        books=frozen(np.array(places), np.int64),
        state=none if state is None else state.code,
        lags=frozen(np.zeros(0), np.int64) if state is None else state.lags,
        calendar=none if calendar is None else calendar.code,
        static=frozen(np.array([dest for dest, _ in plan.static], dtype=np.int64), np.int64),
        derived=plan.derived,
        shown=frozen(plan.shown, np.int64),
        blank=frozen(_blank(len(schema.recipes), plan, slots), np.float64),
        rule=promise_terms(schema.promises),
    )


def _blank(recipes: int, plan: Plan, slots: Sequence[kernel.Slots]) -> NDArray[np.float64]:
    """Return what all columns are before there is any row: sums and counts are zero."""
    blank = np.full(recipes, np.nan)
    blank[list(plan.missing_words)] = MISSING_WORD
    for one in slots:
        operation, source, dest = one.code[:, [kernel.OP, kernel.SOURCE, kernel.DEST]].T
        blank[dest[np.isin(operation, _OF_NO_ROWS)]] = 0.0
        blank[dest[(source == kernel.WORD) & (operation != aggregates.DISTINCT)]] = MISSING_WORD
    return blank


def _joined(arrays: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    return np.concatenate(arrays) if arrays else np.zeros(0)


def _starts(lengths: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _bounds(programs: Sequence[Program]) -> NDArray[np.int64]:
    """Return where the slots, edges, lookups and ranges of each program begin and end, and who judges it."""
    bounds = np.zeros((len(programs), alone.DATES + 1), np.int64)
    for first, lengths in (
        (alone.FIRST_SLOT, [len(one.slots.code) for one in programs]),
        (alone.FIRST_EDGE, [len(one.edges) for one in programs]),
        (alone.FIRST_LOOKUP, [len(one.tests.lookups) for one in programs]),
        (alone.FIRST_RANGE, [len(one.tests.ranges) for one in programs]),
    ):
        starts = _starts(lengths)
        bounds[:, first], bounds[:, first + 1] = starts[:-1], starts[1:]
    bounds[:, alone.FILTERS] = [one.slots.filters for one in programs]
    bounds[:, alone.JUDGE] = [one.judge for one in programs]
    bounds[:, alone.DATES] = [len(one.table.dates) for one in programs]
    return bounds


def _code(programs: Sequence[Program]) -> NDArray[np.int64]:
    """Return all slots, their edges and spellings numbered through."""
    edges = _starts([len(one.edges) for one in programs])
    spelled = _starts([len(one.slots.spelled) for one in programs])
    codes = [np.zeros((0, kernel.DEST + 1), np.int64)]
    for place, one in enumerate(programs):
        code = one.slots.code.copy()
        code[:, [kernel.LOW, kernel.HIGH]] += edges[place]
        code[:, kernel.SPELLED] += spelled[place]
        codes.append(code)
    return np.concatenate(codes)


def _lookups(programs: Sequence[Program]) -> NDArray[np.int64]:
    """Return all lookups, their bits numbered through."""
    starts = _starts([len(one.tests.bits) for one in programs])
    lookups = [np.zeros((0, 3), np.int64)]
    for place, one in enumerate(programs):
        lookups.append(one.tests.lookups + np.array([0, starts[place], 0]))
    return np.concatenate(lookups)
