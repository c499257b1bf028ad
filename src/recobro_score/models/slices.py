"""Which rows train, calibrate and test: apart in time, and no debtor both learned from and tested on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recobro_score.calendars import US_PER_DAY, format_instant
from recobro_score.errors import ContractError, NotEnoughData
from recobro_score.timeline import debtor_folds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from recobro_score.timeline import Split

    Ints = NDArray[np.int64]

FOLDS = 5
"""Groups of debtors."""
MANY_TEST_ROWS = 50_000
"""Of a larger test slice one group of debtors judges: it is enough, and spares four trainings."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Row positions of the three temporal slices."""

    train: Ints
    calibration: Ints
    test: Ints

    def folds(self, groups: NDArray[Any]) -> Iterator[Slices]:
        """Yield slices that test the debtors of one group and learn from those of all others.

        The groups are those of `recobro_score.timeline.Split.rows`. Together the test parts are the test
        slice, or one group's part of it where it has more than `MANY_TEST_ROWS` rows.

        Parameters
        ----------
        groups : array of shape (n,)
            Debtor of each row.
        """
        fold = folds_of(groups)
        for k in range(FOLDS if self.test.size <= MANY_TEST_ROWS else 1):
            tested = fold == k
            if tested[self.test].any():
                yield Slices(
                    self.train[~tested[self.train]],
                    self.calibration[~tested[self.calibration]],
                    self.test[tested[self.test]],
                )

    def require_apart(self) -> None:
        """Refuse a row in two slices: what a model was fitted on neither calibrates nor judges it.

        Raises
        ------
        ContractError
            With the number of rows and examples.
        """
        parts = {"training": self.train, "calibration": self.calibration, "test": self.test}
        for (name, one), (other_name, other) in combinations(parts.items(), 2):
            shared = np.intersect1d(one, other)
            if shared.size:
                rows = f"{shared.size:,} rows, for example {shared[:5].tolist()}"
                msg = f"the {name} and the {other_name} slice share {rows}: no row may be in two slices"
                raise ContractError(msg)


def folds_of(groups: NDArray[Any]) -> Ints:
    """Return the fold of every row, 0 … `FOLDS` − 1, the same for all rows of a debtor."""
    return debtor_folds(pa.array(groups).cast(pa.string()), FOLDS)


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
