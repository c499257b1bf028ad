"""`Scores`: what a model says of accounts; and the rule that marks thin files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

THIN_FILE = "thin_file"
UNKNOWN_BUCKET = "unknown_bucket"
ASSUMED = "assumed"
FLAG_NAMES = (THIN_FILE, UNKNOWN_BUCKET, ASSUMED)


def pack_flags(masks: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.int32]:
    """Return one bit per flag of `FLAG_NAMES`, per row."""
    bits = [masks[flag].astype(np.int32) << bit for bit, flag in enumerate(FLAG_NAMES)]
    return np.asarray(np.bitwise_or.reduce(bits), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of (account, as-of) pairs, in the order of the feature matrix.

    Parameters
    ----------
    account_ids : array of str of shape (n,)
        Outside ids.
    account, as_of : int64 ndarray of shape (n,)
        Account codes of the store; instants in µs UTC.
    margin : ndarray of shape (n,)
        The booster's raw score: the canonical number, to order and explain by.
    probability : ndarray of shape (n,)
        Calibrated.
    p_low, p_high : ndarray of shape (n,)
        What the rows that calibrated the model leave open around it, see `ScoreInterval`; 0 and 1 where
        nothing calibrated it.
    flags : int32 ndarray of shape (n,)
        Bit i says that ``flag_names[i]`` holds.
    model_id : str
        Identity of the model's files.
    flag_names : tuple of str
        ``thin_file``: too little history to trust the score; ``unknown_bucket``: days past due not known.
    """

    account_ids: Any
    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    margin: NDArray[np.float64]
    probability: NDArray[np.float64]
    p_low: NDArray[np.float64]
    p_high: NDArray[np.float64]
    flags: NDArray[np.int32]
    model_id: str
    flag_names: tuple[str, ...] = FLAG_NAMES

    def has(self, flag: str) -> NDArray[np.bool_]:
        """Return where a flag holds."""
        return np.asarray((self.flags >> self.flag_names.index(flag)) & 1, dtype=np.bool_)

    def frame(self) -> pd.DataFrame:
        """Return one row per pair.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``as_of`` (UTC), ``margin``, ``probability``, ``p_low``, ``p_high``, one
            boolean column per flag, ``model_id``.
        """
        columns: dict[str, Any] = {
            "account_id": np.asarray(self.account_ids, dtype=object),
            "as_of": pd.to_datetime(self.as_of, unit="us", utc=True),
            "margin": self.margin,
            "probability": self.probability,
            "p_low": self.p_low,
            "p_high": self.p_high,
        }
        columns |= {flag: self.has(flag) for flag in self.flag_names}
        return pd.DataFrame(columns).assign(model_id=self.model_id)


@dataclass(frozen=True, slots=True)
class ThinFile:
    """An account is a thin file if it is young and nothing has happened on it.

    Parameters
    ----------
    age : str
        Column with the days since the account was opened or became known.
    younger_than : float
        Days.
    counts : tuple of str
        Columns that must all be 0 or missing: payments and contacts so far.
    """

    age: str
    younger_than: float
    counts: tuple[str, ...]

    def applies_to(self, names: Sequence[str]) -> bool:
        """Return whether all columns of the rule exist."""
        return set(names) >= {self.age, *self.counts}

    def mask(self, values: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.bool_]:
        """Return which rows of a feature matrix are thin files; none where the rule does not apply."""
        if not self.applies_to(names):
            return np.zeros(len(values), dtype=np.bool_)
        thin = values[:, names.index(self.age)] < self.younger_than
        for name in self.counts:
            column = values[:, names.index(name)]
            thin &= np.isnan(column) | (column == 0)
        return np.asarray(thin)

    def to_state(self) -> dict[str, Any]:
        """Return the rule as JSON values."""
        return {"age": self.age, "younger_than": self.younger_than, "counts": list(self.counts)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ThinFile:
        """Return the rule written by `to_state`."""
        return cls(state["age"], state["younger_than"], tuple(state["counts"]))


STANDARD_THIN_FILE = ThinFile(
    age="account_age", younger_than=60.0, counts=("payments_count_365d", "attempts_90d", "inbound_90d")
)
"""For the standard features: known for less than 60 days, without a payment or a contact."""


def thin_files(rule: ThinFile | None, values: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows of a feature matrix are thin files; none where there is no rule."""
    return np.zeros(len(values), dtype=np.bool_) if rule is None else rule.mask(values, names)
