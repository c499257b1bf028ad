"""One id that stands for many people is told of; nothing is dropped because of it."""

from __future__ import annotations

import logging

import pytest

from recobro_score.calendars import parse_instant
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import MANY_ACCOUNTS, Portfolio


def book(*debtors, **tables):
    n = len(debtors)
    accounts = {
        "account_id": [f"A{i:04d}" for i in range(n)],
        "debtor_id": list(debtors),
        "opened_at": ["2024-01-01"] * n,
        "currency": ["EUR"] * n,
        "country": ["ES"] * n,
    }
    payments = {"account_id": ["A0000"], "paid_at": ["2024-05-01"], "amount": [5]}
    frames = {"accounts": accounts, "payments": payments, **tables}
    return Portfolio.from_frames(frames, options=PortfolioOptions(time_zone="Europe/Madrid"))


def test_a_placeholder_is_named_with_the_number_of_its_accounts(caplog):
    with caplog.at_level(logging.WARNING, "recobro_score"):
        portfolio = book(*["N/A"] * (MANY_ACCOUNTS + 3), *["0"] * MANY_ACCOUNTS, "D1", "D1")
    assert portfolio.crowded_debtors == {"N/A": MANY_ACCOUNTS + 3, "0": MANY_ACCOUNTS}
    assert portfolio.n_accounts == 2 * MANY_ACCOUNTS + 5
    assert len(portfolio.quarantine) == 0
    assert "debtor 'N/A' holds 103 accounts" in portfolio.summary()
    assert ["N/A" in message for message in caplog.messages] == [True, False]


def test_people_with_several_accounts_are_not_told_of(caplog):
    portfolio = book(*[f"D{i}" for i in range(MANY_ACCOUNTS)] * 2, *["D0"] * (MANY_ACCOUNTS - 3))
    assert portfolio.crowded_debtors == {}
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, parse_instant("2024-06-02", "Europe/Madrid") + 1),
        ("2024-07-01", parse_instant("2024-07-01", "Europe/Madrid")),
        (17, 17),
    ],
)
def test_a_portfolio_is_observed_until_its_newest_row_unless_told(given, expected):
    balances = {"account_id": ["A0000"], "known_at": ["2024-06-02"], "balance": [7]}
    plans = {"plan_id": ["P"], "account_id": ["A0000"], "offered_at": ["2024-06-09"], "terms": ["{}"]}
    assert book("D", balances=balances, plans=plans).observed_until(given) == expected
