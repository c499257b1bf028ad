"""How an `EventScorer` is fitted: on labelled pairs, apart in time, judged on debtors not learned from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.data.state import BUCKETS
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.models.calibration.interval import ScoreInterval
from recobro_score.models.event_model import EventOptions, fit_event
from recobro_score.models.event_scorer import (
    NO_THIN_FILES,
    EventScorer,
    check_keys,
    where_held_out,
)
from recobro_score.models.facts import training_facts
from recobro_score.models.scores import thin_files
from recobro_score.models.slices import canonical_order, temporal_slices
from recobro_score.models.weights import check_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions
    from recobro_score.models.calibration.family import AnyCalibrator
    from recobro_score.models.event_model import Calibrate, EventFit
    from recobro_score.models.facts import TrainingFacts
    from recobro_score.timeline import Split

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ScorerFit:
    """A fitted scorer and which rows of the matrix went where.

    Parameters
    ----------
    scorer : EventScorer
    learned, calibration : int64 ndarray
        Rows of booster and calibrator; the k rows of the calibrator alone.
    calibration_margin : ndarray of shape (k,)
        Their margins, from a booster that had not seen them: the place to fit whatever else reads the margin.
    held_out : int64 ndarray of shape (h,)
        Rows of the scorer's ``validation``.
    probability : ndarray of shape (h,)
        Theirs, each from a booster and a calibrator that had not seen the debtor.
    """

    scorer: EventScorer
    learned: Ints
    calibration: Ints
    calibration_margin: Floats
    held_out: Ints
    probability: Floats
    _source: _Source = field(repr=False, compare=False)

    def recalibrated(self, calibrate: Calibrate) -> ScorerFit:
        """Return the same booster with another calibrator, and the report and the warnings of that.

        Parameters
        ----------
        calibrate : callable
            Called with margins that no booster had seen and their rows of the matrix; once more per fold of
            the report, with rows of other debtors.
        """
        source = self._source

        def of_rows(margin: Floats, positions: Ints) -> AnyCalibrator:
            return calibrate(margin, source.rows[positions])

        return _scorer_fit(replace(source, fit=source.fit.recalibrated(of_rows)))


@dataclass(frozen=True, slots=True)
class _Source:
    """What a fitted scorer is put together from; `rows` are those of the fit, in its order."""

    fit: EventFit
    matrix: FeatureMatrix
    labels: Labels
    bucket: NDArray[np.int8]
    rows: Ints
    split: Split | None
    weights: Floats | None
    options: EventOptions


def fit_scorer(
    matrix: FeatureMatrix,
    labels: Labels,
    bucket: NDArray[np.int8],
    *,
    horizon_days: float,
    split: Split | None = None,
    groups: NDArray[Any] | None = None,
    options: BoosterOptions | None = None,
    weights: Floats | None = None,
) -> ScorerFit:
    """Train, calibrate on rows the booster did not see, and evaluate on rows that neither saw.

    With a split, the booster learns from ``split.train``, the calibrator from the later ``split.calibration``
    and the report is on ``split.test``. Without one, or where ``split.calibration`` is empty, calibration is
    out of fold by debtor, and named so. Rows of unknown outcome are left out and counted. Rows are sorted by
    account id and as-of first, so their order cannot matter.

    The model learns from all debtors. The report is on debtors that were not learned from: five groups of
    them, each judged by a booster and a calibrator of the other four (`Slices.folds`), which costs about four
    more trainings; of a test slice above `MANY_TEST_ROWS` rows one group is judged, at the cost of one.

    Parameters
    ----------
    matrix : FeatureMatrix
    labels : Labels
        Of the same pairs in the same order; NaN is unknown.
    bucket : int8 ndarray of shape (n,)
        Bucket of each pair at its as-of; −1 unknown.
    horizon_days : float
        Length of the label windows: slices must leave room for it.
    split : Split, optional
        As-ofs of the three slices; pairs of other as-ofs are not used.
    groups : array of str or int of shape (n,), optional
        Debtor of each pair, for the folds; the account where absent.
    options : BoosterOptions or EventOptions, optional
        The latter say how to calibrate and to flag too.
    weights : ndarray of shape (n,), optional
        How much each pair counts to booster, calibrator, baseline, interval and report; see
        `recobro_score.models.weights`.

    Raises
    ------
    NotEnoughData
        If there are too few rows, or of one outcome, saying how many.
    ContractError
        If keys differ, slices overlap, or weights are not what they must be.
    """
    options = EventOptions.of(options)
    check_keys(matrix, labels, bucket)
    known = ~np.isnan(labels.value)
    if weights is not None:
        weights = check_weights(weights, known.size)
        known &= weights > 0
    order = canonical_order(matrix.account_ids, matrix.as_of)
    rows = order[known[order]]
    slices = temporal_slices(labels.as_of[rows], split, horizon_days=horizon_days) if split else None
    debtors = np.asarray(matrix.account_ids if groups is None else groups)
    fit = fit_event(
        matrix.values[rows],
        labels.value[rows],
        schema=matrix.schema,
        options=options,
        groups=debtors[rows],
        slices=slices,
        segment=bucket[rows],
        weight=None if weights is None else weights[rows],
    )
    return _scorer_fit(_Source(fit, matrix, labels, bucket, rows, split, weights, options))


def _scorer_fit(source: _Source) -> ScorerFit:
    fit, rows, labels, rule = source.fit, source.rows, source.labels, source.options.thin_file
    names, calibration = source.matrix.schema.names, rows[fit.calibration]
    rule = rule if rule is not None and rule.applies_to(names) else None
    facts = training_facts(fit, labels, rows, source.split, warnings=() if rule else (NO_THIN_FILES,))
    interval = ScoreInterval.fit(
        fit.calibration_margin,
        labels.value[calibration],
        thin=thin_files(rule, source.matrix.values[calibration], names),
        weight=None if source.weights is None else source.weights[calibration],
    )
    validation = _validation(source, facts)
    return ScorerFit(
        scorer=EventScorer(fit.model, rule, source.options, facts, interval, fit.baseline, validation),
        learned=rows[fit.learned],
        calibration=calibration,
        calibration_margin=fit.calibration_margin,
        held_out=rows[fit.held_out],
        probability=fit.probability,
        _source=source,
    )


def _validation(source: _Source, facts: TrainingFacts) -> Evaluation | None:
    fit, rows = source.fit, source.rows[source.fit.held_out]
    if not rows.size:
        return None
    return evaluate(
        source.labels.value[rows],
        fit.probability,
        held_out=where_held_out(facts.test),
        baseline=fit.baseline_probability,
        group=source.bucket[rows],
        names=BUCKETS,
        weight=None if source.weights is None else source.weights[rows],
    ).knowing(facts.warnings)
