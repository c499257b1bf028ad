"""The bucket of everybody: whatever a rule compares has one home.

The accounts of a debtor and all their rows, debtors that share an account, a hold or the id of a row, and the
instalments of a plan live together. A row that names nobody known goes where the hash of what it names says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.data import ids
from recobro_score.data.ids import IdLookup, is_text, stable_hashes
from recobro_score.data.links import linked_debtors
from recobro_score.data.streams import TableStream


@dataclass(frozen=True, slots=True, eq=False)
class Homes:
    """Who lives in which bucket.

    Attributes
    ----------
    buckets : int
        How many there are.
    accounts : IdLookup
        The different account ids, bucket by bucket; a place among them is the account's code.
    bucket : unsigned integer array, shape (n_accounts,)
        Where each account lives: grows with the code.
    starts : int64 array, shape (buckets + 1,)
        The codes ``starts[b] … starts[b + 1] − 1`` live in bucket ``b``.
    moved_from : IdLookup
        Linked debtors, and ``account:<id>`` for linked accounts that nobody is known to owe.
    moved_to : pyarrow.StringArray
        The debtor whose home each of them shares.
    """

    buckets: int
    accounts: IdLookup
    bucket: NDArray[np.unsignedinteger[Any]]
    starts: NDArray[np.int64]
    moved_from: IdLookup
    moved_to: pa.StringArray

    @classmethod
    def of(cls, sources: Mapping[str, TableStream], buckets: int) -> Homes:
        """Find everybody's home; reads the accounts, and of other tables what may link debtors."""
        account_ids, debtor_ids = _named_accounts(sources)
        known = account_ids.drop_null().unique()
        moved: dict[str, str] = {}
        if buckets > 1:
            pairs = pa.table({"account": account_ids, "debtor": debtor_ids})
            datasets = {table: (source.data, source.names) for table, source in sources.items()}
            repeated = len(known) < len(account_ids) - account_ids.null_count
            moved = linked_debtors(pairs, datasets, repeated=repeated)
        moved_from = IdLookup.of(pa.array(moved.keys(), pa.string()))
        moved_to = pa.array(moved.values(), pa.string())
        nobody = (IdLookup.of(account_ids[:0]), np.zeros(0, np.uint16), np.zeros(1, np.int64))
        homes = cls(buckets, *nobody, moved_from, moved_to)
        bucket = homes.of_texts(_owed_by(account_ids, debtor_ids, known), known)
        order = np.argsort(bucket, kind="stable")
        return replace(
            homes,
            accounts=IdLookup.of(known.take(pa.array(order))),
            bucket=bucket[order].astype(np.uint16 if buckets < 1 << 16 else np.uint32),
            starts=np.searchsorted(bucket[order], np.arange(buckets + 1)),
        )

    def of_texts(self, debtors: pa.StringArray, accounts: pa.StringArray) -> NDArray[np.int32]:
        """Return the bucket of each debtor, or of the account's name where there is no debtor."""
        if self.buckets == 1:
            return np.zeros(len(debtors), np.int32)
        keys = debtors
        if debtors.null_count:
            strangers = pc.binary_join_element_wise("account:", accounts, "")
            keys = pc.coalesce(debtors, strangers, pa.scalar(""))
        if len(self.moved_to):
            places = self.moved_from.codes(keys)
            moved = self.moved_to.take(pa.array(places, mask=places < 0))
            keys = pc.coalesce(moved, keys)
        return (stable_hashes(keys) % np.uint32(self.buckets)).astype(np.int32)

    def codes(self, source: TableStream, rows: pa.RecordBatch) -> NDArray[np.int32]:
        """Return the code of the account that each row lives with.

        −1 where the id, as it stands, is that of no account, and everywhere in tables whose rows do not live
        by their account's id alone.
        """
        name = source.names.get("account_id")
        if name is None or not _live_by_account(source):
            return np.full(len(rows), -1, np.int32)
        given = rows[name]
        kind = given.type.value_type if pa.types.is_dictionary(given.type) else given.type
        if pa.types.is_integer(kind):
            return self.accounts.codes(given.cast(pa.string()))
        return self.accounts.codes(given) if is_text(kind) else np.full(len(rows), -1, np.int32)

    def of_rows(self, source: TableStream, rows: pa.RecordBatch) -> NDArray[np.int32]:
        """Return the bucket of each row: that of its account, else of its debtor, else of what it names."""
        accounts = source.ids("account_id", rows)
        codes = self.accounts.codes(accounts)
        known = codes >= 0
        home = np.empty(len(rows), np.int32)
        home[known] = self.bucket[codes[known]]
        unnamed = pa.array(np.flatnonzero(~known))
        debtors = pa.nulls(len(unnamed), pa.string())
        if not _live_by_account(source):
            debtors = source.ids("debtor_id", rows).take(unnamed)
        home[unnamed.to_numpy()] = self.of_texts(debtors, accounts.take(unnamed))
        return home

    def account_ids(self, bucket: int) -> pa.StringArray:
        """Return the ids of the accounts that live in a bucket, by their number there."""
        first, end = int(self.starts[bucket]), int(self.starts[bucket + 1])
        return self.accounts.ids.slice(first, end - first)

    def deal(
        self, codes: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Deal out rows by the codes of their accounts, leaving out −1.

        Returns
        -------
        order : int64 array
            The rows by bucket, otherwise as they come.
        numbers : int32 array
            The number of each row's account in its bucket, in that order.
        bounds : int64 array, shape (buckets + 1,)
            Where each bucket's rows begin.
        """
        return _deal(codes, self.bucket, self.starts)


def deal(home: NDArray[np.int32], buckets: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the rows by bucket, otherwise as they come, and where each bucket's begin."""
    order = np.argsort(home, kind="stable").astype(np.int32)
    return order, np.searchsorted(home[order], np.arange(buckets + 1))


def warm_up() -> None:
    """Compile, or load from the user's cache, what finding homes needs."""
    ids.warm_up()
    _deal(np.zeros(1, np.int32), np.zeros(1, np.uint16), np.array([0, 1]))


def _live_by_account(source: TableStream) -> bool:
    return source.contract.owner == "account" and source.contract.table != "accounts"


def _named_accounts(sources: Mapping[str, TableStream]) -> tuple[pa.StringArray, pa.StringArray]:
    accounts, debtors = [pa.array([], pa.string())], [pa.array([], pa.string())]
    if "accounts" in sources:
        source = sources["accounts"]
        columns = [source.names[name] for name in ("account_id", "debtor_id") if name in source.names]
        for rows in source.batches(columns):
            accounts.append(source.ids("account_id", rows))
            debtors.append(source.ids("debtor_id", rows))
    return pa.concat_arrays(accounts), pa.concat_arrays(debtors)


def _owed_by(
    account_ids: pa.StringArray, debtor_ids: pa.StringArray, known: pa.StringArray
) -> pa.StringArray:
    """Return the debtor that each known account's rows name first; null where none of them names one."""
    if len(known) == len(account_ids):
        return debtor_ids
    codes = IdLookup.of(known).codes(account_ids)
    named = np.asarray(debtor_ids.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    rows = np.flatnonzero((codes >= 0) & named)[::-1]
    first = np.full(len(known), -1, np.int64)
    first[codes[rows]] = rows
    return debtor_ids.take(pa.array(first, mask=first < 0))


@numba.njit(nogil=True, cache=True)
def _deal(
    codes: NDArray[np.int32], bucket: NDArray[np.unsignedinteger[Any]], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    buckets = len(starts) - 1
    bounds = np.zeros(buckets + 1, np.int64)
    home = np.empty_like(codes)
    for row in range(len(codes)):
        home[row] = -1
        if codes[row] >= 0:
            home[row] = bucket[codes[row]]
            bounds[home[row] + 1] += 1
    for one in range(buckets):
        bounds[one + 1] += bounds[one]
    free = bounds[:-1].copy()
    order = np.empty(bounds[buckets], np.int64)
    numbers = np.empty(bounds[buckets], np.int32)
    for row in range(len(codes)):
        if home[row] >= 0:
            slot = free[home[row]]
            free[home[row]] = slot + 1
            order[slot], numbers[slot] = row, codes[row] - starts[home[row]]
    return order, numbers, bounds
