"""Labels: matured or unknown, exact at the edge, and silent where nothing can be said."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.errors import ConfigError, ContractError
from recobro_score.features import REASONS, given_labels, payment_labels
from recobro_score.money import MISSING_MONEY
from tests.features.oracle import Oracle
from tests.features.stores import AS_OF, EARLIER, event_rows, store_of

DAY = US_PER_DAY
LATER = AS_OF + 365 * DAY


def label(tables, *, share=0.5, horizon_days=30, observed_until=LATER, lag=None, **account):
    store = store_of(tables, **{"principal": 1000, **account})
    labels = payment_labels(
        store, [AS_OF], share=share, horizon_days=horizon_days, observed_until=observed_until, lag=lag
    )
    return labels.value[0], REASONS[labels.reason[0]]


def paid(*pairs, **fields):
    return {
        "payments": [{"at": AS_OF + round(day * DAY), "amount": amount, **fields} for day, amount in pairs]
    }


def test_the_share_is_reached_exactly():
    assert label(paid((3, 500))) == (1.0, "known")
    assert label(paid((3, 499))) == (0.0, "known")
    assert label(paid((3, 334)), share=0.3333, principal=1000) == (1.0, "known")
    assert label(paid((3, 333)), share=0.3333, principal=1000) == (0.0, "known")


def test_a_share_that_is_no_whole_cent_is_rounded_up():
    assert label(paid((3, 333)), share=0.3333, principal=999) == (1.0, "known")
    assert label(paid((3, 332)), share=0.3333, principal=999) == (0.0, "known")
    assert label(paid((3, 3334)), share=0.3333, principal=10_001) == (1.0, "known")
    assert label(paid((3, 3333)), share=0.3333, principal=10_001) == (0.0, "known")


def test_the_window_is_half_open():
    assert label(paid((0, 500)))[0] == 1.0
    assert label(paid((30, 500)))[0] == 0.0
    assert label({"payments": [{"at": AS_OF + 30 * DAY - 1, "amount": 500}]})[0] == 1.0


def test_a_reversal_takes_the_payment_back():
    rows = paid((3, 500))["payments"] + paid((5, 500), kind="reversal")["payments"]
    assert label({"payments": rows})[0] == 0.0


@pytest.mark.parametrize("kind", ["write_off", "fee", "adjustment"])
def test_what_is_no_recovery_pays_nothing(kind):
    assert label(paid((3, 500), kind=kind))[0] == 0.0


def test_a_label_matures_with_horizon_and_lag():
    end = AS_OF + 30 * DAY
    assert label({}, observed_until=end)[1] == "known"
    assert label({}, observed_until=end - 1)[1] == "not_matured"
    assert label({}, observed_until=end + DAY - 1, lag=DAY)[1] == "not_matured"
    assert label({}, observed_until=end + DAY, lag=DAY)[1] == "known"
    assert np.isnan(label({}, observed_until=end - 1)[0])


def test_payments_that_became_known_after_the_observation_do_not_count():
    end = AS_OF + 30 * DAY
    tables = paid((3, 500), known_at=end)
    assert label(tables, observed_until=end)[0] == 0.0
    assert label(tables, observed_until=end + 1)[0] == 1.0


@pytest.mark.parametrize(
    ("placements", "reason"),
    [
        ([(-30, NEVER)], "known"),
        ([(-30, 29.9)], "recalled"),
        ([(-30, 30)], "known"),
        ([(-30, -1)], "not_placed"),
        ([(-30, 0)], "not_placed"),
        ([(-30, -10), (-5, NEVER)], "known"),
        ([(-30, 5), (10, NEVER)], "recalled"),
        ([(-30, 5), (-10, 60)], "known"),
        ([(1, 5)], "known"),
    ],
)
def test_a_recalled_account_has_no_label(placements, reason):
    rows = [
        {"at": AS_OF + begin * DAY, "recalled_at": end if end == NEVER else AS_OF + round(end * DAY)}
        for begin, end in placements
    ]
    assert label({"placements": rows, **paid((3, 500))})[1] == reason


def test_accounts_of_which_nothing_can_be_asked_have_no_label():
    assert label({}, opened_at=AS_OF)[1] == "not_open"
    assert label({}, known_at=AS_OF)[1] == "not_open"
    assert label(paid((-3, 1000)))[1] == "nothing_due"
    assert label({}, principal=MISSING_MONEY)[1] == "exposure_unknown"


@settings(max_examples=30)
@given(tables=event_rows(2, 1), share=st.sampled_from((0.0001, 0.1, 0.3333, 0.5, 1.0)))
def test_labels_agree_with_plain_sums(tables, share):
    store = store_of(tables, n_accounts=2, debtor_of=[0, 0])
    labels = payment_labels(store, [EARLIER, AS_OF], share=share, horizon_days=30, observed_until=LATER)
    oracle = Oracle(tables, (), debtor_of=[0, 0], digits=[2, 2])
    for i in np.flatnonzero(labels.known):
        as_of = int(labels.as_of[i])
        recovered = oracle.recovered(int(labels.account[i]), LATER, as_of, as_of + 30 * DAY)
        assert labels.recovered[i] == recovered
        assert labels.value[i] == (recovered >= Fraction(str(share)) * int(labels.exposure[i]))
    assert (labels.known == (labels.reason == 0)).all()


def test_counts_add_up():
    recalled = [{"at": AS_OF - DAY, "recalled_at": AS_OF + DAY, "owner": 1}]
    store = store_of({**paid((3, 900)), "placements": recalled}, n_accounts=3, principal=1000)
    labels = payment_labels(store, [EARLIER, AS_OF], share=0.5, horizon_days=10, observed_until=LATER)
    counts = labels.counts()
    assert counts["pairs"].sum() == len(labels) == 6
    assert counts["positive"].sum() == 1
    assert set(counts["reason"]) == {"known", "recalled"}
    assert labels.take(labels.known).frame()["label"].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("share", "horizon"), [(0, 30), (1.1, 30), (0.12345, 30), (0.5, 0), (0.5, float("inf"))]
)
def test_a_share_or_horizon_out_of_range_is_refused(share, horizon):
    with pytest.raises(ConfigError):
        label({}, share=share, horizon_days=horizon)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_given_labels_are_read_from_any_frame(make):
    frame = make({"account_id": ["A002", "A000"], "label": [1, 0]})
    labels = given_labels(frame, store_of(n_accounts=3), [AS_OF])
    assert labels.value.tolist()[::2] == [0.0, 1.0]
    assert [REASONS[reason] for reason in labels.reason] == ["known", "not_given", "known"]
    assert (labels.recovered == MISSING_MONEY).all()


def test_given_labels_of_several_as_ofs_name_theirs():
    frame = pd.DataFrame(
        {"account_id": ["A000"] * 2, "as_of": ["2025-03-31", "2025-03-01"], "label": [True, False]}
    )
    labels = given_labels(frame, store_of(), [EARLIER, AS_OF])
    assert labels.value.tolist() == [0.0, 1.0]
    dated = frame.assign(as_of=pd.to_datetime(frame["as_of"]))
    assert given_labels(dated, store_of(), [EARLIER, AS_OF]).value.tolist() == [0.0, 1.0]


def test_everything_wrong_with_given_labels_is_said_at_once():
    frame = pd.DataFrame(
        {
            "account_id": ["A000", "A000", "nobody", "A001", "A001"],
            "as_of": ["2025-03-31", "2025-03-31", "2025-03-31", "2025-04-01", "2025-03-31"],
            "label": [0, 1, 1, 1, 7],
        }
    )
    with pytest.raises(ContractError) as error:
        given_labels(frame, store_of(n_accounts=2), [AS_OF])
    for said in (
        "no such account (1 of 5 rows), for example nobody",
        "not one of the as-ofs",
        "neither 0 nor 1",
        "given before (1 of 5 rows)",
    ):
        assert said in str(error.value)
    with pytest.raises(ContractError, match=r"labels\.label: no such column"):
        given_labels(frame[["account_id"]], store_of(), [AS_OF])
