"""A small portfolio of good rows as typed Arrow tables, with nulls, accents, ties and repeated contents."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from recobro_score.calendars import US_PER_DAY, US_PER_HOUR, parse_instant
from recobro_score.data.contracts import CONTRACTS, Column

Tables = dict[str, pa.Table]

START = parse_instant("2024-01-01")
N_ACCOUNTS = 12
COUNTRIES = {"ES": "EUR", "CO": "COP", "CL": "CLP"}
WORDS = {
    "kind": ("payment", "reversal", "write_off", "fee"),
    "direction": ("outbound", "inbound"),
    "drawn": ("true", "false"),
    "time_zone": ("America/Bogota", "America/Santiago", "Europe/Madrid"),
    "country": tuple(COUNTRIES),
    "language": ("es", "en"),
}


def good_tables(seed: int = 0, rows: int = 40) -> Tables:
    """Every table; all rows are good, ids are unique where they must be."""
    draw = np.random.default_rng(seed)
    accounts = np.array([f"A{number:02d}" for number in range(N_ACCOUNTS)])
    debtors = np.array([f"D{number:02d}" for number in range(N_ACCOUNTS * 2 // 3)])
    tables: Tables = {}
    for name, contract in CONTRACTS.items():
        size = {"accounts": len(accounts), "debtors": len(debtors)}.get(name, rows)
        columns = {}
        for column in contract.columns:
            columns[column.name] = _column(column, size, draw)
        columns["account_id"] = pa.array(accounts if name == "accounts" else draw.choice(accounts, size))
        columns["debtor_id"] = pa.array(debtors if name == "debtors" else draw.choice(debtors, size))
        if contract.unique and name not in ("accounts", "debtors"):
            ids = pa.array([f"{name}-{number}" for number in range(size)])
            given = pa.array(draw.random(size) < 0.7)
            required = contract.column(contract.unique).required
            columns[contract.unique] = ids if required else pa.compute.if_else(given, ids, None)
        tables[name] = pa.table({column: columns[column] for column in contract.names})
    tables["accounts"] = _with_currencies(tables["accounts"])
    return tables


def _with_currencies(accounts: pa.Table) -> pa.Table:
    currencies = [COUNTRIES[country] for country in accounts["country"].to_pylist()]
    return accounts.set_column(accounts.column_names.index("currency"), "currency", pa.array(currencies))


def _column(column: Column, size: int, draw: np.random.Generator) -> pa.Array:
    if column.kind == "time":
        hours = draw.integers(0, 300 * 24, size) // 12 * 12
        array = _times(hours)
    elif column.kind == "later":
        array = _times(draw.integers(300 * 24, 600 * 24, size))
    elif column.kind == "money":
        array = pa.array(draw.integers(0, 100_000, size) * 1.0)
    elif column.kind == "number":
        array = pa.array(draw.integers(0, 200, size) / 4)
    else:
        array = pa.array(draw.choice(np.array(WORDS.get(column.name, ("uno", "dos años", "tres"))), size))
    empty = pa.array((draw.random(size) < 0.3) & (not column.required))
    return pa.compute.if_else(empty, pa.scalar(None, array.type), array)


def _times(hours: np.ndarray) -> pa.Array:
    return pa.array(START + US_PER_DAY + hours * US_PER_HOUR).cast(pa.timestamp("us", "UTC"))
