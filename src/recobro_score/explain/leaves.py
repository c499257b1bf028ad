"""The leaves of a tree as conditions on codes, and neighbouring leaves in groups small enough for a table.

Codes that no node of a tree tells apart are one class there. A leaf is reached when each column of its path
is in one of some classes; a set of classes is an integer, one bit per class. The columns of a group of leaves
fall into cells, sets of classes that none of its leaves tells apart, so that what the group says of a row
depends on one cell per column alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from recobro_score.explain.shapley import LANES, WORD_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.trees import Tree

    Ints = NDArray[np.int64]

Classes = int
"""A set of classes, one bit each."""

Cells = Mapping[int, tuple[Classes, ...]]
"""The cells of each slot."""

_G = TypeVar("_G")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf; the splits of a column on its path are one condition.

    Attributes
    ----------
    slots : tuple of int
        Columns of the path, as slots of the binning.
    accepted : tuple of Classes
        The classes of each that lead here.
    shares : tuple of float
        The share of training rows that took the column's splits this way.
    value : float
        What the leaf adds to the margin.
    """

    slots: tuple[int, ...]
    accepted: tuple[Classes, ...]
    shares: tuple[float, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Leaves:
    """A tree as its leaves from left to right.

    Attributes
    ----------
    label : mapping of int to int64 array
        Class of each code, per slot the tree splits.
    leaves : tuple of Leaf
        Neighbours share most of their conditions.
    """

    label: Mapping[int, Ints]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Some leaves of a tree and the cells they tell apart.

    Attributes
    ----------
    leaves : tuple of Leaf
    cells : mapping of int to tuple of Classes
        The cells of each slot.
    size : int
        How many combinations of cells there are.
    """

    leaves: tuple[Leaf, ...]
    cells: Cells
    size: int


@dataclass(frozen=True, slots=True)
class Factored:
    """Some deep leaves of a tree as a product of factors of few columns each.

    Attributes
    ----------
    leaves : tuple of Leaf
    factors : tuple of mappings of int to tuple of Classes
        The cells of each slot of each factor. The leaves differ in the last factor only.
    """

    leaves: tuple[Leaf, ...]
    factors: tuple[Cells, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many combinations of cells each factor has."""
        return tuple(prod(len(parts) for parts in cells.values()) for cells in self.factors)

    @property
    def widths(self) -> tuple[int, ...]:
        """How many bits number the combinations of each factor."""
        return tuple(max(1, (size - 1).bit_length()) for size in self.sizes)

    @property
    def bits(self) -> int:
        """How many bits number all of them."""
        return sum(self.widths)

    @property
    def points(self) -> int:
        """How many points are exact for its deepest leaf."""
        return (max(len(leaf.slots) for leaf in self.leaves) + 1) // 2


def leaves_of(tree: Tree, slot_of: Mapping[int, int], values: Sequence[NDArray[np.float64]]) -> Leaves:
    """Return a tree as its leaves.

    Parameters
    ----------
    tree : Tree
    slot_of : mapping
        Slot of each column.
    values : sequence of float64 arrays
        A value of each code, per slot.
    """
    slots = [slot_of[column] for column in tree.feature.tolist()]
    goes_left = [tree.goes_left(node, values[slot]) for node, slot in enumerate(slots)]
    label: dict[int, Ints] = {}
    for slot, left in zip(slots, goes_left, strict=True):
        told = label.get(slot, np.zeros(len(left), dtype=np.int64)) * 2 + left
        label[slot] = np.unique(told, return_inverse=True)[1]
    everything = {slot: _set(classes) for slot, classes in label.items()}
    ways_left = [_set(label[slot][left]) for slot, left in zip(slots, goes_left, strict=True)]
    found: list[Leaf] = []
    pending: list[tuple[int, dict[int, tuple[Classes, float]]]] = [(0 if slots else -1, {})]
    while pending:
        node, path = pending.pop()
        if node < 0:
            accepted, shares = zip(*path.values(), strict=True) if path else ((), ())
            found.append(Leaf(tuple(path), accepted, shares, float(tree.leaf_value[-1 - node])))
            continue
        slot = slots[node]
        before, share = path.get(slot, (everything[slot], 1.0))
        first, after = int(tree.left[node]), int(tree.right[node])
        for child, ways in ((after, ~ways_left[node]), (first, ways_left[node])):
            pending.append((child, path | {slot: (before & ways, share * tree.share(node, child))}))
    return Leaves(label, tuple(found))


def grouped(leaves: Sequence[Leaf], label: Mapping[int, Ints], limit: int) -> list[Group]:
    """Cut the row of leaves into the fewest groups of at most `limit` combinations, the smallest among those.

    A leaf of more combinations is a group alone.
    """
    everything = {slot: _set(classes) for slot, classes in label.items()}

    def groups_from(first: int) -> Iterator[tuple[int, int, Group]]:
        cells: dict[int, tuple[Classes, ...]] = {}
        for last in range(first, len(leaves)):
            _tell_apart(cells, leaves[last], everything)
            size = prod(map(len, cells.values()))
            if size > limit and last > first:
                return
            yield 1, size, Group(tuple(leaves[first : last + 1]), dict(cells), size)

    return _cut(len(leaves), groups_from)


def factored(leaves: Sequence[Leaf], label: Mapping[int, Ints], limit: int) -> list[Factored]:
    """Cut the row of deep leaves into groups with the fewest factors of at most `limit` combinations."""
    everything = {slot: _set(classes) for slot, classes in label.items()}

    def groups_from(first: int) -> Iterator[tuple[int, int, Factored]]:
        for last in range(first, len(leaves)):
            group = _factored(leaves[first : last + 1], everything, limit)
            if group is None:
                return
            yield len(group.factors), sum(group.sizes), group

    return _cut(len(leaves), groups_from)


def _factored(leaves: Sequence[Leaf], everything: Mapping[int, Classes], limit: int) -> Factored | None:
    """Return the leaves as one group: in all factors but the last they are the same.

    None if several leaves differ in more than one factor can hold.
    """
    conditions = [
        dict(zip(leaf.slots, zip(leaf.accepted, leaf.shares, strict=True), strict=True)) for leaf in leaves
    ]
    common = [
        slot for slot in leaves[0].slots if all(one.get(slot) == conditions[0][slot] for one in conditions)
    ]
    cells: dict[int, tuple[Classes, ...]] = {}
    for leaf in leaves:
        _tell_apart(cells, leaf, everything)
    own = {slot: parts for slot, parts in cells.items() if slot not in common}
    if len(own) > LANES or prod(len(parts) for parts in own.values()) > min(limit, 1 << LANES):
        return None
    number = 2
    while (factors := _shared_out({slot: cells[slot] for slot in common}, own, number, limit)) is None:
        number += 1
    group = Factored(tuple(leaves), tuple(cells for cells in factors if cells))
    return group if group.bits <= WORD_BITS or len(leaves) == 1 else None


def _shared_out(
    common: Cells, own: Cells, number: int, limit: int
) -> list[dict[int, tuple[Classes, ...]]] | None:
    """Return so many factors, as even as possible, the last with all columns of `own`; None if too few."""
    factors: list[dict[int, tuple[Classes, ...]]] = [*({} for _ in range(number - 1)), dict(own)]
    sizes = [*(1 for _ in range(number - 1)), prod(len(parts) for parts in own.values())]
    for slot, parts in common.items():
        fits = [
            i
            for i, size in enumerate(sizes)
            if len(factors[i]) < LANES and size * len(parts) <= min(limit, 1 << LANES)
        ]
        if not fits:
            return None
        chosen = min(fits, key=sizes.__getitem__)
        factors[chosen][slot] = parts
        sizes[chosen] *= len(parts)
    return factors


def _cut(number: int, groups_from: Callable[[int], Iterator[tuple[int, int, _G]]]) -> list[_G]:
    """Return the cheapest cut of a row: ``groups_from(i)`` makes ever longer groups with their two costs."""
    best: list[tuple[int, int]] = [(0, 0)]
    found: list[tuple[int, _G]] = []
    for first in range(number):
        for length, (work, size, group) in enumerate(groups_from(first), start=1):
            cost = best[first][0] + work, best[first][1] + size
            if first + length == len(best):
                best.append(cost)
                found.append((first, group))
            elif cost < best[first + length]:
                best[first + length], found[first + length - 1] = cost, (first, group)
    groups: list[_G] = []
    end = number
    while end > 0:
        end, group = found[end - 1]
        groups.append(group)
    return groups[::-1]


def _tell_apart(cells: dict[int, tuple[Classes, ...]], leaf: Leaf, everything: Mapping[int, Classes]) -> None:
    for slot, accepted in zip(leaf.slots, leaf.accepted, strict=True):
        cells[slot] = _split(cells.get(slot, (everything[slot],)), accepted)


def _set(classes: Ints) -> Classes:
    return sum(1 << c for c in set(classes.tolist()))


def _split(cells: tuple[Classes, ...], accepted: Classes) -> tuple[Classes, ...]:
    parts: list[Classes] = []
    for cell in cells:
        inside = cell & accepted
        parts += (inside, cell ^ inside) if 0 < inside < cell else (cell,)
    return tuple(parts)
