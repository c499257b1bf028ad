"""The state of every debt and debtor as the periods pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY, US_PER_HOUR
from recobro_score.simulate.arrays import F64, I64, Bool
from recobro_score.simulate.attempts import Attempts, reveals_wrong
from recobro_score.simulate.catalogue import CHANNELS
from recobro_score.simulate.debts import PERIOD_DAYS, Debts, local_days, month_and_day
from recobro_score.simulate.people import People, action_reach, attempt_reach
from recobro_score.simulate.plans import Plans
from recobro_score.simulate.response import (
    Outcome,
    Situation,
    bucket_of,
    fullness,
    leanings,
    tastes,
)
from recobro_score.simulate.scenario import Scenario

_FATIGUE_KEPT = 0.5
_CHARGED_OFF_CHANCE = 0.05
_CURED_LEAVES_CHANCE = 0.1
_SETTLED_AFTER = 29 * US_PER_DAY + 12 * US_PER_HOUR
_ABILITY_WEIGHT_IN_PLAN = 0.6


@dataclass(slots=True)
class Book:
    """Everything that changes; arrays per debt (n,) or per person (m,) and channel.

    Attributes
    ----------
    people, debts, scenario
        What does not change.
    ability : float64 array (m,)
    consent, wrong_known : bool array (m, channels)
        As they stand now.
    consent_until, wrong_from : int64 array (m, channels)
        When a consent was withdrawn or a contact point turned out wrong; `NEVER` if not.
    paid : int64 array (n,)
        Recovered on a loan since it was opened, minor units.
    balance, card_dpd : int64 array (n,)
        State of a card.
    recent : bool array (n,)
        Paid within the last period.
    attempts : float64 array (n,)
        Recent attempts, halved every period.
    quiet : int64 array (n,)
        Period starts in a row with nothing overdue.
    closed_at, held_until : int64 array (n,)
        µs UTC, `NEVER` while in our hands; and the first period without the hold.
    plans : Plans
    """

    people: People
    debts: Debts
    scenario: Scenario
    ability: F64
    consent: Bool
    wrong_known: Bool
    consent_until: I64
    wrong_from: I64
    paid: I64
    balance: I64
    card_dpd: I64
    recent: Bool
    attempts: F64
    quiet: I64
    closed_at: I64
    held_until: I64
    plans: Plans

    @classmethod
    def opened(cls, people: People, debts: Debts, scenario: Scenario) -> Book:
        """Return the state before the first period."""
        count, shape = debts.count, (people.count, len(CHANNELS))
        return cls(
            people=people,
            debts=debts,
            scenario=scenario,
            ability=people.ability.copy(),
            consent=people.consent.copy(),
            wrong_known=np.zeros(shape, dtype=bool),
            consent_until=np.full(shape, NEVER, dtype=np.int64),
            wrong_from=np.full(shape, NEVER, dtype=np.int64),
            paid=debts.paid_terms * debts.instalment,
            balance=debts.balance.copy(),
            card_dpd=debts.card_dpd.copy(),
            recent=np.zeros(count, dtype=bool),
            attempts=np.zeros(count),
            quiet=np.zeros(count, dtype=np.int64),
            closed_at=np.full(count, NEVER, dtype=np.int64),
            held_until=np.zeros(count, dtype=np.int64),
            plans=Plans.none(count),
        )

    def open_in(self, period: int) -> Bool:
        """Return which debts are in our hands when a period starts."""
        return np.asarray((self.debts.entry <= period) & (self.closed_at == NEVER), dtype=bool)

    def usable(self) -> Bool:
        """Return which channels the holder believes usable per debt, shape (n, channels)."""
        person = self.people.has_point & self.consent & ~self.wrong_known
        return np.asarray(person[self.debts.debtor], dtype=bool)

    def attempt_reach(self) -> F64:
        """Return the chance per attempt, shape (n, channels, parts)."""
        usable = self.people.has_point & self.consent & ~self.wrong_known
        chance = attempt_reach(self.people, usable, self.scenario.contactability)
        return np.asarray(chance[self.debts.debtor], dtype=np.float64)

    def drift(self, generator: np.random.Generator) -> None:
        """Move everybody's ability on by one period (an autoregression that stays standard normal)."""
        kept = self.scenario.behaviour.persistence
        step = np.sqrt(1.0 - kept**2) * generator.standard_normal(self.people.count)
        self.ability = kept * self.ability + step

    def accrue(self, period: int) -> None:
        """Add a month's interest to the cards that were already in our hands."""
        ours = self.debts.card & (self.debts.entry < period) & (self.closed_at == NEVER) & (self.balance > 0)
        interest = np.rint(self.balance * self.debts.annual_rate / 12 / self.debts.unit).astype(np.int64)
        self.balance = self.balance + np.where(ours, interest * self.debts.unit, 0)

    def overdue(self, start: int) -> tuple[I64, I64]:
        """Return exposure (minor units) and days past due at an instant."""
        debts, zone = self.debts, self.scenario.span.time_zone
        today = int(local_days(np.array([start]), zone)[0])
        fallen = debts.due_count(today) * debts.instalment
        exposure = np.where(debts.card, self.balance, np.maximum(fallen - self.paid, 0))
        oldest = self.paid // np.maximum(debts.instalment, 1)
        late = np.maximum(today - debts.due_date(np.minimum(oldest, debts.terms)), 0)
        dpd = np.where(exposure > 0, np.where(debts.card, self.card_dpd, late), 0)
        return exposure, dpd

    def situation(self, period: int, start: int, mood: F64) -> Situation:
        """Return where every debt stands at the start of a period.

        Parameters
        ----------
        period : int
        start : int
            Its first instant, µs UTC.
        mood : float64 array, shape (n,)
            Passing willingness, in log-odds.
        """
        debts, behaviour = self.debts, self.scenario.behaviour
        zone = self.scenario.span.time_zone
        exposure, dpd = self.overdue(start)
        end_day = local_days(np.array([start + PERIOD_DAYS * US_PER_DAY]), zone)
        month, _ = month_and_day(local_days(np.array([start + PERIOD_DAYS // 2 * US_PER_DAY]), zone))
        fallen = debts.due_count(int(end_day[0])) * debts.instalment
        due = np.where(debts.card, 0, np.maximum(fallen - self.paid, 0) - exposure)
        bucket, held = bucket_of(dpd), self.held_until > period
        ability = self.ability[debts.debtor]
        latent = self.people.willingness[debts.debtor] + behaviour.ability * ability + mood
        reach = action_reach(self.attempt_reach())
        reach[held] = 0.0
        return Situation(
            open=self.open_in(period),
            exposure=exposure,
            due=due,
            balance=self.owed(),
            dpd=dpd,
            bucket=bucket,
            leaning=leanings(
                behaviour,
                bucket=bucket,
                card=debts.card,
                latent=latent,
                recent=self.recent,
                held=held,
                month=int(month[0]) % 12,
            ),
            keeping=self.scenario.offers.keep + 0.5 * latent + _ABILITY_WEIGHT_IN_PLAN * ability - 3.0 * held,
            full=fullness(behaviour, bucket, ability),
            taste=tastes(
                self.scenario.effects,
                bucket=bucket,
                size=debts.size,
                quirk=debts.quirk,
                recent_attempts=self.attempts,
            ),
            reach=reach,
            in_plan=self.plans.running,
            held=held,
            plan_due=self.plans.due(debts.unit),
        )

    def owed(self) -> I64:
        """Return all that is still owed, due or not, minor units."""
        left = self.debts.terms * self.debts.instalment - self.paid
        return np.where(self.debts.card, self.balance, np.maximum(left, 0))

    def settle(self, outcome: Outcome, open_: Bool) -> None:
        """Take a period's recoveries into the balances."""
        debts, recovered = self.debts, outcome.recovered
        share = recovered / np.maximum(self.balance, 1)
        older = np.floor((self.card_dpd + PERIOD_DAYS) * (1.0 - share)).astype(np.int64)
        older = np.where((self.card_dpd == 0) & (recovered > 0), 0, older)
        self.card_dpd = np.where(debts.card & open_, older, self.card_dpd)
        self.balance = np.where(debts.card, self.balance - recovered, self.balance)
        self.paid = np.where(debts.card, self.paid, self.paid + recovered)
        self.recent = recovered > 0

    def remember(self, attempts: Attempts) -> None:
        """Take a period's attempts into fatigue and into what is known of contact points."""
        made = np.bincount(attempts.account, minlength=self.debts.count)
        self.attempts = _FATIGUE_KEPT * self.attempts + made
        telling = attempts.take(reveals_wrong(attempts))
        place = (self.debts.debtor[telling.account], telling.channel)
        np.minimum.at(self.wrong_from, place, telling.at)
        self.wrong_known[place] = True

    def close(self, period: int, start: int, generator: np.random.Generator) -> None:
        """Close some debts that have been current for two starts, the old, and a few others.

        A closing becomes visible some hours after the start, so that whoever paid is seen with nothing due
        before he leaves.
        """
        chance = generator.random((self.debts.count, 2))
        exposure, dpd = self.overdue(start)
        ours = self.open_in(period) & ~self.plans.running
        self.quiet = np.where(ours & (exposure == 0), self.quiet + 1, 0)
        done = (self.quiet >= 2) & ((self.owed() == 0) | (chance[:, 0] < _CURED_LEAVES_CHANCE))
        recall = self.scenario.structure.recall_share + np.where(dpd > 180, _CHARGED_OFF_CHANCE, 0.0)
        leaves = ours & (done | (chance[:, 0] < np.where(exposure > 0, recall, 0.0)))
        hours = 6.0 + 6.0 * chance[:, 1]
        self.closed_at = np.where(leaves, start + (hours * US_PER_HOUR).astype(np.int64), self.closed_at)

    def settled(self, rows: I64, start: int) -> None:
        """Close debts whose discount leaves something due that nobody asks for, before the next period."""
        self.closed_at[rows] = start + _SETTLED_AFTER
