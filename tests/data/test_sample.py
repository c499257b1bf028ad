"""A sample is some debtors' part of the portfolio: all that is theirs, nothing of others, and it says so."""

from __future__ import annotations

import numpy as np
import pytest

from recobro_score.data import sample
from recobro_score.data.portfolio import Portfolio, Sample
from recobro_score.data.sample import sample_portfolio
from recobro_score.data.sources import read_portfolio
from recobro_score.data.streamed import StreamedPortfolio
from recobro_score.errors import ConfigError, ContractError
from tests.data.test_partitions import OPTIONS, _account, _tables, write_folder

SHARES = 5


@pytest.fixture(scope="module", params=[1, 2])
def folder(tmp_path_factory, request):
    return write_folder(tmp_path_factory.mktemp("portfolio"), request.param)


def assert_same(found: Portfolio, expected: Portfolio) -> None:
    """Compare stores account by account, counts and quarantine."""
    ids = expected.store.account_ids.to_pylist()
    assert found.store.account_ids.to_pylist() == ids
    assert found.counts == expected.counts
    assert sorted(map(repr, found.quarantine.table.to_pylist())) == (
        sorted(map(repr, expected.quarantine.table.to_pylist()))
    )
    for account_id in ids:
        assert _account(found.store, account_id) == _account(expected.store, account_id)


def test_a_share_of_the_debtors_is_a_bucket_of_the_portfolio(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "SHARES", SHARES)
    first, *_ = StreamedPortfolio.split(folder, tmp_path, buckets=SHARES, options=OPTIONS).parts()
    named = first.counts["accounts"].read
    found = sample_portfolio(folder, accounts=named, options=OPTIONS)
    assert found.sample is not None
    assert found.sample.accounts <= named
    assert_same(found, first)


def test_a_larger_sample_holds_every_smaller_one_and_the_numbers_are_true(folder):
    whole = read_portfolio(folder, options=OPTIONS)
    last: set[str] = set()
    for most in (4, 11, 40):
        found = sample_portfolio(folder, accounts=most, options=OPTIONS)
        ids = set(found.store.account_ids.to_pylist())
        assert last < ids
        assert found.n_accounts == len(ids) <= found.sample.accounts <= most
        assert (found.sample.of_accounts, found.sample.of_debtors) == (61, 30)
        for account_id in ids:
            assert _account(found.store, account_id) == _account(whole.store, account_id)
        rows = {(row["table"], row["row"]): repr(row) for row in whole.quarantine.table.to_pylist()}
        for row in found.quarantine.table.to_pylist():
            assert rows[row["table"], row["row"]] == repr(row)
        for table, count in found.counts.items():
            assert count.read == count.used + count.quarantined <= whole.counts[table].read
        assert found.summary().startswith(found.sample.summary())
        last = ids


def test_debtors_are_drawn_whole(folder):
    whole = read_portfolio(folder, options=OPTIONS)
    found = sample_portfolio(folder, accounts=20, options=OPTIONS)
    drawn = {found.store.debtor_ids[int(code)].as_py() for code in found.store.account_debtor}
    theirs = {
        account_id
        for account_id, code in zip(
            whole.store.account_ids.to_pylist(), whole.store.account_debtor, strict=True
        )
        if whole.store.debtor_ids[int(code)].as_py() in drawn
    }
    assert set(found.store.account_ids.to_pylist()) == theirs


def test_what_fits_is_read_whole(folder):
    whole = read_portfolio(folder, options=OPTIONS)
    for found in (sample_portfolio(folder, options=OPTIONS), sample_portfolio(folder, accounts=61)):
        assert found.sample is None
    assert_same(sample_portfolio(folder, options=OPTIONS), whole)


def test_by_default_so_many_accounts_are_drawn_as_have_the_rows_that_fit(folder, monkeypatch):
    rows = read_portfolio(folder, options=OPTIONS).n_rows
    monkeypatch.setattr(sample, "ROWS_IN_MEMORY", rows // 3)
    steps = []
    found = sample_portfolio(folder, options=OPTIONS, progress=lambda *step: steps.append(step))
    assert 10 <= found.sample.accounts <= 61 // 3
    assert {step for step, _ in steps} == {"drawing a sample"}
    assert steps[-1][1] == 1.0


def test_where_no_debtor_fits_it_is_refused(folder, monkeypatch):
    monkeypatch.setattr(sample, "SHARES", 2)
    with pytest.raises(ConfigError, match="more than 3 accounts together"):
        sample_portfolio(folder, accounts=3, options=OPTIONS)


def test_tables_broken_as_a_whole_are_told_as_of_the_whole(folder, tmp_path):
    for name in ("accounts", "plans"):
        table = _tables(np.random.default_rng(1))[name].drop(columns=["account_id"])
        table.to_parquet(tmp_path / f"{name}.parquet", index=False)
    with pytest.raises(ContractError) as whole:
        read_portfolio(tmp_path)
    with pytest.raises(ContractError) as drawn:
        sample_portfolio(tmp_path, accounts=1)
    assert str(drawn.value) == str(whole.value)


def test_a_sample_says_how_much_it_is():
    assert Sample(1200, 50_000, 900, 40_000).summary() == (
        "a sample of whole debtors: 1,200 of 50,000 accounts, 900 of 40,000 debtors"
    )
