"""`PaymentModel`: the probability that an account recovers a share of what is due within a horizon."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recobro_score.calendars import format_instant
from recobro_score.data.state import BUCKETS
from recobro_score.digest import canonical_json, readable_json, sha256_text
from recobro_score.errors import BundleError, ContractError, SchemaMismatch
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.event_model import EventModel, canonical_order, fit_event, temporal_slices
from recobro_score.models.facts import TrainingFacts, training_facts
from recobro_score.models.scores import (
    ASSUMED,
    STANDARD_THIN_FILE,
    THIN_FILE,
    UNKNOWN_BUCKET,
    Scores,
    ThinFile,
    pack_flags,
)
from recobro_score.models.shares import RecoveredShares

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.baseline import LogisticBaseline
    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.event_model import EventFit
    from recobro_score.timeline import Split

    Floats = NDArray[np.float64]

FORMAT = 1
TEXT_FILE, STATE_FILE = "payment.txt", "payment.json"


class PaymentTarget(BaseModel):
    """What counts as paying: at least ``share`` of the exposure recovered within ``horizon_days``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(gt=0, le=1)
    horizon_days: int = Field(gt=0)


@dataclass(frozen=True, slots=True)
class PaymentModel:
    """P(recovers ≥ share of the exposure within the horizon), fitted and calibrated.

    Obeys scikit-learn's manner only in name: it takes a feature matrix with its keys, labels that may be
    unknown, and a split in time, which one X and y cannot carry. Safe to share between threads.

    Parameters
    ----------
    target : PaymentTarget
    event : EventModel
        Booster and calibrator.
    shares : RecoveredShares
        Mean recovered share of the exposure, given paid and given not, per bucket.
    thin_file : ThinFile or None
        The rule for the flag ``thin_file``.
    options : BoosterOptions
    facts : TrainingFacts
    baseline : LogisticBaseline or None
        Beside reports only; not saved, so None in a model read from files.
    validation : Evaluation or None
        Held-out rows of `fit`: the test slice, or all rows out of fold. None in a model read from files, and
        where the test slice has no known outcomes.
    """

    target: PaymentTarget
    event: EventModel
    shares: RecoveredShares
    thin_file: ThinFile | None
    options: BoosterOptions
    facts: TrainingFacts
    baseline: LogisticBaseline | None = field(default=None, compare=False)
    validation: Evaluation | None = field(default=None, compare=False)
    model_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model_id", f"payment-{sha256_text(canonical_json(self.to_files()))[:12]}")

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

        With a split, the booster learns from ``split.train``, the calibrator from the later
        ``split.calibration`` and the report from ``split.test``. Without one, or where ``split.calibration``
        is empty, calibration is out of fold by debtor, and named so. Rows of unknown outcome are left out and
        counted. Rows are sorted by account id and as-of first, so their order cannot matter.

        Parameters
        ----------
        matrix : FeatureMatrix
        labels : Labels
            Of the same pairs in the same order; NaN is unknown.
        target : PaymentTarget
            What the labels say.
        bucket : int8 ndarray of shape (n,)
            Bucket of each pair at its as-of; −1 unknown.
        split : Split, optional
            As-ofs of the three slices; pairs of other as-ofs are not used.
        groups : array of str or int of shape (n,), optional
            Debtor of each pair, for the folds; the account where absent.
        options : BoosterOptions, optional
        thin_file : ThinFile, optional
            Rule for the flag. Where it is None, or names columns that the schema has not, no account is
            flagged and a warning says so.

        Raises
        ------
        NotEnoughData
            If there are too few rows, or of one outcome, saying how many.
        ContractError
            If keys differ, or slices overlap.
        """
        options = options or BoosterOptions()
        _check_keys(matrix, labels, bucket)
        order = canonical_order(matrix.account_ids, matrix.as_of)
        rows = order[~np.isnan(labels.value[order])]
        y, as_of = labels.value[rows], labels.as_of[rows]
        slices = temporal_slices(as_of, split, horizon_days=target.horizon_days) if split else None
        debtors = np.asarray(matrix.account_ids if groups is None else groups)
        fit = fit_event(
            matrix.values[rows],
            y,
            schema=matrix.schema,
            options=options,
            groups=debtors[rows],
            slices=slices,
        )
        learned = rows[fit.learned]
        shares = RecoveredShares.fit(
            labels.recovered[learned],
            labels.exposure[learned],
            labels.value[learned],
            bucket[learned],
            buckets=BUCKETS,
            least=target.share,
        )
        rule = thin_file if thin_file and thin_file.applies_to(matrix.schema.names) else None
        facts = training_facts(fit, labels, rows, split, warnings=_warnings(rule, shares))
        validation = _validation(fit, y, bucket[rows], facts)
        return cls(target, fit.model, shares, rule, options, facts, fit.baseline, validation)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the model."""
        return self.facts.warnings

    def score(self, matrix: FeatureMatrix, bucket: NDArray[np.int8], *, threads: int = 1) -> Scores:
        """Score every pair of a matrix; each gets the same bits alone and in any batch.

        Parameters
        ----------
        matrix : FeatureMatrix
            Of the schema of training.
        bucket : int8 ndarray of shape (n,)
            Bucket of each pair; −1 sets the flag ``unknown_bucket``.
        threads : int
            Changes nothing but the time.

        Raises
        ------
        SchemaMismatch
            If the matrix is of another schema.
        """
        self.event.booster.check_schema(matrix.schema)
        margin = self.event.booster.margin(matrix.values, threads=threads)
        thin = np.zeros(margin.size, dtype=np.bool_)
        if self.thin_file is not None:
            thin = self.thin_file.mask(matrix.values, matrix.schema.names)
        assumed = np.full(margin.size, self.event.calibration_kind == "assumed")
        return Scores(
            account_ids=matrix.account_ids,
            account=matrix.account,
            as_of=matrix.as_of,
            margin=margin,
            probability=self.event.calibrator.probability(margin),
            flags=pack_flags({THIN_FILE: thin, UNKNOWN_BUCKET: bucket < 0, ASSUMED: assumed}),
            model_id=self.model_id,
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
        matrix: FeatureMatrix,
        labels: Labels,
        bucket: NDArray[np.int8],
        *,
        capacity: float | None = None,
    ) -> Evaluation:
        """Judge the model on rows it has not seen, per bucket and next to the baseline.

        Parameters
        ----------
        matrix, labels, bucket
            As for `fit`; rows of unknown outcome are left out.
        capacity : int or float, optional
            Where to read the lift; see `evaluation.metrics.binary_report`.

        Returns
        -------
        Evaluation
            Warns if rows are of as-ofs that the model learned from, and if there is no baseline because the
            model was read from files.
        """
        _check_keys(matrix, labels, bucket)
        self.event.booster.check_schema(matrix.schema)
        rows = np.flatnonzero(~np.isnan(labels.value))
        values = np.ascontiguousarray(matrix.values[rows])
        seen = int(np.isin(labels.as_of[rows], [*self.facts.train, *self.facts.calibration]).sum())
        warnings = [*self.warnings]
        if seen:
            warnings.append(f"{seen:,} of {rows.size:,} rows are of as-ofs the model learned from: no test")
        if self.baseline is None:
            warnings.append("no baseline: it is not saved with the model")
        return evaluate(
            labels.value[rows],
            self.event.probability(values),
            held_out=f"{rows.size:,} rows given",
            baseline=None if self.baseline is None else self.baseline.predict(values),
            group=bucket[rows],
            names=BUCKETS,
            capacity=capacity,
            warnings=warnings,
        )

    def to_files(self) -> dict[str, str]:
        """Return the model as text files by name: LightGBM's text and JSON, no code."""
        state = {
            "format": FORMAT,
            "schema": self.event.booster.schema.hash,
            "target": self.target.model_dump(),
            "event": self.event.to_state(),
            "shares": self.shares.to_state(),
            "thin_file": self.thin_file.to_state() if self.thin_file else None,
            "options": self.options.model_dump(exclude={"threads"}),
            "facts": self.facts.to_state(),
        }
        return {TEXT_FILE: self.event.booster.text, STATE_FILE: readable_json(state)}

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
        missing = [name for name in (TEXT_FILE, STATE_FILE) if name not in files]
        if missing:
            msg = f"A payment model needs {', '.join(missing)}; found {sorted(files)}."
            raise BundleError(msg)
        state = json.loads(files[STATE_FILE])
        if state.get("format") != FORMAT:
            msg = f"{STATE_FILE} has format {state.get('format')!r}; this release reads {FORMAT}."
            raise BundleError(msg)
        if state["schema"] != schema.hash:
            msg = f"The model knows schema {state['schema'][:12]}, got {schema.hash[:12]}."
            raise SchemaMismatch(msg)
        return cls(
            target=PaymentTarget(**state["target"]),
            event=EventModel.from_state(files[TEXT_FILE], state["event"], schema),
            shares=RecoveredShares.from_state(state["shares"]),
            thin_file=ThinFile.from_state(state["thin_file"]) if state["thin_file"] else None,
            options=BoosterOptions(**state["options"]),
            facts=TrainingFacts.from_state(state["facts"]),
        )


def _check_keys(matrix: FeatureMatrix, labels: Labels, bucket: NDArray[np.int8]) -> None:
    same = np.array_equal(matrix.account, labels.account) and np.array_equal(matrix.as_of, labels.as_of)
    if not same or bucket.shape != matrix.account.shape:
        msg = (
            f"Features, labels and buckets must be of the same pairs in the same order; got "
            f"{matrix.account.size:,}, {labels.account.size:,} and {bucket.size:,} rows."
        )
        raise ContractError(msg)


def _warnings(rule: ThinFile | None, shares: RecoveredShares) -> Iterator[str]:
    if rule is None:
        yield "thin files are not flagged: no rule, or its columns are not among the features"
    if not shares.rows_paid[-1]:
        yield "amounts recovered are not known: expected recovery takes the least that the labels say"


def _validation(
    fit: EventFit, y: Floats, bucket: NDArray[np.int8], facts: TrainingFacts
) -> Evaluation | None:
    if not fit.held_out.size:
        return None
    days = [format_instant(instant, "UTC")[:10] for instant in facts.test]
    where = f"test slice {days[0]} to {days[-1]}" if days else "out of fold, by debtor"
    return evaluate(
        y[fit.held_out],
        fit.probability,
        held_out=where,
        baseline=fit.baseline_probability,
        group=bucket[fit.held_out],
        names=BUCKETS,
        warnings=facts.warnings,
    )
