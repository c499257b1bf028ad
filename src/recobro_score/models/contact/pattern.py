"""Which hours and weekdays are good ones, per channel and segment, whoever it was that was tried in them.

Who is called in the evening may be harder to reach than who is called at noon, so rates per hour say more
about the people than about the hours. The pattern is therefore learned from comparisons within one account
and channel: of two attempts of which one succeeded, which was it? The account's own level drops out of
``P(the one in slot A) = sigmoid(w_A − w_B)``, and a term for being the later one takes up that a success may
end a series. Where accounts were tried only once there is nothing to compare; then the pooled pattern
(given each account's own history) stands, to which the comparisons are shrunk. How much parts of the day,
hours, weekdays and segments differ is estimated (EM), so that noise shrinks to no pattern.

References
----------
Chamberlain (1980), Review of Economic Studies 47, 225-238 (conditional logit); Diggle et al. (2002), Analysis
of Longitudinal Data, ch. 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numba import njit

from recobro_score.models.contact.attempts import SLOTS
from recobro_score.models.contact.log import HISTORY, SERIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.contact.log import AttemptLog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ALL_SLOTS = len(SLOTS) + 1
DAYS = 7
PARTS = 5
PART_OF_SLOT = np.array([0] * 4 + [1] * 3 + [2] * 4 + [3] * 3 + [4])
"""Morning to 11, midday to 14, afternoon to 18, evening; and the hours outside."""

FIRST_SPREAD, LEAST_SPREAD, MOST_SPREAD = 0.3, 0.02, 0.7
"""Prior standard deviation, in log-odds, of one kind of effect: where its estimate starts, and its limits."""
ORDER_SPREAD = 3.0
NEIGHBOURS = 10
"""An attempt is compared with so many later ones of its account and channel."""

_FIRST_SLOT = PARTS
_FIRST_DAY = _FIRST_SLOT + ALL_SLOTS
_FIRST_WEEKEND = _FIRST_DAY + DAYS
_FIRST_SEGMENT = _FIRST_WEEKEND + 2 * PARTS
_SATURDAY = 5
_TERMS = 5
_ROUNDS = 8
_STEPS = 30
_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class SlotPattern:
    """What slot and weekday do to the odds of a channel, per segment.

    Parameters
    ----------
    weight : ndarray of shape (K + 1, C, 15, 7)
        Log-odds by segment (last: any other), channel, slot (last: hours outside the slots) and weekday; on
        average 0 over the attempts learned from.
    comparisons : tuple of int, length C
        Pairs of attempts within an account that it rests on.
    """

    weight: Floats
    comparisons: tuple[int, ...]

    @classmethod
    def flat(cls, segments: int, channels: int) -> SlotPattern:
        """Return the pattern in which all slots are alike."""
        return cls(np.zeros((segments + 1, channels, ALL_SLOTS, DAYS)), (0,) * channels)

    @classmethod
    def fit(cls, log: AttemptLog, offset: Floats, weight: Floats) -> SlotPattern:
        """Learn the pattern of every channel.

        Parameters
        ----------
        log : AttemptLog
            The attempts to learn from. A comparison of two counts like the lighter of them.
        offset : ndarray of shape (n,)
            Log-odds of each attempt without the pattern, the account's own history in them.
        weight : ndarray of shape (n,)
            What each attempt counts in the pooled pattern.
        """
        segments, channels = len(log.segments), len(log.channels)
        terms = _terms(log.slot, log.weekday, log.segment, segments)
        every = np.meshgrid(np.arange(ALL_SLOTS), np.arange(DAYS), np.arange(segments + 1), indexing="ij")
        slot, weekday, segment = (axis.ravel() for axis in every)
        all_terms = _terms(slot, weekday, segment, segments)
        found = np.zeros((segments + 1, channels, ALL_SLOTS, DAYS))
        compared = []
        for channel in range(channels):
            rows = np.flatnonzero(log.channel == channel)
            pairs = _pairs(log, rows)
            compared.append(len(pairs))
            effects = _effects(terms, rows, pairs, log, (offset, weight), _FIRST_SEGMENT + PARTS * segments)
            table = _summed(effects, all_terms).reshape(ALL_SLOTS, DAYS, segments + 1).transpose(2, 0, 1)
            seen = _summed(effects, terms[rows])
            total = float(weight[rows].sum())
            level = float((weight[rows] * seen).sum()) / total if total > 0.0 else 0.0
            found[:, channel] = table - level
        return cls(found, tuple(compared))

    def of(self, log: AttemptLog) -> Floats:
        """Return the log-odds that the pattern adds to each attempt."""
        return self.weight[log.segment, log.channel, log.slot, log.weekday]

    def frame(self, channels: tuple[str, ...], segments: tuple[str, ...]) -> pd.DataFrame:
        """Return one row per segment, channel, weekday and slot.

        Returns
        -------
        pandas.DataFrame
            ``segment`` (``*``: any other), ``channel``, ``slot`` (start hour; −1: any other hour),
            ``weekday`` (Monday = 0), ``log_odds``, ``comparisons`` (of the channel).
        """
        levels = ([*segments, "*"], list(channels), [*SLOTS, -1], list(range(DAYS)))
        index = pd.MultiIndex.from_product(levels, names=["segment", "channel", "slot", "weekday"])
        counts = dict(zip(channels, self.comparisons, strict=True))
        frame = index.to_frame(index=False).assign(log_odds=self.weight.ravel())
        return frame.assign(comparisons=frame["channel"].map(counts))

    def to_state(self) -> dict[str, Any]:
        """Return the pattern as JSON values."""
        return {"weight": self.weight.tolist(), "comparisons": list(self.comparisons)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SlotPattern:
        """Return the pattern written by `to_state`."""
        return cls(np.array(state["weight"], dtype=np.float64), tuple(state["comparisons"]))


def _terms(slot: Ints, weekday: Ints, segment: Ints, segments: int) -> Ints:
    """Return which terms each attempt has, shape (n, 5); −1 is none.

    They are its part of the day, slot, weekday, part of a Saturday or Sunday, and part within its segment.
    """
    part = PART_OF_SLOT[slot]
    weekend = weekday - _SATURDAY
    columns = (
        part,
        _FIRST_SLOT + slot,
        _FIRST_DAY + weekday,
        np.where(weekend >= 0, _FIRST_WEEKEND + PARTS * weekend + part, -1),
        np.where(segment < segments, _FIRST_SEGMENT + PARTS * segment + part, -1),
    )
    return np.stack(columns, axis=1).astype(np.int64)


def _summed(effects: Floats, terms: Ints) -> Floats:
    """Return the sum of each row's effects, one term after the other."""
    padded = np.append(effects, 0.0)
    total = np.zeros(len(terms))
    for column in terms.T:
        total = total + padded[column]
    return total


def _effects(
    terms: Ints,
    rows: Ints,
    pairs: Ints,
    log: AttemptLog,
    level: tuple[Floats, Floats],
    size: int,
) -> Floats:
    """Return one channel's effects: the pooled ones, moved by the comparisons within accounts."""
    offset, weight = level
    y = log.success[rows].astype(np.float64)
    kind = np.searchsorted(
        [_FIRST_SLOT, _FIRST_DAY, _FIRST_WEEKEND, _FIRST_SEGMENT], np.arange(size), "right"
    )
    signs = np.ones((len(rows), _TERMS))
    pooled = _shrunk((terms[rows], signs), (offset[rows], y, weight[rows]), np.zeros(size), kind)
    if not len(pairs):
        return pooled
    won, lost = pairs[:, 0], pairs[:, 1]
    share = np.minimum(log.counted[won], log.counted[lost]) / pairs[:, 2]
    near = np.abs(log.at[won] - log.at[lost]) < SERIES
    order = np.where(near, size, size + 1)[:, None]
    both = np.concatenate([terms[won], terms[lost], order], axis=1)
    later = np.where(log.at[won] > log.at[lost], 1.0, -1.0)
    plus = np.ones((len(pairs), _TERMS))
    signs = np.concatenate([plus, -plus, later[:, None]], axis=1)
    data = (np.zeros(len(pairs)), np.ones(len(pairs)), share)
    return _shrunk((both, signs), data, np.append(pooled, [0.0, 0.0]), np.append(kind, [-1, -1]))[:size]


def _shrunk(
    design: tuple[Ints, Floats], data: tuple[Floats, Floats, Floats], prior: Floats, kind: Ints
) -> Floats:
    """Return effects shrunk to their priors, each kind of them by its own estimated spread; −1: order."""
    spread = np.where(kind < 0, ORDER_SPREAD, FIRST_SPREAD)
    point = prior
    for _ in range(_ROUNDS):
        point, variance = _newton(design, data, point, (prior, spread**-2))
        square = (point - prior) ** 2 + variance
        for each in np.unique(kind[kind >= 0]):
            of = kind == each
            spread[of] = np.clip(np.sqrt(square[of].mean()), LEAST_SPREAD, MOST_SPREAD)
    return point


def _pairs(log: AttemptLog, rows: Ints) -> Ints:
    """Return pairs of one account's attempts of which one succeeded: winner, loser, partners of each."""
    offsets = np.searchsorted(log.account[rows], np.arange(log.n_accounts + 1))
    usable = ~log.other_party[rows]
    count = _find_pairs(offsets, log.at[rows], log.success[rows], usable, np.zeros((0, 3), dtype=np.int64))
    out = np.zeros((count, 3), dtype=np.int64)
    _find_pairs(offsets, log.at[rows], log.success[rows], usable, out)
    out[:, :2] = rows[out[:, :2]]
    return out


@njit(nogil=True, cache=True)
def _find_pairs(offsets, at, success, usable, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the pairs, and write as many as `out` has room for."""
    found = 0
    for account in range(len(offsets) - 1):
        first, last = offsets[account], offsets[account + 1]
        partners = min(last - first - 1, NEIGHBOURS)
        for i in range(first, last):
            for j in range(i + 1, min(i + 1 + NEIGHBOURS, last)):
                if at[j] - at[i] > HISTORY:
                    break
                if success[i] != success[j] and usable[i] and usable[j]:
                    if found < len(out):
                        out[found, 0] = i if success[i] else j
                        out[found, 1] = j if success[i] else i
                        out[found, 2] = partners
                    found += 1
    return found


def _newton(
    design: tuple[Ints, Floats],
    data: tuple[Floats, Floats, Floats],
    start: Floats,
    normal: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Return posterior mode and variances of a sparse logistic regression with independent normal priors.

    `design` are the positions of each row's coefficients (−1: none) and their signs; `data` are offset,
    outcome and weight; `normal` are means and precisions. The loss is convex and its curvature bounded below
    by the priors: halved steps end.
    """
    prior, precision = normal
    point = start.copy()
    loss, gradient, curvature = _derivatives(*design, *data, point)
    loss += 0.5 * float((precision * (point - prior) ** 2).sum())
    for _ in range(_STEPS):
        slope = gradient + precision * (point - prior)
        step = np.linalg.solve(curvature + np.diag(precision), slope)
        length, moved = 1.0, float((slope * step).sum())
        if moved <= _TOLERANCE * (1.0 + loss):
            break
        while True:
            trial = point - length * step
            value, gradient, curvature = _derivatives(*design, *data, trial)
            value += 0.5 * float((precision * (trial - prior) ** 2).sum())
            if value <= loss - 0.1 * length * moved or length < _TOLERANCE:
                break
            length /= 2.0
        point, loss = trial, value
    return point, np.diag(np.linalg.inv(curvature + np.diag(precision))).copy()


@njit(nogil=True, cache=True)
def _derivatives(places, signs, offset, y, weight, point):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    size, width = len(point), places.shape[1]
    gradient, curvature = np.zeros(size), np.zeros((size, size))
    loss = 0.0
    for row in range(len(places)):
        z = offset[row]
        for a in range(width):
            if places[row, a] >= 0:
                z += signs[row, a] * point[places[row, a]]
        tail = np.exp(-abs(z))
        p = 1.0 / (1.0 + tail) if z >= 0 else tail / (1.0 + tail)
        loss += weight[row] * (max(z, 0.0) + np.log1p(tail) - y[row] * z)
        residual, spread = weight[row] * (p - y[row]), weight[row] * p * (1.0 - p)
        for a in range(width):
            i = places[row, a]
            if i < 0:
                continue
            gradient[i] += signs[row, a] * residual
            for b in range(width):
                j = places[row, b]
                if j >= 0:
                    curvature[i, j] += signs[row, a] * signs[row, b] * spread
    return loss, gradient, curvature
