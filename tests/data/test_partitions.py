"""A portfolio split into buckets is the same portfolio, however broken its rows are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recobro_score.data import partitions
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.partitions import Partitions, partition
from recobro_score.data.quarantine import Quarantine, merge_counts
from recobro_score.data.sources import read_portfolio
from recobro_score.errors import ContractError

OPTIONS = PortfolioOptions(time_zone="Europe/Madrid")


def _tables(rng):
    accounts = pd.DataFrame(
        {
            "account_id": [f"A{i}" for i in range(60)] + ["A3", "A5", " A7 ", None, "A61"],
            "debtor_id": [f"D{i // 2}" for i in range(60)] + ["D20", "D2", "D25", "D1", None],
            "opened_at": "2024-01-01",
            "currency": ["EUR"] * 63 + ["USD", "USD"],
            "country": "ES",
        }
    )
    names = [*(f"A{i}" for i in range(60)), "nobody", "stranger", None, " A4"]
    days = pd.date_range("2024-02-01", periods=120).strftime("%Y-%m-%d").to_numpy()
    payments = pd.DataFrame(
        {
            "expediente": rng.choice(np.array(names, dtype=object), 600),
            "paid_at": rng.choice(days, 600),
            "amount": rng.integers(-2, 90, 600).astype(float),
            "kind": rng.choice(
                np.array(["payment", "Payment", "reversal", "bribe", None], dtype=object), 600
            ),
            "payment_id": [f"P{number % 590}" for number in range(600)],
            "plan_id": rng.choice(np.array(["L1", "L2", None], dtype=object), 600),
        }
    )
    plans = pd.DataFrame(
        {"plan_id": ["L1", "L2", "L2"], "account_id": ["A1", "A30", "A2"], "offered_at": "2024-02-01",
         "terms": "{}", "accepted_at": "2024-02-03"}
    )  # fmt: skip
    instalments = pd.DataFrame(
        {"account_id": rng.choice(names[:60], 80), "due_at": "2024-05-01", "amount": 10.0,
         "plan_id": ["L1", "L2", "L9", "L1", *[None] * 76]}
    )  # fmt: skip
    holds = pd.DataFrame(
        {"account_id": ["A1", None, "A2", "X", None], "debtor_id": ["D0", "D9", "D17", "D5", None],
         "kind": "legal", "from_at": "2024-03-01", "until_at": [None, "2024-02-01", None, None, None]}
    )  # fmt: skip
    facts = pd.DataFrame(
        {"debtor_id": ["D1", "D400", None], "kind": "income", "value": "10", "from_at": "2024-03-01"}
    )
    tables = {"accounts": accounts, "payments": payments, "plans": plans, "instalments": instalments}
    return tables | {"holds": holds, "facts": facts, "complaints": facts.iloc[:0].rename(
        columns={"from_at": "made_at"})}  # fmt: skip


def write_folder(folder: Path, seed: int) -> Path:
    """Write the tables in every form that a folder may have: files, folders of files, CSV."""
    for name, frame in _tables(np.random.default_rng(seed)).items():
        if name == "payments":
            (folder / name).mkdir()
            frame.iloc[:250].to_parquet(folder / name / "a.parquet", index=False)
            frame.iloc[250:].to_parquet(folder / name / "b.parquet", index=False, row_group_size=40)
        elif name == "holds":
            frame.to_csv(folder / "holds.csv", index=False)
        else:
            frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


@pytest.fixture(scope="module", params=[1, 2])
def folder(tmp_path_factory, request):
    return write_folder(tmp_path_factory.mktemp("portfolio"), request.param)


def _account(store, account_id):
    """Everything of one account, categories as words."""
    one = store.take(np.array([store.code_of(account_id)]))
    told = {"stopped": one.stopped.tolist(), "digits": one.digits.tolist()}
    for name, table in one.tables.items():
        columns = {"at": table.at.tolist(), "known_at": table.known_at.tolist()}
        for column, values in table.columns.items():
            words = table.vocabularies.get(column)
            columns[column] = (
                [words[c] if c >= 0 else None for c in values] if words is not None else values.tobytes()
            )
        told[name] = columns | {column: ids.to_pylist() for column, ids in table.ids.items()}
    return told


@pytest.mark.parametrize("buckets", [1, 3, 8])
def test_buckets_hold_what_the_whole_holds(folder, tmp_path, buckets):
    whole = read_portfolio(folder, options=OPTIONS)
    partition(folder, tmp_path / "parts", buckets=buckets, options=OPTIONS)
    opened = Partitions.open(tmp_path / "parts")
    parts = [opened.read(bucket, options=OPTIONS) for bucket in range(buckets)]

    assert sorted(i for part in parts for i in part.store.account_ids.to_pylist()) == (
        whole.store.account_ids.to_pylist()
    )
    assert merge_counts([part.counts for part in parts]) == whole.counts
    mine = Quarantine.merge([part.quarantine for part in parts]).table.to_pylist()
    assert sorted(map(repr, mine)) == sorted(map(repr, whole.quarantine.table.to_pylist()))
    for part in parts:
        for account_id in part.store.account_ids.to_pylist():
            assert _account(part.store, account_id) == _account(whole.store, account_id)


KINDS = {
    "whole numbers": lambda names: pd.array([None if name is None else int(name) for name in names], "Int64"),
    "long texts": lambda names: pd.Series(
        [None if name is None else f"account number {name}" for name in names]
    ),
    "categories": lambda names: pd.Series(names, dtype="category"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_every_kind_find_their_bucket(tmp_path, kind):
    rng = np.random.default_rng(3)
    names = [str(number * 10**12) for number in range(40)]
    accounts = pd.DataFrame(
        {"account_id": KINDS[kind](names), "debtor_id": [f"D{i // 2}" for i in range(40)],
         "opened_at": "2024-01-01", "currency": "EUR", "country": "ES"}
    )  # fmt: skip
    paid = [*rng.choice([*names, "999"], 300).tolist(), None]
    payments = pd.DataFrame({"account_id": KINDS[kind](paid), "paid_at": "2024-02-01", "amount": 1.0})
    folder = tmp_path / "portfolio"
    folder.mkdir()
    accounts.to_parquet(folder / "accounts.parquet", index=False)
    payments.to_parquet(folder / "payments.parquet", index=False, row_group_size=70)
    whole = read_portfolio(folder)
    opened = partition(folder, tmp_path / "parts", buckets=4)
    parts = [opened.read(bucket) for bucket in range(4)]
    assert merge_counts([part.counts for part in parts]) == whole.counts
    mine = Quarantine.merge([part.quarantine for part in parts]).table.to_pylist()
    assert sorted(map(repr, mine)) == sorted(map(repr, whole.quarantine.table.to_pylist()))
    assert {row["rule"] for row in mine} == {"unknown_account", "missing:account_id"}
    for part in parts:
        for account_id in part.store.account_ids.to_pylist():
            assert _account(part.store, account_id) == _account(whole.store, account_id)


def test_the_number_of_buckets_follows_the_rows(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(partitions, "_ROWS_PER_BUCKET", 200)
    rows = sum(count.read for count in read_portfolio(folder, options=OPTIONS).counts.values())
    assert partition(folder, tmp_path / "many", options=OPTIONS).buckets == -(-rows // 200)
    monkeypatch.setattr(partitions, "_MOST_BUCKETS", 2)
    assert partition(folder, tmp_path / "few", options=OPTIONS).buckets == 2


def test_the_accounts_of_a_debtor_lie_together(folder, tmp_path):
    parts = partition(folder, tmp_path / "parts", buckets=8, options=OPTIONS)
    debtors = [set(parts.read(bucket, options=OPTIONS).store.debtor_ids.to_pylist()) for bucket in range(8)]
    assert sum(len(part) for part in debtors) == len(set().union(*debtors))
    assert sum(bool(part) for part in debtors) > 1


def test_a_folder_without_partitions_is_refused(folder, tmp_path):
    with pytest.raises(ContractError, match="no partitions"):
        Partitions.open(folder)
    with pytest.raises(ContractError, match="one bucket or more"):
        partition(folder, tmp_path / "parts", buckets=0)
