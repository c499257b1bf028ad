"""Calibration per segment, leaning on the calibrator of all as far as the data say that segments are alike.

On the log-odds ``z`` of the overall calibrator a segment has ``logit q = level + slope · z`` with ``slope >
0``: increasing in the margin within a segment, so order and reasons hold there. Between segments they need
not: of two accounts in different segments the one of lower margin may have the higher probability.

How far segments differ is estimated from them (DerSimonian and Laird): the variance of their own levels and
slopes beyond what chance explains is the variance of the normal prior around (0, 1) that shrinks them.

References
----------
DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177-188.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.errors import BundleError
from recobro_score.evaluation.logistic import LogisticFit, Prior, fit_logistic, sigmoid
from recobro_score.models.calibration.calibrator import Calibrator, check_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.integer[Any]]

MIN_PER_CLASS = 25
"""Events and non-events that a segment needs to say anything of its own."""
ALIKE = 1e-8
"""Variance between segments below which they count as alike."""


@dataclass(frozen=True, slots=True)
class SegmentMap:
    """The map of one segment on the log-odds of the overall calibrator.

    Parameters
    ----------
    segment : int
        Its code.
    slope, level : float
        ``slope > 0``.
    rows, events : int
        How many it was fitted on.
    """

    segment: int
    slope: float
    level: float
    rows: int
    events: int


@dataclass(frozen=True, slots=True)
class SegmentedCalibrator:
    """One calibrator of all rows, and what segments with enough events add to it.

    Parameters
    ----------
    overall : Calibrator
        For every row of a segment without a map of its own.
    segments : tuple of SegmentMap
        By rising code.
    """

    overall: Calibrator
    segments: tuple[SegmentMap, ...]

    @classmethod
    def fit(
        cls,
        margin: Floats,
        y: Floats,
        segment: Codes,
        *,
        overall: Calibrator,
        weight: Floats | None = None,
    ) -> SegmentedCalibrator:
        """Fit the maps of segments that have `MIN_PER_CLASS` of either outcome.

        Parameters
        ----------
        margin, y : ndarray of shape (n,)
            Margins of rows the booster did not see, and outcomes (0 or 1).
        segment : integer ndarray of shape (n,)
            Codes; negative ones are unknown and have no map.
        overall : Calibrator
            Fitted on the same rows.
        weight : ndarray of shape (n,), optional
            Importance weights; `MIN_PER_CLASS` counts rows.

        Raises
        ------
        ContractError
            If lengths differ, margins are not finite or outcomes not 0 or 1.
        """
        check_rows(margin, y, np.asarray(segment, dtype=np.float64))
        weight = np.ones(y.size) if weight is None else weight
        z = overall.log_odds(margin)
        center = float(np.average(z, weights=weight)) if z.size else 0.0
        parts = {}
        for code in np.unique(segment[segment >= 0]).tolist():
            rows = segment == code
            events = int(y[rows].sum())
            if min(events, int(rows.sum()) - events) >= MIN_PER_CLASS:
                parts[code] = (z[rows] - center, y[rows], weight[rows])
        own = [_fit(*part) for part in parts.values()]
        spread = [
            _between([(fit.coefficients[k], fit.se[k]) for fit in own if fit.converged]) for k in (0, 1)
        ]
        maps = []
        for code, (at, outcome, counts) in parts.items():
            slope, shift = _shrunk(at, outcome, counts, center, spread)
            level = shift + center * (1.0 - slope)
            maps.append(SegmentMap(code, slope, level, outcome.size, int(outcome.sum())))
        return cls(overall, tuple(maps))

    @property
    def rows(self) -> int:
        """How many rows it was fitted on."""
        return self.overall.rows

    @property
    def events(self) -> int:
        """How many of them were events."""
        return self.overall.events

    @property
    def note(self) -> str:
        """Why the overall calibrator is not the method that was asked for; empty where it is."""
        return self.overall.note

    def probability(self, margin: Floats, segment: Codes | None = None) -> Floats:
        """Return calibrated probabilities; elementwise, so one row gives the bits of a batch.

        Parameters
        ----------
        margin : ndarray of shape (n,)
        segment : integer ndarray of shape (n,), optional
            Code of each row; without it the overall calibrator's probabilities.
        """
        if segment is None:
            return self.overall.probability(margin)
        slope, level = np.ones(margin.size), np.zeros(margin.size)
        for each in self.segments:
            slope[segment == each.segment] = each.slope
            level[segment == each.segment] = each.level
        return sigmoid(level + slope * self.overall.log_odds(margin))

    def frame(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row per segment with a map of its own.

        Parameters
        ----------
        names : sequence of str, optional
            Names of the codes.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``slope`` and ``level`` (1 and 0 are the overall calibrator), ``rows``, ``events``.
        """
        frame = pd.DataFrame(
            [asdict(each) for each in self.segments], columns=[*SegmentMap.__dataclass_fields__]
        )
        return frame if names is None else frame.assign(segment=[names[code] for code in frame["segment"]])

    def to_state(self) -> dict[str, Any]:
        """Return the calibrator as plain JSON values."""
        return {
            "method": "segmented",
            "overall": self.overall.to_state(),
            "segments": [asdict(each) for each in self.segments],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SegmentedCalibrator:
        """Return the calibrator of a saved state.

        Raises
        ------
        BundleError
            If keys are missing or unknown, or a map would not be increasing.
        """
        if set(state) != {"method", "overall", "segments"}:
            msg = f"A segmented calibrator's state has method, overall and segments, got {sorted(state)}."
            raise BundleError(msg)
        maps = tuple(SegmentMap(**each) for each in state["segments"])
        if not all(each.slope > 0 and np.isfinite((each.slope, each.level)).all() for each in maps):
            msg = f"The maps of a segmented calibrator must increase, got {maps[:5]}."
            raise BundleError(msg)
        return cls(Calibrator.from_state(state["overall"]), maps)


def _fit(at: Floats, y: Floats, weight: Floats) -> LogisticFit:
    return fit_logistic((at, np.ones(y.size)), y, weight)


def _between(own: list[tuple[float, float]]) -> float:
    """Return the variance between segments beyond chance; 0 where fewer than two can tell."""
    if len(own) < 2:
        return 0.0
    value, weight = np.array(own)[:, 0], 1.0 / np.array(own)[:, 1] ** 2
    mean = (weight * value).sum() / weight.sum()
    beyond = (weight * (value - mean) ** 2).sum() - (len(own) - 1)
    return float(max(0.0, beyond / (weight.sum() - (weight**2).sum() / weight.sum())))


def _shrunk(
    at: Floats, y: Floats, weight: Floats, center: float, spread: Sequence[float]
) -> tuple[float, float]:
    """Return slope and shift at the center, with normal priors around 1 and 0."""
    ones = np.ones(y.size)
    level = Prior((0.0,), (_precision(spread[1]),))
    if spread[0] > 0:
        prior = Prior((1.0, *level.mean), (_precision(spread[0]), *level.precision))
        slope, shift = fit_logistic((at, ones), y, weight, offset=center, prior=prior).coefficients
        if slope > 0:
            return slope, shift
    return 1.0, fit_logistic((ones,), y, weight, offset=center + at, prior=level).coefficients[0]


def _precision(spread: float) -> float:
    return 1.0 / max(spread, ALIKE)
