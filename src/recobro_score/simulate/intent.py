"""What debtors mean to do in a period, drawn before it is known whom the attempts reach.

One draw says who pays if left alone and who pays once reached: there are debtors who pay in any case, who pay
only if reached, who pay only if not, and who do not pay. What they then do depends on nothing that is still
to come:

- who pays in any case pays at a moment of his own, after which nobody tries to reach him any more;
- who pays only once reached pays after that, and who accepts an offer does so then;
- who pays only if left alone waits until the attempts are over.

The second kind is tried as often as those who do not pay, so that each is reached with the chance of the
whole series, and what the assigned action leads to is the closed form of `recobro_score.simulate.response`.
The first kind is reached the less the earlier the payment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.calendars import NEVER, US_PER_MINUTE
from recobro_score.simulate.arrays import I64, Bool
from recobro_score.simulate.moments import Moments
from recobro_score.simulate.response import Luck, Response

_ACCEPTED_AFTER = 5 * US_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Intent:
    """What debtors mean to do; arrays of shape (n,).

    Attributes
    ----------
    alone, prompted : bool array
        Pays if not reached, pays if reached.
    accepts : bool array
        Accepts the offer if reached.
    moments : Moments
        When, if at all.
    """

    alone: Bool
    prompted: Bool
    accepts: Bool
    moments: Moments

    @classmethod
    def of(cls, response: Response, luck: Luck, moments: Moments) -> Intent:
        """Return what the luck of a period makes of the response to the assigned actions."""
        everybody = np.ones(len(response.reach), dtype=bool)
        return cls(
            luck.pays(response, ~everybody),
            luck.pays(response, everybody),
            luck.accepts(response, everybody),
            moments,
        )

    def settled_at(self, reached_at: I64) -> I64:
        """Return from when on there is no reason to try again, µs UTC; `NEVER` if there always is.

        Parameters
        ----------
        reached_at : int64 array, shape (n,)
            When each debtor was first reached so far; `NEVER` if not.
        """
        reached = reached_at != NEVER
        paid_at = np.where(self.prompted, self.paid_at(reached_at, reached_at), NEVER)
        answered_at = np.where(self.accepts, self.accepted_at(reached_at), paid_at)
        return np.where(reached, answered_at, np.where(self.alone & self.prompted, self.moments.own, NEVER))

    def accepted_at(self, reached_at: I64) -> I64:
        """Return when offers are accepted: minutes after the debtor was reached, before the down payment."""
        return np.where(reached_at == NEVER, 0, reached_at) + _ACCEPTED_AFTER

    def paid_at(self, reached_at: I64, last_at: I64) -> I64:
        """Return when money comes in from those who pay, µs UTC.

        Parameters
        ----------
        reached_at, last_at : int64 array, shape (n,)
            When each debtor was first reached, and the last attempt; `NEVER` without.
        """
        waits = np.where(self.alone & ~self.prompted, last_at, NEVER)
        return self.moments.after(np.where(reached_at != NEVER, reached_at, waits))
