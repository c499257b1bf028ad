"""One account from its own events has the bits it has in the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import parse_instant
from recobro_score.data.sources import read_portfolio, read_tables
from recobro_score.errors import ContractError
from recobro_score.features import FeatureSet, compute
from recobro_score.features.single import AccountFeatures
from tests.features.stores import AS_OF, event_rows, store_of

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


@pytest.fixture(scope="module")
def sample():
    store = read_portfolio(SAMPLE).store
    return store, FeatureSet.standard().schema(store)


def test_one_account_equals_its_row_of_the_batch(sample):
    store, schema = sample
    as_of = parse_instant("2025-06-01")
    own = np.flatnonzero(np.bincount(store.account_debtor)[store.account_debtor] == 1)[:60]
    batch = compute(schema, store.take(own), [as_of]).values
    single = AccountFeatures(schema)
    for row, code in enumerate(own):
        alone = single.of_store(store.take(np.array([code])), as_of)
        assert alone.tobytes() == batch[row].tobytes()


def test_records_give_the_bits_of_the_folder(sample):
    store, schema = sample
    as_of = parse_instant("2025-06-01")
    tables = {name: table.to_pylist() for name, table in read_tables(SAMPLE).items()}
    own = np.flatnonzero(np.bincount(store.account_debtor)[store.account_debtor] == 1)[:3]
    single = AccountFeatures(schema)
    for code in own:
        account, debtor = (
            store.account_ids[code].as_py(),
            store.debtor_ids[store.account_debtor[code]].as_py(),
        )
        mine = {
            name: [
                row
                for row in rows
                if (row["account_id"] == account if row.get("account_id") else row.get("debtor_id") == debtor)
            ]
            for name, rows in tables.items()
        }
        batch = compute(schema, store.take(np.array([code])), [as_of]).values[0]
        assert single.of_rows(mine, as_of).tobytes() == batch.tobytes()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_account_equals_the_batch(data):
    store = store_of(data.draw(event_rows(1, 1)))
    schema = FeatureSet.standard().schema(store_of(data.draw(event_rows(1, 1))))
    alone = AccountFeatures(schema).of_store(store, AS_OF)
    assert alone.tobytes() == compute(schema, store, [AS_OF]).values[0].tobytes()


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
