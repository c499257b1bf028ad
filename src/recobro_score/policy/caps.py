"""How often: from when on the limits on past contacts let a channel be used again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY, US_PER_HOUR, local_clock, to_utc
from recobro_score.data.events import EventStore
from recobro_score.data.words import CHANNEL_WORDS, canonical_channel
from recobro_score.policy.contact_rules import CapRule, ContactRules, OneChannelRule
from recobro_score.policy.views import codes, places, visible

LONGEST = 33 * US_PER_DAY
"""No limit looks further back."""
PAST = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class Contacts:
    """Outbound contacts that count, newest first per debtor.

    Attributes
    ----------
    account, debtor
        i64[k] codes.
    at
        i64[k] µs UTC.
    day
        i64[k] local day of the account's debtor.
    channel
        i32[k] position in `channels`; -1 = unknown, which counts against every limit.
    channels
        The channels that occur.
    """

    account: NDArray[np.int64]
    debtor: NDArray[np.int64]
    at: NDArray[np.int64]
    day: NDArray[np.int64]
    channel: NDArray[np.int32]
    channels: tuple[str, ...]


def past_contacts(store: EventStore, as_of: int) -> Contacts:
    """Outbound contacts visible at `as_of`; blocked attempts never went out and do not count."""
    table = store.tables["contacts"]
    inbound = np.isin(codes(table, "direction"), table.codes("direction", "inbound"))
    blocked = np.isin(codes(table, "outcome"), table.codes("outcome", "blocked"))
    counts = visible(table, as_of) & ~inbound & ~blocked & (table.at > as_of - LONGEST)
    rows = np.flatnonzero(counts)
    account = table.owner()[rows]
    debtor, at = store.account_debtor[account], table.at[rows]
    order = np.lexsort((account, -at, debtor))
    rows, account, debtor, at = rows[order], account[order], debtor[order], at[order]
    day = local_clock(at, store.zone[account], store.zones).day
    channel = codes(table, "channel")[rows]
    return Contacts(account, debtor, at, day, channel, table.vocabularies["channel"])


def releases(
    rules: ContactRules, store: EventStore, as_of: int, channels: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int16], tuple[str, ...]]:
    """First instant at which no limit on past contacts stands against a channel any more.

    Returns
    -------
    release : int64 array, shape (n_accounts, channels)
        µs UTC; the smallest int64 where no limit bites.
    rule : int16 array, shape (n_accounts, channels)
        Position in `names` of the limit that lasts longest, -1 where none.
    names : tuple of str
        Rule names, e.g. ``cap:CL-call-a-week``.
    """
    shape = (store.n_accounts, len(channels))
    release, rule = np.full(shape, PAST), np.full(shape, -1, dtype=np.int16)
    names: list[str] = []
    place, pairs = places(store)
    past = past_contacts(store, as_of)
    today = as_of // US_PER_DAY
    for country in sorted({name for name, _ in pairs}):
        for limit in rules.limits(country):
            bound = [
                c for c, channel in enumerate(channels) if limit.speaks(channel, limit.subdivision, today)
            ]
            here = np.array([_here(limit, country, *pair) for pair in pairs])[place]
            names.append(f"{'cap' if limit.type == 'cap' else 'channel'}:{limit.id}")
            for c in bound:
                until = _released(limit, channels[c], past, store)
                later = here & (until > release[:, c])
                release[later, c] = until[later]
                rule[later, c] = len(names) - 1
    return release, rule, tuple(names)


def _here(limit: CapRule | OneChannelRule, country: str, name: str, subdivision: str | None) -> bool:
    return name == country and limit.subdivision in (None, subdivision)


def _released(
    limit: CapRule | OneChannelRule, channel: str, past: Contacts, store: EventStore
) -> NDArray[np.int64]:
    """When one limit lets go of one channel, per account."""
    counted = np.array([*(_counts(limit, channel, name) for name in past.channels), True])
    rows = np.flatnonzero(counted[past.channel])
    by_account = isinstance(limit, CapRule) and limit.unit == "account"
    owner = (past.account if by_account else past.debtor)[rows]
    if by_account:
        order = np.argsort(owner, kind="stable")
        rows, owner = rows[order], owner[order]
    nth = limit.cap if isinstance(limit, CapRule) else 1
    first = np.searchsorted(owner, owner, side="left")
    binding = rows[np.arange(len(rows)) - first == nth - 1]
    until = np.full(store.n_accounts if by_account else len(store.debtor_ids), PAST)
    until[(past.account if by_account else past.debtor)[binding]] = _ends(limit, past, binding, store)
    return until if by_account else until[store.account_debtor]


def _counts(limit: CapRule | OneChannelRule, channel: str, past_channel: str) -> bool:
    """Whether a past contact through one channel counts against another under a limit.

    A channel that nobody knows, neither the library nor the limit, counts against every limit.
    """
    used = canonical_channel(past_channel)
    strange = used not in CHANNEL_WORDS.values() and used not in limit.channels
    in_scope = strange or used in limit.channels or "*" in limit.channels
    return in_scope and (isinstance(limit, CapRule) or used != channel)


def _ends(
    limit: CapRule | OneChannelRule, past: Contacts, rows: NDArray[np.int64], store: EventStore
) -> NDArray[np.int64]:
    """When the windows that contacts opened end."""
    if isinstance(limit, CapRule) and limit.window_hours is not None:
        return past.at[rows] + limit.window_hours * US_PER_HOUR
    days = limit.window_days or 0
    zone = store.zone[past.account[rows]]
    return to_utc(past.day[rows] + days, np.zeros(len(rows), dtype=np.int64), zone, store.zones)
