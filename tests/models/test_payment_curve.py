from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recobro_score.errors import BundleError, ColumnNotFound, ConfigError, NotEnoughData
from recobro_score.features.label_matrix import LabelMatrix
from recobro_score.features.label_specs import LabelSpec
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.payment.cells import evaluate_cells
from recobro_score.models.payment.curve import CurveCell, PaymentCurve
from recobro_score.models.payment.grid import PaymentGrid, labels_of, payment_specs

HORIZONS, SHARES = (7, 30, 90), (0.1, 0.5, 1.0)
COEFFICIENTS = st.tuples(st.floats(0, 4), st.floats(0, 4), st.floats(-6, 6))
MARGINS = arrays(np.float64, st.integers(1, 25), elements=st.floats(-1e308, 1e308))
TABLE = tuple((0,) * 3 for _ in SHARES)


@st.composite
def curves(draw: st.DrawFn) -> PaymentCurve:
    """Draw any chain of increasing hazards."""
    hazards = [[Calibrator("beta", *draw(COEFFICIENTS), 9, 4) for _ in HORIZONS] for _ in SHARES]
    return PaymentCurve(HORIZONS, SHARES, tuple(map(tuple, hazards)), TABLE, TABLE)


def paid_when(n: int, seed: int = 0, *, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return margins and the day on which each share was reached, shape (n, shares); 999 is never."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-0.5, 1.2, n)
    day = rng.exponential(40, n) * np.exp(-0.7 * slope * margin)
    reached = np.column_stack([day, day + rng.exponential(15, n), day + rng.exponential(60, n)])
    return margin, np.maximum.accumulate(reached, axis=1)


def grid_of(reached: np.ndarray, horizons: tuple[int, ...] = HORIZONS) -> PaymentGrid:
    value = (reached[:, None, :] < np.array(horizons)[None, :, None]).astype(float)
    return PaymentGrid(horizons, SHARES, value)


@given(curves(), MARGINS)
def test_every_curve_is_coherent(curve: PaymentCurve, margin: np.ndarray) -> None:
    p = curve.probability(margin)
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p, axis=1) >= 0).all()
    assert (np.diff(p, axis=2) <= 0).all()


@given(curves(), MARGINS)
def test_every_cell_rises_with_the_margin(curve: PaymentCurve, margin: np.ndarray) -> None:
    p = curve.probability(np.sort(margin))
    assert (np.diff(p, axis=0) >= -1e-14).all()


@given(curves(), MARGINS)
def test_one_row_and_one_cell_have_the_bits_of_the_whole(curve: PaymentCurve, margin: np.ndarray) -> None:
    p = curve.probability(margin)
    for row in range(min(margin.size, 3)):
        np.testing.assert_array_equal(curve.probability(margin[row : row + 1])[0], p[row])
    for k, days in enumerate(HORIZONS):
        for j, share in enumerate(SHARES):
            cell = curve.cell(horizon_days=days, share=share)
            np.testing.assert_array_equal(cell.probability(margin), p[:, k, j])


@given(curves(), st.floats(-20, 20))
def test_the_chain_is_the_product_of_staying_away(curve: PaymentCurve, at: float) -> None:
    margin = np.array([at])
    p = curve.probability(margin)[0]
    hazard = np.array([[each.probability(margin)[0] for each in row] for row in curve.hazards])
    np.testing.assert_allclose(p[:, 0], 1 - np.cumprod(1 - hazard[0]), atol=1e-12)
    for j in (1, 2):
        for k in range(3):
            before = p[k - 1, j] if k else 0.0
            expected = (1 - hazard[j, k]) * before + hazard[j, k] * p[k, j - 1]
            assert p[k, j] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", ["beta", "platt"])
def test_a_fitted_curve_is_calibrated_in_every_cell(method: str) -> None:
    curve = PaymentCurve.fit(paid_when(20_000)[0], grid_of(paid_when(20_000)[1]), method=method)
    margin, reached = paid_when(20_000, seed=1)
    p, y = curve.probability(margin), grid_of(reached).value
    np.testing.assert_allclose(p.mean(axis=0), y.mean(axis=0), atol=0.015)
    upper = margin > np.median(margin)
    np.testing.assert_allclose(p[upper].mean(axis=0), y[upper].mean(axis=0), atol=0.03)
    assert curve.notes == ()


def test_each_horizon_has_a_slope_of_its_own() -> None:
    margin, reached = paid_when(20_000)
    flat = paid_when(20_000, seed=5, slope=0.0)[1]
    late = np.where(reached < 30, reached, 30 + flat)
    curve = PaymentCurve.fit(margin, grid_of(late), method="platt")
    slopes = curve.frame().set_index(["share", "horizon_days"])["a"]
    assert slopes[0.1, 30] > 0.5
    assert slopes[0.1, 90] < 0.15


def test_rows_whose_later_horizons_are_unknown_teach_the_earlier_ones() -> None:
    margin, reached = paid_when(6_000)
    grid = grid_of(reached)
    value = grid.value.copy()
    value[3_000:, 1:] = np.nan
    curve = PaymentCurve.fit(margin, PaymentGrid(HORIZONS, SHARES, value))
    whole = PaymentCurve.fit(margin, grid)
    half = PaymentCurve.fit(margin[:3_000], grid.take(np.arange(3_000)))
    assert [row[0] for row in curve.hazards] == [row[0] for row in whole.hazards]
    assert [row[1:] for row in curve.hazards] == [row[1:] for row in half.hazards]
    assert curve.known[0] == (6_000, 3_000, 3_000)


def test_censoring_that_hides_recent_rows_does_not_bend_the_curve() -> None:
    """Late horizons are known of a third of the rows only; counting the others as unpaid would halve them."""
    margin, reached = paid_when(30_000)
    grid = grid_of(reached)
    value = grid.value.copy()
    value[10_000:, 2] = np.nan
    p = PaymentCurve.fit(margin, PaymentGrid(HORIZONS, SHARES, value)).probability(margin)
    np.testing.assert_allclose(p.mean(axis=0), grid.value.mean(axis=0), atol=0.015)


def test_accounts_that_are_taken_back_because_they_paid_do_not_bend_the_curve() -> None:
    """Of those who paid within a month nobody knows the third: who is left pays less than all."""
    margin, reached = paid_when(30_000)
    truth = grid_of(reached).value
    value = truth.copy()
    gone = (reached[:, 0] < 30) & (np.random.default_rng(3).random(30_000) < 0.7)
    value[gone, 2] = np.nan
    grid = PaymentGrid(HORIZONS, SHARES, value)
    p = PaymentCurve.fit(margin, grid).probability(margin)
    assert np.nanmean(value[:, 2, 0]) < truth[:, 2, 0].mean() - 0.05
    np.testing.assert_allclose(p[:, :, 0].mean(axis=0), truth[:, :, 0].mean(axis=0), atol=0.01)
    found = evaluate_cells(p, grid)
    row = found.frame().set_index(["horizon_days", "share"]).loc[(90, 0.1)]
    assert (row["left_out"], row["left_out_paid"]) == (gone.sum(), 1.0)
    assert any("10% in 90 days" in warning and "cannot be judged" in warning for warning in found.warnings)
    assert not evaluate_cells(p, grid_of(reached)).warnings


def test_money_that_was_taken_back_keeps_the_level_of_every_cell() -> None:
    margin, reached = paid_when(20_000)
    value = grid_of(reached).value
    back = (np.random.default_rng(2).random(20_000) < 0.2) & (reached[:, 0] < 7)
    value[back, 1:] = 0.0
    p = PaymentCurve.fit(margin, PaymentGrid(HORIZONS, SHARES, value)).probability(margin)
    np.testing.assert_allclose(p.mean(axis=0), value.mean(axis=0), atol=0.012)


def test_thin_intervals_lean_on_the_others_and_say_so() -> None:
    margin, reached = paid_when(1_500)
    value = grid_of(reached).value
    value[60:, 2] = np.nan
    curve = PaymentCurve.fit(margin, PaymentGrid(HORIZONS, SHARES, value))
    thin = curve.hazards[0][2]
    assert "10% in days 30 to 90" in thin.note
    assert thin.a == thin.b == pytest.approx(curve.hazards[1][2].a, abs=2.0)
    assert thin.note in curve.notes
    assert curve.cell(horizon_days=30, share=0.1).note == ""
    assert thin.note in curve.cell(horizon_days=90, share=0.1).note


def test_shares_that_are_always_reached_together_are_one_curve() -> None:
    margin, reached = paid_when(2_000)
    same = np.repeat(reached[:, :1], 3, axis=1)
    p = PaymentCurve.fit(margin, grid_of(same)).probability(margin)
    np.testing.assert_allclose(p[:, :, 1], p[:, :, 0], rtol=0.02)
    assert (p[:, :, 1] <= p[:, :, 0]).all()


def test_a_horizon_that_nobody_knows_is_refused_or_left_out() -> None:
    margin, reached = paid_when(500)
    value = grid_of(reached).value
    value[:, 2] = np.nan
    grid = PaymentGrid(HORIZONS, SHARES, value)
    with pytest.raises(NotEnoughData, match=r"\[500, 500, 0\]"):
        PaymentCurve.fit(margin, grid)
    assert grid.matured().horizons == (7, 30)
    assert grid.matured(always=(90,)).horizons == HORIZONS
    assert PaymentCurve.fit(margin, grid.matured()).horizons == (7, 30)


def test_state_survives_json_with_every_bit() -> None:
    margin, reached = paid_when(800)
    cell = PaymentCurve.fit(margin, grid_of(reached)).cell(horizon_days=30, share=0.5)
    again = CurveCell.from_state(json.loads(json.dumps(cell.to_state())))
    assert again == cell
    assert (again.rows, again.events) == (800, int((reached[:, 1] < 30).sum()))
    np.testing.assert_array_equal(again.curve.probability(margin), cell.curve.probability(margin))


@pytest.mark.parametrize("change", [{"horizon": 3}, {"share": -1}, {"more": 1}])
def test_a_cell_that_the_curve_has_not_is_refused(change: dict) -> None:
    margin, reached = paid_when(800)
    curve = PaymentCurve.fit(margin, grid_of(reached))
    with pytest.raises(BundleError, match="cell"):
        CurveCell.from_state(curve.cell(horizon_days=30, share=0.5).to_state() | change)
    with pytest.raises(ColumnNotFound, match=r"0\.2 within 30"):
        curve.cell(horizon_days=30, share=0.2)
    for broken in ({"horizons": [30, 7, 90]}, {"shares": [0.1, 0.5]}, {"more": 1}):
        with pytest.raises(BundleError, match="curve"):
            PaymentCurve.from_state(curve.to_state() | broken)


def label_matrix(specs: tuple[LabelSpec, ...]) -> LabelMatrix:
    n = 4
    value = np.tile(np.arange(len(specs), dtype=float), (n, 1))
    zeros = np.zeros(n, dtype=np.int64)
    known = np.zeros(value.shape, dtype=np.int8)
    codes = np.zeros(n, dtype=np.int8)
    return LabelMatrix(np.arange(n), zeros, value, known, zeros + 100, codes, codes + 2, specs)


def test_a_grid_is_read_from_labels_in_any_order() -> None:
    specs = payment_specs((30, 7), (1.0, 0.5))
    grid = PaymentGrid.of(label_matrix(specs))
    assert (grid.horizons, grid.shares) == ((7, 30), (0.5, 1.0))
    for (k, days), (j, share) in [((0, 7), (1, 1.0)), ((1, 30), (0, 0.5))]:
        place = [(spec.horizon_days, spec.share) for spec in specs].index((days, share))
        assert (grid.value[:, k, j] == place).all()
    assert grid.only((30,), (0.5,)).value.shape == (4, 1, 1)
    with pytest.raises(ColumnNotFound, match="without"):
        grid.only((60,), (0.5,))


def test_a_grid_with_holes_is_refused_with_their_names() -> None:
    with pytest.raises(ConfigError, match=r"0\.5 in 30 days"):
        PaymentGrid.of(label_matrix((*payment_specs((7,), (0.5, 1.0)), LabelSpec("pays", 30, share=1.0))))
    with pytest.raises(ConfigError, match="missing: all"):
        PaymentGrid.of(label_matrix((LabelSpec("rpc", 30),)))


def test_one_cell_of_a_label_matrix_knows_the_amounts() -> None:
    labels = label_matrix(payment_specs((7, 30), (0.5,)))
    found = labels_of(labels, horizon_days=30, share=0.5)
    assert found.value.tolist() == [1.0] * 4
    assert found.recovered.tolist() == [300] * 4
