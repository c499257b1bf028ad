"""One account from raw cells in one compiled call: cells to rows in order, rows to features.

The cells of all tables lie in three arrays, by kind, table after table and column after column; absent
columns are empty ones. Here they become what the store would hold: clocks with their defaults, minor units,
later dates, the order of the rows. A cell that breaks its contract ends the call with nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.assemble import ALWAYS
from recobro_score.data.compiled import called, entered, lent
from recobro_score.features import alone, kernel
from recobro_score.features.iso import EARLIEST, FAR, NOTHING
from recobro_score.money import MISSING_MONEY

ROWS, TIMES, FIGURES, WORDS = range(4)
"""Columns of `Shape.columns`, `Shape.firsts` and of the places where the cells of tables begin."""

CLOCK, KNOWN, LAG, SCHEDULED, FORWARD, SIGN, PLAN, ORDERED = range(8)
"""Columns of `Shape.tables`."""

NUMBER, MONEY, NO_NEGATIVE, NO_NEGATIVE_PAYMENT = range(4)
"""Kinds of figures; the last two are money."""

IS_AT, IS_KNOWN, IS_TIME, IS_MONEY, IS_NUMBER, IS_WORD, IS_IN_PLAN, IS_RECOVERY, IS_TERM = range(9)
"""What goes into a row of the layout, or is a static value."""

_KIND_OF = (ROWS, ROWS, TIMES, FIGURES, FIGURES, WORDS, WORDS, FIGURES, TIMES)
"""Of what kind that is."""

ACCOUNTS, DEBTORS, PLANS = range(3)
"""The tables that others refer to come first."""

DONE, DOUBTFUL = 0, -1
"""How a call ends: with all that was asked for; or only the contracts can tell. Any other number has the bits
of the tables whose rows need their ranks."""

NO_PLAN = -1
"""The place of the plan of a row that belongs to none; less is a plan that is not there."""

_LARGEST_MINOR = 2.0**51
_LARGEST_NUMBER = 2.0**53
"""Beyond it not every whole number is a float."""

_UNREADABLE = 2**62
"""No amount of minor units."""

_GAPS = (701, 301, 132, 57, 23, 10, 4, 1)


class Shape(NamedTuple):
    """What the cells of each table are, and where they go.

    ``columns[t]`` is one (for the rows), then how many columns of each kind table ``t`` has; ``firsts[t]``
    where those of a kind begin in ``times[k] = (is later, required)`` and ``figures[k] = (kind, required)``.
    ``tables[t]`` has the time columns of both clocks (-1: none), the lag, whether the table is scheduled,
    whether later dates may not precede the clock, the word columns of signs and plans (of plans themselves
    the time column of acceptance), and whether the order of rows of equal clocks matters. ``parts[p]`` is
    the table of part ``p``, ``copies[k] = (part, what, column, row, is counted)`` and
    ``static[k] = (what, table, column)``; ``rows`` are those of `alone.Given.ints` and `reals`.
    """

    columns: NDArray[np.int64]
    firsts: NDArray[np.int64]
    times: NDArray[np.int64]
    figures: NDArray[np.int64]
    tables: NDArray[np.int64]
    parts: NDArray[np.int64]
    copies: NDArray[np.int64]
    static: NDArray[np.int64]
    local: NDArray[np.int64]
    rows: tuple[int, int]


class Raw(NamedTuple):
    """The cells: ``sizes[t]`` rows of each table; ``ranks`` orders rows of equal clocks by their content."""

    sizes: NDArray[np.int64]
    times: NDArray[np.int64]
    figures: NDArray[np.float64]
    words: NDArray[np.int64]
    ranks: NDArray[np.int64]


class Place(NamedTuple):
    """Where the account is: minor units of a major one, changes of local time, facts of the local day."""

    scale: float
    since: NDArray[np.int64]
    offset: NDArray[np.int64]
    day: NDArray[np.float64]


class Whole(NamedTuple):
    """All whole numbers in one array: both clocks of all rows, then times, money and words as in `Raw`.

    ``bases[what]`` is where each begins, ``order`` the order of rows within their table.
    """

    cells: NDArray[np.int64]
    bases: tuple[int, int, int, int, int, int]
    order: NDArray[np.int64]


def _read_only(typing_context: Any, array: Any) -> Any:  # noqa: ANN401, ARG001 - numba's own types
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        context.nrt.incref(builder, signature.args[0], arguments[0])
        return arguments[0]

    return array.copy(readonly=True)(array), generate


read_only: Callable[[NDArray[Any]], NDArray[Any]] = cast("Any", intrinsic(_read_only))
"""Returns an array as compiled functions take it from Python, so that they are compiled once."""


@entered
def arrange(shape: Shape, raw: Raw, scale: float) -> tuple[int, NDArray[np.int64], Whole]:
    """Read all cells and order the rows; return how that ended, and where what is read lies.

    ``starts[t, kind]`` is the first row, or cell of a kind, of table ``t``.
    """
    starts = _starts(shape, raw.sizes)
    whole = _room(raw, starts[len(raw.sizes), ROWS])
    ended = DOUBTFUL
    if _read(shape, raw, starts, scale, whole) and _set_clocks(shape, raw.sizes, starts, whole):
        tied = _put_in_order(shape, raw.ranks, starts, whole)
        ended = tied if len(raw.ranks) == 0 else DONE
    return ended, starts, whole


@entered
def fill_raw(
    flat: alone.Flat,
    shape: Shape,
    raw: Raw,
    place: Place,
    moments: kernel.Moments,
    owner: NDArray[np.int64],
) -> tuple[int, NDArray[np.float64]]:
    """Return how it ended, and the features of one account; ``owner`` holds one zero."""
    ended, starts, whole = arrange(shape, raw, place.scale)
    if ended != DONE:
        return ended, np.empty(0)
    given = _given(shape, raw, starts, whole)
    account = starts[ACCOUNTS, ROWS]
    at, known_at = whole.cells[account], whole.cells[whole.bases[IS_KNOWN] + account]
    facts = alone.Facts(
        np.full(1, place.scale),
        _static(shape, raw, starts, whole, place.scale, moments.as_of[0]),
        place.since,
        place.offset,
        place.day,
        whole.cells[whole.bases[IS_MONEY]],
        max(at, known_at),
        known_at,
    )
    found = alone.fill_account(flat, given, facts, moments, owner)
    return DONE if len(found) > 0 else DOUBTFUL, found


@called
def _starts(shape: Shape, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the rows and the cells of each kind of each table begin."""
    columns, counts = shape.columns, sizes
    starts = np.zeros((len(sizes) + 1, WORDS + 1), np.int64)
    for t in range(len(sizes)):
        for kind in range(WORDS + 1):
            starts[t + 1, kind] = starts[t, kind] + counts[t] * columns[t, kind]
    return starts


@called
def _room(raw: Raw, n_rows: int) -> Whole:
    """Return room for all whole numbers, filled with times and words as they came."""
    times, money = 2 * n_rows, 2 * n_rows + len(raw.times)
    words = money + len(raw.figures)
    cells = np.empty(words + len(raw.words), np.int64)
    for k in range(len(raw.times)):
        cells[times + k] = raw.times[k]
    for k in range(len(raw.words)):
        cells[words + k] = raw.words[k]
    return Whole(cells, (0, n_rows, times, money, money, words), np.empty(n_rows, np.int64))


@lent
def _read(shape: Shape, raw: Raw, starts: NDArray[np.int64], scale: float, whole: Whole) -> bool:
    """Read times and money as the contracts do; return whether no cell breaks its contract."""
    cells, sizes, values = whole.cells, raw.sizes, raw.figures
    firsts, columns = shape.firsts, shape.columns
    times, figures, tables = shape.times, shape.figures, shape.tables
    for t in range(len(sizes)):
        size, cell = sizes[t], whole.bases[IS_TIME] + starts[t, TIMES]
        for c in range(firsts[t, TIMES], firsts[t, TIMES] + columns[t, TIMES]):
            later, required = times[c, 0], times[c, 1]
            for place in range(cell, cell + size):
                us = cells[place]
                if us == NOTHING:
                    if required:
                        return False
                    cells[place] = NEVER if later else NOTHING
                elif us < EARLIEST or (us >= FAR and not later):
                    return False
                elif us >= FAR:
                    cells[place] = NEVER
            cell += size
        first, signs = starts[t, FIGURES], whole.bases[IS_WORD] + starts[t, WORDS] + tables[t, SIGN] * size
        for c in range(firsts[t, FIGURES], firsts[t, FIGURES] + columns[t, FIGURES]):
            kind, required = figures[c, 0], figures[c, 1]
            for row in range(size):
                value = values[first + row]
                if kind == NUMBER:
                    if abs(value) > _LARGEST_NUMBER:
                        return False
                    continue
                minor = _minor(value, scale)
                sign = cells[signs + row] if kind == NO_NEGATIVE_PAYMENT else 1
                refused = minor < 0 and minor != MISSING_MONEY and kind != MONEY and sign == 1
                if minor == _UNREADABLE or refused or (required and minor == MISSING_MONEY):
                    return False
                cells[whole.bases[IS_MONEY] + first + row] = minor
            first += size
    return True


@lent
def _minor(value: float, scale: float) -> int:
    """Return an amount in minor units, rounding half to even."""
    if value != value:
        return MISSING_MONEY
    scaled = value * scale
    return int(np.rint(scaled)) if abs(scaled) < _LARGEST_MINOR else _UNREADABLE


@lent
def _set_clocks(shape: Shape, sizes: NDArray[np.int64], starts: NDArray[np.int64], whole: Whole) -> bool:
    """Fill both clocks; return whether no period ends before it begins."""
    cells, tables, columns = whole.cells, shape.tables, shape.columns
    firsts, times = shape.firsts, shape.times
    for t in range(len(sizes)):
        size, first = sizes[t], whole.bases[IS_TIME] + starts[t, TIMES]
        clock, known, lag = tables[t, CLOCK], tables[t, KNOWN], tables[t, LAG]
        for row in range(size):
            known_at = cells[first + known * size + row]
            at = known_at if clock < 0 else cells[first + clock * size + row]
            if known_at == NOTHING:
                if clock < 0:
                    at = known_at = ALWAYS
                elif tables[t, SCHEDULED]:
                    known_at = _schedule_known_at(sizes, tables, starts, whole, t, row)
                else:
                    known_at = at + lag
            cells[starts[t, ROWS] + row] = at
            cells[whole.bases[IS_KNOWN] + starts[t, ROWS] + row] = known_at
            if tables[t, FORWARD]:
                for c in range(columns[t, TIMES]):
                    if times[firsts[t, TIMES] + c, 0] and cells[first + c * size + row] < at:
                        return False
    return True


@lent
def _schedule_known_at(
    sizes: NDArray[np.int64],
    tables: NDArray[np.int64],
    starts: NDArray[np.int64],
    whole: Whole,
    t: int,
    row: int,
) -> int:
    """Return when a scheduled row was known: from the account's opening, or its plan's acceptance, on."""
    cells, lag = whole.cells, tables[t, LAG]
    plan = cells[whole.bases[IS_WORD] + starts[t, WORDS] + tables[t, PLAN] * sizes[t] + row]
    if plan == NO_PLAN:
        return int(cells[starts[ACCOUNTS, ROWS]] + lag)
    if plan < NO_PLAN:
        return NEVER
    accepted = starts[PLANS, TIMES] + tables[PLANS, PLAN] * sizes[PLANS] + plan
    known_at = cells[whole.bases[IS_KNOWN] + starts[PLANS, ROWS] + plan]
    start = max(cells[whole.bases[IS_TIME] + accepted], known_at)
    return int(NEVER if start == NEVER else min(start, NEVER - lag) + lag)


@lent
def _put_in_order(shape: Shape, ranks: NDArray[np.int64], starts: NDArray[np.int64], whole: Whole) -> int:
    """Order the rows by clocks, then rank; return the bits of the tables where equal clocks matter."""
    tied = 0
    cells, order, tables = whole.cells, whole.order, shape.tables
    rank, known = ranks, whole.bases[IS_KNOWN]
    for t in range(len(tables)):
        low, high = starts[t, ROWS], starts[t + 1, ROWS]
        for row in range(low, high):
            order[row] = row
        for gap in _GAPS:
            for end in range(low + gap, high):
                row, free = order[end], end
                while free - gap >= low and _is_before(row, order[free - gap], cells, known, rank):
                    order[free] = order[free - gap]
                    free -= gap
                order[free] = row
        if tables[t, ORDERED]:
            for k in range(low + 1, high):
                a, b = order[k - 1], order[k]
                if cells[a] == cells[b] and cells[known + a] == cells[known + b]:
                    tied |= 1 << t
    return tied


@lent
def _is_before(a: int, b: int, cells: NDArray[np.int64], known: int, ranks: NDArray[np.int64]) -> bool:
    if cells[a] != cells[b]:
        return bool(cells[a] < cells[b])
    if cells[known + a] != cells[known + b]:
        return bool(cells[known + a] < cells[known + b])
    return bool(len(ranks) > 0 and ranks[a] < ranks[b])


@called
def _given(shape: Shape, raw: Raw, starts: NDArray[np.int64], whole: Whole) -> alone.Given:
    """Return the rows as the layout asks for them."""
    sizes, parts, copies = raw.sizes, shape.parts, shape.copies
    cells, order, bases = whole.cells, whole.order, whole.bases
    figures, tables = raw.figures, shape.tables
    spans = np.zeros(len(parts) + 1, np.int64)
    for p in range(len(parts)):
        spans[p + 1] = spans[p] + sizes[parts[p]]
    all_ints = np.zeros((shape.rows[0], spans[len(parts)]), np.int64)
    all_reals = np.zeros((shape.rows[1], spans[len(parts)]))
    ints, reals, words = all_ints, all_reals, 0
    for k in range(len(copies)):
        what, to, dest, t = copies[k, 1], spans[copies[k, 0]], copies[k, 3], parts[copies[k, 0]]
        size, first = sizes[t], starts[t, ROWS]
        kind = _KIND_OF[what]
        begin = starts[t, kind] + copies[k, 2] * size
        signs = bases[IS_WORD] + starts[t, WORDS] + tables[t, SIGN] * size
        for j in range(size):
            row = order[first + j] - first
            if what == IS_NUMBER:
                reals[dest, to + j] = figures[begin + row]
            elif what == IS_TERM:
                term = cells[bases[IS_TIME] + begin + row] - cells[first + row]
                reals[dest, to + j] = float(term) / US_PER_DAY
            elif what == IS_RECOVERY:
                ints[dest, to + j] = cells[signs + row] * abs(cells[bases[IS_MONEY] + begin + row])
            elif what == IS_IN_PLAN:
                ints[dest, to + j] = cells[bases[IS_WORD] + begin + row] != NO_PLAN
            else:
                value = cells[bases[what] + begin + row]
                ints[dest, to + j] = value
                if copies[k, 4]:
                    words = max(words, value + 1)
    return alone.Given(read_only(spans), read_only(all_ints), all_reals, shape.local, words)


@called
def _static(
    shape: Shape, raw: Raw, starts: NDArray[np.int64], whole: Whole, scale: float, as_of: int
) -> NDArray[np.float64]:
    """Return the static values; missing until the row of the account (or debtor) is known."""
    static, figures, cells = shape.static, raw.figures, whole.cells
    found = np.empty(len(static))
    for k in range(len(static)):
        what, t, column = static[k, 0], static[k, 1], static[k, 2]
        value = kernel.MISSING_WORD if what == IS_WORD else np.nan
        if raw.sizes[t] > 0 and cells[whole.bases[IS_KNOWN] + starts[t, ROWS]] < as_of:
            if what == IS_NUMBER:
                value = figures[starts[t, FIGURES] + column]
            else:
                cell = cells[whole.bases[what] + starts[t, _KIND_OF[what]] + column]
                if what == IS_WORD:
                    value = float(cell)
                elif what == IS_MONEY and cell != MISSING_MONEY:
                    value = float(cell) / scale
                elif what == IS_TIME and cell != NEVER:
                    value = float(as_of - cell) / US_PER_DAY
        found[k] = value
    return found
