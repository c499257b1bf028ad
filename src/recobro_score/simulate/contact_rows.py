"""What a period's dealings with debtors leave behind: decisions, contacts, promises and complaints."""

from __future__ import annotations

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY, US_PER_HOUR
from recobro_score.simulate.arrays import F64, I64, Bool
from recobro_score.simulate.attempts import AGENTS, DIRECTIONS, OUTCOMES, PARTIES, Attempts, duration_seconds
from recobro_score.simulate.catalogue import ACTION_IDS, CHANNELS, OFFERS
from recobro_score.simulate.debts import midnights
from recobro_score.simulate.legacy import Choice
from recobro_score.simulate.moments import after_days
from recobro_score.simulate.response import Outcome, Situation
from recobro_score.simulate.scene import Played, Scene

COMPLAINTS = ("opt_out", "harassment", "wrong_amount")
NO_DECISION = -1
_DECIDED_AFTER = 3 * US_PER_HOUR
_CONTACT_LAG = US_PER_HOUR
_COMPLAINT_CHANCE = 0.004
_INBOUND_COST = 30.0
_CALL, _WHATSAPP = CHANNELS.index("call"), CHANNELS.index("whatsapp")
_STRANGERS = (OUTCOMES.index("third_party"), OUTCOMES.index("wrong_number"))
_CALL_AGENT = ACTION_IDS.index("call_agent")
_ASKS_FOR_PROMISES = (ACTION_IDS.index("call_bot"), _CALL_AGENT)


def decisions(scene: Scene, rows: I64, choice: Choice) -> None:
    """Write the policy's choice for every debt in our hands."""
    offered = OFFERS[choice.action[rows]]
    at = np.full(len(rows), scene.start + _DECIDED_AFTER, dtype=np.int64)
    scene.ledger.add(
        "decisions",
        {
            "account_id": rows,
            "decided_at": at,
            "action_id": choice.action[rows],
            "decision_id": scene.number(rows),
            "propensity": choice.propensity[rows],
            "policy_version": np.zeros_like(rows),
            "offer": np.where(offered, choice.terms[rows], -1),
            "drawn": choice.drawn[rows].astype(np.int64),
        },
    )


def contacts(scene: Scene, attempts: Attempts, generator: np.random.Generator) -> None:
    """Write the attempts that were made."""
    reached, stranger = attempts.reached, np.isin(attempts.outcome, _STRANGERS)
    _write_contacts(
        scene,
        attempts,
        direction=0,
        decision=scene.number(attempts.account),
        party=np.where(reached, 0, np.where(stranger, PARTIES.index("third_party"), -1)),
        duration=duration_seconds(attempts, generator),
    )


def other_contacts(
    scene: Scene, situation: Situation, outcome: Outcome, generator: np.random.Generator
) -> None:
    """Write calls and messages from debtors, and attempts that a hold blocked."""
    uniform = generator.random((scene.debts.count, 4))
    inbound = situation.open & (uniform[:, 0] < 0.015 + 0.05 * outcome.paid)
    blocked = situation.open & situation.held & (uniform[:, 0] > 0.7)
    for chosen, is_inbound in ((inbound, True), (blocked, False)):
        rows = np.flatnonzero(chosen)
        call = (uniform[rows, 1] < 0.6) & is_inbound
        ended = np.where(call, OUTCOMES.index("rpc"), OUTCOMES.index("replied"))
        start = np.full(len(rows), scene.start, dtype=np.int64)
        attempts = Attempts(
            account=rows,
            channel=np.where(call, _CALL, _WHATSAPP),
            agent=np.full(len(rows), AGENTS.index("human" if is_inbound else "bot")),
            outcome=ended if is_inbound else np.full(len(rows), OUTCOMES.index("blocked")),
            at=after_days(start + 14 * US_PER_HOUR, 1.0, 27.0, uniform[rows, 2]),
            reached=np.full(len(rows), is_inbound),
            cost=np.where(call, _INBOUND_COST, 0.0),
        )
        _write_contacts(
            scene,
            attempts,
            direction=DIRECTIONS.index("inbound") if is_inbound else 0,
            decision=np.full(len(rows), NO_DECISION, dtype=np.int64),
            party=np.full(len(rows), 0 if is_inbound else -1),
            duration=duration_seconds(attempts, generator),
        )


def _write_contacts(
    scene: Scene, attempts: Attempts, *, direction: int, decision: I64, party: I64, duration: F64
) -> None:
    people, debts = scene.people, scene.debts
    debtor = debts.debtor[attempts.account]
    sms = np.array([c.sms_cost for c in scene.scenario.market.countries])[people.country[debtor]]
    point = debtor * len(CHANNELS) + attempts.channel
    scene.ledger.add(
        "contacts",
        {
            "account_id": attempts.account,
            "attempted_at": attempts.at,
            "channel": attempts.channel,
            "direction": np.full(len(debtor), direction, dtype=np.int64),
            "outcome": attempts.outcome,
            "decision_id": decision,
            "contact_point_id": np.where(people.has_point[debtor, attempts.channel], point, -1),
            "party": party,
            "agent": attempts.agent,
            "duration_s": duration,
            "cost": np.rint(sms * attempts.cost * debts.unit[attempts.account]).astype(np.int64),
            "known_at": attempts.at + _CONTACT_LAG,
        },
    )


def promises(scene: Scene, situation: Situation, played: Played, generator: np.random.Generator) -> None:
    """Write promises made when a call reached the debtor: most by those who then pay, some by others."""
    choice, outcome = played.choice, played.outcome
    reached_at, paid_at = played.reached_at, played.paid_at
    uniform = generator.random((scene.debts.count, 4))
    calls = np.isin(choice.action, _ASKS_FOR_PROMISES) & (reached_at != NEVER) & (situation.exposure > 0)
    pays = outcome.paid & ~outcome.reversed
    rows = np.flatnonzero(calls & (uniform[:, 0] < np.where(pays, 0.7, 0.35)))
    kept = pays[rows] & (uniform[rows, 1] < 0.85)
    unit = scene.debts.unit[rows]
    part = np.where(uniform[rows, 2] < 0.6, 1.0, 0.5)
    asked = np.rint(situation.exposure[rows] * part / unit).astype(np.int64) * unit
    day = np.where(pays[rows], paid_at[rows], reached_at[rows]) // US_PER_DAY
    ahead = np.where(pays[rows], 1 + 2 * uniform[rows, 3], 3 + 8 * uniform[rows, 3]).astype(np.int64)
    scene.ledger.add(
        "promises",
        {
            "account_id": rows,
            "promised_at": reached_at[rows],
            "due_at": midnights(day + ahead, scene.scenario.span.time_zone),
            "amount": np.maximum(np.where(kept, np.minimum(outcome.amount[rows], asked), asked), unit),
            "taken_by": np.where(
                choice.action[rows] == _CALL_AGENT, AGENTS.index("human"), AGENTS.index("bot")
            ),
            "known_at": reached_at[rows] + _CONTACT_LAG,
        },
    )


def complaints(scene: Scene, exposed: Bool, generator: np.random.Generator) -> tuple[I64, I64]:
    """Write complaints of contacted debtors; return who opted out of messages, and when."""
    uniform = generator.random((scene.debts.count, 3))
    rows = np.flatnonzero(exposed & (uniform[:, 0] < _COMPLAINT_CHANCE))
    kind = np.minimum((uniform[rows, 1] * 4).astype(np.int64), 2)
    kind = np.where(uniform[rows, 1] < 0.4, COMPLAINTS.index("opt_out"), np.maximum(kind, 1))
    start = np.full(len(rows), scene.start + 12 * US_PER_HOUR, dtype=np.int64)
    at = after_days(start, 20.0, 26.0, uniform[rows, 2])
    debtor = scene.debts.debtor[rows]
    scene.ledger.add("complaints", {"debtor_id": debtor, "made_at": at, "kind": kind})
    opted = kind == COMPLAINTS.index("opt_out")
    return debtor[opted], at[opted]
