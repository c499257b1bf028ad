from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ConfigError
from recobro_score.features.labels import payment_labels
from recobro_score.simulate import Scenario, Simulation, simulate_portfolio
from recobro_score.simulate.catalogue import ACTION_IDS
from recobro_score.simulate.scenario import Behaviour, Effects, Lateness, Offers, Span, Terms

_DRAWS = 8


def _truth(simulation: Simulation, action: str) -> pd.DataFrame:
    truth = simulation.truth.to_pandas()
    return truth[truth["action_id"] == action].reset_index(drop=True)


def _agrees(drawn: np.ndarray, expected: np.ndarray) -> bool:
    """Tell whether the mean difference is within 4 standard errors."""
    difference = drawn - expected
    return bool(abs(difference.mean()) <= 4 * difference.std() / np.sqrt(len(difference)))


@pytest.fixture(scope="module")
def settlement() -> Simulation:
    """Offers that settle at once, often accepted; much money taken back."""
    lump = Offers(menu=(Terms(instalments=1, down_payment=0.7, discount=0.2),), uptake=0.5)
    lateness = Lateness(reversals=0.3)
    scenario = Scenario(offers=lump, lateness=lateness, span=Span(periods=6))
    return simulate_portfolio(3_000, seed=2, scenario=scenario)


@pytest.mark.parametrize("action", ACTION_IDS)
@pytest.mark.parametrize("scenario", ["matured", "settlement"])
def test_the_closed_form_is_what_draws_give(
    request: pytest.FixtureRequest, action: str, scenario: str
) -> None:
    simulation: Simulation = request.getfixturevalue(scenario)
    truth = _truth(simulation, action)
    due = (truth["open"] & (truth["exposure"] > 0)).to_numpy()
    exposure = truth["exposure"].to_numpy()
    drawn = [simulation.outcomes(action, seed=seed)["recovered"].to_numpy() for seed in range(_DRAWS)]
    enough = np.concatenate([(d >= 0.5 * exposure)[due] for d in drawn])
    value = np.concatenate([(d / np.maximum(exposure, 1))[due] for d in drawn])
    expected = (truth["expected_recovery"] / np.maximum(exposure, 1)).to_numpy()[due]
    assert _agrees(enough, np.tile(truth["p_pay"].to_numpy()[due], _DRAWS))
    assert _agrees(value, np.tile(expected, _DRAWS))


@pytest.fixture(scope="module")
def worn() -> Simulation:
    """Contact puts many off: they would pay if left alone."""
    scenario = Scenario(
        effects=Effects(fatigue=0.5),
        behaviour=Behaviour(base=1.5),
        lateness=Lateness(late_share=0.0),
        span=Span(periods=6, periods_after=1),
    )
    return simulate_portfolio(6_000, seed=13, scenario=scenario)


@pytest.mark.parametrize("scenario", ["matured", "worn"])
def test_the_closed_form_is_what_the_history_does(request: pytest.FixtureRequest, scenario: str) -> None:
    simulation: Simulation = request.getfixturevalue(scenario)
    store = Portfolio.from_frames(
        simulation.tables, options=PortfolioOptions(time_zone="America/Bogota")
    ).store
    labels = payment_labels(
        store, [simulation.as_of], share=0.5, horizon_days=30, observed_until=simulation.observed_until, lag=0
    )
    log = simulation.tables["decisions"].to_pandas()
    log = log[log["decided_at"] >= pd.Timestamp(simulation.as_of, unit="us", tz="UTC")]
    log = log[~log["action_id"].str.startswith("plan")]
    label = pd.Series(labels.value, index=store.account_ids.to_pylist(), name="label")
    both = log.merge(simulation.truth.to_pandas(), on=["account_id", "action_id"]).join(
        label, on="account_id"
    )
    both = both.dropna(subset=["p_pay", "label"])
    assert len(both) > 800
    assert _agrees(both["label"].to_numpy(), both["p_pay"].to_numpy())
    for _, bucket in both.groupby(pd.cut(both["dpd"], [-1, 30, 90, 10_000]), observed=True):
        assert _agrees(bucket["label"].to_numpy(), bucket["p_pay"].to_numpy())
    for _, side in both[both["effect_p_pay"] != 0].groupby(both["effect_p_pay"] < 0):
        assert _agrees(side["label"].to_numpy(), side["p_pay"].to_numpy())


def test_no_effect_means_none_for_any_account() -> None:
    truth = simulate_portfolio(500, seed=2, scenario="no_effect").truth.to_pandas()
    assert (truth["effect"] == 0).all()
    assert (truth["effect_p_pay"].dropna() == 0).all()


def test_contact_helps_on_average_and_people_more_than_messages(matured: Simulation) -> None:
    truth = matured.truth.to_pandas()
    truth = truth[truth["open"] & truth["reachable"] & (truth["exposure"] > 0)]
    mean = truth.groupby("action_id")["effect_p_pay"].mean()
    assert mean["no_action"] == 0
    assert (mean.drop("no_action") > 0.003).all()
    assert (mean < 0.08).all()
    assert mean["call_agent"] > mean["whatsapp"] > mean["email"]


def test_fatigue_makes_contact_worthless_for_some(matured: Simulation) -> None:
    truth = matured.truth.to_pandas()
    assert (truth["effect"] < 0).any()


def test_who_cannot_be_reached_is_not_moved(matured: Simulation) -> None:
    truth = matured.truth.to_pandas()
    unreachable = truth[~truth["reachable"] & (truth["action_id"] != "no_action")]
    assert len(unreachable) > 100
    assert (unreachable["effect"] == 0).all()
    assert (unreachable["p_reach"] == 0).all()


def test_probabilities_are_probabilities(matured: Simulation) -> None:
    truth = matured.truth.to_pandas()
    for name in ("p_pay", "p_reach"):
        assert truth[name].dropna().between(0, 1).all()
    assert (truth["expected_recovery"] >= 0).all()
    assert truth["p_pay"].isna().equals((~truth["open"]) | (truth["exposure"] == 0))


def test_the_portfolio_looks_real(matured: Simulation) -> None:
    truth = _truth(matured, "no_action").query("open and exposure > 0")
    bucket = pd.cut(truth["dpd"], [0, 30, 60, 90, 180, 10_000])
    rates = truth.groupby(bucket, observed=False)["p_pay"].mean()
    assert rates.is_monotonic_decreasing
    assert 0.15 < truth["p_pay"].mean() < 0.35
    assert rates.iloc[0] > 5 * rates.iloc[-1]


def test_outcomes_repeat_and_refuse_what_they_do_not_know(simulated: Simulation) -> None:
    first, second = (simulated.outcomes("sms", seed=3) for _ in range(2))
    assert first.equals(second)
    with pytest.raises(ConfigError, match="Did you mean 'call_agent'"):
        simulated.outcomes("call_agents", seed=1)
    with pytest.raises(ConfigError, match="1 actions were given for 2,000"):
        simulated.outcomes(["sms"], seed=1)
