"""The raw score of rows from the trees of a model: the bits of LightGBM, without LightGBM.

Several rows walk down a tree side by side, or one row down several trees, so that the processor need not wait
for any of them. A row's score is the sum of its leaves in the order of the trees, as LightGBM's is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recobro_score.data.compiled import entered
from recobro_score.models.row_jobs import in_jobs
from recobro_score.models.trees import CATEGORICAL, DEFAULT_LEFT, MISSING, ZERO, ZERO_IS_MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.models.trees import Tree

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LANES = 16
"""Walks side by side."""

_ROWS_PER_JOB = 4096
_MISSING_LEFT, _ZERO_MISSING, _CATEGORY = 1, 2, 4
_BELOW_ZERO = float(np.nextafter(-ZERO, -np.inf))


class Nodes(NamedTuple):
    """All trees as they are walked: tree t begins at node ``root[t]`` and is ``depth[t]`` steps deep.

    A value of ``column`` up to ``threshold`` goes on to node ``child[2 * node + 1]``, a larger one to
    ``child[2 * node]``; ``kind`` says what is missing and where it goes. Where it says that categories are
    split, those below ``threshold`` are looked up in ``member[first + category]``; no other goes left. A leaf
    leads to itself, and its ``threshold`` is what it adds to the score.
    """

    root: NDArray[np.int32]
    depth: NDArray[np.int32]
    column: NDArray[np.int32]
    threshold: Floats
    kind: NDArray[np.uint8]
    child: NDArray[np.int32]
    first: NDArray[np.int32]
    member: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """The trees of a model made ready to score; safe to share between threads.

    Attributes
    ----------
    nodes : Nodes
        The inner nodes of all trees, then their leaves.
    """

    nodes: Nodes

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> Forest:
        """Return the forest of a model's trees."""
        root, child = _links(trees)
        leaves = _joined(np.float64, (tree.leaf_value for tree in trees))
        kind = _joined(np.uint8, (_kinds(tree) for tree in trees))
        first, sizes, member = _members(trees)
        numbers = _compared(_joined(np.float64, (tree.threshold for tree in trees)))
        none = np.zeros(len(leaves), dtype=np.int32)
        nodes = Nodes(
            root=root.astype(np.int32),
            depth=_depths(root, child, len(kind)).astype(np.int32),
            column=_joined(np.int32, [*(tree.feature for tree in trees), none]),
            threshold=np.concatenate([np.where(kind == _CATEGORY, sizes, numbers), leaves]),
            kind=_joined(np.uint8, [kind, none]),
            child=child.ravel().astype(np.int32),
            first=_joined(np.int32, [first, none]),
            member=member,
        )
        return cls(nodes)

    def raw_score(self, values: Floats, *, threads: int = 1) -> Floats:
        """Return the sum of the leaves that each row falls into.

        Parameters
        ----------
        values : float64 array, shape (n, p)
            C-contiguous, of the model's columns: the caller has made sure of it.
        threads : int
            Changes nothing but the time.

        Raises
        ------
        ConfigError
            If there is to be no thread.
        """
        rows = values.view()
        rows.flags.writeable = False  # the one kind of array that is compiled for
        out = np.zeros(len(rows))

        def work(first: int, last: int) -> None:
            _add_leaves(rows, first, last, self.nodes, out)

        in_jobs(work, len(rows), rows_per_job=_ROWS_PER_JOB, threads=threads)
        return out


@entered
def _add_leaves(values: Floats, first: int, last: int, nodes: Nodes, out: Floats) -> None:
    """Add to ``out[first … last − 1]`` the leaves of these rows."""
    trees = nodes.root.shape[0]
    at = np.empty(LANES, np.int32)
    for begin in range(first, last, LANES):
        n = min(LANES, last - begin)
        together = LANES // n
        for tree in range(0, trees, together):
            some = min(together, trees - tree)
            deepest = np.int32(0)
            for t in range(some):
                deepest = max(deepest, nodes.depth[tree + t])
                for r in range(n):
                    at[t * n + r] = nodes.root[tree + t]
            for _ in range(deepest):
                for t in range(some):
                    for r in range(n):
                        node = at[t * n + r]
                        value = values[begin + r, nodes.column[node]]
                        limit, kind = nodes.threshold[node], nodes.kind[node]
                        if kind <= _MISSING_LEFT:
                            left = (value <= limit) | (np.isnan(value) & (kind == _MISSING_LEFT))
                        elif kind == _CATEGORY:
                            known = -1.0 < value < limit
                            left = known and nodes.member[nodes.first[node] + np.int64(value)]
                        elif abs(value) > ZERO:
                            left = value <= limit
                        else:
                            left = (kind & _MISSING_LEFT) != 0
                        at[t * n + r] = nodes.child[2 * node + np.int32(left)]
            for t in range(some):
                for r in range(n):
                    out[begin + r] += nodes.threshold[at[t * n + r]]


def _links(trees: Sequence[Tree]) -> tuple[Ints, Ints]:
    """Return the root of each tree, and the right and the left child of each node."""
    inner = np.array([len(tree.feature) for tree in trees], dtype=np.int64)
    leaves = np.array([len(tree.leaf_value) for tree in trees], dtype=np.int64)
    begin = np.cumsum(inner) - inner
    leaf_begin = inner.sum() + np.cumsum(leaves) - leaves
    right, left = (_joined(np.int64, (getattr(tree, way) for tree in trees)) for way in ("right", "left"))
    own = np.stack([right, left], axis=1)
    node, leaf = np.repeat(begin, inner)[:, None] + own, np.repeat(leaf_begin, inner)[:, None] - 1 - own
    itself = np.arange(inner.sum(), inner.sum() + leaves.sum())[:, None]
    child = np.concatenate([np.where(own < 0, leaf, node), np.repeat(itself, 2, axis=1)])
    return np.where(inner > 0, begin, leaf_begin), child


def _depths(root: Ints, child: Ints, n_inner: int) -> Ints:
    """Return how many steps the deepest leaf of each tree is away from its root."""
    depth = np.zeros(len(root), dtype=np.int64)
    tree, node = np.arange(len(root)), root
    while len(node):
        tree, node = tree[node < n_inner], node[node < n_inner]
        depth[tree] += 1
        tree, node = np.repeat(tree, 2), child[node].ravel()
    return depth


def _kinds(tree: Tree) -> NDArray[np.int64]:
    """Return of each inner node that it splits categories, or what is missing there and where it goes."""
    kind = tree.decision & MISSING
    left = np.where(kind == 0, tree.threshold >= 0.0, tree.decision & DEFAULT_LEFT != 0)
    number = np.where(left, _MISSING_LEFT, 0) | np.where(kind == ZERO_IS_MISSING, _ZERO_MISSING, 0)
    return np.where(tree.decision & CATEGORICAL, _CATEGORY, number)


def _members(trees: Sequence[Tree]) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return where the categories of each inner node begin, how many there are, and which go left."""
    named = [own for tree in trees for own in tree.categories]
    sizes = np.array([own[-1] + 1 if len(own) else 0 for own in named], dtype=np.int64)
    first = np.cumsum(sizes) - sizes
    member = np.zeros(sizes.sum(), dtype=np.bool_)
    for begin, own in zip(first.tolist(), named, strict=True):
        member[begin + own] = True
    return first, sizes, member


def _compared(threshold: Floats) -> Floats:
    """Return thresholds that send values within ± `ZERO` the way that LightGBM sends them: that of zero."""
    return np.where(np.abs(threshold) > ZERO, threshold, np.where(threshold < 0.0, _BELOW_ZERO, ZERO))


def _joined(kind: type, parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([np.empty(0), *parts]).astype(kind)
