"""Which filters a row passes for good: one bit per filter, by the row's words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.compiled import entered, lent
from recobro_score.data.state import frozen
from recobro_score.features.readable import STATUS
from recobro_score.features.recipes import Between, Condition, Present, Where
from recobro_score.money import MISSING_MONEY

MAX_FILTERS = 64
"""A row carries one bit per filter of a program; more filters make another program."""

EVERY_FILTER = np.uint64(np.iinfo(np.uint64).max)

Filter = tuple[Condition, ...]

_COLUMN, _START, _WORDS = range(3)
_MONEY, _PLACE = range(2)


class Tests(NamedTuple):
    """The conditions of a program's filters.

    ``lookups[k] = (column, start, words)``: the bits that word ``w`` of a category column lets pass are
    ``bits[start + w]``; two more follow, for any other word and for a missing one. ``ranges[k] = (is money,
    column)``: a number within ``[low, high) = limits[k]`` passes all filters, any other those of
    ``outside[k]``. ``every`` has the bits of all filters.
    """

    every: np.uint64
    lookups: NDArray[np.int64]
    bits: NDArray[np.uint64]
    ranges: NDArray[np.int64]
    limits: NDArray[np.float64]
    outside: NDArray[np.uint64]

    def of_numbers(self) -> Tests:
        """Return the conditions without those on words."""
        return self._replace(lookups=self.lookups[:0])

    def of_words(self, column: int, codes: NDArray[np.int64]) -> NDArray[np.uint64] | None:
        """Return the bits that words of a column let pass, given by their codes; None if nothing asks."""
        for start, words in self.lookups[self.lookups[:, _COLUMN] == column, _START:].tolist():
            places = np.where(codes == MISSING_MONEY, words + 1, np.minimum(codes, words))
            return frozen(self.bits[start + places], np.uint64)
        return None


def tests_of(
    filters: Sequence[Filter], wholes: Sequence[str], words: Sequence[tuple[str, ...]], reals: Sequence[str]
) -> Tests:
    """Return the conditions of filters on the columns of a program; statuses are judged elsewhere."""
    lookups: list[tuple[int, int, int]] = []
    bits: list[NDArray[np.uint64]] = []
    start = 0
    for column, name in enumerate(wholes):
        passing = [*words[column], _other(words[column]), None]
        found = _bits(filters, name, passing)
        if (found != EVERY_FILTER).any():
            lookups.append((column, start, len(words[column])))
            bits.append(found)
            start += len(found)
    ranges: dict[tuple[bool, int, float, float], int] = {}
    for bit, filter_ in enumerate(filters):
        for condition in filter_:
            if isinstance(condition, Between):
                is_money = condition.column in wholes
                column = (wholes if is_money else reals).index(condition.column)
                key = (is_money, column, condition.low, condition.high)
                ranges[key] = ranges.get(key, int(EVERY_FILTER)) & ~(1 << bit)
    return Tests(
        np.uint64((1 << len(filters)) - 1),
        frozen(np.array(lookups).reshape(-1, 3), np.int64),
        frozen(np.concatenate([np.zeros(0, np.uint64), *bits]), np.uint64),
        frozen(np.array([key[:2] for key in ranges]).reshape(-1, 2), np.int64),
        frozen(np.array([key[2:] for key in ranges]).reshape(-1, 2), np.float64),
        frozen(np.array(list(ranges.values()), dtype=np.uint64), np.uint64),
    )


def _other(words: tuple[str, ...]) -> str:
    """Return a word that is none of these."""
    return "".join(words) + "?"


def _bits(filters: Sequence[Filter], column: str, words: Sequence[str | None]) -> NDArray[np.uint64]:
    """Return, per word of a column (None: missing), the filters that let it pass."""
    bits = np.full(len(words), EVERY_FILTER)
    for bit, filter_ in enumerate(filters):
        for condition in filter_:
            if condition.column != column or column == STATUS:
                continue
            if isinstance(condition, Where):
                refused = [word not in condition.values for word in words]
            elif isinstance(condition, Present):
                refused = [word is None for word in words]
            else:
                continue
            bits[refused] &= ~np.uint64(1 << bit)
    return bits


@lent
def fill_mask(
    tests: Tests,
    wholes: NDArray[np.int64],
    reals: NDArray[np.float64],
    rows: tuple[int, int],
    scale: float,
    mask: NDArray[np.uint64],
) -> None:
    """Fill the masks of the rows ``begin … end − 1``, whose money has `scale` minor units to a major one."""
    every, lookups, bits, ranges, limits, outside = tests
    for row in range(rows[0], rows[1]):
        passed = every
        for k in range(len(lookups)):
            word, words = wholes[lookups[k, _COLUMN], row], lookups[k, _WORDS]
            place = words + 1 if word == MISSING_MONEY else min(word, words)
            passed &= bits[lookups[k, _START] + place]
        for k in range(len(ranges)):
            value = np.nan
            if ranges[k, _MONEY] == 0:
                value = reals[ranges[k, _PLACE], row]
            elif wholes[ranges[k, _PLACE], row] != MISSING_MONEY:
                value = wholes[ranges[k, _PLACE], row] / scale
            if not (value >= limits[k, 0] and value < limits[k, 1]):
                passed &= outside[k]
        mask[row] = passed


@entered
def fill_masks(
    tests: Tests,
    wholes: NDArray[np.int64],
    reals: NDArray[np.float64],
    offsets: NDArray[np.int64],
    scale: NDArray[np.float64],
    mask: NDArray[np.uint64],
) -> None:
    """Fill the masks of all rows; owners beyond those of `scale` have no money."""
    for owner in range(len(offsets) - 1):
        rows = (offsets[owner], offsets[owner + 1])
        fill_mask(tests, wholes, reals, rows, scale[owner] if owner < len(scale) else 1.0, mask)


@entered
def keep_words(bits: NDArray[np.uint64], codes: NDArray[np.int32], mask: NDArray[np.uint64]) -> None:
    """Take from the masks of all rows the filters that a word does not pass; the last bits are of no word."""
    for row in range(len(mask)):
        mask[row] &= bits[codes[row]]
