"""Arrays that compiled code passes on without counting who holds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray


def _borrowed(typing_context: Any, array: types.Array) -> Any:  # noqa: ANN401, ARG001 - numba's own types
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        view = context.make_array(signature.return_type)(context, builder, value=arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)  # type: ignore[no-untyped-call]
        view.parent = cgutils.get_null_value(view.parent.type)  # type: ignore[no-untyped-call]
        return view._getvalue()  # noqa: SLF001 - numba's own way

    return array(array), generate


borrowed: Callable[[NDArray[Any]], NDArray[Any]] = cast("Any", intrinsic(_borrowed))
"""Returns a view of an array, for compiled functions only, that does not keep the array alive.

Passing it on costs no atomic counting. Whoever borrows must be called by somebody who holds the array.
"""
