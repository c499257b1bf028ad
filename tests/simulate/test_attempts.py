"""The contact log is causal: what is tried, and what comes of it, hangs on nothing that comes later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from recobro_score.simulate import Scenario, Simulation, periods, simulate_portfolio
from recobro_score.simulate.catalogue import ACTIONS, CHANNELS
from recobro_score.simulate.people import PART_WEIGHTS
from recobro_score.simulate.scenario import Behaviour, Span

_ANSWERED = {"call": 1.0, "sms": 0.3, "whatsapp": 0.3, "email": 0.1}
"""Chance that a debtor who was reached answers."""
_ATTEMPTS = {action.action_id: action.attempts for action in ACTIONS}


@dataclass(frozen=True)
class Log:
    """A simulated log with the chances it was drawn with.

    Attributes
    ----------
    simulation : Simulation
    attempts : pandas.DataFrame
        The contacts made by decision, in the order of time: their columns, those of the decision, ``number``
        (in the series, from 0), ``answered``, ``failed`` (the number is wrong), ``chance`` of an answer.
    """

    simulation: Simulation
    attempts: pd.DataFrame


@pytest.fixture(scope="module")
def eager() -> Log:
    """Most pay unprompted, so that much of what the policy begins is cut short by a payment."""
    reach: list[np.ndarray] = []
    original = periods.make_attempts

    def spy(action, attempt_reach, *args, **named):
        reach.append(attempt_reach @ PART_WEIGHTS)
        return original(action, attempt_reach, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(periods, "make_attempts", spy)
        scenario = Scenario(behaviour=Behaviour(base=2.0), span=Span(periods=8))
        simulation = simulate_portfolio(6_000, seed=12, scenario=scenario)
    tables = simulation.tables
    contacts = tables["contacts"].to_pandas().query("direction == 'outbound'").dropna(subset=["decision_id"])
    made = contacts.merge(tables["decisions"].to_pandas(), on=["decision_id", "account_id"])
    made = made.sort_values(["decision_id", "attempted_at"], ignore_index=True)
    period = np.searchsorted(made["decided_at"].drop_duplicates().sort_values(), made["decided_at"])
    accounts = tables["accounts"]["account_id"].to_pylist()
    account = np.searchsorted(accounts, made["account_id"].to_numpy(str))
    chance = np.array(reach)[period, account, made["channel"].map(CHANNELS.index)]
    made["number"] = made.groupby("decision_id").cumcount()
    made["answered"] = made["outcome"].isin(["rpc", "replied"])
    made["failed"] = made["outcome"].isin(["wrong_number", "failed"])
    made["chance"] = chance * made["channel"].map(_ANSWERED)
    return Log(simulation, made)


def test_attempts_of_every_place_in_the_series_succeed_with_their_chance(eager: Log) -> None:
    for (channel, number), rows in eager.attempts.groupby(["channel", "number"]):
        difference = (rows["answered"] - rows["chance"]).sum()
        error = np.sqrt((rows["chance"] * (1 - rows["chance"])).sum())
        assert len(rows) > 400
        assert abs(difference) < 4 * error, (channel, number, difference / error)


def test_nobody_is_tried_after_the_payment_or_an_accepted_offer(eager: Log) -> None:
    tables = eager.simulation.tables
    paid = tables["payments"].to_pandas().query("kind == 'payment'")[["account_id", "paid_at"]]
    both = eager.attempts.merge(paid, on="account_id")
    assert not both["paid_at"].between(both["decided_at"], both["attempted_at"]).any()
    plans = tables["plans"].to_pandas().dropna(subset=["accepted_at"])[["account_id", "accepted_at"]]
    both = eager.attempts.merge(plans, on="account_id")
    assert len(both) > 0
    assert not both["accepted_at"].between(both["decided_at"], both["attempted_at"]).any()


def test_only_what_the_log_shows_ends_a_series(eager: Log) -> None:
    tables = eager.simulation.tables
    series = eager.attempts.groupby("decision_id").agg(
        account_id=("account_id", "first"),
        action_id=("action_id", "first"),
        decided_at=("decided_at", "first"),
        made=("number", "size"),
        answers=("answered", "sum"),
        answered=("answered", "last"),
        failures=("failed", "sum"),
        failed=("failed", "last"),
    )
    assert (series["answers"] == series["answered"]).all(), "an answer is the end"
    assert (series["failures"] == series["failed"]).all(), "a wrong number is the end"
    moved = [("payments", "paid_at"), ("plans", "accepted_at")]
    for table, clock in moved:
        events = tables[table].to_pandas().dropna(subset=[clock])[["account_id", clock]]
        both = series.reset_index().merge(events, on="account_id")
        within = both[clock].between(both["decided_at"], both["decided_at"] + pd.Timedelta(days=30))
        series = series.drop(index=both.loc[within, "decision_id"].unique())
    silent = series[~series["answered"] & ~series["failed"]]
    assert set(silent["action_id"]) == {name for name, most in _ATTEMPTS.items() if most}
    assert (silent["made"] == silent["action_id"].map(_ATTEMPTS)).all()
