"""Slots from comparisons within accounts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from recobro_score.models.contact.attempts import SLOTS
from recobro_score.models.contact.log import SERIES, AttemptLog
from recobro_score.models.contact.pattern import NEIGHBOURS, SlotPattern, _find_pairs, _newton
from tests.models.contact_samples import World


def log_of(world: World, n: int, seed: int) -> AttemptLog:
    frame, _, _ = world.draw(n, seed)
    return AttemptLog.from_frame(frame, channels=("call",))


def evening(pattern: SlotPattern) -> float:
    weight = pattern.weight[0, 0, :, 2]
    return float(weight[SLOTS.index(18)] - weight[SLOTS.index(10)])


def test_the_pairs_are_those_of_a_plain_loop() -> None:
    log = log_of(World(), 40, 1)
    usable = np.arange(len(log)) % 7 != 0
    plain = [
        (i if log.success[i] else j, j if log.success[i] else i)
        for i in range(len(log))
        for j in range(i + 1, min(i + 1 + NEIGHBOURS, len(log)))
        if log.account[i] == log.account[j] and log.success[i] != log.success[j] and usable[i] and usable[j]
    ]
    out = np.zeros((len(plain) + 5, 3), dtype=np.int64)
    found = _find_pairs(log.offsets, log.at, log.success, usable, out)
    assert found == len(plain)
    assert [tuple(row) for row in out[:found, :2].tolist()] == plain


def test_the_sparse_regression_is_the_dense_one() -> None:
    rng = np.random.default_rng(0)
    n, size = 300, 6
    places = rng.integers(-1, size, (n, 3))
    signs = rng.choice([-1.0, 1.0], (n, 3))
    dense = np.zeros((n, size + 1))
    for column in range(3):
        np.add.at(dense, (np.arange(n), places[:, column]), signs[:, column])
    dense = dense[:, :size]
    offset, y, weight = rng.normal(size=n), (rng.random(n) < 0.4) * 1.0, rng.random(n)
    mean, precision = rng.normal(size=size), rng.uniform(0.5, 3.0, size)

    def loss(point: np.ndarray) -> float:
        z = offset + dense @ point
        fit = (weight * (np.logaddexp(0, z) - y * z)).sum()
        return fit + 0.5 * (precision * (point - mean) ** 2).sum()

    point, variance = _newton((places, signs), (offset, y, weight), mean, (mean, precision))
    best = minimize(loss, np.zeros(size), tol=1e-10)
    np.testing.assert_allclose(point, best.x, atol=1e-4)
    p = 1 / (1 + np.exp(-(offset + dense @ point)))
    curvature = dense.T @ (dense * (weight * p * (1 - p))[:, None]) + np.diag(precision)
    np.testing.assert_allclose(variance, np.diag(np.linalg.inv(curvature)), rtol=1e-6)


@pytest.mark.parametrize("evenings", [(0.5, 0.5), (0.85, 0.15), (0.15, 0.85)])
def test_who_is_called_when_does_not_matter(evenings: tuple[float, float]) -> None:
    log = log_of(World(evenings=evenings, attempts=(10.0, 10.0)), 900, 2)
    pattern = SlotPattern.fit(log, np.full(len(log), -1.2), np.ones(len(log)))
    assert evening(pattern) == pytest.approx(0.8, abs=0.2)
    assert pattern.comparisons[0] > 1000


def test_a_series_that_ends_with_success_does_not_favour_its_last_hour() -> None:
    """Morning first, evening only if nobody answered: the evening ends every series that has one."""
    rng = np.random.default_rng(3)
    rows = []
    for account in range(700):
        margin = -0.8 + rng.normal()
        for series in range(8):
            for step, hour in enumerate((10, 18)):
                at = series * 3 * SERIES + step * 1000 + account
                won = rng.random() < 1 / (1 + np.exp(-margin))
                rows.append((account, at, hour, int(won)))
                if won:
                    break
    columns = np.array(rows).T
    import pandas as pd

    frame = pd.DataFrame(
        {
            "account_id": columns[0],
            "at": columns[1],
            "hour": columns[2],
            "success": columns[3],
            "weekday": 1,
            "channel": "call",
        }
    )
    log = AttemptLog.from_frame(frame, channels=("call",))
    pattern = SlotPattern.fit(log, np.full(len(log), -0.8), np.ones(len(log)))
    assert abs(evening(pattern)) < 0.15


def test_without_attempts_all_slots_are_alike() -> None:
    log = log_of(World(), 20, 4).take(np.zeros(0, dtype=np.int64))
    pattern = SlotPattern.fit(log, np.zeros(0), np.zeros(0))
    assert not pattern.weight.any()
    assert pattern.comparisons == (0,)


def test_on_average_over_the_attempts_it_adds_nothing() -> None:
    log = log_of(World(), 300, 5)
    weight = np.random.default_rng(0).random(len(log))
    pattern = SlotPattern.fit(log, np.full(len(log), -1.2), weight)
    assert (weight * pattern.of(log)).sum() == pytest.approx(0.0, abs=1e-9)
    frame = pattern.frame(("call",), ())
    assert len(frame) == (len(SLOTS) + 1) * 7
    assert set(frame["segment"]) == {"*"}
    np.testing.assert_array_equal(SlotPattern.from_state(pattern.to_state()).weight, pattern.weight)
