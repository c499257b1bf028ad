"""Small portfolios and scores for the policy's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recobro_score.calendars import parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import account_state
from recobro_score.policy.actions import Catalogue
from recobro_score.policy.inputs import DecisionInputs

AS_OF = "2025-06-04"
"""A Wednesday without holidays in Colombia and Chile."""
ZONES = {"CO": "America/Bogota", "CL": "America/Santiago"}
CURRENCIES = {"CO": "COP", "CL": "CLP"}
Rows = Sequence[Mapping[str, Any]]


def book(
    people: Mapping[str, Sequence[str]] | None = None,
    *,
    country: str = "CO",
    time_zone: str | None = None,
    principal: float = 500_000.0,
    consent: bool = True,
    accounts: Mapping[str, Any] | None = None,
    debtors: Mapping[str, Any] | None = None,
    **tables: Rows,
) -> EventStore:
    """Build a store of debtors and their accounts; by default one of each, with consent to every channel."""
    people = people or {"d": ("a",)}
    frames: dict[str, Any] = {name: list(rows) for name, rows in tables.items() if rows}
    frames["accounts"] = [
        {
            "account_id": account,
            "debtor_id": debtor,
            "opened_at": "2024-01-01",
            "currency": CURRENCIES.get(country, "USD"),
            "country": country,
            "principal": principal,
            **(accounts or {}),
        }
        for debtor, owned in people.items()
        for account in owned
    ]
    frames["debtors"] = [{"debtor_id": debtor, "country": country, **(debtors or {})} for debtor in people]
    frames.setdefault("payments", [{"account_id": "nobody", "paid_at": "2024-02-01", "amount": 1.0}])
    if consent:
        agreed = [
            {"debtor_id": debtor, "kind": "consent:all", "value": "true", "from_at": "2024-01-01"}
            for debtor in people
        ]
        frames["facts"] = [*agreed, *frames.get("facts", [])]
    zone = time_zone or ZONES.get(country, "UTC")
    return Portfolio.from_frames(frames, options=PortfolioOptions(time_zone=zone)).store


def instant(text: str, country: str = "CO") -> int:
    """Read a local time of a country."""
    return parse_instant(text, ZONES.get(country, "UTC"))


def scores(store: EventStore, as_of: int, *, p_pay: Any = 0.3, **more: Any) -> DecisionInputs:
    """Score every account alike, or with the given probabilities."""
    n = store.n_accounts
    none = np.full((n, 3), None, dtype=object)
    given: dict[str, Any] = {
        "p_pay": np.broadcast_to(np.asarray(p_pay, dtype=np.float64), n).copy(),
        "paid_share": np.full(n, 0.9),
        "unpaid_share": np.full(n, 0.05),
        "expected_recovery": np.full(n, 100.0),
        "state": account_state(store, [as_of]),
        "reason_codes": none,
        "reason_texts": none,
        "flags": np.full(n, "", dtype=object),
        "model_id": "test",
    }
    return DecisionInputs(**{**given, **more})


def priced(store: EventStore, factor: float = 4_000.0) -> Catalogue:
    """Price the shipped catalogue in the store's only currency."""
    (currency,) = set(store.words("accounts.currency"))
    return Catalogue.load().priced_in(currency, factor)
