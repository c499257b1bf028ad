"""Candidates over time: losses as fitted by hand, regrets that add up, a search that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.calendars import US_PER_DAY
from recobro_score.errors import ConfigError, ContractError
from recobro_score.evaluation.metrics import log_loss
from recobro_score.models.booster import Booster, BoosterOptions
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.objectives import JudgedRows, ListCost, LogLoss
from recobro_score.models.selection import RULES, Selection, select
from recobro_score.models.tuning import SearchSpace, TuningOptions, tune
from recobro_score.money import MISSING_MONEY
from recobro_score.timeline import Timeline, temporal_folds
from tests.models.event_samples import FAST, Columns, draw

COLUMNS = Columns()
MONTHS = tuple(day * US_PER_DAY for day in range(20_000, 20_180, 30))
FOLDS = temporal_folds(Timeline(MONTHS, "UTC"), 30, n_folds=3)
CANDIDATES = {
    "fast": FAST,
    "stumps": FAST.model_copy(update={"trees": 5, "leaves": 2}),
    "slow": FAST.model_copy(update={"learning_rate": 0.01}),
}


@dataclass(frozen=True)
class Matrix:
    account_ids: np.ndarray
    as_of: np.ndarray
    values: np.ndarray
    schema: Columns = COLUMNS


@dataclass(frozen=True)
class Outcomes:
    value: np.ndarray
    as_of: np.ndarray
    exposure: np.ndarray
    recovered: np.ndarray


def book(n_accounts: int = 300, seed: int = 0) -> tuple[Matrix, Outcomes]:
    n = n_accounts * len(MONTHS)
    values, y, _ = draw(n, seed)
    rng = np.random.default_rng(seed)
    as_of = np.tile(np.array(MONTHS), n_accounts)
    ids = np.repeat([f"A{code:04d}" for code in range(n_accounts)], len(MONTHS)).astype(object)
    exposure = rng.integers(1_000, 90_000, n)
    y[rng.random(n) < 0.05] = np.nan
    recovered = np.where(np.isnan(y), MISSING_MONEY, np.where(y == 1, exposure // 2, 0))
    return Matrix(ids, as_of, values), Outcomes(y, as_of, exposure, recovered)


@pytest.fixture(scope="module")
def rows() -> tuple[Matrix, Outcomes]:
    return book()


def test_losses_are_those_of_a_fit_by_hand(rows: tuple[Matrix, Outcomes]) -> None:
    matrix, labels = rows
    found = select(matrix, labels, CANDIDATES, folds=FOLDS)
    known = ~np.isnan(labels.value)
    split = FOLDS[1]
    train, later, test = (
        np.flatnonzero(known & np.isin(matrix.as_of, part))
        for part in (split.train, split.calibration, split.test)
    )
    booster = Booster.fit(matrix.values[train], labels.value[train], schema=matrix.schema, options=FAST)
    calibrator = Calibrator.fit(booster.margin(matrix.values[later]), labels.value[later])
    p = calibrator.probability(booster.margin(matrix.values[test]))
    assert found.losses[1, 0] == log_loss(labels.value[test], p).value


def test_row_order_does_not_matter(rows: tuple[Matrix, Outcomes]) -> None:
    matrix, labels = rows
    order = np.random.default_rng(1).permutation(len(matrix.as_of))
    mixed = Matrix(matrix.account_ids[order], matrix.as_of[order], matrix.values[order])
    told = Outcomes(*(getattr(labels, name)[order] for name in labels.__dataclass_fields__))
    few = {"fast": FAST}
    np.testing.assert_array_equal(
        select(matrix, labels, few, folds=FOLDS).losses, select(mixed, told, few, folds=FOLDS).losses
    )


losses = st.integers(1, 5).flatmap(
    lambda months: st.lists(
        st.lists(st.floats(0, 10), min_size=3, max_size=3), min_size=months, max_size=months
    )
)


@given(losses)
def test_regrets_and_rules_follow_their_definitions(table: list[list[float]]) -> None:
    months = tuple(f"2025-0{month + 1}-01" for month in range(len(table)))
    found = Selection("log_loss", ("a", "b", "c"), months, np.array(table))
    regrets = np.array([[loss - min(row) for loss in row] for row in table])
    np.testing.assert_array_equal(found.regrets, regrets)
    assert (found.regrets.min(axis=1) == 0).all()
    by_candidate = found.by_candidate().set_index("candidate")
    assert by_candidate.index[0] == found.chosen
    for column, name in enumerate(found.candidates):
        assert by_candidate.loc[name, "worst_regret"] == regrets[:, column].max()
    rules = found.by_rule().set_index("rule")
    for month in range(1, len(table)):
        past = regrets[:month]
        assert RULES["best of last month"](past) == int(np.argmin(table[month - 1]))
    if len(table) == 2:
        picked = int(np.argmin(regrets[0]))
        assert set(rules.loc[list(RULES), "mean_regret"]) == {regrets[1, picked]}
    if len(table) == 1:
        assert rules["mean_regret"].isna().all()


def test_the_cost_of_a_list_is_counted_as_by_hand() -> None:
    rows = JudgedRows(np.array([1.0, 0, 1, 0]), np.array([100, 1_000, 10, 50]), np.array([80, 0, 10, 0]))
    p = np.array([0.9, 0.05, 0.9, 0.1])
    # worth 80, 40, −1 and −5: two of four are listed and worth it; the third would be allowed but is not
    assert ListCost(capacity=0.75, cost=10).loss(p, rows) == -(80 + 0 - 20) / 4
    assert ListCost(capacity=0.25, cost=10).loss(p, rows) == -(80 - 10) / 4
    with pytest.raises(ContractError, match="1 of 4 rows"):
        ListCost(capacity=1).loss(p, JudgedRows(rows.y, rows.exposure, np.array([0, MISSING_MONEY, 0, 0])))
    with pytest.raises(ConfigError, match="capacity"):
        ListCost(capacity=1.5)


def test_folds_without_a_test_part_are_refused(rows: tuple[Matrix, Outcomes]) -> None:
    untested = temporal_folds(Timeline(MONTHS, "UTC"), 30, n_folds=1, calibration=0)
    with pytest.raises(ConfigError, match="calibration and a test"):
        select(*rows, CANDIDATES, folds=untested)
    with pytest.raises(ConfigError, match="candidates and folds"):
        select(*rows, {}, folds=FOLDS)


SPACE = SearchSpace(trees=(5, 40), leaves=(2, 8), min_leaf=(10, 60))
SEARCH = TuningOptions(trials=4, space=SPACE, base=FAST)


def test_a_search_never_ends_worse_than_it_began(rows: tuple[Matrix, Outcomes]) -> None:
    told: list[float] = []
    found = tune(*rows, folds=FOLDS, options=SEARCH, progress=lambda _, share: told.append(share))
    assert found.best_loss <= found.base_loss
    assert told == [0.25, 0.5, 0.75, 1.0]
    table = found.frame()
    assert table.loc[0, list(SearchSpace.model_fields)].to_dict() == SPACE.clipped(FAST)
    assert found.best_loss == table.loc[~table["pruned"], "log_loss"].min()
    again = select(*rows, {"best": found.best}, folds=FOLDS)
    assert again.losses.mean() == pytest.approx(found.best_loss, abs=1e-12)
    assert tune(*rows, folds=FOLDS, options=SEARCH).best == found.best


def test_a_stopped_search_goes_on(rows: tuple[Matrix, Outcomes], tmp_path: Path) -> None:
    kept = tmp_path / "trials.db"
    begun = tune(*rows, folds=FOLDS, options=SEARCH.model_copy(update={"trials": 2}), storage=kept)
    ended = tune(*rows, folds=FOLDS, options=SEARCH, storage=kept)
    assert len(begun.frame()) == 2
    assert len(ended.frame()) == 4
    np.testing.assert_array_equal(begun.frame()["log_loss"], ended.frame()["log_loss"][:2])
    other = tune(*rows, folds=FOLDS[:2], options=SEARCH.model_copy(update={"trials": 1}), storage=kept)
    assert len(other.frame()) == 1, "another problem must not go on with the trials of this one"


def test_the_defaults_lie_within_the_space() -> None:
    base = BoosterOptions()
    assert SearchSpace().clipped(base) == {name: getattr(base, name) for name in SearchSpace.model_fields}


def test_an_objective_is_anything_of_its_shape(rows: tuple[Matrix, Outcomes]) -> None:
    class Brier:
        name = "brier"

        def loss(self, p: np.ndarray, rows: JudgedRows) -> float:
            return float(((p - rows.y) ** 2).mean())

    found = select(*rows, {"fast": FAST}, folds=FOLDS[:1], objective=Brier())
    assert 0 < found.losses[0, 0] < 0.25
    assert "brier" in found.frame().columns
    assert LogLoss().name == "log_loss"
