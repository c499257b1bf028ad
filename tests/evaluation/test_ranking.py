from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from recobro_score.errors import ContractError
from recobro_score.evaluation.ranking import auc, compare_auc, ks, lift_at, lift_table

ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(-20, 20)), min_size=2, max_size=60)


def sample(n: int = 400, seed: int = 0, ties: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(float)
    score = np.round(rng.normal(size=n) * ties / 3 + y * 3)
    return y, score, rng.uniform(0.2, 3, n)


def test_auc_equals_scikit_learn_with_and_without_weights() -> None:
    y, score, weight = sample()
    assert auc(y, score).value == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    weighted = auc(y, score, weight=weight).value
    assert weighted == pytest.approx(roc_auc_score(y, score, sample_weight=weight), abs=1e-12)


def test_ks_equals_the_roc_curve_with_and_without_weights() -> None:
    y, score, weight = sample(seed=3)
    for w in (None, weight):
        fpr, tpr, _ = roc_curve(y, score, sample_weight=w)
        assert ks(y, score, weight=w).value == pytest.approx(np.abs(tpr - fpr).max(), abs=1e-12)


def test_auc_error_is_delongs_double_sum() -> None:
    y, score, _ = sample(n=60)
    events, others = score[y == 1], score[y == 0]
    wins = np.sign(events[:, None] - others[None, :]) / 2 + 0.5
    variance = wins.mean(axis=1).var(ddof=1) / events.size + wins.mean(axis=0).var(ddof=1) / others.size
    assert auc(y, score).se == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_auc_error_matches_the_spread_over_samples() -> None:
    estimates = [auc(*sample(n=200, seed=seed)[:2]) for seed in range(300)]
    spread = np.std([e.value for e in estimates], ddof=1)
    assert np.mean([e.se for e in estimates]) == pytest.approx(spread, rel=0.15)


@given(ROWS)
def test_auc_and_ks_depend_on_order_alone(rows: list[tuple[int, int]]) -> None:
    y, score = np.array(rows, dtype=float).T
    for metric in (auc, ks):
        same, turned, plain = metric(y, np.exp(score / 7)), metric(y, -score), metric(y, score)
        np.testing.assert_array_equal([same.value, same.se], [plain.value, plain.se])
        if metric is auc and not np.isnan(same.value):
            assert same.value + turned.value == pytest.approx(1)
            assert same.value == pytest.approx(auc(1 - y, -score).value)


@given(ROWS, st.randoms(use_true_random=False))
def test_row_order_changes_no_ranking_metric(rows: list[tuple[int, int]], random) -> None:
    y, score = np.array(rows, dtype=float).T
    order = np.array(random.sample(range(len(rows)), len(rows)))
    for metric in (auc, ks, lambda y, s: lift_at(y, s, 0.3), lambda y, s: lift_at(y, s, 3)):
        one, other = metric(y, score), metric(y[order], score[order])
        np.testing.assert_allclose([one.value, one.se], [other.value, other.se], atol=1e-12)


def test_a_score_compared_with_itself_is_no_different() -> None:
    y, score, _ = sample()
    test = compare_auc(y, score, np.tanh(score))
    assert (test.difference.value, test.difference.se, test.p_value) == (0, 0, 1)
    assert test.frame()["what"].tolist() == ["first", "second", "difference"]


def test_paired_test_equals_the_closed_form() -> None:
    y, score, _ = sample(n=80)
    other = np.round(score + np.random.default_rng(5).normal(size=80) * 4)
    test = compare_auc(y, score, other)

    def wins(s: np.ndarray) -> np.ndarray:
        return np.sign(s[y == 1][:, None] - s[y == 0][None, :]) / 2 + 0.5

    gap = wins(score) - wins(other)
    variance = sum(gap.mean(axis=k).var(ddof=1) / gap.shape[1 - k] for k in (0, 1))
    assert test.difference.value == pytest.approx(gap.mean())
    assert test.difference.se == pytest.approx(np.sqrt(variance))
    assert test.p_value == pytest.approx(2 * norm.sf(abs(gap.mean()) / np.sqrt(variance)))


def test_paired_test_holds_its_level_on_equal_scores() -> None:
    rng = np.random.default_rng(1)
    p_values = []
    for _ in range(300):
        y = (rng.random(150) < 0.4).astype(float)
        shared = y + rng.normal(size=150)
        p_values.append(compare_auc(y, shared + rng.normal(size=150), shared + rng.normal(size=150)).p_value)
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


def test_one_class_gives_unknown_and_never_an_exception() -> None:
    for y in (np.zeros(5), np.ones(5), np.zeros(0)):
        score = np.arange(y.size, dtype=float)
        assert np.isnan(auc(y, score).value)
        assert np.isnan(ks(y, score).value)
        assert np.isnan(compare_auc(y, score, score).p_value)


def test_lift_is_the_share_of_the_best_over_the_share_of_all() -> None:
    y, score, _ = sample(ties=10_000)
    best = y[np.argsort(-score)]
    assert lift_at(y, score, 40).value == pytest.approx(best[:40].mean() / y.mean())
    assert lift_at(y, score, 0.1) == lift_at(y, score, 40)
    assert lift_at(y, score, 10_000).value == 1
    table = lift_table(y, score, points=10)
    assert table["captured"].iloc[-1] == pytest.approx(1)
    assert table["lift"].iloc[0] == pytest.approx(best[:40].mean() / y.mean())


def test_tied_scores_share_the_last_places() -> None:
    assert lift_at([1, 0, 1, 0], [1, 1, 1, 1], 1).value == pytest.approx(1)
    assert lift_at([1, 1, 0, 0], [2, 1, 1, 0], 2).value == pytest.approx(1.5)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_lift_error_matches_the_spread_over_samples(seed: int) -> None:
    estimates = [lift_at(*sample(n=300, seed=seed * 100 + i)[:2], 0.2) for i in range(60)]
    spread = np.std([e.value for e in estimates], ddof=1)
    assert 0.5 < np.mean([e.se for e in estimates]) / spread < 2


@pytest.mark.parametrize("capacity", [0, -1, 1.5, float("nan")])
def test_a_capacity_that_cannot_be_is_refused(capacity: float) -> None:
    with pytest.raises(ContractError, match="Capacity"):
        lift_at([0, 1], [0, 1], capacity)


def test_wrong_arrays_are_refused_all_at_once() -> None:
    with pytest.raises(ContractError, match=r"1 of 3 outcomes are not 0 or 1; 1 of 3 scores are not finite"):
        auc([0, 1, 2], [0.1, float("nan"), 0.3])
    with pytest.raises(ContractError, match="one length"):
        auc([0, 1], [0.1])
