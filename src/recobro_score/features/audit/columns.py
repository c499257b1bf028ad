"""Columns to audit, whatever they come from: recipes, the user's own frame or function, raw tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import as_datetime
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.contracts import Column as Field
from recobro_score.data.encoding import codes_of, encode
from recobro_score.data.events import EventStore
from recobro_score.data.names import english_names, table_name
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.parse import Format, UnreadableColumn, parse_column
from recobro_score.errors import ContractError
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.schema import FIRST_WORD
from recobro_score.frames import to_arrow

NUMBER, CATEGORY = "number", "category"

UserColumns = Callable[[Mapping[str, Any], pd.Timestamp], Any]
"""The user's own features: tables and as-of in, a frame with ``account_id`` and the columns out."""

_KEYS = ("account_id", "as_of")
_OWNER_ID = {"accounts": "account_id", "debtors": "debtor_id"}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column over (account, as-of) pairs, account-major.

    Attributes
    ----------
    name : str
        Of the feature, or ``table.column``.
    kind : str
        ``number`` or ``category``.
    values : float64 array, shape (n_accounts * m,)
        NaN is missing; categories are codes from 0.
    """

    name: str
    kind: str
    values: NDArray[np.float64]

    def at(self, moment: int, moments: int) -> NDArray[np.float64]:
        """Return the values at one of the as-ofs, one per account."""
        return self.values.reshape(-1, moments)[:, moment]


def matrix_columns(matrix: FeatureMatrix) -> list[Column]:
    """Return the columns of a feature matrix; a missing word is missing, an unseen one a level of its own."""
    columns = []
    for i, (name, kind) in enumerate(zip(matrix.schema.names, matrix.schema.kinds, strict=True)):
        values = matrix.values[:, i]
        if kind == CATEGORY:
            values = np.where(values == 0, np.nan, values - (FIRST_WORD - 1))
        columns.append(Column(name, kind, values))
    return columns


def frame_columns(frame: Any, store: EventStore, as_ofs: NDArray[np.int64]) -> list[Column]:  # noqa: ANN401
    """Return the columns of a user's frame at the pairs; rows of other accounts and instants are left out.

    Parameters
    ----------
    frame : pandas, polars or pyarrow frame
        ``account_id``, ``as_of`` (needed with more than one as-of; times as in the portfolio's tables) and
        the features.
    store : EventStore
        The accounts.
    as_ofs : int64 array, shape (m,)
        Microseconds UTC, increasing.

    Raises
    ------
    ContractError
        If a key is missing or unreadable, a pair is given twice, or no row fits.
    """
    table = to_arrow(frame, name="columns").combine_chunks()
    needed = _KEYS if len(as_ofs) > 1 else _KEYS[:1]
    absent = [name for name in needed if name not in table.column_names]
    if absent:
        msg = f"columns: {' and '.join(absent)} must be there to tell whose values these are"
        raise ContractError(msg)
    account = codes_of(_strings(table["account_id"]), store.account_ids)
    moment = np.zeros(len(account), np.int64)
    if "as_of" in table.column_names:
        instants = _instants(table["as_of"], store.time_zone)
        place = np.searchsorted(as_ofs, instants).clip(max=len(as_ofs) - 1)
        moment = np.where(as_ofs[place] == instants, place, -1)
    rows = np.flatnonzero((account >= 0) & (moment >= 0))
    pairs = account[rows] * len(as_ofs) + moment[rows]
    if len(pairs) == 0 or len(np.unique(pairs)) < len(pairs):
        why = "no row names an account and as-of of the audit" if len(pairs) == 0 else "a pair is given twice"
        msg = f"columns: {why}"
        raise ContractError(msg)
    names = [name for name in table.column_names if name not in _KEYS]
    return [_placed(name, table[name], rows, pairs, store.n_accounts * len(as_ofs)) for name in names]


def function_columns(
    function: UserColumns, tables: Mapping[str, Any], store: EventStore, as_of: int
) -> dict[str, pa.Array]:
    """Return what a user's function computes at one as-of: each column with one cell per account."""
    frame = function(tables, pd.Timestamp(as_datetime(as_of, store.time_zone)))
    table = to_arrow(frame, name="columns").combine_chunks()
    if "account_id" not in table.column_names:
        msg = "columns: the function must return a frame with the column account_id (an index is none)"
        raise ContractError(msg)
    rows = pc.index_in(store.account_ids, value_set=_strings(table["account_id"]))
    names = [name for name in table.column_names if name not in _KEYS]
    return {name: _one_array(table[name]).take(rows) for name in names}


def joined(parts: list[Mapping[str, pa.Array]], n_accounts: int) -> list[Column]:
    """Return the columns of a function from its cells at each as-of."""
    columns = []
    for name in dict.fromkeys(name for part in parts for name in part):
        cells = [part.get(name, pa.nulls(n_accounts)) for part in parts]
        read = [_values(cell) for cell in cells]
        kind = NUMBER
        values = np.array([numbers for _, numbers in read])
        if any(found == CATEGORY for found, _ in read):
            kind, codes = _values(pa.concat_arrays([cell.cast(pa.string()) for cell in cells]))
            values = codes.reshape(len(parts), n_accounts)
        columns.append(Column(name, kind, values.T.ravel()))
    return columns


def differing(first: pa.Array, second: pa.Array) -> NDArray[np.bool_]:
    """Return where two columns of the same accounts differ; numbers within 1e-9 of the largest are equal."""
    (kind, a), (other, b) = _values(first), _values(second)
    if kind == CATEGORY or other == CATEGORY:
        words, others = (np.array(x.cast(pa.string()).to_pylist(), dtype=object) for x in (first, second))
        return np.asarray(words != others, dtype=bool)
    scale = max(1.0, float(np.nanmax(np.abs(a))) if np.isfinite(a).any() else 1.0)
    near = np.abs(a - b) <= 1e-9 * scale
    return ~(near | (np.isnan(a) & np.isnan(b)))


def static_cells(
    tables: Mapping[str, Any], store: EventStore, options: PortfolioOptions, *, contract_too: bool = False
) -> dict[str, pa.Array]:
    """Return the columns of the raw accounts and debtors tables that the contract does not know.

    Parameters
    ----------
    tables : mapping of str to frame
        As given to `Portfolio.from_frames`.
    store : EventStore
        The accounts.
    options : PortfolioOptions
        How the tables' columns are named.
    contract_too : bool
        Return the contract's own columns as well, ids and the known clock apart.

    Returns
    -------
    dict of str to pyarrow.Array
        Under ``table.column``, one cell per account; of rows with one id the first counts.

    Raises
    ------
    ContractError
        If a table has no id.
    """
    found: dict[str, pa.Array] = {}
    for source, frame in tables.items():
        name = table_name(source)
        if name not in _OWNER_ID:
            continue
        contract = CONTRACTS[name]
        table = to_arrow(frame, name=source).combine_chunks()
        known = english_names(contract, table.column_names, options.columns.get(name, {}))
        ids = known.get(_OWNER_ID[name], [])
        if len(ids) != 1:
            msg = f"{source}.{_OWNER_ID[name]}: the column is missing or ambiguous"
            raise ContractError(msg)
        owners = store.account_ids
        if name == "debtors":
            owners = store.debtor_ids.take(pa.array(store.account_debtor))
        rows = pc.index_in(owners, value_set=_strings(table[ids[0]]))
        skipped = (*contract.of_kind("id"), "known_at") if contract_too else contract.names
        left_out = {column for english in skipped for column in known.get(english, ())}
        for column in table.column_names:
            if column not in left_out:
                found[f"{name}.{column}"] = _one_array(table[column]).take(rows)
    return found


def column_of(name: str, cells: pa.Array, *, moments: int = 1) -> Column:
    """Return cells, one per account, as a column that is the same at every as-of."""
    kind, values = _values(cells)
    return Column(name, kind, np.repeat(values, moments))


def _placed(
    name: str, column: pa.ChunkedArray, rows: NDArray[np.int64], pairs: NDArray[np.int64], size: int
) -> Column:
    kind, values = _values(_one_array(column).take(pa.array(rows)))
    out = np.full(size, np.nan)
    out[pairs] = values
    return Column(name, kind, out)


def _values(array: pa.Array) -> tuple[str, NDArray[np.float64]]:
    """Return the kind of a column and its cells as float64: dates as days, words as codes."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        array = array.cast(pa.timestamp("us")) if not pa.types.is_timestamp(kind) else array
        days = array.to_numpy(zero_copy_only=False).astype("M8[us]")
        return NUMBER, np.where(np.isnat(days), np.nan, days.astype(np.int64) / 86_400e6)
    if pa.types.is_null(kind):
        return NUMBER, np.full(len(array), np.nan)
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        codes, _ = encode(array.cast(pa.string()))
        return CATEGORY, np.where(codes < 0, np.nan, codes)
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return NUMBER, np.where(np.isfinite(values), values, np.nan)


def _instants(column: pa.ChunkedArray, time_zone: str) -> NDArray[np.int64]:
    try:
        parsed = parse_column(Field("as_of", "time", required=True), _one_array(column), Format(time_zone))
    except UnreadableColumn as error:
        msg = f"columns.as_of: {error}"
        raise ContractError(msg) from error
    return np.asarray(parsed.values, dtype=np.int64)


def _strings(column: pa.ChunkedArray) -> pa.Array:
    array = _one_array(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.string())


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
