"""The shared course of every model of one event: order the rows, fit, calibrate, score held-out rows.

Calibration never sees a row the booster trained on: with a temporal split it uses later as-ofs, on a single
snapshot the out-of-fold margins of a k-fold by debtor. Which of the two is part of the model.

The model learns from every debtor, since it is to score the same ones again. It is judged on debtors that
were never learned from: each group of them by a booster and a calibrator of the others, at later as-ofs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recobro_score.errors import NotEnoughData
from recobro_score.models.baseline import LogisticBaseline
from recobro_score.models.booster import Booster, BoosterOptions, require_enough
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.calibration.family import (
    AnyCalibrator,
    CalibrationMethod,
    calibrated,
    calibrator_from_state,
    fit_calibrator,
)
from recobro_score.models.scores import STANDARD_THIN_FILE, ThinFile
from recobro_score.models.slices import FOLDS, folds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.slices import Slices

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Groups = NDArray[Any]
    Codes = NDArray[np.integer[Any]]
    Calibrate = Callable[[Floats, Ints], AnyCalibrator]
    """From margins that no booster had seen, and the positions of their rows, to a calibrator."""

CalibrationKind = Literal["later_slice", "out_of_fold", "assumed"]

MIN_PER_CLASS = 20
UNCALIBRATED = Calibrator("identity", 1.0, 1.0, 0.0, 0, 0, "not calibrated")


class EventOptions(BoosterOptions):
    """How to train, to calibrate and to flag; wherever `BoosterOptions` are taken, these are too.

    Parameters
    ----------
    calibration : {'beta', 'platt', 'isotonic', 'venn_abers'}
        See `recobro_score.models.calibration.family.fit_calibrator`.
    by_bucket : bool
        Whether buckets with enough events are calibrated on their own, leaning on the whole: see
        `recobro_score.models.calibration.segments`. With ``beta`` or ``platt``.
    thin_file : ThinFile or None
        Rule for the flag. Where it is None, or names columns that the schema has not, no account is flagged
        and a warning says so.
    """

    calibration: CalibrationMethod = "beta"
    by_bucket: bool = False
    thin_file: ThinFile | None = STANDARD_THIN_FILE

    @classmethod
    def of(cls, options: BoosterOptions | None) -> EventOptions:
        """Return the same options, with the defaults of calibration where they say nothing of it."""
        if isinstance(options, EventOptions):
            return options
        return cls(**options.model_dump()) if options else cls()


@dataclass(frozen=True, slots=True)
class EventModel:
    """A booster with its calibrator.

    Parameters
    ----------
    booster : Booster
    calibrator : any of `recobro_score.models.calibration.family.AnyCalibrator`
    calibration_kind : {'later_slice', 'out_of_fold', 'assumed'}
        Which rows the calibrator was fitted on; ``assumed``: none, the probabilities are assumptions.
    """

    booster: Booster
    calibrator: AnyCalibrator
    calibration_kind: CalibrationKind

    def probability(self, values: Floats, *, segment: Codes | None = None, threads: int = 1) -> Floats:
        """Return calibrated probabilities of a feature matrix's values.

        Parameters
        ----------
        values : ndarray of shape (n, p)
        segment : integer ndarray of shape (n,), optional
            Bucket of each row, for a calibrator that is segmented by it.
        threads : int
            Changes nothing but the time.
        """
        return calibrated(self.calibrator, self.booster.margin(values, threads=threads), segment)

    def to_state(self) -> dict[str, Any]:
        """Return all but the booster's text as JSON values."""
        return {"calibrator": self.calibrator.to_state(), "calibration_kind": self.calibration_kind}

    @classmethod
    def from_state(cls, text: str, state: dict[str, Any], schema: ColumnSchema) -> EventModel:
        """Return the model of a booster's text and `to_state`."""
        calibrator = calibrator_from_state(state["calibrator"])
        return cls(Booster(text, schema), calibrator, state["calibration_kind"])


@dataclass(frozen=True, slots=True)
class Fold:
    """Held-out rows of some debtors, and what was learned from other debtors to judge them by.

    Parameters
    ----------
    held_out : int64 ndarray of shape (h,)
        Positions in the arrays given.
    margin, beside : ndarray of shape (h,)
        Their margins, and the baseline's probabilities.
    calibration : int64 ndarray of shape (c,)
        Positions of rows of other debtors, for a calibrator of the margins.
    calibration_margin : ndarray of shape (c,)
        Theirs, each from a booster that had not seen the row.
    """

    held_out: Ints
    margin: Floats
    beside: Floats
    calibration: Ints
    calibration_margin: Floats


@dataclass(frozen=True, slots=True)
class EventFit:
    """A fitted model, and what its like says of debtors that neither booster nor calibrator had seen.

    Parameters
    ----------
    model : EventModel
    baseline : LogisticBaseline
        Fitted on the booster's rows.
    learned : int64 ndarray
        Positions in the arrays given: rows of the model and its calibrator.
    calibration : int64 ndarray of shape (c,)
        Positions of the calibrator's rows.
    calibration_margin : ndarray of shape (c,)
        Their margins, each from a booster that had not seen the row.
    folds : tuple of Fold
        No row is held out in two of them.
    probability : ndarray of shape (k,)
        Of the held-out rows, each from a booster and a calibrator of other debtors.
    """

    model: EventModel
    baseline: LogisticBaseline
    learned: Ints
    calibration: Ints
    calibration_margin: Floats
    folds: tuple[Fold, ...]
    probability: Floats

    @property
    def held_out(self) -> Ints:
        """Positions of the k held-out rows, fold after fold."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *(fold.held_out for fold in self.folds)])

    @property
    def baseline_probability(self) -> Floats:
        """What the baseline of other debtors says of the held-out rows, shape (k,)."""
        return np.concatenate([np.zeros(0), *(fold.beside for fold in self.folds)])

    def recalibrated(self, calibrate: Calibrate, segment: Codes | None = None) -> EventFit:
        """Return the same boosters with other calibrators.

        Parameters
        ----------
        calibrate : callable
            Called with margins that no booster had seen and the positions of their rows; once more per fold,
            with those of other debtors.
        segment : integer ndarray of shape (n,), optional
            Segment of every row, for a calibrator that asks for it.
        """
        found = [np.zeros(0)]
        for fold in self.folds:
            other = calibrate(fold.calibration_margin, fold.calibration)
            codes = None if segment is None else segment[fold.held_out]
            found.append(calibrated(other, fold.margin, codes))
        model = replace(self.model, calibrator=calibrate(self.calibration_margin, self.calibration))
        return replace(self, model=model, probability=np.concatenate(found))


def fit_event(
    values: Floats,
    y: Floats,
    *,
    schema: ColumnSchema,
    options: BoosterOptions,
    groups: Groups,
    slices: Slices | None = None,
    segment: Codes | None = None,
    weight: Floats | None = None,
) -> EventFit:
    """Train, calibrate on rows the booster did not see, and score rows of debtors that neither saw.

    Parameters
    ----------
    values : ndarray of shape (n, p)
        In canonical order.
    y : ndarray of shape (n,)
        Known outcomes, 0 or 1.
    schema : ColumnSchema
    options : BoosterOptions or EventOptions
    groups : array of shape (n,)
        Debtor of each row: rows of one debtor stay in one fold, whatever the order of rows.
    slices : Slices, optional
        From `temporal_slices`. Without a calibration slice the training rows are calibrated out of fold;
        without any slices all rows are, and they are also the held-out ones.
    segment : integer ndarray of shape (n,), optional
        Bucket of each row; calibrated by it if the options say so.
    weight : ndarray of shape (n,), optional
        Above 0: how much a row counts to booster, calibrator and baseline. See `fit_scorer`.

    Raises
    ------
    NotEnoughData
        If training rows, or those of a fold, are too few or of one class. Without a test slice there are no
        folds to be too few.
    ContractError
        If a row is in two slices.
    """
    options = EventOptions.of(options)
    segment = segment if options.by_bucket else None

    def calibrate(margin: Floats, rows: Ints) -> AnyCalibrator:
        return fit_calibrator(
            margin,
            y[rows],
            method=options.calibration,
            segment=None if segment is None else segment[rows],
            weight=None if weight is None else weight[rows],
        )

    rows = _Rows(values, y, groups, weight, schema, options)
    if slices is None:
        fit = _fit_folds(rows, np.arange(y.size), None)
    else:
        slices.require_apart()
        fit = (
            _fit_later(rows, slices)
            if slices.calibration.size
            else _fit_folds(rows, slices.train, slices.test)
        )
    return fit.recalibrated(calibrate, segment)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is learned from, in canonical order, and how."""

    values: Floats
    y: Floats
    groups: Groups
    weight: Floats | None
    schema: ColumnSchema
    options: EventOptions

    def take(self, rows: Ints) -> _Rows:
        values = np.ascontiguousarray(self.values[rows])
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, values=values, y=self.y[rows], groups=self.groups[rows], weight=weight)

    def booster(self) -> Booster:
        return Booster.fit(self.values, self.y, schema=self.schema, options=self.options, weight=self.weight)

    def baseline(self) -> LogisticBaseline:
        return LogisticBaseline.fit(self.values, self.y, schema=self.schema, weight=self.weight)

    def margin(self, booster: Booster) -> Floats:
        return booster.margin(self.values, threads=self.options.threads)


def _fit_later(rows: _Rows, slices: Slices) -> EventFit:
    """Return a booster of the training slice and its margins of the later one; nothing is calibrated yet."""
    seen, later = rows.take(slices.train), rows.take(slices.calibration)
    _require("training slice", seen.y)
    booster, folds = seen.booster(), []
    for part in slices.folds(rows.groups):
        others, left = rows.take(part.train), rows.take(part.test)
        _require("training slice without the debtors it is judged by", others.y, per_class=MIN_PER_CLASS // 2)
        other, beside = others.booster(), others.baseline().predict(left.values)
        margin = rows.take(part.calibration).margin(other)
        folds.append(Fold(part.test, left.margin(other), beside, part.calibration, margin))
    return EventFit(
        model=EventModel(booster, UNCALIBRATED, "later_slice"),
        baseline=seen.baseline(),
        learned=np.concatenate([slices.train, slices.calibration]),
        calibration=slices.calibration,
        calibration_margin=later.margin(booster),
        folds=tuple(folds),
        probability=np.zeros(0),
    )


def _fit_folds(rows: _Rows, train: Ints, test: Ints | None) -> EventFit:
    """Return a booster of the training rows, and the margin of each from one that did not see its debtor.

    Held out are the rows of `test`, or the training rows themselves: those of a debtor are judged by the
    booster that did not see it.
    """
    seen, fold = rows.take(train), folds_of(rows.groups)
    _require("sample", seen.y)
    margin, folds = np.zeros(train.size), []
    for k in range(FOLDS):
        mine = fold[train] == k
        others = seen.take(np.flatnonzero(~mine))
        booster = others.booster()
        margin[mine] = seen.take(np.flatnonzero(mine)).margin(booster)
        held_out = train[mine] if test is None else test[fold[test] == k]
        if held_out.size:
            left = rows.take(held_out)
            beside = others.baseline().predict(left.values)
            folds.append(Fold(held_out, left.margin(booster), beside, train[~mine], np.zeros(0)))
    known = np.zeros(rows.y.size)
    known[train] = margin
    return EventFit(
        model=EventModel(seen.booster(), UNCALIBRATED, "out_of_fold"),
        baseline=seen.baseline(),
        learned=train,
        calibration=train,
        calibration_margin=margin,
        folds=tuple(replace(each, calibration_margin=known[each.calibration]) for each in folds),
        probability=np.zeros(0),
    )


def _require(what: str, y: Floats, *, per_class: int = MIN_PER_CLASS) -> None:
    try:
        require_enough(y, per_class=per_class)
    except NotEnoughData as error:
        msg = f"The {what} has {error}"
        raise NotEnoughData(msg) from error
