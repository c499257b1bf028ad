"""One row through LightGBM's C interface: the bits of `Booster.predict` without its preparations.

LightGBM can prepare once for rows of one shape (its *fast configuration*) and then score a row in the time
that its trees take. Its Python package does not offer that, so the library it ships is called by `ctypes`.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import lightgbm as lgb

from recobro_score.errors import RecobroError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RAW_SCORE, _FLOAT64 = 1, 1
_FIRST_TREE, _ALL_TREES = 0, -1


class SingleRow:
    """The raw score of one row at a time; the bits of ``engine.predict(row, raw_score=True)``.

    Safe to share between threads: each has a configuration of its own, freed when the thread ends or this
    object goes, and always before the booster, which it keeps alive.

    Parameters
    ----------
    engine : lightgbm.Booster
        Must not change any more.
    """

    def __init__(self, functions: Functions, engine: lgb.Booster) -> None:
        self._functions = functions
        self._engine = engine
        self._of_thread = threading.local()

    @classmethod
    def of(cls, engine: lgb.Booster) -> SingleRow | None:
        """Return the fast way to a booster, or None where the LightGBM in use does not offer it."""
        functions = find_functions()
        return None if functions is None or _handle(engine) is None else cls(functions, engine)

    def raw_score(self, row: NDArray[np.float64]) -> float:
        """Return the raw score of one row.

        Parameters
        ----------
        row : ndarray of shape (1, p)
            float64, C-contiguous, of the booster's p columns: the caller has made sure of it.

        Raises
        ------
        RecobroError
            With LightGBM's own words, if it refuses.
        """
        prepared: _Prepared | None = getattr(self._of_thread, "prepared", None)
        if prepared is None:
            prepared = self._of_thread.prepared = _Prepared(self._functions, self._engine)
        return prepared.raw_score(row)


@dataclass(frozen=True, slots=True)
class Functions:
    """What is used of LightGBM's C interface."""

    prepare: Any
    score: Any
    free: Any
    last_error: Any

    def check(self, status: int) -> None:
        """Raise if LightGBM says that a call failed."""
        if status != 0:
            msg = f"LightGBM refused to score one row: {self.last_error().decode()}."
            raise RecobroError(msg)


@cache
def find_functions() -> Functions | None:
    """Return the functions of the library that LightGBM has loaded, or None where it lacks one."""
    loaded: Any = getattr(lgb.basic, "_LIB", None)
    names = (
        "LGBM_BoosterPredictForMatSingleRowFastInit",
        "LGBM_BoosterPredictForMatSingleRowFast",
        "LGBM_FastConfigFree",
        "LGBM_GetLastError",
    )
    if not all(hasattr(loaded, name) for name in names):
        return None
    found = Functions(*(loaded[name] for name in names))
    found.last_error.restype = ctypes.c_char_p
    return found


class _Prepared:
    """A fast configuration with room for its answer; for one thread."""

    def __init__(self, functions: Functions, engine: lgb.Booster) -> None:
        configuration = ctypes.c_void_p()
        functions.check(
            functions.prepare(
                _handle(engine),
                ctypes.c_int(_RAW_SCORE),
                ctypes.c_int(_FIRST_TREE),
                ctypes.c_int(_ALL_TREES),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(engine.num_feature()),
                b"num_threads=1",
                ctypes.byref(configuration),
            )
        )
        weakref.finalize(self, _free, functions, configuration, engine).atexit = False
        self._functions, self._configuration = functions, configuration
        self._length, self._answer = ctypes.c_int64(), ctypes.c_double()
        self._room = ctypes.byref(self._length), ctypes.byref(self._answer)

    def raw_score(self, row: NDArray[np.float64]) -> float:
        address = ctypes.c_void_p(row.ctypes.data)
        self._functions.check(self._functions.score(self._configuration, address, *self._room))
        return self._answer.value


def _free(functions: Functions, configuration: ctypes.c_void_p, engine: lgb.Booster) -> None:
    """Free a configuration; until then `engine`, whose trees it reads, is kept alive."""
    del engine
    functions.free(configuration)


def _handle(engine: lgb.Booster) -> ctypes.c_void_p | None:
    handle = getattr(engine, "_handle", None)
    return handle if isinstance(handle, ctypes.c_void_p) else None
