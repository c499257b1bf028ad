"""As-of dates lie where the calendar puts them; the parts of a split never reach into each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.calendars import US_PER_DAY, US_PER_HOUR, format_instant, parse_instant
from recobro_score.errors import ConfigError, NotEnoughData
from recobro_score.timeline import Split, Timeline, add_months, debtor_folds, holdout, temporal_folds

ZONES = ("UTC", "Europe/Madrid", "America/Santiago", "America/Bogota", "Asia/Taipei")
_zones = st.sampled_from(ZONES)
_moments = st.datetimes(
    min_value=pd.Timestamp("2001-01-01").to_pydatetime(), max_value=pd.Timestamp("2035-01-01").to_pydatetime()
)


@given(moment=_moments, months=st.integers(-40, 40), zone=_zones)
def test_months_are_added_as_pandas_adds_them(moment, months, zone):
    moved = pd.Timestamp(moment) + pd.DateOffset(months=months)
    start = parse_instant(moment, zone)
    back = pd.Timestamp(format_instant(start, zone)).tz_localize(None)
    if back == moment:  # a local time that daylight saving skips is another one
        assert add_months(start, months, zone) == parse_instant(moved.to_pydatetime(), zone)


@given(moment=_moments, zone=_zones)
def test_months_run_forward(moment, zone):
    start = parse_instant(moment, zone)
    steps = [add_months(start, months, zone) for months in range(-14, 14)]
    assert steps == sorted(set(steps))
    assert steps[14] == start


def test_monthly_as_ofs_keep_the_day_where_the_month_has_it():
    timeline = Timeline.monthly("2024-01-31", "2024-05-31", "Europe/Madrid")
    assert timeline.dates == ("2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31")
    assert all(format_instant(as_of, "Europe/Madrid")[11:19] == "00:00:00" for as_of in timeline)


def test_weeks_keep_the_local_midnight_over_daylight_saving():
    timeline = Timeline.weekly("2025-03-24", "2025-04-07", "Europe/Madrid")
    gaps = [later - earlier for earlier, later in pairwise(timeline.as_ofs)]
    assert timeline.dates == ("2025-03-24", "2025-03-31", "2025-04-07")
    assert gaps == [7 * US_PER_DAY - US_PER_HOUR, 7 * US_PER_DAY]


@given(days=st.integers(1, 45), span=st.integers(0, 400), zone=_zones)
def test_every_so_many_days_lies_between_the_ends(days, span, zone):
    start = parse_instant("2024-06-15", zone)
    end = pd.Timestamp("2024-06-15") + pd.Timedelta(days=span)
    timeline = Timeline.every("2024-06-15", end.date(), days=days, time_zone=zone)
    assert timeline.as_ofs[0] == start
    assert len(timeline) == span // days + 1


def test_explicit_as_ofs_are_sorted_and_unique():
    timeline = Timeline.explicit(["2025-02-01", "2025-01-01", "2025-02-01T00:00"])
    assert timeline.dates == ("2025-01-01", "2025-02-01")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Timeline(()),
        lambda: Timeline((2, 1)),
        lambda: Timeline((1, 1)),
        lambda: Timeline.monthly("2025-02-01", "2025-01-01"),
        lambda: Timeline.every("2025-01-01", "2025-02-01", days=0),
        lambda: Timeline.explicit(["yesterday"]),
        lambda: Timeline.monthly("2025-01-01", "2025-02-01", "Mars/Base"),
    ],
)
def test_a_timeline_that_does_not_run_forward_is_refused(make):
    with pytest.raises(ConfigError):
        make()


_timelines = st.lists(st.integers(0, 900), min_size=1, max_size=40, unique=True).map(
    lambda days: Timeline(tuple(sorted(day * US_PER_DAY for day in days)))
)
_horizons = st.sampled_from((1, 7, 30, 90.5))


@given(timeline=_timelines, horizon=_horizons, extra=st.sampled_from((0, 5)), parts=st.integers(0, 3))
def test_no_label_window_of_a_part_reaches_into_the_next(timeline, horizon, extra, parts):
    try:
        split = holdout(timeline, horizon, calibration=parts, test=1, embargo_days=horizon + extra)
    except NotEnoughData:
        return
    used = [part for part in (split.train, split.calibration, split.test) if part]
    for earlier, later in pairwise(used):
        assert max(earlier) + (horizon + extra) * US_PER_DAY <= min(later)
    assert set(split.train + split.calibration + split.test) <= set(timeline.as_ofs)
    assert len(split.calibration) == parts
    assert split.test == timeline.as_ofs[-1:]
    before = (split.calibration or split.test)[0] - (horizon + extra) * US_PER_DAY
    assert split.train == tuple(as_of for as_of in timeline.as_ofs if as_of <= before)


@given(timeline=_timelines, horizon=_horizons, n_folds=st.integers(1, 4), test=st.integers(1, 2))
def test_folds_expand_and_their_tests_do_not_overlap(timeline, horizon, n_folds, test):
    try:
        folds = temporal_folds(timeline, horizon, n_folds=n_folds, test=test)
    except NotEnoughData:
        return
    assert len(folds) == n_folds
    tested = [as_of for fold in folds for as_of in fold.test]
    assert tested == list(timeline.as_ofs[-n_folds * test :])
    for earlier, later in pairwise(folds):
        assert later.train[: len(earlier.train)] == earlier.train
    for fold in folds:
        assert max(fold.train) + horizon * US_PER_DAY <= min(fold.calibration)
        assert max(fold.calibration) + horizon * US_PER_DAY <= min(fold.test)


@given(
    timeline=_timelines,
    horizon=_horizons,
    n_folds=st.integers(1, 4),
    train=st.integers(1, 5),
    calibration=st.integers(0, 2),
)
def test_sliding_folds_train_on_the_latest_of_what_expanding_folds_train_on(
    timeline, horizon, n_folds, train, calibration
):
    try:
        expanding = temporal_folds(timeline, horizon, n_folds=n_folds, calibration=calibration)
    except NotEnoughData:
        with pytest.raises(NotEnoughData):
            temporal_folds(timeline, horizon, n_folds=n_folds, calibration=calibration, train=train)
        return
    if len(expanding[0].train) < train:
        with pytest.raises(NotEnoughData, match=f"too few for {train} to train"):
            temporal_folds(timeline, horizon, n_folds=n_folds, calibration=calibration, train=train)
        return
    sliding = temporal_folds(timeline, horizon, n_folds=n_folds, calibration=calibration, train=train)
    for slid, expanded in zip(sliding, expanding, strict=True):
        assert slid.train == expanded.train[-train:]
        assert (slid.calibration, slid.test) == (expanded.calibration, expanded.test)
    starts = [fold.train[0] for fold in sliding]
    assert starts == sorted(starts)


@given(
    timeline=_timelines,
    rows=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 12)), max_size=80),
    k=st.integers(2, 5),
    calibration=st.integers(0, 1),
)
def test_nobody_is_both_tested_and_learned_from(timeline, rows, k, calibration):
    try:
        split = holdout(timeline, 7, calibration=calibration, test=1)
    except NotEnoughData:
        return
    as_of = np.array([timeline.as_ofs[place % len(timeline)] for place, _ in rows], dtype=np.int64)
    debtor = np.array([f"D{who}" for _, who in rows], dtype=object)
    times_tested = np.zeros(len(rows), dtype=int)
    for fold in range(k):
        part = split.rows(as_of, debtor.tolist(), fold=fold, k=k)
        learned = part.train | part.calibration
        assert not set(debtor[learned]) & set(debtor[part.test])
        assert not (part.train & part.calibration).any()
        for mask, allowed in ((part.train, split.train), (part.calibration, split.calibration)):
            expected = np.isin(as_of, allowed) & (debtor_folds(debtor.tolist(), k) != fold)
            assert (mask == expected).all()
        for earlier, later in ((part.train, part.calibration), (learned, part.test)):
            if earlier.any() and later.any():
                assert as_of[earlier].max() + 7 * US_PER_DAY <= as_of[later].min()
        times_tested += part.test
    assert (times_tested == np.isin(as_of, split.test)).all()


@given(seed=st.randoms(), n=st.integers(1, 40))
def test_the_part_of_a_row_depends_on_no_other_row(seed, n):
    split = Split((0,), (30 * US_PER_DAY,), (60 * US_PER_DAY,), horizon_days=30)
    as_of = np.array([seed.choice((0, 30, 60, 90)) * US_PER_DAY for _ in range(n)])
    debtor = [f"D{seed.randrange(9)}" for _ in range(n)]
    whole = split.rows(as_of, debtor, fold=1, k=3)
    for row in range(n):
        alone = split.rows(as_of[row : row + 1], debtor[row : row + 1], fold=1, k=3)
        for part in ("train", "calibration", "test"):
            assert getattr(alone, part)[0] == getattr(whole, part)[row]


@pytest.mark.parametrize("wrong", [{"fold": 2, "k": 2}, {"fold": -1}, {"k": 1}, {"debtor_ids": ["ana"]}])
def test_rows_that_cannot_be_divided_are_refused(wrong):
    split = Split((0,), (), (30 * US_PER_DAY,), horizon_days=30)
    asked = {"debtor_ids": ["ana", "luis"], **wrong}
    with pytest.raises(ConfigError):
        split.rows(np.array([0, 30 * US_PER_DAY]), asked.pop("debtor_ids"), **asked)


@pytest.mark.parametrize("wrong", [{"train": 0}, {"calibration": -1}, {"test": -1}])
def test_parts_of_impossible_sizes_are_refused(wrong):
    with pytest.raises(ConfigError, match="fewest as-ofs"):
        holdout(Timeline.monthly("2024-01-01", "2025-01-01"), 30, **wrong)


def test_an_embargo_shorter_than_the_horizon_is_refused():
    timeline = Timeline.monthly("2024-01-01", "2025-01-01")
    with pytest.raises(ConfigError, match="must not be shorter than the horizon"):
        holdout(timeline, 30, embargo_days=29)


def test_parts_within_the_embargo_are_refused_all_at_once():
    day = US_PER_DAY
    with pytest.raises(ConfigError) as error:
        Split((0,), (29 * day,), (40 * day,), horizon_days=30)
    assert "calibration begins 29 days after train" in str(error.value)
    assert "test begins 11 days after calibration" in str(error.value)
    assert Split((0,), (30 * day,), (), horizon_days=30).frame()["part"].tolist() == ["train", "calibration"]
    with pytest.raises(ConfigError, match="no as-of to train on"):
        Split((), (30 * day,), (), horizon_days=30)


def test_too_few_as_ofs_say_so():
    with pytest.raises(NotEnoughData, match="too few"):
        holdout(Timeline.monthly("2025-01-01", "2025-02-01"), 30)
    with pytest.raises(NotEnoughData, match="too few"):
        temporal_folds(Timeline.monthly("2025-01-01", "2025-02-01"), 30, n_folds=5)


@given(debtors=st.lists(st.text(max_size=6), max_size=60), k=st.integers(2, 7), seed=st.randoms())
def test_a_debtor_is_in_one_fold_whatever_the_rows(debtors, k, seed):
    folds = dict(zip(debtors, debtor_folds(debtors, k).tolist(), strict=True))
    shuffled = list(debtors)
    seed.shuffle(shuffled)
    assert debtor_folds(shuffled, k).tolist() == [folds[debtor] for debtor in shuffled]
    assert debtor_folds(pa.array(debtors, pa.string()), k).tolist() == [folds[debtor] for debtor in debtors]
    assert all(0 <= fold < k for fold in folds.values())


def test_folds_are_about_equal_and_stay_the_same_forever():
    folds = debtor_folds([f"D{i}" for i in range(5000)], 5)
    assert all(900 < (folds == fold).sum() < 1100 for fold in range(5))
    assert (
        debtor_folds(["ana", "luis", "eva"], 5).tolist() == debtor_folds(["ana", "luis", "eva"], 5).tolist()
    )
    assert (debtor_folds([f"D{i}" for i in range(100)], 5, salt="b") != folds[:100]).any()
    with pytest.raises(ConfigError):
        debtor_folds(["a"], 1)
    with pytest.raises(ConfigError, match="no debtor id"):
        debtor_folds(pa.array(["a", None]), 2)
