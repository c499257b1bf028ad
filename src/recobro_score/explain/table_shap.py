"""Exact contributions of the columns to the margin, at about the price of a prediction.

The method is told in ``docs/concepts/exact_reasons.md``: rows become codes once, every tree becomes a few
tables, and a row's contributions are the sum of the table rows it looks up.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from time import process_time
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.errors import ConfigError, ContractError, NotEnoughData, SchemaMismatch
from recobro_score.explain import kernel
from recobro_score.explain.binning import Binning, Edges, encode
from recobro_score.explain.contributions import ADDITIVITY_TOLERANCE, TopConcepts
from recobro_score.explain.games import Game, Interventional, PathDependent
from recobro_score.explain.layout import Planner, Progress, lay_out_all
from recobro_score.explain.leaves import leaves_of
from recobro_score.explain.tables import Assembly
from recobro_score.models.row_jobs import in_jobs
from recobro_score.models.trees import read_trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.explain.layout import TreeLayout
    from recobro_score.explain.leaves import Leaves

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

logger = logging.getLogger(__name__)

MEMORY_MB = 128
BACKGROUND_ROWS = 1_000

_ROWS_PER_JOB = 2 * kernel.SLAB
_SAFE_SIGMAS = 12.0


@dataclass(frozen=True, slots=True)
class TableExplainer:
    """A model made ready to explain rows; safe to share between threads.

    Attributes
    ----------
    n_features : int
        Columns of a row.
    names : tuple of str
        What contributions are attributed to: features, or groups of them, in the order of the result.
    bias : float
        The mean margin, which the contributions of a row start from.
    tabled, factored, walked : int
        Leaves in tables, deep leaves in a table per factor, and leaves without a table.
    entry : {'float32', 'float64'}
        How table entries are stored.
    memory : int
        Bytes of all tables.
    """

    n_features: int
    names: tuple[str, ...]
    bias: float
    tabled: int
    factored: int
    walked: int
    entry: str
    memory: int
    _edges: Edges
    _model: kernel.Model

    @classmethod
    def build(
        cls,
        booster_text: str,
        names: Sequence[str],
        *,
        groups: Sequence[str] | None = None,
        background: Floats | None = None,
        memory_mb: float = MEMORY_MB,
        progress: Progress | None = None,
    ) -> TableExplainer:
        """Build the tables of a LightGBM model.

        Parameters
        ----------
        booster_text : str
            The model as LightGBM's text.
        names : sequence of str, length p
            The columns of a row.
        groups : sequence of str, length p, optional
            The group (for example the concept) of each column: contributions are then those of the groups, in
            the order of the first column of each, at no cost per row.
        background : float64 array, shape (m, p), optional
            With it the contributions are interventional: an unknown column takes its value in each of these
            rows (1,000 are a good start). Without it they are path-dependent, as LightGBM's `pred_contrib`.
        memory_mb : float
            The most the tables may take, in 10⁶ bytes; less memory, slower rows, the same contributions.
        progress : callable, optional
            Called with a step's name and the share done.

        Raises
        ------
        ConfigError
            If the model cannot be read (see `read_trees`), has nodes without training rows, or needs more
            memory.
        SchemaMismatch
            If names, groups or background do not fit the model.
        NotEnoughData
            If the background has no rows.
        """
        started = process_time()
        trees = read_trees(booster_text, len(names))
        if not all((tree.node_rows > 0).all() for tree in trees):
            msg = "The model has nodes without training rows: path-dependent contributions are not defined."
            raise ConfigError(msg)
        labels = list(names) if groups is None else list(groups)
        if len(labels) != len(names):
            msg = f"Each of the {len(names)} columns needs a group, got {len(labels)}."
            raise SchemaMismatch(msg)
        binning = Binning.of(trees)
        if background is None:
            game: Game = PathDependent()
        else:
            game = Interventional(_codes(_checked(background, len(names)), binning.edges))
        slot_of = {column: slot for slot, column in enumerate(binning.edges.column.tolist())}
        targets = tuple(dict.fromkeys(labels)) if groups is not None else tuple(labels)
        place = range(len(labels)) if groups is None else [targets.index(label) for label in labels]
        column_of = {slot: place[column] for column, slot in slot_of.items()}
        leaves = [leaves_of(tree, slot_of, binning.values) for tree in trees]
        planner = Planner(column_of, len(targets), game.factors, lambda d: 16 * (d + game.most_terms(d)))
        room = int(memory_mb * 1e6), _bytes((binning.edges, game.weight))
        assembly, layouts = _assembled(leaves, planner, game, room, progress or _silent)
        model = assembly.model(in_order=planner.in_order)
        built = cls(
            n_features=len(names),
            names=targets,
            bias=assembly.bias,
            tabled=sum(len(group.leaves) for layout in layouts for group, *_ in layout.groups),
            factored=sum(len(group.leaves) for layout in layouts for group, _ in layout.factored),
            walked=sum(len(layout.walked) for layout in layouts),
            entry=model.rows.dtype.name,
            memory=_bytes((model, binning.edges)),
            _edges=binning.edges,
            _model=model,
        )
        logger.info(
            "%d trees in %.1f MB of %s tables after %.1f s of CPU; of the leaves %d have tables, %d factors, "
            "%d neither",
            len(trees),
            built.memory / 1e6,
            built.entry,
            process_time() - started,
            built.tabled,
            built.factored,
            built.walked,
        )
        return built

    def contributions(self, values: Floats, *, threads: int = 1) -> Floats:
        """Return what each feature or group adds to the margin of each row.

        Parameters
        ----------
        values : float64 array, shape (n, p)
            C-contiguous; NaN is missing.
        threads : int
            Changes nothing but the time.

        Returns
        -------
        float64 array, shape (n, len(names) + 1)
            The last column is `bias`; rows sum to the margin within 1e-6 · max(1, abs(margin)).

        Raises
        ------
        ContractError
            On a wrong dtype or layout.
        SchemaMismatch
            On a wrong number of columns.
        """
        rows = _checked(values, self.n_features)
        out = np.zeros((len(rows), len(self.names) + 1))
        out[:, -1] = self.bias

        def explain(first: int, last: int) -> None:
            kernel.add_contributions(rows, first, last, self._edges, self._model, out[first:last])

        in_jobs(explain, len(rows), rows_per_job=_ROWS_PER_JOB, threads=threads)
        return out

    def top(self, values: Floats, k: int, *, threads: int = 1) -> TopConcepts:
        """Return the `k` heaviest features or groups of each row without keeping the others.

        Ties go to the one that comes first.

        Parameters
        ----------
        values : float64 array, shape (n, p)
            As for `contributions`.
        k : int
            How many; fewer come back if there are fewer.
        threads : int
            Changes nothing but the time.
        """
        rows = _checked(values, self.n_features)
        if k < 1:
            msg = f"The number of reasons must be at least 1, got {k}."
            raise ConfigError(msg)
        shape = len(rows), min(k, len(self.names))
        index, value = np.zeros(shape, dtype=np.int64), np.zeros(shape)

        def explain(first: int, last: int) -> None:
            room = np.empty((min(kernel.SLAB, last - first), len(self.names)))
            for begin in range(first, last, kernel.SLAB):
                end = min(begin + kernel.SLAB, last)
                block = room[: end - begin]
                block.fill(0.0)
                kernel.add_contributions(rows, begin, end, self._edges, self._model, block)
                kernel.keep_heaviest(block, index[begin:end], value[begin:end])

        in_jobs(explain, len(rows), rows_per_job=_ROWS_PER_JOB, threads=threads)
        return TopConcepts(index, value)


def _assembled(
    leaves: Sequence[Leaves], planner: Planner, game: Game, room: tuple[int, int], told: Progress
) -> tuple[Assembly, list[TreeLayout]]:
    """Return the tables in float32 if that is exact enough, else in float64, and how they are laid out.

    `room` is the memory that is allowed and what of it is not for tables.
    """
    for entry in (np.float32, np.float64):
        kind = np.dtype(entry)
        layouts = lay_out_all(
            leaves,
            planner,
            most_bytes=room[0],
            fixed_bytes=room[1],
            entry_bytes=kind.itemsize,
            progress=told,
        )
        assembly = Assembly(game, planner.column_of, kind)
        for number, layout in enumerate(layouts):
            assembly.add(layout)
            told(f"filling tables of {kind.name}", (number + 1) / len(layouts))
        if _SAFE_SIGMAS * np.sqrt(assembly.variance) <= ADDITIVITY_TOLERANCE:
            break
    return assembly, layouts


_BUILDING = Lock()


def explainer_of(
    booster_text: str, names: Sequence[str], groups: Sequence[str] | None = None
) -> TableExplainer:
    """Return the path-dependent explainer of a model, built once and kept while it is among the last used.

    Equal texts share one explainer, so a bundle that is loaded again costs nothing. Safe to call from several
    threads: one builds, the others wait.

    Parameters
    ----------
    booster_text, names, groups
        As for `TableExplainer.build`.
    """
    with _BUILDING:
        return _built(booster_text, tuple(names), None if groups is None else tuple(groups))


@lru_cache(maxsize=4)
def _built(text: str, names: tuple[str, ...], groups: tuple[str, ...] | None) -> TableExplainer:
    return TableExplainer.build(text, names, groups=groups)


def _checked(values: Floats, n_features: int) -> Floats:
    """Return a read-only view, the one kind of array the compiled functions are made for."""
    if values.dtype != np.float64 or values.ndim != 2 or not values.flags.c_contiguous:
        msg = f"Rows must be a C-contiguous float64 matrix, got {values.dtype} of shape {values.shape}."
        raise ContractError(msg)
    if values.shape[1] != n_features:
        msg = f"The model has {n_features} columns, the rows have {values.shape[1]}."
        raise SchemaMismatch(msg)
    view = values.view()
    view.flags.writeable = False
    return view


def _codes(background: Floats, edges: Edges) -> NDArray[np.uint16]:
    if not len(background):
        msg = "Interventional contributions need at least one background row."
        raise NotEnoughData(msg)
    rows = len(background)
    codes = np.empty((len(edges.column), rows), dtype=np.uint16)
    encode(background, 0, rows, edges, codes, np.empty(rows), np.empty(rows, dtype=np.int64))
    return codes


def _bytes(part: object) -> int:
    if isinstance(part, np.ndarray):
        return part.nbytes
    return sum(_bytes(one) for one in part) if isinstance(part, tuple) else 0


def _silent(step: str, share: float) -> None:
    del step, share
