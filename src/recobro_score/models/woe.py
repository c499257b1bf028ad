"""Bins of a column and their weight of evidence: how a scorecard reads a number or a word.

``WoE = log((events in the bin ÷ all events) ÷ (non-events in the bin ÷ all non-events))``, each count raised
by a few rows at the overall rate, so that a bin without events has a finite weight and a thin one weighs
little.
The information value of a column is ``Σ (share of events − share of non-events) × WoE``.

References
----------
Siddiqi (2006), Credit Risk Scorecards, ch. 6 (WoE, information value); Kerber (1992), ChiMerge, AAAI-92.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FIRST_BINS = 20
MAX_BINS = 6
MIN_SHARE = 0.04
ALIKE = 6.635
"""Neighbours whose χ² lies below it (1 % level, one degree of freedom) are one bin."""
FEW_DIGITS = (3, 6)
SMOOTHING = 5.0
"""Rows at the overall rate that every bin is raised by."""


@dataclass(frozen=True, slots=True)
class WoeBins:
    """The bins of one column: 0 for missing, then 1 to k.

    Parameters
    ----------
    edges : tuple of float
        Of a number column: bin i holds ``edges[i − 2] ≤ x < edges[i − 1]``, the outer ones are open.
    codes : tuple of tuple of int
        Of a category column: the codes of bins 1 to k; the last bin also takes every code not named. Empty
        for a number.
    woe : tuple of float of length k + 1
    rows, events : tuple of int of length k + 1
    information_value : float
    """

    edges: tuple[float, ...]
    codes: tuple[tuple[int, ...], ...]
    woe: tuple[float, ...]
    rows: tuple[int, ...]
    events: tuple[int, ...]
    information_value: float

    def bin_of(self, column: Floats) -> Ints:
        """Return the bin of each value of a column; elementwise.

        Parameters
        ----------
        column : ndarray of shape (n,)
            NaN is missing in a number; code 0 in a category.
        """
        if self.codes:
            return _coded(column, self.codes)
        return _cut(column, np.array(self.edges))

    def weight(self, column: Floats) -> Floats:
        """Return the weight of evidence of each value."""
        return np.array(self.woe)[self.bin_of(column)]


def number_bins(column: Floats, y: Floats) -> WoeBins:
    """Cut a number into at most `MAX_BINS` bins whose event rates differ.

    Starts from equal parts of the known values and joins the two most alike neighbours (by χ²) until no bin
    is thin and no two neighbours are alike.

    Parameters
    ----------
    column, y : ndarray of shape (n,)
        NaN is missing; outcomes are 0 or 1.
    """
    known = column[~np.isnan(column)]
    shares = np.arange(1, FIRST_BINS) / FIRST_BINS
    edges = _readable(np.quantile(known, shares, method="higher")) if known.size else np.zeros(0)
    edges = edges[edges > known.min()] if known.size else edges
    counts = _counts(_cut(column, edges), y, len(edges) + 2)
    while len(edges):
        pair = _most_alike(counts[1:], column.size)
        if pair is None:
            break
        counts[pair + 1] += counts[pair + 2]
        counts = np.delete(counts, pair + 2, axis=0)
        edges = np.delete(edges, pair)
    return _bins(tuple(edges.tolist()), (), counts)


def category_bins(column: Floats, y: Floats) -> WoeBins:
    """Give each frequent code its own bin, the most frequent first; rare and unseen ones share the last.

    Parameters
    ----------
    column, y : ndarray of shape (n,)
        Category codes, 0 missing and 1 unseen; outcomes are 0 or 1.
    """
    found, rows = np.unique(column[column > 1], return_counts=True)
    frequent = found[np.argsort(-rows, kind="stable")][: np.count_nonzero(rows >= MIN_SHARE * column.size)]
    codes = (*((int(code),) for code in frequent[: MAX_BINS - 1]), ())
    return _bins((), codes, _counts(_coded(column, codes), y, len(codes) + 1))


def _readable(edges: Floats) -> Floats:
    """Return distinct edges at as few digits as keep them distinct: the printed card must score alike."""
    short, full = (np.unique([float(f"{edge:.{digits}g}") for edge in edges]) for digits in FEW_DIGITS)
    return np.asarray(short if short.size == full.size else full)


def _cut(column: Floats, edges: Floats) -> Ints:
    bins = np.searchsorted(edges, column, side="right") + 1
    return np.where(np.isnan(column), 0, bins).astype(np.int64)


def _coded(column: Floats, codes: tuple[tuple[int, ...], ...]) -> Ints:
    bins = np.full(column.size, len(codes), dtype=np.int64)
    for number, members in enumerate(codes):
        bins[np.isin(column, members)] = number + 1
    bins[column == 0] = 0
    return bins


def _counts(bins: Ints, y: Floats, k: int) -> Floats:
    """Return non-events and events per bin, shape (k, 2)."""
    both = [np.bincount(bins[y == outcome], minlength=k) for outcome in (0, 1)]
    return np.stack(both, axis=1).astype(np.float64)


def _most_alike(counts: Floats, n: int) -> int | None:
    """Return the first of the two neighbours to join next, None if all may stay."""
    rows = counts.sum(axis=1)
    if len(rows) < 2:
        return None
    alike = _chi_squares(counts)
    thin = np.flatnonzero(rows < MIN_SHARE * n)
    if thin.size:
        worst = int(thin[np.argmin(rows[thin])])
        sides = [pair for pair in (worst - 1, worst) if 0 <= pair < len(alike)]
        return min(sides, key=lambda pair: (alike[pair], pair))
    closest = int(np.argmin(alike))
    return closest if len(rows) > MAX_BINS or alike[closest] < ALIKE else None


def _chi_squares(counts: Floats) -> Floats:
    """Return the χ² of each pair of neighbours' event rates; 0 where they have one outcome only."""
    pairs = np.stack([counts[:-1], counts[1:]], axis=1)
    total = pairs.sum(axis=(1, 2), keepdims=True)
    expected = pairs.sum(axis=2, keepdims=True) * pairs.sum(axis=1, keepdims=True)
    expected = expected / np.maximum(total, 1.0)
    gap = np.where(expected > 0, (pairs - expected) ** 2 / np.where(expected > 0, expected, 1.0), 0.0)
    return np.asarray(gap.sum(axis=(1, 2)))


def _bins(edges: tuple[float, ...], codes: tuple[tuple[int, ...], ...], counts: Floats) -> WoeBins:
    total = counts.sum(axis=0)
    raised = counts + SMOOTHING * total / total.sum()
    shares = raised / total
    woe = np.log(shares[:, 1]) - np.log(shares[:, 0])
    value = float(((counts / total)[:, 1] - (counts / total)[:, 0]) @ woe)
    rows, events = counts.sum(axis=1).astype(np.int64), counts[:, 1].astype(np.int64)
    return WoeBins(edges, codes, tuple(woe.tolist()), tuple(rows.tolist()), tuple(events.tolist()), value)
