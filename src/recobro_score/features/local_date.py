"""The debtor's local date: weekday, month end, public holidays, and the days until a day of the month."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY, US_PER_MINUTE, is_holiday, local_clock, zone_info
from recobro_score.data.events import EventStore
from recobro_score.errors import ConfigError
from recobro_score.features.program import CalendarProgram

_EPOCH = date(1970, 1, 1)
_FIRST, _LAST = 0, 36_525 * US_PER_DAY
"""The hundred years from 1970 on, whose changes of local time are looked up."""

_FARTHEST_HOLIDAY = 400
_FACTS = ("weekday", "day_of_month", "days_to_month_end", "is_holiday", "days_to_holiday")


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
            since, offset = _offsets(name)
            place = np.searchsorted(since, us[rows], side="right") - 1
            local[rows] += offset[np.maximum(place, 0)]
    if beyond.any():
        clock = local_clock(us[beyond], zone[beyond], zones)
        local[beyond] = clock.day * US_PER_DAY + clock.minute * US_PER_MINUTE
    return local


@lru_cache(maxsize=1024)
def _offsets(name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the instants from which a zone's offset to UTC holds, and the offsets."""
    days = np.arange(_FIRST, _LAST, US_PER_DAY)
    changing = np.flatnonzero(np.diff(_offset_at(days, name)))
    minutes = np.arange(US_PER_MINUTE, US_PER_DAY + US_PER_MINUTE, US_PER_MINUTE)
    probes = np.concatenate([days[:1], (days[changing][:, None] + minutes).ravel()])
    offsets = _offset_at(probes, name)
    starts = np.concatenate([[True], np.diff(offsets) != 0])
    return probes[starts], offsets[starts]


def _offset_at(us: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    aware = pd.DatetimeIndex(us.view("M8[us]")).tz_localize("UTC").tz_convert(zone_info(name))
    return np.asarray(aware.tz_localize(None), dtype="M8[us]").view(np.int64) - us


@dataclass(frozen=True, slots=True, eq=False)
class CalendarScan:
    """A calendar program bound to a store: facts of every (place, as-of), and the place of each account.

    ``facts[place, j]`` are the `_FACTS` and the lengths of this month and the next.
    """

    program: CalendarProgram
    facts: NDArray[np.float64]
    place: NDArray[np.int64]
    known: NDArray[np.bool_]

    def run(self, scale: NDArray[np.float64], first: int, last: int, out: NDArray[np.float64]) -> None:  # noqa: ARG002
        """Fill the calendar's columns; the days they wait for are in ``out`` already."""
        facts = self.facts[self.place[first:last]].reshape(-1, len(_FACTS) + 2)
        known = self.known[first:last].ravel()
        days = iter(self.program.days)
        for dest, recipe in self.program.columns:
            if recipe.value == "days_to_day":
                values = _days_to(out[:, next(days)], facts)
            else:
                values = facts[:, _FACTS.index(str(recipe.value))]
            out[:, dest] = np.where(known, values, np.nan)


def bind_calendar(program: CalendarProgram, store: EventStore, as_ofs: NDArray[np.int64]) -> CalendarScan:
    """Bind a calendar program to a store and its as-ofs."""
    columns = (store.zone, store.accounts["country"], store.accounts["subdivision"])
    n_countries, n_subdivisions = (
        len(store.vocabularies[f"accounts.{name}"]) + 1 for name in ("country", "subdivision")
    )
    keys = (columns[0].astype(np.int64) * n_countries + columns[1]) * n_subdivisions + columns[2]
    _, firsts, place = np.unique(keys, return_index=True, return_inverse=True)
    facts = np.empty((len(firsts), len(as_ofs), len(_FACTS) + 2))
    for k, first in enumerate(firsts.tolist()):
        zone, country, subdivision = (int(column[first]) for column in columns)
        local = local_time(as_ofs, np.full(len(as_ofs), zone, np.int32), store.zones)
        words = [
            (*store.vocabularies[f"accounts.{name}"], None)[code]
            for name, code in (("country", country), ("subdivision", subdivision))
        ]
        for j, day in enumerate((local // US_PER_DAY).tolist()):
            facts[k, j] = _facts(day, *words)
    known = store.accounts["known_at"][:, None] < as_ofs
    return CalendarScan(program, facts, place.reshape(-1), known)


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


def _days_to(day: NDArray[np.float64], facts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the days until a day of the month comes, in this month or in the next."""
    today, to_month_end, length, next_length = facts[:, 1], facts[:, 2], facts[:, -2], facts[:, -1]
    ahead = np.minimum(day, length) - today
    return np.where(ahead >= 0, ahead, to_month_end + np.minimum(day, next_length))
