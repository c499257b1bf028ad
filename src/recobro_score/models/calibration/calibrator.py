"""From a margin to a probability that means what it says, in the same order.

Both maps are increasing in the margin, so order and reasons survive them. Beta calibration (the default) has
three coefficients; Platt's has two. Fit on rows that the booster did not train on.

References
----------
Kull, Silva Filho and Flach (2017), Electronic Journal of Statistics 11, 5052-5080 (beta); Platt (1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from recobro_score.errors import BundleError, ContractError
from recobro_score.evaluation.logistic import Prior, fit_logistic, sigmoid, softplus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Method = Literal["beta", "platt", "flat", "intercept", "identity"]

MIN_ROWS = 50
MIN_PER_CLASS = 10
FLAT_SLOPE = 0.01
"""Next to nothing, so that order survives where probabilities must not differ."""
MARGIN_LIMIT = 700.0
"""Margins beyond it count as it: the exponentials stay finite, and no probability can tell the difference."""


@dataclass(frozen=True, slots=True)
class Calibrator:
    """An increasing map from margin to probability; a few plain numbers.

    Parameters
    ----------
    method : {'beta', 'platt', 'flat', 'intercept', 'identity'}
        ``beta``: ``logit q = c + a·log p − b·log(1 − p)`` with ``p = sigmoid(margin)``; ``platt``:
        ``logit q = c + a·margin``. The others are what is left when the data cannot carry more; ``note`` says
        why. ``flat``: ``a`` next to nothing, where margins do not order the events; ``intercept``: ``a = 1``,
        where rows are few; ``identity``: ``q = p``, where there is one outcome only.
    a, b, c : float
        Coefficients; ``a, b ≥ 0``.
    rows, events : int
        How many it was fitted on.
    note : str
        Why it is not the method that was asked for; empty where it is.
    """

    method: Method
    a: float
    b: float
    c: float
    rows: int
    events: int
    note: str = ""

    @classmethod
    def fit(
        cls,
        margin: Floats,
        y: Floats,
        *,
        weight: Floats | None = None,
        method: Literal["beta", "platt"] = "beta",
    ) -> Calibrator:
        """Fit by penalised maximum likelihood.

        The slopes have a normal prior of mean 1 and variance 1: it keeps them finite on separable rows and
        decides what the rows cannot (with rare events b hardly matters to them), and weighs as much as a
        handful of rows.

        Parameters
        ----------
        margin, y : ndarray of shape (n,)
            Margins of rows the booster did not see, and outcomes (0 or 1).
        weight : ndarray of shape (n,), optional
            Importance weights.
        method : {'beta', 'platt'}
            Below `MIN_ROWS` rows or `MIN_PER_CLASS` of either outcome only the level is fitted
            (``intercept``); with one outcome only, nothing is (``identity``); where the margin does not order
            the events, it is all but ignored (``flat``). ``note`` says so.

        Raises
        ------
        ContractError
            If lengths differ, margins are not finite or outcomes not 0 or 1.
        """
        weight = np.ones(y.size) if weight is None else weight
        check_rows(margin, y, weight)
        margin = np.clip(margin, -MARGIN_LIMIT, MARGIN_LIMIT)
        n, events = y.size, int(np.count_nonzero(y))
        counts = f"{n:,} rows with {events:,} events and {n - events:,} non-events"
        if events in (0, n):
            return cls("identity", 1.0, 1.0, 0.0, n, events, f"not calibrated: {counts}")
        if n < MIN_ROWS or min(events, n - events) < MIN_PER_CLASS:
            c = _level(margin, y, weight)
            return cls("intercept", 1.0, 1.0, c, n, events, f"only the level is calibrated: {counts}")
        a, b, c = (_fit_beta if method == "beta" else _fit_platt)(margin, y, weight)
        if a == b == 0.0:
            c = _level(FLAT_SLOPE * margin, y, weight)
            return cls("flat", FLAT_SLOPE, FLAT_SLOPE, c, n, events, f"the margin orders nothing: {counts}")
        return cls(method, a, b, c, n, events)

    @property
    def is_full(self) -> bool:
        """Whether the method asked for could be fitted."""
        return not self.note

    def probability(self, margin: Floats) -> Floats:
        """Return calibrated probabilities; elementwise, so one row gives the bits of a batch.

        Order by the margin where order matters: rounding can tie probabilities near 0 and 1.

        Parameters
        ----------
        margin : ndarray of shape (n,)
            float64; infinite ones count as ±700.

        Returns
        -------
        ndarray of shape (n,)
            In [0, 1].
        """
        return sigmoid(self.log_odds(margin))

    def log_odds(self, margin: Floats) -> Floats:
        """Return the log-odds of `probability`, shape (n,)."""
        kept = np.clip(margin, -MARGIN_LIMIT, MARGIN_LIMIT)
        if self.method == "beta":
            return np.asarray((self.c - self.a * softplus(-kept)) + self.b * softplus(kept))
        return np.asarray(self.c + self.a * kept)

    def to_state(self) -> dict[str, Any]:
        """Return the calibrator as plain JSON values."""
        return {
            "method": self.method,
            "a": self.a,
            "b": self.b,
            "c": self.c,
            "rows": self.rows,
            "events": self.events,
            "note": self.note,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Calibrator:
        """Return the calibrator of a saved state.

        Raises
        ------
        BundleError
            If keys are missing or unknown, or the map would not be increasing.
        """
        expected = set(cls.__dataclass_fields__)
        if set(state) != expected:
            msg = f"A calibrator's state has {sorted(expected)}, got {sorted(state)}."
            raise BundleError(msg)
        found = cls(**state)
        numbers = (found.a, found.b, found.c)
        increasing = min(found.a, found.b) >= 0 and found.a + found.b > 0
        if found.method not in get_args(Method) or not np.isfinite(numbers).all() or not increasing:
            msg = f"A calibrator's state is not an increasing map: {state}."
            raise BundleError(msg)
        return found


def check_rows(margin: Floats, y: Floats, weight: Floats) -> None:
    """Refuse rows that no calibrator can be fitted to.

    Raises
    ------
    ContractError
        If lengths differ, margins are not finite or outcomes not 0 or 1.
    """
    if margin.shape != y.shape or y.shape != weight.shape or y.ndim != 1:
        shapes = f"{margin.shape}, {y.shape}, {weight.shape}"
        msg = f"Margins, outcomes and weights must be one-dimensional and of one length, got {shapes}."
        raise ContractError(msg)
    if not np.isfinite(margin).all() or not np.isin(y, (0.0, 1.0)).all():
        msg = "Margins must be finite and outcomes 0 or 1."
        raise ContractError(msg)


def _level(margin: Floats, y: Floats, weight: Floats) -> float:
    return fit_logistic((np.ones(y.size),), y, weight, offset=margin).coefficients[0]


def _fit_platt(margin: Floats, y: Floats, weight: Floats) -> tuple[float, float, float]:
    fit = fit_logistic((margin, np.ones(y.size)), y, weight, prior=Prior((1.0, 0.0), (1.0, 0.0)))
    slope, level = fit.coefficients
    return (slope, slope, level) if slope > 0 else (0.0, 0.0, level)


def _fit_beta(margin: Floats, y: Floats, weight: Floats) -> tuple[float, float, float]:
    """Return the best a, b ≥ 0 and c.

    The problem is convex: if the free optimum is not allowed, a slope that it makes negative is 0 at the best
    allowed point, so the best allowed fit with at most one slope is it.
    """
    slopes = {"a": -softplus(-margin), "b": softplus(margin)}
    found: list[tuple[float, float, float, float]] = []
    for free in (("a", "b"), ("a",), ("b",), ()):
        columns = [slopes[name] for name in free] + [np.ones(y.size)]
        flat = (0.0,)
        prior = Prior((1.0,) * len(free) + flat, (1.0,) * len(free) + flat)
        fit = fit_logistic(columns, y, weight, prior=prior)
        by_name = dict(zip(free, fit.coefficients, strict=False))
        a, b = by_name.get("a", 0.0), by_name.get("b", 0.0)
        if fit.converged and min(a, b) >= 0:
            if len(free) == 2:
                return a, b, fit.coefficients[-1]
            found.append((fit.loss + 0.5 * (2 - len(free)), a, b, fit.coefficients[-1]))
    return min(found)[1:] if found else (0.0, 0.0, 0.0)
