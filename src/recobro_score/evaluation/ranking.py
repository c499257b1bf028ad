"""How well scores put events before non-events: AUC, KS, lift, and a paired test.

Only the order of the scores matters here: any strictly increasing map leaves every number as it was. Ties
count half, so no number depends on the order of the rows.

References
----------
DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845; Sun and Xu (2014), IEEE Signal Processing
Letters 21, 1389-1393 (the same through ranks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.errors import ContractError
from recobro_score.evaluation.samples import UNKNOWN, Estimate, Sample, effective_size, sample

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AucComparison:
    """Two scores of the same rows, compared by DeLong's paired test.

    Parameters
    ----------
    first, second : Estimate
        The two AUCs.
    difference : Estimate
        ``first − second`` with the standard error of the pair.
    p_value : float
        Two-sided, for equal AUCs; 1 where both order every pair alike, NaN where AUC is unknown.
    """

    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float

    def frame(self) -> pd.DataFrame:
        """Return one row per ``what`` (first, second, difference) with ``value``, ``se`` and ``p_value``."""
        parts = {"first": self.first, "second": self.second, "difference": self.difference}
        p_values = [float("nan"), float("nan"), self.p_value]
        return pd.DataFrame(
            {
                "what": list(parts),
                "value": [e.value for e in parts.values()],
                "se": [e.se for e in parts.values()],
                "p_value": p_values,
            }
        )


def auc(y: ArrayLike, score: ArrayLike, *, weight: ArrayLike | None = None) -> Estimate:
    """Return the area under the ROC curve with DeLong's standard error.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        Outcomes (0 or 1) and scores; higher means likelier.
    weight : array-like of shape (n,), optional
        Importance weights.

    Returns
    -------
    Estimate
        NaN where one class is missing; the standard error needs two rows of each class.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.75
    """
    drawn = sample(y, score, weight)
    if not drawn.has_both_classes:
        return UNKNOWN
    parts = _placements(drawn)
    variance = sum(_mean_variance(part, w) for part, w in (parts[:2], parts[2:]))
    return Estimate(_mean(parts[0], parts[1]), float(np.sqrt(variance)))


def compare_auc(
    y: ArrayLike, first: ArrayLike, second: ArrayLike, *, weight: ArrayLike | None = None
) -> AucComparison:
    """Compare the AUC of two scores on the same rows with DeLong's paired test.

    Parameters
    ----------
    y, first, second : array-like of shape (n,)
        Outcomes (0 or 1) and the two scores.
    weight : array-like of shape (n,), optional
        Importance weights.

    Returns
    -------
    AucComparison
        All NaN where one class is missing.
    """
    one, other = sample(y, first, weight), sample(y, second, weight)
    if not one.has_both_classes:
        return AucComparison(UNKNOWN, UNKNOWN, UNKNOWN, float("nan"))
    a, b = _placements(one), _placements(other)
    variance = _mean_variance(a[0] - b[0], a[1]) + _mean_variance(a[2] - b[2], a[3])
    aucs = auc(y, first, weight=weight), auc(y, second, weight=weight)
    difference = Estimate(aucs[0].value - aucs[1].value, float(np.sqrt(variance)))
    if np.isnan(difference.se):
        p_value = float("nan")
    elif difference.se == 0:
        p_value = 1.0 if difference.value == 0 else 0.0
    else:
        from scipy.special import ndtr

        p_value = float(2 * ndtr(-abs(difference.value) / difference.se))
    return AucComparison(*aucs, difference, p_value)


def ks(y: ArrayLike, score: ArrayLike, *, weight: ArrayLike | None = None) -> Estimate:
    """Return the Kolmogorov-Smirnov distance between the scores of events and non-events.

    The standard error treats the cut of largest distance as given (two independent binomial shares), so it is
    a little too small in small samples.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        Outcomes (0 or 1) and scores.
    weight : array-like of shape (n,), optional
        Importance weights.

    Returns
    -------
    Estimate
        In [0, 1]; NaN where one class is missing.

    Examples
    --------
    >>> ks([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.5
    """
    drawn = sample(y, score, weight)
    if not drawn.has_both_classes:
        return UNKNOWN
    order = np.argsort(drawn.score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(drawn.score[order]) > 0, True))
    shares, sizes = [], []
    for outcome in (1.0, 0.0):
        weight_of = np.where(drawn.y == outcome, drawn.weight, 0.0)
        cumulative = np.cumsum(weight_of[order])
        shares.append(cumulative[ends] / cumulative[-1])
        sizes.append(effective_size(weight_of))
    best = int(np.argmax(np.abs(shares[0] - shares[1])))
    variance = sum(s[best] * (1 - s[best]) / size for s, size in zip(shares, sizes, strict=True))
    return Estimate(float(abs(shares[0][best] - shares[1][best])), float(np.sqrt(max(variance, 0.0))))


def lift_at(y: ArrayLike, score: ArrayLike, capacity: float, *, weight: ArrayLike | None = None) -> Estimate:
    """Return the event rate among the highest scores over the event rate of all.

    Rows tied at the border share the places that are left, so the result is the mean over all ways to break
    the tie. The standard error is the delta method's, with the two parts of the list independent.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        Outcomes (0 or 1) and scores.
    capacity : int or float
        An int is a number of rows (more than there are means all of them); a float in (0, 1] is a share.
    weight : array-like of shape (n,), optional
        Importance weights: a row of weight 2 takes the places of two.

    Returns
    -------
    Estimate
        NaN without events.

    Raises
    ------
    ContractError
        If the capacity is not positive, or a float above 1.

    Examples
    --------
    >>> lift_at([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], 2).value
    2.0
    """
    drawn = sample(y, score, weight)
    n, events = float(drawn.weight.sum()), float((drawn.weight * drawn.y).sum())
    places = _places(capacity, n)
    if events == 0:
        return UNKNOWN
    share, size = places / n, effective_size(drawn.weight)
    top = float(_captured(drawn, np.array([places]))[0]) / places
    overall = events / n
    if places == n:
        return Estimate(1.0, 0.0)
    rest = (events - top * places) / (n - places)
    by_top = (overall - top * share) / overall**2
    by_rest = -top * (1 - share) / overall**2
    variance = by_top**2 * top * (1 - top) / share + by_rest**2 * rest * (1 - rest) / (1 - share)
    return Estimate(top / overall, float(np.sqrt(max(variance / size, 0.0))))


def lift_table(
    y: ArrayLike, score: ArrayLike, *, points: int = 20, weight: ArrayLike | None = None
) -> pd.DataFrame:
    """Return the cumulative gain and lift of working down a list ordered by score.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        Outcomes (0 or 1) and scores.
    points : int
        Number of equal steps.
    weight : array-like of shape (n,), optional
        As for `lift_at`.

    Returns
    -------
    pandas.DataFrame
        One row per step: ``share`` (of the list worked), ``rows`` (that many, or their weight), ``captured``
        (share of all events among them), ``event_rate`` (among them), ``lift`` (over the event rate of all).
        Without events ``captured`` and ``lift`` are NaN; without rows the frame is empty.
    """
    drawn = sample(y, score, weight)
    total = float(drawn.weight.sum())
    share = np.arange(1, points + 1) / points if total > 0 else np.zeros(0)
    rows = share * total
    found = _captured(drawn, rows)
    events = float((drawn.weight * drawn.y).sum())
    captured = found / events if events else np.full(share.size, np.nan)
    return pd.DataFrame(
        {
            "share": share,
            "rows": rows,
            "captured": captured,
            "event_rate": found / rows,
            "lift": captured / share,
        }
    )


def _placements(drawn: Sample) -> tuple[Floats, Floats, Floats, Floats]:
    """Return DeLong's placements of both classes, each with its weights; both have the AUC as mean."""
    event = drawn.y == 1
    parts = []
    for these, others in ((event, ~event), (~event, event)):
        order = np.argsort(drawn.score[others], kind="stable")
        reference = drawn.score[others][order]
        below = np.concatenate(([0.0], np.cumsum(drawn.weight[others][order])))
        points = drawn.score[these]
        lower, upper = (below[np.searchsorted(reference, points, side=s)] for s in ("left", "right"))
        parts.append((lower + upper) / (2 * below[-1]))
    return parts[0], drawn.weight[event], 1.0 - parts[1], drawn.weight[~event]


def _mean(values: Floats, weight: Floats) -> float:
    return float((weight * values).sum() / weight.sum())


def _mean_variance(values: Floats, weight: Floats) -> float:
    n = int(np.count_nonzero(weight))
    if n < 2:
        return float("nan")
    spread = float((weight**2 * (values - _mean(values, weight)) ** 2).sum())
    return spread / float(weight.sum()) ** 2 * n / (n - 1)


def _places(capacity: float, n: float) -> float:
    is_share = not isinstance(capacity, (int, np.integer))
    if not capacity > 0 or (is_share and capacity > 1):
        msg = f"Capacity must be a positive int (rows) or a float in (0, 1] (a share), got {capacity!r}."
        raise ContractError(msg)
    return float(capacity * n if is_share else min(capacity, n))


def _captured(drawn: Sample, places: Floats) -> Floats:
    """Return the expected events among the highest `places` rows, ties broken at random."""
    if drawn.n == 0:
        return np.zeros(places.size)
    order = np.argsort(-drawn.score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(drawn.score[order]) < 0, True))
    weight, y = drawn.weight[order], drawn.y[order]
    rows = np.concatenate(([0.0], np.cumsum(weight)[ends]))
    events = np.concatenate(([0.0], np.cumsum(weight * y)[ends]))
    return np.asarray(np.interp(places, rows, events), dtype=np.float64)
