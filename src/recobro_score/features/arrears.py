"""Days past due through a window: how few and how many an account reached between its rows.

Days past due are those of `recobro_score.data.state`, with one difference: a payment counts from the instant
it was made, though it became known later. Between two rows they can only grow, so looking just before and
just after every row misses nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore

_DAY = US_PER_DAY
_ALWAYS = int(np.iinfo(np.int64).min)

_Columns = tuple[NDArray[Any], ...]
"""Columns of one table for the compiled functions: offsets and event clock first."""


class Arrears(NamedTuple):
    """Fewest and most days past due in the window, per pair; NaN where they are never known.

    ``fewest`` lets only that money count which stays to the end of the window: a payment taken back cures
    nothing. ``most`` takes every instant as it was.
    """

    fewest: NDArray[np.float64]
    most: NDArray[np.float64]


def arrears_ahead(store: EventStore, as_ofs: NDArray[np.int64], horizon: int, observed_until: int) -> Arrears:
    """Return the days past due that every account passed through in ``[as_of, as_of + horizon)``.

    Parameters
    ----------
    store : EventStore
        The portfolio.
    as_ofs : int64 array, shape (m,)
        Microseconds UTC.
    horizon : int
        Length of the window in microseconds.
    observed_until : int
        Payments known at or after this instant do not count.

    Returns
    -------
    Arrears
        Arrays of ``n_accounts * m``, account-major.
    """
    instalments, payments = store.tables["instalments"], store.tables["payments"]
    balances = store.tables["balances"]
    contractual = np.asarray(instalments.ids["plan_id"].is_null().to_numpy(zero_copy_only=False))
    known = payments.known_at < observed_until
    fewest = np.full(store.n_accounts * len(as_ofs), np.nan)
    most = np.full(len(fewest), np.nan)
    _scan(
        (as_ofs, as_ofs + horizon),
        (
            instalments.offsets,
            instalments.at,
            instalments.known_at,
            instalments.columns["amount"],
            contractual,
        ),
        (payments.offsets, payments.at, np.where(known, payments.columns["recovery"], 0)),
        (balances.offsets, balances.at, balances.columns["balance"], balances.columns["dpd"]),
        store.accounts["principal"],
        (fewest, most),
    )
    return Arrears(fewest, most)


@numba.njit(nogil=True, cache=True)
def _money(payments: _Columns, account: int, since: int, instant: int, until: int) -> int:
    """Return what was recovered in ``[since, instant)`` and stayed: the least total up to `until`."""
    offsets, at, recovery = payments
    total = 0
    stayed = 0
    for row in range(offsets[account], offsets[account + 1]):
        if at[row] >= until:
            break
        if at[row] >= since:
            total += recovery[row]
            if at[row] < instant or total < stayed:
                stayed = total
    return stayed


@numba.njit(nogil=True, cache=True)
def _oldest_unpaid(
    instalments: _Columns, account: int, paid: int, since: int, instant: int
) -> tuple[bool, int, int]:
    """Return whether a schedule is known, what fell due, and the due date of the oldest uncovered part."""
    offsets, due_at, known_at, amount, contractual = instalments
    known, due, oldest = False, 0, instant
    for row in range(offsets[account], offsets[account + 1]):
        if contractual[row] and known_at[row] < instant:
            known = True
            if due_at[row] < instant:
                due += amount[row]
                if due > paid and oldest == instant and due_at[row] >= since:
                    oldest = due_at[row]
    return known, due, oldest


@numba.njit(nogil=True, cache=True)
def _days_past_due(
    instalments: _Columns,
    payments: _Columns,
    balances: _Columns,
    principal: NDArray[np.int64],
    account: int,
    instant: int,
    until: int,
) -> float:
    """Return the days past due at an instant, with the money that stays up to `until`."""
    offsets, dated_at, balance, recorded_dpd = balances
    last = -1
    for row in range(offsets[account], offsets[account + 1]):
        if dated_at[row] < instant:
            last = row
    recorded = recorded_dpd[last] if last >= 0 else np.nan
    if recorded < 0.0:
        recorded = 0.0
    dated = dated_at[last] if last >= 0 else instant
    aged = recorded + (instant - dated) // _DAY if recorded > 0.0 else recorded
    paid = _money(payments, account, _ALWAYS, instant, until)
    since = dated if recorded == 0.0 else _ALWAYS
    known, due, oldest = _oldest_unpaid(instalments, account, paid, since, instant)
    if known:
        days = float((instant - oldest) // _DAY)
        owed = due - paid
        if recorded > 0.0:
            days = min(days, aged)
    elif last >= 0:
        days = aged
        owed = balance[last] - _money(payments, account, dated, instant, until)
    else:
        days = np.nan
        owed = principal[account] - paid if principal[account] != _ALWAYS else 1
    return days if owed > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def _collect(
    times: NDArray[np.int64],
    offsets: NDArray[np.int64],
    account: int,
    begin: int,
    end: int,
    into: NDArray[np.int64],
    count: int,
) -> int:
    """Add the instants before and after each row of ``[begin, end)`` by one clock; return the new count."""
    for row in range(offsets[account], offsets[account + 1]):
        if begin <= times[row] < end:
            into[count] = times[row]
            into[count + 1] = times[row] + 1
            count += 2
    return count


@numba.njit(nogil=True, cache=True)
def _scan(
    moments: _Columns,
    instalments: _Columns,
    payments: _Columns,
    balances: _Columns,
    principal: NDArray[np.int64],
    out: _Columns,
) -> None:
    as_ofs, ends = moments
    fewest, most = out
    pair = 0
    for account in range(len(principal)):
        rows = 2 * (instalments[0][account + 1] - instalments[0][account])
        rows += payments[0][account + 1] - payments[0][account]
        rows += balances[0][account + 1] - balances[0][account]
        instants = np.empty(2 * rows + 2, np.int64)
        for j in range(len(as_ofs)):
            begin, end = as_ofs[j], ends[j]
            instants[0], instants[1] = begin, end
            count = 2
            count = _collect(instalments[1], instalments[0], account, begin, end, instants, count)
            count = _collect(instalments[2], instalments[0], account, begin, end, instants, count)
            count = _collect(payments[1], payments[0], account, begin, end, instants, count)
            count = _collect(balances[1], balances[0], account, begin, end, instants, count)
            for at in instants[:count]:
                stays = _days_past_due(instalments, payments, balances, principal, account, at, end)
                stood = _days_past_due(instalments, payments, balances, principal, account, at, at)
                if stays < fewest[pair] or np.isnan(fewest[pair]):
                    fewest[pair] = stays
                if stood > most[pair] or np.isnan(most[pair]):
                    most[pair] = stood
            pair += 1
