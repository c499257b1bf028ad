"""Snapshots of a portfolio to learn from: features, buckets, debtors and currencies."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.state import account_state
from recobro_score.errors import NotEnoughData
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.pipeline import compute
from recobro_score.features.schema import FeatureSchema
from recobro_score.models.weights import check_weights
from recobro_score.timeline import Timeline, holdout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore
    from recobro_score.data.portfolio import Portfolio
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.timeline import Split

    Floats = NDArray[np.float64]
    Weigh = Callable[["Snapshots"], Floats]
    """From snapshots to the weight of each of their rows: see `recobro_score.models.weights`."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshots:
    """What a model of accounts is fitted on, but for the labels; rows are account-major.

    Parameters
    ----------
    store : EventStore
    timeline : Timeline
    matrix : FeatureMatrix
        n rows.
    bucket : int8 ndarray of shape (n,)
    debtor : array of str of shape (n,)
        Whose debts the rows are.
    currency : array of str of shape (n,)
    observed_until : int
        End of observation, µs UTC.
    """

    store: EventStore
    timeline: Timeline
    matrix: FeatureMatrix
    bucket: NDArray[np.int8]
    debtor: NDArray[Any]
    currency: NDArray[Any]
    observed_until: int

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        features: FeatureSet | FeatureSchema | None = None,
        observed_until: int | str | None = None,
        threads: int = 1,
    ) -> Snapshots:
        """Compute the features of every account at every as-of.

        Parameters
        ----------
        portfolio : Portfolio
        timeline : Timeline
        features : FeatureSet or FeatureSchema, optional
            What to compute, or the schema of a model; the standard set where absent.
        observed_until : int or str, optional
            Instant up to which the tables are complete; see `Portfolio.observed_until`.
        threads : int
            Changes the time, nothing else.
        """
        store, as_ofs = portfolio.store, np.array(timeline.as_ofs, dtype=np.int64)
        schema = features
        if not isinstance(schema, FeatureSchema):
            schema = (schema or FeatureSet.standard()).schema(store)
        matrix = compute(schema, store, as_ofs, threads=threads)
        debtor = store.debtor_ids.take(pa.array(store.account_debtor[matrix.account]))
        return cls(
            store=store,
            timeline=timeline,
            matrix=matrix,
            bucket=account_state(store, as_ofs).bucket,
            debtor=debtor.to_numpy(zero_copy_only=False),
            currency=store.words("accounts.currency")[matrix.account],
            observed_until=portfolio.observed_until(observed_until),
        )

    def recency(self, half_life_days: float) -> Floats:
        """Return weights that halve with age: 1 at the last as-of, shape (n,).

        Parameters
        ----------
        half_life_days : float

        Examples
        --------
        >>> PaymentModel.fit(seen.matrix, labels, weights=seen.recency(180), ...)  # doctest: +SKIP
        >>> TrainingOptions(weights=lambda seen: seen.recency(180))  # doctest: +SKIP
        """
        age = (max(self.timeline.as_ofs) - self.matrix.as_of) / US_PER_DAY
        return np.asarray(0.5 ** (age / half_life_days))

    def weigh(self, weights: Weigh | None, *, some: bool = True) -> Floats | None:
        """Return the weights that a callable gives to the rows, shape (n,); None without one.

        Parameters
        ----------
        weights : callable or None
        some : bool
            Whether one of them must be above 0.

        Raises
        ------
        ContractError
            If they are not what weights must be; see `check_weights`.
        """
        return None if weights is None else check_weights(weights(self), len(self.matrix), some=some)

    def split(self, known: NDArray[np.bool_], horizon_days: float) -> Split | None:
        """Return training, calibration and test as-ofs among those with known labels.

        Parameters
        ----------
        known : bool ndarray of shape (n,)
            Rows with a known label.
        horizon_days : float
            Embargo between the parts.

        Returns
        -------
        Split or None
            The last as-of tests, the quarter before it calibrates; None (out of fold) where the as-ofs do
            not leave room for that.
        """
        there = set(np.unique(self.matrix.as_of[known]).tolist())
        matured = tuple(as_of for as_of in self.timeline.as_ofs if as_of in there)
        if not matured:
            return None
        try:
            calibration = max(1, len(matured) // 4)
            return holdout(Timeline(matured, self.timeline.time_zone), horizon_days, calibration=calibration)
        except NotEnoughData as error:
            logger.info("no split in time: %s", error)
            return None
