"""`PaymentCurve`: P(recovers ≥ share within horizon) for a whole grid, coherent by construction.

One margin, and on it a chain of discrete hazards. For the lowest share, with ``F_0 = 0``,

    F1_k = F1_{k−1} + h1_k · (1 − F1_{k−1}),

where ``h1_k`` is the probability to get there in interval k given not before; for a higher share

    F2_k = F2_{k−1} + h2_k · (F1_k − F2_{k−1}),

where ``h2_k`` is asked of those who have reached the lower share by the end of interval k, and not the higher
one before it. So the probability never falls with the horizon and never rises with the share. Each hazard
is an increasing function of the margin, hence so is every cell (``F2_k = (1 − h2_k) · F2_{k−1} + h2_k ·
F1_k``): the reasons for the margin are the reasons for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.errors import BundleError, ColumnNotFound, NotEnoughData
from recobro_score.evaluation.logistic import sigmoid, softplus
from recobro_score.models.calibration.calibrator import MARGIN_LIMIT, Calibrator
from recobro_score.models.payment.hazards import CurveMethod, fit_hazards

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.payment.grid import PaymentGrid

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PaymentCurve:
    """The chain of hazards of a grid of horizons and shares; a few plain numbers per cell.

    Parameters
    ----------
    horizons : tuple of float
        Days, rising.
    shares : tuple of float
        Shares of the exposure, rising.
    hazards : tuple of tuple of Calibrator
        One per share and, within it, per horizon; ``rows`` and ``events`` are those at risk and the new
        payers among them, ``note`` says where a hazard leans on others of its share.
    known, paid : tuple of tuple of int
        Rows with a known label, and payers among them, per share and horizon.
    """

    horizons: tuple[float, ...]
    shares: tuple[float, ...]
    hazards: tuple[tuple[Calibrator, ...], ...]
    known: tuple[tuple[int, ...], ...]
    paid: tuple[tuple[int, ...], ...]
    _coefficients: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = [[(each.a, each.b, each.c) for each in row] for row in self.hazards]
        object.__setattr__(self, "_coefficients", np.array(rows).transpose(2, 1, 0))

    @classmethod
    def fit(
        cls,
        margin: Floats,
        grid: PaymentGrid,
        *,
        method: CurveMethod = "beta",
        weight: Floats | None = None,
    ) -> PaymentCurve:
        """Fit every hazard on the rows that were at risk in its interval and whose label is known.

        Parameters
        ----------
        margin : ndarray of shape (n,)
            Margins of rows the booster did not see.
        grid : PaymentGrid
            Their labels. Rows whose later horizons are unknown teach the earlier ones.
        method : {'beta', 'platt'}
            Form of a hazard's log-odds, see `Calibrator`.
        weight : ndarray of shape (n,), optional
            Importance weights.

        Raises
        ------
        NotEnoughData
            If a horizon has no known row: leave it out (`PaymentGrid.matured`).
        """
        known_rows = (~np.isnan(grid.value)).any(axis=2).sum(axis=0)
        if not known_rows.size or not known_rows.min():
            msg = f"each horizon needs known labels; {grid.horizons} have {known_rows.tolist()} rows"
            raise NotEnoughData(msg)
        weight = np.ones(margin.size) if weight is None else weight
        hazards = fit_hazards(margin, grid, method=method, weight=weight)
        counts = (~np.isnan(grid.value)).sum(axis=0).T, np.nansum(grid.value, axis=0).astype(np.int64).T
        known, paid = (tuple(tuple(row) for row in count.tolist()) for count in counts)
        return cls(grid.horizons, grid.shares, hazards, known, paid)

    @property
    def notes(self) -> tuple[str, ...]:
        """Where a hazard leans on others of its share, and why."""
        return tuple(hazard.note for row in self.hazards for hazard in row if hazard.note)

    def probability(self, margin: Floats) -> Floats:
        """Return every cell; elementwise in a fixed order, so one row gives the bits of a batch.

        Parameters
        ----------
        margin : ndarray of shape (n,)
            float64; infinite ones count as ±700.

        Returns
        -------
        ndarray of shape (n, horizons, shares)
            In [0, 1]; never falling along the horizons, never rising along the shares.
        """
        kept = np.clip(margin, -MARGIN_LIMIT, MARGIN_LIMIT)[:, None, None]
        a, b, c = self._coefficients
        hazard = sigmoid((c - a * softplus(-kept)) + b * softplus(kept))
        cells = np.empty(hazard.shape)
        for share in range(len(self.shares)):
            before: Floats = np.zeros(margin.size)
            for interval in range(len(self.horizons)):
                above = cells[:, interval, share - 1] if share else np.ones(margin.size)
                risen = before + hazard[:, interval, share] * (above - before)
                before = np.minimum(risen, above)  # rounding may lift the sum above by one place
                cells[:, interval, share] = before
        return cells

    def cell(self, *, horizon_days: float, share: float) -> CurveCell:
        """Return one cell as a calibrator.

        Raises
        ------
        ColumnNotFound
            If the curve has no such cell.
        """
        if horizon_days not in self.horizons or share not in self.shares:
            cells = f"horizons {self.horizons} and shares {self.shares}"
            msg = f"the curve has {cells}, not {share} within {horizon_days} days"
            raise ColumnNotFound(msg)
        return CurveCell(self, self.horizons.index(horizon_days), self.shares.index(share))

    def frame(self) -> pd.DataFrame:
        """Return one row per cell.

        Returns
        -------
        pandas.DataFrame
            ``horizon_days``, ``share``; ``known``, ``paid`` (rows); of the interval's hazard ``at_risk``,
            ``new`` (rows), ``method``, ``a``, ``b``, ``c`` (see `Calibrator`) and ``note``.
        """
        rows = [
            (
                days,
                share,
                self.known[j][k],
                self.paid[j][k],
                h.rows,
                h.events,
                h.method,
                h.a,
                h.b,
                h.c,
                h.note,
            )
            for j, share in enumerate(self.shares)
            for k, (days, h) in enumerate(zip(self.horizons, self.hazards[j], strict=True))
        ]
        names = ["horizon_days", "share", "known", "paid", "at_risk", "new", "method", "a", "b", "c", "note"]
        return pd.DataFrame(rows, columns=names)

    def to_state(self) -> dict[str, Any]:
        """Return the curve as plain JSON values."""
        return {
            "horizons": list(self.horizons),
            "shares": list(self.shares),
            "hazards": [[hazard.to_state() for hazard in row] for row in self.hazards],
            "known": [list(row) for row in self.known],
            "paid": [list(row) for row in self.paid],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PaymentCurve:
        """Return the curve of a saved state.

        Raises
        ------
        BundleError
            If keys are missing or unknown, sizes differ, or a hazard would not increase.
        """
        expected = {"horizons", "shares", "hazards", "known", "paid"}
        if set(state) != expected:
            msg = f"A curve's state has {sorted(expected)}, got {sorted(state)}."
            raise BundleError(msg)
        horizons, shares = tuple(state["horizons"]), tuple(state["shares"])
        tables = [state["hazards"], state["known"], state["paid"]]
        fits = all(len(table) == len(shares) and {*map(len, table)} == {len(horizons)} for table in tables)
        rising = all((np.diff(axis, prepend=0.0) > 0).all() for axis in (horizons, shares))
        if not fits or not rising:
            msg = f"A curve's state is not one of horizons {horizons} and shares {shares}."
            raise BundleError(msg)
        hazards = tuple(tuple(Calibrator.from_state(each) for each in row) for row in state["hazards"])
        known, paid = (tuple(tuple(row) for row in state[name]) for name in ("known", "paid"))
        return cls(horizons, shares, hazards, known, paid)


@dataclass(frozen=True, slots=True)
class CurveCell:
    """One cell of a curve, in the place of a calibrator: an increasing map from margin to probability.

    Parameters
    ----------
    curve : PaymentCurve
    horizon, share : int
        Positions of the cell.
    """

    curve: PaymentCurve
    horizon: int
    share: int
    _part: PaymentCurve = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep what the cell needs of the chain: all that comes before it."""
        k, j = self.horizon + 1, self.share + 1
        part = PaymentCurve(
            self.curve.horizons[:k],
            self.curve.shares[:j],
            tuple(row[:k] for row in self.curve.hazards[:j]),
            tuple(row[:k] for row in self.curve.known[:j]),
            tuple(row[:k] for row in self.curve.paid[:j]),
        )
        object.__setattr__(self, "_part", part)

    @property
    def rows(self) -> int:
        """How many rows have a known label."""
        return self.curve.known[self.share][self.horizon]

    @property
    def events(self) -> int:
        """How many of them paid."""
        return self.curve.paid[self.share][self.horizon]

    @property
    def note(self) -> str:
        """Where the cell leans on other intervals; empty where it does not."""
        return "; ".join(self._part.notes)

    def probability(self, margin: Floats) -> Floats:
        """Return the cell's probabilities: the bits that the whole curve has there."""
        return self._part.probability(margin)[:, -1, -1]

    def to_state(self) -> dict[str, Any]:
        """Return the cell with its curve as plain JSON values."""
        where = {"method": "curve", "horizon": self.horizon, "share": self.share}
        return where | {"curve": self.curve.to_state()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CurveCell:
        """Return the cell of a saved state.

        Raises
        ------
        BundleError
            If keys are missing or unknown, or the curve has no such cell.
        """
        if set(state) != {"method", "horizon", "share", "curve"}:
            msg = f"A curve's cell has method, horizon, share and curve, got {sorted(state)}."
            raise BundleError(msg)
        curve = PaymentCurve.from_state(state["curve"])
        if not (0 <= state["horizon"] < len(curve.horizons) and 0 <= state["share"] < len(curve.shares)):
            msg = f"The curve has no cell {state['horizon']}, {state['share']}."
            raise BundleError(msg)
        return cls(curve, state["horizon"], state["share"])
