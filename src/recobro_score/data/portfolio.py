"""The portfolio: all tables of a book of debts, checked, counted and put in order."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant
from recobro_score.data.build import build_store
from recobro_score.data.check import Checked, absent, check_collecting
from recobro_score.data.contracts import CONTRACTS, REQUIRED_TABLES, SAFETY_TABLES
from recobro_score.data.events import EventStore
from recobro_score.data.names import known_tables, table_name
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.quarantine import Quarantine, TableCounts, quarantined_share, spoilt
from recobro_score.errors import ContractError, Problem, hint, report

logger = logging.getLogger(__name__)

OBSERVED = ("payments", "balances", "contacts", "promises", "decisions")
"""Tables whose newest row tells until when a portfolio was observed."""

MANY_ACCOUNTS = 100
"""A debtor with so many accounts is told of: often one id stands for all debtors who have none."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How much of a portfolio was drawn: whole debtors, as the table of accounts names them.

    Attributes
    ----------
    accounts, of_accounts : int
        Accounts drawn, and all there are.
    debtors, of_debtors : int
        Their debtors, and all there are.
    """

    accounts: int
    of_accounts: int
    debtors: int
    of_debtors: int

    def summary(self) -> str:
        """Return how many of how many were drawn, as text."""
        accounts = f"{self.accounts:,} of {self.of_accounts:,} accounts"
        return f"a sample of whole debtors: {accounts}, {self.debtors:,} of {self.of_debtors:,} debtors"


@dataclass(frozen=True, slots=True, repr=False)
class Portfolio:
    """A book of debts: the event store, what was left out and why.

    Attributes
    ----------
    store : EventStore
        Everything that was used.
    quarantine : Quarantine
        Every row that was not, with its rule.
    counts : mapping of str to TableCounts
        Per table: read = used + quarantined.
    options : PortfolioOptions
        How it was read.
    newest : mapping of str to int
        Per table with rows, the latest instant at which one became, or will become, known (µs UTC).
    sample : Sample, optional
        What was drawn (see `recobro_score.data.sample.sample_portfolio`), and all the rest is about; None
        where nothing was left aside.
    """

    store: EventStore
    quarantine: Quarantine
    counts: Mapping[str, TableCounts]
    options: PortfolioOptions
    newest: Mapping[str, int]
    sample: Sample | None = None

    @classmethod
    def from_frames(cls, frames: Mapping[str, Any], *, options: PortfolioOptions | None = None) -> Portfolio:
        """Build a portfolio from frames.

        Parameters
        ----------
        frames : mapping of str to frame
            Table name (English or Spanish) to a pandas, polars or pyarrow frame, a mapping of columns or a
            list of records. ``accounts`` and ``payments`` are required.
        options : PortfolioOptions, optional
            Time zone, lags, column names.

        Raises
        ------
        ContractError
            If tables are broken as a whole; one error lists everything wrong with all of them.
        """
        options = options or PortfolioOptions()
        checked = check_all(frames, options)
        portfolio = portfolio_of(checked, options, given={table_name(source) for source in frames})
        warn_of_crowds(portfolio)
        return portfolio

    @property
    def n_accounts(self) -> int:
        """Number of accounts in use."""
        return self.store.n_accounts

    @property
    def n_rows(self) -> int:
        """Number of rows of all tables as they came."""
        return sum(count.read for count in self.counts.values())

    def parts(self) -> Iterator[Portfolio]:
        """Yield this portfolio, which is in memory in one part (see `StreamedPortfolio`)."""
        yield self

    @property
    def crowded_debtors(self) -> dict[str, int]:
        """Debtors of a hundred accounts or more, the largest first, and how many they hold.

        A company may; but mostly such an id is a placeholder (``0``, ``N/A``), and then strangers share
        their frequency caps, holds, complaints and roll-ups, and all lie in one bucket. Nothing is left out
        because of it: give every account of an unknown debtor a debtor id of its own.
        """
        held = np.bincount(self.store.account_debtor, minlength=len(self.store.debtor_ids))
        many = np.flatnonzero(held >= MANY_ACCOUNTS)
        ranked = many[np.argsort(-held[many], kind="stable")]
        return {self.store.debtor_ids[int(code)].as_py(): int(held[code]) for code in ranked}

    def observed_until(self, given: int | str | None = None) -> int:
        """Return until when the tables are complete, in µs UTC.

        Parameters
        ----------
        given : int or str, optional
            An instant (µs UTC) or a date in the portfolio's time zone. If absent, just after the newest
            known payment, balance, contact, promise or decision.
        """
        if isinstance(given, str):
            return parse_instant(given, self.store.time_zone)
        if given is not None:
            return given
        return max((self.newest[table] for table in OBSERVED if table in self.newest), default=0) + 1

    def at(self, as_of: int) -> EventStore:
        """Return the store for decisions at `as_of`: stale safety tables are added to what blocks contact.

        A table is as old as its newest row that was known before `as_of`.
        """
        late = stale(self.store.newest(as_of), self.options, as_of)
        return replace(self.store, blocked=(*self.store.blocked, *late))

    def quarantined_share(self) -> float:
        """Return the quarantined share of all rows read."""
        return quarantined_share(self.counts)

    def spoilt(self, share: float) -> list[str]:
        """Return what has more bad rows than a share allows: ``all tables`` and tables by name.

        A table counts with ten or more bad rows, or when none of its rows is good.
        """
        return spoilt(self.counts, share)

    def summary(self) -> str:
        """Return what was read, table by table, as text."""
        lines = [] if self.sample is None else [self.sample.summary()]
        lines.append(f"{self.n_accounts:,} accounts of {len(self.store.debtor_ids):,} debtors")
        for table, count in self.counts.items():
            line = f"  {table:<15}{count.read:>12,} read {count.used:>12,} used"
            line += f"{count.quarantined:>9,} quarantined"
            if count.possible_duplicates:
                line += f"  ({count.possible_duplicates:,} possible duplicates, used)"
            lines.append(line)
        lines += [f"  contact blocked: {reason}" for reason in self.store.blocked]
        lines += [f"  {_told_of(*crowded)}" for crowded in self.crowded_debtors.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{self.summary()}</pre>"


def stale(newest: Mapping[str, int], options: PortfolioOptions, as_of: int) -> tuple[str, ...]:
    """Return why contact is blocked where tables are older at an instant than they may be.

    Parameters
    ----------
    newest : mapping of str to int
        Per table, when its newest row before `as_of` became known (`EventStore.newest`).
    """
    oldest = {table: as_of - round(days * US_PER_DAY) for table, days in options.max_age_days.items()}
    late = (table for table in sorted(oldest) if table not in newest or newest[table] < oldest[table])
    return tuple(f"stale:{table}" for table in late)


def _told_of(debtor: str, accounts: int) -> str:
    return f"debtor {debtor!r} holds {accounts:,} accounts: if the id is a placeholder, give each its own"


def warn_of_crowds(portfolio: Portfolio) -> None:
    """Log `Portfolio.crowded_debtors`."""
    for debtor, accounts in portfolio.crowded_debtors.items():
        logger.warning("%s", _told_of(debtor, accounts))


def portfolio_of(checked: Mapping[str, Checked], options: PortfolioOptions, *, given: Set[str]) -> Portfolio:
    """Build a portfolio from checked tables, of which some were given at all (see `check_all`)."""
    store, duplicates = build_store(checked, options, given=given)
    return Portfolio(
        store=store,
        quarantine=Quarantine.concat(checked[table].quarantined() for table in CONTRACTS),
        counts={
            table: _count(checked[table], duplicates.get(table, 0)) for table in CONTRACTS if table in given
        },
        options=options,
        newest=store.newest(NEVER),
    )


def check_all(frames: Mapping[str, Any], options: PortfolioOptions) -> dict[str, Checked]:
    """Check every table.

    Raises
    ------
    ContractError
        If tables are broken as a whole or missing; one error lists all that is.
    """
    options.check_names()
    how = options.format()
    problems: list[Problem] = []
    named = _by_english_name(frames, problems)
    declared = [table for table in options.declared if table not in SAFETY_TABLES]
    needed = dict.fromkeys([*REQUIRED_TABLES, *declared])
    problems += [Problem(f"{table}: the table is missing") for table in needed if table not in named]
    checked: dict[str, Checked] = {}
    for table, contract in CONTRACTS.items():
        frame = named.get(table, [])
        if isinstance(frame, list) and not frame:
            checked[table] = absent(contract)
            continue
        mapping = options.columns.get(table, {})
        result = check_collecting(contract, frame, problems, mapping=mapping, how=how)
        if result is not None:
            checked[table] = result
    if problems:
        raise ContractError(report("the portfolio cannot be read:", problems))
    return checked


def _by_english_name(frames: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for source, frame in frames.items():
        table = table_name(source)
        if table not in CONTRACTS:
            problems.append(Problem(f"{source}: no such table.", hint=hint(source, known_tables())))
        elif table in named:
            problems.append(Problem(f"{source}: the table {table!r} is given twice"))
        else:
            named[table] = frame
    return named


def _count(checked: Checked, possible_duplicates: int) -> TableCounts:
    used = int(checked.good().sum())
    return TableCounts(checked.n_rows, used, checked.n_rows - used, possible_duplicates)
