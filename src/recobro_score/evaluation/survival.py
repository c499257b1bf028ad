"""How long until something happens, when for some it has not happened yet: Kaplan and Meier's curve.

What was still under way when observation ended is censored: it counts as long as it was seen, and is never
taken for an end.

References
----------
Kaplan and Meier (1958), JASA 53, 457-481; Greenwood (1926), the variance; Kalbfleisch and Prentice (1980),
the interval by log(−log S), which stays within [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.errors import ContractError
from recobro_score.evaluation.metrics import Z_95
from recobro_score.evaluation.samples import Estimate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SurvivalCurve:
    """Share that has not ended, after each time at which something ended or was censored.

    Parameters
    ----------
    time : ndarray of shape (k,)
        Strictly increasing.
    at_risk, events, censored : int64 ndarray of shape (k,)
        Seen just before the time; ended, and last seen, at it. Numbers, whatever they weigh.
    survival, se : ndarray of shape (k,)
        Share not ended after the time, and Greenwood's standard error (NaN where nobody is left: the curve
        has come to 0).
    low, high : ndarray of shape (k,)
        95 % interval; NaN before the first end and where the curve is 0.
    """

    time: Floats
    at_risk: NDArray[np.int64]
    events: NDArray[np.int64]
    censored: NDArray[np.int64]
    survival: Floats
    se: Floats
    low: Floats
    high: Floats

    def at(self, time: float) -> Estimate:
        """Return the share not ended after a time; NaN beyond the last time at which anybody was seen.

        Where the last one seen ended, the share stays 0 for ever.
        """
        place = int(np.searchsorted(self.time, time, side="right")) - 1
        if place < 0:
            return Estimate(1.0, 0.0)
        if time > self.time[-1] and self.survival[-1] > 0:
            return Estimate(float("nan"), float("nan"))
        return Estimate(float(self.survival[place]), float(self.se[place]))

    def median(self) -> float:
        """Return the first time after which at most half have not ended; infinite if there is none."""
        below = np.flatnonzero(self.survival <= 0.5)
        return float(self.time[below[0]]) if below.size else float("inf")

    def frame(self) -> pd.DataFrame:
        """Return one row per time, with the attributes as columns."""
        return pd.DataFrame({name: getattr(self, name) for name in self.__dataclass_fields__})


def kaplan_meier(time: ArrayLike, ended: ArrayLike, *, weight: ArrayLike | None = None) -> SurvivalCurve:
    """Estimate the share that has not ended after each time.

    Parameters
    ----------
    time : array-like of shape (n,)
        When each ended or was last seen, not negative.
    ended : array-like of shape (n,)
        1 ended, 0 censored. Who is censored at a time at which others end counts as at risk then.
    weight : array-like of shape (n,), optional
        How much each counts, not negative: 2 like two of them. Standard errors do not take one of weight 2
        for two: they rest on Kish's effective number at risk.

    Raises
    ------
    ContractError
        If lengths differ, nobody is there, or values are not what they must be.

    Examples
    --------
    >>> kaplan_meier([1, 2, 2, 3], [1, 1, 0, 1]).survival.tolist()
    [0.75, 0.5, 0.0]
    """
    at, happened, counts = _checked(time, ended, weight)
    times, place = np.unique(at, return_inverse=True)

    def of_times(values: Floats) -> Floats:
        return np.bincount(place, weights=values, minlength=times.size).astype(np.float64)

    seen, events = of_times(np.ones(at.size)), of_times(happened)
    at_risk, weight_at_risk, squares = (
        _at_risk(each) for each in (seen, of_times(counts), of_times(counts**2))
    )
    gone = of_times(counts * happened)
    survival = np.asarray(np.cumprod(1.0 - gone / weight_at_risk), dtype=np.float64)
    alive = at_risk > events
    left = np.where(alive, weight_at_risk - gone, 1.0)
    steps = np.where(alive, gone / (weight_at_risk * left) * (squares / weight_at_risk), 0.0)
    spread = np.asarray(np.cumsum(steps), dtype=np.float64)
    se = np.where(alive, survival * np.sqrt(spread), np.nan)
    low, high = _interval(survival, spread, alive & (survival < 1))
    numbers = [each.astype(np.int64) for each in (at_risk, events, seen - events)]
    return SurvivalCurve(times, numbers[0], numbers[1], numbers[2], survival, se, low, high)


def survival_table(time: ArrayLike, ended: ArrayLike, group: ArrayLike) -> pd.DataFrame:
    """Return Kaplan and Meier's curve of every group, one below the other.

    Parameters
    ----------
    time, ended : array-like of shape (n,)
        As for `kaplan_meier`.
    group : array-like of shape (n,)
        Labels.

    Returns
    -------
    pandas.DataFrame
        ``group``, then the columns of `SurvivalCurve.frame`; groups in their order.
    """
    at, happened, labels = np.asarray(time), np.asarray(ended), np.asarray(group)
    parts = []
    for label in np.unique(labels):
        curve = kaplan_meier(at[labels == label], happened[labels == label]).frame()
        curve.insert(0, "group", label)
        parts.append(curve)
    return pd.concat(parts, ignore_index=True)


def _checked(time: ArrayLike, ended: ArrayLike, weight: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """Return times, ends and weights, those of weight 0 left out."""
    at, happened = np.asarray(time, dtype=np.float64), np.asarray(ended, dtype=np.float64)
    counts = np.ones(at.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    if at.ndim != 1 or at.shape != happened.shape or at.shape != counts.shape or at.size == 0:
        shapes = f"{at.shape}, {happened.shape} and {counts.shape}"
        msg = f"Times, ends and weights must be one-dimensional, of one length and not empty, got {shapes}."
        raise ContractError(msg)
    if not (np.isfinite(at) & (at >= 0)).all() or not np.isin(happened, (0.0, 1.0)).all():
        msg = "Times must be finite and not negative, and ends 0 or 1."
        raise ContractError(msg)
    if not (np.isfinite(counts) & (counts >= 0)).all() or not counts.any():
        msg = "Weights must be finite and not negative, and some above 0."
        raise ContractError(msg)
    used = counts > 0
    return at[used], happened[used], counts[used]


def _at_risk(seen: Floats) -> Floats:
    """Return what is there just before each time, given what was last seen at each."""
    return np.asarray(np.cumsum(seen[::-1])[::-1], dtype=np.float64)


def _interval(survival: Floats, spread: Floats, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the 95 % interval on the scale of log(−log S), NaN where S is 0 or 1."""
    log = np.log(np.where(inside, survival, 0.5))
    half = Z_95 * np.sqrt(spread) / np.abs(log)
    low, high = np.exp(log * np.exp(half)), np.exp(log * np.exp(-half))
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)
