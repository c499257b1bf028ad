"""The account's state, now and some days before, and the debtor's accounts together, by plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.features import FeatureSet, Recipe, Window, compute
from recobro_score.features.readable import STATE
from tests.data.state_oracle import moment, portfolio_of, state_of
from tests.data.test_state import LAST, accounts

DAYS_AGO = (0, 0.5, 3, 10)
STARTS = (0, 1, 31, 61, 91, 181)
"""Days past due at which the buckets 0, 1-30, 31-60, 61-90, 91-180 and 181+ begin."""
CURRENCIES = ("EUR", "USD")


def _recipes():
    for value in STATE:
        for ago in DAYS_AGO:
            window = Window(None, -ago) if ago else None
            yield Recipe(f"{value}_{ago}".replace(".", "_"), "state", "state", "arrears", value, window)
    yield Recipe("roll", "derived", "difference", "arrears_history", of=("bucket_0", "bucket_3"))
    yield Recipe(
        "worst_10", "derived", "larger", "arrears_history", of=("bucket_3", "bucket_10"), hidden=True
    )
    yield Recipe("worst", "derived", "larger", "arrears_history", of=("bucket_0", "worst_10"))


FEATURES = FeatureSet(tuple(_recipes()))
people = st.tuples(accounts, st.integers(0, 2), st.sampled_from(CURRENCIES))


def _store(book):
    """The accounts with their debtors and currencies."""
    store = portfolio_of([account for account, _, _ in book]).store
    held = np.array([debtor for _, debtor, _ in book], dtype=np.int64)
    debtors, held = np.unique(held, return_inverse=True)
    codes = np.array([CURRENCIES.index(currency) for _, _, currency in book], dtype=np.int32)
    return replace(
        store,
        debtor_ids=pa.array([f"D{debtor}" for debtor in debtors.tolist()]),
        account_debtor=held.astype(np.int64),
        accounts={**store.accounts, "currency": codes},
        debtors={name: values[: len(debtors)] for name, values in store.debtors.items()},
        vocabularies={**store.vocabularies, "accounts.currency": CURRENCIES},
    )


def _expected(book, number, now):
    """What is known of one account at a moment, by the attributes' names."""
    account, debtor, currency = book[number]
    mine = state_of(account, now)
    if not mine.open:
        return dict.fromkeys(STATE)
    bucket = None if mine.dpd is None else max(i for i, start in enumerate(STARTS) if mine.dpd >= start)
    held = [(i, other[2], state_of(other[0], now)) for i, other in enumerate(book) if other[1] == debtor]
    held = [one for one in held if one[2].open]
    owed = [state.exposure for _, other, state in held if other == currency and state.exposure is not None]
    late = [state.dpd for i, _, state in held if i != number and state.dpd is not None]
    return {
        "exposure": None if mine.exposure is None else mine.exposure / 100,
        "dpd": mine.dpd,
        "bucket": bucket,
        "days_in_bucket": None if bucket is None else mine.dpd - STARTS[bucket],
        "debtor_exposure": None if mine.exposure is None else sum(owed) / 100,
        "debtor_accounts": len(held),
        "others_dpd": max(late, default=None),
    }


@settings(max_examples=120)
@given(st.lists(people, min_size=1, max_size=5), st.lists(st.integers(0, LAST + 20), min_size=1, max_size=3))
def test_the_state_of_any_instant_is_what_the_definitions_say(book, nows):
    store = _store(book)
    matrix = compute(FEATURES.schema(store), store, [moment(now) for now in nows])
    pairs = [(number, now) for number in range(len(book)) for now in nows]
    for row, (number, now) in enumerate(pairs):
        found = dict(zip(FEATURES.names, matrix.values[row].tolist(), strict=True))
        then = {ago: _expected(book, number, now - int(2 * ago)) for ago in DAYS_AGO}
        for ago, state in then.items():
            for value, expected in state.items():
                assert _same(found[f"{value}_{ago}".replace(".", "_")], expected), (value, ago, number, now)
        buckets = [then[ago]["bucket"] for ago in (0, 3, 10)]
        known = [bucket for bucket in buckets if bucket is not None]
        roll = None if None in buckets[:2] else buckets[0] - buckets[1]
        assert _same(found["roll"], roll)
        assert _same(found["worst"], max(known, default=None))


def _same(found, expected):
    return np.isnan(found) if expected is None else found == expected
