"""Cells of plain records as the contracts read them; whatever is not plain is left to the contracts.

Each function reads a column, or several at once where their cells are of one type, given as Python values,
and raises `Doubtful` where a cell is bad or only `recobro_score.data.parse` should judge it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.contracts import Column
from recobro_score.data.parse import Format, parse_column
from recobro_score.data.state import frozen
from recobro_score.features.iso import NOTHING, read_instants, read_walls, wall_clock

_NOTHING = type(None)
_EPOCH, _UTC_EPOCH = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = _EPOCH.toordinal()
_NO_SPAN, _DURATION = timedelta(microseconds=NOTHING), pa.duration("us")

_NO_SUMMER = frozenset({"UTC", "Etc/UTC"})
_REMEMBERED = 20_000
"""Texts of a column whose meaning is kept."""

Meaning = TypeVar("Meaning", int, float)


class Doubtful(Exception):
    """A cell or a row that only the contracts can judge."""


def ids(values: Sequence[Any]) -> list[str | None]:
    """Read ids: plain text or whole numbers."""
    kinds = set(map(type, values)) - {_NOTHING}
    if not kinds <= {str} and kinds != {int}:
        raise Doubtful
    given = [None if value is None else str(value) for value in values]
    if not _plain([value for value in given if value is not None]):
        raise Doubtful
    return given


def _plain(texts: Sequence[str]) -> bool:
    """Return whether no text is empty, or has other letters or blanks around it than everybody knows."""
    whole = "".join(texts)
    if not whole.isascii() or "" in texts:
        return False
    return not whole or whole.split() == [whole] or all(text == text.strip() for text in texts)


def check_ids(columns: Sequence[Sequence[Any]]) -> None:
    """Read columns of ids, all at once where all are text."""
    cells = [cell for cell in chain.from_iterable(columns) if cell is not None]
    if not (set(map(type, cells)) <= {str} and _plain(cells)):
        for column in columns:
            ids(column)


def check_texts(columns: Sequence[Sequence[Any]]) -> None:
    """Refuse columns that hold anything but texts, of which any will do."""
    if not set(map(type, chain.from_iterable(columns))) <= {str, _NOTHING}:
        raise Doubtful


class Words:
    """Reads a category: each different text once, by its contract. Safe to share among threads."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._meanings: dict[str | None, str | None] = {}

    def read(self, values: Sequence[Any]) -> list[str | None]:
        """Return what each cell means."""
        return [self.meaning(value) for value in values]

    def meaning(self, value: Any) -> str | None:  # noqa: ANN401
        """Return what a cell means."""
        if value is not None and type(value) is not str:
            raise Doubtful
        if value in self._meanings:
            return self._meanings[value]
        parsed = parse_column(self._column, pa.array([value], pa.string()), Format())
        if parsed.bad[0] or (parsed.missing[0] and self._column.required):
            raise Doubtful
        meaning: str | None = parsed.values.to_pylist()[0]
        if len(self._meanings) < _REMEMBERED:
            self._meanings[value] = meaning
        return meaning


class Codes(dict[Any, Meaning], Generic[Meaning]):
    """What the texts of a category stand for, learned as they come. Safe to share among threads.

    Parameters
    ----------
    words : Words
        Reads the texts.
    code_of : callable
        Gives the number for what a text means.
    """

    def __init__(self, words: Words, code_of: Callable[[str | None], Meaning]) -> None:
        super().__init__()
        self._words = words
        self._code_of: Callable[[str | None], Meaning] = code_of

    def __missing__(self, value: Any) -> Meaning:  # noqa: ANN401
        """Learn a text."""
        code: Meaning = self._code_of(self._words.meaning(value))
        if len(self) < _REMEMBERED:
            self[value] = code
        return code


def figures(columns: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
    """Read columns of numbers, one after the other; NaN is missing.

    Whole numbers beyond 2⁵³ are rounded; whoever uses numbers as large asks the contracts.
    """
    cells = list(chain.from_iterable(columns))
    try:
        if not set(map(type, cells)) <= {float, int, _NOTHING}:
            cells = list(chain.from_iterable(map(_floats, columns)))
        found = np.fromiter(cells, np.float64, len(cells))
    except (pa.ArrowException, OverflowError) as error:
        raise Doubtful from error
    return frozen(found, np.float64)


def _floats(column: Sequence[Any]) -> Sequence[Any]:
    """Turn decimals into what Arrow takes them for, which is not always the nearest number."""
    kinds = set(map(type, column)) - {_NOTHING}
    if kinds <= {float, int}:
        return column
    if kinds != {Decimal}:
        raise Doubtful
    floats: list[float | None] = pa.array(column).cast(pa.float64(), safe=False).to_pylist()
    return floats


def instants(columns: Sequence[Sequence[Any]], time_zone: str, *, text: bool) -> NDArray[np.int64]:
    """Read columns of instants and dates, one after the other, as microseconds UTC; `NOTHING` is missing.

    Parameters
    ----------
    columns : sequence of sequence
        The cells.
    time_zone : str
        The zone of dates and of times without an offset.
    text : bool
        Whether ISO 8601 texts are read.
    """
    cells = list(chain.from_iterable(columns))
    kinds = set(map(type, cells)) - {_NOTHING}
    if len(kinds) < 2:
        try:
            return _of_one_kind(cells, kinds, time_zone, text=text)
        except Doubtful:
            if len(columns) == 1:
                raise
    elif len(columns) == 1:
        raise Doubtful
    return frozen(np.concatenate([instants([one], time_zone, text=text) for one in columns]), np.int64)


def _of_one_kind(cells: Sequence[Any], kinds: set[type], time_zone: str, *, text: bool) -> NDArray[np.int64]:
    if kinds == {datetime}:
        zone = next(cell for cell in cells if cell is not None).tzinfo
        epoch = _EPOCH if zone is None else _epoch(zone)
        try:
            spans = [_NO_SPAN if cell is None else cell - epoch for cell in cells]
        except TypeError as error:  # some with an offset, some without
            raise Doubtful from error
        since = np.frombuffer(pa.array(spans, _DURATION).buffers()[1], np.int64, len(spans))
        return _of_walls(since, "UTC" if zone is not None else time_zone)
    if kinds == {pd.Timestamp}:
        return _of_timestamps(cells, time_zone)
    if kinds == {date}:
        days = [_day(cell) for cell in cells]
        return _of_walls(np.array(days), time_zone)
    if kinds == {str} and text:
        return _of_texts(cells, time_zone)
    if kinds:
        raise Doubtful
    return frozen(np.full(len(cells), NOTHING), np.int64)


def _of_timestamps(cells: Sequence[pd.Timestamp | None], time_zone: str) -> NDArray[np.int64]:
    aware = {cell.tzinfo is not None for cell in cells if cell is not None}
    try:
        ns = np.array([0 if cell is None else cell.value for cell in cells])
    except OverflowError as error:  # beyond the years that nanoseconds can tell
        raise Doubtful from error
    since, beyond = np.divmod(ns, 1000)
    if beyond.any() or len(aware) > 1:
        raise Doubtful
    since[[cell is None for cell in cells]] = NOTHING
    return _of_walls(since, "UTC" if True in aware else time_zone)


def _day(cell: date | None) -> int:
    return NOTHING if cell is None else (cell.toordinal() - _FIRST_DAY) * US_PER_DAY


def _of_walls(walls: NDArray[np.int64], time_zone: str) -> NDArray[np.int64]:
    if time_zone == "UTC":
        return frozen(walls, np.int64)
    found = np.empty(len(walls), np.int64)
    if not read_walls(frozen(walls, np.int64), wall_clock(time_zone), found):
        raise Doubtful
    return frozen(found, np.int64)


def _of_texts(cells: Sequence[str | None], time_zone: str) -> NDArray[np.int64]:
    text = "\n".join(["" if cell is None else cell for cell in cells]) + "\n"
    if not text.isascii():
        raise Doubtful
    found = np.empty(len(cells), np.int64)
    letters = np.frombuffer(text.encode("ascii"), np.uint8)
    if not read_instants(letters, time_zone != "UTC", wall_clock(time_zone), found):
        raise Doubtful
    return frozen(found, np.int64)


@lru_cache(maxsize=64)
def _epoch(zone: tzinfo) -> datetime:
    """Return the epoch from which times of a zone are told fast: its own one if its offset never changes."""
    fixed = type(zone) is timezone or (type(zone) is ZoneInfo and zone.key in _NO_SUMMER)
    return _UTC_EPOCH.astimezone(zone) if fixed else _UTC_EPOCH
