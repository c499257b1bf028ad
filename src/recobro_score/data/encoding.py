"""Ids as positions among known ones, and words as codes of a sorted vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_AT_ONCE = 1 << 14


def codes_of(ids: pa.StringArray, known: pa.StringArray) -> NDArray[np.int64]:
    """Return the position of each id among the known ones (−1 = unknown or missing)."""
    if isinstance(ids, pa.DictionaryArray):
        indices = ids.indices.fill_null(-1) if ids.null_count else ids.indices
        places: NDArray[np.int64] = indices.to_numpy().astype(np.int64)
        if ids.dictionary.equals(known):
            return places
        different = np.append(codes_of(ids.dictionary, known), -1)
        codes: NDArray[np.int64] = different.take(places)
        return codes
    found = pc.index_in(ids, value_set=known)
    return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)


def encode(values: pa.StringArray) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return codes into the sorted vocabulary of the words that occur (−1 = missing)."""
    if values.null_count == len(values):
        return np.full(len(values), -1, dtype=np.int32), ()
    encoded = values.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    codes = (encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices).to_numpy()
    occurs = _occurring(codes, len(words))
    vocabulary = tuple(sorted(word for word, found in zip(words, occurs, strict=True) if found))
    if vocabulary == tuple(words):
        return codes.astype(np.int32), vocabulary
    positions = {word: position for position, word in enumerate(vocabulary)}
    ranks = np.array([*(positions.get(word, -1) for word in words), -1], dtype=np.int32)
    return ranks.take(codes), vocabulary


def _occurring(codes: NDArray[np.integer[Any]], words: int) -> NDArray[np.bool_]:
    """Return which words occur; where all do, the first rows tell."""
    found = np.zeros(words + 1, dtype=bool)
    for low in range(0, len(codes), _AT_ONCE):
        found[codes[low : low + _AT_ONCE]] = True
        if found[:-1].all():
            break
    return found[:-1]
