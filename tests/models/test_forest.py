"""Scores without LightGBM have LightGBM's bits: any model, any value, any number of rows and threads."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.errors import ConfigError
from recobro_score.models import forest
from recobro_score.models.booster import Booster
from recobro_score.models.forest import LANES, Forest
from recobro_score.models.trees import ZERO, read_trees
from tests.explain.table_models import COLUMNS, Case, cases, chain, draw_rows, train
from tests.models.event_samples import FAST, Columns, draw


def grown(text: str, columns: int) -> Forest:
    return Forest.of(read_trees(text, columns))


def by_lightgbm(text: str, values: np.ndarray) -> np.ndarray:
    return np.asarray(lgb.Booster(model_str=text).predict(values, raw_score=True, num_threads=1))


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()


@settings(max_examples=60)
@given(case=st.one_of(cases(), cases(copies=4)))
def test_any_model_scores_any_row_as_lightgbm_does(case: Case) -> None:
    found = grown(case.text, case.values.shape[1]).raw_score(case.values)
    assert same_bits(found, by_lightgbm(case.text, case.values))


@settings(max_examples=20)
@given(case=cases())
def test_values_at_the_very_thresholds_and_around_zero_go_the_same_way(case: Case) -> None:
    trees = read_trees(case.text, len(COLUMNS))
    named = np.concatenate([np.zeros(1), *(tree.threshold for tree in trees)])
    around = [0.0, -0.0, ZERO, -ZERO, 1e-40, -1e-40]
    values = np.unique(np.concatenate([named, np.nextafter(named, np.inf), np.nextafter(named, -np.inf)]))
    values = np.concatenate([values, around, np.nextafter(around, 1.0), np.nextafter(around, -1.0)])
    rows = np.ascontiguousarray(np.repeat(values[:, None], len(COLUMNS), axis=1))
    assert same_bits(Forest.of(trees).raw_score(rows), by_lightgbm(case.text, rows))


@pytest.mark.parametrize("zero_as_missing", [False, True])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_split_between_zero_and_its_neighbours_is_at_the_value_that_lightgbm_takes(
    sign: float, zero_as_missing: bool
) -> None:
    rng = np.random.default_rng(2)
    column = np.where(rng.random(600) < 0.4, 0.0, rng.normal(size=600))
    y = (sign * column > 0).astype(float) + 0.01 * rng.normal(size=600)
    text = train(column[:, None], y, 2, num_leaves=4, zero_as_missing=zero_as_missing, categorical_feature=[])
    around = np.array([0.0, ZERO, 1e-40, 1.0])
    around = np.concatenate([around, np.nextafter(around, 2.0), np.nextafter(around, -2.0), [np.nan]])
    rows = np.concatenate([around, -around])[:, None]
    assert any(np.abs(tree.threshold).min() == ZERO for tree in read_trees(text, 1))
    assert same_bits(grown(text, 1).raw_score(rows), by_lightgbm(text, rows))


@pytest.mark.parametrize("conditions", [1, 40])
def test_trees_of_any_depth(conditions: int) -> None:
    case = chain(conditions)
    found = grown(case.text, case.values.shape[1]).raw_score(case.values)
    assert same_bits(found, by_lightgbm(case.text, case.values))


def test_a_tree_without_a_split_adds_its_one_leaf() -> None:
    values = draw_rows(np.random.default_rng(5), 50, 3)
    text = train(values, np.full(50, 2.5), 3)
    assert all(len(tree.feature) == 0 for tree in read_trees(text, len(COLUMNS)))
    assert same_bits(grown(text, len(COLUMNS)).raw_score(values), by_lightgbm(text, values))


@pytest.fixture(scope="module")
def booster() -> Booster:
    values, y, _ = draw()
    return Booster.fit(values, y, schema=Columns(), options=FAST)


@settings(max_examples=25)
@given(rows=st.lists(st.integers(0, 299), min_size=1, max_size=3 * LANES), job=st.integers(1, 50))
def test_a_row_has_the_same_bits_alone_in_any_company_and_in_any_thread(rows, job, booster: Booster) -> None:
    values, _, _ = draw(300, seed=6)
    whole = booster.margin(values)
    alone = np.concatenate([booster.margin(values[row : row + 1]) for row in rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest, "_ROWS_PER_JOB", job)
        found = [booster.margin(values[rows], threads=threads) for threads in (1, 2, 3)]
    assert same_bits(alone, whole[rows])
    assert all(same_bits(one, whole[rows]) for one in found)


def test_callers_at_once_do_not_disturb_each_other(booster: Booster) -> None:
    values, _, _ = draw(400, seed=7)
    whole = booster.margin(values)
    with ThreadPoolExecutor(4) as pool:
        assert all(same_bits(found, whole) for found in pool.map(lambda _: booster.margin(values), range(8)))


def test_a_copy_scores_the_same_bits(booster: Booster) -> None:
    values, _, _ = draw(20, seed=8)
    again = deepcopy(booster)
    assert again == booster
    assert same_bits(again.margin(values), booster.margin(values))


def test_read_only_rows_are_scored_and_rows_stay_writable(booster: Booster) -> None:
    values, _, _ = draw(20, seed=9)
    whole = booster.margin(values)
    assert values.flags.writeable
    values.flags.writeable = False
    assert same_bits(booster.margin(values), whole)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [("left_child", "0"), ("right_child", "99"), ("left_child", "-99"), ("split_feature", "5")],
)
def test_a_damaged_tree_is_refused_before_it_is_walked(line: str, wrong: str, booster: Booster) -> None:
    text = re.sub(rf"^{line}=\S+", f"{line}={wrong}", booster.text, count=1, flags=re.M)
    assert text != booster.text
    with pytest.raises(ConfigError, match="Tree 0 of the model's text is damaged"):
        Booster(text, Columns())


def test_no_thread_at_all_is_refused(booster: Booster) -> None:
    with pytest.raises(ConfigError, match="at least one thread, got 0"):
        booster.margin(draw(20)[0], threads=0)
