"""Ids are found by their bytes, whatever their hashes are; hashes are those of everybody's CRC-32."""

from __future__ import annotations

import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.data.ids import SHORT, IdLookup, stable_hashes
from recobro_score.data.numbered_ids import NumberTable

NEAR_A_KEY = st.integers(SHORT - 2, SHORT + 2).map(lambda length: "a" * length)
IDS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="a\0é", max_size=20),
    st.integers(0, 10**20).map(str),
    NEAR_A_KEY,
    st.uuids().map(str),
)
NUMBERED = st.tuples(
    st.sampled_from(["", "A", "A0", "7", "é-"]),
    st.one_of(st.integers(0, 40), st.sampled_from([9, 10, 99, 10**17, 10**18 - 1, 10**18])),
    st.integers(1, 3),
).map(lambda parts: parts[0] + str(parts[1]).zfill(parts[2]))
MAYBE = st.none() | IDS


@given(
    listed=st.lists(MAYBE, max_size=60),
    asked=st.lists(MAYBE, max_size=30),
    bits=st.sampled_from([0, 1, 3, 64]),
    kind=st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]),
)
def test_every_id_is_found_where_it_first_stands(listed, asked, bits, kind):
    asked = [*asked, *listed[::2]]
    first: dict[str | None, int] = {}
    for place, one in enumerate(listed):
        first.setdefault(one, place)
    first.pop(None, None)
    codes = IdLookup.of(pa.array(listed, pa.string()), hash_bits=bits).codes(pa.array(asked, kind))
    assert codes.tolist() == [first.get(one, -1) for one in asked]


@given(
    listed=st.lists(st.none() | NUMBERED, max_size=40),
    asked=st.lists(st.none() | NUMBERED | st.text(alphabet="A0179é-/:", max_size=20), max_size=30),
    width=st.sampled_from([None, 1, 3, 4]),
)
def test_numbered_ids_are_found_by_their_whole_text(listed, asked, width):
    """A number with another prefix, or with a zero more or less, is another id."""
    listed = [one for one in listed if one is None or width is None or len(one) == width]
    first: dict[str | None, int] = {}
    for place, one in enumerate(listed):
        first.setdefault(one, place)
    first.pop(None, None)
    asked = [*asked, *listed]
    assert IdLookup.of(pa.array(listed, pa.string())).codes(pa.array(asked, pa.string())).tolist() == [
        first.get(one, -1) for one in asked
    ]


@pytest.mark.parametrize(
    "ids",
    [
        [f"A{number:06d}" for number in range(100)],
        [str(number) for number in range(90, 200, 3)],
        ["1"],
        ["x0", None, "x5"],
        [f"{10**20 + number}" for number in range(20)],
    ],
)
def test_ids_with_a_number_each_need_no_hash(ids):
    assert NumberTable.of(*arrow_texts(ids)) is not None


@pytest.mark.parametrize(
    "ids", [[], [None], ["a"], ["1", "100"], ["1", "01"], ["A1", "B1"], ["12", "1x"], ["1", ""], ["x", "x1"]]
)
def test_other_ids_are_hashed(ids):
    assert NumberTable.of(*arrow_texts(ids)) is None


def arrow_texts(ids: list[str | None]):
    """Return the offsets and bytes of texts as Arrow keeps them, and which are not null."""
    array = pa.array(ids, pa.string())
    _, offsets, data = array.buffers()
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    places = np.frombuffer(offsets, np.int32, len(ids) + 1) if ids else np.zeros(1, np.int32)
    return places, np.frombuffer(data or b"", np.uint8), np.asarray(valid, dtype=bool)


@given(ids=st.lists(MAYBE, min_size=4, max_size=20), cut=st.integers(0, 3))
def test_slices_of_arrays_are_read_where_they_begin(ids, cut):
    whole = pa.array(ids, pa.string())
    lookup = IdLookup.of(whole.slice(cut))
    assert lookup.codes(whole).tolist()[cut:] == lookup.codes(whole.slice(cut)).tolist()
    assert (
        lookup.codes(whole.slice(cut)).tolist()
        == IdLookup.of(pa.array(ids[cut:], pa.string())).codes(pa.array(ids[cut:], pa.string())).tolist()
    )


def test_many_ids_are_found():
    ids = pa.array([f"A{number * 7}" for number in range(70_000)])
    assert IdLookup.of(ids).codes(ids).tolist() == list(range(70_000))
    assert set(IdLookup.of(ids).codes(pa.array(["A1", "A", ""])).tolist()) == {-1}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_nothing_is_found_in_nothing(kind):
    nothing = pa.array([], pa.string())
    assert IdLookup.of(nothing).codes(pa.array(["a", None, ""], kind)).tolist() == [-1, -1, -1]
    assert IdLookup.of(nothing).codes(nothing).tolist() == []


@given(texts=st.lists(MAYBE, max_size=20))
def test_stable_hashes_are_crc32(texts):
    found = stable_hashes(pa.array(texts, pa.string())).tolist()
    assert found == [zlib.crc32((text or "").encode()) for text in texts]
