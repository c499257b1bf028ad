"""Stores laid open for comparison: as raw bytes, and as plain words that no code or order can colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa

from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.events import EventStore, EventTable
from recobro_score.data.portfolio import Portfolio

Words = dict[str, Any]


def raw(thing: Any) -> Any:
    """Everything in a store (or a part of it) as bytes, lists and plain values."""
    if isinstance(thing, EventStore | EventTable):
        return {field.name: raw(getattr(thing, field.name)) for field in fields(thing)}
    if isinstance(thing, np.ndarray):
        return str(thing.dtype), thing.shape, thing.tobytes()
    if isinstance(thing, pa.Array | pa.ChunkedArray):
        return str(thing.type), thing.to_pylist()
    if isinstance(thing, Mapping):
        return {name: raw(value) for name, value in thing.items()}
    return thing


def quarantined(portfolio: Portfolio) -> Counter[tuple[Any, ...]]:
    """What lies in quarantine, without the row numbers."""
    rows = portfolio.quarantine.table.drop_columns("row").to_pylist()
    return Counter(tuple(row.values()) for row in rows)


def account_words(store: EventStore) -> dict[str, Words]:
    """The static facts of every account and its debtor, by account id."""
    debtors = store.debtor_ids.to_pylist()
    found = {}
    for code, account in enumerate(store.account_ids.to_pylist()):
        debtor = int(store.account_debtor[code])
        words = _cells("accounts.", store.accounts, store.vocabularies, code)
        words |= _cells("debtors.", store.debtors, store.vocabularies, debtor)
        words["debtor_id"] = debtors[debtor]
        words["digits"] = int(store.digits[code])
        words["zone"] = store.zones[store.zone[code]]
        words["stopped"] = bool(store.stopped[code])
        found[account] = words
    return found


def table_words(store: EventStore, name: str) -> dict[str, list[Words]]:
    """The rows of every owner of a table, in order, by owner id."""
    table = store.tables[name]
    owners = store.debtor_ids if CONTRACTS[name].owner == "debtor" else store.account_ids
    vocabularies = {f"{name}.{column}": words for column, words in table.vocabularies.items()}
    found = {}
    for code, owner in enumerate(owners.to_pylist()):
        rows = []
        for row in range(table.offsets[code], table.offsets[code + 1]):
            words = {"at": int(table.at[row]), "known_at": int(table.known_at[row])}
            words |= _cells(f"{name}.", table.columns, vocabularies, row)
            words |= {column: ids[row].as_py() for column, ids in table.ids.items()}
            rows.append(words)
        found[owner] = rows
    return found


def store_words(store: EventStore) -> Words:
    """Accounts and every table in words."""
    return {"accounts": account_words(store)} | {name: table_words(store, name) for name in store.tables}


def _cells(prefix: str, columns: Any, vocabularies: Any, row: int) -> Words:
    cells: Words = {}
    for column, values in columns.items():
        value = values[row].item()
        words = vocabularies.get(prefix + column)
        if words is not None:
            value = words[value] if value >= 0 else None
        cells[prefix + column] = None if value != value else value
    return cells
