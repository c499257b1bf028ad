"""Every model's ``evaluate(portfolio, timeline)``: the same arguments, a report of the same family."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.amounts import AmountEvaluation
from recobro_score.evaluation.plots import (
    plot_amounts,
    plot_gain,
    plot_months,
    plot_reliability,
    plot_rivals,
)
from recobro_score.features.labels import payment_labels
from recobro_score.features.pipeline import compute
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.early_warning import EarlyWarningModel
from recobro_score.models.plan.model import PlanModel
from recobro_score.models.plan.rows import plan_rows
from recobro_score.models.promise.model import PromiseModel
from recobro_score.models.promise.rows import calls_kept, calls_reached, promises_made
from recobro_score.models.recovery.model import RecoveryModel
from recobro_score.models.recovery.report import Breakdown
from recobro_score.models.report import ChainReport, ModelReport
from recobro_score.models.snapshots import Snapshots
from recobro_score.simulate.portfolio import simulate_portfolio
from recobro_score.timeline import Timeline

FAST = BoosterOptions(trees=12, learning_rate=0.2, leaves=5, min_leaf=30)
FIRST = 10
"""Period from which on nothing was learned."""


@cache
def world() -> tuple[Portfolio, Timeline, Timeline, int]:
    """Return a portfolio, the snapshots to learn from, those to judge on, and where learning ended."""
    simulation = simulate_portfolio(1_500, seed=5)
    zone = simulation.scenario.span.time_zone
    portfolio = Portfolio.from_frames(dict(simulation.tables), options=PortfolioOptions(time_zone=zone))
    starts = simulation.period_starts
    past, later = Timeline(starts[3:FIRST], zone), Timeline(starts[FIRST : FIRST + 3], zone)
    return portfolio, past, later, starts[FIRST]


@cache
def recovery() -> tuple[RecoveryModel, ModelReport]:
    portfolio, past, later, until = world()
    model = RecoveryModel.from_portfolio(portfolio, past, observed_until=until, options=FAST)
    return model, model.evaluate(portfolio, later)


@cache
def promises() -> tuple[PromiseModel, ChainReport]:
    portfolio, past, later, until = world()
    model = PromiseModel.from_portfolio(portfolio, past, observed_until=until, options=FAST)
    return model, model.evaluate(portfolio, later)


@cache
def plans() -> tuple[PlanModel, ChainReport]:
    portfolio, past, later, until = world()
    model = PlanModel.from_portfolio(portfolio, past, observed_until=until, options=FAST)
    return model, model.evaluate(portfolio, later)


def seen_later() -> Snapshots:
    portfolio, _, later, _ = world()
    return Snapshots.of(portfolio, later)


def complete(report: ModelReport) -> None:
    """Check what every report has."""
    assert {"logistic regression", "scorecard"} < set(report.rivals["rival"])
    assert list(report.winners()["group"]) == list(dict.fromkeys(report.rivals["group"]))
    assert {"model", "perfect", "random"} < set(report.gain["list"])
    debtors = report.debtors.groupby("group")["n"].sum()
    assert debtors["learned from"] + debtors["new"] == debtors["all"]
    assert not any("no test" in warning for warning in report.warnings)
    assert repr(report) == report.summary()
    assert "<table" in report._repr_html_()


def test_amounts_are_judged_in_money_per_currency_and_bucket() -> None:
    model, report = recovery()
    complete(report)
    assert isinstance(report.evaluation, AmountEvaluation)
    portfolio, _, later, _ = world()
    store, as_ofs = portfolio.store, np.array(later.as_ofs)
    labels = payment_labels(
        store, as_ofs, share=0.5, horizon_days=30, observed_until=portfolio.observed_until(None)
    )
    seen = seen_later()
    same = model.judge(
        compute(model.booster.schema, store, as_ofs),
        labels,
        by=Breakdown(seen.bucket, seen.currency, seen.debtor),
    )
    columns = ["currency", "group", "n", "recovered", "expected", "ratio", "ratio_se", "covered"]
    assert report.frame()[columns].equals(same.frame()[columns])
    whole = report.frame().query("group == 'all'")
    assert report.months["n"].sum() == whole["n"].sum()
    assert report.months["recovered"].sum() == pytest.approx(whole["recovered"].sum())
    assert np.isfinite(whole["baseline_rmse"]).all()


def test_amounts_need_nothing_that_is_not_saved() -> None:
    model, report = recovery()
    portfolio, _, later, _ = world()
    again = RecoveryModel.from_files(model.to_files(), model.booster.schema).evaluate(portfolio, later)
    assert again.frame().equals(report.frame())
    assert again.rivals.equals(report.rivals)


def test_every_table_of_a_report_can_be_drawn() -> None:
    _, report = recovery()
    ax = plot_months(report.months, metric="ratio")
    currencies = report.months["currency"].unique().tolist()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == currencies
    for draw, table in (
        (plot_gain, report.gain),
        (plot_rivals, report.rivals),
        (plot_amounts, report.evaluation.deciles),
        (plot_months, plans()[1]["acceptance"].months),
        (plot_reliability, promises()[1]["both"].evaluation.reliability),
    ):
        assert draw(table).has_data()


def test_money_curves_stand_where_there_is_one_currency() -> None:
    model, _ = recovery()
    portfolio, _, later, _ = world()
    code = portfolio.store.vocabularies["accounts.currency"].index("COP")
    rows = np.flatnonzero(portfolio.store.accounts["currency"] == code)
    gain = model.evaluate(_only(portfolio, rows), later).gain.set_index(["list", "share"])["money"]
    halfway = {name: gain[name, 0.5] for name in ("expected amount", "model", "perfect", "random")}
    assert halfway["perfect"] >= halfway["expected amount"] > halfway["random"] == 0.5


def _only(portfolio: Portfolio, rows: np.ndarray) -> Portfolio:
    return replace(portfolio, store=portfolio.store.take(rows))


def test_each_link_of_a_promise_is_judged_given_the_one_before() -> None:
    model, report = promises()
    assert list(report.parts) == ["promised", "kept", "both"]
    for part in report.parts.values():
        complete(part)
    seen = seen_later()
    until, matrix = seen.observed_until, seen.matrix
    asked = {
        "promised": calls_reached(seen.store, matrix, observed_until=until),
        "kept": promises_made(seen.store, matrix, model.rule, observed_until=until),
        "both": calls_kept(seen.store, matrix, model.rule, observed_until=until),
    }
    for part, rows in asked.items():
        mine = rows.known & (rows.agent >= 0)
        found = report[part].frame().set_index("group").loc["all"]
        assert (found["n"], found["events"]) == (mine.sum(), rows.value[mine].sum())
    calls = asked["promised"]
    mine = np.flatnonzero(calls.known & (calls.agent >= 0))
    link = [
        model.promised.score(matrix.take(calls.row[i : i + 1]), seen.bucket[calls.row[i : i + 1]], agent)
        for i, agent in zip(mine[:40], calls.agent[mine[:40]], strict=True)
    ]
    p = model.promised.of_events(matrix, seen.bucket, calls.row[mine], calls.agent[mine])
    assert p[:40].tolist() == [each.probability[0] for each in link]
    assert report["promised"].frame().iloc[-1]["predicted"] == pytest.approx(p.mean())
    agents = report["kept"].more["By who calls"].set_index("group")
    assert agents.loc["bot", "n"] + agents.loc["human", "n"] == agents.loc["all", "n"]


def test_a_promise_kept_is_a_promise_made() -> None:
    model, _ = promises()
    seen = seen_later()
    made = calls_reached(seen.store, seen.matrix, observed_until=seen.observed_until)
    both = calls_kept(seen.store, seen.matrix, model.rule, observed_until=seen.observed_until)
    assert np.array_equal(made.row, both.row)
    known = both.known
    assert (both.value[known] <= made.value[known]).all()
    assert (made.value[made.known & ~known] == 1).all()
    assert 0 < both.value[known].sum() < made.value[known].sum()


def test_plans_are_judged_month_by_month_and_running_ones_are_neither_kept_nor_broken() -> None:
    model, report = plans()
    assert list(report.parts) == ["acceptance", "completion"]
    for part in report.parts.values():
        complete(part)
    rows = plan_rows(seen_later())
    judged = model.judge(rows)
    acceptance = report["acceptance"].frame()[["group", "n", "events", "predicted", "auc"]]
    assert acceptance.equals(judged.acceptance.frame()[acceptance.columns])
    taken = rows.take(rows.taken)
    whole = report["completion"].frame().set_index("group").loc["all"]
    assert whole["n"] == taken.months.sum() + taken.broken.sum()
    assert whole["events"] == taken.broken.sum()
    running = ~(taken.broken | taken.completed)
    assert running.any()
    kept = report["completion"].more["Kept to the end, running plans censored"]
    assert kept.equals(judged.frame())


def test_a_month_of_a_plan_says_the_same_however_long_it_is_watched() -> None:
    """Watching longer adds months; it turns none of those seen before around."""
    portfolio, _, later, _ = world()
    ends = [portfolio.observed_until(None) - 40 * 86_400_000_000, portfolio.observed_until(None)]
    short, long = (plan_rows(Snapshots.of(portfolio, later, observed_until=end)) for end in ends)
    at = {plan: place for place, plan in enumerate(long.plan_ids)}
    for place in np.flatnonzero(short.taken):
        again = at[short.plan_ids[place]]
        assert long.months[again] >= short.months[place]
        if short.broken[place]:
            assert (long.broken[again], long.months[again]) == (True, short.months[place])


def test_parts_stand_below_each_other() -> None:
    _, report = plans()
    frame = report.frame()
    assert next(iter(frame)) == "part"
    assert list(dict.fromkeys(frame["part"])) == ["acceptance", "completion"]
    assert set(report.winners()["part"]) == {"acceptance", "completion"}
    assert any(warning.startswith("acceptance: ") for warning in report.warnings)
    assert len(report.warnings) == len(set(report.warnings))
    assert repr(report) == report.summary()
    assert report._repr_html_().count("<b>") == 3


def test_snapshots_that_were_learned_from_are_no_test() -> None:
    portfolio, past, _, _ = world()
    for model, _ in (recovery(), promises(), plans()):
        report = model.evaluate(portfolio, past)
        assert any("the model learned from: no test" in warning for warning in report.warnings)


def test_nothing_to_judge_by_is_an_error_that_says_so() -> None:
    portfolio, _, later, _ = world()
    end = Timeline((portfolio.observed_until(None),), later.time_zone)
    for model, _ in (recovery(), promises(), plans()):
        with pytest.raises(NotEnoughData, match="none of the"):
            model.evaluate(portfolio, end)


def test_reports_of_events_can_be_weighted() -> None:
    portfolio, past, later, until = world()
    options = BoosterOptions(trees=8, leaves=5)
    model = EarlyWarningModel.from_portfolio(
        portfolio, past, observed_until=until, options=options, weights=lambda seen: seen.recency(60)
    )
    plain = EarlyWarningModel.from_portfolio(portfolio, past, observed_until=until, options=options)
    assert model.scorer.event.booster.text != plain.scorer.event.booster.text
    last = model.evaluate(
        portfolio, later, weights=lambda seen: (seen.matrix.as_of == later.as_ofs[1]).astype(float)
    )
    alone = model.evaluate(portfolio, Timeline(later.as_ofs[1:2], later.time_zone))
    columns = ["group", "n", "events", "auc", "log_loss", "slope", "ece", "lift"]
    assert last.frame()[columns].equals(alone.frame()[columns])


def test_recency_halves_with_age() -> None:
    seen = seen_later()
    weights = seen.recency(30)
    age = (max(seen.timeline.as_ofs) - seen.matrix.as_of) / 86_400_000_000
    assert weights.max() == 1.0
    np.testing.assert_allclose(np.log2(weights), -age / 30)
