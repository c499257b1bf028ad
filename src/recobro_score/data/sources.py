"""Read a portfolio from a folder of Parquet or CSV files."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.names import known_tables, table_name
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ContractError, Problem, hint, report

SUFFIXES = (".parquet", ".csv")
DELIMITERS = (",", ";", "\t", "|")


def read_portfolio(folder: str | Path, *, options: PortfolioOptions | None = None) -> Portfolio:
    """Read every table of a portfolio from a folder.

    Parameters
    ----------
    folder : str or Path
        Holds ``<table>.parquet``, ``<table>.csv``, or a folder ``<table>/`` of Parquet files, under English
        or Spanish table names. Sub-folders of other names and files of other kinds are left alone, but a
        data file whose name means no table is an error, so that a typing mistake cannot lose a table.
    options : PortfolioOptions, optional
        Time zone, lags, column names, declared tables.

    Raises
    ------
    ContractError
        If the folder or required tables are missing, or tables are broken; one error lists everything.
    """
    return Portfolio.from_frames(read_tables(folder), options=options)


def table_files(folder: str | Path) -> dict[str, Path]:
    """Return the file or folder of each table found in a folder, by English name.

    Raises
    ------
    ContractError
        If the folder does not exist, a data file means no table, or two files mean the same one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        msg = f"no such portfolio folder: {folder}"
        raise ContractError(msg)
    found: dict[str, Path] = {}
    problems: list[Problem] = []
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir()
        table = table_name(path.name if is_folder else path.stem)
        if table not in CONTRACTS if is_folder else path.suffix.lower() not in SUFFIXES:
            continue
        if table not in CONTRACTS:
            problems.append(Problem(f"{path.name}: no such table.", hint=hint(table, known_tables())))
        elif is_folder and not any(path.rglob("*.parquet")):
            problems.append(Problem(f"{path.name}: the folder of a table holds no Parquet file"))
        elif table in found:
            problems.append(Problem(f"{path.name}: the table {table!r} is also in {found[table].name}"))
        else:
            found[table] = path
    if problems:
        raise ContractError(report(f"the portfolio folder {folder} cannot be read:", problems))
    return found


def read_tables(folder: str | Path, *, only: Collection[str] = CONTRACTS) -> dict[str, pa.Table]:
    """Return the tables found in a folder (or some of them) as Arrow tables, unchecked."""
    tables: dict[str, pa.Table] = {}
    problems: list[Problem] = []
    for table, path in table_files(folder).items():
        if table not in only:
            continue
        try:
            tables[table] = _read(path)
        except ContractError as error:
            problems.append(Problem(str(error)))
    if problems:
        raise ContractError(report(f"the portfolio folder {folder} cannot be read:", problems))
    return tables


def _read(path: Path) -> pa.Table:
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        msg = f"{path.name}: not a readable Parquet file ({error})"
        raise ContractError(msg) from error


def _read_csv(path: Path) -> pa.Table:
    """Read a CSV as text. Nothing but the delimiter is guessed: guesses lose rows without a word."""
    import duckdb

    try:
        names, delimiter = _header(path)
        with duckdb.connect() as connection:
            relation = connection.read_csv(
                str(path),
                auto_detect=False,
                header=True,
                columns={f"column_{position}": "VARCHAR" for position in range(len(names))},
                delimiter=delimiter,
                quotechar='"',
                escapechar='"',
            )
            return relation.to_arrow_table().rename_columns(names)
    except (duckdb.Error, UnicodeError, csv.Error) as error:
        msg = f"{path.name}: not a readable CSV file in UTF-8 ({error})"
        raise ContractError(msg) from error


def _header(path: Path) -> tuple[list[str], str]:
    """Return the column names of a CSV and its delimiter: the one its first line holds most often."""
    with path.open(encoding="utf-8-sig") as stream:
        line = stream.readline()
    delimiter = max(DELIMITERS, key=line.count)
    return next(csv.reader([line], delimiter=delimiter), []), delimiter
