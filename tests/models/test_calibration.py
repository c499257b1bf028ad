from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from recobro_score.errors import BundleError, ContractError
from recobro_score.evaluation.metrics import log_loss, recalibrate
from recobro_score.models.calibration.calibrator import Calibrator

FINITE = st.floats(-1e308, 1e308)
SLOPES = st.tuples(st.floats(0, 5), st.floats(0, 5)).filter(lambda ab: sum(ab) > 0.05)


def drawn(n: int = 3000, seed: int = 0, level: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and their true margin."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(level, 1.3, n)
    return margin, (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(float)


@pytest.mark.parametrize("method", ["beta", "platt"])
@pytest.mark.parametrize(
    "distort", [lambda m: 4 * m, lambda m: m / 5 + 2, lambda m: m + np.where(m > 0, m, 0)]
)
def test_a_badly_scaled_margin_is_repaired(method: str, distort) -> None:
    margin, y = drawn()
    other, truth = drawn(20_000, seed=1)
    found = Calibrator.fit(distort(margin), y, method=method)
    before, after = 1 / (1 + np.exp(-distort(other))), found.probability(distort(other))
    assert found.method == method
    assert log_loss(truth, after).value < log_loss(truth, before).value - 0.005
    assert log_loss(truth, after).value < log_loss(truth, 1 / (1 + np.exp(-other))).value + 0.01
    assert recalibrate(truth, after).slope.value == pytest.approx(1, abs=0.15)


def test_a_calibrated_margin_stays_as_it_is() -> None:
    margin, y = drawn(30_000)
    found = Calibrator.fit(margin, y)
    np.testing.assert_allclose(found.probability(margin), 1 / (1 + np.exp(-margin)), atol=0.015)


@given(st.integers(0, 10_000), st.sampled_from([0.05, 1.0, -1.0, 8.0]))
def test_beta_is_the_best_increasing_map(seed: int, scale: float) -> None:
    margin, y = drawn(200, seed=seed)
    margin = margin * scale
    found = Calibrator.fit(margin, y)
    columns = -np.logaddexp(0, -margin), np.logaddexp(0, margin)

    def loss(at: np.ndarray) -> float:
        z = at[0] * columns[0] + at[1] * columns[1] + at[2]
        return float(np.sum(np.logaddexp(0, z) - y * z) + 0.5 * np.sum((at[:2] - 1) ** 2))

    best = minimize(loss, (1.0, 1.0, 0.0), bounds=[(0, None), (0, None), (None, None)], method="L-BFGS-B")
    if found.method == "beta":
        assert loss(np.array([found.a, found.b, found.c])) <= best.fun + 1e-7
    else:
        assert best.x[:2] == pytest.approx((0, 0), abs=1e-4)


@given(
    st.lists(FINITE, min_size=2, max_size=30), SLOPES, st.floats(-5, 5), st.sampled_from(["beta", "platt"])
)
def test_probabilities_never_fall_as_margins_rise(margins, slopes, level: float, method: str) -> None:
    a, b = slopes if method == "beta" else (slopes[0] + 0.1,) * 2
    p = Calibrator(method, a, b, level, 100, 50).probability(np.sort(np.array(margins)))
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p) >= -1e-15).all()


@given(SLOPES, st.floats(-4, 4))
def test_order_is_kept_strictly_where_margins_can_be_told_apart(slopes, level: float) -> None:
    a, b = (max(slope, 0.05) for slope in slopes)
    p = Calibrator("beta", a, b, level, 100, 50).probability(np.arange(-6, 6, 1e-3))
    steps = np.diff(p)
    assert (steps[(p[:-1] > 1e-12) & (p[1:] < 1 - 1e-9)] > 0).all()


@given(st.lists(FINITE, min_size=1, max_size=40), SLOPES)
def test_one_row_has_the_bits_it_has_in_a_batch(margins, slopes) -> None:
    margin = np.array(margins)
    found = Calibrator("beta", *slopes, 0.3, 100, 50)
    batch = found.probability(margin)
    np.testing.assert_array_equal(
        [found.probability(margin[i : i + 1])[0] for i in range(margin.size)], batch
    )
    np.testing.assert_array_equal(found.probability(np.repeat(margin, 3)[::3]), batch)


def test_margins_without_end_give_probabilities() -> None:
    for method in ("beta", "platt", "intercept", "identity"):
        found = Calibrator(method, 2.0, 3.0, -1.0, 100, 50)
        p = found.probability(np.array([-np.inf, -1e300, -1e4, 0.0, 1e4, 1e300, np.inf]))
        assert np.isfinite(p).all()
        assert p[0] < 1e-12
        assert p[-1] == 1


@pytest.mark.parametrize("method", ["beta", "platt"])
def test_too_little_data_fits_only_the_level_and_says_so(method: str) -> None:
    margin, y = drawn(40)
    few = Calibrator.fit(margin + 2, y, method=method)
    assert few.method == "intercept"
    assert not few.is_full
    assert "40 rows" in few.note
    assert few.probability(margin + 2).mean() == pytest.approx(y.mean())
    rare = np.zeros(500)
    rare[:9] = 1
    assert "9 events" in Calibrator.fit(np.linspace(-1, 1, 500), rare).note


@pytest.mark.parametrize("y", [np.zeros(200), np.ones(200), np.zeros(0)])
def test_one_class_is_left_as_it_is_and_says_so(y: np.ndarray) -> None:
    margin = np.linspace(-3, 3, y.size)
    found = Calibrator.fit(margin, y)
    assert found.method == "identity"
    assert "not calibrated" in found.note
    np.testing.assert_allclose(found.probability(margin), 1 / (1 + np.exp(-margin)))


@pytest.mark.parametrize("method", ["beta", "platt"])
def test_a_margin_that_orders_backwards_is_never_turned_around(method: str) -> None:
    margin, y = drawn()
    found = Calibrator.fit(-margin, y, method=method)
    p = found.probability(np.array([-3.0, 3.0]))
    assert found.method == "flat"
    assert "orders nothing" in found.note
    assert p[0] < y.mean() < p[1] < p[0] + 0.03


def test_separable_rows_have_a_finite_optimum() -> None:
    margin = np.linspace(-3, 3, 200)
    found = Calibrator.fit(margin, (margin > 0).astype(float))
    assert found.method == "beta"
    assert np.isfinite([found.a, found.b, found.c]).all()


def test_weights_act_as_copies() -> None:
    margin, y = drawn(400)
    copies = np.random.default_rng(0).integers(0, 4, 400)
    one = Calibrator.fit(margin, y, weight=copies.astype(float))
    other = Calibrator.fit(np.repeat(margin, copies), np.repeat(y, copies))
    assert (one.a, one.b, one.c) == pytest.approx((other.a, other.b, other.c), abs=1e-8)


def test_state_survives_json_with_every_bit() -> None:
    margin, y = drawn(500)
    found = Calibrator.fit(margin, y)
    again = Calibrator.from_state(json.loads(json.dumps(found.to_state())))
    assert again == found
    np.testing.assert_array_equal(again.probability(margin), found.probability(margin))


@pytest.mark.parametrize(
    "change", [{"a": -0.1}, {"a": 0.0, "b": 0.0}, {"method": "magic"}, {"c": float("nan")}, {"more": 1}]
)
def test_a_state_that_is_no_increasing_map_is_refused(change: dict) -> None:
    state = Calibrator("beta", 1.0, 1.0, 0.0, 100, 50).to_state()
    with pytest.raises(BundleError, match="calibrator"):
        Calibrator.from_state(state | change)


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ContractError, match="length"):
        Calibrator.fit(np.zeros(3), np.zeros(4))
    with pytest.raises(ContractError, match="finite"):
        Calibrator.fit(np.array([np.nan, 1.0]), np.array([0.0, 1.0]))
