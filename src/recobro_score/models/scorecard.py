"""A scorecard of 0 to 1000 points: a logistic regression on weights of evidence that fits on one page.

The table is the whole model: add the points of the bins an account falls into, and every 50 points double the
odds of the event around 500 points at even odds. It stands beside every report: where the trees do not beat
it, use it.

References
----------
Siddiqi (2006), Credit Risk Scorecards, ch. 6: points = offset + factor × log-odds, factor = pdo ÷ log 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.evaluation.logistic import sigmoid
from recobro_score.models.booster import FIRST_KNOWN_CODE, require_enough
from recobro_score.models.woe import WoeBins, category_bins, number_bins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

EVEN_ODDS = 500
POINTS_TO_DOUBLE_ODDS = 50
FACTOR = POINTS_TO_DOUBLE_ODDS / float(np.log(2.0))
MOST_POINTS = 1000

MAX_FEATURES = 15
MIN_INFORMATION = 0.02
TOO_ALIKE = 0.8
"""A column whose weights correlate more than this with those of a better one is left out."""
INVERSE_RIDGE = 1.0
MAX_STEPS = 100


@dataclass(frozen=True, slots=True)
class ScorecardLine:
    """One feature of a scorecard.

    Parameters
    ----------
    name : str
    column : int
        Its position in the feature matrix.
    bins : WoeBins
    points : tuple of int
        Of each bin, the missing one first.
    """

    name: str
    column: int
    bins: WoeBins
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A fitted scorecard; more points, more likely the event.

    Parameters
    ----------
    base : int
        Points of an account whose features say nothing.
    lines : tuple of ScorecardLine
        The features, the heaviest first.
    words : mapping of str to sequence of str
        Vocabularies of category features, for the table.
    columns : int
        Width of the feature matrix.
    """

    base: int
    lines: tuple[ScorecardLine, ...]
    words: Mapping[str, Sequence[str]]
    columns: int

    @classmethod
    def fit(
        cls, values: Floats, y: Floats, *, schema: ColumnSchema, max_features: int = MAX_FEATURES
    ) -> Scorecard:
        """Bin every column, keep the telling ones, weigh them by logistic regression.

        Columns go in by information value, at least `MIN_INFORMATION`, unless they repeat a better one.
        Weights of evidence must count in their own direction: columns of negative coefficient are dropped
        and the rest is fitted again.

        Parameters
        ----------
        values : ndarray of shape (n, p)
            NaN is missing in number columns, categories are codes.
        y : ndarray of shape (n,)
            Outcomes, 0 or 1.
        schema : ColumnSchema
            Of the p columns.
        max_features : int
            How many lines the card may have.

        Raises
        ------
        NotEnoughData
            Where the booster would raise it too.
        """
        require_enough(y)
        bins = [
            (number_bins if kind == "number" else category_bins)(column, y)
            for kind, column in zip(schema.kinds, values.T, strict=True)
        ]
        kept = _telling(bins, values, max_features)
        kept, coefficients, intercept = _regress(kept, bins, values, y)
        lines = [
            ScorecardLine(
                schema.names[column],
                column,
                bins[column],
                tuple(round(FACTOR * weight * woe) for woe in bins[column].woe),
            )
            for column, weight in zip(kept, coefficients, strict=True)
        ]
        lines.sort(key=lambda line: (min(line.points) - max(line.points), line.column))
        words = {line.name: schema.vocabularies[line.name] for line in lines if line.bins.codes}
        return cls(EVEN_ODDS + round(FACTOR * intercept), tuple(lines), words, values.shape[1])

    def points(self, values: Floats) -> Ints:
        """Return the points of each row, 0 to 1000.

        Parameters
        ----------
        values : ndarray of shape (n, p)
            In the order of training.
        """
        total = np.full(len(values), self.base, dtype=np.int64)
        for line in self.lines:
            total += np.array(line.points, dtype=np.int64)[line.bins.bin_of(values[:, line.column])]
        return np.clip(total, 0, MOST_POINTS)

    def predict(self, values: Floats) -> Floats:
        """Return the probabilities that the points stand for, shape (n,)."""
        return sigmoid((self.points(values) - EVEN_ODDS) / FACTOR)

    def frame(self) -> pd.DataFrame:
        """Return the card, to print or export.

        Returns
        -------
        pandas.DataFrame
            One row per bin, after one for the base: ``feature``, ``bin`` (in words), ``points``, ``rows``,
            ``share`` of all rows, ``event_rate`` (NaN without rows), ``woe``, ``information_value`` of the
            feature.
        """
        base = {"feature": "(base)", "bin": "every account", "points": self.base}
        rows = [base, *(row for line in self.lines for row in _card_rows(line, self.words))]
        columns = ["feature", "bin", "points", "rows", "share", "event_rate", "woe", "information_value"]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        return f"Scorecard of {len(self.lines)} features, {self.base} points to begin with"

    def _repr_html_(self) -> str:
        return str(self.frame().to_html(index=False, float_format="%.4g", na_rep="–", border=0))


def _telling(bins: Sequence[WoeBins], values: Floats, most: int) -> list[int]:
    """Return the columns to weigh, by falling information value."""
    order = sorted(range(len(bins)), key=lambda column: (-bins[column].information_value, column))
    kept: list[int] = []
    weights: list[Floats] = []
    for column in order:
        if len(kept) == most or bins[column].information_value < MIN_INFORMATION:
            break
        weight = bins[column].weight(values[:, column])
        if not any(abs(_correlation(weight, other)) > TOO_ALIKE for other in weights):
            kept.append(column)
            weights.append(weight)
    return kept


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread > 0 else 0.0


def _regress(
    kept: list[int], bins: Sequence[WoeBins], values: Floats, y: Floats
) -> tuple[list[int], list[float], float]:
    """Return the columns of positive coefficient, their coefficients and the intercept."""
    from sklearn.linear_model import LogisticRegression

    while kept:
        weights = np.stack([bins[column].weight(values[:, column]) for column in kept], axis=1)
        model = LogisticRegression(C=INVERSE_RIDGE, solver="newton-cholesky", max_iter=MAX_STEPS, tol=1e-8)
        model.fit(weights, y)
        positive = model.coef_[0] > 0
        if positive.all():
            return kept, model.coef_[0].tolist(), float(model.intercept_[0])
        kept = [column for column, keep in zip(kept, positive, strict=True) if keep]
    events = float(y.sum())
    return [], [], float(np.log(events) - np.log(y.size - events))


def _card_rows(line: ScorecardLine, words: Mapping[str, Sequence[str]]) -> Iterator[dict[str, object]]:
    bins, total = line.bins, sum(line.bins.rows)
    for number, label in enumerate(_bin_labels(line, words)):
        rows = bins.rows[number]
        yield {
            "feature": line.name,
            "bin": label,
            "points": line.points[number],
            "rows": rows,
            "share": rows / total,
            "event_rate": bins.events[number] / rows if rows else float("nan"),
            "woe": bins.woe[number],
            "information_value": bins.information_value,
        }


def _bin_labels(line: ScorecardLine, words: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield "missing"
    if line.bins.codes:
        known = words[line.name]
        for codes in line.bins.codes[:-1]:
            yield ", ".join(known[code - FIRST_KNOWN_CODE] for code in codes)
        yield "any other"
        return
    edges = line.bins.edges
    if not edges:
        yield "any"
        return
    yield f"< {edges[0]:g}"
    for low, high in pairwise(edges):
        yield f"{low:g} to < {high:g}"
    yield f"≥ {edges[-1]:g}"
