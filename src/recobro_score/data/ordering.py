"""One order for the rows of a table, whatever order they came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def sort_rows(
    owner: NDArray[np.int64], at: NDArray[np.int64], known_at: NDArray[np.int64], keys: Keys
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order rows by owner, event clock, known clock, then id and content.

    Returns
    -------
    order : int64 array
        Positions of the rows in order.
    repeated : int64 array
        Positions of the rows that are equal to the one before them in everything.
    """
    order = _by_clocks(owner, at, known_at)
    tied = _same_as_previous(order, [owner, at, known_at])
    if not tied.any():
        return order, np.zeros(0, dtype=np.int64)
    in_run = tied.copy()
    in_run[:-1] |= tied[1:]
    places = np.flatnonzero(in_run)
    rows = order[places]
    content = keys(rows)
    clocks = [known_at[rows], at[rows], owner[rows]]
    inner = np.lexsort((*reversed(content), *clocks))
    order[places] = rows[inner]
    equal = _same_as_previous(inner, [*clocks, *content])
    return order, order[places[equal]]


def _by_clocks(
    owner: NDArray[np.int64], at: NDArray[np.int64], known_at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return ``np.lexsort((known_at, at, owner))``: group the rows by owner, then order each group."""
    if len(owner) <= _SMALL:
        return np.lexsort((known_at, at, owner))
    offsets, order = _group(owner, int(owner.max()) + 1)
    for group in _sort_groups(offsets, order, at, known_at, _LONG):
        rows = order[offsets[group] : offsets[group + 1]]
        order[offsets[group] : offsets[group + 1]] = rows[np.lexsort((known_at[rows], at[rows]))]
    return order


@numba.njit(nogil=True, cache=True)
def _group(owner: NDArray[np.int64], owners: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each owner's rows begin, and the rows by owner, otherwise as they came."""
    offsets = np.zeros(owners + 1, np.int64)
    for one in owner:
        offsets[one + 1] += 1
    for i in range(owners):
        offsets[i + 1] += offsets[i]
    free = offsets[:-1].copy()
    order = np.empty(len(owner), np.int64)
    for row in range(len(owner)):
        order[free[owner[row]]] = row
        free[owner[row]] += 1
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
            row = order[place]
            gap = place
            while gap > low:
                before = order[gap - 1]
                if at[before] < at[row] or (at[before] == at[row] and known_at[before] <= known_at[row]):
                    break
                order[gap] = before
                gap -= 1
            order[gap] = row
            if high - low > long and gap < place:
                left.append(group)
                break
    return left


def later_duplicates(ids: pa.StringArray, known_at: NDArray[np.int64], keys: Keys) -> NDArray[np.int64]:
    """Return the rows that repeat an id, but for the version that was known first.

    A later version of a row must not change what was known before it, so the first one stands; equal times
    are decided by content. Rows without an id are no duplicates.
    """
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
    _by_clocks(same, same, same)


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
