"""Features bucket by bucket are the features of the whole, row for row, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from recobro_score.calendars import parse_instant
from recobro_score.data.partitions import partition
from recobro_score.data.sources import read_portfolio
from recobro_score.errors import ConfigError
from recobro_score.features import FeatureSet, compute
from recobro_score.features.pipeline import compute_parts
from recobro_score.features.scale import feature_table, features_to_parquet

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
AS_OFS = [parse_instant("2025-05-01"), parse_instant("2025-06-01")]


@pytest.fixture(scope="module")
def whole():
    portfolio = read_portfolio(SAMPLE)
    schema = FeatureSet.standard().schema(portfolio.store)
    return portfolio, schema, compute(schema, portfolio.store, AS_OFS)


def _rows(path):
    table = ds.dataset(path, format="parquet").to_table()
    return table.sort_by([("account_id", "ascending"), ("as_of", "ascending")]).combine_chunks()


def test_files_hold_the_bits_of_the_whole(whole, tmp_path):
    portfolio, schema, matrix = whole
    told = []
    written = features_to_parquet(
        SAMPLE, schema, AS_OFS, tmp_path / "out", buckets=3, progress=lambda *step: told.append(step)
    )
    found, expected = _rows(tmp_path / "out"), feature_table(matrix)
    assert found.column_names == expected.column_names
    for name in found.column_names:
        one, other = found[name].combine_chunks(), expected[name].combine_chunks()
        if pa.types.is_floating(one.type):
            values = (array.to_numpy(zero_copy_only=False).tobytes() for array in (one, other))
            assert len(set(values)) == 1, name
        else:
            assert one.equals(other), name
    assert written.rows == len(matrix)
    assert written.counts == portfolio.counts
    assert len(written.quarantine) == len(portfolio.quarantine)
    assert told[-1] == ("computing features", 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_partitioned_folder_is_not_split_again(whole, tmp_path):
    _, schema, matrix = whole
    partition(SAMPLE, tmp_path / "parts", buckets=2)
    written = features_to_parquet(tmp_path / "parts", schema, AS_OFS, tmp_path / "out", threads=2)
    assert written.rows == len(matrix)
    assert written.cpu_seconds["bucket"] == 0.0
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 2


def test_parts_are_the_whole(whole):
    portfolio, schema, matrix = whole
    few = portfolio.store.take(np.arange(50))
    parts = list(compute_parts(schema, few, AS_OFS, pairs=7))
    assert [len(part) for part in parts[:2]] == [6, 6]
    assert (
        np.concatenate([part.values for part in parts]).tobytes()
        == compute(schema, few, AS_OFS).values.tobytes()
    )
    ids = [name for part in parts for name in part.account_ids.to_pylist()]
    assert ids == matrix.account_ids[:100].to_pylist()


def test_files_are_never_mixed_with_others(whole, tmp_path):
    (tmp_path / "other.txt").write_text("mine")
    with pytest.raises(ConfigError, match="new or empty"):
        features_to_parquet(SAMPLE, whole[1], AS_OFS, tmp_path)
