"""The two regressions of a plan model: who accepts terms, and who breaks a plan in a month.

Both are logistic in a few readable columns, with normal priors around the documented assumptions of
`PriorTermScorer`: few plans leave them near the assumptions, many overrule them. Completion is a
discrete-time hazard: ``P(complete) = Π_k (1 − h_k)`` over the monthly parts of the terms, fitted on every
month that a plan was seen in, so that plans still running count for what is known of them and for nothing
else. (Weighting ended plans by the inverse of their chance of having ended, the other way to be fair to
running ones, throws the months of the running ones away and lives on a few heavy long plans.)

References
----------
Singer and Willett (1993), Journal of Educational Statistics 18, 155-195 (discrete-time hazards).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from recobro_score.data.state import BUCKETS
from recobro_score.evaluation.logistic import Prior, fit_logistic, sigmoid
from recobro_score.models.files import to_lists, to_tuples
from recobro_score.policy.offers import PriorTermScorer, TermKeys
from recobro_score.policy.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MIN_ROWS = 50
MIN_PER_CLASS = 10
"""Below either, a part stays assumed."""
TERM_COLUMNS = ("log_instalments", "discount", "down_payment")
SIZE_COLUMNS = ("log_burden", "burden_unknown")
MONTH_COLUMNS = ("first_month", "log_month")
SIGNAL = "account"
LEVEL = "level"
BUCKET_COLUMNS = tuple(f"bucket:{name}" for name in (*BUCKETS, "unknown"))
_REFERENCE = 6
_SPREAD = {LEVEL: 1.5, "log_instalments": 0.5, "discount": 2.0, "down_payment": 1.0, SIGNAL: 0.5}
_SPREAD_ELSE = 0.5
"""Standard deviations of the priors, in log-odds per unit of the column."""
_BOUNDED = {"accept": ("discount", SIGNAL), "break": (SIGNAL,)}
"""Columns whose coefficient is never negative: a waiver does not make terms less welcome, and the account's
own margin is not turned around. Nothing else is signed: whether longer terms help is left to the plans."""


@dataclass(frozen=True, slots=True)
class TermPart:
    """One fitted regression, or the assumption that stands in for it.

    Parameters
    ----------
    kind : {'accept', 'break'}
    columns : tuple of str
    coefficients, se, prior_mean, prior_sd : tuple of float
        Of the columns, in log-odds; the standard errors count rows, not debtors, and take weights as counts.
    rows, events : int
        Offers (plan-months), and acceptances (breaks) among them.
    assumed : bool
        Nothing was learned: the probabilities are those of `PriorTermScorer`.
    """

    kind: str
    columns: tuple[str, ...]
    coefficients: tuple[float, ...]
    se: tuple[float, ...]
    prior_mean: tuple[float, ...]
    prior_sd: tuple[float, ...]
    rows: int
    events: int
    assumed: bool

    def coefficient(self, column: str) -> float:
        """Return the coefficient of a column, 0 where the part has none of that name."""
        return self.coefficients[self.columns.index(column)] if column in self.columns else 0.0

    def log_odds(self, columns: dict[str, Floats]) -> Floats:
        """Return the sum over the columns in their order; one row gives the bits of a batch."""
        total = np.zeros(len(next(iter(columns.values()))))
        for name, coefficient in zip(self.columns, self.coefficients, strict=True):
            if name in columns:
                total = total + coefficient * columns[name]
        return total

    def month_shift(self, month: int) -> float:
        """Return what a month (from 0) adds to the log-odds of breaking."""
        first = self.coefficient("first_month") if month == 0 else 0.0
        return first + self.coefficient("log_month") * float(np.log1p(month))

    def kept(self, log_odds: Floats, months: int) -> Floats:
        """Return ``Π (1 − h_k)`` over so many months, given the log-odds without the months."""
        chance = np.ones(log_odds.size)
        for month in range(months):
            chance = chance * (1.0 - sigmoid(log_odds + self.month_shift(month)))
        return chance

    def frame(self) -> pd.DataFrame:
        """Return one row per column: ``column``, ``coefficient``, ``se``, ``prior_mean``, ``prior_sd``."""
        return pd.DataFrame(
            {
                "column": self.columns,
                "coefficient": self.coefficients,
                "se": self.se,
                "prior_mean": self.prior_mean,
                "prior_sd": self.prior_sd,
            }
        )

    def to_state(self) -> dict[str, Any]:
        """Return the part as JSON values."""
        return to_lists({name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TermPart:
        """Return the part written by `to_state`."""
        return cls(**to_tuples(state))


def base_columns(
    terms: Sequence[Terms], term: Ints, bucket: NDArray[np.int8], burden: Floats, signal: Floats | None
) -> dict[str, Floats]:
    """Return the columns of offers, each of shape (n,).

    Parameters
    ----------
    terms : sequence of Terms
    term : int64 ndarray of shape (n,)
        Position in `terms`.
    bucket : int8 ndarray of shape (n,)
    burden : ndarray of shape (n,)
        Instalment ÷ means; NaN unknown.
    signal : ndarray of shape (n,) or None
        Margin of the account.
    """
    unknown = np.isnan(burden)
    of_terms = {
        "log_instalments": np.array([np.log(t.instalments / _REFERENCE) for t in terms]),
        "discount": np.array([t.discount for t in terms]),
        "down_payment": np.array([t.down_payment for t in terms]),
    }
    columns = {LEVEL: np.ones(term.size)}
    codes = np.where(bucket < 0, len(BUCKETS), bucket)
    columns |= {name: (codes == code).astype(np.float64) for code, name in enumerate(BUCKET_COLUMNS)}
    columns |= {name: values[term] for name, values in of_terms.items()}
    columns["log_burden"] = np.where(
        unknown, 0.0, np.log(np.clip(np.where(unknown, 1.0, burden), 0.01, 100.0))
    )
    columns["burden_unknown"] = unknown.astype(np.float64)
    if signal is not None:
        columns[SIGNAL] = signal
    return columns


def fit_accept(columns: dict[str, Floats], accepted: Floats, weight: Floats) -> TermPart:
    """Fit the acceptance of offers whose answer is known.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (n,)
        From `base_columns`.
    accepted : ndarray of shape (n,)
        0 or 1.
    weight : ndarray of shape (n,)
        How much each offer counts.
    """
    return _fit("accept", columns, accepted, weight)


def fit_break(
    columns: dict[str, Floats], months: Ints, broken: NDArray[np.bool_], weight: Floats
) -> TermPart:
    """Fit the hazard of breaking a plan in a month, on one row per plan and month seen.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (n,)
        From `base_columns`, of accepted plans.
    months : int64 ndarray of shape (n,)
        Parts known to be paid.
    broken : bool ndarray of shape (n,)
        Whether the next one was not.
    weight : ndarray of shape (n,)
        How much each plan, and every month of it, counts.
    """
    plan, month, event = plan_months(months, broken)
    long = {name: values[plan] for name, values in columns.items()}
    long |= {"first_month": (month == 0).astype(np.float64), "log_month": np.log1p(month)}
    return _fit("break", long, event, weight[plan])


def plan_months(months: Ints, broken: NDArray[np.bool_]) -> tuple[Ints, Ints, Floats]:
    """Return plan, month (from 0) and whether the plan broke in it, one row per plan and month seen.

    Parameters
    ----------
    months, broken
        As for `fit_break`.
    """
    seen = months + broken
    plan = np.repeat(np.arange(months.size), seen)
    month = np.arange(plan.size) - np.repeat(np.cumsum(seen) - seen, seen)
    return plan, month, (broken[plan] & (month == months[plan])).astype(np.float64)


def assumed_part(kind: str, columns: Sequence[str], rows: int, events: int) -> TermPart:
    """Return the part that says what `PriorTermScorer` says."""
    mean, spread = _priors(kind, columns)
    return TermPart(kind, tuple(columns), mean, spread, mean, spread, rows, events, assumed=True)


def _fit(kind: str, columns: dict[str, Floats], y: Floats, weight: Floats) -> TermPart:
    events = int(y.sum())
    names = tuple(columns)
    if y.size < MIN_ROWS or min(events, y.size - events) < MIN_PER_CLASS:
        return assumed_part(kind, names, y.size, events)
    mean, spread = _priors(kind, names)
    free = list(names)
    while True:
        chosen = [names.index(name) for name in free]
        prior = Prior(tuple(mean[place] for place in chosen), tuple(spread[place] ** -2 for place in chosen))
        fit = fit_logistic([columns[name] for name in free], y, weight, prior=prior)
        found = dict(zip(free, zip(fit.coefficients, fit.se, strict=True), strict=True))
        wrong = [name for name in _BOUNDED[kind] if name in found and found[name][0] < 0]
        if not wrong:
            break
        free = [name for name in free if name not in wrong]
    pairs = [found.get(name, (0.0, 0.0)) for name in names]
    coefficients, errors = zip(*pairs, strict=True)
    return TermPart(kind, names, coefficients, errors, mean, spread, y.size, events, assumed=False)


def _priors(kind: str, names: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return means and standard deviations: what `PriorTermScorer` says, column by column."""
    said = _said(kind)
    mean = tuple(1.0 if name == SIGNAL else said.get(name, 0.0) for name in names)
    return mean, tuple(_SPREAD.get(name, _SPREAD_ELSE) for name in names)


def _said(kind: str) -> dict[str, float]:
    """Read the assumptions off `PriorTermScorer`, at the middle terms and in the middle bucket."""
    prior = PriorTermScorer()
    bucket = np.array([*range(len(BUCKETS)), -1], dtype=np.int8)
    keys = TermKeys(pa.array([str(code) for code in bucket], pa.string()), 0, bucket)
    says = partial(_log_odds, kind, prior, keys)
    middle = Terms(_REFERENCE)
    at = says(middle)
    slopes = {
        "log_instalments": (says(Terms(2 * _REFERENCE)) - at) / np.log(2.0),
        "discount": (says(Terms(_REFERENCE, discount=0.1)) - at) / 0.1,
        "down_payment": (says(Terms(_REFERENCE, down_payment=0.1)) - at) / 0.1,
    }
    return dict(zip(BUCKET_COLUMNS, at.tolist(), strict=True)) | {
        name: float(values[len(BUCKETS) // 2]) for name, values in slopes.items()
    }


def _log_odds(kind: str, prior: PriorTermScorer, keys: TermKeys, terms: Terms) -> Floats:
    if kind == "accept":
        p = prior.p_accept(keys, [terms])[:, 0]
    else:
        p = 1.0 - prior.p_complete(keys, [terms])[:, 0] ** (1.0 / terms.instalments)
    return np.asarray(np.log(p) - np.log1p(-p), dtype=np.float64)
