"""Of which pairs a label can be known: what the as-of showed, recall and maturity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.data.events import EventStore
from recobro_score.data.state import BUCKETS, UNKNOWN_BUCKET, AccountState, account_state
from recobro_score.money import MISSING_MONEY

REASONS = (
    "known",
    "not_open",
    "not_placed",
    "exposure_unknown",
    "nothing_due",
    "recalled",
    "not_matured",
    "not_given",
    "dpd_unknown",
    "not_late",
    "worst_bucket",
    "no_promise",
    "no_plan",
    "contacted",
    "censored",
)
"""Why a label is known or not; a reason code is the position in this tuple."""

_WORST_BUCKET = len(BUCKETS) - 1

KNOWN = REASONS.index("known")

Checks = Mapping[str, NDArray[np.bool_]]
"""Masks of the pairs a reason holds for, by reason; where several hold, the first one counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """How (account, as-of) pairs stood at their as-of, and when the creditor took them back.

    Attributes
    ----------
    state : AccountState
        What was seen at the as-of.
    recalled_at : int64 array, shape (n,)
        When the last placement in force at the as-of ends; `NEVER` without any.
    """

    state: AccountState
    recalled_at: NDArray[np.int64]

    @classmethod
    def of(cls, store: EventStore, as_ofs: NDArray[np.int64]) -> Standing:
        """Return the standing of every account at every as-of, account-major."""
        return cls(account_state(store, as_ofs), _recalled_at(store, as_ofs))

    @property
    def due(self) -> NDArray[np.int64]:
        """Minor units due at the as-of, 0 where that is unknown."""
        return np.where(self.state.exposure == MISSING_MONEY, 0, self.state.exposure)

    def in_hands(self) -> Checks:
        """Return the pairs that cannot be labelled at all."""
        return {"not_open": ~self.state.open, "not_placed": ~self.state.placed}

    def owes(self) -> Checks:
        """Return the pairs that owe nothing; those of which it is unknown are not among them."""
        return {"nothing_due": (self.state.exposure != MISSING_MONEY) & (self.due <= 0)}

    def owes_known_amount(self) -> Checks:
        """Return the pairs of whose debt no share can be taken."""
        return {"exposure_unknown": self.state.exposure == MISSING_MONEY, **self.owes()}

    def late(self) -> Checks:
        """Return the pairs that cannot come back to 0 days past due."""
        return {"dpd_unknown": np.isnan(self.state.dpd), "not_late": self.state.dpd == 0}

    def can_roll(self) -> Checks:
        """Return the pairs that have no worse bucket to roll to."""
        worst = self.state.bucket == _WORST_BUCKET
        return {"dpd_unknown": self.state.bucket == UNKNOWN_BUCKET, "worst_bucket": worst}

    def unfinished(self, horizon: int, lag: int, observed_until: int) -> Checks:
        """Return the pairs whose window was not observed to its end and the lag beyond.

        Parameters
        ----------
        horizon, lag : int
            Microseconds.
        observed_until : int
            End of observation, µs UTC.
        """
        end = self.state.as_of + horizon
        return {
            "recalled": self.recalled_at < np.minimum(end, observed_until),
            "not_matured": end + lag > observed_until,
        }


def first_reason(checks: Checks) -> NDArray[np.int8]:
    """Return per pair the code of the first reason that holds; `KNOWN` where none does."""
    codes = [REASONS.index(reason) for reason in checks]
    return np.select(list(checks.values()), codes, default=KNOWN).astype(np.int8)


def _recalled_at(store: EventStore, as_ofs: NDArray[np.int64]) -> NDArray[np.int64]:
    placements = store.tables["placements"]
    owner = placements.owner()
    recalled_at = placements.columns["recalled_at"].astype(np.int64)
    ends = np.full((store.n_accounts, len(as_ofs)), NEVER)
    for j, as_of in enumerate(as_ofs):
        in_force = (placements.at < as_of) & (placements.known_at < as_of) & (recalled_at > as_of)
        last = np.full(store.n_accounts, -1)
        np.maximum.at(last, owner[in_force], recalled_at[in_force])
        ends[:, j] = np.where(last < 0, NEVER, last)
    return ends.ravel()
