"""What an account owes and how late it is, worked out row by row from the definitions alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant
from recobro_score.data.portfolio import Portfolio

START = parse_instant("2025-01-01")
STEP = US_PER_DAY // 2
"""Moments are whole numbers of half days, so that they often coincide."""


@dataclass(frozen=True)
class Instalment:
    due: int
    amount: int
    known: int | None
    in_plan: bool


@dataclass(frozen=True)
class Payment:
    at: int
    amount: int
    kind: str
    known: int


@dataclass(frozen=True)
class Balance:
    known: int
    balance: int
    dpd: float | None


@dataclass(frozen=True)
class Placement:
    at: int
    known: int
    recalled: int | None


@dataclass(frozen=True)
class Account:
    opened: int
    known: int
    principal: int | None
    instalments: list[Instalment] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    exposure: int | None
    dpd: float | None
    open: bool
    placed: bool


def state_of(account: Account, now: int) -> State:
    """The state at a moment, in steps."""
    seen = [p for p in account.payments if p.at < now and p.known < now]
    schedule = [
        i
        for i in account.instalments
        if not i.in_plan and (account.opened if i.known is None else i.known) < now
    ]
    balance = max((b for b in account.balances if b.known < now), key=lambda b: b.known, default=None)
    if schedule:
        exposure, dpd = _from_schedule(schedule, _recovered(seen), balance, now)
    elif balance is not None:
        exposure = balance.balance - _recovered([p for p in seen if p.at >= balance.known])
        dpd = _aged(balance, now)
    elif account.principal is not None:
        exposure, dpd = account.principal - _recovered(seen), None
    else:
        exposure, dpd = None, None
    if exposure is not None and exposure <= 0:
        exposure, dpd = 0, 0.0
    known = [p for p in account.placements if p.at < now and p.known < now]
    placed = not known or any(p.recalled is None or p.recalled > now for p in known)
    return State(exposure, dpd, account.opened < now and account.known < now, placed)


def without_the_future(account: Account, now: int) -> Account:
    """The account without anything that happened, or became known, at `now` or later."""
    recalled = [
        replace(p, recalled=None if p.recalled is not None and p.recalled > now else p.recalled)
        for p in account.placements
    ]
    return replace(
        account,
        instalments=[i for i in account.instalments if i.known is None or i.known < now],
        payments=[p for p in account.payments if p.at < now and p.known < now],
        balances=[b for b in account.balances if b.known < now],
        placements=[p for p in recalled if p.at < now and p.known < now],
    )


def portfolio_of(accounts: list[Account]) -> Portfolio:
    """The accounts as tables, read."""
    names = [f"A{number}" for number in range(len(accounts))]

    def column(table: str, of: Any) -> list[Any]:
        return [of(row) for account in accounts for row in getattr(account, table)]

    def owner(table: str) -> list[str]:
        return [n for n, account in zip(names, accounts, strict=True) for _ in getattr(account, table)]

    tables = {
        "accounts": {
            "account_id": names,
            "debtor_id": names,
            "opened_at": _times([account.opened for account in accounts]),
            "known_at": _times([account.known for account in accounts]),
            "principal": [_major(account.principal) for account in accounts],
            "currency": ["EUR"] * len(names),
            "country": ["ES"] * len(names),
        },
        "instalments": {
            "account_id": owner("instalments"),
            "due_at": _times(column("instalments", lambda i: i.due)),
            "known_at": _times(column("instalments", lambda i: i.known)),
            "amount": column("instalments", lambda i: _major(i.amount)),
            "plan_id": column("instalments", lambda i: "P" if i.in_plan else None),
        },
        "payments": {
            "account_id": owner("payments"),
            "paid_at": _times(column("payments", lambda p: p.at)),
            "known_at": _times(column("payments", lambda p: p.known)),
            "amount": column("payments", lambda p: _major(p.amount)),
            "kind": column("payments", lambda p: p.kind),
        },
        "balances": {
            "account_id": owner("balances"),
            "known_at": _times(column("balances", lambda b: b.known)),
            "balance": column("balances", lambda b: _major(b.balance)),
            "dpd": column("balances", lambda b: np.nan if b.dpd is None else b.dpd),
        },
        "placements": {
            "account_id": owner("placements"),
            "placed_at": _times(column("placements", lambda p: p.at)),
            "known_at": _times(column("placements", lambda p: p.known)),
            "recalled_at": _times(column("placements", lambda p: p.recalled)),
        },
    }
    return Portfolio.from_frames({name: _frame(columns) for name, columns in tables.items()})


def moment(step: int) -> int:
    """A step as an instant."""
    return START + step * STEP


def _frame(columns: dict[str, Any]) -> Any:
    return columns if len(columns["account_id"]) else []


def _times(steps: list[int | None]) -> np.ndarray:
    instants = [np.iinfo(np.int64).min if step is None else moment(step) for step in steps]
    assert NEVER not in instants
    return np.array(instants, dtype=np.int64).view("M8[us]")


def _major(minor: int | None) -> float | None:
    return None if minor is None else minor / 100


def _recovered(payments: list[Payment]) -> int:
    signs = {"payment": 1, "reversal": -1}
    return sum(signs.get(p.kind, 0) * abs(p.amount) for p in payments)


def _days(earlier: int, now: int) -> int:
    return (now - earlier) * STEP // US_PER_DAY


def _aged(balance: Balance, now: int) -> float | None:
    if balance.dpd is None or balance.dpd <= 0:
        return balance.dpd and 0.0
    return balance.dpd + _days(balance.known, now)


def _from_schedule(
    schedule: list[Instalment], paid: int, balance: Balance | None, now: int
) -> tuple[int, float]:
    due = sorted((i for i in schedule if i.due < now), key=lambda i: i.due)
    was_current = balance is not None and balance.dpd is not None and balance.dpd <= 0
    late, covered = 0.0, paid
    for instalment in due:
        covered -= instalment.amount
        if covered < 0 and not (was_current and balance is not None and instalment.due < balance.known):
            late = float(_days(instalment.due, now))
            break
    if balance is not None and balance.dpd is not None and balance.dpd > 0:
        aged = _aged(balance, now)
        late = min(late, late if aged is None else aged)
    return sum(i.amount for i in due) - paid, late
