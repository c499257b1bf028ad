"""A portfolio folder larger than memory, split once into buckets of debtors that are read one at a time.

Whatever a rule compares lies in one bucket (see `recobro_score.data.homes`), and every row is read, counted
and quarantined exactly once, under its row number in the source. Reading the buckets therefore finds what
reading the whole folder would have found.

Parquet tables are streamed; a CSV table is read whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.data.coded import Coder, Words, checked_of, dictionary_of, joined
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.homes import Homes, deal
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.parse import Format
from recobro_score.data.portfolio import Portfolio, check_all, portfolio_of
from recobro_score.data.quarantine import Quarantine
from recobro_score.data.sources import table_files
from recobro_score.data.streams import TableStream
from recobro_score.errors import ContractError

Progress = Callable[[str, float], None]

INDEX = "partition.json"
ROW = "__row"
_FORMAT = 3
_ROWS_PER_BUCKET = 1_500_000
_MOST_BUCKETS = 400
"""Two files of each bucket are open at a time."""

_IDS = "account_ids"
_CODE = "__account"
_CODED = ".coded"
"""Good rows of the bucket's accounts lie apart: plain cells, and the account's place in the list of ids."""


@dataclass(frozen=True, slots=True)
class Partitions:
    """A partitioned portfolio on disk.

    Attributes
    ----------
    folder : Path
        Where it lies.
    buckets : int
        Number of parts.
    rows : mapping of str to int
        Rows of each table of the source.
    how : Format
        How cells were read.
    columns : mapping of str to mapping
        The column names that were given for each table.
    words : mapping of str to mapping
        Per table, the words of each category column by their codes.
    """

    folder: Path
    buckets: int
    rows: Mapping[str, int]
    how: Format
    columns: Mapping[str, Mapping[str, str]]
    words: Mapping[str, Words]

    @classmethod
    def open(cls, folder: str | Path) -> Partitions:
        """Return the partitions written by `partition`.

        Raises
        ------
        ContractError
            If the folder holds none, or those of another format.
        """
        folder = Path(folder)
        index = folder / INDEX
        fields = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
        if fields.get("format") != _FORMAT:
            msg = f"{folder} holds no partitions of format {_FORMAT}"
            raise ContractError(msg)
        how = Format(**fields["how"])
        return cls(folder, fields["buckets"], fields["rows"], how, fields["columns"], fields["words"])

    def read(self, bucket: int, *, options: PortfolioOptions | None = None) -> Portfolio:
        """Return one part as a portfolio; rows in its quarantine are numbered as in the source.

        Raises
        ------
        ContractError
            If tables are broken as a whole, or were split under other options than those given.
        """
        options = options or PortfolioOptions()
        if options.format() != self.how or options.columns != self.columns:
            msg = f"{self.folder} was split under other options: {self.how}, columns {self.columns}"
            raise ContractError(msg)
        ids = _read_stream(self._path(bucket, _IDS)).column(0).combine_chunks()
        given = {table: _read_stream(self._path(bucket, table)) for table in self.rows}
        numbers = {table: rows.column(ROW).chunks for table, rows in given.items()}
        checked = check_all({table: rows.drop_columns([ROW]) for table, rows in given.items()}, options)
        for table, words in self.words.items():
            path = self._path(bucket, table + _CODED)
            if path.is_file():
                rows = _read_coded(path)
                accounts = dictionary_of(rows.column(_CODE).to_numpy(), ids)
                checked[table] = joined(checked_of(CONTRACTS[table], rows, accounts, words), checked[table])
                numbers[table] = [*rows.column(ROW).chunks, *numbers[table]]
        portfolio = portfolio_of(checked, options, given=set(given))
        return replace(portfolio, quarantine=numbered(portfolio.quarantine, numbers))

    def _path(self, bucket: int, table: str) -> Path:
        return _path(self.folder, bucket, table)


def partition(
    folder: str | Path,
    out: str | Path,
    *,
    buckets: int | None = None,
    options: PortfolioOptions | None = None,
    progress: Progress | None = None,
) -> Partitions:
    """Split a portfolio folder by a stable hash of the account's debtor.

    Parameters
    ----------
    folder : str or Path
        As for `read_portfolio`; it is read once, in batches.
    out : str or Path
        A new folder for the parts (uncompressed Arrow streams: about as large as the tables in memory).
    buckets : int, optional
        Number of parts; by default one for every million and a half rows.
    options : PortfolioOptions, optional
        As the parts will be read: cells and column names are read here.
    progress : callable, optional
        Called with a step's name and the share done.

    Raises
    ------
    ContractError
        If the folder cannot be read, or there is less than one bucket.
    """
    options = options or PortfolioOptions()
    out = Path(out)
    if buckets is not None and buckets < 1:
        msg = f"a portfolio is split into one bucket or more, not {buckets}"
        raise ContractError(msg)
    files = table_files(folder)
    sources = {table: TableStream.of(table, path, options) for table, path in files.items()}
    rows = sum(source.data.count_rows() for source in sources.values())
    if buckets is None:
        buckets = min(max(1, -(-rows // _ROWS_PER_BUCKET)), _MOST_BUCKETS)
    tell = teller(progress, "splitting the portfolio", rows)
    homes = Homes.of(sources, buckets)
    for bucket in range(buckets):
        (out / f"bucket-{bucket:04d}").mkdir(parents=True)
    with closing(_Deck(out, _IDS, buckets)) as ids:
        for bucket in range(buckets):
            ids.write(bucket, pa.record_batch({"account_id": homes.account_ids(bucket)}))
    coders = {table: Coder.of(source) for table, source in sources.items()}
    split = {table: _split(coder, homes, out, tell) for table, coder in coders.items()}
    words = {table: coder.words() for table, coder in coders.items()}
    parts = Partitions(out, buckets, split, options.format(), options.columns, words)
    index = asdict(parts) | {"format": _FORMAT}
    del index["folder"]
    (out / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return parts


def teller(progress: Progress | None, step: str, rows: int) -> Callable[[int], None]:
    """Return what is told of every few rows that are done."""
    done = 0

    def tell(number: int) -> None:
        nonlocal done
        done += number
        if progress is not None:
            progress(step, done / max(rows, 1))

    tell(0)
    return tell


@dataclass(slots=True)
class _Deck:
    """One file in every bucket, opened with the first rows."""

    folder: Path
    name: str
    buckets: int
    writers: list[pa.ipc.RecordBatchStreamWriter] = field(default_factory=list)

    def write(self, bucket: int, rows: pa.RecordBatch) -> None:
        """Write rows to one bucket."""
        while len(self.writers) < self.buckets:
            path = _path(self.folder, len(self.writers), self.name)
            self.writers.append(pa.ipc.new_stream(str(path), rows.schema))
        self.writers[bucket].write_batch(rows)

    def deal(self, rows: pa.RecordBatch, bounds: NDArray[np.int64]) -> None:
        """Write rows that lie by bucket."""
        for bucket in np.flatnonzero(np.diff(bounds)).tolist():
            low, high = int(bounds[bucket]), int(bounds[bucket + 1])
            self.write(bucket, rows.slice(low, high - low))

    def close(self) -> None:
        """Close the files."""
        for writer in self.writers:
            writer.close()


def _split(coder: Coder, homes: Homes, out: Path, tell: Callable[[int], None]) -> int:
    """Write one table's rows to the buckets, telling how many are; return how many there are."""
    source = coder.source
    table = source.contract.table
    number = 0
    others, coded = (_Deck(out, name, homes.buckets) for name in (table, table + _CODED))
    with closing(others), closing(coded):
        for rows in source.batches():
            codes = homes.codes(source, rows)
            if (codes >= 0).any():
                columns, left_out = coder.read(rows)
                codes[left_out] = -1
                order, accounts, bounds = homes.deal(codes)
                coded.deal(_coded(columns, order, accounts, number), bounds)
            rest = np.flatnonzero(codes < 0)
            if len(rest):
                places, bounds = deal(homes.of_rows(source, rows.take(pa.array(rest))), homes.buckets)
                others.deal(_taken(rows, rest[places], number), bounds)
            number += len(rows)
            tell(len(rows))
        if not others.writers:
            nothing = pa.RecordBatch.from_pylist([], schema=source.data.schema)
            others.write(0, _taken(nothing, np.zeros(0, np.int64), 0))
    return number


def _coded(
    columns: Mapping[str, Any], order: NDArray[np.int64], accounts: NDArray[np.int32], first: int
) -> pa.RecordBatch:
    """Return columns in an order, with the rows' accounts and numbers in the source."""
    is_id = {name: isinstance(values, pa.Array) for name, values in columns.items()}
    where = pa.array(order) if any(is_id.values()) else order
    taken = {name: values.take(where if is_id[name] else order) for name, values in columns.items()}
    return pa.record_batch(taken | {_CODE: accounts, ROW: order + first})


def _taken(rows: pa.RecordBatch, order: NDArray[np.integer[Any]], first: int) -> pa.RecordBatch:
    """Return rows in an order, with their numbers in the source."""
    taken = pc.take(rows, pa.array(order), boundscheck=False)
    return taken.append_column(ROW, pa.array(order.astype(np.int64) + first))


def numbered(quarantine: Quarantine, numbers: Mapping[str, list[pa.Array]]) -> Quarantine:
    """Return the quarantine with the row numbers of the source."""
    table = quarantine.table
    if table.num_rows == 0:
        return quarantine
    named = set(table["table"].to_pylist())
    known = {name: pa.chunked_array(numbers[name], pa.int64()).to_numpy() for name in named}
    pairs: Any = zip(table["table"].to_pylist(), table["row"].to_pylist(), strict=True)
    rows = pa.array([int(known[name][row]) for name, row in pairs], pa.int64())
    place = table.schema.get_field_index("row")
    return Quarantine(table.set_column(place, table.schema.field("row"), rows))


def _path(folder: Path, bucket: int, name: str) -> Path:
    return folder / f"bucket-{bucket:04d}" / f"{name}.arrow"


def _read_stream(path: Path) -> pa.Table:
    with pa.ipc.open_stream(str(path)) as stream:
        return stream.read_all().unify_dictionaries().combine_chunks()


def _read_coded(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return stream.read_all()
