"""Levels that move from window to window, and one slope that they do not bend."""

from __future__ import annotations

import numpy as np
import pytest

from recobro_score.models.contact.calibration import WINDOWS, Judged, calibrate_channels, lasting_part
from tests.models.contact_samples import sigmoid


def judged(moves: np.ndarray, *, slope: float = 1.0, n: int = 4000, seed: int = 0) -> Judged:
    """Return attempts on as many channels as columns of `moves`, whose level moves from row to row."""
    rng = np.random.default_rng(seed)
    windows, channels = moves.shape
    total = n * windows * channels
    at = np.sort(rng.integers(0, 1_000_000, total))
    window = np.arange(total) * windows // total
    channel = rng.integers(0, channels, total)
    centre = -1.0 - channel
    margin = centre + 0.6 * rng.normal(size=total)
    p = sigmoid(centre + slope * (margin - centre) + moves[window, channel])
    return Judged(margin, (rng.random(total) < p) * 1.0, np.ones(total), channel, at)


def test_a_walk_lasts_and_a_swing_does_not() -> None:
    walk = np.cumsum(np.full((WINDOWS, 1), 0.15), axis=0)
    swing = 0.4 * (-1.0) ** np.arange(WINDOWS)[:, None]
    assert _lasting(judged(walk)) > 0.7
    assert _lasting(judged(swing)) == 0.0
    assert _lasting(judged(np.zeros((WINDOWS, 1)), n=20)) == pytest.approx(0.5, abs=0.25)


def _lasting(attempts: Judged) -> float:
    return lasting_part(attempts, attempts.moves(1))


def test_the_latest_level_is_taken_over_as_far_as_moves_last() -> None:
    moves = np.zeros((WINDOWS, 1))
    moves[-2:] = 0.6
    attempts = judged(moves)
    later = np.arange(attempts.y.size) >= attempts.y.size * (WINDOWS - 2) // WINDOWS
    found = calibrate_channels(attempts, later, 1)[0]
    long_run = moves.mean()
    move = float(found.c + (found.a - 1.0) * -1.0)
    assert long_run < move < 0.65


def test_a_channel_that_moved_bends_no_slope() -> None:
    moves = np.zeros((WINDOWS, 2))
    moves[:, 1] = 1.5
    attempts = judged(moves)
    later = np.ones(attempts.y.size, dtype=np.bool_)
    found = calibrate_channels(attempts, later, 2)
    assert found[0].a == found[1].a == pytest.approx(1.0, abs=0.05)
    p = np.where(
        attempts.channel == 0,
        found[0].probability(attempts.margin),
        found[1].probability(attempts.margin),
    )
    for channel in (0, 1):
        rows = attempts.channel == channel
        assert p[rows].mean() == pytest.approx(attempts.y[rows].mean(), rel=0.03)


def test_enough_attempts_overrule_the_prior_of_the_slope() -> None:
    attempts = judged(np.zeros((WINDOWS, 1)), slope=0.5)
    found = calibrate_channels(attempts, np.ones(attempts.y.size, dtype=np.bool_), 1)[0]
    assert found.a < 0.75


def test_without_attempts_nothing_changes() -> None:
    empty = judged(np.zeros((WINDOWS, 2)), n=0)
    for calibrator in calibrate_channels(empty, np.zeros(0, dtype=np.bool_), 2):
        assert (calibrator.a, calibrator.c, calibrator.rows) == (1.0, 0.0, 0)
