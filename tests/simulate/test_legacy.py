from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recobro_score.simulate import Scenario, Simulation, simulate_portfolio
from recobro_score.simulate.arrays import Streams
from recobro_score.simulate.catalogue import ACTION_IDS
from recobro_score.simulate.legacy import choose
from recobro_score.simulate.scenario import Legacy


def _log(simulation: Simulation) -> pd.DataFrame:
    return simulation.tables["decisions"].to_pandas()


def test_every_open_account_gets_one_decision_a_period(simulated: Simulation) -> None:
    log = _log(simulated)
    assert not log.duplicated(["account_id", "decided_at"]).any()
    assert log["decided_at"].nunique() == simulated.scenario.span.periods


def test_draws_follow_their_propensities() -> None:
    generator = Streams(3).of("test")
    propensity = generator.dirichlet(np.full(len(ACTION_IDS), 0.5), size=40_000)
    action = choose(propensity, propensity > 0, 1, Streams(3).of("draws")).action
    drawn = action[:, None] == np.arange(len(ACTION_IDS))
    decile = np.digitize(propensity.ravel(), np.quantile(propensity, np.linspace(0.1, 0.9, 9)))
    for number in range(10):
        rows = decile == number
        said, done = propensity.ravel()[rows], drawn.ravel()[rows]
        error = np.sqrt((said * (1 - said)).sum()) / rows.sum()
        assert abs(done.mean() - said.mean()) < 4 * error + 1e-4


def test_logged_propensities_weigh_back_to_everybody(matured: Simulation) -> None:
    log = _log(matured)
    for rows in (log, log[log["drawn"] == "true"]):
        weight = (rows["action_id"] == "no_action") / rows["propensity"]
        assert abs(weight.mean() - 1.0) < 4 * weight.std() / np.sqrt(len(weight))


def test_what_is_forced_was_certain_and_what_is_drawn_was_not(simulated: Simulation) -> None:
    log = _log(simulated)
    forced = log[log["drawn"] == "false"]
    assert len(forced) > 0
    assert (forced["propensity"] == 1.0).all()
    assert (forced["action_id"] == "no_action").all()
    assert (log.loc[log["drawn"] == "true", "propensity"] < 1.0).all()


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_the_randomised_share_bounds_every_propensity(share: float) -> None:
    simulation = simulate_portfolio(400, seed=2, scenario=Scenario(legacy=Legacy(randomised=share)))
    drawn = _log(simulation).query("drawn == 'true'")["propensity"]
    assert (drawn >= share / len(ACTION_IDS) - 1e-12).all()
    if share == 1.0:
        count = 1.0 / drawn
        np.testing.assert_allclose(count, np.rint(count), rtol=1e-9)


def test_hidden_propensities_leave_no_column() -> None:
    simulation = simulate_portfolio(100, seed=2, scenario="no_propensities")
    assert "propensity" not in simulation.tables["decisions"].column_names


def test_confounding_ties_calls_to_what_no_table_holds() -> None:
    gaps = []
    for strength in (0.0, 3.0):
        legacy = Legacy(confounding=strength, randomised=0.1)
        simulation = simulate_portfolio(2_500, seed=2, scenario=Scenario(legacy=legacy))
        last = _log(simulation).drop_duplicates("account_id", keep="last")
        truth = simulation.truth.to_pandas().query("action_id == 'no_action' and open")
        both = last.merge(truth[["account_id", "p_pay"]], on="account_id").dropna(subset=["p_pay"])
        called = both["action_id"].isin(["call_agent", "plan_call"])
        gaps.append(both.loc[called, "p_pay"].mean() - both.loc[~called, "p_pay"].mean())
    assert gaps[1] > gaps[0] + 0.05
