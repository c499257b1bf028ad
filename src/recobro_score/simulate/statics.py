"""The tables that do not grow with the periods: debts, people, parties, contact points, facts, placements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY, US_PER_HOUR
from recobro_score.money import MISSING_MONEY
from recobro_score.simulate.arrays import I64, Bool, Streams
from recobro_score.simulate.book import Book
from recobro_score.simulate.catalogue import CHANNELS
from recobro_score.simulate.debts import midnights, month_start
from recobro_score.simulate.money_rows import balances, earlier_payments
from recobro_score.simulate.plans import NO_PLAN
from recobro_score.simulate.scene import Scene

ROLES = ("debtor", "co_debtor", "guarantor")
STAGES = ("early", "late")
SOURCES = ("creditor", "debtor", "bureau")
FACTS = ("income", "dependants", "vulnerability", *(f"consent:{channel}" for channel in CHANNELS))
INCOME, DEPENDANTS, VULNERABILITY, CONSENT = range(4)
_INCOME_SHARE, _DEPENDANTS_SHARE, _CONSENT_ASKED = 0.6, 0.3, 0.98
_LIMITATION_MONTHS = 60
_YES, _NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class Known:
    """Since when somebody is known; arrays of shape (m,).

    Attributes
    ----------
    first : int64 array
        First placement of a debt they answer for, µs UTC.
    known : bool array
        False for people who answer for nothing.
    """

    first: I64
    known: Bool


def write_statics(scene: Scene, book: Book, streams: Streams) -> None:
    """Write every row that does not come from a period."""
    _accounts(scene)
    _placements(scene, book)
    known = _parties(scene, streams.of("parties"))
    _debtors(scene, known)
    _contact_points(scene, book, known, streams.of("contact_points"))
    _facts(scene, book, known, streams.of("facts"))
    _instalments(scene, streams.of("earlier_payments"))
    _first_balances(scene)


def _accounts(scene: Scene) -> None:
    debts, people = scene.debts, scene.people
    country = people.country[debts.debtor]
    missed = month_start(debts.first_month + debts.paid_terms + _LIMITATION_MONTHS) + debts.due_day - 1
    scene.ledger.add(
        "accounts",
        {
            "account_id": np.arange(debts.count),
            "debtor_id": debts.debtor,
            "opened_at": debts.opened_at,
            "currency": country,
            "country": country,
            "subdivision": people.subdivision[debts.debtor],
            "product": debts.product,
            "creditor": debts.creditor,
            "principal": debts.principal,
            "annual_rate": debts.annual_rate,
            "credit_limit": np.where(debts.card, debts.credit_limit, MISSING_MONEY),
            "limitation_at": midnights(missed, scene.scenario.span.time_zone),
            "known_at": debts.placed_at,
        },
    )


def _debtors(scene: Scene, known: Known) -> None:
    people, rows = scene.people, np.flatnonzero(known.known)
    scene.ledger.add(
        "debtors",
        {
            "debtor_id": rows,
            "time_zone": people.zone[rows],
            "country": people.country[rows],
            "subdivision": people.subdivision[rows],
            "language": np.zeros_like(rows),
            "birth_year": people.birth_year[rows].astype(np.float64),
            "known_at": known.first[rows],
        },
    )


def _placements(scene: Scene, book: Book) -> None:
    debts = scene.debts
    scene.ledger.add(
        "placements",
        {
            "account_id": np.arange(debts.count),
            "placed_at": debts.placed_at,
            "recalled_at": book.closed_at,
            "stage": np.where(debts.arrears > 2, STAGES.index("late"), STAGES.index("early")),
            "known_at": debts.placed_at,
        },
    )


def _parties(scene: Scene, generator: np.random.Generator) -> Known:
    """Write who answers for each debt; co-debtors and guarantors come from everybody of the same country."""
    debts, people, structure = scene.debts, scene.people, scene.scenario.structure
    uniform = generator.random((debts.count, 2))
    chosen = [np.arange(debts.count)]
    person, role = [debts.debtor], [np.zeros(debts.count, dtype=np.int64)]
    for code, share in ((1, structure.co_debtor_share), (2, structure.guarantor_share)):
        rows = np.flatnonzero(uniform[:, code - 1] < share)
        drawn = generator.integers(0, people.count, len(rows))
        same = (people.country[drawn] == people.country[debts.debtor[rows]]) & (drawn != debts.debtor[rows])
        chosen.append(rows[same])
        person.append(drawn[same])
        role.append(np.full(int(same.sum()), code, dtype=np.int64))
    debt, who = np.concatenate(chosen), np.concatenate(person)
    scene.ledger.add(
        "parties",
        {
            "account_id": debt,
            "debtor_id": who,
            "role": np.concatenate(role),
            "known_at": debts.placed_at[debt],
        },
    )
    first = np.full(people.count, NEVER, dtype=np.int64)
    np.minimum.at(first, who, debts.placed_at[debt])
    return Known(first, first != NEVER)


def _contact_points(scene: Scene, book: Book, known: Known, generator: np.random.Generator) -> None:
    person, channel = np.nonzero(scene.people.has_point & known.known[:, None])
    scene.ledger.add(
        "contact_points",
        {
            "contact_point_id": person * len(CHANNELS) + channel,
            "debtor_id": person,
            "channel": channel,
            "wrong_from": book.wrong_from[person, channel],
            "source": generator.integers(0, len(SOURCES), len(person)),
            "known_at": known.first[person],
        },
    )


def _facts(scene: Scene, book: Book, known: Known, generator: np.random.Generator) -> None:
    people = scene.people
    uniform = generator.random((people.count, 3 + len(CHANNELS)))
    rows = np.flatnonzero(known.known & (uniform[:, 0] < _INCOME_SHARE))
    told = people.income[rows] * np.exp(0.15 * generator.standard_normal(people.count)[rows])
    _write_facts(scene, known, rows, INCOME, np.char.mod("%d", np.rint(told / 100).astype(np.int64) * 100))
    rows = np.flatnonzero(known.known & (uniform[:, 1] < _DEPENDANTS_SHARE))
    _write_facts(scene, known, rows, DEPENDANTS, np.char.mod("%d", people.dependants[rows]))
    rows = np.flatnonzero(known.known & people.vulnerable)
    _write_facts(scene, known, rows, VULNERABILITY, np.full(len(rows), _YES))
    for channel in range(len(CHANNELS)):
        asked = ~people.consent[:, channel] | (uniform[:, 3 + channel] < _CONSENT_ASKED)
        rows = np.flatnonzero(known.known & asked)
        value = np.where(people.consent[rows, channel], _YES, _NO)
        until = book.consent_until[rows, channel]
        _write_facts(scene, known, rows, CONSENT + channel, value, until=until)


def _write_facts(
    scene: Scene, known: Known, rows: I64, kind: int, value: np.ndarray, *, until: I64 | None = None
) -> None:
    never = np.full(len(rows), NEVER, dtype=np.int64)
    scene.ledger.add(
        "facts",
        {
            "debtor_id": rows,
            "kind": np.full(len(rows), kind, dtype=np.int64),
            "value": value,
            "from_at": known.first[rows],
            "until_at": never if until is None else until,
            "source": np.full(len(rows), SOURCES.index("bureau" if kind == INCOME else "creditor")),
            "known_at": known.first[rows],
        },
    )


def _instalments(scene: Scene, generator: np.random.Generator) -> None:
    """Write the whole schedule of every loan, and the payments of the instalments paid before placement."""
    debts, zone = scene.debts, scene.scenario.span.time_zone
    rows = np.repeat(np.arange(debts.count), debts.terms)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(debts.terms) - debts.terms, debts.terms)
    day = month_start(debts.first_month[rows] + number) + debts.due_day[rows] - 1
    due_at = midnights(day, zone)
    scene.ledger.add(
        "instalments",
        {
            "account_id": rows,
            "due_at": due_at,
            "amount": debts.instalment[rows],
            "plan_id": np.full(len(rows), NO_PLAN, dtype=np.int64),
            "known_at": debts.placed_at[rows],
        },
    )
    before = number < debts.paid_terms[rows]
    earlier_payments(scene, generator, due_at[before], rows[before])


def _first_balances(scene: Scene) -> None:
    """Write the balance that came with each placement."""
    debts = scene.debts
    owed = np.where(debts.card, debts.balance, (debts.terms - debts.paid_terms) * debts.instalment)
    missed = month_start(debts.first_month + debts.paid_terms) + debts.due_day - 1
    placed = debts.placed_at // US_PER_DAY
    dpd = np.where(debts.card, debts.card_dpd, np.where(debts.arrears > 0, placed - missed, 0))
    balances(
        scene, np.arange(debts.count), at=debts.placed_at + US_PER_HOUR, owed=owed, dpd=np.maximum(dpd, 0)
    )
