from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression, isotonic_regression

from recobro_score.errors import BundleError, ContractError
from recobro_score.models.calibration.interval import ScoreInterval
from recobro_score.models.calibration.steps import IsotonicCalibrator, VennAbers
from tests.models.test_calibration import drawn

ROWS = st.lists(st.tuples(st.integers(-6, 6), st.integers(0, 1)), max_size=30)
"""Margins with many ties, and outcomes."""


def counted_in(margin: np.ndarray, y: np.ndarray, at: float) -> tuple[float, float]:
    """Return the pair by its definition: isotonic regression with the row as a non-event, and as an event."""
    found = []
    for outcome in (0.0, 1.0):
        knots, group = np.unique(np.append(margin, at), return_inverse=True)
        mass = np.bincount(group).astype(float)
        means = np.bincount(group, weights=np.append(y, outcome)) / mass
        found.append(isotonic_regression(means, sample_weight=mass)[np.searchsorted(knots, at)])
    return found[0], found[1]


def arrays(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([m for m, _ in rows], dtype=float), np.array([y for _, y in rows], dtype=float)


@given(ROWS)
def test_venn_abers_is_two_isotonic_regressions_per_row(rows) -> None:
    margin, y = arrays(rows)
    points = np.arange(-7, 7.5, 0.5)
    low, high = VennAbers.fit(margin, y).pair(points)
    expected = np.array([counted_in(margin, y, at) for at in points])
    np.testing.assert_allclose(np.column_stack([low, high]), expected, atol=1e-12)


@given(ROWS, st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=20))
def test_venn_abers_rises_with_the_margin_and_holds_its_probability(rows, points) -> None:
    found, at = VennAbers.fit(*arrays(rows)), np.sort(np.array(points))
    low, high = found.pair(at)
    p = found.probability(at)
    assert (low <= high + 1e-12).all()
    assert ((low - 1e-12 <= p) & (p <= high + 1e-12)).all()
    for steps in (low, high, p):
        assert (np.diff(steps) >= -1e-15).all()
    np.testing.assert_array_equal(
        np.concatenate([found.probability(at[i : i + 1]) for i in range(at.size)]), p
    )


def test_venn_abers_without_rows_knows_nothing() -> None:
    low, high = VennAbers().pair(np.array([-np.inf, 0.0, np.inf]))
    np.testing.assert_array_equal(low, 0.0)
    np.testing.assert_array_equal(high, 1.0)
    assert VennAbers.fit(np.zeros(0), np.zeros(0)) == VennAbers()


def test_the_pair_closes_as_rows_come_in() -> None:
    width = []
    for n in (100, 1_000, 10_000):
        low, high = VennAbers.fit(*drawn(n)).pair(drawn(2_000, seed=9)[0])
        width.append((high - low).mean())
    assert width[0] > 3 * width[1] > 9 * width[2]


def test_venn_abers_is_calibrated_whatever_the_distortion() -> None:
    margin, y = drawn(20_000)
    other, truth = drawn(20_000, seed=1)
    found = VennAbers.fit(np.sinh(margin), y).probability(np.sinh(other))
    edges = np.quantile(found, np.linspace(0, 1, 11))
    for low, high in pairwise(edges):
        rows = (found >= low) & (found <= high)
        assert found[rows].mean() == pytest.approx(truth[rows].mean(), abs=0.04)


@given(ROWS.filter(lambda rows: len(rows) > 0))
def test_isotonic_is_scikit_learns_at_the_knots(rows) -> None:
    margin, y = arrays(rows)
    found = IsotonicCalibrator.fit(margin, y).probability(margin)
    theirs = IsotonicRegression().fit(margin, y).predict(margin)
    n = margin.size
    np.testing.assert_allclose(found, np.clip(theirs, 1 / (n + 2), (n + 1) / (n + 2)), atol=1e-12)


@given(ROWS.filter(lambda rows: len(rows) > 0), st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=20))
def test_isotonic_rises_is_never_sure_and_has_the_bits_of_a_batch(rows, points) -> None:
    found, at = IsotonicCalibrator.fit(*arrays(rows)), np.sort(np.array(points))
    p = found.probability(at)
    assert ((p > 0) & (p < 1)).all()
    assert (np.diff(p) >= -1e-15).all()
    np.testing.assert_array_equal(
        np.concatenate([found.probability(at[i : i + 1]) for i in range(at.size)]), p
    )


@pytest.mark.parametrize("kind", [VennAbers, IsotonicCalibrator])
def test_weights_act_as_copies(kind) -> None:
    margin, y = drawn(300)
    copies = np.random.default_rng(0).integers(0, 4, 300)
    one = kind.fit(margin, y, weight=copies.astype(float))
    other = kind.fit(np.repeat(margin, copies), np.repeat(y, copies))
    points = np.linspace(-4, 4, 50)
    np.testing.assert_allclose(one.probability(points), other.probability(points), atol=5e-3)


@pytest.mark.parametrize("kind", [VennAbers, IsotonicCalibrator])
def test_state_survives_json_with_every_bit(kind) -> None:
    found = kind.fit(*drawn(500))
    again = kind.from_state(json.loads(json.dumps(found.to_state())))
    assert again == found
    points = np.linspace(-5, 5, 101)
    np.testing.assert_array_equal(again.probability(points), found.probability(points))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (VennAbers, {"low": [0.9, 0.1], "low_from": [0.0, 1.0]}),
        (VennAbers, {"high": [0.1, 1.2], "high_to": [0.0, 1.0]}),
        (VennAbers, {"more": 1}),
        (IsotonicCalibrator, {"knots": [1.0, 0.0], "values": [0.1, 0.2]}),
        (IsotonicCalibrator, {"knots": [], "values": []}),
        (IsotonicCalibrator, {"method": "platt"}),
    ],
)
def test_a_state_whose_steps_do_not_rise_is_refused(kind, change: dict) -> None:
    state = kind.fit(*drawn(100)).to_state()
    with pytest.raises(BundleError, match="calibrator"):
        kind.from_state(state | change)


@pytest.mark.parametrize("kind", [VennAbers, IsotonicCalibrator])
def test_wrong_arrays_are_refused(kind) -> None:
    with pytest.raises(ContractError, match="length"):
        kind.fit(np.zeros(3), np.zeros(4))
    with pytest.raises(ContractError, match="finite"):
        kind.fit(np.array([np.nan, 1.0]), np.array([0.0, 1.0]))


@given(ROWS, ROWS)
def test_an_interval_holds_its_probability_and_a_thin_file_never_has_the_narrower_one(
    rows, thin_rows
) -> None:
    margin, y = arrays(rows + thin_rows)
    thin = np.arange(margin.size) >= len(rows)
    found = ScoreInterval.fit(margin, y, thin=thin)
    at = np.arange(-7, 7.5, 0.5)
    p = 1 / (1 + np.exp(-at))
    low, high = found.around(p, at, thin=np.zeros(at.size, dtype=bool))
    thin_low, thin_high = found.around(p, at, thin=np.ones(at.size, dtype=bool))
    assert ((low <= p) & (p <= high)).all()
    assert ((thin_low <= low) & (high <= thin_high)).all()
    assert ScoreInterval.from_state(json.loads(json.dumps(found.to_state()))) == found


def test_thin_files_that_nobody_saw_have_no_known_probability() -> None:
    margin, y = drawn(500)
    found = ScoreInterval.fit(margin, y, thin=np.zeros(500, dtype=bool))
    low, high = found.around(np.array([0.3]), np.array([-0.8]), thin=np.array([True]))
    assert (low[0], high[0]) == (0.0, 1.0)
    with pytest.raises(BundleError, match="interval"):
        ScoreInterval.from_state({"everyone": {}})


def test_thin_files_that_pay_otherwise_get_an_interval_that_says_so() -> None:
    margin, y = drawn(4_000)
    thin = np.arange(4_000) < 400
    y = np.where(thin, 0.0, y)
    low, high = ScoreInterval.fit(margin, y, thin=thin).around(
        np.array([0.4, 0.4]), np.array([-0.4, -0.4]), thin=np.array([True, False])
    )
    assert low[0] < 0.01
    assert high[0] - low[0] > 5 * (high[1] - low[1])
