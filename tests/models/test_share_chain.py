from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recobro_score.errors import BundleError
from recobro_score.models.recovery.share_chain import ShareChain

LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])


def draw_shares(n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Margins, and shares that are 0, 1 or between, all likelier to be high with a high margin."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-0.5, 1.2, n)
    some = rng.random(n) < 1 / (1 + np.exp(-margin))
    full = rng.random(n) < 1 / (1 + np.exp(-0.5 * margin - 0.3))
    partial = np.clip(rng.beta(2.0, 2.5, n), 0.01, 0.99)
    return margin, np.where(some, np.where(full, 1.0, partial), 0.0)


@pytest.fixture(scope="module")
def chain() -> ShareChain:
    return ShareChain.fit(*draw_shares(8000))


@given(margins=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_probabilities_quantiles_and_mean_are_coherent(chain: ShareChain, margins: list[float]) -> None:
    reached = chain.at_least(np.array(margins))
    assert (np.diff(reached, axis=1) <= 0).all()
    assert ((reached >= 0) & (reached <= 1)).all()
    quantiles = np.array([chain.quantile(reached, level) for level in LEVELS])
    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert set(np.unique(quantiles)) <= {0.0, *chain.points}
    mean = chain.mean(reached)
    assert ((mean >= 0) & (mean <= 1)).all()


@given(margins=st.lists(st.floats(-50, 50), min_size=2, max_size=20))
def test_everything_rises_with_the_margin(chain: ShareChain, margins: list[float]) -> None:
    reached = chain.at_least(np.sort(np.array(margins)))
    assert (np.diff(reached, axis=0) >= 0).all()
    assert (np.diff(chain.mean(reached)) >= -1e-15).all()
    for level in LEVELS:
        assert (np.diff(chain.quantile(reached, level)) >= 0).all()


def test_mean_and_quantiles_are_those_of_the_distribution(chain: ShareChain) -> None:
    """Spelled out: the weights of 0 and of the points, their mean and their quantiles."""
    margin = np.linspace(-4, 4, 9)
    reached = chain.at_least(margin)
    weights = -np.diff(np.column_stack([np.ones(9), reached, np.zeros(9)]), axis=1)
    points = np.array((0.0, *chain.points))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(chain.mean(reached), (weights * points).sum(axis=1), atol=1e-12)
    for level in LEVELS:
        lowest = [points[np.argmax(np.cumsum(row) >= level)] for row in weights]
        np.testing.assert_array_equal(chain.quantile(reached, level), lowest)


def test_the_distribution_is_that_of_new_rows(chain: ShareChain) -> None:
    margin, share = draw_shares(20_000, seed=1)
    reached = chain.at_least(margin)
    assert share.mean() == pytest.approx(chain.mean(reached).mean(), abs=0.012)
    assert (share > 0).mean() == pytest.approx(reached[:, 0].mean(), abs=0.015)
    assert (share == 1).mean() == pytest.approx(reached[:, -1].mean(), abs=0.015)
    for place, edge in enumerate(chain.edges[1:], start=1):
        assert (share >= edge).mean() == pytest.approx(reached[:, place].mean(), abs=0.015)
    low, high = chain.quantile(reached, 0.1), chain.quantile(reached, 0.9)
    assert (share < low).mean() < 0.11
    assert (share > high).mean() < 0.11


def test_the_mean_holds_at_every_margin_where_the_share_given_any_bends() -> None:
    """Those who hardly ever pay pay as much, when they do, as those who pay now and then."""
    rng = np.random.default_rng(2)
    margin = rng.normal(-1.0, 1.5, 40_000)
    some = rng.random(margin.size) < 1 / (1 + np.exp(-margin))
    full = rng.random(margin.size) < 1 / (1 + np.exp(-np.maximum(margin, -0.5)))
    share = np.where(some, np.where(full, 1.0, rng.beta(2.0, 2.5, margin.size)), 0.0)
    chain = ShareChain.fit(margin, share)
    mean = chain.mean(chain.at_least(margin))
    for rows in np.array_split(np.argsort(margin), 6):
        error = share[rows].std() / np.sqrt(rows.size)
        assert mean[rows].mean() == pytest.approx(share[rows].mean(), abs=max(3 * error, 0.012))


def test_weights_move_the_level() -> None:
    margin, share = draw_shares(4000)
    heavy = ShareChain.fit(margin, share, weight=np.where(share > 0.5, 3.0, 1.0))
    plain = ShareChain.fit(margin, share)
    assert heavy.mean(heavy.at_least(margin)).mean() > plain.mean(plain.at_least(margin)).mean() + 0.1


@pytest.mark.parametrize("shares", [[0.0, 1.0], [0.0, 0.5], [0.0, 0.2, 1.0]])
@settings(max_examples=1)
@given(seed=st.integers(0, 5))
def test_few_kinds_of_shares_leave_a_chain(shares: list[float], seed: int) -> None:
    """Nobody pays in full, or nobody in part: there is still a distribution, close to what was seen."""
    rng = np.random.default_rng(seed)
    share = rng.choice(shares, 400)
    chain = ShareChain.fit(rng.normal(size=400), share)
    reached = chain.at_least(np.zeros(1))
    assert chain.mean(reached)[0] == pytest.approx(share.mean(), abs=0.06)
    assert (np.diff(reached[0]) <= 0).all()


def test_state_is_plain_and_reads_back(chain: ShareChain) -> None:
    again = ShareChain.from_state(json.loads(json.dumps(chain.to_state())))
    margin = np.linspace(-5, 5, 50)
    np.testing.assert_array_equal(again.at_least(margin), chain.at_least(margin))
    assert again == chain


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: replace(c, slopes=((-0.1, 0.5), *c.slopes[1:])),
        lambda c: replace(c, slopes=((0.5, -0.1), *c.slopes[1:])),
        lambda c: replace(c, points=(0.9, *c.points[1:])),
        lambda c: replace(c, levels=c.levels[1:]),
        lambda c: replace(c, levels=(float("nan"), *c.levels[1:])),
    ],
)
def test_a_spoilt_state_is_refused(chain: ShareChain, spoil) -> None:
    with pytest.raises(BundleError, match="rise"):
        ShareChain.from_state(spoil(chain).to_state())
