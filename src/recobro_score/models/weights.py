"""How much rows count: what every model's ``weights`` means, and what it must be.

A row of weight k counts like the row k times, one of weight 0 like a row that is not there. Their sum is how
much evidence there is: divide by the mean to leave that as it was. What is counted (rows of a leaf, fewest
rows, rows and events of a report) stays counted in rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recobro_score.errors import ContractError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def check_weights(weights: Floats | None, n: int, *, some: bool = True) -> Floats:
    """Return weights as float64 of shape (n,); ones where there are none.

    Parameters
    ----------
    weights : array-like of shape (n,) or None
    n : int
        Rows there are.
    some : bool
        Whether one of them must be above 0.

    Raises
    ------
    ContractError
        If there are more or fewer, some are negative or not finite, or none is above 0, with counts.
    """
    if weights is None:
        return np.ones(n)
    found = np.asarray(weights, dtype=np.float64)
    if found.shape != (n,):
        msg = f"{n:,} rows need as many weights, got an array of shape {found.shape}."
        raise ContractError(msg)
    wrong = int((~(np.isfinite(found) & (found >= 0))).sum())
    if wrong:
        msg = f"{wrong:,} of {n:,} weights are negative or not finite."
        raise ContractError(msg)
    if some and n and not found.any():
        msg = f"none of {n:,} weights is above 0."
        raise ContractError(msg)
    return found
