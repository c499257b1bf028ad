"""A portfolio that is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.partitions import Partitions, Progress, partition
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.sources import table_files
from recobro_score.errors import ContractError, Problem, report

ROWS_IN_MEMORY = 5_000_000
"""Up to so many rows a job reads its folder into memory, which takes some two gigabytes; unless told."""


@dataclass(frozen=True, slots=True)
class StreamedPortfolio:
    """A portfolio on disk, split into buckets that are read one at a time.

    Attributes
    ----------
    partitions : Partitions
        The buckets (see `recobro_score.data.partitions.partition`).
    options : PortfolioOptions
        How they are read: as they were split.
    """

    partitions: Partitions
    options: PortfolioOptions = field(default_factory=PortfolioOptions)

    @classmethod
    def split(
        cls,
        folder: str | Path,
        out: str | Path,
        *,
        buckets: int | None = None,
        options: PortfolioOptions | None = None,
        progress: Progress | None = None,
    ) -> StreamedPortfolio:
        """Split a portfolio folder and return it; the parameters are those of `partition`.

        Raises
        ------
        ContractError
            If the folder cannot be read, or there is less than one bucket.
        """
        options = options or PortfolioOptions()
        split = partition(folder, out, buckets=buckets, options=options, progress=progress)
        return cls(split, options)

    @property
    def n_rows(self) -> int:
        """Number of rows of all tables as they came."""
        return sum(self.partitions.rows.values())

    def parts(self) -> Iterator[Portfolio]:
        """Yield the buckets as portfolios, reading each when it is asked for; some may hold no account.

        Raises
        ------
        ContractError
            If tables are broken as a whole.
        """
        for bucket in range(self.partitions.buckets):
            yield self.partitions.read(bucket, options=self.options)


def count_rows(folder: str | Path) -> int:
    """Return about how many rows the tables of a portfolio folder have: of a CSV, its lines.

    Raises
    ------
    ContractError
        If the folder or a Parquet file cannot be read; one error lists everything.
    """
    rows = 0
    problems: list[Problem] = []
    for path in table_files(folder).values():
        try:
            rows += _lines(path) if path.suffix.lower() == ".csv" else ds.dataset(path).count_rows()
        except (pa.ArrowException, OSError) as error:
            problems.append(Problem(f"{path.name}: not a readable Parquet file ({error})"))
    if problems:
        raise ContractError(report(f"the portfolio folder {folder} cannot be read:", problems))
    return rows


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)
