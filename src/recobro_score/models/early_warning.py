"""`EarlyWarningModel`: P(an account that is not late becomes late), for a reminder before it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LabelSpec
from recobro_score.models.bucket_model import BucketModel, BucketTarget
from recobro_score.models.scorer_fit import fit_scorer
from recobro_score.models.snapshots import Snapshots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions
    from recobro_score.models.snapshots import Weigh
    from recobro_score.timeline import Split, Timeline

CURRENT = BucketTarget(buckets=("0",))
UNDER_POLICY = "the probabilities hold under the reminders that the policy in force sends"


@dataclass(frozen=True, slots=True)
class EarlyWarningModel(BucketModel):
    """P(more than 0 days past due within the horizon), for accounts that are not late.

    The label ``roll_forward`` sees every instant of the window, so a payment that comes a day late counts.
    With another target it tells who rolls into the next bucket. The probabilities hold under whatever
    reminders the policy in force sends.
    """

    _NAME = "early_warning"
    _KIND = "roll_forward"

    @classmethod
    def fit(
        cls,
        matrix: FeatureMatrix,
        labels: Labels,
        *,
        bucket: NDArray[np.int8],
        target: BucketTarget = CURRENT,
        split: Split | None = None,
        groups: NDArray[Any] | None = None,
        options: BoosterOptions | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> EarlyWarningModel:
        """Train, calibrate and evaluate on accounts of the buckets.

        Parameters
        ----------
        matrix, labels, bucket, split, groups, options, weights
            See `recobro_score.models.scorer_fit.fit_scorer`; labels of the kind ``roll_forward``.
        target : BucketTarget
            Which accounts the model speaks of, and the length of the label windows.

        Raises
        ------
        NotEnoughData
            If there are too few rows, or of one outcome.
        """
        fit = fit_scorer(
            matrix,
            target.among(labels, bucket),
            bucket,
            horizon_days=target.horizon_days,
            split=split,
            groups=groups,
            options=options,
            weights=weights,
        )
        return cls(fit.scorer.warned(UNDER_POLICY), target)

    @classmethod
    def from_portfolio(
        cls,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        target: BucketTarget = CURRENT,
        observed_until: int | None = None,
        options: BoosterOptions | None = None,
        weights: Weigh | None = None,
    ) -> EarlyWarningModel:
        """Compute features and labels of a portfolio, and fit.

        Parameters
        ----------
        portfolio : Portfolio
        timeline : Timeline
            Snapshots to learn from.
        target : BucketTarget
            Which accounts the model speaks of, and for how long.
        observed_until : int, optional
            See `Snapshots.of`.
        options : BoosterOptions, optional
        weights : callable, optional
            From the snapshots to the weight of each of their rows, see `fit`:
            ``lambda seen: seen.recency(180)``.
        """
        seen = Snapshots.of(portfolio, timeline, observed_until=observed_until)
        spec = LabelSpec(cls._KIND, target.horizon_days)
        until = seen.observed_until
        labels = compute_labels(seen.store, timeline.as_ofs, [spec], observed_until=until).labels(spec.name)
        return cls.fit(
            seen.matrix,
            labels,
            bucket=seen.bucket,
            target=target,
            split=seen.split(labels.known & target.covers(seen.bucket), target.horizon_days),
            groups=seen.debtor,
            options=options,
            weights=seen.weigh(weights),
        )
