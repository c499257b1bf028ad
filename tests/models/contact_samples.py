"""Attempts with known truth, and small stores, for the tests of the contact models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY, US_PER_HOUR
from recobro_score.data.events import EventStore
from recobro_score.data.portfolio import Portfolio

FIRST_DAY = 20_000
"""Days since 1970-01-01 on which attempts begin: a Wednesday."""


@dataclass(frozen=True)
class OneNumber:
    """A schema of one column."""

    names: tuple[str, ...] = ("x",)
    kinds: tuple[str, ...] = ("number",)
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    monotone: tuple[int, ...] = (0,)
    hash: str = "b" * 64


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-z))


@dataclass(frozen=True)
class World:
    """People who answer calls: log-odds by person, and what the evening and one feature add."""

    level: float = -1.2
    spread: float = 1.0
    evening: float = 0.8
    feature: float = 0.0
    evenings: tuple[float, float] = (0.5, 0.5)
    """Share of calls made in the evening to hard and to easy people."""
    attempts: tuple[float, float] = (6.0, 6.0)
    """Mean number of calls to hard and to easy people, less one."""

    def draw(self, n: int, seed: int) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.float64]]:
        """Return calls (`AttemptLog.from_frame`), one feature per call, and each person's log-odds."""
        rng = np.random.default_rng(seed)
        person = self.spread * rng.normal(size=n)
        x = rng.normal(size=n)
        hard = person < 0
        counts = 1 + rng.poisson(np.where(hard, *self.attempts))
        account = np.repeat(np.arange(n), counts)
        evening = rng.random(account.size) < np.where(hard, *self.evenings)[account]
        day = FIRST_DAY + rng.integers(0, 300, account.size)
        at = day * US_PER_DAY + rng.integers(0, US_PER_HOUR, account.size)
        margin = self.level + person + self.feature * x
        p = sigmoid(margin[account] + self.evening * evening)
        frame = pd.DataFrame(
            {
                "account_id": account,
                "at": at,
                "channel": "call",
                "hour": np.where(evening, 18, 10),
                "weekday": rng.integers(0, 5, account.size),
                "success": (rng.random(account.size) < p).astype(int),
            }
        )
        return frame, x[account][:, None], margin


def store_of(
    contacts: list[dict[str, object]],
    n_accounts: int = 4,
    *,
    country: str = "GB",
    points: list[dict[str, object]] | None = None,
    parties: list[dict[str, object]] | None = None,
    **tables: pd.DataFrame,
) -> EventStore:
    """Return a store of accounts ``A000`` …, each of its own debtor ``DA000`` …, in UTC."""
    ids = [f"A{i:03d}" for i in range(n_accounts)]
    people = sorted({f"D{i}" for i in ids} | {str(party["debtor_id"]) for party in parties or []})
    frames: dict[str, pd.DataFrame] = {
        "accounts": pd.DataFrame(
            {
                "account_id": ids,
                "debtor_id": [f"D{i}" for i in ids],
                "opened_at": "2024-01-01",
                "currency": "EUR",
                "country": country,
            }
        ),
        "debtors": pd.DataFrame({"debtor_id": people, "time_zone": "UTC"}),
        "payments": pd.DataFrame({"account_id": [], "paid_at": [], "amount": []}, dtype=str),
    }
    for name, rows in (("contacts", contacts), ("contact_points", points), ("parties", parties)):
        if rows:
            frames[name] = pd.DataFrame(rows)
    return Portfolio.from_frames(frames | tables).store


def contact(
    account: str,
    day: str = "2025-05-06",
    hour: int = 10,
    channel: str = "call",
    outcome: str = "no_answer",
    **more: object,
) -> dict[str, object]:
    row = {"account_id": account, "attempted_at": f"{day}T{hour:02d}:15+00:00", "channel": channel}
    return {**row, "direction": "outbound", "outcome": outcome, **more}
