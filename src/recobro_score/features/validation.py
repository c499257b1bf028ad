"""Everything wrong with a set of recipes, found in one go."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from recobro_score.errors import hint
from recobro_score.features.readable import (
    CALENDAR,
    CATEGORY,
    EVENT_TABLES,
    FORBIDDEN,
    MONEY,
    NUMBER,
    STATE,
    STATIC,
    STATUS,
    allowed_words,
)
from recobro_score.features.recipes import (
    AGGREGATES,
    CALENDAR_TABLE,
    COMBINING,
    CONCEPTS,
    COUNTING,
    DECAYED,
    DERIVED,
    STATE_TABLE,
    STREAKS,
    Between,
    Condition,
    Months,
    Present,
    PromiseRule,
    Recipe,
    Where,
    Window,
)

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def find_problems(recipes: Sequence[Recipe], promises: PromiseRule) -> list[str]:
    """Return every problem of a set of recipes as one line each; an empty list means that all is well."""
    if not recipes:
        return ["a feature set needs at least one recipe"]
    misshapen = [f"{recipe.name}: {problem}" for recipe in recipes for problem in _of_shapes(recipe)]
    if misshapen:
        return misshapen
    names = [recipe.name for recipe in recipes]
    problems = [f"{name}: the name is used {names.count(name)} times" for name in _repeated(names)]
    if all(recipe.hidden for recipe in recipes):
        problems.append("every recipe is hidden: no feature is left")
    if not (promises.grace_days >= 0 and math.isfinite(promises.grace_days)):
        problems.append(f"promises.grace_days must be 0 or more, got {promises.grace_days}")
    if not 0.001 <= promises.tolerance <= 1:
        problems.append(f"promises.tolerance must lie in [0.001, 1], got {promises.tolerance}")
    for recipe in recipes:
        problems += [f"{recipe.name}: {problem}" for problem in _of_recipe(recipe, names)]
    return problems + _days_of_no_events(recipes) + _circles(recipes)


def evaluation_order(recipes: Sequence[Recipe]) -> list[int]:
    """Return the positions of the derived recipes, operands before what is made of them.

    Positions that wait for each other in a circle are left out.
    """
    done = {recipe.name for recipe in recipes if recipe.aggregate not in COMBINING}
    waiting = [i for i, recipe in enumerate(recipes) if recipe.aggregate in COMBINING]
    order: list[int] = []
    while ready := [i for i in waiting if done.issuperset(recipes[i].of)]:
        order += ready
        done.update(recipes[i].name for i in ready)
        waiting = [i for i in waiting if i not in ready]
    return order


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _of_shapes(recipe: Recipe) -> Iterator[str]:
    """Yield what would be misread: a text where words are meant, a number where a window is."""
    window, labels = (getattr(recipe, name) for name in ("window", "labels"))
    if not isinstance(window, Window | Months | None):
        yield f"a window is for example Window(-90, 0) or Months(-2, -1), not {window!r}"
    for name in ("where", "run"):
        given = getattr(recipe, name)
        if not isinstance(given, tuple) or not all(isinstance(one, Condition) for one in given):
            yield f"`{name}` is a tuple of conditions, for example (Where(…),), not {given!r}"
            continue
        for one in given:
            if isinstance(one, Where) and not _is_tuple_of_texts(one.values):
                yield f'words come as a tuple: Where("{one.column}", ("…",)), not {one.values!r}'
    if not _is_tuple_of_texts(recipe.of):
        yield f"`of` is a tuple of names, not {recipe.of!r}"
    if not isinstance(labels, tuple):
        yield f'labels are pairs, for example (("en", "…"),), not {labels!r}'


def _is_tuple_of_texts(given: object) -> bool:
    return isinstance(given, tuple) and all(isinstance(one, str) for one in given)


def _of_recipe(recipe: Recipe, names: Sequence[str]) -> Iterator[str]:
    if not _NAME.fullmatch(recipe.name):
        yield "a name has lower-case letters, digits and underscores, and begins with a letter"
    if recipe.concept not in CONCEPTS:
        yield f"unknown concept {recipe.concept!r}.{hint(recipe.concept, CONCEPTS)}"
    if recipe.monotone not in (-1, 0, 1):
        yield f"monotone must be -1, 0 or 1, got {recipe.monotone}"
    if recipe.aggregate not in AGGREGATES:
        yield f"unknown aggregate {recipe.aggregate!r}.{hint(recipe.aggregate, AGGREGATES)}"
    elif recipe.aggregate in COMBINING:
        yield from _of_derived(recipe, names)
    elif recipe.aggregate == "calendar":
        yield from _of_calendar(recipe, names)
    elif recipe.of:
        yield f"`of` belongs to {', '.join(COMBINING)} and days_to_day, not to {recipe.aggregate}"
    elif recipe.aggregate == "state":
        yield from _of_state(recipe)
    elif recipe.aggregate == "static":
        yield from _of_plain(recipe, STATIC)
    else:
        yield from _of_events(recipe)
    if recipe.aggregate in (*COMBINING, "calendar", "state", "static"):
        yield from _of_rows_alone(recipe)


def _of_derived(recipe: Recipe, names: Sequence[str]) -> Iterator[str]:
    if recipe.table != DERIVED:
        yield f"the table of a {recipe.aggregate} is {DERIVED!r}, not {recipe.table!r}"
    if recipe.value is not None or recipe.window is not None or recipe.where:
        yield f"a {recipe.aggregate} takes no value, window or filter of its own"
    if len(recipe.of) != 2:
        yield f"a {recipe.aggregate} is of two recipes, got {len(recipe.of)}"
    yield from _of_names(recipe, names)


def _of_names(recipe: Recipe, names: Sequence[str]) -> Iterator[str]:
    for name in recipe.of:
        if name not in names:
            yield f"no recipe {name!r} in the set.{hint(name, names)}"


def _of_rows_alone(recipe: Recipe) -> Iterator[str]:
    for name in ("run", "half_life", "by_debtor"):
        if getattr(recipe, name):
            yield f"{name} belongs to aggregates of events, not to {recipe.aggregate}"


def _of_calendar(recipe: Recipe, names: Sequence[str]) -> Iterator[str]:
    yield from _of_plain(recipe, {CALENDAR_TABLE: CALENDAR})
    expected = 1 if recipe.value == "days_to_day" else 0
    if len(recipe.of) != expected:
        yield f"calendar.{recipe.value} is of {expected} recipes, got {len(recipe.of)}"
    yield from _of_names(recipe, names)


def _days_of_no_events(recipes: Sequence[Recipe]) -> list[str]:
    table = {recipe.name: recipe.table for recipe in recipes}
    return [
        f"{recipe.name}: the day comes from a recipe of events, and {name} is one of {table[name]}"
        for recipe in recipes
        if recipe.aggregate == "calendar"
        for name in recipe.of
        if name in table and table[name] not in EVENT_TABLES
    ]


def _of_state(recipe: Recipe) -> Iterator[str]:
    window = recipe.window
    if window is not None and not (
        isinstance(window, Window)
        and window.days_from is None
        and window.days_to is not None
        and -math.inf < window.days_to < 0
    ):
        yield "the state as it stood earlier has a window such as Window(None, -30)"
    yield from _of_plain(replace(recipe, window=None), {STATE_TABLE: STATE})


def _of_plain(recipe: Recipe, tables: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    if recipe.window is not None or recipe.where:
        yield f"a {recipe.aggregate} recipe takes no window and no filter"
    if recipe.table not in tables:
        yield f"a {recipe.aggregate} recipe reads {' or '.join(tables)}, not {recipe.table!r}"
    else:
        yield from _of_column(recipe.table, recipe.value, tables[recipe.table])


def _of_column(table: str, column: str | None, columns: Mapping[str, str]) -> Iterator[str]:
    if column is None:
        yield f"no value given: one of {', '.join(columns)}"
    elif reason := FORBIDDEN.get(f"{table}.{column}"):
        yield f"{table}.{column} may not be read: {reason}"
    elif column not in columns:
        yield f"no column {table}.{column} to read.{hint(column, columns)}"


def _of_events(recipe: Recipe) -> Iterator[str]:
    if reason := FORBIDDEN.get(recipe.table):
        yield f"{recipe.table} may not be read: {reason}"
        return
    if recipe.table not in EVENT_TABLES:
        yield f"unknown table {recipe.table!r}.{hint(recipe.table, EVENT_TABLES)}"
        return
    table = EVENT_TABLES[recipe.table]
    if recipe.aggregate in COUNTING:
        if recipe.value is not None:
            yield f"{recipe.aggregate} takes no value, got {recipe.value!r}"
    else:
        yield from _of_value(recipe, table.columns)
    yield from _of_window(recipe, scheduled=table.scheduled)
    for condition in (*recipe.where, *recipe.run):
        yield from _of_condition(recipe.table, condition)
    yield from _of_fading_and_runs(recipe)
    if recipe.by_debtor:
        yield from _of_debtor(recipe)
    words = {word for c in recipe.where if isinstance(c, Where) and c.column == STATUS for word in c.values}
    read = {recipe.value, *(condition.column for condition in (*recipe.where, *recipe.run))}
    for column, status in table.revealed_by.items():
        if column in read and words != {status}:
            yield f'{column} is known only then: add Where("{STATUS}", ("{status}",))'


def _of_fading_and_runs(recipe: Recipe) -> Iterator[str]:
    if (recipe.aggregate in STREAKS) != bool(recipe.run):
        yield f"`run` says what goes on in {' and '.join(STREAKS)}, and nothing else"
    if recipe.aggregate not in DECAYED:
        if recipe.half_life is not None:
            yield f"`half_life` belongs to {' and '.join(DECAYED)}"
    elif recipe.half_life is None or not (math.isfinite(recipe.half_life) and recipe.half_life > 0):
        yield f"{recipe.aggregate} needs a half_life of more than 0 days, got {recipe.half_life}"
    elif recipe.window is not None and EVENT_TABLES[recipe.table].scheduled:
        ends = _ends(recipe.window)
        if ends is None or ends[1] is None or ends[1] > 0:
            yield "rows that lie ahead do not fade: the window must end at 0 or before"


def _of_debtor(recipe: Recipe) -> Iterator[str]:
    table = EVENT_TABLES[recipe.table]
    columns = {recipe.value, *(condition.column for condition in (*recipe.where, *recipe.run))}
    if table.by_debtor:
        yield f"{recipe.table} belong to the debtor already"
    if columns & {STATUS, *table.judged}:
        yield "what is judged as of the snapshot is judged per account, not by_debtor"


def _of_value(recipe: Recipe, columns: Mapping[str, str]) -> Iterator[str]:
    problems = list(_of_column(recipe.table, recipe.value, columns))
    yield from problems
    if problems or recipe.value is None:
        return
    kind = columns[recipe.value]
    if recipe.aggregate == "distinct":
        if kind != CATEGORY:
            yield f"distinct counts words, and {recipe.value} is a {kind} column"
    elif kind == CATEGORY and recipe.aggregate not in ("last", "first"):
        yield f"{recipe.aggregate} needs a money or number column, and {recipe.value} is a category"


def _of_window(recipe: Recipe, *, scheduled: bool) -> Iterator[str]:
    ends = _ends(recipe.window)
    if ends is None:
        if recipe.aggregate == "until_first":
            yield "until_first needs a window ahead, for example Window(0, 365)"
        return
    if not all(math.isfinite(end) for end in ends if end is not None):
        yield "window ends are finite numbers; None leaves an end open"
        return
    low, high = ends
    if low is not None and high is not None and low >= high:
        yield f"the window [{low}, {high}) is empty"
    if (high is None or high > 0) and not scheduled:
        yield f"the window looks ahead, and {recipe.table} are no schedule: it must end at 0 or before"
    if recipe.aggregate == "until_first" and (low is None or low < 0):
        yield "until_first needs a window that begins at 0 or later"


def _ends(window: Window | Months | None) -> tuple[float | None, float | None] | None:
    if isinstance(window, Window):
        return window.days_from, window.days_to
    if isinstance(window, Months):
        return window.months_from, window.months_to
    return None


def _of_condition(table: str, condition: Condition) -> Iterator[str]:
    columns = EVENT_TABLES[table].columns
    column = condition.column
    if column in EVENT_TABLES[table].judged:
        yield f"{table}.{column} is judged at each as-of: a value to aggregate, not to filter on"
        return
    if isinstance(condition, Present):
        if columns.get(column) != CATEGORY:
            known = [name for name, kind in columns.items() if kind == CATEGORY]
            yield f"no category {table}.{column} to filter on.{hint(column, known)}"
        return
    if isinstance(condition, Between):
        if columns.get(column) not in (NUMBER, MONEY):
            known = [name for name, kind in columns.items() if kind in (NUMBER, MONEY)]
            yield f"no number {table}.{column} to filter on.{hint(column, known)}"
        if not condition.low < condition.high:
            yield f"no number lies in [{condition.low}, {condition.high})"
        return
    if column == STATUS and not EVENT_TABLES[table].statuses:
        yield f"{table} have no judged status"
    elif column != STATUS and columns.get(column) != CATEGORY:
        known = [name for name, kind in columns.items() if kind == CATEGORY]
        yield f"no category {table}.{column} to filter on.{hint(column, known)}"
    else:
        yield from _of_words(table, condition)


def _of_words(table: str, condition: Where) -> Iterator[str]:
    if not condition.values:
        yield f"the filter on {condition.column} names no word"
    allowed = allowed_words(table, condition.column)
    for word in condition.values if allowed else ():
        if word not in allowed:
            yield f"{table}.{condition.column} is never {word!r}.{hint(word, allowed)}"


def _circles(recipes: Sequence[Recipe]) -> list[str]:
    ordered = evaluation_order(recipes)
    return [
        f"{recipe.name}: made of itself, by way of {' and '.join(recipe.of)}"
        for position, recipe in enumerate(recipes)
        if recipe.aggregate in COMBINING and position not in ordered and _reaches_itself(recipe, recipes)
    ]


def _reaches_itself(recipe: Recipe, recipes: Sequence[Recipe]) -> bool:
    of = {other.name: other.of for other in recipes}
    seen: set[str] = set()
    waiting = list(recipe.of)
    while waiting:
        name = waiting.pop()
        if name == recipe.name:
            return True
        if name not in seen:
            seen.add(name)
            waiting += of.get(name, ())
    return False
