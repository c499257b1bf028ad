"""`BucketScorer`: a model of one event that speaks of some buckets only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from recobro_score.data.state import BUCKETS
from recobro_score.errors import hint
from recobro_score.features.label_specs import LabelSpec
from recobro_score.models.event_scorer import EventScorer, fit_scorer
from recobro_score.models.report import feature_schema, report_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.evaluation.result import Evaluation
    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.report import ModelReport
    from recobro_score.models.scores import Scores
    from recobro_score.timeline import Split, Timeline


class BucketTarget(BaseModel):
    """Which accounts a model speaks of, and for how long: `buckets` of `BUCKETS`, ``horizon_days`` ahead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    buckets: tuple[str, ...] = Field(min_length=1)
    horizon_days: float = Field(default=30, gt=0)

    @field_validator("buckets")
    @classmethod
    def _known(cls, buckets: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in buckets if name not in BUCKETS]
        if unknown:
            msg = f"no bucket {unknown[0]!r}.{hint(unknown[0], BUCKETS)}"
            raise ValueError(msg)
        return buckets

    def covers(self, bucket: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Return which buckets (codes) are meant, shape (n,)."""
        return np.isin(bucket, [BUCKETS.index(name) for name in self.buckets])

    def among(self, labels: Labels, bucket: NDArray[np.int8]) -> Labels:
        """Return labels that are unknown outside the buckets."""
        return replace(labels, value=np.where(self.covers(bucket), labels.value, np.nan))


@dataclass(frozen=True, slots=True)
class BucketScorer:
    """An `EventScorer` that was fitted on some buckets and scores those.

    Parameters
    ----------
    scorer : EventScorer
    target : BucketTarget
    """

    scorer: EventScorer
    target: BucketTarget

    @classmethod
    def fit(
        cls,
        matrix: FeatureMatrix,
        labels: Labels,
        bucket: NDArray[np.int8],
        *,
        target: BucketTarget,
        split: Split | None,
        groups: NDArray[Any] | None,
        options: BoosterOptions | None,
    ) -> BucketScorer:
        """Fit on the pairs of the buckets.

        Parameters
        ----------
        matrix, labels, bucket, split, groups, options
            See `fit_scorer`.
        target : BucketTarget
        """
        own = target.among(labels, bucket)
        fit = fit_scorer(
            matrix,
            own,
            bucket,
            horizon_days=target.horizon_days,
            split=split,
            groups=groups,
            options=options,
        )
        return cls(fit.scorer, target)

    def warned(self, warning: str) -> BucketScorer:
        """Return the same with one more warning."""
        return replace(self, scorer=self.scorer.warned(warning))

    def score(
        self, matrix: FeatureMatrix, bucket: NDArray[np.int8], *, model_id: str, threads: int = 1
    ) -> Scores:
        """Score every pair; probabilities (and their interval) are NaN outside the model's buckets."""
        scores = self.scorer.score(matrix, bucket, model_id=model_id, threads=threads)
        inside = self.target.covers(bucket)
        return replace(
            scores,
            probability=np.where(inside, scores.probability, np.nan),
            p_low=np.where(inside, scores.p_low, np.nan),
            p_high=np.where(inside, scores.p_high, np.nan),
        )

    def evaluate(
        self, portfolio: Portfolio, timeline: Timeline, *, kind: str, observed_until: int | str | None
    ) -> ModelReport:
        """Judge the model on the accounts of its buckets at the snapshots of a portfolio.

        Parameters
        ----------
        portfolio, timeline, observed_until
            See `PaymentModel.evaluate`.
        kind : str
            Of the label, see `LabelSpec`.
        """
        return report_on(
            self.scorer,
            feature_schema(self.scorer.event.booster.schema),
            portfolio.store,
            timeline.as_ofs,
            spec=LabelSpec(kind, self.target.horizon_days),
            observed_until=portfolio.observed_until(observed_until),
            buckets=[BUCKETS.index(name) for name in self.target.buckets],
        )

    def judge(
        self, matrix: FeatureMatrix, labels: Labels, bucket: NDArray[np.int8], *, capacity: float | None
    ) -> Evaluation:
        """Judge the model on rows of its buckets that it has not seen; see `EventScorer.evaluate`."""
        own = self.target.among(labels, bucket)
        return self.scorer.evaluate(matrix, own, bucket, capacity=capacity)

    def to_files(self, name: str) -> dict[str, str]:
        """Return the model as text files by name: LightGBM's text and JSON, no code."""
        return self.scorer.to_files(name, {"target": self.target.model_dump(mode="json")})

    @classmethod
    def from_files(cls, files: Mapping[str, str], name: str, schema: ColumnSchema) -> BucketScorer:
        """Return the model of saved files; see `EventScorer.from_files`."""
        scorer, state = EventScorer.from_files(files, name, schema)
        return cls(scorer, BucketTarget(**state["target"]))
