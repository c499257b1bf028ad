"""Portfolios with little to learn from run through, with honest warnings instead of confident numbers."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest

from recobro_score import engine
from recobro_score.bundle import Bundle
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import account_state
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.payment.assumed import ASSUMED_RATES
from recobro_score.simulate import simulate_portfolio
from recobro_score.timeline import Timeline
from recobro_score.training import TrainingOptions, train
from tests.engine.conftest import RATES

FAST = TrainingOptions(booster=BoosterOptions(trees=40))


def whole_chain(scenario: str, accounts: int):
    simulation = simulate_portfolio(accounts, seed=5, scenario=scenario)
    zone = simulation.scenario.span.time_zone
    portfolio = Portfolio.from_frames(dict(simulation.tables), options=PortfolioOptions(time_zone=zone))
    timeline = Timeline(tuple(simulation.period_starts[-7:]), zone)
    training = train(portfolio, timeline, options=FAST)
    options = engine.RunOptions(capacities={"call": 20}, rates=RATES, language="es")
    return simulation, training, engine.run(training.bundle, portfolio, simulation.as_of, options=options)


@pytest.fixture(scope="module")
def few_payers():
    return whole_chain("few_payers", 5_000)


@pytest.fixture(scope="module")
def no_contacts():
    return whole_chain("no_contacts", 1_500)


@pytest.fixture(scope="module")
def all_new():
    return whole_chain("all_new", 400)


def told(training) -> str:
    return "\n".join([*training.bundle.card["warnings"], training.summary()])


def test_few_payers_are_said_to_be_few(few_payers):
    simulation, training, outputs = few_payers
    payments = simulation.tables["payments"]
    assert 300 <= pc.count_distinct(payments["account_id"]).as_py() <= 500
    assert "too few to judge" in told(training) or "intervals are wide" in told(training)
    assert outputs.decisions.num_rows == 5_000
    probability = outputs.scores["p_pay"].to_numpy()
    assert np.isfinite(probability).all()
    assert probability.mean() < 0.2, "rare events are not resampled away"


def test_without_a_contact_log_the_effects_are_priors_and_every_record_says_so(no_contacts):
    _, training, outputs = no_contacts
    assert training.bundle.effects.mode == "prior"
    assert "no contact log" in told(training)
    assert set(outputs.decisions["effect_source"].to_pylist()) == {"prior"}
    acted = outputs.decisions.filter(pc.is_valid(outputs.decisions["slot_start"]))
    assert acted.num_rows > 0
    assert all("supuesto" in sentence for sentence in acted["action_reason"].to_pylist())


def test_where_every_account_is_new_probabilities_are_named_assumptions(all_new):
    _, training, outputs = all_new
    assert training.evaluation is None
    assert training.bundle.card["calibration"] == "assumed"
    assert "assumptions per bucket, not predictions" in told(training)
    flags = outputs.scores["flags"].to_pylist()
    assert all("assumed" in flag for flag in flags)
    assert outputs.decisions.num_rows == 400
    assert outputs.decisions["flags"].to_pylist() == flags


def test_assumed_probabilities_are_the_documented_rates(all_new):
    simulation, _, outputs = all_new
    zone = simulation.scenario.span.time_zone
    portfolio = Portfolio.from_frames(dict(simulation.tables), options=PortfolioOptions(time_zone=zone))
    bucket = account_state(portfolio.store, [simulation.as_of]).bucket
    probability = outputs.scores["p_pay"].to_numpy()
    for code in np.unique(bucket[bucket >= 0]):
        assert probability[bucket == code] == pytest.approx(ASSUMED_RATES[code], abs=0.01)


def test_an_assumed_bundle_is_saved_and_read_like_any_other(all_new, tmp_path):
    _, training, _ = all_new
    again = Bundle.load(training.bundle.save(tmp_path / "bundle"))
    assert again.bundle_id == training.bundle.bundle_id
