"""Words as people write them mean the canonical ones, so that caps and recoveries cannot be escaped."""

from __future__ import annotations

import pytest

from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.words import WORDS, canonical_channel

ACCOUNTS = [
    {"account_id": "a", "debtor_id": "d", "opened_at": "2024-01-01", "currency": "EUR", "country": "ES"}
]


@pytest.mark.parametrize("word", ["llamada", "Teléfono", "PHONE", "voz", "call"])
def test_a_call_by_any_name_is_a_call(word):
    contact = {
        "account_id": "a",
        "attempted_at": "2024-02-01",
        "channel": word,
        "direction": "Saliente",
        "outcome": "contacto directo",
    }
    tables = {"accounts": ACCOUNTS, "payments": [], "contacts": [contact]}
    contacts = Portfolio.from_frames(tables).store.tables["contacts"]
    assert contacts.vocabularies["channel"] == ("call",)
    assert contacts.vocabularies["direction"] == ("outbound",)
    assert contacts.vocabularies["outcome"] == ("rpc",)
    assert canonical_channel(word) == "call"


def test_a_spanish_reversal_is_no_payment():
    payments = [
        {"account_id": "a", "paid_at": "2024-02-01", "amount": 100.0, "kind": "Pago"},
        {"account_id": "a", "paid_at": "2024-02-02", "amount": 40.0, "kind": "Devolución"},
    ]
    store = Portfolio.from_frames({"accounts": ACCOUNTS, "payments": payments}).store
    assert store.tables["payments"].columns["recovery"].tolist() == [10_000, -4_000]


def test_every_vocabulary_a_contract_names_exists_and_means_allowed_words():
    for contract in CONTRACTS.values():
        for column in contract.columns:
            if column.vocabulary is not None:
                meant = set(WORDS[column.vocabulary].values())
                assert not column.allowed or meant <= set(column.allowed)
