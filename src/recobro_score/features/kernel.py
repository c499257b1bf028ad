"""The compiled scan: one pass over an account's rows, then each window of each recipe from what it left.

For each (account, as-of) the rows that any window can reach are found by binary search; one pass notes
which filters each row passes, the known clock and the judged status included. Each slot then adds up the rows
of its window. Money stays an integer until one division at the end, so sums are exact in any order; all else
follows the order of the rows, so the same account gives the same bits in any batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.features.weighing import decayed, ranked
from recobro_score.money import MISSING_MONEY

COUNT, SUM, MEAN, MIN, MAX, STD, LAST, FIRST = range(8)
SINCE_LAST, SINCE_FIRST, UNTIL_FIRST, GAP_MEAN, GAP_STD = range(8, 13)
DISTINCT, MEDIAN, MODE, STREAK, LONGEST_STREAK, DECAYED_COUNT, DECAYED_SUM = range(13, 20)
"""Operations; those from `DISTINCT` on are the costlier ones."""

NO_VALUE, WHOLE, REAL, WORD, JUDGED = range(5)
"""Where a slot finds its value: nowhere, money (int64), number (float64), category code (int64), judged."""

NO_COLUMN = -1
"""The place of no value."""

OP, SOURCE, COLUMN, WINDOW, DEST = range(5)
"""Columns of `Slots.code`: operation, kind and place of the value, window, output column."""

ALWAYS = int(np.iinfo(np.int64).max)
"""An edge beyond every instant; its negative lies before every instant."""


class Rows(NamedTuple):
    """One table as the scan reads it.

    ``owner`` gives the row group of each account, ``mask`` one bit per filter that the row passes for good,
    ``words`` how many codes the category columns among ``wholes`` have.
    """

    offsets: NDArray[np.int64]
    owner: NDArray[np.int64]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    mask: NDArray[np.uint64]
    wholes: NDArray[np.int64]
    reals: NDArray[np.float64]
    words: int


class Statuses(NamedTuple):
    """Statuses judged per (account, as-of, row); empty arrays where nothing reads them.

    Row ``r`` of account ``a`` at as-of ``j`` has ``code[start[a - first] + j * rows + r]``, and its judged
    numbers in the same column of ``value``; ``allows[code]`` are the filters that let it pass.
    """

    code: NDArray[np.uint8]
    value: NDArray[np.float64]
    start: NDArray[np.int64]
    allows: NDArray[np.uint64]


class Moments(NamedTuple):
    """As-ofs, what was known, and windows: ``edges[j, window] = (from, to)``, `reach` over them all."""

    as_of: NDArray[np.int64]
    known_before: NDArray[np.int64]
    edges: NDArray[np.int64]
    reach: NDArray[np.int64]


class Slots(NamedTuple):
    """What to compute: one slot per recipe, with the bits of its filter and of its run, and its half-life."""

    bit: NDArray[np.uint64]
    run: NDArray[np.uint64]
    half_life: NDArray[np.float64]
    code: NDArray[np.int64]


Span = tuple[int, int, int, int]
"""First row of the account, first and last + 1 of the window, what leads from a row to its judged values."""


@numba.njit(nogil=True, cache=True)
def first_not_before(times: NDArray[np.int64], low: int, high: int, instant: int) -> int:
    """Return the first position in ``[low, high)`` whose time is not before the instant."""
    while low < high:
        middle = (low + high) // 2
        if times[middle] < instant:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(nogil=True, cache=True)
def _of_times(
    op: int, as_of: int, at: NDArray[np.int64], passes: NDArray[np.uint64], bit: np.uint64, span: Span
) -> float:
    """Return a count, a recency or a gap of the rows of the window that pass."""
    begin, low, high, _ = span
    count, first, last = 0, 0, 0
    mean, squares = 0.0, 0.0
    for row in range(low, high):
        if passes[row - begin] & bit:
            count += 1
            if count == 1:
                first = at[row]
            elif op == GAP_STD:
                gap = (at[row] - last) / US_PER_DAY
                delta = gap - mean
                mean += delta / (count - 1)
                squares += delta * (gap - mean)
            last = at[row]
    value = np.nan
    if op == COUNT:
        value = float(count)
    elif op == GAP_MEAN and count > 1:
        value = (last - first) / ((count - 1) * US_PER_DAY)
    elif op == GAP_STD and count > 2:
        value = np.sqrt(squares / (count - 2))
    elif op == SINCE_LAST and count > 0:
        value = (as_of - last) / US_PER_DAY
    elif op == SINCE_FIRST and count > 0:
        value = (as_of - first) / US_PER_DAY
    elif op == UNTIL_FIRST and count > 0:
        value = (first - as_of) / US_PER_DAY
    return float(value)


@numba.njit(nogil=True, cache=True)
def _of_values(
    op: int,
    values: NDArray[Any],
    column: int,
    shift: int,
    passes: NDArray[np.uint64],
    bit: np.uint64,
    span: Span,
) -> float:
    """Return an aggregate of the values present, in their own unit; compiled for integers and for reals."""
    begin, low, high, _ = span
    count = 0
    total = 0
    mean, squares, kept = 0.0, 0.0, np.nan
    for row in range(low, high):
        value = values[column, row + shift]
        if passes[row - begin] & bit and value == value and value != MISSING_MONEY:
            count += 1
            if op in (SUM, MEAN):
                total += value
            elif op == STD:
                delta = value - mean
                mean += delta / count
                squares += delta * (value - mean)
            elif count == 1 or op == LAST or (op == MIN and value < kept) or (op == MAX and value > kept):
                kept = float(value)
    if op == SUM:
        kept = float(total)
    elif op == MEAN and count > 0:
        kept = total / count
    elif op == STD and count > 1:
        kept = np.sqrt(squares / (count - 1))
    return float(kept)


@numba.njit(nogil=True, cache=True)
def _distinct(
    words: NDArray[np.int64],
    column: int,
    passes: NDArray[np.uint64],
    bit: np.uint64,
    span: Span,
    seen: NDArray[np.bool_],
) -> float:
    """Return how many words occur; `seen` is left all false, as it was found."""
    begin, low, high, _ = span
    count = 0
    for row in range(low, high):
        word = words[column, row]
        if passes[row - begin] & bit and word != MISSING_MONEY and not seen[word]:
            seen[word] = True
            count += 1
    for row in range(low, high):
        if words[column, row] != MISSING_MONEY:
            seen[words[column, row]] = False
    return float(count)


@numba.njit(nogil=True, cache=True)
def _streak(op: int, passes: NDArray[np.uint64], bit: np.uint64, run: np.uint64, span: Span) -> float:
    """Return how many consecutive passing rows also pass the run: at the end, or at most anywhere."""
    begin, low, high, _ = span
    current, longest = 0, 0
    for row in range(low, high):
        if passes[row - begin] & bit:
            current = current + 1 if passes[row - begin] & run else 0
            longest = max(longest, current)
    return float(current if op == STREAK else longest)


@numba.njit(nogil=True, cache=True)
def _longest(rows: Rows, first: int, last: int) -> int:
    """Return the largest number of rows of an account."""
    longest = 0
    for account in range(first, last):
        owner = rows.owner[account]
        longest = max(longest, rows.offsets[owner + 1] - rows.offsets[owner])
    return longest


@numba.njit(nogil=True, cache=True)
def _costlier(
    s: int,
    slots: Slots,
    rows: Rows,
    judged: NDArray[np.float64],
    as_of: int,
    passes: NDArray[np.uint64],
    span: Span,
    scratch: tuple[NDArray[np.bool_], NDArray[np.float64]],
) -> float:
    """Return one of the operations from `DISTINCT` on; money is still in minor units."""
    op, source, column = slots.code[s, OP], slots.code[s, SOURCE], slots.code[s, COLUMN]
    bit, life = slots.bit[s], slots.half_life[s]
    if op in (STREAK, LONGEST_STREAK):
        return float(_streak(op, passes, bit, slots.run[s], span))
    if op == DISTINCT:
        return float(_distinct(rows.wholes, column, passes, bit, span, scratch[0]))
    if op in (MEDIAN, MODE):
        if source == WHOLE:
            return float(ranked(op == MODE, rows.wholes, column, 0, passes, bit, span, scratch[1]))
        reals = judged if source == JUDGED else rows.reals
        shift = span[3] if source == JUDGED else 0
        return float(ranked(op == MODE, reals, column, shift, passes, bit, span, scratch[1]))
    if source == WHOLE:
        return float(decayed(rows.wholes, column, rows.at, as_of, life, passes, bit, span))
    return float(decayed(rows.reals, column, rows.at, as_of, life, passes, bit, span))


def _scan(
    rows: Rows,
    statuses: Statuses,
    moments: Moments,
    slots: Slots,
    scale: NDArray[np.float64],
    first: int,
    last: int,
    out: NDArray[np.float64],
) -> None:
    """Fill ``out[pair, DEST of each slot]`` for the accounts ``first … last − 1`` at every as-of."""
    is_judged = statuses.code.shape[0] > 0
    longest = _longest(rows, first, last)
    passes = np.empty(longest, np.uint64)
    bounds = np.empty((moments.edges.shape[1], 2), np.int64)
    scratch = (np.zeros(rows.words, np.bool_), np.empty(longest, np.float64))
    pair = -1
    for account in range(first, last):
        begin = rows.offsets[rows.owner[account]]
        end = rows.offsets[rows.owner[account] + 1]
        for j in range(moments.as_of.shape[0]):
            pair += 1
            low = first_not_before(rows.at, begin, end, moments.reach[j, 0])
            high = first_not_before(rows.at, low, end, moments.reach[j, 1])
            code = statuses.start[account - first] + j * (end - begin) - begin if is_judged else 0
            for row in range(low, high):
                bits = rows.mask[row]
                if rows.known_at[row] >= moments.known_before[j]:
                    bits = np.uint64(0)
                elif is_judged:
                    bits &= statuses.allows[statuses.code[code + row]]
                passes[row - begin] = bits
            for window in range(bounds.shape[0]):
                edge = first_not_before(rows.at, low, high, moments.edges[j, window, 0])
                bounds[window, 0] = edge
                bounds[window, 1] = first_not_before(rows.at, edge, high, moments.edges[j, window, 1])
            as_of = moments.as_of[j]
            for s in range(slots.bit.shape[0]):
                op, source, column = slots.code[s, OP], slots.code[s, SOURCE], slots.code[s, COLUMN]
                window = slots.code[s, WINDOW]
                span = (begin, bounds[window, 0], bounds[window, 1], code)
                if op >= DISTINCT:
                    value = _costlier(s, slots, rows, statuses.value, as_of, passes, span, scratch)
                elif source == NO_VALUE:
                    value = _of_times(op, as_of, rows.at, passes, slots.bit[s], span)
                elif source == REAL:
                    value = _of_values(op, rows.reals, column, 0, passes, slots.bit[s], span)
                elif source == JUDGED:
                    value = _of_values(op, statuses.value, column, code, passes, slots.bit[s], span)
                else:
                    value = _of_values(op, rows.wholes, column, 0, passes, slots.bit[s], span)
                out[pair, slots.code[s, DEST]] = value / scale[account] if source == WHOLE else value


SHARE, DIFFERENCE, TREND, LARGER, SMALLER = range(5)


def _combine(plan: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Fill the derived columns: ``plan[k] = (operation, column a, column b, output column)``, in order."""
    for pair in range(out.shape[0]):
        for k in range(plan.shape[0]):
            op, dest = plan[k, 0], plan[k, 3]
            a = out[pair, plan[k, 1]]
            b = out[pair, plan[k, 2]]
            if op in (LARGER, SMALLER):
                takes_b = a != a or (b > a if op == LARGER else b < a)
                out[pair, dest] = b if takes_b else a
                continue
            over = b
            if op != SHARE:
                over = abs(a) + abs(b) if op == TREND else 1.0
                a -= b
            out[pair, dest] = a / over if over != 0.0 else np.nan


def read_only(array: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    """Return a contiguous read-only view, the one kind of array the compiled functions take."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def frozen(dtype: types.Type, ndim: int) -> types.Array:
    """Return the numba type of such an array."""
    return types.Array(dtype, ndim, "C", readonly=True)


def record(kind: type[NamedTuple], *members: types.Type) -> types.Type:
    """Return the numba type of a named tuple of such members."""
    if len(set(members)) == 1:
        return types.NamedUniTuple(members[0], len(members), kind)  # type: ignore[no-untyped-call]
    return types.NamedTuple(members, kind)  # type: ignore[no-untyped-call]


_I1, _I2, _I3 = (frozen(types.int64, ndim) for ndim in (1, 2, 3))
_U1 = frozen(types.uint64, 1)
_F1, _F2 = frozen(types.float64, 1), frozen(types.float64, 2)
_ROWS = record(Rows, _I1, _I1, _I1, _I1, _U1, _I2, _F2, types.int64)
_STATUSES = record(Statuses, types.Array(types.uint8, 1, "C"), _F2, _I1, _U1)
_MOMENTS = record(Moments, _I1, _I1, _I3, _I2)
_SLOTS = record(Slots, _U1, _U1, _F1, _I2)
_OUT = types.Array(types.float64, 2, "C")


@cache
def scan() -> Callable[..., None]:
    """Return the compiled scan ``(rows, statuses, moments, slots, scale, first, last, out)``."""
    signature = types.void(_ROWS, _STATUSES, _MOMENTS, _SLOTS, _F1, types.int64, types.int64, _OUT)
    compiled: Callable[..., None] = numba.njit(signature, nogil=True, cache=True)(_scan)
    return compiled


@cache
def combine() -> Callable[..., None]:
    """Return the compiled combination of columns ``(plan, out)``."""
    compiled: Callable[..., None] = numba.njit(types.void(_I2, _OUT), nogil=True, cache=True)(_combine)
    return compiled
