"""What would have happened: the closed form for every account and action at the as-of, and draws from it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from recobro_score.money import to_major
from recobro_score.simulate.arrays import I64
from recobro_score.simulate.catalogue import ACTION_IDS, NO_ACTION
from recobro_score.simulate.debts import Debts
from recobro_score.simulate.people import People
from recobro_score.simulate.periods import Moment
from recobro_score.simulate.response import Luck, Outcome, Response, expected, outcome_of, respond
from recobro_score.simulate.scenario import Scenario
from recobro_score.simulate.tables import numbered


def truth_table(moment: Moment, people: People, debts: Debts, scenario: Scenario) -> pa.Table:
    """Return the truth at the as-of, one row per account and action, sorted by both.

    Plan actions put the standard terms. Everything is given the whole state, what no table shows included;
    an account that is not in our hands has no probabilities and expects nothing.

    Returns
    -------
    pyarrow.Table
        ``account_id``, ``action_id``;
        ``currency``;
        ``open``: placed and not closed;
        ``exposure``: due at the as-of, major units, as it is (a late file may hide the last payment);
        ``dpd``;
        ``reachable``: some attempt could reach the debtor (True for no_action);
        ``p_reach``: probability that one does if none is left out (after a payment none is made);
        ``p_pay``: P(recovers ≥ 50 % of the exposure within 30 days), empty without exposure;
        ``expected_recovery``: within 30 days, major units;
        ``effect``: expected recovery less that of no_action;
        ``effect_p_pay``: p_pay less that of no_action.
    """
    situation, count, actions = moment.situation, debts.count, len(ACTION_IDS)
    p_pay, value, reach = (np.empty((count, actions)) for _ in range(3))
    for action in range(actions):
        response = _response(moment, np.full(count, action), debts, scenario)
        p_pay[:, action], value[:, action] = expected(response, situation.exposure, scenario)
        reach[:, action] = response.reach
    p_pay[~situation.open] = np.nan
    major = to_major(np.ones(count, dtype=np.int64), debts.digits.astype(np.int8))
    value *= major[:, None]
    reachable = reach > 0
    reachable[:, NO_ACTION] = situation.open
    currencies = np.array([c.currency for c in scenario.market.countries])

    def each(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, actions)

    return pa.table(
        {
            "account_id": numbered("A", each(np.arange(count))),
            "action_id": pa.array(np.tile(np.array(ACTION_IDS), count)),
            "currency": pa.array(each(currencies[people.country[debts.debtor]])),
            "open": each(situation.open),
            "exposure": each(to_major(situation.exposure, debts.digits.astype(np.int8))),
            "dpd": each(situation.dpd.astype(np.float64)),
            "reachable": reachable.ravel(),
            "p_reach": reach.ravel(),
            "p_pay": _nullable(p_pay.ravel()),
            "expected_recovery": value.ravel(),
            "effect": (value - value[:, :1]).ravel(),
            "effect_p_pay": _nullable((p_pay - p_pay[:, :1]).ravel()),
        }
    )


def draw_from_truth(
    moment: Moment, action: I64, debts: Debts, scenario: Scenario, *, generator: np.random.Generator
) -> Outcome:
    """Draw what happens within 30 days of the as-of if these actions are assigned."""
    response = _response(moment, action, debts, scenario)
    reached = generator.random(debts.count) < response.reach
    luck = Luck.draw(debts.count, scenario.behaviour, generator)
    return outcome_of(response, reached, luck, scenario=scenario, unit=debts.unit)


def _response(moment: Moment, action: I64, debts: Debts, scenario: Scenario) -> Response:
    terms = np.zeros(debts.count, dtype=np.int64)
    return respond(
        moment.situation, action, terms, scenario=scenario, unit=debts.unit, ability=moment.ability
    )


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))
