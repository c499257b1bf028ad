"""Promises, plans and decisions by SQL: a promise is judged by what was recovered before the as-of."""

from __future__ import annotations

from tests.features.sql_words import (
    DAY,
    Part,
    count,
    grouped,
    last,
    money,
    share,
    since,
    streaks,
    where,
    within,
)
from tests.features.standard_sql_payments import RECOVERY

_GRACE = 3 * DAY

_PROMISES = f"""
CREATE TABLE seen_judged_promises AS
SELECT *, NOT kept AND due_at + {_GRACE} <= t AS broken, NOT kept AND due_at + {_GRACE} > t AS open
FROM (
    SELECT r.*, coalesce((
        SELECT sum({RECOVERY}) FROM seen_payments p
        WHERE p.account_id = r.account_id AND p.t = r.t
          AND p.happened >= r.happened AND p.happened < r.due_at + {_GRACE}
    ), 0) >= r.cents AS kept
    FROM seen_promises r
)
"""

_PROMISE_COLUMNS = {
    "promises_kept_365d": count("kept", within(365)),
    "promises_broken_365d": count("broken", within(365)),
    "_promises_judged_365d": count("kept OR broken", within(365)),
    "days_since_kept_promise": since("max", "kept"),
    "days_since_broken_promise": since("max", "broken"),
    "promises_open": count("open"),
    "promised_open": money("sum", "cents", "open"),
    "days_to_promise": f"(min(due_at) {where('open')} - any_value(t)) / {DAY}",
    "days_since_promise": since("max"),
    "last_promise": f"{last('cents')} / any_value(scale)",
    "promise_term_mean_365d": f"avg(due_at - happened) {where(within(365))} / {DAY}",
}
_PROMISE_RUNS = {"promises_kept_in_a_row": "kept", "promises_broken_in_a_row": "broken"}


def _discount(column):
    """The number under `discount`, at the top of the terms or within them."""
    at_top, inside = f"{column} ->> '$.discount'", f"{column} ->> '$.terms.discount'"
    told = f"json_valid({column}) AND json_type({column}) = 'OBJECT'"
    numeric = "('DOUBLE', 'BIGINT', 'UBIGINT')"
    return (
        f"CASE WHEN {told} AND json_type({column}, '$.discount') IN {numeric} THEN ({at_top})::DOUBLE "
        f"WHEN {told} AND json_type({column}, '$.discount') IS NULL "
        f"AND json_type({column}, '$.terms.discount') IN {numeric} THEN ({inside})::DOUBLE END"
    )


_ENDED = "coalesce(ended_at < t, FALSE)"
_ACCEPTED = f"NOT {_ENDED} AND coalesce(accepted_at < t, FALSE)"
_PLANS = {
    "plans_offered": count(f"NOT {_ENDED} AND NOT coalesce(accepted_at < t, FALSE)"),
    "plans_accepted": count(_ACCEPTED),
    "plans_ended": count(_ENDED),
    "plans_broken": count(_ENDED, "end_reason = 'broken'"),
    "days_since_plan": since("max"),
    "plan_discount_max": f"max({_discount('terms')}) {where()}",
}
_DECISIONS = {
    "decisions_90d": count(within(90)),
    "_no_action_90d": count("action_id = 'no_action'", within(90)),
    "actions_distinct_90d": f"count(DISTINCT action_id) {where(within(90))}",
    "offers_365d": count("offer IS NOT NULL", within(365)),
    "days_since_offer": since("max", "offer IS NOT NULL"),
    "offer_discount_max_365d": f"max({_discount('offer')}) {where(within(365))}",
}

PART = Part(
    tables=(_PROMISES,),
    queries={
        "promises": grouped("judged_promises", _PROMISE_COLUMNS),
        **{
            name: streaks("judged_promises", "kept OR broken", run, name)
            for name, run in _PROMISE_RUNS.items()
        },
        "plans": grouped("plans", _PLANS),
        "decisions": grouped("decisions", _DECISIONS),
        "no_action_in_a_row": streaks("decisions", "TRUE", "action_id = 'no_action'", "no_action_in_a_row"),
    },
    columns=(*_PROMISE_COLUMNS, *_PROMISE_RUNS, *_PLANS, *_DECISIONS, "no_action_in_a_row"),
    final={
        "promises_kept_share": share("promises_kept_365d", "_promises_judged_365d"),
        "no_action_share_90d": share("_no_action_90d", "decisions_90d"),
    },
)
