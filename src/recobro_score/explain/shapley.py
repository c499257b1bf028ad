"""The exact Shapley values of one leaf for every pattern of met and unmet conditions.

A leaf of value v has one condition per column of its path: o_j says whether the row meets it, z_j how many of
the training rows that got there did. With S the columns that are known, the leaf is worth v · Π_{j∈S} o_j ·
Π_{j∉S} z_j, and a Shapley weight |S|! (d−1−|S|)! / d! is ∫ t^|S| (1−t)^(d−1−|S|) dt, so that

    φ_j = v (o_j − z_j) ∫₀¹ Π_{k≠j} (t o_k + (1−t) z_k) dt .

The integrand is a polynomial of degree d − 1: Gauss–Legendre quadrature with ⌈d/2⌉ points is exact, and adds
only terms of one sign. At each point it is a product, so a leaf of many conditions splits into two halves,
each with a table of its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LANES = 8
"""Numbers that are added at a time: the most conditions of one half, and the grain of a table's rows."""

STEP = LANES + 1
"""Numbers that one point of `half_patterns` takes."""


class Quadrature(NamedTuple):
    """Points in (0, 1) and their weights."""

    point: Floats
    weight: Floats


@cache
def quadrature(conditions: int) -> Quadrature:
    """Return the rule that is exact for a leaf of so many conditions."""
    point, weight = np.polynomial.legendre.leggauss(max(1, (conditions + 1) // 2))
    return Quadrature((point + 1.0) / 2.0, weight / 2.0)


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
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


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
def all_patterns(share, value, point, weight):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the values of a leaf for every pattern, shape ``(2**d, d)``."""
    d = share.shape[0]
    out = np.empty((1 << d, d))
    before = np.empty(d)
    for pattern in range(1 << d):
        leaf_values(np.uint64(pattern), share, value, point, weight, before, out[pattern])
    return out


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
def half_patterns(share, point, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return one half of a leaf for every pattern of its h ≤ `LANES` conditions, shape ``(2**h, points, 9)``.

    At each point: for each condition its difference times the product of the others, then the whole product;
    all times the point's `scale`.
    """
    h = share.shape[0]
    out = np.zeros((1 << h, point.shape[0], STEP))
    for pattern in range(1 << h):
        for q in range(point.shape[0]):
            whole = scale[q]
            for j in range(h):
                met = float((pattern >> j) & 1)
                others = scale[q] * (met - share[j])
                for k in range(h):
                    if k != j:
                        others *= point[q] * ((pattern >> k) & 1) + (1.0 - point[q]) * share[k]
                out[pattern, q, j] = others
                whole *= point[q] * met + (1.0 - point[q]) * share[j]
            out[pattern, q, LANES] = whole
    return out


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
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
    for b in range(seen.shape[0]):
        mine = 0
        theirs = 0
        reached = True
        for j in range(d):
            met = (pattern >> np.uint64(j)) & np.uint64(1)
            other = (seen[b] >> np.uint64(j)) & np.uint64(1)
            if met > other:
                mine += 1
            elif other > met:
                theirs += 1
            elif met == 0:
                reached = False
                break
        if not reached:
            continue
        for j in range(d):
            met = (pattern >> np.uint64(j)) & np.uint64(1)
            other = (seen[b] >> np.uint64(j)) & np.uint64(1)
            if met > other:
                out[j] += value * share[b] * weight[mine, theirs]
            elif other > met:
                out[j] -= value * share[b] * weight[theirs, mine]


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
def all_patterns_against(conditions, seen, share, value, weight):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return `against_background` of every pattern, shape ``(2**d, d)``."""
    out = np.empty((1 << conditions, conditions))
    for pattern in range(1 << conditions):
        against_background(np.uint64(pattern), seen, share, value, weight, out[pattern])
    return out
