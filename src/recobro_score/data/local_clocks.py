"""The local minute and weekday of many events at once, from tables of each zone's offsets."""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_MINUTE, local_clock

_FEW = 4096
"""Up to so many rows, asking the time zone costs less than a table."""

_QUARTER_MINUTES = 15
_QUARTER = _QUARTER_MINUTES * US_PER_MINUTE
_SPAN = 1 << 15
"""Quarters of an hour in one table: almost a year."""

_MOST_SPANS = 64
_MIXED = np.iinfo(np.int16).min
_MINUTES_PER_DAY = 24 * 60
_THURSDAY = 3
_WEEK_MINUTES = 7 * _MINUTES_PER_DAY
_AHEAD = 200_000 * _WEEK_MINUTES
"""Added to minutes since 1970: no instant is negative then, and unsigned division costs half as much."""

_QUARTERS_AHEAD = _AHEAD // _QUARTER_MINUTES
_US_AHEAD = _AHEAD * US_PER_MINUTE


def local_minutes(
    at: NDArray[np.int64], offsets: NDArray[np.int64], zone: NDArray[np.int32], zones: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the minute of the day and the weekday (Monday = 0) of events where their owners live.

    Parameters
    ----------
    at : int64 array
        Instants (µs UTC), grouped by owner.
    offsets : int64 array, shape (n_owners + 1,)
        Owner ``i`` has the rows ``offsets[i]:offsets[i + 1]``.
    zone : int32 array, shape (n_owners,)
        Index of each owner's zone in `zones`.
    zones : tuple of str
        IANA names.
    """
    if len(at) > _FEW:
        first, last = (int(edge) // (_QUARTER * _SPAN) for edge in (at.min(), at.max()))
        if last - first < _MOST_SPANS:
            spans = range(first, last + 1)
            table = np.stack([np.concatenate([_shifts(name, span) for span in spans]) for name in zones])
            minute, weekday = np.empty_like(at), np.empty_like(at)
            if _fill(at, offsets, zone, table, first * _SPAN, minute, weekday):
                return minute, weekday
    clock = local_clock(at, np.repeat(zone, np.diff(offsets)), zones)
    return clock.minute, clock.weekday


def warm_up() -> None:
    """Compile, or load from the user's cache, the compiled function of this module."""
    same = np.zeros(_FEW + 1, np.int64)
    local_minutes(same, np.array([0, len(same)]), np.zeros(1, np.int32), ("UTC",))


@lru_cache(maxsize=512)
def _shifts(name: str, span: int) -> NDArray[np.int16]:
    """Return by how many minutes a zone differs from UTC in each quarter of an hour of a span.

    `_MIXED` where that changes within the quarter or is no whole number of minutes.
    """
    starts = (np.arange(_SPAN) + span * _SPAN) * _QUARTER
    zone = np.zeros(_SPAN, np.int32)
    walls = []
    for instants in (starts, starts + (_QUARTER - 1)):
        clock = local_clock(instants, zone, (name,))
        walls.append(clock.day * _MINUTES_PER_DAY + clock.minute)
    steady = walls[1] - walls[0] == _QUARTER_MINUTES - 1
    return np.where(steady, walls[0] - starts // US_PER_MINUTE, _MIXED).astype(np.int16)


@numba.njit(nogil=True, cache=True)
def _fill(
    at: NDArray[np.int64],
    offsets: NDArray[np.int64],
    zone: NDArray[np.int32],
    shifts: NDArray[np.int16],
    first: int,
    minute: NDArray[np.int64],
    weekday: NDArray[np.int64],
) -> bool:
    """Fill minutes and weekdays; return False as soon as a row lies in a quarter without one offset."""
    for owner in range(len(offsets) - 1):
        for row in range(offsets[owner], offsets[owner + 1]):
            utc = np.uint64(at[row] + _US_AHEAD) // np.uint64(US_PER_MINUTE)
            quarter = np.int64(utc // np.uint64(_QUARTER_MINUTES)) - _QUARTERS_AHEAD
            shift = np.int64(shifts[zone[owner], quarter - first])
            if shift == _MIXED:
                return False
            local = np.uint64(np.int64(utc) + shift)
            day = local // np.uint64(_MINUTES_PER_DAY)
            minute[row] = local - day * np.uint64(_MINUTES_PER_DAY)
            weekday[row] = (day + np.uint64(_THURSDAY)) % np.uint64(7)
    return True
