"""Single cells: money to the last unit, numbers with decimal commas, words, names of columns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.data.check import check
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.money import MISSING_MONEY, minor_digits

CURRENCIES = {"CLP": 0, "EUR": 2, "KWD": 3, "CLF": 4}
LARGEST = 2**51


def _portfolio(payments: Any, *, currency: str = "EUR", **options: Any) -> Portfolio:
    accounts = [
        {
            "account_id": "A",
            "debtor_id": "D",
            "opened_at": "2024-01-01",
            "currency": currency,
            "country": "ES",
            "principal": None,
        }
    ]
    return Portfolio.from_frames(
        {"accounts": accounts, "payments": payments}, options=PortfolioOptions(**options)
    )


def _amounts(values: Any, **options: Any) -> list[int]:
    rows = len(values)
    days = [f"2025-01-{day + 1:02d}" for day in range(rows)]
    payments = {"account_id": ["A"] * rows, "paid_at": days, "amount": values, "kind": ["fee"] * rows}
    portfolio = _portfolio(payments, **options)
    assert portfolio.counts["payments"].used == rows
    return portfolio.store.tables["payments"].columns["amount"].tolist()


@pytest.mark.parametrize("currency", CURRENCIES)
@settings(max_examples=20)
@given(minor=st.lists(st.integers(-LARGEST + 1, LARGEST - 1), min_size=1, max_size=28))
def test_money_is_exact_in_every_currency_and_form(currency: str, minor: list[int]):
    digits = CURRENCIES[currency]
    assert minor_digits(currency) == digits
    exact = [Decimal(amount).scaleb(-digits) for amount in minor]
    texts = [str(amount) for amount in exact]
    assert _amounts(texts, currency=currency) == minor
    assert _amounts([float(amount) for amount in exact], currency=currency) == minor
    assert _amounts(pa.array(exact, pa.decimal128(30, digits)), currency=currency) == minor
    spanish = [f"{amount:,}".translate(str.maketrans(",.", ".,")) for amount in exact]
    assert _amounts(spanish, currency=currency, decimal=",") == minor


def test_amounts_beyond_exactness_are_quarantined():
    rows = {"account_id": ["A"] * 2, "paid_at": ["2025-01-01"] * 2, "amount": [LARGEST / 100, -1e300]}
    portfolio = _portfolio(rows | {"kind": ["fee"] * 2})
    assert portfolio.quarantine.counts() == {("payments", "out_of_range:amount"): 2}


def test_a_point_that_separates_no_thousands_is_not_read_as_one():
    values = ["12.5", "1.23", "1.2345", "1234.567", "1.234.56", "1.234,5", "-12.345", "1234,5"]
    rows = {"account_id": ["A"] * 8, "paid_at": ["2025-01-01"] * 8, "amount": values, "kind": ["fee"] * 8}
    portfolio = _portfolio(rows, decimal=",")
    assert portfolio.quarantine.table["row"].to_pylist() == [0, 1, 2, 3, 4]
    assert sorted(portfolio.store.tables["payments"].columns["amount"]) == [-1234500, 123450, 123450]


def test_an_empty_amount_is_missing_and_an_infinite_one_is_bad():
    rows = {"account_id": ["A"] * 3, "paid_at": ["2025-01-01"] * 3, "amount": [None, np.inf, np.nan]}
    counts = _portfolio(rows).quarantine.counts()
    assert counts == {("payments", "missing:amount"): 2, ("payments", "unreadable:amount"): 1}
    no_rows: dict[str, list[Any]] = {"account_id": [], "paid_at": [], "amount": []}
    assert _portfolio(no_rows).store.accounts["principal"].tolist() == [MISSING_MONEY]


def test_only_payments_must_not_be_negative_and_reversals_take_back():
    kinds = ["payment", "reversal", "reversal", "write_off", "fee", "adjustment", None]
    values = [-1.0, -2.0, 2.0, -4.0, 5.0, -6.0, 7.0]
    days = [f"2025-01-0{day + 1}" for day in range(7)]
    portfolio = _portfolio({"account_id": ["A"] * 7, "paid_at": days, "amount": values, "kind": kinds})
    assert portfolio.quarantine.counts() == {("payments", "negative_payment"): 1}
    assert portfolio.store.tables["payments"].columns["recovery"].tolist() == [-200, -200, 0, 0, 0, 700]


def test_the_case_and_the_blanks_of_code_words_mean_nothing():
    contacts = {
        "account_id": ["A ", " A"],
        "attempted_at": ["2025-01-01", "2025-01-02"],
        "channel": ["SMS", "sms"],
        "direction": ["Outbound", "outbound "],
        "outcome": ["RPC", "rpc"],
    }
    accounts = {"account_id": ["A"], "debtor_id": ["D"], "opened_at": ["2024-01-01"], "currency": ["eur"]}
    tables = {"accounts": accounts | {"country": ["es"]}, "payments": [], "contacts": contacts}
    store = Portfolio.from_frames(tables).store
    words = store.tables["contacts"].vocabularies
    assert (words["channel"], words["direction"], words["outcome"]) == (("sms",), ("outbound",), ("rpc",))
    assert (store.words("accounts.currency")[0], store.words("accounts.country")[0]) == ("EUR", "ES")


def test_whether_a_decision_was_drawn_reads_the_same_from_bools_and_texts():
    for drawn in ([True, False], ["True", "FALSE"], ["true", "false"]):
        decisions = {
            "account_id": ["A"] * 2,
            "decided_at": ["2025-01-01", "2025-01-02"],
            "action_id": ["x"] * 2,
        }
        checked = check(CONTRACTS["decisions"], {**decisions, "drawn": drawn})
        assert checked.frame()["drawn"].to_pylist() == ["true", "false"]


def test_a_users_mapping_wins_over_names_known_out_of_the_box():
    frame = {
        "expediente": ["A"],
        "fecha pago": ["2025-01-01"],
        "amount": [1.0],
        "Importe": [2.0],
        "en euros": [3.0],
    }
    checked = check(CONTRACTS["payments"], frame, mapping={"en euros": "amount"})
    assert checked.frame()["amount"].to_pylist() == [3.0]


def test_the_good_rows_of_a_check_come_back_typed():
    frame = {
        "account_id": ["A", "B", None],
        "kind": ["freeze"] * 3,
        "from_at": ["2025-01-01"] * 3,
        "until_at": ["2025-02-01", "9999-12-31", None],
    }
    checked = check(CONTRACTS["holds"], frame)
    good = checked.frame()
    assert good.column_names == list(CONTRACTS["holds"].names)
    assert good["until_at"].null_count == 2
    assert str(good["from_at"].type) == "timestamp[us, tz=UTC]"
    assert checked.failures().counts() == {}
