from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import NotEnoughData, SchemaMismatch
from recobro_score.features.labels import REASONS, Labels
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.bucket_model import BucketTarget
from recobro_score.models.early_warning import EarlyWarningModel
from recobro_score.models.self_cure import SelfCureModel
from recobro_score.models.uncontacted import (
    LARGEST_WEIGHT,
    NO_LOG,
    NO_PROPENSITIES,
    CureLabels,
    left_alone,
)
from recobro_score.money import MISSING_MONEY
from recobro_score.simulate.portfolio import simulate_portfolio
from recobro_score.timeline import Timeline
from tests.models.event_samples import FAST, Columns, draw

AS_OF = 20_000 * US_PER_DAY


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def labels_of(value: np.ndarray) -> Labels:
    n = len(value)
    reason = np.where(np.isnan(value), REASONS.index("contacted"), 0).astype(np.int8)
    money = np.full(n, MISSING_MONEY)
    return Labels(
        np.arange(n), np.full(n, AS_OF), value, money, np.full(n, 100), reason, np.full(n, 2, np.int8)
    )


def draw_cures(n: int = 6000, seed: int = 0) -> tuple[FeatureMatrix, CureLabels, np.ndarray, np.ndarray]:
    """Cures that depend on something the policy sees and the features do not; it leaves the safe alone.

    Returns features, labels, buckets, and P(cure without contact) given the features.
    """
    rng = np.random.default_rng(seed + 1)
    values, _, margin = draw(n, seed)
    known_to_policy = rng.normal(size=n)
    alone = sigmoid(1.5 * known_to_policy - 0.5)
    unseen = rng.normal(size=(400, 1))
    truth = sigmoid(margin + 1.5 * unseen).mean(axis=0)
    would = rng.random(n) < sigmoid(margin + 1.5 * known_to_policy)
    left = rng.random(n) < alone
    cured = np.where(left, would, rng.random(n) < sigmoid(margin + 1.5 * known_to_policy + 0.7))
    matrix = FeatureMatrix(
        pa.array([f"A{i:05d}" for i in range(n)]), np.arange(n), np.full(n, AS_OF), values, Columns()
    )
    labels = CureLabels(
        labels_of(cured.astype(float)), labels_of(np.where(left, would, np.nan)), 1 / alone, "drawn"
    )
    return matrix, labels, np.ones(n, dtype=np.int8), truth


def test_weights_undo_a_policy_that_leaves_the_safe_alone() -> None:
    matrix, labels, bucket, truth = draw_cures()
    plain = replace(labels, weight=np.ones(bucket.size))
    fair, naive = (SelfCureModel.fit(matrix, one, bucket=bucket, options=FAST) for one in (labels, plain))
    p, too_high = (model.score(matrix, bucket).probability for model in (fair, naive))
    assert p.mean() == pytest.approx(truth.mean(), abs=0.03)
    assert too_high.mean() > truth.mean() + 0.1
    assert np.polyfit(p, truth, 1)[0] == pytest.approx(1.0, abs=0.2)
    assert np.corrcoef(p, truth)[0, 1] > 0.85
    assert fair.warnings[-1] == "drawn"
    assert fair.validation.held_out.startswith("accounts left alone")


def test_contacted_accounts_are_unknown_and_no_failures() -> None:
    """The order is learned from all accounts, the level from those left alone."""
    matrix, labels, bucket, _ = draw_cures(3000)
    model = SelfCureModel.fit(matrix, labels, bucket=bucket, options=FAST)
    left = labels.self_cure.known
    assert model.validation.frame().set_index("group").loc["all", "n"] == left.sum()
    assert model.scorer.event.calibrator.rows == left.sum()
    assert model.scorer.facts.rows == bucket.size


def test_probabilities_outside_the_buckets_are_missing() -> None:
    matrix, labels, bucket, _ = draw_cures(2000)
    late = np.where(np.arange(2000) % 5 == 0, 3, bucket).astype(np.int8)
    model = SelfCureModel.fit(matrix, labels, bucket=late, options=FAST)
    scores = model.score(matrix, late)
    assert np.isnan(scores.probability[late == 3]).all()
    assert np.isnan(scores.p_high[late == 3]).all()
    assert np.isfinite(scores.probability[late == 1]).all()
    assert model.scorer.facts.rows == (late == 1).sum()


def test_a_model_read_from_files_is_the_same_model() -> None:
    matrix, labels, bucket, _ = draw_cures(1500)
    model = SelfCureModel.fit(matrix, labels, bucket=bucket, options=FAST)
    again = SelfCureModel.from_files(model.to_files(), Columns())
    assert again.model_id == model.model_id
    assert again.target == model.target
    assert again.score(matrix, bucket).frame().equals(model.score(matrix, bucket).frame())
    with pytest.raises(SchemaMismatch):
        SelfCureModel.from_files(model.to_files(), replace(Columns(), hash="b" * 64))


def test_nobody_left_alone_is_an_error_with_the_numbers() -> None:
    matrix, labels, bucket, _ = draw_cures(1500)
    hidden = labels.self_cure.value.copy()
    hidden[np.flatnonzero(labels.self_cure.known)[30:]] = np.nan
    few = replace(labels, self_cure=replace(labels.self_cure, value=hidden))
    with pytest.raises(NotEnoughData, match="left alone to calibrate by: 30 rows"):
        SelfCureModel.fit(matrix, few, bucket=bucket, options=FAST)


def test_a_bucket_that_is_none_is_refused_with_a_hint() -> None:
    with pytest.raises(ValueError, match="31-60"):
        BucketTarget(buckets=("31-6",))


def store_of(decisions: list[dict[str, object]]):
    ids = ("A", "B", "C")
    tables = {
        "accounts": pa.Table.from_pylist(
            [
                {
                    "account_id": i,
                    "debtor_id": i,
                    "opened_at": "2024-01-01",
                    "currency": "EUR",
                    "country": "ES",
                }
                for i in ids
            ]
        ),
        "payments": pa.Table.from_pylist([{"account_id": "A", "paid_at": "2024-02-01", "amount": 1.0}]),
    }
    if decisions:
        tables["decisions"] = pa.Table.from_pylist(decisions)
    return Portfolio.from_frames(tables).store


def decision(account: str, day: str, action: str, propensity: float | None, drawn: str = "true"):
    return {
        "account_id": account,
        "decided_at": day,
        "action_id": action,
        "propensity": propensity,
        "drawn": drawn,
    }


def ask(decisions: list[dict[str, object]], until: str = "2025-06-01"):
    at, end = (parse_instant(text, "UTC") for text in ("2025-01-01", until))
    return left_alone(store_of(decisions), np.arange(3), np.full(3, at), horizon_days=30, observed_until=end)


def test_only_who_was_left_alone_by_decision_counts_with_the_inverse_chance() -> None:
    found = ask(
        [
            decision("A", "2025-01-01", "no_action", 0.5),
            decision("A", "2025-01-15", "no_action", 0.25),
            decision("A", "2025-01-31", "call_agent", 0.1),
            decision("B", "2025-01-05", "no_action", 0.5),
            decision("B", "2025-01-20", "sms", 0.5),
        ]
    )
    assert found.usable.tolist() == [True, False, False]
    assert found.weight[0] == pytest.approx(8.0)


def test_what_no_draw_explains_is_left_out_and_large_weights_are_cut() -> None:
    found = ask(
        [
            decision("A", "2025-01-05", "no_action", 0.3, drawn="false"),
            decision("B", "2025-01-05", "no_action", 1.0, drawn="false"),
            decision("C", "2025-01-05", "no_action", 0.001),
        ]
    )
    assert found.usable.tolist() == [False, True, True]
    assert found.weight[1:].tolist() == [1.0, LARGEST_WEIGHT]


def test_what_became_known_too_late_does_not_count() -> None:
    late = [decision("A", "2025-01-05", "no_action", 0.5), decision("A", "2025-01-20", "sms", 0.5)]
    assert ask(late, until="2025-01-10").usable[0]
    assert not ask(late).usable[0]


def test_without_propensities_or_log_it_says_so() -> None:
    found = ask([decision("A", "2025-01-05", "no_action", None)])
    assert found.warning == NO_PROPENSITIES
    assert (found.usable[0], found.weight[0]) == (True, 1.0)
    nothing = ask([])
    assert nothing.warning == NO_LOG
    assert nothing.usable.all()


@pytest.fixture(scope="module")
def simulated() -> tuple[Portfolio, Timeline]:
    simulation = simulate_portfolio(1500, seed=4)
    zone = simulation.scenario.span.time_zone
    portfolio = Portfolio.from_frames(dict(simulation.tables), options=PortfolioOptions(time_zone=zone))
    return portfolio, Timeline(tuple(simulation.period_starts[-7:-1]), zone)


def test_early_warning_learns_from_a_portfolio_and_speaks_of_accounts_that_are_not_late(simulated) -> None:
    portfolio, timeline = simulated
    model = EarlyWarningModel.from_portfolio(portfolio, timeline, options=BoosterOptions(trees=40))
    row = model.validation.frame().set_index("group").loc["all"]
    assert row["n"] == model.validation.frame().set_index("group").loc["0", "n"]
    assert row["auc"] > 0.6
    assert any("reminders" in warning for warning in model.warnings)
    schema = model.scorer.event.booster.schema
    assert EarlyWarningModel.from_files(model.to_files(), schema).model_id == model.model_id


def test_self_cure_learns_from_the_decision_log_of_a_portfolio(simulated) -> None:
    portfolio, timeline = simulated
    wide = BucketTarget(buckets=("1-30", "31-60"))
    model = SelfCureModel.from_portfolio(portfolio, timeline, target=wide, options=BoosterOptions(trees=20))
    assert "weights 1 ÷ P(left alone)" in model.warnings[-1]
    assert model.scorer.event.calibrator.rows < model.scorer.facts.rows / 4
