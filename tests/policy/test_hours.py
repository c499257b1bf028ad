"""Lawful hours: golden edges in the debtor's local time, and what nobody can loosen."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_HOUR, format_instant
from recobro_score.errors import ConfigError
from recobro_score.policy.contact_rules import load_rules, parse_rules
from recobro_score.policy.slots import hours_allow, lawful_slots
from tests.policy.books import AS_OF, ZONES, book, instant

RULES = load_rules()
EPOCH = date(1970, 1, 1)
RULE = """
[[rules]]
id = "{id}"
type = "hours"
weekdays = {weekdays}
hours = {hours}
kind = "law"
source = "a test"
confidence = "{confidence}"
valid_from = 2000-01-01
"""
ALL_WEEK = '["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]'


def _rule(
    name: str, *, hours: str = '["00:00", "24:00"]', weekdays: str = ALL_WEEK, confidence: str = "high"
):
    return RULE.format(id=name, hours=hours, weekdays=weekdays, confidence=confidence)


def _allowed(country: str, local: str, channel: str = "call", rules=RULES) -> bool:
    at = datetime.fromisoformat(local)
    day = (at.date() - EPOCH).days
    return hours_allow(rules, country, None, channel, day, at.hour * 60 + at.minute)


@pytest.mark.parametrize(
    ("country", "local", "allowed"),
    [
        ("CO", "2025-06-04T06:59", False),
        ("CO", "2025-06-04T07:00", True),
        ("CO", "2025-06-04T18:59", True),
        ("CO", "2025-06-04T19:00", False),
        ("CO", "2025-06-07T07:59", False),
        ("CO", "2025-06-07T08:00", True),
        ("CO", "2025-06-07T14:59", True),
        ("CO", "2025-06-07T15:00", False),
        ("CO", "2025-06-08T10:00", False),
        ("CO", "2025-06-23T10:00", False),
        ("CO", "2025-06-24T10:00", True),
        ("CO", "2023-10-09T10:00", False),
        ("CL", "2025-06-04T07:59", False),
        ("CL", "2025-06-04T08:00", True),
        ("CL", "2025-06-04T19:59", True),
        ("CL", "2025-06-04T20:00", False),
        ("CL", "2025-06-07T09:59", False),
        ("CL", "2025-06-07T10:00", True),
        ("CL", "2025-06-07T12:59", True),
        ("CL", "2025-06-07T13:00", False),
        ("CL", "2025-06-08T11:00", False),
        ("CL", "2025-07-16T11:00", False),
        ("XX", "2025-06-04T11:00", False),
    ],
)
def test_golden_hours(country, local, allowed):
    assert _allowed(country, local) is allowed


def test_colombia_forbids_visits_at_any_hour():
    assert not any(_allowed("CO", f"2025-06-04T{hour:02d}:00", "visit") for hour in range(24))


@pytest.mark.parametrize("country", sorted(RULES.countries))
@pytest.mark.parametrize("day", ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"])
def test_every_shipped_country_speaks_for_every_day(country, day):
    assert any(day in rule.weekdays and "*" in rule.channels for rule in RULES.hours(country))


def _slots(country: str, as_of: str, *, rules=RULES, channel: str = "call", **store):
    return lawful_slots(rules, book(country=country, **store), instant(as_of, country), channels=(channel,))


@pytest.mark.parametrize(
    ("country", "as_of", "hours"),
    [
        ("CO", AS_OF, range(7, 19)),
        ("CO", "2025-06-07", range(8, 15)),
        ("CO", "2025-06-08", ()),
        ("CL", AS_OF, range(8, 20)),
        ("CL", "2025-06-07", range(10, 13)),
    ],
)
def test_slots_are_the_whole_hours_within_the_rules(country, as_of, hours):
    slots = _slots(country, as_of)
    assert list(np.flatnonzero(slots.allowed[0, 0]) + 7) == list(hours)


@pytest.mark.parametrize(
    ("country", "as_of", "rule", "next_allowed"),
    [
        ("CO", "2025-06-08", "hours:CO-sunday", "2025-06-09T07:00:00-05:00"),
        ("CO", "2025-06-22", "hours:CO-sunday", "2025-06-24T07:00:00-05:00"),
        ("CO", "2025-06-23", "hours:CO-holiday", "2025-06-24T07:00:00-05:00"),
        ("CL", "2025-09-18", "hours:CL-holiday", "2025-09-20T10:00:00-03:00"),
        ("CL", "2025-09-07", "hours:CL-sunday", "2025-09-08T08:00:00-03:00"),
        ("CL", "2025-04-06", "hours:CL-sunday", "2025-04-07T08:00:00-04:00"),
    ],
)
def test_a_closed_day_names_its_rule_and_the_next_lawful_instant(country, as_of, rule, next_allowed):
    slots = _slots(country, as_of)
    assert slots.rules[slots.rule[0, 0]] == rule
    assert format_instant(int(slots.next_allowed_at[0, 0]), ZONES[country]) == next_allowed


def test_the_clock_change_of_chile_moves_instants_and_not_local_hours():
    before, after = _slots("CL", "2025-09-05"), _slots("CL", "2025-09-08")
    assert (before.allowed == after.allowed).all()
    days = (instant("2025-09-08", "CL") - instant("2025-09-05", "CL")) // US_PER_HOUR
    assert days == 71
    assert ((after.start - before.start) == 71 * US_PER_HOUR).all()


def test_slots_are_hours_of_the_debtor_and_not_of_the_portfolio():
    slots = _slots("CO", AS_OF, debtors={"time_zone": "Pacific/Easter"})
    local = [format_instant(int(at), "Pacific/Easter")[11:13] for at in slots.start[0]]
    assert local == [f"{hour:02d}" for hour in range(7, 21)]
    assert (slots.start >= instant(AS_OF)).all()


def test_at_midday_the_hours_gone_are_those_of_tomorrow():
    as_of = instant("2025-06-04T12:30")
    slots = lawful_slots(RULES, book(), as_of, channels=("call",))
    assert (slots.start >= as_of).all()
    assert (slots.start < as_of + 24 * US_PER_HOUR).all()
    assert np.flatnonzero(slots.allowed[0, 0]).tolist() == list(range(12))


@pytest.mark.parametrize("country", ["US", "TW"])
def test_a_country_without_rules_allows_nothing_and_says_so(country):
    slots = _slots(country, AS_OF)
    assert not slots.allowed.any()
    assert slots.rules[slots.rule[0, 0]] == f"no_rules:{country}"
    assert slots.next_allowed_at[0, 0] == NEVER


def test_rules_of_low_confidence_count_only_when_adopted():
    low = {"us.toml": 'country = "US"\n' + _rule("US-h", confidence="low")}
    shut, opened = parse_rules(low), parse_rules(low, adopt=["US-h"])
    assert not _slots("US", AS_OF, rules=shut).allowed.any()
    assert _slots("US", AS_OF, rules=opened).allowed.all()
    assert shut.version != opened.version


def test_unknown_holidays_close_every_day_on_which_holidays_matter():
    rules = parse_rules({"zz.toml": 'country = "ZZ"\n' + _rule("ZZ", hours='["09:00", "10:00"]')})
    holiday = 'country = "ZZ"\n' + _rule("ZZ") + _rule("ZZ-holiday", hours="[]", weekdays='["holiday"]')
    assert _slots("ZZ", AS_OF, rules=rules).allowed.sum() == 1
    assert not _slots("ZZ", AS_OF, rules=parse_rules({"zz.toml": holiday})).allowed.any()


@given(
    opens=st.integers(0, 23),
    length=st.integers(1, 24),
    weekdays=st.lists(st.sampled_from(ALL_WEEK.strip("[]").split(", ")), min_size=1, unique=True),
    country=st.sampled_from(["CO", "CL"]),
    offset=st.integers(0, 400),
    minute=st.integers(0, 24 * 60 - 1),
)
def test_a_users_rules_cannot_loosen_a_shipped_country(opens, length, weekdays, country, offset, minute):
    hours = f'["{opens:02d}:00", "{min(opens + length, 24):02d}:00"]'
    own = f'country = "{country}"\n' + _rule("mine", hours=hours, weekdays=f"[{', '.join(weekdays)}]")
    both = parse_rules(RULES.shipped, {"mine.toml": own})
    day = (date(2025, 1, 1) - EPOCH).days + offset
    if hours_allow(both, country, None, "call", day, minute):
        assert hours_allow(RULES, country, None, "call", day, minute)


def test_a_users_folder_may_define_a_new_country(tmp_path):
    (tmp_path / "tw.toml").write_text('country = "TW"\n' + _rule("TW", hours='["09:00", "18:00"]'))
    rules = load_rules(tmp_path)
    assert _slots("TW", AS_OF, rules=rules, time_zone="Asia/Taipei").allowed.sum() == 9
    again = parse_rules(rules.shipped, rules.own, rules.adopted)
    assert again == rules
    assert again.version == rules.version


@pytest.mark.parametrize(
    ("own", "adopt", "said"),
    [
        ("country =", (), "not TOML"),
        ('country = "Peru"\nrules = []', (), "country"),
        ('country = "CO"\n' + _rule("CO-sunday"), (), "CO-sunday"),
        ('country = "PE"\n' + _rule("PE", hours='["9", "10:00"]'), (), "time of day"),
        ('country = "PE"\n' + _rule("PE", hours='["11:00", "10:00"]'), (), "increasing"),
        ('country = "PE"\n' + _rule("PE", weekdays='["lunes"]'), (), "weekdays"),
        ('country = "PE"\n' + _rule("PE-hours"), ("PE-hour",), "Did you mean 'PE-hours'"),
    ],
)
def test_broken_rules_are_refused_with_their_reason(own, adopt, said):
    with pytest.raises(ConfigError, match=said):
        parse_rules(RULES.shipped, {"own.toml": own}, adopt)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no folder"):
        load_rules(tmp_path / "none")


def test_a_rule_of_one_subdivision_binds_only_there():
    text = (
        'country = "BR"\n'
        + _rule("BR")
        + _rule("BR-RJ", hours="[]", weekdays='["sat"]').replace(
            'type = "hours"', 'type = "hours"\nsubdivision = "RJ"'
        )
    )
    rules = parse_rules({"br.toml": text})
    saturday = (date(2025, 6, 7) - EPOCH).days
    assert hours_allow(rules, "BR", "SP", "call", saturday, 600)
    assert not hours_allow(rules, "BR", "RJ", "call", saturday, 600)
