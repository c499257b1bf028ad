"""One row through LightGBM's fast way: the bits of a batch, in any thread, and nothing left behind."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.errors import RecobroError
from recobro_score.models import single_row
from recobro_score.models.booster import Booster, BoosterOptions
from recobro_score.models.single_row import SingleRow, find_functions


@dataclass(frozen=True)
class Columns:
    """Six numbers and a category."""

    names: tuple[str, ...] = (*(f"x{i}" for i in range(6)), "product")
    kinds: tuple[str, ...] = ("number",) * 6 + ("category",)
    monotone: tuple[int, ...] = (0,) * 7
    hash: str = "one row"

    @property
    def vocabularies(self) -> dict[str, tuple[str, ...]]:
        return {"product": ("card", "loan", "lease")}


def draw(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.column_stack([rng.normal(size=(n, 6)), rng.integers(0, 5, n)])
    values[:, 1] = np.exp(3.0 * values[:, 1])
    values[rng.random(n) < 0.3, 2] = np.nan
    values[rng.random(n) < 0.3, 3] = 0.0
    return np.ascontiguousarray(values)


def trained(seed: int, trees: int = 60) -> Booster:
    values = draw(800, seed)
    margin = np.nan_to_num(values[:, 2]) + values[:, 0] * values[:, 3] + (values[:, 6] == 3.0)
    y = (margin + np.random.default_rng(seed).logistic(size=800) > 0.3).astype(float)
    options = BoosterOptions(trees=trees, leaves=31, min_leaf=5, learning_rate=0.1, l2=0.0)
    return Booster.fit(values, y, schema=Columns(), options=options)


@pytest.fixture(scope="module")
def booster() -> Booster:
    return trained(1)


def alone(booster: Booster, values: np.ndarray) -> np.ndarray:
    return np.concatenate([booster.margin(values[row : row + 1]) for row in range(len(values))])


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()


@settings(max_examples=6)
@given(model=st.integers(0, 2), rows=st.integers(0, 10_000))
def test_one_row_has_the_bits_of_the_batch_and_so_has_the_saved_model(model: int, rows: int) -> None:
    booster, values = trained(model, trees=15), draw(200, rows)
    assert SingleRow.of(booster._engine) is not None
    batch = booster.margin(values)
    assert same_bits(alone(booster, values), batch)
    assert same_bits(alone(Booster(booster.text, Columns()), values), batch)


def test_strange_values_too(booster: Booster) -> None:
    values = np.zeros((6, 7))
    values[0, :6], values[1, :6] = np.nan, -0.0
    values[2, :6], values[3, :6] = 1e308, -1e308
    values[4, :6], values[5, 6] = 1e-40, 1.0
    assert same_bits(alone(booster, values), booster.margin(values))


def test_threads_at_once_do_not_disturb_each_other(booster: Booster) -> None:
    values = draw(400, 7)
    batch, gate = booster.margin(values), Barrier(4)

    def work(_: int) -> np.ndarray:
        gate.wait()
        return alone(booster, values)

    with ThreadPoolExecutor(4) as pool:
        assert all(same_bits(found, batch) for found in pool.map(work, range(4)))


def test_without_the_functions_the_bits_are_the_same(booster: Booster, monkeypatch) -> None:
    values = draw(50, 8)
    monkeypatch.setattr(single_row, "find_functions", lambda: None)
    plain = Booster(booster.text, Columns())
    assert plain._single is None
    assert same_bits(alone(plain, values), booster.margin(values))


class Counting:
    """LightGBM's functions, with a count of what was prepared and freed."""

    def __init__(self) -> None:
        self.prepared = self.freed = 0
        self.real = find_functions()
        assert self.real is not None

    def prepare(self, *arguments: object) -> int:
        self.prepared += 1
        return int(self.real.prepare(*arguments))

    def free(self, *arguments: object) -> int:
        self.freed += 1
        return int(self.real.free(*arguments))

    def functions(self) -> single_row.Functions:
        return replace(self.real, prepare=self.prepare, free=self.free)


def test_a_configuration_goes_with_its_thread_and_with_its_booster(booster: Booster, monkeypatch) -> None:
    counting = Counting()
    monkeypatch.setattr(single_row, "find_functions", counting.functions)
    mine, values = Booster(booster.text, Columns()), draw(5, 9)
    assert (counting.prepared, counting.freed) == (0, 0)
    alone(mine, values)
    assert (counting.prepared, counting.freed) == (1, 0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(alone, mine, values).result()
        assert (counting.prepared, counting.freed) == (2, 0)
    gc.collect()
    assert (counting.prepared, counting.freed) == (2, 1)
    del mine
    gc.collect()
    assert (counting.prepared, counting.freed) == (2, 2)


def test_the_booster_lives_as_long_as_its_fast_way() -> None:
    single, values = SingleRow.of(trained(3, trees=5)._engine), draw(1, 3)
    gc.collect()
    assert single is not None
    assert single.raw_score(values) == trained(3, trees=5).margin(values)[0]


def test_what_lightgbm_refuses_is_told(booster: Booster) -> None:
    functions = Counting().functions()
    refusing = replace(functions, score=lambda *_: -1, last_error=lambda: b"too warm")
    with pytest.raises(RecobroError, match="LightGBM refused to score one row: too warm"):
        SingleRow(refusing, booster._engine).raw_score(draw(1, 1))


def test_one_wrong_row_is_refused_as_in_a_batch(booster: Booster) -> None:
    row = draw(1, 2)
    row[0, 0], row[0, 6] = np.inf, 7.0
    with pytest.raises(
        ValueError, match=r"x0: 1 of 1 values are infinite; product: .* 0\.\.4, for example 7"
    ):
        booster.margin(row)


def test_a_copy_scores_the_same_bits(booster: Booster) -> None:
    values = draw(20, 4)
    again = deepcopy(booster)
    assert again == booster
    assert same_bits(alone(again, values), booster.margin(values))
