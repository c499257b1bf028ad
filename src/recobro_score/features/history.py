"""The account's state as it stood earlier, and what the debtor's accounts make together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.compiled import entered, lent
from recobro_score.data.events import EventStore
from recobro_score.data.state import (
    AT_ONCE,
    BUCKET_STARTS,
    Books,
    account_state,
    books_of,
    frozen,
    states_of,
)
from recobro_score.features.program import StateProgram
from recobro_score.features.readable import DEBTOR_STATE, STATE
from recobro_score.money import MISSING_MONEY, to_major

Values = NDArray[np.float64]

_EXPOSURE, _DPD, _BUCKET, _DAYS_IN_BUCKET, _DEBTOR_EXPOSURE, _DEBTOR_ACCOUNTS, _OTHERS_DPD = range(len(STATE))
"""What a column holds, in the order of `STATE`."""


@dataclass(frozen=True, slots=True, eq=False)
class StateScan:
    """A state program bound to a store: the accounts' own columns, and those of debtors with several."""

    program: StateProgram
    books: Books
    principal: NDArray[np.int64]
    opened_at: NDArray[np.int64]
    as_ofs: NDArray[np.int64]
    of_debtors: tuple[tuple[int, Values], ...]

    def run(self, scale: Values, first: int, last: int, out: Values) -> None:
        """Fill the program's columns for the accounts ``first … last − 1``."""
        accounts = (first, last)
        code, lags = self.program.code, self.program.lags
        _scan(self.books, self.principal, self.opened_at, (self.as_ofs, lags), code, scale, accounts, out)
        for dest, values in self.of_debtors:
            out[:, dest] = values[first:last].ravel()


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The accounts' state some days before each as-of: arrays (n_accounts, m), missing while closed."""

    exposure: NDArray[np.int64]
    dpd: Values
    open: NDArray[np.bool_]


def bind_state(program: StateProgram, store: EventStore, as_ofs: NDArray[np.int64]) -> StateScan:
    """Bind a state program to a store and its as-ofs."""
    opened_at = np.maximum(store.accounts["opened_at"], store.accounts["known_at"])
    alone = (
        len(store.debtor_ids) >= store.n_accounts and len(np.unique(store.account_debtor)) == store.n_accounts
    )
    return StateScan(
        program,
        books_of(store),
        frozen(store.accounts["principal"], np.int64),
        frozen(opened_at, np.int64),
        frozen(as_ofs, np.int64),
        () if alone else tuple(_of_debtors(program, store, as_ofs)),
    )


@entered
def _scan(
    books: Books,
    principal: NDArray[np.int64],
    opened_at: NDArray[np.int64],
    moments: tuple[NDArray[np.int64], NDArray[np.int64]],
    code: NDArray[np.int64],
    scale: Values,
    accounts: tuple[int, int],
    out: Values,
) -> None:
    as_ofs, lags = moments
    exposure, dpd = np.empty(len(lags), np.int64), np.empty(len(lags))
    instants = np.empty(len(lags), np.int64)
    pair = 0
    for account in range(accounts[0], accounts[1]):
        facts = (principal[account], opened_at[account], scale[account])
        for as_of in as_ofs:
            for k in range(len(lags)):
                instants[k] = as_of - lags[k]
            fill_state(books, account, facts, instants, code, (exposure, dpd), out[pair])
            pair += 1


@lent
def fill_state(
    books: Books,
    account: int,
    facts: tuple[int, int, float],
    instants: NDArray[np.int64],
    code: NDArray[np.int64],
    room: tuple[NDArray[np.int64], Values],
    out: Values,
) -> None:
    """Fill the state columns of an account, as if its debtor held no other.

    ``facts`` are its principal, the instant it was opened and known, and the minor units of a major one;
    ``room`` is scratch as long as the instants.
    """
    principal, opened_at, scale = facts
    exposure, dpd = room
    states_of(books, account, principal, instants, (AT_ONCE, AT_ONCE), exposure, dpd)
    for k in range(len(code)):
        what, lag = code[k, 0], code[k, 1]
        value = np.nan
        if opened_at < instants[lag]:
            days = dpd[lag]
            if what in (_EXPOSURE, _DEBTOR_EXPOSURE):
                value = exposure[lag] / scale if exposure[lag] != MISSING_MONEY else np.nan
            elif what == _DPD:
                value = days
            elif what == _DEBTOR_ACCOUNTS:
                value = 1.0
            elif what != _OTHERS_DPD and days == days:
                bucket = 0
                while bucket + 1 < len(BUCKET_STARTS) and days >= BUCKET_STARTS[bucket + 1]:
                    bucket += 1
                value = float(bucket) if what == _BUCKET else days - BUCKET_STARTS[bucket]
        out[code[k, 2]] = value


def holders(store: EventStore) -> tuple[NDArray[np.int64], int]:
    """Return, per account, the group of the debtor's accounts in its currency, and the number of groups."""
    n_words = len(store.vocabularies["accounts.currency"]) + 1
    keys = store.account_debtor * n_words + store.accounts["currency"]
    groups, group = np.unique(keys, return_inverse=True)
    return group.reshape(-1), len(groups)


def _of_debtors(
    program: StateProgram, store: EventStore, as_ofs: NDArray[np.int64]
) -> list[tuple[int, Values]]:
    """Return the columns that look at all accounts of a debtor: destination and array (n_accounts, m)."""
    names = list(STATE)
    columns = []
    for what, lag, dest in program.code.tolist():
        if names[what] in DEBTOR_STATE:
            state = account_state(store, as_ofs - program.lags[lag])
            shape = (store.n_accounts, len(as_ofs))
            is_open = state.open.reshape(shape)
            seen = _State(
                np.where(is_open, state.exposure.reshape(shape), MISSING_MONEY),
                np.where(is_open, state.dpd.reshape(shape), np.nan),
                is_open,
            )
            columns.append((dest, _column(names[what], seen, store)))
    return columns


def _column(name: str, state: _State, store: EventStore) -> Values:
    if name == "debtor_exposure":
        return _debtor_exposure(state, store)
    if name == "debtor_accounts":
        count = np.zeros((len(store.debtor_ids), state.open.shape[1]))
        np.add.at(count, store.account_debtor, state.open)
        return np.where(state.open, count[store.account_debtor], np.nan)
    return np.where(state.open, _worst_of_others(state.dpd, store.account_debtor), np.nan)


def _debtor_exposure(state: _State, store: EventStore) -> Values:
    """Return the exposure of the debtor's open accounts in the account's currency."""
    group, n_groups = holders(store)
    total = np.zeros((n_groups, state.open.shape[1]), np.int64)
    np.add.at(total, group, np.where(state.exposure == MISSING_MONEY, 0, state.exposure))
    minor = np.where(state.exposure == MISSING_MONEY, MISSING_MONEY, total[group])
    return to_major(minor.ravel(), np.repeat(store.digits, minor.shape[1])).reshape(minor.shape)


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
