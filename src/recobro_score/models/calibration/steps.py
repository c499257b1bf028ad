"""Calibration without a formula: isotonic regression and Venn-Abers, as step functions of the margin.

Both only assume that the probability does not fall as the margin rises. They tie the ranking: order by the
margin. Fit on rows that the booster did not train on.

References
----------
Zadrozny and Elkan (2002), KDD, 694-699 (isotonic); Vovk, Petej and Fedorova (2015), NeurIPS 28, 892-900
(inductive Venn-Abers predictors, and the algorithm that builds them in one pass over the sorted margins).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numba
import numpy as np

from recobro_score.errors import BundleError
from recobro_score.models.calibration.calibrator import check_rows
from recobro_score.models.files import to_lists, to_tuples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class _Steps:
    """What step functions are saved as: their method, and pairs of fields that hold knots and values."""

    __slots__ = ()
    _METHOD: ClassVar[str]
    _PAIRS: ClassVar[tuple[tuple[str, str], ...]]
    _FEWEST: ClassVar[int] = 0
    """Knots that each pair must have."""

    @property
    def note(self) -> str:
        """Nothing: it needs no fallback."""
        return ""

    def to_state(self) -> dict[str, Any]:
        """Return the calibrator as plain JSON values."""
        return {"method": self._METHOD, **to_lists({name: getattr(self, name) for name in self._saved()})}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the calibrator of a saved state.

        Raises
        ------
        BundleError
            If keys are missing or unknown, or the steps do not rise.
        """
        expected = {"method", *cls._saved()}
        if set(state) != expected or state["method"] != cls._METHOD:
            msg = f"The state of a {cls._METHOD} calibrator has {sorted(expected)}, got {sorted(state)}."
            raise BundleError(msg)
        found = cls(**to_tuples({name: state[name] for name in cls._saved()}))
        for knots, values in cls._PAIRS:
            _check_steps(getattr(found, knots), getattr(found, values), cls._FEWEST)
        return found

    @classmethod
    def _saved(cls) -> list[str]:
        return [each.name for each in fields(cls) if each.init]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class VennAbers(_Steps):
    """Two probabilities per margin, one of which is calibrated whatever the distribution.

    ``low`` is what isotonic regression says of a row if it is counted in as a non-event, ``high`` if it is
    counted in as an event. They lie apart where rows are few, so the pair tells how much the map itself is
    known. It says nothing of how far an account may lie from others of its margin.

    Parameters
    ----------
    low_from, low : tuple of float
        ``low[i]`` from the margin ``low_from[i]`` on; 0 below the first.
    high_to, high : tuple of float
        ``high[i]`` up to the margin ``high_to[i]``; 1 above the last.
    rows, events : int
        How many it was fitted on. Without any, every margin has the pair (0, 1).
    """

    _METHOD = "venn_abers"
    _PAIRS = (("low_from", "low"), ("high_to", "high"))

    low_from: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high_to: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    rows: int = 0
    events: int = 0
    _steps: tuple[Floats, Floats, Floats, Floats] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the steps as arrays, with the ends that every predictor has."""
        steps = (self.low_from, (0.0, *self.low), self.high_to, (*self.high, 1.0))
        object.__setattr__(self, "_steps", tuple(np.array(each, dtype=np.float64) for each in steps))

    @classmethod
    def fit(cls, margin: Floats, y: Floats, *, weight: Floats | None = None) -> VennAbers:
        """Return the predictor of these rows; O(n log n).

        Parameters
        ----------
        margin, y : ndarray of shape (n,)
            Margins of rows the booster did not see, and outcomes (0 or 1). n may be 0.
        weight : ndarray of shape (n,), optional
            Importance weights; the row counted in has weight 1.

        Raises
        ------
        ContractError
            If lengths differ, margins are not finite or outcomes not 0 or 1.
        """
        weight = np.ones(y.size) if weight is None else weight
        check_rows(margin, y, weight)
        knots, mass, events = _grouped(margin, y, weight)
        high = _as_event(mass, events)
        low = 1.0 - _as_event(mass[::-1].copy(), (mass - events)[::-1].copy())[::-1]
        high, low = (np.maximum.accumulate(steps) for steps in (high, low))  # against rounding
        first, last = np.diff(low, prepend=-1.0) != 0, np.diff(high, append=2.0) != 0
        return cls(
            tuple(knots[first].tolist()),
            tuple(low[first].tolist()),
            tuple(knots[last].tolist()),
            tuple(high[last].tolist()),
            y.size,
            int(np.count_nonzero(y)),
        )

    def pair(self, margin: Floats) -> tuple[Floats, Floats]:
        """Return the low and the high probability of each margin, both in O(log n).

        Parameters
        ----------
        margin : ndarray of shape (n,)

        Returns
        -------
        two ndarrays of shape (n,)
            ``0 ≤ low ≤ high ≤ 1``; neither falls as the margin rises.
        """
        low_from, low, high_to, high = self._steps
        at_low = np.searchsorted(low_from, margin, side="right")
        at_high = np.searchsorted(high_to, margin, side="left")
        return low[at_low], high[at_high]

    def probability(self, margin: Floats) -> Floats:
        """Return one probability, ``high ÷ (1 − low + high)``: the least regret in log loss.

        Parameters
        ----------
        margin : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n,)
            In [0, 1], never falling as the margin rises.
        """
        low, high = self.pair(margin)
        return np.asarray(high / ((1.0 - low) + high), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class IsotonicCalibrator(_Steps):
    """The best rising map, straight between its knots.

    Parameters
    ----------
    knots, values : tuple of float
        Margins, and the probability at each; constant beyond the ends, linear between.
    rows, events : int
        How many it was fitted on.
    """

    _METHOD = "isotonic"
    _PAIRS = (("knots", "values"),)
    _FEWEST = 1

    knots: tuple[float, ...]
    values: tuple[float, ...]
    rows: int
    events: int
    _steps: tuple[Floats, Floats] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the knots as arrays."""
        steps = (np.array(each, dtype=np.float64) for each in (self.knots, self.values))
        object.__setattr__(self, "_steps", tuple(steps))

    @classmethod
    def fit(cls, margin: Floats, y: Floats, *, weight: Floats | None = None) -> IsotonicCalibrator:
        """Fit by pooling adjacent violators.

        Values are kept within ``[1 ÷ (n + 2), (n + 1) ÷ (n + 2)]``, n rows or their weight: no finite sample
        makes an outcome sure.

        Parameters
        ----------
        margin, y, weight
            As for `VennAbers.fit`.
        """
        from sklearn.isotonic import isotonic_regression

        weight = np.ones(y.size) if weight is None else weight
        check_rows(margin, y, weight)
        knots, mass, events = _grouped(margin, y, weight)
        fitted = isotonic_regression(events / mass, sample_weight=mass)
        total = float(weight.sum())
        fitted = np.clip(fitted, 1 / (total + 2), (total + 1) / (total + 2))
        ends = (np.diff(fitted, prepend=-1.0) != 0) | (np.diff(fitted, append=2.0) != 0)
        return cls(
            tuple(knots[ends].tolist()), tuple(fitted[ends].tolist()), y.size, int(np.count_nonzero(y))
        )

    def probability(self, margin: Floats) -> Floats:
        """Return calibrated probabilities; elementwise, so one row gives the bits of a batch.

        Parameters
        ----------
        margin : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n,)
            In (0, 1), never falling as the margin rises.
        """
        knots, values = self._steps
        kept = np.clip(margin, knots[0], knots[-1])
        above = np.clip(np.searchsorted(knots, kept, side="left"), min(1, knots.size - 1), None)
        below = np.maximum(above - 1, 0)
        width = np.where(above > below, knots[above] - knots[below], 1.0)
        risen = values[below] + (values[above] - values[below]) * ((kept - knots[below]) / width)
        return np.asarray(np.minimum(risen, values[above]), dtype=np.float64)


def _check_steps(knots: tuple[float, ...], values: tuple[float, ...], fewest: int) -> None:
    at, steps = np.array(knots, dtype=np.float64), np.array(values, dtype=np.float64)
    rising = at.shape == steps.shape and (np.diff(at) > 0).all() and (np.diff(steps) >= 0).all()
    if at.size < fewest or not (rising and np.isfinite(at).all() and ((steps >= 0) & (steps <= 1)).all()):
        msg = f"The steps of a calibrator must rise, got knots {knots[:5]} with values {values[:5]}."
        raise BundleError(msg)


def _grouped(margin: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the different margins in rising order, the weight at each, and the weight of events there."""
    knots, group = np.unique(margin[weight > 0], return_inverse=True)
    sums = (np.bincount(group, each[weight > 0], minlength=knots.size) for each in (weight, weight * y))
    mass, events = (np.asarray(total, dtype=np.float64) for total in sums)
    return np.asarray(knots, dtype=np.float64), mass, events


@numba.njit(cache=True, nogil=True)
def _as_event(mass: Floats, events: Floats) -> Floats:
    """Return isotonic regression's value of a row of weight 1 and outcome 1, counted in at each knot.

    Vovk, Petej and Fedorova (2015), algorithms 1 and 2: corners of the greatest convex minorant of the
    cumulative sums, kept up to date as the added row moves one knot to the right.
    """
    n = mass.size
    x, y = np.empty(n + 2), np.empty(n + 2)  # cumulative sums; place 0 stands for the added row
    x[0], y[0], x[1], y[1] = -1.0, -1.0, 0.0, 0.0
    for i in range(n):
        x[i + 2], y[i + 2] = x[i + 1] + mass[i], y[i + 1] + events[i]
    corners, count = np.empty(n + 2, np.int64), 0
    for place in range(n + 2):
        while count > 1:
            a, b = corners[count - 2], corners[count - 1]
            if (x[b] - x[a]) * (y[place] - y[b]) > (y[b] - y[a]) * (x[place] - x[b]):
                break
            count -= 1
        corners[count] = place
        count += 1
    stack = corners[:count][::-1].copy()
    found = np.empty(n)
    for i in range(n):
        top, following = stack[count - 1], stack[count - 2]
        found[i] = (y[following] - y[top]) / (x[following] - x[top])
        moved = i + 1
        x[moved] = x[moved - 1] + x[moved + 1] - x[moved]
        y[moved] = y[moved - 1] + y[moved + 1] - y[moved]
        above = (y[moved] - y[top]) * (x[following] - x[top]) >= (y[following] - y[top]) * (x[moved] - x[top])
        if above:
            continue
        count -= 1
        while count > 1:
            a, b = stack[count - 1], stack[count - 2]
            if (x[a] - x[moved]) * (y[b] - y[a]) > (y[a] - y[moved]) * (x[b] - x[a]):
                break
            count -= 1
        stack[count] = moved
        count += 1
    return found
