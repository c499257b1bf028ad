"""A portfolio folder larger than memory, split once into buckets of debtors that are read one at a time.

Whatever a rule compares lies in one bucket: the accounts of a debtor and all their rows, debtors that share
an account, a hold or the id of a row, and the instalments of a plan. A row that names nobody known goes where
the hash of what it names says, so that it is read, counted and quarantined exactly once, under its row number
in the source. Reading the buckets therefore finds what reading the whole folder would have found.

Parquet tables are streamed; a CSV table is read whole.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.data.assemble import codes_of
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.links import linked_debtors
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.quarantine import Quarantine, TableCounts
from recobro_score.data.sources import table_files
from recobro_score.data.streams import ROWS_AT_ONCE, TableStream
from recobro_score.errors import ContractError

INDEX = "partition.json"
ROW = "__row"
_CODE, _UNKNOWN = "__account", "__unknown_account"
_FORMAT = 1
_MOST_ROWS = 1 << 22
"""Rows dealt out together: more for more accounts, since each time all their ids are hashed."""

_IDS = "account_ids"


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
    """

    folder: Path
    buckets: int
    rows: Mapping[str, int]

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
        return cls(folder, fields["buckets"], fields["rows"])

    def read(self, bucket: int, *, options: PortfolioOptions | None = None) -> Portfolio:
        """Return one part as a portfolio; rows in its quarantine are numbered as in the source.

        Raises
        ------
        ContractError
            If tables are broken as a whole.
        """
        frames, numbers = {}, {}
        for table in self.rows:
            frame = _read_stream(self._path(bucket, table))
            numbers[table] = frame.column(ROW).to_numpy()
            frames[table] = _with_account_ids(frame.drop_columns([ROW]), self._path(bucket, _IDS))
        portfolio = Portfolio.from_frames(frames, options=options)
        return Portfolio(
            store=portfolio.store,
            quarantine=_numbered(portfolio.quarantine, numbers),
            counts=portfolio.counts,
            options=portfolio.options,
            newest=portfolio.newest,
        )

    def _path(self, bucket: int, table: str) -> Path:
        return self.folder / f"bucket-{bucket:04d}" / f"{table}.arrow"


def partition(
    folder: str | Path, out: str | Path, *, buckets: int, options: PortfolioOptions | None = None
) -> Partitions:
    """Split a portfolio folder by a stable hash of the account's debtor.

    Parameters
    ----------
    folder : str or Path
        As for `read_portfolio`; it is read once, in batches.
    out : str or Path
        A new folder for the parts (uncompressed Arrow streams: about as large as the tables in memory).
    buckets : int
        Number of parts.
    options : PortfolioOptions, optional
        As the parts will be read: column names matter here.

    Raises
    ------
    ContractError
        If the folder cannot be read, or there is less than one bucket.
    """
    options = options or PortfolioOptions()
    out = Path(out)
    if buckets < 1:
        msg = f"a portfolio is split into one bucket or more, not {buckets}"
        raise ContractError(msg)
    files = table_files(folder)
    sources = {table: TableStream.of(table, path, options) for table, path in files.items()}
    homes = _Homes.of(sources, buckets)
    for bucket in range(buckets):
        (out / f"bucket-{bucket:04d}").mkdir(parents=True)
    homes.write_ids(out)
    rows = {table: _split(source, homes, out) for table, source in sources.items()}
    index = {"format": _FORMAT, "buckets": buckets, "rows": rows}
    (out / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return Partitions(out, buckets, rows)


def merge_counts(parts: list[Mapping[str, TableCounts]]) -> dict[str, TableCounts]:
    """Return the counts of the whole from the counts of its parts."""
    fields = ("read", "used", "quarantined", "possible_duplicates")
    return {
        table: TableCounts(*(sum(getattr(part[table], field) for part in parts) for field in fields))
        for table in CONTRACTS
        if parts and table in parts[0]
    }


def merge_quarantine(parts: list[Quarantine]) -> Quarantine:
    """Return the quarantine of the whole: by table, then by row of the source."""
    merged = Quarantine.concat(part.table for part in parts).table
    place = {table: position for position, table in enumerate(CONTRACTS)}
    tables = np.array([place[table] for table in merged["table"].to_pylist()], dtype=np.int64)
    order = np.lexsort((merged["row"].to_numpy(), tables))
    return Quarantine(merged.take(pa.array(order)))


@dataclass(frozen=True, slots=True, eq=False)
class _Homes:
    """The bucket of everybody: accounts by the row of `accounts`, debtors by name."""

    buckets: int
    account_ids: pa.StringArray
    account: NDArray[np.int64]
    local: NDArray[np.int32]
    moved: Mapping[str, str]

    @classmethod
    def of(cls, sources: Mapping[str, TableStream], buckets: int) -> _Homes:
        none = pa.array([], pa.string())
        accounts, debtors = [none], [none]
        if "accounts" in sources:
            source = sources["accounts"]
            columns = [source.names[name] for name in ("account_id", "debtor_id") if name in source.names]
            for rows in source.batches(columns):
                accounts.append(source.ids("account_id", rows))
                debtors.append(source.ids("debtor_id", rows))
        account_ids, debtor_ids = pa.concat_arrays(accounts), pa.concat_arrays(debtors)
        pairs = pa.table({"account": account_ids, "debtor": debtor_ids})
        datasets = {table: (source.data, source.names) for table, source in sources.items()}
        moved = linked_debtors(pairs, datasets) if buckets > 1 else {}
        known = account_ids.drop_null().unique()
        first = np.empty(len(known), np.int64)
        codes = codes_of(account_ids, known)
        named = np.flatnonzero(codes >= 0)[::-1]
        first[codes[named]] = named
        homes = cls(buckets, known, np.zeros(len(known), np.int64), np.zeros(len(known), np.int32), moved)
        debtor = debtor_ids.take(pa.array(first))
        homes.account[:] = homes.of_texts(debtor, known)
        for bucket in range(buckets):
            mine = np.flatnonzero(homes.account == bucket)
            homes.local[mine] = np.arange(len(mine))
        return homes

    def of_texts(self, debtors: pa.StringArray, accounts: pa.StringArray) -> NDArray[np.int64]:
        """Return the bucket of each debtor, or of the account's name where there is no debtor."""
        if self.buckets == 1:
            return np.zeros(len(debtors), np.int64)
        strangers = pc.binary_join_element_wise("account:", accounts, "")
        keys = pc.coalesce(debtors, strangers, pa.scalar("")).dictionary_encode()
        names = [self.moved.get(key, key) for key in keys.dictionary.to_pylist()]
        home = np.array([zlib.crc32(name.encode()) % self.buckets for name in names], dtype=np.int64)
        found: NDArray[np.int64] = home[keys.indices.to_numpy()]
        return found

    def write_ids(self, out: Path) -> None:
        """Write the account ids of every bucket."""
        for bucket in range(self.buckets):
            mine = self.account_ids.take(pa.array(np.flatnonzero(self.account == bucket)))
            with _writer(out, bucket, _IDS, pa.schema([("account_id", pa.string())])) as writer:
                writer.write_table(pa.table({"account_id": mine}))

    def _codes(self, source: TableStream, rows: pa.Table) -> tuple[NDArray[np.int64], pa.StringArray]:
        """Return the code of each row's account and, where it is not known, its id; null elsewhere."""
        name = source.names.get("account_id")
        if name is None or rows.schema.field(name).type != pa.string():
            accounts = source.ids("account_id", rows)
            return codes_of(accounts, self.account_ids), accounts
        codes = codes_of(rows[name].combine_chunks(), self.account_ids)
        strangers = pa.array(np.flatnonzero(codes < 0))
        if len(strangers) == 0:
            return codes, pa.nulls(len(codes), pa.string())
        some = source.ids("account_id", rows.take(strangers))
        codes[strangers.to_numpy()] = codes_of(some, self.account_ids)
        places = np.zeros(len(codes), np.int64)
        places[strangers.to_numpy()] = np.arange(len(strangers))
        return codes, some.take(pa.array(places, mask=codes >= 0))

    def of_rows(
        self, source: TableStream, rows: pa.Table
    ) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, pa.StringArray | None]:
        """Return the bucket of each row, and the code and the id of its account where it names one."""
        codes, accounts = self._codes(source, rows)
        if source.contract.table == "accounts" or source.contract.owner != "account":
            home = self.account[codes] if len(self.account) else np.zeros(len(codes), np.int64)
            unnamed = np.flatnonzero(codes < 0)
            debtors = source.ids("debtor_id", rows).take(pa.array(unnamed))
            home[unnamed] = self.of_texts(debtors, accounts.take(pa.array(unnamed)))
            return home, None, None
        home = self.account[codes] if len(self.account) else np.zeros(len(codes), np.int64)
        strangers = np.flatnonzero(codes < 0)
        if len(strangers):
            names = accounts.take(pa.array(strangers))
            home[strangers] = self.of_texts(pa.nulls(len(names), pa.string()), names)
        return home, codes, accounts


def _split(source: TableStream, homes: _Homes, out: Path) -> int:
    """Write one table's rows to the buckets; return how many there are."""
    table = source.contract.table
    number = 0
    writers: list[pa.ipc.RecordBatchStreamWriter] = []
    try:
        at_once = min(max(ROWS_AT_ONCE, 2 * len(homes.account_ids)), _MOST_ROWS)
        for rows in source.batches(rows=at_once):
            home, codes, accounts = homes.of_rows(source, rows)
            numbered = rows.append_column(ROW, pa.array(np.arange(number, number + len(home))))
            if codes is not None and accounts is not None:
                numbered = _coded(numbered, source, homes, codes, accounts)
            writers = writers or [_writer(out, b, table, numbered.schema) for b in range(homes.buckets)]
            _deal(numbered, home, writers)
            number += len(home)
        if not writers:
            empty = source.data.schema.empty_table().append_column(ROW, pa.array([], pa.int64()))
            writers = [_writer(out, b, table, empty.schema) for b in range(homes.buckets)]
    finally:
        for writer in writers:
            writer.close()
    return number


def _deal(rows: pa.Table, home: NDArray[np.int64], writers: list[pa.ipc.RecordBatchStreamWriter]) -> None:
    order = np.argsort(home.astype(np.uint16), kind="stable")
    bounds = np.searchsorted(home[order], np.arange(len(writers) + 1))
    dealt = rows.take(pa.array(order))
    for bucket, writer in enumerate(writers):
        low, high = int(bounds[bucket]), int(bounds[bucket + 1])
        if high > low:
            writer.write_table(dealt.slice(low, high - low))


def _coded(
    rows: pa.Table, source: TableStream, homes: _Homes, codes: NDArray[np.int64], accounts: pa.StringArray
) -> pa.Table:
    """Put the account's code within its bucket in the place of its id, where the id is text."""
    name = source.names.get("account_id")
    if name is None or rows.schema.field(name).type != pa.string():
        return rows
    known = codes >= 0
    local = np.where(known, homes.local[codes] if len(homes.local) else -1, -1).astype(np.int32)
    unknown = accounts
    if accounts.null_count < len(accounts):
        unknown = pc.if_else(pa.array(known), pa.scalar(None, pa.string()), accounts)
    place = rows.schema.get_field_index(name)
    coded = rows.set_column(place, name, pa.nulls(len(codes), pa.null()))
    return coded.append_column(_CODE, pa.array(local)).append_column(_UNKNOWN, unknown)


def _with_account_ids(frame: pa.Table, ids: Path) -> pa.Table:
    """Undo `_coded`: the account ids as a dictionary."""
    if _CODE not in frame.column_names:
        return frame
    known = _read_stream(ids).column(0).combine_chunks()
    codes = frame.column(_CODE).to_numpy().copy()
    unknown = frame.column(_UNKNOWN).combine_chunks()
    missing = np.zeros(len(codes), dtype=bool)
    if unknown.null_count < len(unknown):
        encoded = unknown.dictionary_encode()
        named = np.flatnonzero(encoded.is_valid().to_numpy(zero_copy_only=False))
        codes[named] = len(known) + encoded.indices.drop_null().to_numpy()
        known = pa.concat_arrays([known, encoded.dictionary])
    missing = codes < 0
    column = pa.DictionaryArray.from_arrays(pa.array(codes, mask=missing if missing.any() else None), known)
    name = next(field.name for field in frame.schema if pa.types.is_null(field.type))
    place = frame.schema.get_field_index(name)
    return frame.set_column(place, name, column).drop_columns([_CODE, _UNKNOWN])


def _numbered(quarantine: Quarantine, numbers: Mapping[str, NDArray[np.int64]]) -> Quarantine:
    """Return the quarantine with the row numbers of the source."""
    table = quarantine.table
    if table.num_rows == 0:
        return quarantine
    pairs: Any = zip(table["table"].to_pylist(), table["row"].to_pylist(), strict=True)
    rows = pa.array([int(numbers[name][row]) for name, row in pairs], pa.int64())
    place = table.schema.get_field_index("row")
    return Quarantine(table.set_column(place, table.schema.field("row"), rows))


def _writer(out: Path, bucket: int, table: str, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
    return pa.ipc.new_stream(str(out / f"bucket-{bucket:04d}" / f"{table}.arrow"), schema)


def _read_stream(path: Path) -> pa.Table:
    with pa.ipc.open_stream(str(path)) as stream:
        return stream.read_all().unify_dictionaries().combine_chunks()
