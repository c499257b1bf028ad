"""What the account itself says of its offers and plans: the margin of a booster on its features.

Without the terms: those have readable coefficients of their own beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.models.booster import Booster, BoosterOptions
from recobro_score.models.slices import FOLDS, folds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema

    Floats = NDArray[np.float64]

MIN_ROWS = 500
MIN_PER_CLASS = 100
"""Below either, the account speaks through its bucket only."""
SIGNAL_OPTIONS = BoosterOptions(trees=150, leaves=7, min_leaf=60)


def has_signal(yes: Floats, no: Floats) -> bool:
    """Return whether there is enough to learn from: weights of both outcomes per row."""
    some, others = int(np.count_nonzero(yes > 0)), int(np.count_nonzero(no > 0))
    return len(yes) >= MIN_ROWS and min(some, others) >= MIN_PER_CLASS


def fit_signal(
    values: Floats, yes: Floats, no: Floats, *, schema: ColumnSchema, options: BoosterOptions
) -> Booster:
    """Train on the binary log loss with both outcomes of a row weighted.

    Parameters
    ----------
    values : ndarray of shape (n, p)
    yes, no : ndarray of shape (n,)
        How often the event happened to the row, and how often it did not.
    schema, options
        See `Booster.fit`.
    """
    some, others = np.flatnonzero(yes > 0), np.flatnonzero(no > 0)
    rows = np.concatenate([some, others])
    order = np.argsort(rows, kind="stable")
    y = np.concatenate([np.ones(some.size), np.zeros(others.size)])[order]
    weight = np.concatenate([yes[some], no[others]])[order]
    return Booster.fit(
        np.ascontiguousarray(values[rows[order]]), y, schema=schema, options=options, weight=weight
    )


def out_of_fold(
    values: Floats,
    yes: Floats,
    no: Floats,
    *,
    debtor: NDArray[Any],
    schema: ColumnSchema,
    options: BoosterOptions,
) -> Floats:
    """Return the margin of every row from a booster that had not seen its debtor, shape (n,)."""
    fold = folds_of(debtor)
    margin = np.zeros(len(yes))
    for k in range(FOLDS):
        seen, left = fold != k, fold == k
        booster = fit_signal(values[seen], yes[seen], no[seen], schema=schema, options=options)
        margin[left] = booster.margin(np.ascontiguousarray(values[left]), threads=options.threads)
    return margin
