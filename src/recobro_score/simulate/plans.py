"""Accepted payment plans: what is still to be paid, and how they end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.simulate.arrays import I64, Bool

END_REASONS = ("completed", "broken", "expired")
COMPLETED, BROKEN, EXPIRED = range(3)
NO_PLAN = -1


@dataclass(slots=True)
class Plans:
    """The running plan of every debt; arrays of shape (n,).

    Attributes
    ----------
    number : int64 array
        Number of the running plan, `NO_PLAN` without one.
    total : int64 array
        Sum of its instalments, minor units.
    parts, done : int64 array
        Instalments in all and already paid.
    forgiven : int64 array
        The discount that completion earns, minor units.
    """

    number: I64
    total: I64
    parts: I64
    done: I64
    forgiven: I64

    @classmethod
    def none(cls, count: int) -> Plans:
        """Return `count` debts without a plan."""
        zero = np.zeros(count, dtype=np.int64)
        return cls(
            np.full(count, NO_PLAN, dtype=np.int64), zero, np.ones_like(zero), zero.copy(), zero.copy()
        )

    @property
    def running(self) -> Bool:
        """Which debts have a running plan."""
        return np.asarray(self.number != NO_PLAN, dtype=bool)

    def due(self, unit: I64) -> I64:
        """Return the next instalment of every running plan, minor units, 0 without one.

        Instalments are whole major units that differ by at most one, the larger first.
        """
        return np.where(self.running, part_amount(self.total, self.parts, self.done, unit), 0)

    def start(self, rows: I64, *, number: I64, total: I64, parts: I64, forgiven: I64) -> None:
        """Begin plans for some debts."""
        self.number[rows], self.total[rows], self.parts[rows] = number, total, parts
        self.done[rows], self.forgiven[rows] = 0, forgiven

    def advance(self, paid: Bool) -> tuple[I64, I64]:
        """Count the instalments paid; return the debts whose plans were completed and those broken."""
        running = self.running
        self.done = self.done + (running & paid)
        completed = running & paid & (self.done >= self.parts)
        broken = running & ~paid
        return np.flatnonzero(completed), np.flatnonzero(broken)

    def end(self, rows: I64) -> None:
        """Forget the plans of some debts."""
        self.number[rows] = NO_PLAN


def part_amount(total: I64, parts: I64, number: I64, unit: I64) -> I64:
    """Return instalment `number` (from 0) of a sum split into whole major units, minor units."""
    major = total // unit
    return np.asarray((major // parts + (number < major % parts)) * unit, dtype=np.int64)
