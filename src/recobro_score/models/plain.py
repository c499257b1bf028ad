"""A plain table as the booster takes it: numbers as they are, words as codes, sentinels as missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import ColumnNotFound, ContractError, hint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MISSING_WORD, UNSEEN_WORD, FIRST_WORD = 0.0, 1.0, 2


@dataclass(frozen=True, slots=True)
class PlainSchema:
    """The columns of a plain table, as learned at training.

    Parameters
    ----------
    names, kinds : tuple of str
        Kinds are ``number`` and ``category``.
    vocabularies : mapping of str to tuple of str
        Words of each category column, sorted.
    missing_codes : mapping of str to tuple of float
        Numbers that stand for a missing value, per column.
    monotone : tuple of int
        −1, 0 or 1 per column.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    vocabularies: Mapping[str, tuple[str, ...]]
    missing_codes: Mapping[str, tuple[float, ...]]
    monotone: tuple[int, ...]
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        state = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "hash"}
        object.__setattr__(self, "hash", sha256_text(canonical_json(state)))

    @classmethod
    def learn(
        cls,
        table: Any,  # noqa: ANN401 - any frame, or a matrix
        *,
        missing_codes: Mapping[str, Sequence[float]] | None = None,
        monotone: Mapping[str, int] | None = None,
    ) -> PlainSchema:
        """Return the columns of a table.

        Parameters
        ----------
        table : frame or ndarray of shape (n, p)
            pandas, polars or pyarrow; words and truth values become categories. The columns of a matrix are
            numbers of the names ``x0``, ``x1``, ….
        missing_codes : mapping of str to sequence of float, optional
            Numbers that stand for a missing value, such as 96 and 98.
        monotone : mapping of str to int, optional
            Directions of number columns: −1 falling, 1 rising.

        Raises
        ------
        ColumnNotFound
            If a mapping names a column that the table has not, or that holds words.
        """
        columns = _columns(table)
        kinds = {name: "number" if _is_number(column) else "category" for name, column in columns.items()}
        numbers = [name for name, kind in kinds.items() if kind == "number"]
        unknown = [name for name in (*(missing_codes or {}), *(monotone or {})) if name not in numbers]
        if unknown:
            msg = f"no number column {unknown[0]!r}.{hint(unknown[0], numbers)}"
            raise ColumnNotFound(msg)
        return cls(
            names=tuple(columns),
            kinds=tuple(kinds.values()),
            vocabularies={
                name: tuple(sorted({str(word) for word in columns[name] if word is not None}))
                for name, kind in kinds.items()
                if kind == "category"
            },
            missing_codes={name: tuple(map(float, codes)) for name, codes in (missing_codes or {}).items()},
            monotone=tuple((monotone or {}).get(name, 0) for name in columns),
        )

    def values(self, table: Any) -> Floats:  # noqa: ANN401 - any frame, or a matrix
        """Return a table as the booster takes it; the order of its columns does not matter, their names do.

        Parameters
        ----------
        table : frame or ndarray of shape (n, p)

        Returns
        -------
        ndarray of shape (n, p)
            float64, C order; NaN is missing in a number, codes are 0 missing, 1 unseen, 2.. the vocabulary.

        Raises
        ------
        ColumnNotFound
            Naming every column of training that is not there.
        ContractError
            If a column of numbers holds words.
        """
        columns = _columns(table)
        absent = [name for name in self.names if name not in columns]
        if absent:
            msg = f"no column {', '.join(map(repr, absent[:5]))}.{hint(absent[0], columns)}"
            raise ColumnNotFound(msg)
        found = np.empty((len(next(iter(columns.values()))), len(self.names)))
        for place, (name, kind) in enumerate(zip(self.names, self.kinds, strict=True)):
            found[:, place] = (self._numbers if kind == "number" else self._codes)(name, columns[name])
        return found

    def _numbers(self, name: str, column: NDArray[Any]) -> Floats:
        if not _is_number(column):
            words = [value for value in column if isinstance(value, str)]
            msg = (
                f"{name} held numbers at training; now {len(words):,} of {len(column):,} are words, "
                f"for example {words[:3]}."
            )
            raise ContractError(msg)
        numbers = column.astype(np.float64)
        codes = self.missing_codes.get(name)
        return np.where(np.isin(numbers, codes), np.nan, numbers) if codes else numbers

    def _codes(self, name: str, column: NDArray[Any]) -> Floats:
        place = {word: float(code) for code, word in enumerate(self.vocabularies[name], start=FIRST_WORD)}
        return np.array(
            [MISSING_WORD if word is None else place.get(str(word), UNSEEN_WORD) for word in column]
        )


def _columns(table: Any) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - any frame, or a matrix
    """Return the columns by name: float64 arrays, or arrays of objects with None for missing."""
    if isinstance(table, np.ndarray):
        return {f"x{place}": column for place, column in enumerate(table.T)}
    frame = nw.from_native(table, eager_only=True)
    return {name: _column(frame[name]) for name in frame.columns}


def _column(series: nw.Series[Any]) -> NDArray[Any]:
    if series.dtype.is_numeric():
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    missing = series.is_null().to_numpy()
    words = np.array(series.to_list(), dtype=object)
    words[np.asarray(missing, dtype=np.bool_)] = None
    return words


def _is_number(column: NDArray[Any]) -> bool:
    return column.dtype != object
