"""The edges of windows and clocks, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant
from recobro_score.features import FeatureSet, Recipe, Where, Window, compute, payment_labels
from tests.features.stores import AS_OF, store_of

DAY = US_PER_DAY


def feature(recipe_fields, tables, as_of=AS_OF, **store):
    recipe = Recipe("it", concept="payment_amounts", **recipe_fields)
    made = store_of(tables, **store)
    return compute(FeatureSet((recipe,)).schema(made), made, [as_of]).values[0, 0]


def payments(*days, **fields):
    return {
        "payments": [
            {"at": AS_OF + round(day * DAY), "amount": 1000 + i, **fields} for i, day in enumerate(days)
        ]
    }


COUNT = {"table": "payments", "aggregate": "count"}


def test_a_payment_exactly_at_the_as_of_is_label_and_never_feature():
    tables = payments(0)
    store = store_of(tables, principal=1000)
    labels = payment_labels(store, [AS_OF], share=1.0, horizon_days=30, observed_until=AS_OF + 90 * DAY)
    assert feature(COUNT, tables) == 0
    assert labels.value.tolist() == [1.0]
    assert labels.recovered.tolist() == [1000]


def test_a_payment_just_before_the_as_of_is_feature_and_never_label():
    tables = {"payments": [{"at": AS_OF - 1, "amount": 1000}]}
    store = store_of(tables, principal=5000)
    labels = payment_labels(store, [AS_OF], share=0.1, horizon_days=30, observed_until=AS_OF + 90 * DAY)
    assert feature(COUNT, tables) == 1
    assert labels.value.tolist() == [0.0]
    assert labels.exposure.tolist() == [4000]


def test_a_payment_exactly_at_the_far_edge_of_the_lookback_is_in():
    assert feature({**COUNT, "window": Window(-30, 0)}, payments(-30)) == 1


def test_a_payment_just_before_the_far_edge_is_out():
    tables = {"payments": [{"at": AS_OF - 30 * DAY - 1, "amount": 1}]}
    assert feature({**COUNT, "window": Window(-30, 0)}, tables) == 0


def test_slices_side_by_side_count_every_row_once():
    tables = payments(-90, -60, -45, -30, -1)
    slices = [feature({**COUNT, "window": Window(low, low + 30)}, tables) for low in (-90, -60, -30)]
    assert slices == [1, 2, 2]
    assert sum(slices) == feature({**COUNT, "window": Window(-90, 0)}, tables)


def test_a_payment_known_at_the_as_of_is_not_known_yet():
    assert feature(COUNT, payments(-5, known_at=AS_OF)) == 0
    assert feature(COUNT, payments(-5, known_at=AS_OF - 1)) == 1


def test_gaps_are_taken_after_the_visibility_filter():
    rows = [
        {"at": AS_OF - 30 * DAY, "amount": 1},
        {"at": AS_OF - 20 * DAY, "amount": 1, "known_at": AS_OF + DAY},
        {"at": AS_OF - 10 * DAY, "amount": 1},
    ]
    assert feature({"table": "payments", "aggregate": "gap_mean"}, {"payments": rows}) == 20.0


def test_equal_instants_have_a_gap_of_zero():
    assert feature({"table": "payments", "aggregate": "gap_mean"}, payments(-5, -5)) == 0.0


def test_the_last_of_equal_instants_is_the_one_known_last():
    rows = [
        {"at": AS_OF - DAY, "amount": 7, "known_at": AS_OF - 10},
        {"at": AS_OF - DAY, "amount": 9, "known_at": AS_OF - 20},
    ]
    last = {"table": "payments", "aggregate": "last", "value": "amount"}
    assert feature(last, {"payments": rows}) == feature(last, {"payments": rows[::-1]}) == 0.07


def test_sums_of_nothing_are_zero_and_means_of_nothing_are_missing():
    unseen_before = payments(40)
    for aggregate, expected in (("sum", 0.0), ("mean", np.nan), ("max", np.nan), ("last", np.nan)):
        value = feature({"table": "payments", "aggregate": aggregate, "value": "amount"}, unseen_before)
        assert value == pytest.approx(expected, nan_ok=True)
    assert np.isnan(feature({"table": "payments", "aggregate": "since_last"}, unseen_before))


def test_a_table_that_training_never_saw_is_missing_and_not_zero():
    assert np.isnan(feature({"table": "promises", "aggregate": "count"}, payments(-5)))


def test_a_schedule_ahead_is_seen_if_it_was_known():
    ahead = {"table": "instalments", "aggregate": "sum", "value": "amount", "window": Window(0, 30)}
    rows = [
        {"at": AS_OF, "amount": 100, "known_at": AS_OF - 1},
        {"at": AS_OF + 30 * DAY - 1, "amount": 20, "known_at": AS_OF - 1},
        {"at": AS_OF + 30 * DAY, "amount": 3, "known_at": AS_OF - 1},
        {"at": AS_OF + 5 * DAY, "amount": 4000, "known_at": AS_OF},
    ]
    assert feature(ahead, {"instalments": rows}) == 1.2
    assert feature({"table": "instalments", "aggregate": "until_first", "window": Window(0, 30)},
                   {"instalments": rows}) == 0.0  # fmt: skip


@pytest.mark.parametrize(
    ("paid_on", "known_after", "as_of_day", "status"),
    [
        (9, 0, 5, "open"),
        (9, 0, 13, "kept"),
        (9, 10, 13, "broken"),
        (9, 10, 19.5, "kept"),
        (13, 0, 12.9, "open"),
        (13, 0, 13, "broken"),
        (13, 0, 20, "broken"),
        (-1, 0, 20, "broken"),
    ],
)
def test_a_promise_is_judged_as_of_the_snapshot(paid_on, known_after, as_of_day, status):
    """Promised on day 0, due on day 10, three days of grace."""
    paid_at = AS_OF + paid_on * DAY
    tables = {
        "promises": [{"at": AS_OF, "due_at": AS_OF + 10 * DAY, "amount": 500}],
        "payments": [{"at": paid_at, "known_at": paid_at + known_after * DAY, "amount": 500}],
    }
    as_of = AS_OF + round(as_of_day * DAY)
    found = {
        word: feature(
            {"table": "promises", "aggregate": "count", "where": (Where("status", (word,)),)}, tables, as_of
        )
        for word in ("open", "kept", "broken")
    }
    assert found == {word: float(word == status) for word in found}


def test_a_payment_dated_after_the_snapshot_keeps_no_promise_though_it_is_known():
    tables = {
        "promises": [{"at": AS_OF - 5 * DAY, "due_at": AS_OF + 5 * DAY, "amount": 500}],
        "payments": [{"at": AS_OF + DAY, "known_at": AS_OF - DAY, "amount": 500}],
    }
    kept = {"table": "promises", "aggregate": "count", "where": (Where("status", ("kept",)),)}
    assert feature(kept, tables) == 0.0
    assert feature(kept, tables, AS_OF + DAY + 1) == 1.0


def test_a_promise_without_an_amount_is_neither_open_nor_kept_nor_broken():
    tables = {"promises": [{"at": AS_OF - 5 * DAY, "due_at": AS_OF + 5 * DAY}]}
    every = {"table": "promises", "aggregate": "count"}
    assert feature(every, tables) == 1.0
    for word in ("open", "kept", "broken"):
        assert feature({**every, "where": (Where("status", (word,)),)}, tables) == 0.0


def test_a_reversal_breaks_a_kept_promise_again():
    tables = {
        "promises": [{"at": AS_OF - 20 * DAY, "due_at": AS_OF - 10 * DAY, "amount": 500}],
        "payments": [
            {"at": AS_OF - 15 * DAY, "amount": 500},
            {"at": AS_OF - 12 * DAY, "amount": 500, "kind": "reversal"},
        ],
    }
    kept = {"table": "promises", "aggregate": "count", "where": (Where("status", ("kept",)),)}
    assert feature(kept, tables, AS_OF - 13 * DAY) == 1.0
    assert feature(kept, tables) == 0.0


def test_instalments_are_paid_oldest_first_and_those_of_plans_stay_apart():
    tables = {
        "instalments": [
            {"at": AS_OF - 60 * DAY, "amount": 100},
            {"at": AS_OF - 50 * DAY, "amount": 900, "plan_id": "P"},
            {"at": AS_OF - 30 * DAY, "amount": 100},
            {"at": AS_OF - 1, "amount": 100},
        ],
        "payments": [{"at": AS_OF - 2 * DAY, "amount": 200}],
    }
    tables["instalments"] = [{**row, "known_at": AS_OF - 90 * DAY} for row in tables["instalments"]]
    counts = [
        feature({"table": "instalments", "aggregate": "count", "where": (Where("status", (word,)),)}, tables)
        for word in ("paid", "unpaid", "plan")
    ]
    assert counts == [2.0, 1.0, 1.0]


def test_a_plan_accepted_later_is_an_offer_before():
    tables = {"plans": [{"at": AS_OF - 9 * DAY, "accepted_at": AS_OF, "ended_at": NEVER, "terms": "{}"}]}
    accepted = {"table": "plans", "aggregate": "count", "where": (Where("status", ("accepted",)),)}
    assert feature(accepted, tables) == 0.0
    assert feature(accepted, tables, AS_OF + 1) == 1.0


@pytest.mark.parametrize("time_zone", ["UTC", "America/Bogota", "Europe/Madrid"])
def test_month_ends_and_month_starts_fall_one_into_each_calendar_month(time_zone):
    as_of = parse_instant("2005-10-01", time_zone)
    for day in ("01", "15", "28"):
        rows = [
            {"at": parse_instant(f"2005-{month:02d}-{day}", time_zone), "amount": month}
            for month in range(4, 10)
        ]
        store = store_of({"payments": rows}, time_zone=time_zone)
        matrix = compute(FeatureSet.standard().schema(store), store, [as_of])
        assert [matrix.column(f"paid_month_{k}")[0] for k in range(2, 7)] == [0.08, 0.07, 0.06, 0.05, 0.04]


def test_money_keeps_the_digits_of_its_currency():
    total = {"table": "payments", "aggregate": "sum", "value": "amount"}
    for digits, expected in ((0, 2001.0), (2, 20.01), (3, 2.001)):
        assert feature(total, payments(-1, -2), digits=[digits]) == expected


def test_more_filters_than_bits_are_split_over_several_passes():
    recipes = tuple(
        Recipe(f"m{i}", "payments", "count", "payment_amounts", where=(Where("method", (f"w{i}",)),))
        for i in range(150)
    )
    rows = [{"at": AS_OF - 1 - i, "amount": 1, "method": f"w{i}"} for i in range(0, 150, 2)]
    store = store_of({"payments": rows})
    values = compute(FeatureSet(recipes).schema(store), store, [AS_OF]).values[0]
    assert values.tolist() == [1.0, 0.0] * 75
