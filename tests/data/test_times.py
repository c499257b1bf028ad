"""Every way to write a moment gives the same microsecond, and what cannot be one is quarantined."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, parse_instant
from recobro_score.data.contracts import Column
from recobro_score.data.parse import Format, Parsed, UnreadableColumn, parse_column
from recobro_score.frames import to_arrow

ZONES = ("UTC", "America/Santiago", "Europe/Madrid", "America/Bogota")
TIME, LATER = Column("at", "time", required=True), Column("until_at", "later")


def _read(values: Any, time_zone: str = "UTC", column: Column = TIME, **how: Any) -> Parsed:
    array = to_arrow(values if not isinstance(values, list | pa.Array) else {"x": values}).column(0)
    return parse_column(column, array.combine_chunks(), Format(time_zone, **how))


def _us(*texts: str, time_zone: str = "UTC") -> list[int]:
    return [parse_instant(text, time_zone) for text in texts]


moments = st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30))


@settings(max_examples=40)
@given(st.lists(moments, min_size=1, max_size=5), st.sampled_from(ZONES))
def test_naive_times_in_every_form_are_read_in_the_portfolios_zone(times: list[datetime], zone: str):
    expected = _us(*(time.isoformat() for time in times), time_zone=zone)
    forms: list[Any] = [
        [time.isoformat() for time in times],
        [time.isoformat(" ") for time in times],
        times,
        {"x": np.array(times, dtype="M8[us]")},
        pd.DataFrame({"x": times}),
        pl.DataFrame({"x": times}),
    ]
    for form in forms:
        parsed = _read(form, zone)
        assert parsed.values.tolist() == expected
        assert not parsed.bad.any()


@settings(max_examples=40)
@given(
    st.lists(moments, min_size=1, max_size=5),
    st.sampled_from(ZONES),
    st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_aware_times_keep_their_own_offset(times: list[datetime], zone: str, offset: timezone):
    aware = [time.replace(tzinfo=offset) for time in times]
    expected = _us(*(time.isoformat() for time in aware))
    forms: list[Any] = [
        [time.isoformat() for time in aware],
        [time.isoformat(" ").replace("+00:00", "Z") for time in aware],
        pd.DataFrame({"x": pd.DatetimeIndex([time.astimezone(UTC) for time in aware]).tz_convert(offset)}),
        pd.DataFrame({"x": pd.DatetimeIndex([time.astimezone(UTC) for time in aware]).tz_convert(zone)}),
        pl.DataFrame({"x": [time.astimezone(UTC) for time in aware]}),
        pl.DataFrame({"x": [time.astimezone(UTC) for time in aware]}).with_columns(
            pl.col("x").dt.convert_time_zone(zone)
        ),
        pa.array([time.astimezone(UTC) for time in aware], pa.timestamp("us", "UTC")),
    ]
    for form in forms:
        assert _read(form, zone).values.tolist() == expected


@pytest.mark.parametrize("zone", ZONES)
def test_dates_mean_midnight_in_the_portfolios_zone(zone: str):
    days = ["2025-01-01", "2024-02-29", "2025-09-07", "1950-12-31"]
    expected = _us(*days, time_zone=zone)
    dates = [date.fromisoformat(day) for day in days]
    for form in (days, dates, pa.array(dates, pa.date64()), pd.DataFrame({"x": dates})):
        assert _read(form, zone).values.tolist() == expected
    assert (
        _read(
            ["01/01/2025", "29/02/2024", "07/09/2025", "31/12/1950"], zone, date_format="%d/%m/%Y"
        ).values.tolist()
        == expected
    )


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "America/Bogota"])
def test_every_unit_of_arrow_is_the_same_moment(unit: str, zone: str | None):
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds = np.array([0, 1_735_689_600, -1_000_000_000])
    parsed = _read(pa.array(seconds * per_second, pa.timestamp(unit, zone)))
    assert parsed.values.tolist() == (seconds * 1_000_000).tolist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "America/Bogota"])
def test_no_arrow_time_is_too_large_to_be_refused(unit: str, zone: str | None):
    extremes = np.iinfo(np.int64)
    array = pa.array([extremes.max, extremes.min + 1, None], pa.timestamp(unit, zone))
    parsed = _read(array, "America/Santiago")
    assert parsed.bad.tolist() == [True, True, False]
    assert parsed.missing.tolist() == [False, False, True]
    later = _read(array, "America/Santiago", LATER)
    assert later.values[0] == NEVER
    assert later.bad.tolist() == [False, True, False]
    far = pa.array([2**31 - 1, -(2**31)], pa.int32()).cast(pa.date32())
    assert _read(far).bad.all()


def test_gaps_move_forward_to_the_first_time_that_exists_and_repeats_are_the_first():
    santiago = ["2025-09-07", "2025-09-07T00:30", "2025-04-05T23:30"]
    expected = _us("2025-09-07T01:00-03:00", "2025-09-07T01:00-03:00", "2025-04-05T23:30-03:00")
    madrid = ["2025-03-30T02:30", "2025-10-26T02:30"]
    for texts, zone, wanted in (
        (santiago, "America/Santiago", expected),
        (madrid, "Europe/Madrid", _us("2025-03-30T03:00+02:00", "2025-10-26T02:30+02:00")),
    ):
        assert _read(texts, zone).values.tolist() == wanted
        assert _us(*texts, time_zone=zone) == wanted
        assert _read([datetime.fromisoformat(text) for text in texts], zone).values.tolist() == wanted


def test_far_later_dates_are_open_ends_and_far_events_are_bad():
    texts = ["9999-12-31", "9999-12-31T23:59:59-05:00", "2200-01-01", "2199-12-31", "9999-02-30", None]
    later = _read(texts, column=LATER)
    assert later.values.tolist() == [NEVER, NEVER, NEVER, *_us("2199-12-31"), NEVER, NEVER]
    assert later.bad.tolist() == [False, False, False, False, True, False]
    assert _read(texts).bad.tolist() == [True, True, True, False, True, False]
    ends = [
        datetime(9999, 12, 31, 23, 59, 59),
        date(9999, 12, 31),
        datetime(9999, 12, 31, tzinfo=ZoneInfo("UTC")),
    ]
    for end in ends:
        assert _read([end], "America/Bogota", LATER).values.tolist() == [NEVER]
    mixed = _read(["9999-12-31", "2025-01-01T00:00:00.123456789"], column=LATER)
    assert mixed.values.tolist() == [NEVER, *_us("2025-01-01T00:00:00.123456")]


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "today",
        "NaT",
        "nan",
        "soon",
        "1",
        "-1",
        "31/12/2024",
        "2025-02-29",
        "1735689600",
        "1735689600000000",
        "45658",
    ],
)
def test_words_and_the_clock_are_no_times(text: str):
    parsed = _read([text, "2025-01-01"])
    assert parsed.bad.tolist() == [True, False]


def test_a_date_pattern_with_an_offset_keeps_it():
    texts = ["01/06/2025 10:00 +0200", "01/06/2025 10:00 -0500", None, "01/06/2025 10:00"]
    parsed = _read(texts, "America/Bogota", date_format="%d/%m/%Y %H:%M %z")
    assert parsed.values.tolist()[:2] == _us("2025-06-01T10:00+02:00", "2025-06-01T10:00-05:00")
    assert parsed.bad.tolist() == [False, False, False, True]


def test_numbers_and_truth_values_are_no_times_as_a_column():
    for values in ([1], [1.5], [True], [b"2025-01-01"]):
        with pytest.raises(UnreadableColumn):
            _read(values)
