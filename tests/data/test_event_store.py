"""Splitting a store loses nothing, keeps debtors whole, and one account reads as if it had come alone."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.data.contracts import CONTRACTS, EVENT_TABLES
from recobro_score.data.events import EventStore
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ColumnNotFound
from tests.data.readings import account_words, raw, store_words, table_words
from tests.data.typed_tables import N_ACCOUNTS, Tables, good_tables

TABLES = {seed: good_tables(seed) for seed in range(3)}
STORES = {seed: Portfolio.from_frames(tables).store for seed, tables in TABLES.items()}
seeds = st.sampled_from(sorted(STORES))


def _merged(parts: list[EventStore]) -> dict[str, dict[str, object]]:
    merged: dict[str, dict[str, object]] = {"accounts": {}} | {name: {} for name in EVENT_TABLES}
    for part in parts:
        for name, found in store_words(part).items():
            assert all(merged[name].get(owner, rows) == rows for owner, rows in found.items())
            merged[name] |= found
    return merged


def _owing(store: EventStore) -> set[str]:
    return set(store.debtor_ids.take(pa.array(np.unique(store.account_debtor))).to_pylist())


def _with_accounts(store: EventStore) -> dict[str, dict[str, object]]:
    """The store in words, without debtors who owe nothing."""
    owing = _owing(store)
    words = store_words(store)
    for name in EVENT_TABLES:
        if CONTRACTS[name].owner == "debtor":
            words[name] = {debtor: rows for debtor, rows in words[name].items() if debtor in owing}
    return words


@settings(max_examples=20)
@given(seeds, st.integers(1, 9))
def test_buckets_partition_the_accounts_and_keep_debtors_together(seed: int, count: int):
    store = STORES[seed]
    parts = list(store.buckets(count))
    accounts = [account for part in parts for account in part.account_ids.to_pylist()]
    assert sorted(accounts) == store.account_ids.to_pylist()
    if count > 1:
        debtors = [debtor for part in parts for debtor in _owing(part)]
        assert len(debtors) == len(set(debtors))
        found, whole = _merged(parts), _with_accounts(store)
        parties = set(store.tables["parties"].ids["debtor_id"].to_pylist())
        for name, rows in whole.items():
            assert {owner: found[name][owner] for owner in rows} == rows
            assert found[name].keys() - rows.keys() <= parties
    assert [raw(part) for part in store.buckets(count)] == [raw(part) for part in parts]


@settings(max_examples=20)
@given(seeds, st.integers(2, 9), st.sets(st.integers(0, N_ACCOUNTS - 1), min_size=1))
def test_the_bucket_of_an_account_does_not_hang_on_the_others(seed: int, count: int, chosen: set[int]):
    store = STORES[seed]
    companions = [set(part.account_ids.to_pylist()) for part in store.buckets(count)]
    alone = store.take(np.array(sorted(chosen)))
    for part in alone.buckets(count):
        assert any(set(part.account_ids.to_pylist()) <= together for together in companions)


@settings(max_examples=20)
@given(seeds, st.sets(st.integers(0, N_ACCOUNTS - 1)))
def test_taking_accounts_takes_their_rows_and_nothing_else(seed: int, chosen: set[int]):
    store = STORES[seed]
    taken = store.take(np.array(sorted(chosen), dtype=np.int64))
    whole, part = store_words(store), store_words(taken)
    assert list(part["accounts"]) == [account for n, account in enumerate(whole["accounts"]) if n in chosen]
    for name, found in part.items():
        assert found == {owner: whole[name][owner] for owner in found}
    assert raw(store.take(np.arange(N_ACCOUNTS)).tables["payments"]) == raw(store.tables["payments"])


def test_the_split_is_the_same_on_every_machine():
    parts = [sorted(_owing(part)) for part in STORES[0].buckets(3)]
    assert parts == [["D05", "D06", "D07"], ["D01", "D03"], ["D00", "D02", "D04"]]


def _rows_of(tables: Tables, account: str) -> Tables:
    accounts = tables["accounts"]
    debtor = accounts.filter(pc.field("account_id") == account)["debtor_id"][0].as_py()
    parties = tables["parties"].filter(pc.field("account_id") == account)["debtor_id"]
    people = pa.array({debtor, *parties.to_pylist()})
    chosen: Tables = {}
    for name, table in tables.items():
        owner = CONTRACTS[name].owner
        mine = pc.field("account_id") == account if owner != "debtor" else pc.field("debtor_id").isin(people)
        if owner == "either":
            mine = mine | (pc.field("debtor_id") == debtor)
        chosen[name] = table.filter(mine)
    return chosen


@pytest.mark.parametrize("seed", sorted(STORES))
def test_one_account_alone_equals_the_account_taken_from_the_batch(seed: int):
    store = STORES[seed]
    for account in store.account_ids.to_pylist():
        alone = Portfolio.from_frames(_rows_of(TABLES[seed], account)).store
        assert store_words(alone) == store_words(store.take(np.array([store.code_of(account)])))


def test_rows_of_an_owner_lie_in_the_order_of_their_clocks():
    for store in STORES.values():
        for name in EVENT_TABLES:
            for rows in table_words(store, name).values():
                clocks = [(row["at"], row["known_at"]) for row in rows]
                assert clocks == sorted(clocks)
            table = store.tables[name]
            assert table.offsets[0] == 0
            assert table.offsets[-1] == table.n_rows == len(table.owner())


def test_a_contact_knows_the_minute_and_the_weekday_where_the_debtor_lives():
    contacts = {
        "account_id": ["A", "B"],
        "attempted_at": ["2025-06-01T23:30Z"] * 2,
        "channel": ["call"] * 2,
        "direction": ["outbound"] * 2,
        "outcome": ["rpc"] * 2,
    }
    accounts = {
        "account_id": ["A", "B"],
        "debtor_id": ["D", "E"],
        "opened_at": ["2024-01-01"] * 2,
        "currency": ["COP"] * 2,
        "country": ["CO"] * 2,
    }
    debtors = {"debtor_id": ["D"], "time_zone": ["Europe/Madrid"]}
    tables = {"accounts": accounts, "debtors": debtors, "payments": [], "contacts": contacts}
    store = Portfolio.from_frames(tables).store
    assert [words["zone"] for words in account_words(store).values()] == ["Europe/Madrid", "America/Bogota"]
    columns = store.tables["contacts"].columns
    assert columns["local_minute"].tolist() == [60 + 30, 18 * 60 + 30]
    assert columns["local_weekday"].tolist() == [0, 6]


def test_tables_that_did_not_come_are_there_without_rows():
    tables = good_tables()
    store = Portfolio.from_frames({"accounts": tables["accounts"], "payments": tables["payments"]}).store
    full = STORES[0]
    assert set(store.tables) == set(EVENT_TABLES)
    for name in set(EVENT_TABLES) - {"payments"}:
        absent, present = store.tables[name], full.tables[name]
        assert absent.n_rows == 0
        assert {n: v.dtype for n, v in absent.columns.items()} == {
            n: v.dtype for n, v in present.columns.items()
        }
        assert set(absent.vocabularies) == set(present.vocabularies)
        assert set(absent.ids) == set(present.ids)
        given_empty = Portfolio.from_frames({**tables, name: tables[name].slice(0, 0)}).store.tables[name]
        assert {n: v.dtype for n, v in given_empty.columns.items()} == {
            n: v.dtype for n, v in absent.columns.items()
        }


def test_names_that_are_not_there_are_refused_with_a_hint():
    store = STORES[0]
    with pytest.raises(ColumnNotFound, match="A-unknown"):
        store.code_of("A-unknown")
    with pytest.raises(ColumnNotFound, match="Did you mean 'channel'"):
        store.tables["contacts"].codes("chanel", "call")
    assert store.tables["contacts"].codes("direction", "inbound", "sideways").tolist() == [0]
    with pytest.raises(FrozenInstanceError):
        store.time_zone = "UTC"  # type: ignore[misc]
