"""What a run says of a portfolio."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from recobro_score.calendars import format_instant
from recobro_score.data.quarantine import Quarantine, TableCounts
from recobro_score.engine.scored import SCORES_SCHEMA
from recobro_score.policy.decide import Decisions

if TYPE_CHECKING:
    import pandas as pd


SHOWN_WARNINGS = 4


@dataclass(frozen=True, slots=True, repr=False)
class Outputs:
    """What a run says of a portfolio.

    Attributes
    ----------
    as_of : int
        Instant in µs UTC.
    time_zone : str
        The portfolio's zone.
    packed_scores : pyarrow.Table
        `scores` with every word and sentence kept once, as Arrow dictionaries.
    decided : Decisions
        The decision list and the plan behind it.
    quarantine : Quarantine
        Rows that were not used, with their rule.
    counts : mapping of str to TableCounts
        Per table: read = used + quarantined.
    warnings : tuple of str
        What a reader must know before acting on it.
    """

    as_of: int
    time_zone: str
    packed_scores: pa.Table
    decided: Decisions
    quarantine: Quarantine
    counts: Mapping[str, TableCounts]
    warnings: tuple[str, ...]

    @property
    def scores(self) -> pa.Table:
        """One row per account, by account id; columns in `SCORES_SCHEMA`, reasons included.

        Written out from `packed_scores` whenever it is asked for.
        """
        return self.packed_scores.cast(SCORES_SCHEMA)

    @property
    def decisions(self) -> pa.Table:
        """One decision record per account, by account id (see `recobro_score.policy.records.COLUMNS`)."""
        return self.decided.table

    def frame(self) -> pd.DataFrame:
        """Return the decision records as a pandas frame."""
        return self.decided.frame()

    def plan(self) -> dict[str, Any]:
        """Return value, proven bound, gap, and use and price of every capacity as JSON values."""
        plan = self.decided.allocation
        columns = (plan.capacities.tolist(), plan.usage.tolist(), plan.prices.tolist())
        pools = zip(plan.pools, *columns, strict=True)
        return {
            "value": plan.value,
            "bound": plan.bound,
            "gap": plan.gap,
            "pools": {
                name: {"capacity": None if capacity < 0 else capacity, "used": used, "price": price}
                for name, capacity, used, price in pools
            },
        }

    def summary(self) -> str:
        """Return how many accounts get which action, the plan's proof and the warnings as text."""
        head = f"{self.decisions.num_rows:,} decisions as of {format_instant(self.as_of, self.time_zone)}"
        quarantined = f"{len(self.quarantine):,} rows in quarantine"
        told = [f"! {warning}" for warning in self.warnings[:SHOWN_WARNINGS]]
        if len(self.warnings) > SHOWN_WARNINGS:
            told.append(f"! and {len(self.warnings) - SHOWN_WARNINGS} more warnings")
        return "\n".join([head, self.decided.summary(), quarantined, *told])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
