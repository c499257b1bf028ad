"""The kinds of compiled functions.

A function costs time to compile for every way in which it can be called, and for counting who holds its
arrays; so it gets no more of that than it needs. All leave the interpreter free, keep their compiled code in
the cache of the user, and divide by zero as numpy does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import numba

if TYPE_CHECKING:
    from numba.core.dispatcher import Dispatcher

Function = TypeVar("Function", bound=Callable[..., Any])

_ENTERED: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_CALLED = _ENTERED | {"no_cpython_wrapper": True}
_LENT = _CALLED | {"_nrt": False}


def entered(function: Function) -> Dispatcher[Function]:
    """Compile a function that Python calls."""
    return _compiled(function, _ENTERED)


def called(function: Function) -> Dispatcher[Function]:
    """Compile a function that only compiled ones call."""
    return _for_compiled(function, _CALLED)


def lent(function: Function) -> Dispatcher[Function]:
    """Compile one that only compiled ones call, and that makes no arrays: all it has belong to its callers.

    Nobody counts who holds them: calling it costs no atomic operation per array.
    """
    return _for_compiled(function, _LENT)


def inlined(function: Function) -> Dispatcher[Function]:
    """Compile one as by `lent` into each of its callers: for what is called for every slot or account."""
    return _for_compiled(function, _LENT | {"forceinline": True})


def _compiled(function: Function, options: dict[str, Any]) -> Dispatcher[Function]:
    compiled: Dispatcher[Function] = numba.njit(function, **options)
    return compiled


def _for_compiled(function: Function, options: dict[str, Any]) -> Dispatcher[Function]:
    """Compile a function that Python has no way into: it refuses calls, which would end the process."""

    def refuse(*_: object, **__: object) -> NoReturn:
        msg = f"Only compiled functions call {function.__qualname__}; its `py_func` is for all."
        raise TypeError(msg)

    compiled: Any = _compiled(function, options)
    compiled._insert = lambda *_: None  # noqa: SLF001 - numba's table of ways in
    compiled._compile_for_args = refuse  # noqa: SLF001 - what it does where there is none
    return cast("Dispatcher[Function]", compiled)
