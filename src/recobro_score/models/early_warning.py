"""`EarlyWarningModel`: P(an account that is not late becomes late), for a reminder before it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.digest import canonical_json, sha256_text
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LabelSpec
from recobro_score.models.bucket_scorer import BucketScorer, BucketTarget
from recobro_score.models.snapshots import Snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.evaluation.result import Evaluation
    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.report import ModelReport
    from recobro_score.models.scores import Scores
    from recobro_score.timeline import Split, Timeline

NAME = "early_warning"
CURRENT = BucketTarget(buckets=("0",))
UNDER_POLICY = "the probabilities hold under the reminders that the policy in force sends"


@dataclass(frozen=True, slots=True)
class EarlyWarningModel:
    """P(more than 0 days past due within the horizon), for accounts that are not late.

    The label ``roll_forward`` sees every instant of the window, so a payment that comes a day late counts.
    With another target it tells who rolls into the next bucket. The probabilities hold under whatever
    reminders the policy in force sends. Safe to share between threads.

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
        labels: Labels,
        *,
        bucket: NDArray[np.int8],
        target: BucketTarget = CURRENT,
        split: Split | None = None,
        groups: NDArray[Any] | None = None,
        options: BoosterOptions | None = None,
    ) -> EarlyWarningModel:
        """Train, calibrate and evaluate on accounts of the buckets.

        Parameters
        ----------
        matrix, labels, bucket, split, groups, options
            See `recobro_score.models.event_scorer.fit_scorer`; labels of the kind ``roll_forward``.
        target : BucketTarget
            Which accounts the model speaks of, and the length of the label windows.

        Raises
        ------
        NotEnoughData
            If there are too few rows, or of one outcome.
        """
        model = BucketScorer.fit(
            matrix,
            labels,
            bucket,
            target=target,
            split=split,
            groups=groups,
            options=options,
        )
        return cls(model.warned(UNDER_POLICY))

    @classmethod
    def from_portfolio(
        cls,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        target: BucketTarget = CURRENT,
        observed_until: int | None = None,
        options: BoosterOptions | None = None,
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
        """
        seen = Snapshots.of(portfolio, timeline, observed_until=observed_until)
        spec = LabelSpec("roll_forward", target.horizon_days)
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
        """Judge the model on the snapshots of a portfolio, beside its rivals; see `PaymentModel.evaluate`."""
        return self.model.evaluate(portfolio, timeline, kind="roll_forward", observed_until=observed_until)

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
    def from_files(cls, files: Mapping[str, str], schema: ColumnSchema) -> EarlyWarningModel:
        """Return the model of saved files; it scores the same bits and has the same id.

        Raises
        ------
        BundleError, SchemaMismatch
            See `EventScorer.from_files`.
        """
        return cls(BucketScorer.from_files(files, NAME, schema))
