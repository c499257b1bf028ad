"""Whether a model stays what it was: its metrics and its scores month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.evaluation.metrics import binary_report

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

PSI_BINS = 10
PSI_FLOOR = 0.5
"""Rows that an empty part counts for."""
SHIFTED = 0.25
"""By convention a population stability index above it is a shift, below 0.1 it is none."""


def population_stability(reference: ArrayLike, now: ArrayLike, *, bins: int = PSI_BINS) -> float:
    """Return the population stability index of scores against a reference.

    ``Σ (share now − share then) × log(share now ÷ share then)`` over parts that held equal shares of the
    reference (Siddiqi 2006, ch. 8). Empty parts count half a row.

    Parameters
    ----------
    reference, now : array-like of shape (n,), (m,)
        Scores; NaN is a part of its own.
    bins : int
        Number of parts.

    Returns
    -------
    float
        0 for equal shares; NaN without rows on either side.
    """
    then, current = np.asarray(reference, dtype=np.float64), np.asarray(now, dtype=np.float64)
    if not then.size or not current.size:
        return float("nan")
    known = then[~np.isnan(then)]
    inner = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(known, inner, method="higher")) if known.size else np.zeros(0)
    old, new = (_shares(scores, edges) for scores in (then, current))
    both_empty = (old[0] == 0) & (new[0] == 0)
    old_share, new_share = (np.maximum(count, PSI_FLOOR) / rows for count, rows in (old, new))
    parts = (new_share - old_share) * np.log(new_share / old_share)
    return float(parts[~both_empty].sum())


def by_month(
    y: ArrayLike, p: ArrayLike, month: ArrayLike, *, weight: ArrayLike | None = None
) -> pd.DataFrame:
    """Return the metrics of each month, and how far its scores lie from the first month's.

    Parameters
    ----------
    y, p : array-like of shape (n,)
        Outcomes (0 or 1) and probabilities.
    month : array-like of shape (n,)
        Label of each row's month; they are taken in sorted order.
    weight : array-like of shape (n,), optional
        Importance weights; ``n``, ``events`` and ``psi`` count rows.

    Returns
    -------
    pandas.DataFrame
        One row per month: ``month``; ``n``; ``events``; ``base_rate``; ``predicted``; ``auc``, ``brier``,
        ``log_loss``, ``slope`` and ``intercept``, each with its ``_se``; ``ece``; ``psi`` of the
        probabilities against those of the first month; ``note``.
    """
    probability, label = np.asarray(p, dtype=np.float64), np.asarray(month)
    report = binary_report(y, probability, group=label, weight=weight)
    table = report[report["group"] != "all"].rename(columns={"group": "month"})
    months = np.unique(label)
    first = probability[label == months[0]] if months.size else probability
    psi = [population_stability(first, probability[label == each]) for each in months]
    metrics = ("auc", "brier", "log_loss", "slope", "intercept")
    columns = ["month", "n", "events", "base_rate", "predicted"]
    columns += [name for metric in metrics for name in (metric, f"{metric}_se")]
    return table[[*columns, "ece", "note"]].assign(psi=psi).reset_index(drop=True)


def _shares(scores: Floats, edges: Floats) -> tuple[Floats, int]:
    """Return the rows of each part, the missing ones last, and the number of all."""
    missing = np.isnan(scores)
    part = np.where(missing, len(edges) + 1, np.searchsorted(edges, scores, side="right"))
    return np.bincount(part, minlength=len(edges) + 2).astype(np.float64), scores.size
