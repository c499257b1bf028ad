"""The debts: their terms, schedules and the state they are in when they are placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.calendars import US_PER_DAY, US_PER_HOUR, local_clock, parse_instant, to_utc
from recobro_score.money import minor_digits
from recobro_score.simulate.arrays import F64, I64, Bool, Streams, pick
from recobro_score.simulate.people import People
from recobro_score.simulate.scenario import Scenario, Span, Structure

PERIOD_DAYS = 30
LOANS = ("consumer_loan", "vehicle_loan", "microcredit")
CARDS = ("credit_card", "store_card")
PRODUCTS = (*LOANS, *CARDS)
CREDITORS = ("creditor_1", "creditor_2", "creditor_3")
_TERMS_AHEAD = (6, 25)


@dataclass(frozen=True, slots=True)
class Debts:
    """All debts; arrays of shape (n,).

    Attributes
    ----------
    debtor : int64 array
        Position in `People`.
    card : bool array
        A debt without instalments, whose balance is what is due.
    product, creditor : int64 array
        Positions in `PRODUCTS` and `CREDITORS`.
    digits, unit : int64 array
        Minor digits of the currency, and minor units in one major unit.
    opened_at, placed_at : int64 array
        µs UTC.
    entry : int64 array
        First period in which the debt can be worked.
    principal, credit_limit, instalment, balance : int64 array
        Minor units; `instalment` is 0 for cards, `balance` (at placement) and `credit_limit` for loans.
    annual_rate : float64 array
    terms, paid_terms, arrears : int64 array
        Instalments in all, paid before placement, and overdue at placement.
    first_month, due_day : int64 array
        Month of the first instalment (months since 1970-01) and the day of the month, 1-28.
    card_dpd : int64 array
        Days past due of a card at placement.
    size : float64 array
        Log of the principal over the country's median, in units of its spread.
    quirk : float64 array
        Latent: how much more or less than others this debt responds to actions.
    """

    debtor: I64
    card: Bool
    product: I64
    creditor: I64
    digits: I64
    unit: I64
    opened_at: I64
    placed_at: I64
    entry: I64
    principal: I64
    credit_limit: I64
    instalment: I64
    balance: I64
    annual_rate: F64
    terms: I64
    paid_terms: I64
    arrears: I64
    first_month: I64
    due_day: I64
    card_dpd: I64
    size: F64
    quirk: F64

    @property
    def count(self) -> int:
        """Number of debts."""
        return len(self.debtor)

    def due_count(self, day: int) -> I64:
        """Return how many instalments fall due before a local day (days since 1970-01-01)."""
        month, dom = month_and_day(np.array([day]))
        count = month[0] - self.first_month + (self.due_day < dom[0])
        return np.asarray(np.clip(count, 0, self.terms), dtype=np.int64)

    def due_date(self, number: I64) -> I64:
        """Return the local day on which each debt's instalment `number` (from 0) falls due."""
        return month_start(self.first_month + number) + self.due_day - 1


def month_start(month: I64) -> I64:
    """Return the first day (since 1970-01-01) of months counted since 1970-01."""
    return month.astype("M8[M]").astype("M8[D]").astype(np.int64)


def month_and_day(day: I64) -> tuple[I64, I64]:
    """Return months since 1970-01 and days of the month of days since 1970-01-01."""
    month = day.astype("M8[D]").astype("M8[M]").astype(np.int64)
    return month, day - month_start(month) + 1


def period_starts(span: Span) -> I64:
    """Return the instants at which periods begin; the one at position `span.periods` is the as-of."""
    as_of = parse_instant(span.as_of, span.time_zone)
    step = np.arange(-span.periods, span.periods_after + 1, dtype=np.int64)
    return as_of + step * PERIOD_DAYS * US_PER_DAY


def local_days(us: I64, time_zone: str) -> I64:
    """Return the days since 1970-01-01 of instants in one time zone."""
    return local_clock(us, np.zeros(len(us), dtype=np.int32), (time_zone,)).day


def midnights(day: I64, time_zone: str) -> I64:
    """Return the instants at which local days of one time zone begin."""
    minute = np.zeros(len(day), dtype=np.int64)
    return to_utc(day, minute, np.zeros(len(day), dtype=np.int32), (time_zone,))


def draw_debts(count: int, people: People, scenario: Scenario, streams: Streams) -> Debts:
    """Draw `count` debts over the first people; everybody holds at least one."""
    generator, structure = streams.of("debts"), scenario.structure
    debtor = _holders(count, structure, streams.of("holders"))
    entry, placed_at = _placements(count, scenario, streams.of("placements"))
    arrears = pick(generator, np.array(structure.arrears), count)
    card = generator.random(count) < structure.card_share
    size = generator.standard_normal(count)
    countries = scenario.market.countries
    country = people.country[debtor]
    digits = np.array([minor_digits(c.currency) for c in countries], dtype=np.int64)[country]
    unit = 10**digits
    spread = np.array([c.principal_spread for c in countries])[country]
    major = np.rint(np.array([c.principal for c in countries])[country] * np.exp(spread * size))
    rate = np.round(0.16 + 0.2 * generator.random(count), 4)

    earlier = 0 if structure.all_new else structure.paid_months
    paid = (generator.random(count) * (earlier + 1)).astype(np.int64)
    terms = np.maximum(paid + arrears + generator.integers(*_TERMS_AHEAD, count), 1)
    monthly = rate / 12
    annuity = np.maximum(np.rint(major * monthly / (1.0 - (1.0 + monthly) ** -terms)), 1.0)

    due_day = generator.integers(1, 29, count)
    placed_day = local_days(placed_at, scenario.span.time_zone)
    month, dom = month_and_day(placed_day)
    first_month = month - (due_day >= dom) - (paid + arrears) + 1
    opened_at = _openings(first_month, due_day, card, scenario.span, generator)
    owed = np.rint(major * (0.3 + 0.6 * generator.random(count)))
    return Debts(
        debtor=debtor,
        card=card,
        product=_products(card, generator),
        creditor=generator.integers(0, len(CREDITORS), count),
        digits=digits,
        unit=unit,
        opened_at=placed_at if structure.all_new else opened_at,
        placed_at=placed_at,
        entry=entry,
        principal=np.where(card, owed, major).astype(np.int64) * unit,
        credit_limit=np.where(card, major, 0.0).astype(np.int64) * unit,
        instalment=np.where(card, 0.0, annuity).astype(np.int64) * unit,
        balance=np.where(card, owed, 0.0).astype(np.int64) * unit,
        annual_rate=rate,
        terms=np.where(card, 0, terms),
        paid_terms=np.where(card, 0, paid),
        arrears=arrears,
        first_month=first_month,
        due_day=due_day,
        card_dpd=np.where(card, np.maximum(arrears * PERIOD_DAYS - generator.integers(0, 30, count), 0), 0),
        size=size,
        quirk=generator.standard_normal(count),
    )


def _products(card: Bool, generator: np.random.Generator) -> I64:
    loan, own = generator.integers(0, len(LOANS), len(card)), generator.integers(0, len(CARDS), len(card))
    return np.where(card, len(LOANS) + own, loan)


def _holders(count: int, structure: Structure, generator: np.random.Generator) -> I64:
    holders = holder_count(count, structure)
    further = generator.integers(0, holders, count - holders)
    return generator.permutation(np.concatenate([np.arange(holders), further]))


def holder_count(count: int, structure: Structure) -> int:
    """Return how many people hold `count` debts."""
    return max(1, round(count / structure.accounts_per_debtor))


def _placements(count: int, scenario: Scenario, generator: np.random.Generator) -> tuple[I64, I64]:
    starts, span = period_starts(scenario.span), scenario.span
    stock = generator.random(count) < scenario.structure.stock_share
    entry = np.where(stock, 0, generator.integers(1, span.periods + 1, count))
    days = 0.5 + 29.0 * generator.random(count)
    if scenario.structure.all_new:
        entry, days = np.full(count, span.periods), 1.0 + 9.0 * generator.random(count)
    minute = US_PER_DAY // 1440
    return entry, starts[entry] - (days * 1440).astype(np.int64) * minute


def _openings(first_month: I64, due_day: I64, card: Bool, span: Span, generator: np.random.Generator) -> I64:
    earlier = np.where(card, generator.integers(6, 61, len(card)), 1)
    day = month_start(first_month - earlier) + due_day - 1
    return midnights(day, span.time_zone) + 10 * US_PER_HOUR
