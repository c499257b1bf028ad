"""From frames to features: the order of rows and columns and the kind of frame change no byte; SQL agrees."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.portfolio import Portfolio
from recobro_score.features import FeatureSet, compute

AS_OF = parse_instant("2025-03-31")
N_ACCOUNTS = 40


def _instants(rng, n):
    """Whole hours around the as-of, so that ties and edges are common."""
    hours = rng.integers(-24 * 120, 24 * 10, n) * rng.choice([1, 24], n)
    return pd.to_datetime(AS_OF + hours.clip(-24 * 400, 24 * 10) * US_PER_DAY // 24, unit="us")


def _frames(seed=3):
    rng = np.random.default_rng(seed)
    accounts = np.array([f"A{i:02d}" for i in range(N_ACCOUNTS)])

    def rows(n, **columns):
        return pd.DataFrame({"account_id": rng.choice(accounts[:-2], n), **columns})

    def dated(name, n, **columns):
        at = _instants(rng, n)
        late = pd.to_timedelta(rng.choice([0, 1, 240], n), unit="h")
        return rows(n, **{name: at, "known_at": at + late}, **columns)

    return {
        "accounts": pd.DataFrame(
            {
                "account_id": accounts,
                "debtor_id": [f"D{i % 30:02d}" for i in range(N_ACCOUNTS)],
                "opened_at": pd.Timestamp("2023-01-01"),
                "currency": rng.choice(["EUR", "CLP", "KWD"], N_ACCOUNTS),
                "country": rng.choice(["ES", "CL"], N_ACCOUNTS),
                "principal": rng.integers(100, 900, N_ACCOUNTS).astype(float),
                "credit_limit": rng.choice([500.0, 1000.0], N_ACCOUNTS),
            }
        ),
        "payments": dated(
            "paid_at",
            500,
            amount=rng.integers(0, 50, 500).astype(float),
            kind=rng.choice(["payment", "payment", "reversal", "fee"], 500),
        ),
        "contacts": dated(
            "attempted_at",
            500,
            channel=rng.choice(["call", "sms"], 500),
            direction=rng.choice(["outbound", "inbound"], 500),
            outcome=rng.choice(["rpc", "no_answer", "replied"], 500),
        ),
        "promises": dated(
            "promised_at",
            80,
            due_at=_instants(rng, 80),
            amount=rng.integers(1, 90, 80).astype(float),
        ),
        "instalments": rows(
            300,
            due_at=_instants(rng, 300),
            amount=rng.integers(1, 90, 300).astype(float),
            known_at=pd.Timestamp("2025-03-01"),
        ),
        "balances": rows(
            200,
            known_at=_instants(rng, 200),
            balance=rng.integers(0, 900, 200).astype(float),
            dpd=rng.integers(0, 90, 200).astype(float),
        ),
    }


@pytest.fixture(scope="module")
def frames():
    return _frames()


@pytest.fixture(scope="module")
def matrix(frames):
    store = Portfolio.from_frames(frames).store
    return compute(FeatureSet.standard().schema(store), store, [AS_OF])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_and_columns_changes_nothing(frames, matrix, seed):
    shuffled = {
        name: frame.sample(frac=1, random_state=seed)[sorted(frame.columns, reverse=True)]
        for name, frame in frames.items()
    }
    again = compute(matrix.schema, Portfolio.from_frames(shuffled).store, [AS_OF])
    assert again.values.tobytes() == matrix.values.tobytes()


def test_the_kind_of_frame_changes_nothing(frames, matrix):
    for convert in (pl.from_pandas, lambda frame: pl.from_pandas(frame).to_arrow()):
        store = Portfolio.from_frames({name: convert(frame) for name, frame in frames.items()}).store
        assert compute(matrix.schema, store, [AS_OF]).values.tobytes() == matrix.values.tobytes()


def test_training_on_shuffled_rows_learns_the_same_schema(frames, matrix):
    shuffled = {name: frame.sample(frac=1, random_state=9) for name, frame in frames.items()}
    assert FeatureSet.standard().schema(Portfolio.from_frames(shuffled).store) == matrix.schema


SEEN = "{at} < $as_of AND known_at < $as_of"
LOOKBACK = "{at} >= $as_of - INTERVAL {days} DAY AND " + SEEN
SQL = {
    "payments_count_90d": ("payments", "count(*)", LOOKBACK, "paid_at", 90, "kind = 'payment'"),
    "payments_count_7d": ("payments", "count(*)", LOOKBACK, "paid_at", 7, "kind = 'payment'"),
    "reversals_365d": ("payments", "count(*)", LOOKBACK, "paid_at", 365, "kind = 'reversal'"),
    "paid_60d": (
        "payments",
        "coalesce(sum(CASE kind WHEN 'payment' THEN amount WHEN 'reversal' THEN -amount ELSE 0 END), 0)",
        LOOKBACK, "paid_at", 60, "true",
    ),
    "days_since_payment": (
        "payments", "epoch_us($as_of - max(paid_at)) / 86400e6", SEEN, "paid_at", 0, "kind = 'payment'",
    ),
    "mean_payment_365d": ("payments", "avg(amount)", LOOKBACK, "paid_at", 365, "kind = 'payment'"),
    "payment_gap_mean_365d": (
        "payments",
        "CASE WHEN count(*) > 1 THEN epoch_us(max(paid_at) - min(paid_at)) / 86400e6 / (count(*) - 1) END",
        LOOKBACK, "paid_at", 365, "kind = 'payment'",
    ),
    "rpc_90d": (
        "contacts", "count(*)", LOOKBACK, "attempted_at", 90, "outcome = 'rpc' AND direction = 'outbound'",
    ),
    "inbound_90d": ("contacts", "count(*)", LOOKBACK, "attempted_at", 90, "direction = 'inbound'"),
    "dpd_max_180d": ("balances", "max(dpd)", LOOKBACK, "known_at", 180, "true"),
    "due_next_30d": (
        "instalments", "coalesce(sum(amount), 0)",
        "{at} >= $as_of AND {at} < $as_of + INTERVAL {days} DAY AND known_at < $as_of", "due_at", 30, "true",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SQL)
def test_sql_agrees(frames, matrix, name):
    table, aggregate, when, at, days, where = SQL[name]
    with duckdb.connect() as connection:
        connection.register("accounts_", frames["accounts"])
        connection.register("events_", frames[table])
        found = connection.execute(
            f"""SELECT value FROM (SELECT account_id FROM accounts_) LEFT JOIN (
                SELECT account_id, {aggregate} AS value FROM events_
                WHERE {when.format(at=at, days=days)} AND {where} GROUP BY account_id
            ) USING (account_id) ORDER BY account_id""",
            {"as_of": pd.Timestamp(AS_OF, unit="us").to_pydatetime()},
        ).fetchnumpy()["value"]
    expected = np.ma.filled(np.ma.asarray(found, dtype=np.float64), np.nan)
    if ("count" in aggregate and "CASE" not in aggregate) or "coalesce" in aggregate:
        expected = np.nan_to_num(expected)
        assert matrix.column(name).tolist() == expected.tolist()
    np.testing.assert_allclose(matrix.column(name), expected, rtol=1e-9)
