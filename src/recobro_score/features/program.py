"""Recipes turned into integers: one program per event table, and what to do with the rest.

Compiling depends on the schema alone, never on a store, and is done once per schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.features import kernel
from recobro_score.features.readable import (
    CATEGORY,
    EVENT_TABLES,
    MONEY,
    PLAIN_STATE,
    STATUS,
    UNJUDGED,
    ReadableTable,
)
from recobro_score.features.recipes import Condition, Months, Recipe, Where, Window
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.validation import evaluation_order
from recobro_score.timeline import add_months

MAX_FILTERS = 64
"""A row carries one bit per filter of a program; more filters make another program."""

EVERY_FILTER = np.uint64(np.iinfo(np.uint64).max)

_OPERATIONS = {
    "count": kernel.COUNT,
    "sum": kernel.SUM,
    "mean": kernel.MEAN,
    "min": kernel.MIN,
    "max": kernel.MAX,
    "std": kernel.STD,
    "last": kernel.LAST,
    "first": kernel.FIRST,
    "distinct": kernel.DISTINCT,
    "since_last": kernel.SINCE_LAST,
    "since_first": kernel.SINCE_FIRST,
    "until_first": kernel.UNTIL_FIRST,
    "gap_mean": kernel.GAP_MEAN,
    "gap_std": kernel.GAP_STD,
    "median": kernel.MEDIAN,
    "mode": kernel.MODE,
    "streak": kernel.STREAK,
    "longest_streak": kernel.LONGEST_STREAK,
    "decayed_count": kernel.DECAYED_COUNT,
    "decayed_sum": kernel.DECAYED_SUM,
}
_COMBINATIONS = {
    "share": kernel.SHARE,
    "difference": kernel.DIFFERENCE,
    "trend": kernel.TREND,
    "larger": kernel.LARGER,
    "smaller": kernel.SMALLER,
}

Filter = tuple[Condition, ...]
Columns = Sequence[tuple[int, Recipe]]
"""Recipes with their destinations."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Recipes of one table, compiled.

    Attributes
    ----------
    table : ReadableTable
        What is scanned.
    filters : tuple of tuple of conditions
        Filter ``k`` owns bit ``k`` of a row's mask.
    wholes, reals : tuple of str
        Columns read as int64 (money, categories) and as float64 (numbers).
    counted : tuple of str
        Category columns whose words are counted.
    slots : kernel.Slots
        The opcodes.
    windows : tuple
        The different windows; slots name them by position.
    allows : uint64 array, shape (8,)
        Per status code, the filters that let it pass.
    by_debtor : bool
        Whether rows of all the debtor's accounts of the currency are scanned.
    judged : bool
        Whether anything reads the status, or a judged number, as of the snapshot.
    """

    table: ReadableTable
    filters: tuple[Filter, ...]
    wholes: tuple[str, ...]
    reals: tuple[str, ...]
    counted: tuple[str, ...]
    slots: kernel.Slots
    windows: tuple[Window | Months | None, ...]
    allows: NDArray[np.uint64]
    by_debtor: bool
    judged: bool

    def moments(
        self, as_ofs: NDArray[np.int64], known_before: NDArray[np.int64], time_zone: str
    ) -> kernel.Moments:
        """Return the edges of every window at every as-of."""
        edges = np.array(
            [
                [window_edges(window, as_of, time_zone) for window in self.windows]
                for as_of in as_ofs.tolist()
            ],
            dtype=np.int64,
        )
        reach = np.stack([edges[:, :, 0].min(axis=1), edges[:, :, 1].max(axis=1)], axis=1)
        return kernel.Moments(
            kernel.read_only(as_ofs, np.int64),
            kernel.read_only(known_before, np.int64),
            kernel.read_only(edges, np.int64),
            kernel.read_only(reach, np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class StateProgram:
    """Recipes of the account's state at earlier instants, or of the debtor's other accounts."""

    columns: tuple[tuple[int, Recipe], ...]


@dataclass(frozen=True, slots=True, eq=False)
class CalendarProgram:
    """Recipes of the debtor's local date; `days` are the destinations whose day of the month they read."""

    columns: tuple[tuple[int, Recipe], ...]
    days: tuple[int, ...]


AnyProgram = Program | StateProgram | CalendarProgram


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A whole schema, compiled; destinations are positions among all recipes, hidden ones included.

    Attributes
    ----------
    programs : tuple of programs
        The scans, in the order in which they run.
    state, static : tuple of (destination, Recipe)
        Columns read from the account's state and from static attributes.
    words : tuple of (destination, Recipe)
        Category columns that a scan leaves as codes of the store, or that are missing.
    missing : tuple of int
        Destinations of tables that training never saw.
    derived : int64 array, shape (k, 4)
        Operation, operands and destination of each derived column, in order.
    shown : int64 array, shape (p,)
        Destinations that make up the matrix.
    """

    programs: tuple[AnyProgram, ...]
    state: tuple[tuple[int, Recipe], ...]
    static: tuple[tuple[int, Recipe], ...]
    words: tuple[tuple[int, Recipe], ...]
    missing: tuple[int, ...]
    derived: NDArray[np.int64]
    shown: NDArray[np.int64]


@lru_cache(maxsize=64)
def compile_schema(schema: FeatureSchema) -> Plan:
    """Return the plan of a schema."""
    recipes = schema.recipes
    scanned: dict[tuple[str, bool], list[tuple[int, Recipe]]] = {}
    missing = []
    for dest, recipe in enumerate(recipes):
        if recipe.table in schema.known_tables:
            scanned.setdefault((recipe.table, recipe.by_debtor), []).append((dest, recipe))
        elif recipe.table in EVENT_TABLES:
            missing.append(dest)
    of_events = [(dest, recipe) for dest, recipe in enumerate(recipes) if recipe.table in EVENT_TABLES]
    programs = [program for group in sorted(scanned) for program in compile_table(scanned[group])]
    state = [(i, recipe) for i, recipe in enumerate(recipes) if recipe.aggregate == "state"]
    plain = tuple((i, recipe) for i, recipe in state if recipe.value in PLAIN_STATE and not recipe.window)
    return Plan(
        programs=(*programs, *_state_program(state, plain), *_calendar_program(recipes)),
        state=plain,
        static=tuple((i, recipe) for i, recipe in enumerate(recipes) if recipe.aggregate == "static"),
        words=tuple((dest, recipe) for dest, recipe in of_events if recipe.kind == "category"),
        missing=tuple(missing),
        derived=kernel.read_only(_derived(recipes), np.int64),
        shown=np.array([i for i, recipe in enumerate(recipes) if not recipe.hidden], dtype=np.int64),
    )


def compile_table(recipes: Columns) -> Iterator[Program]:
    """Yield the programs of one table's recipes, given with their destinations."""
    filters: dict[Filter, None] = {}
    part: list[tuple[int, Recipe]] = []
    for dest, recipe in recipes:
        more = dict.fromkeys((recipe.where, (*recipe.where, *recipe.run)))
        if len({**filters, **more}) > MAX_FILTERS:
            yield _program(part, tuple(filters))
            filters, part = {}, []
        filters |= more
        part.append((dest, recipe))
    yield _program(part, tuple(filters))


def _state_program(state: Columns, plain: Columns) -> Iterator[StateProgram]:
    columns = tuple(column for column in state if column not in plain)
    if columns:
        yield StateProgram(columns)


def _calendar_program(recipes: tuple[Recipe, ...]) -> Iterator[CalendarProgram]:
    columns = tuple((i, recipe) for i, recipe in enumerate(recipes) if recipe.aggregate == "calendar")
    place = {recipe.name: i for i, recipe in enumerate(recipes)}
    if columns:
        yield CalendarProgram(columns, tuple(place[name] for _, recipe in columns for name in recipe.of))


def window_edges(window: Window | Months | None, as_of: int, time_zone: str) -> tuple[int, int]:
    """Return the instants ``[from, to)`` of a window; None is everything before the as-of."""
    if window is None:
        return -kernel.ALWAYS, as_of
    if isinstance(window, Months):
        return (
            add_months(as_of, window.months_from, time_zone),
            add_months(as_of, window.months_to, time_zone),
        )
    low, high = window.days_from, window.days_to
    return (
        -kernel.ALWAYS if low is None else as_of + round(low * US_PER_DAY),
        kernel.ALWAYS if high is None else as_of + round(high * US_PER_DAY),
    )


def _program(columns: Columns, filters: tuple[Filter, ...]) -> Program:
    recipes = [recipe for _, recipe in columns]
    table = EVENT_TABLES[recipes[0].table]
    values = {str(recipe.value) for recipe in recipes if recipe.value is not None}
    wholes = tuple(sorted(name for name in values if table.columns[name] in (MONEY, CATEGORY)))
    reals = tuple(sorted(values.difference(wholes, table.judged)))
    windows = list(dict.fromkeys(recipe.window for recipe in recipes))
    place = {filter_: 1 << bit for bit, filter_ in enumerate(filters)}
    code = [
        [
            _OPERATIONS[recipe.aggregate],
            *_source(recipe.value, table, wholes, reals),
            windows.index(recipe.window),
            dest,
        ]
        for dest, recipe in columns
    ]
    bits = [place[recipe.where] for recipe in recipes]
    runs = [place[(*recipe.where, *recipe.run)] for recipe in recipes]
    slots = kernel.Slots(
        kernel.read_only(np.array(bits, dtype=np.uint64), np.uint64),
        kernel.read_only(np.array(runs, dtype=np.uint64), np.uint64),
        kernel.read_only(np.array([recipe.half_life or np.nan for recipe in recipes]), np.float64),
        kernel.read_only(np.array(code, dtype=np.int64), np.int64),
    )
    counted = {str(recipe.value) for recipe in recipes if recipe.aggregate == "distinct"}
    by_status = any(condition.column == STATUS for filter_ in filters for condition in filter_)
    return Program(
        table,
        filters,
        wholes,
        reals,
        tuple(sorted(counted)),
        slots,
        tuple(windows),
        kernel.read_only(_allows(table, filters), np.uint64),
        recipes[0].by_debtor,
        by_status or not values.isdisjoint(table.judged),
    )


def _allows(table: ReadableTable, filters: tuple[Filter, ...]) -> NDArray[np.uint64]:
    """Return, per status code, the filters that let it pass."""
    allows = np.full(UNJUDGED + 1, EVERY_FILTER)
    for bit, filter_ in enumerate(filters):
        for condition in filter_:
            if isinstance(condition, Where) and condition.column == STATUS:
                codes = [code for word in condition.values for code in table.statuses[word]]
                refused = np.setdiff1d(np.arange(UNJUDGED + 1), codes)
                allows[refused] &= ~np.uint64(1 << bit)
    return allows


def _source(
    value: str | None, table: ReadableTable, wholes: tuple[str, ...], reals: tuple[str, ...]
) -> tuple[int, int]:
    if value is None:
        return kernel.NO_VALUE, kernel.NO_COLUMN
    if value in table.judged:
        return kernel.JUDGED, table.judged.index(value)
    if value in reals:
        return kernel.REAL, reals.index(value)
    is_word = table.columns[value] == CATEGORY
    return kernel.WORD if is_word else kernel.WHOLE, wholes.index(value)


def _derived(recipes: tuple[Recipe, ...]) -> NDArray[np.int64]:
    place = {recipe.name: i for i, recipe in enumerate(recipes)}
    rows = [
        [_COMBINATIONS[recipes[i].aggregate], place[recipes[i].of[0]], place[recipes[i].of[1]], i]
        for i in evaluation_order(recipes)
    ]
    return np.array(rows, dtype=np.int64).reshape(len(rows), 4)
