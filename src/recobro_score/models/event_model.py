"""The shared course of every model of one event: order the rows, fit, calibrate, score held-out rows.

Calibration never sees a row the booster trained on: with a temporal split it uses later as-ofs, on a single
snapshot the out-of-fold margins of a k-fold by debtor. Which of the two is part of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recobro_score.calendars import US_PER_DAY, format_instant
from recobro_score.errors import ContractError, NotEnoughData
from recobro_score.models.baseline import LogisticBaseline
from recobro_score.models.booster import Booster, require_enough
from recobro_score.models.calibration import Calibrator
from recobro_score.timeline import debtor_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.timeline import Split

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Groups = NDArray[Any]

CalibrationKind = Literal["later_slice", "out_of_fold", "assumed"]

MIN_PER_CLASS = 20
FOLDS = 5


@dataclass(frozen=True, slots=True)
class EventModel:
    """A booster with its calibrator.

    Parameters
    ----------
    booster : Booster
    calibrator : Calibrator
    calibration_kind : {'later_slice', 'out_of_fold', 'assumed'}
        Which rows the calibrator was fitted on; ``assumed``: none, the probabilities are assumptions.
    """

    booster: Booster
    calibrator: Calibrator
    calibration_kind: CalibrationKind

    def probability(self, values: Floats, *, threads: int = 1) -> Floats:
        """Return calibrated probabilities of a feature matrix's values."""
        return self.calibrator.probability(self.booster.margin(values, threads=threads))

    def to_state(self) -> dict[str, Any]:
        """Return all but the booster's text as JSON values."""
        return {"calibrator": self.calibrator.to_state(), "calibration_kind": self.calibration_kind}

    @classmethod
    def from_state(cls, text: str, state: dict[str, Any], schema: ColumnSchema) -> EventModel:
        """Return the model of a booster's text and `to_state`."""
        calibrator = Calibrator.from_state(state["calibrator"])
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
    probability, baseline_probability : ndarray of shape (k,)
        Of the held-out rows.
    """

    model: EventModel
    baseline: LogisticBaseline
    learned: Ints
    held_out: Ints
    calibration: Ints
    calibration_margin: Floats
    probability: Floats
    baseline_probability: Floats


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
) -> EventFit:
    """Train, calibrate on rows the booster did not see, and score rows that neither saw.

    Parameters
    ----------
    values : ndarray of shape (n, p)
        In canonical order.
    y : ndarray of shape (n,)
        Known outcomes, 0 or 1.
    schema : ColumnSchema
    options : BoosterOptions
    groups : array of shape (n,)
        Debtor of each row: rows of one debtor stay in one fold, whatever the order of rows.
    slices : Slices, optional
        From `temporal_slices`. Without a calibration slice the training rows are calibrated out of fold;
        without any slices all rows are, and they are also the held-out ones.

    Raises
    ------
    NotEnoughData
        If training rows, or those of a fold, are too few or of one class.
    """
    if slices is None:
        return _fit_out_of_fold(values, y, groups, schema=schema, options=options)
    train = slices.train
    if slices.calibration.size:
        model, baseline, margin = _fit_later_slice(values, y, slices, schema=schema, options=options)
        calibration = slices.calibration
    else:
        folds = _fit_out_of_fold(
            _rows(values, train), y[train], groups[train], schema=schema, options=options
        )
        model, baseline, margin, calibration = folds.model, folds.baseline, folds.calibration_margin, train
    tested = _rows(values, slices.test)
    return EventFit(
        model=model,
        baseline=baseline,
        learned=np.concatenate([train, slices.calibration]),
        held_out=slices.test,
        calibration=calibration,
        calibration_margin=margin,
        probability=model.probability(tested, threads=options.threads),
        baseline_probability=baseline.predict(tested),
    )


def _fit_later_slice(
    values: Floats, y: Floats, slices: Slices, *, schema: ColumnSchema, options: BoosterOptions
) -> tuple[EventModel, LogisticBaseline, Floats]:
    train, later = slices.train, slices.calibration
    _require("training slice", y[train])
    booster = Booster.fit(_rows(values, train), y[train], schema=schema, options=options)
    margin = booster.margin(_rows(values, later), threads=options.threads)
    baseline = LogisticBaseline.fit(_rows(values, train), y[train], schema=schema)
    return EventModel(booster, Calibrator.fit(margin, y[later]), "later_slice"), baseline, margin


def _fit_out_of_fold(
    values: Floats, y: Floats, groups: Groups, *, schema: ColumnSchema, options: BoosterOptions
) -> EventFit:
    """Calibrate on margins of boosters that did not see the row's debtor.

    The held-out probabilities of a fold come from a calibrator of the other folds, so that no calibrator is
    judged on its own rows.
    """
    _require("sample", y)
    fold = debtor_folds(pa.array(groups).cast(pa.string()), FOLDS)
    margin, other, probability = np.zeros(y.size), np.zeros(y.size), np.zeros(y.size)
    for k in range(FOLDS):
        seen, left = fold != k, _rows(values, fold == k)
        booster = Booster.fit(_rows(values, seen), y[seen], schema=schema, options=options)
        margin[~seen] = booster.margin(left, threads=options.threads)
        other[~seen] = LogisticBaseline.fit(_rows(values, seen), y[seen], schema=schema).predict(left)
    for k in range(FOLDS):
        probability[fold == k] = Calibrator.fit(margin[fold != k], y[fold != k]).probability(
            margin[fold == k]
        )
    booster = Booster.fit(np.ascontiguousarray(values), y, schema=schema, options=options)
    model = EventModel(booster, Calibrator.fit(margin, y), "out_of_fold")
    baseline = LogisticBaseline.fit(values, y, schema=schema)
    everything = np.arange(y.size)
    return EventFit(model, baseline, everything, everything, everything, margin, probability, other)


def _require(what: str, y: Floats) -> None:
    try:
        require_enough(y, per_class=MIN_PER_CLASS)
    except NotEnoughData as error:
        msg = f"The {what} has {error}"
        raise NotEnoughData(msg) from error


def _rows(values: Floats, rows: Ints | NDArray[np.bool_]) -> Floats:
    return np.ascontiguousarray(values[rows])
