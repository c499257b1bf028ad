"""Features of one account at a time, with all that does not depend on the account prepared beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ContractError, Problem, report
from recobro_score.features import kernel
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute_with, warm_up
from recobro_score.features.program import AnyProgram, Plan, Program, compile_schema
from recobro_score.features.schema import FeatureSchema

_REMEMBERED = 16
"""As-ofs whose windows are kept: a service asks for today over and over."""


class AccountFeatures:
    """Computes the features of single accounts by the code of the batch. Safe to share among threads.

    The schema is compiled, the kernels are loaded and, per as-of, the edges of the windows are worked out
    once. A table without rows of the account is not scanned: what its features are then is known beforehand.

    Parameters
    ----------
    schema : FeatureSchema
        What to compute.
    options : PortfolioOptions, optional
        How rows are read; the time zone also places calendar windows.
    """

    def __init__(self, schema: FeatureSchema, *, options: PortfolioOptions | None = None) -> None:
        self.schema = schema
        self.options = options or PortfolioOptions()
        plan = compile_schema(schema)
        self._plan = replace(plan, programs=tuple(_remembering(program) for program in plan.programs))
        warm_up()

    def of_rows(self, tables: Mapping[str, Any], as_of: int) -> NDArray[np.float64]:
        """Return the features of an account given as rows of its tables.

        Parameters
        ----------
        tables : mapping of str to frame or list of records
            One row of ``accounts``, and whatever is known of it and its debtor.
        as_of : int
            Microseconds UTC.

        Returns
        -------
        float64 array, shape (p,)
            In the order of ``schema.names``.

        Raises
        ------
        ContractError
            If a row breaks its contract (all are named), or there is not exactly one account.
        """
        portfolio = Portfolio.from_frames({"payments": [], **tables}, options=self.options)
        if len(portfolio.quarantine):
            bad = portfolio.quarantine.table.to_pylist()
            problems = [Problem(f"{row['table']}[{row['row']}]: {row['rule']}") for row in bad]
            raise ContractError(report("the account has bad rows:", problems))
        return self.of_store(portfolio.store, as_of)

    def of_store(self, store: EventStore, as_of: int) -> NDArray[np.float64]:
        """Return the features of the one account of a store.

        Raises
        ------
        ContractError
            If the store holds not exactly one account.
        """
        if store.n_accounts != 1:
            msg = f"one account is expected, not {store.n_accounts}"
            raise ContractError(msg)
        row: NDArray[np.float64] = self.matrix(store, as_of).values[0]
        return row

    def matrix(self, store: EventStore, as_of: int) -> FeatureMatrix:
        """Return the features of a small store as `compute` does."""
        idle = tuple(_is_idle(program, store) for program in self._plan.programs)
        kept = zip(self._plan.programs, idle, strict=True)
        plan: Plan = replace(self._plan, programs=tuple(program for program, skip in kept if not skip))
        without_rows = _without_rows(self._plan, idle)
        return compute_with(plan, self.schema, store, [as_of], known=without_rows)


class _Remembering(Program):
    """A program that works out the windows of an as-of once."""

    __slots__ = ()

    def moments(
        self, as_ofs: NDArray[np.int64], known_before: NDArray[np.int64], time_zone: str
    ) -> kernel.Moments:
        """Return the edges of every window at every as-of."""
        return _moments(self, tuple(as_ofs.tolist()), tuple(known_before.tolist()), time_zone)


@lru_cache(maxsize=_REMEMBERED * 64)
def _moments(
    program: _Remembering, as_ofs: tuple[int, ...], known_before: tuple[int, ...], time_zone: str
) -> kernel.Moments:
    return Program.moments(program, np.array(as_ofs), np.array(known_before), time_zone)


def _remembering(program: AnyProgram) -> AnyProgram:
    if not isinstance(program, Program):
        return program
    return _Remembering(*(getattr(program, name) for name in Program.__dataclass_fields__))


def _is_idle(program: AnyProgram, store: EventStore) -> bool:
    return isinstance(program, Program) and store.tables[program.table.name].n_rows == 0


@lru_cache(maxsize=256)
def _without_rows(plan: Plan, idle: tuple[bool, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the columns of programs that find no row, and what they hold: the scan of an empty table."""
    places: list[int] = []
    values: list[float] = []
    for program, skip in zip(plan.programs, idle, strict=True):
        if not skip or not isinstance(program, Program):
            continue
        dests = program.slots.code[:, kernel.DEST]
        out = np.full((1, int(dests.max()) + 1), np.nan)
        _scan_nothing(program, out)
        places += dests.tolist()
        values += out[0, dests].tolist()
    return np.array(places, dtype=np.int64), np.array(values)


def _scan_nothing(program: Program, out: NDArray[np.float64]) -> None:
    none, instant = np.zeros(0, np.int64), np.zeros(1, np.int64)
    rows = kernel.Rows(
        kernel.read_only(np.zeros(2, np.int64), np.int64),
        kernel.read_only(instant, np.int64),
        kernel.read_only(none, np.int64),
        kernel.read_only(none, np.int64),
        kernel.read_only(none.astype(np.uint64), np.uint64),
        kernel.read_only(np.zeros((len(program.wholes), 0), np.int64), np.int64),
        kernel.read_only(np.zeros((len(program.reals), 0)), np.float64),
        0,
    )
    statuses = kernel.Statuses(
        np.empty(0, np.uint8),
        kernel.read_only(np.zeros((0, 0)), np.float64),
        kernel.read_only(none, np.int64),
        program.allows,
    )
    moments = program.moments(instant, instant, "UTC")
    scale = kernel.read_only(np.ones(1), np.float64)
    kernel.scan()(rows, statuses, moments, program.slots, scale, 0, 1, out)
