"""The debtor's local date: weekday, month end, public holidays, and the days until a day of the month."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recobro_score.calendars import (
    MINUTES_PER_DAY,
    US_PER_DAY,
    US_PER_MINUTE,
    is_holiday,
    local_clock,
    zone_info,
)
from recobro_score.data.compiled import entered, lent
from recobro_score.data.events import EventStore
from recobro_score.data.state import frozen
from recobro_score.errors import ConfigError
from recobro_score.features.bisection import first_not_before
from recobro_score.features.program import CalendarProgram
from recobro_score.features.readable import CALENDAR

_EPOCH = date(1970, 1, 1)
_FIRST, _LAST = 0, 36_525 * US_PER_DAY
"""The hundred years from 1970 on, whose changes of local time are looked up."""

_FARTHEST_HOLIDAY = 400
_THURSDAY = 3
_ERA, _MARCH_OF_YEAR_0 = 146_097, 719_468
LOCAL_FIELDS = ("local_minute", "local_weekday", "local_day")
"""What is told of a wall clock: minute of the day, weekday (Monday = 0), day of the month."""

_MINUTE, _WEEKDAY, _ = range(len(LOCAL_FIELDS))
_FACTS = len(CALENDAR) - 1 + 2
"""The numbers of a day, and the lengths of two months."""


def local_time(us: NDArray[np.int64], zone: NDArray[np.int32], zones: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the wall clock of instants, in microseconds since 1970-01-01 00:00 of that clock.

    Parameters
    ----------
    us : int64 array, shape (n,)
        Instants.
    zone : int32 array, shape (n,)
        Index of each row's zone in `zones`.
    zones : tuple of str
        IANA names.
    """
    local = us.copy()
    beyond = (us < _FIRST) | (us >= _LAST)
    for code, name in enumerate(zones):
        rows = zone == code
        if name != "UTC" and rows.any():
            since, offset = zone_changes(name)
            place = np.searchsorted(since, us[rows], side="right") - 1
            local[rows] += offset[np.maximum(place, 0)]
    if beyond.any():
        clock = local_clock(us[beyond], zone[beyond], zones)
        local[beyond] = clock.day * US_PER_DAY + clock.minute * US_PER_MINUTE
    return local


@lru_cache(maxsize=1024)
def zone_changes(name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the instants from which a zone's offset to UTC holds, and the offsets."""
    days = np.arange(_FIRST, _LAST, US_PER_DAY)
    changing = np.flatnonzero(np.diff(_offset_at(days, name)))
    minutes = np.arange(US_PER_MINUTE, US_PER_DAY + US_PER_MINUTE, US_PER_MINUTE)
    probes = np.concatenate([days[:1], (days[changing][:, None] + minutes).ravel()])
    offsets = _offset_at(probes, name)
    starts = np.concatenate([[True], np.diff(offsets) != 0])
    return frozen(probes[starts], np.int64), frozen(offsets[starts], np.int64)


def _offset_at(us: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    aware = pd.DatetimeIndex(us.view("M8[us]")).tz_localize("UTC").tz_convert(zone_info(name))
    return np.asarray(aware.tz_localize(None), dtype="M8[us]").view(np.int64) - us


@lent
def fill_local(
    at: NDArray[np.int64],
    rows: tuple[int, int],
    since: NDArray[np.int64],
    offset: NDArray[np.int64],
    field: int,
    out: NDArray[np.float64],
) -> bool:
    """Fill a field of the wall clock (a place in `LOCAL_FIELDS`) of some rows' instants.

    From ``since[k]`` on the clock is ``offset[k]`` ahead of UTC. Returns whether all lie in the hundred years
    of which that is known.
    """
    for row in range(rows[0], rows[1]):
        if at[row] < _FIRST or at[row] >= _LAST:
            return False
        change = first_not_before(since, 0, len(since), at[row] + 1)
        local = at[row] + offset[max(change - 1, 0)]
        day = local // US_PER_DAY
        if field == _MINUTE:
            out[row] = local // US_PER_MINUTE % MINUTES_PER_DAY
        elif field == _WEEKDAY:
            out[row] = (day + _THURSDAY) % 7
        else:
            out[row] = _day_of_month(day)
    return True


@lent
def _day_of_month(day: int) -> int:
    """Return the day of the month of a day since 1970-01-01, in the calendar without end.

    Eras of 400 years are alike, and a year that begins in March has its leap day last.
    """
    of_era = (day + _MARCH_OF_YEAR_0) % _ERA
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return of_year - (153 * month + 2) // 5 + 1


@dataclass(frozen=True, slots=True, eq=False)
class CalendarScan:
    """A calendar program bound to a store: facts of every (place, as-of), and the place of each account.

    ``facts[place, j]`` are those of `day_facts`; ``known`` is when each account was known.
    """

    program: CalendarProgram
    facts: NDArray[np.float64]
    place: NDArray[np.int64]
    known_at: NDArray[np.int64]
    as_ofs: NDArray[np.int64]

    def run(self, scale: NDArray[np.float64], first: int, last: int, out: NDArray[np.float64]) -> None:  # noqa: ARG002
        """Fill the calendar's columns; the days they wait for are in ``out`` already."""
        _scan(self.program.code, self.facts, self.place, self.known_at, self.as_ofs, (first, last), out)


def bind_calendar(program: CalendarProgram, store: EventStore, as_ofs: NDArray[np.int64]) -> CalendarScan:
    """Bind a calendar program to a store and its as-ofs."""
    columns = (store.zone, store.accounts["country"], store.accounts["subdivision"])
    n_countries, n_subdivisions = (
        len(store.vocabularies[f"accounts.{name}"]) + 1 for name in ("country", "subdivision")
    )
    keys = (columns[0].astype(np.int64) * n_countries + columns[1]) * n_subdivisions + columns[2]
    _, firsts, place = np.unique(keys, return_index=True, return_inverse=True)
    facts = np.empty((len(firsts), len(as_ofs), _FACTS))
    for k, first in enumerate(firsts.tolist()):
        zone, country, subdivision = (int(column[first]) for column in columns)
        words = [
            (*store.vocabularies[f"accounts.{name}"], None)[code]
            for name, code in (("country", country), ("subdivision", subdivision))
        ]
        for j, as_of in enumerate(as_ofs.tolist()):
            facts[k, j] = day_facts(as_of, store.zones[zone], *words)
    return CalendarScan(
        program,
        frozen(facts, np.float64),
        frozen(place.reshape(-1), np.int64),
        frozen(store.accounts["known_at"], np.int64),
        frozen(as_ofs, np.int64),
    )


@entered
def _scan(
    code: NDArray[np.int64],
    facts: NDArray[np.float64],
    place: NDArray[np.int64],
    known_at: NDArray[np.int64],
    as_ofs: NDArray[np.int64],
    accounts: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    pair = 0
    for account in range(accounts[0], accounts[1]):
        for j in range(len(as_ofs)):
            fill_calendar(code, facts[place[account], j], known_at[account] < as_ofs[j], out[pair])
            pair += 1


@lent
def fill_calendar(
    code: NDArray[np.int64],
    facts: NDArray[np.float64],
    known: bool,  # noqa: FBT001 - compiled code takes no keywords
    out: NDArray[np.float64],
) -> None:
    """Fill the calendar columns of an account from the facts of its day; missing until it is known."""
    today, to_month_end, length, next_length = facts[1], facts[2], facts[5], facts[6]
    for k in range(len(code)):
        what, dest, waits_for = code[k, 0], code[k, 1], code[k, 2]
        value = np.nan
        if known and waits_for < 0:
            value = facts[what]
        elif known:
            day = out[waits_for]
            ahead = min(day, length) - today
            if day == day:
                value = ahead if ahead >= 0.0 else to_month_end + min(day, next_length)
        out[dest] = value


@lru_cache(maxsize=4096)
def day_facts(as_of: int, zone: str, country: str | None, subdivision: str | None) -> NDArray[np.float64]:
    """Return what is known of the local day of an instant.

    Returns
    -------
    float64 array, shape (7,)
        The numbers of `CALENDAR` but the last, in their order, and the lengths of this month and the next.
    """
    local = local_time(np.array([as_of]), np.zeros(1, np.int32), (zone,))
    facts = np.array(_facts(int(local[0] // US_PER_DAY), country, subdivision))
    return frozen(facts, np.float64)


@lru_cache(maxsize=65_536)
def _facts(day: int, country: str | None, subdivision: str | None) -> tuple[float, ...]:
    local = _EPOCH + timedelta(days=day)
    length = monthrange(local.year, local.month)[1]
    holiday, ahead = _holidays(day, country, subdivision) if country else (np.nan, np.nan)
    after = local + timedelta(days=length - local.day + 1)
    lengths = (length, monthrange(after.year, after.month)[1])
    return (local.weekday(), local.day, length - local.day, holiday, ahead, *lengths)


def _holidays(day: int, country: str, subdivision: str | None) -> tuple[float, float]:
    """Return whether a day is a holiday and the days to the next one; missing where none are known."""
    days = np.arange(day, day + _FARTHEST_HOLIDAY)
    try:
        free = is_holiday(days, country, subdivision)
    except ConfigError:
        return np.nan, np.nan
    ahead = np.flatnonzero(free[1:])
    return float(free[0]), float(ahead[0] + 1) if len(ahead) else np.nan
