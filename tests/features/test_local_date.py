"""The debtor's clock and calendar: days of changing hours, month ends, holidays, the usual day of payment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.features import FeatureSet, Recipe, compute
from recobro_score.features.local_date import local_time
from tests.features.stores import store_of

ZONES = ("UTC", "Europe/Madrid", "America/Santiago", "America/Sao_Paulo", "Australia/Lord_Howe")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.integers(-(10**9), 5 * 10**9),
    around=st.sampled_from(("2025-03-30T01:00", "2025-10-26T01:00", "2025-04-06T03:00", "2025-09-07T04:00")),
    shift=st.integers(-7200, 7200),
    code=st.integers(0, len(ZONES) - 1),
)
def test_the_wall_clock_is_that_of_the_zone_also_when_it_changes(seconds, around, shift, code):
    instants = np.array([seconds * 10**6, parse_instant(around) + shift * 10**6])
    local = local_time(instants, np.full(2, code, np.int32), ZONES)
    for us, found in zip(instants.tolist(), local.tolist(), strict=True):
        moment = (EPOCH + timedelta(microseconds=us)).astimezone(ZoneInfo(ZONES[code]))
        minute = moment.replace(second=0, microsecond=0, tzinfo=None)
        assert found // 60_000_000 == (minute - datetime(1970, 1, 1)) // timedelta(minutes=1)


@pytest.mark.parametrize(
    ("paid", "as_of", "days"),
    [("2025-01-05", "2025-03-01", 4), ("2025-01-05", "2025-03-05", 0), ("2025-01-05", "2025-03-06", 30),
     ("2025-01-31", "2025-02-10", 18), ("2025-01-31", "2025-02-28", 0), ("2024-12-31", "2025-01-31", 0)],
)  # fmt: skip
def test_the_usual_day_of_payment_comes_in_this_month_or_in_the_next(paid, as_of, days):
    store = store_of({"payments": [{"at": parse_instant(paid) + US_PER_DAY // 2, "amount": 100}]})
    matrix = compute(FeatureSet.extended().schema(store), store, [parse_instant(as_of)])
    assert matrix.column("days_to_payday").tolist() == [days]


def test_holidays_are_those_of_the_country_and_missing_where_none_are_known():
    store = store_of(n_accounts=2)
    words = {**store.vocabularies, "accounts.country": ("ES", "XX")}
    store.accounts["country"][:] = [0, 1]
    object.__setattr__(store, "vocabularies", words)
    recipes = [
        Recipe(name, "calendar", "calendar", "schedule", value=name)
        for name in ("is_holiday", "days_to_holiday", "weekday", "days_to_month_end")
    ]
    schema = FeatureSet(tuple(recipes)).schema(store)
    values = compute(schema, store, [parse_instant("2025-12-25"), parse_instant("2025-12-31")]).values
    np.testing.assert_array_equal(
        values, [[1, 7, 3, 6], [0, 1, 2, 0], [np.nan, np.nan, 3, 6], [np.nan, np.nan, 2, 0]]
    )
