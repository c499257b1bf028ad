"""Instants and local clocks agree with Python's own zone rules; holidays with the law books."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import (
    MINUTES_PER_DAY,
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    as_datetime,
    format_instant,
    is_holiday,
    is_zone,
    local_clock,
    parse_instant,
    to_utc,
    zone_info,
    zone_of_country,
)
from recobro_score.errors import ConfigError

ZONES = ("UTC", "America/Santiago", "Europe/Madrid", "America/Bogota", "Asia/Taipei")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = date(1970, 1, 1)

# Hours around every change of the clocks of Santiago and Madrid within a year, and any hour at all.
CHANGES = [
    parse_instant(day) for day in ("2024-04-07", "2024-09-08", "2024-03-31", "2024-10-27", "2025-09-07")
]
near_changes = st.builds(
    lambda change, minutes: change + minutes * US_PER_MINUTE, st.sampled_from(CHANGES), st.integers(-600, 900)
)
anywhen = st.integers(parse_instant("1950-01-01"), parse_instant("2199-01-01"))
instants = st.lists(near_changes | anywhen, min_size=1, max_size=20)
zone_codes = st.integers(0, len(ZONES) - 1)


def _arrays(us: list[int], zone: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array(us, dtype=np.int64), np.full(len(us), zone, dtype=np.int32)


@given(instants, zone_codes)
def test_the_local_clock_is_what_python_says(us: list[int], zone: int):
    clock = local_clock(*_arrays(us, zone), ZONES)
    local = [(EPOCH + timedelta(microseconds=one)).astimezone(ZoneInfo(ZONES[zone])) for one in us]
    assert clock.day.tolist() == [(one.date() - FIRST).days for one in local]
    assert clock.minute.tolist() == [one.hour * 60 + one.minute for one in local]
    assert clock.weekday.tolist() == [one.weekday() for one in local]


@given(instants, zone_codes)
def test_to_utc_undoes_the_local_clock_but_for_the_repeated_hour(us: list[int], zone: int):
    minutes = np.array(us, dtype=np.int64) // US_PER_MINUTE * US_PER_MINUTE
    _, zones = _arrays(us, zone)
    clock = local_clock(minutes, zones, ZONES)
    back = to_utc(clock.day, clock.minute, zones, ZONES)
    again = local_clock(back, zones, ZONES)
    assert again.day.tolist() == clock.day.tolist()
    assert again.minute.tolist() == clock.minute.tolist()
    assert set((minutes - back).tolist()) <= {0, US_PER_HOUR}


@given(st.lists(near_changes, min_size=1, max_size=20), zone_codes)
def test_local_times_that_do_not_exist_move_to_the_first_that_does(us: list[int], zone: int):
    wall = np.array(us, dtype=np.int64)
    day, minute = wall // US_PER_DAY, wall % US_PER_DAY // US_PER_MINUTE
    found = to_utc(day, minute, np.full(len(wall), zone, dtype=np.int32), ZONES).tolist()
    for naive_us, instant in zip(wall.tolist(), found, strict=True):
        naive = datetime(1970, 1, 1) + timedelta(microseconds=naive_us)
        while not _exists(naive, ZONES[zone]):
            naive += timedelta(minutes=1)
        expected = naive.replace(tzinfo=ZoneInfo(ZONES[zone]), fold=0)
        assert EPOCH + timedelta(microseconds=instant) == expected.astimezone(UTC)


def _exists(naive: datetime, zone: str) -> bool:
    aware = naive.replace(tzinfo=ZoneInfo(zone))
    return aware.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == naive


def test_rows_of_several_zones_are_read_each_in_its_own():
    us = np.full(len(ZONES), parse_instant("2025-01-15T12:00"), dtype=np.int64)
    zone = np.arange(len(ZONES), dtype=np.int32)
    clock = local_clock(us, zone, ZONES)
    assert clock.minute.tolist() == [hours * 60 for hours in (12, 9, 13, 7, 20)]
    assert to_utc(clock.day, clock.minute, zone, ZONES).tolist() == us.tolist()
    empty = local_clock(us[:0], zone[:0], ZONES)
    assert [len(part) for part in (empty.day, empty.minute, empty.weekday)] == [0, 0, 0]


@settings(max_examples=100)
@given(near_changes | anywhen, st.sampled_from(ZONES))
def test_an_instant_written_out_reads_back_as_itself(us: int, zone: str):
    assert parse_instant(format_instant(us, zone), "Asia/Tokyo") == us
    assert parse_instant(as_datetime(us, zone)) == us


def test_instants_of_every_kind():
    assert parse_instant("2025-06-01") == 1_748_736_000 * US_PER_SECOND
    assert parse_instant("2025-06-01", "America/Bogota") - parse_instant("2025-06-01") == 5 * US_PER_HOUR
    assert parse_instant(date(2025, 6, 1), "Europe/Madrid") == parse_instant("2025-06-01T00:00+02:00")
    assert parse_instant(datetime(2025, 6, 1, 9), "Europe/Madrid") == parse_instant("2025-06-01T07:00Z")
    assert parse_instant("2025-09-07T00:30", "America/Santiago") == parse_instant("2025-09-07T01:00-03:00")
    assert parse_instant("2025-10-26T02:30", "Europe/Madrid") == parse_instant("2025-10-26T02:30+02:00")
    assert format_instant(parse_instant("2025-06-01"), "America/Bogota") == "2025-05-31T19:00:00-05:00"
    assert MINUTES_PER_DAY * US_PER_MINUTE == US_PER_DAY


def test_what_is_no_instant_or_zone_is_a_configuration_error():
    for text in ("soon", "2025-02-30", "", "01/06/2025"):
        with pytest.raises(ConfigError, match="not a date or time"):
            parse_instant(text)
    for name in ("Mars/Olympus", "America", "", "../etc/passwd", "a" * 300, "a\0b"):
        assert not is_zone(name)
        with pytest.raises(ConfigError, match="unknown time zone"):
            zone_info(name)
    assert is_zone("Europe/Madrid")


@pytest.mark.parametrize(
    "country", ["AR", "BR", "CL", "CO", "EC", "ES", "GB", "MX", "PE", "PT", "TW", "US", "UY"]
)
def test_zones_of_countries_exist(country: str):
    zone = zone_of_country(country)
    assert zone is not None
    assert is_zone(zone)
    assert zone_of_country("XX") is None


def _holidays(year: int, country: str, subdivision: str | None = None) -> list[str]:
    first = (date(year, 1, 1) - FIRST).days
    days = np.arange(first, first + 365, dtype=np.int64)
    found = days[is_holiday(days, country, subdivision)]
    return [(FIRST + timedelta(days=int(day))).isoformat()[5:] for day in found]


def test_colombian_holidays_move_to_the_monday_as_ley_emiliani_says():
    spring = "01-01 01-06 03-24 04-17 04-18 05-01 06-02 06-23 06-30"
    autumn = "07-20 08-07 08-18 10-13 11-03 11-17 12-08 12-25"
    assert _holidays(2025, "CO") == [*spring.split(), *autumn.split()]


def test_chilean_holidays_are_those_of_the_law():
    expected = (
        "01-01 04-18 04-19 05-01 05-21 06-20 06-29 07-16 08-15 09-18 09-19 10-12 10-31 11-01 12-08 12-25"
    )
    assert _holidays(2025, "CL") == expected.split()


def test_a_subdivision_adds_its_own_with_or_without_the_prefix_of_the_country():
    madrid = _holidays(2025, "ES", "MD")
    assert "05-02" in madrid
    assert _holidays(2025, "ES", "ES-MD") == madrid
    assert "05-02" not in _holidays(2025, "ES")
    assert _holidays(2025, "ES", "Atlantis") == _holidays(2025, "ES")


def test_holidays_keep_the_shape_asked_for_and_refuse_countries_they_do_not_know():
    days = np.array([[20089, 20090], [20090, 20089]], dtype=np.int64)
    assert is_holiday(days, "CO").tolist() == [[True, False], [False, True]]
    assert is_holiday(days[:0], "CO").shape == (0, 2)
    for country in ("XX", "", "Colombia", "NYSE", "utils"):
        with pytest.raises(ConfigError, match=f"'{country}'"):
            is_holiday(days, country)
