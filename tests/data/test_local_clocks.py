"""The local clock of many events is the one that asking the time zone gives."""

from __future__ import annotations

import numpy as np
import pytest

from recobro_score.calendars import local_clock, parse_instant
from recobro_score.data.local_clocks import local_minutes

ZONES = ("Europe/Madrid", "UTC", "America/Bogota", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Monrovia")


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2022-11-01", "2025-06-01"),
        ("2024-03-31T00:00", "2024-03-31T03:00"),
        ("1969-11-01", "1973-01-01"),
        ("1900-01-01", "2199-01-01"),
    ],
)
@pytest.mark.parametrize("rows", [40, 9000])
def test_minutes_and_weekdays_are_those_of_the_zone(begin, end, rows):
    rng = np.random.default_rng(rows)
    at = rng.integers(parse_instant(begin), parse_instant(end), rows)
    offsets = np.sort(np.append(rng.integers(0, rows, 29), [0, rows]))
    zone = rng.integers(0, len(ZONES), 30).astype(np.int32)
    minute, weekday = local_minutes(at, offsets, zone, ZONES)
    clock = local_clock(at, np.repeat(zone, np.diff(offsets)), ZONES)
    assert minute.tolist() == clock.minute.tolist()
    assert weekday.tolist() == clock.weekday.tolist()


def test_changes_of_the_clock_are_met_to_the_microsecond():
    changes = [parse_instant(text) for text in ("2024-03-31T01:00", "2024-10-27T01:00", "2024-04-06T15:00")]
    at = np.repeat(np.array([change + step for change in changes for step in (-1, 0, 1)]), 2000)
    for code in range(len(ZONES)):
        zone = np.array([code], np.int32)
        minute, weekday = local_minutes(at, np.array([0, len(at)]), zone, ZONES)
        clock = local_clock(at, np.repeat(zone, len(at)), ZONES)
        assert minute.tolist() == clock.minute.tolist()
        assert weekday.tolist() == clock.weekday.tolist()
