"""Calibration of a contact model on later attempts: one slope, and levels that may move from month to month.

Rates of contact drift: lists age, seasons and campaigns change. A later slice tells the level of its own
time; how much of its distance from the long run lasts into the next slice is estimated from the earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.evaluation.logistic import Prior, fit_logistic, sigmoid
from recobro_score.models.calibration.calibrator import Calibrator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SLOPE_SPREAD = 0.05
"""Prior standard deviation of the slope, which is 1 unless later attempts say otherwise: every part of the
log-odds is shrunk already."""
LEAST_SLOPE = 0.05
LEVEL_SPREAD, OWN_LEVEL_SPREAD = 1.0, 0.3
"""Prior standard deviations of the level, and of how far one channel's is from that of all."""
WINDOWS = 8
LASTING, LASTING_WEIGHT = 0.5, 10.0
"""What part of a move is taken to last before the data say more, and the information that counts as much."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Attempts with what was expected of them; arrays of shape (n,).

    Parameters
    ----------
    margin : ndarray
        Log-odds before calibration.
    y, weight : ndarray
        Outcomes (0 or 1) and weights.
    channel, at : int64 ndarray
    """

    margin: Floats
    y: Floats
    weight: Floats
    channel: Ints
    at: Ints

    def rows(self, mask: NDArray[np.bool_]) -> Judged:
        """Return some of the attempts."""
        return Judged(self.margin[mask], self.y[mask], self.weight[mask], self.channel[mask], self.at[mask])

    def moves(self, channels: int) -> Floats:
        """Return by how much the log-odds of each channel are off, shrunk to all channels, shape (C,)."""
        own = [(self.channel == position).astype(np.float64) for position in range(channels)]
        spread = np.array([LEVEL_SPREAD, *(OWN_LEVEL_SPREAD for _ in own)])
        prior = Prior((0.0,) * spread.size, tuple((spread**-2).tolist()))
        columns = (np.ones(self.y.size), *own)
        level, *steps = fit_logistic(
            columns, self.y, self.weight, offset=self.margin, prior=prior
        ).coefficients
        return level + np.array(steps)

    def information(self, channels: int) -> Floats:
        """Return the information on the level of each channel, shape (C,)."""
        p = sigmoid(self.margin)
        return _sums(self.channel, self.weight * p * (1.0 - p), channels)


def lasting_part(judged: Judged, long_run: Floats) -> float:
    """Return the part of a level's distance from the long run that lasts into the next window, 0 to 1.

    Windows hold equally many attempts. The part is the regression of each channel's distance on the one
    before, weighted by the lesser information of the two, less what chance alone makes of it, with a prior of
    one half.

    Parameters
    ----------
    judged : Judged
    long_run : ndarray of shape (C,)
        Moves over all of them.
    """
    channels = len(long_run)
    place = np.argsort(np.argsort(judged.at, kind="stable"), kind="stable")
    windows = [judged.rows(place * WINDOWS // max(len(place), 1) == number) for number in range(WINDOWS)]
    products, squares = LASTING_WEIGHT * LASTING, LASTING_WEIGHT
    for before, after in pairwise(windows):
        weight = np.minimum(before.information(channels), after.information(channels))
        distance, next_distance = (window.moves(channels) - long_run for window in (before, after))
        products += float((weight * distance * next_distance).sum())
        information = before.information(channels)
        noise = weight / np.where(information > 0.0, information, 1.0)
        squares += float((weight * distance * distance - noise).sum())
    return float(np.clip(products / max(squares, LASTING_WEIGHT), 0.0, 1.0))


def calibrate_channels(known: Judged, later: NDArray[np.bool_], channels: int) -> tuple[Calibrator, ...]:
    """Return a calibrator per channel: one slope, and levels between the latest and the long run's.

    The slope is about the order within channels: it turns about each channel's mean, so that a channel whose
    level has moved does not bend it.

    Parameters
    ----------
    known : Judged
        All attempts to learn from.
    later : bool ndarray of shape (n,)
        Those that nothing else was learned from; there may be none.
    channels : int
    """
    latest, long_run = known.rows(later), known.moves(channels)
    level = long_run + lasting_part(known, long_run) * (latest.moves(channels) - long_run)
    own = [(latest.channel == position).astype(np.float64) for position in range(channels)]
    centre = np.array([_mean(latest.margin, latest.weight * rows) for rows in own])
    middle = centre[latest.channel]
    columns = (latest.margin - middle, *own)
    prior = Prior((1.0, *(0.0 for _ in own)), (SLOPE_SPREAD**-2, *(LEVEL_SPREAD**-2 for _ in own)))
    slope = fit_logistic(columns, latest.y, latest.weight, offset=middle, prior=prior).coefficients[0]
    slope = max(slope, LEAST_SLOPE)
    return tuple(
        Calibrator("platt", slope, slope, c, int(rows.sum()), int(latest.y[rows > 0.0].sum()))
        for rows, c in zip(own, ((1.0 - slope) * centre + level).tolist(), strict=True)
    )


def _sums(channel: Ints, values: Floats, channels: int) -> Floats:
    return np.bincount(channel, weights=values, minlength=channels).astype(np.float64)


def _mean(values: Floats, weight: Floats) -> float:
    total = float(weight.sum())
    return float((weight * values).sum()) / total if total > 0.0 else 0.0
