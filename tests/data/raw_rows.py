"""Tables as they come: good rows mixed with everything that goes wrong, and a verdict on each cell.

A cell is a pair (value, verdict); the verdict is what a careful reader of the contracts would say of it,
without looking at the code.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from recobro_score.data.contracts import CONTRACTS, Column, Contract

GOOD, EMPTY, BAD = "good", "empty", "bad"
Cell = tuple[Any, str]
Row = dict[str, Cell]

ACCOUNTS = ("A1", "A2", "A3", "A4", "A5")
DEBTORS = ("D1", "D2", "D3")


_NOTHING = (None, "", "  ")
_DAYS = (
    "2025-01-31",
    "2025-02-01",
    "2025-03-30 02:30",
    "2025-06-01T10:00:00-05:00",
    "2025-06-01T15:00:00.25Z",
)
_NO_DAYS = ("2025-02-30", "soon", "now", "today", "NaT", "1", "0001-01-01", "1899-12-31")
_FAR = ("9999-12-31", "9999-12-31T23:59:59", "2200-01-02")
_AMOUNTS = ("0", "0.1", " 12.30 ", "1e3", "999999.99", "-5")
_NO_AMOUNTS = ("inf", "-inf", "nan", "twelve", "1,5", "0x10", "1e400", "1_000")


def cells(column: Column) -> list[Cell]:
    """Cells of a column, most of them good; the first is the simplest."""
    good, bad = _values(column)
    other = [(value, BAD) for value in bad] + [(value, EMPTY) for value in _NOTHING]
    return [(value, GOOD) for value in good] * (12 * len(other) // len(good)) + other


def _values(column: Column) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if column.kind == "id":
        pools = {"account_id": (*ACCOUNTS, "A-unknown"), "debtor_id": (*DEBTORS, "D-unknown")}
        return pools.get(column.name, ("P1", "P2", "P3", " P3")), ()
    if column.kind == "time":
        return _DAYS, (*_NO_DAYS, *_FAR)
    if column.kind == "later":
        return (*_DAYS, *_FAR), _NO_DAYS
    if column.kind == "money":
        return _AMOUNTS, (*_NO_AMOUNTS, "1e300")
    if column.kind == "number":
        return (*_AMOUNTS, "1e300"), _NO_AMOUNTS
    return _words(column)


def _words(column: Column) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if column.allowed:
        return (*column.allowed, column.allowed[0].upper()), ("other",)
    special = {
        "currency": (("EUR", "COP", "clp", "KWD"), ("EURO", "€")),
        "country": (("CO", "es", "CL"), ("Colombia",)),
        "time_zone": (("America/Bogota", "Europe/Madrid"), ("Mars/Olympus", "America")),
    }
    return special.get(column.name, (("one", "two", "año"), ()))


_CELLS = {(name, c.name): cells(c) for name, contract in CONTRACTS.items() for c in contract.columns}


@st.composite
def rows(draw: st.DrawFn, contract: Contract, *, most: int = 8) -> list[Row]:
    """Rows of one table."""
    choices = [_CELLS[contract.table, column.name] for column in contract.columns]
    found = []
    for _ in range(draw(st.integers(0, most))):
        picks = draw(st.binary(min_size=len(choices), max_size=len(choices)))
        row = [among[pick % len(among)] for among, pick in zip(choices, picks, strict=True)]
        found.append(dict(zip(contract.names, row, strict=True)))
    return found


@st.composite
def portfolios(draw: st.DrawFn) -> dict[str, list[Row]]:
    """Rows of every table, with enough good accounts for the others to name."""
    drawn = {name: draw(rows(contract)) for name, contract in CONTRACTS.items()}
    plain = {"opened_at": "2024-05-01", "currency": "EUR", "country": "ES"}
    for account in draw(st.sets(st.sampled_from(ACCOUNTS), min_size=1)):
        row = dict.fromkeys(CONTRACTS["accounts"].names) | plain
        row |= {"account_id": account, "debtor_id": draw(st.sampled_from(DEBTORS))}
        drawn["accounts"].append({name: (v, EMPTY if v is None else GOOD) for name, v in row.items()})
    return drawn


def frames(tables: dict[str, list[Row]]) -> dict[str, dict[str, list[Any]]]:
    """The tables without the verdicts, as columns."""
    return {
        name: {column: [row[column][0] for row in found] for column in CONTRACTS[name].names}
        for name, found in tables.items()
    }
