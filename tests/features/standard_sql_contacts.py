"""Contacts by SQL; hours and weekdays are those of the debtor's own zone."""

from __future__ import annotations

from tests.features.sql_words import (
    Part,
    count,
    decayed,
    gap_mean,
    grouped,
    last,
    money,
    share,
    since,
    streaks,
    trend,
    where,
    within,
)

_OUT = "direction = 'outbound'"
_CALLS = f"{_OUT} AND channel IN ('call', 'ivr')"
_MESSAGES = f"{_OUT} AND channel IN ('sms', 'whatsapp', 'email', 'letter')"
_RPC = f"{_OUT} AND outcome = 'rpc'"
_ANSWERED = f"{_OUT} AND outcome IN ('opened', 'replied')"
_SILENCE = "outcome IN ('no_answer', 'busy', 'voicemail')"
_CHANNELS = ("call", "sms", "whatsapp", "email")
_HOURS = {
    "morning": "hour(local) < 12",
    "afternoon": "hour(local) BETWEEN 12 AND 16",
    "evening": "hour(local) >= 17",
}

_COLUMNS = {
    **{f"attempts_{days}d": count(_OUT, within(days)) for days in (7, 30, 90)},
    "calls_30d": count(_CALLS, within(30)),
    "messages_30d": count(_MESSAGES, within(30)),
    "human_attempts_90d": count(_OUT, "agent = 'human'", within(90)),
    "rpc_90d": count(_RPC, within(90)),
    "rpc_365d": count(_RPC, within(365)),
    "responses_90d": count(_ANSWERED, within(90)),
    "inbound_90d": count("direction = 'inbound'", within(90)),
    "third_party_365d": count(_OUT, "outcome = 'third_party'", within(365)),
    "wrong_number_365d": count(_OUT, "outcome = 'wrong_number'", within(365)),
    "failed_90d": count(_OUT, "outcome IN ('failed', 'blocked')", within(90)),
    "_unanswered_90d": count(_OUT, _SILENCE, within(90)),
    "_attempts_30d_before": count(_OUT, within(60, 30)),
    **{f"{one}_attempts_90d": count(_OUT, f"channel = '{one}'", within(90)) for one in _CHANNELS},
    **{
        f"_{one}_answered_90d": count(
            _OUT, f"channel = '{one}'", "outcome IN ('rpc', 'opened', 'replied')", within(90)
        )
        for one in _CHANNELS
    },
    **{f"calls_{part}_90d": count(_CALLS, hours, within(90)) for part, hours in _HOURS.items()},
    **{
        f"_calls_reached_{part}_90d": count(_CALLS, "outcome = 'rpc'", hours, within(90))
        for part, hours in _HOURS.items()
    },
    "weekend_attempts_90d": count(_OUT, "dayname(local) IN ('Saturday', 'Sunday')", within(90)),
    "reached_minute_median_365d": f"median(hour(local) * 60 + minute(local)) {where(_RPC, within(365))}",
    "days_since_rpc": since("max", _RPC),
    "days_since_attempt": since("max", _OUT),
    "days_since_response": since("max", _ANSWERED),
    "days_since_inbound": since("max", "direction = 'inbound'"),
    "days_since_first_attempt": since("min", _OUT),
    "attempts_decayed_14d": decayed("1", 14, _OUT, within(180)),
    "rpc_decayed_60d": decayed("1", 60, _RPC),
    "attempt_gap_mean_90d": gap_mean(_OUT, within(90)),
    "channels_tried_90d": f"count(DISTINCT channel) {where(_OUT, within(90))}",
    "contact_cost_90d": money("sum", "cost", within(90)),
    "talk_seconds_mean_365d": f"avg(duration_s) {where(_RPC, within(365))}",
    "last_channel": last("channel", _OUT),
    "last_outcome": last("outcome", _OUT),
}
_RUNS = {
    "unanswered_in_a_row": (_CALLS, False),
    "unanswered_longest_run_365d": (f"{_CALLS} AND {within(365)}", True),
}

PART = Part(
    queries={
        "contacts": grouped("contacts", _COLUMNS),
        **{
            name: streaks("contacts", rows, _SILENCE, name, longest=longest)
            for name, (rows, longest) in _RUNS.items()
        },
    },
    columns=(*_COLUMNS, *_RUNS),
    final={
        "rpc_share_90d": share("rpc_90d", "attempts_90d"),
        "unanswered_share_90d": share("_unanswered_90d", "attempts_90d"),
        "attempts_trend_30d": trend("attempts_30d", "_attempts_30d_before"),
        **{
            f"{one}_answered_share_90d": share(f"_{one}_answered_90d", f"{one}_attempts_90d")
            for one in _CHANNELS
        },
        **{
            f"calls_reached_share_{part}_90d": share(f"_calls_reached_{part}_90d", f"calls_{part}_90d")
            for part in _HOURS
        },
    },
)
