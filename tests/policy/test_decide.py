"""The night's decision: laws that hold for every account, and the record that tells why."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import US_PER_HOUR
from recobro_score.data.events import EventStore
from recobro_score.errors import ConfigError, SchemaMismatch
from recobro_score.money import Rates
from recobro_score.policy import decide as deciding
from recobro_score.policy.actions import Catalogue
from recobro_score.policy.contact_rules import load_rules
from recobro_score.policy.decide import (
    Candidates,
    Versions,
    candidates,
    check_capacities,
    decide,
    policy_version,
)
from recobro_score.policy.records import COLUMNS, SCHEMA
from recobro_score.policy.terms import OfferPolicy
from tests.policy.books import AS_OF, book, instant, priced, scores

RULES = load_rules()
OFFERS = OfferPolicy()
VERSIONS = Versions(policy="p", rules="r", bundle_id="b")
NOW = instant(AS_OF)
DISPUTE = {"kind": "dispute", "from_at": "2025-01-01"}
FRAGILE = {"kind": "vulnerability", "value": "true", "from_at": "2025-01-01"}


def _candidates(store: EventStore, *, catalogue: Catalogue | None = None, **more) -> Candidates:
    inputs = scores(store, NOW, **more)
    return candidates(inputs, store, NOW, catalogue=catalogue or priced(store), rules=RULES, offers=OFFERS)


def _decide(found: Candidates, *, language: str = "en", **capacities: int):
    return decide(found, capacities=capacities, language=language, versions=VERSIONS)


def _records(store: EventStore, *, capacities: dict[str, int] | None = None, language: str = "en", **more):
    decided = _decide(_candidates(store, **more), language=language, **(capacities or {}))
    return {row["account_id"]: row for row in decided.table.to_pylist()}


GOOD_DAY = st.sampled_from(["2024-11-05", "2025-05-01", "2025-06-03T09:00", "2025-06-04", "2025-06-05"])
DAY = st.one_of(GOOD_DAY, st.sampled_from(["", "never", "2025-02-31", None]))
DEBTOR = st.sampled_from(["d1", "d2", "d3", "d4"])
ACCOUNT = st.sampled_from(["a", "b", "c", "e", "f"])
PEOPLE = {"d1": ("a", "b"), "d2": ("c",), "d3": ("e",), "d4": ("f",)}


def _rows(**columns):
    return st.lists(st.fixed_dictionaries(columns), max_size=4)


BOOKS = st.fixed_dictionaries(
    {
        "holds": st.lists(
            st.one_of(
                st.fixed_dictionaries({"debtor_id": DEBTOR, "kind": st.just("dispute"), "from_at": DAY}),
                st.fixed_dictionaries(
                    {"account_id": ACCOUNT, "kind": st.just("legal"), "from_at": DAY, "until_at": DAY}
                ),
            ),
            max_size=3,
        ),
        "facts": _rows(
            debtor_id=DEBTOR,
            kind=st.sampled_from(["vulnerability", "consent:call", "consent:sms", "deceased", "income"]),
            value=st.sampled_from(["true", "false", "900000", ""]),
            from_at=DAY,
        ),
        "contacts": _rows(
            account_id=ACCOUNT,
            attempted_at=DAY,
            channel=st.sampled_from(["call", "sms", "email"]),
            direction=st.sampled_from(["outbound", "inbound", "sideways"]),
            outcome=st.sampled_from(["rpc", "blocked", "no_answer"]),
        ),
        "complaints": _rows(
            debtor_id=DEBTOR, made_at=GOOD_DAY, kind=st.sampled_from(["cease", "opt_out:sms", "rude"])
        ),
    }
)


@given(
    tables=BOOKS,
    country=st.sampled_from(["CO", "CL", "US"]),
    p_pay=st.lists(st.floats(0, 1), min_size=5, max_size=5),
    calls=st.integers(0, 3),
)
def test_the_laws_hold_for_any_book(tables, country, p_pay, calls):
    store = book(PEOPLE, country=country, **tables)
    order = [account.as_py() for account in store.account_ids]
    rows = _records(store, p_pay=p_pay, capacities={"call": calls, "human_review": 1, "sms": 2})
    assert sorted(rows) == order
    contacted = [row for row in rows.values() if row["slot_start"] is not None]
    handed_over = [row for row in rows.values() if row["action_id"] == "human_review"]
    served = [row["debtor_id"] for row in [*contacted, *handed_over]]
    assert len(served) == len(set(served))
    stopped = {order[i] for i in np.flatnonzero(store.stopped)} | (set(order) if store.blocked else set())
    held = _held(tables, country)
    fragile = _fragile(tables, country)
    for row in contacted:
        assert row["account_id"] not in stopped | held
        assert row["debtor_id"] not in fragile
        assert country != "US"
        assert row["value"] > 0
    for row in handed_over:
        assert row["account_id"] not in stopped | held
        assert row["debtor_id"] in fragile
    assert len(handed_over) <= 1
    assert sum(row["pool"] == "call" for row in rows.values()) <= calls
    assert all(row["rule"] for row in rows.values() if row["action_id"] == "no_action")
    assert all(row["action_reason"] for row in rows.values())


def _good(day: str | None, country: str) -> bool:
    """Whether a day is before the as-of: midnight in Chile comes an hour before that of the as-of."""
    past = ("2024-11-05", "2025-05-01", "2025-06-03T09:00")
    return day in past or (day == "2025-06-04" and country == "CL")


def _held(tables, country: str) -> set[str]:
    """Accounts under a hold by a plain reading of its rows."""
    live = [h for h in tables["holds"] if _good(h["from_at"], country) and not h.get("until_at")]
    return {h["account_id"] for h in live if "account_id" in h} | {
        account for h in live if "debtor_id" in h for account in PEOPLE[h["debtor_id"]]
    }


def _fragile(tables, country: str) -> set[str]:
    """Debtors whose only readable facts on it say that they are vulnerable."""
    told: dict[str, set[str]] = {}
    for fact in tables["facts"]:
        if fact["kind"] == "vulnerability" and _good(fact["from_at"], country) and fact["value"]:
            told.setdefault(fact["debtor_id"], set()).add(fact["value"])
    return {debtor for debtor, values in told.items() if "false" not in values}


@given(seed=st.integers(0, 1_000))
def test_buckets_and_their_order_change_nothing(seed):
    rng = np.random.default_rng(seed)
    people = {f"d{i}": tuple(f"a{i}{k}" for k in range(rng.integers(1, 3))) for i in range(12)}
    store = book(people)
    p_pay = np.round(rng.uniform(0, 0.5, store.n_accounts), 1)
    whole = _candidates(store, p_pay=p_pay)
    codes = np.arange(store.n_accounts)
    part = rng.integers(0, 3, len(store.debtor_ids))[store.account_debtor]
    parts = []
    for number in rng.permutation(3):
        rows = codes[part == number]
        if len(rows):
            parts.append(_candidates(store.take(rows), p_pay=p_pay[rows]))
    capacities = {"call": 2, "call_bot": 3, "sms": 3}
    one, other = _decide(whole, **capacities), _decide(Candidates.concat(parts), **capacities)
    assert one.table.equals(other.table)
    assert one.allocation.value == other.allocation.value


@settings(max_examples=15)
@given(seed=st.integers(0, 1_000), together=st.integers(1, 12))
def test_records_are_the_same_however_many_are_made_at_a_time(seed, together):
    rng = np.random.default_rng(seed)
    people = {f"d{i}": tuple(f"a{k}{i}" for k in range(rng.integers(1, 4))) for i in range(8)}
    points = [
        {"contact_point_id": f"p{i}{channel}", "debtor_id": f"d{i}", "channel": channel}
        for i in range(8)
        for channel in ("call", "sms", "email")
        if rng.random() < 0.6
    ]
    fragile = [{"debtor_id": f"d{i}", **FRAGILE} for i in range(8) if rng.random() < 0.3]
    held = [{"debtor_id": f"d{i}", **DISPUTE} for i in range(8) if rng.random() < 0.2]
    store = book(people, contact_points=points, facts=fragile, holds=held)
    found = _candidates(store, p_pay=rng.uniform(0, 0.5, store.n_accounts))
    capacities = {"call": 2, "call_bot": 1, "human_review": 1}
    at_once = _decide(found, **capacities)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deciding, "ROWS_TOGETHER", together)
        some = _decide(found, **capacities)
    assert some.table.equals(at_once.table)
    assert some.table["decision_id"].num_chunks == -(-len(found) // together)
    owner = {point["contact_point_id"]: point["debtor_id"] for point in points}
    for row in some.table.to_pylist():
        used = row["contact_point_id"]
        assert used is None or (owner[used], used.removeprefix(f"p{owner[used][1:]}")) == (
            row["debtor_id"],
            row["channel"],
        )


def test_the_record_has_the_documented_columns_and_one_row_per_account():
    decided = _decide(_candidates(book({"d": ("b", "a")})), call=1)
    assert decided.table.schema == SCHEMA
    assert [name for name, _, _ in COLUMNS] == decided.table.column_names
    assert all(meaning for _, _, meaning in COLUMNS)
    assert decided.frame()["account_id"].tolist() == ["a", "b"]
    assert decided.counts()["accounts"].sum() == 2
    assert "value" in decided.summary()


def test_a_contact_record_says_what_when_and_why():
    store = book(
        contact_points=[
            {"contact_point_id": "p", "debtor_id": "d", "channel": "call", "known_at": "2024-02-01"}
        ]
    )
    chance = np.full((1, 1, 14), 0.1)
    chance[0, 0, 4] = 0.3
    more = {"channels": ("call",), "p_contact": chance, "typical_contact": np.array([0.2])}
    (row,) = _records(store, **more).values()
    assert (row["action_id"], row["channel"], row["agent"]) == ("call_bot", "call", "bot")
    assert row["contact_point_id"] == "p"
    assert row["p_contact"] == 0.3
    assert round(row["slot_start"].timestamp() * 1e6) == NOW + 11 * US_PER_HOUR
    assert (row["slot_end"] - row["slot_start"]).seconds == 3600
    assert row["p_pay_with_action"] > row["p_pay"]
    expected = (row["p_pay_with_action"] - 0.3) * 0.85 * 500_000 - row["cost"]
    assert row["value"] == pytest.approx(expected)
    assert row["effect_source"] == "prior"
    assert "assumptions" in row["action_reason"]
    assert (row["propensity"], row["drawn"]) == (1.0, False)
    assert (row["policy_version"], row["rules_version"], row["bundle_id"]) == ("p", "r", "b")


def test_the_effect_grows_with_the_chance_of_contact_up_to_twice():
    def gain(chance: float) -> float:
        more = {"channels": ("call",), "typical_contact": np.array([0.2])}
        found = _candidates(book(), p_contact=np.full((1, 1, 14), chance), **more)
        return float(found.p_with[0, found.catalogue.ids.index("call_bot")] - 0.3)

    gains = [gain(chance) for chance in (0.0, 0.1, 0.2, 0.4, 0.9)]
    assert gains[0] == 0.0
    assert gains == sorted(gains)
    assert gains[3] == gains[4]
    assert gain(np.nan) == gains[2]


def test_logged_effects_replace_the_priors_and_say_so():
    store = book()
    effects = np.zeros((9, 7))
    effects[2] = 0.5
    (row,) = _records(store, effects=effects, effect_source=("log",) * 9).values()
    assert (row["action_id"], row["effect_source"]) == ("sms", "log")
    assert "logged decisions" in row["action_reason"]


@pytest.mark.parametrize(
    ("tables", "rule"),
    [
        ({"holds": [{"debtor_id": "d", **DISPUTE}]}, "hold:dispute"),
        ({"consent": False}, "consent:CO-consent"),
        ({"country": "US"}, "no_rules:US"),
        ({"principal": 0.0}, "nothing_due"),
        ({"principal": 1.0}, "no_gain"),
        ({"accounts": {"opened_at": "2025-07-01"}}, "not_open"),
        (
            {"placements": [{"account_id": "a", "placed_at": "2024-02-01", "recalled_at": "2025-05-01"}]},
            "not_placed",
        ),
    ],
)
@pytest.mark.parametrize("language", ["es", "en"])
def test_doing_nothing_names_its_rule(tables, rule, language):
    (row,) = _records(book(**tables), language=language).values()
    assert (row["action_id"], row["rule"]) == ("no_action", rule)
    assert row["channel"] is None
    assert row["value"] == 0.0
    assert row["action_reason"].endswith(".")


def test_a_deferral_says_when_contact_is_lawful_again():
    sunday = instant("2025-06-08")
    store = book()
    found = candidates(
        scores(store, sunday), store, sunday, catalogue=priced(store), rules=RULES, offers=OFFERS
    )
    (row,) = _decide(found).table.to_pylist()
    assert row["rule"] == "hours:CO-sunday"
    assert row["next_allowed_at"].isoformat() == "2025-06-09T12:00:00+00:00"
    assert "2025-06-09" in row["action_reason"]


@pytest.mark.parametrize("language", ["es", "en"])
def test_scarce_capacity_goes_where_it_adds_most_and_has_a_price(language):
    store = book({"d1": ("a",), "d2": ("b",)})
    limits = dict.fromkeys(("email", "sms", "whatsapp"), 0)
    rows = _records(
        store, p_pay=[0.3, 0.25], capacities={"call": 0, "call_bot": 1, **limits}, language=language
    )
    assert rows["a"]["action_id"] == "call_bot"
    assert rows["a"]["price"] > 0
    assert rows["b"]["rule"] == "capacity:call_bot"
    assert rows["b"]["runner_up"] is not None


def test_a_debtor_is_contacted_for_one_account_only():
    rows = _records(book({"d": ("a", "b")}), p_pay=[0.25, 0.3])
    assert rows["b"]["action_id"] != "no_action"
    assert (rows["a"]["action_id"], rows["a"]["rule"]) == ("no_action", "one_contact:debtor")


def test_vulnerable_people_reach_a_person_within_capacity_and_no_machine():
    people = {f"d{i}": (f"a{i}", f"b{i}") for i in range(3)}
    facts = [{"debtor_id": debtor, **FRAGILE} for debtor in people]
    earlier = [{"account_id": "a0", "decided_at": "2025-06-01", "action_id": "human_review"}]
    rows = _records(book(people, facts=facts, decisions=earlier), capacities={"human_review": 2})
    chosen = {account: row["action_id"] for account, row in rows.items()}
    assert sorted(a for a, action in chosen.items() if action == "human_review") == ["a1", "a2"]
    assert set(chosen.values()) == {"human_review", "no_action"}
    assert {rows[a]["rule"] for a in ("a0", "b0")} == {"capacity:human_review"}
    assert {rows[a]["rule"] for a in ("b1", "b2")} == {"one_contact:debtor"}
    assert all("vulner" not in str(value) for row in rows.values() for value in row.values())


def test_nobody_is_handed_over_for_money():
    rows = _records(
        book({"d": ("a",), "e": ("b",)}, facts=[{"debtor_id": "d", **FRAGILE}]), p_pay=[np.nan, 0.3]
    )
    assert rows["a"]["action_id"] == "human_review"
    assert rows["b"]["action_id"] != "human_review"


def test_an_account_without_a_score_is_left_alone():
    (row,) = _records(book(), p_pay=np.nan).values()
    assert (row["action_id"], row["rule"], row["p_pay"]) == ("no_action", "no_score", None)


def test_an_offer_in_a_record_adds_up_and_repeats_when_it_stands():
    plan = {
        "plan_id": "p",
        "account_id": "a",
        "offered_at": "2025-05-30",
        "terms": '{"instalments": 5, "valid_days": 10}',
    }
    limits = dict.fromkeys(("call", "email", "sms", "call_bot"), 0)
    log = [
        {
            "account_id": "a",
            "attempted_at": "2025-06-01",
            "channel": "whatsapp",
            "direction": "outbound",
            "outcome": "delivered",
        }
    ]
    (row,) = _records(book(plans=[plan], contacts=log), p_pay=0.02, capacities=limits).values()
    offer = json.loads(row["offer"])
    assert row["action_id"] == "plan_message"
    assert offer["terms"]["instalments"] == 5
    assert offer["valid_until"] == "2025-06-09T00:00:00-05:00"
    assert sum(float(part["amount"]) for part in offer["schedule"]) == float(offer["total"]) == 500_000.0
    assert offer["source"] == "prior"


def test_a_kept_plan_is_left_alone_until_its_next_instalment():
    plan = {
        "plan_id": "p",
        "account_id": "a",
        "offered_at": "2025-05-01",
        "terms": "{}",
        "accepted_at": "2025-05-02",
    }
    due = {
        "account_id": "a",
        "due_at": "2025-06-20",
        "amount": 10.0,
        "plan_id": "p",
        "known_at": "2025-05-02",
    }
    (row,) = _records(book(plans=[plan], instalments=[due])).values()
    assert row["rule"] == "plan:kept"
    assert row["next_allowed_at"].isoformat() == "2025-06-20T05:00:00+00:00"


def test_currencies_meet_only_through_rates():
    store = book()
    with pytest.raises(ConfigError, match=r"COP.*USD"):
        _candidates(store, catalogue=Catalogue.load())
    rates = Rates("COP", [("USD", 0, 4_000.0)])
    inputs = scores(store, NOW)
    found = candidates(
        inputs, store, NOW, catalogue=Catalogue.load(), rules=RULES, offers=OFFERS, rates=rates
    )
    assert (found.table.values == _candidates(store).table.values).all()
    reporting = replace(rates, reporting="USD", rows=[("COP", 0, 1 / 4_000)])
    found = candidates(
        inputs, store, NOW, catalogue=Catalogue.load(), rules=RULES, offers=OFFERS, rates=reporting
    )
    assert found.reporting == "USD"
    assert found.table.values == pytest.approx(_candidates(store).table.values / 4_000)


def test_inputs_of_the_wrong_shape_are_all_named():
    wrong = {"flags": np.zeros(3, dtype=object), "paid_share": np.zeros(2), "effects": np.zeros((9, 7))}
    with pytest.raises(SchemaMismatch, match=r"paid_share.*flags.*effects and effect_source"):
        _candidates(book(), **wrong)


def test_only_buckets_of_one_night_come_together():
    found = _candidates(book())
    with pytest.raises(SchemaMismatch, match="2 different"):
        Candidates.concat([found, replace(found, as_of=NOW + 1)])
    with pytest.raises(SchemaMismatch, match="0 different"):
        Candidates.concat([])


def test_the_policy_version_follows_every_part():
    catalogue = Catalogue.load()
    versions = {
        policy_version(catalogue, RULES, OFFERS, {"call": 1}),
        policy_version(catalogue, RULES, OFFERS, {"call": 2}),
        policy_version(catalogue, RULES, OfferPolicy(valid_days=12), {"call": 1}),
        policy_version(catalogue.priced_in("EUR", 1), RULES, OFFERS, {"call": 1}),
    }
    assert len(versions) == 4


def test_an_offer_is_added_to_a_prior_and_is_already_part_of_a_logged_effect():
    store = book()
    priors = priced(store).prior_effects()
    found = {
        source: _candidates(store, p_pay=0.05, effects=priors, effect_source=(source,) * len(priors))
        for source in ("prior", "log")
    }
    for name in ("plan_message", "plan_call"):
        a = found["log"].catalogue.ids.index(name)
        effect = (found["log"].p_with[0, a] - 0.05) * 0.85 * 500_000 - found["log"].cost[a]
        assert found["log"].table.values[0, a] == pytest.approx(effect)
        assert found["prior"].table.values[0, a] > effect
        assert found["prior"].offers.increment[0] > 0


def test_an_open_complaint_leaves_contact_to_people():
    complaints = [{"debtor_id": "d", "made_at": "2025-05-20", "kind": "wrong_amount"}]
    found = _candidates(book(complaints=complaints))
    for a, action in enumerate(found.catalogue.actions):
        if action.agent == "human" and action.is_contact and not action.offers:
            assert found.table.eligible[0, a]
        if action.agent == "bot":
            assert found.table.rules[found.table.rule[0, a]] == "complaint:open"
            assert found.table.next_allowed_at[0, a] == instant("2025-06-19")


def test_who_complains_of_harassment_reaches_a_person_and_nobody_else():
    complaints = [{"debtor_id": "d", "made_at": "2025-05-20", "kind": "acoso"}]
    (row,) = _records(book(complaints=complaints)).values()
    assert row["action_id"] == "human_review"


def test_without_an_offer_the_plan_actions_are_not_eligible():
    store = book(principal=30_000.0)
    found = _candidates(store)
    assert found.offers.rule[0] == "offer:none"
    for a, action in enumerate(found.catalogue.actions):
        assert not (action.offers and found.table.eligible[0, a])


def test_capacities_are_checked_before_anything_is_scored():
    catalogue = Catalogue.load()
    check_capacities(catalogue, {"call": 0, "sms": 5})
    with pytest.raises(ConfigError, match=r"'cal'.*'call'.*'sms'.*below zero"):
        check_capacities(catalogue, {"cal": 1, "sms": -1})
