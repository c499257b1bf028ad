"""Ids by the million: their places in a list, found through one table, and hashes that never change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.data.numbered_ids import NumberTable

SHORT = 15
"""An id of up to so many bytes is its own key; longer ones are hashed, and compared when found."""

_AT_ONCE = 1 << 16
_BYTE = np.uint64(8)
_ONE = np.uint64(1)
_FOLD = np.uint64(32)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_OTHER = np.uint64(0xC2B2AE3D27D4EB4F)
_POLYNOMIAL = np.uint32(0xEDB88320)

_Texts = tuple[NDArray[Any], NDArray[np.uint8]]
"""Strings as Arrow keeps them, ``(offsets, data)``: text ``i`` is ``data[offsets[i]:offsets[i + 1]]``."""


@dataclass(frozen=True, slots=True, eq=False)
class IdLookup:
    """Finds ids in a list that was entered once; immutable, safe to share among threads.

    Attributes
    ----------
    ids : pyarrow.StringArray
        The list, shorter than 2³¹. Of an id that occurs twice the first place counts; null is never found.
    """

    ids: pa.StringArray
    _table: NumberTable | _HashTable

    @classmethod
    def of(cls, ids: pa.StringArray, *, hash_bits: int = 64) -> IdLookup:
        """Enter a list of ids; fewer bits of a hash make it slower, and change nothing else."""
        texts, valid = _texts(ids), _valid(ids)
        numbered = NumberTable.of(*texts, valid)
        return cls(ids, numbered or _HashTable.of(texts, valid, np.uint64((1 << hash_bits) - 1)))

    def codes(self, ids: pa.Array) -> NDArray[np.int32]:
        """Return the place of each id in the list (−1 = not there, or null).

        Parameters
        ----------
        ids : pyarrow.Array
            Strings of any Arrow type, or a dictionary of them.
        """
        if pa.types.is_dictionary(ids.type):
            places = ids.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            codes: NDArray[np.int32] = np.append(self.codes(ids.dictionary), np.int32(-1))[places]
            return codes
        ids = _plain(ids)
        codes = np.empty(len(ids), np.int32)
        for low in range(0, len(ids), _AT_ONCE):
            some = ids.slice(low, _AT_ONCE)
            self._find(some, codes[low : low + len(some)])
        return codes

    def _find(self, ids: pa.Array, codes: NDArray[np.int32]) -> None:
        texts = _texts(ids)
        if isinstance(self._table, NumberTable):
            self._table.find(*texts, codes)
        elif not self._table.find(*texts, codes):
            others = _of_other_text(*texts, *_texts(self.ids), codes)
            found = pc.index_in(ids.take(pa.array(others)).cast(pa.string()), value_set=self.ids)
            codes[others] = found.fill_null(-1).to_numpy(zero_copy_only=False)
        if ids.null_count:
            codes[~_valid(ids)] = -1


@dataclass(frozen=True, slots=True, eq=False)
class _HashTable:
    """Keys of ids and their places, each at the slot of its hash or the next free one.

    Of a hash the bits in `kept` count.
    """

    keys: NDArray[np.uint64]
    places: NDArray[np.int32]
    kept: np.uint64

    @classmethod
    def of(cls, texts: _Texts, valid: NDArray[np.bool_], kept: np.uint64) -> _HashTable:
        """Hash a list of texts."""
        slots = 1 << max(2 * len(valid) - 1, 1).bit_length()
        keys, places = np.zeros((slots, 2), np.uint64), np.full(slots, -1, np.int32)
        own = np.empty((len(valid), 2), np.uint64)
        _write_keys(*texts, kept, own)
        _enter(own, valid, keys, places, kept)
        return cls(keys, places, kept)

    def find(self, offsets: NDArray[Any], data: NDArray[np.uint8], codes: NDArray[np.int32]) -> bool:
        """Write the place of each text (−1 = not there); return whether no two texts can share a key."""
        keys = np.empty((len(codes), 2), np.uint64)
        all_short = _write_keys(offsets, data, self.kept, keys)
        _look_up(keys, self.keys, self.places, self.kept, codes)
        return bool(all_short)


def stable_hashes(texts: pa.Array) -> NDArray[np.uint32]:
    """Return the CRC-32 of the UTF-8 bytes of each text, as `zlib.crc32` does; of null, that of ``""``."""
    return _checksums(*_texts(texts), _remainders())


def is_text(kind: pa.DataType) -> bool:
    """Return whether an Arrow type holds strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def warm_up() -> None:
    """Compile, or load from the user's cache, the compiled functions of this module."""
    named, numbered = pa.array(["short", "longer than a key"]), pa.array(["A1", "A2"])
    for ids in (named, numbered):
        IdLookup.of(ids).codes(ids)
    stable_hashes(named)


def _plain(texts: pa.Array) -> pa.Array:
    """Return strings whose offsets and bytes lie in two buffers."""
    return texts.cast(pa.large_string()) if pa.types.is_string_view(texts.type) else texts


def _texts(texts: pa.Array) -> _Texts:
    texts = _plain(texts)
    _, offsets, data = texts.buffers()
    width = np.dtype(np.int64 if pa.types.is_large_string(texts.type) else np.int32)
    if len(texts) == 0:
        return np.zeros(1, width), np.zeros(0, np.uint8)
    places = np.frombuffer(offsets, width, len(texts) + 1, texts.offset * width.itemsize)
    return places, np.frombuffer(data or b"", np.uint8)


def _valid(texts: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.is_valid(texts).to_numpy(zero_copy_only=False), dtype=bool)


# The loops below call nothing that takes an array: counting references there would cost more than the work.


@numba.njit(nogil=True, cache=True)
def _write_keys(
    offsets: NDArray[Any], data: NDArray[np.uint8], kept: np.uint64, keys: NDArray[np.uint64]
) -> bool:
    """Write two words per text: its bytes and length, or two hashes; return whether all are short.

    The second word begins with the length of a short text, and with a bit that no short one has else.
    """
    all_short = True
    for row in range(len(keys)):
        start, length = np.int64(offsets[row]), np.int64(offsets[row + 1]) - np.int64(offsets[row])
        one, other = np.uint64(0), np.uint64(length)
        if length <= SHORT:
            for at in range(start, min(start + length, start + 8)):
                one = (one << _BYTE) | np.uint64(data[at])
            for at in range(start + 8, start + length):
                other = (other << _BYTE) | np.uint64(data[at])
        else:
            all_short = False
            for at in range(start, start + length):
                one = (one ^ np.uint64(data[at])) * _SPREAD
                other = (other ^ np.uint64(data[at])) * _OTHER
            one = (one ^ (one >> _FOLD)) & kept
            other = ((other ^ (other >> _FOLD)) & kept) | (_ONE << np.uint64(63))
        keys[row, 0] = one
        keys[row, 1] = other
    return all_short


@numba.njit(nogil=True, cache=True)
def _slot_of(one: np.uint64, other: np.uint64, kept: np.uint64) -> np.uint64:
    mixed = (one ^ (other * _OTHER)) * _SPREAD
    mixed = (mixed ^ (mixed >> _FOLD)) * _SPREAD
    return (mixed ^ (mixed >> _FOLD)) & kept


@numba.njit(nogil=True, cache=True)
def _enter(
    own: NDArray[np.uint64],
    valid: NDArray[np.bool_],
    keys: NDArray[np.uint64],
    places: NDArray[np.int32],
    kept: np.uint64,
) -> None:
    """Enter each key at its slot or the next free one; the first of equal ones stays."""
    last = np.uint64(len(places) - 1)
    for row in range(len(own)):
        if not valid[row]:
            continue
        one, other = own[row, 0], own[row, 1]
        slot = _slot_of(one, other, kept) & last
        while places[slot] >= 0 and not (keys[slot, 0] == one and keys[slot, 1] == other):
            slot = (slot + _ONE) & last
        if places[slot] < 0:
            keys[slot, 0], keys[slot, 1], places[slot] = one, other, row


@numba.njit(nogil=True, cache=True)
def _look_up(
    wanted: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    places: NDArray[np.int32],
    kept: np.uint64,
    codes: NDArray[np.int32],
) -> None:
    last = np.uint64(len(places) - 1)
    for row in range(len(codes)):
        one, other = wanted[row, 0], wanted[row, 1]
        slot = _slot_of(one, other, kept) & last
        while not (keys[slot, 0] == one and keys[slot, 1] == other) and places[slot] >= 0:
            slot = (slot + _ONE) & last
        codes[row] = places[slot]


@numba.njit(nogil=True, cache=True)
def _of_other_text(
    offsets: NDArray[Any],
    data: NDArray[np.uint8],
    known_offsets: NDArray[Any],
    known_data: NDArray[np.uint8],
    codes: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Return the rows whose key was found, but under another text of the same hash."""
    others = np.empty(len(codes), np.int64)
    count = 0
    for row in range(len(codes)):
        start, length = np.int64(offsets[row]), np.int64(offsets[row + 1]) - np.int64(offsets[row])
        if length <= SHORT or codes[row] < 0:
            continue
        known = np.int64(known_offsets[codes[row]])
        same = np.int64(known_offsets[codes[row] + 1]) - known == length
        step = 0
        while same and step < length:
            same = data[start + step] == known_data[known + step]
            step += 1
        if not same:
            others[count] = row
            count += 1
    return others[:count]


def _remainders() -> NDArray[np.uint32]:
    """Return the table of CRC-32: the remainder of every byte."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ _POLYNOMIAL, table >> 1).astype(np.uint32)
    return table


@numba.njit(nogil=True, cache=True)
def _checksums(
    offsets: NDArray[Any], data: NDArray[np.uint8], remainders: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    ones = np.uint32(0xFFFFFFFF)
    found = np.empty(len(offsets) - 1, np.uint32)
    for row in range(len(found)):
        value = ones
        for at in range(offsets[row], offsets[row + 1]):
            value = remainders[(value ^ data[at]) & np.uint32(0xFF)] ^ (value >> np.uint32(8))
        found[row] = value ^ ones
    return found
