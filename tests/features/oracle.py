"""Every feature again, by plain loops over plain rows: slow, readable, without the library's scan."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd

from recobro_score.features import Months, Where, Window
from recobro_score.money import MISSING_MONEY
from tests.features.stores import complete, order

DAY = 24 * 3600 * 1_000_000
MONEY = {"amount", "recovery", "balance", "principal", "interest", "fees", "cost"}
BY_DEBTOR = {"complaints", "contact_points"}


class Oracle:
    """The rows of all accounts; `value` is one feature of one account at one instant."""

    def __init__(self, tables, recipes, *, debtor_of, digits, time_zone="UTC", grace_days=3, tolerance="1"):
        self.rows = {
            name: sorted((complete(name, row) for row in rows), key=order) for name, rows in tables.items()
        }
        self.recipes = {recipe.name: recipe for recipe in recipes}
        self.debtor_of = debtor_of
        self.digits = digits
        self.zone = ZoneInfo(time_zone)
        self.grace = grace_days * DAY
        self.tolerance = Fraction(tolerance)

    def value(self, name, account, as_of):
        recipe = self.recipes[name]
        if recipe.of:
            a, b = (self.value(operand, account, as_of) for operand in recipe.of)
            return _combined(recipe.aggregate, a, b)
        rows = self.matching(recipe, account, as_of)
        return self.aggregated(recipe, rows, account, as_of)

    def visible(self, table, account, as_of):
        owner = self.debtor_of[account] if table in BY_DEBTOR else account
        rows = [row for row in self.rows.get(table, ()) if row["owner"] == owner and row["known_at"] < as_of]
        return rows if table == "instalments" else [row for row in rows if row["at"] < as_of]

    def matching(self, recipe, account, as_of):
        low, high = self.edges(recipe.window, as_of)
        rows = self.visible(recipe.table, account, as_of)
        return [
            row
            for row in rows
            if low <= row["at"] < high
            and all(self.holds(condition, recipe.table, row, account, as_of) for condition in recipe.where)
        ]

    def edges(self, window, as_of):
        if window is None:
            return -math.inf, as_of
        if isinstance(window, Months):
            return self.months(as_of, window.months_from), self.months(as_of, window.months_to)
        assert isinstance(window, Window)
        low = -math.inf if window.days_from is None else as_of + window.days_from * DAY
        high = math.inf if window.days_to is None else as_of + window.days_to * DAY
        return low, high

    def months(self, as_of, count):
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=as_of)
        wall = pd.Timestamp(moment.astimezone(self.zone).replace(tzinfo=None)) + pd.DateOffset(months=count)
        moved = wall.to_pydatetime().replace(tzinfo=self.zone).astimezone(UTC)
        return (moved - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)

    def holds(self, condition, table, row, account, as_of):
        if not isinstance(condition, Where):
            value = row[condition.column]
            if condition.column in MONEY:
                value = math.nan if value == MISSING_MONEY else Fraction(value, 10 ** self.digits[account])
            return condition.low <= value < condition.high
        if condition.column == "status":
            return self.status(table, row, account, as_of) in condition.values
        return row[condition.column] in condition.values

    def recovered(self, account, as_of, low=-math.inf, high=math.inf):
        rows = self.visible("payments", account, as_of)
        return sum(row["recovery"] for row in rows if low <= row["at"] < high)

    def status(self, table, row, account, as_of):
        if table == "promises":
            if row["amount"] == MISSING_MONEY:
                return None
            paid = self.recovered(account, as_of, row["at"], row["due_at"] + self.grace)
            if paid >= row["amount"] * self.tolerance:
                return "kept"
            return "broken" if row["due_at"] + self.grace <= as_of else "open"
        if table == "instalments":
            if row["plan_id"] is not None:
                return "plan"
            rows = [r for r in self.visible(table, account, as_of) if r["plan_id"] is None]
            place = next(i for i, r in enumerate(rows) if r is row)
            due = sum(r["amount"] for r in rows[: place + 1])
            return "paid" if self.recovered(account, as_of) >= due else "unpaid"
        if table == "plans":
            if row["ended_at"] < as_of:
                return "ended"
            return "accepted" if row["accepted_at"] < as_of else "offered"
        if table == "placements":
            return "recalled" if row["recalled_at"] < as_of else "running"
        return "wrong" if row["wrong_from"] < as_of else "usable"

    def aggregated(self, recipe, rows, account, as_of):
        times = [row["at"] for row in rows]
        if recipe.value is None:
            return _of_times(recipe.aggregate, times, as_of)
        values = [row[recipe.value] for row in rows]
        if recipe.value in MONEY:
            scale = 10 ** self.digits[account]
            values = [Fraction(value, scale) for value in values if value != MISSING_MONEY]
        else:
            values = [value for value in values if value is not None and value == value]
        return _of_values(recipe.aggregate, values)


def _of_times(aggregate, times, as_of):
    if aggregate == "count":
        return len(times)
    if not times:
        return math.nan
    gaps = [(later - earlier) / DAY for earlier, later in pairwise(times)]
    return {
        "since_last": lambda: (as_of - times[-1]) / DAY,
        "since_first": lambda: (as_of - times[0]) / DAY,
        "until_first": lambda: (times[0] - as_of) / DAY,
        "gap_mean": lambda: statistics.fmean(gaps) if gaps else math.nan,
        "gap_std": lambda: statistics.stdev(gaps) if len(gaps) > 1 else math.nan,
    }[aggregate]()


def _of_values(aggregate, values):
    if aggregate == "sum":
        return float(sum(values))
    if aggregate == "distinct":
        return len(set(values))
    if not values:
        return math.nan
    value = {
        "mean": lambda: sum(values) / len(values),
        "min": lambda: min(values),
        "max": lambda: max(values),
        "last": lambda: values[-1],
        "first": lambda: values[0],
        "std": lambda: statistics.stdev(values) if len(values) > 1 else math.nan,
    }[aggregate]()
    return value if isinstance(value, str) else float(value)


def _combined(aggregate, a, b):
    if aggregate == "difference":
        return a - b
    top, bottom = (a, b) if aggregate == "share" else (a - b, abs(a) + abs(b))
    return math.nan if bottom == 0 or math.isnan(top) or math.isnan(bottom) else top / bottom
