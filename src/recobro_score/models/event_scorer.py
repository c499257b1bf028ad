"""`EventScorer`: one event's model as a portfolio meets it: score, evaluate, save.

Every model of one yes-or-no event (payment, promise, cure, lateness) is a short file on top of it and of
`recobro_score.models.scorer_fit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.calendars import format_instant
from recobro_score.data.state import BUCKETS
from recobro_score.digest import readable_json
from recobro_score.errors import ContractError
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.models.calibration.family import calibrated
from recobro_score.models.calibration.interval import ScoreInterval
from recobro_score.models.event_model import EventModel, EventOptions
from recobro_score.models.facts import TrainingFacts
from recobro_score.models.files import read_state
from recobro_score.models.scores import (
    ASSUMED,
    THIN_FILE,
    UNKNOWN_BUCKET,
    Scores,
    ThinFile,
    pack_flags,
    thin_files,
)
from recobro_score.models.weights import check_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.baseline import LogisticBaseline
    from recobro_score.models.booster import BoosterOptions, ColumnSchema

    Floats = NDArray[np.float64]

FORMAT = 1
NO_THIN_FILES = "thin files are not flagged: no rule, or its columns are not among the features"


@dataclass(frozen=True, slots=True)
class EventScorer:
    """A fitted and calibrated model of one event, with what it learned from.

    Obeys scikit-learn's manner only in name: it takes a feature matrix with its keys, labels that may be
    unknown, and a split in time, which one X and y cannot carry. Safe to share between threads.

    Parameters
    ----------
    event : EventModel
        Booster and calibrator.
    thin_file : ThinFile or None
        The rule for the flag ``thin_file``.
    options : BoosterOptions
    facts : TrainingFacts
    interval : ScoreInterval
        What the calibrator's rows leave open; by default everything.
    baseline : LogisticBaseline or None
        Beside reports only; not saved, so None in a model read from files.
    validation : Evaluation or None
        Held-out rows of the fit, each judged by what was learned from other debtors: the test slice, or all
        rows out of fold. None in a model read from files, and where the test slice has no known outcomes.
    """

    event: EventModel
    thin_file: ThinFile | None
    options: BoosterOptions
    facts: TrainingFacts
    interval: ScoreInterval = field(default_factory=ScoreInterval)
    baseline: LogisticBaseline | None = field(default=None, compare=False)
    validation: Evaluation | None = field(default=None, compare=False)

    def warned(self, warning: str) -> EventScorer:
        """Return the same with one more warning, in its facts and on its report."""
        facts = replace(self.facts, warnings=(*self.facts.warnings, warning))
        report = self.validation
        if report is not None:
            report = replace(report, warnings=(*report.warnings, warning))
        return replace(self, facts=facts, validation=report)

    def score(
        self, matrix: FeatureMatrix, bucket: NDArray[np.int8], *, model_id: str, threads: int = 1
    ) -> Scores:
        """Score every pair of a matrix; each gets the same bits alone and in any batch.

        Parameters
        ----------
        matrix : FeatureMatrix
            Of the schema of training.
        bucket : int8 ndarray of shape (n,)
            Bucket of each pair; −1 sets the flag ``unknown_bucket``.
        model_id : str
            Written on the scores.
        threads : int
            Changes nothing but the time.

        Raises
        ------
        SchemaMismatch
            If the matrix is of another schema.
        """
        self.event.booster.check_schema(matrix.schema)
        margin = self.event.booster.margin(matrix.values, threads=threads)
        probability = calibrated(self.event.calibrator, margin, bucket)
        thin = thin_files(self.thin_file, matrix.values, matrix.schema.names)
        p_low, p_high = self.interval.around(probability, margin, thin=thin)
        assumed = np.full(margin.size, self.event.calibration_kind == "assumed")
        return Scores(
            account_ids=matrix.account_ids,
            account=matrix.account,
            as_of=matrix.as_of,
            margin=margin,
            probability=probability,
            p_low=p_low,
            p_high=p_high,
            flags=pack_flags({THIN_FILE: thin, UNKNOWN_BUCKET: bucket < 0, ASSUMED: assumed}),
            model_id=model_id,
        )

    def evaluate(
        self,
        matrix: FeatureMatrix,
        labels: Labels,
        bucket: NDArray[np.int8],
        *,
        capacity: float | None = None,
        weights: Floats | None = None,
    ) -> Evaluation:
        """Judge the model on rows it has not seen, per bucket and next to the baseline.

        Parameters
        ----------
        matrix, labels, bucket
            As for `fit_scorer`; rows of unknown outcome are left out.
        capacity : int or float, optional
            Where to read the lift; see `evaluation.metrics.binary_report`.
        weights : ndarray of shape (n,), optional
            How much each row counts in the metrics.

        Returns
        -------
        Evaluation
            Warns if rows are of as-ofs that the model learned from, and if there is no baseline because the
            model was read from files.
        """
        check_keys(matrix, labels, bucket)
        self.event.booster.check_schema(matrix.schema)
        counts = check_weights(weights, labels.value.size)
        rows = np.flatnonzero(~np.isnan(labels.value) & (counts > 0))
        values = np.ascontiguousarray(matrix.values[rows])
        seen = int(np.isin(labels.as_of[rows], [*self.facts.train, *self.facts.calibration]).sum())
        warnings = [*self.facts.warnings]
        if seen:
            warnings.append(f"{seen:,} of {rows.size:,} rows are of as-ofs the model learned from: no test")
        if self.baseline is None:
            warnings.append("no baseline: it is not saved with the model")
        return evaluate(
            labels.value[rows],
            self.event.probability(values, segment=bucket[rows]),
            held_out=f"{rows.size:,} rows given",
            baseline=None if self.baseline is None else self.baseline.predict(values),
            group=bucket[rows],
            names=BUCKETS,
            capacity=capacity,
            weight=counts[rows],
        ).knowing(warnings)

    def to_files(self, name: str, extra: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Return ``<name>.txt`` (LightGBM's text) and ``<name>.json`` (everything else): no code.

        Parameters
        ----------
        name : str
            Of the model.
        extra : mapping of JSON values, optional
            What the model on top of this one adds to the state.
        """
        state = {
            "format": FORMAT,
            "schema": self.event.booster.schema.hash,
            "event": self.event.to_state(),
            "interval": self.interval.to_state(),
            "thin_file": self.thin_file.to_state() if self.thin_file else None,
            "options": EventOptions.of(self.options).model_dump(exclude={"threads", "thin_file"}),
            "facts": self.facts.to_state(),
            **(extra or {}),
        }
        return {f"{name}.txt": self.event.booster.text, f"{name}.json": readable_json(state)}

    @classmethod
    def from_files(
        cls, files: Mapping[str, str], name: str, schema: ColumnSchema
    ) -> tuple[EventScorer, dict[str, Any]]:
        """Return the model of saved files, and the whole state with what was added to it.

        Raises
        ------
        BundleError
            If a file is missing or of an unknown format.
        SchemaMismatch
            If the schema is not that of training.
        """
        text, parts = f"{name}.txt", (f"{name}.txt", f"{name}.json")
        state = read_state(files, name, format_version=FORMAT, schema_hash=schema.hash, parts=parts)
        rule = ThinFile.from_state(state["thin_file"]) if state["thin_file"] else None
        found = cls(
            event=EventModel.from_state(files[text], state["event"], schema),
            thin_file=rule,
            options=EventOptions(**state["options"], thin_file=rule),
            facts=TrainingFacts.from_state(state["facts"]),
            interval=ScoreInterval.from_state(state["interval"]),
        )
        return found, state


def check_keys(matrix: FeatureMatrix, labels: Labels, bucket: NDArray[np.int8]) -> None:
    """Refuse features, labels and buckets that are not of the same pairs in the same order.

    Raises
    ------
    ContractError
        With the number of rows of each.
    """
    same = np.array_equal(matrix.account, labels.account) and np.array_equal(matrix.as_of, labels.as_of)
    if not same or bucket.shape != matrix.account.shape:
        msg = (
            f"Features, labels and buckets must be of the same pairs in the same order; got "
            f"{matrix.account.size:,}, {labels.account.size:,} and {bucket.size:,} rows."
        )
        raise ContractError(msg)


def where_held_out(test: Sequence[int]) -> str:
    """Return which rows judged a model, in words: the days of its test slice, or out of fold."""
    days = [format_instant(instant, "UTC")[:10] for instant in test]
    return f"test slice {days[0]} to {days[-1]}" if days else "out of fold, by debtor"
