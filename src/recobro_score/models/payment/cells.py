"""What a payment curve says of accounts, and how well: one row per account and cell, one per cell."""

from __future__ import annotations

import html
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.errors import ColumnNotFound
from recobro_score.evaluation.metrics import binary_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.models.payment.grid import PaymentGrid

    Floats = NDArray[np.float64]

MANY_LEFT_OUT, UNLIKE = 0.05, 0.1
"""Shares from which rows of unknown outcome are told of: of the known rows, and of payers from theirs."""
SHOWN = [
    "horizon_days",
    "share",
    "n",
    "events",
    "base_rate",
    "predicted",
    "auc",
    "auc_se",
    "brier",
    "log_loss",
]
SHOWN += ["slope", "slope_se", "intercept", "ece", "ece_noise", "note"]


@dataclass(frozen=True, slots=True)
class CurveScores:
    """Probabilities of a grid of horizons and shares for (account, as-of) pairs.

    Parameters
    ----------
    account_ids : array of str of shape (n,)
        Outside ids.
    as_of : int64 ndarray of shape (n,)
        µs UTC.
    horizons, shares : tuple of float
        Days and shares of the exposure, both rising.
    values : ndarray of shape (n, horizons, shares)
        Never falling along the horizons, never rising along the shares.
    model_id : str
    """

    account_ids: Any
    as_of: NDArray[np.int64]
    horizons: tuple[float, ...]
    shares: tuple[float, ...]
    values: Floats
    model_id: str

    def probability(self, *, horizon_days: float, share: float) -> Floats:
        """Return one cell, shape (n,).

        Raises
        ------
        ColumnNotFound
            If there is no such cell.
        """
        if horizon_days not in self.horizons or share not in self.shares:
            cells = f"horizons {self.horizons} and shares {self.shares}"
            msg = f"the curve has {cells}, not {share} within {horizon_days} days"
            raise ColumnNotFound(msg)
        return self.values[:, self.horizons.index(horizon_days), self.shares.index(share)]

    def frame(self) -> pd.DataFrame:
        """Return one row per pair and cell.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``as_of`` (UTC), ``horizon_days``, ``share``, ``probability``, ``model_id``; pairs
            in their order, then horizons, then shares.
        """
        n, cells = len(self.values), len(self.horizons) * len(self.shares)
        return pd.DataFrame(
            {
                "account_id": np.repeat(np.asarray(self.account_ids, dtype=object), cells),
                "as_of": pd.to_datetime(np.repeat(self.as_of, cells), unit="us", utc=True),
                "horizon_days": np.tile(np.repeat(self.horizons, len(self.shares)), n),
                "share": np.tile(self.shares, n * len(self.horizons)),
                "probability": self.values.ravel(),
            }
        ).assign(model_id=self.model_id)


@dataclass(frozen=True, slots=True, repr=False)
class CurveEvaluation:
    """The report of a curve on held-out rows, cell by cell.

    Parameters
    ----------
    table : pandas.DataFrame
        See `frame`.
    warnings : tuple of str
        What a reader must know before trusting the numbers.
    """

    table: pd.DataFrame
    warnings: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row per cell.

        Returns
        -------
        pandas.DataFrame
            ``horizon_days``, ``share``; ``left_out`` (rows lost sight of before the window ended, such as
            recalled accounts) and ``left_out_paid`` (share of them that had paid when last known), then the
            columns of `evaluation.metrics.binary_report` of the others.
        """
        return self.table.copy()

    def summary(self) -> str:
        """Return one line per cell, and every warning."""
        lines = [
            f"≥ {row['share']:.0%} in {row['horizon_days']:g} days: {row['events']:,} of {row['n']:,}, "
            f"AUC {row['auc']:.3f} ± {row['auc_se']:.3f}, slope {row['slope']:.2f} ± {row['slope_se']:.2f}, "
            f"ECE {row['ece']:.3f}"
            for row in self.table.to_dict("records")
        ]
        return "\n".join([*lines, *(f"! {warning}" for warning in self.warnings)])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        table = self.table[SHOWN].to_html(index=False, float_format="%.4g", na_rep="–", border=0)
        items = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        return f"<div>{table}{f'<p>Warnings</p><ul>{items}</ul>' if items else ''}</div>"


def evaluate_cells(values: Floats, grid: PaymentGrid, *, warnings: Sequence[str] = ()) -> CurveEvaluation:
    """Judge every cell on the rows whose label it knows.

    Parameters
    ----------
    values : ndarray of shape (n, horizons, shares)
        Probabilities of the grid's cells.
    grid : PaymentGrid
        Labels of rows that the model has not seen.
    warnings : sequence of str
        What is known already.

    Returns
    -------
    CurveEvaluation
        Warns of cells whose rows of unknown outcome are many and unlike the others: accounts are often taken
        back because they have paid, so that what is left of a long horizon pays less than all.
    """
    rows, told = [], list(warnings)
    for (k, days), (j, share) in product(enumerate(grid.horizons), enumerate(grid.shares)):
        known = ~np.isnan(grid.value[:, k, j])
        report = binary_report(grid.value[known, k, j], values[known, k, j]).iloc[[-1]].drop(columns="group")
        left_out, paid = _left_out(grid.value[:, : k + 1, j])
        cell = {"horizon_days": days, "share": share, "left_out": left_out, "left_out_paid": paid}
        for place, (name, value) in enumerate(cell.items()):
            report.insert(place, name, value)
        rows.append(report)
        if left_out > MANY_LEFT_OUT * known.sum() and abs(paid - report["base_rate"].iloc[0]) > UNLIKE:
            told.append(
                f"≥ {share:.0%} in {days:g} days: {left_out:,} rows were lost sight of, {paid:.0%} of them "
                "after they had paid, unlike the others: the level of this cell cannot be judged"
            )
    return CurveEvaluation(pd.concat(rows, ignore_index=True), tuple(told))


def _left_out(value: Floats) -> tuple[int, float]:
    """Return how many rows lost sight of before the last horizon there are, and the share that had paid."""
    lost = np.isnan(value[:, -1]) & ~np.isnan(value[:, 0])
    if not lost.any():
        return 0, float("nan")
    known = ~np.isnan(value[lost])
    last = known.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return int(lost.sum()), float(value[lost][np.arange(last.size), last].mean())
