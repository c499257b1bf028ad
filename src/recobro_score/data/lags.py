"""How late each source reports: `known_at` less the event clock, as the data have it.

Two kinds of row would deceive. History that came together with its account says nothing of the daily reports:
rows from before the account was known are left out. And among the newest rows the late ones cannot be seen
yet: rows younger than the longest lag seen (but at most half of what was observed) are left out as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.contracts import CONTRACTS, Contract
from recobro_score.data.events import EventStore, EventTable
from recobro_score.data.portfolio import Portfolio

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.5, 0.9, 0.95, 0.99)
FEW_ROWS = 30
LATE_DAYS = 1.0
"""A source is late if its 95 % quantile exceeds the declared lag by more than this."""

AS_DECLARED = "as declared"
LATER = "later than declared"
TOO_FEW = "too few rows"
NOTHING_DATED = "nothing dated"


@dataclass(frozen=True, slots=True)
class _Lags:
    """Lags of one table's rows that can tell, in days."""

    days: NDArray[np.float64]
    declared: float

    @property
    def as_declared(self) -> NDArray[np.bool_]:
        """Rows at exactly the declared lag: every row that came without ``known_at``, among others."""
        return np.abs(self.days - self.declared) < 1.0 / US_PER_DAY

    def verdict(self) -> str:
        if len(self.days) < FEW_ROWS:
            return TOO_FEW
        if self.as_declared.all():
            return NOTHING_DATED
        late = np.quantile(self.days, 0.95) > self.declared + LATE_DAYS
        return LATER if late else AS_DECLARED


def estimate_lags(portfolio: Portfolio) -> pd.DataFrame:
    """Estimate the reporting lag of every source and compare it with the declared one.

    Parameters
    ----------
    portfolio : Portfolio
        Tables without an event clock of their own (balances, contact points, parties) and schedules
        (instalments), which are known ahead, have no lag and are left out; so are tables without rows.

    Returns
    -------
    pandas.DataFrame
        One row per table, sorted by name:

        - ``table``; ``rows`` that can tell (see the module); ``as_declared``, the share of them at exactly
          the declared lag, as all rows without ``known_at`` are;
        - ``declared_days``; ``p50``, ``p90``, ``p95``, ``p99`` and ``max`` of the lag in days (NaN without
          rows); ``before``, the share of rows known before they happened;
        - ``verdict``: ``as declared``, ``later than declared`` (the 95 % quantile exceeds the declared lag
          by more than a day), ``nothing dated`` (no row has a ``known_at`` of its own: the declared lag is
          all there is), or ``too few rows`` (less than 30).

    Examples
    --------
    >>> accounts = [{"account_id": "A", "debtor_id": "D", "opened_at": "2025-01-01", "currency": "EUR",
    ...              "country": "ES"}]
    >>> days = [f"2025-0{month}-{day:02d}" for month in (2, 3, 4) for day in range(1, 29)]
    >>> payments = [{"account_id": "A", "paid_at": day, "amount": 5, "known_at": f"{day}T12:00"}
    ...             for day in days]
    >>> frames = {"accounts": accounts, "payments": payments}
    >>> estimate_lags(Portfolio.from_frames(frames))[["table", "p50", "verdict"]].to_dict("records")
    [{'table': 'payments', 'p50': 0.5, 'verdict': 'as declared'}]
    """
    import pandas as pd

    rows = []
    for name, table in sorted(portfolio.store.tables.items()):
        contract = CONTRACTS[name]
        if table.n_rows == 0 or contract.scheduled or contract.clock in (None, "known_at"):
            continue
        lags = _lags(portfolio.store, table, contract)
        seen = len(lags.days) > 0
        levels = np.quantile(lags.days, QUANTILES) if seen else np.full(len(QUANTILES), np.nan)
        rows.append(
            {
                "table": name,
                "rows": len(lags.days),
                "as_declared": float(lags.as_declared.mean()) if seen else np.nan,
                "declared_days": lags.declared,
                **{f"p{round(q * 100)}": float(days) for q, days in zip(QUANTILES, levels, strict=True)},
                "max": float(lags.days.max()) if seen else np.nan,
                "before": float((lags.days < 0).mean()) if seen else np.nan,
                "verdict": lags.verdict(),
            }
        )
    columns = ["table", "rows", "as_declared", "declared_days", *(f"p{round(q * 100)}" for q in QUANTILES)]
    return pd.DataFrame(rows, columns=[*columns, "max", "before", "verdict"])


def observed_lags(store: EventStore, table: str) -> NDArray[np.float64]:
    """Return the lags in days of one table's rows that can tell (see the module), in no order."""
    return _lags(store, store.tables[table], CONTRACTS[table]).days


def _lags(store: EventStore, table: EventTable, contract: Contract) -> _Lags:
    lag = table.known_at - table.at
    told = (table.known_at != NEVER) & (table.at >= _owner_known_at(store, contract)[table.owner()])
    declared = store.lags[table.name] / US_PER_DAY
    if not told.any():
        return _Lags(np.zeros(0), declared)
    at, end = table.at[told], int(table.known_at[told].max())
    longest = min(int(lag[told].max()), (end - int(at.min())) // 2)
    settled = told & (table.at <= end - longest)
    return _Lags(lag[settled] / US_PER_DAY, declared)


def _owner_known_at(store: EventStore, contract: Contract) -> NDArray[np.int64]:
    """Return since when the owners of a table's rows are known: of a debtor, the first of the accounts."""
    known_at = np.maximum(store.accounts["known_at"], store.accounts["opened_at"])
    if contract.owner != "debtor":
        return known_at
    first = np.full(len(store.debtor_ids), NEVER)
    np.minimum.at(first, store.account_debtor, known_at)
    return first
