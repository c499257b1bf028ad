"""The reporting lag of a source, as its rows have it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recobro_score.data.lags import estimate_lags
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio

START = pd.Timestamp("2024-01-01")


def _lags(paid_at, known_at, *, account_known="2024-01-01", declared=0.0):
    accounts = {"account_id": ["A"], "debtor_id": ["D"], "opened_at": ["2020-01-01"]}
    accounts |= {"currency": ["EUR"], "country": ["ES"], "known_at": [account_known]}
    payments = pd.DataFrame({"account_id": "A", "paid_at": paid_at, "amount": 1.0, "known_at": known_at})
    options = PortfolioOptions(lag_days={"payments": declared})
    frames = {"accounts": accounts, "payments": payments}
    return estimate_lags(Portfolio.from_frames(frames, options=options)).set_index("table").loc["payments"]


def _days(n, lag):
    at = START + pd.to_timedelta(np.arange(n) % 365, unit="D")
    return at, at + pd.to_timedelta(lag, unit="D")


def test_quantiles_are_those_of_the_lags():
    lag = np.random.default_rng(0).exponential(2.0, 5000)
    found = _lags(*_days(5000, lag))
    assert found["p50"] == pytest.approx(2.0 * np.log(2), rel=0.1)
    assert found["p95"] == pytest.approx(2.0 * np.log(20), rel=0.1)
    assert found["verdict"] == "later than declared"
    assert _lags(*_days(5000, lag), declared=6.0)["verdict"] == "as declared"


def test_late_rows_that_cannot_be_seen_yet_do_not_shorten_the_lag():
    lag = np.random.default_rng(1).uniform(0, 60, 20_000)
    at, known_at = _days(20_000, lag)
    seen = known_at < START + pd.Timedelta(days=120)
    found = _lags(at[seen], known_at[seen])
    naive = np.median(lag[seen])
    assert naive < 26
    assert found["p50"] == pytest.approx(30.0, abs=1.0)


def test_history_that_came_with_the_account_is_no_lag():
    at, known_at = _days(400, np.full(400, 0.5))
    loaded = pd.Timestamp("2024-07-01")
    found = _lags(at, known_at.where(known_at > loaded, loaded), account_known=loaded)
    assert found["max"] == 0.5
    assert found["rows"] < 230


def test_rows_without_a_known_clock_say_nothing():
    at, known_at = _days(100, np.zeros(100))
    assert _lags(at, pd.NaT)["verdict"] == "nothing dated"
    half = _lags(
        at, known_at.to_series().where(np.arange(100) % 2 == 0, at + pd.Timedelta(days=9)).to_numpy()
    )
    assert half["as_declared"] == pytest.approx(0.5, abs=0.05)
    assert half["verdict"] == "later than declared"
    assert _lags(*_days(5, np.ones(5)))["verdict"] == "too few rows"


def test_rows_known_before_they_happened_are_counted():
    lag = np.where(np.arange(400) % 4 == 0, -1.0, 1.0)
    assert _lags(*_days(400, lag))["before"] == pytest.approx(0.25, abs=0.02)


def test_schedules_and_states_have_no_lag(small_simulation):
    portfolio = Portfolio.from_frames(small_simulation.tables)
    found = estimate_lags(portfolio)
    assert not set(found["table"]) & {"instalments", "balances", "contact_points", "parties"}
    assert list(found["table"]) == sorted(found["table"])
    assert (found["p50"].dropna() <= found["p99"].dropna()).all()
