"""From raw tables to features: the order of rows and columns and the kind of frame change no byte."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recobro_score.data.portfolio import Portfolio
from recobro_score.features import FeatureSet, compute
from tests.features.random_tables import RandomTables

FEATURES = FeatureSet.extended()


@pytest.fixture(scope="module")
def tables():
    return RandomTables(7, "Europe/Madrid")


@pytest.fixture(scope="module")
def matrix(tables):
    return _matrix(tables.frames, tables)


def _matrix(frames, tables, schema=None):
    store = Portfolio.from_frames(frames, options=tables.options).store
    return compute(schema or FEATURES.schema(store), store, tables.as_ofs)


KINDS = {
    "pandas": lambda table: table.to_pandas(),
    "pandas of numpy objects": lambda table: table.to_pandas().astype(object),
    "pandas of arrow": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas with nullable types": lambda table: table.to_pandas().convert_dtypes(),
    "pandas with categories": lambda table: table.to_pandas(
        categories=[field.name for field in table.schema if str(field.type) == "string"]
    ),
    "polars": pl.from_arrow,
    "lazy polars": lambda table: pl.from_arrow(table).lazy(),
    "columns": lambda table: table.to_pydict(),
    "records": lambda table: table.to_pylist(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_gives_the_same_bytes_for_the_whole_set(tables, matrix, kind):
    again = _matrix({name: KINDS[kind](table) for name, table in tables.frames.items()}, tables)
    assert again.schema == matrix.schema
    assert again.values.tobytes() == matrix.values.tobytes()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_and_columns_changes_nothing(tables, matrix, seed):
    rng = np.random.default_rng(seed)
    shuffled = {
        name: table.take(rng.permutation(len(table))).select(sorted(table.column_names, reverse=True))
        for name, table in tables.frames.items()
    }
    again = _matrix(shuffled, tables)
    assert again.schema == matrix.schema
    assert again.values.tobytes() == matrix.values.tobytes()
