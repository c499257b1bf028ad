"""The compiled scan: one pass backwards over an account's rows fills every window of every recipe.

For each (account, as-of) a binary search finds the newest row that any window can reach; from there the scan
walks back to the oldest, tests the known clock of each row and the filter bits of each slot, and adds the row
to every window it lies in. Money stays an integer until one division at the end, so sums are exact in any
order; everything else follows the order of the rows, so the same account gives the same bits in any batch.
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
from recobro_score.money import MISSING_MONEY

COUNT, SUM, MEAN, MIN, MAX, STD, LAST, FIRST, DISTINCT = range(9)
SINCE_LAST, SINCE_FIRST, UNTIL_FIRST, GAP_MEAN, GAP_STD = range(9, 14)

NO_VALUE, WHOLE, REAL, WORD = range(4)
"""Where a slot finds its value: nowhere, money (int64), number (float64), category code (int64)."""

OP, SOURCE, COLUMN, NEXT, DEST = range(5)
"""Columns of `Slots.code`: operation, kind and place of the value, next filter's slot, output column."""

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
    """Statuses judged per (account, as-of, row); empty arrays where no filter reads them.

    Row ``r`` of account ``a`` at as-of ``j`` has ``code[start[a - first] + j * rows + r]``; ``allows[code]``
    are the filters that let it pass.
    """

    code: NDArray[np.uint8]
    start: NDArray[np.int64]
    allows: NDArray[np.uint64]


class Moments(NamedTuple):
    """The as-ofs, what was known, and the edges of every slot's window: ``edges[j, slot] = (from, to)``."""

    as_of: NDArray[np.int64]
    known_before: NDArray[np.int64]
    edges: NDArray[np.int64]
    reach: NDArray[np.int64]


class Slots(NamedTuple):
    """What to compute: one slot per recipe, ordered by filter."""

    bit: NDArray[np.uint64]
    code: NDArray[np.int64]


class Registers(NamedTuple):
    """What a slot has gathered of one pair.

    ``whole[slot] = (rows, exact sum, newest time, oldest time)``; ``real[slot]`` are a value, or a running
    mean with its sum of squares; ``seen[slot, word]`` is the last pair that met the word.
    """

    whole: NDArray[np.int64]
    real: NDArray[np.float64]
    seen: NDArray[np.int64]


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
def _add(slots: Slots, s: int, rows: Rows, row: int, registers: Registers, visit: int) -> None:
    """Add one row to one slot."""
    whole, real, seen = registers
    op, source, column = slots.code[s, OP], slots.code[s, SOURCE], slots.code[s, COLUMN]
    value = 0.0
    exact = 0
    if source == REAL:
        value = rows.reals[column, row]
        if np.isnan(value):
            return
    elif source != NO_VALUE:
        exact = rows.wholes[column, row]
        if exact == MISSING_MONEY or (source == WORD and exact < 0):
            return
        value = float(exact)
    n = whole[s, 0] + 1
    time = rows.at[row]
    if op == DISTINCT:
        if seen[s, exact] == visit:
            return
        seen[s, exact] = visit
    elif op in (SUM, MEAN):
        whole[s, 1] += exact
        real[s, 0] += value
    elif op == STD:
        _spread(real, s, value, n)
    elif op == GAP_STD:
        if n > 1:
            _spread(real, s, (whole[s, 3] - time) / US_PER_DAY, n - 1)
    elif n == 1 or op == FIRST or (op == MIN and value < real[s, 0]) or (op == MAX and value > real[s, 0]):
        real[s, 0] = value
    if n == 1:
        whole[s, 2] = time
    whole[s, 3] = time
    whole[s, 0] = n


@numba.njit(nogil=True, cache=True)
def _spread(real: NDArray[np.float64], s: int, value: float, n: int) -> None:
    """Add the n-th value to a running mean and sum of squares (Welford)."""
    delta = value - real[s, 0]
    real[s, 0] += delta / n
    real[s, 1] += delta * (value - real[s, 0])


@numba.njit(nogil=True, cache=True)
def _finish(slots: Slots, s: int, as_of: int, scale: float, registers: Registers) -> float:
    """Turn a slot's registers into its value."""
    whole, real, _ = registers
    op = slots.code[s, OP]
    is_money = slots.code[s, SOURCE] == WHOLE
    n = whole[s, 0]
    if op in (COUNT, DISTINCT):
        return float(n)
    if op == SUM:
        return float(whole[s, 1] / scale if is_money else real[s, 0])
    if n == 0:
        return np.nan
    if op == MEAN:
        return float(whole[s, 1] / (n * scale) if is_money else real[s, 0] / n)
    if op in (SINCE_LAST, SINCE_FIRST):
        return float((as_of - whole[s, 2 if op == SINCE_LAST else 3]) / US_PER_DAY)
    if op == UNTIL_FIRST:
        return float((whole[s, 3] - as_of) / US_PER_DAY)
    if op == GAP_MEAN:
        return float((whole[s, 2] - whole[s, 3]) / ((n - 1) * US_PER_DAY)) if n > 1 else np.nan
    if op == GAP_STD:
        return float(np.sqrt(real[s, 1] / (n - 2))) if n > 2 else np.nan
    if op == STD and n == 1:
        return np.nan
    value = float(np.sqrt(real[s, 1] / (n - 1)) if op == STD else real[s, 0])
    return value / scale if is_money else value


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
    n_slots = slots.bit.shape[0]
    n_moments = moments.as_of.shape[0]
    judged = statuses.code.shape[0] > 0
    registers = Registers(
        np.empty((n_slots, 4), np.int64),
        np.empty((n_slots, 2), np.float64),
        np.full((n_slots, rows.words), np.int64(-1)),
    )
    for account in range(first, last):
        begin = rows.offsets[rows.owner[account]]
        end = rows.offsets[rows.owner[account] + 1]
        for j in range(n_moments):
            visit = (account - first) * n_moments + j
            registers.whole[:] = 0
            registers.real[:] = 0.0
            row = first_not_before(rows.at, begin, end, moments.reach[j, 1])
            code = statuses.start[account - first] + j * (end - begin) - begin if judged else 0
            while row > begin and rows.at[row - 1] >= moments.reach[j, 0]:
                row -= 1
                if rows.known_at[row] >= moments.known_before[j]:
                    continue
                passes = rows.mask[row]
                if judged:
                    passes &= statuses.allows[statuses.code[code + row]]
                s = 0
                while s < n_slots:
                    if passes & slots.bit[s] == np.uint64(0):
                        s = slots.code[s, NEXT]
                        continue
                    if moments.edges[j, s, 0] <= rows.at[row] < moments.edges[j, s, 1]:
                        _add(slots, s, rows, row, registers, visit)
                    s += 1
            for s in range(n_slots):
                out[visit, slots.code[s, DEST]] = _finish(
                    slots, s, moments.as_of[j], scale[account], registers
                )


SHARE, DIFFERENCE, TREND = range(3)


def _combine(plan: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Fill the derived columns: ``plan[k] = (operation, column a, column b, output column)``, in order."""
    for pair in range(out.shape[0]):
        for k in range(plan.shape[0]):
            a = out[pair, plan[k, 1]]
            b = out[pair, plan[k, 2]]
            over = b
            if plan[k, 0] != SHARE:
                over = abs(a) + abs(b) if plan[k, 0] == TREND else 1.0
                a -= b
            out[pair, plan[k, 3]] = a / over if over != 0.0 else np.nan


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
_ROWS = record(Rows, _I1, _I1, _I1, _I1, _U1, _I2, frozen(types.float64, 2), types.int64)
_STATUSES = record(Statuses, types.Array(types.uint8, 1, "C"), _I1, _U1)
_MOMENTS = record(Moments, _I1, _I1, _I3, _I2)
_SLOTS = record(Slots, _U1, _I2)
_OUT = types.Array(types.float64, 2, "C")


@cache
def scan() -> Callable[..., None]:
    """Return the compiled scan ``(rows, statuses, moments, slots, scale, first, last, out)``."""
    signature = types.void(
        _ROWS, _STATUSES, _MOMENTS, _SLOTS, frozen(types.float64, 1), types.int64, types.int64, _OUT
    )
    compiled: Callable[..., None] = numba.njit(signature, nogil=True, cache=True)(_scan)
    return compiled


@cache
def combine() -> Callable[..., None]:
    """Return the compiled combination of columns ``(plan, out)``."""
    compiled: Callable[..., None] = numba.njit(types.void(_I2, _OUT), nogil=True, cache=True)(_combine)
    return compiled
