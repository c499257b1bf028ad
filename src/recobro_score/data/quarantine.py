"""What was not used and why: the quarantine and the counts that account for every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.data.contracts import CONTRACTS

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
FEW_BAD_ROWS = 10


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


def quarantined_share(counts: Mapping[str, TableCounts]) -> float:
    """Return the quarantined share of all rows read."""
    read = sum(count.read for count in counts.values())
    return sum(count.quarantined for count in counts.values()) / read if read else 0.0


def spoilt(counts: Mapping[str, TableCounts], share: float) -> list[str]:
    """Return what has more bad rows than a share allows: ``all tables`` and tables by name.

    A table counts with ten or more bad rows, or when none of its rows is good.
    """
    names = ["all tables"] if quarantined_share(counts) > share else []
    for table, count in counts.items():
        many = count.quarantined >= FEW_BAD_ROWS and count.quarantined > share * count.read
        if many or (count.read > 0 and count.used == 0):
            names.append(table)
    return names


def merge_counts(parts: Sequence[Mapping[str, TableCounts]]) -> dict[str, TableCounts]:
    """Return the counts of the whole from those of its parts, which have the same tables."""
    names = ("read", "used", "quarantined", "possible_duplicates")
    return {
        table: TableCounts(*(sum(getattr(part[table], name) for part in parts) for name in names))
        for table in (parts[0] if parts else ())
    }


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
    """Collects failures of one table, the first rule of each row winning.

    Attributes
    ----------
    rules_broken : uint8 array
        Per row, 0 or one more than the position in `kinds`.
    kinds : list of (rule, column)
        What was marked.
    """

    rules_broken: NDArray[np.uint8]
    kinds: list[tuple[str, str | None]]

    @classmethod
    def of(cls, rows: int) -> FailureLog:
        """Return an empty log for a table of so many rows."""
        return cls(np.zeros(rows, np.uint8), [])

    def mark(self, rows: NDArray[np.bool_] | NDArray[np.int64], rule: str, column: str | None = None) -> None:
        """Say that rows break a rule, unless they broke another one before."""
        if not rows.any() if rows.dtype == bool else len(rows) == 0:
            return
        positions = np.flatnonzero(rows) if rows.dtype == bool else rows
        self.kinds.append((rule, column))
        self.rules_broken[positions[self.rules_broken[positions] == 0]] = len(self.kinds)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Rows that broke no rule."""
        return np.asarray(self.rules_broken == 0, dtype=bool)

    def good_rows(self) -> NDArray[np.int64]:
        """Return the positions of the rows that broke no rule."""
        return np.flatnonzero(self.good) if self.kinds else np.arange(len(self.rules_broken))

    def failures(self) -> Failures:
        """Return what was collected."""
        rows = np.flatnonzero(~self.good)
        kinds = np.array([(None, None), *self.kinds], dtype=object)
        broken = kinds[self.rules_broken[rows]]
        return Failures(rows, broken[:, 0], broken[:, 1])


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

    @classmethod
    def merge(cls, parts: Iterable[Quarantine]) -> Quarantine:
        """Return the quarantine of the whole from those of its parts: by table, then by row of the source."""
        merged = cls.concat(part.table for part in parts).table
        place = pc.index_in(merged["table"], value_set=pa.array(CONTRACTS)).to_numpy()
        return cls(merged.take(pa.array(np.lexsort((merged["row"].to_numpy(), place)))))

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many rows broke each (table, rule)."""
        pairs = zip(self.table["table"].to_pylist(), self.table["rule"].to_pylist(), strict=True)
        return dict(sorted(Counter(pairs).items()))

    def frame(self) -> pd.DataFrame:
        """Return the quarantine as a pandas frame (columns as in `table`)."""
        return self.table.to_pandas()
