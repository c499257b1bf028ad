"""Every feature again, by plain loops over plain rows: slow, readable, without the library's scan."""

from __future__ import annotations

import json
import math
import statistics
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

import pandas as pd

from recobro_score.calendars import NEVER
from recobro_score.features import Between, Months, Window
from recobro_score.features.recipes import Present
from recobro_score.money import MISSING_MONEY
from tests.features.stores import complete, order

DAY = 24 * 3600 * 1_000_000
MONEY = {"amount", "recovery", "balance", "principal", "interest", "fees", "cost"}
BY_DEBTOR = {"complaints", "contact_points"}


class Oracle:
    """The rows of all accounts; `value` is one feature of one account at one instant."""

    def __init__(
        self,
        tables,
        recipes,
        *,
        debtor_of,
        digits,
        time_zone="UTC",
        grace_days=3,
        tolerance="1",
        currency=None,
    ):
        self.rows = {
            name: sorted((complete(name, row) for row in rows), key=order) for name, rows in tables.items()
        }
        self.recipes = {recipe.name: recipe for recipe in recipes}
        self.debtor_of = debtor_of
        self.digits = digits
        self.currency = [i % 3 for i in range(len(debtor_of))]
        self.zone = ZoneInfo(time_zone)
        self.seen = {}
        self.grace = grace_days * DAY
        self.tolerance = Fraction(tolerance)

    def value(self, name, account, as_of):
        recipe = self.recipes[name]
        if recipe.of:
            a, b = (self.value(operand, account, as_of) for operand in recipe.of)
            return _combined(recipe.aggregate, a, b)
        rows = self.matching(recipe, account, as_of)
        if recipe.run:
            going_on = [self.holds_all(recipe.run, recipe.table, row, account, as_of) for row in rows]
            lengths = [len(list(run)) if held else 0 for held, run in groupby(going_on)]
            return ([0, *lengths][-1]) if recipe.aggregate == "streak" else max([0, *lengths])
        return self.aggregated(recipe, rows, account, as_of)

    def owners(self, recipe, account):
        if recipe.table in BY_DEBTOR:
            return {self.debtor_of[account]}
        if not recipe.by_debtor:
            return {account}
        mine = (self.debtor_of[account], self.currency[account])
        others = zip(self.debtor_of, self.currency, strict=True)
        return {other for other, holder in enumerate(others) if holder == mine}

    def visible(self, table, account, as_of, owners=None):
        key = (table, frozenset(owners or {account}), as_of)
        if key not in self.seen:
            rows = [row for row in self.rows.get(table, ()) if row["owner"] in key[1]]
            scheduled = table == "instalments"
            self.seen[key] = [
                row for row in rows if row["known_at"] < as_of and (scheduled or row["at"] < as_of)
            ]
        return self.seen[key]

    def matching(self, recipe, account, as_of):
        low, high = self.edges(recipe.window, as_of)
        rows = self.visible(recipe.table, account, as_of, self.owners(recipe, account))
        rows = sorted(rows, key=lambda row: (row["at"], row["known_at"], row["owner"]))
        return [
            row
            for row in rows
            if low <= row["at"] < high and self.holds_all(recipe.where, recipe.table, row, account, as_of)
        ]

    def holds_all(self, conditions, table, row, account, as_of):
        return all(self.holds(condition, table, row, account, as_of) for condition in conditions)

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
        if isinstance(condition, Present):
            return row[condition.column] is not None
        if isinstance(condition, Between):
            value = self.number(table, condition.column, row)
            if condition.column in MONEY:
                value = math.nan if value == MISSING_MONEY else Fraction(value, 10 ** self.digits[account])
            return condition.low <= value < condition.high
        if condition.column == "status":
            status = self.status(table, row, account, as_of)
            return bool({status, *SUMMED_UP.get(status, ())} & set(condition.values))
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
            due = self.due_until(row, account, as_of)
            recovered = self.recovered(account, as_of)
            if recovered >= due:
                return "late" if self.lateness(row, account, as_of) > 0 else "on_time"
            return "partial" if recovered > due - row["amount"] else "never"
        if table == "plans":
            if row["ended_at"] < as_of:
                return "ended"
            return "accepted" if row["accepted_at"] < as_of else "offered"
        if table == "placements":
            return "recalled" if row["recalled_at"] < as_of else "running"
        return "wrong" if row["wrong_from"] < as_of else "usable"

    def due_until(self, row, account, as_of):
        rows = [r for r in self.visible("instalments", account, as_of) if r["plan_id"] is None]
        place = next(i for i, r in enumerate(rows) if r is row)
        return sum(r["amount"] for r in rows[: place + 1])

    def lateness(self, row, account, as_of):
        """Walk through the payments: covered since when, and never uncovered again?"""
        due = self.due_until(row, account, as_of)
        since, total = (-math.inf if due <= 0 else None), 0
        for payment in self.visible("payments", account, as_of):
            total += payment["recovery"]
            if total < due:
                since = None
            elif since is None:
                since = payment["at"]
        if since is None:
            return (as_of - row["at"]) // DAY if row["at"] < as_of else math.nan
        return 0 if since < row["at"] else (since - row["at"]) // DAY

    def number(self, table, column, row, account=None, as_of=None):
        if table == "instalments" and column in ("lateness", "covered"):
            if row["plan_id"] is not None:
                return math.nan
            if column == "lateness":
                return self.lateness(row, account, as_of)
            rest = self.due_until(row, account, as_of) - self.recovered(account, as_of)
            amount = row["amount"]
            return min(max(amount - rest, 0), amount) / amount if amount > 0 else math.nan
        if column in ("due_in", "term"):
            since = as_of if column == "due_in" else row["at"]
            return math.nan if row["due_at"] == NEVER else (row["due_at"] - since) / DAY
        if column == "discount":
            return _discount(row["offer" if table == "decisions" else "terms"])
        if table == "payments" and column.startswith("local_"):
            local = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=row["at"])
            local = local.astimezone(self.zone)
            return {
                "local_day": local.day,
                "local_weekday": local.weekday(),
                "local_minute": local.hour * 60 + local.minute,
            }[column]
        return row[column]

    def aggregated(self, recipe, rows, account, as_of):
        times = [row["at"] for row in rows]
        if recipe.value is None:
            return _of_times(recipe.aggregate, times, as_of, recipe.half_life)
        values = [self.number(recipe.table, recipe.value, row, account, as_of) for row in rows]
        if recipe.aggregate == "decayed_sum":
            scale = 10 ** self.digits[account] if recipe.value in MONEY else 1
            pairs = [
                (v / scale, t) for v, t in zip(values, times, strict=True) if v == v and v != MISSING_MONEY
            ]
            return math.fsum(v * 2 ** ((t - as_of) / DAY / recipe.half_life) for v, t in pairs)
        if recipe.value in MONEY:
            scale = 10 ** self.digits[account]
            values = [Fraction(value, scale) for value in values if value != MISSING_MONEY]
        else:
            values = [value for value in values if value is not None and value == value]
        return _of_values(recipe.aggregate, values)


SUMMED_UP = {"on_time": ("paid",), "late": ("paid",), "partial": ("unpaid",), "never": ("unpaid",)}


def _discount(text):
    try:
        content = json.loads(text or "")
    except ValueError:
        return math.nan
    inner = content.get("terms") if isinstance(content, dict) else None
    found = {**(inner or {}), **content}.get("discount") if isinstance(content, dict) else None
    return math.nan if found is None or isinstance(found, bool) else found


def _of_times(aggregate, times, as_of, half_life):
    if aggregate == "count":
        return len(times)
    if aggregate == "decayed_count":
        return math.fsum(2 ** ((at - as_of) / DAY / half_life) for at in times)
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
        "median": lambda: statistics.median(values),
        "mode": lambda: max(reversed(values), key=values.count),
        "std": lambda: statistics.stdev(values) if len(values) > 1 else math.nan,
    }[aggregate]()
    return value if isinstance(value, str) else float(value)


def _combined(aggregate, a, b):
    if aggregate == "difference":
        return a - b
    if aggregate in ("larger", "smaller"):
        present = [x for x in (a, b) if x == x]
        return (max if aggregate == "larger" else min)(present, default=math.nan)
    top, bottom = (a, b) if aggregate == "share" else (a - b, abs(a) + abs(b))
    return math.nan if bottom == 0 or math.isnan(top) or math.isnan(bottom) else top / bottom
