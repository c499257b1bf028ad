"""The report judges what it is given, beside rivals that learned what the model learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recobro_score.bundle import Bundle
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import account_state
from recobro_score.errors import NotEnoughData
from recobro_score.features.label_specs import LabelSpec
from recobro_score.features.labels import payment_labels
from recobro_score.features.pipeline import compute
from recobro_score.models.event_report import report_on
from recobro_score.models.report import ModelReport
from recobro_score.models.rivals import LOGISTIC, SCORECARD
from recobro_score.timeline import Timeline
from tests.models.event_samples import draw


@pytest.fixture(scope="module")
def bundle(small_bundle) -> Bundle:
    return Bundle.load(small_bundle)


@pytest.fixture(scope="module")
def portfolio(small_simulation) -> Portfolio:
    zone = small_simulation.scenario.span.time_zone
    return Portfolio.from_frames(dict(small_simulation.tables), options=PortfolioOptions(time_zone=zone))


@pytest.fixture(scope="module")
def later(small_simulation) -> tuple[int, ...]:
    return tuple(small_simulation.period_starts[-3:-1])


def judge(bundle: Bundle, portfolio: Portfolio, as_ofs, simulation, **asked) -> ModelReport:
    target = bundle.payment.target
    return report_on(
        bundle.payment.scorer,
        portfolio,
        Timeline(tuple(as_ofs), "UTC"),
        spec=LabelSpec("pays", target.horizon_days, share=target.share),
        observed_until=simulation.observed_until,
        **asked,
    )


@pytest.fixture(scope="module")
def report(bundle, portfolio, later, small_simulation) -> ModelReport:
    return judge(bundle, portfolio, later, small_simulation)


def test_it_says_what_the_model_says_of_the_same_pairs(
    report, bundle, portfolio, later, small_simulation
) -> None:
    as_ofs = np.array(later)
    target = bundle.payment.target
    labels = payment_labels(
        portfolio.store,
        as_ofs,
        share=target.share,
        horizon_days=target.horizon_days,
        observed_until=small_simulation.observed_until,
    )
    matrix = compute(bundle.schema, portfolio.store, as_ofs)
    other = bundle.payment.judge(matrix, labels, account_state(portfolio.store, as_ofs).bucket)
    columns = ["group", "n", "events", "auc", "brier", "slope", "ece"]
    assert report.frame()[columns].equals(other.frame()[columns])
    assert report.months["n"].sum() == report.frame().set_index("group").loc["all", "n"]


def test_rivals_learn_from_the_months_of_the_model_alone(
    report, bundle, portfolio, later, small_simulation
) -> None:
    assert {LOGISTIC, SCORECARD} < set(report.rivals["rival"])
    assert report.rivals["rival"].str.endswith(" alone").sum() == report.rivals["group"].nunique()
    one_month = judge(bundle, portfolio, later[-1:], small_simulation)
    assert one_month.scorecard == report.scorecard
    assert one_month.singles.equals(report.singles)
    assert report.winners()["group"].tolist() == list(dict.fromkeys(report.rivals["group"]))


def test_months_already_learned_from_are_no_test(bundle, portfolio, small_simulation) -> None:
    seen = judge(bundle, portfolio, bundle.payment.facts.train, small_simulation)
    assert any("no test" in warning for warning in seen.warnings)


def test_without_the_history_there_are_no_rivals_and_it_says_so(
    bundle, portfolio, later, small_simulation
) -> None:
    scorer = bundle.payment.scorer
    elsewhere = replace(scorer, facts=replace(scorer.facts, train=(0,), calibration=()))
    strange = replace(bundle, payment=replace(bundle.payment, scorer=elsewhere))
    found = judge(strange, portfolio, later, small_simulation)
    assert found.rivals.empty
    assert found.scorecard is None
    assert any("no rivals" in warning for warning in found.warnings)
    assert (
        "no baseline" in found.summary() or found.frame()["verdict"].isin(["no baseline", "not judged"]).all()
    )


def test_money_is_counted_in_one_currency_only(report, bundle, portfolio, later, small_simulation) -> None:
    assert "money" not in report.gain.columns
    code = portfolio.store.vocabularies["accounts.currency"].index("COP")
    one = replace(
        portfolio, store=portfolio.store.take(np.flatnonzero(portfolio.store.accounts["currency"] == code))
    )
    gain = judge(bundle, one, later, small_simulation).gain
    assert gain.loc[gain["list"] == "perfect", "money"].iloc[-1] == pytest.approx(1.0)


def test_buckets_can_be_chosen(bundle, portfolio, later, small_simulation) -> None:
    early = judge(bundle, portfolio, later, small_simulation, buckets=("1-30",))
    table = early.frame().set_index("group")
    assert table.loc["1-30", "n"] == table.loc["all", "n"] > 0


def test_a_month_without_known_outcomes_is_refused(bundle, portfolio, small_simulation) -> None:
    with pytest.raises(NotEnoughData, match="none of the 1 as-ofs"):
        judge(bundle, portfolio, [small_simulation.observed_until], small_simulation)


def test_it_shows_itself(report) -> None:
    page = report._repr_html_()
    assert "pays_50_in_30d" in page
    assert "scorecard" in page
    assert repr(report) == report.summary()


def test_a_model_reports_on_a_portfolio_itself(report, bundle, portfolio, later, small_simulation) -> None:
    found = bundle.payment.evaluate(
        portfolio, Timeline(later, "UTC"), observed_until=small_simulation.observed_until
    )
    assert found.frame().equals(report.frame())
    assert found.rivals.equals(report.rivals)


def test_its_options_train_a_classifier_over_a_plain_table(bundle) -> None:
    model = bundle.payment.as_sklearn()
    values, y, _ = draw(400)
    model.fit(values[:, :2], y)
    assert model.options.trees == bundle.payment.scorer.options.trees
    assert model.predict_proba(values[:5, :2]).shape == (5, 2)
