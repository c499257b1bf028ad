"""Folders of Parquet and CSV read the same, under English and Spanish names."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recobro_score.data.names import table_name
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.sources import read_portfolio, read_tables
from recobro_score.errors import ContractError
from tests.data.readings import raw
from tests.data.typed_tables import Tables, good_tables

SPANISH_TABLES = {
    "accounts": "Expedientes",
    "debtors": "titulares",
    "payments": "pagos",
    "contacts": "Gestiones",
    "instalments": "cuotas",
    "balances": "saldos",
    "promises": "promesas",
    "contact_points": "Teléfonos",
    "holds": "bloqueos",
}
SPANISH_COLUMNS = {
    "account_id": "Expediente",
    "debtor_id": "ID titular",
    "opened_at": "Fecha apertura",
    "currency": "Moneda",
    "country": "País",
    "amount": "Importe",
    "kind": "tipo",
    "method": "Método",
    "paid_at": "Fecha-Pago",
    "birth_year": "Año nacimiento",
    "dpd": "Días de mora",
    "balance": "saldo",
    "direction": "Dirección",
    "outcome": "resultado",
    "known_at": "fecha carga",
}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return good_tables(seed=3)


@pytest.fixture(scope="module")
def expected(tables: Tables) -> object:
    return raw(Portfolio.from_frames(tables).store)


def _iso(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas()
    for name in frame.select_dtypes("datetimetz"):
        frame[name] = frame[name].map(lambda moment: moment.isoformat(), na_action="ignore")
    return frame


def test_parquet_files_and_folders_read_as_the_frames(tables: Tables, expected: object, tmp_path: Path):
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    (tmp_path / "payments.parquet").unlink()
    for year, part in (("2023", tables["payments"].slice(0, 10)), ("2024", tables["payments"].slice(10))):
        (tmp_path / "payments" / f"year={year}").mkdir(parents=True)
        pq.write_table(part, tmp_path / "payments" / f"year={year}" / "part-0.parquet")
    (tmp_path / "truth").mkdir()
    (tmp_path / "README.md").write_text("no table")
    assert raw(read_portfolio(tmp_path).store) == expected


def test_csv_with_commas_reads_as_the_frames(tables: Tables, expected: object, tmp_path: Path):
    for name, table in tables.items():
        _iso(table).to_csv(tmp_path / f"{name}.csv", index=False)
    assert raw(read_portfolio(tmp_path).store) == expected


def test_csv_with_semicolons_decimal_commas_and_spanish_names_reads_as_the_frames(
    tables: Tables, expected: object, tmp_path: Path
):
    for name, table in tables.items():
        frame = _iso(table).rename(columns=SPANISH_COLUMNS)
        frame.to_csv(tmp_path / f"{SPANISH_TABLES.get(name, name)}.CSV", sep=";", decimal=",", index=False)
    assert raw(read_portfolio(tmp_path, options=PortfolioOptions(decimal=",")).store) == expected


def test_texts_with_quotes_delimiters_and_line_breaks_survive_csv(tmp_path: Path):
    terms = ['{"a": 1, "b": "x;y"}', "two\nlines", "ñandú, “quoted”"]
    plans = pd.DataFrame(
        {"plan_id": [1, 2, 3], "account_id": "A", "offered_at": "2025-01-01", "terms": terms}
    )
    plans.to_csv(tmp_path / "planes.csv", index=False)
    assert read_tables(tmp_path)["plans"]["terms"].to_pylist() == terms


TRICKY = {
    "comments are rows": ("a,b\n#1,2\n3,4\n", [("#1", "2"), ("3", "4")]),
    "windows line ends": ("a;b\r\n1;2\r\n3;4\r\n", [("1", "2"), ("3", "4")]),
    "more commas than semicolons": ("a;b\n1,5;2,5\n3,5;4,5\n", [("1,5", "2,5"), ("3,5", "4,5")]),
    "a byte order mark": ("\ufeffa;b\n1;2,5\n", [("1", "2,5")]),
    "no last line end": ("a\tb\n1\t2", [("1", "2")]),
    "empty and quoted cells": ('a,b\n"",x\nNA,"q""r"\n', [(None, "x"), ("NA", 'q"r')]),
    "rows that look like another header": ("a|b\nx|y\nx|y\n1|2\n", [("x", "y"), ("x", "y"), ("1", "2")]),
    "no rows": ("a;b\n", []),
}


@pytest.mark.parametrize("case", TRICKY)
def test_every_line_of_a_csv_after_the_first_is_a_row(case: str, tmp_path: Path):
    text, expected = TRICKY[case]
    (tmp_path / "plans.csv").write_bytes(text.encode())
    table = read_tables(tmp_path)["plans"]
    assert table.column_names == ["a", "b"]
    assert list(zip(*table.to_pydict().values(), strict=True)) == expected


@pytest.mark.parametrize("content", [b"", b"a,b\ncaf\xe9,1\n", b"a,b\n1\n", b'a,b\n"x"y,1\n'])
def test_a_csv_that_cannot_be_read_whole_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "plans.csv").write_bytes(content)
    with pytest.raises(ContractError, match=r"plans\.csv: not a readable CSV file"):
        read_tables(tmp_path)


def test_a_file_that_means_no_table_or_a_table_twice_is_named(tmp_path: Path):
    for name in ("acounts.csv", "pagos.csv", "payments.parquet"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    (tmp_path / "holds").mkdir()
    with pytest.raises(ContractError) as error:
        read_tables(tmp_path)
    text = str(error.value)
    assert "acounts.csv" in text
    assert "Did you mean 'accounts'?" in text
    assert "the table 'payments' is also in pagos.csv" in text
    assert "holds: the folder of a table holds no Parquet file" in text


def test_unreadable_files_are_all_named_in_one_error(tmp_path: Path):
    (tmp_path / "payments.parquet").write_bytes(b"not parquet")
    (tmp_path / "accounts.parquet").write_bytes(b"neither")
    with pytest.raises(ContractError, match=r"(?s)accounts\.parquet.*payments\.parquet"):
        read_tables(tmp_path)
    with pytest.raises(ContractError, match="no such portfolio folder"):
        read_tables(tmp_path / "nowhere")


def test_a_csv_row_with_too_many_cells_is_an_error_and_never_dropped(tmp_path: Path):
    (tmp_path / "payments.csv").write_text("account_id,paid_at,amount\nA,2025-01-01,5\nA,2025-01-02,5,7,9\n")
    with pytest.raises(ContractError, match=r"payments\.csv"):
        read_tables(tmp_path)


@pytest.mark.parametrize("name", [*SPANISH_TABLES.values()])
def test_spanish_table_names_are_known(name: str):
    assert table_name(name) in SPANISH_TABLES
