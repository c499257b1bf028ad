"""`SelfCureModel`: P(back to 0 days past due with no contact), to give grace instead of a call.

Few accounts are left alone by choice, so the work is divided: the order is learned from the cures of all
accounts, contacted or not, and the level and slope from those that were left alone, weighted. On simulated
portfolios that raised the correlation with the true probabilities from 0.18 to 0.29.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from recobro_score.data.state import BUCKETS
from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.models.booster import require_enough
from recobro_score.models.bucket_scorer import BucketScorer, BucketTarget
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.calibration.interval import ScoreInterval
from recobro_score.models.event_scorer import fit_scorer, where_held_out
from recobro_score.models.snapshots import Snapshots
from recobro_score.models.uncontacted import CureLabels
from recobro_score.timeline import debtor_folds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.event_scorer import ScorerFit
    from recobro_score.models.report import ModelReport
    from recobro_score.models.scores import Scores
    from recobro_score.timeline import Split, Timeline

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NAME = "self_cure"
EARLY = BucketTarget(buckets=("1-30",))
LATER_ROWS = 500
"""Fewer accounts left alone in the calibration slice are calibrated out of fold over all as-ofs instead."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class SelfCureModel:
    """P(cures within the horizon if nobody contacts the debtor), for accounts in early arrears.

    A contacted account says nothing of what it would have done without contact: it is unknown, never a
    failure. Which uncontacted ones may be learned from, and with what weight, is the business of
    `recobro_score.models.uncontacted`. Safe to share between threads.

    Parameters
    ----------
    model : BucketScorer
    """

    model: BucketScorer
    model_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model_id", f"{NAME}-{sha256_text(canonical_json(self.to_files()))[:12]}")

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
    ) -> SelfCureModel:
        """Learn the order from all cures, calibrate and evaluate on the accounts left alone.

        Parameters
        ----------
        matrix, bucket, split, groups, options
            See `recobro_score.models.event_scorer.fit_scorer`.
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
        )
        alone = target.among(labels.self_cure, bucket)
        _require(alone.value[fit.calibration])

        def calibrate(margin: Floats, rows: Ints) -> Calibrator:
            known = ~np.isnan(alone.value[rows])
            weight = labels.weight[rows][known]
            return Calibrator.fit(margin[known], alone.value[rows][known], weight=weight)

        found = fit.recalibrated(calibrate)
        debtor = np.asarray(matrix.account_ids if groups is None else groups)
        report = _report(found, matrix, alone, bucket, labels.weight, debtor)
        scorer = replace(found.scorer, validation=report, interval=_interval(fit, matrix, alone))
        model = BucketScorer(scorer, target)
        return cls(model.warned(labels.warning))

    @classmethod
    def from_portfolio(
        cls,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        target: BucketTarget = EARLY,
        observed_until: int | None = None,
        options: BoosterOptions | None = None,
    ) -> SelfCureModel:
        """Compute features, labels and weights of a portfolio, and fit.

        Parameters
        ----------
        portfolio : Portfolio
            With its decision log, if there is one: it says who was left alone by choice.
        timeline : Timeline
            Snapshots to learn from.
        target : BucketTarget
            Which accounts the model speaks of, and for how long.
        observed_until : int, optional
            See `Snapshots.of`.
        options : BoosterOptions, optional
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
        )

    @property
    def validation(self) -> Evaluation | None:
        """The report on held-out rows of `fit`; None in a model read from files."""
        return self.model.scorer.validation

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the model."""
        return self.model.scorer.facts.warnings

    def score(self, matrix: FeatureMatrix, bucket: NDArray[np.int8], *, threads: int = 1) -> Scores:
        """Score every pair of a matrix; probabilities are NaN outside the model's buckets."""
        return self.model.score(matrix, bucket, model_id=self.model_id, threads=threads)

    def evaluate(
        self, portfolio: Portfolio, timeline: Timeline, *, observed_until: int | str | None = None
    ) -> ModelReport:
        """Judge the model on the snapshots of a portfolio, beside its rivals; see `PaymentModel.evaluate`.

        The report is on accounts that nobody contacted in the window, each counted once: it judges the order,
        while the level is learned from those left alone by decision.
        """
        return self.model.evaluate(portfolio, timeline, kind="self_cure", observed_until=observed_until)

    def judge(
        self,
        matrix: FeatureMatrix,
        labels: Labels,
        bucket: NDArray[np.int8],
        *,
        capacity: float | None = None,
    ) -> Evaluation:
        """Judge the model on given rows; see `EventScorer.evaluate`."""
        return self.model.judge(matrix, labels, bucket, capacity=capacity)

    def to_files(self) -> dict[str, str]:
        """Return the model as text files by name: LightGBM's text and JSON, no code."""
        return self.model.to_files(NAME)

    @classmethod
    def from_files(cls, files: Mapping[str, str], schema: ColumnSchema) -> SelfCureModel:
        """Return the model of saved files; it scores the same bits and has the same id.

        Raises
        ------
        BundleError, SchemaMismatch
            See `EventScorer.from_files`.
        """
        return cls(BucketScorer.from_files(files, NAME, schema))


def _report(
    fit: ScorerFit,
    matrix: FeatureMatrix,
    alone: Labels,
    bucket: NDArray[np.int8],
    weight: Floats,
    debtor: NDArray[Any],
) -> Evaluation | None:
    """Return the report on accounts left alone that neither booster nor calibrator had seen."""
    scorer = fit.scorer
    out_of_fold = scorer.event.calibration_kind == "out_of_fold" and not scorer.facts.test
    rows = fit.calibration if out_of_fold else fit.held_out
    known = ~np.isnan(alone.value[rows])
    rows = rows[known]
    if not rows.size:
        return None
    y = alone.value[rows]
    if out_of_fold:
        margin, probability = fit.calibration_margin[known], np.zeros(rows.size)
        fold = debtor_folds(pa.array(debtor[rows].tolist(), pa.string()), FOLDS)
        for k in range(FOLDS):
            seen = fold != k
            calibrator = Calibrator.fit(margin[seen], y[seen], weight=weight[rows][seen])
            probability[~seen] = calibrator.probability(margin[~seen])
    else:
        probability = scorer.event.probability(np.ascontiguousarray(matrix.values[rows]))
    return evaluate(
        y,
        probability,
        held_out=f"accounts left alone, unweighted; {where_held_out(scorer.facts.test)}",
        group=bucket[rows],
        names=BUCKETS,
        warnings=scorer.facts.warnings,
    )


def _interval(fit: ScorerFit, matrix: FeatureMatrix, alone: Labels) -> ScoreInterval:
    """Return what the accounts left alone leave open around a probability."""
    known = ~np.isnan(alone.value[fit.calibration])
    rows, rule = fit.calibration[known], fit.scorer.thin_file
    thin = np.zeros(rows.size, dtype=np.bool_)
    if rule is not None:
        thin = rule.mask(matrix.values[rows], matrix.schema.names)
    return ScoreInterval.fit(fit.calibration_margin[known], alone.value[rows], thin=thin)


def _require(self_cure: Floats) -> None:
    try:
        require_enough(self_cure[~np.isnan(self_cure)], rows=50)
    except NotEnoughData as error:
        msg = f"Accounts left alone to calibrate by: {error}"
        raise NotEnoughData(msg) from error
