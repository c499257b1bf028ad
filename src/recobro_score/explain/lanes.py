"""Vectors of `LANES` numbers inside compiled functions: what numba does not make of a loop by itself."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from recobro_score.explain.shapley import LANES

_READ, _KEPT, _DATA = 0, 2, 1  # operands of LLVM's prefetch


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


add_lanes: Any = intrinsic(_adding_lanes)


def _summing_products(
    _: Any,  # noqa: ANN401
    target: Any,  # noqa: ANN401
    source: Any,  # noqa: ANN401
    at: Any,  # noqa: ANN401
    factors: Any,  # noqa: ANN401
    by: Any,  # noqa: ANN401
    count: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Set ``target[: LANES]`` to a sum of vectors of `source`, each times a number of `factors`.

    The vectors begin at ``source[at]``, the numbers at ``factors[by]``; there are `count` of both.
    The sum stays in a register.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        target, source, at, factors, by, count = arguments
        kind, other = signature.args[1], signature.args[3]
        scalar = context.get_data_type(kind.dtype)
        size = context.get_abi_sizeof(scalar)
        vector = ir.VectorType(scalar, LANES)
        zeros = ir.Constant(vector, [0.0] * LANES)
        total = cgutils.alloca_once_value(builder, zeros)  # type: ignore[no-untyped-call]
        first = ir.Constant(ir.IntType(32), 0)
        spread = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        with cgutils.for_range(builder, count) as loop:
            offset = builder.mul(loop.index, ir.Constant(loop.index.type, LANES))
            row = _lanes(context, builder, kind, source, builder.add(at, offset))
            factor = builder.load(_pointer(context, builder, other, factors, builder.add(by, loop.index)))
            alone = builder.insert_element(ir.Constant(vector, ir.Undefined), factor, first)
            spread_out = builder.shuffle_vector(alone, ir.Constant(vector, ir.Undefined), spread)
            product = builder.fmul(builder.load(row, align=size), spread_out)
            builder.store(builder.fadd(builder.load(total), product), total)
        mine = _lanes(context, builder, signature.args[0], target, ir.Constant(ir.IntType(64), 0))
        builder.store(builder.load(total), mine, align=size)
        return context.get_dummy_value()

    return types.void(target, source, at, factors, by, count), generate


sum_products: Any = intrinsic(_summing_products)


def _fetching(_: Any, source: Any, at: Any) -> Any:  # noqa: ANN401
    """Ask the processor for the memory at ``source[at]`` without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        source, at = arguments
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        place = builder.bitcast(_pointer(context, builder, signature.args[0], source, at), byte)
        builder.call(ask, [place, number(_READ), number(_KEPT), number(_DATA)])
        return context.get_dummy_value()

    return types.void(source, at), generate


fetch: Any = intrinsic(_fetching)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:  # noqa: ANN401
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _lanes(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:  # noqa: ANN401
    vector = ir.VectorType(context.get_data_type(kind.dtype), LANES)
    return builder.bitcast(_pointer(context, builder, kind, array, at), vector.as_pointer())
