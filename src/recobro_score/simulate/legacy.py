"""The legacy policy that made the log: a rule on what it sees, mixed with a uniform draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.simulate.arrays import F64, I64, Bool, index_of
from recobro_score.simulate.catalogue import ACTION_IDS, CHANNEL_OF, NO_ACTION, NO_CHANNEL, OFFERS
from recobro_score.simulate.response import Situation
from recobro_score.simulate.scenario import Legacy

POLICY_VERSION = "legacy-1"
_POSITION = {action_id: position for position, action_id in enumerate(ACTION_IDS)}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the policy assigned for a period; arrays of shape (n,).

    Attributes
    ----------
    action : int64 array
    terms : int64 array
        Position in the menu of offers, drawn apart from the action.
    propensity : float64 array
        Probability with which the action was drawn.
    drawn : bool array
        False where a rule left no choice (a hold, a running plan, no usable channel).
    """

    action: I64
    terms: I64
    propensity: F64
    drawn: Bool


def eligible_actions(situation: Situation, usable: Bool) -> Bool:
    """Return which actions the policy may take, shape (n, actions).

    Parameters
    ----------
    situation : Situation
    usable : bool array, shape (n, channels)
        As far as the holder knows: a contact point, consent, not known to be wrong.
    """
    allowed = np.zeros((len(usable), len(ACTION_IDS)), dtype=bool)
    allowed[:, NO_ACTION] = True
    free, overdue = ~situation.held & ~situation.in_plan, situation.exposure > 0
    for action, channel in enumerate(CHANNEL_OF):
        if channel != NO_CHANNEL:
            reminder = not OFFERS[action] and channel != 0
            allowed[:, action] = usable[:, channel] & free & (overdue | reminder)
    return allowed


def propensities(situation: Situation, eligible: Bool, size: F64, hidden: F64, legacy: Legacy) -> F64:
    """Return the probability of every action, shape (n, actions).

    It is (1 - u) softmax(sharpness · preference) over the eligible actions + u / their number, with the
    randomised share u. The preference depends on bucket and size of the debt and, with confounding, on
    something no table holds.
    """
    preference = legacy.sharpness * _preferences(situation.bucket, size)
    for action_id, sign in (("no_action", -0.5), ("call_agent", 1.0), ("plan_call", 1.0)):
        preference[:, _POSITION[action_id]] += sign * legacy.confounding * hidden
    weight = np.where(eligible, np.exp(preference), 0.0)
    rule = weight / weight.sum(axis=1)[:, None]
    uniform = eligible / eligible.sum(axis=1)[:, None]
    return np.asarray((1.0 - legacy.randomised) * rule + legacy.randomised * uniform, dtype=np.float64)


def choose(propensity: F64, eligible: Bool, offers: int, generator: np.random.Generator) -> Choice:
    """Draw one action per debt."""
    uniform = generator.random((len(propensity), 2))
    action = index_of(np.cumsum(propensity, axis=1), uniform[:, 0])
    chosen = propensity[np.arange(len(action)), action]
    terms = (uniform[:, 1] * offers).astype(np.int64)
    return Choice(action, terms, chosen, eligible.sum(axis=1) > 1)


def _preferences(bucket: I64, size: F64) -> F64:
    current, early, middle, late = bucket == 0, bucket == 1, (bucket == 1) | (bucket == 2), bucket >= 3
    large = np.clip(size, -2.0, 2.0)
    preference = np.zeros((len(bucket), len(ACTION_IDS)))
    columns = {
        "no_action": 0.2 + 1.4 * current,
        "sms": 0.5 * (current | early),
        "email": -0.3 + 0.2 * early,
        "whatsapp": 0.5 * middle,
        "call_bot": 0.5 * middle,
        "call_agent": 0.4 * ~current + 0.4 * large,
        "plan_message": 0.5 * late,
        "plan_call": 0.4 * late + 0.3 * large,
    }
    for action_id, column in columns.items():
        preference[:, _POSITION[action_id]] = column
    return preference
