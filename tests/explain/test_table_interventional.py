"""Against a background sample: Shapley values by their definition, with categories as with numbers."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import lightgbm as lgb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.explain.table_shap import TableExplainer
from tests.explain.table_models import Case, cases, chain


def brute_force(text: str, row: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Shapley values from every coalition of the columns."""
    p = len(row)
    coalitions = [s for size in range(p + 1) for s in combinations(range(p), size)]
    mixed = np.tile(background, (len(coalitions), 1, 1))
    for known, rows in zip(coalitions, mixed, strict=True):
        rows[:, list(known)] = row[list(known)]
    margins = np.asarray(lgb.Booster(model_str=text).predict(mixed.reshape(-1, p), raw_score=True))
    worth = dict(zip(coalitions, margins.reshape(len(coalitions), -1).mean(axis=1), strict=True))
    values = np.zeros(p)
    for known in coalitions:
        weight = factorial(len(known)) * factorial(p - len(known) - 1) / factorial(p) if len(known) < p else 0
        for j in set(range(p)) - set(known):
            values[j] += weight * (worth[tuple(sorted((*known, j)))] - worth[known])
    return values


@settings(max_examples=25)
@given(case=cases(), data=st.data())
def test_contributions_are_shapley_values_against_the_background(case: Case, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    background = case.values[rng.integers(0, len(case.values), data.draw(st.integers(1, 6)))]
    explainer = TableExplainer.build(case.text, case.names, background=background)
    rows = np.ascontiguousarray(case.values[rng.integers(0, len(case.values), 2)])
    found = explainer.contributions(rows)
    margin = lgb.Booster(model_str=case.text).predict(background, raw_score=True)
    scale = max(1.0, np.abs(margin).max(), np.abs(found).max())
    np.testing.assert_allclose(explainer.bias, np.mean(margin), atol=1e-6 * scale)
    for row, parts in zip(rows, found, strict=True):
        np.testing.assert_allclose(parts[:-1], brute_force(case.text, row, background), atol=1e-6 * scale)


@settings(max_examples=15)
@given(case=cases())
def test_they_add_up_to_the_margin(case: Case) -> None:
    explainer = TableExplainer.build(case.text, case.names, background=case.values[:100])
    margin = case.margin()
    error = np.abs(explainer.contributions(case.values).sum(axis=1) - margin)
    assert (error <= 1e-6 * np.maximum(1.0, np.abs(margin))).all()


def test_leaves_too_deep_for_a_table_are_walked_to_the_same_values() -> None:
    case = chain(10)
    background = case.values[:30]
    tables = TableExplainer.build(case.text, case.names, background=background)
    words = TableExplainer.build(case.text, case.names, background=background, memory_mb=0.06)
    assert not tables.walked
    assert words.walked
    expected = np.stack([brute_force(case.text, row, background) for row in case.values[:3]])
    for explainer in (tables, words):
        found = explainer.contributions(case.values)
        np.testing.assert_allclose(found[:3, :-1], expected, atol=1e-6)
        np.testing.assert_allclose(found.sum(axis=1), case.margin(), atol=1e-6)


def test_a_column_that_never_differs_from_the_background_adds_nothing() -> None:
    case = chain(6)
    background = case.values[:1]
    found = TableExplainer.build(case.text, case.names, background=background).contributions(case.values)
    same = case.values == background
    assert (found[:, :-1][same] == 0.0).all()
    assert (found[:, :-1][~same] != 0.0).any()
