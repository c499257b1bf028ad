"""Exposure, days past due and buckets by SQL: at the as-of, 30, 60 and 90 days before, and over a debtor."""

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
    trend,
    where,
    within,
)
from tests.features.standard_sql_payments import RECOVERY

_AGO = (0, 30, 60, 90)

_INSTANTS = f"""
CREATE TABLE instants AS
SELECT DISTINCT account_id, t - ago * {DAY} AS i, opened_at, known_at, principal_cents AS principal
FROM snapshots, (SELECT unnest([{", ".join(map(str, _AGO))}]) AS ago)
"""

_STATE = f"""
CREATE TABLE states AS
WITH paid AS (
    SELECT i.account_id, i, happened, {RECOVERY} AS cents
    FROM instants i JOIN payments p ON p.account_id = i.account_id AND happened < i AND known < i
), recovered AS (
    SELECT account_id, i, sum(cents)::BIGINT AS recovered FROM paid GROUP BY ALL
), dated AS (
    SELECT i.account_id, i, arg_max(happened, place) AS dated, arg_max(balance, place) AS balance,
           arg_max_null(dpd, place) AS written
    FROM instants i JOIN balances b ON b.account_id = i.account_id AND happened < i GROUP BY ALL
), since AS (
    SELECT account_id, i, sum(cents)::BIGINT AS recovered_since FROM paid JOIN dated USING (account_id, i)
    WHERE happened >= dated GROUP BY ALL
), facts AS (
    SELECT *, CASE WHEN recorded > 0 THEN recorded + (i - dated) // {DAY} ELSE recorded END AS aged
    FROM (SELECT account_id, i, opened_at, known_at, principal, dated, balance,
                 coalesce(recovered, 0) AS recovered, coalesce(recovered_since, 0) AS recovered_since,
                 CASE WHEN written < 0 THEN 0 ELSE written END AS recorded
          FROM instants LEFT JOIN recovered USING (account_id, i) LEFT JOIN dated USING (account_id, i)
          LEFT JOIN since USING (account_id, i))
), fifo AS (
    SELECT account_id, i, sum(cents) FILTER (WHERE happened < i)::BIGINT AS due,
           min(happened) FILTER (
               WHERE happened < i AND until_here > recovered
                 AND (recorded IS NULL OR recorded > 0 OR happened >= dated)
           ) AS oldest
    FROM (
        SELECT f.account_id, f.i, f.recovered, f.recorded, f.dated, n.happened, n.cents,
               sum(n.cents) OVER (PARTITION BY f.account_id, f.i ORDER BY n.place) AS until_here
        FROM facts f JOIN instalments n ON n.account_id = f.account_id AND n.known < f.i AND n.plan_id IS NULL
    ) GROUP BY ALL
), owed AS (
    SELECT facts.*, oldest,
           greatest(0, CASE WHEN fifo.i IS NOT NULL THEN coalesce(due, 0) - recovered
                            WHEN dated IS NOT NULL THEN balance - recovered_since
                            ELSE principal - recovered END) AS exposure_or_zero,
           (fifo.i IS NOT NULL OR dated IS NOT NULL OR principal IS NOT NULL) AS told,
           CASE WHEN fifo.i IS NULL THEN aged
                WHEN recorded > 0 THEN least(coalesce((i - oldest) // {DAY}, 0), aged)
                ELSE coalesce((i - oldest) // {DAY}, 0) END AS days
    FROM facts LEFT JOIN fifo USING (account_id, i)
)
SELECT account_id, i, opened_at < i AND known_at < i AS is_open,
       CASE WHEN is_open AND told THEN exposure_or_zero END AS exposure,
       CASE WHEN is_open THEN CASE WHEN told AND exposure_or_zero = 0 THEN 0 ELSE days END END AS dpd,
       CASE WHEN dpd < 1 THEN 0 WHEN dpd < 31 THEN 1 WHEN dpd < 61 THEN 2 WHEN dpd < 91 THEN 3
            WHEN dpd < 181 THEN 4 WHEN dpd >= 181 THEN 5 END AS bucket
FROM owed
"""


def _at(ago, **columns):
    listed = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"""
    SELECT s.account_id, s.t, {listed}
    FROM snapshots s JOIN states x ON x.account_id = s.account_id AND i = t - {ago} * {DAY}"""


_OF_DEBTOR = """
SELECT s.account_id, s.t,
       CASE WHEN any_value(x.is_open) THEN count(*) FILTER (WHERE y.is_open) END AS debtor_accounts,
       CASE WHEN any_value(x.exposure) IS NOT NULL
            THEN sum(y.exposure) FILTER (WHERE o.own_currency = s.own_currency) / any_value(s.scale)
       END AS debtor_exposure,
       CASE WHEN any_value(x.is_open)
            THEN max(y.dpd) FILTER (WHERE o.account_id <> s.account_id) END AS others_dpd
FROM snapshots s JOIN states x ON x.account_id = s.account_id AND x.i = s.t
JOIN people o USING (debtor_id) JOIN states y ON y.account_id = o.account_id AND y.i = s.t
GROUP BY s.account_id, s.t"""


def _on_others(table, columns):
    """Aggregates of the rows of the debtor's other accounts of the same currency."""
    listed = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"""
    SELECT s.account_id, s.t, {listed}
    FROM snapshots s LEFT JOIN (
        SELECT e.*, o.debtor_id, o.own_currency FROM {table} e JOIN people o USING (account_id)
    ) e ON e.debtor_id = s.debtor_id AND e.own_currency = s.own_currency AND e.account_id <> s.account_id
       AND e.happened < s.t AND e.known < s.t
    GROUP BY s.account_id, s.t"""


_BALANCES = {
    "balance_last": f"{last('balance')} / any_value(scale)",
    "balance_max_365d": money("max", "balance", within(365)),
    "balance_median_365d": money("median", "balance", within(365)),
    "_interest_last": f"{last('interest')} / any_value(scale)",
    "_fees_last": f"{last('fees')} / any_value(scale)",
    **{f"_balance_month_{k}": f"{last('balance', month(k))} / any_value(scale)" for k in range(1, 7)},
    "dpd_last": last("dpd"),
    **{f"dpd_max_{days}d": f"max(dpd) {where(within(days))}" for days in (90, 180, 365)},
    **{f"dpd_month_{k}": last("dpd", month(k)) for k in range(2, 7)},
    "dpd_mean_365d": f"avg(dpd) {where(within(365))}",
    "days_since_current": since("max", "dpd < 1"),
    "late_balances_365d": count("dpd >= 1", within(365)),
}
_RUNS = {"late_balances_in_a_row": False, "late_balances_longest_run": True}
_STATES = {
    "now": _at(0, exposure="x.exposure / scale", dpd="x.dpd", bucket="x.bucket"),
    "ago_30": _at(30, _bucket_30="bucket", _exposure_30="x.exposure / scale"),
    "ago_60": _at(60, _bucket_60="bucket", dpd_60d_ago="x.dpd"),
    "ago_90": _at(90, _bucket_90="bucket"),
    "of_debtor": _OF_DEBTOR,
}
_OTHERS = {
    "payments": {
        "others_paid_30d": money("sum", RECOVERY, within(30)),
        "others_paid_90d": money("sum", RECOVERY, within(90)),
        "others_payments_count_90d": count("kind = 'payment'", within(90)),
    },
    "contacts": {"others_attempts_30d": count("direction = 'outbound'", within(30))},
}

PART = Part(
    tables=(_INSTANTS, _STATE),
    queries={
        "balances": grouped("balances", _BALANCES),
        **{
            name: streaks("balances", "dpd IS NOT NULL", "dpd >= 1", name, longest=longest)
            for name, longest in _RUNS.items()
        },
        **_STATES,
        **{f"others_{table}": _on_others(table, columns) for table, columns in _OTHERS.items()},
    },
    columns=(
        *_BALANCES, *_RUNS, "exposure", "dpd", "bucket", "dpd_60d_ago",
        "debtor_accounts", "debtor_exposure", "others_dpd", *_OTHERS["payments"], *_OTHERS["contacts"],
    ),
    final={
        "credit_limit": "CASE WHEN known THEN credit_limit_cents / scale END",
        "principal": "CASE WHEN known THEN principal_cents / scale END",
        "interest_to_balance": share("_interest_last", "balance_last"),
        "fees_to_balance": share("_fees_last", "balance_last"),
        "balance_trend_3m": trend("_balance_month_1", "_balance_month_3"),
        "balance_trend_6m": trend("_balance_month_1", "_balance_month_6"),
        "utilisation": share("balance_last", "credit_limit"),
        **{f"utilisation_month_{k}": share(f"_balance_month_{k}", "credit_limit") for k in range(2, 7)},
        "days_in_bucket": "dpd - CASE bucket WHEN 0 THEN 0 WHEN 1 THEN 1 WHEN 2 THEN 31 WHEN 3 THEN 61 "
                          "WHEN 4 THEN 91 WHEN 5 THEN 181 END",
        "exposure_to_principal": share("exposure", "principal"),
        "exposure_to_mean_payment": share("exposure", "mean_payment_365d"),
        "bucket_change_30d": "bucket - _bucket_30",
        "bucket_change_60d": "bucket - _bucket_60",
        "worst_bucket_90d": "greatest(bucket, _bucket_30, _bucket_60, _bucket_90)",
        "exposure_trend_30d": trend("exposure", "_exposure_30"),
        "exposure_to_debtor": share("exposure", "debtor_exposure"),
    },
)  # fmt: skip
