"""Terms of an offer, the creditor's floors for them, and the schedule they make in exact minor units."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from recobro_score.calendars import as_datetime
from recobro_score.money import minor_digits, split_exact, to_minor

BASIS = 10_000
Share = Annotated[float, Field(ge=0, lt=1)]
_BUCKETS = ("0", "1-30", "31-60", "61-90", "91-180", "181+", "unknown")
BucketName = Literal["0", "1-30", "31-60", "61-90", "91-180", "181+", "unknown"]


@dataclass(frozen=True, slots=True, order=True)
class Terms:
    """What is put to the debtor.

    Attributes
    ----------
    instalments
        Number of monthly instalments after the down payment.
    down_payment
        Share of the discounted total paid first.
    discount
        Share of the exposure that is waived (quita).
    first_due_days
        Days from the offer to its first due date.
    valid_days
        Days the offer stands.
    """

    instalments: int
    down_payment: float = 0.0
    discount: float = 0.0
    first_due_days: int = 15
    valid_days: int = 10

    @classmethod
    def parse(cls, text: str) -> Terms | None:
        """Read terms from a plan's JSON (flat, or under "terms"); None where they cannot be read."""
        try:
            content = json.loads(text)
            content = content.get("terms", content)
            terms = cls(
                int(content["instalments"]),
                float(content.get("down_payment", 0.0)),
                float(content.get("discount", 0.0)),
                int(content.get("first_due_days", 15)),
                int(content.get("valid_days", 10)),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        shares = 0 <= terms.down_payment < 1 and 0 <= terms.discount < 1
        days = terms.first_due_days >= 0 and terms.valid_days >= 0
        return terms if shares and days and terms.instalments >= 1 else None

    @property
    def is_plan(self) -> bool:
        """Whether it is anything but the whole debt at once."""
        return self.instalments > 1 or self.down_payment > 0 or self.discount > 0

    def amounts(
        self, total: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Discounted total, down payment and largest instalment of exposures, all in minor units."""
        asked = total - total * _basis(self.discount) // BASIS
        down = asked * _basis(self.down_payment) // BASIS
        return asked, down, -((down - asked) // self.instalments)


class OfferPolicy(BaseModel):
    """The creditor's floors and the menu of terms.

    Attributes
    ----------
    menu_instalments, menu_down_payments, menu_discounts
        The menu is their product.
    max_instalments
        More are never offered.
    min_instalment
        Smallest instalment and down payment per currency, major units; a debt below it is paid at once.
    min_down_payment
        Smallest down payment, share of the discounted total.
    max_discount
        Largest discount per bucket; buckets not named get none.
    first_due_days, valid_days
        As in `Terms`; an offer stands no longer than until its first due date.
    disposable_share
        Largest share of income less expenses that an instalment may take.
    assumed_expenses
        Share of income taken as spent where only the income is stated.
    safe_instalments
        Where income is unknown, at least so many instalments are offered and no down payment asked.
    bands
        Edges of the bands of P(pay) within which equal cases get equal terms.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    menu_instalments: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1, 3, 6, 12)
    menu_down_payments: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.0, 0.2)
    menu_discounts: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.0, 0.05, 0.1, 0.2)
    max_instalments: Annotated[int, Field(ge=1)] = 12
    min_instalment: dict[str, Annotated[Decimal, Field(ge=0)]] = {
        "CLP": Decimal(10_000),
        "COP": Decimal(40_000),
        "EUR": Decimal(20),
        "MXN": Decimal(200),
        "USD": Decimal(20),
    }
    min_down_payment: Share = 0.0
    max_discount: dict[BucketName, Share] = {"91-180": 0.1, "181+": 0.2}
    first_due_days: Annotated[int, Field(ge=1, le=60)] = 15
    valid_days: Annotated[int, Field(ge=1, le=60)] = 10
    disposable_share: Annotated[float, Field(gt=0, le=1)] = 0.35
    assumed_expenses: Share = 0.6
    safe_instalments: Annotated[int, Field(ge=1)] = 3
    bands: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)

    @model_validator(mode="after")
    def _offerable(self) -> Self:
        if list(self.bands) != sorted(set(self.bands)) or not all(0 < edge < 1 for edge in self.bands):
            msg = f"bands must increase within (0, 1), got {self.bands}"
            raise ValueError(msg)
        if self.valid_days > self.first_due_days:
            msg = f"valid_days ({self.valid_days}) must not exceed first_due_days ({self.first_due_days})"
            raise ValueError(msg)
        if not self.menu():
            msg = "no terms of the menu respect max_instalments and min_down_payment"
            raise ValueError(msg)
        return self

    def menu(self) -> tuple[Terms, ...]:
        """Terms that may ever be offered, gentlest discount first."""
        triples = product(
            sorted(set(self.menu_discounts)),
            sorted(set(self.menu_down_payments)),
            sorted(set(self.menu_instalments)),
        )
        return tuple(
            Terms(instalments, down, discount, self.first_due_days, self.valid_days)
            for discount, down, instalments in triples
            if instalments <= self.max_instalments and down >= self.min_down_payment
        )

    def discount_caps(self) -> NDArray[np.float64]:
        """Largest discount per bucket, f64[7]; the last is the unknown bucket, also reached as -1."""
        return np.array([self.max_discount.get(name, 0.0) for name in _BUCKETS])  # type: ignore[call-overload]

    def smallest_instalment(self, currency: str) -> int:
        """Smallest instalment of a currency in minor units; 1 where the creditor sets none."""
        amount = float(self.min_instalment.get(currency, Decimal(0)))
        minor, _ = to_minor(np.array([amount]), np.array([minor_digits(currency)], dtype=np.int8))
        return max(int(minor[0]), 1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an accepted offer is paid.

    Attributes
    ----------
    total
        What is paid in all, minor units.
    waived
        What is waived, minor units.
    parts
        (due date, minor units), in order of date.
    has_down_payment
        Whether the first part is the down payment.
    """

    total: int
    waived: int
    parts: tuple[tuple[date, int], ...]
    has_down_payment: bool


def schedule(total_minor: int, terms: Terms, as_of: int, *, time_zone: str = "UTC") -> Schedule:
    """Turn terms into dated amounts that add up exactly.

    Parameters
    ----------
    total_minor
        Exposure in minor units, at least 0.
    terms
        Terms of the offer.
    as_of
        Instant of the offer, µs UTC.
    time_zone
        Zone of the debtor; due dates are local dates there.

    Returns
    -------
    Schedule
        The down payment (if any) falls due `first_due_days` after the local date of `as_of`, instalments
        monthly from there (from the first month after it where there is a down payment), on the last day
        of shorter months. Instalments differ by at most one minor unit, the larger first.

    Examples
    --------
    >>> schedule(10_000, Terms(3), 0).parts[0]
    (datetime.date(1970, 1, 16), 3334)
    """
    asked = total_minor - total_minor * _basis(terms.discount) // BASIS
    down = asked * _basis(terms.down_payment) // BASIS
    first = as_datetime(as_of, time_zone).date() + timedelta(days=terms.first_due_days)
    parts = [(first, down)] if down else []
    shift = len(parts)
    rest = split_exact(asked - down, terms.instalments)
    parts += [(_months_later(first, month + shift), amount) for month, amount in enumerate(rest)]
    return Schedule(asked, total_minor - asked, tuple(parts), has_down_payment=bool(down))


def offer_content(
    plan: Schedule, terms: Terms, *, currency: str, valid_until: str, source: str
) -> Mapping[str, Any]:
    """Lay an offer out for a record, with amounts as exact decimal text in major units."""
    digits = minor_digits(currency)
    return {
        "terms": asdict(terms),
        "total": major_text(plan.total, digits),
        "waived": major_text(plan.waived, digits),
        "currency": currency,
        "valid_until": valid_until,
        "schedule": [
            {"due": due.isoformat(), "amount": major_text(part, digits)} for due, part in plan.parts
        ],
        "source": source,
    }


def major_text(minor: int, digits: int) -> str:
    """Write minor units as exact decimal text in major units, e.g. 1234 → "12.34"."""
    return str(Decimal(minor).scaleb(-digits)) if digits else str(minor)


def _basis(share: float) -> int:
    """Return a share in whole basis points."""
    return round(share * BASIS)


def _months_later(day: date, months: int) -> date:
    """Return the same day of a later month, or its last day."""
    year, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + year, month + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(day.day, (following - timedelta(days=1)).day))
