"""Many rows are put into the order that one library sort would give them."""

from __future__ import annotations

import numpy as np
import pytest

from recobro_score.data.ordering import sort_rows


@pytest.mark.parametrize(("owners", "moments"), [(3, 40), (400, 9), (4000, 10**9)])
@pytest.mark.parametrize("in_order", [False, True])
def test_many_rows_lie_by_owner_and_clocks(owners, moments, in_order):
    rng = np.random.default_rng(owners)
    owner = rng.integers(0, owners, 9000)
    at, known_at = rng.integers(0, moments, 9000), rng.integers(0, moments, 9000)
    at = np.sort(at) if in_order else at
    content = np.arange(9000)
    order, repeated = sort_rows(owner, at, known_at, lambda rows: [content[rows]])
    assert order.tolist() == np.lexsort((content, known_at, at, owner)).tolist()
    assert len(repeated) == 0
