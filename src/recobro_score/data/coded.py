"""Rows that need no second look: their cells read once, kept as plain numbers, and taken back as they are.

Of a bad row, or one with too rare a word, the cells are kept as they came; here they only count as left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.data.check import Checked
from recobro_score.data.contracts import Column, Contract
from recobro_score.data.ids import is_text
from recobro_score.data.parse import Parsed, UnreadableColumn, empty_column, parse_column, text_of
from recobro_score.data.quarantine import FailureLog
from recobro_score.data.streams import TableStream
from recobro_score.errors import ContractError

MOST_WORDS = 1 << 15
"""Words of a column that have a code, a 16-bit number; rows with others are left out."""

_LEFT_OUT, _NO_WORD = -2, -1

Words = Mapping[str, list[str]]
"""The words of each category column by their codes."""


@dataclass(frozen=True, slots=True, eq=False)
class Coder:
    """Reads the cells of a table's rows into plain columns.

    Attributes
    ----------
    source : TableStream
        The table.
    columns : tuple of Column
        Those it has, but for the account's id; none where the table cannot be read.
    codes : mapping of str to dict
        Per category column, the code of each word met so far.
    """

    source: TableStream
    columns: tuple[Column, ...]
    codes: Mapping[str, dict[str, int]] = field(default_factory=dict)
    _read_as: Mapping[str, dict[str, int]] = field(default_factory=dict)
    """Per category column, the code of texts as they came."""

    @classmethod
    def of(cls, source: TableStream) -> Coder:
        """Return the coder of a table."""
        given = [source.contract.column(name) for name in source.names if name != "account_id"]
        nothing = source.data.schema.empty_table()
        try:
            for column in given:
                cells = nothing.column(source.names[column.name]).combine_chunks()
                parse_column(column, cells, source.options.format())
        except UnreadableColumn:
            given = []
        categories = [column.name for column in given if column.kind == "category"]
        words: dict[str, dict[str, int]] = {name: {} for name in categories}
        return cls(source, tuple(given), words, {name: {} for name in categories})

    def read(self, rows: pa.RecordBatch) -> tuple[dict[str, Any], NDArray[np.bool_]]:
        """Return the columns of some rows, and which rows are left out, because they break a rule or so.

        Times are int64 (`NEVER` = missing), numbers float64 (NaN), categories int16 codes (−1), ids strings.
        """
        left_out = np.full(len(rows), not self.columns)
        read: dict[str, Any] = {}
        for column in self.columns:
            cells = rows.column(self.source.names[column.name])
            if column.kind == "category":
                read[column.name] = codes = self._codes(column, cells)
                left_out |= codes == _LEFT_OUT
                continue
            parsed = parse_column(column, cells, self.source.options.format())
            left_out |= parsed.bad
            if column.required:
                left_out |= parsed.missing
            read[column.name] = _plain(column, parsed)
        return read, left_out

    def words(self) -> dict[str, list[str]]:
        """Return the words of each category column by their codes."""
        return {name: list(codes) for name, codes in self.codes.items()}

    def _codes(self, column: Column, cells: pa.Array) -> NDArray[np.int16]:
        cells = cells.dictionary_encode()
        codes = self._codes_of_words(column, cells.dictionary)
        places = cells.indices.fill_null(-1) if cells.null_count else cells.indices
        found: NDArray[np.int16] = codes.take(places.to_numpy())
        return found

    def _codes_of_words(self, column: Column, words: pa.Array) -> NDArray[np.int16]:
        """Return the code of each different cell, and at last of the empty one; texts are read once."""
        if not is_text(words.type):
            return self._read_words(column, pa.concat_arrays([words, pa.nulls(1, words.type)]))
        read_as = self._read_as[column.name]
        if len(read_as) > MOST_WORDS:
            read_as.clear()
        cells = [*words.to_pylist(), None]
        new = [cell for cell in cells if cell not in read_as]
        if new:
            codes = self._read_words(column, pa.array(new, words.type))
            read_as.update(zip(new, codes.tolist(), strict=True))
        return np.array([read_as[cell] for cell in cells], np.int16)

    def _read_words(self, column: Column, different: pa.Array) -> NDArray[np.int16]:
        """Return the code of each cell, giving new words one."""
        parsed = parse_column(column, different, self.source.options.format())
        known = self.codes[column.name]
        codes = np.full(len(different), _NO_WORD, np.int16)
        for place, word in enumerate(text_of(parsed.values).to_pylist()):
            if word is not None and word not in known and len(known) < MOST_WORDS and not parsed.bad[place]:
                known[word] = len(known)
            if word is not None or column.required:
                codes[place] = known.get(word, _LEFT_OUT)
        codes[parsed.bad] = _LEFT_OUT
        return codes


def _plain(column: Column, parsed: Parsed) -> Any:  # noqa: ANN401 - Arrow or numpy
    if column.kind == "id":
        return text_of(parsed.values)
    if column.kind == "time" and parsed.missing.any():
        return np.where(parsed.missing, NEVER, parsed.values)
    return parsed.values


def checked_of(contract: Contract, rows: pa.Table, accounts: pa.DictionaryArray, words: Words) -> Checked:
    """Return coded rows as `recobro_score.data.check` would: none of them breaks a rule.

    Parameters
    ----------
    contract : Contract
        The table.
    rows : pyarrow.Table
        Columns as from `Coder.read`.
    accounts : pyarrow.DictionaryArray
        The ids of the rows' accounts.
    words : mapping
        As from `Coder.words`.
    """
    columns: dict[str, Parsed] = {}
    fine = np.zeros(len(rows), dtype=bool)
    for column in contract.columns:
        if column.name == "account_id":
            columns[column.name] = Parsed(accounts, fine, fine)
        elif column.name not in rows.column_names:
            columns[column.name] = empty_column(column, len(rows))
        else:
            values, missing = _taken_back(column, rows.column(column.name), words)
            columns[column.name] = Parsed(values, fine, missing)
    return Checked(contract, columns, FailureLog.of(len(rows)))


def dictionary_of(
    places: NDArray[np.signedinteger[Any]], words: pa.StringArray, missing: NDArray[np.bool_] | None = None
) -> pa.DictionaryArray:
    """Return the words at places, null where they are missing.

    Raises
    ------
    ContractError
        If a place lies beyond the words: the file it was read from is damaged.
    """
    mask = missing if missing is not None and missing.any() else None
    lowest = 0 if mask is None else _NO_WORD
    if len(places) and not lowest <= places.min() <= places.max() < len(words):
        msg = f"the partitions are damaged: of {len(words)} words they name the {places.max() + 1}th"
        raise ContractError(msg)
    return pa.DictionaryArray.from_arrays(pa.array(places, mask=mask), words, safe=False)


def joined(one: Checked, other: Checked) -> Checked:
    """Return the rows of two readings of one table; only those of the other may break rules."""
    if other.n_rows == 0:
        return one
    columns = {
        name: Parsed(
            _joined(parsed.values, other.columns[name].values),
            np.concatenate([parsed.bad, other.columns[name].bad]),
            np.concatenate([parsed.missing, other.columns[name].missing]),
        )
        for name, parsed in one.columns.items()
    }
    broken = np.concatenate([one.log.rules_broken, other.log.rules_broken])
    return Checked(one.contract, columns, FailureLog(broken, other.log.kinds))


def _taken_back(column: Column, cells: pa.ChunkedArray, words: Words) -> tuple[Any, NDArray[np.bool_]]:
    if column.kind == "id":
        ids = cells.combine_chunks()
        return ids, np.asarray(ids.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    values = cells.to_numpy()
    if column.kind == "category":
        missing = values == _NO_WORD
        return dictionary_of(values, pa.array(words[column.name], pa.string()), missing), missing
    missing = values == NEVER if column.kind in ("time", "later") else np.isnan(values)
    if column.kind == "time" and missing.any():
        values = np.where(missing, 0, values)
    return values, missing


def _joined(one: Any, other: Any) -> Any:  # noqa: ANN401 - Arrow or numpy
    if not isinstance(one, pa.Array):
        return np.concatenate([one, other])
    if pa.types.is_dictionary(one.type) or pa.types.is_dictionary(other.type):
        kind = pa.dictionary(pa.int32(), pa.string())
        encoded = [part.dictionary_encode().cast(kind) for part in (one, other)]
        return pa.chunked_array(encoded).unify_dictionaries().combine_chunks()
    return pa.concat_arrays([one, other])
