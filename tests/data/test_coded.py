"""Rows kept as plain numbers are taken back as what they were: the bytes of the whole, the same rows lost."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.data import coded
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.partitions import Partitions, partition
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.quarantine import Quarantine, merge_counts
from recobro_score.errors import ContractError
from tests.data.raw_rows import Row, frames, portfolios
from tests.data.readings import raw

OPTIONS = PortfolioOptions(time_zone="America/Bogota", lag_days={"payments": 1.0})


def _write(tables: dict[str, list[Row]], folder: Path) -> None:
    for name, columns in frames(tables).items():
        cells = {column: pa.array(values, pa.string()) for column, values in columns.items()}
        pq.write_table(pa.table(cells), folder / f"{name}.parquet", row_group_size=3)


def _listed(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=lambda line: (list(CONTRACTS).index(line["table"]), line["row"]))


@settings(max_examples=12, deadline=None)
@given(portfolios(), st.sampled_from([0, 1, 2, coded.MOST_WORDS]))
def test_one_bucket_is_the_whole_to_the_byte(tables: dict[str, list[Row]], most_words: int):
    with tempfile.TemporaryDirectory() as name, mock.patch.object(coded, "MOST_WORDS", most_words):
        folder = Path(name) / "portfolio"
        folder.mkdir()
        _write(tables, folder)
        part = partition(folder, Path(name) / "parts", buckets=1, options=OPTIONS).read(0, options=OPTIONS)
        whole = Portfolio.from_frames(frames(tables), options=OPTIONS)
        assert raw(part.store) == raw(whole.store)
        assert part.quarantine.table.num_rows == whole.quarantine.table.num_rows
        assert _listed(part.quarantine.table) == _listed(whole.quarantine.table)
        assert part.counts == whole.counts
        assert part.newest == whole.newest


@settings(max_examples=6, deadline=None)
@given(portfolios(), st.integers(2, 4))
def test_buckets_lose_the_rows_that_the_whole_loses(tables: dict[str, list[Row]], buckets: int):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "portfolio"
        folder.mkdir()
        _write(tables, folder)
        opened = partition(folder, Path(name) / "parts", buckets=buckets, options=OPTIONS)
        parts = [opened.read(bucket, options=OPTIONS) for bucket in range(buckets)]
        whole = Portfolio.from_frames(frames(tables), options=OPTIONS)
        merged = Quarantine.merge([part.quarantine for part in parts])
        assert merged.table.to_pylist() == _listed(whole.quarantine.table)
        assert merge_counts([part.counts for part in parts]) == whole.counts


def test_good_rows_are_kept_as_numbers_and_bad_ones_as_they_came(tmp_path):
    cells = {"account_id": ["A", "A", "B", "A", "A"], "amount": ["1", "2", "3", "x", "4"],
             "paid_at": ["2025-01-01", None, "2025-01-01", "2025-01-01", "2025-01-02"],
             "method": ["cash", "cash", "cash", "cash", "card"]}  # fmt: skip
    account = {"account_id": ["A"], "debtor_id": ["D"], "opened_at": ["2024-01-01"], "currency": ["EUR"],
               "country": ["ES"]}  # fmt: skip
    pq.write_table(pa.table(cells), tmp_path / "payments.parquet")
    pq.write_table(pa.table(account), tmp_path / "accounts.parquet")
    parts = partition(tmp_path, tmp_path / "parts", buckets=1)
    with pa.ipc.open_stream(str(tmp_path / "parts" / "bucket-0000" / "payments.coded.arrow")) as stream:
        kept = stream.read_all()
    assert kept["__row"].to_pylist() == [0, 4]
    assert kept["method"].type == pa.int16()
    assert kept["amount"].type == pa.float64()
    assert parts.words["payments"]["method"] == ["cash", "card"]
    rules = {line["row"]: line["rule"] for line in parts.read(0).quarantine.table.to_pylist()}
    assert rules == {1: "missing:paid_at", 2: "unknown_account", 3: "unreadable:amount"}


def test_parts_are_read_as_they_were_split(tmp_path):
    account = {"account_id": ["A"], "debtor_id": ["D"], "opened_at": ["2024-01-01"], "currency": ["EUR"],
               "country": ["ES"]}  # fmt: skip
    paid = {"account_id": ["A"], "paid_at": ["2025-01-01"], "amount": [1.0]}
    pq.write_table(pa.table(account), tmp_path / "accounts.parquet")
    pq.write_table(pa.table(paid), tmp_path / "payments.parquet")
    partition(tmp_path, tmp_path / "parts", buckets=1, options=OPTIONS)
    opened = Partitions.open(tmp_path / "parts")
    assert opened.read(0, options=OPTIONS).store.tables["payments"].n_rows == 1
    for other in (None, OPTIONS.model_copy(update={"columns": {"payments": {"amount": ""}}})):
        with pytest.raises(ContractError, match="other options"):
            opened.read(0, options=other)


def test_a_table_that_cannot_be_read_is_told_of_when_it_is_read(tmp_path):
    account = {"account_id": ["A"], "debtor_id": ["D"], "opened_at": ["2024-01-01"], "currency": ["EUR"],
               "country": ["ES"]}  # fmt: skip
    paid = {"account_id": ["A"], "paid_at": [7], "amount": [1.0]}
    pq.write_table(pa.table(account), tmp_path / "accounts.parquet")
    pq.write_table(pa.table(paid), tmp_path / "payments.parquet")
    with pytest.raises(ContractError) as of_frames:
        Portfolio.from_frames({"accounts": account, "payments": paid})
    parts = partition(tmp_path, tmp_path / "parts", buckets=1)
    with pytest.raises(ContractError) as of_parts:
        parts.read(0)
    assert str(of_parts.value) == str(of_frames.value)
