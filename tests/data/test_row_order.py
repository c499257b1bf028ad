"""Many rows are put into the order that one library sort would give them."""

from __future__ import annotations

from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.data import ordering
from recobro_score.data.ordering import arrange


@pytest.mark.parametrize(("owners", "moments"), [(3, 40), (400, 9), (4000, 10**9)])
@pytest.mark.parametrize("in_order", [False, True])
def test_many_rows_lie_by_owner_and_clocks(owners, moments, in_order):
    rng = np.random.default_rng(owners)
    owner = rng.integers(0, owners, 9000)
    at, known_at = rng.integers(0, moments, 9000), rng.integers(0, moments, 9000)
    at = np.sort(at) if in_order else at
    content = np.arange(9000)
    found = arrange(owner, owners, at, known_at, lambda rows: [content[rows]])
    order = np.lexsort((content, known_at, at, owner))
    assert found.order.tolist() == order.tolist()
    assert found.at.tolist() == at[order].tolist()
    assert found.known_at.tolist() == known_at[order].tolist()
    assert found.offsets.tolist() == np.searchsorted(owner[order], np.arange(owners + 1)).tolist()
    assert len(found.repeated) == 0


ROW = st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(-1, 1), st.integers(0, 2))


@given(rows=st.lists(ROW, min_size=1, max_size=60), long=st.sampled_from([1, 5, 128]))
def test_compiled_and_library_sort_agree_on_ties_and_repetitions(rows, long):
    owner, at, known_at, content = np.array(rows, dtype=np.int64).T.copy()
    with mock.patch.object(ordering, "_SMALL", 0), mock.patch.object(ordering, "_LONG", long):
        found = arrange(owner, 5, at, known_at, lambda chosen: [content[chosen]])
    expected = sorted(range(len(rows)), key=lambda row: (*rows[row], row))
    assert found.order.tolist() == expected
    assert found.at.tolist() == at[expected].tolist()
    assert found.known_at.tolist() == known_at[expected].tolist()
    assert found.offsets.tolist() == [int((owner < one).sum()) for one in range(6)]
    pairs = pairwise(expected)
    assert found.repeated.tolist() == [after for before, after in pairs if rows[before] == rows[after]]
