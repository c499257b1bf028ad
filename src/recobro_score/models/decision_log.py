"""Logged decisions joined to what was paid after them: the evidence on effects."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.state import account_state
from recobro_score.features.labels import payment_labels

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """Decisions whose outcome is known, one entry per decision in each array.

    Attributes
    ----------
    account : int64 array
        Account code.
    debtor : int64 array
        Debtor code: decisions on one debtor are not independent.
    decided_at : int64 array
        Instant in µs UTC.
    action : int64 array
        Position in the actions asked for; −1 for another action.
    propensity : float64 array
        Probability with which the action was drawn; NaN if it was not logged.
    bucket : int8 array
        Bucket when decided, −1 unknown.
    outcome : float64 array
        1 if at least the named share of the exposure was recovered within the horizon, else 0.
    left_out : mapping of str to int
        How many visible decisions were left out, by reason: ``not_drawn`` (repaired after the draw) and
        ``unknown`` (their outcome is not known: not mature, recalled, nothing due).
    """

    account: NDArray[np.int64]
    debtor: NDArray[np.int64]
    decided_at: NDArray[np.int64]
    action: NDArray[np.int64]
    propensity: NDArray[np.float64]
    bucket: NDArray[np.int8]
    outcome: NDArray[np.float64]
    left_out: Mapping[str, int]

    def frame(self, account_ids: pa.StringArray, action_ids: tuple[str, ...]) -> pd.DataFrame:
        """Return one row per decision.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``decided_at`` (µs UTC), ``action_id`` (None: another action), ``propensity``,
            ``bucket`` (code), ``outcome``.
        """
        return pd.DataFrame(
            {
                "account_id": account_ids.to_numpy(zero_copy_only=False)[self.account],
                "decided_at": self.decided_at,
                "action_id": np.array([*action_ids, None], dtype=object)[self.action],
                "propensity": self.propensity,
                "bucket": self.bucket,
                "outcome": self.outcome,
            }
        )


def decision_log(
    store: EventStore,
    *,
    action_ids: tuple[str, ...],
    share: float,
    horizon_days: int,
    observed_until: int,
    lag: int | None = None,
) -> DecisionLog:
    """Return the decisions visible before `observed_until` whose outcome is known.

    The outcome is the payment model's label with the decision's instant as its as-of: an action is judged by
    what the account pays from then on, whatever else is done to it later (intention to treat).

    Parameters
    ----------
    store : EventStore
        The portfolio; its decision log may be empty.
    action_ids : tuple of str
        The actions of the catalogue.
    share : float
        Share of the exposure that counts as paying.
    horizon_days : int
        Length of the window ``[decided_at, decided_at + horizon)``.
    observed_until : int
        Instant up to which the data are complete, µs UTC.
    lag : int, optional
        Reporting lag of payments in µs; the store's declared one by default.

    Notes
    -----
    The work grows with the number of distinct instants at which decisions were taken (nights, not seconds).
    """
    table = store.tables["decisions"]
    columns: Mapping[str, NDArray[Any]] = table.columns
    visible = (table.at < observed_until) & (table.known_at < observed_until)
    not_drawn = np.isin(columns["drawn"], table.codes("drawn", "false"))
    rows = np.flatnonzero(visible & ~not_drawn)
    owner, at = table.owner()[rows], table.at[rows]
    outcome = np.full(len(rows), np.nan)
    bucket = np.full(len(rows), -1, dtype=np.int8)
    mature = at + horizon_days * US_PER_DAY <= observed_until
    for instant in np.unique(at[mature]):
        here = np.flatnonzero(at == instant)
        accounts, place = np.unique(owner[here], return_inverse=True)
        part, as_of = store.take(accounts), np.array([instant])
        labels = payment_labels(
            part, as_of, share=share, horizon_days=horizon_days, observed_until=observed_until, lag=lag
        )
        outcome[here] = labels.value[place]
        bucket[here] = account_state(part, as_of).bucket[place]
    known = np.isfinite(outcome)
    left_out = {"not_drawn": int((visible & not_drawn).sum()), "unknown": int((~known).sum())}
    logger.info("decision log: %d decisions used, left out: %s", int(known.sum()), left_out)
    words = table.vocabularies["action_id"]
    action_of = [action_ids.index(word) if word in action_ids else -1 for word in words]
    return DecisionLog(
        account=owner[known],
        debtor=store.account_debtor[owner[known]],
        decided_at=at[known],
        action=np.array([*action_of, -1], dtype=np.int64)[columns["action_id"][rows[known]]],
        propensity=columns["propensity"][rows[known]],
        bucket=bucket[known],
        outcome=outcome[known],
        left_out=left_out,
    )
