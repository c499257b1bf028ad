"""Offers: exact schedules, floors that hold, equal terms for equal cases, and promises kept."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recobro_score.calendars import US_PER_DAY
from recobro_score.money import MISSING_MONEY
from recobro_score.policy.affordability import disposable_income
from recobro_score.policy.offers import OfferCases, Offers, PriorTermScorer, TermKeys, best_offer
from recobro_score.policy.plans import OpenPlans, open_plans
from recobro_score.policy.terms import OfferPolicy, Terms, major_text, schedule
from tests.policy.books import AS_OF, book, instant

POLICY = OfferPolicy()
TERMS = st.builds(
    Terms,
    instalments=st.integers(1, 36),
    down_payment=st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.9]),
    discount=st.sampled_from([0.0, 0.05, 0.1, 0.3333, 0.99]),
    first_due_days=st.integers(0, 60),
    valid_days=st.integers(0, 30),
)
INSTANTS = st.integers(instant("2023-01-01"), instant("2027-01-01"))


@given(total=st.integers(0, 10**14), terms=TERMS, as_of=INSTANTS)
def test_a_schedule_adds_up_exactly_and_is_even_and_in_order(total, terms, as_of):
    plan = schedule(total, terms, as_of, time_zone="America/Bogota")
    amounts = [amount for _, amount in plan.parts]
    assert sum(amounts) == plan.total
    assert plan.total + plan.waived == total
    assert abs(plan.waived - total * terms.discount) <= 1 + total * 5e-5
    rest = amounts[plan.has_down_payment :]
    assert len(rest) == terms.instalments
    assert max(rest) - min(rest) <= 1
    dates = [due for due, _ in plan.parts]
    assert dates == sorted(set(dates))


@given(total=st.integers(1, 10**13), terms=TERMS, as_of=INSTANTS)
def test_the_amounts_that_choose_are_those_of_the_schedule(total, terms, as_of):
    plan = schedule(total, terms, as_of)
    asked, down, part = (int(x[0]) for x in terms.amounts(np.array([total])))
    assert asked == plan.total
    assert part == max(amount for _, amount in plan.parts[plan.has_down_payment :])
    assert down == (plan.parts[0][1] if plan.has_down_payment else 0)


@given(terms=TERMS)
def test_terms_read_back_from_their_own_json(terms):
    assert Terms.parse(json.dumps(asdict(terms))) == terms
    assert Terms.parse(json.dumps({"terms": asdict(terms), "total": "3.00"})) == terms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "3",
        '{"instalments": 0}',
        '{"instalments": 3, "discount": 1.5}',
        '{"instalments": "x"}',
    ],
)
def test_terms_that_cannot_be_read_are_none(text):
    assert Terms.parse(text) is None


@given(minor=st.integers(0, 10**15), digits=st.sampled_from([0, 2, 3, 4]))
def test_amounts_are_written_exactly(minor, digits):
    assert Decimal(major_text(minor, digits)) * 10**digits == minor


def _plans(n: int) -> OpenPlans:
    no, zero = np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64)
    return OpenPlans(no, no, zero, np.full(n, -1, dtype=np.int64), zero, zero, zero, no, ())


def _cases(n: int, **given_columns) -> OfferCases:
    columns = {
        "exposure": np.full(n, 100_000),
        "digits": np.full(n, 2, dtype=np.int8),
        "currency": np.full(n, "EUR", dtype=object),
        "p_pay": np.full(n, 0.05),
        "paid_share": np.full(n, 0.9),
        "unpaid_share": np.zeros(n),
        "disposable": np.full(n, np.nan),
        "ability": np.full(n, np.nan),
        "plans": _plans(n),
    }
    bucket = given_columns.pop("bucket", np.full(n, 4, dtype=np.int8))
    ids = pa.array([f"a{i}" for i in range(n)])
    return OfferCases(keys=TermKeys(ids, 0, bucket), **{**columns, **given_columns})


def _best(cases: OfferCases, policy: OfferPolicy = POLICY) -> Offers:
    return best_offer(cases, policy=policy, scorer=PriorTermScorer())


NUMBERS = st.floats(0.0, 1.0)


@given(data=st.data())
def test_offers_stay_within_the_creditors_floors_and_the_persons_means(data):
    n = 6
    column = st.lists
    bucket = np.array(data.draw(column(st.integers(-1, 5), min_size=n, max_size=n)), dtype=np.int8)
    exposure = np.array(data.draw(column(st.integers(0, 10**7), min_size=n, max_size=n)))
    income = st.one_of(st.just(np.nan), st.floats(0, 5_000))
    disposable = np.array(data.draw(column(income, min_size=n, max_size=n)))
    p_pay = np.array(data.draw(column(NUMBERS, min_size=n, max_size=n)))
    offers = _best(_cases(n, bucket=bucket, exposure=exposure, disposable=disposable, p_pay=p_pay))
    caps = dict(zip(range(-1, 6), [0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2], strict=True))
    for row in np.flatnonzero(offers.term >= 0):
        terms = offers.terms[offers.term[row]]
        plan = schedule(int(exposure[row]), terms, 0)
        amounts = [amount for _, amount in plan.parts]
        largest = max(amounts) / 100
        assert terms.is_plan
        assert terms.discount <= caps[int(bucket[row])]
        assert terms.instalments <= POLICY.max_instalments
        assert len(amounts) == 1 or min(amounts) >= 2_000
        if np.isnan(disposable[row]):
            assert not plan.has_down_payment
        else:
            assert largest <= disposable[row] * POLICY.disposable_share + 1e-9


def test_unknown_income_gets_gentle_offers_and_never_a_refusal():
    offers = _best(_cases(3, exposure=np.array([500, 4_000, 100_000])))
    assert (offers.term >= 0).all()
    terms = [offers.terms[t] for t in offers.term]
    assert all(t.down_payment == 0.0 for t in terms)
    assert [t.instalments >= POLICY.safe_instalments for t in terms] == [False, False, True]


def test_what_cannot_be_afforded_is_not_offered():
    offers = _best(_cases(2, disposable=np.array([0.0, 10.0])))
    assert offers.term.tolist() == [-1, -1]
    assert set(offers.rule) == {"offer:unaffordable"}
    assert not offers.increment.any()


@given(ability=st.floats(0.0, 2_000.0), disposable=st.one_of(st.just(np.nan), st.floats(0.0, 5_000.0)))
def test_estimated_ability_only_lowers_what_is_asked(ability, disposable):
    def largest(estimate: float) -> float:
        offers = _best(_cases(1, disposable=np.array([disposable]), ability=np.array([estimate])))
        if offers.term[0] < 0:
            return -1.0
        plan = schedule(100_000, offers.terms[offers.term[0]], 0)
        return max(amount for _, amount in plan.parts) / 100

    without, having = largest(np.nan), largest(ability)
    assert (without < 0) == (having < 0)
    if having > ability:
        assert having <= without


@given(p=st.floats(0.021, 0.049), other=st.floats(0.021, 0.049), bucket=st.integers(-1, 5))
def test_equal_cases_within_a_band_get_equal_terms(p, other, bucket):
    offers = _best(_cases(2, p_pay=np.array([p, other]), bucket=np.full(2, bucket, dtype=np.int8)))
    assert offers.term[0] == offers.term[1]


def test_those_who_would_pay_anyway_are_offered_nothing():
    offers = _best(_cases(1, p_pay=np.array([0.97]), paid_share=np.array([1.0])))
    assert offers.rule[0] == "offer:no_gain"


def test_one_account_gets_the_offer_it_gets_in_a_crowd():
    rng = np.random.default_rng(1)
    n = 40
    cases = _cases(
        n,
        p_pay=rng.uniform(0, 0.4, n),
        bucket=rng.integers(-1, 6, n).astype(np.int8),
        exposure=rng.integers(1, 10**6, n),
        disposable=np.where(rng.random(n) < 0.5, np.nan, rng.uniform(0, 2_000, n)),
    )
    together = _best(cases)
    for row in range(n):
        part = slice(row, row + 1)
        keys = TermKeys(cases.keys.account_ids[part], 0, cases.keys.bucket[part])
        names = (
            "exposure",
            "digits",
            "currency",
            "p_pay",
            "paid_share",
            "unpaid_share",
            "disposable",
            "ability",
        )
        own = {name: getattr(cases, name)[part] for name in names}
        alone = _best(OfferCases(keys=keys, plans=_plans(1), **own))
        assert alone.term[0] == together.term[row]
        assert alone.increment[0] == together.increment[row]


def test_offers_of_several_buckets_keep_their_terms():
    one, other = _best(_cases(2)), _best(_cases(1, p_pay=np.array([0.97])))
    standing = replace(_best(_cases(1)), terms=(Terms(7),), term=np.zeros(1, dtype=np.int64))
    joined = Offers.concat([one, other, standing])
    assert [joined.terms[t].instalments if t >= 0 else None for t in joined.term][-2:] == [None, 7]
    assert joined.terms[joined.term[0]] == one.terms[one.term[0]]
    assert joined.take(np.array([3])).terms[joined.term[3]] == Terms(7)


OFFER = {
    "plan_id": "p",
    "account_id": "a",
    "offered_at": "2025-05-30",
    "terms": '{"instalments": 5, "valid_days": 10}',
}


@pytest.mark.parametrize(
    ("more", "standing", "accepted"),
    [
        ({}, True, False),
        ({"offered_at": "2025-05-20"}, False, False),
        ({"offered_at": AS_OF}, False, False),
        ({"known_at": "2025-06-20"}, False, False),
        ({"ended_at": "2025-06-01"}, False, False),
        ({"ended_at": "2025-06-20"}, True, False),
        ({"accepted_at": "2025-06-01"}, False, True),
        ({"accepted_at": "2025-06-20"}, True, False),
        ({"accepted_at": "2025-06-01", "ended_at": "2025-06-03"}, False, False),
    ],
)
def test_a_plan_reads_as_it_stood_then(more, standing, accepted):
    plans = open_plans(book(plans=[{**OFFER, **more}]), instant(AS_OF), valid_days=10)
    assert (plans.standing[0] >= 0, bool(plans.accepted[0])) == (standing, accepted)
    if standing:
        assert plans.terms[plans.standing[0]].instalments == 5
        assert plans.valid_until[0] == plans.offered_at[0] + 10 * US_PER_DAY


@pytest.mark.parametrize(("paid", "kept"), [(100.0, True), (99.0, False)])
def test_a_plan_is_kept_while_payments_since_acceptance_cover_what_fell_due(paid, kept):
    plan = {**OFFER, "offered_at": "2025-04-01", "accepted_at": "2025-04-05"}
    dues = [
        {"account_id": "a", "due_at": due, "amount": 100.0, "plan_id": "p", "known_at": "2025-04-05"}
        for due in ("2025-05-01", "2025-06-10")
    ]
    payments = [
        {"account_id": "a", "paid_at": "2025-04-01", "amount": 500.0},
        {"account_id": "a", "paid_at": "2025-05-02", "amount": paid},
    ]
    store = book(plans=[plan], instalments=dues, payments=payments)
    plans = open_plans(store, instant(AS_OF), valid_days=10)
    assert bool(plans.kept[0]) is kept
    assert plans.next_due[0] == instant("2025-06-10")


def test_an_offer_that_cannot_be_read_is_neither_repeated_nor_replaced():
    store = book(plans=[{**OFFER, "terms": "cinco cuotas"}])
    plans = open_plans(store, instant(AS_OF), valid_days=10)
    offers = _best(_cases(1, plans=plans))
    assert plans.unreadable[0]
    assert offers.rule[0] == "offer:unreadable"


def test_a_standing_offer_is_repeated_and_not_replaced():
    plans = open_plans(book(plans=[OFFER]), instant(AS_OF), valid_days=10)
    offers = _best(_cases(1, plans=plans))
    assert offers.terms[offers.term[0]] == plans.terms[0]
    assert offers.standing[0]
    assert offers.offered_at[0] == plans.offered_at[0]


@pytest.mark.parametrize(
    ("facts", "disposable"),
    [
        ([], np.nan),
        ([("income", "1000")], 400.0),
        ([("income", "1000"), ("expenses", "700")], 300.0),
        ([("income", "1000"), ("expenses", "1700")], 0.0),
        ([("income", "mil")], np.nan),
        ([("expenses", "700")], np.nan),
    ],
)
def test_disposable_income_comes_from_facts_in_force(facts, disposable):
    rows = [{"debtor_id": "d", "kind": k, "value": v, "from_at": "2025-01-01"} for k, v in facts]
    rows.append(
        {"debtor_id": "d", "kind": "income", "value": "9", "from_at": "2024-01-01", "until_at": "2024-06-01"}
    )
    found = disposable_income(book(facts=rows), instant(AS_OF), assumed_expenses=0.6)
    assert found == pytest.approx([disposable], nan_ok=True)


@pytest.mark.parametrize(
    "broken",
    [
        {"max_instalments": 0},
        {"menu_instalments": (24,)},
        {"bands": (0.5, 0.2)},
        {"max_discount": {"400+": 0.1}},
        {"max_discount": {"0": 1.0}},
        {"valid_days": 16, "first_due_days": 15},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(broken):
    with pytest.raises(ValidationError):
        OfferPolicy(**broken)


def test_a_missing_exposure_is_no_offer_value():
    offers = _best(_cases(1, exposure=np.array([MISSING_MONEY])))
    assert offers.increment[0] == 0.0


def test_a_debt_below_the_floor_is_asked_for_at_once_and_only_with_a_discount_by_an_offer():
    small = {"exposure": np.array([1_500]), "disposable": np.array([1_000.0])}
    without = _best(_cases(1, bucket=np.array([1], dtype=np.int8), **small))
    with_discount = _best(_cases(1, bucket=np.array([5], dtype=np.int8), **small))
    assert (without.term[0], without.rule[0]) == (-1, "offer:none")
    terms = with_discount.terms[with_discount.term[0]]
    assert (terms.instalments, terms.down_payment, terms.discount > 0) == (1, 0.0, True)


def test_unknown_income_is_never_asked_for_a_down_payment():
    policy = OfferPolicy(min_down_payment=0.2)
    assert _best(_cases(1), policy).rule[0] == "offer:unaffordable"
    assert _best(_cases(1, disposable=np.array([5_000.0])), policy).term[0] >= 0


def _offer(days_ago: int, **terms):
    day = np.datetime64(AS_OF) - days_ago
    return {**OFFER, "offered_at": str(day), "terms": json.dumps({"instalments": 5, **terms})}


@given(days_ago=st.integers(1, 25), first_due_days=st.integers(0, 25), valid_days=st.integers(1, 30))
def test_an_offer_is_repeated_only_while_every_part_of_it_is_still_to_come(
    days_ago, first_due_days, valid_days
):
    row = _offer(days_ago, first_due_days=first_due_days, valid_days=valid_days)
    plans = open_plans(book(plans=[row]), instant(AS_OF), valid_days=10)
    assert (plans.standing[0] >= 0) == (days_ago < min(first_due_days, valid_days))


@pytest.mark.parametrize(
    ("tables", "promised_on"),
    [
        ({}, 50_000_000),
        ({"payments": [{"account_id": "a", "paid_at": "2025-06-02", "amount": 1.0}]}, None),
        ({"payments": [{"account_id": "a", "paid_at": "2025-05-02", "amount": 1.0}]}, 49_999_900),
        (
            {
                "balances": [
                    {"account_id": "a", "known_at": "2025-05-01", "balance": 700.0},
                    {"account_id": "a", "known_at": "2025-06-01", "balance": 900.0},
                ]
            },
            70_000,
        ),
    ],
)
def test_an_offer_stands_on_what_was_promised_and_lapses_when_less_is_due(tables, promised_on):
    plans = open_plans(book(plans=[_offer(5)], **tables), instant(AS_OF), valid_days=10)
    assert (plans.standing[0] >= 0) == (promised_on is not None)
    assert plans.promised_on[0] == (promised_on or 0)
    if promised_on:
        assert _best(_cases(1, plans=plans)).exposure[0] == promised_on


def test_a_lapsed_offer_makes_room_for_a_new_one():
    plans = open_plans(book(plans=[_offer(5, first_due_days=3)]), instant(AS_OF), valid_days=10)
    offers = _best(_cases(1, plans=plans))
    assert offers.term[0] >= 0
    assert not offers.standing[0]
