"""Holds, facts and contacts fail closed: what cannot be read stops contact, it never allows it."""

from __future__ import annotations

from typing import Any

import pytest

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.contracts import SAFETY_TABLES
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio

AS_OF = parse_instant("2025-06-01")
BOOK = {"A1": "D1", "A2": "D1", "A3": "D2", "A4": "D3"}
GOOD: dict[str, dict[str, Any]] = {
    "holds": {"account_id": None, "debtor_id": "D3", "kind": "dispute", "from_at": "2025-01-01"},
    "facts": {"debtor_id": "D3", "kind": "income", "value": "1000", "from_at": "2025-01-01"},
    "contacts": {
        "account_id": "A4",
        "attempted_at": "2025-01-01",
        "channel": "call",
        "direction": "outbound",
        "outcome": "rpc",
    },
    "placements": {"account_id": "A4", "placed_at": "2025-01-01"},
    "complaints": {"debtor_id": "D3", "made_at": "2025-01-01", "kind": "opt_out"},
}
BY_ACCOUNT = ("contacts", "placements")
CLOCKS = {"contacts": "attempted_at", "placements": "placed_at", "complaints": "made_at"}


def _portfolio(options: PortfolioOptions | None = None, **tables: Any) -> Portfolio:
    accounts = [
        {"account_id": a, "debtor_id": d, "opened_at": "2024-01-01", "currency": "EUR", "country": "ES"}
        for a, d in BOOK.items()
    ]
    return Portfolio.from_frames({"accounts": accounts, "payments": [], **tables}, options=options)


def _stopped(portfolio: Portfolio) -> set[str]:
    ids = portfolio.store.account_ids.to_pylist()
    return {account for account, stop in zip(ids, portfolio.store.stopped, strict=True) if stop}


BAD_CELLS = {
    "holds": {"kind": None, "from_at": "soon", "until_at": "2024-12-31"},
    "facts": {"kind": "", "value": None, "from_at": "2025-02-30", "until_at": "2024-01-01"},
    "contacts": {
        "attempted_at": None,
        "channel": " ",
        "direction": "sideways",
        "outcome": None,
        "cost": "inf",
    },
    "placements": {"placed_at": "??", "recalled_at": "2024-12-31"},
    "complaints": {"made_at": "31/04/2025", "kind": None},
}
CASES = [(table, column, value) for table, cells in BAD_CELLS.items() for column, value in cells.items()]


@pytest.mark.parametrize(("table", "column", "value"), CASES)
def test_a_malformed_row_stops_every_account_of_whom_it_names(table: str, column: str, value: Any):
    owner = "account_id" if table in BY_ACCOUNT else "debtor_id"
    bad = {**GOOD[table], owner: "A1" if owner == "account_id" else "D1", column: value}
    portfolio = _portfolio(**{table: [GOOD[table], bad]})
    assert portfolio.counts[table].quarantined == 1
    assert _stopped(portfolio) == {"A1", "A2"}
    assert portfolio.store.blocked == ()


@pytest.mark.parametrize("table", SAFETY_TABLES)
def test_a_row_that_names_nobody_blocks_everybody(table: str):
    names = [name for name in ("account_id", "debtor_id") if name in GOOD[table]]
    portfolio = _portfolio(**{table: [GOOD[table], {**GOOD[table], **dict.fromkeys(names)}]})
    rule = "names_nobody" if table == "holds" else f"missing:{names[0]}"
    assert portfolio.quarantine.counts() == {(table, rule): 1}
    assert portfolio.store.blocked == (f"names_nobody:{table}",)
    assert _stopped(portfolio) == set()


def test_an_id_that_cannot_be_read_names_nobody():
    holds = {"account_id": [1.5], "kind": ["dispute"], "from_at": ["2025-01-01"]}
    assert _portfolio(holds=holds).store.blocked == ("names_nobody:holds",)


@pytest.mark.parametrize("table", SAFETY_TABLES)
def test_a_stranger_stops_nobody_and_is_quarantined(table: str):
    owner = "account_id" if table in BY_ACCOUNT else "debtor_id"
    portfolio = _portfolio(**{table: [{**GOOD[table], owner: "nobody"}]})
    assert portfolio.quarantine.counts() == {(table, f"unknown_{owner.removesuffix('_id')}"): 1}
    assert portfolio.store.blocked == ()
    assert _stopped(portfolio) == set()


def test_a_second_version_of_a_contact_stops_nobody():
    contact = {**GOOD["contacts"], "contact_id": "C"}
    portfolio = _portfolio(contacts=[contact, {**contact, "known_at": "2025-02-01"}])
    assert portfolio.quarantine.counts() == {("contacts", "duplicate_id"): 1}
    assert _stopped(portfolio) == set()


def test_malformed_rows_of_other_tables_stop_nobody():
    payments = [{"account_id": "A1", "paid_at": "soon", "amount": 1.0}]
    portfolio = _portfolio(payments=payments)
    assert portfolio.counts["payments"].quarantined == 1
    assert _stopped(portfolio) == set()


@pytest.mark.parametrize("table", SAFETY_TABLES)
def test_a_declared_table_that_is_missing_blocks_everybody(table: str):
    options = PortfolioOptions(declared=(table,))
    assert _portfolio(options).store.blocked == (f"missing:{table}",)
    assert _portfolio(options, **{table: []}).store.blocked == ()
    assert _portfolio().store.blocked == ()


@pytest.mark.parametrize("table", SAFETY_TABLES)
def test_a_stale_table_blocks_everybody_and_the_future_does_not_freshen_it(table: str):
    options = PortfolioOptions(max_age_days={table: 10})
    clock = CLOCKS.get(table, "from_at")

    def blocked(*days: str) -> tuple[str, ...]:
        rows = [{**GOOD[table], clock: day} for day in days]
        return _portfolio(options, **{table: rows}).at(AS_OF).blocked

    assert blocked("2025-05-22") == ()
    assert blocked("2025-05-21T23:59:59") == (f"stale:{table}",)
    assert blocked() == (f"stale:{table}",)
    assert blocked("2025-01-01", "2025-06-01", "2025-07-01") == (f"stale:{table}",)
    assert _portfolio(options, **{table: [GOOD[table]]}).at(AS_OF - 145 * US_PER_DAY).blocked == ()


def test_a_hold_of_a_debtor_reaches_all_its_accounts_and_one_of_an_account_only_that():
    holds = [
        {**GOOD["holds"], "debtor_id": "D1"},
        {**GOOD["holds"], "debtor_id": None, "account_id": "A3"},
        {**GOOD["holds"], "debtor_id": "D1", "account_id": "A1", "kind": "deceased"},
        {**GOOD["holds"], "debtor_id": "nobody", "account_id": "A4"},
    ]
    portfolio = _portfolio(holds=holds)
    table = portfolio.store.tables["holds"]
    words = table.vocabularies["kind"]
    found = {
        (account, words[code]) for account, code in zip(table.owner(), table.columns["kind"], strict=True)
    }
    assert found == {
        (0, "dispute"),
        (1, "dispute"),
        (0, "deceased"),
        (1, "deceased"),
        (2, "dispute"),
        (3, "dispute"),
    }
    assert table.n_rows == 6
    counts = portfolio.counts["holds"]
    assert (counts.read, counts.used, counts.quarantined) == (4, 4, 0)


def test_a_hold_that_ends_as_it_starts_is_no_malformed_row():
    holds = [{**GOOD["holds"], "until_at": "2025-01-01"}]
    assert _portfolio(holds=holds).counts["holds"].used == 1
