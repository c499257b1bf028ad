"""Newton's method for logistic regressions of a handful of parameters.

Calibration needs at most three coefficients. Sums run in row order on one thread, so the same rows in the
same order give the same bits for any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_STEPS = 100
TOLERANCE = 1e-12
MIN_LENGTH = 1e-9
MAX_CONDITION = 1e14


@dataclass(frozen=True, slots=True)
class LogisticFit:
    """Coefficients at the optimum.

    Parameters
    ----------
    coefficients : tuple of float
        One per column.
    se : tuple of float
        From the inverse of the information (prior included, where there is one).
    loss : float
        Weighted sum of the log losses plus the prior's penalty.
    converged : bool
        False where the information is singular or the steps ran out: the numbers then mean nothing.
    """

    coefficients: tuple[float, ...]
    se: tuple[float, ...]
    loss: float
    converged: bool


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent normal priors: mean and precision (1 ÷ variance; 0 = none) per column."""

    mean: tuple[float, ...]
    precision: tuple[float, ...]


def softplus(z: Floats) -> Floats:
    """Return ``log(1 + exp(z))`` without overflow."""
    return np.asarray(np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z))), dtype=np.float64)


def sigmoid(z: Floats) -> Floats:
    """Return ``1 ÷ (1 + exp(−z))`` without overflow; elementwise, so one row equals a batch to the bit."""
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1.0, small) / (1.0 + small), dtype=np.float64)


def fit_logistic(
    columns: Sequence[Floats],
    y: Floats,
    weight: Floats,
    *,
    offset: Floats | float = 0.0,
    prior: Prior | None = None,
) -> LogisticFit:
    """Minimise the penalised log loss of ``sigmoid(offset + Σ coefficient × column)``.

    Parameters
    ----------
    columns : sequence of k ndarrays of shape (n,)
        The intercept is a column of ones.
    y, weight : ndarray of shape (n,)
        Outcomes (0 or 1) and weights.
    offset : ndarray of shape (n,) or float
        A part with coefficient 1.
    prior : Prior, optional
        Normal priors; a flat one where absent.

    Returns
    -------
    LogisticFit
        Check ``converged``.
    """
    k = len(columns)
    mean = np.array(prior.mean if prior else (0.0,) * k)
    precision = np.array(prior.precision if prior else (0.0,) * k)

    def margin(at: Floats) -> Floats:
        total = np.zeros(y.size) + offset
        for coefficient, column in zip(at, columns, strict=True):
            total = total + coefficient * column
        return total

    def loss(at: Floats) -> float:
        z = margin(at)
        return float((weight * (softplus(z) - y * z)).sum() + 0.5 * (precision * (at - mean) ** 2).sum())

    point, value = mean.copy(), loss(mean)
    for _ in range(MAX_STEPS):
        p = sigmoid(margin(point))
        gradient = _gradient(columns, weight * (p - y)) + precision * (point - mean)
        information = _information(columns, weight * p * (1.0 - p)) + np.diag(precision)
        if not np.linalg.cond(information) < MAX_CONDITION:
            break
        step = np.linalg.solve(information, gradient)
        decrement = float((gradient * step).sum())
        if decrement <= TOLERANCE * (1.0 + value):
            point = point - step
            se = np.sqrt(np.diag(np.linalg.inv(information)))
            return LogisticFit(tuple(point.tolist()), tuple(se.tolist()), loss(point), converged=True)
        length = 1.0
        trial = loss(point - step)
        while trial > value - 0.25 * length * decrement and length > MIN_LENGTH:
            length /= 2
            trial = loss(point - length * step)
        point, value = point - length * step, trial
    return LogisticFit(tuple(point.tolist()), (float("nan"),) * k, value, converged=False)


def _gradient(columns: Sequence[Floats], residual: Floats) -> Floats:
    return np.array([float((column * residual).sum()) for column in columns])


def _information(columns: Sequence[Floats], spread: Floats) -> Floats:
    return np.array([[float((a * b * spread).sum()) for b in columns] for a in columns])
