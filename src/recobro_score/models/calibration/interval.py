"""The interval beside a probability: Venn-Abers on the calibrator's own rows, thin files apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.errors import BundleError
from recobro_score.models.calibration.steps import VennAbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScoreInterval:
    """How far the rows that calibrated a model leave its probabilities open.

    The pair of `VennAbers` of all rows, widened to hold the calibrated probability. For a thin file it is
    widened further by the pair of thin files alone: whether those follow the same map is known only as far as
    there were thin files to see it on, and where there were none the interval is (0, 1).

    Parameters
    ----------
    everyone, thin : VennAbers
        Of all rows that calibrated the model, and of the thin files among them. By default of no rows: every
        interval is (0, 1).
    """

    everyone: VennAbers = field(default_factory=VennAbers)
    thin: VennAbers = field(default_factory=VennAbers)

    @classmethod
    def fit(cls, margin: Floats, y: Floats, *, thin: Mask, weight: Floats | None = None) -> ScoreInterval:
        """Return the interval of these rows.

        Parameters
        ----------
        margin, y : ndarray of shape (n,)
            Margins of rows the booster did not see, and outcomes (0 or 1).
        thin : bool ndarray of shape (n,)
            Which of them are thin files.
        weight : ndarray of shape (n,), optional
            Importance weights.

        Raises
        ------
        ContractError
            If lengths differ, margins are not finite or outcomes not 0 or 1.
        """
        weight = np.ones(y.size) if weight is None else weight
        return cls(
            VennAbers.fit(margin, y, weight=weight),
            VennAbers.fit(margin[thin], y[thin], weight=weight[thin]),
        )

    def around(self, probability: Floats, margin: Floats, *, thin: Mask) -> tuple[Floats, Floats]:
        """Return ``p_low`` and ``p_high``.

        Parameters
        ----------
        probability, margin : ndarray of shape (n,)
            Calibrated probabilities and the margins they belong to.
        thin : bool ndarray of shape (n,)
            Which rows are thin files.

        Returns
        -------
        two ndarrays of shape (n,)
            ``0 ≤ p_low ≤ probability ≤ p_high ≤ 1``.
        """
        low, high = self.everyone.pair(margin)
        thin_low, thin_high = self.thin.pair(margin)
        low = np.where(thin, np.minimum(low, thin_low), low)
        high = np.where(thin, np.maximum(high, thin_high), high)
        return np.minimum(low, probability), np.maximum(high, probability)

    def to_state(self) -> dict[str, Any]:
        """Return the interval as plain JSON values."""
        return {"everyone": self.everyone.to_state(), "thin": self.thin.to_state()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ScoreInterval:
        """Return the interval of a saved state.

        Raises
        ------
        BundleError
            If keys are missing or unknown, or steps do not rise.
        """
        if set(state) != set(cls.__dataclass_fields__):
            msg = f"An interval's state has {sorted(cls.__dataclass_fields__)}, got {sorted(state)}."
            raise BundleError(msg)
        return cls(**{name: VennAbers.from_state(value) for name, value in state.items()})
