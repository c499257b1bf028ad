"""Contact attempts within a period: when they are made and how they end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.calendars import NEVER, is_holiday, to_utc
from recobro_score.simulate.arrays import F64, I64, Bool, index_of
from recobro_score.simulate.catalogue import (
    ACTIONS,
    ATTEMPTS_OF,
    CHANNEL_OF,
    CHANNELS,
    COST_OF,
    DAY_PARTS,
    MOST_ATTEMPTS,
    NO_CHANNEL,
)
from recobro_score.simulate.intent import Intent
from recobro_score.simulate.people import PART_WEIGHTS, People

OUTCOMES = (
    "rpc",
    "third_party",
    "wrong_number",
    "no_answer",
    "busy",
    "voicemail",
    "delivered",
    "opened",
    "replied",
    "failed",
    "blocked",
)
PARTIES = ("debtor", "third_party")
AGENTS = ("bot", "human")
CONTACT_CHANNELS = CHANNELS
DIRECTIONS = ("outbound", "inbound")
_SPACING_DAYS = 4
_SATURDAY, _SUNDAY, _LATE_PART = 5, 6, 2
_CODE = {name: code for code, name in enumerate(OUTCOMES)}
_REVEAL_WRONG = (_CODE["wrong_number"], _CODE["failed"])
_ENDS = (_CODE["rpc"], _CODE["replied"], *_REVEAL_WRONG)
_AGENT_OF: I64 = np.array([AGENTS.index(a.agent) if a.agent else -1 for a in ACTIONS])


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts of one period; arrays of shape (m,), grouped by attempt number.

    Attributes
    ----------
    account : int64 array
        Position of the debt.
    channel, agent, outcome : int64 array
        Positions in `CHANNELS`, `AGENTS`, `OUTCOMES`.
    at : int64 array
        µs UTC.
    reached : bool array
        Spoke to the debtor, or was read; no sender can tell from a text message that was not answered.
    cost : float64 array
        In units of one SMS.
    """

    account: I64
    channel: I64
    agent: I64
    outcome: I64
    at: I64
    reached: Bool
    cost: F64

    def take(self, rows: Bool) -> Attempts:
        """Return some of the attempts."""
        return Attempts(
            self.account[rows],
            self.channel[rows],
            self.agent[rows],
            self.outcome[rows],
            self.at[rows],
            self.reached[rows],
            self.cost[rows],
        )

    def first_at(self, count: int) -> I64:
        """Return each debt's first attempt, `NEVER` without one, shape (count,)."""
        first = np.full(count, NEVER, dtype=np.int64)
        np.minimum.at(first, self.account, self.at)
        return first

    def last_at(self, count: int) -> I64:
        """Return each debt's last attempt, `NEVER` without one, shape (count,)."""
        last = np.full(count, -1, dtype=np.int64)
        np.maximum.at(last, self.account, self.at)
        return np.where(last < 0, NEVER, last)

    def reached_at(self, count: int) -> I64:
        """Return when each debt's debtor was first reached, `NEVER` if not, shape (count,)."""
        return self.take(self.reached).first_at(count)


def make_attempts(
    action: I64,
    attempt_reach: F64,
    intent: Intent,
    *,
    people: People,
    debtor: I64,
    countries: tuple[str, ...],
    first_day: int,
    generator: np.random.Generator,
) -> Attempts:
    """Draw the attempts of one period.

    Each attempt draws a part of the day and reaches the debtor with that part's chance. A series ends at what
    the sender can see and rely on: a conversation, a reply, a wrong number, a payment, an accepted offer.
    That a message was opened does not end it: it is no answer. Attempts fall on working days, about four days
    apart, from the day after `first_day` on, and on Saturdays not in the afternoon.

    Parameters
    ----------
    action : int64 array, shape (n,)
        Assigned action per debt; debts that nothing is done about carry `no_action`.
    attempt_reach : float64 array, shape (n, channels, parts)
    intent : Intent
        After what each debtor has done nobody tries again.
    people, debtor
        Everybody, and the position of each debt's debtor.
    countries : tuple of str
        Codes of the market's countries.
    first_day : int
        Day since 1970-01-01 on which the period begins.
    generator : numpy.random.Generator
    """
    count = len(action)
    uniform = generator.random((count, MOST_ATTEMPTS, 5))
    running = CHANNEL_OF[action] != NO_CHANNEL
    earliest = np.full(count, first_day + 1)
    reached_at = np.full(count, NEVER, dtype=np.int64)
    chunks = []
    for number in range(MOST_ATTEMPTS):
        rows = np.flatnonzero(running & (ATTEMPTS_OF[action] > number))
        draw, who = uniform[rows, number], debtor[rows]
        part = index_of(np.tile(np.cumsum(PART_WEIGHTS), (len(rows), 1)), draw[:, 0])
        day = first_day + 1 + _SPACING_DAYS * number + (3 * draw[:, 2]).astype(np.int64)
        day = _working_day(np.maximum(day, earliest[rows]), part, people.country[who], countries)
        earliest[rows] = day + 1
        at = to_utc(day, _minute(part, draw[:, 3]), people.zone[who].astype(np.int32), people.zones)
        made = at < intent.settled_at(reached_at)[rows]
        running[rows[~made]] = False
        rows, draw, part, at = rows[made], draw[made], part[made], at[made]
        assigned, channel = action[rows], CHANNEL_OF[action[rows]]
        reached = draw[:, 1] < attempt_reach[rows, channel, part]
        outcome = _outcomes(channel, reached, people.wrong[debtor[rows], channel], draw[:, 4])
        chunks.append((rows, channel, _AGENT_OF[assigned], outcome, at, reached, COST_OF[assigned]))
        running[rows[np.isin(outcome, _ENDS)]] = False
        reached_at[rows] = np.where(reached, np.minimum(reached_at[rows], at), reached_at[rows])
    return Attempts(*(np.concatenate(column) for column in zip(*chunks, strict=True)))


def _minute(part: I64, uniform: F64) -> I64:
    start, end = np.array(DAY_PARTS)[part].T
    minute: I64 = start + ((end - start) * uniform).astype(np.int64)
    return minute


def _working_day(day: I64, part: I64, country: I64, countries: tuple[str, ...]) -> I64:
    day = day.copy()
    for _ in range(4):
        weekday = (day + 3) % 7
        closed = (weekday == _SUNDAY) | ((weekday == _SATURDAY) & (part == _LATE_PART))
        for code, name in enumerate(countries):
            rows = country == code
            closed[rows] |= is_holiday(day[rows], name)
        day += closed
    return day


def _outcomes(channel: I64, reached: Bool, wrong: Bool, uniform: F64) -> I64:
    """Return how each attempt ended: calls, text messages, and the rest apart."""
    call, sms, email = channel == CHANNELS.index("call"), channel == CHANNELS.index("sms"), channel == 3
    ladder = np.select(
        [uniform < 0.04, uniform < 0.2, uniform < 0.55],
        [_CODE["third_party"], _CODE["busy"], _CODE["voicemail"]],
        _CODE["no_answer"],
    )
    stranger = np.where(uniform < 0.4, _CODE["wrong_number"], ladder)
    called = np.where(reached, _CODE["rpc"], np.where(wrong, stranger, ladder))
    read = np.where(sms, _CODE["delivered"], _CODE["opened"])
    answered = uniform < np.where(email, 0.1, 0.3)
    sent = np.where(reached, np.where(answered, _CODE["replied"], read), _CODE["delivered"])
    sent = np.where(wrong, np.where(uniform < 0.6, _CODE["failed"], _CODE["delivered"]), sent)
    return np.where(call, called, sent).astype(np.int64)


def reveals_wrong(attempts: Attempts) -> Bool:
    """Return which attempts tell the holder that the contact point is wrong."""
    return np.isin(attempts.outcome, _REVEAL_WRONG)


def duration_seconds(attempts: Attempts, generator: np.random.Generator) -> F64:
    """Return talk time of calls in seconds: minutes with a person, less with a bot; NaN for messages."""
    noise = np.exp(0.6 * generator.standard_normal(len(attempts.at)))
    talk = np.where(attempts.agent == AGENTS.index("human"), 170.0, 60.0) * noise
    short = np.where(np.isin(attempts.outcome, (_CODE["third_party"], _CODE["wrong_number"])), 25.0, 0.0)
    spent = np.where(attempts.reached, talk, short * noise)
    return np.where(attempts.channel == CHANNELS.index("call"), np.rint(spent), np.nan)
