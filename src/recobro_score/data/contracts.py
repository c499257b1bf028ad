"""The contract of every table: its columns, clocks, owner and safety.

A contract says what a table must hold; `recobro_score.data.check` reads a frame against it. What can change
is dated: it is an event with its own clock, or a row with a later date that counts only once it has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "time", "later", "money", "number", "category"]
"""``later`` is a date that may be empty and counts only once it has passed."""

Owner = Literal["account", "debtor", "either"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a contract.

    Attributes
    ----------
    name, kind
        The English name and how values are read.
    required : bool
        Whether the column, and a value in every row, must be there.
    allowed : tuple of str
        The only values of a closed category; empty when any text will do.
    default : str, optional
        The value of an empty cell of a category.
    pattern : str, optional
        A regular expression that the upper-cased text of a code must match as a whole.
    lower : bool
        Whether the words are kept in lower case, since their case means nothing.
    vocabulary : str, optional
        The entry of `recobro_score.data.words.WORDS` that says what other words mean.
    """

    name: str
    kind: Kind
    required: bool = False
    allowed: tuple[str, ...] = ()
    default: str | None = None
    pattern: str | None = None
    lower: bool = False
    vocabulary: str | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """What one table must hold.

    Attributes
    ----------
    table : str
        The table's name.
    owner : str
        Whose rows they are: ``account``, ``debtor``, or ``either`` (holds).
    clock : str or None
        The column of the event clock; None for tables of static facts.
    columns : tuple of Column
        Every column in order.
    unique : str or None
        The id column; rows with the same id are duplicates.
    scheduled : bool
        Whether rows lie ahead by nature and obey the known clock only.
    safety : bool
        Whether the table fails closed: bad rows stop contact.
    """

    table: str
    owner: Owner
    clock: str | None
    columns: tuple[Column, ...]
    unique: str | None = None
    scheduled: bool = False
    safety: bool = False

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.required)

    def of_kind(self, *kinds: Kind) -> tuple[str, ...]:
        """Return the names of the columns of these kinds."""
        return tuple(column.name for column in self.columns if column.kind in kinds)


def _id(name: str, *, required: bool = False) -> Column:
    return Column(name, "id", required)


def _must(kind: Kind, *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind, required=True) for name in names)


def _may(kind: Kind, *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name in names)


def _word(
    name: str, *, required: bool = False, allowed: tuple[str, ...] = (), vocabulary: str | None = None
) -> Column:
    return Column(name, "category", required, allowed, lower=True, vocabulary=vocabulary)


_ACCOUNT = _id("account_id", required=True)
_DEBTOR = _id("debtor_id", required=True)
_KNOWN = _may("time", "known_at")

PAYMENT_KINDS = ("payment", "reversal", "write_off", "fee", "adjustment")
DIRECTIONS = ("outbound", "inbound")

_CONTRACTS = (
    Contract(
        "accounts",
        "account",
        "opened_at",
        (
            _ACCOUNT,
            _DEBTOR,
            *_must("time", "opened_at"),
            Column("currency", "category", required=True, pattern="[A-Z]{3}"),
            Column("country", "category", required=True, pattern="[A-Z]{2}"),
            *_may("category", "subdivision", "product", "creditor"),
            *_may("money", "principal"),
            *_may("number", "annual_rate"),
            *_may("money", "credit_limit"),
            *_may("later", "limitation_at"),
            *_KNOWN,
        ),
        unique="account_id",
    ),
    Contract(
        "debtors",
        "debtor",
        None,
        (
            _DEBTOR,
            *_may("category", "time_zone"),
            Column("country", "category", pattern="[A-Z]{2}"),
            *_may("category", "subdivision"),
            _word("language"),
            *_may("number", "birth_year"),
            *_KNOWN,
        ),
        unique="debtor_id",
    ),
    Contract("parties", "account", None, (_ACCOUNT, _DEBTOR, _word("role", required=True), *_KNOWN)),
    Contract(
        "placements",
        "account",
        "placed_at",
        (
            _ACCOUNT,
            *_must("time", "placed_at"),
            *_may("later", "recalled_at"),
            *_may("category", "stage"),
            *_KNOWN,
        ),
        safety=True,
    ),
    Contract(
        "contact_points",
        "debtor",
        None,
        (
            _id("contact_point_id", required=True),
            _DEBTOR,
            _word("channel", required=True, vocabulary="channel"),
            *_may("later", "wrong_from"),
            *_may("category", "source"),
            *_KNOWN,
        ),
        unique="contact_point_id",
    ),
    Contract(
        "facts",
        "debtor",
        "from_at",
        (
            _DEBTOR,
            _word("kind", required=True),
            *_must("category", "value"),
            *_must("time", "from_at"),
            *_may("later", "until_at"),
            *_may("category", "source"),
            *_KNOWN,
        ),
        safety=True,
    ),
    Contract(
        "holds",
        "either",
        "from_at",
        (
            _id("account_id"),
            _id("debtor_id"),
            _word("kind", required=True),
            *_must("time", "from_at"),
            *_may("later", "until_at"),
            *_KNOWN,
        ),
        safety=True,
    ),
    Contract(
        "instalments",
        "account",
        "due_at",
        (_ACCOUNT, *_must("time", "due_at"), *_must("money", "amount"), _id("plan_id"), *_KNOWN),
        scheduled=True,
    ),
    Contract(
        "balances",
        "account",
        "known_at",
        (
            _ACCOUNT,
            *_must("time", "known_at"),
            *_must("money", "balance"),
            *_may("money", "principal", "interest", "fees"),
            *_may("number", "dpd"),
        ),
    ),
    Contract(
        "payments",
        "account",
        "paid_at",
        (
            _ACCOUNT,
            *_must("time", "paid_at"),
            *_must("money", "amount"),
            _id("payment_id"),
            Column(
                "kind",
                "category",
                allowed=PAYMENT_KINDS,
                default="payment",
                lower=True,
                vocabulary="payment",
            ),
            *_may("category", "method"),
            _id("plan_id"),
            *_KNOWN,
        ),
        unique="payment_id",
    ),
    Contract(
        "contacts",
        "account",
        "attempted_at",
        (
            _ACCOUNT,
            *_must("time", "attempted_at"),
            _word("channel", required=True, vocabulary="channel"),
            _word("direction", required=True, allowed=DIRECTIONS, vocabulary="direction"),
            _word("outcome", required=True, vocabulary="outcome"),
            _id("contact_id"),
            _id("decision_id"),
            _id("contact_point_id"),
            _word("party"),
            _word("agent"),
            *_may("number", "duration_s"),
            *_may("money", "cost"),
            *_KNOWN,
        ),
        unique="contact_id",
        safety=True,
    ),
    Contract(
        "promises",
        "account",
        "promised_at",
        (
            _ACCOUNT,
            *_must("time", "promised_at", "due_at"),
            *_must("money", "amount"),
            _id("promise_id"),
            *_may("category", "taken_by"),
            *_KNOWN,
        ),
        unique="promise_id",
    ),
    Contract(
        "plans",
        "account",
        "offered_at",
        (
            _id("plan_id", required=True),
            _ACCOUNT,
            *_must("time", "offered_at"),
            *_must("category", "terms"),
            *_may("later", "accepted_at", "ended_at"),
            *_may("category", "end_reason"),
            *_KNOWN,
        ),
        unique="plan_id",
    ),
    Contract(
        "complaints",
        "debtor",
        "made_at",
        (_DEBTOR, *_must("time", "made_at"), _word("kind", required=True), *_KNOWN),
        safety=True,
    ),
    Contract(
        "decisions",
        "account",
        "decided_at",
        (
            _ACCOUNT,
            *_must("time", "decided_at"),
            *_must("category", "action_id"),
            _id("decision_id"),
            *_may("number", "propensity"),
            *_may("category", "policy_version", "offer"),
            _word("drawn", allowed=("false", "true")),
            *_KNOWN,
        ),
        unique="decision_id",
    ),
)

CONTRACTS: Mapping[str, Contract] = {contract.table: contract for contract in _CONTRACTS}
"""Every table by name."""

REQUIRED_TABLES = ("accounts", "payments")
SAFETY_TABLES = tuple(contract.table for contract in _CONTRACTS if contract.safety)
EVENT_TABLES = tuple(name for name in CONTRACTS if name not in ("accounts", "debtors"))
"""Every table but the two of static facts."""
