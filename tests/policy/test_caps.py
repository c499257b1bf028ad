"""Limits on how often: golden cases of Colombia and Chile, and a plain count as the oracle."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.calendars import US_PER_DAY, US_PER_HOUR, format_instant
from recobro_score.policy.contact_rules import load_rules
from recobro_score.policy.slots import lawful_slots
from tests.policy.books import ZONES, book, instant

RULES = load_rules()
CHANNELS = ("call", "email", "sms", "whatsapp")


def contact(at: str, channel: str, *, account="a", direction="outbound", outcome="no_answer", **more):
    row = {"account_id": account, "attempted_at": at, "channel": channel, "direction": direction}
    return {**row, "outcome": outcome, **more}


def _lawful(country: str, as_of: str, contacts, people=None):
    store = book(people, country=country, contacts=contacts)
    return lawful_slots(RULES, store, instant(as_of, country), channels=CHANNELS)


def _open(slots, channel: str, row: int = 0) -> bool:
    return bool(slots.allowed[row, CHANNELS.index(channel)].any())


def _says(slots, channel: str) -> tuple[str, str]:
    c = CHANNELS.index(channel)
    return slots.rules[slots.rule[0, c]], format_instant(int(slots.next_allowed_at[0, c]), "UTC")[:10]


@pytest.mark.parametrize(
    ("days", "channel", "lawful"),
    [(1, "sms", False), (2, "sms", True), (1, "email", False), (1, "call", True)],
)
def test_chile_spaces_other_media_by_two_days(days, channel, lawful):
    sent = contact("2025-06-03T10:00", "sms")
    as_of = (datetime(2025, 6, 3) + timedelta(days=days)).date().isoformat()
    assert _open(_lawful("CL", as_of, [sent]), channel) is lawful


def test_chile_spacing_is_measured_to_the_hour():
    slots = _lawful("CL", "2025-06-05", [contact("2025-06-03T10:00", "sms")])
    hours = np.flatnonzero(slots.allowed[0, CHANNELS.index("sms")]) + 7
    assert list(hours) == list(range(10, 20))


@pytest.mark.parametrize("first", ["call", "visit", "ivr"])
def test_chile_allows_one_call_or_visit_a_week(first):
    log = [contact("2025-06-03T10:00", first)]
    slots = _lawful("CL", "2025-06-09", log)
    assert _says(slots, "call") == ("cap:CL-call-a-week", "2025-06-10")
    assert _open(slots, "sms")
    assert _open(_lawful("CL", "2025-06-10", log), "call")


def test_chile_allows_two_other_media_a_week():
    log = [contact("2025-06-02T10:00", "sms"), contact("2025-06-04T11:00", "email")]
    slots = _lawful("CL", "2025-06-06", log)
    assert _says(slots, "whatsapp") == ("cap:CL-media-a-week", "2025-06-09")
    assert _open(slots, "call")


def test_colombia_allows_one_contact_a_day_over_all_channels():
    slots = _lawful("CO", "2025-06-04T12:00", [contact("2025-06-04T09:00", "sms")])
    tomorrow = instant("2025-06-05")
    assert not slots.allowed[0][:, slots.start[0] < tomorrow].any()
    assert slots.allowed[0, CHANNELS.index("sms")][slots.start[0] >= tomorrow].any()


def test_colombia_keeps_to_the_channel_of_the_week():
    log = [contact("2025-06-02T10:00", "sms")]
    slots = _lawful("CO", "2025-06-04", log)
    assert _open(slots, "sms")
    assert _says(slots, "call") == ("channel:CO-one-channel-a-week", "2025-06-09")
    assert _open(_lawful("CO", "2025-06-09", log), "call")


@pytest.mark.parametrize(
    "free",
    [
        contact("2025-06-03T10:00", "call", direction="inbound"),
        contact("2025-06-03T10:00", "call", outcome="blocked"),
        contact("2025-06-03T10:00", "call", known_at="2025-06-20"),
        contact("2025-06-05T10:00", "call"),
        contact("2025-05-20T10:00", "call"),
    ],
    ids=["inbound", "blocked", "not yet known", "later", "long ago"],
)
@pytest.mark.parametrize("country", ["CO", "CL"])
def test_what_was_no_contact_of_ours_does_not_count(country, free):
    slots = _lawful(country, "2025-06-04", [free])
    assert all(_open(slots, channel) for channel in CHANNELS)


def test_contacts_count_for_the_debtor_over_all_accounts():
    people = {"d1": ("a", "b"), "d2": ("c",)}
    slots = _lawful("CL", "2025-06-04", [contact("2025-06-03T10:00", "call", account="a")], people)
    assert [_open(slots, "call", row) for row in range(3)] == [False, False, True]


@given(
    log=st.lists(
        st.tuples(st.integers(0, 13 * 24 - 1), st.sampled_from(["call", "sms", "email", "visit"])), max_size=8
    ),
    country=st.sampled_from(["CO", "CL"]),
)
def test_no_lawful_slot_would_break_a_limit(log, country):
    start = datetime(2025, 6, 2)
    rows = [contact((start + timedelta(hours=h)).isoformat(), channel) for h, channel in log]
    as_of = instant("2025-06-16", country)
    slots = lawful_slots(RULES, book(country=country, contacts=rows), as_of, channels=CHANNELS)
    past = [(instant(row["attempted_at"], country), row["channel"]) for row in rows]
    for c, channel in enumerate(CHANNELS):
        for at in slots.start[0][slots.allowed[0, c]].tolist():
            assert _oracle(country, past, at, channel)
        if not slots.allowed[0, c].any():
            later = int(slots.next_allowed_at[0, c])
            assert _oracle(country, past, later, channel)


def _oracle(country: str, past: list[tuple[int, str]], at: int, channel: str) -> bool:
    """Read the laws plainly: would a contact at this instant keep them?"""
    offset = instant("2025-06-16", country) % US_PER_DAY
    day = (at - offset) // US_PER_DAY
    since = [(day - (then - offset) // US_PER_DAY, at - then, other) for then, other in past]
    if country == "CO":
        return all(days >= 1 for days, _, _ in since) and all(
            days >= 7 for days, _, other in since if other != channel
        )
    if channel == "call":
        return all(days >= 7 for days, _, other in since if other in ("call", "visit"))
    media = [(days, gap) for days, gap, other in since if other in ("sms", "email", "whatsapp")]
    spaced = all(gap >= 48 * US_PER_HOUR for _, gap in media)
    return spaced and sum(days < 7 for days, _ in media) < 2


def test_zones_of_the_oracle_have_no_clock_change_in_june():
    for country in ZONES:
        lengths = {
            instant(f"2025-06-{d + 1:02d}", country) - instant(f"2025-06-{d:02d}", country)
            for d in (2, 9, 16)
        }
        assert lengths == {US_PER_DAY}


@pytest.mark.parametrize("country", ["CO", "CL"])
def test_a_contact_through_an_unknown_channel_counts_against_every_limit(country):
    slots = _lawful(country, "2025-06-04", [contact("2025-06-03T10:00", "pigeon")])
    assert not any(_open(slots, channel) for channel in CHANNELS)


@pytest.mark.parametrize("word", ["llamada", "Tel\u00e9fono", "phone", "voz"])
def test_a_call_is_a_call_in_any_of_its_words(word):
    slots = _lawful("CL", "2025-06-09", [contact("2025-06-03T10:00", word)])
    assert _says(slots, "call")[0] == "cap:CL-call-a-week"
    assert _open(slots, "sms")
