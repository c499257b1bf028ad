"""The decision log: outcomes are those of the payment label at each decision's own instant."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.portfolio import Portfolio
from recobro_score.features.labels import payment_labels
from recobro_score.models.decision_log import DecisionLog, decision_log
from recobro_score.models.effect import EffectTable

ACTIONS = ("no_action", "sms", "call")
OBSERVED_UNTIL = parse_instant("2025-06-01")
N = 40


def store_of(decisions: pd.DataFrame | None, payments: pd.DataFrame) -> EventStore:
    ids = [f"A{i:03d}" for i in range(N)]
    accounts = pd.DataFrame(
        {
            "account_id": ids,
            "debtor_id": [f"D{i // 2}" for i in range(N)],
            "opened_at": "2024-01-01",
            "currency": "EUR",
            "country": "ES",
        }
    )
    balances = pd.DataFrame({"account_id": ids, "known_at": "2025-01-01", "balance": "100.00", "dpd": 10})
    frames = {"accounts": accounts, "payments": payments, "balances": balances}
    if decisions is not None:
        frames["decisions"] = decisions
    return Portfolio.from_frames(frames).store


def random_payments(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2025-01-02") + pd.to_timedelta(rng.integers(0, 145, 60), unit="D")
    accounts = [f"A{i:03d}" for i in rng.integers(0, N, 60)]
    return pd.DataFrame({"account_id": accounts, "paid_at": days.strftime("%Y-%m-%d"), "amount": "30.00"})


def random_decisions(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    nights = np.array(["2025-02-01", "2025-03-01", "2025-03-15", "2025-05-20"])
    return pd.DataFrame(
        {
            "account_id": [f"A{i:03d}" for i in rng.integers(0, N, 150)],
            "decided_at": rng.choice(nights, 150),
            "action_id": rng.choice([*ACTIONS, "visit"], 150),
            "propensity": np.round(rng.uniform(0.1, 0.9, 150), 3),
            "drawn": rng.choice(["true", "false"], 150, p=[0.9, 0.1]),
        }
    )


def read(store: EventStore) -> DecisionLog:
    return decision_log(store, action_ids=ACTIONS, share=0.25, horizon_days=30, observed_until=OBSERVED_UNTIL)


def test_every_outcome_is_the_label_at_its_own_instant() -> None:
    decisions = random_decisions(1)
    store = store_of(decisions, random_payments(1))
    log = read(store)
    assert set(np.unique(log.outcome)) == {0.0, 1.0}
    for row in range(len(log.outcome)):
        labels = payment_labels(
            store,
            np.array([log.decided_at[row]]),
            share=0.25,
            horizon_days=30,
            observed_until=OBSERVED_UNTIL,
        )
        assert labels.value[log.account[row]] == log.outcome[row]
    np.testing.assert_array_equal(log.debtor, store.account_debtor[log.account])
    assert (log.bucket > 0).all()


def test_nothing_is_lost_between_decisions_and_log() -> None:
    decisions = random_decisions(2)
    log = read(store_of(decisions, random_payments(2)))
    assert len(log.outcome) + sum(log.left_out.values()) == len(decisions)
    assert log.left_out["not_drawn"] == (decisions["drawn"] == "false").sum()
    assert log.decided_at.max() + 30 * US_PER_DAY <= OBSERVED_UNTIL
    kept = decisions[(decisions["drawn"] == "true") & (decisions["decided_at"] < "2025-05-02")]
    frame = log.frame(store_of(decisions, random_payments(2)).account_ids, ACTIONS)
    assert (log.action == -1).sum() <= (kept["action_id"] == "visit").sum()
    assert frame["action_id"].isna().sum() == (log.action == -1).sum()


def test_what_became_known_too_late_changes_nothing() -> None:
    decisions, payments = random_decisions(3), random_payments(3)
    decisions["known_at"] = decisions["decided_at"]
    late = decisions.head(20).assign(known_at="2025-06-01")
    before = read(store_of(decisions, payments))
    after = read(store_of(pd.concat([decisions, late]), payments))
    for name in ("account", "decided_at", "action", "propensity", "outcome"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_without_decisions_the_log_is_empty_and_effects_stay_prior() -> None:
    log = read(store_of(None, random_payments(4)))
    assert len(log.outcome) == 0
    table = EffectTable.fit(log, np.zeros((3, 7)), action_ids=ACTIONS)
    assert table.reason == "no_log"
