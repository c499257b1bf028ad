"""What an account owes and how late it is at an instant, from what was visible then.

Definitions (both clocks: a row is visible when it happened and was known before `as_of`; the contractual
schedule obeys the known clock only):

* exposure: contractual instalments due before `as_of` less recoveries; without any known instalment, the last
  dated balance less the recoveries since; without balances, principal less recoveries. Never below zero.
* recoveries: payments less reversals. Write-offs, fees, discounts and adjustments are no recovery.
* days past due: the age of the oldest instalment that recoveries do not cover, first in first out. A balance
  that records its own days past due bounds it: ``min(FIFO, recorded + days since)``, and when it recorded 0
  (or less: not due yet), only instalments due since then can be late. Without a schedule, the recorded days
  plus the days since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore
from recobro_score.money import MISSING_MONEY

if TYPE_CHECKING:
    import pandas as pd

BUCKETS = ("0", "1-30", "31-60", "61-90", "91-180", "181+")
UNKNOWN_BUCKET = -1
_BUCKET_STARTS = np.array([1.0, 31.0, 61.0, 91.0, 181.0])
_DAY = US_PER_DAY
_MISSING = MISSING_MONEY

_Columns = tuple[NDArray[Any], ...]
"""Columns of one table for the kernel: offsets first, then what each function unpacks."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """State of accounts at instants; pairs are account-major (account, then as-of).

    Attributes
    ----------
    account, as_of : int64 arrays, shape (n,)
        The pair: account code and instant.
    exposure : int64 array
        Minor units due; 0 = nothing, `MISSING_MONEY` = nothing known that could tell.
    dpd : float64 array
        Whole days past due; NaN = unknown.
    bucket : int8 array
        Index into `BUCKETS`; −1 = unknown.
    open : bool array
        The account was opened, and known, before `as_of`.
    placed : bool array
        In our hands: within a placement, or without any visible placement row.
    """

    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    exposure: NDArray[np.int64]
    dpd: NDArray[np.float64]
    bucket: NDArray[np.int8]
    open: NDArray[np.bool_]
    placed: NDArray[np.bool_]

    def frame(self) -> pd.DataFrame:
        """Return one row per pair with the columns of the attributes; bucket as text."""
        import pandas as pd

        words = np.array([*BUCKETS, None], dtype=object)
        return pd.DataFrame(
            {
                "account": self.account,
                "as_of": self.as_of.view("M8[us]"),
                "exposure": self.exposure,
                "dpd": self.dpd,
                "bucket": pd.array(words[self.bucket.astype(np.int64)], dtype="string"),
                "open": self.open,
                "placed": self.placed,
            }
        )


def bucket_of(dpd: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the bucket of days past due (−1 where they are not known)."""
    bucket = np.searchsorted(_BUCKET_STARTS, dpd, side="right").astype(np.int8)
    return np.where(np.isnan(dpd), np.int8(UNKNOWN_BUCKET), bucket)


def account_state(store: EventStore, as_ofs: Sequence[int] | NDArray[np.int64]) -> AccountState:
    """Return the state of every account of a store at every instant.

    Parameters
    ----------
    store : EventStore
        The portfolio.
    as_ofs : sequence of int
        Instants in µs UTC, shape (m,).

    Returns
    -------
    AccountState
        Arrays of length ``n_accounts * m``.
    """
    moments = np.asarray(as_ofs, dtype=np.int64)
    size = store.n_accounts * len(moments)
    exposure = np.empty(size, np.int64)
    dpd = np.empty(size, np.float64)
    placed = np.empty(size, np.bool_)
    instalments, payments = store.tables["instalments"], store.tables["payments"]
    balances, placements = store.tables["balances"], store.tables["placements"]
    contractual = np.asarray(instalments.ids["plan_id"].is_null().to_numpy(zero_copy_only=False))
    _scan(
        moments,
        (
            instalments.offsets,
            instalments.at,
            instalments.known_at,
            instalments.columns["amount"],
            contractual,
        ),
        (payments.offsets, payments.at, payments.known_at, payments.columns["recovery"]),
        (balances.offsets, balances.at, balances.columns["balance"], balances.columns["dpd"]),
        (placements.offsets, placements.at, placements.known_at, placements.columns["recalled_at"]),
        store.accounts["principal"],
        (exposure, dpd, placed),
    )
    account = np.repeat(np.arange(store.n_accounts), len(moments))
    as_of = np.tile(moments, store.n_accounts)
    is_open = (store.accounts["opened_at"][account] < as_of) & (store.accounts["known_at"][account] < as_of)
    return AccountState(account, as_of, exposure, dpd, bucket_of(dpd), is_open, placed)


@numba.njit(nogil=True, cache=True)
def _recovered(payments: _Columns, low: int, high: int, since: int, as_of: int) -> int:
    _, at, known_at, recovery = payments
    total = 0
    for row in range(low, high):
        if at[row] >= since and at[row] < as_of and known_at[row] < as_of:
            total += recovery[row]
    return total


@numba.njit(nogil=True, cache=True)
def _last_balance(balances: _Columns, low: int, high: int, as_of: int) -> int:
    _, at, _, _ = balances
    for row in range(high - 1, low - 1, -1):
        if at[row] < as_of:
            return row
    return -1


@numba.njit(nogil=True, cache=True)
def _scheduled(
    instalments: _Columns, account: int, paid: int, since: int, as_of: int
) -> tuple[bool, int, int]:
    """Return whether a schedule is known, what fell due, and the due date of the oldest uncovered part."""
    offsets, due_at, known_at, amount, contractual = instalments
    known = False
    due = 0
    oldest = as_of
    for row in range(offsets[account], offsets[account + 1]):
        if not contractual[row] or known_at[row] >= as_of:
            continue
        known = True
        if due_at[row] < as_of:
            due += amount[row]
            if due > paid and oldest == as_of and due_at[row] >= since:
                oldest = due_at[row]
    return known, due, oldest


@numba.njit(nogil=True, cache=True)
def _scan(
    moments: NDArray[np.int64],
    instalments: _Columns,
    payments: _Columns,
    balances: _Columns,
    placements: _Columns,
    principal: NDArray[np.int64],
    out: _Columns,
) -> None:
    exposure, dpd, placed = out
    for account in range(len(principal)):
        for position in range(len(moments)):
            as_of = moments[position]
            pair = account * len(moments) + position
            p_low, p_high = payments[0][account], payments[0][account + 1]
            paid = _recovered(payments, p_low, p_high, _MISSING, as_of)
            last = _last_balance(balances, balances[0][account], balances[0][account + 1], as_of)
            recorded = balances[3][last] if last >= 0 else np.nan
            if recorded < 0.0:
                recorded = 0.0
            dated = balances[1][last] if last >= 0 else as_of
            since = dated if recorded == 0.0 else _MISSING
            known, due, oldest = _scheduled(instalments, account, paid, since, as_of)
            aged = recorded
            if recorded > 0.0:
                aged = recorded + (as_of - dated) // _DAY
            if known:
                exposure[pair] = max(due - paid, 0)
                dpd[pair] = (as_of - oldest) // _DAY
                if recorded > 0.0:
                    dpd[pair] = min(dpd[pair], aged)
            elif last >= 0:
                exposure[pair] = max(balances[2][last] - _recovered(payments, p_low, p_high, dated, as_of), 0)
                dpd[pair] = aged
            else:
                owed = principal[account]
                exposure[pair] = max(owed - paid, 0) if owed != _MISSING else _MISSING
                dpd[pair] = np.nan
            if exposure[pair] == 0:
                dpd[pair] = 0.0
            placed[pair] = _in_hands(placements, placements[0][account], placements[0][account + 1], as_of)


@numba.njit(nogil=True, cache=True)
def _in_hands(placements: _Columns, low: int, high: int, as_of: int) -> bool:
    _, placed_at, known_at, recalled_at = placements
    seen = False
    for row in range(low, high):
        if placed_at[row] < as_of and known_at[row] < as_of:
            seen = True
            if recalled_at[row] > as_of:
                return True
    return not seen
