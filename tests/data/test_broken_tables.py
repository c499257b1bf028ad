"""A broken table raises, and one error names everything that is wrong with all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recobro_score.data.check import check
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ConfigError, ContractError, RecobroError

ACCOUNTS = {
    "account_id": ["A"],
    "debtor_id": ["D"],
    "opened_at": ["2024-01-01"],
    "currency": ["EUR"],
    "country": ["ES"],
}


def _error(frames: dict[str, Any], **options: Any) -> str:
    with pytest.raises(ContractError) as error:
        Portfolio.from_frames(frames, options=PortfolioOptions(**options))
    assert isinstance(error.value, RecobroError)
    assert isinstance(error.value, ValueError)
    return str(error.value)


def test_one_error_lists_everything_wrong_with_every_table():
    text = _error(
        {
            "accounts": {**ACCOUNTS, "opened_at": [20240101], "principal": [[1.0]]},
            "paymets": {"account_id": ["A"]},
            "holds": {"account_id": [b"A"], "knd": ["x"], "from_at": [True]},
            "balances": {"account_id": ["A"], "known_at": ["2025-01-01"], "saldo": [1], "balance": [1]},
            "contactos": {"account_id": ["A"]},
            "contacts": {"account_id": ["A"]},
            "promises": 7,
            "plans": {"plan_id": ["1", "2"], "account_id": ["A"]},
        },
        declared=("instalments", "debtors"),
        columns={"balances": {"dias": "dpd", "balance": "blance"}},
    )
    for line in (
        "paymets: no such table. Did you mean 'payments'?",
        "payments: the table is missing",
        "instalments: the table is missing",
        "debtors: the table is missing",
        "contacts: the table 'contacts' is given twice",
        "accounts.opened_at: a date or time is expected, not int64",
        "accounts.principal: a number is expected, not list<",
        "holds.account_id: an id is text or a whole number, not binary",
        "holds.kind: the column is missing. Did you mean 'knd'?",
        "holds.from_at: a date or time is expected, not bool",
        "balances.dpd: the mapping names the column 'dias', which is not there",
        "the mapping of 'balance' names 'blance', which is no column of it. Did you mean 'balance'?",
        "promises: cannot be read as a table",
        "plans: cannot be read as a table",
    ):
        assert line in text, line


def test_two_columns_that_mean_the_same_are_ambiguous():
    payments = {"account_id": ["A"], "paid_at": ["2025-01-01"], "amount": [1], "Importe": [2], "monto": [3]}
    text = _error({"accounts": ACCOUNTS, "payments": payments})
    assert "payments.amount: several columns mean it, for example amount, Importe, monto" in text


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_a_column_name_that_comes_twice_is_an_error_of_ours(library: str):
    names, values = ["account_id", "paid_at", "amount", "amount"], ["A", "2025-01-01", 1.0, 2.0]
    frame: Any = pd.DataFrame([values], columns=names)
    if library == "pyarrow":
        frame = pa.Table.from_arrays([pa.array([value]) for value in values], names=names)
    assert "payments" in _error({"accounts": ACCOUNTS, "payments": frame})


def test_integers_are_no_times_since_nobody_knows_their_unit():
    for moments in ([1735689600], np.array([1735689600000000]), [1.7e9]):
        payments = {"account_id": ["A"], "paid_at": moments, "amount": [1.0]}
        assert "payments.paid_at: a date or time is expected" in _error(
            {"accounts": ACCOUNTS, "payments": payments}
        )


def test_both_required_tables_must_be_there_but_may_be_empty():
    text = _error({})
    assert "accounts: the table is missing" in text
    assert "payments: the table is missing" in text
    portfolio = Portfolio.from_frames({"accounts": [], "payments": []})
    assert portfolio.n_accounts == 0
    assert portfolio.quarantined_share() == 0.0
    assert [count.read for count in portfolio.counts.values()] == [0, 0]


def test_an_unknown_table_in_the_options_is_a_configuration_error():
    tables = {"accounts": ACCOUNTS, "payments": []}
    with pytest.raises(ConfigError, match="Did you mean 'payments'"):
        Portfolio.from_frames(tables, options=PortfolioOptions(lag_days={"payment": 1}))
    with pytest.raises(ConfigError, match="debtors"):
        Portfolio.from_frames(tables, options=PortfolioOptions(max_age_days={"debtors": 1}))
    with pytest.raises(ConfigError, match="time zone"):
        Portfolio.from_frames(tables, options=PortfolioOptions(time_zone="Colombia/Bogota"))


def test_a_check_never_raises_on_bad_rows_and_reports_them_all():
    frame = {"account_id": ["A", None], "paid_at": ["soon", "2025-01-01"], "amount": ["x", "1"]}
    failures = check(CONTRACTS["payments"], frame).failures()
    assert failures.counts() == {"missing:account_id": 1, "unreadable:paid_at": 1}
    with pytest.raises(ContractError, match=r"the table 'payments' is broken"):
        check(CONTRACTS["payments"], {"account_id": ["A"]})


def test_a_summary_tells_what_was_read_and_what_blocks_contact():
    payments = {"account_id": ["A", "A", "B"], "paid_at": ["2025-01-01"] * 3, "amount": [1.0] * 3}
    options = PortfolioOptions(declared=("holds",))
    text = Portfolio.from_frames({"accounts": ACCOUNTS, "payments": payments}, options=options).summary()
    assert "1 accounts of 1 debtors" in text
    assert "3 read            2 used        1 quarantined  (1 possible duplicates, used)" in text
    assert "contact blocked: missing:holds" in text
