"""Money as exact integers.

An amount is an int64 number of minor units (cents) of its currency, so that sums are exact in any order.
Amounts of several currencies meet only through a dated table of rates.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MISSING_MONEY = int(np.iinfo(np.int64).min)
"""The empty amount."""

DEFAULT_DIGITS = 2
_LARGEST = 2.0**51
"""Below it a float64 in major units still tells neighbouring minor units apart, in every currency."""
_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS_OF = {currency: digits for digits, names in _DIGITS.items() for currency in names.split()}


def minor_digits(currency: str) -> int:
    """Return the number of decimals of a currency's minor unit (ISO 4217): 0, 2, 3 or 4."""
    return _DIGITS_OF.get(currency, DEFAULT_DIGITS)


def to_minor(
    values: NDArray[np.float64], digits: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Turn major units into minor units, rounding half to even.

    Parameters
    ----------
    values : float64 array, shape (n,)
        Amounts in major units; NaN is missing.
    digits : int8 array, shape (n,)
        Decimals of each row's currency.

    Returns
    -------
    minor : int64 array, shape (n,)
        `MISSING_MONEY` where the value is missing or out of range.
    ok : bool array, shape (n,)
        False where the value is infinite or does not fit.
    """
    same = len(digits) > 0 and digits.min() == digits.max()
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values * _power_of_ten(digits[:1] if same else digits)
        np.rint(scaled, out=scaled)
    if len(scaled) and scaled.min() > -_LARGEST and scaled.max() < _LARGEST:
        return scaled.astype(np.int64), np.ones(len(scaled), dtype=bool)
    fits = np.abs(scaled) < _LARGEST
    minor = np.full(len(values), MISSING_MONEY, dtype=np.int64)
    minor[fits] = scaled[fits].astype(np.int64)
    return minor, fits | np.isnan(values)


def to_major(minor: NDArray[np.int64], digits: NDArray[np.int8]) -> NDArray[np.float64]:
    """Turn minor units into major units (one correctly rounded division); missing becomes NaN."""
    major = minor.astype(np.float64) / _power_of_ten(digits)
    return np.where(minor == MISSING_MONEY, np.nan, major)


def split_exact(total: int, parts: int) -> list[int]:
    """Split an amount into `parts` that differ by at most one unit and add up to it, the larger first."""
    if parts < 1:
        msg = f"an amount cannot be split into {parts} parts"
        raise ValueError(msg)
    base, extra = divmod(total, parts)
    return [base + 1] * extra + [base] * (parts - extra)


@dataclass(frozen=True, slots=True)
class Rates:
    """Dated exchange rates into one reporting currency.

    Parameters
    ----------
    reporting : str
        The currency in which values of several currencies are compared.
    rows : iterable of (currency, from_at, factor)
        From the instant `from_at` (µs UTC) on, one major unit of `currency` is worth `factor` major units of
        the reporting currency.
    """

    reporting: str
    rows: Iterable[tuple[str, int, float]] = ()
    _table: dict[str, list[tuple[int, float]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the rows by currency and date."""
        rows = tuple(sorted(self.rows))
        table: dict[str, list[tuple[int, float]]] = {}
        for currency, from_at, factor in rows:
            if not 0 < factor < np.inf:
                msg = f"the rate of {currency} must be a positive number, got {factor!r}"
                raise ConfigError(msg)
            dated = table.setdefault(currency, [])
            if dated and dated[-1][0] == from_at:
                msg = f"{currency} has two rates from the same instant on: {dated[-1][1]!r} and {factor!r}"
                raise ConfigError(msg)
            dated.append((from_at, factor))
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "_table", table)

    def factor(self, currency: str, as_of: int) -> float:
        """Return the worth of one major unit of `currency` in the reporting currency at `as_of`.

        Raises
        ------
        ConfigError
            If no rate of that currency is dated at or before `as_of`.
        """
        if currency == self.reporting:
            return 1.0
        dated = self._table.get(currency, [])
        position = bisect_right(dated, (as_of, np.inf))
        if position == 0:
            msg = (
                f"no rate from {currency} into {self.reporting} at that date: amounts of several currencies "
                "meet only through dated rates; add one under [[rates.rows]]"
            )
            raise ConfigError(msg)
        return dated[position - 1][1]


def _power_of_ten(digits: NDArray[np.int8]) -> NDArray[np.float64]:
    return np.array([1.0, 10.0, 100.0, 1_000.0, 10_000.0])[digits]
