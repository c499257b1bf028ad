"""When money comes in, and when the files that tell of it do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, to_utc
from recobro_score.simulate.arrays import F64, I64, Streams
from recobro_score.simulate.debts import Debts, local_days, midnights, month_and_day
from recobro_score.simulate.people import People
from recobro_score.simulate.scenario import Lateness, Scenario, Span

_LAST_DAY = 27
_FILE_HOUR = 6
_FIRST_MINUTE, _LAST_MINUTE = 7 * 60, 22 * 60
_FILE_DAYS = 8192


class Files:
    """The daily payment files: each comes the morning after, or some days late.

    Parameters
    ----------
    lateness : Lateness
    span : Span
    streams : Streams
    """

    __slots__ = ("_delay", "_time_zone")

    def __init__(self, lateness: Lateness, span: Span, streams: Streams) -> None:
        generator = streams.of("files")
        late = generator.random(_FILE_DAYS) < lateness.late_share
        days = generator.integers(1, lateness.late_days + 1, _FILE_DAYS)
        self._delay = np.where(late, days, 0)
        self._time_zone = span.time_zone

    def known_at(self, at: I64) -> I64:
        """Return when the holder knows of payments made at these instants."""
        day = local_days(at, self._time_zone)
        return midnights(day + 1 + self._delay[day % _FILE_DAYS], self._time_zone) + _FILE_HOUR * US_PER_HOUR


@dataclass(frozen=True, slots=True)
class Moments:
    """When each debt would be paid within a period; arrays of shape (n,).

    Attributes
    ----------
    own : int64 array
        The debtor's own time, µs UTC.
    delay : int64 array
        From what moved the debtor to the payment at least, µs.
    """

    own: I64
    delay: I64

    def after(self, moved_at: I64) -> I64:
        """Return when who was moved at an instant pays, µs UTC; at the own time where it is `NEVER`."""
        return np.maximum(self.own, np.where(moved_at == NEVER, 0, moved_at) + self.delay)


def payment_moments(
    people: People, debts: Debts, *, scenario: Scenario, first_day: int, generator: np.random.Generator
) -> Moments:
    """Draw when each debt would be paid within a period.

    Most payments fall on the debtor's payday or the days after it, the others on any day. The last days of
    the period stay free, so that a file on time is in before the period ends.
    """
    count = debts.count
    uniform = generator.random((count, 4))
    _, dom = month_and_day(np.array([first_day]))
    after = np.floor(np.log(uniform[:, 0]) / np.log(0.45)).astype(np.int64)
    payday = (people.payday[debts.debtor] - dom[0] + after) % 30
    anywhere = (uniform[:, 1] * (_LAST_DAY + 1)).astype(np.int64)
    clustered = uniform[:, 2] < scenario.behaviour.payday_strength
    day = first_day + np.minimum(np.where(clustered, payday, anywhere), _LAST_DAY)
    minute = _FIRST_MINUTE + (uniform[:, 3] * (_LAST_MINUTE - _FIRST_MINUTE)).astype(np.int64)
    moment = to_utc(day, minute, people.zone[debts.debtor].astype(np.int32), people.zones)
    return Moments(moment, (10 + 2000 * uniform[:, 1] ** 2).astype(np.int64) * US_PER_MINUTE)


def after_days(at: I64, least: float, most: float, uniform: F64) -> I64:
    """Return instants between `least` and `most` days later, in whole minutes."""
    minutes = ((least + (most - least) * uniform) * (US_PER_DAY // US_PER_MINUTE)).astype(np.int64)
    return at + minutes * US_PER_MINUTE
