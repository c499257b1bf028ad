"""A set that uses every aggregate, filter, window and status at least once."""

from __future__ import annotations

from recobro_score.features import Between, FeatureSet, Months, Recipe, Where, Window
from recobro_score.features.recipes import COUNTING, VALUED

WINDOWS = {
    "all": None,
    "30": Window(-30, 0),
    "60_30": Window(-60, -30),
    "before_90": Window(None, -90),
    "since_7": Window(-7, None),
    "month_1": Months(-1, 0),
    "month_2": Months(-2, -1),
}
AHEAD = {"next_30": Window(0, 30), "around": Window(-31, 1), "later": Window(30, None), "month": Months(0, 1)}
KINDS = (Where("kind", ("payment",)),)
CALLS = (Where("channel", ("call",)), Where("direction", ("outbound",)))
MORNING = (Between("local_minute", 540, 780),)
STATUSES = {
    "promises": ("open", "kept", "broken"),
    "instalments": ("unpaid", "paid", "plan"),
    "plans": ("offered", "accepted", "ended"),
    "placements": ("running", "recalled"),
    "contact_points": ("usable", "wrong"),
}


def _recipe(name, table, aggregate, **fields):
    return Recipe(name, table, aggregate, "payment_amounts", **fields)


def _aggregates(table, value, windows, where=(), tag=""):
    for key, window in windows.items():
        for aggregate in (*COUNTING, *VALUED):
            if aggregate == "until_first" and key not in ("next_30", "later", "month"):
                continue
            column = None if aggregate in COUNTING else value
            name = f"{table}{tag}_{aggregate}_{key}"
            yield _recipe(name, table, aggregate, value=column, window=window, where=where)


def _every():
    windows = {key: window for key, window in WINDOWS.items() if key != "since_7"}
    yield from _aggregates("payments", "recovery", windows)
    yield from _aggregates("payments", "amount", {"all": None}, KINDS, "_paid")
    yield from _aggregates("balances", "dpd", {"all": None, "60_30": Window(-60, -30)})
    yield from _aggregates("contacts", "cost", {"90": Window(-90, 0)}, CALLS, "_calls")
    yield from _aggregates("contacts", "duration_s", {"all": None}, (*CALLS, *MORNING), "_morning")
    yield from _aggregates("instalments", "amount", {**AHEAD, "30": Window(-30, 0)})
    for table, column in (("contacts", "outcome"), ("payments", "method"), ("complaints", "kind")):
        for aggregate in ("distinct", "last", "first"):
            yield _recipe(f"{table}_{column}_{aggregate}", table, aggregate, value=column)
    for table, words in STATUSES.items():
        for word in words:
            where = (Where("status", (word,)),)
            yield _recipe(f"{table}_now_{word}", table, "count", where=where)
            yield _recipe(f"{table}_90_{word}", table, "since_last", where=where, window=Window(-90, 0))
    ended = (Where("status", ("ended",)), Where("end_reason", ("broken",)))
    yield _recipe("plans_broken", "plans", "count", where=ended)
    either = (Where("status", ("kept", "broken")), Where("taken_by", ("human",)))
    yield _recipe("promised_to_humans", "promises", "sum", value="amount", where=either)
    yield _recipe("unpaid_ahead", "instalments", "sum", value="amount", window=Window(0, 30),
                  where=(Where("status", ("unpaid",)),))  # fmt: skip
    yield _recipe("large", "payments", "count", where=(Between("amount", 10, 20),))
    yield _recipe("weekend", "contacts", "count", where=(Between("local_weekday", 5, 7),))
    pairs = {
        "of_payments": ("payments_sum_30", "payments_sum_60_30"),
        "of_counts": ("promises_now_kept", "promises_now_broken"),
        "of_gaps": ("payments_gap_mean_all", "payments_gap_std_all"),
    }
    for name, of in pairs.items():
        for aggregate in ("share", "difference", "trend"):
            yield _recipe(f"{aggregate}_{name}", "derived", aggregate, of=of)
    yield _recipe("share_of_share", "derived", "share", of=("share_of_payments", "later_hidden"))
    yield _recipe("later_hidden", "payments", "count", hidden=True)


EVERY = FeatureSet(tuple(_every()))
"""About 200 recipes, one of them hidden."""
