"""The same bits for any threads, batch and row order; the top of the whole; bundles; refusals."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.bundle import Bundle
from recobro_score.errors import ConfigError, ContractError, NotEnoughData, SchemaMismatch
from recobro_score.explain import table_shap
from recobro_score.explain.table_shap import TableExplainer, explainer_of
from tests.explain.table_models import CATEGORICAL, COLUMNS, Case, ask, cases, chain, draw_rows, train


@pytest.fixture(scope="module")
def case() -> Case:
    rng = np.random.default_rng(8)
    values = draw_rows(rng, 400, 30)
    y = np.nan_to_num(values) @ rng.normal(size=len(COLUMNS)) + rng.normal(size=400)
    text = train(values, y, 20, num_leaves=12, learning_rate=0.1, categorical_feature=list(CATEGORICAL))
    return Case(text, ask(rng, np.vstack([values] * 5)))


@pytest.fixture(scope="module")
def explainer(case: Case) -> TableExplainer:
    return TableExplainer.build(case.text, case.names)


@given(data=st.data())
def test_a_row_has_the_same_bits_alone_in_any_batch_and_order(case, explainer, data) -> None:
    whole = explainer.contributions(case.values)
    size = data.draw(st.sampled_from([1, 2, 3, 7, 64, 1023, 1025, len(whole)]))
    rows = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(len(whole))[:size]
    found = explainer.contributions(np.ascontiguousarray(case.values[rows]))
    np.testing.assert_array_equal(found, whole[rows])


@settings(max_examples=15)
@given(threads=st.integers(1, 5), rows_per_job=st.sampled_from([1, 100, 1024]))
def test_threads_change_no_bit(case, explainer, threads, rows_per_job) -> None:
    whole, top = explainer.contributions(case.values), explainer.top(case.values, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_shap, "_ROWS_PER_JOB", rows_per_job)
        np.testing.assert_array_equal(explainer.contributions(case.values, threads=threads), whole)
        again = explainer.top(case.values, 3, threads=threads)
    np.testing.assert_array_equal(again.index, top.index)
    np.testing.assert_array_equal(again.value, top.value)


def test_many_threads_may_explain_at_once(case, explainer) -> None:
    whole = explainer.contributions(case.values)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: explainer.contributions(case.values, threads=2), range(8)))
    assert all(np.array_equal(one, whole) for one in found)


@settings(max_examples=20)
@given(case=cases(), k=st.integers(1, 12))
def test_the_top_is_that_of_all_contributions_and_ties_go_by_position(case: Case, k: int) -> None:
    explainer = TableExplainer.build(case.text, case.names)
    every = explainer.contributions(case.values)[:, :-1]
    order = np.argsort(-np.abs(every), axis=1, kind="stable")[:, :k]
    top = explainer.top(case.values, k)
    np.testing.assert_array_equal(top.index, order)
    np.testing.assert_array_equal(top.value, np.take_along_axis(every, order, axis=1))


def test_no_rows_have_no_contributions(explainer) -> None:
    nothing = np.empty((0, len(COLUMNS)))
    assert explainer.contributions(nothing).shape == (0, len(COLUMNS) + 1)
    assert explainer.top(nothing, 3).index.shape == (0, 3)


def test_the_build_tells_its_progress_and_stays_within_its_memory(case) -> None:
    told: list[tuple[str, float]] = []
    built = TableExplainer.build(
        case.text, case.names, memory_mb=1.0, progress=lambda step, share: told.append((step, share))
    )
    assert built.memory <= 1e6
    assert told[-1][1] == 1.0
    assert len({step for step, _ in told}) >= 2


@pytest.mark.parametrize(
    ("background", "megabytes"), [(None, 0.06), (None, 0.1), (None, 2.0), (40, 0.12), (40, 0.13), (40, 2.0)]
)
def test_the_tables_keep_to_their_memory_and_lose_nothing(case, background, megabytes) -> None:
    rows = None if background is None else case.values[:background]
    built = TableExplainer.build(case.text, case.names, background=rows, memory_mb=megabytes)
    whole = TableExplainer.build(case.text, case.names, background=rows)
    assert built.memory <= megabytes * 1e6
    assert built.tabled + built.factored + built.walked == whole.tabled + whole.factored + whole.walked
    asked = np.ascontiguousarray(case.values[:200])
    np.testing.assert_allclose(built.contributions(asked), whole.contributions(asked), atol=1e-6)


def test_a_bundle_that_was_saved_explains_with_the_same_bits(small_bundle, tmp_path) -> None:
    bundle = Bundle.load(small_bundle)
    again = Bundle.load(bundle.save(tmp_path / "again"))
    booster = bundle.payment.event.booster
    first = TableExplainer.build(booster.text, bundle.schema.names)
    second = TableExplainer.build(again.payment.event.booster.text, again.schema.names)
    values = np.full((3, len(bundle.schema.names)), np.nan)
    for column, kind in enumerate(bundle.schema.kinds):
        values[:, column] = [0.0, 1.0, 0.0] if kind == "category" else [np.nan, 0.0, 50.0]
    found = first.contributions(values)
    np.testing.assert_array_equal(found, second.contributions(values))
    margin = booster.margin(values)
    np.testing.assert_allclose(found.sum(axis=1), margin, atol=1e-6)
    expected = lgb.Booster(model_str=booster.text).predict(values, pred_contrib=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_explainer_of_a_model_is_built_once(case) -> None:
    copy = "".join(list(case.text))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: explainer_of(text, case.names), [case.text, copy] * 4))
    assert len({id(one) for one in found}) == 1
    assert explainer_of(case.text, case.names, ["all"] * len(COLUMNS)) is not found[0]


def _trained(**options) -> str:
    rng = np.random.default_rng(1)
    values = draw_rows(rng, 200, 5)
    return train(values, rng.integers(0, 3, 200).astype(float), 2, num_leaves=4, **options)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"objective": "multiclass", "num_class": 3}, "Multiclass"),
        ({"linear_tree": True}, "linear_tree"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "average_output"),
    ],
)
def test_models_that_cannot_be_explained_are_refused_by_name(options, named) -> None:
    with pytest.raises(ConfigError, match=named):
        TableExplainer.build(_trained(**options), COLUMNS)


def test_what_does_not_fit_is_refused(case, explainer) -> None:
    with pytest.raises(ConfigError, match="not a LightGBM model"):
        TableExplainer.build("tree", COLUMNS)
    with pytest.raises(ConfigError, match="MB are allowed"):
        TableExplainer.build(case.text, case.names, memory_mb=1e-4)
    with pytest.raises(ConfigError, match="without training rows"):
        TableExplainer.build(re.sub(r"internal_count=\d+", "internal_count=0", case.text), COLUMNS)
    with pytest.raises(SchemaMismatch, match="8 columns, the rows have 2"):
        TableExplainer.build(case.text, ["a", "b"])
    with pytest.raises(SchemaMismatch, match="needs a group"):
        TableExplainer.build(case.text, case.names, groups=["a"])
    with pytest.raises(NotEnoughData, match="background"):
        TableExplainer.build(case.text, case.names, background=case.values[:0])
    with pytest.raises(SchemaMismatch, match="the rows have 7"):
        explainer.contributions(np.ascontiguousarray(case.values[:, :7]))
    with pytest.raises(ContractError, match="C-contiguous"):
        explainer.contributions(np.asfortranarray(case.values))
    with pytest.raises(ConfigError, match="at least one thread"):
        explainer.contributions(case.values, threads=0)
    with pytest.raises(ConfigError, match="at least 1"):
        explainer.top(case.values, 0)


def test_a_path_of_more_than_64_columns_is_refused() -> None:
    case = chain(65)
    with pytest.raises(ConfigError, match="65 columns on its path"):
        TableExplainer.build(case.text, case.names)
