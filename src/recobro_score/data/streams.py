"""A table's rows as they lie in its files, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from recobro_score.data.contracts import CONTRACTS, Contract
from recobro_score.data.names import english_names
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.parse import UnreadableColumn, parse_column, text_of
from recobro_score.data.sources import read_tables
from recobro_score.errors import ContractError

ROWS_AT_ONCE = 1 << 18
"""As many as a processor's cache holds of a column."""

_READ = ds.ParquetFragmentScanOptions(pre_buffer=False)
"""Whole row groups read ahead would fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class TableStream:
    """One table of the folder: its data set, and what its columns are called there."""

    contract: Contract
    data: ds.Dataset
    names: Mapping[str, str]
    options: PortfolioOptions

    @classmethod
    def of(cls, table: str, path: Path, options: PortfolioOptions) -> TableStream:
        """Open a table's file or folder."""
        contract = CONTRACTS[table]
        if path.suffix.lower() == ".csv":
            data = ds.dataset(read_tables(path.parent, only=(table,))[table])
        else:
            data = _parquet(path, ())
        found = english_names(contract, data.schema.names, options.columns.get(table, {}))
        names = {name: columns[0] for name, columns in found.items() if len(columns) == 1}
        if path.suffix.lower() != ".csv":
            data = _parquet(path, _words(contract, names, data.schema))
        return cls(contract, data, names, options)

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows some at a time, in the order of the source."""
        scanner = self.data.scanner(
            columns=columns, batch_size=ROWS_AT_ONCE, batch_readahead=1, fragment_readahead=1
        )
        held: list[pa.RecordBatch] = []
        for batch in scanner.to_batches():
            held.append(batch)
            if sum(part.num_rows for part in held) >= ROWS_AT_ONCE // 2:
                yield _joined(held)
                held = []
        if any(part.num_rows for part in held):
            yield _joined(held)

    def ids(self, name: str, rows: pa.RecordBatch) -> pa.StringArray:
        """Return an id column as it will be read; null where it is missing or unreadable."""
        if name not in self.names:
            return pa.nulls(rows.num_rows, pa.string())
        array = rows[self.names[name]]
        try:
            return text_of(parse_column(self.contract.column(name), array, self.options.format()).values)
        except UnreadableColumn:
            return pa.nulls(rows.num_rows, pa.string())


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).unify_dictionaries().combine_chunks().to_batches()[0]


def _parquet(path: Path, words: tuple[str, ...]) -> ds.Dataset:
    form = ds.ParquetFileFormat(dictionary_columns=set(words), default_fragment_scan_options=_READ)
    try:
        return ds.dataset(path, format=form, partitioning="hive")
    except (pa.ArrowException, OSError) as error:
        msg = f"{path.name}: not a readable Parquet file ({error})"
        raise ContractError(msg) from error


def _words(contract: Contract, names: Mapping[str, str], schema: pa.Schema) -> tuple[str, ...]:
    sources = [names[name] for name in contract.of_kind("category") if name in names]
    return tuple(name for name in sources if schema.field(name).type == pa.string())
