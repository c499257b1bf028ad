"""What a slot makes of its rows: the aggregates, compiled.

The rows of a slot are ``chosen[first] … chosen[last − 1]``: positions of the rows that pass its filter and
lie in its window, in order. Money stays an integer until one division at the end, so sums are exact in any
order; all else follows the order of the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.compiled import inlined, lent
from recobro_score.features.weighing import halved, median, most_frequent
from recobro_score.money import MISSING_MONEY

COUNT, SINCE_LAST, SINCE_FIRST, UNTIL_FIRST, GAP_MEAN, GAP_STD = range(6)
STREAK, LONGEST_STREAK, DECAYED_COUNT = range(6, 9)
"""Operations on the rows themselves."""

UNDATED = int(np.iinfo(np.int64).min)
"""The clock of rows that were always known: no time since then can be told, and faded rows weigh nothing."""

SUM, MEAN, MIN, MAX, STD, LAST, FIRST, MEDIAN, MODE, DECAYED_SUM, DISTINCT = range(9, 20)
"""Operations on a value; `DISTINCT` on words."""


@inlined
def of_times(
    op: int, as_of: int, at: NDArray[np.int64], chosen: NDArray[np.int64], first: int, last: int
) -> float:
    """Return a recency or the mean gap."""
    count = last - first
    if count == 0:
        return np.nan
    earliest, latest = at[chosen[first]], at[chosen[last - 1]]
    if (latest if op == SINCE_LAST else earliest) == UNDATED:
        return np.nan
    if op == SINCE_LAST:
        return float((as_of - latest) / US_PER_DAY)
    if op == SINCE_FIRST:
        return float((as_of - earliest) / US_PER_DAY)
    if op == UNTIL_FIRST:
        return float((earliest - as_of) / US_PER_DAY)
    return (latest - earliest) / ((count - 1) * US_PER_DAY) if count > 1 else np.nan


@lent
def deviation_of_gaps(at: NDArray[np.int64], chosen: NDArray[np.int64], first: int, last: int) -> float:
    """Return the standard deviation of the gaps."""
    count = last - first
    if count < 3 or at[chosen[first]] == UNDATED:
        return np.nan
    mean, squares = 0.0, 0.0
    for k in range(first + 1, last):
        gap = (at[chosen[k]] - at[chosen[k - 1]]) / US_PER_DAY
        delta = gap - mean
        mean += delta / (k - first)
        squares += delta * (gap - mean)
    return float(np.sqrt(squares / (count - 2)))


@inlined
def of_values(
    op: int,
    values: NDArray[Any],
    column: int,
    shift: int,
    chosen: NDArray[np.int64],
    first: int,
    last: int,
) -> float:
    """Return a sum, mean or extreme of the values present, in their own unit; for integers and for reals."""
    count = 0
    total = 0
    kept = np.nan
    if op in (SUM, MEAN):
        for k in range(first, last):
            value = values[column, chosen[k] - shift]
            if value == value and value != MISSING_MONEY:
                count += 1
                total += value
        if op == SUM:
            return float(total)
        return total / count if count > 0 else np.nan
    for k in range(first, last):
        value = values[column, chosen[k] - shift]
        further = not (value <= kept if op == MAX else value >= kept)
        if further and value == value and value != MISSING_MONEY:
            kept = float(value)
    return kept


@inlined
def at_the_end(
    op: int,
    values: NDArray[Any],
    column: int,
    shift: int,
    chosen: NDArray[np.int64],
    first: int,
    last: int,
) -> float:
    """Return the last or first of the values present."""
    for k in range(first, last):
        value = values[column, chosen[last - 1 - k + first if op == LAST else k] - shift]
        if value == value and value != MISSING_MONEY:
            return float(value)
    return np.nan


@lent
def deviation(
    values: NDArray[Any], column: int, shift: int, chosen: NDArray[np.int64], first: int, last: int
) -> float:
    """Return the standard deviation of the values present."""
    count = 0
    mean, squares = 0.0, 0.0
    for k in range(first, last):
        value = values[column, chosen[k] - shift]
        if value == value and value != MISSING_MONEY:
            count += 1
            delta = value - mean
            mean += delta / count
            squares += delta * (value - mean)
    return float(np.sqrt(squares / (count - 1))) if count > 1 else np.nan


@lent
def of_ranks(
    op: int,
    values: NDArray[Any],
    column: int,
    shift: int,
    chosen: NDArray[np.int64],
    first: int,
    last: int,
    kept: NDArray[np.float64],
) -> float:
    """Return the median of the values present, or the most frequent one; `kept` is scratch for two copies."""
    count = _gather(values, column, shift, chosen, first, last, kept)
    if count == 0:
        return np.nan
    return median(kept, count) if op == MEDIAN else most_frequent(kept, count)


@lent
def _gather(
    values: NDArray[Any],
    column: int,
    shift: int,
    chosen: NDArray[np.int64],
    first: int,
    last: int,
    kept: NDArray[np.float64],
) -> int:
    """Copy the values present; return how many they are."""
    count = 0
    for k in range(first, last):
        value = values[column, chosen[k] - shift]
        if value == value and value != MISSING_MONEY:
            kept[count] = float(value)
            count += 1
    return count


@inlined
def of_words(
    words: NDArray[np.int64],
    column: int,
    chosen: NDArray[np.int64],
    first: int,
    last: int,
    seen: NDArray[np.bool_],
) -> float:
    """Return how many different words occur; `seen` is left all false, as it was found."""
    count = 0
    for k in range(first, last):
        word = words[column, chosen[k]]
        if word != MISSING_MONEY and not seen[word]:
            seen[word] = True
            count += 1
    for k in range(first, last):
        word = words[column, chosen[k]]
        if word != MISSING_MONEY:
            seen[word] = False
    return float(count)


@lent
def of_streaks(op: int, chosen: NDArray[np.int64], first: int, last: int, run: int, end: int) -> float:
    """Return how many consecutive rows also pass the run: at the end, or at most anywhere.

    The rows that pass it, ``chosen[run] … chosen[end − 1]``, are among the rows of the slot's filter.
    """
    current, longest = 0, 0
    for k in range(first, last):
        while run < end and chosen[run] < chosen[k]:
            run += 1
        current = current + 1 if run < end and chosen[run] == chosen[k] else 0
        longest = max(longest, current)
    return float(current if op == STREAK else longest)


@lent
def decayed_count(
    at: NDArray[np.int64],
    as_of: int,
    half_life: float,
    chosen: NDArray[np.int64],
    first: int,
    last: int,
) -> float:
    """Return the sum of the rows' weights."""
    total = 0.0
    for k in range(first, last):
        if at[chosen[k]] != UNDATED:
            total += halved((as_of - at[chosen[k]]) / US_PER_DAY / half_life)
    return total


@lent
def decayed_sum(
    values: NDArray[Any],
    column: int,
    at: NDArray[np.int64],
    as_of: int,
    half_life: float,
    chosen: NDArray[np.int64],
    stretch: tuple[int, int],
) -> float:
    """Return the sum of the values present, each times its row's weight."""
    total = 0.0
    for k in range(stretch[0], stretch[1]):
        row = chosen[k]
        value = values[column, row]
        if value == value and value != MISSING_MONEY and at[row] != UNDATED:
            total += float(value) * halved((as_of - at[row]) / US_PER_DAY / half_life)
    return total
