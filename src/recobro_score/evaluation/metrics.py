"""How well probabilities mean what they say: proper scores, calibration, and the report per group.

Every estimate carries its standard error. A sample that cannot tell (no rows, one class, a constant score)
gives NaN and a note, never an exception; wrong input (probabilities outside [0, 1]) raises.

References
----------
Cox (1958), Biometrika 45, 562-565 (calibration slope and intercept); Van Calster et al. (2019), BMC Medicine
17, 230 (how to report them); Wilson (1927), JASA 22, 209-212 (intervals of shares).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.evaluation.logistic import fit_logistic
from recobro_score.evaluation.ranking import auc, ks, lift_at
from recobro_score.evaluation.samples import (
    UNKNOWN,
    Estimate,
    Sample,
    effective_size,
    sample,
    weighted_mean,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)
Z_95 = 1.959963984540054
FEW_EVENTS = 50
ALL = "all"
OTHER = "unknown"


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The logistic regression of the outcome on the logit of the probability.

    Parameters
    ----------
    slope, intercept : Estimate
        1 and 0 for calibrated probabilities; a slope below 1 means too extreme. Standard errors come from the
        information at the optimum. NaN where the regression has no optimum.
    note : str
        Why it has none: ``one class``, ``constant score``, ``separated``; else empty.
    """

    slope: Estimate
    intercept: Estimate
    note: str


def base_rate(y: ArrayLike, *, weight: ArrayLike | None = None) -> Estimate:
    """Return the share of events."""
    drawn = sample(y, y, weight)
    return weighted_mean(drawn.y, drawn.weight)


def brier(y: ArrayLike, p: ArrayLike, *, weight: ArrayLike | None = None) -> Estimate:
    """Return the mean squared error of the probabilities.

    Examples
    --------
    >>> brier([0, 1], [0.5, 0.5]).value
    0.25
    """
    drawn = sample(y, p, weight, probabilities=True)
    return weighted_mean((drawn.y - drawn.score) ** 2, drawn.weight)


def log_loss(y: ArrayLike, p: ArrayLike, *, weight: ArrayLike | None = None) -> Estimate:
    """Return the mean negative log-likelihood in nats.

    Probabilities are kept within ``[ε, 1 − ε]``, ε the spacing of float64 at 1, so that a single certain
    mistake costs 36 nats rather than infinity.
    """
    drawn = sample(y, p, weight, probabilities=True)
    return weighted_mean(_losses(drawn), drawn.weight)


def log_loss_gain(
    y: ArrayLike, p: ArrayLike, other: ArrayLike, *, weight: ArrayLike | None = None
) -> Estimate:
    """Return by how much the log loss of `p` is below that of `other` on the same rows, paired."""
    drawn, beside = (sample(y, each, weight, probabilities=True) for each in (p, other))
    return weighted_mean(_losses(beside) - _losses(drawn), drawn.weight)


def recalibrate(y: ArrayLike, p: ArrayLike, *, weight: ArrayLike | None = None) -> Recalibration:
    """Return calibration slope and intercept: ``logit P(y = 1) = intercept + slope × logit p``.

    Parameters
    ----------
    y, p : array-like of shape (n,)
        Outcomes (0 or 1) and probabilities; those of 0 or 1 count as ε or 1 − ε.
    weight : array-like of shape (n,), optional
        Importance weights. Standard errors take them as counts.

    Returns
    -------
    Recalibration
        With NaN and a note where no optimum exists.
    """
    drawn = sample(y, p, weight, probabilities=True)
    note = _unfit(drawn)
    if note:
        return Recalibration(UNKNOWN, UNKNOWN, note)
    kept = np.clip(drawn.score, EPSILON, 1.0 - EPSILON)
    logit = np.log(kept) - np.log1p(-kept)
    fit = fit_logistic((logit, np.ones(drawn.n)), drawn.y, drawn.weight)
    if not fit.converged:
        return Recalibration(UNKNOWN, UNKNOWN, "separated")
    slope, intercept = (Estimate(*pair) for pair in zip(fit.coefficients, fit.se, strict=True))
    return Recalibration(slope, intercept, "")


def reliability_table(
    y: ArrayLike, p: ArrayLike, *, bins: int = 10, weight: ArrayLike | None = None
) -> pd.DataFrame:
    """Compare predicted and observed shares in bins of equal weight.

    Equal probabilities are never split, so there may be fewer bins than asked for.

    Parameters
    ----------
    y, p : array-like of shape (n,)
        Outcomes (0 or 1) and probabilities.
    bins : int
        Number of bins wanted.
    weight : array-like of shape (n,), optional
        Importance weights.

    Returns
    -------
    pandas.DataFrame
        One row per bin, by rising probability: ``bin``, ``lower`` and ``upper`` (smallest and largest
        probability), ``n``, ``share`` (of the weight), ``predicted`` and ``observed`` (means),
        ``observed_se``, ``observed_low`` and ``observed_high`` (Wilson's 95 % interval, at the effective
        sample size), and ``expected_gap``: the mean of ``abs(observed − predicted)`` if the probabilities
        were right.
    """
    drawn = sample(y, p, weight, probabilities=True)
    rows = [_bin_row(i, part, drawn) for i, part in enumerate(_equal_parts(drawn, bins))]
    columns = ["bin", "lower", "upper", "n", "share", "predicted", "observed", "observed_se"]
    columns += ["observed_low", "observed_high", "expected_gap"]
    return pd.DataFrame(rows, columns=columns)


def ece(y: ArrayLike, p: ArrayLike, *, bins: int = 10, weight: ArrayLike | None = None) -> float:
    """Return the expected calibration error: the mean of ``abs(observed − predicted)`` over equal bins.

    It is never negative and so never 0 in a sample, however good the probabilities: compare it with
    `ece_noise`.
    """
    return _expected(reliability_table(y, p, bins=bins, weight=weight))[0]


def ece_noise(y: ArrayLike, p: ArrayLike, *, bins: int = 10, weight: ArrayLike | None = None) -> float:
    """Return the calibration error to expect of this sample if its probabilities were exactly right.

    By the normal approximation ``E abs(X) = sd × √(2/π)`` in each bin.
    """
    return _expected(reliability_table(y, p, bins=bins, weight=weight))[1]


def binary_report(
    y: ArrayLike,
    p: ArrayLike,
    *,
    group: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    capacity: float | None = None,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Judge probabilities of an event, per group and for all rows together.

    Parameters
    ----------
    y, p : array-like of shape (n,)
        Outcomes (0 or 1) and probabilities.
    group : array-like of shape (n,), optional
        Group of each row: labels, or codes into `names` (codes outside it are ``unknown``).
    names : sequence of str, optional
        Names and order of the groups; every one gets a row, without rows too.
    capacity : int or float, optional
        Where to read the lift: a number of rows (int) or a share (float); a tenth where absent. A number of
        rows is taken within each group.
    weight : array-like of shape (n,), optional
        Importance weights; ``n`` and ``events`` count rows.

    Returns
    -------
    pandas.DataFrame
        One row per group, then ``all``. Columns: ``group``; ``n`` rows; ``events``; ``base_rate``;
        ``predicted`` (mean probability); then each with its ``_se``: ``auc`` (DeLong), ``ks``, ``brier``,
        ``log_loss``, ``slope``, ``intercept`` (see `recalibrate`), ``lift`` (see `lift_at`); ``ece`` and
        ``ece_noise``; ``note`` (empty, or why numbers are missing or weak). NaN where a group cannot tell.

    Raises
    ------
    ContractError
        If arrays differ in length or hold values that they must not.
    """
    drawn = sample(y, p, weight, probabilities=True)
    rows = [
        _report_row(name, drawn.rows(mask), 0.1 if capacity is None else capacity)
        for name, mask in group_masks(drawn.n, group, names)
    ]
    return pd.DataFrame(rows)


def group_masks(
    n: int, group: ArrayLike | None, names: Sequence[str] | None
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield name and row mask of each group in order, then of ``all``; see `binary_report`."""
    if group is not None:
        codes = np.asarray(group)
        if names is None:
            for value in np.unique(codes):
                yield str(value), np.asarray(codes == value)
        else:
            for code, name in enumerate(names):
                yield name, np.asarray(codes == code)
            other = (codes < 0) | (codes >= len(names))
            if other.any():
                yield OTHER, np.asarray(other)
    yield ALL, np.ones(n, dtype=np.bool_)


def _report_row(name: str, drawn: Sample, capacity: float) -> dict[str, object]:
    y, p, weight = drawn.y, drawn.score, drawn.weight
    again = recalibrate(y, p, weight=weight)
    estimates = {
        "auc": auc(y, p, weight=weight),
        "ks": ks(y, p, weight=weight),
        "brier": brier(y, p, weight=weight),
        "log_loss": log_loss(y, p, weight=weight),
        "slope": again.slope,
        "intercept": again.intercept,
        "lift": lift_at(y, p, capacity, weight=weight) if drawn.n else UNKNOWN,
    }
    gap, noise = _expected(reliability_table(y, p, weight=weight))
    row: dict[str, object] = {
        "group": name,
        "n": drawn.n,
        "events": int(y.sum()),
        "base_rate": weighted_mean(y, weight).value,
        "predicted": weighted_mean(p, weight).value,
    }
    for metric, estimate in estimates.items():
        row[metric], row[f"{metric}_se"] = estimate.value, estimate.se
    return row | {"ece": gap, "ece_noise": noise, "note": _note(drawn, again.note)}


def _losses(drawn: Sample) -> Floats:
    kept = np.clip(drawn.score, EPSILON, 1.0 - EPSILON)
    return -np.where(drawn.y == 1, np.log(kept), np.log1p(-kept))


def _note(drawn: Sample, unfit: str) -> str:
    if drawn.n == 0:
        return "no rows"
    events = int(drawn.y.sum())
    fewest, what = min((events, "events"), (drawn.n - events, "non-events"))
    few = f"few {what}: {fewest}" if 0 < fewest < FEW_EVENTS else ""
    return "; ".join(part for part in (unfit, few) if part)


def _unfit(drawn: Sample) -> str:
    if drawn.n == 0:
        return "no rows"
    if not drawn.has_both_classes:
        return "one class"
    used = drawn.rows(drawn.weight > 0)
    if used.score.min() == used.score.max():
        return "constant score"
    events, others = used.score[used.y == 1], used.score[used.y == 0]
    if events.min() >= others.max() or events.max() <= others.min():
        return "separated"
    return ""


def _equal_parts(drawn: Sample, bins: int) -> Iterator[Sample]:
    used = drawn.rows(drawn.weight > 0)
    if used.n == 0:
        return
    order = np.argsort(used.score, kind="stable")
    score = used.score[order]
    passed = np.cumsum(used.weight[order])
    first_of_tie = np.searchsorted(score, score, side="left")
    middle = (passed - used.weight[order] / 2)[first_of_tie]
    part = np.minimum((middle / passed[-1] * bins).astype(np.int64), bins - 1)
    for code in np.unique(part):
        rows = order[part == code]
        yield Sample(used.y[rows], used.score[rows], used.weight[rows])


def _bin_row(number: int, part: Sample, drawn: Sample) -> tuple[float, ...]:
    predicted, observed = weighted_mean(part.score, part.weight), weighted_mean(part.y, part.weight)
    size = effective_size(part.weight)
    low, high = _wilson(observed.value, size)
    spread = weighted_mean(part.score * (1 - part.score), part.weight).value / size
    share = float(part.weight.sum() / drawn.weight.sum())
    edges = float(part.score.min()), float(part.score.max())
    means = predicted.value, observed.value, observed.se
    return (number, *edges, part.n, share, *means, low, high, float(np.sqrt(2 / np.pi * spread)))


def _wilson(share: float, size: float) -> tuple[float, float]:
    squared = Z_95**2 / size
    centre = (share + squared / 2) / (1 + squared)
    half = Z_95 / (1 + squared) * float(np.sqrt(share * (1 - share) / size + squared / (4 * size)))
    return centre - half, centre + half


def _expected(table: pd.DataFrame) -> tuple[float, float]:
    if table.empty:
        return float("nan"), float("nan")
    gap = (table["observed"] - table["predicted"]).abs()
    return float((table["share"] * gap).sum()), float((table["share"] * table["expected_gap"]).sum())
