"""Some of the debtors of a portfolio folder larger than memory, with everything that is theirs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recobro_score.data.homes import Homes
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.partitions import Progress, numbered, teller
from recobro_score.data.portfolio import Portfolio, Sample, check_all, portfolio_of, warn_of_crowds
from recobro_score.data.sources import read_portfolio, table_files
from recobro_score.data.streamed import ROWS_IN_MEMORY, count_rows
from recobro_score.data.streams import TableStream
from recobro_score.errors import ConfigError

logger = logging.getLogger(__name__)

SHARES = 10_000
"""Equal parts of all debtors by the hash of their ids: a sample is the first so many."""


def sample_portfolio(
    folder: str | Path,
    *,
    accounts: int | None = None,
    options: PortfolioOptions | None = None,
    progress: Progress | None = None,
) -> Portfolio:
    """Read the portfolio of some of a folder's debtors, drawn by a stable hash of their ids.

    Whole debtors are drawn, with all their accounts and rows, and those who share an account, a hold or the
    id of a row together. The same folder gives the same sample, and a larger one holds every smaller one.
    The folder is read in batches: memory holds the ids of all accounts and what was drawn.

    Parameters
    ----------
    folder : str or Path
        As for `read_portfolio`.
    accounts : int, optional
        At most so many; by default as many as have about `ROWS_IN_MEMORY` rows. A folder that holds no more
        is read whole.
    options : PortfolioOptions, optional
        How the tables are read.
    progress : callable, optional
        Called with a step's name and the share done.

    Returns
    -------
    Portfolio
        `sample` says how many of how many were drawn, None when all were. Counts and quarantine are of the
        drawn rows alone, numbered as in the source.

    Raises
    ------
    ContractError
        If the folder cannot be read, or tables are broken as a whole.
    ConfigError
        If not one share of the debtors fits into `accounts`.

    Notes
    -----
    A contact point that only attempts for accounts of other debtors have disproved counts as usable here, if
    those were not drawn.
    """
    options = options or PortfolioOptions()
    if accounts is None and count_rows(folder) <= ROWS_IN_MEMORY:
        return read_portfolio(folder, options=options)
    sources = {table: TableStream.of(table, path, options) for table, path in table_files(folder).items()}
    rows = sum(source.data.count_rows() for source in sources.values())
    homes = Homes.of(sources, SHARES)
    everybody = int(homes.starts[-1])
    most = everybody * ROWS_IN_MEMORY // max(rows, 1) if accounts is None else accounts
    if everybody <= most:
        return read_portfolio(folder, options=options)
    shares = int(np.searchsorted(homes.starts, most, side="right")) - 1
    if homes.starts[shares] == 0:
        msg = f"no debtor can be drawn: the first ones hold more than {most:,} accounts together"
        raise ConfigError(msg)
    portfolio = _drawn(sources, homes, shares, options, teller(progress, "drawing a sample", rows))
    warn_of_crowds(portfolio)
    logger.info("%s", portfolio.summary().splitlines()[0])
    return portfolio


def _drawn(
    sources: Mapping[str, TableStream],
    homes: Homes,
    shares: int,
    options: PortfolioOptions,
    tell: Callable[[int], None],
) -> Portfolio:
    """Return the portfolio of the first shares."""
    frames: dict[str, pa.Table] = {}
    numbers: dict[str, list[pa.Array]] = {}
    for table, source in sources.items():
        frames[table], numbers[table] = _rows(source, homes, shares, tell)
    portfolio = portfolio_of(check_all(frames, options), options, given=set(frames))
    accounts = sources["accounts"]
    debtor = accounts.names["debtor_id"]
    sample = Sample(
        accounts=int(homes.starts[shares]),
        of_accounts=int(homes.starts[-1]),
        debtors=_debtors(accounts, frames["accounts"].to_batches()),
        of_debtors=_debtors(accounts, accounts.batches([debtor])),
    )
    return replace(portfolio, quarantine=numbered(portfolio.quarantine, numbers), sample=sample)


def _rows(
    source: TableStream, homes: Homes, shares: int, tell: Callable[[int], None]
) -> tuple[pa.Table, list[pa.Array]]:
    """Return the rows that live in the first shares, and their numbers in the source."""
    kept: list[pa.RecordBatch] = []
    numbers: list[pa.Array] = []
    number = 0
    for rows in source.batches():
        codes = homes.codes(source, rows)
        mine = (codes >= 0) & (codes < homes.starts[shares])
        others = np.flatnonzero(codes < 0)
        if len(others):
            mine[others] = homes.of_rows(source, rows.take(pa.array(others))) < shares
        places = np.flatnonzero(mine)
        kept.append(rows.take(pa.array(places)))
        numbers.append(pa.array(places + number))
        number += len(rows)
        tell(len(rows))
    if not kept:
        return source.data.schema.empty_table(), []
    return pa.Table.from_batches(kept).unify_dictionaries().combine_chunks(), numbers


def _debtors(accounts: TableStream, batches: Iterable[pa.RecordBatch]) -> int:
    """Return how many debtors rows of the accounts name."""
    named = [accounts.ids("debtor_id", rows) for rows in batches]
    return int(pc.count_distinct(pa.chunked_array(named, pa.string()), mode="only_valid").as_py())
