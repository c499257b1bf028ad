"""Array types and the random streams of a simulation."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


class Streams:
    """Independent random generators, one per concern, all from one seed.

    A stream depends on the seed and its own name only, so a new concern, or more draws in one of them,
    leaves every other stream as it was.

    Parameters
    ----------
    seed : int
        Seed of the whole simulation, at least 0.
    """

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def of(self, concern: str) -> np.random.Generator:
        """Return a fresh generator for a concern; the same name always starts the same stream."""
        return np.random.Generator(np.random.PCG64([self._seed, zlib.crc32(concern.encode())]))


def sigmoid(x: F64) -> F64:
    """Return 1 / (1 + exp(-x)) elementwise."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)


def logit(p: F64) -> F64:
    """Return log(p / (1 - p)) elementwise."""
    return np.asarray(np.log(p) - np.log1p(-p), dtype=np.float64)


def pick(generator: np.random.Generator, weights: F64, size: int) -> I64:
    """Return `size` indices drawn with probabilities proportional to `weights`."""
    return index_of(np.tile(np.cumsum(weights), (size, 1)), generator.random(size))


def index_of(cumulative: F64, uniform: F64) -> I64:
    """Return, per row, the position that a uniform draw falls into.

    Parameters
    ----------
    cumulative : float64 array, shape (n, k)
        Cumulative probabilities per row.
    uniform : float64 array, shape (n,)
        Draws in [0, 1).
    """
    edges = cumulative[:, :-1] / cumulative[:, -1:]
    position = np.sum(uniform[:, None] >= edges, axis=1)
    return np.asarray(position, dtype=np.int64)
