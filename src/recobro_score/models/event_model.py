"""The shared course of every model of one event: order the rows, fit, calibrate, score held-out rows.

Calibration never sees a row the booster trained on: with a temporal split it uses later as-ofs, on a single
snapshot the out-of-fold margins of a k-fold by debtor. Which of the two is part of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recobro_score.calendars import US_PER_DAY, format_instant
from recobro_score.errors import ContractError, NotEnoughData
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
from recobro_score.timeline import debtor_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema
    from recobro_score.timeline import Split

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Groups = NDArray[Any]
    Codes = NDArray[np.integer[Any]]
    Calibrate = Callable[[Floats, Ints], AnyCalibrator]
    """From margins that no booster had seen, and the positions of their rows, to a calibrator."""

CalibrationKind = Literal["later_slice", "out_of_fold", "assumed"]

MIN_PER_CLASS = 20
FOLDS = 5
UNCALIBRATED = Calibrator("identity", 1.0, 1.0, 0.0, 0, 0, "not calibrated")


class EventOptions(BoosterOptions):
    """How to train and how to calibrate; wherever `BoosterOptions` are taken, these are too.

    Parameters
    ----------
    calibration : {'beta', 'platt', 'isotonic', 'venn_abers'}
        See `recobro_score.models.calibration.family.fit_calibrator`.
    by_bucket : bool
        Whether buckets with enough events are calibrated on their own, leaning on the whole: see
        `recobro_score.models.calibration.segments`. With ``beta`` or ``platt``.
    """

    calibration: CalibrationMethod = "beta"
    by_bucket: bool = False

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
class EventFit:
    """A fitted model and what it says of rows that neither booster nor calibrator saw.

    Parameters
    ----------
    model : EventModel
    baseline : LogisticBaseline
        Fitted on the booster's rows.
    learned, held_out : int64 ndarrays
        Positions in the arrays given: rows of the model and its calibrator, and the k held-out rows. They
        share rows only out of fold, where each was scored by a booster and a calibrator that had not seen it.
    calibration : int64 ndarray of shape (c,)
        Positions of the calibrator's rows.
    calibration_margin : ndarray of shape (c,)
        Their margins, each from a booster that had not seen the row.
    held_out_margin, probability, baseline_probability : ndarray of shape (k,)
        Of the held-out rows.
    fold : int64 ndarray of shape (k,) or None
        Fold of each held-out row where those are the calibrator's rows too; None where they are not.
    """

    model: EventModel
    baseline: LogisticBaseline
    learned: Ints
    held_out: Ints
    calibration: Ints
    calibration_margin: Floats
    held_out_margin: Floats
    probability: Floats
    baseline_probability: Floats
    fold: Ints | None = None

    def recalibrated(self, calibrate: Calibrate, segment: Codes | None = None) -> EventFit:
        """Return the same booster with another calibrator, and its probabilities of the held-out rows.

        Where the held-out rows are the calibrator's, those of a fold come from a calibrator of the other
        folds, so that no calibrator is judged on its own rows.

        Parameters
        ----------
        calibrate : callable
            Called with margins that no booster had seen and the positions of their rows.
        segment : integer ndarray of shape (n,), optional
            Segment of every row, for a calibrator that asks for it.
        """
        model = replace(self.model, calibrator=calibrate(self.calibration_margin, self.calibration))
        codes = None if segment is None else segment[self.held_out]
        if self.fold is None:
            found = calibrated(model.calibrator, self.held_out_margin, codes)
            return replace(self, model=model, probability=found)
        found = np.zeros(self.held_out.size)
        for k in range(FOLDS):
            mine = self.fold == k
            others = calibrate(self.calibration_margin[~mine], self.calibration[~mine])
            found[mine] = calibrated(
                others, self.held_out_margin[mine], None if codes is None else codes[mine]
            )
        return replace(self, model=model, probability=found)


@dataclass(frozen=True, slots=True)
class Slices:
    """Row positions of the three temporal slices."""

    train: Ints
    calibration: Ints
    test: Ints


def canonical_order(account_ids: Sequence[str] | pa.Array, as_of: Ints) -> Ints:
    """Return the order by account id, then as-of: training sorts by it, so that row order cannot matter."""
    ids = account_ids if isinstance(account_ids, (pa.Array, pa.ChunkedArray)) else pa.array(account_ids)
    table = pa.table({"id": ids, "as_of": pa.array(as_of)})
    order = pc.sort_indices(table, sort_keys=[("id", "ascending"), ("as_of", "ascending")])
    return np.asarray(order.to_numpy(), dtype=np.int64)


def temporal_slices(as_of: Ints, split: Split, *, horizon_days: float) -> Slices:
    """Return the rows of each slice after checking that no label window reaches into the next slice.

    Parameters
    ----------
    as_of : int64 ndarray of shape (n,)
        Of the rows with a known outcome.
    split : Split
        As-ofs of the slices; those of calibration or test may be none.
    horizon_days : float
        Length of the label windows.

    Raises
    ------
    ContractError
        If slices overlap, or one begins before the label windows of the one before it have ended.
    NotEnoughData
        If a calibration slice is asked for and has no rows.
    """
    horizon = round(horizon_days * US_PER_DAY)
    parts = {"training": split.train, "calibration": split.calibration, "test": split.test}
    for (before, earlier), (after, later) in combinations(parts.items(), 2):
        if earlier and later and min(later) < max(earlier) + horizon:
            begin, end = (format_instant(instant, "UTC") for instant in (min(later), max(earlier) + horizon))
            msg = f"{after} begins {begin}, but label windows of {before} end {end}: they must not overlap."
            raise ContractError(msg)
    found = [np.flatnonzero(np.isin(as_of, np.array(part, dtype=np.int64))) for part in parts.values()]
    if split.calibration and not found[1].size:
        msg = f"The calibration slice ({len(split.calibration)} as-ofs) has no rows with a known outcome."
        raise NotEnoughData(msg)
    return Slices(*found)


def fit_event(
    values: Floats,
    y: Floats,
    *,
    schema: ColumnSchema,
    options: BoosterOptions,
    groups: Groups,
    slices: Slices | None = None,
    segment: Codes | None = None,
) -> EventFit:
    """Train, calibrate on rows the booster did not see, and score rows that neither saw.

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

    Raises
    ------
    NotEnoughData
        If training rows, or those of a fold, are too few or of one class.
    ContractError
        If a row is in two slices.
    """
    options = EventOptions.of(options)
    segment = segment if options.by_bucket else None

    def calibrate(margin: Floats, rows: Ints) -> AnyCalibrator:
        codes = None if segment is None else segment[rows]
        return fit_calibrator(margin, y[rows], method=options.calibration, segment=codes)

    fit = _fit_unseen(values, y, groups, schema=schema, options=options, slices=slices)
    return fit.recalibrated(calibrate, segment)


def _fit_unseen(
    values: Floats,
    y: Floats,
    groups: Groups,
    *,
    schema: ColumnSchema,
    options: EventOptions,
    slices: Slices | None,
) -> EventFit:
    """Return boosters' margins of rows that they had not seen; nothing is calibrated yet."""
    if slices is None:
        return _fit_folds(values, y, groups, schema=schema, options=options)
    _require_apart(slices)
    train, later, test = slices.train, slices.calibration, slices.test
    seen = _rows(values, train)
    if later.size:
        _require("training slice", y[train])
        booster = Booster.fit(seen, y[train], schema=schema, options=options)
        margin = booster.margin(_rows(values, later), threads=options.threads)
        baseline = LogisticBaseline.fit(seen, y[train], schema=schema)
        model = EventModel(booster, UNCALIBRATED, "later_slice")
    else:
        folds = _fit_folds(seen, y[train], groups[train], schema=schema, options=options)
        model, baseline, margin = folds.model, folds.baseline, folds.calibration_margin
    tested = _rows(values, test)
    return EventFit(
        model=model,
        baseline=baseline,
        learned=np.concatenate([train, later]),
        held_out=test,
        calibration=later if later.size else train,
        calibration_margin=margin,
        held_out_margin=model.booster.margin(tested, threads=options.threads),
        probability=np.full(test.size, np.nan),
        baseline_probability=baseline.predict(tested),
    )


def _fit_folds(
    values: Floats, y: Floats, groups: Groups, *, schema: ColumnSchema, options: EventOptions
) -> EventFit:
    """Return every row's margin from a booster that did not see its debtor, and a booster of all rows."""
    _require("sample", y)
    fold = debtor_folds(pa.array(groups).cast(pa.string()), FOLDS)
    margin, other = np.zeros(y.size), np.zeros(y.size)
    for k in range(FOLDS):
        seen, left = fold != k, _rows(values, fold == k)
        booster = Booster.fit(_rows(values, seen), y[seen], schema=schema, options=options)
        margin[~seen] = booster.margin(left, threads=options.threads)
        other[~seen] = LogisticBaseline.fit(_rows(values, seen), y[seen], schema=schema).predict(left)
    booster = Booster.fit(np.ascontiguousarray(values), y, schema=schema, options=options)
    everything = np.arange(y.size)
    return EventFit(
        model=EventModel(booster, UNCALIBRATED, "out_of_fold"),
        baseline=LogisticBaseline.fit(values, y, schema=schema),
        learned=everything,
        held_out=everything,
        calibration=everything,
        calibration_margin=margin,
        held_out_margin=margin,
        probability=np.full(y.size, np.nan),
        baseline_probability=other,
        fold=fold,
    )


def _require_apart(slices: Slices) -> None:
    """Refuse a row in two slices: what a model was fitted on neither calibrates nor judges it."""
    parts = {"training": slices.train, "calibration": slices.calibration, "test": slices.test}
    for (name, one), (other_name, other) in combinations(parts.items(), 2):
        shared = np.intersect1d(one, other)
        if shared.size:
            rows = f"{shared.size:,} rows, for example {shared[:5].tolist()}"
            msg = f"the {name} and the {other_name} slice share {rows}: no row may be in two slices"
            raise ContractError(msg)


def _require(what: str, y: Floats) -> None:
    try:
        require_enough(y, per_class=MIN_PER_CLASS)
    except NotEnoughData as error:
        msg = f"The {what} has {error}"
        raise NotEnoughData(msg) from error


def _rows(values: Floats, rows: Ints | NDArray[np.bool_]) -> Floats:
    return np.ascontiguousarray(values[rows])
