"""Features of a store: compile the schema, bind it, scan account blocks in threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.errors import ConfigError
from recobro_score.features import kernel
from recobro_score.features.attributes import fill_static
from recobro_score.features.binding import Scan, bind, major_units
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.program import Plan, compile_schema
from recobro_score.features.schema import MISSING_WORD, FeatureSchema

PAIRS_PER_BLOCK = 4096
"""Pairs whose columns are computed together; results do not depend on it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """All that a block of accounts needs, shared read-only among threads."""

    schema: FeatureSchema
    plan: Plan
    store: EventStore
    as_ofs: NDArray[np.int64]
    scans: tuple[Scan, ...]
    scale: NDArray[np.float64]

    def matrix(self, first: int, last: int, threads: int) -> FeatureMatrix:
        """Return the pairs of the accounts ``first … last − 1``."""
        size = len(self.as_ofs)
        values = np.empty(((last - first) * size, len(self.schema)))
        step = max(1, PAIRS_PER_BLOCK // size)
        blocks = [(low, min(low + step, last)) for low in range(first, last, step)]
        outs = [values[(low - first) * size : (high - first) * size] for low, high in blocks]
        if threads == 1 or len(blocks) < 2:
            for (low, high), out in zip(blocks, outs, strict=True):
                self.fill(low, high, out)
        else:
            with ThreadPoolExecutor(threads) as pool:
                pairs = zip(blocks, outs, strict=True)
                for done in [pool.submit(self.fill, low, high, out) for (low, high), out in pairs]:
                    done.result()
        account = np.repeat(np.arange(first, last), size)
        ids = self.store.account_ids
        if size > 1 or last - first < self.store.n_accounts:
            ids = ids.take(pa.array(account))
        return FeatureMatrix(ids, account, np.tile(self.as_ofs, last - first), values, self.schema)

    def fill(self, first: int, last: int, out: NDArray[np.float64]) -> None:
        """Compute the pairs of the accounts ``first … last − 1`` into `out`."""
        m = len(self.as_ofs)
        all_shown = len(self.plan.shown) == len(self.schema.recipes)
        block = out if all_shown else np.empty((len(out), len(self.schema.recipes)))
        block[:, self.plan.missing] = np.nan
        block[:, self.plan.missing_words] = MISSING_WORD
        for scan in self.scans:
            scan.run(self.scale, first, last, block)
        accounts = np.repeat(np.arange(first, last), m)
        as_of = np.tile(self.as_ofs, last - first)
        fill_static(self.plan.static, self.schema.vocabularies, self.store, accounts, as_of, block)
        kernel.combine(self.plan.derived, block)
        if not all_shown:
            np.take(block, self.plan.shown, axis=1, out=out)


def compute(
    schema: FeatureSchema,
    store: EventStore,
    as_ofs: Sequence[int] | NDArray[np.int64],
    *,
    threads: int = 1,
) -> FeatureMatrix:
    """Compute the features of every account of a store at every as-of.

    An account's row depends on its own events (and its debtor's), the schema and the as-of alone: the same
    bits come out for any store it lies in, any number of threads and any order of input rows.

    Parameters
    ----------
    schema : FeatureSchema
        What to compute, as learned at training.
    store : EventStore
        Events; those at, or known at, ``as_of`` or later change nothing.
    as_ofs : sequence of int
        Microseconds UTC, shape (m,).
    threads : int
        Threads that work on blocks of accounts.

    Returns
    -------
    FeatureMatrix
        ``n_accounts * m`` rows, account-major: all as-ofs of the first account, then of the second.

    Raises
    ------
    ConfigError
        If there is no as-of, or `threads` is less than 1.
    """
    job = _prepare(schema, store, as_ofs, threads)
    return job.matrix(0, store.n_accounts, threads)


def compute_parts(
    schema: FeatureSchema,
    store: EventStore,
    as_ofs: Sequence[int] | NDArray[np.int64],
    *,
    pairs: int = 65_536,
    threads: int = 1,
) -> Iterator[FeatureMatrix]:
    """Yield the matrix of `compute` in parts of about so many rows, one in memory at a time.

    Raises
    ------
    ConfigError
        As `compute`.
    """
    job = _prepare(schema, store, as_ofs, threads)
    step = max(1, pairs // len(job.as_ofs))
    for first in range(0, store.n_accounts, step):
        yield job.matrix(first, min(first + step, store.n_accounts), threads)


def _prepare(
    schema: FeatureSchema, store: EventStore, as_ofs: Sequence[int] | NDArray[np.int64], threads: int
) -> _Job:
    moments = np.asarray(as_ofs, dtype=np.int64)
    if moments.ndim != 1 or len(moments) == 0 or threads < 1:
        msg = f"compute needs at least one as-of and one thread, got shape {moments.shape} and {threads=}"
        raise ConfigError(msg)
    return _bind_all(compile_schema(schema), schema, store, moments)


def _bind_all(
    plan: Plan,
    schema: FeatureSchema,
    store: EventStore,
    moments: NDArray[np.int64],
) -> _Job:
    scans = tuple(bind(program, store, moments, moments, schema.promises) for program in plan.programs)
    return _Job(schema, plan, store, moments, scans, major_units(store))
