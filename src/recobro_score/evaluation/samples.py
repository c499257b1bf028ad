"""Outcomes and scores as checked arrays: what every metric starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.errors import ContractError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its standard error.

    Parameters
    ----------
    value : float
        NaN where the sample cannot tell (one class only, too few rows).
    se : float
        Standard error; NaN where unknown.
    """

    value: float
    se: float

    def __str__(self) -> str:
        """Return ``0.7812 ± 0.0031``."""
        return f"{self.value:.4f} ± {self.se:.4f}"


UNKNOWN = Estimate(float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Sample:
    """Outcomes with their scores and weights, all float64 of one length.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes, 0 or 1.
    score : ndarray of shape (n,)
        Scores or probabilities, finite.
    weight : ndarray of shape (n,)
        Importance weights, not negative; ones where none were given.
    """

    y: NDArray[np.float64]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.y.size

    @property
    def has_both_classes(self) -> bool:
        """Whether events and non-events both carry weight."""
        return bool(np.any(self.weight[self.y == 1] > 0) and np.any(self.weight[self.y == 0] > 0))

    def rows(self, mask: NDArray[np.bool_]) -> Sample:
        """Return the sample of the masked rows."""
        return Sample(self.y[mask], self.score[mask], self.weight[mask])


def sample(
    y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None, *, probabilities: bool = False
) -> Sample:
    """Check outcomes, scores and weights and return them as a `Sample`.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        Outcomes (0 or 1) and scores.
    weight : array-like of shape (n,), optional
        Importance weights; equal where absent.
    probabilities : bool
        Whether scores must lie in [0, 1].

    Raises
    ------
    ContractError
        If lengths differ or values are not what they must be, with counts; all problems at once.
    """
    outcome = np.asarray(y, dtype=np.float64)
    values = np.asarray(score, dtype=np.float64)
    weights = np.ones(outcome.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    if outcome.ndim != 1 or outcome.shape != values.shape or outcome.shape != weights.shape:
        msg = (
            f"Outcomes, scores and weights must be one-dimensional and of one length, "
            f"got shapes {outcome.shape}, {values.shape} and {weights.shape}."
        )
        raise ContractError(msg)
    wrong = {
        "outcomes are not 0 or 1": ~np.isin(outcome, (0.0, 1.0)),
        "scores are not finite": ~np.isfinite(values),
        "weights are negative or not finite": ~((weights >= 0) & np.isfinite(weights)),
    }
    if probabilities:
        wrong["probabilities lie outside [0, 1]"] = (values < 0) | (values > 1)
    problems = [f"{int(bad.sum()):,} of {bad.size:,} {what}" for what, bad in wrong.items() if bad.any()]
    if problems:
        msg = "; ".join(problems) + "."
        raise ContractError(msg)
    return Sample(outcome, values, weights)


def weighted_mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> Estimate:
    """Return a weighted mean and its standard error by linearisation (the plain one with equal weights)."""
    total = float(weight.sum())
    n = int(np.count_nonzero(weight))
    if n == 0:
        return UNKNOWN
    mean = float((weight * values).sum() / total)
    if n == 1:
        return Estimate(mean, float("nan"))
    spread = float((weight**2 * (values - mean) ** 2).sum())
    return Estimate(mean, float(np.sqrt(spread * n / (n - 1)) / total))


def effective_size(weight: NDArray[np.float64]) -> float:
    """Return Kish's effective sample size, ``(Σw)² ÷ Σw²`` (0 without weight)."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0
