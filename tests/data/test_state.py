"""Exposure, days past due, open and placed agree with the definitions, and never look ahead."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.state import BUCKETS, AccountState, account_state, bucket_of
from recobro_score.money import MISSING_MONEY
from tests.data.readings import raw
from tests.data.state_oracle import (
    START,
    Account,
    Balance,
    Instalment,
    Payment,
    Placement,
    moment,
    portfolio_of,
    state_of,
    without_the_future,
)

LAST = 40
steps = st.integers(0, LAST)
amounts = st.integers(0, 50) | st.integers(0, 10**12)
kinds = st.sampled_from(("payment", "payment", "payment", "reversal", "write_off", "fee", "adjustment"))
payments = st.builds(
    lambda at, amount, kind, lag: Payment(at, amount, kind, max(0, at + lag)),
    steps,
    amounts,
    kinds,
    st.integers(-2, 6),
)
known_schedule = st.none() | st.integers(0, LAST // 2)
in_plan = st.sampled_from((False, False, False, True))
instalments = st.builds(Instalment, steps, amounts, known_schedule, in_plan)
balances = st.builds(
    Balance, steps, st.integers(-20, 60), st.sampled_from((None, 0.0, -3.0, 1.0, 12.0, 95.0))
)
placements = st.builds(
    lambda at, lag, days: Placement(at, at + lag, None if days is None else at + days),
    steps,
    st.integers(0, 3),
    st.none() | st.integers(0, 8),
)
accounts = st.builds(
    Account,
    opened=st.integers(0, 12),
    known=st.integers(0, 12),
    principal=st.none() | amounts,
    instalments=st.lists(instalments, max_size=6),
    payments=st.lists(payments, max_size=6),
    balances=st.lists(balances, max_size=3, unique_by=lambda balance: balance.known),
    placements=st.lists(placements, max_size=2),
)


def raw_state(state: AccountState, pairs: slice = slice(None)) -> object:
    return raw(
        {name: getattr(state, name)[pairs] for name in ("exposure", "dpd", "bucket", "open", "placed")}
    )


portfolios = st.lists(accounts, min_size=1, max_size=4)
moments = st.lists(st.integers(0, LAST + 10), min_size=1, max_size=5)


@settings(max_examples=150)
@given(portfolios, moments)
def test_the_state_is_what_the_definitions_say(book: list[Account], nows: list[int]):
    store = portfolio_of(book).store
    state = account_state(store, [moment(now) for now in nows])
    expected = [state_of(account, now) for account in book for now in nows]
    assert state.account.tolist() == [number for number in range(len(book)) for _ in nows]
    assert state.as_of.tolist() == [moment(now) for _ in book for now in nows]
    owed = [MISSING_MONEY if one.exposure is None else one.exposure for one in expected]
    assert state.exposure.tolist() == owed
    assert [None if np.isnan(dpd) else dpd for dpd in state.dpd.tolist()] == [one.dpd for one in expected]
    assert state.open.tolist() == [one.open for one in expected]
    assert state.placed.tolist() == [one.placed for one in expected]
    assert state.bucket.tolist() == bucket_of(state.dpd).tolist()


@settings(max_examples=75)
@given(portfolios, st.integers(0, LAST))
def test_what_happens_or_is_known_at_or_after_the_as_of_changes_nothing(book: list[Account], now: int):
    whole = account_state(portfolio_of(book).store, [moment(now)])
    past = account_state(portfolio_of([without_the_future(one, now) for one in book]).store, [moment(now)])
    assert raw_state(whole) == raw_state(past)


@settings(max_examples=25)
@given(portfolios, moments)
def test_other_accounts_and_other_moments_change_nothing(book: list[Account], nows: list[int]):
    store = portfolio_of(book).store
    together = account_state(store, [moment(now) for now in nows])
    for number in range(len(book)):
        for position, now in enumerate(nows):
            alone = account_state(store.take(np.array([number])), [moment(now)])
            pair = number * len(nows) + position
            assert raw_state(alone) == raw_state(together, slice(pair, pair + 1))


def test_an_event_exactly_at_the_as_of_has_not_happened_and_one_just_before_has():
    book = [
        Account(0, 0, None, instalments=[Instalment(10, 100, 0, in_plan=False)]),
        Account(10, 0, 500),
        Account(0, 10, 500),
        Account(0, 0, 500, payments=[Payment(10, 100, "payment", 0), Payment(0, 50, "payment", 10)]),
        Account(0, 0, 500, placements=[Placement(0, 0, 10)]),
        Account(0, 0, 500, placements=[Placement(10, 0, None)]),
    ]
    at = account_state(portfolio_of(book).store, [moment(10), moment(10) + 1])
    assert at.exposure.tolist() == [0, 100, 500, 500, 500, 500, 500, 350, 500, 500, 500, 500]
    assert at.open.tolist() == [True, True, False, True, False, True, *[True] * 6]
    assert at.placed.tolist()[8:] == [False, False, True, True]


def test_write_offs_discounts_and_plans_leave_the_contractual_exposure_alone():
    rows = [Payment(1, 100, kind, 1) for kind in ("write_off", "fee", "adjustment")]
    schedule = [Instalment(2, 700, None, in_plan=False), Instalment(3, 900, 0, in_plan=True)]
    state = account_state(portfolio_of([Account(0, 0, 5000, schedule, rows)]).store, [moment(9)])
    assert state.exposure.tolist() == [700]
    assert state.dpd.tolist() == [3.0]


def test_buckets_begin_where_the_design_says():
    days = [-4.0, 0.0, 0.5, 1.0, 30.0, 31.0, 60.0, 61.0, 90.0, 91.0, 180.0, 181.0, 9999.0, np.nan]
    words = [
        "0",
        "0",
        "0",
        "1-30",
        "1-30",
        "31-60",
        "31-60",
        "61-90",
        "61-90",
        "91-180",
        "91-180",
        "181+",
        "181+",
    ]
    codes = bucket_of(np.array(days))
    assert [BUCKETS[code] for code in codes[:-1]] == words
    assert codes[-1] == -1


def test_the_frame_shows_one_row_per_pair():
    state = account_state(
        portfolio_of([Account(0, 0, 500), Account(0, 0, None)]).store, [START, START + US_PER_DAY]
    )
    frame = state.frame()
    assert frame["account"].tolist() == [0, 0, 1, 1]
    assert frame["bucket"].isna().all()
    assert str(frame["bucket"].dtype) == "string"
    assert str(frame["as_of"].dtype) == "datetime64[us]"
