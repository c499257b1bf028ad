"""Hard stops: each one stops, names itself, and nothing that cannot be read lets contact through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recobro_score.calendars import NEVER
from recobro_score.data.state import account_state
from recobro_score.policy.contact_rules import load_rules
from recobro_score.policy.stops import find_stops
from tests.policy.books import AS_OF, book, instant

RULES = load_rules()
CHANNELS = ("call", "sms")


def _stops(store, as_of: str = AS_OF):
    now = instant(as_of)
    return find_stops(store, now, account_state(store, [now]), rules=RULES, channels=CHANNELS)


def _rule(stops, row: int = 0) -> str | None:
    return stops.rules[stops.account[row]] if stops.account[row] >= 0 else None


def _channel_rule(stops, channel: str, row: int = 0) -> str | None:
    code = stops.channel[row, CHANNELS.index(channel)]
    return stops.rules[code] if code >= 0 else None


def _hold(**more):
    return {"debtor_id": "d", "kind": "dispute", "from_at": "2025-01-01", **more}


def _fact(kind: str, value: str, since: str = "2025-01-01", **more):
    return {"debtor_id": "d", "kind": kind, "value": value, "from_at": since, **more}


def test_an_ordinary_account_is_stopped_by_nothing():
    stops = _stops(book())
    assert _rule(stops) is None
    assert (stops.channel == -1).all()
    assert not stops.vulnerable.any()


@pytest.mark.parametrize(
    ("hold", "rule", "until"),
    [
        (_hold(), "hold:dispute", None),
        (_hold(until_at="2025-06-20"), "hold:dispute", "2025-06-20"),
        (_hold(until_at="2025-06-04T00:00:01"), "hold:dispute", "2025-06-04T00:00:01"),
        (_hold(until_at=AS_OF), None, None),
        (_hold(known_at="2025-06-05"), None, None),
        (_hold(from_at="2025-06-04T15:00", known_at="2025-06-01"), "hold:dispute", None),
        (_hold(from_at="2025-06-09", known_at="2025-06-01"), None, None),
        (_hold(kind="illness"), "hold:other", None),
        ({"account_id": "a", "kind": "fraud", "from_at": "2025-01-01"}, "hold:fraud", None),
    ],
)
def test_holds_stop_while_they_are_in_force(hold, rule, until):
    stops = _stops(book(holds=[hold]))
    assert _rule(stops) == rule
    if rule:
        assert stops.until[0] == (instant(until) if until else NEVER)


def test_of_several_holds_the_longest_decides_the_date():
    stops = _stops(
        book(holds=[_hold(until_at="2025-06-20"), _hold(from_at="2025-02-01", until_at="2025-06-10")])
    )
    assert stops.until[0] == instant("2025-06-20")


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("holds", {"debtor_id": "d", "kind": "dispute", "from_at": "yesterday"}),
        ("holds", {"account_id": "a", "kind": "dispute", "from_at": "2025-01-01", "until_at": "soon"}),
        ("facts", {"debtor_id": "d", "kind": "vulnerability", "value": "true", "from_at": "2025-99-01"}),
        (
            "contacts",
            {
                "account_id": "a",
                "attempted_at": "?",
                "channel": "sms",
                "direction": "outbound",
                "outcome": "x",
            },
        ),
    ],
)
def test_a_malformed_safety_row_that_names_somebody_stops_them(table, row):
    assert _rule(_stops(book(**{table: [row]}))) == "malformed_safety_row"


def test_a_blocked_portfolio_contacts_nobody():
    stops = _stops(replace(book({"d": ("a",), "e": ("b",)}), blocked=("missing:holds",)))
    assert [_rule(stops, row) for row in range(2)] == ["blocked:missing:holds"] * 2


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"accounts": {"opened_at": "2025-07-01"}}, "not_open"),
        ({"accounts": {"limitation_at": "2025-06-01"}}, "time_barred"),
        ({"accounts": {"limitation_at": "2025-07-01"}}, None),
        ({"principal": 0.0}, "nothing_due"),
        ({"accounts": {"principal": None}}, "exposure_unknown"),
        (
            {"placements": [{"account_id": "a", "placed_at": "2024-02-01", "recalled_at": "2025-05-01"}]},
            "not_placed",
        ),
        ({"facts": [_fact("deceased", "true")]}, "fact:deceased"),
        ({"facts": [_fact("deceased", "false")]}, None),
        ({"facts": [_fact("insolvency", "filed")]}, "fact:insolvency"),
        ({"debtors": {"birth_year": 2008}}, "fact:minor"),
        ({"debtors": {"birth_year": 2007}}, "fact:minor"),
        ({"debtors": {"birth_year": 2006}}, None),
        ({"debtors": {"birth_year": 1890}}, None),
        ({"debtors": {"birth_year": 2030}}, None),
        ({"accounts": {"limitation_at": "2025-06-04T15:00"}}, "time_barred"),
        (
            {
                "placements": [
                    {"account_id": "a", "placed_at": "2024-02-01", "recalled_at": "2025-06-04T15:00"}
                ]
            },
            "not_placed",
        ),
        (
            {"placements": [{"account_id": "a", "placed_at": "2024-02-01", "recalled_at": "2025-06-06"}]},
            None,
        ),
        (
            {"complaints": [{"debtor_id": "d", "made_at": "2025-05-01", "kind": "opt_out"}]},
            "complaint:opt_out",
        ),
        ({"complaints": [{"debtor_id": "d", "made_at": "2025-05-01", "kind": "cease"}]}, "complaint:cease"),
        ({"complaints": [{"debtor_id": "d", "made_at": "2025-06-05", "kind": "cease"}]}, None),
        ({"complaints": [{"debtor_id": "d", "made_at": "2025-05-01", "kind": "rude agent"}]}, None),
    ],
)
def test_each_hard_stop_names_itself(more, rule):
    assert _rule(_stops(book(**more))) == rule


@pytest.mark.parametrize(
    ("facts", "vulnerable"),
    [
        ([_fact("vulnerability", "true")], True),
        ([_fact("vulnerability", "bereavement")], True),
        ([_fact("vulnerability:health", "1")], True),
        ([_fact("vulnerability", "false")], False),
        ([_fact("vulnerability", "true"), _fact("vulnerability", "no", "2025-03-01")], False),
        (
            [
                _fact("vulnerability", "true"),
                _fact("vulnerability", "no", "2025-06-04T12:00", known_at="2025-06-01"),
            ],
            True,
        ),
        ([_fact("vulnerability", "true", until_at="2025-05-01")], False),
        ([_fact("vulnerability", "true", known_at="2025-06-20")], False),
    ],
)
def test_vulnerability_is_anything_but_a_plain_no(facts, vulnerable):
    assert _stops(book(facts=facts)).vulnerable[0] == vulnerable


@pytest.mark.parametrize(
    ("facts", "call", "sms"),
    [
        ([], "consent:CO-consent", "consent:CO-consent"),
        ([_fact("consent:call", "true")], None, "consent:CO-consent"),
        ([_fact("consent:all", "sí")], None, None),
        (
            [_fact("consent:all", "yes"), _fact("consent:call", "withdrawn", "2025-03-01")],
            "consent:call",
            None,
        ),
        (
            [_fact("consent:call", "false"), _fact("consent:call", "true", "2025-03-01")],
            None,
            "consent:CO-consent",
        ),
        ([_fact("consent:call", "maybe")], "consent:call", "consent:CO-consent"),
        ([_fact("consent:call", "true", until_at="2025-05-01")], "consent:CO-consent", "consent:CO-consent"),
    ],
)
def test_the_latest_consent_counts_and_colombia_asks_for_it(facts, call, sms):
    stops = _stops(book(consent=False, facts=facts))
    assert (_channel_rule(stops, "call"), _channel_rule(stops, "sms")) == (call, sms)


def test_where_no_law_asks_for_consent_only_a_refusal_stops():
    stops = _stops(book(consent=False, country="CL", facts=[_fact("consent:sms", "no")]))
    assert (_channel_rule(stops, "call"), _channel_rule(stops, "sms")) == (None, "consent:sms")


def test_an_opt_out_of_one_channel_leaves_the_others():
    stops = _stops(book(complaints=[{"debtor_id": "d", "made_at": "2025-05-01", "kind": "opt_out:sms"}]))
    assert (_rule(stops), _channel_rule(stops, "call")) == (None, None)
    assert _channel_rule(stops, "sms") == "complaint:opt_out:sms"


def _point(name: str, channel: str = "call", **more):
    return {"contact_point_id": name, "debtor_id": "d", "channel": channel, "known_at": "2024-06-01", **more}


def _wrong(point: str, outcome: str = "wrong_number"):
    row = {"account_id": "a", "attempted_at": "2025-05-01", "channel": "call", "direction": "outbound"}
    return {**row, "outcome": outcome, "contact_point_id": point}


@pytest.mark.parametrize(
    ("points", "contacts", "rule", "used"),
    [
        ([], [], None, None),
        ([_point("p")], [], None, "p"),
        ([_point("p"), _point("q", known_at="2025-01-01")], [], None, "q"),
        ([_point("p", wrong_from="2025-05-01")], [], "no_contact_point:call", None),
        ([_point("p", wrong_from="2025-07-01")], [], None, "p"),
        ([_point("p", "sms")], [], "no_contact_point:call", None),
        ([_point("p", known_at="2025-07-01")], [], None, None),
        ([_point("p")], [_wrong("p")], "no_contact_point:call", None),
        ([_point("p")], [_wrong("p", "rpc")], None, "p"),
        ([_point("p"), _point("q", known_at="2025-01-01")], [_wrong("q", "third_party")], None, "p"),
    ],
)
def test_a_channel_needs_a_valid_contact_point_where_points_are_known(points, contacts, rule, used):
    stops = _stops(book(contact_points=points, contacts=contacts))
    assert _channel_rule(stops, "call") == rule
    assert stops.contact_point[0, 0] == used


@pytest.mark.parametrize("outcome", ["wrong_number", "third_party", "rpc"])
def test_a_point_is_wrong_whichever_account_showed_it_and_however_the_store_is_cut(outcome):
    people = {"d": ("a", "c"), "e": ("b",), "f": ("g",)}
    tried_for_another = {**_wrong("p", outcome), "account_id": "b", "known_at": "2025-05-20"}
    store = book(people, contact_points=[_point("p")], contacts=[tried_for_another])
    rule = None if outcome == "rpc" else "no_contact_point:call"
    parts = [store, store.take(np.array([0])), *store.buckets(2), *store.buckets(7)]
    owned = [part for part in parts if "a" in part.account_ids.to_pylist()]
    assert len(owned) == 4
    for part in owned:
        assert _channel_rule(_stops(part), "call") == rule
        for before in ("2025-05-20", "2025-05-01"):
            assert _channel_rule(_stops(part, before), "call") is None
        assert _channel_rule(_stops(part, "2025-05-20T00:00:01"), "call") == rule


def test_each_person_has_their_own_stops():
    people = {"d": ("a", "b"), "e": ("c",)}
    stops = _stops(book(people, holds=[_hold()], facts=[_fact("vulnerability", "true")]))
    assert [_rule(stops, row) for row in range(3)] == ["hold:dispute", "hold:dispute", None]
    assert stops.vulnerable.tolist() == [True, True, False]
    assert np.array_equal(stops.until, [NEVER] * 3)


def _complaint(kind: str, made_at: str = "2025-05-20", **more):
    return {"debtor_id": "d", "made_at": made_at, "kind": kind, **more}


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("BAJA", "opt_out"),
        ("Darse de baja", "opt_out"),
        ("opt-out", "opt_out"),
        ("Opt Out", "opt_out"),
        ("OptOut", "opt_out"),
        ("unsubscribe", "opt_out"),
        ("STOP", "opt_out"),
        ("Do not contact!", "opt_out"),
        ("no contactar", "opt_out"),
        ("No-Llamar", "opt_out"),
        ("no_molestar", "opt_out"),
        ("Lista Robinson", "opt_out"),
        ("N\u00e3o perturbe", "opt_out"),
        ("oposici\u00f3n", "opt_out"),
        ("opt_out:fax", "opt_out"),
        ("Cese de contacto", "cease"),
        ("cease and desist", "cease"),
    ],
)
def test_an_opt_out_stops_however_it_is_written(kind, rule):
    assert _rule(_stops(book(complaints=[_complaint(kind, "2024-02-01")]))) == f"complaint:{rule}"


@pytest.mark.parametrize("kind", ["opt_out:llamada", "Baja: tel\u00e9fono", "opt-out:phone", "stop:Call"])
def test_an_opt_out_of_one_channel_knows_its_words(kind):
    stops = _stops(book(complaints=[_complaint(kind)]))
    assert (_rule(stops), _channel_rule(stops, "sms")) == (None, None)
    assert _channel_rule(stops, "call") == "complaint:opt_out:call"


@pytest.mark.parametrize("kind", ["harassment", "Acoso telef\u00f3nico", "hostigamiento", "Ass\u00e9dio"])
def test_who_complains_of_harassment_is_left_to_a_person(kind):
    stops = _stops(book(complaints=[_complaint(kind, "2024-02-01")]))
    assert stops.vulnerable.all()
    assert _rule(stops) is None


@pytest.mark.parametrize(
    ("kind", "made_at", "until"),
    [
        ("wrong_amount", "2025-05-20", "2025-06-19"),
        ("trabaja de noche", "2025-06-03", "2025-07-03"),
        ("wrong_amount", "2025-05-05", None),
    ],
)
def test_any_other_complaint_keeps_machines_away_for_thirty_days(kind, made_at, until):
    stops = _stops(book(complaints=[_complaint(kind, made_at)]))
    assert _rule(stops) is None
    assert stops.machine_until[0] == (instant(until) if until else 0)


@pytest.mark.parametrize(
    "stopping",
    [
        {"complaints": [_complaint("cease", "2025-06-04T15:00", known_at="2025-06-01")]},
        {"facts": [_fact("consent:call", "no", "2025-06-04T15:00", known_at="2025-06-01")]},
        {"consent": False, "facts": [_fact("consent:call", "yes", until_at="2025-06-04T15:00")]},
    ],
)
def test_what_is_known_to_stop_contact_within_the_planned_day_stops_it(stopping):
    stops = _stops(book(**stopping))
    assert _rule(stops) is not None or _channel_rule(stops, "call") is not None


@pytest.mark.parametrize(
    "kind",
    [
        "consent:llamada",
        "consentimiento:call",
        "consent:phone",
        "consent:telefono",
        "Consent:Tel\u00e9fono",
        "consentimiento:todos",
        "consent:voz",
    ],
)
def test_consent_counts_in_the_words_of_the_trade(kind):
    granted = _stops(book(consent=False, facts=[_fact(kind, "yes")]))
    refused = _stops(book(country="CL", consent=False, facts=[_fact(kind, "no")]))
    assert _channel_rule(granted, "call") is None
    assert _channel_rule(refused, "call") == "consent:call"


def test_a_refusal_of_an_unknown_channel_counts_for_every_channel():
    refused = _stops(book(country="CL", facts=[_fact("consent:pigeon", "no")]))
    granted = _stops(book(consent=False, facts=[_fact("consent:pigeon", "yes")]))
    assert [_channel_rule(refused, channel) for channel in CHANNELS] == ["consent:call", "consent:sms"]
    assert {_channel_rule(granted, channel) for channel in CHANNELS} == {"consent:CO-consent"}
