"""The actions a simulated portfolio knows, and what each does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.simulate.arrays import F64, I64, Bool

CHANNELS = ("call", "sms", "whatsapp", "email")
"""Channels with contact points, in the order of every channel axis."""

DAY_PARTS = ((8 * 60, 12 * 60), (12 * 60, 15 * 60), (15 * 60, 19 * 60))
"""Local minutes, half-open, of morning, midday and afternoon."""

NO_CHANNEL = -1


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the legacy policy can assign for a period.

    Attributes
    ----------
    action_id : str
        Its name everywhere in the library.
    channel : str or None
        None for the action that does nothing.
    agent : str or None
        Who acts: ``bot`` or ``human``.
    attempts : int
        Most attempts in a period; they stop once the debtor is reached.
    offers : bool
        Whether a payment plan is put to the debtor.
    cost : float
        Cost of one attempt in units of one SMS.
    """

    action_id: str
    channel: str | None = None
    agent: str | None = None
    attempts: int = 0
    offers: bool = False
    cost: float = 0.0


ACTIONS = (
    Action("no_action"),
    Action("sms", "sms", "bot", attempts=2, cost=1.0),
    Action("email", "email", "bot", attempts=2, cost=0.1),
    Action("whatsapp", "whatsapp", "bot", attempts=2, cost=2.0),
    Action("call_bot", "call", "bot", attempts=4, cost=4.0),
    Action("call_agent", "call", "human", attempts=3, cost=40.0),
    Action("plan_message", "whatsapp", "bot", attempts=2, offers=True, cost=2.0),
    Action("plan_call", "call", "human", attempts=3, offers=True, cost=55.0),
)
ACTION_IDS = tuple(action.action_id for action in ACTIONS)
NO_ACTION = 0

CHANNEL_OF: I64 = np.array([NO_CHANNEL if a.channel is None else CHANNELS.index(a.channel) for a in ACTIONS])
ATTEMPTS_OF: I64 = np.array([a.attempts for a in ACTIONS])
OFFERS: Bool = np.array([a.offers for a in ACTIONS])
COST_OF: F64 = np.array([a.cost for a in ACTIONS])
MOST_ATTEMPTS = max(a.attempts for a in ACTIONS)
