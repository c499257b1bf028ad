"""Instants and dates as ISO 8601 writes them, read by compiled code: all texts of a record in one call."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant
from recobro_score.data.compiled import entered, lent
from recobro_score.data.state import frozen
from recobro_score.features.bisection import first_not_before
from recobro_score.features.local_date import zone_changes

NOTHING = -(10**8) * US_PER_DAY
"""Stands for an empty cell; no instant is as early."""

EARLIEST, FAR = parse_instant("1900-01-01"), parse_instant("2200-01-01")
"""No time lies before the one; from the other on, a later date is never."""

_KNOWN_UNTIL = parse_instant("2069-12-01")
"""Until then the wall clocks of zones are known."""

_DAYS_BEFORE = frozen(np.cumsum([0, 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]), np.int64)
_NEWLINE, _ZERO, _NINE, _DASH, _PLUS, _COLON, _POINT, _SPACE, _T, _Z = (ord(c) for c in "\n09-+:. TZ")
_DATE, _MINUTES, _SECONDS, _OFFSET = 10, 16, 19, 6
"""Lengths of a date, of a date and time to the minute and to the second, and of an offset."""

Clock = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Since when each offset of a zone holds, the offsets, and the wall clocks that each but the last ends at."""


@lru_cache(maxsize=64)
def wall_clock(time_zone: str) -> Clock:
    """Return the wall clock of a zone."""
    since, offset = zone_changes(time_zone)
    return (
        frozen(np.append(-NEVER, since[1:]), np.int64),
        offset,
        frozen(since[1:] + offset[:-1], np.int64),
    )


@entered
def read_instants(
    text: NDArray[np.uint8],
    local: bool,  # noqa: FBT001 - compiled code takes no keywords
    clock: Clock,
    out: NDArray[np.int64],
) -> bool:
    """Read texts, each ended by a line feed, as microseconds UTC; empty ones are `NOTHING`.

    Texts without an offset are walls of `clock`, or UTC unless `local`. Returns whether there were as many
    as ``out`` has room for, each a date or time as ``YYYY-MM-DD[(T| )hh:mm[:ss[.ffffff]][Z|±hh:mm]]``.
    """
    begin, found = int(np.int64(0)), 0  # no literal, for which all that takes it would be compiled once more
    for place in range(len(text)):
        if text[place] != _NEWLINE:
            continue
        if found == len(out):
            return False
        if place == begin:
            out[found] = NOTHING
        else:
            us, aware = _instant(text, begin, place)
            if local and not aware and us != NOTHING:
                us = _of_wall(us, clock)
            if us == NOTHING:
                return False
            out[found] = us
        found += 1
        begin = place + 1
    return begin == len(text) and found == len(out)


@entered
def read_walls(walls: NDArray[np.int64], clock: Clock, out: NDArray[np.int64]) -> bool:
    """Turn wall clocks into instants, `NOTHING` into itself. Returns whether the clock of all is known."""
    for k in range(len(walls)):
        out[k] = walls[k] if walls[k] == NOTHING else _of_wall(walls[k], clock)
        if out[k] == NOTHING and walls[k] != NOTHING:
            return False
    return True


@lent
def _of_wall(wall: int, clock: Clock) -> int:
    """Return the instant of a wall clock: the first of two, the first that there is after a gap.

    `NOTHING` where the clock of the zone is not known.
    """
    if wall <= 0 or wall >= _KNOWN_UNTIL:
        return wall if wall >= FAR + US_PER_DAY else NOTHING
    since, offset, ends = clock
    place = first_not_before(ends, 0, len(ends), wall + 1)
    return int(max(wall - offset[place], since[place]))


@lent
def _number(text: NDArray[np.uint8], begin: int, end: int) -> int:
    """Return the number that digits write; a large negative one if others are among them."""
    number = 0
    for place in range(begin, end):
        digit = text[place]
        if digit < _ZERO or digit > _NINE:
            return -US_PER_DAY
        number = number * 10 + (digit - _ZERO)
    return number


@lent
def _days(text: NDArray[np.uint8], begin: int) -> int:
    """Return the days since 1970 of the date that begins there, or `NOTHING`."""
    year, month = _number(text, begin, begin + 4), _number(text, begin + 5, begin + 7)
    day = _number(text, begin + 8, begin + 10)
    if text[begin + 4] != _DASH or text[begin + 7] != _DASH or year < 1 or not 1 <= month <= 12 or day < 1:
        return NOTHING
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    after = _DAYS_BEFORE[month + 1] if month < 12 else 365
    length = after - _DAYS_BEFORE[month] + (leap and month == 2)
    if day > length:
        return NOTHING
    before = year - 1
    of_years = 365 * before + before // 4 - before // 100 + before // 400 - 719_162
    return int(of_years + _DAYS_BEFORE[month] + (leap and month > 2) + day - 1)


@lent
def _instant(text: NDArray[np.uint8], begin: int, end: int) -> tuple[int, bool]:
    """Return microseconds since 1970 (`NOTHING` if it is no such text) and whether it had an offset."""
    nothing = (NOTHING, False)
    days = _days(text, begin) if end - begin >= _DATE else NOTHING
    if days == NOTHING or end - begin == _DATE:
        return (NOTHING if days == NOTHING else days * US_PER_DAY), False
    behind, end, aware = _offset(text, begin + _MINUTES, end)
    size = end - begin
    if behind == NOTHING or size < _MINUTES or text[begin + 13] != _COLON:
        return nothing
    if text[begin + 10] != _T and text[begin + 10] != _SPACE:
        return nothing
    hour, minute = _number(text, begin + 11, begin + 13), _number(text, begin + 14, begin + 16)
    second, micros = 0, 0
    if size > _MINUTES:
        if size < _SECONDS or size == _SECONDS + 1 or size > _SECONDS + 7 or text[begin + 16] != _COLON:
            return nothing
        second = _number(text, begin + 17, begin + 19)
    if size > _SECONDS:
        if text[begin + 19] != _POINT:
            return nothing
        micros = _number(text, begin + 20, end) * 10 ** (_SECONDS + 7 - size)
    if not 0 <= hour < 24 or not 0 <= minute < 60 or not 0 <= second < 60 or micros < 0:
        return nothing
    return (days * US_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros - behind), aware


@lent
def _offset(text: NDArray[np.uint8], first: int, end: int) -> tuple[int, int, bool]:
    """Return how far the clock is ahead of UTC, where the text before the offset ends, whether one is there.

    The offset is looked for from `first` on; `NOTHING` if it is no offset.
    """
    if end > first and text[end - 1] == _Z:
        return 0, end - 1, True
    place = end - _OFFSET
    if place < first or (text[place] != _PLUS and text[place] != _DASH):
        return 0, end, False
    hours, minutes = _number(text, place + 1, place + 3), _number(text, place + 4, end)
    if text[place + 3] != _COLON or not 0 <= hours < 24 or not 0 <= minutes < 60:
        return NOTHING, end, False
    ahead = (hours * 60 + minutes) * 60_000_000
    return (ahead if text[place] == _PLUS else -ahead), place, True
