from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from recobro_score.errors import ContractError, NotEnoughData, SchemaMismatch
from recobro_score.models.booster import Booster, BoosterOptions
from tests.models.event_samples import FAST, Columns, draw


@pytest.fixture(scope="module")
def booster() -> Booster:
    values, y, _ = draw()
    return Booster.fit(values, y, schema=Columns(), options=FAST)


def test_the_number_of_threads_changes_no_byte(booster: Booster) -> None:
    values, y, _ = draw()
    assert (
        Booster.fit(values, y, schema=Columns(), options=FAST.model_copy(update={"threads": 2})).text
        == booster.text
    )
    np.testing.assert_array_equal(booster.margin(values, threads=2), booster.margin(values))


def test_another_process_writes_the_same_bytes(booster: Booster, root: Path) -> None:
    script = (
        "import sys\n"
        "from recobro_score.models.booster import Booster\n"
        "from tests.models.event_samples import FAST, Columns, draw\n"
        "values, y, _ = draw()\n"
        "sys.stdout.write(Booster.fit(values, y, schema=Columns(), options=FAST).text)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == booster.text


def test_one_row_has_the_bits_it_has_in_a_batch(booster: Booster) -> None:
    values, _, _ = draw(200, seed=1)
    margin = booster.margin(values)
    np.testing.assert_array_equal([booster.margin(row[None])[0] for row in values], margin)


def test_text_round_trip_keeps_every_bit(booster: Booster) -> None:
    values, _, _ = draw(300, seed=2)
    again = Booster(booster.text, Columns())
    np.testing.assert_array_equal(again.margin(values), booster.margin(values))
    assert again == booster


def test_the_canonical_text_predicts_what_lightgbm_trained() -> None:
    values, y, _ = draw()
    schema = replace(Columns(), monotone=(0,) * 5)
    ours = Booster.fit(values, y, schema=schema, options=FAST)
    parameters = {
        "objective": "binary", "learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 15,
        "lambda_l2": FAST.l2, "feature_fraction": FAST.feature_fraction, "seed": FAST.seed,
        "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
    }  # fmt: skip
    data = lgb.Dataset(values, y, categorical_feature=[4], params=parameters)
    theirs = lgb.train(parameters, data, num_boost_round=FAST.trees)
    np.testing.assert_array_equal(ours.margin(values), theirs.predict(values, raw_score=True))
    assert "num_threads" not in ours.text


def test_it_learns_and_obeys_the_monotone_direction(booster: Booster) -> None:
    values, _, margin = draw(1000, seed=4)
    assert np.corrcoef(booster.margin(values), margin)[0, 1] > 0.8
    grid = np.repeat(values[:50], 40, axis=0)
    grid[:, 1] = np.tile(np.linspace(0, 800, 40), 50)
    steps = np.diff(booster.margin(grid).reshape(50, 40), axis=1)
    assert (steps >= 0).all()
    assert (steps > 0).any()


def test_a_value_missing_for_the_first_time_acts_as_the_median(booster: Booster) -> None:
    values, _, _ = draw()
    unseen, median = values.copy(), values.copy()
    unseen[:, 1] = np.nan
    median[:, 1] = np.median(values[:, 1])
    np.testing.assert_array_equal(booster.margin(unseen), booster.margin(median))


def test_unseen_and_missing_categories_are_scored(booster: Booster) -> None:
    values, _, _ = draw(50)
    for code in (0.0, 1.0):
        values[:, 4] = code
        assert np.isfinite(booster.margin(values)).all()


def test_constant_and_empty_columns_alone_give_the_base_rate() -> None:
    values, y, _ = draw()
    schema = replace(Columns(), names=("constant", "empty"), kinds=("number",) * 2, monotone=(0, 0))
    kept = np.ascontiguousarray(values[:, 2:4])
    margin = Booster.fit(kept, y, schema=schema, options=FAST).margin(kept)
    np.testing.assert_allclose(1 / (1 + np.exp(-margin)), y.mean(), rtol=1e-6)


def test_whole_weights_move_the_margin_as_copies_do() -> None:
    values, y, _ = draw(600)
    options = FAST.model_copy(update={"trees": 1, "min_leaf": 1, "feature_fraction": 1.0})
    weighted = Booster.fit(values, y, schema=Columns(), options=options, weight=np.where(y == 1, 3.0, 1.0))
    plain = Booster.fit(values, y, schema=Columns(), options=options)
    assert weighted.margin(values).mean() > plain.margin(values).mean() + 0.5


def test_no_rows_give_no_margins(booster: Booster) -> None:
    assert booster.margin(np.zeros((0, 5))).shape == (0,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ("paid", "age", "constant", "empty", "product")}, "another order"),
        (
            {"names": ("age", "paid", "constant", "new", "product")},
            r"without \['empty'\], with unknown \['new'\]",
        ),
        ({"vocabularies": {"product": ("car",)}}, "vocabularies or kinds"),
    ],
)
def test_a_schema_it_does_not_know_is_refused(booster: Booster, change: dict, words: str) -> None:
    booster.check_schema(Columns())
    with pytest.raises(SchemaMismatch, match=words):
        booster.check_schema(replace(Columns(), hash="b" * 64, **change))


def test_a_model_of_other_width_is_refused(booster: Booster) -> None:
    with pytest.raises(SchemaMismatch, match="5 columns, the rows have 2"):
        Booster(booster.text, replace(Columns(), names=("a", "b"), kinds=("number",) * 2))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v: v.astype(np.float32), "float64"),
        (np.asfortranarray, "C-contiguous"),
        (lambda v: v[0], "shape"),
        (lambda v: np.ascontiguousarray(v[:, :4]), "5 columns of the schema, got 4"),
        (lambda v: np.where(np.arange(5) == 1, np.inf, v), "paid: 20 of 20 values are infinite"),
        (
            lambda v: np.where(np.arange(5) == 4, 5.0, v),
            r"product: 20 of 20 category codes are not among 0..4",
        ),
        (lambda v: np.where(np.arange(5) == 4, np.nan, v), "product: 20 of 20"),
        (lambda v: np.where(np.arange(5) == 4, 2.5, v), "for example 2.5"),
    ],
)
def test_wrong_values_are_refused_by_name(booster: Booster, spoil, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        booster.margin(spoil(draw(20)[0]))


@pytest.mark.parametrize(("n", "events"), [(50, 20), (500, 0), (500, 500), (500, 9), (0, 0)])
def test_tiny_or_one_sided_samples_are_refused_with_their_numbers(n: int, events: int) -> None:
    values, _, _ = draw(n)
    y = (np.arange(n) < events).astype(float)
    with pytest.raises(NotEnoughData, match=f"{n} rows with a known outcome, {events} events"):
        Booster.fit(values, y, schema=Columns(), options=FAST)


def test_outcomes_other_than_zero_and_one_are_refused() -> None:
    values, y, _ = draw(200)
    with pytest.raises(ContractError, match="0 or 1"):
        Booster.fit(values, y * 2, schema=Columns())
    with pytest.raises(ContractError, match="200 rows of features"):
        Booster.fit(values, np.tile(y, 2), schema=Columns())


def test_options_are_frozen_and_know_their_names() -> None:
    with pytest.raises(ValueError, match="frozen"):
        BoosterOptions().trees = 3
    with pytest.raises(ValueError, match="tree"):
        BoosterOptions(tree=3)
