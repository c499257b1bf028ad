"""Instalments by SQL: judged at each as-of by what was recovered before it, oldest first."""

from __future__ import annotations

from tests.features.sql_words import (
    DAY,
    Part,
    count,
    grouped,
    last,
    money,
    month,
    share,
    since,
    streaks,
    where,
    within,
)
from tests.features.standard_sql_payments import RECOVERY

_LAG = DAY // 2

_INSTALMENTS = f"""
CREATE TABLE instalments AS
SELECT *, row_number() OVER (
    PARTITION BY account_id ORDER BY happened, known, cents, plan_id NULLS LAST
) AS place
FROM (
    SELECT p.account_id, r.plan_id, epoch_us(r.due_at) AS happened,
           round_even(r.amount * p.scale, 0)::BIGINT AS cents,
           coalesce(epoch_us(r.known_at), {_LAG} + CASE
               WHEN r.plan_id IS NULL THEN p.opened_at
               WHEN n.accepted_at IS NOT NULL THEN greatest(n.accepted_at, n.known) END) AS known
    FROM raw_instalments r JOIN people p USING (account_id) LEFT JOIN plans n ON n.plan_id = r.plan_id
)
"""

_JUDGED = f"""
CREATE TABLE seen_instalments AS
WITH running AS (
    SELECT account_id, t, happened, place,
           sum({RECOVERY}) OVER (PARTITION BY account_id, t ORDER BY place) AS total
    FROM seen_payments
), kept AS (
    SELECT account_id, t, happened, min(total) OVER (
        PARTITION BY account_id, t ORDER BY place ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS from_here_on FROM running
), money AS (
    SELECT account_id, t, sum({RECOVERY}) AS recovered FROM seen_payments GROUP BY ALL
), lowest AS (
    SELECT account_id, t, min(total) AS lowest FROM running GROUP BY ALL
), schedule AS (
    SELECT n.*, s.t, s.scale, {", ".join(f"s.m{k}" for k in range(8))}, n.plan_id IS NULL AS contractual,
           sum(cents) FILTER (WHERE n.plan_id IS NULL)
               OVER (PARTITION BY s.account_id, s.t ORDER BY n.place) AS due
    FROM instalments n JOIN snapshots s ON s.account_id = n.account_id AND n.known < s.t
), judged AS (
    SELECT s.*, coalesce(recovered, 0) AS recovered, coalesce(recovered, 0) >= due AND contractual AS paid,
           CASE WHEN contractual THEN
               CASE WHEN due = 0 AND coalesce(lowest, 0) >= 0 THEN 0
                    WHEN coalesce(recovered, 0) >= due THEN greatest(0, (
                        SELECT min(k.happened) FROM kept k
                        WHERE k.account_id = s.account_id AND k.t = s.t AND k.from_here_on >= s.due
                    ) - s.happened) // {DAY}
                    WHEN s.happened < s.t THEN (s.t - s.happened) // {DAY} END
           END AS lateness
    FROM schedule s LEFT JOIN money USING (account_id, t) LEFT JOIN lowest USING (account_id, t)
)
SELECT *, paid AND lateness = 0 AS on_time, paid AND lateness > 0 AS late, contractual AND NOT paid AS unpaid,
       contractual AND NOT paid AND recovered > due - cents AS partial,
       CASE WHEN contractual AND cents > 0
            THEN least(greatest(recovered - (due - cents), 0), cents) / cents::DOUBLE END AS covered
FROM judged
"""

_PAST = "happened < t"
_YEAR = within(365)
_AHEAD = f"happened >= t AND happened < t + 365 * {DAY}"

_COLUMNS = {
    "unpaid_instalments": count("unpaid", _PAST),
    "partial_instalments": count("partial", _PAST),
    "_paid_count": count("paid", _PAST),
    "_due_count": count(_PAST),
    "_on_time_365d": count("on_time", _YEAR),
    "_billed_365d": count("contractual", _YEAR),
    "late_instalments_365d": count("late", _YEAR),
    "days_since_oldest_unpaid": since("min", "unpaid", _PAST),
    "lateness_mean_365d": f"avg(lateness) {where(_YEAR)}",
    "lateness_median_365d": f"median(lateness) {where(_YEAR)}",
    "lateness_max_365d": f"max(lateness) {where(_YEAR)}",
    "lateness_last_365d": last("lateness", _YEAR),
    "covered_mean_90d": f"avg(covered) {where(within(90))}",
    "covered_mean_365d": f"avg(covered) {where(_YEAR)}",
    "_due_90d": money("sum", "cents", within(90)),
    "_due_365d": money("sum", "cents", _YEAR),
    **{f"_due_month_{k}": money("sum", "cents", month(k)) for k in range(2, 7)},
    **{
        f"due_next_{days}d": money("sum", "cents", f"happened >= t AND happened < t + {days} * {DAY}")
        for days in (7, 30, 60)
    },
    "days_to_next_instalment": f"(min(happened) {where(_AHEAD)} - any_value(t)) / {DAY}",
    "next_instalment": f"arg_min(cents, place) {where(_AHEAD)} / any_value(scale)",
    "instalments_ahead": count("happened >= t"),
}
_RUNS = {
    "instalments_paid_in_a_row": ("paid", False),
    "instalments_on_time_in_a_row": ("on_time", True),
}

PART = Part(
    tables=(_JUDGED,),
    queries={
        "instalments": grouped("instalments", _COLUMNS),
        **{
            name: streaks("instalments", f"contractual AND {_PAST}", run, name, longest=longest)
            for name, (run, longest) in _RUNS.items()
        },
    },
    columns=(*_COLUMNS, *_RUNS),
    final={
        "instalments_paid_share": share("_paid_count", "_due_count"),
        "on_time_share_365d": share("_on_time_365d", "_billed_365d"),
        "paid_to_due_90d": share("paid_90d", "_due_90d"),
        "paid_to_due_365d": share("paid_365d", "_due_365d"),
        "paid_to_bill_month_1": share("_paid_month_1", "_due_month_2"),
        **{f"paid_to_bill_month_{k}": share(f"paid_month_{k}", f"_due_month_{k + 1}") for k in range(2, 6)},
        "next_instalment_to_mean_payment": share("next_instalment", "mean_payment_365d"),
    },
)
INSTALMENTS = _INSTALMENTS
"""Made before anything else reads the schedule."""
