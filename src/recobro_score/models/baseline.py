"""The logistic regression that stands beside every report: if the trees do not beat it, use it.

Numbers: clipped at the 1st and 99th percentile of training, missing ones set to the median with an indicator,
then standardised. Categories: one column per code seen in training. Used in reports only, never on a scoring
path.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.evaluation.logistic import sigmoid
from recobro_score.models.booster import require_enough

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema

    Floats = NDArray[np.float64]

INVERSE_RIDGE = 0.1
"""scikit-learn's C: a normal prior of standard deviation 0.3 on each standardised coefficient."""
MAX_STEPS = 100

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogisticBaseline:
    """A fitted logistic regression with its preparation of the columns.

    Parameters
    ----------
    kinds : tuple of str
        ``number`` or ``category`` per column.
    low, high, median : ndarray of shape (numbers,)
        Percentiles and medians of the number columns.
    codes : tuple of ndarray
        Codes seen in training, per category column.
    mean, scale : ndarray of shape (q,)
        Of the prepared columns.
    coefficients : ndarray of shape (q,)
    intercept : float
    """

    kinds: tuple[str, ...]
    low: Floats
    high: Floats
    median: Floats
    codes: tuple[Floats, ...]
    mean: Floats
    scale: Floats
    coefficients: Floats
    intercept: float

    @classmethod
    def fit(
        cls, values: Floats, y: Floats, *, schema: ColumnSchema, weight: Floats | None = None
    ) -> LogisticBaseline:
        """Fit on the same arrays as the booster.

        Parameters
        ----------
        values : ndarray of shape (n, p)
            NaN is missing in number columns, categories are codes.
        y : ndarray of shape (n,)
            Outcomes, 0 or 1.
        schema : ColumnSchema
            Of the p columns.
        weight : ndarray of shape (n,), optional
            Importance weights; percentiles and medians count rows.

        Raises
        ------
        NotEnoughData
            Where the booster would raise it too.
        """
        require_enough(y)
        kinds = tuple(schema.kinds)
        low, median, high = _percentiles(values[:, _are(kinds, "number")])
        codes = tuple(np.unique(column) for column in values[:, _are(kinds, "category")].T)
        prepared = _prepare(values, kinds, (low, median, high), codes)
        mean = np.average(prepared, axis=0, weights=weight)
        scale = np.sqrt(np.average((prepared - mean) ** 2, axis=0, weights=weight))
        scale[scale < 1e-12] = 1.0
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=INVERSE_RIDGE, solver="newton-cholesky", max_iter=MAX_STEPS, tol=1e-6)
        model.fit((prepared - mean) / scale, y, sample_weight=weight)
        logger.debug("logistic baseline: %d columns, %d steps", prepared.shape[1], model.n_iter_[0])
        return cls(kinds, low, high, median, codes, mean, scale, model.coef_[0], float(model.intercept_[0]))

    def predict(self, values: Floats) -> Floats:
        """Return probabilities.

        Parameters
        ----------
        values : ndarray of shape (n, p)
            In the order of training.

        Returns
        -------
        ndarray of shape (n,)
        """
        prepared = _prepare(values, self.kinds, (self.low, self.median, self.high), self.codes)
        return sigmoid(((prepared - self.mean) / self.scale) @ self.coefficients + self.intercept)


def _are(kinds: tuple[str, ...], kind: str) -> NDArray[np.bool_]:
    return np.array([each == kind for each in kinds], dtype=np.bool_)


def _percentiles(numbers: Floats) -> tuple[Floats, Floats, Floats]:
    """Return 1st percentile, median and 99th percentile of the known values; zeros where none is known."""
    found = np.zeros((3, numbers.shape[1]))
    for position, column in enumerate(numbers.T):
        known = column[~np.isnan(column)]
        if known.size:
            found[:, position] = np.percentile(known, (1, 50, 99))
    return found[0], found[1], found[2]


def _prepare(
    values: Floats,
    kinds: tuple[str, ...],
    percentiles: tuple[Floats, Floats, Floats],
    codes: tuple[Floats, ...],
) -> Floats:
    low, median, high = percentiles
    numbers = values[:, _are(kinds, "number")]
    missing = np.isnan(numbers)
    filled = np.where(missing, median, np.clip(numbers, low, high))
    categories = values[:, _are(kinds, "category")]
    shown = [
        (column[:, None] == known[None, :]).astype(np.float64)
        for column, known in zip(categories.T, codes, strict=True)
    ]
    return np.concatenate([filled, missing.astype(np.float64), *shown], axis=1)
