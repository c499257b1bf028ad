"""The order of rows and columns, the kind of frame and the kind of file change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.data.portfolio import Portfolio
from tests.data.raw_rows import Row, frames, portfolios
from tests.data.readings import quarantined, raw
from tests.data.typed_tables import good_tables


@settings(max_examples=20)
@given(portfolios(), st.randoms(use_true_random=False))
def test_row_and_column_order_change_nothing(tables: dict[str, list[Row]], random: Any):
    whole = frames(tables)
    shuffled = {}
    for table in random.sample(list(whole), len(whole)):
        columns = whole[table]
        order = random.sample(range(len(tables[table])), len(tables[table]))
        names = random.sample(list(columns), len(columns))
        shuffled[table] = {name: [columns[name][row] for row in order] for name in names}
    one, other = Portfolio.from_frames(whole), Portfolio.from_frames(shuffled)
    assert raw(one.store) == raw(other.store)
    assert one.counts == other.counts
    assert one.newest == other.newest
    assert quarantined(one) == quarantined(other)


def _categorical(table: pa.Table) -> pa.Table:
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    for name in texts:
        position = table.column_names.index(name)
        table = table.set_column(position, name, pc.dictionary_encode(table[name]))
    return table


def _chunked(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 5), table.slice(5, 0), table.slice(5)])


KINDS: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": lambda table: table.to_pandas(),
    "pandas with another index": lambda table: table.to_pandas().set_axis(range(7, 7 + len(table))),
    "pandas nullable": lambda table: table.to_pandas().convert_dtypes(),
    "pandas pyarrow-backed": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas objects": lambda table: table.to_pandas().astype(object),
    "polars": pl.from_arrow,
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "records": lambda table: table.to_pylist(),
    "records without empty cells": lambda table: [
        {name: value for name, value in row.items() if value is not None} for row in table.to_pylist()
    ],
    "columns": lambda table: table.to_pydict(),
    "categorical": _categorical,
    "chunked": _chunked,
    "large strings": lambda table: table.cast(
        pa.schema(
            (name, pa.large_string() if pa.types.is_string(kind) else kind)
            for name, kind in zip(table.schema.names, table.schema.types, strict=True)
        )
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_gives_the_same_store(kind: str):
    tables = good_tables()
    plain = Portfolio.from_frames(tables)
    assert len(plain.quarantine) == 0
    other = Portfolio.from_frames({name: KINDS[kind](table) for name, table in tables.items()})
    assert raw(plain.store) == raw(other.store)
    assert plain.counts == other.counts


def test_whole_number_ids_read_the_same_as_text_as_integers_and_as_floats_with_gaps():
    numbers = [7, None, 123456789012, 9007199254740991]
    payments = {
        "account_id": ["1"] * 4,
        "paid_at": ["2025-01-01", "2025-01-02", "2025-01-03", "2025-01-04"],
        "amount": [1.0] * 4,
    }
    accounts = {
        "account_id": [1],
        "debtor_id": [1.0],
        "opened_at": ["2024-01-01"],
        "currency": ["EUR"],
        "country": ["ES"],
    }
    forms = {
        "text": pa.array([None if n is None else str(n) for n in numbers]),
        "integer": pa.array(numbers, pa.int64()),
        "float": pa.array(pd.Series(numbers, dtype="float64")),
        "nullable": pa.array(pd.Series(numbers, dtype="Int64")),
    }
    stores = [
        raw(Portfolio.from_frames({"accounts": accounts, "payments": {**payments, "payment_id": ids}}).store)
        for ids in forms.values()
    ]
    assert all(store == stores[0] for store in stores)


def test_a_float_that_cannot_tell_its_neighbours_apart_is_no_id():
    accounts = {"account_id": ["A"], "debtor_id": ["D"], "opened_at": ["2024-01-01"], "currency": ["EUR"]}
    payments = {
        "account_id": ["A"] * 4,
        "paid_at": ["2025-01-01"] * 4,
        "amount": [1] * 4,
        "payment_id": [2.0**53, 2.0**60, 1.5, float("inf")],
    }
    portfolio = Portfolio.from_frames({"accounts": {**accounts, "country": ["ES"]}, "payments": payments})
    assert portfolio.quarantine.counts() == {("payments", "unreadable:payment_id"): 4}
