"""Table contributions are those of LightGBM's `pred_contrib`, for any model it can train."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.explain import layout
from recobro_score.explain.table_shap import TableExplainer
from recobro_score.models.trees import Tree, read_trees
from tests.explain.table_models import COLUMNS, Case, ask, cases, chain, draw_rows, train


def assert_near(found: np.ndarray, expected: np.ndarray, margin: np.ndarray) -> None:
    assert (np.abs(found - expected) <= 1e-6 * np.maximum(1.0, np.abs(margin))[:, None]).all()


def assert_adds_up(found: np.ndarray, margin: np.ndarray) -> None:
    assert (np.abs(found.sum(axis=1) - margin) <= 1e-6 * np.maximum(1.0, np.abs(margin))).all()


@settings(max_examples=60)
@given(case=st.one_of(cases(), cases(copies=4)))
def test_contributions_are_those_of_lightgbm(case: Case) -> None:
    found = TableExplainer.build(case.text, case.names).contributions(case.values)
    margin = case.margin()
    assert_adds_up(found, margin)
    assert_near(found, case.contributions(), margin)


@pytest.mark.parametrize(("limits", "last"), [((8,), ()), ((64,), ()), ((), (16,)), ((), (0,))])
@settings(max_examples=10)
@given(case=st.one_of(cases(), cases(copies=4)))
def test_less_memory_changes_the_tables_and_not_the_contributions(limits, last, case: Case) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "LIMITS", limits)
        patch.setattr(layout, "LAST_LIMITS", last)
        tight = TableExplainer.build(case.text, case.names)
    found, margin = tight.contributions(case.values), case.margin()
    assert_adds_up(found, margin)
    assert_near(found, case.contributions(), margin)


@pytest.mark.parametrize("conditions", [1, 2, 8, 11, 12, 16, 17, 40])
def test_leaves_of_any_depth_are_exact(conditions: int) -> None:
    case = chain(conditions)
    explainer = TableExplainer.build(case.text, case.names)
    assert (explainer.factored > 0) == (conditions > 11)
    assert not explainer.walked
    found = explainer.contributions(case.values)
    assert_adds_up(found, case.margin())
    assert_near(found, case.contributions(), case.margin())


def shapley_in_fractions(text: str, row: np.ndarray) -> np.ndarray:
    """Path-dependent values leaf by leaf, from the definition, in exact arithmetic."""
    values = [Fraction(0)] * len(row)

    def reach(tree: Tree, node: int, path: dict[int, tuple[bool, Fraction]]) -> None:
        if node < 0:
            add_leaf(path, Fraction(float(tree.leaf_value[-1 - node])))
            return
        column = int(tree.feature[node])
        goes_left = bool(tree.goes_left(node, row[[column]])[0])
        met, share = path.get(column, (True, Fraction(1)))
        for child, taken in ((int(tree.left[node]), goes_left), (int(tree.right[node]), not goes_left)):
            rows = tree.leaf_rows[-1 - child] if child < 0 else tree.node_rows[child]
            part = Fraction(int(rows), int(tree.node_rows[node]))
            reach(tree, child, path | {column: (met and taken, share * part)})

    def add_leaf(path: dict[int, tuple[bool, Fraction]], value: Fraction) -> None:
        d = len(path)
        weights = [Fraction(factorial(i) * factorial(d - 1 - i), factorial(d)) for i in range(d)]
        every = [Fraction(1)]  # the leaf's worth by size of the coalition, summed over coalitions
        for met, share in path.values():
            every = [a * share + b * met for a, b in zip([*every, 0], [0, *every], strict=True)]
        for column, (met, share) in path.items():
            others: list[Fraction] = []  # the same without this column: one factor divided out
            for i in range(d):
                others.append((every[i] - (others[-1] * met if others else 0)) / share)
            mean = sum(w * k for w, k in zip(weights, others, strict=True))
            values[column] += value * (met - share) * mean

    for tree in read_trees(text, len(row)):
        reach(tree, 0, {})
    return np.array([float(value) for value in values])


@pytest.mark.parametrize("conditions", [3, 14, 64])
def test_contributions_are_those_of_exact_arithmetic(conditions: int) -> None:
    """LightGBM's own are not at 64 columns on a path: they are wrong by 3e-4 there."""
    case = chain(conditions)
    rows = case.values[[conditions + 4]]
    found = TableExplainer.build(case.text, case.names).contributions(rows)
    for row, parts in zip(rows, found, strict=True):
        np.testing.assert_allclose(parts[:-1], shapley_in_fractions(case.text, row), atol=1e-6, rtol=0)


@settings(max_examples=15)
@given(case=cases(), seed=st.integers(0, 99))
def test_groups_add_up_their_columns(case: Case, seed: int) -> None:
    groups = np.random.default_rng(seed).choice(["a", "b", "c"], len(COLUMNS)).tolist()
    single = TableExplainer.build(case.text, case.names)
    grouped = TableExplainer.build(case.text, case.names, groups=groups)
    assert grouped.names == tuple(dict.fromkeys(groups))
    parts = single.contributions(case.values)
    expected = np.stack(
        [parts[:, [i for i, own in enumerate(groups) if own == name]].sum(axis=1) for name in grouped.names]
        + [parts[:, -1]],
        axis=1,
    )
    assert_near(grouped.contributions(case.values), expected, case.margin())


def test_large_leaf_values_that_cancel_are_kept_in_double() -> None:
    rng = np.random.default_rng(5)
    values = draw_rows(rng, 300, 10)
    y = np.where(values[:, 6] > 0, 1e6, -1e6) * (values[:, 0] + 1.0)
    text = train(values, y, 20, num_leaves=15, learning_rate=0.5)
    case = Case(text, ask(rng, values))
    explainer = TableExplainer.build(case.text, case.names)
    assert explainer.entry == "float64"
    found = explainer.contributions(case.values)
    assert_adds_up(found, case.margin())
    assert_near(found, case.contributions(), case.margin())


def test_a_model_without_a_split_is_its_bias() -> None:
    values = np.zeros((50, len(COLUMNS)))
    text = train(values, np.full(50, 3.5), 4, num_leaves=4)
    found = TableExplainer.build(text, COLUMNS).contributions(values)
    np.testing.assert_array_equal(found[:, :-1], 0.0)
    np.testing.assert_allclose(found[:, -1], 3.5)
