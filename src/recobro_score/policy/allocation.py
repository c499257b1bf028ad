"""Who gets which scarce unit: at most one contact per debtor, capacities kept exactly, and a proven bound.

Each debtor takes at most one action, each action one unit of its pool. With prices λ ≥ 0 per pool and
capacities C,

    g(λ) = Σ_debtors max(0, max_a V_a − λ_pool(a)) + Σ_pools λ·C

is an upper bound of any plan's value, whatever the prices. Prices move one set of pools at a time, each step
exactly minimising g along that set; debtors near indifference are then assigned by a linear programme, whose
vertices are integral because the problem is a transportation problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recobro_score.errors import ConfigError, RecobroError, hint

CONTESTED = 2_000
"""Debtors nearest to indifference that the linear programme decides."""
MAX_SWEEPS = 60
TOLERANCE = 1e-4
"""A descent stops when a sweep improves g by less than this share of the disturbance."""
_ALL_SETS = 6
_TIES = (1e-3, 1e-5, 1e-7)
"""Sizes, relative to the largest gain, of the orderly disturbance that breaks ties, from coarse to fine."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """A plan and its proof.

    Attributes
    ----------
    choice
        i64[n] action per account row; 0 = no action.
    value
        Sum of the chosen values, in their unit.
    bound
        Proven upper bound of the value of any plan that keeps the capacities.
    gap
        (bound − value) ÷ bound; 0 when the bound is 0.
    pools
        Names of the shared capacities.
    prices
        f64[P] shadow price: worth of one more unit of each pool.
    usage
        i64[P] units used.
    capacities
        i64[P] units there are; -1 = unlimited.
    """

    choice: NDArray[np.int64]
    value: float
    bound: float
    gap: float
    pools: tuple[str, ...]
    prices: NDArray[np.float64]
    usage: NDArray[np.int64]
    capacities: NDArray[np.int64]

    def frame(self) -> pd.DataFrame:
        """One row per pool.

        Returns
        -------
        pandas.DataFrame
            `pool`, `capacity` (-1 = unlimited), `used`, `price`.
        """
        return pd.DataFrame(
            {"pool": self.pools, "capacity": self.capacities, "used": self.usage, "price": self.prices}
        )

    def summary(self) -> str:
        """Value, bound and gap in one line."""
        return f"value {self.value:.2f}, bound {self.bound:.2f}, gap {100 * self.gap:.4f} %"


@dataclass(frozen=True, slots=True)
class _Problem:
    """Best option per pool (rows) and debtor (columns); the last row is what needs no scarce pool."""

    gain: NDArray[np.float64]
    row: NDArray[np.int64]
    action: NDArray[np.int64]
    capacity: NDArray[np.int64]

    def reduced(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        reduced: NDArray[np.float64] = self.gain - np.append(prices, 0.0)[:, None]
        return reduced

    def bound(self, prices: NDArray[np.float64]) -> float:
        best = self.reduced(prices).max(axis=0)
        return float(best.sum() + (prices * self.capacity).sum())


def allocate(
    values: NDArray[np.float64],
    debtor: NDArray[np.int64],
    pool: NDArray[np.int16],
    pools: tuple[str, ...],
    capacities: Mapping[str, int],
) -> Allocation:
    """Assign at most one action to each debtor so that the sum of values is as large as capacities permit.

    Rows that tie are preferred in their order, so give them in a canonical one (by account id).

    Parameters
    ----------
    values
        f64[n, A] per account row and action; -inf where not eligible; column 0 is no action, worth 0.
    debtor
        i64[n] dense debtor codes.
    pool
        i16[A] pool of each action, -1 = not limited.
    pools
        Names of the pools.
    capacities
        Units per pool; pools that are not named are unlimited.

    Raises
    ------
    ConfigError
        For a capacity below zero or of a pool that does not exist.
    """
    limits = pool_limits(pools, capacities)
    choice = np.zeros(len(values), dtype=np.int64)
    prices = np.zeros(len(pools))
    bound = 0.0
    wanted = np.isin(np.arange(len(pools)), pool[(values > 0.0).any(axis=0)])
    scarce = np.flatnonzero((limits >= 0) & wanted)
    problem = _reduce(values, debtor, pool, scarce, limits[scarce])
    if problem.gain.shape[1]:
        distinct, found = _descend(problem)
        chosen, duals = _assign(problem, distinct, found)
        prices[scarce] = min(found, duals, key=problem.bound)
        bound = problem.bound(prices[scarce])
        action = problem.action[chosen, np.arange(len(chosen))]
        row = problem.row[chosen, np.arange(len(chosen))]
        choice[row[action > 0]] = action[action > 0]
    value = float(values[np.arange(len(values)), choice].sum()) if len(values) else 0.0
    bound = max(bound, value)
    used = np.bincount(pool[choice][(choice > 0) & (pool[choice] >= 0)], minlength=len(pools)).astype(
        np.int64
    )
    over = (limits >= 0) & (used > limits)
    if over.any():
        msg = f"allocation exceeds the capacity of {[pools[p] for p in np.flatnonzero(over)]}"
        raise RecobroError(msg)
    gap = (bound - value) / bound if bound > 0 else 0.0
    return Allocation(choice, value, bound, gap, pools, prices, used, limits)


def pool_limits(pools: tuple[str, ...], capacities: Mapping[str, int]) -> NDArray[np.int64]:
    """Return the capacity of each pool, -1 = unlimited.

    Raises
    ------
    ConfigError
        For a capacity below zero or of a pool that does not exist; all problems in one message.
    """
    problems = [
        f"no action uses the capacity {name!r}.{hint(name, pools)}"
        for name in capacities
        if name not in pools
    ]
    problems += [f"the capacity {name!r} is below zero: {c}" for name, c in capacities.items() if c < 0]
    if problems:
        msg = "capacities: " + "; ".join(problems)
        raise ConfigError(msg)
    return np.array([capacities.get(name, -1) for name in pools], dtype=np.int64)


def _reduce(
    values: NDArray[np.float64],
    debtor: NDArray[np.int64],
    pool: NDArray[np.int16],
    scarce: NDArray[np.int64],
    capacity: NDArray[np.int64],
) -> _Problem:
    """Keep the best account and action of each debtor for every scarce pool, and for all free actions."""
    order = np.argsort(debtor, kind="stable")
    starts = np.flatnonzero(np.diff(debtor[order], prepend=-1))
    n, width = len(starts), len(scarce) + 1
    gain = np.full((width, n), -np.inf)
    row, action = np.zeros((width, n), dtype=np.int64), np.zeros((width, n), dtype=np.int64)
    gain[-1] = 0.0
    owner = np.repeat(np.arange(n), np.diff(np.append(starts, len(order))))
    for option in range(width):
        free = option == width - 1
        actions = np.flatnonzero(~np.isin(pool, scarce) if free else pool == scarce[option])
        for a in actions[actions > 0]:
            candidate = values[order, a]
            top = np.maximum.reduceat(candidate, starts) if n else candidate
            first = np.full(n, len(order), dtype=np.int64)
            hits = np.flatnonzero(candidate == top[owner])
            np.minimum.at(first, owner[hits], hits)
            better = (top > gain[option]) & (top > 0.0)
            gain[option, better] = top[better]
            row[option, better], action[option, better] = order[first[better]], a
    useful = (gain > 0.0).any(axis=0)
    return _Problem(gain[:, useful], row[:, useful], action[:, useful], capacity)


def _sets(n_pools: int) -> Iterator[tuple[int, ...]]:
    """Yield the sets of pools whose prices move together: all for few pools, else singles, pairs and all."""
    sizes = range(1, n_pools + 1) if n_pools <= _ALL_SETS else sorted({1, 2, n_pools})
    for size in sizes:
        yield from combinations(range(n_pools), size)


def _descend(problem: _Problem) -> tuple[_Problem, NDArray[np.float64]]:
    """Lower g by exact steps along sets of pools, on gains whose ties are broken ever more finely.

    Returns the problem with the finest disturbance, and its prices.
    """
    width, n = problem.gain.shape
    disturbance = (1.0 - np.arange(n) / n) * (1.0 + 0.618 * np.arange(width))[:, None] * problem.gain.max()
    sets = [np.array(members) for members in _sets(len(problem.capacity))]
    prices, distinct = np.zeros(len(problem.capacity)), problem
    for tie in _TIES:
        distinct = replace(problem, gain=problem.gain + tie * disturbance)
        bound = distinct.bound(prices)
        for _ in range(MAX_SWEEPS):
            for members in sets:
                prices[members] = _step(distinct, prices, members)
            lower = distinct.bound(prices)
            if bound - lower <= TOLERANCE * tie * bound:
                break
            bound = lower
    return distinct, prices


def _step(problem: _Problem, prices: NDArray[np.float64], members: NDArray[np.int64]) -> NDArray[np.float64]:
    """Move the prices of a set together to where its demand meets its capacity."""
    reduced = problem.reduced(prices)
    inside = reduced[members].max(axis=0)
    reduced[members] = -np.inf
    margin = inside - reduced.max(axis=0)
    units = int(problem.capacity[members].sum())
    lowest = -float(prices[members].min())
    if units >= len(margin):
        return prices[members] + lowest
    at = np.partition(margin, len(margin) - 1 - units)[len(margin) - 1 - units]
    return np.maximum(prices[members] + max(float(at), lowest), 0.0)


def _assign(
    problem: _Problem, distinct: _Problem, prices: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give each debtor its best option at the prices; a linear programme settles the contested ones.

    Returns the option per debtor and the programme's own prices.
    """
    n_pools = len(problem.capacity)
    reduced = distinct.reduced(prices)
    choice = np.argmax(reduced, axis=0)
    if n_pools == 0:
        return choice, prices
    best = reduced.max(axis=0)
    reduced[choice, np.arange(len(choice))] = -np.inf
    order = np.argsort(best - reduced.max(axis=0), kind="stable")
    contested = np.zeros(len(choice), dtype=bool)
    contested[order[:CONTESTED]] = True
    for p, capacity in enumerate(problem.capacity):
        held = order[(choice[order] == p) & ~contested[order]]
        contested[held[: max(len(held) - int(capacity), 0)]] = True
    fixed = np.bincount(choice[~contested], minlength=n_pools + 1)[:n_pools]
    rows = np.flatnonzero(contested)
    choice[rows], duals = _transport(problem.gain[:, rows], problem.capacity - fixed)
    return _in_order(problem.gain, choice), duals


def _in_order(gain: NDArray[np.float64], choice: NDArray[np.int64]) -> NDArray[np.int64]:
    """Exchange options among debtors with equal gains so that the first rows are served first."""
    alike = np.lexsort(gain)
    changes = (gain[:, alike[1:]] != gain[:, alike[:-1]]).any(axis=0)
    group = np.empty(len(choice), dtype=np.int64)
    group[alike] = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(changes)])
    ordered = np.empty_like(choice)
    ordered[np.argsort(group, kind="stable")] = choice[np.lexsort((choice, group))]
    return ordered


def _transport(
    gain: NDArray[np.float64], capacity: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Best assignment of a few debtors: one option each, pools within capacity; and the pools' prices."""
    import scipy.sparse as sp
    from scipy.optimize import linprog

    n, n_pools = gain.shape[1], len(capacity)
    option, who = np.nonzero(gain[:n_pools] > -np.inf)
    choice = np.full(n, n_pools, dtype=np.int64)
    if len(who) == 0:
        return choice, np.zeros(n_pools)
    extra = gain[option, who] - gain[n_pools, who]
    scale = max(float(np.abs(extra).max()), 1e-300)
    columns = np.arange(len(who))
    rows = sp.csr_array(
        (
            np.ones(2 * len(who)),
            (np.concatenate([option, n_pools + who]), np.concatenate([columns, columns])),
        ),
        shape=(n_pools + n, len(who)),
    )
    limits = np.concatenate([capacity, np.ones(n, dtype=np.int64)])
    solved = linprog(-extra / scale, A_ub=rows, b_ub=limits, bounds=(0.0, 1.0), method="highs-ds")
    if solved.x is None:
        msg = f"the allocation's linear programme failed: {solved.message}"
        raise RecobroError(msg)
    chosen = np.flatnonzero(solved.x > 0.5)
    choice[who[chosen]] = option[chosen]
    return choice, np.maximum(-solved.ineqlin.marginals[:n_pools] * scale, 0.0)
