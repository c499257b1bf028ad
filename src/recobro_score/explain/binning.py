"""Values to small codes, once per row: after that no tree compares numbers or asks what is missing.

The code of a number is how many of the model's thresholds on its column lie below it; a missing value has the
code after those, a category its place among the categories the model names, and all other categories share
one code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recobro_score.data.compiled import entered
from recobro_score.errors import ConfigError
from recobro_score.models.trees import ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.models.trees import Tree

MOST_CODES = 65_535

_BELOW_ZERO = float(np.nextafter(-ZERO, -np.inf))


class Edges(NamedTuple):
    """The codes of all columns as the kernel reads them.

    Slot ``s`` is column ``column[s]`` with the ascending edges ``edge[start[s] : start[s + 1]]``.
    """

    column: NDArray[np.int64]
    categorical: NDArray[np.bool_]
    start: NDArray[np.int64]
    edge: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Binning:
    """The codes of the columns that a model splits.

    Attributes
    ----------
    edges : Edges
        One slot per split column.
    values : tuple of float64 arrays
        A value of each code, per slot; missing numbers and all unnamed categories are NaN, the last code.
    """

    edges: Edges
    values: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> Binning:
        """Return the codes that a model's splits ask for.

        Raises
        ------
        ConfigError
            If a column has more than 65,535 codes, or is split as number and as category.
        """
        named: dict[int, set[float]] = {}
        categorical: dict[int, bool] = {}
        for tree in trees:
            for node, column in enumerate(tree.feature.tolist()):
                own = named.setdefault(column, set())
                if categorical.setdefault(column, tree.is_categorical(node)) != tree.is_categorical(node):
                    msg = f"Column {column} is split as a number and as a category."
                    raise ConfigError(msg)
                if categorical[column]:
                    own.update(tree.categories[node].tolist())
                else:
                    own.add(float(tree.threshold[node]))
                    own.update((_BELOW_ZERO, ZERO) if tree.zero_is_missing(node) else ())
        columns = sorted(named)
        lists = [np.array(sorted(named[column]), dtype=np.float64) for column in columns]
        for column, edge in zip(columns, lists, strict=True):
            if len(edge) + 2 > MOST_CODES:
                msg = f"Column {column} has {len(edge):,} thresholds; {MOST_CODES - 2:,} can be explained."
                raise ConfigError(msg)
        kinds = [categorical[column] for column in columns]
        ends = [[np.nan] if kind else [np.inf, np.nan] for kind in kinds]
        edges = Edges(
            np.array(columns, dtype=np.int64),
            np.array(kinds, dtype=np.bool_),
            np.cumsum([0, *(len(edge) for edge in lists)], dtype=np.int64),
            np.concatenate([*lists, np.empty(0)]),
        )
        return cls(edges, tuple(np.append(edge, end) for edge, end in zip(lists, ends, strict=True)))


@entered
def encode(
    values: NDArray[np.float64],
    first: int,
    last: int,
    edges: Edges,
    codes: NDArray[np.uint16],
    found: NDArray[np.float64],
    place: NDArray[np.int64],
) -> None:
    """Write the codes of rows ``first … last − 1`` into ``codes[slot, row − first]``.

    The binary search runs step by step over the whole block, so that rows are searched side by side; `found`
    and `place` are room for one block.
    """
    n = last - first
    for s in range(edges.column.shape[0]):
        column = edges.column[s]
        categorical = edges.categorical[s]
        start = edges.start[s]
        size = edges.start[s + 1] - start
        own = edges.edge[start : start + size]
        for r in range(n):
            value = values[first + r, column]
            found[r] = np.trunc(value) if categorical else value
            place[r] = 0
        left = size
        while left > 1:
            half = left >> 1
            for r in range(n):
                place[r] += half if own[place[r] + half - 1] < found[r] else 0
            left -= half
        for r in range(n):
            code = place[r]
            if size > 0 and own[code] < found[r]:
                code += 1
            if categorical:
                if code == size or own[code] != found[r]:
                    code = size
            elif np.isnan(found[r]):
                code = size + 1
            codes[s, r] = code
