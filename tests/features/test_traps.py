"""What other engines got wrong, one by one: windows, zones, units, ties, sums, dated state, empty values."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.features import FeatureSet, Recipe, Where, Window, compute, pipeline
from recobro_score.features.recipes import Present
from tests.features.stores import AS_OF, store_of

DAY = US_PER_DAY
STANDARD = FeatureSet.standard()
ACCOUNT = {
    "account_id": ["A"],
    "debtor_id": ["D"],
    "opened_at": ["2024-01-01"],
    "currency": ["EUR"],
    "country": ["ES"],
}


def portfolio(payments, *, accounts=None, options=None, **tables):
    frames = {"accounts": accounts or ACCOUNT, "payments": payments, **tables}
    return Portfolio.from_frames(frames, options=options)


def features_of(given, features=STANDARD, as_of="2025-06-01"):
    as_ofs = [parse_instant(as_of, given.store.time_zone)]
    return compute(features.schema(given.store), given.store, as_ofs)


def paid(*days, **columns):
    return {"account_id": ["A"] * len(days), "paid_at": list(days), "amount": [10.0] * len(days), **columns}


def value_of(fields, store, as_of=AS_OF):
    features = FeatureSet((Recipe("it", concept="payment_amounts", **fields),))
    return compute(features.schema(store), store, [as_of]).column("it").tolist()


# Half-open windows, chunks, every snapshot.


@pytest.mark.parametrize("pairs", [1, 2, 3, 8192])
def test_an_offset_window_is_the_same_in_chunks_of_any_size(pairs, monkeypatch):
    rows = [
        {"owner": i % 5, "at": AS_OF - day * DAY, "amount": 100 + i}
        for i, day in enumerate((29, 30, 31, 45, 59, 60, 61) * 5)
    ]
    store = store_of({"payments": rows}, n_accounts=5)
    offset = {"table": "payments", "aggregate": "sum", "value": "amount", "window": Window(-60, -30)}
    expected = [
        sum(r["amount"] for r in rows if r["owner"] == i and 30 < (AS_OF - r["at"]) // DAY <= 60) / 100
        for i in range(5)
    ]
    monkeypatch.setattr(pipeline, "PAIRS_PER_BLOCK", pairs)
    assert value_of(offset, store) == expected
    assert min(expected) > 0


def test_an_account_with_nothing_but_a_future_keeps_its_snapshot():
    accounts = {name: values * 2 for name, values in ACCOUNT.items()} | {"account_id": ["A", "B"]}
    given = portfolio(
        {"account_id": ["A", "B"], "paid_at": ["2025-05-01", "2025-07-01"], "amount": [5, 7]},
        accounts=accounts,
    )
    matrix = features_of(given)
    assert matrix.account_ids.to_pylist() == ["A", "B"]
    assert matrix.column("payments_count_90d").tolist() == [1.0, 0.0]


# Naive and aware times, the machine's zone, the debtor's zone.


def test_naive_and_aware_times_of_one_instant_give_the_same_bytes():
    walls = ["2025-05-31 23:30", "2025-03-30 03:30", "2024-10-27 02:30", "2025-05-02 00:00"]
    naive = pd.to_datetime(pd.Series(walls))
    first = np.ones(len(walls), dtype=bool)
    aware = naive.dt.tz_localize("Europe/Madrid", ambiguous=first)
    options = PortfolioOptions(time_zone="Europe/Madrid")
    forms = (walls, naive, aware, aware.dt.tz_convert("America/Toronto"), aware.dt.tz_convert("UTC"))
    found = [features_of(portfolio(paid(*form), options=options)) for form in forms]
    assert len({matrix.values.tobytes() for matrix in found}) == 1
    assert found[0].column("payments_count_7d").tolist() == [1.0]


_HASHES = """
import hashlib, sys, tempfile
from recobro_score.calendars import parse_instant
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.sources import read_portfolio
from recobro_score.features import FeatureSet, compute
from recobro_score.features.scale import features_to_parquet
options = PortfolioOptions(time_zone="America/Bogota")
portfolio = read_portfolio(sys.argv[1], options=options)
as_ofs = [parse_instant("2025-06-01", "America/Bogota")]
schema = FeatureSet.standard().schema(portfolio.store)
print(hashlib.sha256(compute(schema, portfolio.store, as_ofs).values.tobytes()).hexdigest())
with tempfile.TemporaryDirectory() as folder:
    written = features_to_parquet(sys.argv[1], schema, as_ofs, folder + "/out", buckets=2, options=options)
    for path in sorted(written.folder.glob("*.parquet")):
        print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_the_time_zone_of_the_machine_changes_no_byte(root):
    """Naive times are read in the portfolio's zone, in memory and bucket by bucket."""
    told = []
    for zone in ("UTC", "America/Toronto"):
        done = subprocess.run(
            [sys.executable, "-c", _HASHES, str(root / "data" / "sample")],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(done.stdout.split())
    assert told[0] == told[1]
    assert len(told[0]) == 3


@pytest.mark.parametrize(
    ("called_at", "part"),
    [
        ("2025-03-30T00:59:59Z", "morning"),  # 01:59:59 in Madrid, a second before the clocks go forward
        ("2025-03-30T09:59:59Z", "morning"),  # 11:59:59 in summer time
        ("2025-03-30T10:00:00Z", "afternoon"),  # 12:00, an hour earlier in UTC than the day before
        ("2025-03-29T10:59:59Z", "morning"),
        ("2025-03-29T11:00:00Z", "afternoon"),
        ("2025-03-29T16:00:00Z", "evening"),
        ("2025-03-30T15:00:00Z", "evening"),
        ("2025-03-29T23:00:00Z", "morning"),  # midnight: the day after in Madrid
    ],
)
def test_a_call_counts_at_the_debtors_hour_also_when_the_clocks_change(called_at, part):
    contacts = {
        "account_id": ["A"], "attempted_at": [called_at], "channel": ["call"], "direction": ["outbound"],
        "outcome": ["rpc"],
    }  # fmt: skip
    debtors = {"debtor_id": ["D"], "time_zone": ["Europe/Madrid"]}
    options = PortfolioOptions(time_zone="Asia/Taipei")
    given = portfolio(paid("2025-01-01"), contacts=contacts, debtors=debtors, options=options)
    matrix = features_of(given, as_of="2025-04-05")
    found = {name: matrix.column(f"calls_{name}_90d")[0] for name in ("morning", "afternoon", "evening")}
    assert found == {name: float(name == part) for name in found}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_every_unit_are_the_same_instants(unit):
    days = pd.Series(pd.to_datetime(["2025-05-25 10:00:00", "2025-05-31 23:59:59", "2024-06-02 00:00:00"]))
    expected = features_of(portfolio(paid(*days.dt.strftime("%Y-%m-%dT%H:%M:%S"))))
    as_pandas = pd.DataFrame(paid(*days)).assign(paid_at=days.astype(f"M8[{unit}]"))
    as_arrow = pa.table({**paid(*days), "paid_at": pa.array(days).cast(pa.timestamp(unit))})
    for frame in (as_pandas, as_arrow):
        assert features_of(portfolio(frame)).values.tobytes() == expected.values.tobytes()
    assert expected.column("days_since_payment")[0] == pytest.approx(1 / 86_400)


# Ties and duplicates.


def test_the_last_of_equal_instants_is_the_same_in_any_order_of_rows():
    rows = pd.DataFrame(paid(*["2025-05-30"] * 6, payment_id=list("fbdaec"))).assign(amount=range(6))
    found = {
        features_of(portfolio(rows.sample(frac=1, random_state=seed))).column("last_payment")[0]
        for seed in range(6)
    }
    assert found == {0.0}  # that of payment f, the last id


def test_a_tie_without_ids_is_broken_by_the_whole_content():
    rows = pd.DataFrame(paid(*["2025-05-30"] * 4, method=["cash", None, "card", "cash"]))
    rows["amount"] = [3.0, 9.0, 9.0, 1.0]
    found = {
        tuple(matrix.column(name)[0] for name in ("last_payment", "last_method"))
        for matrix in (features_of(portfolio(rows.sample(frac=1, random_state=seed))) for seed in range(6))
    }
    assert len(found) == 1
    assert found.pop()[0] == 9.0


def test_duplicates_are_gone_before_anything_is_counted():
    once = paid("2025-05-01", "2025-05-20", payment_id=["p", "q"])
    twice = {name: values * 3 for name, values in once.items()}
    assert features_of(portfolio(twice)).values.tobytes() == features_of(portfolio(once)).values.tobytes()


def test_equal_rows_without_an_id_are_two_events():
    matrix = features_of(portfolio(paid("2025-05-01", "2025-05-01")))
    assert matrix.column("payments_count_90d")[0] == 2.0
    assert matrix.column("paid_90d")[0] == 20.0
    assert matrix.column("payment_gap_mean_365d")[0] == 0.0


# Money.


def test_sums_of_money_are_exact_in_any_order():
    cents = np.random.default_rng(0).integers(1, 10**7, 500)
    rows = pd.DataFrame(paid(*["2025-05-30"] * 500)).assign(amount=cents / 100)
    found = {
        features_of(portfolio(rows.sample(frac=1, random_state=seed))).column("paid_7d")[0]
        for seed in range(6)
    }
    assert found == {int(cents.sum()) / 100}


def test_decimals_texts_and_floats_are_the_same_cents():
    amounts = ["0.10", "0.20", "1234567.89", "0.07"]
    days = ["2025-05-30", "2025-05-28", "2025-05-27", "2025-05-01"]
    forms = (
        amounts,
        [float(text) for text in amounts],
        [Decimal(text) for text in amounts],
        pa.array([Decimal(text) for text in amounts], pa.decimal128(12, 2)),
    )
    found = [features_of(portfolio({**paid(*days), "amount": form})) for form in forms]
    found.append(features_of(portfolio(pl.DataFrame({**paid(*days), "amount": forms[2]}))))
    found.append(features_of(portfolio(pd.DataFrame({**paid(*days), "amount": forms[2]}))))
    assert len({matrix.values.tobytes() for matrix in found}) == 1
    assert found[0].column("paid_30d")[0] == 1234568.19


# State is dated.


def test_an_undated_balance_or_status_of_the_accounts_reaches_no_feature():
    today = {
        "balance": [0.0],
        "saldo": [0.0],
        "status": ["paid off"],
        "dpd": [0],
        "closed_at": ["2025-08-01"],
    }
    plain = features_of(portfolio(paid("2025-05-01")))
    told = features_of(portfolio(paid("2025-05-01"), accounts={**ACCOUNT, **today}))
    assert told.values.tobytes() == plain.values.tobytes()
    with pytest.raises(ValueError, match=r"no column accounts\.balance"):
        FeatureSet((Recipe("b", "accounts", "static", "balance_level", value="balance"),))


def test_a_balance_counts_from_the_instant_it_was_known():
    balances = {"account_id": ["A", "A"], "known_at": ["2025-05-01", "2025-06-01"], "balance": [900, 1]}
    given = portfolio(paid("2025-01-01"), balances=balances)
    assert features_of(given).column("balance_last")[0] == 900.0
    assert features_of(given, as_of="2025-06-01T00:00:01").column("balance_last")[0] == 1.0


# Missing values.


def test_missing_words_are_not_counted_as_different_ones():
    rows = [
        {"at": AS_OF - 1 - i, "amount": 1, "method": method}
        for i, method in enumerate(("a", None, "a", None))
    ]
    distinct = {"table": "payments", "aggregate": "distinct", "value": "method"}
    assert value_of(distinct, store_of({"payments": rows})) == [1.0]
    assert value_of(distinct, store_of({"payments": rows[1::2]})) == [0.0]


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("mean", 20.0), ("max", 30.0), ("min", 10.0), ("last", 30.0), ("sum", 40.0)]
)
def test_missing_numbers_take_no_part(aggregate, expected):
    rows = [
        {"at": AS_OF - 9 + i, "balance": 1, "dpd": dpd} for i, dpd in enumerate((np.nan, 10.0, 30.0, np.nan))
    ]
    fields = {"table": "balances", "aggregate": aggregate, "value": "dpd"}
    assert value_of(fields, store_of({"balances": rows})) == [expected]


def test_a_share_of_nothing_is_missing_and_not_infinite():
    none = features_of(portfolio(paid("2025-05-01", kind=["fee"])))
    assert none.column("payments_count_365d")[0] == 0.0
    for name in ("weekend_payment_share_365d", "paid_trend_90d", "last_payment_to_median"):
        assert np.isnan(none.column(name)[0])
    assert not np.isinf(none.values).any()


def test_a_missing_word_passes_no_filter():
    rows = [
        {"at": AS_OF - 1 - i, "amount": 1, "method": method}
        for i, method in enumerate(("cash", None, "card"))
    ]
    store = store_of({"payments": rows})
    counts = {
        condition: value_of({"table": "payments", "aggregate": "count", "where": (condition,)}, store)
        for condition in (Where("method", ("cash",)), Where("method", ("cash", "card")), Present("method"))
    }
    assert list(counts.values()) == [[1.0], [2.0], [2.0]]


def test_whole_number_ids_beyond_the_reach_of_floats_stay_apart():
    near = [2**53, 2**53 + 1, 2**53 + 2]
    accounts = {name: values * 3 for name, values in ACCOUNT.items()} | {"account_id": near}
    payments = pd.DataFrame(
        {
            "account_id": pd.array([near[1], near[1], None, near[2]], "Int64"),
            "paid_at": "2025-05-01",
            "amount": [1, 2, 4, 8],
        }
    )
    given = portfolio(payments, accounts=accounts)
    matrix = features_of(given)
    found = dict(zip(matrix.account_ids.to_pylist(), matrix.column("paid_90d").tolist(), strict=True))
    assert found == {str(near[0]): 0.0, str(near[1]): 3.0, str(near[2]): 8.0}
    assert len(given.quarantine) == 1


# Facts without a known clock were always known.


def test_contact_points_and_parties_without_a_known_clock_were_always_known():
    points = {"contact_point_id": ["c", "d"], "debtor_id": ["D"] * 2, "channel": ["call", "sms"]}
    parties = {"account_id": ["A"] * 2, "debtor_id": ["D", "E"], "role": ["debtor", "guarantor"]}
    matrix = features_of(portfolio(paid("2025-05-01"), contact_points=points, parties=parties))
    names = ("points_usable", "points_usable_call", "parties_count", "guarantors_count", "points_wrong_share")
    assert [matrix.column(name)[0] for name in names] == [2.0, 1.0, 2.0, 1.0, 0.0]
    assert np.isnan(matrix.column("days_since_new_point")[0])
