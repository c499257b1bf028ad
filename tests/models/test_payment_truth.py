"""Predictions against the probabilities that a simulated portfolio was drawn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import account_state
from recobro_score.evaluation.logistic import fit_logistic
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.pipeline import compute
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.payment.grid import payment_specs
from recobro_score.models.payment.model import PaymentModel, PaymentTarget
from recobro_score.simulate.portfolio import Simulation, simulate_portfolio
from recobro_score.simulate.scenario import Scenario
from recobro_score.timeline import Split

TARGET = PaymentTarget(share=0.5, horizon_days=30)


def simulated(preset: str, accounts: int) -> Simulation:
    """Return a portfolio with a period beyond the as-of, so that the action drawn there is logged."""
    scenario = Scenario.preset(preset)
    span = scenario.span.model_copy(update={"periods_after": 1})
    return simulate_portfolio(accounts, scenario=scenario.model_copy(update={"span": span}), seed=3)


def predicted(simulation: Simulation) -> pd.DataFrame:
    """Return the scores at the as-of of a model that learned from the months before it."""
    options = PortfolioOptions(time_zone=simulation.scenario.span.time_zone)
    store = Portfolio.from_frames(dict(simulation.tables), options=options).store
    starts = [start for start in simulation.period_starts if start < simulation.as_of]
    split = Split(tuple(starts[-6:-2]), tuple(starts[-2:]), (), horizon_days=30)
    as_ofs = (*split.train, *split.calibration)
    labels = compute_labels(store, as_ofs, payment_specs((14, 30)), observed_until=simulation.as_of)
    schema = FeatureSet.standard().schema(store)
    model = PaymentModel.fit(
        compute(schema, store, as_ofs),
        labels,
        target=TARGET,
        bucket=labels.bucket,
        split=split,
        options=BoosterOptions(trees=120),
    )
    now = [simulation.as_of]
    return model.score(compute(schema, store, now), account_state(store, now).bucket).frame()


def beside_the_truth(simulation: Simulation) -> pd.DataFrame:
    """Return every open account's prediction and its known probability under the action it was assigned."""
    as_of = pd.Timestamp(simulation.as_of, unit="us", tz="UTC")
    decisions, contacts = (simulation.tables[name].to_pandas() for name in ("decisions", "contacts"))
    drawn = decisions[pd.to_datetime(decisions["decided_at"], utc=True) >= as_of]
    action = drawn.sort_values("decided_at").groupby("account_id")["action_id"].first()
    before = contacts[pd.to_datetime(contacts["attempted_at"], utc=True) < as_of]
    contacted = set(before.loc[before["direction"] == "outbound", "account_id"])
    truth = simulation.truth.to_pandas().query("open and p_pay.notna()")
    assigned = truth["account_id"].map(action).fillna("no_action")
    found = predicted(simulation).merge(truth[truth["action_id"] == assigned], on="account_id")
    return found.assign(never_contacted=~found["account_id"].isin(contacted))


def slope(frame: pd.DataFrame) -> float:
    """Return the calibration slope of the predictions against the known probabilities."""
    p, truth = frame["probability"].to_numpy(), frame["p_pay"].to_numpy()
    columns = (np.log(p) - np.log1p(-p), np.ones(p.size))
    return fit_logistic(columns, truth, np.ones(p.size)).coefficients[0]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["no_effect", "default"])
def test_predictions_agree_with_the_known_probabilities(preset: str) -> None:
    known = beside_the_truth(simulated(preset, 5_000))
    never = known[known["never_contacted"]]
    assert 0.9 <= slope(known) <= 1.1
    assert known["probability"].corr(known["p_pay"]) > 0.7
    assert len(never) > 250
    assert 0.8 <= slope(never) <= 1.25
    assert never["probability"].mean() == pytest.approx(never["p_pay"].mean(), abs=0.05)
