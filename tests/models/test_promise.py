"""The promise model: what counts, what is not known yet, thin data, agents, files."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import account_state
from recobro_score.errors import BundleError, ConfigError, SchemaMismatch
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.pipeline import compute
from recobro_score.features.recipes import PromiseRule
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.contact.rates_of_day import Reach
from recobro_score.models.promise.link import PRIOR_ROWS
from recobro_score.models.promise.model import PRIOR_KEPT, PRIOR_PROMISES, PromiseModel, PromiseScores
from recobro_score.models.promise.rows import PromiseRows, calls_reached, promises_made
from recobro_score.models.snapshots import Snapshots
from recobro_score.simulate.portfolio import simulate_portfolio
from recobro_score.timeline import Timeline
from tests.models.contact_samples import OneNumber, contact, store_of

FAST = BoosterOptions(trees=30, learning_rate=0.1, leaves=7, min_leaf=30)
START, UNTIL = "2025-01-01", "2025-06-01"


def promise(account: str, day: str, due: str, amount: float = 100, **more: object) -> dict[str, object]:
    return {"account_id": account, "promised_at": day, "due_at": due, "amount": amount, **more}


def tables(promises: list[dict[str, object]], payments: list[dict[str, object]] = ()) -> dict:
    frames = {"promises": pd.DataFrame(promises)} if promises else {}
    return frames | ({"payments": pd.DataFrame(list(payments))} if payments else {})


def rows_of(
    store: EventStore, which: str, until: str = UNTIL, rule: PromiseRule | None = None
) -> PromiseRows:
    matrix = compute(FeatureSet.standard().schema(store), store, [parse_instant(START)])
    if which == "calls":
        return calls_reached(store, matrix, observed_until=parse_instant(until))
    return promises_made(store, matrix, rule or PromiseRule(), observed_until=parse_instant(until))


def test_a_promise_belongs_to_the_call_before_it() -> None:
    calls = [
        contact("A000", day="2025-03-03", hour=9, outcome="rpc", agent="human"),
        contact("A000", day="2025-03-03", hour=12, outcome="rpc", agent="bot"),
        contact("A000", day="2025-03-20", hour=12, outcome="rpc"),
        contact("A001", day="2025-03-03", outcome="no_answer"),
        contact("A001", day="2025-03-04", outcome="rpc", direction="inbound"),
        contact("A001", day="2025-03-05", outcome="rpc", channel="sms"),
        contact("A001", day="2024-12-05", outcome="rpc"),
        contact("A002", day="2025-05-31", outcome="rpc", agent="robot", hour=20),
    ]
    made = [promise("A000", "2025-03-03T13:00", "2025-03-10"), promise("A001", "2025-03-03", "2025-03-10")]
    rows = rows_of(store_of(calls, 3, **tables(made)), "calls")
    assert rows.account.tolist() == [0, 0, 0, 2]
    assert rows.agent.tolist() == [1, 0, -2, -1]
    np.testing.assert_array_equal(rows.value, [0.0, 1.0, 0.0, np.nan])


@pytest.mark.parametrize(
    ("paid", "amount", "value"),
    [
        ("2025-03-05", 100, 1.0),
        ("2025-03-12T23:59", 100, 1.0),
        ("2025-03-13", 100, 0.0),
        ("2025-03-02", 100, 0.0),
        ("2025-03-05", 99, 0.0),
    ],
    ids=["in time", "last minute of the grace", "after the grace", "before the promise", "too little"],
)
def test_kept_is_the_amount_between_promise_and_grace(paid: str, amount: float, value: float) -> None:
    money = [{"account_id": "A000", "paid_at": paid, "amount": amount}]
    store = store_of([], 1, **tables([promise("A000", "2025-03-03", "2025-03-10")], money))
    assert rows_of(store, "promises").value.tolist() == [value]


def test_grace_and_tolerance_are_the_rules() -> None:
    money = [{"account_id": "A000", "paid_at": "2025-03-15", "amount": 95}]
    store = store_of([], 1, **tables([promise("A000", "2025-03-03", "2025-03-10")], money))
    assert rows_of(store, "promises", rule=PromiseRule(7.0, 0.95)).value.tolist() == [1.0]
    assert rows_of(store, "promises", rule=PromiseRule(7.0, 0.96)).value.tolist() == [0.0]


def test_an_open_promise_is_unknown_even_if_paid_already() -> None:
    money = [{"account_id": "A000", "paid_at": "2025-03-04", "amount": 100}]
    store = store_of([], 1, **tables([promise("A000", "2025-03-03", "2025-03-10")], money))
    for until, value in (("2025-03-12", np.nan), ("2025-03-13", 1.0), ("2025-06-01", 1.0)):
        np.testing.assert_array_equal(rows_of(store, "promises", until).value, [value])
    assert len(rows_of(store, "promises", "2025-03-03")) == 0


def test_a_promise_of_an_account_that_left_is_unknown() -> None:
    placed = pd.DataFrame(
        {"account_id": ["A000"], "placed_at": ["2024-06-01"], "recalled_at": ["2025-03-11"]}
    )
    made = tables([promise("A000", "2025-03-03", "2025-03-10")])
    store = store_of([], 1, **made, placements=placed)
    np.testing.assert_array_equal(rows_of(store, "promises").value, [np.nan])


def test_money_known_too_late_does_not_count() -> None:
    made = [promise("A000", "2025-03-03", "2025-03-10")]
    money = [{"account_id": "A000", "paid_at": "2025-03-05", "amount": 100, "known_at": "2025-05-01"}]
    store = store_of([], 1, **tables(made, money))
    assert rows_of(store, "promises", "2025-04-01").value.tolist() == [0.0]
    assert rows_of(store, "promises", "2025-05-02").value.tolist() == [1.0]


@cache
def simulated() -> tuple[Snapshots, PromiseModel]:
    simulation = simulate_portfolio(2500, seed=7)
    zone = simulation.scenario.span.time_zone
    portfolio = Portfolio.from_frames(dict(simulation.tables), options=PortfolioOptions(time_zone=zone))
    as_ofs = tuple(start for start in simulation.period_starts if start <= simulation.as_of)[3:]
    seen = Snapshots.of(portfolio, Timeline(as_ofs, zone), observed_until=simulation.as_of)
    return seen, PromiseModel.fit(seen, options=FAST)


def score(model: PromiseModel, agent: str = "human", threads: int = 1) -> PromiseScores:
    seen, _ = simulated()
    last = seen.matrix.as_of == seen.matrix.as_of.max()
    n = int(last.sum())
    reach = Reach(np.full(n, 0.3), np.full(n, 0.2), np.full(n, 0.5), assumed=False)
    return model.score(seen.matrix.take(last), seen.bucket[last], reach=reach, agent=agent, threads=threads)


def test_the_product_and_its_ends_are_those_of_the_links() -> None:
    _, model = simulated()
    scores = score(model)
    frame = scores.frame()
    parts = frame["reached"] * frame["promised"] * frame["kept"]
    np.testing.assert_allclose(frame["probability"], parts)
    assert (frame["low"] <= frame["probability"]).all()
    assert (frame["probability"] <= frame["high"]).all()
    assert not frame[["promised_assumed", "kept_assumed"]].to_numpy().any()
    assert set(model.validation) == {"promised", "kept"}
    assert model.validation["kept"].frame().set_index("group").loc["all", "auc"] > 0.6


def test_who_calls_matters() -> None:
    _, model = simulated()
    human, bot = score(model, "human"), score(model, "bot")
    tried, won = np.array(model.promised.tried), np.array(model.promised.won)
    assert (human.promised.probability != bot.promised.probability).any()
    observed = won / tried
    gap = bot.promised.probability.mean() - human.promised.probability.mean()
    assert np.sign(gap) == np.sign(observed[0] - observed[1])


def test_threads_and_batches_and_files_give_the_same_bits() -> None:
    seen, model = simulated()
    once = score(model)
    loaded = PromiseModel.from_files(model.to_files(), seen.matrix.schema)
    assert loaded.model_id == model.model_id
    assert loaded.rule == model.rule
    for other in (score(model, threads=2), score(loaded)):
        np.testing.assert_array_equal(other.probability, once.probability)
        np.testing.assert_array_equal(other.low, once.low)
    last = np.flatnonzero(seen.matrix.as_of == seen.matrix.as_of.max())[5:6]
    reach = Reach(np.array([0.3]), np.array([0.2]), np.array([0.5]), assumed=False)
    alone = model.score(seen.matrix.take(last), seen.bucket[last], reach=reach)
    assert alone.probability[0] == once.probability[5]
    with pytest.raises(BundleError, match="needs promise"):
        PromiseModel.from_files({}, seen.matrix.schema)
    with pytest.raises(SchemaMismatch):
        PromiseModel.from_files(model.to_files(), OneNumber())


def test_thin_data_fall_back_on_rates_near_the_documented_ones() -> None:
    calls = [
        contact(f"A00{i % 4}", day=f"2025-03-{1 + i:02d}", outcome="rpc", agent="human") for i in range(9)
    ]
    made = [promise("A000", "2025-03-01T10:30", "2025-03-05")]
    store = store_of(calls, 4, **tables(made))
    as_ofs = (parse_instant(START), parse_instant(UNTIL) - 40 * US_PER_DAY)
    matrix = compute(FeatureSet.standard().schema(store), store, as_ofs)
    ids = np.array(store.debtor_ids.to_pylist(), dtype=object)[store.account_debtor[matrix.account]]
    bucket = account_state(store, np.array(as_ofs)).bucket
    until = parse_instant(UNTIL)
    seen = Snapshots(store, Timeline(as_ofs), matrix, bucket, ids, ids, until)
    model = PromiseModel.fit(seen)
    assert model.promised.scorer is None
    assert model.validation == {}
    expected = (1 + PRIOR_ROWS * PRIOR_PROMISES[1]) / (9 + PRIOR_ROWS)
    reach = Reach(*(np.full(8, 0.2) for _ in range(3)), assumed=True)
    human, bot = (model.score(matrix, bucket, reach=reach, agent=agent) for agent in ("human", "bot"))
    np.testing.assert_allclose(human.promised.probability, expected)
    np.testing.assert_allclose(bot.promised.probability, PRIOR_PROMISES[0])
    np.testing.assert_allclose(bot.kept.probability, PRIOR_KEPT[0])
    assert human.promised.assumed.all()
    assert human.reached.assumed.all()
    assert (bot.promised.high - bot.promised.low > 0.2).all()
    assert sum("mostly an assumption" in warning for warning in model.warnings) == 4
    assert PromiseModel.from_files(model.to_files(), matrix.schema).model_id == model.model_id


def test_wrong_input_is_named() -> None:
    _, model = simulated()
    with pytest.raises(ConfigError, match="Did you mean 'human'"):
        score(model, "humane")
    seen, _ = simulated()
    reach = Reach(np.zeros(1), np.zeros(1), np.zeros(1), assumed=False)
    with pytest.raises(ConfigError, match="the reach of 1"):
        model.score(seen.matrix, seen.bucket, reach=reach)
