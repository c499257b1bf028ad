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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.compiled import entered, lent
from recobro_score.data.events import EventStore, EventTable
from recobro_score.money import MISSING_MONEY

if TYPE_CHECKING:
    import pandas as pd

BUCKETS = ("0", "1-30", "31-60", "61-90", "91-180", "181+")
UNKNOWN_BUCKET = -1
BUCKET_STARTS = np.array([0.0, 1.0, 31.0, 61.0, 91.0, 181.0])
"""Days past due at which each bucket begins."""

_ALWAYS = int(np.iinfo(np.int64).min)


class Schedule(NamedTuple):
    """Instalments as compiled code reads them: amounts in minor units, 1 where a plan made them."""

    offsets: NDArray[np.int64]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    amount: NDArray[np.int64]
    in_plan: NDArray[np.int64]


class Payments(NamedTuple):
    """Payments as compiled code reads them; `recovery` is in minor units."""

    offsets: NDArray[np.int64]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    recovery: NDArray[np.int64]


class Balances(NamedTuple):
    """Dated balances as compiled code reads them; in minor units and days."""

    offsets: NDArray[np.int64]
    at: NDArray[np.int64]
    balance: NDArray[np.int64]
    dpd: NDArray[np.float64]


class Books(NamedTuple):
    """What tells an account's state."""

    schedule: Schedule
    payments: Payments
    balances: Balances


AT_ONCE = _ALWAYS
"""Stands for the instant itself in `states_of`."""


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
    bucket = np.searchsorted(BUCKET_STARTS[1:], dpd, side="right").astype(np.int8)
    return np.where(np.isnan(dpd), np.int8(UNKNOWN_BUCKET), bucket)


def frozen(array: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    """Return a contiguous read-only view, the one kind of array that compiled functions take."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def payments_of(store: EventStore) -> Payments:
    """Return the payments of a store for compiled code."""
    table = store.tables["payments"]
    arrays = (table.offsets, table.at, table.known_at, table.columns["recovery"])
    return Payments(*(frozen(array, np.int64) for array in arrays))


def in_plan(instalments: EventTable) -> NDArray[np.int64]:
    """Return 1 for each instalment that belongs to a plan, 0 for those of the contract."""
    return frozen(instalments.ids["plan_id"].is_valid().to_numpy(zero_copy_only=False), np.int64)


def books_of(store: EventStore) -> Books:
    """Return what tells the state of a store's accounts, for compiled code."""
    due, dated = store.tables["instalments"], store.tables["balances"]
    schedule = Schedule(
        frozen(due.offsets, np.int64),
        frozen(due.at, np.int64),
        frozen(due.known_at, np.int64),
        frozen(due.columns["amount"], np.int64),
        in_plan(due),
    )
    balances = Balances(
        frozen(dated.offsets, np.int64),
        frozen(dated.at, np.int64),
        frozen(dated.columns["balance"], np.int64),
        np.array(dated.columns["dpd"], np.float64),
    )
    return Books(schedule, payments_of(store), balances)


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
    moments = frozen(np.asarray(as_ofs), np.int64)
    size = store.n_accounts * len(moments)
    exposure = np.empty(size, np.int64)
    dpd = np.empty(size, np.float64)
    placed = np.empty(size, np.bool_)
    placements = store.tables["placements"]
    _fill(moments, books_of(store), frozen(store.accounts["principal"], np.int64), exposure, dpd)
    _fill_placed(
        moments,
        placements.offsets,
        placements.at,
        placements.known_at,
        placements.columns["recalled_at"],
        placed,
    )
    account = np.repeat(np.arange(store.n_accounts), len(moments))
    as_of = np.tile(moments, store.n_accounts)
    is_open = (store.accounts["opened_at"][account] < as_of) & (store.accounts["known_at"][account] < as_of)
    return AccountState(account, as_of, exposure, dpd, bucket_of(dpd), is_open, placed)


@lent
def states_of(
    books: Books,
    account: int,
    principal: int,
    instants: NDArray[np.int64],
    seen: tuple[int, int],
    exposure: NDArray[np.int64],
    dpd: NDArray[np.float64],
) -> None:
    """Fill an account's exposure (minor units) and days past due at instants (see the top of the module).

    ``seen`` is ``(until, known before)``: only money counts that stays to the end of a window, from payments
    known before then. `AT_ONCE` means the instant itself: the state as it was seen.
    """
    offsets, due_at, due_known_at, due_amount, in_plan = books.schedule
    due_rows = offsets[account], offsets[account + 1]
    offsets, paid_at, paid_known_at, recovery = books.payments
    paid_rows = offsets[account], offsets[account + 1]
    offsets, dated_at, balance, recorded_dpd = books.balances
    first, end = offsets[account], offsets[account + 1]
    for k in range(len(instants)):
        instant = instants[k]
        until = max(instant, seen[0])
        known_before = instant if seen[1] == AT_ONCE else seen[1]
        last = end - 1
        while last >= first and dated_at[last] >= instant:
            last -= 1
        has_balance = last >= first
        dated_on, recorded = instant, np.nan
        if has_balance:
            dated_on, recorded = dated_at[last], recorded_dpd[last]
            recorded = 0.0 if recorded < 0.0 else recorded
        aged = recorded + (instant - dated_on) // US_PER_DAY if recorded > 0.0 else recorded
        money, since_balance = _recovered(
            paid_at, paid_known_at, recovery, paid_rows, (instant, until, known_before), dated_on
        )
        has_schedule, owed, oldest = _scheduled(
            due_at,
            due_known_at,
            due_amount,
            in_plan,
            due_rows,
            (instant, dated_on if recorded == 0.0 else _ALWAYS),
            money,
        )
        days = np.nan
        if has_schedule:
            owed = max(owed - money, 0)
            days = float((instant - oldest) // US_PER_DAY)
            if recorded > 0.0:
                days = min(days, aged)
        elif has_balance:
            owed, days = max(balance[last] - since_balance, 0), aged
        else:
            owed = max(principal - money, 0) if principal != MISSING_MONEY else MISSING_MONEY
        exposure[k] = owed
        dpd[k] = 0.0 if owed == 0 else days


@lent
def _recovered(
    at: NDArray[np.int64],
    known_at: NDArray[np.int64],
    recovery: NDArray[np.int64],
    rows: tuple[int, int],
    seen: tuple[int, int, int],
    since: int,
) -> tuple[int, int]:
    """Return what was recovered before the instant and stayed, in all and in ``[since, instant)``.

    What stayed is the least total up to the end of the window; ``seen`` is instant, end, known before.
    """
    instant, until, known_before = seen
    total, stayed, recent, recent_stayed = 0, 0, 0, 0
    for row in range(rows[0], rows[1]):
        if at[row] >= until:
            break
        if known_at[row] < known_before:
            total += recovery[row]
            if at[row] < instant or total < stayed:
                stayed = total
            if at[row] >= since:
                recent += recovery[row]
                if at[row] < instant or recent < recent_stayed:
                    recent_stayed = recent
    return stayed, recent_stayed


@lent
def _scheduled(
    at: NDArray[np.int64],
    known_at: NDArray[np.int64],
    amount: NDArray[np.int64],
    in_plan: NDArray[np.int64],
    rows: tuple[int, int],
    seen: tuple[int, int],
    paid: int,
) -> tuple[bool, int, int]:
    """Return whether a schedule is known, what fell due, and the due date of the oldest uncovered part.

    ``seen`` is the instant, and the one before which nothing counts as late.
    """
    instant, since = seen
    known, due, oldest = False, 0, instant
    for row in range(rows[0], rows[1]):
        if in_plan[row] != 0 or known_at[row] >= instant:
            continue
        known = True
        if at[row] >= instant:
            break
        due += amount[row]
        if due > paid and oldest == instant and at[row] >= since:
            oldest = at[row]
    return known, due, oldest


@entered
def _fill(
    moments: NDArray[np.int64],
    books: Books,
    principal: NDArray[np.int64],
    exposure: NDArray[np.int64],
    dpd: NDArray[np.float64],
) -> None:
    size = len(moments)
    instants = moments.copy()  # writable, as elsewhere: a read-only one would be compiled for on its own
    for account in range(len(principal)):
        pairs = slice(account * size, (account + 1) * size)
        states_of(
            books, account, principal[account], instants, (AT_ONCE, AT_ONCE), exposure[pairs], dpd[pairs]
        )


@entered
def _fill_placed(
    moments: NDArray[np.int64],
    offsets: NDArray[np.int64],
    placed_at: NDArray[np.int64],
    known_at: NDArray[np.int64],
    recalled_at: NDArray[np.int64],
    placed: NDArray[np.bool_],
) -> None:
    """Tell who is in our hands: within a visible placement, or without any."""
    pair = 0
    for account in range(len(offsets) - 1):
        for as_of in moments:
            seen, held = False, False
            for row in range(offsets[account], offsets[account + 1]):
                if placed_at[row] < as_of and known_at[row] < as_of:
                    seen = True
                    held = held or recalled_at[row] > as_of
            placed[pair] = held or not seen
            pair += 1
