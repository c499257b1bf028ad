"""Ids are found by their bytes, whatever their hashes are; hashes are those of everybody's CRC-32."""

from __future__ import annotations

import zlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.data.ids import SHORT, IdLookup, stable_hashes

NEAR_A_KEY = st.integers(SHORT - 2, SHORT + 2).map(lambda length: "a" * length)
IDS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="a\0é", max_size=20),
    st.integers(0, 10**20).map(str),
    NEAR_A_KEY,
    st.uuids().map(str),
)
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
