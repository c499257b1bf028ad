"""When: the lawful hourly slots of the coming day, and the next lawful one after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, is_holiday, local_clock, to_utc
from recobro_score.data.events import EventStore
from recobro_score.errors import ConfigError
from recobro_score.policy.caps import releases
from recobro_score.policy.contact_rules import HOLIDAY, WEEKDAYS, ContactRules
from recobro_score.policy.views import places

FIRST_HOUR = 7
N_SLOTS = 14
SEARCH_DAYS = 14
_HOURS = np.arange(FIRST_HOUR, FIRST_HOUR + N_SLOTS, dtype=np.int64)
_THURSDAY = 3


@dataclass(frozen=True, slots=True)
class LawfulSlots:
    """Which hourly slots are lawful, per account and channel.

    Attributes
    ----------
    channels
        Names of the channels.
    start
        i64[n, 14] µs UTC at which each slot begins: the first 07:00, 08:00 … 20:00 local time at or after
        `as_of`.
    allowed
        bool[n, channels, 14].
    rule
        i16[n, channels] position in `rules` of the rule that forbids every slot, -1 where some is lawful.
    rules
        Names of the rules.
    next_allowed_at
        i64[n, channels] µs UTC: 0 where some slot is lawful, else the start of the first lawful slot within
        14 days, else `NEVER`.
    """

    channels: tuple[str, ...]
    start: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    rule: NDArray[np.int16]
    rules: tuple[str, ...]
    next_allowed_at: NDArray[np.int64]


def hours_allow(
    rules: ContactRules, country: str, subdivision: str | None, channel: str, day: int, minute: int
) -> bool:
    """Whether the hours rules permit contact at a minute of a local day.

    Parameters
    ----------
    rules
        Rules in use.
    country, subdivision
        Where the debtor lives.
    channel
        Channel of the contact.
    day
        Local date, days since 1970-01-01.
    minute
        Minute of the local day as the wall clock shows it.
    """
    opens, closes, _ = _opening(rules, country, subdivision, channel, day)
    return opens <= minute < closes


def lawful_slots(
    rules: ContactRules, store: EventStore, as_of: int, *, channels: tuple[str, ...]
) -> LawfulSlots:
    """Find the lawful slots of the 24 hours from `as_of` on.

    A slot lasts an hour and is lawful when all of it is. A country without rules in use for a channel allows
    none: `no_rules:<COUNTRY>`.

    Parameters
    ----------
    rules
        Rules in use.
    store
        The portfolio; all accounts of a debtor must be in it, since limits count per debtor.
    as_of
        µs UTC.
    channels
        Channels to look at.
    """
    n = store.n_accounts
    place, known_places = places(store)
    release, limit, limit_names = releases(rules, store, as_of, channels)
    clock = local_clock(np.full(n, as_of, dtype=np.int64), store.zone, store.zones)
    tomorrow = _HOURS[None, :] * 60 < clock.minute[:, None]
    start = _starts(store.zone, store.zones, clock.day[:, None] + tomorrow)
    table = _Opening(rules, channels, known_places)
    today, refusal = table.at(place, clock.day)
    next_day, _ = table.at(place, clock.day + 1)
    hours = np.where(tomorrow[:, None, :], next_day, today)
    future = start >= as_of
    allowed = hours & future[:, None, :] & (start[:, None, :] >= release[:, :, None])
    closed = np.asarray(~allowed.any(axis=2))
    names = (*limit_names, *table.names)
    by_limit = closed & hours.any(axis=2) & (limit >= 0)
    rule = np.where(by_limit, limit, refusal + len(limit_names)).astype(np.int16)
    rule[~closed] = -1
    later = _next(store, table, place, clock.day, np.maximum(release, as_of), closed)
    return LawfulSlots(channels, start, allowed, rule, names, later)


class _Opening:
    """Opening hours per place and local day, worked out once for each pair that occurs."""

    def __init__(
        self, rules: ContactRules, channels: tuple[str, ...], known_places: list[tuple[str, str | None]]
    ) -> None:
        self._rules, self._channels, self._places = rules, channels, known_places
        self.names: list[str] = []

    def at(
        self, place: NDArray[np.int64], day: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int16]]:
        """Slots open, bool[n, channels, 14], and the name of what closes a whole day, i16[n, channels]."""
        pairs, inverse = np.unique(day * len(self._places) + place, return_inverse=True)
        shape = (len(pairs), len(self._channels))
        slots, closed_by = np.zeros((*shape, N_SLOTS), dtype=bool), np.zeros(shape, dtype=np.int16)
        for row, pair in enumerate(pairs.tolist()):
            when, where = divmod(pair, len(self._places))
            country, subdivision = self._places[where]
            for c, channel in enumerate(self._channels):
                opens, closes, name = _opening(self._rules, country, subdivision, channel, when)
                slots[row, c] = (opens <= _HOURS * 60) & (closes >= (_HOURS + 1) * 60)
                closed_by[row, c] = self._name(name)
        return slots[inverse], closed_by[inverse]

    def _name(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)


def _opening(
    rules: ContactRules, country: str, subdivision: str | None, channel: str, day: int
) -> tuple[int, int, str]:
    """Permitted minutes of a local day, and the rule that narrows them most."""
    speaking = [rule for rule in rules.hours(country) if rule.speaks(channel, subdivision, day)]
    weekday = WEEKDAYS[(day + _THURSDAY) % 7]
    permits = [rule for rule in speaking if weekday in rule.weekdays]
    if not permits:
        return 0, 0, f"no_rules:{country or 'unknown'}"
    if any(HOLIDAY in rule.weekdays for rule in speaking) and _holiday(country, subdivision, day):
        permits += [rule for rule in speaking if HOLIDAY in rule.weekdays and weekday not in rule.weekdays]
    opens = max(rule.minutes[0] for rule in permits)
    closes = min(rule.minutes[1] for rule in permits)
    narrowest = min(permits, key=lambda rule: rule.minutes[1] - rule.minutes[0])
    return opens, closes, f"hours:{narrowest.id}"


def _holiday(country: str, subdivision: str | None, day: int) -> bool:
    """Whether a day is a public holiday; where the holidays are not known, every day counts as one."""
    try:
        return bool(is_holiday(np.array([day], dtype=np.int64), country, subdivision)[0])
    except ConfigError:
        return True


def _starts(zone: NDArray[np.int32], zones: tuple[str, ...], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Instants at which the 14 slots begin on the given local days; `day` and the result are i64[n, 14]."""
    minutes = np.broadcast_to(_HOURS * 60, day.shape)
    return to_utc(day.ravel(), minutes.ravel(), np.repeat(zone, N_SLOTS), zones).reshape(day.shape)


def _next(
    store: EventStore,
    table: _Opening,
    place: NDArray[np.int64],
    day: NDArray[np.int64],
    earliest: NDArray[np.int64],
    wanted: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Start of the first lawful slot at or after `earliest`, for the wanted accounts × channels; else 0."""
    found = np.where(wanted, NEVER, 0)
    for ahead in range(SEARCH_DAYS + 1):
        rows = np.flatnonzero((found == NEVER).any(axis=1))
        if len(rows) == 0:
            break
        hours, _ = table.at(place[rows], day[rows] + ahead)
        days = np.repeat(day[rows, None] + ahead, N_SLOTS, axis=1)
        start = _starts(store.zone[rows], store.zones, days)[:, None, :]
        lawful = hours & (start >= earliest[rows][:, :, None])
        first = np.where(lawful, start, NEVER).min(axis=2)
        found[rows] = np.where(found[rows] == NEVER, first, found[rows])
    return found
