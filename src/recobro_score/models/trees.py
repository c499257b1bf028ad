"""LightGBM's text read as trees: which rows go left, what a leaf adds, how many training rows it had.

Only what a score and its explanation need is read. Models whose margin is not one plain sum of leaf values
are refused by name: several classes, linear leaves, averaged forests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.errors import ConfigError, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ZERO = float(np.float32(1e-35))
"""Values within ± this are zero to LightGBM where zero means missing."""

CATEGORICAL, DEFAULT_LEFT, MISSING = 1, 2, 12
ZERO_IS_MISSING, NAN_IS_MISSING = 4, 8
"""LightGBM's bits of how a node decides; the kind of missing value is in those of `MISSING`."""

_WORD_BITS = 32


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree; inner nodes count from 0, a child below 0 is leaf ``-1 - child``.

    Attributes
    ----------
    feature, decision : int64 arrays, shape (m,)
        Column split by each inner node, and LightGBM's bits of how.
    threshold : float64 array, shape (m,)
        A value up to it goes left; of no meaning in categorical nodes.
    categories : tuple of int64 arrays, length m
        The categories that go left, sorted; empty in numeric nodes.
    left, right : int64 arrays, shape (m,)
        Children.
    node_rows, leaf_rows : float64 arrays, shapes (m,) and (m + 1,)
        Training rows.
    leaf_value : float64 array, shape (m + 1,)
        What each leaf adds to the margin.
    """

    feature: Ints
    decision: Ints
    threshold: Floats
    categories: tuple[Ints, ...]
    left: Ints
    right: Ints
    node_rows: Floats
    leaf_rows: Floats
    leaf_value: Floats

    def is_categorical(self, node: int) -> bool:
        """Whether a node splits categories."""
        return bool(self.decision[node] & CATEGORICAL)

    def zero_is_missing(self, node: int) -> bool:
        """Whether a numeric node sends zeros and missing values the same way."""
        return int(self.decision[node]) & (CATEGORICAL | MISSING) == ZERO_IS_MISSING

    def share(self, node: int, child: int) -> float:
        """Return the share of a node's training rows that went to its child."""
        rows = self.leaf_rows[-1 - child] if child < 0 else self.node_rows[child]
        return float(rows / self.node_rows[node])

    def goes_left(self, node: int, values: Floats) -> NDArray[np.bool_]:
        """Return which values of its column a node sends left, missing ones included, by LightGBM's rules."""
        missing = np.isnan(values)
        if self.is_categorical(node):
            return ~missing & np.isin(np.trunc(values), self.categories[node])
        kind = self.decision[node] & MISSING
        known = values if kind == NAN_IS_MISSING else np.where(missing, 0.0, values)
        defaulted = missing if kind == NAN_IS_MISSING else np.zeros_like(missing)
        if kind == ZERO_IS_MISSING:
            defaulted = np.abs(known) <= ZERO
        return np.where(defaulted, bool(self.decision[node] & DEFAULT_LEFT), known <= self.threshold[node])


def read_trees(text: str, n_features: int) -> tuple[Tree, ...]:
    """Read a model's text.

    Parameters
    ----------
    text : str
        As written by LightGBM.
    n_features : int
        Columns of the rows.

    Raises
    ------
    ConfigError
        If the text is no model, or one whose margin is not a plain sum of leaf values: multiclass, linear
        trees, averaged trees (random forest); or if a tree leads nowhere or in circles.
    SchemaMismatch
        If the model has another number of columns.
    """
    head, *blocks = re.split(r"^Tree=\d+\n", text.partition("\nend of trees")[0], flags=re.M)
    facts = _facts(head)
    if "max_feature_idx" not in facts:
        msg = "The text is not a LightGBM model: it has no max_feature_idx."
        raise ConfigError(msg)
    if int(facts.get("num_class", "1")) > 1 or int(facts.get("num_tree_per_iteration", "1")) > 1:
        msg = "Multiclass models cannot be read: they have several margins."
        raise ConfigError(msg)
    if re.search(r"^average_output$", head, flags=re.M):
        msg = "Random forests (average_output) cannot be read: their margin is a mean, not a sum."
        raise ConfigError(msg)
    if int(facts["max_feature_idx"]) + 1 != n_features:
        msg = f"The model has {int(facts['max_feature_idx']) + 1} columns, the rows have {n_features}."
        raise SchemaMismatch(msg)
    trees = tuple(_tree(_facts(block)) for block in blocks)
    for number, tree in enumerate(trees):
        _require_sound(tree, number, n_features)
    return trees


def _facts(block: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", block, flags=re.M))


def _tree(facts: Mapping[str, str]) -> Tree:
    if facts.get("is_linear", "0") != "0":
        msg = "Linear trees (linear_tree) cannot be read: their leaves are not constant."
        raise ConfigError(msg)
    decision = _ints(facts, "decision_type")
    threshold = _floats(facts, "threshold")
    return Tree(
        feature=_ints(facts, "split_feature"),
        decision=decision,
        threshold=threshold,
        categories=_categories(facts, decision, threshold),
        left=_ints(facts, "left_child"),
        right=_ints(facts, "right_child"),
        node_rows=_floats(facts, "internal_count"),
        leaf_rows=_floats(facts, "leaf_count") if decision.size else np.ones(1),
        leaf_value=_floats(facts, "leaf_value"),
    )


def _require_sound(tree: Tree, number: int, n_features: int) -> None:
    """Refuse what compiled code could not follow: nodes lead to later nodes or leaves and split columns."""
    node = np.arange(len(tree.feature))
    child = np.stack([tree.left, tree.right])
    inner = (child > node) & (child < len(node))
    leaf = (child < 0) & (child >= -len(tree.leaf_value))
    column = (tree.feature >= 0) & (tree.feature < n_features)
    if not ((inner | leaf).all() and column.all()):
        msg = f"Tree {number} of the model's text is damaged: a node leads nowhere or splits no column."
        raise ConfigError(msg)


def _categories(facts: Mapping[str, str], decision: Ints, threshold: Floats) -> tuple[Ints, ...]:
    """Return the categories that go left at each node: bit sets of 32-bit words in the text."""
    none = np.empty(0, dtype=np.int64)
    if not (decision & CATEGORICAL).any():
        return (none,) * len(decision)
    bounds, words = _ints(facts, "cat_boundaries"), _ints(facts, "cat_threshold")
    found = []
    for code, place in zip(decision.tolist(), threshold.tolist(), strict=True):
        if not code & CATEGORICAL:
            found.append(none)
            continue
        own = words[bounds[int(place)] : bounds[int(place) + 1]]
        bits = (own[:, None] >> np.arange(_WORD_BITS)) & 1
        found.append(np.flatnonzero(bits.ravel()))
    return tuple(found)


def _ints(facts: Mapping[str, str], key: str) -> Ints:
    return np.array(facts.get(key, "").split(), dtype=np.int64)


def _floats(facts: Mapping[str, str], key: str) -> Floats:
    return np.array(facts.get(key, "").split(), dtype=np.float64)
