"""What everything written down in one period has in common."""

from __future__ import annotations

from dataclasses import dataclass

from recobro_score.simulate.arrays import I64
from recobro_score.simulate.attempts import Attempts
from recobro_score.simulate.debts import Debts
from recobro_score.simulate.ledger import Ledger
from recobro_score.simulate.legacy import Choice
from recobro_score.simulate.moments import Files
from recobro_score.simulate.people import People
from recobro_score.simulate.response import Outcome, Response
from recobro_score.simulate.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Scene:
    """What the records of one period have in common.

    Attributes
    ----------
    period : int
    start : int
        Its first instant, µs UTC.
    people, debts, scenario, files, ledger
        Everybody, everything, and where the rows go.
    """

    period: int
    start: int
    people: People
    debts: Debts
    scenario: Scenario
    files: Files
    ledger: Ledger

    def number(self, rows: I64) -> I64:
        """Return a number for debts that no other period repeats (of decisions, of plans)."""
        return self.period * self.debts.count + rows


@dataclass(frozen=True, slots=True)
class Played:
    """How a period went for every debt; arrays of shape (n,).

    Attributes
    ----------
    choice : Choice
    response : Response
    outcome : Outcome
    attempts : Attempts
        Those that were made: none after the payment.
    reached_at, accepted_at, paid_at : int64 array
        µs UTC; `NEVER` for who was not reached or accepted nothing, meaningless for who did not pay.
    plan : int64 array
        Number of the plan that the period's payment belongs to, or `NO_PLAN`.
    """

    choice: Choice
    response: Response
    outcome: Outcome
    attempts: Attempts
    reached_at: I64
    accepted_at: I64
    paid_at: I64
    plan: I64
