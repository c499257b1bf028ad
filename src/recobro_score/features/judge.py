"""Statuses judged as of the snapshot: promises kept or broken, instalments paid or not, plans begun or ended.

Each compiled judge fills one code per (account, as-of, row), from nothing but rows visible at that as-of. The
codes are those of `recobro_score.features.readable`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.features.kernel import first_not_before, frozen, record
from recobro_score.features.readable import UNJUDGED
from recobro_score.money import MISSING_MONEY

PERMILLE = 1000

_OPEN, _KEPT, _BROKEN = range(3)
_UNPAID, _PAID, _IN_PLAN = range(3)


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


def _promises(
    rows: Dated,
    payments: Payments,
    as_ofs: NDArray[np.int64],
    grace: int,
    permille: int,
    first: int,
    last: int,
    code: NDArray[np.uint8],
) -> None:
    """Kept: recoveries visible at the as-of and paid in ``[promised, due + grace)`` reach the amount."""
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
                place += 1


def _instalments(
    rows: Dated,
    payments: Payments,
    as_ofs: NDArray[np.int64],
    first: int,
    last: int,
    code: NDArray[np.uint8],
) -> None:
    """Paid: what was recovered before the as-of covers the schedule up to the row, oldest first."""
    place = 0
    for account in range(first, last):
        begin = payments.offsets[account]
        end = payments.offsets[account + 1]
        for as_of in as_ofs:
            recovered = 0
            for payment in range(begin, end):
                if payments.at[payment] >= as_of:
                    break
                if payments.known_at[payment] < as_of:
                    recovered += payments.recovery[payment]
            due = 0
            for row in range(rows.offsets[account], rows.offsets[account + 1]):
                if rows.extra[row] != 0:
                    code[place] = _IN_PLAN
                elif rows.known_at[row] >= as_of or rows.amount[row] == MISSING_MONEY:
                    code[place] = UNJUDGED
                else:
                    due += rows.amount[row]
                    code[place] = _PAID if recovered >= due else _UNPAID
                place += 1


def _dates(
    offsets: NDArray[np.int64],
    owners: NDArray[np.int64],
    dates: NDArray[np.int64],
    as_ofs: NDArray[np.int64],
    first: int,
    last: int,
    code: NDArray[np.uint8],
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
                code[place] = status
                place += 1


_I1, _I2 = frozen(types.int64, 1), frozen(types.int64, 2)
_CODE = types.Array(types.uint8, 1, "C")
_PAYMENTS = record(Payments, _I1, _I1, _I1, _I1)
_DATED = record(Dated, _I1, _I1, _I1, _I1, _I1)
_RANGE = (types.int64, types.int64, _CODE)


@cache
def judge_promises() -> Callable[..., None]:
    """Return the compiled judge ``(rows, payments, as_ofs, grace, permille, first, last, code)``."""
    signature = types.void(_DATED, _PAYMENTS, _I1, types.int64, types.int64, *_RANGE)
    compiled: Callable[..., None] = numba.njit(signature, nogil=True, cache=True)(_promises)
    return compiled


@cache
def judge_instalments() -> Callable[..., None]:
    """Return the compiled judge ``(rows, payments, as_ofs, first, last, code)``."""
    signature = types.void(_DATED, _PAYMENTS, _I1, *_RANGE)
    compiled: Callable[..., None] = numba.njit(signature, nogil=True, cache=True)(_instalments)
    return compiled


@cache
def judge_dates() -> Callable[..., None]:
    """Return the compiled judge ``(offsets, owners, dates, as_ofs, first, last, code)``."""
    signature = types.void(_I1, _I1, _I2, _I1, *_RANGE)
    compiled: Callable[..., None] = numba.njit(signature, nogil=True, cache=True)(_dates)
    return compiled
