"""A set that uses every aggregate, filter, window and status at least once."""

from __future__ import annotations

from recobro_score.features import Between, FeatureSet, Months, Recipe, Where, Window
from recobro_score.features.recipes import COUNTING, DECAYED, STREAKS, VALUED, Present

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
    "instalments": ("unpaid", "paid", "plan", "partial", "on_time", "late"),
    "plans": ("offered", "accepted", "ended"),
    "placements": ("running", "recalled"),
    "contact_points": ("usable", "wrong"),
}


RUNS = {
    "payments": (Between("amount", 10, 30),),
    "balances": (Between("dpd", 1, 50),),
    "contacts": (Where("outcome", ("no_answer", "replied")),),
    "instalments": (Where("status", ("paid",)),),
}


def _recipe(name, table, aggregate, **fields):
    return Recipe(name, table, aggregate, "payment_amounts", **fields)


def _aggregates(table, value, windows, where=(), tag=""):
    for key, window in windows.items():
        for aggregate in (*COUNTING, *VALUED):
            if aggregate == "until_first" and key not in ("next_30", "later", "month"):
                continue
            if aggregate in DECAYED and key in AHEAD:
                continue
            yield _recipe(
                f"{table}{tag}_{aggregate}_{key}",
                table,
                aggregate,
                value=None if aggregate in COUNTING else value,
                window=window,
                where=where,
                run=RUNS[table] if aggregate in STREAKS else (),
                half_life=30.0 if aggregate in DECAYED else None,
            )


def _every():
    windows = {key: window for key, window in WINDOWS.items() if key != "since_7"}
    yield from _aggregates("payments", "recovery", windows)
    yield from _aggregates("payments", "amount", {"all": None}, KINDS, "_paid")
    yield from _aggregates("balances", "dpd", {"all": None, "60_30": Window(-60, -30)})
    yield from _aggregates("contacts", "cost", {"90": Window(-90, 0)}, CALLS, "_calls")
    yield from _aggregates("contacts", "duration_s", {"all": None}, (*CALLS, *MORNING), "_morning")
    yield from _aggregates("instalments", "amount", {**AHEAD, "30": Window(-30, 0)})
    yield from _judged_numbers()
    yield from _of_the_debtor()
    yield from _local_and_computed()
    for table, column in (("contacts", "outcome"), ("payments", "method"), ("complaints", "kind")):
        for aggregate in ("distinct", "last", "first"):
            yield _recipe(f"{table}_{column}_{aggregate}", table, aggregate, value=column)
    for table, words in STATUSES.items():
        for word in words:
            where = (Where("status", (word,)),)
            yield _recipe(f"{table}_now_{word}", table, "count", where=where)
            yield _recipe(f"{table}_90_{word}", table, "since_last", where=where, window=Window(-90, 0))
    ended = (Where("status", ("ended",)), Where("end_reason", ("broken",)))
    yield _recipe("plans_ended_broken", "plans", "count", where=ended)
    either = (Where("status", ("kept", "broken")), Where("taken_by", ("human",)))
    yield _recipe("promised_to_humans", "promises", "sum", value="amount", where=either)
    yield _recipe("unpaid_ahead", "instalments", "sum", value="amount", window=Window(0, 30),
                  where=(Where("status", ("unpaid",)),))  # fmt: skip
    yield _recipe("large", "payments", "count", where=(Between("amount", 10, 20),))
    yield _recipe("by_people", "contacts", "count", where=(Where("agent", ("human",)),))
    yield _recipe("weekend", "contacts", "count", where=(Between("local_weekday", 5, 7),))
    pairs = {
        "of_payments": ("payments_sum_30", "payments_sum_60_30"),
        "of_counts": ("promises_now_kept", "promises_now_broken"),
        "of_gaps": ("payments_gap_mean_all", "payments_gap_std_all"),
    }
    for name, of in pairs.items():
        for aggregate in ("share", "difference", "trend", "larger", "smaller"):
            yield _recipe(f"{aggregate}_{name}", "derived", aggregate, of=of)
    yield _recipe("share_of_share", "derived", "share", of=("share_of_payments", "later_hidden"))
    yield _recipe("later_hidden", "payments", "count", hidden=True)


def _judged_numbers():
    for table, column in (("instalments", "lateness"), ("instalments", "covered"), ("promises", "due_in")):
        for aggregate in ("mean", "min", "max", "std", "last", "first", "median", "mode", "sum"):
            yield _recipe(f"{column}_{aggregate}", table, aggregate, value=column)
            if table == "instalments":
                yield _recipe(
                    f"{column}_{aggregate}_around",
                    table,
                    aggregate,
                    value=column,
                    window=Window(-60, 30),
                    where=(Where("status", ("late", "paid")),),
                )
    run = (Where("status", ("kept",)),)
    judged = (Where("status", ("kept", "broken")),)
    yield _recipe("kept_in_a_row", "promises", "streak", where=judged, run=run)
    yield _recipe("most_kept_in_a_row", "promises", "longest_streak", where=judged, run=run)


def _of_the_debtor():
    for aggregate in (*COUNTING, *VALUED):
        if aggregate == "until_first":
            continue
        yield _recipe(
            f"debtor_{aggregate}",
            "payments",
            aggregate,
            value=None if aggregate in COUNTING else "recovery",
            window=Window(-90, 0) if aggregate in COUNTING else None,
            run=RUNS["payments"] if aggregate in STREAKS else (),
            half_life=30.0 if aggregate in DECAYED else None,
            by_debtor=True,
        )
    yield _recipe("debtor_calls", "contacts", "distinct", value="outcome", where=CALLS, by_debtor=True)
    yield _recipe("others_paid", "derived", "difference", of=("debtor_sum", "payments_sum_all"))


def _local_and_computed():
    yield _recipe("usual_day", "payments", "mode", value="local_day", where=KINDS)
    yield _recipe("weekend_payments", "payments", "count", where=(Between("local_weekday", 5, 7),))
    yield _recipe("evening_payments", "payments", "count", where=(Between("local_minute", 780, 1440),))
    yield _recipe("term_mean", "promises", "mean", value="term")
    yield _recipe("long_promises", "promises", "count", where=(Between("term", 7, 400),))
    yield _recipe("discount_max", "plans", "max", value="discount")
    yield _recipe("methods_given", "payments", "count", where=(Present("method"),))
    yield _recipe("offers", "decisions", "since_last", where=(Present("offer"),))
    yield _recipe("offer_discount", "decisions", "last", value="discount")
    yield _recipe("guarantors", "parties", "count", where=(Where("role", ("guarantor",)),))


EVERY = FeatureSet(tuple(_every()))
"""About 340 recipes, one of them hidden."""
