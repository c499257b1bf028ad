"""Read one column of a contract, cell by cell: good values, bad cells, empty cells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant, wall_to_utc
from recobro_score.data.contracts import Column
from recobro_score.data.words import meaning

_EARLIEST = parse_instant("1900-01-01")
_FAR = parse_instant("2200-01-01")
_ISO_DATE = r"^\d{4}"
_FAR_DATE = r"^(2[2-9]|[3-9]\d)\d\d-"
_GROUPED = r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$"
_HAS_OFFSET = r"\d[Tt ].*(Z|z|[+-]\d\d(:?\d\d)?)$"
OWNER_IDS = ("account_id", "debtor_id")
_MICROS = {"day": US_PER_DAY, "s": 1_000_000, "ms": 1_000, "us": 1}
_LARGEST_EXACT = 2.0**53


class UnreadableColumn(Exception):
    """The column as a whole has a type that cannot mean what the contract asks for."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """One column, read.

    Attributes
    ----------
    values : pyarrow.StringArray, pyarrow.DictionaryArray or numpy array
        Strings for ids, a dictionary of different words for categories and for ids that came as one (null =
        missing; see `text_of`), int64 microseconds UTC for times (`NEVER` for a
        missing later date), float64 for numbers and for money in major units (NaN = missing).
    bad : bool array
        Cells that hold something unreadable.
    missing : bool array
        Empty cells.
    """

    values: Any
    bad: NDArray[np.bool_]
    missing: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Format:
    """How text and local times are read.

    Attributes
    ----------
    time_zone : str
        The zone of dates and of times without an offset.
    date_format : str or None
        A `strptime` pattern for times given as text; ISO 8601 when None.
    decimal : str
        The decimal mark of numbers given as text; with ``,`` a point separates thousands.
    """

    time_zone: str = "UTC"
    date_format: str | None = None
    decimal: str = "."


def parse_column(column: Column, array: pa.Array, how: Format) -> Parsed:
    """Read the cells of one column as the contract says.

    Raises
    ------
    UnreadableColumn
        If no cell of this Arrow type could ever be read, for example integers as times.
    """
    if pa.types.is_null(array.type):
        array = array.cast(pa.string())
    if column.kind == "category":
        return _categories(column, array)
    if pa.types.is_dictionary(array.type):
        if column.kind == "id" and column.name in OWNER_IDS:
            return _encoded_ids(array)
        array = array.dictionary_decode()
    if column.kind == "id":
        return _ids(array)
    if column.kind in ("time", "later"):
        return _times(array, how, later=column.kind == "later")
    return _numbers(array, how)


def empty_column(column: Column, rows: int) -> Parsed:
    """Return the column as it reads when the table does not have it."""
    values: Any
    if column.kind == "id":
        values = pa.nulls(rows, pa.string())
    elif column.kind == "category":
        words = [] if column.default is None else [column.default]
        codes = pa.nulls(rows, pa.int32()) if column.default is None else np.zeros(rows, np.int32)
        values = pa.DictionaryArray.from_arrays(codes, pa.array(words, pa.string()))
    elif column.kind in ("time", "later"):
        values = np.broadcast_to(np.int64(NEVER if column.kind == "later" else 0), rows)
    else:
        values = np.broadcast_to(np.nan, rows)
    missing = np.broadcast_to(np.bool_(column.default is None), rows)
    return Parsed(values, np.broadcast_to(np.False_, rows), missing)


def text_of(values: Any) -> pa.StringArray:  # noqa: ANN401 - strings, plain or in a dictionary
    """Return parsed ids or categories as plain strings."""
    return values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values


def _is_text(array: pa.Array) -> bool:
    kind = array.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _filled(array: pa.Array, value: int) -> NDArray[Any]:
    """Return integers as numpy, nulls as a value."""
    whole = array.fill_null(value) if array.null_count else array
    return np.asarray(whole.to_numpy(zero_copy_only=False))


def _flags(mask: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False), dtype=bool)


def _nulls(array: pa.Array) -> NDArray[np.bool_]:
    if array.null_count == 0:
        return np.zeros(len(array), dtype=bool)
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), dtype=bool)


def _strings(array: pa.Array) -> pa.StringArray:
    text = pc.utf8_trim_whitespace(array.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _ids(array: pa.Array) -> Parsed:
    kind = array.type
    bad = np.zeros(len(array), dtype=bool)
    if pa.types.is_floating(kind):
        numbers = array.to_numpy(zero_copy_only=False).astype(np.float64)
        whole = np.isfinite(numbers) & (np.abs(numbers) < _LARGEST_EXACT) & (numbers == np.rint(numbers))
        bad = ~whole & ~np.isnan(numbers)
        values = pa.array(np.where(whole, numbers, 0.0).astype(np.int64), mask=~whole).cast(pa.string())
        return Parsed(values, bad, np.isnan(numbers))
    if not (_is_text(array) or pa.types.is_integer(kind)):
        msg = f"an id is text or a whole number, not {kind}"
        raise UnreadableColumn(msg)
    values = _strings(array)
    return Parsed(values, bad, _nulls(values))


def _encoded_ids(array: pa.DictionaryArray) -> Parsed:
    """Read each different id once."""
    ids = _ids(array.dictionary)
    if ids.values.null_count:
        return _ids(array.dictionary_decode())
    values = pa.DictionaryArray.from_arrays(array.indices, ids.values)
    return Parsed(values, np.zeros(len(array), dtype=bool), _nulls(array.indices))


def _categories(column: Column, array: pa.Array) -> Parsed:
    """Read each different word once."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        msg = f"a category is text, not {kind}"
        raise UnreadableColumn(msg)
    encoded = array.dictionary_encode()
    parsed = _words(column, encoded.dictionary)
    words = parsed.values.dictionary_encode()
    places = _filled(encoded.indices, -1)
    codes = np.append(_filled(words.indices, -1), -1).astype(np.int32)[places]
    missing = codes < 0
    bad = np.append(parsed.bad, False)[places] if parsed.bad.any() else np.zeros(len(array), dtype=bool)
    vocabulary = words.dictionary
    if column.default is not None and missing.any():
        vocabulary, codes = _with_default(vocabulary, codes, column.default)
        missing = np.zeros(len(array), dtype=bool)
    indices = pa.array(codes, mask=missing if missing.any() else None)
    return Parsed(pa.DictionaryArray.from_arrays(indices, vocabulary, safe=False), bad, missing)


def _with_default(
    vocabulary: pa.StringArray, codes: NDArray[np.int32], default: str
) -> tuple[pa.StringArray, NDArray[np.int32]]:
    place = vocabulary.index(default).as_py()
    if place < 0:
        vocabulary, place = pa.concat_arrays([vocabulary, pa.array([default])]), len(vocabulary)
    return vocabulary, np.where(codes < 0, np.int32(place), codes)


def _words(column: Column, array: pa.Array) -> Parsed:
    values = _strings(array)
    missing = _nulls(values)
    bad = np.zeros(len(array), dtype=bool)
    if column.lower:
        values = pc.utf8_lower(values)
    if column.vocabulary is not None:
        values = pa.array([meaning(column.vocabulary, word) for word in values.to_pylist()], pa.string())
    if column.allowed:
        bad = ~_flags(pc.is_in(values, pa.array(column.allowed))) & ~missing
    if column.pattern is not None:
        values = pc.utf8_upper(values)
        bad = ~_flags(pc.match_substring_regex(values, f"^{column.pattern}$")) & ~missing
    return Parsed(values, bad, missing)


def _numbers(array: pa.Array, how: Format) -> Parsed:
    kind = array.type
    if _is_text(array):
        text = _strings(array)
        missing = _nulls(text)
        if how.decimal == ",":
            text = _with_decimal_point(text)
        numbers = pd.to_numeric(text.to_numpy(zero_copy_only=False), errors="coerce")
        values = np.array(numbers, dtype=np.float64)
        bad = ~missing & ~np.isfinite(values)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = np.array(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        missing = np.isnan(values)
        bad = np.isinf(values)
    else:
        msg = f"a number is expected, not {kind}"
        raise UnreadableColumn(msg)
    values[bad | missing] = np.nan
    return Parsed(values, bad, missing)


def _with_decimal_point(text: pa.StringArray) -> pa.StringArray:
    """Turn ``1.234,5`` into ``1234.5``; points that do not separate thousands leave the cell unreadable."""
    pointed = pc.match_substring(text, ".")
    grouped = pc.match_substring_regex(text, _GROUPED)
    plain = pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")
    return pc.if_else(pc.or_(pc.invert(pointed), grouped), plain, "unreadable")


def _times(array: pa.Array, how: Format, *, later: bool) -> Parsed:
    kind = array.type
    if pa.types.is_timestamp(kind):
        us, missing = _micros(array, kind.unit)
        if kind.tz is None:
            us = wall_to_utc(us, how.time_zone)
        bad = np.zeros(len(array), dtype=bool)
    elif pa.types.is_date(kind):
        us, missing = _micros(array.cast(pa.date32()).cast(pa.int32()), "day")
        us = wall_to_utc(us, how.time_zone)
        bad = np.zeros(len(array), dtype=bool)
    elif _is_text(array):
        us, bad, missing = _text_times(_strings(array), how)
    else:
        msg = f"a date or time is expected, not {kind}"
        raise UnreadableColumn(msg)
    return _within_range(us, bad, missing, later=later)


def _within_range(
    us: NDArray[np.int64], bad: NDArray[np.bool_], missing: NDArray[np.bool_], *, later: bool
) -> Parsed:
    """Take far-future dates of the `later` kind as open ends and call other impossible dates bad."""
    empty = missing | bad
    if len(us) and us.min() >= _EARLIEST and us.max() < _FAR and not empty.any():
        return Parsed(us, bad, missing)
    if later:
        bad = bad | (~empty & (us < _EARLIEST))
        us = np.where(empty | bad | (us >= _FAR), NEVER, us)
    else:
        bad = bad | (~empty & ((us < _EARLIEST) | (us >= _FAR)))
        us = np.where(empty | bad, 0, us)
    return Parsed(us, bad, missing)


def _micros(array: pa.Array, unit: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return times as microseconds, those beyond what is read moved to its edge, and which are missing."""
    values = _filled(array.cast(pa.int64()), 0)
    if unit == "ns":
        values, unit = values // 1000, "us"
    edge = (_FAR + 2 * US_PER_DAY) // _MICROS[unit]
    within = len(values) and values.min() >= -edge and values.max() <= edge
    inside = values if within else np.clip(values, -edge, edge)
    return (inside if unit == "us" else inside * _MICROS[unit]), _nulls(array)


def _text_times(
    text: pa.StringArray, how: Format
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    missing = _nulls(text)
    cells = text.to_numpy(zero_copy_only=False)
    us = np.zeros(len(cells), dtype=np.int64)
    read = np.zeros(len(cells), dtype=bool)
    if how.date_format is None:
        aware = _flags(pc.match_substring_regex(text, _HAS_OFFSET))
        far = np.flatnonzero(_flags(pc.match_substring_regex(text, _FAR_DATE)))
        us[far], read[far] = _FAR, [_is_iso(cell) for cell in cells[far]]
        naive = _flags(pc.match_substring_regex(text, _ISO_DATE)) & ~aware
        aware[far] = naive[far] = False
    else:
        aware = ~missing & ("%z" in how.date_format)
        naive = ~missing & ~aware
    pattern = how.date_format or "ISO8601"
    for rows, utc in ((np.flatnonzero(aware), True), (np.flatnonzero(naive), False)):
        if len(rows) == 0:
            continue
        times = pd.DatetimeIndex(pd.to_datetime(cells[rows], format=pattern, errors="coerce", utc=utc))
        fine = times.notna()
        clock = times.tz_localize(None) if utc else times
        micros = clock.to_numpy(dtype="M8[us]").view(np.int64)[fine]
        us[rows[fine]] = micros if utc else wall_to_utc(micros, how.time_zone)
        read[rows[fine]] = True
    return us, ~read & ~missing, missing


def _is_iso(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True
