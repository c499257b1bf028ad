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
}
_COMBINATIONS = {"share": kernel.SHARE, "difference": kernel.DIFFERENCE, "trend": kernel.TREND}

Filter = tuple[Condition, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """One table's recipes, compiled.

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
    """

    table: ReadableTable
    filters: tuple[Filter, ...]
    wholes: tuple[str, ...]
    reals: tuple[str, ...]
    counted: tuple[str, ...]
    slots: kernel.Slots
    windows: tuple[Window | Months | None, ...]
    allows: NDArray[np.uint64]

    @property
    def judged(self) -> bool:
        """Whether a filter reads the status as of the snapshot."""
        return any(condition.column == STATUS for filter_ in self.filters for condition in filter_)

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
class Plan:
    """A whole schema, compiled; destinations are positions among all recipes, hidden ones included.

    Attributes
    ----------
    programs : tuple of Program
        The scans.
    state, static : tuple of (destination, Recipe)
        Columns read from the account's state and from static attributes.
    words : tuple of (destination, Recipe)
        Category columns that a scan leaves as codes of the store.
    missing : tuple of int
        Destinations of tables that training never saw.
    derived : int64 array, shape (k, 4)
        Operation, operands and destination of each derived column, in order.
    shown : int64 array, shape (p,)
        Destinations that make up the matrix.
    """

    programs: tuple[Program, ...]
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
    scanned: dict[str, list[tuple[int, Recipe]]] = {}
    missing = []
    for dest, recipe in enumerate(recipes):
        if recipe.table in schema.known_tables:
            scanned.setdefault(recipe.table, []).append((dest, recipe))
        elif recipe.table in EVENT_TABLES:
            missing.append(dest)
    in_scans = [pair for pairs in scanned.values() for pair in pairs]
    return Plan(
        programs=tuple(program for table in sorted(scanned) for program in compile_table(scanned[table])),
        state=tuple((i, recipe) for i, recipe in enumerate(recipes) if recipe.aggregate == "state"),
        static=tuple((i, recipe) for i, recipe in enumerate(recipes) if recipe.aggregate == "static"),
        words=tuple((dest, recipe) for dest, recipe in in_scans if recipe.kind == "category"),
        missing=tuple(missing),
        derived=kernel.read_only(_derived(recipes), np.int64),
        shown=np.array([i for i, recipe in enumerate(recipes) if not recipe.hidden], dtype=np.int64),
    )


def compile_table(recipes: Sequence[tuple[int, Recipe]]) -> Iterator[Program]:
    """Yield the programs of one table's recipes, given with their destinations."""
    by_filter: dict[Filter, list[tuple[int, Recipe]]] = {}
    for dest, recipe in recipes:
        by_filter.setdefault(recipe.where, []).append((dest, recipe))
    filters = list(by_filter)
    for start in range(0, len(filters), MAX_FILTERS):
        part = {filter_: by_filter[filter_] for filter_ in filters[start : start + MAX_FILTERS]}
        yield _program(EVENT_TABLES[recipes[0][1].table], part)


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


def _program(table: ReadableTable, by_filter: dict[Filter, list[tuple[int, Recipe]]]) -> Program:
    recipes = [recipe for part in by_filter.values() for _, recipe in part]
    values = {str(recipe.value) for recipe in recipes if recipe.value is not None}
    wholes = tuple(sorted(name for name in values if table.columns[name] in (MONEY, CATEGORY)))
    reals = tuple(sorted(values.difference(wholes)))
    windows = list(dict.fromkeys(recipe.window for recipe in recipes))
    bits: list[int] = []
    code: list[list[int]] = []
    for bit, part in enumerate(by_filter.values()):
        for dest, recipe in part:
            source, column = _source(recipe.value, table, wholes, reals)
            bits.append(1 << bit)
            code.append([_OPERATIONS[recipe.aggregate], source, column, windows.index(recipe.window), dest])
    slots = kernel.Slots(
        kernel.read_only(np.array(bits, dtype=np.uint64), np.uint64),
        kernel.read_only(np.array(code, dtype=np.int64), np.int64),
    )
    counted = {str(recipe.value) for recipe in recipes if recipe.aggregate == "distinct"}
    filters = tuple(by_filter)
    return Program(
        table,
        filters,
        wholes,
        reals,
        tuple(sorted(counted)),
        slots,
        tuple(windows),
        kernel.read_only(_allows(table, filters), np.uint64),
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
        return kernel.NO_VALUE, 0
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
