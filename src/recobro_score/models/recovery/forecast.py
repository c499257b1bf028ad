"""`RecoveryForecast`: how much of what is due comes in within the horizon, as shares and as money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.models.scores import FLAG_NAMES
from recobro_score.money import MISSING_MONEY, to_major

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.recovery.share_chain import ShareChain

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class ShareForecast:
    """Distribution of the recovered share, read off a chain; arrays of shape (n,), all in [0, 1].

    Parameters
    ----------
    expected, low, median, high : ndarray
        Mean, P10, P50 and P90.
    any, full : ndarray
        P(anything is recovered), P(all that is due is recovered).
    """

    expected: Floats
    low: Floats
    median: Floats
    high: Floats
    any: Floats
    full: Floats

    @classmethod
    def of(cls, chain: ShareChain, margin: Floats) -> ShareForecast:
        """Return the distribution of every margin; elementwise, so one row gives the bits of a batch."""
        reached = chain.at_least(margin)
        low, median, high = (chain.quantile(reached, level) for level in LEVELS)
        return cls(chain.mean(reached), low, median, high, reached[:, 0], reached[:, -1])


@dataclass(frozen=True, slots=True)
class RecoveryForecast:
    """Recoveries to expect of (account, as-of) pairs, in the order of the feature matrix.

    Parameters
    ----------
    account_ids : array of str of shape (n,)
    account, as_of : int64 ndarray of shape (n,)
        Account codes; instants in µs UTC.
    margin : ndarray of shape (n,)
        The booster's raw score: the canonical number, to order and explain by.
    share : ShareForecast
        Shares of the exposure.
    exposure : int64 ndarray of shape (n,)
        Minor units; `MISSING_MONEY` where unknown.
    expected, low, median, high : int64 ndarray of shape (n,)
        Mean, P10, P50 and P90 of the recovery, minor units of the account's currency, in [0, exposure];
        `MISSING_MONEY` where the exposure is not known. Currencies are not to be added.
    digits : int8 ndarray of shape (n,)
        Decimals of the account's currency.
    flags : int32 ndarray of shape (n,)
        Bit i says that ``FLAG_NAMES[i]`` of `recobro_score.models.scores` holds.
    model_id : str
    """

    account_ids: Any
    account: Ints
    as_of: Ints
    margin: Floats
    share: ShareForecast
    exposure: Ints
    expected: Ints
    low: Ints
    median: Ints
    high: Ints
    digits: NDArray[np.int8]
    flags: NDArray[np.int32]
    model_id: str

    def frame(self) -> pd.DataFrame:
        """Return one row per pair.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``as_of`` (UTC), ``margin``; ``p_any``, ``p_full``, ``expected_share``;
            ``exposure``, ``expected``, ``p10``, ``p50``, ``p90`` (major units, NaN where not known); one
            boolean column per flag; ``model_id``.
        """
        columns: dict[str, Any] = {
            "account_id": np.asarray(self.account_ids, dtype=object),
            "as_of": pd.to_datetime(self.as_of, unit="us", utc=True),
            "margin": self.margin,
            "p_any": self.share.any,
            "p_full": self.share.full,
            "expected_share": self.share.expected,
        }
        amounts = {
            "exposure": "exposure",
            "expected": "expected",
            "low": "p10",
            "median": "p50",
            "high": "p90",
        }
        columns |= {name: to_major(getattr(self, own), self.digits) for own, name in amounts.items()}
        columns |= {flag: ((self.flags >> bit) & 1).astype(bool) for bit, flag in enumerate(FLAG_NAMES)}
        return pd.DataFrame(columns).assign(model_id=self.model_id)


def amount_of(share: Floats, exposure: Ints) -> Ints:
    """Return a share of every exposure in minor units, within [0, exposure].

    Parameters
    ----------
    share : ndarray of shape (n,)
        In [0, 1].
    exposure : int64 ndarray of shape (n,)
        Minor units; `MISSING_MONEY` stays missing, and where nothing is due nothing comes of it.
    """
    due = np.maximum(exposure, 0)
    amount = np.minimum(np.rint(share * due).astype(np.int64), due)
    return np.where(exposure == MISSING_MONEY, MISSING_MONEY, amount)
