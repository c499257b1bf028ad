"""Payment labels of several horizons and shares at once, as the curve takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.errors import ColumnNotFound, ConfigError
from recobro_score.features.label_specs import LabelSpec
from recobro_score.models.calibration.calibrator import MIN_ROWS
from recobro_score.money import MISSING_MONEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.features.label_matrix import LabelMatrix
    from recobro_score.features.labels import Labels

    Floats = NDArray[np.float64]

HORIZONS = (7, 14, 30, 60, 90)
"""Days."""
SHARES = (0.1, 0.5, 1.0)
"""Of the exposure."""


@dataclass(frozen=True, slots=True, eq=False)
class PaymentGrid:
    """Whether each share was recovered within each horizon.

    Parameters
    ----------
    horizons : tuple of float
        Days, rising.
    shares : tuple of float
        Shares of the exposure, rising.
    value : ndarray of shape (n, horizons, shares)
        1 yes, 0 no, NaN unknown.
    """

    horizons: tuple[float, ...]
    shares: tuple[float, ...]
    value: Floats

    @classmethod
    def of(cls, labels: LabelMatrix) -> PaymentGrid:
        """Return the ``pays`` labels of a matrix.

        Raises
        ------
        ConfigError
            If they do not cover every share for every horizon exactly once.
        """
        place = {
            (spec.horizon_days, spec.share): i for i, spec in enumerate(labels.specs) if spec.kind == "pays"
        }
        horizons = tuple(sorted({horizon for horizon, _ in place}))
        shares = tuple(sorted({share for _, share in place if share is not None}))
        missing = [
            f"{share:g} in {days:g} days"
            for days, share in product(horizons, shares)
            if (days, share) not in place
        ]
        if missing or not place:
            msg = f"a curve needs every share for every horizon; missing: {', '.join(missing) or 'all'}"
            raise ConfigError(msg)
        columns = [place[cell] for cell in product(horizons, shares)]
        value = labels.value[:, columns].reshape(len(labels), len(horizons), len(shares))
        return cls(horizons, shares, value)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> PaymentGrid:
        """Return some rows, given as positions or as a mask."""
        return PaymentGrid(self.horizons, self.shares, self.value[rows])

    def only(self, horizons: tuple[float, ...], shares: tuple[float, ...]) -> PaymentGrid:
        """Return some horizons and shares.

        Raises
        ------
        ColumnNotFound
            If the grid does not have them all.
        """
        absent = [*set(horizons) - set(self.horizons), *set(shares) - set(self.shares)]
        if absent:
            msg = f"the labels have horizons {self.horizons} and shares {self.shares}, without {absent}"
            raise ColumnNotFound(msg)
        columns = [self.horizons.index(days) for days in horizons]
        places = [self.shares.index(share) for share in shares]
        return PaymentGrid(horizons, shares, self.value[:, columns][:, :, places])

    def matured(self, *, always: tuple[float, ...] = ()) -> PaymentGrid:
        """Return the grid without the horizons that too few rows know (`MIN_ROWS`), `always` excepted."""
        known = (~np.isnan(self.value)).any(axis=2).sum(axis=0)
        kept = zip(self.horizons, known, strict=True)
        return self.only(tuple(h for h, rows in kept if rows >= MIN_ROWS or h in always), self.shares)


def payment_specs(
    horizons: Sequence[float] = HORIZONS, shares: Sequence[float] = SHARES
) -> tuple[LabelSpec, ...]:
    """Return the labels of a payment curve: ``pays`` for every cell, and what was recovered per horizon.

    Parameters
    ----------
    horizons : sequence of float
        Days.
    shares : sequence of float
        Shares of the exposure that count as paying.

    Examples
    --------
    >>> [spec.name for spec in payment_specs([30], [0.5, 1.0])]
    ['pays_50_in_30d', 'pays_100_in_30d', 'recovered_in_30d']
    """
    pays = (LabelSpec("pays", days, share=share) for days, share in product(horizons, shares))
    return (*pays, *(LabelSpec("recovered", days) for days in horizons))


def labels_of(labels: LabelMatrix, *, horizon_days: float, share: float) -> Labels:
    """Return one cell's labels as the models take them, with what was recovered where the matrix says it.

    Raises
    ------
    ColumnNotFound
        If the matrix has no such label.
    """
    found = labels.labels(LabelSpec("pays", horizon_days, share=share).name)
    amount = LabelSpec("recovered", horizon_days).name
    if amount not in labels.names:
        return found
    minor = np.rint(labels.column(amount) * np.power(10.0, labels.digits))
    known = found.known & np.isfinite(minor)
    recovered = np.full(len(minor), MISSING_MONEY)
    recovered[known] = minor[known].astype(np.int64)
    return replace(found, recovered=recovered)
