"""A portfolio read through once: what is true of it as a whole, in one piece or bucket by bucket.

Bad rows are judged, safety tables fail closed and contact points are disproved for the whole portfolio, so
all of it is read before anything is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from recobro_score.data.contracts import SAFETY_TABLES
from recobro_score.data.disproofs import beyond, disproofs, disproved, earliest
from recobro_score.data.events import EventStore
from recobro_score.data.portfolio import Portfolio, stale, warn_of_crowds
from recobro_score.data.quarantine import Quarantine, TableCounts, merge_counts

if TYPE_CHECKING:
    from recobro_score.data.streamed import StreamedPortfolio

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Survey:
    """What is true of a portfolio as a whole at an instant.

    Attributes
    ----------
    as_of : int
        The instant, µs UTC.
    n_accounts : int
        Accounts in use.
    currencies : tuple of str
        Theirs, sorted.
    counts : mapping of str to TableCounts
        Per table: read = used + quarantined.
    quarantine : Quarantine
        Every row that was not used.
    newest : mapping of str to int
        Per event table, the latest instant before the as-of at which a row became known (µs UTC).
    blocked : tuple of str
        Why nobody may be contacted: a safety table is missing or stale, or a bad row of one names nobody.
    wrong_points : pyarrow.Table
        Contact points that attempts for accounts of other parts have disproved (see
        `recobro_score.data.disproofs`).
    """

    as_of: int
    n_accounts: int
    currencies: tuple[str, ...]
    counts: Mapping[str, TableCounts]
    quarantine: Quarantine
    newest: Mapping[str, int]
    blocked: tuple[str, ...]
    wrong_points: pa.Table

    def completed(self, store: EventStore) -> EventStore:
        """Return a part's store with what only the whole tells: what blocks contact, and disproved points."""
        points = disproved(store.tables["contact_points"], self.wrong_points)
        return replace(store, blocked=self.blocked, tables={**store.tables, "contact_points": points})


def survey(
    portfolio: Portfolio | StreamedPortfolio, as_of: int, *, progress: Progress | None = None
) -> Survey:
    """Read a portfolio through.

    Parameters
    ----------
    portfolio : Portfolio or StreamedPortfolio
        Of the second, one part is in memory at a time.
    as_of : int
        Instant in µs UTC.
    progress : callable, optional
        Called with a step's name and the share done.

    Raises
    ------
    ContractError
        If tables are broken as a whole.
    """
    parts, rows = [], 0
    for part in portfolio.parts():
        if part is not portfolio:  # one in memory was warned of when it was read
            warn_of_crowds(part)
        parts.append(_survey_of(part, as_of))
        rows += sum(count.read for count in part.counts.values())
        if progress is not None:
            progress("reading the portfolio", rows / max(portfolio.n_rows, 1))
        del part  # before the next one is read
    found = _merged(parts)
    return replace(found, blocked=(*found.blocked, *stale(found.newest, portfolio.options, as_of)))


def _survey_of(part: Portfolio, as_of: int) -> Survey:
    store = part.store
    elsewhere = beyond(disproofs(store.tables["contacts"]), store.tables["contact_points"])
    words = store.vocabularies["accounts.currency"]
    return Survey(
        as_of=as_of,
        n_accounts=part.n_accounts,
        currencies=tuple(words[code] for code in np.unique(store.accounts["currency"])),
        counts=part.counts,
        quarantine=part.quarantine,
        newest=store.newest(as_of),
        blocked=store.blocked,
        wrong_points=elsewhere,
    )


def _merged(parts: list[Survey]) -> Survey:
    reasons = dict.fromkeys(reason for part in parts for reason in part.blocked)
    tables = {table for part in parts for table in part.newest}
    return Survey(
        as_of=parts[0].as_of,
        n_accounts=sum(part.n_accounts for part in parts),
        currencies=tuple(sorted({currency for part in parts for currency in part.currencies})),
        counts=merge_counts([part.counts for part in parts]),
        quarantine=Quarantine.merge(part.quarantine for part in parts),
        newest={table: max(part.newest[table] for part in parts if table in part.newest) for table in tables},
        blocked=tuple(sorted(reasons, key=_place)),
        wrong_points=earliest(part.wrong_points for part in parts),
    )


def _place(reason: str) -> int:
    """Return where a reason to block contact stands: missing tables as declared, then bad rows by table."""
    kind, _, table = reason.partition(":")
    return SAFETY_TABLES.index(table) if kind == "names_nobody" else -1
