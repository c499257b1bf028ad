"""Payments by SQL."""

from __future__ import annotations

from tests.features.sql_words import (
    DAY,
    Part,
    count,
    decayed,
    gap_mean,
    grouped,
    last,
    money,
    month,
    share,
    since,
    trend,
    where,
    within,
)

PAID = "kind = 'payment'"
RECOVERY = "CASE kind WHEN 'payment' THEN cents WHEN 'reversal' THEN -abs(cents) ELSE 0 END"
_YEAR = (PAID, within(365))

_COLUMNS = {
    **{f"payments_count_{days}d": count(PAID, within(days)) for days in (7, 30, 60, 90, 180, 365)},
    **{f"paid_{days}d": money("sum", RECOVERY, within(days)) for days in (7, 30, 60, 90, 180, 365)},
    **{f"paid_month_{back}": money("sum", RECOVERY, month(back)) for back in (2, 3, 4, 5, 6)},
    "_paid_month_1": money("sum", RECOVERY, month(1)),
    "_paid_90d_before": money("sum", RECOVERY, within(180, 90)),
    "paid_decayed_90d": f"{decayed(RECOVERY, 90)} / any_value(scale)",
    "payments_decayed_90d": decayed("1", 90, PAID),
    "days_since_payment": since("max", PAID),
    "days_since_first_payment": since("min", PAID),
    "days_since_reversal": since("max", "kind = 'reversal'"),
    "last_method": last("method", PAID),
    "last_payment": f"{last('cents', PAID)} / any_value(scale)",
    "mean_payment_365d": money("avg", "cents", *_YEAR),
    "median_payment_365d": money("median", "cents", *_YEAR),
    "max_payment_365d": money("max", "cents", *_YEAR),
    "std_payment_365d": money("stddev_samp", "cents", *_YEAR),
    "payment_gap_mean_365d": gap_mean(*_YEAR),
    "reversals_365d": count("kind = 'reversal'", within(365)),
    "payment_methods_365d": f"count(DISTINCT method) {where(*_YEAR)}",
    "_weekend_payments_365d": count(*_YEAR, "isodow(local) >= 6"),
}

_GAPS = f"""
SELECT s.account_id, s.t, stddev_samp(gap) / {DAY} AS payment_gap_std_365d
FROM snapshots s LEFT JOIN (
    SELECT account_id, t, happened - lag(happened) OVER (PARTITION BY account_id, t ORDER BY happened) AS gap
    FROM seen_payments WHERE {PAID} AND {within(365)}
) USING (account_id, t) GROUP BY s.account_id, s.t"""

_PAYDAY = f"""
SELECT s.account_id, s.t, arg_max(day, (times, latest)) AS payday
FROM snapshots s LEFT JOIN (
    SELECT account_id, t, day(local) AS day, count(*) AS times, max(place) AS latest
    FROM seen_payments WHERE {PAID} AND {within(365)} GROUP BY ALL
) USING (account_id, t) GROUP BY s.account_id, s.t"""

PART = Part(
    queries={"payments": grouped("payments", _COLUMNS), "gaps": _GAPS, "payday": _PAYDAY},
    columns=(*_COLUMNS, "payment_gap_std_365d", "payday"),
    final={
        "paid_trend_90d": trend("paid_90d", "_paid_90d_before"),
        "last_payment_to_median": share("last_payment", "median_payment_365d"),
        "weekend_payment_share_365d": share("_weekend_payments_365d", "payments_count_365d"),
    },
)
