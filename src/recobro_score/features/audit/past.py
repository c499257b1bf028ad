"""The data as they could have been written down at an instant: everything from then on taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.data.assemble import ALWAYS, plan_starts
from recobro_score.data.check import Checked, check
from recobro_score.data.contracts import CONTRACTS, Contract
from recobro_score.data.events import Arrays, EventStore, EventTable
from recobro_score.data.names import english_names, table_name
from recobro_score.data.portfolio import Portfolio
from recobro_score.features.readable import EVENT_TABLES
from recobro_score.frames import to_arrow
from recobro_score.money import MISSING_MONEY

_KEEP = "__visible__"


def past_store(store: EventStore, as_of: int) -> EventStore:
    """Return the store without what happened or became known at `as_of` or later.

    Rows that were not visible are gone, later dates that had not passed are empty, and the attributes of
    accounts and debtors that were not known yet are missing.
    """
    return replace(
        store,
        accounts=_known_attributes(store.accounts, "accounts", as_of),
        debtors=_known_attributes(store.debtors, "debtors", as_of),
        tables={name: _past_table(table, as_of) for name, table in store.tables.items()},
    )


def _past_table(table: EventTable, as_of: int) -> EventTable:
    contract = CONTRACTS[table.name]
    seen = table.known_at < as_of
    if not contract.scheduled:
        seen &= table.at < as_of
    rows = np.flatnonzero(seen)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(seen)])
    columns = {name: values[rows] for name, values in table.columns.items()}
    for name in contract.of_kind("later"):
        ahead = columns[name] >= as_of
        columns[name] = np.where(ahead, NEVER, columns[name])
        for revealed in _revealed_by(table.name, name):
            columns[revealed] = np.where(ahead, np.int32(-1), columns[revealed])
    return EventTable(
        table.name,
        before[table.offsets],
        table.at[rows],
        table.known_at[rows],
        columns,
        table.vocabularies,
        {name: values.take(pa.array(rows)) for name, values in table.ids.items()},
    )


def _revealed_by(table: str, date: str) -> tuple[str, ...]:
    """Return the columns of a table that are known only once the date has passed."""
    if table not in EVENT_TABLES:
        return ()
    status = {"ended_at": "ended"}.get(date)
    return tuple(name for name, by in EVENT_TABLES[table].revealed_by.items() if by == status)


def _known_attributes(columns: Arrays, table: str, as_of: int) -> dict[str, NDArray[Any]]:
    unknown = columns["known_at"] >= as_of
    kinds = {column.name: column.kind for column in CONTRACTS[table].columns}
    empty = {"money": MISSING_MONEY, "time": NEVER, "later": NEVER, "number": np.nan, "category": -1}
    return {
        name: values
        if name == "known_at"
        else np.where(unknown, empty[kinds[name]], values).astype(values.dtype)
        for name, values in columns.items()
    }


@dataclass(frozen=True, slots=True)
class DatedTable:
    """A table as the user gave it, with the clocks of its rows.

    Attributes
    ----------
    frame : narwhals DataFrame
        Around the user's own pandas, polars or pyarrow frame; anything else has become a pandas frame.
    at, known_at : int64 arrays
        Clocks of every row; rows that cannot be dated were always there.
    later : mapping of str to int64 array
        Columns, by their name in the frame, that are empty until the instant of each row.
    """

    frame: nw.DataFrame[Any]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    later: Mapping[str, NDArray[np.int64]]

    @property
    def whole(self) -> Any:  # noqa: ANN401 - the user's own kind of frame
        """The table as it is."""
        return self.frame.to_native()

    def before(self, as_of: int) -> Any:  # noqa: ANN401 - the user's own kind of frame
        """Return the rows that were visible, later dates that had not passed empty."""
        frame = self.frame
        for name, instant in self.later.items():
            frame = _emptied(frame, name, instant < as_of)
        return frame.filter(((self.at < as_of) & (self.known_at < as_of)).tolist()).to_native()


def dated_tables(tables: Mapping[str, Any], portfolio: Portfolio) -> dict[str, DatedTable]:
    """Return the user's tables with their clocks, under the names and columns they came with.

    Parameters
    ----------
    tables : mapping of str to frame
        As given to `Portfolio.from_frames`.
    portfolio : Portfolio
        Made of these tables: its options say how they are read.

    Raises
    ------
    ContractError
        If a table cannot be read.
    """
    starts = plan_starts(portfolio.store.tables["plans"])
    return {name: _dated(name, frame, portfolio, starts) for name, frame in tables.items()}


def _dated(name: str, frame: Any, portfolio: Portfolio, starts: Mapping[str, int]) -> DatedTable:  # noqa: ANN401
    contract, options = CONTRACTS[table_name(name)], portfolio.options
    mapping = options.columns.get(contract.table, {})
    checked = check(contract, frame, mapping=mapping, how=options.format())
    at, known_at = _clocks(checked, contract, options.lag(contract.table), starts)
    native = _eager(frame)
    sources = english_names(contract, native.columns, mapping)
    later: dict[str, NDArray[np.int64]] = {}
    for date in contract.of_kind("later"):
        if contract.table == "accounts":
            continue
        for column in (date, *_revealed_by(contract.table, date)):
            later |= {source: checked.values(date) for source in sources.get(column, ())}
    return DatedTable(native, at, known_at, later)


def _clocks(
    checked: Checked, contract: Contract, lag: int, starts: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both clocks as the portfolio reads them; `ALWAYS` where a row cannot be dated."""
    given = checked.columns["known_at"]
    at = np.full(checked.n_rows, ALWAYS)
    default = at
    if contract.scheduled:
        plans = checked.values("plan_id").to_pylist()
        default = np.array([ALWAYS if plan is None else starts.get(plan, NEVER) for plan in plans], np.int64)
    elif contract.clock is not None:
        clock = checked.columns[contract.clock]
        dated = ~(clock.missing | clock.bad)
        at = np.where(dated, clock.values, ALWAYS)
        default = np.where(dated, clock.values + lag, ALWAYS)
    return at, np.where(given.missing | given.bad, default, given.values)


def _eager(frame: Any) -> nw.DataFrame[Any]:  # noqa: ANN401 - any supported frame
    native = nw.from_native(frame, pass_through=True)
    if isinstance(native, nw.LazyFrame):
        return native.collect()
    if isinstance(native, nw.DataFrame):
        return native
    plain: pd.DataFrame = to_arrow(frame).to_pandas()
    return nw.from_native(plain, eager_only=True)


def _emptied(frame: nw.DataFrame[Any], name: str, keep: NDArray[np.bool_]) -> nw.DataFrame[Any]:
    """Return the frame with a column empty where it may not be seen yet."""
    flags = nw.new_series(_KEEP, keep.tolist(), nw.Boolean, backend=frame.implementation)
    native = frame.to_native()
    if frame.implementation.is_pandas():
        flags = nw.from_native(pd.Series(keep, index=native.index, name=_KEEP), series_only=True)
    shown = nw.when(nw.col(_KEEP)).then(nw.col(name)).alias(name)
    return frame.with_columns(flags.alias(_KEEP)).with_columns(shown).drop(_KEEP)
