"""Check a frame against its contract: good rows and a failure report, never an exception for bad rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.data.contracts import Contract
from recobro_score.data.names import english_names, misspelt, plain
from recobro_score.data.parse import Format, Parsed, UnreadableColumn, empty_column, parse_column, text_of
from recobro_score.data.quarantine import NO_ROWS, QUARANTINE_SCHEMA, FailureLog, Failures
from recobro_score.errors import ContractError, Problem, hint, report
from recobro_score.frames import to_arrow


@dataclass(slots=True)
class Checked:
    """A table read against its contract, before it meets the other tables.

    Attributes
    ----------
    contract : Contract
        What it was read against.
    columns : dict of str to Parsed
        Every column of the contract, all rows, in the order of the frame.
    log : FailureLog
        Rules broken so far; cross-table rules are added later.
    """

    contract: Contract
    columns: dict[str, Parsed]
    log: FailureLog

    @property
    def n_rows(self) -> int:
        """Number of rows as they came."""
        return len(self.log.rules_broken)

    def values(self, name: str) -> Any:  # noqa: ANN401 - an array of the column's kind
        """Return the values of a column, all rows."""
        return self.columns[name].values

    def good(self) -> NDArray[np.bool_]:
        """Return which rows broke no rule."""
        return self.log.good

    def failures(self) -> Failures:
        """Return the rows that broke a rule."""
        return self.log.failures()

    def frame(self) -> pa.Table:
        """Return the good rows: ids and categories as text, times in UTC, money in major units."""
        keep = pa.array(np.flatnonzero(self.good()))
        arrays = {}
        for column in self.contract.columns:
            parsed = self.columns[column.name]
            array = text_of(parsed.values)
            if column.kind in ("time", "later"):
                empty = parsed.missing | (parsed.values == NEVER)
                array = pa.array(parsed.values, mask=empty).cast(pa.timestamp("us", "UTC"))
            arrays[column.name] = pa.array(array).take(keep)
        return pa.table(arrays)

    def quarantined(self) -> pa.Table:
        """Return the bad rows as a part of the quarantine."""
        failures = self.failures()
        if len(failures.rows) == 0:
            return NO_ROWS
        rows = pa.array(failures.rows)

        def ids(name: str | None) -> pa.Array:
            if name is None or name not in self.columns:
                return pa.nulls(len(rows), pa.string())
            return text_of(self.columns[name].values.take(rows))

        columns = [
            pa.array([self.contract.table] * len(rows), pa.string()),
            pa.array(failures.rules.tolist(), pa.string()),
            pa.array(failures.columns.tolist(), pa.string()),
            rows,
            ids(self.contract.unique),
            ids("account_id"),
            ids("debtor_id"),
        ]
        return pa.Table.from_arrays(columns, schema=QUARANTINE_SCHEMA)


def check(
    contract: Contract,
    frame: Any,  # noqa: ANN401 - any supported frame
    *,
    mapping: Mapping[str, str] | None = None,
    how: Format | None = None,
) -> Checked:
    """Read a frame against one contract.

    Parameters
    ----------
    contract : Contract
        For example ``CONTRACTS["payments"]``.
    frame : pandas, polars or pyarrow frame, mapping of columns, or records
        The table.
    mapping : mapping of str to str, optional
        Source column names to the contract's; Spanish names are known without it.
    how : Format, optional
        Time zone, date pattern and decimal mark.

    Returns
    -------
    Checked
        All rows read, with the rule each bad one broke: ``missing:<column>``, ``unreadable:<column>``,
        ``not_allowed:<column>``.

    Raises
    ------
    ContractError
        If the table as a whole is broken: required columns missing, ambiguous names, or types that cannot
        be read. All problems are in the one error.
    """
    problems: list[Problem] = []
    checked = check_collecting(contract, frame, problems, mapping=mapping or {}, how=how or Format())
    if checked is None:
        raise ContractError(report(f"the table {contract.table!r} is broken:", problems))
    return checked


def check_collecting(
    contract: Contract,
    frame: Any,  # noqa: ANN401 - any supported frame
    problems: list[Problem],
    *,
    mapping: Mapping[str, str],
    how: Format,
) -> Checked | None:
    """Like `check`, but add a broken table's problems to a list and return None instead of raising."""
    before = len(problems)
    try:
        table = to_arrow(frame, name=contract.table).combine_chunks()
    except ContractError as error:
        problems.append(Problem(str(error)))
        return None
    sources = english_names(contract, table.column_names, mapping)
    _find_name_problems(contract, table.column_names, sources, mapping, problems)
    columns: dict[str, Parsed] = {}
    for column in contract.columns:
        names = sources.get(column.name, [])
        try:
            if len(names) == 1:
                columns[column.name] = parse_column(column, _one_array(table[names[0]]), how)
            else:
                columns[column.name] = empty_column(column, table.num_rows)
        except UnreadableColumn as error:
            problems.append(Problem(f"{contract.table}.{column.name}: {error}"))
    if len(problems) > before:
        return None
    return Checked(contract, columns, _row_rules(contract, columns, table.num_rows))


@cache
def absent(contract: Contract) -> Checked:
    """Return how a table reads that is not there: every column, no rows."""
    columns = {column.name: empty_column(column, 0) for column in contract.columns}
    return Checked(contract, columns, FailureLog.of(0))


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [column.combine_chunks()])
    )


def _row_rules(contract: Contract, columns: Mapping[str, Parsed], rows: int) -> FailureLog:
    log = FailureLog.of(rows)
    for column in contract.columns:
        parsed = columns[column.name]
        rule = "not_allowed" if column.allowed else "unreadable"
        log.mark(parsed.bad, f"{rule}:{column.name}", column.name)
        if column.required:
            log.mark(parsed.missing, f"missing:{column.name}", column.name)
    return log


def _find_name_problems(
    contract: Contract,
    given: list[str],
    sources: Mapping[str, list[str]],
    mapping: Mapping[str, str],
    problems: list[Problem],
) -> None:
    for name in contract.required:
        if name not in sources:
            text = f"{contract.table}.{name}: the column is missing."
            problems.append(Problem(text, hint=hint(name, [plain(source) for source in given])))
    for name, names in sources.items():
        if len(names) > 1:
            problems.append(
                Problem(f"{contract.table}.{name}: several columns mean it", examples=tuple(names))
            )
    for source, name in misspelt(contract, given, sources, mapping):
        text = f"{contract.table}: the column {source!r} is not known, and {name!r} is not there. Rename it,"
        problems.append(Problem(f"{text} or map it to an empty name to leave it out"))
    for source, target in mapping.items():
        if source not in given:
            text = f"{contract.table}.{target}: the mapping names the column {source!r}, which is not there."
            problems.append(Problem(text, hint=hint(source, given)))
        if target and target not in contract.names:
            text = f"{contract.table}: the mapping of {source!r} names {target!r}, which is no column of it."
            problems.append(Problem(text, hint=hint(target, contract.names)))
