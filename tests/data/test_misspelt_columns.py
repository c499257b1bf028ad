"""A slip in the name of an optional column is an error, not a column lost in silence."""

from __future__ import annotations

import pytest

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ContractError

ACCOUNTS = {
    "account_id": ["a"],
    "debtor_id": ["d"],
    "opened_at": ["2024-01-01"],
    "currency": ["EUR"],
    "country": ["ES"],
}
PAYMENTS = {"account_id": ["a"], "paid_at": ["2024-02-01"], "amount": [5.0]}


def build(placements, **options) -> Portfolio:
    tables = {"accounts": ACCOUNTS, "payments": PAYMENTS, "placements": placements}
    return Portfolio.from_frames(tables, options=PortfolioOptions(**options))


@pytest.mark.parametrize("slip", ["recall_at", "recaled_at", "Recalled-at_", "recalledat"])
def test_a_slip_is_an_error_that_names_the_column_meant(slip):
    with pytest.raises(ContractError, match=r"placements: the column .* is not known, and 'recalled_at'"):
        build({"account_id": ["a"], "placed_at": ["2024-01-01"], slip: ["2024-03-01"]})


def test_a_column_mapped_to_an_empty_name_is_left_out():
    table = {"account_id": ["a"], "placed_at": ["2024-01-01"], "recall_at": ["2024-03-01"]}
    portfolio = build(table, columns={"placements": {"recall_at": ""}})
    assert portfolio.counts["placements"].used == 1


def test_other_columns_are_the_users_own_business():
    table = {"account_id": ["a"], "placed_at": ["2024-01-01"], "comentario": ["x"], "office": ["y"]}
    assert build(table).counts["placements"].used == 1


def test_a_table_whose_optional_columns_are_all_there_may_hold_similar_ones():
    table = {
        "account_id": ["a"],
        "placed_at": ["2024-01-01"],
        "recalled_at": [None],
        "recalled_at2": ["2024-03-01"],
    }
    assert build(table).counts["placements"].used == 1
