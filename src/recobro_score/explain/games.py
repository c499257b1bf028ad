"""What a leaf is worth when only some columns are known: two answers, and what each adds up from.

Path-dependent: an unknown column takes the way of the training rows. Interventional: it takes the value it
has in a row of a background sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, prod
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from recobro_score.explain.shapley import WORD_BITS, all_patterns, all_patterns_against, quadrature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.explain.leaves import Leaf

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Terms(NamedTuple):
    """What one leaf is summed over where there is no table: points with weights, or patterns with shares."""

    point: Floats
    point_weight: Floats
    seen: NDArray[np.uint64]
    seen_share: Floats


class Game(Protocol):
    """How leaves are valued."""

    @property
    def factors(self) -> bool:
        """Whether a leaf of many conditions is a product of factors of few, each with a table."""

    @property
    def weight(self) -> Floats:
        """Weight by conditions that only one of two rows meets, shape (65, 65), or empty."""

    def bias(self, leaf: Leaf, label: Mapping[int, Ints]) -> float:
        """Return what the leaf adds to the mean margin."""

    def patterns(self, leaf: Leaf, label: Mapping[int, Ints]) -> Floats:
        """Return what the leaf adds through each condition for every pattern of met ones."""

    def terms(self, leaf: Leaf, label: Mapping[int, Ints]) -> Terms:
        """Return what the leaf is summed over."""

    def most_terms(self, conditions: int) -> int:
        """Return how many terms a leaf of so many conditions has at most."""


@dataclass(frozen=True, slots=True)
class PathDependent:
    """Unknown columns take the way of the training rows, as in LightGBM's `pred_contrib`."""

    @property
    def factors(self) -> bool:
        """A leaf is a product at each point."""
        return True

    @property
    def weight(self) -> Floats:
        """There are no background rows."""
        return np.empty((0, 0))

    def bias(self, leaf: Leaf, label: Mapping[int, Ints]) -> float:
        """Return the leaf's share of the training rows times its value."""
        del label
        return leaf.value * prod(leaf.shares)

    def patterns(self, leaf: Leaf, label: Mapping[int, Ints]) -> Floats:
        """Return the values of all patterns."""
        del label
        rule = quadrature(len(leaf.slots))
        return np.asarray(all_patterns(np.array(leaf.shares), leaf.value, rule.point, rule.weight))

    def terms(self, leaf: Leaf, label: Mapping[int, Ints]) -> Terms:
        """Return the points of the leaf's quadrature."""
        del label
        rule = quadrature(len(leaf.slots))
        return Terms(rule.point, rule.weight, np.empty(0, dtype=np.uint64), np.empty(0))

    def most_terms(self, conditions: int) -> int:
        """Return the number of points."""
        return len(quadrature(conditions).point)


@dataclass(frozen=True, slots=True)
class Interventional:
    """Unknown columns take their values in the rows of a background sample.

    Attributes
    ----------
    codes : uint16 array, shape (slots, rows)
        The codes of the background rows.
    """

    codes: NDArray[np.uint16]

    @property
    def factors(self) -> bool:
        """A mean over background rows is no product."""
        return False

    @property
    def weight(self) -> Floats:
        """Return (a − 1)! c! / (a + c)! for a, c ≤ 64; 0 where a is 0."""
        most = WORD_BITS + 1
        return np.array([[1 / (a * comb(a + c, a)) if a else 0.0 for c in range(most)] for a in range(most)])

    def bias(self, leaf: Leaf, label: Mapping[int, Ints]) -> float:
        """Return the leaf's share of the background rows times its value."""
        full = (1 << len(leaf.slots)) - 1
        terms = self.terms(leaf, label)
        return leaf.value * float(terms.seen_share[terms.seen == np.uint64(full)].sum())

    def patterns(self, leaf: Leaf, label: Mapping[int, Ints]) -> Floats:
        """Return the values of all patterns."""
        terms = self.terms(leaf, label)
        found = all_patterns_against(len(leaf.slots), terms.seen, terms.seen_share, leaf.value, self.weight)
        return np.asarray(found)

    def terms(self, leaf: Leaf, label: Mapping[int, Ints]) -> Terms:
        """Return the distinct patterns of the background rows and the share of rows with each."""
        pattern = np.zeros(self.codes.shape[1], dtype=np.uint64)
        for bit, (slot, accepted) in enumerate(zip(leaf.slots, leaf.accepted, strict=True)):
            classes = label[slot]
            met = np.array([accepted >> c & 1 for c in range(int(classes.max()) + 1)], dtype=np.uint64)
            pattern |= met[classes[self.codes[slot]]] << np.uint64(bit)
        seen, count = np.unique(pattern, return_counts=True)
        return Terms(np.empty(0), np.empty(0), seen, count / self.codes.shape[1])

    def most_terms(self, conditions: int) -> int:
        """Return the number of patterns or of rows, whichever is less."""
        return min(1 << conditions, int(self.codes.shape[1]))
