"""The event store: every table as arrays, grouped by account or debtor.

Times are int64 microseconds UTC, money is int64 minor units of the account's currency, categories are int32
codes into a sorted vocabulary (−1 = missing). Rows of one owner lie together, in the order of their clocks.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.data.contracts import CONTRACTS
from recobro_score.errors import ColumnNotFound, hint

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class EventTable:
    """One table's rows, grouped by owner (compressed sparse rows).

    Attributes
    ----------
    name : str
        The table's name.
    offsets : int64 array, shape (n_owners + 1,)
        Rows of owner ``i`` are ``offsets[i]:offsets[i + 1]``, sorted by ``at``, ``known_at``, id, content.
    at, known_at : int64 arrays, shape (n,)
        Event clock and known clock.
    columns : mapping of str to array
        Every other column: later dates int64 (`NEVER` = not yet), money int64 (`MISSING_MONEY`), numbers
        float64 (NaN), categories int32 (−1).
    vocabularies : mapping of str to tuple of str
        The words of each category column, sorted.
    ids : mapping of str to pyarrow.StringArray
        Id columns other than the owner's.
    """

    name: str
    offsets: NDArray[np.int64]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    columns: Arrays
    vocabularies: Mapping[str, tuple[str, ...]]
    ids: Mapping[str, pa.StringArray]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.at)

    def owner(self) -> NDArray[np.int64]:
        """Return the owner's code of every row."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def codes(self, column: str, *values: str) -> NDArray[np.int32]:
        """Return the codes of those words that occur in a category column.

        Raises
        ------
        ColumnNotFound
            If the table has no such category column.
        """
        if column not in self.vocabularies:
            msg = f"{self.name}.{column} is no category column.{hint(column, self.vocabularies)}"
            raise ColumnNotFound(msg)
        words = self.vocabularies[column]
        return np.array([words.index(value) for value in values if value in words], dtype=np.int32)

    def take(self, owners: NDArray[np.int64]) -> EventTable:
        """Return the rows of some owners, re-coded 0, 1, … in the order given."""
        lengths = self.offsets[owners + 1] - self.offsets[owners]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        rows = np.repeat(self.offsets[owners] - offsets[:-1], lengths) + np.arange(offsets[-1])
        arrow_rows = pa.array(rows)
        return EventTable(
            self.name,
            offsets,
            self.at[rows],
            self.known_at[rows],
            {name: values[rows] for name, values in self.columns.items()},
            self.vocabularies,
            {name: values.take(arrow_rows) for name, values in self.ids.items()},
        )


@dataclass(frozen=True, slots=True)
class EventStore:
    """A portfolio as arrays: what features, models and policy read. Immutable; safe to share among threads.

    Attributes
    ----------
    account_ids : pyarrow.StringArray, length n_accounts
        Sorted and unique; the position of an id is the account's code.
    debtor_ids : pyarrow.StringArray
        Sorted and unique.
    account_debtor : int64 array, shape (n_accounts,)
        Code of each account's debtor.
    accounts : mapping of str to array
        ``opened_at``, ``known_at``, ``limitation_at`` (µs), ``currency``, ``country``, ``subdivision``,
        ``product``, ``creditor`` (codes), ``principal``, ``credit_limit`` (minor units), ``annual_rate``.
    debtors : mapping of str to array
        ``known_at``, ``time_zone``, ``country``, ``subdivision``, ``language`` (codes), ``birth_year``.
    vocabularies : mapping of str to tuple of str
        Words of the category columns above, under ``accounts.<column>`` and ``debtors.<column>``.
    digits : int8 array, shape (n_accounts,)
        Decimals of the minor unit of each account's currency.
    zone : int32 array, shape (n_accounts,)
        Index into `zones` of the time zone the account's debtor lives in.
    zones : tuple of str
        IANA names.
    tables : mapping of str to EventTable
        Every event table, those without rows included.
    time_zone : str
        The portfolio's zone.
    lags : mapping of str to int
        Declared reporting lag of each table in microseconds.
    stopped : bool array, shape (n_accounts,)
        A malformed row of a safety table names the debtor or one of the debtor's accounts: no contact.
    blocked : tuple of str
        Reasons why nobody may be contacted (a safety table is missing or stale, or a bad row names nobody).
    """

    account_ids: pa.StringArray
    debtor_ids: pa.StringArray
    account_debtor: NDArray[np.int64]
    accounts: Arrays
    debtors: Arrays
    vocabularies: Mapping[str, tuple[str, ...]]
    digits: NDArray[np.int8]
    zone: NDArray[np.int32]
    zones: tuple[str, ...]
    tables: Mapping[str, EventTable]
    time_zone: str
    lags: Mapping[str, int]
    stopped: NDArray[np.bool_]
    blocked: tuple[str, ...]

    @property
    def n_accounts(self) -> int:
        """Number of accounts."""
        return len(self.account_ids)

    def words(self, column: str) -> NDArray[np.object_]:
        """Return the words of a category column of accounts or debtors, one per account (None = missing).

        Parameters
        ----------
        column : str
            For example ``accounts.currency`` or ``debtors.language``.
        """
        table, name = column.split(".")
        codes = self.accounts[name] if table == "accounts" else self.debtors[name][self.account_debtor]
        vocabulary = np.array([*self.vocabularies[column], None], dtype=object)
        return vocabulary[codes.astype(np.int64)]

    def code_of(self, account_id: str) -> int:
        """Return the code of an account.

        Raises
        ------
        ColumnNotFound
            If there is no such account.
        """
        code = self.account_ids.index(account_id).as_py()
        if code < 0:
            msg = f"no account {account_id!r} in the portfolio"
            raise ColumnNotFound(msg)
        return int(code)

    def newest(self, before: int) -> dict[str, int]:
        """Return, per event table, the latest instant before another at which a row of it became known."""
        newest = {name: _newest(table.known_at, before) for name, table in self.tables.items()}
        return {name: known_at for name, known_at in newest.items() if known_at is not None}

    def take(self, codes: NDArray[np.int64]) -> EventStore:
        """Return the store of some accounts, of their debtors, and of the other parties to them.

        Parameters
        ----------
        codes : int64 array
            Account codes, strictly increasing (so that ids stay sorted).
        """
        parties = self.tables["parties"].take(codes)
        involved = np.zeros(len(self.debtor_ids), dtype=bool)
        if parties.n_rows:
            named = pc.is_in(self.debtor_ids, value_set=parties.ids["debtor_id"])
            involved = np.array(named.to_numpy(zero_copy_only=False), dtype=bool)
        involved[self.account_debtor[codes]] = True
        debtors = np.flatnonzero(involved)
        owners = {"account": codes, "either": codes, "debtor": debtors}
        return replace(
            self,
            account_ids=self.account_ids.take(pa.array(codes)),
            debtor_ids=self.debtor_ids.take(pa.array(debtors)),
            account_debtor=np.searchsorted(debtors, self.account_debtor[codes]),
            accounts={name: values[codes] for name, values in self.accounts.items()},
            debtors={name: values[debtors] for name, values in self.debtors.items()},
            digits=self.digits[codes],
            zone=self.zone[codes],
            tables={name: table.take(owners[CONTRACTS[name].owner]) for name, table in self.tables.items()},
            stopped=self.stopped[codes],
        )

    def buckets(self, count: int) -> Iterator[EventStore]:
        """Yield the store in at most `count` parts, empty ones left out.

        The part of an account follows from a stable hash of its debtor's id, so that the accounts of one
        debtor stay together and the split is the same everywhere. Other parties come along to each part that
        holds an account of theirs.
        """
        if count <= 1:
            yield self
            return
        hashes = [zlib.crc32(debtor.encode()) % count for debtor in self.debtor_ids.to_pylist()]
        part = np.array(hashes, dtype=np.int64)[self.account_debtor]
        for number in range(count):
            codes = np.flatnonzero(part == number)
            if len(codes):
                yield self.take(codes)

    def nbytes(self) -> int:
        """Return the memory the arrays take, in bytes."""
        tables = self.tables.values()
        arrays = [value for table in tables for value in (table.at, table.known_at, *table.columns.values())]
        own = [getattr(self, field.name) for field in fields(self)]
        arrays += [value for value in own if isinstance(value, np.ndarray)]
        return int(sum(array.nbytes for array in arrays))


def _newest(known_at: NDArray[np.int64], before: int) -> int | None:
    if len(known_at) and known_at.max() >= before:
        known_at = known_at[known_at < before]
    return int(known_at.max()) if len(known_at) else None
