"""The compiled sum: codes to words, words to table rows, one block of rows and one tree at a time.

A word holds, in bit fields, where a row stands in every table of a tree. All that is added to a row within a
tree is kept in a short row of its own and added to the result once per tree, in the order of the trees: the
same bits for any block, any thread and any neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from recobro_score.explain.binning import encode
from recobro_score.explain.shapley import LANES, STEP, against_background, leaf_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bits = NDArray[np.uint64]
    Floats = NDArray[np.float64]
    Entries = NDArray[np.float32] | NDArray[np.float64]

MOST_CONDITIONS = 64
"""Conditions of one leaf: they fill one word."""

BLOCK = 1024
"""Rows that are explained together: what belongs to them stays in the processor's cache."""


class Words(NamedTuple):
    """How codes become words: tree t adds the uses ``start[t] … start[t + 1] − 1``.

    Use u adds ``bits[at[u] + code]`` of slot ``slot[u]`` to word ``word[u]`` of the tree's ``words[t]``.
    """

    start: Ints
    slot: Ints
    word: Ints
    at: Ints
    bits: Bits
    words: Ints


class Tables(NamedTuple):
    """Groups of leaves: row ``field`` of the table that begins at ``rows[at]``.

    The field of a word is ``(word >> shift) & mask``; a row has as many entries as the tree has places.
    """

    start: Ints
    word: Ints
    shift: Bits
    mask: Bits
    at: Ints
    rows: Entries


class Halves(NamedTuple):
    """Leaves of up to 16 conditions as two tables of `half_patterns`, the low bits first.

    ``place[i, lane]`` is where in the tree's row each condition belongs; unused lanes hold zeros.
    """

    start: Ints
    word: Ints
    shift: Bits
    low: Ints
    high: Ints
    points: Ints
    at_low: Ints
    at_high: Ints
    place: Ints
    rows: Entries


class Walks(NamedTuple):
    """Leaves too deep for any table: their conditions, and what they are weighed with.

    Leaf i has the conditions ``first[i] … first[i + 1] − 1`` and the points (or background patterns)
    ``terms[i] … terms[i + 1] − 1``; ``weight`` is empty where contributions are path-dependent.
    """

    start: Ints
    word: Ints
    shift: Bits
    value: Floats
    first: Ints
    share: Floats
    place: Ints
    terms: Ints
    point: Floats
    point_weight: Floats
    seen: Bits
    seen_share: Floats
    weight: Floats


class Model(NamedTuple):
    """All trees; the places of tree t are the columns ``column[start[t] : start[t + 1]]`` of the result."""

    words: Words
    tables: Tables
    halves: Halves
    walks: Walks
    start: Ints
    column: Ints


def _adding_lanes(_: Any, target: Any, to: Any, source: Any, at: Any) -> Any:  # noqa: ANN401
    """Add ``source[at : at + LANES]`` to ``target[to : to + LANES]`` in one instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        target, to, source, at = arguments
        mine = _lanes(context, builder, signature.args[0], target, to)
        theirs = _lanes(context, builder, signature.args[2], source, at)
        size = context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype))
        total = builder.fadd(builder.load(mine, align=size), builder.load(theirs, align=size))
        builder.store(total, mine, align=size)
        return context.get_dummy_value()

    return types.void(target, to, source, at), generate


_add_lanes: Any = intrinsic(_adding_lanes)


def _summing_products(_: Any, target: Any, to: Any, source: Any, at: Any, by: Any, count: Any) -> Any:  # noqa: ANN401
    """Set ``target[to : to + LANES]`` to the sum of ``source[at : at + LANES] * source[by]``.

    It runs over `count` pairs (at, by), each `STEP` after the last; the sum stays in a register.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        target, to, source, at, by, count = arguments
        kind = signature.args[2]
        scalar = context.get_data_type(kind.dtype)
        size = context.get_abi_sizeof(scalar)
        vector = ir.VectorType(scalar, LANES)
        zeros = ir.Constant(vector, [0.0] * LANES)
        total = cgutils.alloca_once_value(builder, zeros)  # type: ignore[no-untyped-call]
        first = ir.Constant(ir.IntType(32), 0)
        spread = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        with cgutils.for_range(builder, count) as loop:
            offset = builder.mul(loop.index, ir.Constant(loop.index.type, STEP))
            row = _lanes(context, builder, kind, source, builder.add(at, offset))
            factor = builder.load(_pointer(context, builder, kind, source, builder.add(by, offset)))
            alone = builder.insert_element(ir.Constant(vector, ir.Undefined), factor, first)
            factors = builder.shuffle_vector(alone, ir.Constant(vector, ir.Undefined), spread)
            product = builder.fmul(builder.load(row, align=size), factors)
            builder.store(builder.fadd(builder.load(total), product), total)
        mine = _lanes(context, builder, signature.args[0], target, to)
        builder.store(builder.load(total), mine, align=size)
        return context.get_dummy_value()

    return types.void(target, to, source, at, by, count), generate


_sum_products: Any = intrinsic(_summing_products)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:  # noqa: ANN401
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _lanes(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:  # noqa: ANN401
    vector = ir.VectorType(context.get_data_type(kind.dtype), LANES)
    return builder.bitcast(_pointer(context, builder, kind, array, at), vector.as_pointer())


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
def _add_words(words, tree, codes, n, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for w in range(words.words[tree]):
        for r in range(n):
            out[w, r] = np.uint64(0)
    for use in range(words.start[tree], words.start[tree + 1]):
        own = out[words.word[use]]
        code = codes[words.slot[use]]
        bits = words.bits[words.at[use] :]
        for r in range(n):
            own[r] += bits[code[r]]


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
def _add_tables(tables, tree, words, n, width, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(tables.start[tree], tables.start[tree + 1]):
        begin, shift, mask = tables.at[i], tables.shift[i], tables.mask[i]
        word = words[tables.word[i]]
        for r in range(n):
            at = begin + np.int64((word[r] >> shift) & mask) * width
            for lane in range(0, width, LANES):
                _add_lanes(room, r * width + lane, tables.rows, at + lane)


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
def _add_halves(halves, tree, words, n, width, own, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(halves.start[tree], halves.start[tree + 1]):
        word, shift, points = words[halves.word[i]], halves.shift[i], halves.points[i]
        low, high = halves.low[i], halves.high[i]
        size = points * STEP
        for r in range(n):
            field = np.int64(word[r] >> shift)
            a = halves.at_low[i] + (field & ((1 << low) - 1)) * size
            b = halves.at_high[i] + ((field >> low) & ((1 << high) - 1)) * size
            _sum_products(own, 0, halves.rows, a, b + LANES, points)
            _sum_products(own, LANES, halves.rows, b, a + LANES, points)
            for lane in range(low):
                room[r * width + halves.place[i, lane]] += own[lane]
            for lane in range(LANES, LANES + high):
                room[r * width + halves.place[i, lane]] += own[lane]


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
def _add_walks(walks, tree, words, n, width, before, own, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(walks.start[tree], walks.start[tree + 1]):
        first, last = walks.first[i], walks.first[i + 1]
        begin, end = walks.terms[i], walks.terms[i + 1]
        word, shift, value = words[walks.word[i]], walks.shift[i], walks.value[i]
        d = last - first
        for r in range(n):
            field = word[r] >> shift
            if walks.weight.shape[0] == 0:
                point, weight = walks.point[begin:end], walks.point_weight[begin:end]
                leaf_values(field, walks.share[first:last], value, point, weight, before, own)
            else:
                seen, share = walks.seen[begin:end], walks.seen_share[begin:end]
                against_background(field, seen, share, value, walks.weight, own[:d])
            for j in range(d):
                room[r * width + walks.place[first + j]] += own[j]


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
def add_contributions(values, first, last, edges, model, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Add the contributions of the rows ``first … last − 1`` of `values` to ``out[0 … last − first − 1]``."""
    block = min(BLOCK, last - first)
    trees = model.start.shape[0] - 1
    widest = 0
    for tree in range(trees):
        widest = max(widest, model.start[tree + 1] - model.start[tree])
    codes = np.empty((edges.column.shape[0], block), np.uint16)
    found, place = np.empty(block), np.empty(block, np.int64)
    words = np.empty((max(1, model.words.words.max() if trees else 1), block), np.uint64)
    room = np.empty(block * (widest + LANES), model.tables.rows.dtype)
    lanes = np.empty(2 * LANES, room.dtype)
    before, own = np.empty(MOST_CONDITIONS), np.empty(MOST_CONDITIONS)
    for begin in range(first, last, block):
        n = min(block, last - begin)
        encode(values, begin, begin + n, edges, codes, found, place)
        for tree in range(trees):
            at = model.start[tree]
            places = model.start[tree + 1] - at
            width = (places + LANES - 1) // LANES * LANES
            _add_words(model.words, tree, codes, n, words)
            for k in range(n * width):
                room[k] = 0.0
            _add_tables(model.tables, tree, words, n, width, room)
            if model.halves.start[tree] < model.halves.start[tree + 1]:
                _add_halves(model.halves, tree, words, n, width, lanes, room)
            if model.walks.start[tree] < model.walks.start[tree + 1]:
                _add_walks(model.walks, tree, words, n, width, before, own, room)
            for r in range(n):
                for k in range(places):
                    out[begin - first + r, model.column[at + k]] += room[r * width + k]


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
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
