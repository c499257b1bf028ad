"""How much of what is due comes in, given that an account pays and given that it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.money import MISSING_MONEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.integer[Any]]

PRIOR_ROWS = 25.0
"""Weight of the mean over all buckets in the mean of one, in rows."""


@dataclass(frozen=True, slots=True)
class RecoveredShares:
    """Mean recovered share of the exposure per bucket, shrunk to the mean of all.

    Shares, not money: accounts of any currency and size count alike.

    Parameters
    ----------
    buckets : tuple of str
        Names of the buckets.
    paid, unpaid : tuple of float of length len(buckets) + 1
        Mean share given paid and given not paid, per bucket; the last is that of all buckets, and stands for
        an unknown bucket (code −1).
    rows_paid, rows_unpaid : tuple of int of length len(buckets) + 1
        Rows behind them.
    """

    buckets: tuple[str, ...]
    paid: tuple[float, ...]
    unpaid: tuple[float, ...]
    rows_paid: tuple[int, ...]
    rows_unpaid: tuple[int, ...]

    @classmethod
    def fit(
        cls,
        recovered: NDArray[np.int64],
        exposure: NDArray[np.int64],
        paid: Floats,
        bucket: Codes,
        *,
        buckets: Sequence[str],
        least: float,
        weight: Floats | None = None,
    ) -> RecoveredShares:
        """Average ``recovered ÷ exposure``, kept within [0, 1], over rows where both are known.

        Parameters
        ----------
        recovered, exposure : int64 ndarray of shape (n,)
            Minor units; `MISSING_MONEY` where unknown.
        paid : ndarray of shape (n,)
            Outcomes, 0 or 1.
        bucket : integer ndarray of shape (n,)
            Codes into `buckets`; −1 unknown.
        buckets : sequence of str
        least : float
            What stands in where no amount is known: the share that counts as paying, given paid; given
            unpaid, 0.
        weight : ndarray of shape (n,), optional
            Importance weights.
        """
        weight = np.ones(paid.size) if weight is None else weight
        known = (exposure > 0) & (recovered != MISSING_MONEY)
        share = np.clip(recovered[known] / exposure[known], 0.0, 1.0)
        codes, counts, yes = bucket[known], weight[known], paid[known] == 1
        paid_mean, rows_paid = _shrunk_means(share[yes], codes[yes], counts[yes], len(buckets), least)
        unpaid_mean, rows_unpaid = _shrunk_means(share[~yes], codes[~yes], counts[~yes], len(buckets), 0.0)
        return cls(tuple(buckets), paid_mean, unpaid_mean, rows_paid, rows_unpaid)

    def paid_share(self, bucket: Codes) -> Floats:
        """Return the mean share given paid, per row."""
        return np.array(self.paid)[np.asarray(bucket, dtype=np.int64)]

    def unpaid_share(self, bucket: Codes) -> Floats:
        """Return the mean share given not paid, per row."""
        return np.array(self.unpaid)[np.asarray(bucket, dtype=np.int64)]

    def expected_recovery(self, probability: Floats, bucket: Codes, exposure: NDArray[np.int64]) -> Floats:
        """Return ``exposure × (p × paid share + (1 − p) × unpaid share)`` in minor units, not rounded.

        Parameters
        ----------
        probability : ndarray of shape (n,)
        bucket : integer ndarray of shape (n,)
            −1 = unknown.
        exposure : int64 ndarray of shape (n,)
            Minor units; missing and negative count as nothing due.
        """
        share = probability * self.paid_share(bucket) + (1.0 - probability) * self.unpaid_share(bucket)
        return np.asarray(np.maximum(exposure, 0) * share, dtype=np.float64)

    def frame(self) -> pd.DataFrame:
        """Return one row per bucket and ``all``, with the shares and the rows behind them."""
        return pd.DataFrame(
            {
                "bucket": [*self.buckets, "all"],
                "paid_share": self.paid,
                "unpaid_share": self.unpaid,
                "rows_paid": self.rows_paid,
                "rows_unpaid": self.rows_unpaid,
            }
        )

    def to_state(self) -> dict[str, Any]:
        """Return the shares as JSON values."""
        return {name: list(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RecoveredShares:
        """Return the shares written by `to_state`."""
        return cls(**{name: tuple(values) for name, values in state.items()})


def _shrunk_means(
    share: Floats, bucket: Codes, weight: Floats, n: int, otherwise: float
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    overall = float(np.average(share, weights=weight)) if share.size else otherwise
    codes = bucket.astype(np.int64)
    known = (codes >= 0) & (codes < n)
    sums = np.bincount(codes[known], weights=(weight * share)[known], minlength=n)
    counts = np.bincount(codes[known], weights=weight[known], minlength=n)
    rows = np.bincount(codes[known], minlength=n)
    means = (sums + PRIOR_ROWS * overall) / (counts + PRIOR_ROWS)
    return (*means.tolist(), overall), (*rows.tolist(), int(share.size))
