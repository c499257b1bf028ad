"""Binary search in the rows of one owner."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.compiled import lent


@lent
def first_not_before(times: NDArray[np.int64], low: int, high: int, instant: int) -> int:
    """Return the first position in ``[low, high)`` whose time is not before the instant."""
    while low < high:
        middle = (low + high) // 2
        if times[middle] < instant:
            low = middle + 1
        else:
            high = middle
    return low
