"""Scores that were packed come out as they were, by account id, however they were parted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.digest import write_parquet
from recobro_score.engine import SCORES_SCHEMA, score
from recobro_score.engine.packed import joined, packed

WORDS = np.array([None, "", "a", "a sentence, that recurs", "ñ"], dtype=object)


def scores(rows: int, rng: np.random.Generator) -> pa.Table:
    """Return rows of the right columns, whatever they say."""

    def cell(kind: pa.DataType) -> object:
        if pa.types.is_list(kind):
            filled = rng.choice(WORDS[1:], 3) if pa.types.is_string(kind.value_type) else rng.normal(size=3)
            return filled[: rng.integers(0, 4)].tolist()
        if pa.types.is_string(kind):
            return rng.choice(WORDS)
        if rng.random() < 0.2:
            return None
        return int(rng.integers(0, 9)) if pa.types.is_timestamp(kind) else float(rng.normal())

    columns = {field.name: [cell(field.type) for _ in range(rows)] for field in SCORES_SCHEMA}
    columns["account_id"] = [f"A{i:02d}" for i in rng.permutation(rows)]
    return pa.table(columns, SCORES_SCHEMA)


@given(rows=st.integers(0, 12), seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 12), max_size=3))
def test_packed_scores_come_out_as_they_were(rows, seed, cuts, tmp_path_factory):
    table = scores(rows, np.random.default_rng(seed))
    edges = [0, *sorted(min(cut, rows) for cut in cuts), rows]
    found = joined([packed(table.slice(low, high - low)) for low, high in pairwise(edges)])
    expected = table.sort_by("account_id")
    assert found.cast(SCORES_SCHEMA).equals(expected)
    folder = tmp_path_factory.mktemp("scores")
    write_parquet(found, folder / "packed")
    write_parquet(expected, folder / "plain")
    assert (folder / "packed").read_bytes() == (folder / "plain").read_bytes()


def test_packing_makes_scores_small(bundle, portfolio, as_of):
    table = score(bundle, portfolio.store, as_of).table()
    many = pa.concat_tables([table] * 20).combine_chunks()
    assert packed(many).nbytes < 0.5 * many.nbytes
    assert np.array_equal(packed(many)["margin"], many["margin"])
