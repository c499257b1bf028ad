"""Every kind of frame becomes the same Arrow table; what is none is refused."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recobro_score.errors import ContractError
from recobro_score.frames import records_of, to_arrow

ROWS = [{"a": 1, "b": "x"}, {"a": None, "b": "ñ"}, {"a": 3, "b": None}]
FRAMES: dict[str, Any] = {
    "pandas": pd.DataFrame(ROWS).astype({"a": "Int64"}),
    "pandas indexed": pd.DataFrame(ROWS, index=["p", "q", "r"]).astype({"a": "Int64"}),
    "pandas arrow": pd.DataFrame(ROWS).astype({"a": pd.ArrowDtype(pa.int64())}),
    "polars": pl.DataFrame(ROWS),
    "polars lazy": pl.LazyFrame(ROWS),
    "pyarrow": pa.Table.from_pylist(ROWS),
    "columns": {"a": [1, None, 3], "b": ["x", "ñ", None]},
    "records": ROWS,
    "records with gaps": [{"b": "x", "a": 1}, {"b": "ñ"}, {"a": 3}],
    "tuple of records": tuple(ROWS),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_of_frame_is_the_same_table(kind: str):
    table = to_arrow(FRAMES[kind])
    assert sorted(table.column_names) == ["a", "b"]
    assert table.select(["a", "b"]).to_pylist() == ROWS


def test_no_record_loses_a_key_that_the_first_does_not_have():
    assert to_arrow([{"a": 1}, {"a": 2, "z": 3}]).to_pydict() == {"a": [1, 2], "z": [None, 3]}
    assert to_arrow([]).shape == (0, 0)


@pytest.mark.parametrize("zone", ["UTC", "America/Bogota", "+02:00"])
def test_aware_pandas_times_stay_the_same_instant(zone: str):
    moments = pd.DatetimeIndex(["2025-01-01T10:00Z", None]).tz_convert(zone)
    column = to_arrow(pd.DataFrame({"at": moments}))["at"]
    assert str(column.type).startswith("timestamp[")
    assert column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist() == [
        1_735_725_600_000_000,
        None,
    ]


@pytest.mark.parametrize(
    "thing", [7, "accounts.csv", b"x", None, [1, 2], [("a", 1)], {"a": 1}, {"a": [1], "b": [1, 2]}, object()]
)
def test_what_is_no_table_is_refused_by_name(thing: Any):
    with pytest.raises(ContractError, match="payments: cannot be read as a table"):
        to_arrow(thing, name="payments")


def test_columns_that_mix_types_are_refused():
    for frame in (pd.DataFrame({"a": [1, "x", object()]}), [{"a": 1}, {"a": "x"}]):
        with pytest.raises(ContractError):
            to_arrow(frame)


def test_records_say_what_the_arrow_table_says():
    when = pd.DatetimeIndex(["2025-01-02T03:04:05.678901", None, "2025-01-03T00:00:00.000000"])
    frame = pd.DataFrame(
        {
            "text": ["a", None, ""],
            "number": [1.5, float("nan"), -0.0],
            "whole": [1, 2, 3],
            "maybe": pd.array([1, None, 3], "Int64"),
            "flag": [True, False, True],
            "aware": when.tz_localize("UTC"),
            "naive": when,
            "day": pd.Categorical(["x", None, "x"]),
            "nothing": [None, None, None],
            "nested": [{"a": 1}, None, {"a": 2}],
        }
    )
    assert records_of(frame) == to_arrow(frame).to_pylist()
    assert records_of(frame[["number"]]) == to_arrow(frame[["number"]]).to_pylist()
    assert records_of(frame.iloc[:0]) == []
    assert frame["text"].isna().tolist() == [False, True, False]
    assert records_of(to_arrow(frame)) == to_arrow(frame).to_pylist()


def test_columns_of_the_same_name_are_no_records():
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(ContractError, match="rows: cannot be read as a table"):
        records_of(twice, "rows")
