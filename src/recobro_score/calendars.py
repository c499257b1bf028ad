"""Instants, local clocks and holidays.

Every instant inside the library is an int64 number of microseconds since 1970-01-01 UTC. Text and local
times are turned into instants at the door; the debtor's local day, minute and weekday are computed back from
them, through the IANA zone rules that pandas applies to whole arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from recobro_score.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

US_PER_SECOND = 1_000_000
US_PER_MINUTE = 60 * US_PER_SECOND
US_PER_HOUR = 60 * US_PER_MINUTE
US_PER_DAY = 24 * US_PER_HOUR
MINUTES_PER_DAY = 24 * 60

NEVER = int(np.iinfo(np.int64).max)
"""The empty later date: it has not happened."""

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_THURSDAY = 3
_LONGEST_CODE = 3

_ZONE_OF_COUNTRY = {
    "AR": "America/Argentina/Buenos_Aires",
    "BR": "America/Sao_Paulo",
    "CL": "America/Santiago",
    "CO": "America/Bogota",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "GB": "Europe/London",
    "MX": "America/Mexico_City",
    "PE": "America/Lima",
    "PT": "Europe/Lisbon",
    "TW": "Asia/Taipei",
    "US": "America/New_York",
    "UY": "America/Montevideo",
}


@dataclass(frozen=True, slots=True)
class LocalClock:
    """Local calendar fields of some instants.

    Attributes
    ----------
    day : int64 array
        Local date as days since 1970-01-01.
    minute : int64 array
        Minute of the local day, 0–1439, as the wall clock shows it.
    weekday : int64 array
        Monday = 0 … Sunday = 6.
    """

    day: NDArray[np.int64]
    minute: NDArray[np.int64]
    weekday: NDArray[np.int64]


@cache
def zone_info(name: str) -> ZoneInfo:
    """Return the IANA zone, or raise `ConfigError` naming it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"unknown time zone {name!r}: an IANA name such as 'America/Bogota' is expected"
        raise ConfigError(msg) from error


def is_zone(name: str) -> bool:
    """Return whether `name` is an IANA time zone."""
    try:
        zone_info(name)
    except ConfigError:
        return False
    return True


def parse_instant(value: str | date | datetime, time_zone: str = "UTC") -> int:
    """Return an instant in microseconds UTC.

    A date means 00:00 of that day in `time_zone`; a naive time is read in that zone; an aware one keeps its
    own offset. A local time that does not exist, or exists twice, is read as in `to_utc`.

    Raises
    ------
    ConfigError
        If the text is not ISO 8601.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            msg = f"not a date or time: {value!r} (expected for example 2025-06-01 or 2025-06-01T09:30+02:00)"
            raise ConfigError(msg) from error
    elif not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    offset = value.utcoffset()
    wall = (value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    if offset is None:
        return int(wall_to_utc(np.array([wall], dtype=np.int64), time_zone)[0])
    return wall - offset // _MICROSECOND


def format_instant(us: int, time_zone: str = "UTC") -> str:
    """Return the instant as ISO 8601 text with the offset of `time_zone`."""
    return as_datetime(us, time_zone).isoformat()


def as_datetime(us: int, time_zone: str = "UTC") -> datetime:
    """Return the instant as an aware `datetime` in `time_zone`."""
    utc = (_EPOCH + int(us) * _MICROSECOND).replace(tzinfo=UTC)
    return utc.astimezone(zone_info(time_zone))


def local_clock(us: NDArray[np.int64], zone: NDArray[np.int32], zones: tuple[str, ...]) -> LocalClock:
    """Return the local day, minute and weekday of instants.

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
    for code in _codes(zone):
        rows = zone == code
        local[rows] = _to_local(us[rows], zones[code])
    day = local // US_PER_DAY
    return LocalClock(day, (local - day * US_PER_DAY) // US_PER_MINUTE, (day + _THURSDAY) % 7)


def to_utc(
    day: NDArray[np.int64], minute: NDArray[np.int64], zone: NDArray[np.int32], zones: tuple[str, ...]
) -> NDArray[np.int64]:
    """Return the instants of local days and minutes.

    A local time that does not exist moves forward to the first one that does; an ambiguous one is its first
    occurrence.
    """
    wall = day * US_PER_DAY + minute * US_PER_MINUTE
    us = wall.copy()
    for code in _codes(zone):
        rows = zone == code
        us[rows] = wall_to_utc(wall[rows], zones[code])
    return us


def wall_to_utc(wall: NDArray[np.int64], time_zone: str) -> NDArray[np.int64]:
    """Return instants from wall-clock microseconds of one zone (see `to_utc` for gaps and repeats)."""
    if time_zone == "UTC" or len(wall) == 0:
        return wall
    import pandas as pd

    index = pd.DatetimeIndex(wall.view("M8[us]"))
    first = np.ones(len(wall), dtype=bool)
    aware = index.tz_localize(zone_info(time_zone), ambiguous=first, nonexistent="shift_forward")
    return _micros(aware.tz_convert("UTC").tz_localize(None))


def zone_of_country(country: str) -> str | None:
    """Return the main time zone of a country (ISO 3166-1 alpha-2), or None if it is not known."""
    return _ZONE_OF_COUNTRY.get(country)


def is_holiday(day: NDArray[np.int64], country: str, subdivision: str | None = None) -> NDArray[np.bool_]:
    """Return whether local days are public holidays of a country or subdivision.

    Parameters
    ----------
    day : int64 array
        Days since 1970-01-01.
    country : str
        ISO 3166-1 alpha-2 code.
    subdivision : str, optional
        ISO 3166-2 subdivision, with or without the country's prefix (``ES-MD`` or ``MD``); an unknown one
        falls back on the country's own holidays.

    Raises
    ------
    ConfigError
        If the holidays of the country are not known.
    """
    unique, inverse = np.unique(day, return_inverse=True)
    first = date(1970, 1, 1)
    known = [_is_holiday(first + timedelta(days=int(d)), country, subdivision) for d in unique]
    return np.asarray(known, dtype=bool)[inverse].reshape(day.shape)


@cache
def _is_holiday(day: date, country: str, subdivision: str | None) -> bool:
    return day in _holidays(day.year, country, subdivision)


@cache
def _holidays(year: int, country: str, subdivision: str | None) -> frozenset[date]:
    import holidays

    # `list_supported_countries` would import the calendars of all countries.
    calendar: Any = getattr(holidays, country, None) if len(country) <= _LONGEST_CODE else None
    if getattr(calendar, "country", None) is None:
        msg = f"public holidays of {country!r} are not known"
        raise ConfigError(msg)
    short = (subdivision or "").removeprefix(f"{country}-")
    part = short if short in calendar.subdivisions else None
    return frozenset(holidays.country_holidays(country, subdiv=part, years=year))


def _codes(zone: NDArray[np.int32]) -> list[int]:
    return [int(code) for code in np.unique(zone)]


def _to_local(us: NDArray[np.int64], time_zone: str) -> NDArray[np.int64]:
    if time_zone == "UTC" or len(us) == 0:
        return us
    import pandas as pd

    aware = pd.DatetimeIndex(us.view("M8[us]")).tz_localize("UTC").tz_convert(zone_info(time_zone))
    return _micros(aware.tz_localize(None))


def _micros(index: object) -> NDArray[np.int64]:
    values = np.asarray(index, dtype="M8[us]")
    return values.view(np.int64)
