"""The contact log read as attempts: what was tried, when, and whether it was answered.

An *attempt* is a visible outbound contact with a known channel and outcome that was not blocked. It succeeds
when the right party was reached (`rpc`) or, in all but calls, replied. Opening is no response: mail programs
open mail by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.calendars import US_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore

CHANNELS = ("call", "sms", "whatsapp", "email", "letter", "ivr")
SLOTS = tuple(range(7, 21))
"""Start hours of the slots, in the debtor's local day."""
OTHER_HOURS = len(SLOTS)
"""The slot code of attempts outside the slots (letters carry no hour, for example)."""
DAY_CLASSES = ("weekday", "saturday", "sunday")
HISTORY_DAYS = 365
"""Attempts older than this say little about today's number and habits, and are not counted."""

PRIOR_RATES: Mapping[str, float] = {
    "call": 0.15,
    "sms": 0.04,
    "whatsapp": 0.08,
    "email": 0.03,
    "letter": 0.02,
    "ivr": 0.05,
}
"""Rates assumed before any attempt is seen: round, cautious assumptions of this library, not measurements."""
OTHER_PRIOR_RATE = 0.03


def assumed_rates(channels: Sequence[str]) -> NDArray[np.float64]:
    """Return the rates assumed of channels before any attempt is seen, shape (C,)."""
    return np.array([PRIOR_RATES.get(name, OTHER_PRIOR_RATE) for name in channels])


def account_segments(store: EventStore, segments: tuple[str, ...]) -> NDArray[np.int64]:
    """Return each account's position among segments (countries), past the end for any other."""
    other = len(segments)
    names = store.vocabularies["accounts.country"]
    position = [segments.index(name) if name in segments else other for name in names]
    found: NDArray[np.int64] = np.array([*position, other])[store.accounts["country"].astype(np.int64)]
    return found


@dataclass(frozen=True, slots=True)
class Attempts:
    """The rows of the contact log as codes, in the order of the log.

    Attributes
    ----------
    account : int64 array, shape (n,)
        Account code.
    channel : int64 array, shape (n,)
        Position in the channels asked for; −1 marks a row that is no visible attempt on one of them.
    slot : int64 array, shape (n,)
        Position in `SLOTS`, or `OTHER_HOURS`.
    day : int64 array, shape (n,)
        Position in `DAY_CLASSES`.
    success : bool array, shape (n,)
        Whether it was answered.
    """

    account: NDArray[np.int64]
    channel: NDArray[np.int64]
    slot: NDArray[np.int64]
    day: NDArray[np.int64]
    success: NDArray[np.bool_]


def visible_attempts(
    store: EventStore,
    as_of: int,
    channels: tuple[str, ...] = CHANNELS,
    *,
    history_days: float = HISTORY_DAYS,
) -> Attempts:
    """Return the contact log with the attempts visible before `as_of` marked.

    Parameters
    ----------
    store : EventStore
        The portfolio.
    as_of : int
        Instant in µs UTC; an attempt counts if it was made and known before it, within `history_days`.
    channels : tuple of str
        The channels of interest.
    history_days : float
        How far back attempts count; infinite for all of them.
    """
    table = store.tables["contacts"]
    columns: Mapping[str, NDArray[Any]] = table.columns
    words = table.vocabularies["channel"]
    code_of = [channels.index(word) if word in channels else -1 for word in words]
    channel = np.array([*code_of, -1], dtype=np.int64)[columns["channel"]]
    outcome = columns["outcome"]
    seen = (table.at < as_of) & (table.known_at < as_of) & (table.at >= as_of - history_days * US_PER_DAY)
    seen &= np.isin(columns["direction"], table.codes("direction", "outbound"))
    seen &= (outcome >= 0) & ~np.isin(outcome, table.codes("outcome", "blocked"))
    replied = np.isin(outcome, table.codes("outcome", "replied"))
    replied &= ~np.isin(columns["channel"], table.codes("channel", "call"))
    slot = columns["local_minute"] // 60 - SLOTS[0]
    return Attempts(
        account=table.owner(),
        channel=np.where(seen, channel, -1),
        slot=np.where((slot >= 0) & (slot < len(SLOTS)), slot, OTHER_HOURS),
        day=day_class(columns["local_weekday"]),
        success=replied | np.isin(outcome, table.codes("outcome", "rpc")),
    )


def day_class(weekday: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position in `DAY_CLASSES` of weekdays (Monday = 0)."""
    return np.maximum(weekday - 4, 0)
