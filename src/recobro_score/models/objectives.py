"""What a candidate is judged by on one test month: the log loss, or the profit of acting on its list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from recobro_score.errors import ConfigError, ContractError
from recobro_score.evaluation.metrics import log_loss
from recobro_score.money import MISSING_MONEY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """What happened on the rows of a test month.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes, 0 or 1.
    exposure, recovered : int64 ndarray of shape (n,)
        Minor units; `MISSING_MONEY` where unknown.
    """

    y: Floats
    exposure: Ints
    recovered: Ints


class Objective(Protocol):
    """Judges calibrated probabilities; the less the better."""

    @property
    def name(self) -> str:
        """What the loss is called in tables."""

    def loss(self, p: Floats, rows: JudgedRows) -> float:
        """Return the loss of probabilities of shape (n,)."""


@dataclass(frozen=True, slots=True)
class LogLoss:
    """Mean negative log-likelihood in nats."""

    name: str = "log_loss"

    def loss(self, p: Floats, rows: JudgedRows) -> float:
        """Return the log loss."""
        return log_loss(rows.y, p).value


@dataclass(frozen=True, slots=True)
class ListCost:
    """Minus the profit per account of working a list: what its accounts paid, less what working it cost.

    The list holds the accounts of the highest ``p × exposure − cost``, as many as capacity allows and as are
    worth it. What they paid counts whole, so this judges the order of a list, not the effect of working it.

    Parameters
    ----------
    capacity : float
        Share of the accounts that can be worked, in (0, 1].
    cost : float
        Of working one account, in minor units of the one currency that all rows are in.

    Raises
    ------
    ConfigError
        If capacity or cost cannot be.
    """

    capacity: float
    cost: float = 0.0
    name: str = "list_cost"

    def __post_init__(self) -> None:
        if not 0 < self.capacity <= 1 or not 0 <= self.cost < float("inf"):
            msg = f"capacity must lie in (0, 1] and cost be at least 0, got {self.capacity} and {self.cost}"
            raise ConfigError(msg)

    def loss(self, p: Floats, rows: JudgedRows) -> float:
        """Return minus the mean profit per account in minor units.

        Raises
        ------
        ContractError
            If what was due or recovered is not known for some rows.
        """
        unknown = (rows.recovered == MISSING_MONEY) | (rows.exposure == MISSING_MONEY)
        if unknown.any():
            msg = f"{int(unknown.sum()):,} of {unknown.size:,} rows have no known amounts: no profit to count"
            raise ContractError(msg)
        worth = p * rows.exposure - self.cost
        listed = np.argsort(-worth, kind="stable")[: round(self.capacity * p.size)]
        listed = listed[worth[listed] > 0]
        profit = float(rows.recovered[listed].sum()) - self.cost * listed.size
        return -profit / p.size
