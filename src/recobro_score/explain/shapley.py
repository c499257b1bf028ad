"""The exact Shapley values of one leaf for every pattern of met and unmet conditions.

A leaf of value v has one condition per column of its path: o_j says whether the row meets it, z_j how many of
the training rows that got there did. With S the columns that are known, the leaf is worth v · Π_{j∈S} o_j ·
Π_{j∉S} z_j, and a Shapley weight |S|! (d−1−|S|)! / d! is ∫ t^|S| (1−t)^(d−1−|S|) dt, so that

    φ_j = v (o_j − z_j) ∫₀¹ Π_{k≠j} (t o_k + (1−t) z_k) dt .

The integrand is a polynomial of degree d − 1: Gauss–Legendre quadrature with ⌈d/2⌉ points is exact, and adds
only terms of one sign. At each point it is a product, so that a leaf of many conditions has factors of few
conditions each, every one with a table of its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recobro_score.data.compiled import entered, lent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LANES = 8
"""Numbers that are added at a time: the most columns of one factor, and the grain of a table's rows."""

WORD_BITS = 64
"""Bits of a word, and so the most conditions of one leaf."""


class Quadrature(NamedTuple):
    """Points in (0, 1) and their weights."""

    point: Floats
    weight: Floats


@cache
def quadrature(conditions: int) -> Quadrature:
    """Return the rule that is exact for a leaf of so many conditions."""
    point, weight = np.polynomial.legendre.leggauss(max(1, (conditions + 1) // 2))
    return Quadrature((point + 1.0) / 2.0, weight / 2.0)


@lent
def leaf_values(pattern, share, value, point, weight, before, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write into `out` what a leaf adds through each of its conditions, for one pattern of met ones.

    Bit j of `pattern` says that condition j is met; `before` is room for the products up to each condition.
    """
    d = share.shape[0]
    for j in range(d):
        out[j] = 0.0
    for q in range(point.shape[0]):
        t = point[q]
        product = weight[q] * value
        for j in range(d):
            before[j] = product
            met = 1.0 if (pattern >> np.uint64(j)) & np.uint64(1) else 0.0
            product *= t * met + (1.0 - t) * share[j]
        product = 1.0
        for j in range(d - 1, -1, -1):
            met = 1.0 if (pattern >> np.uint64(j)) & np.uint64(1) else 0.0
            out[j] += (met - share[j]) * before[j] * product
            product *= t * met + (1.0 - t) * share[j]


@entered
def all_patterns(share, value, point, weight):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the values of a leaf for every pattern, shape ``(2**d, d)``."""
    d = share.shape[0]
    out = np.empty((1 << d, d))
    before = np.empty(d)
    for pattern in range(1 << d):
        leaf_values(np.uint64(pattern), share, value, point, weight, before, out[pattern])
    return out


def factor_entries(points: int) -> int:
    """Return how many numbers one row of `factor_patterns` takes."""
    return LANES * (points + -(-points // LANES))


@entered
def factor_patterns(counts, met, share, point, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return one factor of some leaves for every combination of the cells of its h ≤ `LANES` columns.

    ``met[leaf, j, cell]`` is 1 where the cell meets the leaf's condition on column j, ``share[leaf, j]`` the
    condition's share, ``scale[leaf, q]`` what the leaf is multiplied with at each point. A row has, for each
    point, for each column its difference times the product of the others; after that the whole product at
    each point; all summed over the leaves.
    """
    leaves, h = share.shape
    points = point.shape[0]
    combinations = 1
    for j in range(h):
        combinations *= counts[j]
    out = np.zeros((combinations, LANES * (points + (points + LANES - 1) // LANES)))
    cell = np.zeros(h, np.int64)
    for row in range(combinations):
        for leaf in range(leaves):
            for q in range(points):
                whole = scale[leaf, q]
                for j in range(h):
                    others = scale[leaf, q] * (met[leaf, j, cell[j]] - share[leaf, j])
                    for k in range(h):
                        if k != j:
                            own = point[q] * met[leaf, k, cell[k]]
                            others *= own + (1.0 - point[q]) * share[leaf, k]
                    out[row, q * LANES + j] += others
                    whole *= point[q] * met[leaf, j, cell[j]] + (1.0 - point[q]) * share[leaf, j]
                out[row, points * LANES + q] += whole
        for k in range(h):
            cell[k] += 1
            if cell[k] < counts[k]:
                break
            cell[k] = 0
    return out


@lent
def against_background(pattern, seen, share, value, weight, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write into `out` what a leaf adds through each condition against background rows, for one pattern.

    ``share[b]`` of the background rows meet the conditions ``seen[b]``. Against one of them the explained row
    meets a conditions that the other does not, and the other c that it does not; where a condition is met by
    neither, no mixture of the two reaches the leaf. Each of the a columns adds v (a−1)! c! / (a+c)! =
    ``value * weight[a, c]``, each of the c takes away the same with a and c swapped.
    """
    d = out.shape[0]
    for j in range(d):
        out[j] = 0.0
    beyond = ~np.uint64(0) << np.uint64(d) if d < WORD_BITS else np.uint64(0)
    for b in range(seen.shape[0]):
        if (pattern | seen[b] | beyond) != ~np.uint64(0):
            continue
        mine = 0
        theirs = 0
        for j in range(d):
            mine += (pattern & ~seen[b]) >> np.uint64(j) & np.uint64(1)
            theirs += (seen[b] & ~pattern) >> np.uint64(j) & np.uint64(1)
        for j in range(d):
            if (pattern & ~seen[b]) >> np.uint64(j) & np.uint64(1):
                out[j] += value * share[b] * weight[mine, theirs]
            elif (seen[b] & ~pattern) >> np.uint64(j) & np.uint64(1):
                out[j] -= value * share[b] * weight[theirs, mine]


@entered
def all_patterns_against(conditions, seen, share, value, weight):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return `against_background` of every pattern, shape ``(2**d, d)``."""
    out = np.empty((1 << conditions, conditions))
    for pattern in range(1 << conditions):
        against_background(np.uint64(pattern), seen, share, value, weight, out[pattern])
    return out
