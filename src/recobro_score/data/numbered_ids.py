"""Ids that are numbers behind one prefix, such as ``A00012345`` or ``12345``: found without hashing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

MOST_DIGITS = 18
_SLOTS_PER_ID = 8
"""Numbers may be so sparse: then the table is as large as one of hashes."""

_ZERO = np.uint8(ord("0"))
_NINE = np.uint8(ord("9"))


@dataclass(frozen=True, slots=True, eq=False)
class NumberTable:
    """The places of numbered ids in a list.

    Attributes
    ----------
    prefix : uint8 array
        What every id begins with.
    width : int
        The bytes of every id; 0 if they differ, and then no number begins with a needless zero.
    lowest : int
        The smallest number.
    places : int32 array
        By number, from the smallest on, the first place where it stands (−1 = nowhere).
    """

    prefix: NDArray[np.uint8]
    width: int
    lowest: int
    places: NDArray[np.int32]

    @classmethod
    def of(
        cls, offsets: NDArray[Any], data: NDArray[np.uint8], valid: NDArray[np.bool_]
    ) -> NumberTable | None:
        """Return the table of texts as Arrow keeps them, or None if they are not numbered or too sparsely."""
        rows = np.flatnonzero(valid)
        if len(rows) == 0:
            return None
        first = data[offsets[rows[0]] : offsets[rows[0] + 1]]
        lengths = np.diff(offsets)[rows]
        width = int(lengths[0]) if (lengths == lengths[0]).all() else 0
        prefix = first[: _digits_begin(first)].copy()
        numbers = np.empty(len(valid), np.int64)
        _read(offsets, data, prefix, width, numbers)
        numbers = numbers[rows]
        lowest = int(numbers.min())
        slots = int(numbers.max()) - lowest + 1
        if lowest < 0 or slots > _SLOTS_PER_ID * len(rows):
            return None
        places = np.full(slots, -1, np.int32)
        places[numbers[::-1] - lowest] = rows[::-1]
        return cls(prefix, width, lowest, places)

    def find(self, offsets: NDArray[Any], data: NDArray[np.uint8], codes: NDArray[np.int32]) -> None:
        """Write the place of each text (−1 = not there)."""
        numbers = np.empty(len(codes), np.int64)
        _read(offsets, data, self.prefix, self.width, numbers)
        _look_up(numbers, self.lowest, self.places, codes)


def _digits_begin(text: NDArray[np.uint8]) -> int:
    """Return where the digits at the end of a text begin, at most `MOST_DIGITS` of them."""
    others = np.flatnonzero((text < _ZERO) | (text > _NINE))
    return max(int(others[-1]) + 1 if len(others) else 0, len(text) - MOST_DIGITS)


@numba.njit(nogil=True, cache=True)
def _read(
    offsets: NDArray[Any],
    data: NDArray[np.uint8],
    prefix: NDArray[np.uint8],
    width: int,
    numbers: NDArray[np.int64],
) -> None:
    """Write the number of each text; −1 where it has another form."""
    for row in range(len(numbers)):
        start, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        digits = end - start - len(prefix)
        fits = 0 < digits <= MOST_DIGITS
        if width:
            fits = fits and end - start == width
        elif fits and digits > 1:
            fits = data[start + len(prefix)] != _ZERO
        at = 0
        while fits and at < len(prefix):
            fits = data[start + at] == prefix[at]
            at += 1
        number, place = np.int64(0), start + len(prefix)
        while fits and place < end:
            digit = np.int64(data[place]) - np.int64(_ZERO)
            fits = 0 <= digit <= 9
            number = number * 10 + digit
            place += 1
        numbers[row] = number if fits else -1


@numba.njit(nogil=True, cache=True)
def _look_up(
    numbers: NDArray[np.int64], lowest: int, places: NDArray[np.int32], codes: NDArray[np.int32]
) -> None:
    for row in range(len(codes)):
        slot = numbers[row] - lowest
        codes[row] = places[slot] if 0 <= slot < len(places) else -1
