"""Medians, most frequent numbers, and the weights of rows that fade with age.

A weight ``2 ** -x`` is a fixed series of additions and multiplications, so that it has the same bits wherever
it is computed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.compiled import lent

_SERIES = tuple(1.0 / k for k in range(13, 0, -1))
_LOG_2 = math.log(2.0)
_GONE = 1060.0


@lent
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


@lent
def median(values: NDArray[np.float64], count: int) -> float:
    """Return the median of the first values, which it sorts."""
    _sort(values, count)
    return float((values[(count - 1) // 2] + values[count // 2]) / 2.0)


@lent
def most_frequent(values: NDArray[np.float64], count: int) -> float:
    """Return the most frequent of the first values, of equals the latest; the rest is scratch."""
    ordered = values[count : 2 * count]
    for k in range(count):
        ordered[k] = values[k]
    _sort(ordered, count)
    most, kept = 0, np.nan
    for k in range(count - 1, -1, -1):
        times = _times(ordered, count, values[k])
        if times > most:
            most, kept = times, values[k]
    return float(kept)


@lent
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


@lent
def _sort(values: NDArray[np.float64], count: int) -> None:
    """Sort the first values in place (heap sort: no recursion, quick to compile)."""
    for root in range(count // 2 - 1, -1, -1):
        _sink(values, root, count)
    for end in range(count - 1, 0, -1):
        values[0], values[end] = values[end], values[0]
        _sink(values, 0, end)


@lent
def _sink(values: NDArray[np.float64], root: int, end: int) -> None:
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and values[child + 1] > values[child]:
            child += 1
        if values[root] >= values[child]:
            return
        values[root], values[child] = values[child], values[root]
        root = child
