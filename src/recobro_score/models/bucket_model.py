"""`BucketModel`: a model of one event that speaks of some buckets only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from recobro_score.data.state import BUCKETS
from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import hint
from recobro_score.features.label_specs import LabelSpec
from recobro_score.models.event_report import report_on
from recobro_score.models.event_scorer import EventScorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.evaluation.result import Evaluation
    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.report import ModelReport
    from recobro_score.models.scores import Scores
    from recobro_score.models.snapshots import Weigh
    from recobro_score.timeline import Timeline

    Floats = NDArray[np.float64]


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
class BucketModel:
    """A scorer of one event for the accounts of some buckets; safe to share between threads.

    Parameters
    ----------
    scorer : EventScorer
        Booster, calibrator, and what they learned from.
    target : BucketTarget
    """

    _NAME: ClassVar[str]
    _KIND: ClassVar[str]
    """Name of the model's files, and kind of its label (see `LabelSpec`)."""

    scorer: EventScorer
    target: BucketTarget
    model_id: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive the identity from the files."""
        identity = sha256_text(canonical_json(self.to_files()))[:12]
        object.__setattr__(self, "model_id", f"{self._NAME}-{identity}")

    @property
    def validation(self) -> Evaluation | None:
        """The report on held-out rows of `fit`; None in a model read from files."""
        return self.scorer.validation

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the model."""
        return self.scorer.facts.warnings

    def score(self, matrix: FeatureMatrix, bucket: NDArray[np.int8], *, threads: int = 1) -> Scores:
        """Score every pair; probabilities and their interval are NaN outside the model's buckets."""
        scores = self.scorer.score(matrix, bucket, model_id=self.model_id, threads=threads)
        inside = self.target.covers(bucket)
        return replace(
            scores,
            probability=np.where(inside, scores.probability, np.nan),
            p_low=np.where(inside, scores.p_low, np.nan),
            p_high=np.where(inside, scores.p_high, np.nan),
        )

    def evaluate(
        self,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        observed_until: int | str | None = None,
        weights: Weigh | None = None,
    ) -> ModelReport:
        """Judge the model on the accounts of its buckets, beside its rivals; see `PaymentModel.evaluate`."""
        return report_on(
            self.scorer,
            portfolio,
            timeline,
            spec=LabelSpec(self._KIND, self.target.horizon_days),
            observed_until=observed_until,
            buckets=self.target.buckets,
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
        """Judge the model on given rows of its buckets; see `EventScorer.evaluate`."""
        own = self.target.among(labels, bucket)
        return self.scorer.evaluate(matrix, own, bucket, capacity=capacity, weights=weights)

    def to_files(self) -> dict[str, str]:
        """Return the model as text files by name: LightGBM's text and JSON, no code."""
        return self.scorer.to_files(self._NAME, {"target": self.target.model_dump(mode="json")})

    @classmethod
    def from_files(cls, files: Mapping[str, str], schema: ColumnSchema) -> Self:
        """Return the model of saved files; it scores the same bits and has the same id.

        Raises
        ------
        BundleError, SchemaMismatch
            See `EventScorer.from_files`.
        """
        scorer, state = EventScorer.from_files(files, cls._NAME, schema)
        return cls(scorer, BucketTarget(**state["target"]))
