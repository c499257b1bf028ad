"""Cells of plain records as the contracts read them; whatever is not plain is left to the contracts.

Each function reads one column, given as Python values, and raises `Doubtful` on the first cell that is bad or
that only `recobro_score.data.parse` should judge.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from recobro_score.calendars import NEVER, parse_instant
from recobro_score.data.contracts import Column
from recobro_score.data.parse import Format, parse_column
from recobro_score.features.local_date import zone_changes
from recobro_score.money import MISSING_MONEY

_EPOCH, _UTC_EPOCH = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING = type(None)
_FAR_US, _KNOWN_UNTIL = parse_instant("2200-01-01"), parse_instant("2069-12-01")
_EARLIEST, _FAR = (datetime(year, 1, 1) - _EPOCH for year in (1900, 2200))
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")
_LARGEST_MINOR, _LARGEST_EXACT = 2.0**51, 2**53
_REMEMBERED = 20_000
"""Texts of a column whose meaning is kept."""

_LAST_YEAR = 2200
"""Beyond it a later date is never, whatever the zone."""

_FINEST, _MOST = Decimal("0.0001"), Decimal(10) ** 11


class Doubtful(Exception):
    """A cell or a row that only the contracts can judge."""


def ids(values: Sequence[Any]) -> list[str | None]:
    """Read ids: plain text or whole numbers."""
    kinds = set(map(type, values))
    if kinds == {str}:
        text = "".join(values)
        if not text.isascii() or "" in values or (text.split() != [text] and _padded(values)):
            raise Doubtful
        return list(values)
    kinds.discard(_NOTHING)
    if len(kinds) == 2 or not kinds <= {str, int}:
        raise Doubtful
    given = [None if value is None else str(value) for value in values]
    if kinds:
        ids([value for value in given if value is not None])
    return given


def _padded(values: Sequence[str]) -> bool:
    return any(value != value.strip() for value in values)


class Words:
    """Reads a category: each different text once, by its contract. Safe to share among threads."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._meanings: dict[str | None, str | None] = {}

    def read(self, values: Sequence[Any]) -> list[str | None]:
        """Return what each cell means."""
        meanings = self._meanings
        try:
            return [meanings[value] for value in values]
        except (KeyError, TypeError):
            return [self._meaning(value) for value in values]

    def _meaning(self, value: Any) -> str | None:  # noqa: ANN401
        if value is not None and type(value) is not str:
            raise Doubtful
        parsed = parse_column(self._column, pa.array([value], pa.string()), Format())
        if parsed.bad[0] or (parsed.missing[0] and self._column.required):
            raise Doubtful
        meaning: str | None = parsed.values.to_pylist()[0]
        if len(self._meanings) < _REMEMBERED:
            self._meanings[value] = meaning
        return meaning


def numbers(values: Sequence[Any]) -> list[float]:
    """Read numbers; NaN is missing."""
    kinds = set(map(type, values))
    if kinds == {float}:
        found = list(values)
    elif kinds <= {float, int, _NOTHING}:
        found = [np.nan if value is None else float(value) for value in values]
        if int in kinds and any(abs(value) > _LARGEST_EXACT for value in found):
            raise Doubtful
    else:
        raise Doubtful
    if np.inf in found or -np.inf in found:
        raise Doubtful
    return found


def money(values: Sequence[Any], digits: int) -> list[int]:
    """Read amounts in major units as minor ones, rounding half to even."""
    if Decimal in set(map(type, values)):
        values = [_plain_decimal(value) for value in values]
    scale = 10.0**digits
    scaled = [value * scale for value in numbers(values)]
    if any(map(_LARGEST_MINOR.__le__, map(abs, scaled))):
        raise Doubtful
    return [round(value) if value == value else MISSING_MONEY for value in scaled]


def _plain_decimal(value: Any) -> float | None:  # noqa: ANN401
    if value is None:
        return None
    if type(value) is not Decimal or not abs(value) < _MOST or value % _FINEST != 0:
        raise Doubtful
    return float(value)


def times(values: Sequence[Any], time_zone: str, *, later: bool, text: bool) -> list[int | None]:
    """Read instants and dates as microseconds UTC.

    Missing ones are None, or `NEVER` for a later date; `text` is whether ISO 8601 texts are read.
    """
    kinds = set(map(type, values))
    empty = NEVER if later else None
    if kinds == {_NOTHING}:
        return [empty] * len(values)
    kinds.discard(_NOTHING)
    if kinds == {date}:
        values = [value and datetime(value.year, value.month, value.day) for value in values]
    elif kinds == {str} and text:
        values = [value if value is None else _iso(value) for value in values]
    elif kinds and kinds != {datetime}:
        raise Doubtful
    aware = {value.tzinfo is not None for value in values if value is not None}
    if aware == {True}:
        spans = [value and value - _UTC_EPOCH for value in values]
    elif len(aware) < 2 or kinds == {str}:
        spans = [value and _span(value, time_zone) for value in values]
    else:
        raise Doubtful
    given = [span for span in spans if span is not None]
    if min(given) < _EARLIEST or (max(given) >= _FAR and not later):
        raise Doubtful
    found = [
        empty if span is None else (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
        for span in spans
    ]
    return found if max(given) < _FAR else [NEVER if us is None or us >= _FAR_US else us for us in found]


def _iso(value: str) -> datetime:
    if not _ISO.fullmatch(value):
        raise Doubtful
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise Doubtful from error


def _span(value: datetime, time_zone: str) -> timedelta:
    """Return the time since 1970 UTC of an aware instant, or of a wall clock of the zone."""
    if value.tzinfo is not None:
        return value - _UTC_EPOCH
    wall = value - _EPOCH
    if time_zone == "UTC" or value.year > _LAST_YEAR:
        return wall
    us = (wall.days * 86_400 + wall.seconds) * 1_000_000 + wall.microseconds
    return timedelta(microseconds=_of_wall(us, time_zone))


def _of_wall(wall: int, time_zone: str) -> int:
    """Return the instant of a wall clock: the first of two, the first that there is after a gap."""
    if not 0 < wall < _KNOWN_UNTIL:
        raise Doubtful
    since, offset, until_wall = _changes(time_zone)
    place = bisect_right(until_wall, wall)
    return max(wall - offset[place], since[place])


@lru_cache(maxsize=64)
def _changes(time_zone: str) -> tuple[list[int], list[int], list[int]]:
    """Return since when each offset holds, the offsets, and the wall clock that each but the last ends at."""
    since, offset = (array.tolist() for array in zone_changes(time_zone))
    return [-NEVER, *since[1:]], offset, [at + ahead for at, ahead in zip(since[1:], offset, strict=False)]
