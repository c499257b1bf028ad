"""The leaves of a tree as conditions on codes, and neighbouring leaves in groups small enough for a table.

Codes that no node of a tree tells apart are one class there. A leaf is reached when each column of its path
is in one of some classes; a set of classes is an integer, one bit per class. The columns of a group of leaves
fall into cells, sets of classes that none of its leaves tells apart, so that what the group says of a row
depends on one cell per column alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from recobro_score.explain.trees import Tree

    Ints = NDArray[np.int64]

Classes = int
"""A set of classes, one bit each."""


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
    cells: Mapping[int, tuple[Classes, ...]]
    size: int


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
    best: list[tuple[int, int]] = [(0, 0)]
    found: list[tuple[int, Group | None]] = [(0, None)]
    for first in range(len(leaves)):
        cells: dict[int, tuple[Classes, ...]] = {}
        for last in range(first, len(leaves)):
            leaf = leaves[last]
            for slot, accepted in zip(leaf.slots, leaf.accepted, strict=True):
                cells[slot] = _split(cells.get(slot, (everything[slot],)), accepted)
            size = prod(len(parts) for parts in cells.values())
            if size > limit and last > first:
                break
            cost = best[first][0] + 1, best[first][1] + size
            group = Group(tuple(leaves[first : last + 1]), dict(cells), size)
            if last + 1 == len(best):
                best.append(cost)
                found.append((first, group))
            elif cost < best[last + 1]:
                best[last + 1], found[last + 1] = cost, (first, group)
    groups: list[Group] = []
    end = len(leaves)
    while end > 0:
        end, chosen = found[end]
        if chosen is not None:
            groups.append(chosen)
    return groups[::-1]


def _set(classes: Ints) -> Classes:
    return sum(1 << c for c in set(classes.tolist()))


def _split(cells: tuple[Classes, ...], accepted: Classes) -> tuple[Classes, ...]:
    parts = ((cell & accepted, cell & ~accepted) for cell in cells)
    return tuple(part for pair in parts for part in pair if part)
