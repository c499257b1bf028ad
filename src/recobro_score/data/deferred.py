"""Columns that are made when first asked for: most are never."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Deferred(Mapping[str, T]):
    """A mapping of values that are made when first asked for, and kept.

    Threads may share it: two that ask at once may both make a value, and it is the same.

    Parameters
    ----------
    makers : mapping of str to callable
        What makes each value; let go when it has.
    """

    __slots__ = ("_made", "_makers")

    def __init__(self, makers: Mapping[str, Callable[[], T]]) -> None:
        self._makers: dict[str, Callable[[], T] | None] = dict(makers)
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        make = self._makers[name]
        if make is not None:
            self._made[name] = make()
            self._makers[name] = None
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._makers)})"
