"""Small samples with a known margin, for the tests of the models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recobro_score.models.booster import BoosterOptions

FAST = BoosterOptions(trees=40, learning_rate=0.1, leaves=7, min_leaf=15)


@dataclass(frozen=True)
class Columns:
    """A schema of plain words: what a booster must know and no more."""

    names: tuple[str, ...] = ("age", "paid", "constant", "empty", "product")
    kinds: tuple[str, ...] = ("number", "number", "number", "number", "category")
    vocabularies: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"product": ("car", "card", "loan")}
    )
    monotone: tuple[int, ...] = (0, 1, 0, 0, 0)
    hash: str = "a" * 64


def draw(
    n: int = 1500, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return values of `Columns`, outcomes and the true margin; a tenth of `age` is missing."""
    rng = np.random.default_rng(seed)
    age, paid = rng.normal(size=n), rng.gamma(2, 50, n)
    product = rng.choice([0.0, 2.0, 3.0, 4.0], n)
    margin = -1.5 + 0.8 * age + 0.008 * paid + 0.7 * (product == 3)
    y = (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(float)
    values = np.column_stack([age, paid, np.full(n, 3.0), np.full(n, np.nan), product])
    values[rng.random(n) < 0.1, 0] = np.nan
    return np.ascontiguousarray(values), y, margin
