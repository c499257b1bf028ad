"""Canonical bytes: JSON, Parquet and their hashes.

The same content always gives the same bytes: keys are sorted, schemas and codecs fixed, no pandas
metadata and no clock time inside.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 131_072
_BLOCK = 1 << 20


def canonical_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return JSON text with sorted keys and no insignificant spaces.

    Raises
    ------
    ValueError
        If a number is NaN or infinite: those are not JSON.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def readable_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return canonical JSON laid out for people, ending with a newline."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def sha256_text(text: str) -> str:
    """Return the SHA-256 of UTF-8 text as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_parquet(table: pa.Table, path: str | Path, *, schema_version: str | None = None) -> None:
    """Write a table as Parquet, byte-stable over runs.

    Parameters
    ----------
    table : pyarrow.Table
        Any chunking; metadata of other libraries is dropped; dictionaries, also in lists, are written as
        their values.
    path : str or Path
        The file appears whole or not at all (written beside, then renamed).
    schema_version : str, optional
        Kept in the file's metadata under ``recobro_score.schema_version``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = {"recobro_score.schema_version": schema_version} if schema_version else None
    schema = pa.schema([_plain_field(field) for field in table.schema], metadata=metadata)
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    with pq.ParquetWriter(
        partial, schema, compression="zstd", version="2.6", data_page_version="1.0", store_schema=True
    ) as writer:
        for low in range(0, max(table.num_rows, 1), ROW_GROUP_ROWS):
            writer.write_table(table.slice(low, ROW_GROUP_ROWS).cast(schema).combine_chunks(), ROW_GROUP_ROWS)
    partial.replace(path)


def _plain_field(field: pa.Field) -> pa.Field:
    import pyarrow as pa

    plain, kind = field.remove_metadata(), field.type
    if pa.types.is_dictionary(kind):
        return plain.with_type(kind.value_type)
    if pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        return plain.with_type(pa.list_(kind.value_field.with_type(kind.value_type.value_type)))
    return plain
