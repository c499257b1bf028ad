"""Who answers, how they can be reached, static facts and the debtor's local date, by SQL."""

from __future__ import annotations

from tests.features.sql_words import DAY, Part, count, grouped, last, share, since

_PARTIES = {
    "parties_count": count(),
    "guarantors_count": count("role IN ('co_debtor', 'guarantor')"),
}
_PLACEMENTS = {
    "placements_count": count(),
    "days_since_placed": since("max"),
    "placement_stage": last("stage"),
}
_USABLE = "NOT coalesce(wrong_from < t, FALSE)"
_POINTS = {
    "points_usable": count(_USABLE),
    "_points_wrong": count(f"NOT ({_USABLE})"),
    "_points_all": count(),
    **{
        f"points_usable_{channel}": count(_USABLE, f"channel = '{channel}'")
        for channel in ("call", "sms", "whatsapp", "email")
    },
    "days_since_new_point": since("max"),
}
_STATIC = ("product", "creditor", "country", "subdivision")

_DATES = """
SELECT account_id, t, today, isodow(today) - 1 AS _weekday, day(today) AS _day,
       day(last_day(today)) - day(today) AS _to_month_end,
       day(last_day(today + INTERVAL 1 MONTH)) AS _days_of_next_month, day(last_day(today)) AS _days_of_month,
       CASE WHEN known_country THEN free END AS _is_holiday,
       CASE WHEN known_country THEN ahead END AS _to_holiday
FROM (
    SELECT s.account_id, s.t, timezone(s.zone, make_timestamptz(s.t))::DATE AS today,
           own_country IN (SELECT country FROM free_days) AS known_country,
           EXISTS (FROM free_days f WHERE f.country = own_country
                   AND f.subdivision IS NOT DISTINCT FROM own_subdivision AND f.day = today)::INT AS free,
           (SELECT min(f.day) FROM free_days f WHERE f.country = own_country
            AND f.subdivision IS NOT DISTINCT FROM own_subdivision AND f.day > today) - today AS ahead
    FROM snapshots s
)"""

PART = Part(
    queries={
        "parties": grouped("parties", _PARTIES),
        "placements": grouped("placements", _PLACEMENTS),
        "contact_points": grouped("contact_points", _POINTS),
        "dates": _DATES,
    },
    columns=(*_PARTIES, *_PLACEMENTS, *_POINTS),
    final={
        "points_wrong_share": share("_points_wrong", "_points_all"),
        "account_age": f"CASE WHEN known THEN (t - opened_at) / {DAY} END",
        "annual_rate": "CASE WHEN known THEN own_rate END",
        "currency": "CASE WHEN known THEN own_currency END",
        **{name: f"CASE WHEN known THEN own_{name} END" for name in _STATIC},
        "language": "CASE WHEN coalesce(debtor_known_at < t, TRUE) THEN own_language END",
        "weekday": "CASE WHEN known THEN _weekday END",
        "day_of_month": "CASE WHEN known THEN _day END",
        "days_to_month_end": "CASE WHEN known THEN _to_month_end END",
        "is_holiday": "CASE WHEN known THEN _is_holiday END",
        "days_to_holiday": "CASE WHEN known THEN _to_holiday END",
        "days_to_payday": "CASE WHEN known AND payday IS NOT NULL THEN "
                          "CASE WHEN least(payday, _days_of_month) >= _day "
                          "THEN least(payday, _days_of_month) - _day "
                          "ELSE _to_month_end + least(payday, _days_of_next_month) END END",
        "promised_to_exposure": share("promised_open", "exposure"),
        "last_promise_to_exposure": share("last_promise", "exposure"),
    },
)  # fmt: skip
