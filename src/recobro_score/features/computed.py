"""Columns that no table holds as such: local clocks of payments, terms of promises, discounts of offers."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import MINUTES_PER_DAY, NEVER, US_PER_DAY, US_PER_MINUTE
from recobro_score.data.events import EventStore, EventTable
from recobro_score.features.local_date import local_time

_THURSDAY = 3


def column_of(table: EventTable, column: str, store: EventStore) -> NDArray[Any]:
    """Return a column that recipes may read, computed if the table does not hold it.

    Computed are ``local_minute``, ``local_weekday`` (Monday = 0) and ``local_day`` (of the month) in the
    debtor's zone, ``promises.term`` (days from the promise to its due date) and ``discount`` (share of the
    debt that an offer waives; missing where the terms name none).
    """
    if column in table.columns:
        return np.asarray(table.columns[column])
    if column == "term":
        due = table.columns["due_at"]
        return np.where(due == NEVER, np.nan, (due - table.at) / US_PER_DAY)
    if column == "discount":
        terms = "offer" if table.name == "decisions" else "terms"
        return np.asarray(_discounts(table.vocabularies[terms])[table.columns[terms]])
    local = local_time(table.at, store.zone[table.owner()], store.zones)
    day = local // US_PER_DAY
    if column == "local_weekday":
        return np.asarray((day + _THURSDAY) % 7)
    if column == "local_day":
        dates = day.astype("M8[D]")
        return np.asarray((dates - dates.astype("M8[M]")).astype(np.int64) + 1)
    return np.asarray(local // US_PER_MINUTE % MINUTES_PER_DAY)


@lru_cache(maxsize=256)
def _discounts(words: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([*(discount_of(word) for word in words), np.nan])


@lru_cache(maxsize=4096)
def discount_of(word: str) -> float:
    """Return the discount that terms in JSON name, at their top or under ``terms``."""
    try:
        content = json.loads(word)
    except json.JSONDecodeError:
        return np.nan
    if not isinstance(content, dict):
        return np.nan
    inner = content.get("terms")
    found = content.get("discount", inner.get("discount") if isinstance(inner, dict) else None)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return np.nan
    return float(found)
