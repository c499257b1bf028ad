from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from recobro_score.errors import ContractError
from recobro_score.evaluation.logistic import Prior, fit_logistic
from recobro_score.evaluation.metrics import (
    base_rate,
    binary_report,
    brier,
    ece,
    ece_noise,
    log_loss,
    recalibrate,
    reliability_table,
)
from recobro_score.evaluation.plots import plot_lift, plot_reliability
from recobro_score.evaluation.ranking import lift_table
from recobro_score.evaluation.result import evaluate

mpl.use("Agg")


def drawn(n: int = 2000, seed: int = 0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and probabilities whose logit is `slope` times the true one."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-1, 1.2, n)
    return (rng.random(n) < expit(margin)).astype(float), expit(margin * slope)


def test_proper_scores_equal_scikit_learn() -> None:
    y, p = drawn()
    weight = np.random.default_rng(1).uniform(0.1, 2, y.size)
    for w in (None, weight):
        assert brier(y, p, weight=w).value == pytest.approx(
            brier_score_loss(y, p, sample_weight=w), abs=1e-14
        )
        assert log_loss(y, p, weight=w).value == pytest.approx(
            sklearn_log_loss(y, p, sample_weight=w), abs=1e-14
        )


def test_errors_of_means_are_the_textbook_ones() -> None:
    y, p = drawn(50)
    for estimate, terms in ((base_rate(y), y), (brier(y, p), (y - p) ** 2)):
        assert estimate.value == pytest.approx(terms.mean())
        assert estimate.se == pytest.approx(terms.std(ddof=1) / np.sqrt(50))


def test_certain_mistakes_cost_much_but_not_infinity() -> None:
    assert 30 < log_loss([1, 0], [0.0, 1.0]).value < 40


def test_recalibration_is_the_maximum_likelihood() -> None:
    y, p = drawn(800, slope=1.6)
    logit = np.log(p / (1 - p))

    def loss(at: np.ndarray) -> float:
        z = at[0] * logit + at[1]
        return float(np.sum(np.logaddexp(0, z) - y * z))

    best = minimize(loss, (1.0, 0.0), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    found = recalibrate(y, p)
    np.testing.assert_allclose([found.slope.value, found.intercept.value], best.x, atol=1e-6)


def test_recalibration_covers_the_truth_as_often_as_it_says() -> None:
    found = [recalibrate(*drawn(600, seed=seed, slope=2.0)) for seed in range(200)]
    inside = [abs(f.slope.value - 0.5) < 1.96 * f.slope.se for f in found]
    assert 0.9 < np.mean(inside) < 0.99


def test_weights_in_recalibration_act_as_copies() -> None:
    y, p = drawn(300)
    copies = np.random.default_rng(2).integers(0, 4, 300)
    one = recalibrate(y, p, weight=copies.astype(float))
    other = recalibrate(np.repeat(y, copies), np.repeat(p, copies))
    for a, b in ((one.slope, other.slope), (one.intercept, other.intercept)):
        np.testing.assert_allclose([a.value, a.se], [b.value, b.se], rtol=1e-8)


@pytest.mark.parametrize(
    ("y", "p", "note"),
    [
        ([], [], "no rows"),
        ([0, 0], [0.1, 0.2], "one class"),
        ([0, 1], [0.3, 0.3], "constant score"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], "separated"),
        ([0, 1, 1, 1], [0.4, 0.4, 0.2, 0.1], "separated"),
    ],
)
def test_recalibration_says_why_it_cannot(y: list[float], p: list[float], note: str) -> None:
    found = recalibrate(y, p)
    assert found.note == note
    assert np.isnan([found.slope.value, found.intercept.se]).all()


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=1, max_size=50), st.integers(1, 12))
def test_reliability_bins_hold_every_row_once(rows: list[tuple[int, int]], bins: int) -> None:
    y, p = np.array(rows, dtype=float).T
    table = reliability_table(y, p / 8, bins=bins)
    assert table["n"].sum() == y.size
    assert len(table) <= bins
    assert (table["share"] * table["observed"]).sum() == pytest.approx(y.mean())
    assert (table["share"] * table["predicted"]).sum() == pytest.approx(p.mean() / 8)
    assert (table["upper"].to_numpy()[:-1] < table["lower"].to_numpy()[1:]).all()
    inside = (table["observed_low"] <= table["observed"] + 1e-12) & (
        table["observed"] <= table["observed_high"] + 1e-12
    )
    assert inside.all()


def test_calibration_error_of_true_probabilities_is_noise_and_of_wrong_ones_is_not() -> None:
    errors = [(ece(*drawn(1000, seed=s)), ece_noise(*drawn(1000, seed=s))) for s in range(60)]
    assert np.mean([e for e, _ in errors]) == pytest.approx(np.mean([n for _, n in errors]), rel=0.1)
    y, p = drawn(1000, slope=3.0)
    assert ece(y, p) > 4 * ece_noise(y, p)


def test_report_has_a_row_per_group_and_one_for_all() -> None:
    y, p = drawn(3000)
    group = np.arange(3000) % 4 - 1
    group[5] = 9
    report = binary_report(y, p, group=group, names=("0", "1-30", "31-60", "61-90"), capacity=100)
    assert report["group"].tolist() == ["0", "1-30", "31-60", "61-90", "unknown", "all"]
    rows = report.set_index("group")
    assert rows.loc["61-90", "n"] == 0
    assert rows.loc["61-90", "note"] == "no rows"
    assert rows["n"].drop("all").sum() == rows.loc["all", "n"] == 3000
    assert rows.loc["all", "slope"] == pytest.approx(1, abs=0.2)
    part = group == 1
    assert rows.loc["1-30", "auc"] == binary_report(y[part], p[part]).loc[0, "auc"]


def test_small_and_one_sided_groups_give_notes_not_exceptions() -> None:
    y = np.array([0, 0, 0, 1, 0, 1, 1, 0], dtype=float)
    p = np.array([0.1, 0.1, 0.2, 0.9, 0.3, 0.3, 0.6, 0.5])
    notes = binary_report(y, p, group=["a", "a", "a", "b", "c", "c", "d", "d"]).set_index("group")["note"]
    assert notes["a"] == notes["b"] == "one class"
    assert notes["c"] == "constant score; few events: 1"
    assert notes["d"] == "separated; few events: 1"
    assert binary_report([], []).loc[0, "note"] == "no rows"


def test_probabilities_outside_the_unit_interval_are_refused() -> None:
    with pytest.raises(ContractError, match=r"2 of 3 probabilities lie outside \[0, 1\]"):
        brier([0, 1, 1], [-0.1, 0.5, 1.1])


def test_evaluation_judges_the_model_against_the_baseline() -> None:
    y, p = drawn(4000)
    worse = expit(np.log(p / (1 - p)) + np.random.default_rng(9).normal(size=y.size))
    group = (np.arange(4000) >= 60).astype(int)
    found = evaluate(y, p, held_out="test", baseline=worse, group=group, names=("0", "1-30"))
    verdict = found.frame().set_index("group")["verdict"]
    assert verdict.to_dict() == {"0": "not judged", "1-30": "model", "all": "model"}
    assert any("group 0:" in warning for warning in found.warnings)
    assert "AUC" in found.summary()
    assert "verdict" in found._repr_html_()
    turned = evaluate(y, worse, held_out="test", baseline=p)
    assert turned.frame().loc[0, "verdict"] == "baseline"
    assert evaluate(y, p, held_out="test").frame().loc[0, "verdict"] == "no baseline"


def test_evaluation_warns_of_wide_intervals_leaks_and_bad_calibration() -> None:
    y, p = drawn(800, slope=4.0)
    words = " | ".join(evaluate(y, p, held_out="test").warnings)
    assert "intervals are wide" in words
    assert "too extreme" in words
    assert "calibration error" in words
    leaked = np.clip(y * 0.9 + np.random.default_rng(0).uniform(0, 0.1, 800), 0, 1)
    assert "leakage" in " | ".join(evaluate(y, leaked, held_out="test").warnings)


@pytest.mark.parametrize("y", [[], [0.0, 0.0, 0.0], [1.0, 1.0]])
def test_evaluation_of_nothing_or_one_class_warns_instead_of_numbers(y: list[float]) -> None:
    found = evaluate(y, np.full(len(y), 0.5), held_out="test")
    assert "too few to judge" in " | ".join(found.warnings)
    assert "nan" in found.summary()
    assert found._repr_html_()


def test_newton_minimises_the_penalised_loss() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, 200))
    y = (rng.random(200) < expit(x[0])).astype(float)
    weight = rng.uniform(0, 2, 200)
    fit = fit_logistic((*x, np.ones(200)), y, weight, prior=Prior((1.0, 1.0, 0.0), (5.0, 0.0, 0.0)))

    def loss(at: np.ndarray) -> float:
        z = at[0] * x[0] + at[1] * x[1] + at[2]
        return float(np.sum(weight * (np.logaddexp(0, z) - y * z)) + 2.5 * (at[0] - 1) ** 2)

    assert fit.converged
    assert fit.loss == pytest.approx(loss(np.array(fit.coefficients)))
    for k in range(3):
        for step in (-1e-4, 1e-4):
            assert loss(np.array(fit.coefficients) + step * np.eye(3)[k]) > fit.loss


def test_newton_says_when_there_is_no_optimum() -> None:
    column, y = np.arange(6.0), np.array([0, 0, 0, 1, 1, 1], dtype=float)
    assert not fit_logistic((column, column, np.ones(6)), y, np.ones(6)).converged


def test_plots_draw_the_tables() -> None:
    from matplotlib import pyplot as plt

    y, p = drawn(500)
    axes = plot_reliability(reliability_table(y, p), label="model")
    assert plot_reliability(reliability_table([], []), ax=axes) is axes
    assert plot_lift(lift_table(y, p), label="model").get_xlabel().startswith("share")
    plt.close("all")
