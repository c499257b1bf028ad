"""`PaymentModel`: the probability that an account recovers a share of what is due within a horizon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.state import BUCKETS
from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import ConfigError
from recobro_score.features.label_matrix import LabelMatrix
from recobro_score.features.label_specs import LabelSpec
from recobro_score.models.event_model import EventOptions
from recobro_score.models.event_report import report_on
from recobro_score.models.event_scorer import EventScorer
from recobro_score.models.payment.cells import CurveEvaluation, CurveScores, evaluate_cells
from recobro_score.models.payment.curve import CurveCell, PaymentCurve
from recobro_score.models.payment.grid import PaymentGrid, labels_of
from recobro_score.models.payment.hazards import CurveMethod
from recobro_score.models.payment.shares import RecoveredShares
from recobro_score.models.scorer_fit import ScorerFit, fit_scorer
from recobro_score.models.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.evaluation.result import Evaluation
    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.event_model import EventModel
    from recobro_score.models.facts import TrainingFacts
    from recobro_score.models.report import ModelReport
    from recobro_score.models.snapshots import Weigh
    from recobro_score.models.tabular import TabularClassifier
    from recobro_score.timeline import Split, Timeline

    Floats = NDArray[np.float64]

NAME = "payment"
CURVE_METHODS = ("beta", "platt")
NO_AMOUNTS = "amounts recovered are not known: expected recovery takes the least that the labels say"


class PaymentTarget(BaseModel):
    """What counts as paying: at least ``share`` of the exposure recovered within ``horizon_days``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(gt=0, le=1)
    horizon_days: int = Field(gt=0)


@dataclass(frozen=True, slots=True)
class PaymentModel:
    """P(recovers ≥ share of the exposure within the horizon), fitted and calibrated.

    Fitted on the labels of several horizons and shares it has a `curve` of them all, of which the target is
    one cell. Safe to share between threads.

    Parameters
    ----------
    target : PaymentTarget
    scorer : EventScorer
        Booster, calibrator, and what they learned from.
    shares : RecoveredShares
        Mean recovered share of the exposure, given paid and given not, per bucket.
    """

    target: PaymentTarget
    scorer: EventScorer
    shares: RecoveredShares
    model_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model_id", f"{NAME}-{sha256_text(canonical_json(self.to_files()))[:12]}")

    @classmethod
    def fit(
        cls,
        matrix: FeatureMatrix,
        labels: Labels | LabelMatrix,
        *,
        target: PaymentTarget,
        bucket: NDArray[np.int8],
        split: Split | None = None,
        groups: NDArray[Any] | None = None,
        options: BoosterOptions | None = None,
        weights: Floats | None = None,
    ) -> PaymentModel:
        """Train, calibrate on rows the booster did not see, and evaluate on rows that neither saw.

        Parameters
        ----------
        matrix, bucket, split, groups, options, weights
            See `recobro_score.models.scorer_fit.fit_scorer`.
        labels : Labels or LabelMatrix
            Of the target; or those of `recobro_score.models.payment.grid.payment_specs`, the target among
            them, to fit the curve of all their horizons and shares as well. Horizons of which no calibration
            row is known are left out with a warning.
        target : PaymentTarget
            What the booster learns.

        Raises
        ------
        NotEnoughData
            If there are too few rows, or of one outcome, saying how many.
        ContractError
            If keys differ, or slices overlap.
        ConfigError
            If a curve is asked for with a calibration that it has no form for.
        ColumnNotFound
            If the target is not among the labels.
        """
        if isinstance(labels, LabelMatrix):
            grid = PaymentGrid.of(labels)
            known = labels_of(labels, horizon_days=target.horizon_days, share=target.share)
        else:
            grid, known = None, labels
        fit = fit_scorer(
            matrix,
            known,
            bucket,
            horizon_days=target.horizon_days,
            split=split,
            groups=groups,
            options=options,
            weights=weights,
        )
        learned, counts = fit.learned, np.ones(known.value.size) if weights is None else np.asarray(weights)
        scorer = fit.scorer
        if grid is not None:
            scorer = _with_curve(fit, matrix, _Taught(grid, counts), target, split)
        shares = RecoveredShares.fit(
            known.recovered[learned],
            known.exposure[learned],
            known.value[learned],
            bucket[learned],
            buckets=BUCKETS,
            least=target.share,
            weight=counts[learned],
        )
        return cls(target, scorer if shares.rows_paid[-1] else scorer.warned(NO_AMOUNTS), shares)

    @property
    def event(self) -> EventModel:
        """Booster and calibrator."""
        return self.scorer.event

    @property
    def curve(self) -> PaymentCurve | None:
        """Every horizon and share it was fitted on; None where only the target was given."""
        calibrator = self.event.calibrator
        return calibrator.curve if isinstance(calibrator, CurveCell) else None

    @property
    def facts(self) -> TrainingFacts:
        """What the model learned from."""
        return self.scorer.facts

    @property
    def validation(self) -> Evaluation | None:
        """The report on held-out rows of `fit`, if there were any; None in a model read from files."""
        return self.scorer.validation

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the model."""
        return self.facts.warnings

    def score(self, matrix: FeatureMatrix, bucket: NDArray[np.int8], *, threads: int = 1) -> Scores:
        """Score every pair of a matrix; see `EventScorer.score`."""
        return self.scorer.score(matrix, bucket, model_id=self.model_id, threads=threads)

    def curve_of(self, matrix: FeatureMatrix, *, threads: int = 1) -> CurveScores:
        """Score every horizon and share; the target's cell has the bits of `score`.

        Parameters
        ----------
        matrix : FeatureMatrix
            Of the schema of training.
        threads : int
            Changes nothing but the time.

        Raises
        ------
        ConfigError
            If the model was fitted on the target alone.
        SchemaMismatch
            If the matrix is of another schema.
        """
        if self.curve is None:
            msg = "the model knows its target alone: fit it on labels of several horizons and shares"
            raise ConfigError(msg)
        self.event.booster.check_schema(matrix.schema)
        margin = self.event.booster.margin(matrix.values, threads=threads)
        return CurveScores(
            matrix.account_ids,
            matrix.as_of,
            self.curve.horizons,
            self.curve.shares,
            self.curve.probability(margin),
            self.model_id,
        )

    def evaluate_curve(self, matrix: FeatureMatrix, labels: LabelMatrix) -> CurveEvaluation:
        """Judge every cell of the curve on rows the model has not seen.

        Parameters
        ----------
        matrix : FeatureMatrix
        labels : LabelMatrix
            Of the same pairs in the same order, with the curve's horizons and shares.
        """
        scores, grid = self.curve_of(matrix), PaymentGrid.of(labels)
        return evaluate_cells(
            scores.values, grid.only(scores.horizons, scores.shares), warnings=self.warnings
        )

    def expected_recovery(
        self, probability: Floats, bucket: NDArray[np.int8], exposure: NDArray[np.int64]
    ) -> Floats:
        """Return the expected recovery within the horizon in minor units; see `RecoveredShares`."""
        return self.shares.expected_recovery(probability, bucket, exposure)

    def paid_share(self, bucket: NDArray[np.int8]) -> Floats:
        """Return the mean recovered share of the exposure given paid, per row."""
        return self.shares.paid_share(bucket)

    def unpaid_share(self, bucket: NDArray[np.int8]) -> Floats:
        """Return the mean recovered share of the exposure given not paid, per row."""
        return self.shares.unpaid_share(bucket)

    def evaluate(
        self,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        observed_until: int | str | None = None,
        weights: Weigh | None = None,
    ) -> ModelReport:
        """Judge the model on the snapshots of a portfolio, per bucket and beside its rivals.

        Parameters
        ----------
        portfolio : Portfolio
            With the months that the model learned from in its history, rivals learn from them too.
        timeline : Timeline
            Snapshots that the model has not learned from; of others the report warns.
        observed_until : int or str, optional
            Instant up to which the tables are complete, as for training.
        weights : callable, optional
            From snapshots to the weight of each of their rows, in every metric:
            ``lambda seen: seen.recency(180)``.

        Returns
        -------
        ModelReport
            Metrics per bucket with standard errors, reliability, gain in payers and money, months, and
            debtors that the model had learned from beside new ones.

        Raises
        ------
        NotEnoughData
            If no outcome is known.
        ConfigError
            If the model was not trained on the library's features.
        """
        return report_on(
            self.scorer,
            portfolio,
            timeline,
            spec=LabelSpec("pays", self.target.horizon_days, share=self.target.share),
            observed_until=observed_until,
            weights=weights,
        )

    def judge(
        self,
        matrix: FeatureMatrix,
        labels: Labels,
        bucket: NDArray[np.int8],
        *,
        capacity: float | None = None,
        weights: Floats | None = None,
    ) -> Evaluation:
        """Judge the model on given rows, per bucket and next to the baseline; see `EventScorer.evaluate`."""
        return self.scorer.evaluate(matrix, labels, bucket, capacity=capacity, weights=weights)

    def as_sklearn(self) -> TabularClassifier:
        """Return an unfitted classifier with this model's options, for a plain X and y."""
        from recobro_score.models.tabular import TabularClassifier

        options = EventOptions.of(self.scorer.options)
        method: CurveMethod = "platt" if options.calibration == "platt" else "beta"
        return TabularClassifier(options, calibration=method)

    def to_files(self) -> dict[str, str]:
        """Return the model as text files by name: LightGBM's text and JSON, no code."""
        extra = {"target": self.target.model_dump(), "shares": self.shares.to_state()}
        return self.scorer.to_files(NAME, extra)

    @classmethod
    def from_files(cls, files: Mapping[str, str], schema: ColumnSchema) -> PaymentModel:
        """Return the model of saved files; it scores the same bits and has the same id.

        Raises
        ------
        BundleError
            If a file is missing or of an unknown format.
        SchemaMismatch
            If the schema is not that of training.
        """
        scorer, state = EventScorer.from_files(files, NAME, schema)
        return cls(PaymentTarget(**state["target"]), scorer, RecoveredShares.from_state(state["shares"]))


@dataclass(frozen=True, slots=True)
class _Taught:
    """What every row of a matrix teaches a curve, and how much it counts."""

    grid: PaymentGrid
    weight: Floats

    def cell(
        self, margin: Floats, rows: NDArray[np.int64], target: PaymentTarget, method: CurveMethod
    ) -> CurveCell:
        grid = self.grid.take(rows).matured(always=(target.horizon_days,))
        curve = PaymentCurve.fit(margin, grid, method=method, weight=self.weight[rows])
        return curve.cell(horizon_days=target.horizon_days, share=target.share)


def _with_curve(
    fit: ScorerFit, matrix: FeatureMatrix, taught: _Taught, target: PaymentTarget, split: Split | None
) -> EventScorer:
    """Return the scorer with the target's cell of a curve in the place of its calibrator.

    With a later slice, rows of that slice whose target is unknown teach the cells that they know; not where
    other debtors' cells judge a group of debtors, for whose rows that booster is not the one.
    """
    options = EventOptions.of(fit.scorer.options)
    if options.calibration not in CURVE_METHODS or options.by_bucket:
        asked = f"{options.calibration}{' by bucket' if options.by_bucket else ''}"
        msg = (
            f"a curve is calibrated by {' or '.join(CURVE_METHODS)} for all buckets together, not by {asked}"
        )
        raise ConfigError(msg)
    method: CurveMethod = "platt" if options.calibration == "platt" else "beta"
    event = fit.scorer.event
    more = np.zeros(0, dtype=np.int64)
    if event.calibration_kind == "later_slice" and split is not None:
        partly = np.isin(matrix.as_of, split.calibration) & (~np.isnan(taught.grid.value)).any(axis=(1, 2))
        partly &= taught.weight > 0
        more = np.setdiff1d(np.flatnonzero(partly), fit.calibration)
    more_margin = event.booster.margin(np.ascontiguousarray(matrix.values[more]))
    whole = taught.cell(
        np.concatenate([fit.calibration_margin, more_margin]),
        np.concatenate([fit.calibration, more]),
        target,
        method,
    )

    def calibrate(margin: Floats, rows: NDArray[np.int64]) -> CurveCell:
        return whole if margin is fit.calibration_margin else taught.cell(margin, rows, target, method)

    scorer = fit.recalibrated(calibrate).scorer
    for warning in _curve_warnings(taught.grid.horizons, whole.curve.horizons, split):
        scorer = scorer.warned(warning)
    return scorer


def _curve_warnings(asked: tuple[float, ...], kept: tuple[float, ...], split: Split | None) -> Iterator[str]:
    dropped = [f"{days:g}" for days in asked if days not in kept]
    if dropped:
        yield f"too few known outcomes to calibrate on within {', '.join(dropped)} days: left out"
    if split is None or not split.test or not split.calibration:
        return
    room = (min(split.test) - max(split.calibration)) / US_PER_DAY
    long = [f"{days:g}" for days in kept if days > room]
    if long:
        yield (
            f"outcomes within {', '.join(long)} days of the calibration slice reach into the test slice: "
            "those horizons are not judged out of time"
        )
