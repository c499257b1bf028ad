"""One account alone gets the bits of its row of the batch, from a store and from its records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score import read_portfolio
from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.sources import read_tables
from recobro_score.errors import ContractError
from recobro_score.features import FeatureSet, PromiseRule, compute
from recobro_score.features.readable import EVENT_TABLES
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.single import AccountFeatures
from tests.features.every_recipe import EVERY
from tests.features.stores import AS_OF, event_rows, store_of

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
ZONES = ("UTC", "Europe/Madrid", "America/Santiago", "Asia/Taipei", "Australia/Lord_Howe")


@pytest.fixture(scope="module")
def sample():
    store = read_portfolio(SAMPLE).store
    return store, FeatureSet.extended().schema(store)


@pytest.fixture(scope="module")
def records():
    """The tables of some accounts that are their debtors' only ones, as records."""
    store = read_portfolio(SAMPLE).store
    tables = {name: table.to_pylist() for name, table in read_tables(SAMPLE).items()}
    alone = np.bincount(store.account_debtor)[store.account_debtor] == 1
    found = []
    for code in np.flatnonzero(alone)[:12]:
        ids = {store.account_ids[code].as_py(), store.debtor_ids[store.account_debtor[code]].as_py()}
        mine = {
            name: [row for row in rows if (row.get("account_id") or row.get("debtor_id")) in ids]
            for name, rows in tables.items()
        }
        found.append((int(code), {name: rows for name, rows in mine.items() if rows}))
    return found


def test_one_account_equals_its_row_of_the_batch(sample):
    store, schema = sample
    as_of = parse_instant("2025-06-01")
    own = np.flatnonzero(np.bincount(store.account_debtor)[store.account_debtor] == 1)[:60]
    batch = compute(schema, store.take(own), [as_of]).values
    single = AccountFeatures(schema)
    for row, code in enumerate(own):
        alone = single.of_store(store.take(np.array([code])), as_of)
        assert alone.tobytes() == batch[row].tobytes()


@settings(max_examples=40)
@given(
    tables=event_rows(1, 1),
    known=st.sets(st.sampled_from(sorted(EVENT_TABLES))),
    zone=st.sampled_from(ZONES),
    days=st.integers(0, 400),
    digits=st.sampled_from((0, 2, 3, 4)),
    rule=st.sampled_from((PromiseRule(), PromiseRule(0.0, 0.125), PromiseRule(30.0, 0.9))),
    account=st.sampled_from(({}, {"known_at": AS_OF}, {"principal": -(2**63)}, {"opened_at": AS_OF + 1})),
)
def test_every_recipe_of_any_account_equals_the_batch(tables, known, zone, days, digits, rule, account):
    """All aggregates, filters, windows and statuses; empty and unseen tables, changing clocks."""
    store = store_of(tables, time_zone=zone, digits=[digits], **account)
    recipes = (*EVERY.recipes, *FeatureSet.extended().recipes)
    vocabularies = FeatureSet(recipes).schema(store_of(tables)).vocabularies
    schema = FeatureSchema(recipes, rule, tuple(sorted(known)), vocabularies)
    as_of = AS_OF - days * US_PER_DAY
    alone = AccountFeatures(schema).of_store(store, as_of)
    assert alone.tobytes() == compute(schema, store, [as_of]).values[0].tobytes()


@settings(max_examples=15)
@given(tables=event_rows(1, 1), other=event_rows(1, 1))
def test_words_unknown_to_the_schema_are_told_apart_alike(tables, other):
    store = store_of(tables)
    schema = EVERY.schema(store_of(other))
    alone = AccountFeatures(schema).of_store(store, AS_OF)
    assert alone.tobytes() == compute(schema, store, [AS_OF]).values[0].tobytes()


def test_instants_beyond_the_known_clocks_are_left_to_the_batch():
    row = {"at": parse_instant("1965-03-31T22:30"), "amount": 100}
    store = store_of({"payments": [row]}, time_zone="Europe/Madrid", opened_at=parse_instant("1960-01-01"))
    schema = EVERY.schema(store)
    alone = AccountFeatures(schema).of_store(store, AS_OF)
    assert alone.tobytes() == compute(schema, store, [AS_OF]).values[0].tobytes()


def test_records_and_frames_give_the_bits_of_the_folder(sample, records):
    store, schema = sample
    as_of = parse_instant("2025-06-01")
    single = AccountFeatures(schema)
    for code, tables in records:
        batch = compute(schema, store.take(np.array([code])), [as_of]).values[0]
        assert single.of_rows(tables, as_of).tobytes() == batch.tobytes()
        frames = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
        assert single.of_rows(frames, as_of).tobytes() == batch.tobytes()
    for kind in (pd.DataFrame, pl.DataFrame):
        frames = {name: kind(rows) for name, rows in tables.items()}
        assert single.of_rows(frames, as_of).tobytes() == batch.tobytes()


def test_plain_records_need_no_store(sample, records, monkeypatch):
    """Nearly all records of the sample are read at once, whatever the order of rows."""
    _, schema = sample
    single = AccountFeatures(schema)
    monkeypatch.setattr(AccountFeatures, "_of_checked", lambda *_: pytest.fail("the contracts were asked"))
    for _, tables in records:
        upside_down = {name: rows[::-1] for name, rows in tables.items()}
        one = single.of_rows(tables, AS_OF)
        assert single.of_rows(upside_down, AS_OF).tobytes() == one.tobytes()
        frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
        assert single.of_rows(frames, AS_OF).tobytes() == one.tobytes()


def test_several_accounts_and_bad_rows_are_refused(sample):
    store, schema = sample
    single = AccountFeatures(schema)
    with pytest.raises(ContractError, match="one account"):
        single.of_store(store, AS_OF)
    account = {
        "account_id": "A",
        "debtor_id": "D",
        "opened_at": "2024-01-01",
        "currency": "EUR",
        "country": "ES",
    }
    payment = {"account_id": "B", "paid_at": "2024-02-01", "amount": 1.0}
    with pytest.raises(ContractError, match=r"payments\[0\]: unknown_account"):
        single.of_rows({"accounts": [account], "payments": [payment]}, AS_OF)
    with pytest.raises(ContractError, match="one account"):
        single.of_rows({"accounts": [account, {**account, "account_id": "B"}]}, AS_OF)
