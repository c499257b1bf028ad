"""The columns of every simulated table: the data contract's own, and how each is made from the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recobro_score.digest import canonical_json
from recobro_score.simulate import attempts, contact_rows, debts, money_rows, periods, statics
from recobro_score.simulate.catalogue import ACTION_IDS, CHANNELS
from recobro_score.simulate.legacy import POLICY_VERSION
from recobro_score.simulate.people import People
from recobro_score.simulate.plans import END_REASONS
from recobro_score.simulate.scenario import Scenario

Kind = Literal["time", "later", "money", "number", "text", "id", "sequence", "word"]


@dataclass(frozen=True, slots=True)
class Field:
    """How one column is made from the ledger.

    Attributes
    ----------
    name : str
    kind : str
        ``time``, ``later`` (empty where it lies beyond what was observed), ``money``, ``number``, ``text``,
        ``id`` (a number with a prefix), ``sequence`` (the row's own number), ``word`` (a place in `words`).
    prefix : str
        Of ids.
    words : tuple of str
    """

    name: str
    kind: Kind
    prefix: str = ""
    words: tuple[str, ...] = ()


_ACCOUNT, _DEBTOR = Field("account_id", "id", "A"), Field("debtor_id", "id", "P")
_KNOWN, _PLAN = Field("known_at", "time"), Field("plan_id", "id", "L")


def table_fields(people: People, scenario: Scenario) -> dict[str, tuple[Field, ...]]:
    """Return the columns of every table, in order."""
    return _fields_of_people(people, scenario) | _fields_of_events(scenario)


def _fields_of_people(people: People, scenario: Scenario) -> dict[str, tuple[Field, ...]]:
    countries = scenario.market.countries
    currency = Field("currency", "word", words=tuple(c.currency for c in countries))
    country = Field("country", "word", words=tuple(c.code for c in countries))
    subdivision = Field("subdivision", "word", words=people.subdivisions)
    return {
        "accounts": (
            _ACCOUNT,
            _DEBTOR,
            Field("opened_at", "time"),
            currency,
            country,
            subdivision,
            Field("product", "word", words=debts.PRODUCTS),
            Field("creditor", "word", words=debts.CREDITORS),
            Field("principal", "money"),
            Field("annual_rate", "number"),
            Field("credit_limit", "money"),
            Field("limitation_at", "time"),
            _KNOWN,
        ),
        "debtors": (
            _DEBTOR,
            Field("time_zone", "word", words=people.zones),
            country,
            subdivision,
            Field("language", "word", words=("es",)),
            Field("birth_year", "number"),
            _KNOWN,
        ),
        "parties": (_ACCOUNT, _DEBTOR, Field("role", "word", words=statics.ROLES), _KNOWN),
        "placements": (
            _ACCOUNT,
            Field("placed_at", "time"),
            Field("recalled_at", "later"),
            Field("stage", "word", words=statics.STAGES),
            _KNOWN,
        ),
        "contact_points": (
            Field("contact_point_id", "id", "K"),
            _DEBTOR,
            Field("channel", "word", words=CHANNELS),
            Field("wrong_from", "later"),
            Field("source", "word", words=statics.SOURCES),
            _KNOWN,
        ),
    }


def _fields_of_events(scenario: Scenario) -> dict[str, tuple[Field, ...]]:
    terms = tuple(canonical_json(t.model_dump()) for t in scenario.offers.menu)
    return {
        "facts": (
            _DEBTOR,
            Field("kind", "word", words=statics.FACTS),
            Field("value", "text"),
            Field("from_at", "time"),
            Field("until_at", "later"),
            Field("source", "word", words=statics.SOURCES),
            _KNOWN,
        ),
        "holds": (
            _ACCOUNT,
            _DEBTOR,
            Field("kind", "word", words=periods.HOLDS),
            Field("from_at", "time"),
            Field("until_at", "later"),
        ),
        "instalments": (_ACCOUNT, Field("due_at", "time"), Field("amount", "money"), _PLAN, _KNOWN),
        "balances": (
            _ACCOUNT,
            _KNOWN,
            *(Field(name, "money") for name in ("balance", "principal", "interest", "fees")),
            Field("dpd", "number"),
        ),
        "complaints": (
            _DEBTOR,
            Field("made_at", "time"),
            Field("kind", "word", words=contact_rows.COMPLAINTS),
        ),
        **_event_fields(terms, scenario),
    }


def _event_fields(terms: tuple[str, ...], scenario: Scenario) -> dict[str, tuple[Field, ...]]:
    agent = attempts.AGENTS
    propensity = (Field("propensity", "number"),) if scenario.legacy.record_propensities else ()
    return {
        "payments": (
            _ACCOUNT,
            Field("paid_at", "time"),
            Field("amount", "money"),
            Field("payment_id", "sequence", "Y"),
            Field("kind", "word", words=money_rows.PAYMENT_KINDS),
            Field("method", "word", words=money_rows.METHODS),
            _PLAN,
            _KNOWN,
        ),
        "contacts": (
            _ACCOUNT,
            Field("attempted_at", "time"),
            Field("channel", "word", words=CHANNELS),
            Field("direction", "word", words=attempts.DIRECTIONS),
            Field("outcome", "word", words=attempts.OUTCOMES),
            Field("contact_id", "sequence", "C"),
            Field("decision_id", "id", "D"),
            Field("contact_point_id", "id", "K"),
            Field("party", "word", words=attempts.PARTIES),
            Field("agent", "word", words=agent),
            Field("duration_s", "number"),
            Field("cost", "money"),
            _KNOWN,
        ),
        "promises": (
            _ACCOUNT,
            Field("promised_at", "time"),
            Field("due_at", "time"),
            Field("amount", "money"),
            Field("promise_id", "sequence", "M"),
            Field("taken_by", "word", words=agent),
            _KNOWN,
        ),
        "plans": (
            _PLAN,
            _ACCOUNT,
            Field("offered_at", "time"),
            Field("terms", "word", words=terms),
            Field("accepted_at", "later"),
            Field("ended_at", "later"),
            Field("end_reason", "word", words=END_REASONS),
        ),
        "decisions": (
            _ACCOUNT,
            Field("decided_at", "time"),
            Field("action_id", "word", words=ACTION_IDS),
            Field("decision_id", "id", "D"),
            *propensity,
            Field("policy_version", "word", words=(POLICY_VERSION,)),
            Field("offer", "word", words=terms),
            Field("drawn", "word", words=("false", "true")),
        ),
    }
