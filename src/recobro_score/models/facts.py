"""What a model learned from, kept with it: counts, dates and honest warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.features.labels import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from recobro_score.features.labels import Labels
    from recobro_score.models.event_model import EventFit
    from recobro_score.timeline import Split

FEW_EVENTS = 500
FEW_TO_CALIBRATE = 100
NOT_ELIGIBLE = ("not_open", "not_placed", "nothing_due")
"""Reasons for which there is no outcome to know, rather than one unknown."""


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What the model learned from; saved with it.

    Parameters
    ----------
    rows, events : int
        Rows with a known outcome used for training or calibration, and payers among them.
    unknown : dict of str to int
        Rows left out because their outcome is not known, by reason.
    train, calibration, test : tuple of int
        As-ofs in µs UTC; the last two are empty for out-of-fold calibration.
    warnings : tuple of str
        What a reader must know before trusting the model.
    """

    rows: int
    events: int
    unknown: dict[str, int]
    train: tuple[int, ...]
    calibration: tuple[int, ...]
    test: tuple[int, ...]
    warnings: tuple[str, ...]

    def to_state(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "train": list(self.train),
            "calibration": list(self.calibration),
            "test": list(self.test),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TrainingFacts:
        """Return the facts written by `to_state`."""
        lists = {name: tuple(state[name]) for name in ("train", "calibration", "test", "warnings")}
        return cls(**(state | lists))


def training_facts(
    fit: EventFit,
    labels: Labels,
    rows: NDArray[np.int64],
    split: Split | None,
    *,
    warnings: Iterable[str] = (),
) -> TrainingFacts:
    """Return the facts of a fit, with every warning that follows from them.

    Parameters
    ----------
    fit : EventFit
    labels : Labels
        All of them, unknown ones included.
    rows : int64 ndarray of shape (n,)
        Rows of the labels that were given to the fit, in its order.
    split : Split or None
    warnings : iterable of str
        Further ones; come last.
    """
    learned = rows[fit.learned]
    as_of = tuple(np.unique(labels.as_of[rows]).tolist())
    codes, counts = np.unique(labels.reason[np.isnan(labels.value)], return_counts=True)
    return TrainingFacts(
        rows=learned.size,
        events=int(labels.value[learned].sum()),
        unknown={REASONS[code]: int(count) for code, count in zip(codes, counts, strict=True)},
        train=split.train if split else as_of,
        calibration=split.calibration if split else (),
        test=split.test if split else (),
        warnings=(*_warnings(fit, labels, learned), *warnings),
    )


def _warnings(fit: EventFit, labels: Labels, learned: NDArray[np.int64]) -> Iterator[str]:
    calibrator, events = fit.model.calibrator, int(labels.value[learned].sum())
    if min(events, learned.size - events) < FEW_EVENTS:
        yield f"only {events:,} events among {learned.size:,} rows to learn from"
    if fit.model.calibration_kind == "out_of_fold":
        yield "calibrated out of fold, not on a later time: later months may differ"
    if calibrator.note:
        yield calibrator.note
    elif calibrator.events < FEW_TO_CALIBRATE:
        spread = 2 / np.sqrt(calibrator.events)
        yield f"calibrated on {calibrator.events} events: the level is uncertain by ± {spread:.0%}"
    eligible = ~np.isin(labels.reason, [REASONS.index(reason) for reason in NOT_ELIGIBLE])
    unknown = int(np.isnan(labels.value[eligible]).sum())
    if 2 * unknown > eligible.sum():
        yield f"{unknown:,} of {int(eligible.sum()):,} rows have no known outcome and were left out"
    if not fit.held_out.size:
        yield "no test slice with known outcomes: the model has not been judged"
