"""The same content gives the same bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.digest import canonical_json, readable_json, sha256_file, sha256_text, write_parquet

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_canonical_json_reads_back_and_forgets_the_order_of_keys(value: object):
    for write in (canonical_json, readable_json):
        assert json.loads(write(value)) == value
        assert write(_reversed(value)) == write(value)


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_json_number_is_refused(number: float):
    for write in (canonical_json, readable_json):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write({"a": [number]})


def test_canonical_json_keeps_letters_and_drops_spaces():
    assert canonical_json({"ñ": [1, 2.5], "a": None}) == '{"a":null,"ñ":[1,2.5]}'


def _table(rows: int = 300) -> pa.Table:
    words = pa.array([None if row % 7 == 0 else f"wörd {row % 5}" for row in range(rows)])
    return pa.table(
        {
            "id": pa.array(range(rows)),
            "word": words,
            "kind": words.dictionary_encode(),
            "at": pa.array(range(rows), pa.timestamp("us", "UTC")),
            "value": pa.array([row / 3 for row in range(rows)]),
            "list": pa.array([[row, None] for row in range(rows)]),
        }
    )


def _hash(table: pa.Table, folder: Path) -> str:
    path = folder / "table.parquet"
    write_parquet(table, path, schema_version="3")
    assert [entry.name for entry in folder.iterdir()] == ["table.parquet"]
    return sha256_file(path)


@pytest.mark.parametrize("cuts", [[], [1], [299], [0, 0, 10, 150], list(range(0, 300, 7))])
def test_chunks_and_metadata_leave_no_trace_in_parquet(tmp_path: Path, cuts: list[int]):
    table = _table()
    ends = [*cuts, len(table)]
    starts = [0, *cuts]
    parts = [table.slice(start, end - start) for start, end in zip(starts, ends, strict=True)]
    # Each part's words have a dictionary of their own, in their own order.
    recoded = [
        part.set_column(2, "kind", part["word"].combine_chunks().dictionary_encode()) for part in parts
    ]
    chunked = pa.concat_tables(recoded).replace_schema_metadata({"pandas": "{}", "written": "today"})
    assert _hash(chunked, tmp_path) == _hash(table, tmp_path)


def test_a_pandas_round_trip_leaves_no_trace_in_parquet(tmp_path: Path):
    table = _table().select(["id", "word", "value"])
    frame = table.to_pandas().set_index("id", drop=False)
    again = pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False)
    assert again.schema.metadata
    assert _hash(again, tmp_path) == _hash(table, tmp_path)


def test_parquet_reads_back_with_its_version_and_no_dictionaries(tmp_path: Path):
    path = tmp_path / "t.parquet"
    write_parquet(_table(), path, schema_version="3")
    schema = pq.read_schema(path)
    assert schema.metadata == {b"recobro_score.schema_version": b"3"}
    assert schema.field("kind").type == pa.string()
    back = pq.read_table(path)
    assert back.to_pylist() == _table().to_pylist()
    write_parquet(_table(), path)
    assert pq.read_schema(path).metadata is None


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path):
    path = tmp_path / "t.parquet"
    write_parquet(_table(), path)
    before = sha256_file(path)
    broken = pa.table({"x": pa.array([None], pa.month_day_nano_interval())})
    with pytest.raises(pa.ArrowException):
        write_parquet(broken, path)
    assert sha256_file(path) == before


def test_hashes_are_sha_256(tmp_path: Path):
    path = tmp_path / "big"
    path.write_bytes(b"ab" * (1 << 20))
    assert sha256_file(path) == hashlib.sha256(b"ab" * (1 << 20)).hexdigest()
    assert sha256_text("ñ") == hashlib.sha256("ñ".encode()).hexdigest()
