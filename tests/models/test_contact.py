"""Contact rates: shrinkage, visibility, and the same bits for one account as for many."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.portfolio import Portfolio
from recobro_score.digest import canonical_json
from recobro_score.errors import BundleError, ColumnNotFound
from recobro_score.models.contact.attempts import CHANNELS, HISTORY_DAYS, PRIOR_RATES, SLOTS
from recobro_score.models.contact.rates import ContactRates

AS_OF = parse_instant("2025-06-03")
CALL = CHANNELS.index("call")


def contact(
    account: str,
    day: str = "2025-05-06",
    hour: int = 10,
    channel: str = "call",
    outcome: str = "no_answer",
    **more,
) -> dict[str, object]:
    row = {"account_id": account, "attempted_at": f"{day}T{hour:02d}:15+00:00", "channel": channel}
    return {**row, "direction": "outbound", "outcome": outcome, **more}


def store_of(contacts: list[dict[str, object]], n_accounts: int = 4, country: str = "GB") -> EventStore:
    ids = [f"A{i:03d}" for i in range(n_accounts)]
    accounts = pd.DataFrame(
        {
            "account_id": ids,
            "debtor_id": [f"D{i}" for i in ids],
            "opened_at": "2024-01-01",
            "currency": "EUR",
            "country": country,
        }
    )
    debtors = pd.DataFrame({"debtor_id": accounts["debtor_id"], "time_zone": "UTC"})
    payments = pd.DataFrame({"account_id": [], "paid_at": [], "amount": []}, dtype=str)
    frames = {"accounts": accounts, "debtors": debtors, "payments": payments}
    if contacts:
        frames["contacts"] = pd.DataFrame(contacts)
    return Portfolio.from_frames(frames).store


def random_contacts(seed: int, n: int = 400, n_accounts: int = 12) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 150, n), unit="D")
    outcomes = ["rpc", "no_answer", "replied", "failed", "blocked", "third_party"]
    return [
        contact(
            f"A{rng.integers(n_accounts):03d}",
            day=str(days[i].date()),
            hour=int(rng.integers(0, 24)),
            channel=str(rng.choice(CHANNELS)),
            outcome=str(rng.choice(outcomes)),
        )
        for i in range(n)
    ]


def test_without_a_log_rates_are_the_documented_priors_and_say_so() -> None:
    store = store_of([])
    rates = ContactRates.fit(store, AS_OF)
    forecast = rates.predict(store, AS_OF)
    assert not rates.has_log
    assert not forecast.has_log
    assert forecast.attempts.sum() == 0
    for c, channel in enumerate(CHANNELS):
        np.testing.assert_allclose(forecast.rate[:, c], PRIOR_RATES[channel], rtol=1e-6)
        assert rates.typical(channel) == pytest.approx(PRIOR_RATES[channel])


def test_an_account_without_history_has_the_rates_of_its_segment() -> None:
    store = store_of([contact("A000", outcome="rpc", hour=h) for h in (9, 9, 9, 18)])
    rates = ContactRates.fit(store, AS_OF)
    forecast = rates.predict(store, AS_OF)
    tuesday = 0
    np.testing.assert_array_equal(
        forecast.rate[1], rates.rate[0, tuesday, :, : len(SLOTS)].astype(np.float32)
    )
    assert (forecast.rate[0, CALL] > forecast.rate[1, CALL]).all()


def test_much_own_history_overrules_the_segment() -> None:
    silent = [contact("A000", day=f"2025-05-{d:02d}", hour=h) for d in range(1, 29) for h in range(8, 20)]
    warm = [contact("A001", day=f"2025-05-{d:02d}", hour=10, outcome="rpc") for d in range(1, 29)]
    warm += [contact("A001", day=f"2025-04-{d:02d}", hour=10, outcome="rpc") for d in range(1, 29)]
    store = store_of(silent + warm)
    rate = ContactRates.fit(store, AS_OF).predict(store, AS_OF).rate
    assert rate[0, CALL].max() < 0.03
    assert rate[1, CALL, SLOTS.index(10)] > 0.9


def test_an_account_that_answers_in_the_evening_is_best_called_in_the_evening() -> None:
    rows = [contact("A000", day=f"2025-05-{d:02d}", hour=19, outcome="rpc") for d in range(1, 15)]
    rows += [contact("A000", day=f"2025-05-{d:02d}", hour=9) for d in range(1, 15)]
    store = store_of(rows)
    rate = ContactRates.fit(store_of([]), AS_OF).predict(store, AS_OF).rate
    assert SLOTS[int(np.argmax(rate[0, CALL]))] == 19
    assert SLOTS[int(np.argmin(rate[0, CALL]))] == 9


def test_the_segment_learns_its_hours_and_weekend() -> None:
    weekdays = [f"2025-05-{d:02d}" for d in (5, 6, 7, 8, 9)] * 8
    rows = [
        contact("A000", day=d, hour=h, outcome="rpc" if h >= 18 else "busy")
        for d in weekdays
        for h in (9, 18)
    ]
    rows += [contact("A001", day=d, hour=18) for d in ("2025-05-10", "2025-05-17") * 20]
    rates = ContactRates.fit(store_of(rows), AS_OF)
    evening = rates.rate[0, :, CALL, SLOTS.index(18)]
    assert evening[0] > rates.rate[0, 0, CALL, SLOTS.index(9)]
    assert evening[1] < evening[0]
    unknown = ContactRates.fit(store_of(rows), AS_OF).predict(store_of([], country="PE"), AS_OF)
    part = rates.rate[-1, 0, CALL, : len(SLOTS)].astype(np.float32)
    np.testing.assert_array_equal(unknown.rate[0, CALL], part)


@pytest.mark.parametrize(
    "ignored",
    [
        contact("A000", outcome="blocked"),
        contact("A000", outcome="rpc", direction="inbound"),
        contact("A000", day="2025-06-03", outcome="rpc"),
        contact("A000", outcome="rpc", known_at="2025-06-03"),
        contact("A000", day="2024-06-01", outcome="rpc"),
        contact("A000", outcome="rpc", channel="visit"),
    ],
    ids=["blocked", "inbound", "future", "not yet known", "too old", "unlearned channel"],
)
def test_what_is_no_visible_attempt_changes_nothing(ignored: dict[str, object]) -> None:
    rows = [
        contact("A001", known_at="2025-05-20"),
        contact("A001", hour=12, outcome="rpc", known_at="2025-05-20"),
    ]
    without, with_it = store_of(rows), store_of([*rows, {"known_at": "2025-06-02", **ignored}])
    if "known_at" not in ignored and str(ignored["attempted_at"]) >= "2025-06-03":
        with_it = store_of([*rows, {**ignored, "known_at": "2025-06-04"}])
    before, after = ContactRates.fit(without, AS_OF), ContactRates.fit(with_it, AS_OF)
    assert before.to_json() == after.to_json()
    np.testing.assert_array_equal(before.predict(without, AS_OF).rate, after.predict(with_it, AS_OF).rate)
    assert AS_OF - parse_instant("2024-06-01") > HISTORY_DAYS * US_PER_DAY


def test_a_reply_succeeds_on_written_channels_and_opening_does_not() -> None:
    rows = [
        contact("A000", channel=c, outcome=o) for c in ("sms", "call") for o in ("replied", "opened", "rpc")
    ]
    rates = ContactRates.fit(store_of(rows), AS_OF)
    won = dict(zip(rates.channels, rates.successes, strict=True))
    assert won["sms"] == 2
    assert won["call"] == 1


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), later=st.integers(0, 2**32 - 1))
def test_rates_are_probabilities_and_later_contacts_change_none(seed: int, later: int) -> None:
    rows = random_contacts(seed)
    ahead = [
        {**row, "attempted_at": str(row["attempted_at"]).replace("2025", "2026")}
        for row in random_contacts(later)
    ]
    store = store_of(rows, 12)
    rates = ContactRates.fit(store, AS_OF)
    forecast = rates.predict(store, AS_OF)
    assert ((forecast.rate > 0.0) & (forecast.rate < 1.0)).all()
    longer = store_of(rows + ahead, 12)
    assert ContactRates.fit(longer, AS_OF).to_json() == rates.to_json()
    np.testing.assert_array_equal(rates.predict(longer, AS_OF).rate, forecast.rate)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), account=st.integers(0, 11))
def test_one_account_alone_has_the_bits_of_the_batch(seed: int, account: int) -> None:
    store = store_of(random_contacts(seed), 12)
    rates = ContactRates.fit(store, AS_OF)
    batch, alone = rates.predict(store, AS_OF), rates.predict(store.take(np.array([account])), AS_OF)
    np.testing.assert_array_equal(alone.rate[0], batch.rate[account])
    np.testing.assert_array_equal(alone.attempts[0], batch.attempts[account])


def test_a_saved_state_gives_the_same_bits() -> None:
    store = store_of(random_contacts(1), 12)
    rates = ContactRates.fit(store, AS_OF)
    loaded = ContactRates.from_json(json.loads(canonical_json(rates.to_json())))
    np.testing.assert_array_equal(loaded.predict(store, AS_OF).rate, rates.predict(store, AS_OF).rate)
    assert loaded.to_json() == rates.to_json()
    with pytest.raises(BundleError, match="format 99"):
        ContactRates.from_json({**rates.to_json(), "format": 99})


def test_own_strength_is_estimated_where_accounts_differ() -> None:
    rng = np.random.default_rng(5)
    for spread, expected in ((0.0, "strong"), (1.0, "weak")):
        own = 0.3 * (1.0 - spread) + spread * rng.beta(0.9, 2.1, 80)
        rows = [
            contact(
                f"A{i:03d}",
                day=f"2025-05-{d:02d}",
                hour=10,
                outcome="rpc" if rng.random() < own[i] else "busy",
            )
            for i in range(80)
            for d in range(1, 25)
        ]
        strength = ContactRates.fit(store_of(rows, 80), AS_OF).strength[CALL]
        assert strength > 15.0 if expected == "strong" else strength < 6.0


def test_frames_have_the_documented_shape() -> None:
    store = store_of(random_contacts(2), 12)
    rates = ContactRates.fit(store, AS_OF)
    frame = rates.predict(store, AS_OF).frame()
    assert frame.shape == (12 * len(CHANNELS), 3 + len(SLOTS))
    assert list(frame.columns[:4]) == ["account_id", "channel", "attempts", "slot_07"]
    assert set(rates.frame()["country"]) == {"GB", "*"}
    with pytest.raises(ColumnNotFound, match="Did you mean 'sms'"):
        rates.typical("smss")
