"""One order for the rows of a table, whatever order they came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.data.parse import text_of

_SMALL = 4096
"""Up to so many rows, one library sort costs less than loading a compiled one."""

_LONG = 128
"""Rows of an owner that insertion may sort, whatever order they came in."""

Keys = Callable[[NDArray[np.int64]], list[NDArray[np.int64]]]
"""Gives, for some rows, one integer array per column that tells their contents apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Arranged:
    """Rows in order.

    Attributes
    ----------
    order : int64 array
        Positions of the rows in order.
    offsets : int64 array, shape (owners + 1,)
        Owner ``i`` has the rows ``order[offsets[i]:offsets[i + 1]]``.
    at, known_at : int64 arrays
        The clocks, in order.
    repeated : int64 array
        Positions of the rows that are equal to the one before them in everything.
    """

    order: NDArray[np.int64]
    offsets: NDArray[np.int64]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    repeated: NDArray[np.int64]


def content_keys(arrays: Sequence[Any], rows: NDArray[np.int64]) -> Keys:
    """Return a function that turns the contents of chosen rows into sortable integers.

    Parameters
    ----------
    arrays : sequence of pyarrow.StringArray or numpy array
        The columns, whole, in the order in which they break ties.
    rows : int64 array
        The rows of them that are being ordered.
    """

    def keys(chosen: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return [_sortable(array, rows[chosen]) for array in arrays]

    return keys


def arrange(
    owner: NDArray[np.int64], owners: int, at: NDArray[np.int64], known_at: NDArray[np.int64], keys: Keys
) -> Arranged:
    """Order rows by owner, event clock, known clock, then id and content.

    Parameters
    ----------
    owner : int64 array
        Whose each row is: ``0 … owners − 1``.
    owners : int
        How many there are.
    at, known_at : int64 arrays
        The clocks.
    keys : callable
        Tells the contents of rows apart; asked only for rows of one owner with equal clocks.
    """
    arranged, tied = _by_clocks(owner, owners, at, known_at)
    if not tied.any():
        return arranged
    in_run = tied.copy()
    in_run[:-1] |= tied[1:]
    places = np.flatnonzero(in_run)
    rows = arranged.order[places]
    content = keys(rows)
    clocks = [known_at[rows], at[rows], owner[rows]]
    inner = np.lexsort((*reversed(content), *clocks))
    arranged.order[places] = rows[inner]
    equal = _same_as_previous(inner, [*clocks, *content])
    return replace(arranged, repeated=arranged.order[places[equal]])


def _by_clocks(
    owner: NDArray[np.int64], owners: int, at: NDArray[np.int64], known_at: NDArray[np.int64]
) -> tuple[Arranged, NDArray[np.bool_]]:
    """Group the rows by owner and order each group by its clocks; tell which rows tie with the one before."""
    none = np.zeros(0, np.int64)
    if len(owner) <= _SMALL:
        order = np.lexsort((known_at, at, owner))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(owner, minlength=owners))])
        arranged = Arranged(order, offsets, at[order], known_at[order], none)
        return arranged, _same_as_previous(order, [owner, at, known_at])
    offsets, order = _group(owner, owners)
    at, known_at = at.take(order), known_at.take(order)
    for group in _sort_groups(offsets, order, at, known_at, _LONG):
        part = slice(offsets[group], offsets[group + 1])
        inner = np.lexsort((known_at[part], at[part]))
        for array in (order, at, known_at):
            array[part] = array[part][inner]
    return Arranged(order, offsets, at, known_at, none), _ties(offsets, at, known_at)


@numba.njit(nogil=True, cache=True)
def _group(owner: NDArray[np.int64], owners: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each owner's rows begin, and the rows by owner, else as they came."""
    offsets = np.zeros(owners + 1, np.int64)
    for one in owner:
        offsets[one + 1] += 1
    for i in range(owners):
        offsets[i + 1] += offsets[i]
    free = offsets[:-1].copy()
    order = np.empty(len(owner), np.int64)
    for row in range(len(owner)):
        place = free[owner[row]]
        free[owner[row]] = place + 1
        order[place] = row
    return offsets, order


@numba.njit(nogil=True, cache=True)
def _sort_groups(
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    at: NDArray[np.int64],
    known_at: NDArray[np.int64],
    long: int,
) -> list[int]:
    """Sort short groups by insertion, which is one pass where they are in order; return the others."""
    left = [0 for _ in range(0)]
    for group in range(len(offsets) - 1):
        low, high = offsets[group], offsets[group + 1]
        for place in range(low + 1, high):
            time, known = at[place], known_at[place]
            before = at[place - 1]
            if before < time or (before == time and known_at[place - 1] <= known):
                continue
            if high - low > long:
                left.append(group)
                break
            row, gap = order[place], place
            while gap > low and (at[gap - 1] > time or (at[gap - 1] == time and known_at[gap - 1] > known)):
                order[gap], at[gap], known_at[gap] = order[gap - 1], at[gap - 1], known_at[gap - 1]
                gap -= 1
            order[gap], at[gap], known_at[gap] = row, time, known
    return left


@numba.njit(nogil=True, cache=True)
def _ties(
    offsets: NDArray[np.int64], at: NDArray[np.int64], known_at: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which rows have the owner and the clocks of the row before."""
    tied = np.zeros(len(at), np.bool_)
    for group in range(len(offsets) - 1):
        for row in range(offsets[group] + 1, offsets[group + 1]):
            tied[row] = at[row] == at[row - 1] and known_at[row] == known_at[row - 1]
    return tied


def later_duplicates(ids: pa.StringArray, known_at: NDArray[np.int64], keys: Keys) -> NDArray[np.int64]:
    """Return the rows that repeat an id, but for the version that was known first.

    A later version of a row must not change what was known before it, so the first one stands; equal times
    are decided by content. Rows without an id are no duplicates.
    """
    if ids.null_count == len(ids):
        return np.zeros(0, dtype=np.int64)
    encoded = ids.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(encoded.dictionary))
    if len(counts) == 0 or counts.max() <= 1:
        return np.zeros(0, dtype=np.int64)
    rows = np.flatnonzero((codes >= 0) & (counts[codes] > 1))
    inner = np.lexsort((*reversed(keys(rows)), known_at[rows], codes[rows]))
    repeated = _same_as_previous(inner, [codes[rows]])
    return np.sort(rows[inner[repeated]])


def warm_up() -> None:
    """Compile, or load from the user's cache, the compiled functions of this module."""
    same = np.zeros(_SMALL + 1, np.int64)
    _by_clocks(same, 1, same, same)


def _same_as_previous(order: NDArray[np.int64], columns: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    same = np.ones(len(order), dtype=bool)
    same[:1] = False
    for column in columns:
        ordered = column[order]
        same[1:] &= ordered[1:] == ordered[:-1]
    return same


def _sortable(array: Any, rows: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: ANN401
    if isinstance(array, pa.Array):
        chosen = text_of(array.take(pa.array(rows)))
        ranks = pc.rank(chosen, sort_keys="ascending", tiebreaker="dense")
        return np.asarray(ranks.to_numpy(zero_copy_only=False), dtype=np.int64)
    chosen = np.ascontiguousarray(array[rows])
    return chosen.view(np.int64) if chosen.dtype == np.float64 else chosen.astype(np.int64)
