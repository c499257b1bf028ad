"""Aggregates that sort or weigh: medians, most frequent numbers, and sums in which rows fade with age.

A weight ``2 ** -x`` is a fixed series of additions and multiplications, so that it has the same bits wherever
it is computed.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.money import MISSING_MONEY

_SERIES = tuple(1.0 / k for k in range(13, 0, -1))
_LOG_2 = math.log(2.0)
_GONE = 1060.0


@numba.njit(nogil=True, cache=True)
def halved(times: float) -> float:
    """Return ``2 ** −times`` for ``times ≥ 0``, within 1e-15 of the true value relatively."""
    if times > _GONE:
        return 0.0
    whole = int(times + 0.5)
    exponent = (whole - times) * _LOG_2
    total = 1.0
    for factor in _SERIES:
        total = 1.0 + total * exponent * factor
    return math.ldexp(total, -whole)


@numba.njit(nogil=True, cache=True)
def decayed(
    values: NDArray[Any],
    column: int,
    at: NDArray[np.int64],
    as_of: int,
    half_life: float,
    passes: NDArray[np.uint64],
    bit: np.uint64,
    span: tuple[int, int, int, int],
) -> float:
    """Return the sum of the values, each times its weight; of the weights alone when `column` is −1."""
    begin, low, high, _ = span
    total = 0.0
    for row in range(low, high):
        if passes[row - begin] & bit:
            value = 1.0
            if column >= 0:
                held = values[column, row]
                if held != held or held == MISSING_MONEY:
                    continue
                value = float(held)
            total += value * halved((as_of - at[row]) / US_PER_DAY / half_life)
    return total


@numba.njit(nogil=True, cache=True)
def ranked(
    frequent: bool,  # noqa: FBT001 - compiled code takes no keywords
    values: NDArray[Any],
    column: int,
    shift: int,
    passes: NDArray[np.uint64],
    bit: np.uint64,
    span: tuple[int, int, int, int],
    buffer: NDArray[np.float64],
) -> float:
    """Return the median of the values present, or the most frequent (of equals the latest)."""
    begin, low, high, _ = span
    count = 0
    for row in range(low, high):
        value = values[column, row + shift]
        if passes[row - begin] & bit and value == value and value != MISSING_MONEY:
            buffer[count] = float(value)
            count += 1
    if count == 0:
        return np.nan
    _sort(buffer, count)
    if not frequent:
        return float((buffer[(count - 1) // 2] + buffer[count // 2]) / 2.0)
    most, kept = 0, np.nan
    for row in range(high - 1, low - 1, -1):
        value = values[column, row + shift]
        if passes[row - begin] & bit and value == value and value != MISSING_MONEY:
            times = _times(buffer, count, float(value))
            if times > most:
                most, kept = times, float(value)
    return float(kept)


@numba.njit(nogil=True, cache=True)
def _times(values: NDArray[np.float64], count: int, value: float) -> int:
    """Return how often a value occurs among sorted ones."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    end = low
    while end < count and values[end] == value:
        end += 1
    return end - low


@numba.njit(nogil=True, cache=True)
def _sort(values: NDArray[np.float64], count: int) -> None:
    """Sort the first values in place (heap sort: no recursion, quick to compile)."""
    for root in range(count // 2 - 1, -1, -1):
        _sink(values, root, count)
    for end in range(count - 1, 0, -1):
        values[0], values[end] = values[end], values[0]
        _sink(values, 0, end)


@numba.njit(nogil=True, cache=True)
def _sink(values: NDArray[np.float64], root: int, end: int) -> None:
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and values[child + 1] > values[child]:
            child += 1
        if values[root] >= values[child]:
            return
        values[root], values[child] = values[child], values[root]
        root = child
