"""All calibrators under one roof: which there are, how each is fitted, and how it is read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recobro_score.errors import BundleError, ConfigError
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.calibration.segments import SegmentedCalibrator
from recobro_score.models.calibration.steps import IsotonicCalibrator, VennAbers
from recobro_score.models.payment.curve import CurveCell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.integer[Any]]

CalibrationMethod = Literal["beta", "platt", "isotonic", "venn_abers"]
AnyCalibrator = Calibrator | IsotonicCalibrator | VennAbers | SegmentedCalibrator | CurveCell
"""Increasing maps from margin to probability; the segmented one within each segment."""

_READERS: dict[str, type[IsotonicCalibrator | VennAbers | SegmentedCalibrator | CurveCell]] = {
    "isotonic": IsotonicCalibrator,
    "venn_abers": VennAbers,
    "segmented": SegmentedCalibrator,
    "curve": CurveCell,
}


def fit_calibrator(
    margin: Floats,
    y: Floats,
    *,
    method: CalibrationMethod = "beta",
    segment: Codes | None = None,
    weight: Floats | None = None,
) -> AnyCalibrator:
    """Fit one calibrator on rows that the booster did not see.

    Parameters
    ----------
    margin, y : ndarray of shape (n,)
        Margins, and outcomes (0 or 1).
    method : {'beta', 'platt', 'isotonic', 'venn_abers'}
        ``beta`` and ``platt`` keep the order of the margins, the other two tie it. Too few rows for any give
        the fallbacks of `Calibrator.fit`, with its note.
    segment : integer ndarray of shape (n,), optional
        Calibrate per segment too; for ``beta`` and ``platt`` alone.
    weight : ndarray of shape (n,), optional
        Importance weights: a row of weight 2 counts like the row twice.

    Raises
    ------
    ContractError
        If lengths differ, margins are not finite or outcomes not 0 or 1.
    ConfigError
        If segments are asked for with a method that has no log-odds to shift.
    """
    if method in ("beta", "platt"):
        overall = Calibrator.fit(margin, y, method=method, weight=weight)
        if segment is None:
            return overall
        return SegmentedCalibrator.fit(margin, y, segment, overall=overall, weight=weight)
    if segment is not None:
        msg = f"segments are calibrated with beta or platt, not with {method}"
        raise ConfigError(msg)
    fallback = Calibrator.fit(margin, y, method="platt", weight=weight)
    if fallback.note:
        return fallback
    kind = IsotonicCalibrator if method == "isotonic" else VennAbers
    return kind.fit(margin, y, weight=weight)


def calibrated(calibrator: AnyCalibrator, margin: Floats, segment: Codes | None) -> Floats:
    """Return probabilities; `segment` matters to a segmented calibrator alone.

    Parameters
    ----------
    calibrator : any of `AnyCalibrator`
    margin : ndarray of shape (n,)
    segment : integer ndarray of shape (n,) or None
    """
    if isinstance(calibrator, SegmentedCalibrator):
        return calibrator.probability(margin, segment)
    return calibrator.probability(margin)


def calibrator_from_state(state: dict[str, Any]) -> AnyCalibrator:
    """Return the calibrator of a saved state.

    Raises
    ------
    BundleError
        If the state is not what its method asks for.
    """
    if not isinstance(state.get("method"), str):
        msg = f"A calibrator's state names its method, got {sorted(state)}."
        raise BundleError(msg)
    return _READERS.get(state["method"], Calibrator).from_state(state)
