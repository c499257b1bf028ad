"""Labels: the scan looking ahead, and what may not be labelled.

A label speaks of ``[as_of, as_of + horizon)``. It is known only if that window and the reporting lag lie
before the end of observation and the account was neither recalled nor without anything due; otherwise it is
unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.events import EventStore
from recobro_score.data.state import account_state
from recobro_score.errors import ConfigError
from recobro_score.features import kernel
from recobro_score.features.binding import bind
from recobro_score.features.program import compile_table
from recobro_score.features.recipes import PromiseRule, Recipe, Window
from recobro_score.money import MISSING_MONEY, to_major

if TYPE_CHECKING:
    import pandas as pd

REASONS = (
    "known",
    "not_open",
    "not_placed",
    "exposure_unknown",
    "nothing_due",
    "recalled",
    "not_matured",
    "not_given",
)
"""Why a label is known or not; `Labels.reason` is the position in this tuple."""

_SHARE_DECIMALS = 10_000


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
    moments = np.asarray(as_ofs, dtype=np.int64)
    parts = _ten_thousandths(share)
    horizon = _horizon(horizon_days)
    lag = store.lags["payments"] if lag is None else lag
    state = account_state(store, moments)
    end = state.as_of + horizon
    recovered = _recovered(store, moments, horizon_days, observed_until)
    due = np.where(state.exposure == MISSING_MONEY, 0, state.exposure)
    reason = np.select(
        [
            ~state.open,
            ~state.placed,
            state.exposure == MISSING_MONEY,
            due <= 0,
            _recalled_at(store, moments) < np.minimum(end, observed_until),
            end + lag > observed_until,
        ],
        [REASONS.index(name) for name in REASONS[1:7]],
        default=0,
    ).astype(np.int8)
    whole, rest = np.divmod(due, _SHARE_DECIMALS)
    needed = whole * parts - (-rest * parts // _SHARE_DECIMALS)
    value = np.where(reason == 0, (recovered >= needed).astype(np.float64), np.nan)
    return Labels(
        state.account,
        state.as_of,
        value,
        np.where(reason == 0, recovered, MISSING_MONEY),
        state.exposure,
        reason,
        store.digits[state.account],
    )


def _recovered(
    store: EventStore, as_ofs: NDArray[np.int64], horizon_days: float, observed_until: int
) -> NDArray[np.int64]:
    """Return the minor units recovered in the window: the sum of a recipe, unscaled."""
    ahead = Recipe("recovered", "payments", "sum", "payment_amounts", "recovery", Window(0, horizon_days))
    (program,) = compile_table([(0, ahead)])
    known_before = np.full(len(as_ofs), observed_until)
    out = np.empty((store.n_accounts * len(as_ofs), 1))
    unscaled = kernel.read_only(np.ones(store.n_accounts), np.float64)
    bind(program, store, as_ofs, known_before, PromiseRule()).run(unscaled, 0, store.n_accounts, out)
    return out[:, 0].astype(np.int64)


def _recalled_at(store: EventStore, as_ofs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return per pair when the last placement in force at the as-of ends; `NEVER` without any."""
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


def _ten_thousandths(share: float) -> int:
    exact = Fraction(str(share)) * _SHARE_DECIMALS
    if not 0 < exact <= _SHARE_DECIMALS or exact.denominator != 1:
        msg = f"share must lie in (0, 1] and have at most four decimals, got {share}"
        raise ConfigError(msg)
    return int(exact)


def _horizon(horizon_days: float) -> int:
    if not 0 < horizon_days < np.inf:
        msg = f"horizon_days must be more than 0, got {horizon_days}"
        raise ConfigError(msg)
    return round(horizon_days * US_PER_DAY)
