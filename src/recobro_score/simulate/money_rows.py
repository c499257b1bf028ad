"""What a period's money leaves behind: balances, payments, and plans with their instalments."""

from __future__ import annotations

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.simulate.arrays import I64
from recobro_score.simulate.catalogue import CHANNEL_OF, CHANNELS, OFFERS
from recobro_score.simulate.debts import PERIOD_DAYS, midnights
from recobro_score.simulate.moments import after_days
from recobro_score.simulate.plans import NO_PLAN, part_amount
from recobro_score.simulate.response import Situation
from recobro_score.simulate.scene import Played, Scene

PAYMENT_KINDS = ("payment", "reversal", "write_off")
METHODS = ("transfer", "card", "cash", "direct_debit")
PAYMENT, REVERSAL, WRITE_OFF = range(3)
_SPLIT_SHARE = 0.12
_CALL = CHANNELS.index("call")


def balances(scene: Scene, rows: I64, *, at: I64, owed: I64, dpd: I64) -> None:
    """Write dated balances; the interest part of what is owed follows the share it had at the beginning."""
    debts = scene.debts
    total = np.where(debts.card, debts.principal, debts.terms * debts.instalment)[rows]
    share = np.minimum(debts.principal[rows] / np.maximum(total, 1), 1.0)
    unit = debts.unit[rows]
    principal = np.rint(owed * share / unit).astype(np.int64) * unit
    principal = np.where(debts.card[rows], np.minimum(owed, debts.principal[rows]), principal)
    scene.ledger.add(
        "balances",
        {
            "account_id": rows,
            "known_at": at,
            "balance": owed,
            "principal": principal,
            "interest": owed - principal,
            "fees": np.zeros_like(owed),
            "dpd": dpd.astype(np.float64),
        },
    )


def payments(scene: Scene, situation: Situation, played: Played, generator: np.random.Generator) -> None:
    """Write the money that came in, sometimes in two parts, and what was taken back within a day."""
    outcome, paid_at, plan = played.outcome, played.paid_at, played.plan
    uniform = generator.random((scene.debts.count, 4))
    rows = np.flatnonzero(outcome.paid)
    unit, amount = scene.debts.unit[rows], outcome.amount[rows]
    running = situation.in_plan[rows]
    half = np.where(uniform[rows, 0] < _SPLIT_SHARE, amount // unit // 2 * unit, 0)
    second = np.where(running, amount - situation.plan_due[rows], half)
    method = (uniform[rows, 1] * len(METHODS)).astype(np.int64)
    later = after_days(paid_at[rows], 0.0, 0.8, uniform[rows, 2])
    _write_payments(scene, rows, amount - second, paid_at[rows], kind=PAYMENT, method=method, plan=plan[rows])
    split = second > 0
    own = np.where(running, NO_PLAN, plan[rows])
    _write_payments(
        scene, rows[split], second[split], later[split], kind=PAYMENT, method=method[split], plan=own[split]
    )
    back = outcome.reversed[rows]
    at = after_days(later[back], 0.02, 0.15, uniform[rows, 3][back])
    _write_payments(
        scene, rows[back], -amount[back], at, kind=REVERSAL, method=method[back], plan=plan[rows][back]
    )


def earlier_payments(scene: Scene, generator: np.random.Generator, due_at: I64, rows: I64) -> None:
    """Write instalments paid before the placement, known since then."""
    at = after_days(due_at, -2.5, 0.7, generator.random(len(rows)))
    scene.ledger.add(
        "payments",
        {
            "account_id": rows,
            "paid_at": at,
            "amount": scene.debts.instalment[rows],
            "kind": np.full(len(rows), PAYMENT, dtype=np.int64),
            "method": np.full(len(rows), METHODS.index("direct_debit"), dtype=np.int64),
            "plan_id": np.full(len(rows), NO_PLAN, dtype=np.int64),
            "known_at": scene.debts.placed_at[rows],
        },
    )


def write_offs(scene: Scene, rows: I64, amount: I64, at: I64) -> None:
    """Write the discounts that completed plans earned."""
    given = amount > 0
    none = np.full(int(given.sum()), -1, dtype=np.int64)
    _write_payments(scene, rows[given], amount[given], at[given], kind=WRITE_OFF, method=none, plan=none)


def _write_payments(
    scene: Scene, rows: I64, amount: I64, at: I64, *, kind: int, method: I64, plan: I64
) -> None:
    scene.ledger.add(
        "payments",
        {
            "account_id": rows,
            "paid_at": at,
            "amount": amount,
            "kind": np.full(len(rows), kind, dtype=np.int64),
            "method": method,
            "plan_id": plan,
            "known_at": scene.files.known_at(at),
        },
    )


def offers(scene: Scene, played: Played) -> None:
    """Write the plans put to debtors: by message when it is sent, by call when somebody is reached."""
    choice, attempts = played.choice, played.attempts
    by_call = CHANNEL_OF[choice.action] == _CALL
    offered_at = np.where(by_call, played.reached_at, attempts.first_at(scene.debts.count))
    rows = np.flatnonzero(OFFERS[choice.action] & (offered_at != NEVER) & (played.response.base > 0))
    scene.ledger.add(
        "plans",
        {
            "plan_id": scene.number(rows),
            "account_id": rows,
            "offered_at": offered_at[rows],
            "terms": choice.terms[rows],
            "accepted_at": played.accepted_at[rows],
        },
    )


def plan_ends(scene: Scene, number: I64, at: I64, reason: int) -> None:
    """Write how accepted plans ended."""
    scene.ledger.add(
        "plan_ends",
        {"plan_id": number, "ended_at": at, "end_reason": np.full(len(at), reason, dtype=np.int64)},
    )


def plan_instalments(scene: Scene, rows: I64, *, total: I64, parts: I64, accepted_at: I64) -> None:
    """Write the schedule of accepted plans: one instalment every 30 days."""
    repeat = np.repeat(np.arange(len(rows)), parts)
    number = np.arange(len(repeat)) - np.repeat(np.cumsum(parts) - parts, parts)
    debts, zone = scene.debts, scene.scenario.span.time_zone
    day = accepted_at[repeat] // US_PER_DAY + PERIOD_DAYS * (number + 1)
    scene.ledger.add(
        "instalments",
        {
            "account_id": rows[repeat],
            "due_at": midnights(day, zone),
            "amount": part_amount(total[repeat], parts[repeat], number, debts.unit[rows][repeat]),
            "plan_id": scene.number(rows)[repeat],
            "known_at": accepted_at[repeat],
        },
    )
