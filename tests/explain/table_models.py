"""Random LightGBM models with all that makes trees awkward, and rows that ask everything of them."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from hypothesis import strategies as st

COLUMNS = ("number", "holes", "whole", "constant", "few", "many", "flag", "zeros")
CATEGORICAL = (4, 5)


@dataclass(frozen=True)
class Case:
    """A trained model and rows to explain."""

    text: str
    values: np.ndarray

    @property
    def names(self) -> list[str]:
        return [f"c{i}" for i in range(self.values.shape[1])]

    def contributions(self) -> np.ndarray:
        return np.asarray(lgb.Booster(model_str=self.text).predict(self.values, pred_contrib=True))

    def margin(self) -> np.ndarray:
        return np.asarray(lgb.Booster(model_str=self.text).predict(self.values, raw_score=True))


def draw_rows(rng: np.random.Generator, n: int, categories: int) -> np.ndarray:
    values = np.empty((n, len(COLUMNS)))
    values[:, 0] = rng.normal(size=n)
    values[:, 1] = np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n))
    values[:, 2] = rng.integers(0, 4, n)
    values[:, 3] = 7.0
    values[:, 4] = rng.integers(0, 5, n)
    values[:, 5] = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, categories, n))
    values[:, 6] = rng.integers(0, 2, n)
    values[:, 7] = np.where(rng.random(n) < 0.5, 0.0, rng.normal(size=n))
    return values


def ask(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Add what training never saw: other categories, new holes, infinities, zeros of both signs."""
    odd = values.copy()
    for column, answers in {
        0: (np.nan, np.inf, -np.inf, 0.0, -0.0),
        2: (np.nan, 1.5, -3.0, 99.0),
        3: (np.nan, 6.0, 8.0),
        4: (np.nan, -1.0, -0.5, 5.0, 2.7),
        5: (np.nan, -7.0, 1e6, 0.0),
        6: (np.nan, 0.5),
        7: (1e-36, -1e-36, np.nan),
    }.items():
        rows = rng.random(len(odd)) < 0.15
        odd[rows, column] = rng.choice(answers, rows.sum())
    return np.ascontiguousarray(np.vstack([values[:40], odd]))


def train(values: np.ndarray, y: np.ndarray, trees: int, **options: object) -> str:
    parameters = {
        "objective": "regression", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1, "seed": 1,
        "min_data_in_bin": 1, "min_data_per_group": 1, "cat_smooth": 1.0, "cat_l2": 0.0,
        "deterministic": True, "force_row_wise": True, "min_sum_hessian_in_leaf": 0.0,
    } | options  # fmt: skip
    categorical = options.get("categorical_feature", "auto")
    parameters.pop("categorical_feature", None)
    data = lgb.Dataset(values, y, categorical_feature=categorical, params=parameters)
    return lgb.train(parameters, data, num_boost_round=trees).model_to_string()


@st.composite
def cases(draw: st.DrawFn, *, copies: int = 1) -> Case:
    """Models of 1 to 6 trees, depth 1 to 40, 2 to 40 leaves, categories one by one and in sets.

    With several copies of every column a tree uses more columns than two vectors hold.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = draw_rows(rng, draw(st.sampled_from([30, 120, 300])), draw(st.sampled_from([3, 40, 400])))
    if draw(st.booleans()):
        values[:, 0] = np.round(values[:, 0])
    signal = np.nan_to_num(values) @ rng.normal(size=len(COLUMNS)) + 2.0 * (values[:, 5] % 3 == 1)
    asked = np.tile(ask(rng, values), (1, copies))
    for column in range(len(COLUMNS), asked.shape[1]):
        asked[:, column] = rng.permutation(asked[:, column])
    text = train(
        np.tile(values, (1, copies)),
        signal * np.exp(rng.normal(size=len(values))),
        draw(st.integers(1, 6)),
        num_leaves=draw(st.sampled_from([2, 3, 8, 20, 40])),
        max_depth=draw(st.sampled_from([1, 2, 5, 40])),
        max_cat_to_onehot=draw(st.sampled_from([1, 4, 64])),
        learning_rate=draw(st.sampled_from([0.05, 1.0])),
        min_data_in_leaf=draw(st.sampled_from([1, 10, 10_000])),
        zero_as_missing=draw(st.booleans()),
        bagging_fraction=draw(st.sampled_from([0.5, 1.0])),
        bagging_freq=1,
        extra_trees=copies > 1,
        categorical_feature=[copy * len(COLUMNS) + c for copy in range(copies) for c in CATEGORICAL],
    )
    return Case(text, asked)


def chain(conditions: int, *, rows: int = 60) -> Case:
    """A model whose deepest leaf has so many columns on its path: row k alone has column k."""
    rng = np.random.default_rng(conditions)
    owner = np.repeat(np.arange(conditions + 1), 20)
    values = (owner[:, None] == np.arange(conditions + 1)).astype(float)
    text = train(values, 1.25**-owner, 2, num_leaves=conditions + 1, max_depth=-1, learning_rate=0.5)
    asked = (rng.random((rows, conditions + 1)) < 0.5).astype(float)
    asked[::3] *= rng.random(asked[::3].shape) < 0.1
    return Case(text, np.ascontiguousarray(np.vstack([values[::20], asked])))
