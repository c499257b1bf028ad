from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import parse_instant
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import BundleError, ContractError, SchemaMismatch
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.models.plan.model import PlanModel
from recobro_score.models.plan.rows import PlanRows, burden, plan_rows
from recobro_score.models.snapshots import Snapshots
from recobro_score.policy.offers import (
    OfferCases,
    OfferPolicy,
    PriorTermScorer,
    TermKeys,
    TermScorer,
    best_offer,
)
from recobro_score.policy.plans import OpenPlans
from recobro_score.policy.terms import Terms
from recobro_score.timeline import Timeline
from tests.models.event_samples import FAST, Columns, draw

MENU = (Terms(1, discount=0.2), Terms(3), Terms(6, down_payment=0.1), Terms(12), Terms(24))
HAZARD = 0.06
KEYS = TermKeys(pa.array(["A00000", "A00003", "nobody"]), 0, np.array([1, 4, -1], dtype=np.int8))


def draw_plans(n: int = 3000, seed: int = 0, *, observed: int = 60, features: bool = True) -> PlanRows:
    """Offers of the last two years; plans break with a known hazard, and are seen for a while only.

    The features move acceptance and breaking; the hazard is flat over the months and the same for all terms.
    """
    rng = np.random.default_rng(seed)
    values, _, margin = draw(n, seed)
    lean = 0.5 * (margin - margin.mean())
    term = rng.integers(0, len(MENU), n)
    length = np.array([terms.instalments for terms in MENU])[term]
    waived = np.array([terms.discount for terms in MENU])[term]
    accepted = rng.random(n) < 1 / (1 + np.exp(1.0 - lean - 4.0 * waived))
    hazard = 1 / (1 + np.exp(-(np.log(HAZARD / (1 - HAZARD)) - lean)))
    breaks = rng.geometric(hazard)
    seen = rng.integers(0, observed, n)
    broken = accepted & (breaks <= np.minimum(length, seen))
    completed = accepted & ~broken & (breaks > length) & (seen >= length)
    kept = np.where(broken, breaks - 1, np.where(completed, length, np.minimum(seen, length - 1)))
    return PlanRows(
        plan_ids=np.array([f"P{i:06d}" for i in range(n)]),
        debtor=np.array([f"D{i // 2:06d}" for i in range(n)]),
        term=term,
        terms=MENU,
        bucket=rng.integers(-1, 6, n).astype(np.int8),
        burden=np.where(rng.random(n) < 0.3, np.nan, rng.uniform(0.05, 1.5, n)),
        values=values if features else None,
        accepted=np.where(rng.random(n) < 0.05, np.nan, accepted.astype(float)),
        taken=accepted,
        months=np.where(accepted, kept, 0),
        broken=broken,
        completed=completed,
    )


@pytest.fixture(scope="module")
def rows() -> PlanRows:
    return draw_plans()


@pytest.fixture(scope="module")
def model(rows: PlanRows) -> PlanModel:
    return PlanModel.fit(rows, schema=Columns(), options=FAST)


def matrix_of(n: int = 50, seed: int = 3) -> FeatureMatrix:
    ids = pa.array([f"A{i:05d}" for i in range(n)])
    return FeatureMatrix(ids, np.arange(n), np.zeros(n, dtype=np.int64), draw(n, seed)[0], Columns())


def test_heavy_censoring_biases_ended_plans_and_not_the_model() -> None:
    plans = draw_plans(6000, seed=5, observed=14, features=False)
    model = PlanModel.fit(plans)
    taken = plans.take(plans.taken)
    truth = {n: np.mean((1 - hazards_of(taken, 5)) ** n) for n in (12, 24)}
    for row in model.judge(plans).frame().to_dict("records"):
        n = row["instalments"]
        if n in truth:
            assert row["predicted"] == pytest.approx(truth[n], abs=0.07)
            assert row["predicted"] - row["decided"] > 0.1
            assert row["running"] > row["plans"] / 4


def hazards_of(plans: PlanRows, seed: int) -> np.ndarray:
    """The true hazards behind `draw_plans(6000, seed)`, of its plans."""
    _, _, margin = draw(6000, seed)
    lean = 0.5 * (margin - margin.mean())
    number = np.array([int(plan[1:]) for plan in plans.plan_ids])
    return (1 / (1 + np.exp(-(np.log(HAZARD / (1 - HAZARD)) - lean))))[number]


def test_kaplan_meier_and_the_model_agree_by_instalments(model: PlanModel) -> None:
    for row in model.validation.frame().to_dict("records"):
        if row["observed"] == row["observed"]:
            assert row["observed_low"] - 0.03 < row["predicted"] < row["observed_high"] + 0.03


def test_the_account_counts_where_there_are_enough_plans(model: PlanModel, rows: PlanRows) -> None:
    assert set(model.boosters) == {"accept", "break"}
    assert model.accept.coefficient("account") > 0.3
    assert model.breaks.coefficient("account") > 0.3
    whole = model.validation.acceptance.frame().set_index("group").loc["all"]
    assert whole["auc"] > 0.6
    assert abs(whole["slope"] - 1) < 0.3
    few = PlanModel.fit(rows.take(np.arange(400)), schema=Columns(), options=FAST)
    assert few.boosters == {}
    assert any("too few plans to learn from the accounts' features" in w for w in few.warnings)


def test_it_is_a_term_scorer_as_the_choice_of_offers_asks(model: PlanModel) -> None:
    scorer: TermScorer = model.scorer(
        matrix_of(),
        exposure=np.full(50, 100_000),
        digits=np.full(50, 2, dtype=np.int8),
        disposable=np.where(np.arange(50) % 2, np.nan, 400.0),
    )
    menu = OfferPolicy().menu()
    assert scorer.source == "log"
    for p in (scorer.p_accept(KEYS, menu), scorer.p_complete(KEYS, menu)):
        assert p.shape == (3, len(menu))
        assert p.dtype == np.float64
        assert ((p > 0) & (p < 1)).all()


def test_a_case_alone_has_the_bits_it_has_among_others(model: PlanModel) -> None:
    scorer = model.scorer(matrix_of(), exposure=np.full(50, 9_000), digits=np.zeros(50, dtype=np.int8))
    for ask in (scorer.p_accept, scorer.p_complete):
        batch = ask(KEYS, MENU)
        for row in range(3):
            keys = TermKeys(KEYS.account_ids.slice(row, 1), 0, KEYS.bucket[row : row + 1])
            for column, terms in enumerate(MENU):
                assert ask(keys, [terms])[0, 0] == batch[row, column]


def test_unknown_accounts_get_the_mean_margin_and_others_their_own(model: PlanModel) -> None:
    known, nobody = model.scorer(matrix_of()), model.scorer()
    one, other = known.p_complete(KEYS, MENU), nobody.p_complete(KEYS, MENU)
    assert (one[:2] != other[:2]).all()
    np.testing.assert_array_equal(one[2], other[2])


@settings(max_examples=20)
@given(waived=st.floats(0, 0.8), more=st.floats(0.001, 0.15), n=st.integers(1, 36))
def test_a_waiver_never_makes_terms_less_welcome(
    model: PlanModel, waived: float, more: float, n: int
) -> None:
    terms = [Terms(n, discount=waived), Terms(n, discount=waived + more)]
    p = model.scorer().p_accept(KEYS, terms)
    assert (p[:, 1] >= p[:, 0]).all()


def test_a_waiver_that_looks_unwelcome_is_not_believed() -> None:
    """Discounts went to debtors who never accept: the coefficient is held at nothing."""
    plans = draw_plans(2000, features=False)
    spoilt = np.where(plans.term == 0, 0.0, plans.accepted)
    model = PlanModel.fit(replace(plans, accepted=spoilt))
    assert model.accept.coefficient("discount") == 0.0


@settings(max_examples=20)
@given(months=st.integers(1, 40))
def test_keeping_a_plan_longer_is_never_likelier(model: PlanModel, months: int) -> None:
    odds = np.linspace(-6, 3, 19)
    one, more = model.breaks.kept(odds, months), model.breaks.kept(odds, months + 1)
    assert (more <= one).all()
    assert (np.diff(one) <= 0).all()
    assert ((one >= 0) & (one <= 1)).all()


def test_without_plans_it_says_what_the_assumptions_say_and_that_it_does(rows: PlanRows) -> None:
    model = PlanModel.fit(rows.take(np.arange(20)))
    assert model.facts.assumed == ("acceptance", "completion")
    assert sum("is assumed, not learned" in warning for warning in model.warnings) == 2
    assert model.validation is None
    scorer, prior = model.scorer(), PriorTermScorer()
    assert scorer.source == "prior"
    np.testing.assert_array_equal(scorer.p_accept(KEYS, MENU), prior.p_accept(KEYS, MENU))
    np.testing.assert_array_equal(scorer.p_complete(KEYS, MENU), prior.p_complete(KEYS, MENU))


def test_no_offer_at_all_is_no_error(rows: PlanRows) -> None:
    empty = PlanModel.fit(rows.take(np.zeros(0, dtype=np.int64)))
    assert empty.scorer().source == "prior"
    assert empty.facts.offers == 0


def test_few_plans_lean_on_the_assumptions_and_many_overrule_them() -> None:
    few, many = (PlanModel.fit(draw_plans(n, seed=2, features=False)) for n in (150, 4000))
    name = "log_instalments"
    prior = few.breaks.prior_mean[few.breaks.columns.index(name)]
    assert abs(few.breaks.coefficient(name) - prior) < abs(many.breaks.coefficient(name) - prior)
    assert abs(many.breaks.coefficient(name)) < 0.25
    frame = many.breaks.frame().set_index("column")
    assert frame.loc[name, "se"] < frame.loc[name, "prior_sd"]


def test_row_order_and_threads_change_no_byte(rows: PlanRows) -> None:
    part = rows.take(np.arange(700))
    mixed = part.take(np.random.default_rng(1).permutation(len(part)))
    one, two = (FAST.model_copy(update={"threads": threads, "trees": 3}) for threads in (1, 2))
    straight = PlanModel.fit(part, schema=Columns(), options=one)
    assert set(straight.boosters) == {"accept"}
    assert PlanModel.fit(mixed, schema=Columns(), options=two).to_files() == straight.to_files()


def test_a_model_read_from_files_is_the_same_model(rows: PlanRows, model: PlanModel) -> None:
    again = PlanModel.from_files(model.to_files(), Columns())
    assert again.model_id == model.model_id
    np.testing.assert_array_equal(again.completion(rows), model.completion(rows))
    np.testing.assert_array_equal(again.acceptance(rows), model.acceptance(rows))
    assert set(model.to_files()) == {"plan.json", "plan_accept.txt", "plan_break.txt"}
    bare = PlanModel.fit(replace(rows, values=None))
    assert PlanModel.from_files(bare.to_files()).model_id == bare.model_id


def test_files_of_another_kind_are_refused(model: PlanModel) -> None:
    files = model.to_files()
    with pytest.raises(BundleError, match=r"needs plan\.json"):
        PlanModel.from_files({})
    with pytest.raises(BundleError, match="format 7"):
        PlanModel.from_files(files | {"plan.json": '{"format": 7}'}, Columns())
    with pytest.raises(SchemaMismatch):
        PlanModel.from_files(files, replace(Columns(), hash="c" * 64))
    with pytest.raises(SchemaMismatch):
        PlanModel.from_files(files)
    with pytest.raises(BundleError, match=r"plan_break\.txt"):
        PlanModel.from_files({name: text for name, text in files.items() if "break" not in name}, Columns())


def test_features_of_another_schema_or_accounts_twice_are_refused(model: PlanModel) -> None:
    matrix = matrix_of()
    with pytest.raises(SchemaMismatch):
        model.scorer(replace(matrix, schema=replace(Columns(), hash="c" * 64)))
    with pytest.raises(ContractError, match="one row per account"):
        model.scorer(matrix.take(np.array([0, 0])))
    with pytest.raises(ContractError, match="exposure"):
        model.scorer(matrix, exposure=np.zeros(3, dtype=np.int64))


def test_impossible_rows_are_refused(rows: PlanRows) -> None:
    with pytest.raises(ContractError, match="both broken and completed"):
        replace(rows, broken=rows.completed)
    with pytest.raises(ContractError, match="one length"):
        replace(rows, months=rows.months[:5])


def test_burden_is_the_instalment_over_what_is_left_of_income() -> None:
    found = burden(
        Terms(3, down_payment=0.1),
        np.array([100_000, 100_000, 0]),
        np.full(3, 2, dtype=np.int8),
        np.array([600.0, np.nan, 600.0]),
    )
    assert found[0] == pytest.approx(300 / 600)
    assert np.isnan(found[1:]).all()


def day(text: str) -> int:
    return parse_instant(text, "UTC")


def portfolio_of(plans: list[dict[str, object]], contacts: list[dict[str, object]]) -> Portfolio:
    account = {
        "account_id": "A",
        "debtor_id": "D",
        "opened_at": "2024-01-01",
        "currency": "EUR",
        "country": "ES",
    }
    tables = {
        "accounts": pa.Table.from_pylist([account]),
        "payments": pa.Table.from_pylist([{"account_id": "A", "paid_at": "2024-02-01", "amount": 1.0}]),
        "plans": pa.Table.from_pylist([{"account_id": "A"} | plan for plan in plans]),
    }
    if contacts:
        tables["contacts"] = pa.Table.from_pylist([{"account_id": "A"} | contact for contact in contacts])
    return Portfolio.from_frames(tables)


THREE = '{"instalments": 3, "first_due_days": 30, "valid_days": 30}'


def read(plan: dict[str, object], until: str, *, contacts: list[dict[str, object]] | None = None) -> PlanRows:
    whole = {
        "plan_id": "P",
        "offered_at": "2025-01-05",
        "terms": THREE,
        "accepted_at": None,
        "ended_at": None,
    }
    portfolio = portfolio_of([whole | {"end_reason": None} | plan], contacts or [])
    timeline = Timeline.explicit(["2025-01-01"])
    seen = Snapshots.of(portfolio, timeline, features=FeatureSet.standard(), observed_until=day(until))
    return plan_rows(seen)


ACCEPTED = {"accepted_at": "2025-01-06"}
"""Parts fall due on 2025-02-05, 03-07 and 04-06; each is looked at 30 days later."""


@pytest.mark.parametrize(
    ("end", "until", "months", "broken", "completed"),
    [
        ({}, "2025-03-06", 0, False, False),
        ({}, "2025-03-08", 1, False, False),
        ({}, "2025-09-01", 2, False, False),
        ({"ended_at": "2025-03-20", "end_reason": "broken"}, "2025-04-01", 1, False, False),
        ({"ended_at": "2025-03-20", "end_reason": "broken"}, "2025-09-01", 1, True, False),
        ({"ended_at": "2025-03-20", "end_reason": "broken"}, "2025-03-15", 1, False, False),
        ({"ended_at": "2025-04-02", "end_reason": "completed"}, "2025-04-20", 2, False, False),
        ({"ended_at": "2025-04-02", "end_reason": "completed"}, "2025-09-01", 3, False, True),
        ({"ended_at": "2025-03-20", "end_reason": "replaced"}, "2025-09-01", 1, False, False),
    ],
)
def test_a_part_is_looked_at_when_its_grace_is_over(end, until, months, broken, completed) -> None:
    rows = read(ACCEPTED | end, until)
    assert rows.taken.all()
    assert (rows.months[0], rows.broken[0], rows.completed[0]) == (months, broken, completed)


@pytest.mark.parametrize(
    ("plan", "until", "answer"),
    [
        (ACCEPTED, "2025-01-20", None),
        (ACCEPTED, "2025-03-01", 1.0),
        ({}, "2025-01-20", None),
        ({}, "2025-03-01", 0.0),
    ],
)
def test_yes_and_no_count_once_the_offer_stands_no_more(plan, until: str, answer: float | None) -> None:
    rows = read(plan, until, contacts=[{"attempted_at": "2025-01-05", "channel": "call",
                                        "direction": "outbound", "outcome": "rpc"}])  # fmt: skip
    assert (None if np.isnan(rows.accepted[0]) else rows.accepted[0]) == answer


def test_an_offer_that_nobody_has_seen_says_nothing() -> None:
    silent = [
        {"attempted_at": "2025-01-05", "channel": "call", "direction": "outbound", "outcome": "no_answer"}
    ]
    assert np.isnan(read({}, "2025-03-01", contacts=silent).accepted[0])
    unlogged = read({}, "2025-03-01")
    assert unlogged.accepted[0] == 0.0
    assert "no contacts are recorded" in unlogged.notes[0]


def test_an_offer_far_from_any_snapshot_is_left_out_and_counted() -> None:
    rows = read({"offered_at": "2025-06-05"}, "2025-09-01")
    assert len(rows) == 0
    assert "1 of 1 offers are left out" in rows.notes[-1]


def test_counts_add_up(rows: PlanRows) -> None:
    table = rows.counts()
    assert table["offers"].sum() == len(rows)
    parts = table[["completed", "broken", "running"]].sum(axis=1)
    assert (parts == table["accepted"]).all()


def test_the_policy_offers_by_the_model(model: PlanModel) -> None:
    n = 50
    matrix = matrix_of(n)
    no, zero = np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64)
    cases = OfferCases(
        keys=TermKeys(matrix.account_ids, 0, np.full(n, 4, dtype=np.int8)),
        exposure=np.full(n, 100_000),
        digits=np.full(n, 2, dtype=np.int8),
        currency=np.full(n, "EUR", dtype=object),
        p_pay=np.full(n, 0.05),
        paid_share=np.full(n, 0.9),
        unpaid_share=np.zeros(n),
        disposable=np.full(n, np.nan),
        ability=np.full(n, np.nan),
        plans=OpenPlans(no, no, zero, np.full(n, -1, dtype=np.int64), zero, zero, zero, no, ()),
    )
    scorer = model.scorer(matrix)
    offers = best_offer(cases, policy=OfferPolicy(), scorer=scorer)
    made = np.flatnonzero(offers.term >= 0)
    assert made.size
    assert offers.source == scorer.source == "log"
    chosen = [offers.terms[code] for code in offers.term[made]]
    accept = scorer.p_accept(cases.keys, offers.terms)[made, offers.term[made]]
    np.testing.assert_array_equal(offers.p_accept[made], accept)
    assert all(terms in OfferPolicy().menu() for terms in chosen)
    assert len(set(np.round(offers.p_accept[made], 6))) > 1, "the accounts' own features must count"
