"""How a job gets its portfolio: the run file's folder, in memory or split on disk; and when it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from recobro_score.data.portfolio import Portfolio
from recobro_score.data.quarantine import Quarantine, TableCounts, spoilt
from recobro_score.data.sample import sample_portfolio
from recobro_score.data.sources import read_portfolio
from recobro_score.data.streamed import ROWS_IN_MEMORY, StreamedPortfolio, count_rows
from recobro_score.data.survey import Survey
from recobro_score.errors import ConfigError, ContractError, SafetyTableError
from recobro_score.operate.config import PortfolioSection, RunConfig
from recobro_score.operate.parts_folder import parts_folder

Progress = Callable[[str, float], None]


def read_for_training(
    config: RunConfig, *, max_accounts: int | None = None, progress: Progress | None = None
) -> Portfolio:
    """Return the portfolio to learn from: the folder's, or a sample of it (see `sample_portfolio`).

    Raises
    ------
    ConfigError
        If there is no such folder, or no debtor fits into `max_accounts`.
    ContractError
        If tables are broken, or more rows than allowed are bad of those that were drawn.
    """
    portfolio = sample_portfolio(
        _folder(config.portfolio),
        accounts=max_accounts,
        options=config.portfolio.options(),
        progress=progress,
    )
    _require_unspoilt(portfolio.counts, portfolio.quarantine, config.portfolio.max_quarantined_share)
    return portfolio


@contextmanager
def opened(config: RunConfig, *, progress: Progress | None = None) -> Iterator[Portfolio | StreamedPortfolio]:
    """Open the portfolio for a night: in memory, or in as many buckets on disk as the run file asks for.

    The buckets lie in a folder of their own beside the nights and are gone when the context ends; those of a
    night that was killed are removed (see `parts_folder`).

    Raises
    ------
    ConfigError
        If there is no such folder.
    ContractError
        If the folder cannot be read.
    """
    folder, options, buckets = _folder(config.portfolio), config.portfolio.options(), config.night.buckets
    if buckets == 1 or (buckets is None and count_rows(folder) <= ROWS_IN_MEMORY):
        yield read_portfolio(folder, options=options)
        return
    with parts_folder(config.output.folder) as parts:
        yield StreamedPortfolio.split(folder, parts, buckets=buckets, options=options, progress=progress)


def accept(whole: Survey, section: PortfolioSection) -> None:
    """Refuse a portfolio by which no night may be decided.

    Raises
    ------
    ContractError
        If more rows than allowed are bad.
    SafetyTableError
        If a declared safety table is missing or stale, or a bad row of one names nobody.
    """
    _require_unspoilt(whole.counts, whole.quarantine, section.max_quarantined_share)
    if whole.blocked:
        msg = f"nobody may be contacted until the safety tables are mended: {', '.join(whole.blocked)}"
        raise SafetyTableError(msg)


def _folder(section: PortfolioSection) -> Path:
    if not section.folder.is_dir():
        msg = f"portfolio.folder: there is no folder {section.folder}"
        raise ConfigError(msg)
    return section.folder


def _require_unspoilt(counts: Mapping[str, TableCounts], quarantine: Quarantine, share: float) -> None:
    names = spoilt(counts, share)
    if names:
        worst = sorted(quarantine.counts().items(), key=lambda item: -item[1])[:5]
        rules = ", ".join(f"{table} {rule}: {count:,}" for (table, rule), count in worst)
        msg = (
            f"too many rows would be quarantined, more than {share:.1%} of "
            f"{', '.join(names)} (portfolio.max_quarantined_share): {rules}"
        )
        raise ContractError(msg)
