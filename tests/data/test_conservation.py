"""Nothing is lost: every row that comes in is used or lies in quarantine, once, with its reason."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from recobro_score.data.contracts import CONTRACTS, EVENT_TABLES
from recobro_score.data.portfolio import Portfolio
from tests.data.raw_rows import BAD, EMPTY, Row, frames, portfolios

Tables = dict[str, list[Row]]


def _value(row: Row, column: str) -> Any:
    value, verdict = row[column]
    return value.strip() if verdict != EMPTY else None


def _unused(portfolio: Portfolio) -> dict[str, dict[int, dict[str, Any]]]:
    found: dict[str, dict[int, dict[str, Any]]] = {table: {} for table in CONTRACTS}
    for line in portfolio.quarantine.table.to_pylist():
        assert line["row"] not in found[line["table"]], "a row is listed twice"
        found[line["table"]][line["row"]] = line
    return found


@settings(max_examples=30)
@given(portfolios())
def test_read_is_used_plus_quarantined_and_every_bad_row_is_listed_once(tables: Tables):
    portfolio = Portfolio.from_frames(frames(tables))
    unused = _unused(portfolio)
    assert set(portfolio.counts) == set(CONTRACTS)
    for table, count in portfolio.counts.items():
        assert count.read == len(tables[table]) == count.used + count.quarantined
        assert count.quarantined == len(unused[table])
        unique = CONTRACTS[table].unique
        for row, line in unused[table].items():
            assert line["rule"]
            assert unique is None or line["id"] == _value(tables[table][row], unique)
    assert sum(portfolio.quarantine.counts().values()) == len(portfolio.quarantine)


@settings(max_examples=30)
@given(portfolios())
def test_rows_of_the_store_are_the_used_rows(tables: Tables):
    portfolio = Portfolio.from_frames(frames(tables))
    unused, store = _unused(portfolio), portfolio.store
    used = {
        table: [row for number, row in enumerate(found) if number not in unused[table]]
        for table, found in tables.items()
    }
    assert sorted(_value(row, "account_id") for row in used["accounts"]) == store.account_ids.to_pylist()
    debtor_of = {_value(row, "account_id"): _value(row, "debtor_id") for row in used["accounts"]}
    debtors = {_value(row, "debtor_id") for row in used["debtors"]} | set(debtor_of.values())
    assert sorted(debtors) == store.debtor_ids.to_pylist()
    for table in set(EVENT_TABLES) - {"holds"}:
        assert store.tables[table].n_rows == len(used[table])
    held = 0
    for row in used["holds"]:
        account, debtor = _value(row, "account_id"), _value(row, "debtor_id")
        held += len({a for a, d in debtor_of.items() if a == account or d == debtor})
    assert store.tables["holds"].n_rows == held


@settings(max_examples=30)
@given(portfolios())
def test_exactly_the_bad_rows_are_quarantined(tables: Tables):
    """A reader's verdict on each row agrees with the contracts, rows of repeated ids aside."""
    portfolio = Portfolio.from_frames(frames(tables))
    unused, store = _unused(portfolio), portfolio.store
    known = {"account_id": set(store.account_ids.to_pylist()), "debtor_id": set(store.debtor_ids.to_pylist())}
    for table, found in tables.items():
        lines = unused[table]
        repeated = {row for row, line in lines.items() if line["rule"] == "duplicate_id"}
        bad = {number for number, row in enumerate(found) if _is_bad(table, row, known)}
        assert bad == set(lines) - repeated, (table, lines)
        unique = CONTRACTS[table].unique
        used = {_value(row, unique) for n, row in enumerate(found) if n not in lines} if unique else set()
        assert all(_value(found[row], str(unique)) in used for row in repeated)


def _is_bad(table: str, row: Row, known: dict[str, set[str]]) -> bool:
    contract = CONTRACTS[table]
    for column in contract.columns:
        verdict = row[column.name][1]
        if verdict == BAD or (verdict == EMPTY and column.required):
            return True
    return _names_strangers(table, row, known) or _makes_no_sense(table, row)


def _names_strangers(table: str, row: Row, known: dict[str, set[str]]) -> bool:
    if table in ("accounts", "debtors"):
        return False
    owner = CONTRACTS[table].owner
    named = ("account_id", "debtor_id") if owner == "either" else (f"{owner}_id",)
    return not any(_value(row, name) in known[name] for name in named)


def _makes_no_sense(table: str, row: Row) -> bool:
    if table == "payments":
        return (_value(row, "kind") or "payment").lower() == "payment" and float(_value(row, "amount")) < 0
    if table in ("instalments", "promises"):
        return float(_value(row, "amount")) < 0
    ends = {"holds": "until_at", "facts": "until_at", "placements": "recalled_at"}
    if table in ends:
        until, start = _value(row, ends[table]), _value(row, str(CONTRACTS[table].clock))
        return until is not None and _moment(until) < _moment(str(start))
    return False


def _moment(text: str) -> str:
    """The few days that rows are made of, in an order that text keeps: all UTC but one at −05:00."""
    return text.replace("T", " ").replace("10:00:00-05:00", "15:00:00")
