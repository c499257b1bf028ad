"""What was not used and why: the quarantine and the counts that account for every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("column", pa.string()),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("account_id", pa.string()),
        pa.field("debtor_id", pa.string()),
    ]
)
QUARANTINE_VERSION = "1"
NO_ROWS = QUARANTINE_SCHEMA.empty_table()


@dataclass(frozen=True, slots=True)
class TableCounts:
    """What became of one table's rows.

    Attributes
    ----------
    read, used, quarantined : int
        ``read = used + quarantined``, always.
    possible_duplicates : int
        Rows equal to an earlier one in a table without ids: used, and counted here.
    """

    read: int
    used: int
    quarantined: int
    possible_duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Failures:
    """The rows of one table that broke a rule.

    Attributes
    ----------
    rows : int64 array
        Positions in the frame as it came, increasing.
    rules, columns : object arrays
        The first rule each row broke, and the column it broke it in.
    """

    rows: NDArray[np.int64]
    rules: NDArray[np.object_]
    columns: NDArray[np.object_]

    @classmethod
    def none(cls) -> Failures:
        """Return no failures."""
        return cls(np.zeros(0, np.int64), np.zeros(0, object), np.zeros(0, object))

    def counts(self) -> dict[str, int]:
        """Return how many rows broke each rule."""
        return dict(sorted(Counter(self.rules.tolist()).items()))


@dataclass(slots=True)
class FailureLog:
    """Collects failures of one table, the first rule of each row winning."""

    rule: NDArray[np.object_]
    column: NDArray[np.object_]

    @classmethod
    def of(cls, rows: int) -> FailureLog:
        """Return an empty log for a table of so many rows."""
        return cls(np.full(rows, None, object), np.full(rows, None, object))

    def mark(self, rows: NDArray[np.bool_] | NDArray[np.int64], rule: str, column: str | None = None) -> None:
        """Say that rows break a rule, unless they broke another one before."""
        positions = np.flatnonzero(rows) if rows.dtype == bool else rows
        fresh = positions[self.rule[positions] == None]  # noqa: E711 - elementwise
        self.rule[fresh] = rule
        self.column[fresh] = column

    @property
    def good(self) -> NDArray[np.bool_]:
        """Rows that broke no rule."""
        return np.asarray(self.rule == None, dtype=bool)  # noqa: E711 - elementwise

    def failures(self) -> Failures:
        """Return what was collected."""
        rows = np.flatnonzero(~self.good)
        return Failures(rows, self.rule[rows], self.column[rows])


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Every row that was not used, with its reason.

    Attributes
    ----------
    table : pyarrow.Table
        Columns ``table``, ``rule``, ``column`` (null when the rule concerns the whole row), ``row`` (position
        in the source, from 0), ``id`` (the table's own id), ``account_id``, ``debtor_id`` (null when
        unreadable).
    """

    table: pa.Table = field(default_factory=lambda: NO_ROWS)

    def __len__(self) -> int:
        """Return the number of rows in quarantine."""
        return int(self.table.num_rows)

    @classmethod
    def concat(cls, parts: Iterable[pa.Table]) -> Quarantine:
        """Return one quarantine from the parts of several tables."""
        return cls(pa.concat_tables([NO_ROWS, *parts]).combine_chunks())

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many rows broke each (table, rule)."""
        pairs = zip(self.table["table"].to_pylist(), self.table["rule"].to_pylist(), strict=True)
        return dict(sorted(Counter(pairs).items()))

    def frame(self) -> pd.DataFrame:
        """Return the quarantine as a pandas frame (columns as in `table`)."""
        return self.table.to_pandas()
