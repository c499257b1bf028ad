"""Statuses judged as of the snapshot: promises kept or broken, instalments paid or not, plans begun or ended.

Each compiled judge fills one code per (account, as-of, row), from nothing but rows visible at that as-of, and
the judged numbers of the table. Codes and numbers are those of `recobro_score.features.readable`:

* ``promises.due_in``: days from the as-of to the due date;
* ``instalments.lateness``: whole days from the due date until recoveries covered the schedule up to the row
  for good, or until the as-of if they do not yet (missing when that lies ahead); 0 when in time;
* ``instalments.covered``: share of the amount that recoveries cover, oldest instalment first.

An instalment is paid in time if it was covered within a day of its due instant: days past due are whole days.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.features.kernel import first_not_before, frozen, record
from recobro_score.features.readable import UNJUDGED
from recobro_score.money import MISSING_MONEY

PERMILLE = 1000

_OPEN, _KEPT, _BROKEN = range(3)
_UNPAID, _ON_TIME, _IN_PLAN, _PARTIAL, _LATE = range(5)


class Payments(NamedTuple):
    """The payments that promises and instalments are judged by; `recovery` is in minor units."""

    offsets: NDArray[np.int64]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    recovery: NDArray[np.int64]


class Dated(NamedTuple):
    """Rows to be judged: their groups, clocks, amounts (minor units) and one more value per row.

    ``extra`` is the due date of a promise, or 1 for an instalment of a plan.
    """

    offsets: NDArray[np.int64]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    amount: NDArray[np.int64]
    extra: NDArray[np.int64]


class Filled(NamedTuple):
    """What a judge fills, in the order account, as-of, row: a code, and one column of judged numbers."""

    code: NDArray[np.uint8]
    value: NDArray[np.float64]


def _promises(
    rows: Dated,
    payments: Payments,
    as_ofs: NDArray[np.int64],
    grace: int,
    permille: int,
    first: int,
    last: int,
    filled: Filled,
) -> None:
    """Kept: recoveries visible at the as-of and paid in ``[promised, due + grace)`` reach the amount."""
    code = filled.code
    place = 0
    for account in range(first, last):
        begin = payments.offsets[account]
        end = payments.offsets[account + 1]
        for as_of in as_ofs:
            for row in range(rows.offsets[account], rows.offsets[account + 1]):
                due = rows.extra[row]
                deadline = due + grace if due < NEVER - grace else NEVER
                until = min(deadline, as_of)
                recovered = 0
                payment = first_not_before(payments.at, begin, end, rows.at[row])
                while payment < end and payments.at[payment] < until:
                    if payments.known_at[payment] < as_of:
                        recovered += payments.recovery[payment]
                    payment += 1
                if rows.amount[row] == MISSING_MONEY:
                    code[place] = UNJUDGED
                elif recovered * PERMILLE >= rows.amount[row] * permille:
                    code[place] = _KEPT
                else:
                    code[place] = _BROKEN if deadline <= as_of else _OPEN
                filled.value[0, place] = (due - as_of) / US_PER_DAY if due != NEVER else np.nan
                place += 1


@numba.njit(nogil=True, cache=True)
def _recoveries(
    payments: Payments, account: int, as_of: int, at: NDArray[np.int64], lowest: NDArray[np.int64]
) -> tuple[int, int]:
    """Return how many payments are visible, and what they recovered.

    ``at[k]`` is when payment k was made, ``lowest[k]`` the least that was recovered in all from then on.
    """
    count, recovered = 0, 0
    for payment in range(payments.offsets[account], payments.offsets[account + 1]):
        if payments.at[payment] >= as_of:
            break
        if payments.known_at[payment] < as_of:
            recovered += payments.recovery[payment]
            at[count] = payments.at[payment]
            lowest[count] = recovered
            count += 1
    for k in range(count - 2, -1, -1):
        lowest[k] = min(lowest[k], lowest[k + 1])
    return count, recovered


@numba.njit(nogil=True, cache=True)
def _days_late(
    due: int, due_at: int, as_of: int, count: int, at: NDArray[np.int64], lowest: NDArray[np.int64]
) -> float:
    """Return the whole days from a due date until one of `count` payments covered the schedule for good."""
    covering = first_not_before(lowest, 0, count, due)
    if due <= 0 and covering == 0:
        return 0.0
    if covering < count:
        return float(max(0, (at[covering] - due_at) // US_PER_DAY))
    return float((as_of - due_at) // US_PER_DAY) if due_at < as_of else np.nan


def _instalments(
    rows: Dated,
    payments: Payments,
    as_ofs: NDArray[np.int64],
    first: int,
    last: int,
    filled: Filled,
) -> None:
    """Paid: what was recovered before the as-of covers the schedule up to the row, oldest first."""
    most = 0
    for account in range(first, last):
        most = max(most, payments.offsets[account + 1] - payments.offsets[account])
    at, lowest = np.empty(most, np.int64), np.empty(most, np.int64)
    code, value = filled.code, filled.value
    place = 0
    for account in range(first, last):
        if rows.offsets[account] == rows.offsets[account + 1]:
            continue
        for as_of in as_ofs:
            count, recovered = _recoveries(payments, account, as_of, at, lowest)
            due = 0
            for row in range(rows.offsets[account], rows.offsets[account + 1]):
                amount = rows.amount[row]
                value[0, place] = value[1, place] = np.nan
                if rows.extra[row] != 0:
                    code[place] = _IN_PLAN
                elif rows.known_at[row] >= as_of or amount == MISSING_MONEY:
                    code[place] = UNJUDGED
                else:
                    due += amount
                    late = _days_late(due, rows.at[row], as_of, count, at, lowest)
                    value[0, place] = late
                    if amount > 0:
                        value[1, place] = min(max(recovered - due + amount, 0), amount) / amount
                    if recovered >= due:
                        code[place] = _LATE if late > 0.0 else _ON_TIME
                    else:
                        code[place] = _PARTIAL if recovered > due - amount else _UNPAID
                place += 1


def _dates(
    offsets: NDArray[np.int64],
    owners: NDArray[np.int64],
    dates: NDArray[np.int64],
    as_ofs: NDArray[np.int64],
    first: int,
    last: int,
    filled: Filled,
) -> None:
    """Bit ``i`` of the code is set once the row's date ``i`` has passed."""
    place = 0
    for account in range(first, last):
        owner = owners[account]
        for as_of in as_ofs:
            for row in range(offsets[owner], offsets[owner + 1]):
                status = 0
                for i in range(dates.shape[0]):
                    if dates[i, row] < as_of:
                        status |= 1 << i
                filled.code[place] = status
                place += 1


_I1, _I2 = frozen(types.int64, 1), frozen(types.int64, 2)
_FILLED = record(Filled, types.Array(types.uint8, 1, "C"), types.Array(types.float64, 2, "C"))
_PAYMENTS = record(Payments, _I1, _I1, _I1, _I1)
_DATED = record(Dated, _I1, _I1, _I1, _I1, _I1)
_RANGE = (types.int64, types.int64, _FILLED)


@cache
def judge_promises() -> Callable[..., None]:
    """Return the compiled judge ``(rows, payments, as_ofs, grace, permille, first, last, filled)``."""
    signature = types.void(_DATED, _PAYMENTS, _I1, types.int64, types.int64, *_RANGE)
    compiled: Callable[..., None] = numba.njit(signature, nogil=True, cache=True)(_promises)
    return compiled


@cache
def judge_instalments() -> Callable[..., None]:
    """Return the compiled judge ``(rows, payments, as_ofs, first, last, filled)``."""
    signature = types.void(_DATED, _PAYMENTS, _I1, *_RANGE)
    compiled: Callable[..., None] = numba.njit(signature, nogil=True, cache=True)(_instalments)
    return compiled


@cache
def judge_dates() -> Callable[..., None]:
    """Return the compiled judge ``(offsets, owners, dates, as_ofs, first, last, filled)``."""
    signature = types.void(_I1, _I1, _I2, _I1, *_RANGE)
    compiled: Callable[..., None] = numba.njit(signature, nogil=True, cache=True)(_dates)
    return compiled
