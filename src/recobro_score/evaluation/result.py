"""`Evaluation`: what held-out rows say of a model, next to a baseline, with honest warnings."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.evaluation.metrics import (
    ALL,
    FEW_EVENTS,
    binary_report,
    brier,
    group_masks,
    log_loss,
    log_loss_gain,
    reliability_table,
)
from recobro_score.evaluation.ranking import compare_auc, lift_table
from recobro_score.evaluation.samples import Sample, sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

WIDE_BELOW_EVENTS = 500
SUSPICIOUS_AUC = 0.97
SIGNIFICANT = 0.05
SHOWN = ["group", "n", "events", "base_rate", "predicted", "auc", "auc_se", "baseline_auc", "auc_p_value"]
SHOWN += ["ks", "brier", "log_loss", "slope", "slope_se", "intercept", "ece", "lift", "verdict", "note"]


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """The report of one set of held-out rows.

    Parameters
    ----------
    held_out : str
        Which rows these are, in words.
    table : pandas.DataFrame
        See `frame`.
    reliability : pandas.DataFrame
        All rows, from `metrics.reliability_table`.
    lift : pandas.DataFrame
        All rows, from `ranking.lift_table`.
    warnings : tuple of str
        What a reader must know before trusting the numbers; empty if nothing.
    """

    held_out: str
    table: pd.DataFrame
    reliability: pd.DataFrame
    lift: pd.DataFrame
    warnings: tuple[str, ...]

    def knowing(self, warnings: Sequence[str]) -> Evaluation:
        """Return the same with what was known already ahead of its own warnings."""
        return replace(self, warnings=(*warnings, *self.warnings))

    def frame(self) -> pd.DataFrame:
        """Return one row per group, then ``all``.

        Returns
        -------
        pandas.DataFrame
            The columns of `metrics.binary_report`, and beside them the baseline on the same rows:
            ``baseline_auc``, ``baseline_auc_se``, ``baseline_brier``, ``baseline_log_loss``; ``auc_gain``
            over it, ``auc_gain_se`` and ``auc_p_value`` (DeLong's paired test); ``log_loss_gain``, by how
            much the model's is lower, and ``log_loss_gain_se`` (paired); ``verdict``: ``model``,
            ``baseline``, ``no difference``, ``no baseline``, or ``not judged`` (fewer than 50 events or
            non-events).
        """
        return self.table.copy()

    def summary(self) -> str:
        """Return the whole and every warning as a few lines of text."""
        row = self.table.set_index("group").loc[ALL]
        lines = [
            f"{self.held_out}: {row['n']:,} rows, {row['events']:,} events ({row['base_rate']:.1%})",
            f"AUC {row['auc']:.4f} ± {row['auc_se']:.4f}, baseline {row['baseline_auc']:.4f}"
            f" (p = {row['auc_p_value']:.2g}), KS {row['ks']:.3f}, lift {row['lift']:.2f}",
            f"Brier {row['brier']:.4f}, log loss {row['log_loss']:.4f}, slope {row['slope']:.3f}"
            f" ± {row['slope_se']:.3f}, intercept {row['intercept']:.3f}, ECE {row['ece']:.4f}",
        ]
        if row["verdict"] != "no baseline":
            gain = f"{row['log_loss_gain']:.5f} ± {row['log_loss_gain_se']:.5f}"
            lines.append(f"log loss below the baseline's by {gain}")
        return "\n".join([*lines, *(f"! {warning}" for warning in self.warnings)])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        table = self.table[SHOWN].to_html(index=False, float_format="%.4g", na_rep="–", border=0)
        items = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        notes = f"<p>Warnings</p><ul>{items}</ul>" if items else ""
        return f"<div><p>{html.escape(self.held_out)}</p>{table}{notes}</div>"


def evaluate(
    y: ArrayLike,
    p: ArrayLike,
    *,
    held_out: str,
    baseline: ArrayLike | None = None,
    group: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    capacity: float | None = None,
    weight: ArrayLike | None = None,
) -> Evaluation:
    """Judge probabilities on held-out rows, next to a baseline's on the same rows.

    Parameters
    ----------
    y, p : array-like of shape (n,)
        Outcomes (0 or 1) and probabilities.
    held_out : str
        Which rows these are, in words.
    baseline : array-like of shape (n,), optional
        The baseline's probabilities.
    group, names, capacity
        As for `metrics.binary_report`.
    weight : array-like of shape (n,), optional
        How much each row counts in every metric; numbers of rows and events are counted.

    Returns
    -------
    Evaluation

    Raises
    ------
    ContractError
        If arrays differ in length or hold values that they must not.
    """
    outcome, scored = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    table = binary_report(outcome, scored, group=group, names=names, capacity=capacity, weight=weight)
    other = None if baseline is None else np.asarray(baseline, dtype=np.float64)
    drawn = sample(outcome, scored, weight, probabilities=True)
    rows = [
        _beside(drawn.rows(mask), None if other is None else other[mask])
        for _, mask in group_masks(outcome.size, group, names)
    ]
    table = pd.concat([table.drop(columns="note"), pd.DataFrame(rows), table[["note"]]], axis=1)
    return Evaluation(
        held_out=held_out,
        table=table,
        reliability=reliability_table(outcome, scored, weight=weight),
        lift=lift_table(outcome, scored, weight=weight),
        warnings=tuple(_warnings(table)),
    )


def _beside(drawn: Sample, baseline: NDArray[np.float64] | None) -> dict[str, Any]:
    y, p, weight = drawn.y, drawn.score, drawn.weight
    other = p if baseline is None else baseline
    test = compare_auc(y, p, other, weight=weight)
    gain = log_loss_gain(y, p, other, weight=weight)
    fewest = min(np.count_nonzero(y == outcome) for outcome in (0, 1))
    if fewest < FEW_EVENTS:
        verdict = "not judged"
    elif baseline is None:
        verdict = "no baseline"
    elif test.p_value >= SIGNIFICANT:
        verdict = "no difference"
    else:
        verdict = "model" if test.difference.value > 0 else "baseline"
    unknown = float("nan")
    has = baseline is not None
    return {
        "baseline_auc": test.second.value if has else unknown,
        "baseline_auc_se": test.second.se if has else unknown,
        "baseline_brier": brier(y, other, weight=weight).value if has else unknown,
        "baseline_log_loss": log_loss(y, other, weight=weight).value if has else unknown,
        "auc_gain": test.difference.value if has else unknown,
        "auc_gain_se": test.difference.se if has else unknown,
        "auc_p_value": test.p_value if has else unknown,
        "log_loss_gain": gain.value if has else unknown,
        "log_loss_gain_se": gain.se if has else unknown,
        "verdict": verdict,
    }


def _warnings(table: pd.DataFrame) -> Iterator[str]:
    for row in table.to_dict("records"):
        where = "" if row["group"] == ALL else f"group {row['group']}: "
        fewest = min(row["events"], row["n"] - row["events"])
        if row["group"] != ALL and row["n"] == 0:
            continue
        if row["verdict"] == "not judged":
            yield f"{where}{row['events']:,} events in {row['n']:,} rows are too few to judge the model by"
        elif row["group"] == ALL and fewest < WIDE_BELOW_EVENTS:
            yield f"only {row['events']:,} events in {row['n']:,} rows: intervals are wide"
        if row["verdict"] == "baseline":
            yield f"{where}the baseline orders these rows better (p = {row['auc_p_value']:.2g})"
        if row["verdict"] != "not judged" and row["log_loss_gain"] < -2 * row["log_loss_gain_se"]:
            yield f"{where}the baseline has the lower log loss"
        if row["verdict"] != "not judged" and row["auc"] > SUSPICIOUS_AUC:
            yield f"{where}AUC {row['auc']:.3f} is too good for recovery data: look for leakage"
        if row["group"] == ALL and abs(row["slope"] - 1) > max(0.1, 2 * row["slope_se"]):
            yield f"calibration slope {row['slope']:.2f} ± {row['slope_se']:.2f}: probabilities are " + (
                "too extreme" if row["slope"] < 1 else "too timid"
            )
        if row["group"] == ALL and row["ece"] > max(0.01, 2 * row["ece_noise"]):
            yield f"calibration error {row['ece']:.3f}, where chance alone would give {row['ece_noise']:.3f}"
