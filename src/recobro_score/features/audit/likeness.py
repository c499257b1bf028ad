"""What undated columns are made of: values of later instants, told apart from what was visible before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore
from recobro_score.features.audit.columns import Column
from recobro_score.features.audit.measures import FEW_ACCOUNTS, Floats, rank_correlation
from recobro_score.features.audit.past import past_store
from recobro_score.features.audit.result import Measured
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.pipeline import compute
from recobro_score.features.recipes import STATE_TABLE, Recipe, Where

RANK_CORRELATION = 0.97
FISHER_MARGIN = 1.0
"""A column knows a later value if it ranks accounts like it within each as-of (Spearman ≥ 0.97), and Fisher's
z of that exceeds, by 1, the z of its likeness to every value visible at the as-of."""

_LARGEST_Z = float(np.arctanh(1 - 1e-9))
_MOST_ROWS = 5000


def _telltale(name: str, table: str, aggregate: str, value: str | None = None, *where: Where) -> Recipe:
    return Recipe(name, table, aggregate, "account_profile", value=value, where=where)


TELLTALES = FeatureSet(
    (
        _telltale("last_balance", "balances", "last", "balance"),
        _telltale("recorded_days_past_due", "balances", "last", "dpd"),
        _telltale("amount_overdue", STATE_TABLE, "state", "exposure"),
        _telltale("days_past_due", STATE_TABLE, "state", "dpd"),
        _telltale("amount_recovered", "payments", "sum", "recovery"),
        _telltale("number_of_payments", "payments", "count"),
        _telltale("last_payment_amount", "payments", "last", "amount", Where("kind", ("payment",))),
        _telltale("last_movement_amount", "payments", "last", "amount"),
        _telltale("days_since_payment", "payments", "since_last", None, Where("kind", ("payment",))),
        _telltale("number_of_contacts", "contacts", "count"),
        _telltale("right_party_contacts", "contacts", "count", None, Where("outcome", ("rpc",))),
        _telltale("number_of_promises", "promises", "count"),
        _telltale("promises_kept", "promises", "count", None, Where("status", ("kept",))),
        _telltale("promises_broken", "promises", "count", None, Where("status", ("broken",))),
    )
)
"""What an undated column is most often made of: it is compared with their values at later instants."""


@dataclass(frozen=True, slots=True, eq=False)
class LaterValues:
    """Values of the telltales as seen at the as-of and later.

    Attributes
    ----------
    account, as_of : int64 arrays, shape (n,)
        The pair.
    now : float64 array, shape (n, p)
        At the as-of.
    later : tuple of (name, float64 array, bool array)
        Per later instant: its name, the values then, and where only events from the as-of on explain them.
    """

    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    now: Floats
    later: tuple[tuple[str, Floats, NDArray[np.bool_]], ...]


def later_values(store: EventStore, as_ofs: NDArray[np.int64], horizon: int, end: int) -> LaterValues:
    """Compute the telltales at every as-of, a horizon later, and at the end of observation."""
    m = len(as_ofs)
    schema = TELLTALES.schema(store)
    ahead = np.minimum(as_ofs + horizon, end)
    size, width = store.n_accounts, len(schema)
    now = compute(schema, store, as_ofs).values.reshape(size, m, width)
    seen = compute(schema, store, [*ahead, end]).values.reshape(size, m + 1, width)
    blind = np.empty((size, m, 2, width))
    for j, as_of in enumerate(as_ofs.tolist()):
        moments = [int(ahead[j]), end]
        blind[:, j] = compute(schema, past_store(store, as_of), moments).values.reshape(size, 2, width)
    parts = []
    last = np.broadcast_to(seen[:, -1:], now.shape)
    for name, values, without in (
        (f"{horizon / US_PER_DAY:g} days later", seen[:, :-1], blind[:, :, 0]),
        ("at the end of the data", last, blind[:, :, 1]),
    ):
        changed = np.isfinite(now) & np.isfinite(values) & (values != now) & (values != without)
        parts.append((name, values.reshape(-1, width), changed.reshape(-1, width)))
    account, as_of = np.repeat(np.arange(size), m), np.tile(as_ofs, size)
    return LaterValues(account, as_of, now.reshape(-1, width), tuple(parts))


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like a later value a column is.

    Attributes
    ----------
    measured : Measured
        Spearman's correlation with the later value that it is likest.
    margin : float
        Fisher's z of it less that of the likest value visible at the as-of; −∞ for a correlation below 0.97.
    """

    measured: Measured
    margin: float

    @property
    def telling(self) -> bool:
        """Whether the column can only have come from later."""
        return self.margin >= FISHER_MARGIN

    @property
    def order(self) -> tuple[float, float]:
        """What makes one likeness more telling than another."""
        return self.margin, abs(self.measured.value)


def likest_later_value(column: Column, values: LaterValues) -> Likeness | None:
    """Return the later value that a column is likest; None where fewer than 30 accounts could tell."""
    best: Likeness | None = None
    finite = np.isfinite(column.values)
    for when, later, changed in values.later:
        for i, name in enumerate(TELLTALES.names):
            rows = np.flatnonzero(changed[:, i] & finite)
            if len(np.unique(values.account[rows])) < FEW_ACCOUNTS:
                continue
            rows = rows[:: len(rows) // _MOST_ROWS + 1]
            found = _likeness(column, later[rows, i], values, rows)
            against = f"{name.replace('_', ' ')} {when}"
            if best is None or found.order > best.order:
                best = replace(found, measured=replace(found.measured, against=against))
    return best


def _likeness(column: Column, later: Floats, values: LaterValues, rows: NDArray[np.int64]) -> Likeness:
    mine = column.values[rows]
    group = values.as_of[rows]
    value = rank_correlation(mine, later, group)
    visible = (
        max(_fisher(rank_correlation(mine, one, group)) for one in values.now[rows].T)
        if abs(value) >= RANK_CORRELATION
        else np.inf
    )
    measured = Measured(column.name, "future_value", "", value, np.nan, len(rows))
    return Likeness(measured, _fisher(value) - visible)


def _fisher(correlation: float) -> float:
    return min(float(np.arctanh(min(abs(correlation), 1 - 1e-12))), _LARGEST_Z)
