from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.errors import BundleError, ConfigError
from recobro_score.evaluation.metrics import log_loss
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.calibration.family import (
    calibrated,
    calibrator_from_state,
    fit_calibrator,
)
from recobro_score.models.calibration.segments import SegmentedCalibrator, SegmentMap
from recobro_score.models.calibration.steps import IsotonicCalibrator, VennAbers
from tests.models.test_calibration import drawn

SHIFTS = np.array([0.6, -0.6, 0.0, 0.3, -0.3, 0.0, 0.0])
"""Of the segments 0 to 5; the last is that of an unknown one, code −1."""


def segmented(n: int, seed: int, shifts: np.ndarray = SHIFTS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return margins, outcomes whose log-odds a segment shifts, and segments."""
    rng = np.random.default_rng(seed)
    segment, margin = rng.integers(-1, 6, n), rng.normal(-1, 1.3, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(margin + shifts[segment])))).astype(float)
    return margin, y, segment


def fitted(n: int = 12_000, shifts: np.ndarray = SHIFTS) -> SegmentedCalibrator:
    margin, y, segment = segmented(n, 0, shifts)
    return SegmentedCalibrator.fit(margin, y, segment, overall=Calibrator.fit(margin, y))


def test_segments_that_differ_are_told_apart() -> None:
    found = fitted()
    margin, y, segment = segmented(40_000, 1)
    frame = found.frame(["a", "b", "c", "d", "e", "f"]).set_index("segment")
    assert frame.loc["a", "level"] > 0.3
    assert frame.loc["b", "level"] < -0.3
    ours, overall = found.probability(margin, segment), found.probability(margin)
    assert log_loss(y, ours).value < log_loss(y, overall).value - 0.005
    for code in range(-1, 6):
        rows = segment == code
        assert ours[rows].mean() == pytest.approx(y[rows].mean(), abs=0.025)


def test_segments_that_are_alike_stay_together() -> None:
    margin, y, segment = segmented(12_000, 0, np.zeros(7))
    found = fitted(shifts=np.zeros(7))
    overall = found.probability(margin)
    own = [Calibrator.fit(margin[segment == code], y[segment == code], method="platt").c for code in range(6)]
    assert np.abs(found.probability(margin, segment) - overall).max() < 0.03
    assert max(abs(each.level) for each in found.segments) < 0.5 * max(map(abs, own))


def test_thin_and_unknown_segments_follow_the_whole() -> None:
    margin, y, segment = segmented(3_000, 2)
    few = np.flatnonzero(segment == 4)[40:]
    segment[few] = 5
    found = SegmentedCalibrator.fit(margin, y, segment, overall=Calibrator.fit(margin, y))
    assert 4 not in [each.segment for each in found.segments]
    alone = np.isin(segment, (-1, 4))
    np.testing.assert_allclose(found.probability(margin, segment)[alone], found.probability(margin)[alone])
    assert (found.rows, found.events, found.note) == (3_000, int(y.sum()), "")


@given(st.lists(st.floats(-700, 700), min_size=2, max_size=30), st.integers(-1, 5))
def test_within_a_segment_probabilities_never_fall(margins, code: int) -> None:
    maps = tuple(SegmentMap(each, 0.2 + each / 3, 1.0 - each, 100, 50) for each in range(6))
    found = SegmentedCalibrator(Calibrator("beta", 1.2, 0.4, -0.3, 100, 50), maps)
    margin = np.sort(np.array(margins))
    segment = np.full(margin.size, code)
    p = found.probability(margin, segment)
    assert (np.diff(p) >= -1e-15).all()
    alone = [found.probability(margin[i : i + 1], segment[i : i + 1])[0] for i in range(margin.size)]
    np.testing.assert_array_equal(alone, p)


def test_between_segments_order_is_not_kept() -> None:
    found = fitted()
    p = found.probability(np.array([-1.0, -0.8]), np.array([0, 1]))
    assert p[0] > p[1]


def test_state_survives_json_with_every_bit() -> None:
    found = fitted(3_000)
    again = calibrator_from_state(json.loads(json.dumps(found.to_state())))
    assert again == found
    assert calibrated(again, np.zeros(1), np.array([0])) == found.probability(np.zeros(1), np.array([0]))


@pytest.mark.parametrize(
    "change",
    [{"more": 1}, {"segments": [{"segment": 0, "slope": -1.0, "level": 0.0, "rows": 9, "events": 3}]}],
)
def test_a_state_that_turns_a_segment_around_is_refused(change: dict) -> None:
    with pytest.raises(BundleError, match="segmented"):
        SegmentedCalibrator.from_state(fitted(1_000).to_state() | change)


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("beta", Calibrator),
        ("platt", Calibrator),
        ("isotonic", IsotonicCalibrator),
        ("venn_abers", VennAbers),
    ],
)
def test_every_method_repairs_a_badly_scaled_margin_and_survives_json(method: str, kind: type) -> None:
    margin, y = drawn(6_000)
    other, truth = drawn(20_000, seed=1)
    found = fit_calibrator(4 * margin + 2, y, method=method)
    assert isinstance(found, kind)
    assert log_loss(truth, found.probability(4 * other + 2)).value < (
        log_loss(truth, 1 / (1 + np.exp(-other))).value + 0.01
    )
    again = calibrator_from_state(json.loads(json.dumps(found.to_state())))
    assert again == found


@pytest.mark.parametrize("method", ["isotonic", "venn_abers"])
def test_steps_need_rows_and_segments_need_log_odds(method: str) -> None:
    margin, y = drawn(40)
    few = fit_calibrator(margin, y, method=method)
    assert isinstance(few, Calibrator)
    assert "only the level" in few.note
    with pytest.raises(ConfigError, match="segments"):
        fit_calibrator(margin, y, method=method, segment=np.zeros(40, dtype=np.int64))


def test_a_state_without_a_method_is_refused() -> None:
    with pytest.raises(BundleError, match="method"):
        calibrator_from_state({"a": 1.0})
