"""Statuses judged as of the snapshot: promises kept or broken, instalments paid or not, plans begun or ended.

`judge` fills one code per row of an account, from nothing but rows visible at the as-of, and the judged
numbers of the table. Codes and numbers are those of `recobro_score.features.readable`:

* ``promises.due_in``: days from the as-of to the due date;
* ``instalments.lateness``: whole days from the due date until recoveries covered the schedule up to the row
  for good, or until the as-of if they do not yet (missing when that lies ahead); 0 when in time;
* ``instalments.covered``: share of the amount that recoveries cover, oldest instalment first.

An instalment is paid in time if it was covered within a day of its due instant: days past due are whole days.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.compiled import lent
from recobro_score.data.state import Payments
from recobro_score.features.bisection import first_not_before
from recobro_score.features.readable import UNJUDGED
from recobro_score.money import MISSING_MONEY

PERMILLE = 1000

NOBODY, DATES, PROMISES, INSTALMENTS = range(4)
"""Who judges the rows of a table."""

OPEN, KEPT, BROKEN = range(3)
"""Codes of promises."""

_UNPAID, _ON_TIME, _IN_PLAN, _PARTIAL, _LATE = range(5)


class Told(NamedTuple):
    """What a table's rows are judged by.

    ``kind`` is who judges. ``own[i, row]`` holds the row's later dates (as many as ``dates``), or its amount
    and, of a promise, its due date; of an instalment, 1 if it belongs to a plan. ``rule`` is the grace of
    promises in microseconds and the thousandths of the amount that are enough. ``allows[code]`` are the
    filters that a status lets pass. ``payments`` are all payments.
    """

    kind: int
    dates: int
    own: NDArray[np.int64]
    rule: tuple[int, int]
    allows: NDArray[np.uint64]
    payments: Payments


@lent
def judge(
    told: Told,
    account: int,
    rows: tuple[int, int],
    at: NDArray[np.int64],
    known_at: NDArray[np.int64],
    as_of: int,
    filled: tuple[NDArray[np.uint8], NDArray[np.float64]],
    lowest: NDArray[np.int64],
) -> None:
    """Fill the codes and judged numbers of the rows ``begin … end − 1`` of an account.

    `lowest` is scratch for two numbers of each of its payments.
    """
    if told.kind == DATES:
        _judge_dates(told.own, told.dates, rows, as_of, filled[0])
        return
    offsets, paid_at, paid_known_at, recovery = told.payments
    paid = offsets[account], offsets[account + 1]
    if told.kind == PROMISES:
        begin, end = rows
        for row in range(begin, end):
            amount, due = told.own[0, row], told.own[1, row]
            terms = (amount, at[row], due)
            code = fate(terms, paid_at, paid_known_at, recovery, paid, (as_of, as_of), told.rule)
            filled[0][row - begin] = UNJUDGED if amount == MISSING_MONEY else code
            filled[1][0, row - begin] = (due - as_of) / US_PER_DAY if due != NEVER else np.nan
    else:
        seen = _recoveries(paid_at, paid_known_at, recovery, paid, as_of, lowest)
        _judge_instalments(told.own, rows, at, known_at, as_of, seen, lowest, filled)


@lent
def fate(
    terms: tuple[int, int, int],
    paid_at: NDArray[np.int64],
    paid_known_at: NDArray[np.int64],
    recovery: NDArray[np.int64],
    paid: tuple[int, int],
    seen: tuple[int, int],
    rule: tuple[int, int],
) -> int:
    """Return what had become of a promise: open, kept or broken.

    Kept: recoveries paid in ``[promised, due + grace)`` before the instant reach the amount.

    Parameters
    ----------
    terms : (amount, promised at, due at)
        The promise.
    paid_at, paid_known_at, recovery : int64 arrays
        All payments; those of the account are the rows ``paid``.
    seen : (instant, known before)
        When it is judged, and before when a payment must have been known.
    rule : (grace, thousandths of the amount that are enough)
    """
    amount, promised_at, due = terms
    grace, permille = rule
    instant, known_before = seen
    deadline = due + grace if due < NEVER - grace else NEVER
    until = min(deadline, instant)
    recovered = 0
    payment = first_not_before(paid_at, paid[0], paid[1], promised_at)
    while payment < paid[1] and paid_at[payment] < until:
        if paid_known_at[payment] < known_before:
            recovered += recovery[payment]
        payment += 1
    if recovered * PERMILLE >= amount * permille:
        return KEPT
    return BROKEN if deadline <= instant else OPEN


@lent
def _recoveries(
    paid_at: NDArray[np.int64],
    paid_known_at: NDArray[np.int64],
    recovery: NDArray[np.int64],
    paid: tuple[int, int],
    as_of: int,
    lowest: NDArray[np.int64],
) -> tuple[int, int]:
    """Return how many payments are visible, and what they recovered.

    ``lowest[0, k]`` is the least that was recovered in all from payment k on, ``lowest[1, k]`` when that was.
    """
    count, recovered = 0, 0
    for payment in range(paid[0], paid[1]):
        if paid_at[payment] >= as_of:
            break
        if paid_known_at[payment] < as_of:
            recovered += recovery[payment]
            lowest[0, count], lowest[1, count] = recovered, paid_at[payment]
            count += 1
    for k in range(count - 2, -1, -1):
        lowest[0, k] = min(lowest[0, k], lowest[0, k + 1])
    return count, recovered


@lent
def _judge_instalments(
    own: NDArray[np.int64],
    rows: tuple[int, int],
    at: NDArray[np.int64],
    known_at: NDArray[np.int64],
    as_of: int,
    seen: tuple[int, int],
    lowest: NDArray[np.int64],
    filled: tuple[NDArray[np.uint8], NDArray[np.float64]],
) -> None:
    """Paid: what was recovered before the as-of covers the schedule up to the row, oldest first."""
    count, recovered = seen
    code, value = filled
    least, when = lowest[0], lowest[1]
    due, covering = 0, 0
    for row in range(rows[0], rows[1]):
        place = row - rows[0]
        amount = own[0, row]
        value[0, place] = value[1, place] = np.nan
        if own[1, row] != 0:
            code[place] = _IN_PLAN
        elif known_at[row] >= as_of or amount == MISSING_MONEY:
            code[place] = UNJUDGED
        else:
            due += amount
            covering = first_not_before(least, 0, count, due)
            late = np.nan
            if due <= 0 and covering == 0:
                late = 0.0
            elif covering < count:
                late = float(max(0, (when[covering] - at[row]) // US_PER_DAY))
            elif at[row] < as_of:
                late = float((as_of - at[row]) // US_PER_DAY)
            value[0, place] = late
            if amount > 0:
                value[1, place] = min(max(recovered - due + amount, 0), amount) / amount
            if recovered >= due:
                code[place] = _LATE if late > 0.0 else _ON_TIME
            else:
                code[place] = _PARTIAL if recovered > due - amount else _UNPAID


@lent
def _judge_dates(
    dates: NDArray[np.int64], count: int, rows: tuple[int, int], as_of: int, code: NDArray[np.uint8]
) -> None:
    """Bit ``i`` of the code is set once the row's date ``i`` has passed."""
    for row in range(rows[0], rows[1]):
        status = 0
        for i in range(count):
            if dates[i, row] < as_of:
                status |= 1 << i
        code[row - rows[0]] = status
