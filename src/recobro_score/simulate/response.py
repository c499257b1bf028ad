r"""How debtors answer an action within one period: the closed form that both the history and the truth use.

With exposure :math:`E`, instalments :math:`D` falling due within the period and :math:`B = E` (or :math:`D`
where nothing is overdue), a debtor who is assigned action :math:`a` and is not in a plan

- is reached with probability :math:`r_a` (`recobro_score.simulate.people.action_reach`);
- pays with :math:`\pi_0 = \sigma(\eta)` if not reached, :math:`\pi_1 = \sigma(\eta + \delta_a)` if reached,
  where :math:`\eta` (`leaning`) sums bucket, product, willingness, ability, season and recent payment and

  .. math:: \delta_a = s\,[\beta_a\, m_{bucket}\,(1 + h z_a) - \varphi F]

  with scale :math:`s`, heterogeneity :math:`h`, fatigue :math:`\varphi` and recent attempts :math:`F`;
- who pays, pays all of :math:`E + D` with probability :math:`q`, else a share :math:`S \sim Beta` of
  :math:`B`;
- who is reached by an offer and would not pay accepts it with probability :math:`\alpha` and pays the down
  payment :math:`A`;
- with probability :math:`\rho` the money is taken back within the period.

So with :math:`g = q + (1-q) P(S \ge 1/2)` and :math:`V = q (E + D) + (1-q) E[S] B`

.. math::
    p\_pay &= (1-\rho)\,[(1-r)\pi_0 g + r(\pi_1 g + (1-\pi_1)\,\alpha\,1\{A \ge E/2\})] \\
    E[recovery] &= (1-\rho)\,[(1-r)\pi_0 V + r(\pi_1 V + (1-\pi_1)\,\alpha A)].

A debtor in a plan pays the plan's instalment and :math:`D`, or nothing: the same with :math:`q = 1`,
:math:`\alpha = 0` and the log-odds of keeping the plan in place of :math:`\eta`. Amounts are rounded to whole
major units, which the formulas leave out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from recobro_score.simulate.arrays import F64, I64, Bool, sigmoid
from recobro_score.simulate.catalogue import ACTIONS, NO_ACTION, OFFERS
from recobro_score.simulate.scenario import Behaviour, Effects, Scenario, Terms

SHARE = 0.5
"""Recovering at least this share of the exposure counts as paying."""

BUCKET_EDGES = (0, 30, 60, 90, 180)
_BUCKET_LEANING: F64 = np.array([0.9, 0.25, -0.4, -0.85, -1.35, -1.9])
_BUCKET_FULL: F64 = np.array([1.0, 0.5, 0.0, -0.3, -0.5, -0.7])
_CARD_LEANING = -0.2
_RECENT_LEANING = 0.5
_HELD_LEANING = -3.0
_SEASON: F64 = np.array([-0.25, -0.1, 0.0, 0.0, 0.0, 0.15, 0.1, 0.0, -0.05, 0.0, 0.05, 0.3])
_LARGE_DEBT_TASTE: F64 = np.array([0.0, -0.5, -0.3, -0.3, -0.2, 0.6, 0.2, 0.5])


@dataclass(frozen=True, slots=True)
class Situation:
    """Where every debt stands at the start of a period; arrays of shape (n,).

    Attributes
    ----------
    open : bool array
        Placed and not closed.
    exposure, due, balance : int64 array
        Minor units: due at the start, falling due within the period, and all that is owed.
    dpd, bucket : int64 array
    leaning, keeping, full : float64 array
        Log-odds of paying unprompted, of keeping a plan, and of paying in full.
    taste : float64 array, shape (n, actions)
        Effect of being reached by each action, in log-odds.
    reach : float64 array, shape (n, actions)
        Chance of being reached; 0 where the channel cannot or may not be used.
    in_plan, held : bool array
    plan_due : int64 array
        The plan's instalment of the period, minor units.
    """

    open: Bool
    exposure: I64
    due: I64
    balance: I64
    dpd: I64
    bucket: I64
    leaning: F64
    keeping: F64
    full: F64
    taste: F64
    reach: F64
    in_plan: Bool
    held: Bool
    plan_due: I64


@dataclass(frozen=True, slots=True)
class Response:
    """What an assigned action leads to; arrays of shape (n,), amounts in minor units.

    Attributes
    ----------
    reach, pay_alone, pay_reached, accept, full : float64 array
        Probabilities: of being reached, of paying unreached and reached, of accepting the offer when not
        paying, and that a payment is full.
    settle, base, down : int64 array
        Minor units: what a full payment is, what a partial one is a share of, the down payment.
    """

    reach: F64
    pay_alone: F64
    pay_reached: F64
    accept: F64
    full: F64
    settle: I64
    base: I64
    down: I64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened within a period; arrays of shape (n,).

    Attributes
    ----------
    amount : int64 array
        Paid, minor units, before any reversal.
    accepted, paid, reversed : bool array
        `paid` covers every payment, a down payment too.
    """

    amount: I64
    accepted: Bool
    paid: Bool
    reversed: Bool

    def among(self, rows: Bool) -> Outcome:
        """Return the same outcome with nothing happening outside `rows`."""
        return Outcome(
            np.where(rows, self.amount, 0), self.accepted & rows, self.paid & rows, self.reversed & rows
        )

    @property
    def recovered(self) -> I64:
        """Paid and not taken back, minor units."""
        return np.where(self.reversed, 0, self.amount)


@dataclass(frozen=True, slots=True)
class Luck:
    """What chance has in store for a period, whatever is done; arrays of shape (n,), uniform but for `share`.

    Attributes
    ----------
    paying, accepting, full, reversing : float64 array
    share : float64 array
        What a partial payment is of its base.
    """

    paying: F64
    accepting: F64
    full: F64
    reversing: F64
    share: F64

    @classmethod
    def draw(cls, count: int, behaviour: Behaviour, generator: np.random.Generator) -> Luck:
        """Draw everybody's."""
        paying, accepting, full, reversing = generator.random((count, 4)).T
        share = generator.beta(behaviour.partial_alpha, behaviour.partial_beta, count)
        return cls(paying, accepting, full, reversing, share)

    def pays(self, response: Response, reached: Bool) -> Bool:
        """Return who pays if these are reached and the others not, accepted offers apart."""
        return self.paying < np.where(reached, response.pay_reached, response.pay_alone)

    def accepts(self, response: Response, reached: Bool) -> Bool:
        """Return who accepts an offer if these are reached and the others not."""
        return ~self.pays(response, reached) & reached & (self.accepting < response.accept)


def bucket_of(dpd: I64) -> I64:
    """Return the bucket 0-5 of days past due."""
    return np.searchsorted(np.array(BUCKET_EDGES), dpd, side="left").astype(np.int64)


def leanings(
    behaviour: Behaviour, *, bucket: I64, card: Bool, latent: F64, recent: Bool, held: Bool, month: int
) -> F64:
    """Return the log-odds of paying unprompted; `latent` is willingness, ability and mood together."""
    leaning = behaviour.base + _BUCKET_LEANING[bucket] + latent
    leaning += np.where(bucket <= 1, behaviour.self_cure, 0.0) + np.where(card, _CARD_LEANING, 0.0)
    leaning += np.where(recent, _RECENT_LEANING, 0.0) + np.where(held, _HELD_LEANING, 0.0)
    return np.asarray(leaning + behaviour.seasonality * _SEASON[month], dtype=np.float64)


def fullness(behaviour: Behaviour, bucket: I64, ability: F64) -> F64:
    """Return the log-odds that a payment settles all that is due."""
    odds = behaviour.full_share / (1.0 - behaviour.full_share)
    return np.asarray(np.log(odds) + _BUCKET_FULL[bucket] + 0.4 * ability, dtype=np.float64)


def tastes(effects: Effects, *, bucket: I64, size: F64, quirk: F64, recent_attempts: F64) -> F64:
    """Return the effect in log-odds of being reached by each action, shape (n, actions).

    Larger debts answer people better and messages worse (visible in the tables); `quirk` is not visible.
    """
    strength = np.array([getattr(effects, action.action_id, 0.0) for action in ACTIONS])
    multiplier = np.array(effects.by_bucket)[bucket]
    deviation = _LARGE_DEBT_TASTE[None, :] * size[:, None] + 0.5 * quirk[:, None]
    spread = 1.0 + effects.heterogeneity * deviation
    taste = strength[None, :] * multiplier[:, None] * spread - effects.fatigue * recent_attempts[:, None]
    taste *= effects.scale
    taste[:, NO_ACTION] = 0.0
    return np.asarray(taste, dtype=np.float64)


def respond(
    situation: Situation, action: I64, terms: I64, *, scenario: Scenario, unit: I64, ability: F64
) -> Response:
    """Return the response to one assigned action per debt.

    Parameters
    ----------
    situation : Situation
    action, terms : int64 array, shape (n,)
        Positions in the action catalogue and in the menu of offers.
    unit : int64 array, shape (n,)
        Minor units in a major one.
    ability : float64 array, shape (n,)
        Ability of the debtor in this period.
    """
    rows = np.arange(len(action))
    own = np.where(situation.in_plan, situation.keeping, situation.leaning)
    settle = np.where(situation.in_plan, situation.plan_due, situation.exposure) + situation.due
    alive = situation.open & (settle > 0)
    overdue = situation.exposure > 0
    offered = OFFERS[action] & overdue & ~situation.in_plan & alive
    down, _ = offer_amounts(situation.exposure, terms, scenario.offers.menu, unit)
    return Response(
        reach=np.where(alive, situation.reach[rows, action], 0.0),
        pay_alone=np.where(alive, sigmoid(own), 0.0),
        pay_reached=np.where(alive, sigmoid(own + situation.taste[rows, action]), 0.0),
        accept=np.where(offered, _acceptance(scenario, terms, ability), 0.0),
        full=np.where(situation.in_plan, 1.0, sigmoid(situation.full)),
        settle=settle,
        base=np.where(overdue, situation.exposure, situation.due),
        down=np.where(offered, down, 0),
    )


def _acceptance(scenario: Scenario, terms: I64, ability: F64) -> F64:
    menu, standard = scenario.offers.menu, scenario.offers.menu[0]
    ease = np.array(
        [
            -2.0 * (t.down_payment - standard.down_payment)
            + 3.0 * (t.discount - standard.discount)
            + 0.05 * (t.instalments - standard.instalments)
            for t in menu
        ]
    )
    return min(1.0, scenario.effects.scale) * sigmoid(scenario.offers.uptake + ease[terms] + 0.3 * ability)


def offer_amounts(exposure: I64, terms: I64, menu: tuple[Terms, ...], unit: I64) -> tuple[I64, I64]:
    """Return the down payment and the sum of the instalments of an offer, minor units in whole major ones."""
    discount = np.array([t.discount for t in menu])[terms]
    share = np.array([t.down_payment for t in menu])[terms]
    owed = np.rint(exposure * (1.0 - discount) / unit)
    down = np.rint(owed * share)
    return down.astype(np.int64) * unit, (owed - down).astype(np.int64) * unit


def expected(response: Response, exposure: I64, scenario: Scenario) -> tuple[F64, F64]:
    """Return p_pay and the expected recovery in minor units, the formulas of this module.

    Where there is no exposure, p_pay is NaN: recovering a share of nothing means nothing.
    """
    behaviour = scenario.behaviour
    alpha, beta = behaviour.partial_alpha, behaviour.partial_beta
    at_least = 1.0 - float(betainc(alpha, beta, SHARE))
    full, partial = response.full, 1.0 - response.full
    enough = full * (response.settle >= SHARE * exposure) + partial * at_least
    value = full * response.settle + partial * response.base * (alpha / (alpha + beta))
    enough_down = response.accept * (response.down >= SHARE * exposure)

    pays = response.pay_alone + response.reach * (response.pay_reached - response.pay_alone)
    offered = response.reach * (1.0 - response.pay_reached)
    kept = 1.0 - scenario.lateness.reversals
    p_pay = kept * (pays * enough + offered * enough_down)
    recovery = kept * (pays * value + offered * response.accept * response.down)
    return np.where(exposure > 0, p_pay, np.nan), np.asarray(recovery, dtype=np.float64)


def outcome_of(response: Response, reached: Bool, luck: Luck, *, scenario: Scenario, unit: I64) -> Outcome:
    """Return what happens once it is known whom the attempts have reached."""
    pays, accepted = luck.pays(response, reached), luck.accepts(response, reached)
    partial = np.maximum(np.rint(luck.share * response.base / unit), 1).astype(np.int64) * unit
    amount = np.where(luck.full < response.full, response.settle, np.minimum(partial, response.settle))
    amount = np.where(pays, amount, np.where(accepted, response.down, 0))
    paid = amount > 0
    return Outcome(amount, accepted, paid, paid & (luck.reversing < scenario.lateness.reversals))
