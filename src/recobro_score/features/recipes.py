"""What a feature is: a small piece of frozen data, nothing callable.

A `Recipe` names a table, an aggregate, a value, a window and filters. The compiled scan computes it; labels,
documentation, concepts and texts read the same object.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

from recobro_score.errors import ConfigError, hint
from recobro_score.features.readable import CATEGORY, EVENT_TABLES, STATE, STATIC

CONCEPTS = (
    "payment_recency",
    "payment_amounts",
    "payment_regularity",
    "payment_coverage",
    "arrears",
    "arrears_history",
    "balance_level",
    "balance_trend",
    "utilisation",
    "contact_success",
    "contact_effort",
    "promises",
    "plans",
    "schedule",
    "account_profile",
)
"""What a reason can speak of; every recipe belongs to one."""

STREAKS = ("streak", "longest_streak")
"""Aggregates of consecutive rows: they take a `run`."""

DECAYED = ("decayed_count", "decayed_sum")
"""Aggregates in which rows fade with age: they take a `half_life`."""

COUNTING = (
    "count",
    "since_last",
    "since_first",
    "until_first",
    "gap_mean",
    "gap_std",
    *STREAKS,
    "decayed_count",
)
"""Aggregates of the rows themselves: they take no value."""

VALUED = ("sum", "mean", "min", "max", "std", "last", "first", "median", "mode", "decayed_sum")
"""Aggregates of a money or number column; ``last`` and ``first`` also of a category."""

COMBINING = ("share", "difference", "trend", "larger", "smaller")
"""Aggregates of two other recipes of the set."""

AGGREGATES = (*COUNTING, *VALUED, "distinct", *COMBINING, "state", "static", "calendar")

DERIVED = "derived"
"""The table of recipes made of two others."""

STATE_TABLE = "state"
"""The table of recipes that read the account's state at the as-of, or as it stood some days before."""

CALENDAR_TABLE = "calendar"
"""The table of recipes that read the debtor's local date at the as-of."""


@dataclass(frozen=True, slots=True)
class Window:
    """Days relative to the as-of: rows with ``as_of + days_from ≤ at < as_of + days_to``.

    A day is 24 hours. ``Window(-90, 0)`` is the lookback of 90 days, ``Window(-60, -30)`` the slice before
    the last 30 days, ``Window(0, 30)`` the schedule ahead; None leaves an end open.
    """

    days_from: float | None
    days_to: float | None


@dataclass(frozen=True, slots=True)
class Months:
    """Calendar months relative to the as-of in the portfolio's time zone, half-open like `Window`.

    ``Months(-2, -1)`` is the month before the last one: on 1 October exactly August. Monthly bills and dated
    balances fall one into each slice, which slices of 30 days cannot promise.
    """

    months_from: int
    months_to: int


@dataclass(frozen=True, slots=True)
class Where:
    """Rows whose category, or status judged at the as-of, is one of the words.

    ``Where("status", ("kept",))`` on promises reads the status as of the snapshot: see
    `recobro_score.features.readable` for the words of each table.
    """

    column: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.column} = {' or '.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Between:
    """Rows whose number lies in ``[low, high)``, for example the debtor's local minute of the day."""

    column: str
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} ≤ {self.column} < {self.high:g}"


@dataclass(frozen=True, slots=True)
class Present:
    """Rows whose category is given, whatever the word: decisions that carried an offer, for example."""

    column: str

    def __str__(self) -> str:
        return f"{self.column} given"


Condition = Where | Between | Present


@dataclass(frozen=True, slots=True)
class Recipe:
    """One feature.

    Parameters
    ----------
    name : str
        Name of the column: lower-case letters, digits and underscores.
    table : str
        An event table, ``accounts`` or ``debtors`` (static), ``state``, or ``derived``.
    aggregate : str
        One of `AGGREGATES`:

        - ``count``; ``sum``, ``mean``, ``min``, ``max``, ``std`` (sample), ``last``, ``first`` of the value;
        - ``since_last``, ``since_first``: days from the last (first) row to the as-of; ``until_first``: days
          from the as-of to the first row of a window ahead;
        - ``gap_mean``, ``gap_std``: days between consecutive visible matching rows (sample deviation);
        - ``median``; ``mode``, the most frequent number (of equally frequent ones the latest);
        - ``streak``, ``longest_streak``: how many consecutive matching rows, at the end (anywhere), also pass
          `run`;
        - ``decayed_count``, ``decayed_sum``: every row weighs ``2 ** (−age ÷ half_life)``;
        - ``distinct``: how many different words;
        - ``share`` = a ÷ b, ``difference`` = a − b, ``trend`` = (a − b) ÷ (|a| + |b|) of two recipes;
          x ÷ 0 is missing; ``larger``, ``smaller`` of two, a missing one ignored;
        - ``state`` (see `recobro_score.features.readable.STATE`; ``Window(None, -30)`` reads it as it stood,
          and as it was known, 30 days before), ``static`` (an attribute; a date becomes days before the
          as-of), ``calendar`` (the debtor's local date; see `recobro_score.features.readable.CALENDAR`).
    concept : str
        One of `CONCEPTS`.
    value : str, optional
        The column aggregated.
    window : Window or Months, optional
        None means everything before the as-of.
    where : tuple of Where, Between or Present
        Conditions that must all hold.
    of : tuple of str
        Names of the recipes it is made of: two of a `COMBINING` aggregate, one of ``calendar.days_to_day``.
    run : tuple of conditions
        What a row of a streak passes besides `where`.
    half_life : float, optional
        Days after which a row of a decayed aggregate weighs half.
    by_debtor : bool
        Rows of all the accounts that the debtor holds in the account's currency, this one included. A
        difference to the account's own recipe leaves the other accounts.
    unit : str
        ``count``, ``money`` (major units of the account's currency), ``days``, ``ratio``, ``number`` or
        ``category``.
    labels : tuple of (language, text)
        Short plain names for people.
    monotone : int
        Direction that every model trained on the feature is held to: 1, −1 or 0 (none). No feature of the
        standard set has one: the same column serves models whose directions differ (days past due speak
        against a payment and for rolling forward), and hardly one holds everywhere (who has just paid the
        last instalment has little left to pay). Whoever signs for one sets it with `FeatureSet.held_to`.
    hidden : bool
        Computed for other recipes, left out of the feature matrix.
    """

    name: str
    table: str
    aggregate: str
    concept: str
    value: str | None = None
    window: Window | Months | None = None
    where: tuple[Condition, ...] = ()
    of: tuple[str, ...] = ()
    unit: str = "number"
    labels: tuple[tuple[str, str], ...] = ()
    monotone: int = 0
    hidden: bool = False
    run: tuple[Condition, ...] = ()
    half_life: float | None = None
    by_debtor: bool = False

    @property
    def kind(self) -> str:
        """``category`` or ``number``: how a model must read the column."""
        if self.value is None or self.aggregate not in ("last", "first", "static"):
            return "number"
        columns = STATIC.get(self.table) or (
            EVENT_TABLES[self.table].columns if self.table in EVENT_TABLES else STATE
        )
        return "category" if columns.get(self.value) == CATEGORY else "number"

    def label(self, language: str) -> str:
        """Return the label in a language, or the name where there is none."""
        return dict(self.labels).get(language, self.name)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON values; what is empty is left out."""
        fields: dict[str, Any] = {
            "name": self.name,
            "table": self.table,
            "aggregate": self.aggregate,
            "concept": self.concept,
            "value": self.value,
            "window": _window_to_dict(self.window),
            "where": [_condition_to_dict(condition) for condition in self.where],
            "of": list(self.of),
            "unit": self.unit,
            "labels": dict(self.labels),
            "monotone": self.monotone,
            "hidden": self.hidden,
            "run": [_condition_to_dict(condition) for condition in self.run],
            "half_life": self.half_life,
            "by_debtor": self.by_debtor,
        }
        return {key: value for key, value in fields.items() if value not in (None, [], {}, 0, False)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """Return the recipe written by `to_dict`, or by hand in the same words.

        A window is ``{"days": [-45, 0]}`` or ``{"months": [-2, -1]}``, where None and infinity leave an end
        open; a condition has a ``column`` and ``values``, or ``low`` and ``high``, or nothing more.

        Raises
        ------
        ConfigError
            If a key is not known or missing, or a window or condition has another shape.
        """
        known = _keys(fields, tuple(field.name for field in dataclass_fields(cls)), "recipe")
        missing = [name for name in ("name", "table", "aggregate", "concept") if name not in known]
        if missing:
            msg = f"a recipe needs {', '.join(missing)}: {known}"
            raise ConfigError(msg)
        known["window"] = _window_from_dict(known.get("window"))
        for name in ("where", "run", "of"):
            given = known.get(name, ())
            if not isinstance(given, list | tuple):
                msg = f"`{name}` is a list, not {given!r}"
                raise ConfigError(msg)
            known[name] = tuple(given if name == "of" else map(_condition_from_dict, given))
        if not isinstance(labels := known.get("labels", {}), Mapping):
            msg = f"labels are pairs of language and text, not {labels!r}"
            raise ConfigError(msg)
        known["labels"] = tuple(sorted(labels.items()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class PromiseRule:
    """When a promise counts as kept.

    Parameters
    ----------
    grace_days : float
        Days after the due date in which the money may still arrive.
    tolerance : float
        Share of the promised amount that is enough, in (0, 1], to three decimals.
    """

    grace_days: float = 3.0
    tolerance: float = 1.0


def _window_to_dict(window: Window | Months | None) -> dict[str, list[float | None]] | None:
    if window is None:
        return None
    if isinstance(window, Window):
        return {"days": [window.days_from, window.days_to]}
    return {"months": [window.months_from, window.months_to]}


def _window_from_dict(fields: Mapping[str, Any] | None) -> Window | Months | None:
    if fields is None:
        return None
    ends = _keys(fields, ("days", "months"), "window")
    if len(ends) != 1 or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in ends.values()):
        msg = f"a window is for example {{days = [-45, 0]}} or {{months = [-2, -1]}}, not {fields}"
        raise ConfigError(msg)
    if "months" in ends:
        return Months(*ends["months"])
    return Window(*(None if end is None or math.isinf(end) else end for end in ends["days"]))


def _condition_to_dict(condition: Condition) -> dict[str, Any]:
    if isinstance(condition, Where):
        return {"column": condition.column, "values": list(condition.values)}
    if isinstance(condition, Present):
        return {"column": condition.column}
    return {"column": condition.column, "low": condition.low, "high": condition.high}


def _condition_from_dict(fields: Mapping[str, Any]) -> Condition:
    known = _keys(fields, ("column", "values", "low", "high"), "condition")
    if "column" in known:
        column = known.pop("column")
        if not known:
            return Present(column)
        if known.keys() == {"values"} and isinstance(known["values"], list | tuple):
            return Where(column, tuple(known["values"]))
        if known.keys() == {"low", "high"}:
            return Between(column, **known)
    msg = f"a condition is a column with values (a list), with low and high, or alone, not {fields}"
    raise ConfigError(msg)


def _keys(fields: object, known: Sequence[str], what: str) -> dict[str, Any]:
    """Return the fields, all of whose keys are known."""
    if not isinstance(fields, Mapping):
        msg = f"a {what} has the keys {', '.join(known)}; got {fields!r}"
        raise ConfigError(msg)
    for key in fields:
        if key not in known:
            msg = f"no key {key!r} in a {what}.{hint(key, known)}"
            raise ConfigError(msg)
    return dict(fields)
