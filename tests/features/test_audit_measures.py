"""The numbers behind the audit agree with those of others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, spearmanr

from recobro_score.evaluation.ranking import auc
from recobro_score.features.audit.columns import CATEGORY, NUMBER, Column
from recobro_score.features.audit.measures import (
    proxy_measures,
    rank_correlation,
    single_auc,
    unseen_share,
)

numbers = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=40)


@given(pairs=numbers)
def test_one_group_gives_spearmans_correlation(pairs):
    first, second = np.array(pairs, dtype=float).T
    found = rank_correlation(first, second, np.zeros(len(first), np.int64))
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert found == pytest.approx(spearmanr(first, second)[0], abs=1e-12)
    else:
        assert found == 0.0


def test_groups_are_ranked_apart():
    rng = np.random.default_rng(0)
    group = np.repeat([7, 3], 50)
    first = rng.normal(size=100)
    assert rank_correlation(first, first + 100 * group, group) == pytest.approx(1.0)
    assert rank_correlation(first, -first + 100 * group, group) == pytest.approx(-1.0)


def _single(values, y, kind=NUMBER):
    rng = np.random.default_rng(1)
    return single_auc(Column("x", kind, np.asarray(values, float)), y, rng.integers(0, 2, len(y)))


def test_a_monotone_feature_has_nearly_its_own_auc():
    rng = np.random.default_rng(2)
    y = (rng.random(4000) < 0.3).astype(float)
    x = rng.normal(size=4000) + y
    assert _single(x, y).value == pytest.approx(auc(y, x).value, abs=0.01)
    assert _single(-x, y).value == pytest.approx(auc(y, x).value, abs=0.01)


@pytest.mark.parametrize("kind", [NUMBER, CATEGORY])
def test_noise_tells_nothing_however_many_words_it_has(kind):
    rng = np.random.default_rng(3)
    y = (rng.random(2000) < 0.3).astype(float)
    found = _single(rng.integers(0, 500, 2000), y, kind)
    assert abs(found.value - 0.5) < 3 * found.se


def _association(first, second, kinds):
    column, attribute = (
        Column("x", kind, np.asarray(v, float)) for v, kind in zip((first, second), kinds, strict=True)
    )
    fold = np.arange(len(first)) % 2
    (found,) = proxy_measures([column], [("a", attribute)], fold)
    return found.value


def test_associations_run_from_nothing_to_one():
    rng = np.random.default_rng(4)
    x, other = rng.normal(size=(2, 3000))
    word, noise = rng.integers(0, 3, (2, 3000))
    assert _association(x, x, (NUMBER, NUMBER)) == pytest.approx(1.0)
    assert _association(x, other, (NUMBER, NUMBER)) < 0.06
    assert _association(word, word, (CATEGORY, CATEGORY)) == pytest.approx(1.0)
    assert _association(word, noise, (CATEGORY, CATEGORY)) < 0.06
    assert _association(x, x > 0, (NUMBER, CATEGORY)) > 0.97
    assert _association(x, other > 0, (NUMBER, CATEGORY)) < 0.06


def test_cramers_v_is_that_of_the_table_for_many_rows():
    rng = np.random.default_rng(5)
    a = rng.integers(0, 3, 50_000)
    b = np.where(rng.random(50_000) < 0.5, a, rng.integers(0, 3, 50_000))
    table = np.bincount(a * 3 + b, minlength=9).reshape(3, 3)
    expected = np.sqrt(chi2_contingency(table)[0] / len(a) / 2)
    assert _association(a, b, (CATEGORY, CATEGORY)) == pytest.approx(expected, abs=0.002)


def test_the_unseen_share_is_that_of_a_simulated_window():
    rng = np.random.default_rng(6)
    lag, at = rng.exponential(4.0, 100_000), rng.random(100_000) * 30
    left = np.array([0.0, 5.0, 100.0])
    expected = [(at + lag > 30 + days).mean() for days in left]
    assert unseen_share(lag, 30.0, left) == pytest.approx(expected, abs=0.005)
