"""Scores kept small: most of what they say is sentences, and those recur."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

_IDS = ("account_id", "debtor_id")


def packed(scores: pa.Table) -> pa.Table:
    """Return scores with each word and sentence kept once."""
    columns = [
        scores[name].combine_chunks() if name in _IDS else _packed(scores[name].combine_chunks())
        for name in scores.column_names
    ]
    return pa.table(columns, scores.column_names)


def joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the packed scores of all parts, by account id."""
    whole = pa.concat_tables(parts).combine_chunks()
    return whole.take(pc.sort_indices(whole["account_id"]))


def _packed(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_string(kind):
        return column.dictionary_encode()
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return pa.ListArray.from_arrays(column.offsets, column.values.dictionary_encode())
    return column
