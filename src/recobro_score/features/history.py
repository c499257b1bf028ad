"""The account's state as it stood earlier, and what the debtor's accounts make together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore
from recobro_score.data.state import BUCKETS, account_state
from recobro_score.features.program import StateProgram
from recobro_score.features.recipes import Recipe, Window
from recobro_score.money import MISSING_MONEY, to_major

Values = NDArray[np.float64]

_STARTS = np.array([float(words.rstrip("+").split("-")[0]) for words in BUCKETS])
"""Days past due at which each bucket begins."""


@dataclass(frozen=True, slots=True, eq=False)
class StateScan:
    """State columns of every (account, as-of), ready to be copied block by block."""

    columns: tuple[tuple[int, Values], ...]

    def run(self, scale: Values, first: int, last: int, out: Values) -> None:  # noqa: ARG002
        """Fill the program's columns for the accounts ``first … last − 1``."""
        for dest, values in self.columns:
            out[:, dest] = values[first:last].ravel()


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The accounts' state some days before each as-of: arrays (n_accounts, m), missing while closed."""

    exposure: NDArray[np.int64]
    dpd: Values
    bucket: Values
    open: NDArray[np.bool_]


def bind_state(program: StateProgram, store: EventStore, as_ofs: NDArray[np.int64]) -> StateScan:
    """Compute the state columns of a store at its as-ofs."""
    lags = sorted({_days_before(recipe) for _, recipe in program.columns})
    moments = np.concatenate([as_ofs - round(lag * US_PER_DAY) for lag in lags])
    state = account_state(store, moments)
    shape = (store.n_accounts, len(lags), len(as_ofs))
    is_open = state.open.reshape(shape)
    exposure = np.where(is_open, state.exposure.reshape(shape), MISSING_MONEY)
    dpd = np.where(is_open, state.dpd.reshape(shape), np.nan)
    bucket = np.where(is_open & (state.bucket.reshape(shape) >= 0), state.bucket.reshape(shape), np.nan)
    places = {
        lag: _State(exposure[:, k], dpd[:, k], bucket[:, k], is_open[:, k]) for k, lag in enumerate(lags)
    }
    return StateScan(
        tuple(
            (dest, _column(str(recipe.value), places[_days_before(recipe)], store))
            for dest, recipe in program.columns
        )
    )


def holders(store: EventStore) -> tuple[NDArray[np.int64], int]:
    """Return, per account, the group of the debtor's accounts in its currency, and the number of groups."""
    n_words = len(store.vocabularies["accounts.currency"]) + 1
    keys = store.account_debtor * n_words + store.accounts["currency"]
    groups, group = np.unique(keys, return_inverse=True)
    return group.reshape(-1), len(groups)


def _days_before(recipe: Recipe) -> float:
    return -recipe.window.days_to if isinstance(recipe.window, Window) and recipe.window.days_to else 0.0


def _column(name: str, state: _State, store: EventStore) -> Values:
    if name == "exposure":
        return _major(state.exposure, store)
    if name == "dpd":
        return state.dpd
    if name == "bucket":
        return state.bucket
    if name == "days_in_bucket":
        known = ~np.isnan(state.bucket)
        starts = _STARTS[np.where(known, state.bucket, 0).astype(np.int64)]
        return np.where(known, state.dpd - starts, np.nan)
    if name == "debtor_exposure":
        return _debtor_exposure(state, store)
    if name == "debtor_accounts":
        count = np.zeros((len(store.debtor_ids), state.open.shape[1]))
        np.add.at(count, store.account_debtor, state.open)
        return np.where(state.open, count[store.account_debtor], np.nan)
    return np.where(state.open, _worst_of_others(state.dpd, store.account_debtor), np.nan)


def _major(minor: NDArray[np.int64], store: EventStore) -> Values:
    return to_major(minor.ravel(), np.repeat(store.digits, minor.shape[1])).reshape(minor.shape)


def _debtor_exposure(state: _State, store: EventStore) -> Values:
    """Return the exposure of the debtor's open accounts in the account's currency."""
    group, n_groups = holders(store)
    total = np.zeros((n_groups, state.open.shape[1]), np.int64)
    np.add.at(total, group, np.where(state.exposure == MISSING_MONEY, 0, state.exposure))
    return _major(np.where(state.exposure == MISSING_MONEY, MISSING_MONEY, total[group]), store)


def _worst_of_others(dpd: Values, debtor: NDArray[np.int64]) -> Values:
    """Return the most days past due among the debtor's other accounts; missing without any."""
    known = np.where(np.isnan(dpd), -np.inf, dpd)
    n_debtors = int(debtor.max()) + 1 if len(debtor) else 0
    top = np.full((n_debtors, dpd.shape[1]), -np.inf)
    np.maximum.at(top, debtor, known)
    is_top = known == top[debtor]
    times = np.zeros(top.shape, np.int64)
    np.add.at(times, debtor, is_top)
    second = np.full(top.shape, -np.inf)
    np.maximum.at(second, debtor, np.where(is_top, -np.inf, known))
    worst = np.where(is_top & (times[debtor] == 1), second[debtor], top[debtor])
    return np.where(np.isneginf(worst), np.nan, worst)
