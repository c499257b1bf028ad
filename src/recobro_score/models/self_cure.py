"""`SelfCureModel`: P(back to 0 days past due with no contact), to give grace instead of a call.

Few accounts are left alone by choice, so the work is divided: the order is learned from the cures of all
accounts, contacted or not, and the level and slope from those that were left alone, weighted. On simulated
portfolios that raised the correlation with the true probabilities from 0.18 to 0.29.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.data.state import BUCKETS
from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.models.booster import require_enough
from recobro_score.models.bucket_model import BucketModel, BucketTarget
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.calibration.interval import ScoreInterval
from recobro_score.models.event_scorer import where_held_out
from recobro_score.models.scorer_fit import fit_scorer
from recobro_score.models.scores import thin_files
from recobro_score.models.snapshots import Snapshots
from recobro_score.models.uncontacted import CureLabels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions
    from recobro_score.models.scorer_fit import ScorerFit
    from recobro_score.models.snapshots import Weigh
    from recobro_score.timeline import Split, Timeline

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

EARLY = BucketTarget(buckets=("1-30",))
LATER_ROWS = 500
"""Fewer accounts left alone in the calibration slice are calibrated out of fold over all as-ofs instead."""


@dataclass(frozen=True, slots=True)
class SelfCureModel(BucketModel):
    """P(cures within the horizon if nobody contacts the debtor), for accounts in early arrears.

    A contacted account says nothing of what it would have done without contact: it is unknown, never a
    failure. Which uncontacted ones may be learned from, and with what weight, is the business of
    `recobro_score.models.uncontacted`. `evaluate` is on accounts that nobody contacted in the window, each
    counted once: it judges the order, while the level is learned from those left alone by decision.
    """

    _NAME = "self_cure"
    _KIND = "self_cure"

    @classmethod
    def fit(
        cls,
        matrix: FeatureMatrix,
        labels: CureLabels,
        *,
        bucket: NDArray[np.int8],
        target: BucketTarget = EARLY,
        split: Split | None = None,
        groups: NDArray[Any] | None = None,
        options: BoosterOptions | None = None,
        weights: Floats | None = None,
    ) -> SelfCureModel:
        """Learn the order from all cures, calibrate and evaluate on the accounts left alone.

        Parameters
        ----------
        matrix, bucket, split, groups, options, weights
            See `recobro_score.models.scorer_fit.fit_scorer`. The weights count beside those of the labels.
        labels : CureLabels
            Of the same pairs.
        target : BucketTarget
            Which accounts the model speaks of, and the length of the label windows.

        Raises
        ------
        NotEnoughData
            If too few accounts cured or did not, or too few were left alone.
        """
        fit = fit_scorer(
            matrix,
            target.among(labels.cure, bucket),
            bucket,
            horizon_days=target.horizon_days,
            split=split,
            groups=groups,
            options=options,
            weights=weights,
        )
        alone = target.among(labels.self_cure, bucket)
        _require(alone.value[fit.calibration])
        weight = labels.weight if weights is None else labels.weight * weights

        def calibrate(margin: Floats, rows: Ints) -> Calibrator:
            known = alone.known[rows]
            return Calibrator.fit(margin[known], alone.value[rows][known], weight=weight[rows][known])

        found = fit.recalibrated(calibrate)
        report = _report(found, alone, bucket, weights)
        interval = _interval(fit, matrix, alone, weights)
        scorer = replace(found.scorer, validation=report, interval=interval)
        return cls(scorer.warned(labels.warning), target)

    @classmethod
    def from_portfolio(
        cls,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        target: BucketTarget = EARLY,
        observed_until: int | None = None,
        options: BoosterOptions | None = None,
        weights: Weigh | None = None,
    ) -> SelfCureModel:
        """Compute features, labels and weights of a portfolio, and fit.

        Parameters
        ----------
        portfolio : Portfolio
            With its decision log, if there is one: it says who was left alone by choice.
        timeline, target, observed_until, options, weights
            As for `EarlyWarningModel.from_portfolio`.
        """
        seen = Snapshots.of(portfolio, timeline, observed_until=observed_until)
        labels = CureLabels.of(
            seen.store,
            np.array(timeline.as_ofs, dtype=np.int64),
            horizon_days=target.horizon_days,
            observed_until=seen.observed_until,
        )
        alone = target.among(labels.self_cure, seen.bucket)
        split = seen.split(target.among(labels.cure, seen.bucket).known, target.horizon_days)
        later = () if split is None else split.calibration
        if int((alone.known & np.isin(alone.as_of, later)).sum()) < LATER_ROWS:
            split = None
        return cls.fit(
            seen.matrix,
            labels,
            bucket=seen.bucket,
            target=target,
            split=split,
            groups=seen.debtor,
            options=options,
            weights=seen.weigh(weights),
        )


def _report(
    fit: ScorerFit, alone: Labels, bucket: NDArray[np.int8], weights: Floats | None
) -> Evaluation | None:
    """Return the report on accounts left alone whose debtors neither booster nor calibrator had seen."""
    known = alone.known[fit.held_out]
    rows, scorer = fit.held_out[known], fit.scorer
    if not rows.size:
        return None
    return evaluate(
        alone.value[rows],
        fit.probability[known],
        held_out=f"accounts left alone, each counted once; {where_held_out(scorer.facts.test)}",
        group=bucket[rows],
        names=BUCKETS,
        weight=None if weights is None else weights[rows],
    ).knowing(scorer.facts.warnings)


def _interval(fit: ScorerFit, matrix: FeatureMatrix, alone: Labels, weights: Floats | None) -> ScoreInterval:
    """Return what the accounts left alone leave open around a probability."""
    known = alone.known[fit.calibration]
    rows = fit.calibration[known]
    thin = thin_files(fit.scorer.thin_file, matrix.values[rows], matrix.schema.names)
    return ScoreInterval.fit(
        fit.calibration_margin[known],
        alone.value[rows],
        thin=thin,
        weight=None if weights is None else weights[rows],
    )


def _require(self_cure: Floats) -> None:
    try:
        require_enough(self_cure[~np.isnan(self_cure)], rows=50)
    except NotEnoughData as error:
        msg = f"Accounts left alone to calibrate by: {error}"
        raise NotEnoughData(msg) from error
