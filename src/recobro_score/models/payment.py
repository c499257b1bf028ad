"""`PaymentModel`: the probability that an account recovers a share of what is due within a horizon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recobro_score.data.state import BUCKETS
from recobro_score.digest import canonical_json, sha256_text
from recobro_score.models.event_scorer import EventScorer, fit_scorer
from recobro_score.models.scores import STANDARD_THIN_FILE, Scores, ThinFile
from recobro_score.models.shares import RecoveredShares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.evaluation.result import Evaluation
    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.event_model import EventModel
    from recobro_score.models.facts import TrainingFacts
    from recobro_score.timeline import Split

    Floats = NDArray[np.float64]

NAME = "payment"
NO_AMOUNTS = "amounts recovered are not known: expected recovery takes the least that the labels say"


class PaymentTarget(BaseModel):
    """What counts as paying: at least ``share`` of the exposure recovered within ``horizon_days``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(gt=0, le=1)
    horizon_days: int = Field(gt=0)


@dataclass(frozen=True, slots=True)
class PaymentModel:
    """P(recovers ≥ share of the exposure within the horizon), fitted and calibrated.

    Safe to share between threads.

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
        labels: Labels,
        *,
        target: PaymentTarget,
        bucket: NDArray[np.int8],
        split: Split | None = None,
        groups: NDArray[Any] | None = None,
        options: BoosterOptions | None = None,
        thin_file: ThinFile | None = STANDARD_THIN_FILE,
    ) -> PaymentModel:
        """Train, calibrate on rows the booster did not see, and evaluate on rows that neither saw.

        Parameters
        ----------
        matrix, labels, bucket, split, groups, options, thin_file
            See `recobro_score.models.event_scorer.fit_scorer`.
        target : PaymentTarget
            What the labels say.

        Raises
        ------
        NotEnoughData
            If there are too few rows, or of one outcome, saying how many.
        ContractError
            If keys differ, or slices overlap.
        """
        fit = fit_scorer(
            matrix,
            labels,
            bucket,
            horizon_days=target.horizon_days,
            split=split,
            groups=groups,
            options=options,
            thin_file=thin_file,
        )
        learned = fit.learned
        shares = RecoveredShares.fit(
            labels.recovered[learned],
            labels.exposure[learned],
            labels.value[learned],
            bucket[learned],
            buckets=BUCKETS,
            least=target.share,
        )
        scorer = fit.scorer if shares.rows_paid[-1] else fit.scorer.warned(NO_AMOUNTS)
        return cls(target, scorer, shares)

    @property
    def event(self) -> EventModel:
        """Booster and calibrator."""
        return self.scorer.event

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
        matrix: FeatureMatrix,
        labels: Labels,
        bucket: NDArray[np.int8],
        *,
        capacity: float | None = None,
    ) -> Evaluation:
        """Judge the model on rows it has not seen, per bucket and next to the baseline.

        See `EventScorer.evaluate`.
        """
        return self.scorer.evaluate(matrix, labels, bucket, capacity=capacity)

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
