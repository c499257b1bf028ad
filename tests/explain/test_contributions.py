"""Contributions by concept add up, keep their order and do not depend on the batch."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recobro_score.errors import RecobroError, SchemaMismatch
from recobro_score.explain.contributions import ConceptReasons, concept_contributions

CONCEPTS = ("arrears", "promises", "arrears", "plans", "promises", "arrears")

contributions = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.just(7)), elements=st.floats(-5, 5, allow_subnormal=False)
)


def gather(contrib: np.ndarray, concepts: tuple[str, ...] = CONCEPTS) -> ConceptReasons:
    return concept_contributions(contrib, concepts, margin=contrib.sum(axis=1))


@settings(max_examples=60, deadline=None)
@given(contrib=contributions)
def test_concepts_and_bias_add_up_to_the_margin(contrib: np.ndarray) -> None:
    reasons = gather(contrib)
    assert reasons.concepts == ("arrears", "promises", "plans")
    margin = contrib.sum(axis=1)
    error = np.abs(reasons.values.sum(axis=1) + reasons.bias - margin)
    assert (error <= 1e-6 * np.maximum(1.0, np.abs(margin))).all()
    np.testing.assert_allclose(reasons.values[:, 0], contrib[:, [0, 2, 5]].sum(axis=1), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(contrib=contributions, data=st.data())
def test_one_row_alone_has_the_bits_of_the_batch(contrib: np.ndarray, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(contrib) - 1))
    batch, alone = gather(contrib), gather(contrib[row : row + 1])
    np.testing.assert_array_equal(alone.values[0], batch.values[row])
    np.testing.assert_array_equal(alone.lead[0], batch.lead[row])
    np.testing.assert_array_equal(alone.top(3).index[0], batch.top(3).index[row])


@settings(max_examples=60, deadline=None)
@given(contrib=contributions)
def test_the_top_is_ordered_by_weight_and_ties_by_position(contrib: np.ndarray) -> None:
    reasons = gather(np.round(contrib))
    top = reasons.top(2)
    for row in range(len(contrib)):
        weight = np.abs(reasons.values[row])
        expected = sorted(range(3), key=lambda c, weight=weight: (-weight[c], c))[:2]
        assert top.index[row].tolist() == expected
        np.testing.assert_array_equal(top.value[row], reasons.values[row, expected])


@settings(max_examples=60, deadline=None)
@given(contrib=contributions)
def test_the_lead_feature_pulls_hardest_the_way_its_concept_goes(contrib: np.ndarray) -> None:
    reasons = gather(contrib)
    for row in range(len(contrib)):
        for c, concept in enumerate(reasons.concepts):
            value, lead = reasons.values[row, c], reasons.lead[row, c]
            if value == 0.0:
                assert lead == -1
                continue
            own = [f for f, name in enumerate(CONCEPTS) if name == concept]
            pull = contrib[row, own] * np.sign(value)
            assert lead == own[int(np.argmax(pull))]


def test_concepts_can_be_left_aside() -> None:
    reasons = gather(np.arange(14.0).reshape(2, 7))
    assert reasons.top(5, without=["arrears"]).index.tolist() == [[1, 2], [1, 2]]


def test_contributions_that_miss_the_margin_name_the_worst_account() -> None:
    contrib = np.ones((3, 7))
    margin = np.array([7.0, 7.0 + 5e-6, 7.0 + 2e-5])
    with pytest.raises(RecobroError, match="for 1 of 3 accounts, worst account C"):
        concept_contributions(contrib, CONCEPTS, margin=margin, account_ids=["A", "B", "C"])
    contrib[1, 3] = np.nan
    with pytest.raises(RecobroError, match="worst row 1"):
        concept_contributions(contrib, CONCEPTS, margin=np.full(3, 7.0))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match=r"\(3, 7\), got \(3, 6\)"):
        concept_contributions(np.ones((3, 6)), CONCEPTS, margin=np.ones(3))


def test_the_contributions_of_a_lightgbm_model_explain_its_margin() -> None:
    rng = np.random.default_rng(11)
    values = rng.normal(size=(800, 6))
    values[rng.random(values.shape) < 0.1] = np.nan
    target = (np.nan_to_num(values[:, 0]) + np.nan_to_num(values[:, 3]) > rng.normal(size=800)).astype(float)
    options = {"objective": "binary", "num_leaves": 8, "verbose": -1, "num_threads": 1}
    model = lgb.train(options, lgb.Dataset(values, target), num_boost_round=30)
    contrib = np.asarray(model.predict(values, pred_contrib=True))
    margin = np.asarray(model.predict(values, raw_score=True))
    reasons = concept_contributions(contrib, CONCEPTS, margin=margin)
    heaviest = np.abs(reasons.values).mean(axis=0)
    assert heaviest[reasons.concepts.index("arrears")] > heaviest[reasons.concepts.index("promises")]
    assert len(np.unique(reasons.bias)) == 1
