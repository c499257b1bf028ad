"""Days past due through a window: how few and how many an account reached between its rows.

Days past due are those of `recobro_score.data.state`, with one difference: a payment counts from the instant
it was made, though it became known later. Between two rows they can only grow, so looking just before and
just after every row misses nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.compiled import entered, lent
from recobro_score.data.events import EventStore
from recobro_score.data.state import AT_ONCE, Books, books_of, frozen, states_of


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
    fewest = np.full(store.n_accounts * len(as_ofs), np.nan)
    most = np.full(len(fewest), np.nan)
    principal = frozen(store.accounts["principal"], np.int64)
    moments = frozen(as_ofs, np.int64)
    _scan(moments, horizon, observed_until, books_of(store), principal, fewest, most)
    return Arrears(fewest, most)


@lent
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


@entered
def _scan(
    as_ofs: NDArray[np.int64],
    horizon: int,
    observed_until: int,
    books: Books,
    principal: NDArray[np.int64],
    fewest: NDArray[np.float64],
    most: NDArray[np.float64],
) -> None:
    due, paid, dated = books.schedule, books.payments, books.balances
    pair = 0
    for account in range(len(principal)):
        rows = 2 * (due.offsets[account + 1] - due.offsets[account])
        rows += paid.offsets[account + 1] - paid.offsets[account]
        rows += dated.offsets[account + 1] - dated.offsets[account]
        instants, owed = np.empty(2 * rows + 2, np.int64), np.empty(2 * rows + 2, np.int64)
        days = np.empty((2, 2 * rows + 2))
        for begin in as_ofs:
            end = begin + horizon
            instants[0], instants[1] = begin, end
            count = 2
            count = _collect(due.at, due.offsets, account, begin, end, instants, count)
            count = _collect(due.known_at, due.offsets, account, begin, end, instants, count)
            count = _collect(paid.at, paid.offsets, account, begin, end, instants, count)
            count = _collect(dated.at, dated.offsets, account, begin, end, instants, count)
            stays, stood = days[0, :count], days[1, :count]
            for until, filled in ((end, stays), (AT_ONCE, stood)):
                seen = (until, observed_until)
                states_of(books, account, principal[account], instants[:count], seen, owed[:count], filled)
            fewest[pair], most[pair] = _least(stays), -_least(-stood)
            pair += 1


@lent
def _least(days: NDArray[np.float64]) -> float:
    """Return the least number; NaN without any."""
    least = np.nan
    for one in days:
        if one < least or np.isnan(least):
            least = one
    return float(least)
