"""Words the SQL of the standard features is made of: raw events with both clocks, windows, aggregates."""

from __future__ import annotations

from dataclasses import dataclass, field

DAY = 86_400_000_000

_VISIBLE = "JOIN snapshots s ON s.account_id = e.account_id AND e.happened < s.t AND e.known < s.t"


@dataclass(frozen=True)
class Part:
    """Statements to run first; named queries, one row per (account, as-of); expressions over all columns.

    Columns that begin with an underscore are no features.
    """

    tables: tuple[str, ...] = ()
    queries: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    final: dict[str, str] = field(default_factory=dict)

    @property
    def features(self):
        return [name for name in (*self.columns, *self.final) if not name.startswith("_")]


def _events(table, clock, columns, order, *, owner="account_id", dedupe=None):
    first = f"QUALIFY {dedupe} IS NULL OR row_number() OVER (PARTITION BY {dedupe} ORDER BY known) = 1"
    money = {"amount": "cents", "cost": "cost", "balance": "balance", "interest": "interest", "fees": "fees"}
    listed = ", ".join(
        f"round_even(r.{name} * p.scale, 0)::BIGINT AS {money[name]}" if name in money else name
        for name in columns
    )
    return f"""
    CREATE TABLE {table} AS
    SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY happened, known, {order}) AS place
    FROM (SELECT p.account_id, {listed}, epoch_us(r.{clock}) AS happened,
                 coalesce(epoch_us(r.known_at), epoch_us(r.{clock}) + {{lag}}) AS known,
                 timezone(p.zone, r.{clock}) AS local
          FROM raw_{table} r JOIN people p USING ({owner}) {first if dedupe else ""});
    CREATE TABLE seen_{table} AS
    SELECT e.*, s.t, s.scale, {", ".join(f"s.m{k}" for k in range(8))} FROM {table} e {_VISIBLE};
    """


EVENTS = {
    "payments": _events(
        "payments", "paid_at",
        ("amount", "coalesce(kind, 'payment') AS kind", "method", "payment_id"),
        "payment_id NULLS LAST, cents, kind, method NULLS LAST", dedupe="payment_id",
    ),
    "contacts": _events(
        "contacts", "attempted_at",
        ("channel", "direction", "outcome", "agent", "duration_s", "cost", "contact_id"), "contact_id",
    ),
    "promises": _events(
        "promises", "promised_at", ("amount", "epoch_us(due_at) AS due_at", "promise_id"), "promise_id"
    ),
    "plans": _events(
        "plans", "offered_at",
        ("plan_id", "terms", "epoch_us(accepted_at) AS accepted_at", "epoch_us(ended_at) AS ended_at",
         "end_reason"),
        "plan_id",
    ),
    "decisions": _events("decisions", "decided_at", ("action_id", "offer", "decision_id"), "decision_id"),
    "balances": _events(
        "balances", "known_at", ("balance", "interest", "fees", "dpd"),
        "balance, interest NULLS FIRST, fees NULLS FIRST, dpd NULLS LAST",
    ),
    "placements": _events(
        "placements", "placed_at", ("epoch_us(recalled_at) AS recalled_at", "stage"),
        "recalled_at NULLS LAST, stage NULLS LAST",
    ),
    "parties": _events("parties", "known_at", ("role",), "role"),
    "contact_points": _events(
        "contact_points", "known_at", ("channel", "epoch_us(wrong_from) AS wrong_from"), "channel",
        owner="debtor_id",
    ),
}  # fmt: skip
"""The statements that read each table: rows with both clocks, and those visible at each snapshot."""


def within(days, until=0):
    """Rows of a half-open lookback."""
    return f"happened >= t - {days} * {DAY} AND happened < t - {until} * {DAY}"


def month(back):
    """Rows of a calendar month of the portfolio's zone; 1 is the month that ends at the as-of."""
    return f"happened >= m{back} AND happened < m{back - 1}"


def where(*conditions):
    return f"FILTER (WHERE {' AND '.join(f'({one})' for one in ('happened IS NOT NULL', *conditions))})"


def count(*conditions):
    return f"count(*) {where(*conditions)}"


def money(aggregate, value, *conditions):
    """An aggregate of minor units, in major units; the sum of nothing is 0."""
    whole = f"{aggregate}({value}) {where(*conditions)}"
    return f"coalesce({whole}, 0) / any_value(scale)" if aggregate == "sum" else f"{whole} / any_value(scale)"


def last(value, *conditions):
    return f"arg_max({value}, place) {where(f'{value} IS NOT NULL', *conditions)}"


def since(edge, *conditions):
    """Days since the last (max) or first (min) row."""
    return f"(any_value(t) - {edge}(happened) {where(*conditions)}) / {DAY}"


def gap_mean(*conditions):
    rows = where(*conditions)
    span = f"(max(happened) {rows} - min(happened) {rows}) / {DAY}"
    return f"{span} / nullif(greatest(count(*) {rows} - 1, 0), 0)"


def decayed(value, half_life, *conditions):
    weight = f"pow(2.0, -(t - happened) / {DAY} / {half_life})"
    return f"coalesce(sum({value} * {weight}) {where(*conditions)}, 0)"


def share(a, b):
    return f"{a} / nullif({b}, 0)"


def trend(a, b):
    return f"({a} - {b}) / nullif(abs({a}) + abs({b}), 0)"


def grouped(table, columns):
    """Aggregates of the visible rows of a table, accounts without any included."""
    listed = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"""
    SELECT s.account_id, s.t, {listed}
    FROM (SELECT account_id, t, scale FROM snapshots) s
    LEFT JOIN (SELECT * EXCLUDE (scale) FROM seen_{table}) e USING (account_id, t)
    GROUP BY s.account_id, s.t"""


def streaks(table, rows, going_on, name, *, longest=False):
    """How many consecutive rows went on: at the end, or at most anywhere (gaps and islands)."""
    chosen = f"SELECT account_id, t, place, ({going_on}) AS holds FROM seen_{table} WHERE {rows}"
    islands = f"""
        SELECT account_id, t, holds, sum(CASE WHEN holds THEN 0 ELSE 1 END)
               OVER (PARTITION BY account_id, t ORDER BY place ROWS UNBOUNDED PRECEDING) AS island
        FROM ({chosen})"""
    lengths = (
        f"SELECT account_id, t, island, count(*) FILTER (WHERE holds) AS n FROM ({islands}) GROUP BY ALL"
    )
    kept = "max(n)" if longest else "arg_max(n, island)"
    return f"""
    SELECT s.account_id, s.t, coalesce({kept}, 0) AS {name}
    FROM snapshots s LEFT JOIN ({lengths}) l USING (account_id, t) GROUP BY s.account_id, s.t"""
