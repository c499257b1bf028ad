"""The hazards of a payment curve: who reaches a share in an interval of those who could.

Money that was taken back makes a label fall again. The new payers of an interval are then counted net of
those who left, so that every cell keeps its level.

References
----------
Singer and Willett (1993), Journal of Educational Statistics 18, 155-195 (discrete-time hazards).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from recobro_score.evaluation.logistic import Prior, fit_logistic
from recobro_score.models.calibration.calibrator import (
    FLAT_SLOPE,
    MARGIN_LIMIT,
    MIN_PER_CLASS,
    MIN_ROWS,
    Calibrator,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.payment.grid import PaymentGrid

    Floats = NDArray[np.float64]

CurveMethod = Literal["beta", "platt"]

_POOLED_PRIOR = Prior((1.0, 0.0), (1.0, 0.1))
"""Of slope and level: weak, so that a share without any row at risk still has a curve."""


@dataclass(frozen=True, slots=True)
class _Interval:
    """Rows at risk in one interval of one share: their margins, weights, and which of them are new payers.

    `stayed` is the share of the new payers left after those whose money was taken back are offset.
    """

    margin: Floats
    new: Floats
    weight: Floats
    stayed: float

    @property
    def outcome(self) -> Floats:
        return self.new * self.stayed


def fit_hazards(
    margin: Floats, grid: PaymentGrid, *, method: CurveMethod, weight: Floats
) -> tuple[tuple[Calibrator, ...], ...]:
    """Return the hazards of every share and horizon, each fitted on the rows that were at risk in it.

    Parameters
    ----------
    margin : ndarray of shape (n,)
        Margins of rows the booster did not see.
    grid : PaymentGrid
        Their labels; a row takes part in an interval where the labels it needs are known.
    method : {'beta', 'platt'}
        Form of a hazard's log-odds, see `Calibrator`.
    weight : ndarray of shape (n,)
        Importance weights.

    Returns
    -------
    tuple of tuple of Calibrator
        Per share and, within it, per horizon. Intervals too thin for a fit of their own have the slope of
        all intervals of their share and a level that leans on theirs; the note says so.
    """
    return tuple(_share_hazards(margin, grid, weight, place, method) for place in range(len(grid.shares)))


def _share_hazards(
    margin: Floats, grid: PaymentGrid, weight: Floats, place: int, method: CurveMethod
) -> tuple[Calibrator, ...]:
    intervals = [_interval(margin, grid, weight, place, number) for number in range(len(grid.horizons))]
    pooled = _pooled(intervals)
    starts = (0.0, *grid.horizons)
    return tuple(
        _hazard(each, pooled, method, f"{grid.shares[place]:.0%} in days {start:g} to {end:g}")
        for each, start, end in zip(intervals, starts, grid.horizons, strict=False)
    )


def _interval(margin: Floats, grid: PaymentGrid, weight: Floats, share: int, number: int) -> _Interval:
    nobody, everybody = np.zeros(margin.size), np.ones(margin.size)
    now = grid.value[:, number, share]
    before = grid.value[:, number - 1, share] if number else nobody
    above = grid.value[:, number, share - 1] if share else everybody
    known = ~(np.isnan(now) | np.isnan(before) | np.isnan(above))
    at_risk = known & (before == 0) & (above == 1)
    new, own = now[at_risk], weight[at_risk]
    # The chain gives h · (rows above − rows before), which leaves out those who have gone from above.
    gone, gone_above = (float(weight[known & (before == 1) & (later == 0)].sum()) for later in (now, above))
    paid, total = float((own * new).sum()), float(own.sum())
    stayed = 1.0
    if gone:
        left = paid * (total - gone_above)
        stayed = float(np.clip((paid - gone) * total / left, 0.0, 1.0)) if left > 0 else 0.0
    return _Interval(margin[at_risk], new, own, stayed)


def _pooled(intervals: list[_Interval]) -> tuple[float, float]:
    """Return slope and level of all intervals of a share together."""
    margin = np.concatenate([np.clip(each.margin, -MARGIN_LIMIT, MARGIN_LIMIT) for each in intervals])
    outcome, weight = (
        np.concatenate(parts)
        for parts in zip(*((each.outcome, each.weight) for each in intervals), strict=True)
    )
    columns = (margin, np.ones(margin.size))
    slope, level = fit_logistic(columns, outcome, weight, prior=_POOLED_PRIOR).coefficients
    return max(slope, 0.0), level


def _hazard(each: _Interval, pooled: tuple[float, float], method: CurveMethod, where: str) -> Calibrator:
    """Return one interval's hazard; from few rows it leans on the pooled one."""
    rows, events = each.new.size, int(each.new.sum())
    if rows >= MIN_ROWS and min(events, rows - events) >= MIN_PER_CLASS and each.stayed > 0:
        # A payer counts as one of weight `stayed`, and as a non-payer of the rest.
        payers = each.new == 1 if each.stayed < 1 else np.zeros(rows, dtype=np.bool_)
        weight = np.where(payers, each.stayed, 1.0) * each.weight
        found = Calibrator.fit(
            np.concatenate([each.margin, each.margin[payers]]),
            np.concatenate([each.new, np.zeros(int(payers.sum()))]),
            weight=np.concatenate([weight, (each.weight - weight)[payers]]),
            method=method,
        )
        return replace(found, rows=rows, events=events, note="")
    slope, level = pooled
    ones, at = np.ones(rows), slope * np.clip(each.margin, -MARGIN_LIMIT, MARGIN_LIMIT)
    fit = fit_logistic((ones,), each.outcome, each.weight, offset=at, prior=Prior((level,), (1.0,)))
    note = f"{where}: {events} new payers of {rows} at risk, so the slope is that of all intervals"
    kept = max(slope, FLAT_SLOPE)
    return Calibrator("platt", kept, kept, fit.coefficients[0], rows, events, note)
