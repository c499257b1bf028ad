"""The history, period by period: state, policy, attempts, outcomes and what each leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY, US_PER_HOUR
from recobro_score.simulate import contact_rows, money_rows
from recobro_score.simulate.arrays import F64, Streams
from recobro_score.simulate.attempts import Attempts, make_attempts
from recobro_score.simulate.book import Book
from recobro_score.simulate.catalogue import CHANNELS, NO_ACTION
from recobro_score.simulate.debts import PERIOD_DAYS, Debts, local_days, period_starts
from recobro_score.simulate.intent import Intent
from recobro_score.simulate.ledger import Ledger
from recobro_score.simulate.legacy import Choice, choose, eligible_actions, propensities
from recobro_score.simulate.moments import Files, payment_moments
from recobro_score.simulate.people import People
from recobro_score.simulate.plans import BROKEN, COMPLETED, NO_PLAN
from recobro_score.simulate.response import Luck, Situation, offer_amounts, outcome_of, respond
from recobro_score.simulate.scenario import Scenario
from recobro_score.simulate.scene import Played, Scene

HOLDS = ("dispute", "insolvency", "deceased")
_HOLD_CHANCE = (0.004, 0.001, 0.0007)
_PERMANENT = 1_000_000
_PLAN_MISSED_AFTER = 29 * US_PER_DAY


@dataclass(frozen=True, slots=True)
class Moment:
    """The state at the as-of, from which the truth is computed.

    Attributes
    ----------
    situation : Situation
    ability : float64 array, shape (n,)
        Of each debt's debtor.
    """

    situation: Situation
    ability: F64


@dataclass(frozen=True, slots=True)
class Generators:
    """One random stream per concern of the periods."""

    ability: np.random.Generator
    mood: np.random.Generator
    holds: np.random.Generator
    closings: np.random.Generator
    choices: np.random.Generator
    attempts: np.random.Generator
    outcomes: np.random.Generator
    moments: np.random.Generator
    durations: np.random.Generator
    inbound: np.random.Generator
    promises: np.random.Generator
    payments: np.random.Generator
    complaints: np.random.Generator

    @classmethod
    def of(cls, streams: Streams) -> Generators:
        """Start every stream."""
        return cls(**{name: streams.of(f"periods.{name}") for name in cls.__slots__})


def run_periods(
    people: People,
    debts: Debts,
    scenario: Scenario,
    streams: Streams,
    *,
    ledger: Ledger,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Moment, Book]:
    """Run every period, writing rows into the ledger; return the state at the as-of and at the end."""
    book, random = Book.opened(people, debts, scenario), Generators.of(streams)
    files = Files(scenario.lateness, scenario.span, streams)
    starts, span = period_starts(scenario.span), scenario.span
    moment: Moment | None = None
    for period, start in enumerate(starts.tolist()):
        scene = Scene(period, start, people, debts, scenario, files, ledger)
        book.drift(random.ability)
        book.accrue(period)
        _begin_holds(scene, book, random.holds)
        mood = scenario.behaviour.noise * random.mood.standard_normal(debts.count)
        situation = book.situation(period, start, mood)
        _note_balances(scene, situation)
        if period == span.periods:
            moment = Moment(situation, book.ability[debts.debtor])
        if period < len(starts) - 1:
            book.close(period, start, random.closings)
            stays = replace(situation, open=situation.open & book.open_in(period))
            _work(scene, book, stays, random)
        if progress is not None:
            progress(period + 1, len(starts))
    if moment is None:
        msg = "the as-of is not among the periods"
        raise AssertionError(msg)
    return moment, book


def _note_balances(scene: Scene, situation: Situation) -> None:
    rows = np.flatnonzero(situation.open)
    at = np.full(len(rows), scene.start - US_PER_HOUR, dtype=np.int64)
    money_rows.balances(scene, rows, at=at, owed=situation.balance[rows], dpd=situation.dpd[rows])


def _begin_holds(scene: Scene, book: Book, generator: np.random.Generator) -> None:
    """Place holds in the last two days before a period; a dispute lasts one to three periods."""
    debts = scene.debts
    uniform = generator.random((debts.count, 2 + len(HOLDS)))
    free = book.open_in(scene.period) & (book.held_until <= scene.period)
    known = debts.placed_at < scene.start - 2 * US_PER_DAY
    for kind, chance in enumerate(_HOLD_CHANCE):
        rows = np.flatnonzero(free & known & (uniform[:, kind] < chance))
        at = scene.start - (1 + 2 * 1439 * uniform[rows, -1]).astype(np.int64) * (US_PER_DAY // 1440)
        lasting = kind != HOLDS.index("dispute")
        periods = np.full(len(rows), _PERMANENT) if lasting else 1 + (3 * uniform[rows, -2]).astype(np.int64)
        until = np.where(
            periods == _PERMANENT, NEVER, scene.start + periods * PERIOD_DAYS * US_PER_DAY - US_PER_HOUR
        )
        scene.ledger.add(
            "holds",
            {
                "account_id": np.full(len(rows), -1) if lasting else rows,
                "debtor_id": debts.debtor[rows] if lasting else np.full(len(rows), -1),
                "kind": np.full(len(rows), kind, dtype=np.int64),
                "from_at": at,
                "until_at": until,
            },
        )
        ends = scene.period + periods
        if lasting:
            rows = np.flatnonzero(np.isin(debts.debtor, debts.debtor[rows]))
            ends = np.full(len(rows), _PERMANENT)
        book.held_until[rows] = np.maximum(book.held_until[rows], ends)


def _work(scene: Scene, book: Book, situation: Situation, random: Generators) -> None:
    """Choose, attempt, pay and write it all down."""
    played = _play(scene, book, situation, random)
    if scene.scenario.legacy.record_contacts:
        contact_rows.contacts(scene, played.attempts, random.durations)
        contact_rows.other_contacts(scene, situation, played.outcome, random.inbound)
        contact_rows.promises(scene, situation, played, random.promises)
    money_rows.offers(scene, played)
    money_rows.payments(scene, situation, played, random.payments)
    _follow_plans(scene, book, situation, played)
    book.settle(played.outcome, situation.open)
    book.remember(played.attempts)
    _opt_outs(scene, book, played.attempts, random.complaints)


def _play(scene: Scene, book: Book, situation: Situation, random: Generators) -> Played:
    people, debts, scenario = scene.people, scene.debts, scene.scenario
    choice = _choose(scene, book, situation, random.choices)
    first_day = int(local_days(np.array([scene.start]), scenario.span.time_zone)[0])
    ability = book.ability[debts.debtor]
    response = respond(
        situation, choice.action, choice.terms, scenario=scenario, unit=debts.unit, ability=ability
    )
    luck = Luck.draw(debts.count, scenario.behaviour, random.outcomes)
    moments = payment_moments(people, debts, scenario=scenario, first_day=first_day, generator=random.moments)
    intent = Intent.of(response, luck, moments)
    attempts = make_attempts(
        choice.action,
        book.attempt_reach(),
        intent,
        people=people,
        debtor=debts.debtor,
        countries=tuple(country.code for country in scenario.market.countries),
        first_day=first_day,
        generator=random.attempts,
    )
    reached_at = attempts.reached_at(debts.count)
    outcome = outcome_of(response, reached_at != NEVER, luck, scenario=scenario, unit=debts.unit)
    new_plan = np.where(outcome.accepted, scene.number(np.arange(debts.count)), NO_PLAN)
    return Played(
        choice=choice,
        response=response,
        outcome=outcome,
        attempts=attempts,
        reached_at=reached_at,
        accepted_at=np.where(outcome.accepted, intent.accepted_at(reached_at), NEVER),
        paid_at=intent.paid_at(reached_at, attempts.last_at(debts.count)),
        plan=np.where(situation.in_plan, book.plans.number, new_plan),
    )


def _choose(scene: Scene, book: Book, situation: Situation, generator: np.random.Generator) -> Choice:
    """Let the legacy policy choose for the debts in our hands; the others get no action."""
    legacy, debts = scene.scenario.legacy, scene.debts
    eligible = eligible_actions(situation, book.usable())
    hidden = scene.people.hidden[debts.debtor]
    propensity = propensities(situation, eligible, debts.size, hidden, legacy)
    choice = choose(propensity, eligible, len(scene.scenario.offers.menu), generator)
    if legacy.record_contacts:
        contact_rows.decisions(scene, np.flatnonzero(situation.open), choice)
    action = np.where(situation.open, choice.action, NO_ACTION)
    return replace(choice, action=action)


def _follow_plans(scene: Scene, book: Book, situation: Situation, played: Played) -> None:
    """Move running plans on, end those completed or broken, and start the accepted ones."""
    plans = book.plans
    forgiven = plans.forgiven.copy()
    completed, broken = plans.advance(played.outcome.recovered > 0)
    paid_at = played.paid_at[completed]
    money_rows.plan_ends(scene, plans.number[completed], paid_at, COMPLETED)
    missed = np.full(len(broken), scene.start + _PLAN_MISSED_AFTER, dtype=np.int64)
    money_rows.plan_ends(scene, plans.number[broken], missed, BROKEN)
    money_rows.write_offs(scene, completed, forgiven[completed], paid_at + US_PER_HOUR)
    book.settled(completed[forgiven[completed] > 0], scene.start)
    plans.end(np.concatenate([completed, broken]))

    _start_plans(scene, book, situation, played)


def _start_plans(scene: Scene, book: Book, situation: Situation, played: Played) -> None:
    """Start accepted plans; one whose down payment is all of it is completed at once."""
    debts, rows = scene.debts, np.flatnonzero(played.outcome.accepted)
    terms, menu = played.choice.terms[rows], scene.scenario.offers.menu
    exposure, unit = situation.exposure[rows], debts.unit[rows]
    down, total = offer_amounts(exposure, terms, menu, unit)
    forgiven = exposure - down - total
    parts = np.minimum(np.array([t.instalments for t in menu])[terms], total // unit)
    done, left = parts == 0, parts > 0
    money_rows.plan_ends(scene, scene.number(rows[done]), played.paid_at[rows[done]], COMPLETED)
    book.settled(rows[done & (forgiven > 0)], scene.start)
    rows, total, parts = rows[left], total[left], parts[left]
    book.plans.start(rows, number=scene.number(rows), total=total, parts=parts, forgiven=forgiven[left])
    accepted_at = played.accepted_at[rows]
    money_rows.plan_instalments(scene, rows, total=total, parts=parts, accepted_at=accepted_at)


def _opt_outs(scene: Scene, book: Book, attempts: Attempts, generator: np.random.Generator) -> None:
    """Let some contacted debtors complain; who opts out gets no more messages."""
    contacted = np.bincount(attempts.account, minlength=scene.debts.count) > 0
    debtor, at = contact_rows.complaints(scene, contacted, generator)
    for channel in ("sms", "whatsapp"):
        column = CHANNELS.index(channel)
        np.minimum.at(book.consent_until[:, column], debtor, at)
        book.consent[debtor, column] = False
