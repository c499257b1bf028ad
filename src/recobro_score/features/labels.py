"""Labels: the scan looking ahead, and what may not be labelled.

A label speaks of ``[as_of, as_of + horizon)``. It is known only if that window and the reporting lag lie
before the end of observation and the account was neither recalled nor without anything due; otherwise it is
unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.features import eligibility
from recobro_score.features.label_specs import LabelSpec
from recobro_score.features.outcomes import Outcomes
from recobro_score.money import MISSING_MONEY, to_major

if TYPE_CHECKING:
    import pandas as pd

REASONS = eligibility.REASONS
"""Why a label is known or not; `Labels.reason` is the position in this tuple."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels of (account, as-of) pairs, account-major.

    Attributes
    ----------
    account, as_of : int64 arrays, shape (n,)
        Account code and instant.
    value : float64 array
        1 yes, 0 no, NaN unknown.
    recovered : int64 array
        Minor units recovered in the window; `MISSING_MONEY` where unknown.
    exposure : int64 array
        Minor units due at the as-of.
    reason : int8 array
        Position in `REASONS`.
    digits : int8 array
        Decimals of the account's currency.
    """

    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    value: NDArray[np.float64]
    recovered: NDArray[np.int64]
    exposure: NDArray[np.int64]
    reason: NDArray[np.int8]
    digits: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.account)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a label."""
        return ~np.isnan(self.value)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Labels:
        """Return some rows, given as positions or as a mask."""
        return Labels(
            self.account[rows],
            self.as_of[rows],
            self.value[rows],
            self.recovered[rows],
            self.exposure[rows],
            self.reason[rows],
            self.digits[rows],
        )

    def counts(self) -> pd.DataFrame:
        """Return how many pairs have which reason.

        Returns
        -------
        pandas.DataFrame
            ``as_of`` (UTC), ``reason``, ``pairs``, ``positive`` (labels that are 1); combinations that do not
            occur are left out.
        """
        import pandas as pd

        frame = pd.DataFrame(
            {
                "as_of": self.as_of.view("M8[us]"),
                "reason": np.array(REASONS, dtype=object)[self.reason],
                "positive": self.value == 1.0,
            }
        )
        grouped = frame.groupby(["as_of", "reason"], sort=True)["positive"]
        counts = grouped.agg(pairs="size", positive="sum").reset_index()
        return counts.astype({"pairs": np.int64, "positive": np.int64})

    def frame(self) -> pd.DataFrame:
        """Return one row per pair.

        Returns
        -------
        pandas.DataFrame
            ``account`` (code), ``as_of`` (UTC), ``label``, ``recovered`` and ``exposure`` (major units),
            ``reason``.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "account": self.account,
                "as_of": self.as_of.view("M8[us]"),
                "label": self.value,
                "recovered": to_major(self.recovered, self.digits),
                "exposure": to_major(self.exposure, self.digits),
                "reason": np.array(REASONS, dtype=object)[self.reason],
            }
        )


def payment_labels(
    store: EventStore,
    as_ofs: Sequence[int] | NDArray[np.int64],
    *,
    share: float,
    horizon_days: float,
    observed_until: int,
    lag: int | None = None,
) -> Labels:
    """Label each pair by whether recoveries in the horizon reach the share of the exposure.

    ``value = recovered ≥ share · exposure``, compared as integers. Recoveries are payments less reversals
    with ``as_of ≤ paid_at < as_of + horizon`` that were known before `observed_until`.

    Parameters
    ----------
    store : EventStore
        The portfolio.
    as_ofs : sequence of int
        Microseconds UTC, shape (m,).
    share : float
        In (0, 1], to four decimals.
    horizon_days : float
        Length of the window.
    observed_until : int
        End of observation (µs UTC): a window that ends, with the lag, after it has no label.
    lag : int, optional
        Reporting lag in µs; the declared lag of the payments when left out.

    Returns
    -------
    Labels
        ``n_accounts * m`` rows, account-major. Reasons in order of precedence: ``not_open``, ``not_placed``
        (in no placement at the as-of), ``exposure_unknown``, ``nothing_due``, ``recalled`` (the placement
        ended before the window did), ``not_matured``, ``known``.

    Raises
    ------
    ConfigError
        If the share or the horizon is out of range.
    """
    spec = LabelSpec("pays", horizon_days, share=share)
    moments = np.asarray(as_ofs, dtype=np.int64)
    seen = Outcomes.of(store, moments, (spec,), observed_until)
    value, reason = seen.label(spec, store.lags["payments"] if lag is None else lag, observed_until)
    state = seen.standing.state
    return Labels(
        state.account,
        state.as_of,
        value,
        np.where(reason == eligibility.KNOWN, seen.recovered(spec), MISSING_MONEY),
        state.exposure,
        reason,
        store.digits[state.account],
    )
