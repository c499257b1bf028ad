"""The compiled scan: one pass over an account's rows, then each window of each recipe from what it left.

For each (account, as-of) one pass lists, per filter, the rows that pass it, the known clock and the judged
status included, and notes how long each list is at each edge of a window. Each slot then reads its stretch
of its filter's list. The same account gives the same bits in any batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.compiled import called, entered, inlined, lent
from recobro_score.features import aggregates as agg
from recobro_score.features.bisection import first_not_before
from recobro_score.features.judge import INSTALMENTS, NOBODY, Told, judge

NO_VALUE, WHOLE, REAL, WORD, JUDGED = range(5)
"""Where a slot finds its value: nowhere, money (int64), number (float64), category code (int64), judged."""

NO_COLUMN = -1
"""The place of no value, and of no spelling."""

OP, SOURCE, COLUMN, LOW, HIGH, FILTER, RUN, SPELLED, WORDS, DEST = range(10)
"""Columns of `Slots.code`: operation, kind and place of the value, edges of the window, list of the filter
and of the run, where the spelling of its words begins and how many there are, output column."""

ALWAYS = int(np.iinfo(np.int64).max)
"""An edge beyond every instant."""

SHARE, DIFFERENCE, TREND, LARGER, SMALLER = range(5)
"""Operations of derived columns."""

MISSING_WORD = 0.0
"""What a missing word becomes."""


class Rows(NamedTuple):
    """One table as the scan reads it.

    ``owner`` gives the row group of each account, ``mask`` one bit per filter that the row passes for good,
    ``words`` how many codes the category columns among ``wholes`` have.
    """

    offsets: NDArray[np.int64]
    owner: NDArray[np.int64]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    mask: NDArray[np.uint64]
    wholes: NDArray[np.int64]
    reals: NDArray[np.float64]
    words: int


class Moments(NamedTuple):
    """As-ofs, what was known, and the instants ``edges[j, k]`` at which windows begin or end."""

    as_of: NDArray[np.int64]
    known_before: NDArray[np.int64]
    edges: NDArray[np.int64]


class Slots(NamedTuple):
    """What to compute, one slot per recipe.

    ``parts[k] … parts[k + 1] − 1`` are the slots of source ``k``; ``first_edge … last_edge − 1`` the edges
    they name; ``filters`` is how many lists they read.
    """

    code: NDArray[np.int64]
    half_life: NDArray[np.float64]
    spelled: NDArray[np.float64]
    parts: NDArray[np.int64]
    first_edge: int
    last_edge: int
    filters: int


class Room(NamedTuple):
    """Scratch for accounts of up to so many rows.

    An account's lists lie one after the other in ``chosen``, each with room for all its rows: the rows that
    pass a filter, in order. ``ends[f]`` is where list ``f`` ends so far; ``bounds[k, f]`` where it ended when
    the rows before edge ``k`` were in it; ``order[j]`` are the edges of as-of ``j`` by time.
    """

    rows: int
    status: NDArray[np.uint8]
    judged: NDArray[np.float64]
    chosen: NDArray[np.int64]
    ends: NDArray[np.int64]
    bounds: NDArray[np.int64]
    order: NDArray[np.int64]
    seen: NDArray[np.bool_]
    kept: NDArray[np.float64]
    lowest: NDArray[np.int64]


Place = tuple[int, int]
"""As-of and row of the output."""
Part = tuple[NDArray[np.int64], NDArray[np.float64], int, int]
"""Opcodes and half-lives (of words: their spelling), first and last + 1 of the slots to fill."""

Lists = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
"""``chosen`` and ``bounds``, and scratch for values."""

# The position of the one bit that is set, from the product with a number whose 6-bit stretches all differ.
_SEQUENCE = 0x03F79D71B4CB0A89
_BIT_FACTOR, _BIT_SHIFT, _ONE, _NONE = np.uint64(_SEQUENCE), np.uint64(58), np.uint64(1), np.uint64(0)
_BIT_PLACE = np.zeros(64, np.int64)
_BIT_PLACE[[(_SEQUENCE << bit & 2**64 - 1) >> 58 for bit in range(64)]] = range(64)


@inlined
def _choose(
    known_at: NDArray[np.int64],
    mask: NDArray[np.uint64],
    rows: tuple[int, int, int, int],
    known_before: int,
    allows: NDArray[np.uint64],
    status: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> None:
    """Add the rows ``low … high − 1`` that are known to the list of each filter they pass."""
    begin, low, high, judged = rows
    for row in range(low, high):
        bits = mask[row]
        if known_at[row] >= known_before:
            bits = _NONE
        elif judged:
            bits &= allows[status[row - begin]]
        while bits != _NONE:
            place = _BIT_PLACE[((bits & (~bits + _ONE)) * _BIT_FACTOR) >> _BIT_SHIFT]
            chosen[ends[place]] = row
            ends[place] += 1
            bits &= bits - _ONE


@lent
def _put_in_order(edges: NDArray[np.int64], first: int, last: int, order: NDArray[np.int64]) -> None:
    """Write per as-of the edges ``first … last − 1`` by time."""
    for j in range(len(edges)):
        for edge in range(first, last):
            place = edge - first
            while place > 0 and edges[j, order[j, place - 1]] > edges[j, edge]:
                order[j, place] = order[j, place - 1]
                place -= 1
            order[j, place] = edge


@lent
def _longest(offsets: NDArray[np.int64], owner: NDArray[np.int64], first: int, last: int) -> int:
    """Return the largest number of rows of an account."""
    longest = 0
    for account in range(first, last):
        longest = max(longest, offsets[owner[account] + 1] - offsets[owner[account]])
    return longest


@entered
def scan_table(
    rows: Rows,
    told: Told,
    moments: Moments,
    slots: Slots,
    scale: NDArray[np.float64],
    accounts: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Fill the slots' columns of ``out`` (one row per pair) for the accounts ``first … last − 1``."""
    scan(rows, told, moments, slots, scale, accounts, room_of(rows, told, moments, slots, accounts), out)


@called
def room_of(rows: Rows, told: Told, moments: Moments, slots: Slots, accounts: tuple[int, int]) -> Room:
    """Return scratch for the accounts ``first … last − 1``."""
    longest = _longest(rows.offsets, rows.owner, accounts[0], accounts[1])
    judged = longest if told.kind != NOBODY else 0
    paid, starts = 0, told.payments.offsets
    if told.kind == INSTALMENTS:
        for account in range(accounts[0], accounts[1]):
            paid = max(paid, starts[account + 1] - starts[account])
    order = np.empty((len(moments.as_of), slots.last_edge - slots.first_edge), np.int64)
    _put_in_order(moments.edges, slots.first_edge, slots.last_edge, order)
    return Room(
        longest,
        np.empty(judged, np.uint8),
        np.empty((2, judged)),
        np.empty(slots.filters * longest, np.int64),
        np.empty(slots.filters, np.int64),
        np.empty((moments.edges.shape[1], slots.filters), np.int64),
        order,
        np.zeros(rows.words, np.bool_),
        np.empty(2 * longest),
        np.empty((2, paid), np.int64),
    )


@lent
def scan(
    rows: Rows,
    told: Told,
    moments: Moments,
    slots: Slots,
    scale: NDArray[np.float64],
    accounts: tuple[int, int],
    room: Room,
    out: NDArray[np.float64],
) -> None:
    """Scan with scratch made before."""
    code, half_life, spelled, parts = slots.code, slots.half_life, slots.spelled, slots.parts
    offsets, owner, at, known_at = rows.offsets, rows.owner, rows.at, rows.known_at
    mask, wholes, reals = rows.mask, rows.wholes, rows.reals
    as_ofs, known_before, edges = moments.as_of, moments.known_before, moments.edges
    status, judged, chosen, ends, bounds = room.status, room.judged, room.chosen, room.ends, room.bounds
    order, seen, allows = room.order, room.seen, told.allows
    lists = (chosen, bounds, room.kept)
    of_rows = (code, half_life, parts[NO_VALUE], parts[NO_VALUE + 1])
    of_wholes = (code, half_life, parts[WHOLE], parts[WHOLE + 1])
    of_reals = (code, half_life, parts[REAL], parts[REAL + 1])
    of_judged = (code, half_life, parts[JUDGED], parts[JUDGED + 1])
    of_words = (code, spelled, parts[WORD], parts[WORD + 1])
    is_judged, room_of_list, filters = told.kind != NOBODY, room.rows, slots.filters
    unshifted = int(np.int64(0))  # no literal, for which all that takes it would be compiled once more
    pair = -1
    for account in range(accounts[0], accounts[1]):
        begin, end = offsets[owner[account]], offsets[owner[account] + 1]
        for j in range(len(as_ofs)):
            pair += 1
            if is_judged:
                judge(told, account, (begin, end), at, known_at, as_ofs[j], (status, judged), room.lowest)
            for place in range(filters):
                ends[place] = place * room_of_list
            low = begin
            for k in range(order.shape[1]):
                edge = order[j, k]
                high = first_not_before(at, low, end, edges[j, edge])
                if k > 0:
                    reach = (begin, low, high, is_judged)
                    _choose(known_at, mask, reach, known_before[j], allows, status, chosen, ends)
                for place in range(filters):
                    bounds[edge, place] = ends[place]
                low = high
            where = (as_ofs[j], pair)
            _of_rows(of_rows, at, lists, where, out)
            _of_column(of_wholes, wholes, at, (unshifted, scale[account]), lists, where, out)
            _of_column(of_reals, reals, at, (unshifted, 1.0), lists, where, out)
            _of_column(of_judged, judged, at, (begin, 1.0), lists, where, out)
            _of_words(of_words, wholes, seen, lists, where, out)


@inlined
def _of_rows(part: Part, at: NDArray[np.int64], lists: Lists, place: Place, out: NDArray[np.float64]) -> None:
    """Fill the slots that read no value."""
    code, half_life, first_slot, last_slot = part
    chosen, bounds, _ = lists
    as_of, pair = place
    for s in range(first_slot, last_slot):
        op, low, high, run = code[s, OP], code[s, LOW], code[s, HIGH], code[s, RUN]
        first, last = bounds[low, code[s, FILTER]], bounds[high, code[s, FILTER]]
        if op == agg.COUNT:
            result = float(last - first)
        elif op in (agg.STREAK, agg.LONGEST_STREAK):
            result = agg.of_streaks(op, chosen, first, last, bounds[low, run], bounds[high, run])
        elif op == agg.DECAYED_COUNT:
            result = agg.decayed_count(at, as_of, half_life[s], chosen, first, last)
        elif op == agg.GAP_STD:
            result = agg.deviation_of_gaps(at, chosen, first, last)
        else:
            result = agg.of_times(op, as_of, at, chosen, first, last)
        out[pair, code[s, DEST]] = result


@inlined
def _of_column(
    part: Part,
    values: NDArray[Any],
    at: NDArray[np.int64],
    unit: tuple[int, float],
    lists: Lists,
    place: Place,
    out: NDArray[np.float64],
) -> None:
    """Fill the slots that read a money or number column.

    A row's value is ``values[column, row − shift]`` with ``unit = (shift, minor units of a major one)``.
    """
    code, half_life, first_slot, last_slot = part
    chosen, bounds, kept = lists
    shift, scale = unit
    as_of, pair = place
    for s in range(first_slot, last_slot):
        op, column = code[s, OP], code[s, COLUMN]
        first, last = bounds[code[s, LOW], code[s, FILTER]], bounds[code[s, HIGH], code[s, FILTER]]
        if op in (agg.SUM, agg.MEAN, agg.MIN, agg.MAX):
            result = agg.of_values(op, values, column, shift, chosen, first, last)
        elif op in (agg.LAST, agg.FIRST):
            result = agg.at_the_end(op, values, column, shift, chosen, first, last)
        elif op == agg.STD:
            result = agg.deviation(values, column, shift, chosen, first, last)
        elif op == agg.DECAYED_SUM:
            result = agg.decayed_sum(values, column, at, as_of, half_life[s], chosen, (first, last))
        else:
            result = agg.of_ranks(op, values, column, shift, chosen, first, last, kept)
        out[pair, code[s, DEST]] = result / scale


@inlined
def _of_words(
    part: Part,
    words: NDArray[np.int64],
    seen: NDArray[np.bool_],
    lists: Lists,
    place: Place,
    out: NDArray[np.float64],
) -> None:
    """Fill the slots that read a category column: how many words, or one as the schema's code."""
    code, spelled, first_slot, last_slot = part
    chosen, bounds, _ = lists
    unshifted = int(np.int64(0))
    for s in range(first_slot, last_slot):
        op, column = code[s, OP], code[s, COLUMN]
        first, last = bounds[code[s, LOW], code[s, FILTER]], bounds[code[s, HIGH], code[s, FILTER]]
        if op == agg.DISTINCT:
            result = agg.of_words(words, column, chosen, first, last, seen)
        else:
            word = agg.at_the_end(op, words, column, unshifted, chosen, first, last)
            result = MISSING_WORD
            if word == word:
                result = spelled[code[s, SPELLED] + min(int(word), code[s, WORDS])]
        out[place[1], code[s, DEST]] = result


@entered
def combine(plan: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Fill the derived columns: ``plan[k] = (operation, column a, column b, output column)``, in order."""
    for pair in range(out.shape[0]):
        for k in range(plan.shape[0]):
            op, dest = plan[k, 0], plan[k, 3]
            a = out[pair, plan[k, 1]]
            b = out[pair, plan[k, 2]]
            if op in (LARGER, SMALLER):
                takes_b = a != a or (b > a if op == LARGER else b < a)
                out[pair, dest] = b if takes_b else a
                continue
            over = b
            if op != SHARE:
                over = abs(a) + abs(b) if op == TREND else 1.0
                a -= b
            out[pair, dest] = a / over if over != 0.0 else np.nan
