"""Recipes turned into integers: one program per event table, and what to do with the rest.

Compiling depends on the schema alone, never on a store, and is done once per schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.state import frozen
from recobro_score.features import aggregates, judge, kernel
from recobro_score.features.masks import EVERY_FILTER, MAX_FILTERS, Filter, Tests, tests_of
from recobro_score.features.readable import (
    CALENDAR,
    CATEGORY,
    EVENT_TABLES,
    MONEY,
    STATE,
    STATUS,
    UNJUDGED,
    ReadableTable,
)
from recobro_score.features.recipes import Between, Months, Recipe, Where, Window
from recobro_score.features.schema import FIRST_WORD, UNSEEN_WORD, FeatureSchema
from recobro_score.features.validation import evaluation_order
from recobro_score.timeline import add_months

_OPERATIONS = {
    "count": aggregates.COUNT,
    "sum": aggregates.SUM,
    "mean": aggregates.MEAN,
    "min": aggregates.MIN,
    "max": aggregates.MAX,
    "std": aggregates.STD,
    "last": aggregates.LAST,
    "first": aggregates.FIRST,
    "distinct": aggregates.DISTINCT,
    "since_last": aggregates.SINCE_LAST,
    "since_first": aggregates.SINCE_FIRST,
    "until_first": aggregates.UNTIL_FIRST,
    "gap_mean": aggregates.GAP_MEAN,
    "gap_std": aggregates.GAP_STD,
    "median": aggregates.MEDIAN,
    "mode": aggregates.MODE,
    "streak": aggregates.STREAK,
    "longest_streak": aggregates.LONGEST_STREAK,
    "decayed_count": aggregates.DECAYED_COUNT,
    "decayed_sum": aggregates.DECAYED_SUM,
}
_COMBINATIONS = {
    "share": kernel.SHARE,
    "difference": kernel.DIFFERENCE,
    "trend": kernel.TREND,
    "larger": kernel.LARGER,
    "smaller": kernel.SMALLER,
}

Columns = Sequence[tuple[int, Recipe]]
"""Recipes with their destinations."""

Vocabularies = Mapping[str, tuple[str, ...]]
"""Words of category features, by feature name."""

Edge = tuple[str, float]
"""An end of a window: ``("days", −90.0)`` or ``("months", −1.0)`` from the as-of; infinite days never end."""

_START, _NOW = ("days", -np.inf), ("days", 0.0)

_JUDGES = {"promises": judge.PROMISES, "instalments": judge.INSTALMENTS}


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Recipes of one table, compiled.

    Attributes
    ----------
    table : ReadableTable
        What is scanned.
    wholes, reals : tuple of str
        Columns read as int64 (money, categories) and as float64 (numbers).
    valued : int
        How many of ``wholes`` hold values to read; the others only have words that filters name.
    words : tuple of tuple of str
        Per column of ``wholes`` the words that anything asks for, in the order of their codes.
    counted : tuple of str
        Category columns whose words are counted.
    tests : Tests
        The conditions of the filters; filter ``k`` owns bit ``k`` of a row's mask.
    slots : kernel.Slots
        The opcodes.
    edges : tuple
        The different ends of windows; slots name them by position.
    allows : uint64 array, shape (8,)
        Per status code, the filters that let it pass.
    by_debtor : bool
        Whether rows of all the debtor's accounts of the currency are scanned.
    judge : int
        Who judges the rows as of the snapshot; `judge.NOBODY` where nothing reads the status or a judged
        number.
    """

    table: ReadableTable
    wholes: tuple[str, ...]
    reals: tuple[str, ...]
    valued: int
    words: tuple[tuple[str, ...], ...]
    counted: tuple[str, ...]
    tests: Tests
    slots: kernel.Slots
    edges: tuple[Edge, ...]
    allows: NDArray[np.uint64]
    by_debtor: bool
    judge: int

    def moments(
        self, as_ofs: NDArray[np.int64], known_before: NDArray[np.int64], time_zone: str
    ) -> kernel.Moments:
        """Return the instants of every edge at every as-of."""
        instants = [
            [edge_instant(edge, as_of, time_zone) for edge in self.edges] for as_of in as_ofs.tolist()
        ]
        return kernel.Moments(
            frozen(as_ofs, np.int64),
            frozen(known_before, np.int64),
            frozen(np.array(instants, dtype=np.int64), np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class StateProgram:
    """Recipes of the account's state at the as-of or earlier, or of the debtor's other accounts.

    ``code[k]`` is what to read (the place in `STATE`), the place of its lag, and the destination; `lags` are
    microseconds before the as-of.
    """

    code: NDArray[np.int64]
    lags: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CalendarProgram:
    """Recipes of the debtor's local date.

    ``code[k]`` is what to read (the place in `CALENDAR`), the destination, and the destination of the day of
    the month to wait for (-1 where none is).
    """

    code: NDArray[np.int64]


AnyProgram = Program | StateProgram | CalendarProgram


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A whole schema, compiled; destinations are positions among all recipes, hidden ones included.

    Attributes
    ----------
    programs : tuple of programs
        The scans, in the order in which they run.
    static : tuple of (destination, Recipe)
        Columns read from static attributes.
    missing, missing_words : tuple of int
        Destinations of tables that training never saw: numbers and categories.
    derived : int64 array, shape (k, 4)
        Operation, operands and destination of each derived column, in order.
    shown : int64 array, shape (p,)
        Destinations that make up the matrix.
    """

    programs: tuple[AnyProgram, ...]
    static: tuple[tuple[int, Recipe], ...]
    missing: tuple[int, ...]
    missing_words: tuple[int, ...]
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
    programs = [
        program for group in sorted(scanned) for program in compile_table(scanned[group], schema.vocabularies)
    ]
    return Plan(
        programs=(*programs, *_state_program(recipes), *_calendar_program(recipes)),
        static=tuple((i, recipe) for i, recipe in enumerate(recipes) if recipe.aggregate == "static"),
        missing=tuple(dest for dest in missing if recipes[dest].kind != "category"),
        missing_words=tuple(dest for dest in missing if recipes[dest].kind == "category"),
        derived=frozen(_derived(recipes), np.int64),
        shown=np.array([i for i, recipe in enumerate(recipes) if not recipe.hidden], dtype=np.int64),
    )


def compile_table(recipes: Columns, vocabularies: Vocabularies) -> Iterator[Program]:
    """Yield the programs of one table's recipes, given with their destinations."""
    filters: dict[Filter, None] = {}
    part: list[tuple[int, Recipe]] = []
    for dest, recipe in recipes:
        more = dict.fromkeys((recipe.where, (*recipe.where, *recipe.run)))
        if len({**filters, **more}) > MAX_FILTERS:
            yield _program(part, tuple(filters), vocabularies)
            filters, part = {}, []
        filters |= more
        part.append((dest, recipe))
    yield _program(part, tuple(filters), vocabularies)


def _state_program(recipes: tuple[Recipe, ...]) -> Iterator[StateProgram]:
    columns = [(dest, recipe) for dest, recipe in enumerate(recipes) if recipe.aggregate == "state"]
    lags = sorted({_lag(recipe) for _, recipe in columns})
    names = list(STATE)
    code = [(names.index(str(recipe.value)), lags.index(_lag(recipe)), dest) for dest, recipe in columns]
    if columns:
        yield StateProgram(frozen(np.array(code), np.int64), frozen(np.array(lags), np.int64))


def _lag(recipe: Recipe) -> int:
    """Return the microseconds before the as-of at which a state is read."""
    days = recipe.window.days_to if isinstance(recipe.window, Window) else None
    return round(-(days or 0.0) * US_PER_DAY)


def _calendar_program(recipes: tuple[Recipe, ...]) -> Iterator[CalendarProgram]:
    place = {recipe.name: i for i, recipe in enumerate(recipes)}
    names = list(CALENDAR)
    code = [
        (names.index(str(recipe.value)), dest, place[recipe.of[0]] if recipe.of else -1)
        for dest, recipe in enumerate(recipes)
        if recipe.aggregate == "calendar"
    ]
    if code:
        yield CalendarProgram(frozen(np.array(code), np.int64))


def window_edges(window: Window | Months | None) -> tuple[Edge, Edge]:
    """Return the ends ``[from, to)`` of a window; None is everything before the as-of."""
    if window is None:
        return _START, _NOW
    if isinstance(window, Months):
        return ("months", window.months_from), ("months", window.months_to)
    low, high = window.days_from, window.days_to
    return ("days", -np.inf if low is None else low), ("days", np.inf if high is None else high)


def edge_instant(edge: Edge, as_of: int, time_zone: str) -> int:
    """Return the instant of an end of a window."""
    unit, number = edge
    if unit == "months":
        return add_months(as_of, int(number), time_zone)
    if np.isinf(number):
        return kernel.ALWAYS if number > 0 else aggregates.UNDATED
    return as_of + round(number * US_PER_DAY)


def _program(columns: Columns, filters: tuple[Filter, ...], vocabularies: Vocabularies) -> Program:
    recipes = [recipe for _, recipe in columns]
    table = EVENT_TABLES[recipes[0].table]
    values = {str(recipe.value) for recipe in recipes if recipe.value is not None}
    conditions = [condition for filter_ in filters for condition in filter_]
    named = {condition.column for condition in conditions}
    read = sorted(values | {condition.column for condition in conditions if isinstance(condition, Between)})
    valued = [name for name in read if table.columns[name] in (MONEY, CATEGORY)]
    tested = [name for name in sorted(named.difference(read, [STATUS])) if table.columns[name] == CATEGORY]
    wholes = (*valued, *tested)
    reals = tuple(sorted((values | named).difference(wholes, table.judged, [STATUS])))
    words = tuple(_words(name, table, filters, recipes, vocabularies) for name in wholes)
    edges = tuple(dict.fromkeys(edge for recipe in recipes for edge in window_edges(recipe.window)))
    counted = {str(recipe.value) for recipe in recipes if recipe.aggregate == "distinct"}
    judged = STATUS in named or not values.isdisjoint(table.judged)
    return Program(
        table,
        wholes,
        reals,
        len(valued),
        words,
        tuple(sorted(counted)),
        tests_of(filters, wholes, words, reals),
        _slots(columns, filters, edges, (wholes, words, reals), vocabularies),
        edges,
        frozen(_allows(table, filters), np.uint64),
        recipes[0].by_debtor,
        _JUDGES.get(table.name, judge.DATES) if judged else judge.NOBODY,
    )


def _words(
    column: str,
    table: ReadableTable,
    filters: tuple[Filter, ...],
    recipes: Sequence[Recipe],
    vocabularies: Vocabularies,
) -> tuple[str, ...]:
    """Return the words of a column that filters name or features spell."""
    if table.columns[column] != CATEGORY:
        return ()
    named = {
        word
        for filter_ in filters
        for condition in filter_
        if isinstance(condition, Where) and condition.column == column
        for word in condition.values
    }
    spelt = (vocabularies[r.name] for r in recipes if r.value == column and r.kind == "category")
    return tuple(sorted(named.union(*spelt)))


def _slots(
    columns: Columns,
    filters: tuple[Filter, ...],
    edges: tuple[Edge, ...],
    read: tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[str, ...]],
    vocabularies: Vocabularies,
) -> kernel.Slots:
    wholes, words, reals = read
    place = {filter_: number for number, filter_ in enumerate(filters)}
    rows: list[tuple[list[int], float]] = []
    spelled: list[float] = []
    for dest, recipe in columns:
        source, column = _source(recipe.value, EVENT_TABLES[recipe.table], wholes, reals)
        low, high = (edges.index(edge) for edge in window_edges(recipe.window))
        lists = place[recipe.where], place[(*recipe.where, *recipe.run)]
        known = words[column] if source == kernel.WORD else ()
        operation = _OPERATIONS[recipe.aggregate]
        slot = [operation, source, column, low, high, *lists, len(spelled), len(known), dest]
        rows.append((slot, recipe.half_life or np.nan))
        if recipe.kind == "category":
            codes = {word: FIRST_WORD + i for i, word in enumerate(vocabularies[recipe.name])}
            spelled += [*(codes.get(word, UNSEEN_WORD) for word in known), UNSEEN_WORD]
    rows.sort(key=lambda row: row[0][kernel.SOURCE])
    code = np.array([slot for slot, _ in rows], dtype=np.int64)
    return kernel.Slots(
        frozen(code, np.int64),
        frozen(np.array([half_life for _, half_life in rows]), np.float64),
        frozen(np.array(spelled), np.float64),
        frozen(np.searchsorted(code[:, kernel.SOURCE], np.arange(kernel.JUDGED + 2)), np.int64),
        0,
        len(edges),
        len(filters),
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
