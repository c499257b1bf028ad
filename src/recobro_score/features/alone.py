"""One account in one compiled call: masks, scans, state, calendar and derived columns over all tables.

Everything runs through the functions of the batch; only the way in differs. All tables' rows lie one after
the other in two arrays, and all programs in one set of arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.compiled import called, entered
from recobro_score.data.state import Balances, Books, Payments, Schedule
from recobro_score.features import kernel
from recobro_score.features.history import fill_state
from recobro_score.features.judge import Told
from recobro_score.features.local_date import fill_calendar, fill_local
from recobro_score.features.masks import Tests, fill_mask

AT, KNOWN_AT, OWN, WHOLES = 0, 1, 2, 4
"""Rows of `Given.ints`: clocks, what the rows are judged by (two), and from `WHOLES` on money and words."""

FIRST_SLOT, LAST_SLOT, FIRST_EDGE, LAST_EDGE, FILTERS = range(5)
FIRST_LOOKUP, LAST_LOOKUP, FIRST_RANGE, LAST_RANGE, JUDGE, DATES = range(5, 11)
"""Columns of `Flat.programs`."""

DUE, PAID, DATED, DPD = range(4)
"""Places in `Flat.books`: the parts that hold instalments, payments, balances; the row of recorded days."""


class Flat(NamedTuple):
    """All programs of a plan in one set of arrays: those of program ``p`` as ``programs[p]`` tells.

    ``parts``, ``every`` and ``allows`` have a row per program; ``books`` says where the rows lie that tell
    the state; ``blank`` is the row of output of an account without any rows.
    """

    programs: NDArray[np.int64]
    code: NDArray[np.int64]
    half_life: NDArray[np.float64]
    spelled: NDArray[np.float64]
    parts: NDArray[np.int64]
    every: NDArray[np.uint64]
    lookups: NDArray[np.int64]
    bits: NDArray[np.uint64]
    ranges: NDArray[np.int64]
    limits: NDArray[np.float64]
    outside: NDArray[np.uint64]
    allows: NDArray[np.uint64]
    books: NDArray[np.int64]
    state: NDArray[np.int64]
    lags: NDArray[np.int64]
    calendar: NDArray[np.int64]
    static: NDArray[np.int64]
    derived: NDArray[np.int64]
    shown: NDArray[np.int64]
    blank: NDArray[np.float64]
    rule: tuple[int, int]


class Given(NamedTuple):
    """The rows of one account: part ``p`` is ``spans[p] … spans[p + 1] − 1`` of the columns of both arrays.

    ``local[k] = (part, row of reals, field)`` are columns to be computed from the local clock; ``words`` is
    how many codes counted words may have.
    """

    spans: NDArray[np.int64]
    ints: NDArray[np.int64]
    reals: NDArray[np.float64]
    local: NDArray[np.int64]
    words: int


class Facts(NamedTuple):
    """What is known of the account besides its rows.

    ``static`` are the values of the static columns; ``since`` and ``offset`` the changes of local time;
    ``day`` the facts of the local day.
    """

    scale: NDArray[np.float64]
    static: NDArray[np.float64]
    since: NDArray[np.int64]
    offset: NDArray[np.int64]
    day: NDArray[np.float64]
    principal: int
    opened_at: int
    known_at: int


@entered
def fill_account(
    flat: Flat, given: Given, facts: Facts, moments: kernel.Moments, owner: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the features of one account; ``owner`` holds one zero.

    Nothing comes back where instants lie beyond the years whose local clocks are known.
    """
    spans, ints, reals = given.spans, given.ints, given.reals
    at, known_at, scale = ints[AT], ints[KNOWN_AT], facts.scale
    account = owner[0]
    out = np.empty((1, len(flat.blank)))
    for k in range(len(flat.blank)):
        out[0, k] = flat.blank[k]
    mask = np.empty(len(at), np.uint64)
    for k in range(len(given.local)):
        part, row, field = given.local[k]
        stretch = (spans[part], spans[part + 1])
        if not fill_local(at, stretch, facts.since, facts.offset, field, reals[row]):
            return np.empty(0)
    paid = flat.books[PAID]
    payments = Payments(spans[paid : paid + 2], at, known_at, ints[OWN])
    for p in range(len(flat.programs)):
        if spans[p] == spans[p + 1]:
            continue
        one = flat.programs[p]
        lookups, ranges = slice(one[FIRST_LOOKUP], one[LAST_LOOKUP]), slice(one[FIRST_RANGE], one[LAST_RANGE])
        tests = Tests(
            flat.every[p],
            flat.lookups[lookups],
            flat.bits,
            flat.ranges[ranges],
            flat.limits[ranges],
            flat.outside[ranges],
        )
        fill_mask(tests, ints[WHOLES:], reals, (spans[p], spans[p + 1]), scale[0], mask)
        rows = kernel.Rows(spans[p : p + 2], owner, at, known_at, mask, ints[WHOLES:], reals, given.words)
        slots = kernel.Slots(
            flat.code[one[FIRST_SLOT] : one[LAST_SLOT]],
            flat.half_life[one[FIRST_SLOT] : one[LAST_SLOT]],
            flat.spelled,
            flat.parts[p],
            one[FIRST_EDGE],
            one[LAST_EDGE],
            one[FILTERS],
        )
        told = Told(one[JUDGE], one[DATES], ints[OWN:WHOLES], flat.rule, flat.allows[p], payments)
        accounts = (account, account + 1)
        room = kernel.room_of(rows, told, moments, slots, accounts)
        kernel.scan(rows, told, moments, slots, scale, accounts, room, out)
    _fill_rest(flat, given, facts, payments, (account, moments.as_of[0]), out)
    found = np.empty(len(flat.shown))
    for k in range(len(found)):
        found[k] = out[0, flat.shown[k]]
    return found


@called
def _fill_rest(
    flat: Flat,
    given: Given,
    facts: Facts,
    payments: Payments,
    pair: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Fill what does not come from a table's scan: state, static, calendar and derived columns."""
    account, as_of = pair
    spans, ints = given.spans, given.ints
    at, known_at = ints[AT], ints[KNOWN_AT]
    due, dated = flat.books[DUE], flat.books[DATED]
    if len(flat.state) > 0:
        books = Books(
            Schedule(spans[due : due + 2], at, known_at, ints[OWN], ints[OWN + 1]),
            payments,
            Balances(spans[dated : dated + 2], at, ints[OWN], given.reals[flat.books[DPD]]),
        )
        room = (np.empty(len(flat.lags), np.int64), np.empty(len(flat.lags)))
        own = (facts.principal, facts.opened_at, facts.scale[0])
        instants = np.empty(len(flat.lags), np.int64)
        for k in range(len(flat.lags)):
            instants[k] = as_of - flat.lags[k]
        fill_state(books, account, own, instants, flat.state, room, out[0])
    for k in range(len(flat.static)):
        out[0, flat.static[k]] = facts.static[k]
    fill_calendar(flat.calendar, facts.day, facts.known_at < as_of, out[0])
    kernel.combine(flat.derived, out)
