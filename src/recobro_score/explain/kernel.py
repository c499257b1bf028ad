"""The compiled sum: codes to words, words to table rows, one block of rows and one tree at a time.

A word holds, in bit fields, where a row stands in every table of a tree. All that is added to a row within a
tree is kept in a short row of its own and added to the result once per tree, in the order of the trees: the
same bits for any block, any thread and any neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recobro_score.data.compiled import called, entered, lent
from recobro_score.explain.binning import encode
from recobro_score.explain.lanes import add_lanes, fetch, sum_products
from recobro_score.explain.shapley import LANES, WORD_BITS, against_background, leaf_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bits = NDArray[np.uint64]
    Floats = NDArray[np.float64]
    Entries = NDArray[np.float32] | NDArray[np.float64]

BLOCK = 256
"""Rows that go through a tree together: all that belongs to them stays in the first-level cache."""

SLAB = 4096
"""Rows that go through some trees together, so that the tables of these are fetched once for all of them."""

TOGETHER = 1 << 18
"""Table entries of trees that rows go through together: they stay in the second-level cache."""


class Words(NamedTuple):
    """How codes become words: tree t adds the uses ``start[t] … start[t + 1] − 1``.

    Use u adds ``bits[at[u] + code]`` of slot ``slot[u]`` to word ``word[u]`` of the tree's ``words[t]``.
    """

    start: Ints
    slot: Bits
    word: Bits
    at: Bits
    bits: Bits
    words: Ints


class Tables(NamedTuple):
    """Groups of leaves: row ``field`` of the table that begins at entry ``at`` and is `width` wide.

    The field of a word is ``(word >> shift) & mask``; `lane` is where the row belongs in that of the tree.
    """

    start: Ints
    word: Bits
    shift: Bits
    mask: Bits
    at: Bits
    lane: Bits
    width: Bits


class Factors(NamedTuple):
    """Groups of deep leaves: the tables ``first[i] … first[i + 1] − 1`` of group i are `factor_patterns`.

    Fields of one word choose their rows, of `points` points each. ``place[f, lane]`` is where in the tree's
    row each of the `used` columns of factor f belongs.
    """

    start: Ints
    word: Bits
    points: Ints
    first: Ints
    shift: Bits
    mask: Bits
    at: Bits
    used: Ints
    place: Bits


class Walks(NamedTuple):
    """Leaves without tables: their conditions, and what they are weighed with.

    Leaf i has the conditions ``first[i] … first[i + 1] − 1`` and the points (or background patterns)
    ``terms[i] … terms[i + 1] − 1``; ``weight`` is empty where contributions are path-dependent.
    """

    start: Ints
    word: Bits
    shift: Bits
    value: Floats
    first: Ints
    share: Floats
    place: Bits
    terms: Ints
    point: Floats
    point_weight: Floats
    seen: Bits
    seen_share: Floats
    weight: Floats


class Model(NamedTuple):
    """All trees, their table entries tree by tree: those of tree t end at ``rows[ends[t]]``.

    What tree t adds stands in a row whose entries belong to the columns ``column[start[t] : start[t + 1]]``
    of the result; without any `column`, to its first ones in order.
    """

    words: Words
    tables: Tables
    factors: Factors
    walks: Walks
    start: Ints
    column: Bits
    ends: Ints
    rows: Entries


class Room(NamedTuple):
    """What a block of rows needs on its way: words of some trees, the row of one, and for deep leaves."""

    words: Bits
    row: Entries
    others: Entries
    own: Entries
    before: Floats
    values: Floats


@lent
def _add_words(words, first, last, codes, n, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the words of some trees into ``out[tree − first, word, row]``."""
    for tree in range(first, last):
        for w in range(words.words[tree]):
            for r in range(n):
                out[tree - first, w, r] = np.uint64(0)
        for use in range(words.start[tree], words.start[tree + 1]):
            slot, word, at = words.slot[use], words.word[use], words.at[use]
            for r in range(n):
                out[tree - first, word, r] += words.bits[at + codes[slot, r]]


@lent
def _fetch_tables(tables, first, last, words, rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Ask for what one row will look up in some trees, so that it comes while other work is done."""
    for tree in range(first, last):
        for i in range(tables.start[tree], tables.start[tree + 1]):
            field = (words[tree - first, tables.word[i], 0] >> tables.shift[i]) & tables.mask[i]
            fetch(rows, tables.at[i] + field * tables.width[i])


@lent
def _add_tables(tables, tree, words, of, n, width, rows, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(tables.start[tree], tables.start[tree + 1]):
        begin, shift, mask, word = tables.at[i], tables.shift[i], tables.mask[i], tables.word[i]
        lane, own = tables.lane[i], tables.width[i]
        for r in range(n):
            at = begin + ((words[of, word, r] >> shift) & mask) * own
            for k in range(0, np.int64(own), LANES):
                add_lanes(room, r * width + lane + k, rows, at + k)


@lent
def _factor_row(factors, factor, points, word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    size = LANES * (points + (points + LANES - 1) // LANES)
    return factors.at[factor] + ((word >> factors.shift[factor]) & factors.mask[factor]) * np.uint64(size)


@lent
def _others(factors, group, factor, word, rows, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write into `out` the product of all other factors of a group at each point."""
    points = factors.points[group]
    for q in range(points):
        out[q] = 1.0
    for other in range(factors.first[group], factors.first[group + 1]):
        if other != factor:
            at = _factor_row(factors, other, points, word) + points * LANES
            for q in range(points):
                out[q] *= rows[at + q]


@lent
def _add_factors(factors, tree, of, n, width, rows, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(factors.start[tree], factors.start[tree + 1]):
        points, first, last = factors.points[i], factors.first[i], factors.first[i + 1]
        for r in range(n):
            word = room.words[of, factors.word[i], r]
            base = np.uint64(r * width)
            for f in range(first, last):
                at = _factor_row(factors, f, points, word)
                if last - first == 2:
                    by = _factor_row(factors, first + last - 1 - f, points, word) + points * LANES
                    sum_products(room.own, rows, at, rows, by, points)
                else:
                    _others(factors, i, f, word, rows, room.others)
                    sum_products(room.own, rows, at, room.others, 0, points)
                for lane in range(factors.used[f]):
                    room.row[base + factors.place[f, lane]] += room.own[lane]


@lent
def _add_walks(walks, tree, of, n, width, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(walks.start[tree], walks.start[tree + 1]):
        first, last = walks.first[i], walks.first[i + 1]
        begin, end = walks.terms[i], walks.terms[i + 1]
        value, own = walks.value[i], room.values[: last - first]
        for r in range(n):
            field = room.words[of, walks.word[i], r] >> walks.shift[i]
            if walks.weight.shape[0] == 0:
                point, weight = walks.point[begin:end], walks.point_weight[begin:end]
                leaf_values(field, walks.share[first:last], value, point, weight, room.before, own)
            else:
                seen, share = walks.seen[begin:end], walks.seen_share[begin:end]
                against_background(field, seen, share, value, walks.weight, own)
            for j in range(last - first):
                room.row[np.uint64(r * width) + walks.place[first + j]] += own[j]


@lent
def _next_trees(ends, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the end of the trees from `first` on whose tables lie together in the cache, one at least."""
    last = first + 1
    while last + 1 < ends.shape[0] and ends[last + 1] - ends[first] <= TOGETHER:
        last += 1
    return last


@lent
def _add_trees(model, first, last, codes, n, room, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add some trees to a block of rows.

    The words of as many trees are looked up at once as there is room for: many where there are few rows.
    """
    trees = room.words.shape[0]
    in_order = model.column.shape[0] == 0
    for begin in range(first, last, trees):
        end = min(begin + trees, last)
        _add_words(model.words, begin, end, codes, n, room.words)
        if n == 1:
            _fetch_tables(model.tables, begin, end, room.words, model.rows)
        for t in range(begin, end):
            at, of = model.start[t], t - begin
            width = model.start[t + 1] - at
            for k in range(n * width):
                room.row[k] = 0.0
            _add_tables(model.tables, t, room.words, of, n, width, model.rows, room.row)
            if model.factors.start[t] < model.factors.start[t + 1]:
                _add_factors(model.factors, t, of, n, width, model.rows, room)
            if model.walks.start[t] < model.walks.start[t + 1]:
                _add_walks(model.walks, t, of, n, width, room)
            if in_order:
                for r in range(n):
                    for k in range(width):
                        out[r, k] += room.row[r * width + k]
            else:
                for r in range(n):
                    for k in range(width):
                        out[r, model.column[at + k]] += room.row[r * width + k]


@called
def _room(model, block):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    widest = words = 1
    for tree in range(model.start.shape[0] - 1):
        widest = max(widest, model.start[tree + 1] - model.start[tree])
        words = max(words, model.words.words[tree])
    kind = model.rows.dtype
    return Room(
        np.empty((max(1, BLOCK // block), words, block), np.uint64),
        np.empty(block * widest, kind),
        np.empty(WORD_BITS, kind),
        np.empty(LANES, kind),
        np.empty(WORD_BITS),
        np.empty(WORD_BITS),
    )


@entered
def add_contributions(values, first, last, edges, model, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Add the contributions of the rows ``first … last − 1`` of `values` to ``out[0 … last − first − 1]``.

    `out` may have more columns than there are contributions.
    """
    trees = model.start.shape[0] - 1
    if trees == 0 or first == last:
        return
    slab = min(SLAB, last - first)
    block = min(BLOCK, slab)
    blocks = (slab + block - 1) // block
    columns = out.shape[1]
    codes = np.empty((blocks, edges.column.shape[0], block), np.uint16)
    found, place = np.empty(block), np.empty(block, np.int64)
    total = np.empty((slab, (columns + LANES - 1) // LANES * LANES))
    room = _room(model, block)
    for begin in range(first, last, slab):
        end = min(begin + slab, last)
        total[:] = 0.0
        for i in range((end - begin + block - 1) // block):
            row = begin + i * block
            encode(values, row, min(row + block, end), edges, codes[i], found, place)
        tree = np.int64(0)  # a literal 0 would be compiled for on its own
        while tree < trees:
            after = _next_trees(model.ends, tree) if blocks > 1 else trees
            for i in range((end - begin + block - 1) // block):
                n = min(block, end - begin - i * block)
                _add_trees(model, tree, after, codes[i], n, room, total[i * block :])
            tree = after
        for r in range(begin, end):
            for c in range(columns):
                out[r - first, c] += total[r - begin, c]


@entered
def keep_heaviest(values, index, heaviest):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write the columns of the k largest magnitudes of each row, and their values; ties go to the first."""
    k = index.shape[1]
    for r in range(values.shape[0]):
        filled = 0
        for c in range(values.shape[1]):
            value = values[r, c]
            if filled == k and abs(value) <= abs(heaviest[r, k - 1]):
                continue
            at = filled if filled < k else k - 1
            while at > 0 and abs(value) > abs(heaviest[r, at - 1]):
                heaviest[r, at] = heaviest[r, at - 1]
                index[r, at] = index[r, at - 1]
                at -= 1
            heaviest[r, at] = value
            index[r, at] = c
            filled = min(k, filled + 1)
