"""How well one column tells the label, and how closely it goes with an attribute.

References
----------
Bergsma (2013), Journal of the Korean Statistical Society 42, 323-328 (Cramér's V without its bias).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from recobro_score.evaluation.ranking import auc
from recobro_score.evaluation.samples import Estimate
from recobro_score.features.audit.columns import CATEGORY, NUMBER, Column
from recobro_score.features.audit.result import Measured

Floats = NDArray[np.float64]

MIN_EVENTS = 20
"""Fewest events, and non-events, for an AUC to be worth its standard error."""
BINS = 20
PROXY_BINS = 5
FEW_ACCOUNTS = 30
Z_95 = 1.6448536269514722
Z_999 = 3.090232306167813
"""One-sided quantiles of the normal distribution."""


def rank_correlation(first: Floats, second: Floats, group: NDArray[np.int64]) -> float:
    """Return Spearman's rank correlation within groups, all groups together.

    Missing values rank below all others, constants go with nothing.
    """
    a, b = _centred_ranks(first, group), _centred_ranks(second, group)
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0


def _centred_ranks(values: Floats, group: NDArray[np.int64]) -> Floats:
    """Return ranks within groups, ties sharing their mean, less the mean of the group."""
    filled = np.where(np.isnan(values), -np.inf, values)
    order = np.lexsort((filled, group))
    ordered, groups = filled[order], group[order]
    new_group = np.append(True, groups[1:] != groups[:-1])
    new_value = new_group | np.append(True, ordered[1:] != ordered[:-1])
    ranks = np.empty(len(values))
    ranks[order] = _mean_place(new_value) - _mean_place(new_group)
    return ranks


def _mean_place(starts: NDArray[np.bool_]) -> Floats:
    """Return, for every place, the mean place of the run it lies in."""
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(starts)) - 1
    return np.repeat((first + last) / 2, last - first + 1)


def single_auc(column: Column, y: Floats, fold: NDArray[np.int64]) -> Estimate:
    """Return how well one column alone tells events from the others, whatever the shape.

    The column is cut into twenty bins (or its words), each worth the event rate that it has in the other
    fold: no row's own label enters its score.

    Parameters
    ----------
    column : Column
        Values of the rows of `y`.
    y : float64 array
        0 or 1.
    fold : int64 array
        0 or 1; all rows of a debtor share it.
    """
    level = levels(column, BINS)
    score = np.empty(len(y))
    for part in (0, 1):
        others = fold != part
        n = np.bincount(level[others], minlength=level.max() + 1)
        events = np.bincount(level[others], weights=y[others], minlength=level.max() + 1)
        base = y[others].mean() if others.any() else 0.5
        score[fold == part] = ((events + base) / (n + 1))[level[fold == part]]
    return auc(y, score)


def levels(column: Column, bins: int) -> NDArray[np.int64]:
    """Return the bin of every row: 0 missing, then quantile bins of a number or the words of a category."""
    values = column.values
    known = np.isfinite(values)
    out = np.zeros(len(values), np.int64)
    if column.kind == CATEGORY:
        out[known] = values[known].astype(np.int64) + 1
    elif known.any():
        edges = np.unique(np.quantile(values[known], np.arange(1, bins) / bins))
        out[known] = np.searchsorted(edges, values[known], side="left") + 1
    return out


def proxy_measures(
    columns: Iterable[Column], held: Iterable[tuple[str, Column]], fold: NDArray[np.int64]
) -> Iterator[Measured]:
    """Yield how strongly each column goes with each attribute, from 0 to 1, for one row per account.

    Two numbers by Spearman's rank correlation, an attribute of two values by ``2·AUC − 1``, all else by
    Cramér's V (without its bias) of bins.
    """
    attributes = list(held)
    for column in columns:
        for name, attribute in attributes:
            rows = np.isfinite(attribute.values)
            mine = Column(column.name, column.kind, column.values[rows])
            other = Column(attribute.name, attribute.kind, attribute.values[rows])
            value = _association(mine, other, fold[rows])
            if value is not None:
                yield Measured(column.name, "proxy", name, value.value, value.se, int(rows.sum()))


def _association(column: Column, attribute: Column, fold: NDArray[np.int64]) -> Estimate | None:
    found = np.unique(attribute.values)
    if len(found) == 2:
        y = (attribute.values == found[1]).astype(np.float64)
        if not enough_events(y):
            return None
        estimate = single_auc(column, y, fold)
        return Estimate(max(0.0, 2 * estimate.value - 1), 2 * estimate.se)
    known = np.isfinite(column.values)
    if column.kind == attribute.kind == NUMBER:
        if known.sum() < FEW_ACCOUNTS:
            return None
        rho = abs(
            rank_correlation(column.values[known], attribute.values[known], np.zeros(known.sum(), np.int64))
        )
        return Estimate(rho, float((1 - rho**2) / np.sqrt(known.sum() - 1)))
    return _cramers_v(levels(column, PROXY_BINS), levels(attribute, PROXY_BINS))


def _cramers_v(first: NDArray[np.int64], second: NDArray[np.int64]) -> Estimate | None:
    n = len(first)
    a, b = (np.unique(x, return_inverse=True)[1] for x in (first, second))
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    if n < FEW_ACCOUNTS or min(rows, columns) < 2:
        return None
    table = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi2 = float(((table - expected) ** 2 / expected).sum()) / n
    unbiased = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    shape = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    v = float(np.sqrt(unbiased / shape)) if shape > 0 else 0.0
    return Estimate(min(v, 1.0), 1 / float(np.sqrt(n)))


def enough_events(y: Floats) -> bool:
    """Return whether there are events and non-events enough for an AUC."""
    events = int(y.sum())
    return min(events, len(y) - events) >= MIN_EVENTS


def unseen_share(lag_days: Floats, horizon_days: float, left_days: Floats) -> Floats:
    """Return the share of what happens in a window that becomes known only after the end of observation.

    Parameters
    ----------
    lag_days : float64 array
        Lags of the source.
    horizon_days : float
        Length of the window; events are taken as spread evenly over it.
    left_days : float64 array
        Per window, days from its end to the end of observation.
    """
    grid = (np.arange(200) + 0.5) / 200 * horizon_days
    ordered = np.sort(lag_days)
    room = left_days[:, None] + horizon_days - grid[None, :]
    return np.asarray(1.0 - np.searchsorted(ordered, room, side="right").mean(axis=1) / len(ordered))
