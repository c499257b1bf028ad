"""How well expected amounts mean what they say: predicted against recovered money, with standard errors.

Amounts are minor units of one currency each: currencies stand beside each other and are never added. Shares
of what is due are compared over all of them.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.errors import ContractError
from recobro_score.evaluation.metrics import ALL, group_masks
from recobro_score.money import minor_digits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEVELS = (0.1, 0.5, 0.9)
"""Of the quantiles that come with an expected amount."""
DECILES = 10
FEW_ROWS = 50
_TWO_SE = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Amounts:
    """Recovered and predicted money of rows, as checked arrays of shape (n,).

    Parameters
    ----------
    due, recovered : int64 ndarray
        Minor units; recovered lies in [0, due] and due is positive.
    expected : float64 ndarray
        Minor units.
    low, high : int64 ndarray
        Predicted 10 % and 90 % quantiles, minor units.
    currency : array of str
    debtor : array
        Rows of one debtor are not independent of each other.
    """

    due: Ints
    recovered: Ints
    expected: Floats
    low: Ints
    high: Ints
    currency: NDArray[Any]
    debtor: NDArray[Any]

    def __post_init__(self) -> None:
        """Check lengths and bounds."""
        sizes = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        if len(set(sizes.values())) != 1:
            msg = f"Amounts must be of the same rows, got lengths {sizes}."
            raise ContractError(msg)
        wrong = {
            "have nothing due": self.due <= 0,
            "recovered less than nothing or more than is due": (self.recovered < 0)
            | (self.recovered > self.due),
            "expect less than nothing or more than is due": ~(
                (self.expected >= 0) & (self.expected <= self.due)
            ),
        }
        problems = [
            f"{int(bad.sum()):,} of {bad.size:,} rows {what}" for what, bad in wrong.items() if bad.any()
        ]
        if problems:
            msg = "; ".join(problems) + "."
            raise ContractError(msg)

    def take(self, rows: NDArray[np.bool_] | Ints) -> Amounts:
        """Return some rows, given as a mask or as positions."""
        return Amounts(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True, repr=False)
class AmountEvaluation:
    """The report on one set of held-out rows, in money.

    Parameters
    ----------
    held_out : str
        Which rows these are, in words.
    table : pandas.DataFrame
        See `frame`.
    deciles : pandas.DataFrame
        From `decile_table`.
    warnings : tuple of str
        What a reader must know before trusting the numbers.
    """

    held_out: str
    table: pd.DataFrame
    deciles: pd.DataFrame
    warnings: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return one row per currency and group, then ``all`` of each currency.

        Returns
        -------
        pandas.DataFrame
            The columns of `amount_report`.
        """
        return self.table.copy()

    def summary(self) -> str:
        """Return the whole of each currency and every warning as a few lines of text."""
        lines = [
            f"{row['currency']}: {row['n']:,} rows, {row['due']:,.0f} due, {row['recovered']:,.0f} recovered,"
            f" {row['expected']:,.0f} expected; ratio {row['ratio']:.3f} ± {row['ratio_se']:.3f},"
            f" {row['above']:.1%} above P90, {row['below']:.1%} below P10"
            for row in self.table[self.table["group"] == ALL].to_dict("records")
        ]
        return "\n".join([self.held_out, *lines, *(f"! {warning}" for warning in self.warnings)])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        parts = [
            part.to_html(index=False, float_format="%.4g", na_rep="–", border=0)
            for part in (self.table, self.deciles)
        ]
        items = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        notes = f"<p>Warnings</p><ul>{items}</ul>" if items else ""
        return f"<div><p>{html.escape(self.held_out)}</p>{''.join(parts)}{notes}</div>"


def evaluate_amounts(
    amounts: Amounts,
    *,
    held_out: str,
    baseline: Floats | None = None,
    group: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    weight: ArrayLike | None = None,
    warnings: Sequence[str] = (),
) -> AmountEvaluation:
    """Judge expected amounts on held-out rows, next to a baseline's.

    Parameters
    ----------
    amounts : Amounts
    held_out : str
        Which rows these are, in words.
    baseline : ndarray of shape (n,), optional
        The baseline's expected amounts in minor units.
    group, names
        As for `metrics.binary_report`.
    weight : array-like of shape (n,), optional
        How much each row counts: 2 like the row twice.
    warnings : sequence of str
        What is known already; comes first.

    Raises
    ------
    ContractError
        If weights are not as many as rows, negative or not finite.
    """
    table = amount_report(amounts, baseline=baseline, group=group, names=names, weight=weight)
    deciles = decile_table(amounts, weight=weight)
    return AmountEvaluation(held_out, table, deciles, (*warnings, *_warnings(table)))


def amount_report(
    amounts: Amounts,
    *,
    baseline: Floats | None = None,
    group: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Compare predicted with recovered money per currency and group.

    Parameters
    ----------
    amounts, baseline, group, names, weight
        As for `evaluate_amounts`; ``n`` counts rows.

    Returns
    -------
    pandas.DataFrame
        One row per currency and group, then ``all`` of the currency. ``currency``; ``group``; ``n``;
        ``due``, ``recovered``, ``expected`` (sums, major units); ``ratio`` (recovered ÷ expected) with
        ``ratio_se`` (clustered by debtor; the expected amounts are taken as given); ``share`` and
        ``expected_share`` (means of recovered ÷ due and expected ÷ due); ``rmse`` of the share, and beside
        it ``baseline_rmse`` and ``baseline_ratio``; ``covered``, ``below``, ``above``: rows whose recovered
        amount lies within P10–P90, below P10 and above P90. Amounts that lump at nothing and at everything
        cover more than 80 %; what must not be is more than 10 % below or above. NaN where a group is empty.
    """
    rows, counts = [], _counts(amounts, weight)
    for currency in np.unique(amounts.currency.astype(str)).tolist():
        own = np.asarray(amounts.currency.astype(str) == currency)
        for name, mask in group_masks(own.size, group, names):
            part = own & mask
            other = None if baseline is None else baseline[part]
            found = _row(amounts.take(part), counts[part], currency, other)
            rows.append({"currency": currency, "group": name} | found)
    return pd.DataFrame(rows)


def decile_table(amounts: Amounts, *, weight: ArrayLike | None = None) -> pd.DataFrame:
    """Compare predicted with recovered money in tenths of the weight by rising expected amount.

    Parameters
    ----------
    amounts, weight
        As for `evaluate_amounts`.

    Returns
    -------
    pandas.DataFrame
        One row per currency and tenth: ``currency``, ``decile`` (from 0), ``n``, ``expected``, ``recovered``
        and ``recovered_se`` (means per row, major units; the error clustered by debtor), ``ratio`` (recovered
        ÷ expected) and ``ratio_se``.
    """
    rows: list[dict[str, Any]] = []
    counts = _counts(amounts, weight)
    for currency in np.unique(amounts.currency.astype(str)).tolist():
        own = np.flatnonzero(np.asarray(amounts.currency.astype(str) == currency))
        unit = 10 ** minor_digits(currency)
        for number, tenth in enumerate(_tenths(amounts.expected[own], counts[own])):
            if counts[own[tenth]].any():
                found = _tenth(amounts.take(own[tenth]), counts[own[tenth]], unit)
                rows.append({"currency": currency, "decile": number} | found)
    columns = ["currency", "decile", "n", "expected", "recovered", "recovered_se", "ratio", "ratio_se"]
    return pd.DataFrame(rows, columns=columns)


def money_ratio(amounts: Amounts, *, weight: ArrayLike | None = None) -> tuple[float, float]:
    """Return recovered ÷ expected and its error clustered by debtor; NaN where nothing is expected."""
    counts = _counts(amounts, weight)
    expected = float((counts * amounts.expected).sum())
    if not expected > 0:
        return float("nan"), float("nan")
    ratio = float((counts * amounts.recovered).sum()) / expected
    residual = counts * (amounts.recovered - ratio * amounts.expected)
    return ratio, cluster_error(residual, amounts.debtor) / expected


def cluster_error(residual: NDArray[np.floating[Any]], cluster: NDArray[Any]) -> float:
    """Return the standard error of a sum of residuals whose clusters are independent of each other.

    The square root of ``m ÷ (m − 1) · Σ (sum within a cluster)²`` over m clusters; NaN with fewer than two.
    """
    _, code = np.unique(cluster.astype(str), return_inverse=True)
    sums = np.bincount(code, weights=residual)
    if sums.size < 2:
        return float("nan")
    return float(np.sqrt((sums**2).sum() * sums.size / (sums.size - 1)))


def _row(part: Amounts, counts: Floats, currency: str, baseline: Floats | None) -> dict[str, Any]:
    unit, unknown = 10 ** minor_digits(currency), float("nan")
    ratio, error = money_ratio(part, weight=counts)
    share, n = part.recovered / part.due, part.due.size
    off = share - part.expected / part.due
    has = baseline is not None and n > 0
    other = np.zeros(n) if baseline is None else baseline
    due, recovered, expected, beside = (
        float((counts * amount).sum()) for amount in (part.due, part.recovered, part.expected, other)
    )
    return {
        "n": n,
        "due": due / unit,
        "recovered": recovered / unit,
        "expected": expected / unit,
        "ratio": ratio,
        "ratio_se": error,
        "share": _mean(share, counts),
        "expected_share": _mean(part.expected / part.due, counts),
        "rmse": float(np.sqrt(_mean(off**2, counts))),
        "baseline_rmse": float(np.sqrt(_mean((share - other / part.due) ** 2, counts))) if has else unknown,
        "baseline_ratio": recovered / beside if has and beside > 0 else unknown,
        "covered": _mean((part.recovered >= part.low) & (part.recovered <= part.high), counts),
        "below": _mean(part.recovered < part.low, counts),
        "above": _mean(part.recovered > part.high, counts),
    }


def _tenths(expected: Floats, counts: Floats) -> list[Ints]:
    """Return the rows of each tenth of the weight by rising expected amount."""
    order = np.argsort(expected, kind="stable")
    passed = np.cumsum(counts[order])
    ends = np.cumsum([part.size for part in np.array_split(order, DECILES)]) * counts.mean()
    tenth = np.minimum(np.searchsorted(ends, passed - counts[order], side="right"), DECILES - 1)
    return [order[tenth == number] for number in range(DECILES)]


def _tenth(part: Amounts, counts: Floats, unit: int) -> dict[str, Any]:
    ratio, error = money_ratio(part, weight=counts)
    total, recovered = float(counts.sum()), _mean(part.recovered, counts)
    spread = cluster_error(counts * (part.recovered - recovered), part.debtor)
    return {
        "n": part.due.size,
        "expected": _mean(part.expected, counts) / unit,
        "recovered": recovered / unit,
        "recovered_se": spread / total / unit,
        "ratio": ratio,
        "ratio_se": error,
    }


def _counts(amounts: Amounts, weight: ArrayLike | None) -> Floats:
    counts = np.ones(amounts.due.size) if weight is None else np.asarray(weight, dtype=np.float64)
    if counts.shape != amounts.due.shape or not (np.isfinite(counts) & (counts >= 0)).all():
        msg = f"{amounts.due.size:,} amounts need as many weights, finite and not negative."
        raise ContractError(msg)
    return counts


def _mean(values: NDArray[Any], counts: Floats) -> float:
    total = float(counts.sum())
    return float((counts * values).sum()) / total if total > 0 else float("nan")


def _warnings(table: pd.DataFrame) -> Iterator[str]:
    for row in table[table["group"] == ALL].to_dict("records"):
        where = row["currency"]
        if row["n"] < FEW_ROWS:
            yield f"{where}: {row['n']:,} rows are too few to judge amounts by"
        elif abs(row["ratio"] - 1) > _TWO_SE * row["ratio_se"]:
            yield (
                f"{where}: {row['ratio']:.2f} ± {row['ratio_se']:.2f} times the expected amount was recovered"
            )
        if row["rmse"] > row["baseline_rmse"]:
            yield f"{where}: the mean share per bucket misses by less than the model"
