"""The rows that a simulation writes down, before they become tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Ledger:
    """Rows of every table, kept as chunks of equally long arrays."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks: dict[str, list[dict[str, NDArray[Any]]]] = {}

    def add(self, table: str, columns: Mapping[str, NDArray[Any]]) -> None:
        """Append rows to a table; every chunk of a table has the same columns."""
        self._chunks.setdefault(table, []).append(dict(columns))

    def columns(self, table: str) -> dict[str, NDArray[Any]]:
        """Return all rows of a table as one array per column, in the order they were added."""
        chunks = self._chunks.get(table, [])
        if not chunks:
            return {}
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
