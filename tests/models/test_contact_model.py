"""The contact model: known truth, confounded logs, invariance, leaks, empty logs, files."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from recobro_score.calendars import parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import BundleError, ColumnNotFound, ContractError, SchemaMismatch
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.contact.attempts import PRIOR_RATES, SLOTS
from recobro_score.models.contact.columns import ContactColumns
from recobro_score.models.contact.fit import OPTIONS
from recobro_score.models.contact.log import AttemptLog
from recobro_score.models.contact.model import ContactModel
from recobro_score.simulate.portfolio import simulate_portfolio
from recobro_score.timeline import Timeline
from tests.models.contact_samples import OneNumber, World, contact, sigmoid, store_of

SMALL = BoosterOptions(**OPTIONS.model_dump() | {"trees": 20})
CHANNELS = ("call", "sms", "whatsapp", "email", "letter")
MORNING, EVENING = SLOTS.index(10), SLOTS.index(18)
CONFOUNDED = World(evenings=(0.85, 0.15), attempts=(16.0, 3.0))
"""Hard people are called five times as often as easy ones, and mostly in the evening."""


@cache
def simulated() -> tuple[EventStore, FeatureMatrix, ContactModel, int]:
    simulation = simulate_portfolio(1200, seed=5)
    options = PortfolioOptions(time_zone=simulation.scenario.span.time_zone)
    store = Portfolio.from_frames(dict(simulation.tables), options=options).store
    as_ofs = [start for start in simulation.period_starts if start <= simulation.as_of][4:]
    matrix = compute(FeatureSet.standard().schema(store), store, as_ofs)
    model = ContactModel.fit(store, matrix, observed_until=simulation.as_of, channels=CHANNELS, options=SMALL)
    return store, matrix.take(matrix.as_of == simulation.as_of), model, simulation.as_of


def fit_world(world: World, n: int, seed: int) -> tuple[ContactModel, pd.DataFrame, np.ndarray, np.ndarray]:
    frame, x, margin = world.draw(n, seed)
    log = AttemptLog.from_frame(frame, channels=("call",))
    return ContactModel.fit_attempts(log, x, OneNumber()), frame, x, margin


def first_call(model: ContactModel, hours: list[int], x: list[float]) -> np.ndarray:
    """Return what the model says of a first call to somebody."""
    frame = pd.DataFrame({"channel": "call", "success": 0, "hour": hours, "weekday": 2})
    log = AttemptLog.from_frame(frame, channels=("call",))
    return model.predict_attempts(log, np.array(x)[:, None])


def test_called_often_is_not_hard_to_reach_and_the_hour_is_not_the_person() -> None:
    model, frame, _, margin = fit_world(CONFOUNDED, 1500, 0)
    truth = np.array([sigmoid(margin).mean(), sigmoid(margin + CONFOUNDED.evening).mean()])
    naive = frame.groupby("hour")["success"].mean().to_numpy()
    ours = first_call(model, [10, 18], [0.0, 0.0])
    effect = (
        model.parts.prior.pattern.weight[0, 0, EVENING, 2]
        - model.parts.prior.pattern.weight[0, 0, MORNING, 2]
    )
    assert naive[1] < naive[0] - 0.01, "the pooled rates call the better hour the worse one"
    assert effect == pytest.approx(CONFOUNDED.evening, abs=0.25)
    assert np.abs(np.log(ours) - np.log(truth)).max() < 0.25
    assert np.abs(ours - truth).mean() < 0.6 * np.abs(naive - truth).mean()
    assert np.abs(ours[1] - truth[1]) < 0.6 * np.abs(naive[1] - truth[1])


def test_a_rich_history_tells_the_person_even_where_the_log_is_confounded() -> None:
    model, frame, x, margin = fit_world(CONFOUNDED, 1500, 1)
    last = frame.groupby("account_id")["at"].idxmax()
    log = AttemptLog.from_frame(frame, channels=("call",))
    p = np.empty(len(frame))
    p[log.row] = model.predict_attempts(log, x)
    truth = sigmoid(margin + CONFOUNDED.evening * (frame.loc[last, "hour"].to_numpy() == 18))
    known = frame.groupby("account_id").size().to_numpy() >= 10
    assert np.corrcoef(p[last][known], truth[known])[0, 1] > 0.65


def test_features_order_people_who_were_never_called() -> None:
    x, errors = np.linspace(-2, 2, 9), []
    truth = sigmoid(-1.2 + x)
    for seed in (2, 12, 22):
        model, _, _, _ = fit_world(World(feature=1.0, spread=0.5), 1200, seed)
        p = first_call(model, [10] * 9, x.tolist())
        assert np.corrcoef(p, truth)[0, 1] > 0.95
        errors.append(np.abs(p - truth).mean())
    assert np.mean(errors) < 0.08


def test_noise_is_no_pattern_and_features_that_say_nothing_are_not_trusted() -> None:
    model, _, _, margin = fit_world(World(evening=0.0), 1200, 3)
    p = first_call(model, list(range(8, 20)), [0.0] * 12)
    assert np.ptp(p) < 0.06
    assert p.mean() == pytest.approx(sigmoid(margin).mean(), abs=0.03)


def test_validation_beats_the_channels_rate_and_is_calibrated() -> None:
    model, _, _, _ = fit_world(World(feature=0.8), 1500, 4)
    report = model.validation
    assert report is not None
    row = report.frame().set_index("group").loc["all"]
    assert row["log_loss_gain"] > 2 * row["log_loss_gain_se"] > 0
    assert row["slope"] == pytest.approx(1.0, abs=3 * row["slope_se"])
    assert "log loss below the baseline's by" in report.summary()


def test_the_order_of_the_rows_and_the_threads_change_no_bit() -> None:
    frame, x, _ = World(feature=0.5).draw(400, 6)
    order = np.random.default_rng(0).permutation(len(frame))
    models, said = [], []
    for rows, threads in ((np.arange(len(frame)), 1), (order, 2)):
        shuffled = frame.iloc[rows].reset_index(drop=True)
        log = AttemptLog.from_frame(shuffled, channels=("call",))
        options = BoosterOptions(**SMALL.model_dump() | {"threads": threads})
        models.append(ContactModel.fit_attempts(log, x[rows], OneNumber(), options=options))
        p = np.empty(len(rows))
        p[rows[log.row]] = models[-1].predict_attempts(log, x[rows], threads=threads)
        said.append(p)
    assert models[0].to_files() == models[1].to_files()
    assert models[0].model_id == models[1].model_id
    np.testing.assert_array_equal(said[0], said[1])


def test_one_account_alone_and_any_threads_give_the_bits_of_the_batch() -> None:
    store, now, model, _ = simulated()
    batch = model.predict(store, now)
    np.testing.assert_array_equal(model.predict(store, now, threads=2).rate, batch.rate)
    for account in (0, 7, 1199):
        alone_store = store.take(np.array([account]))
        alone_matrix = compute(now.schema, alone_store, [int(now.as_of[0])])
        alone = model.predict(alone_store, alone_matrix)
        np.testing.assert_array_equal(alone.rate[0], batch.rate[account])
        np.testing.assert_array_equal(alone.attempts[0], batch.attempts[account])


def test_saved_files_give_the_same_bits_and_identity() -> None:
    store, now, model, _ = simulated()
    loaded = ContactModel.from_files(model.to_files(), now.schema)
    assert loaded.model_id == model.model_id
    assert loaded.warnings == model.warnings
    np.testing.assert_array_equal(loaded.predict(store, now).rate, model.predict(store, now).rate)
    reach, again = (each.typical(store, now, "call") for each in (model, loaded))
    np.testing.assert_array_equal(reach.low, again.low)
    assert ((reach.low <= reach.probability) & (reach.probability <= reach.high)).all()
    with pytest.raises(BundleError, match=r"needs contact_model\.txt"):
        ContactModel.from_files({}, now.schema)
    with pytest.raises(SchemaMismatch):
        ContactModel.from_files(model.to_files(), OneNumber())


def test_what_happens_later_changes_nothing() -> None:
    rows = [
        contact(f"A{i:03d}", day=f"2025-0{1 + d // 28}-{1 + d % 28:02d}", hour=9 + (i + d) % 9,
                outcome="rpc" if (i * 7 + d * 3) % 5 == 0 else "busy")
        for i in range(12) for d in range(0, 112, 4)
    ]  # fmt: skip
    later = [contact("A000", day="2025-05-02", outcome="rpc"), contact("A003", day="2025-05-01", hour=0)]
    unknown = contact("A004", day="2025-04-20", outcome="rpc", known_at="2025-05-01")
    as_of = parse_instant("2025-05-01")
    known = [{"known_at": row["attempted_at"], **row} for row in (*rows, *later)] + [unknown]
    files, rates = [], []
    for store in (store_of(known[: len(rows)], 12), store_of(known, 12)):
        schema = FeatureSet.standard().schema(store_of(known[: len(rows)], 12))
        as_ofs = [parse_instant("2025-02-01"), parse_instant("2025-03-01"), as_of]
        matrix = compute(schema, store, as_ofs)
        model = ContactModel.fit(store, matrix, observed_until=as_of, channels=("call",), options=SMALL)
        files.append(model.to_files())
        rates.append(model.predict(store, matrix.take(matrix.as_of == as_of)).rate)
    assert files[0] == files[1]
    np.testing.assert_array_equal(rates[0], rates[1])


def test_an_attempt_takes_the_features_of_the_snapshot_before_it() -> None:
    store = store_of([contact("A001", day=d) for d in ("2025-01-31", "2025-02-01", "2025-02-03")])
    as_ofs = [parse_instant("2025-02-01"), parse_instant("2025-02-02")]
    log = AttemptLog.of(store, parse_instant("2025-06-01"), as_ofs=as_ofs)
    assert log.row.tolist() == [-1, 2, 3]
    at_once = AttemptLog.of(store, parse_instant("2025-06-01"), as_ofs=log.at.tolist())
    assert at_once.row.tolist() == [3, 4, 5], "a snapshot at the very instant saw only what was before it"


def test_the_trees_see_nothing_of_the_holders_own_attempts_and_decisions() -> None:
    _, now, _, _ = simulated()
    columns = ContactColumns.of(now.schema, CHANNELS)
    assert "inbound_90d" in columns.names
    assert "points_usable_call" in columns.names
    for name in ("attempts_90d", "rpc_share_90d", "calls_reached_share_morning_90d", "last_outcome",
                 "contact_cost_90d", "decisions_90d", "no_action_share_90d"):  # fmt: skip
        assert name in now.schema.names
        assert name not in columns.names


def test_without_a_log_all_rates_are_assumed_and_said_to_be() -> None:
    store = store_of([])
    matrix = compute(FeatureSet.standard().schema(store), store, [parse_instant("2025-06-03")])
    model = ContactModel.fit(store, matrix, observed_until=parse_instant("2025-06-03"), channels=CHANNELS)
    forecast = model.predict(store, matrix)
    assert not model.has_log
    assert not forecast.has_log
    assert model.assumed == CHANNELS
    assert model.typical(store, matrix, "sms").assumed
    assert sum("assumption" in warning for warning in model.warnings) == len(CHANNELS)
    for place, channel in enumerate(CHANNELS):
        np.testing.assert_allclose(forecast.rate[:, place], PRIOR_RATES[channel], rtol=1e-5)
    assert ContactModel.from_files(model.to_files(), matrix.schema).model_id == model.model_id


def test_a_channel_that_was_never_tried_is_flagged_and_near_its_assumption() -> None:
    store, now, model, _ = simulated()
    assert model.assumed == ("letter",)
    letter = model.predict(store, now).rate[:, CHANNELS.index("letter")]
    assert letter.mean() == pytest.approx(PRIOR_RATES["letter"], rel=0.8)
    assert any("letter: no attempt was seen" in warning for warning in model.warnings)


def test_accounts_without_history_differ_by_features_and_segment_only() -> None:
    store, now, model, _ = simulated()
    rate = model.predict(store, now).rate
    assert ((rate > 0) & (rate < 1)).all()
    fresh = np.diff(store.tables["contacts"].offsets) == 0
    assert fresh.sum() > 10
    margin = model.parts.prior.margins(now.values)[fresh]
    shown = np.log(rate[fresh, 0, 5] / (1 - rate[fresh, 0, 5]))
    country = store.accounts["country"][fresh]
    slope = model.parts.calibrators[0].a
    for code in np.unique(country):
        rest = (shown - slope * margin[:, 0])[country == code]
        assert np.ptp(rest) < 1e-4


def test_another_weekday_and_a_segment_never_seen() -> None:
    store, now, model, _ = simulated()
    sunday = model.predict(store, now, weekday=6).rate
    assert sunday.shape == (store.n_accounts, len(CHANNELS), len(SLOTS))
    elsewhere = store_of([], country="PE")
    matrix = compute(now.schema, elsewhere, [parse_instant("2025-06-03")])
    assert np.isfinite(model.predict(elsewhere, matrix).rate).all()


def test_attempts_on_others_are_no_history_of_the_debtor() -> None:
    points = [
        {"contact_point_id": name, "debtor_id": debtor, "channel": "call", "known_at": "2024-06-01"}
        for name, debtor in (("P0", "DA000"), ("PX", "DX"))
    ]
    parties = [{"account_id": "A000", "debtor_id": "DX", "role": "guarantor"}]
    days = [f"2025-0{month}-{day:02d}" for month in (3, 4) for day in range(1, 29)]
    rows = [contact("A000", day=d, contact_point_id="PX") for d in days]
    rows += [contact("A000", day=d, hour=15, outcome="rpc", contact_point_id="P0") for d in days[:3]]
    store = store_of(rows, 2, points=points, parties=parties)
    until = parse_instant("2025-06-03")
    matrix = compute(FeatureSet.standard().schema(store), store, [parse_instant("2025-01-01")])
    model = ContactModel.fit(store, matrix, observed_until=until, test_from=until, channels=("call",))
    assert model.facts["other_party_attempts"] == len(days)
    assert model.facts["attempts"] == [3]
    assert model.parts.other_party < -0.3
    now = compute(matrix.schema, store, [until])
    forecast = model.predict(store, now)
    assert forecast.attempts[:, 0].tolist() == [3, 0]
    assert (forecast.rate[0] > forecast.rate[1]).all()
    alone = store.take(np.array([0]))
    by_itself = model.predict(alone, compute(matrix.schema, alone, [until]))
    np.testing.assert_array_equal(by_itself.rate[0], forecast.rate[0])
    found = model.best_contact(store, now, k=100).frame()
    by_role = found[found["account_id"] == "A000"].groupby("role")["probability"].max()
    assert by_role["guarantor"] < by_role["debtor"]


def test_from_a_portfolio_in_one_call() -> None:
    simulation = simulate_portfolio(300, seed=1)
    options = PortfolioOptions(time_zone=simulation.scenario.span.time_zone)
    portfolio = Portfolio.from_frames(dict(simulation.tables), options=options)
    timeline = Timeline(simulation.period_starts[6:14], simulation.scenario.span.time_zone)
    model = ContactModel.from_portfolio(portfolio, timeline, options=SMALL)
    assert model.validation is not None
    assert model.has_log
    first = simulation.period_starts[11]
    past = Timeline(simulation.period_starts[4:11], timeline.time_zone)
    model = ContactModel.from_portfolio(portfolio, past, observed_until=first, options=SMALL)
    later = Timeline(simulation.period_starts[11:13], timeline.time_zone)
    report = model.evaluate(portfolio, later)
    contacts = portfolio.store.tables["contacts"]
    table = report.frame().set_index("group")
    assert 50 < table.loc["all", "n"] <= (contacts.at >= first).sum()
    assert set(table.index) == {*model.channels, "all"}
    assert not any("no test" in warning for warning in report.warnings)
    assert "logistic regression" in set(report.rivals["rival"])
    assert report.debtors.set_index("group").loc["all", "n"] == table.loc["all", "n"]
    assert report.months["n"].sum() == table.loc["all", "n"]
    again = ContactModel.from_files(model.to_files(), model.parts.prior.columns.source)
    assert again.evaluate(portfolio, later).frame().equals(report.frame())
    early = model.evaluate(portfolio, past)
    assert any("attempts the model learned from: no test" in warning for warning in early.warnings)


def test_wrong_input_is_named() -> None:
    store, now, model, _ = simulated()
    with pytest.raises(ColumnNotFound, match="Did you mean 'sms'"):
        model.typical(store, now, "smss")
    with pytest.raises(ContractError, match="all 1,200 accounts"):
        model.predict(store, now.take(np.arange(5)))
    frame = pd.DataFrame({"channel": ["call", "fax"], "success": [1, 2], "weekday": [0, 7]})
    with pytest.raises(ContractError, match=r"(?s)1 of 2 channels.*1 of 2 outcomes.*1 of 2 weekdays"):
        AttemptLog.from_frame(frame, channels=("call",))
    with pytest.raises(ColumnNotFound, match="weekdy"):
        AttemptLog.from_frame(frame.rename(columns={"weekday": "weekdy"}), channels=("call",))
    log = AttemptLog.from_frame(frame.assign(channel="sms", success=1, weekday=1), channels=("sms",))
    with pytest.raises(ContractError, match="knows the channels"):
        model.predict_attempts(log, now.values)
