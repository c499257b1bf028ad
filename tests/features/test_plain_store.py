"""A store straight from records is the store that the portfolio would build, or is not made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.features.cells import Doubtful
from recobro_score.features.plain_store import PlainStores
from tests.features.random_records import FORMS, TABLES

ACCOUNT = {
    "account_id": "A",
    "debtor_id": "D",
    "opened_at": "2024-01-01",
    "currency": "EUR",
    "country": "ES",
}


def differences(one, other, path="store"):
    """Where two stores differ, in any type, byte or order of columns."""
    both_mappings = isinstance(one, Mapping) and isinstance(other, Mapping)
    if type(one) is not type(other) and not both_mappings:
        return [path]
    if is_dataclass(one):
        parts = [(field.name, getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    elif isinstance(one, Mapping):
        if list(one) != list(other):
            return [path]
        parts = [(name, one[name], other[name]) for name in one]
    elif isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        return [] if same else [path]
    elif isinstance(one, pa.Array):
        return [] if one.type == other.type and one.equals(other) else [path]
    else:
        return [] if one == other else [path]
    return [found for name, a, b in parts for found in differences(a, b, f"{path}.{name}")]


@settings(max_examples=150)
@given(
    tables=TABLES,
    form=st.sampled_from(sorted(FORMS)),
    zone=st.sampled_from(("UTC", "Europe/Madrid", "America/Santiago")),
    lag=st.sampled_from((0.0, 1.5)),
)
def test_any_records_give_the_store_of_the_portfolio_or_none(tables, form, zone, lag):
    options = PortfolioOptions(time_zone=zone, lag_days={"payments": lag, "plans": lag})
    tables = FORMS[form](tables)
    portfolio = Portfolio.from_frames(tables, options=options)
    try:
        store = PlainStores(options).of(tables)
    except Doubtful:
        return
    assert len(portfolio.quarantine) == 0
    assert differences(store, portfolio.store) == []


@pytest.mark.parametrize("form", sorted(FORMS))
def test_plain_records_are_never_doubtful(form, small_simulation):
    """Of simulated accounts that are their debtors' only ones."""
    zone = small_simulation.scenario.span.time_zone
    options = PortfolioOptions(time_zone=zone)
    stores = PlainStores(options)
    tables = {name: table.to_pylist() for name, table in small_simulation.tables.items()}
    for account in tables["accounts"][:400:80]:
        ids = {account["account_id"], account["debtor_id"]}
        mine = {
            name: [row for row in rows if (row.get("account_id") or row.get("debtor_id")) in ids]
            for name, rows in tables.items()
        }
        told = FORMS[form](mine)
        assert differences(stores.of(told), Portfolio.from_frames(told, options=options).store) == []


def test_a_plan_named_by_a_number_is_the_plan_named_by_its_digits():
    plan = {
        "plan_id": 7,
        "account_id": "A",
        "offered_at": "2024-02-01",
        "terms": "{}",
        "accepted_at": "2024-03-01",
    }
    due = {"account_id": "A", "due_at": "2024-05-01", "amount": 5.0, "plan_id": "7"}
    tables = {"accounts": [ACCOUNT], "payments": [], "plans": [plan], "instalments": [due]}
    store = PlainStores(PortfolioOptions()).of(tables)
    assert differences(store, Portfolio.from_frames(tables).store) == []
    assert store.tables["instalments"].known_at[0] == store.tables["plans"].columns["accepted_at"][0]


def test_contact_points_that_an_attempt_disproved_are_told():
    point = {"contact_point_id": "K", "debtor_id": "D", "channel": "call"}
    attempt = {
        "account_id": "A",
        "attempted_at": "2024-05-01T10:00:00Z",
        "channel": "call",
        "direction": "outbound",
        "outcome": "wrong_number",
        "contact_point_id": "K",
    }
    tables = {"accounts": [ACCOUNT], "payments": [], "contact_points": [point], "contacts": [attempt]}
    assert differences(PlainStores(PortfolioOptions()).of(tables), Portfolio.from_frames(tables).store) == []


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"accounts": []},
        {"payments": [{"account_id": "A", "paid_at": "2024-02-01", "amount": 1.0}]},
        {"accounts": [ACCOUNT, {**ACCOUNT, "account_id": "B"}]},
        {"accounts": [ACCOUNT], "debtors": [{"debtor_id": "E"}]},
        {"accounts": [ACCOUNT], "debtors": [{"debtor_id": "D", "time_zone": "Mars/Olympus"}]},
        {"accounts": [{**ACCOUNT, "country": "Spain"}]},
        {"accounts": [{**ACCOUNT, "currency": None}]},
        {"accounts": [{**ACCOUNT, "subdivison": "ES-MD"}]},
        {"accounts": [{**ACCOUNT, "account_id": " A"}]},
        {"accounts": [ACCOUNT], "payments": [{"account_id": "A", "paid_at": "soon", "amount": 1.0}]},
        {"accounts": [ACCOUNT], "payments": [{"account_id": "A", "paid_at": "2024-02-01", "amount": -1.0}]},
        {"accounts": [ACCOUNT], "payments": [{"account_id": "A", "paid_at": "2024-02-01", "amount": "1"}]},
        {"accounts": [ACCOUNT], "payments": [["A", "2024-02-01", 1.0]]},
        {"accounts": [ACCOUNT], "payments": [{"account_id": ["A"], "paid_at": "2024-02-01", "amount": 1.0}]},
        {
            "accounts": [ACCOUNT],
            "holds": [{"account_id": None, "debtor_id": None, "kind": "x", "from_at": "2024-02-01"}],
        },
        {"accounts": [ACCOUNT], "pagos": [], "payments": []},
        {"accounts": [{**ACCOUNT, 7: "x"}]},
        {
            "accounts": [ACCOUNT],
            "balances": [{"account_id": "A", "known_at": "2024-02-01", "balance": 1.0}, {}],
        },
        {
            "accounts": [ACCOUNT],
            "balances": [
                {"account_id": "A", "known_at": "2024-02-01", "balance": 1.0, "dpd": 1.0},
                {"account_id": "A", "known_at": "2024-02-01", "balance": 1.0, "fees": 1.0},
            ],
        },
        {"accounts": [ACCOUNT], "nonsense": []},
    ],
)
def test_what_only_the_contracts_can_judge_is_left_to_them(tables):
    with pytest.raises(Doubtful):
        PlainStores(PortfolioOptions()).of(tables)
