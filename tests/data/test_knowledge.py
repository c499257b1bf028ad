"""What becomes known later leaves what was known before alone; duplicates are told from repeats."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant
from recobro_score.data.contracts import CONTRACTS, EVENT_TABLES
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from tests.data.readings import Words, account_words, table_words
from tests.data.typed_tables import Tables, good_tables

CUT = parse_instant("2024-08-01")
LATER = pa.scalar(CUT, pa.timestamp("us", "UTC"))


def _known_before(store: Any) -> dict[str, dict[str, list[Words]]]:
    """Every event row that was known before the cut, by owner."""
    return {
        name: {
            owner: [row for row in rows if row["known_at"] < CUT]
            for owner, rows in table_words(store, name).items()
        }
        for name in EVENT_TABLES
    }


def _known(table: pa.Table, after: bool) -> pa.Table:
    """The rows with a known clock moved before, or after, the cut."""
    days = pa.array([(-1) ** (not after) * (1 + row) * US_PER_DAY // 7 for row in range(len(table))])
    known = pa.compute.add(days.cast(pa.duration("us")), LATER if after else _just_before())
    return table.set_column(table.column_names.index("known_at"), "known_at", known)


def _just_before() -> pa.Scalar:
    return pa.scalar(CUT - 1, pa.timestamp("us", "UTC"))


@settings(max_examples=25)
@given(st.integers(0, 50), st.integers(51, 100), st.sets(st.sampled_from(EVENT_TABLES)))
def test_rows_known_later_change_no_row_known_before(seed: int, other: int, tables: set[str]):
    """New rows, new versions of known ids and new accounts, all known later, change nothing earlier."""
    before: Tables = {name: _known(table, after=False) for name, table in good_tables(seed).items()}
    later = {name: _known(table, after=True) for name, table in good_tables(other).items()}
    both = dict(before)
    for name in {*tables, "accounts", "debtors"}:
        both[name] = pa.concat_tables([later[name], before[name]])
    old, new = Portfolio.from_frames(before), Portfolio.from_frames(both)
    assert len(old.quarantine) == 0
    assert {rule for _, rule in new.quarantine.counts()} <= {"duplicate_id"}
    assert account_words(old.store) == account_words(new.store)
    assert _known_before(old.store) == _known_before(new.store)


def _payments(**columns: Any) -> dict[str, Any]:
    rows = len(next(iter(columns.values())))
    return {
        "account_id": ["A"] * rows,
        "paid_at": ["2025-01-01"] * rows,
        "amount": [50.0] * rows,
        **columns,
    }


def _portfolio(tables: dict[str, Any], **options: Any) -> Portfolio:
    accounts = {
        "account_id": ["A", "B"],
        "debtor_id": ["D", "D"],
        "opened_at": ["2024-01-01"] * 2,
        "currency": ["EUR"] * 2,
        "country": ["ES"] * 2,
    }
    return Portfolio.from_frames(
        {"accounts": accounts, "payments": [], **tables}, options=PortfolioOptions(**options)
    )


def test_equal_rows_without_an_id_are_both_used_and_counted():
    portfolio = _portfolio({"payments": _payments(amount=[50.0, 50.0, 50.0, 60.0])})
    counts = portfolio.counts["payments"]
    assert (counts.used, counts.quarantined, counts.possible_duplicates) == (4, 0, 2)
    assert portfolio.store.tables["payments"].columns["recovery"].sum() == 210_00


def test_a_repeated_hold_of_a_debtor_is_one_possible_duplicate_however_many_accounts():
    holds = {"debtor_id": ["D", "D"], "kind": ["deceased"] * 2, "from_at": ["2025-01-01"] * 2}
    counts = _portfolio({"holds": holds}).counts["holds"]
    assert (counts.used, counts.possible_duplicates) == (2, 1)


def test_of_rows_with_the_same_id_the_one_known_first_stands():
    known = ["2025-01-05", "2025-01-03", "2025-01-04"]
    payments = _payments(payment_id=["P", "P", "P"], amount=[1.0, 2.0, 3.0], known_at=known)
    portfolio = _portfolio({"payments": payments})
    assert portfolio.store.tables["payments"].columns["amount"].tolist() == [200]
    assert portfolio.quarantine.counts() == {("payments", "duplicate_id"): 2}
    assert portfolio.quarantine.table["row"].to_pylist() == [0, 2]
    assert portfolio.quarantine.table["id"].to_pylist() == ["P", "P"]


def test_a_bad_row_does_not_push_out_a_good_one_of_the_same_id():
    known = ["2025-01-03", "2025-01-05"]
    payments = _payments(payment_id=["P", "P"], amount=[-1.0, 2.0], known_at=known)
    portfolio = _portfolio({"payments": payments})
    assert portfolio.store.tables["payments"].columns["amount"].tolist() == [200]


def test_a_row_without_a_known_clock_was_known_its_declared_lag_later():
    payments = _payments(known_at=["2025-01-02", None])
    portfolio = _portfolio({"payments": payments}, lag_days={"payments": 2.5, "accounts": 1})
    table = portfolio.store.tables["payments"]
    day = parse_instant("2025-01-01")
    assert (table.known_at - day).tolist() == [US_PER_DAY, 2 * US_PER_DAY + US_PER_DAY // 2]
    assert portfolio.store.accounts["known_at"].tolist() == [parse_instant("2024-01-02")] * 2


def test_a_schedule_is_known_from_its_account_or_from_its_accepted_plan():
    plans = {
        "plan_id": ["now", "late", "never"],
        "account_id": ["A"] * 3,
        "offered_at": ["2025-01-01"] * 3,
        "terms": ["{}"] * 3,
        "accepted_at": ["2025-02-01", "2025-02-01", None],
        "known_at": [None, "2025-03-01", None],
    }
    instalments = {
        "account_id": ["A"] * 6,
        "due_at": [f"2025-06-0{day}" for day in range(1, 7)],
        "amount": [1.0] * 6,
        "plan_id": [None, "now", "late", "never", "unheard of", "now"],
        "known_at": [None] * 5 + ["2025-05-01"],
    }
    portfolio = _portfolio({"plans": plans, "instalments": instalments})
    days = ["2024-01-01", "2025-02-01", "2025-03-01", None, None, "2025-05-01"]
    known = [NEVER if day is None else parse_instant(day) for day in days]
    assert portfolio.store.tables["instalments"].known_at.tolist() == known
    assert portfolio.newest["instalments"] == parse_instant("2025-05-01")
    lagged = _portfolio({"plans": plans, "instalments": instalments}, lag_days={"instalments": 1})
    waits = [US_PER_DAY, US_PER_DAY, US_PER_DAY, 0, 0, 0]
    assert (lagged.store.tables["instalments"].known_at - known).tolist() == waits


@given(st.permutations(range(4)))
@settings(max_examples=10)
def test_which_version_of_a_plan_counts_does_not_hang_on_the_order_of_rows(order: list[int]):
    plans = {
        "plan_id": ["P", "P", "Q", "Q"],
        "account_id": ["A"] * 4,
        "offered_at": ["2025-01-01"] * 4,
        "terms": ["{}", "{}", "{}", None],
        "accepted_at": ["2025-02-01", "2025-03-01", "2025-04-01", "2025-01-02"],
        "known_at": ["2025-01-01", "2025-01-02", "2025-01-03", "2025-01-01"],
    }
    plans = {name: [values[row] for row in order] for name, values in plans.items()}
    instalments = {
        "account_id": ["A"] * 2,
        "due_at": ["2025-06-01", "2025-07-01"],
        "amount": [1.0] * 2,
        "plan_id": ["P", "Q"],
    }
    table = _portfolio({"plans": plans, "instalments": instalments}).store.tables["instalments"]
    assert table.known_at.tolist() == [parse_instant("2025-02-01"), parse_instant("2025-04-01")]


def test_static_tables_keep_the_version_known_first():
    debtors = {"debtor_id": ["D", "D"], "language": ["en", "es"], "known_at": ["2025-01-02", "2025-01-01"]}
    portfolio = _portfolio({"debtors": debtors})
    assert portfolio.store.words("debtors.language").tolist() == ["es", "es"]
    assert portfolio.quarantine.counts() == {("debtors", "duplicate_id"): 1}
    assert CONTRACTS["debtors"].unique == "debtor_id"
