"""Taking the data back to an instant leaves exactly what could have been written down then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.features import FeatureSet, compute
from recobro_score.features.audit.past import dated_tables, past_store
from recobro_score.features.readable import EVENT_TABLES
from tests.features.every_recipe import EVERY
from tests.features.stores import AS_OF, EARLIER, event_rows, store_of
from tests.features.test_oracle import DEBTOR_OF, DIGITS, schema_of

THREE = {"n_accounts": 3, "debtor_of": DEBTOR_OF, "digits": DIGITS}
BOTH = FeatureSet((*EVERY.recipes, *FeatureSet.extended().recipes))


@given(tables=event_rows(3, 2))
def test_the_past_store_holds_nothing_of_the_future(tables):
    past = past_store(store_of(tables, **THREE), EARLIER)
    for name, table in past.tables.items():
        assert np.all(table.known_at < EARLIER)
        if name != "instalments":
            assert np.all(table.at < EARLIER)
        assert table.offsets[-1] == table.n_rows == len(table.owner())
        for date in EVENT_TABLES[name].dates if name in EVENT_TABLES else ():
            later = table.columns[date]
            assert np.all((later < EARLIER) | (later == NEVER))
    plans = past.tables["plans"]
    assert np.all(plans.columns["end_reason"][plans.columns["ended_at"] == NEVER] == -1)


@given(tables=event_rows(3, 2))
def test_no_recipe_can_tell_the_past_store_from_the_whole(tables):
    store = store_of(tables, **THREE)
    schema = schema_of(BOTH, store)
    for as_of in (EARLIER, AS_OF):
        then = compute(schema, past_store(store, as_of), [as_of])
        assert then.values.tobytes() == compute(schema, store, [as_of]).values.tobytes()


@given(tables=event_rows(3, 2))
def test_what_was_visible_stays_visible(tables):
    store = store_of(tables, **THREE)
    late = max(
        (row["at"] + row["lag"] for rows in tables.values() for row in rows if "lag" in row), default=AS_OF
    )
    late = max(late, AS_OF) + 4000 * US_PER_DAY
    past = past_store(store, late)
    assert {name: table.n_rows for name, table in past.tables.items()} == {
        name: table.n_rows for name, table in store.tables.items()
    }


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "columns", "records"])
def test_raw_tables_taken_back_give_the_features_of_the_whole(small_simulation, kind):
    convert = {
        "pandas": lambda table: table.to_pandas().iloc[::-1],
        "polars": pl.from_arrow,
        "pyarrow": lambda table: table,
        "columns": lambda table: table.to_pydict(),
        "records": lambda table: table.to_pylist(),
    }[kind]
    tables = {name: convert(table) for name, table in small_simulation.tables.items()}
    options = PortfolioOptions(time_zone="America/Bogota")
    whole = Portfolio.from_frames(tables, options=options)
    schema = FeatureSet.standard().schema(whole.store)
    as_of = small_simulation.period_starts[-3]
    past = {name: table.before(as_of) for name, table in dated_tables(tables, whole).items()}
    expected = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.Table}.get(kind, pd.DataFrame)
    assert all(isinstance(table, expected) for table in past.values())
    then = Portfolio.from_frames(past, options=options)
    assert 0 < then.n_accounts <= whole.n_accounts
    now = compute(schema, whole.store, [as_of])
    kept = np.isin(now.account_ids.to_pylist(), then.store.account_ids.to_pylist())
    assert compute(schema, then.store, [as_of]).values.tobytes() == now.take(kept).values.tobytes()


def test_declared_lags_names_and_unreadable_dates_are_read_as_the_portfolio_reads_them():
    accounts = {
        "expediente": ["A"],
        "titular": ["T"],
        "fecha_apertura": ["2024-01-01"],
        "moneda": ["EUR"],
        "pais": ["ES"],
    }
    payments = {
        "expediente": ["A"] * 4,
        "cuando": ["2025-01-01", "2025-01-05", "2025-01-06", "?"],
        "importe": [1, 2, 3, 4],
    }
    plans = {
        "plan_id": ["P"], "expediente": ["A"], "fecha_oferta": ["2025-01-01"], "condiciones": ["{}"],
        "fecha_aceptacion": ["2025-01-07"], "fecha_fin": ["2025-02-01"], "motivo_fin": ["broken"],
    }  # fmt: skip
    instalments = {
        "expediente": ["A", "A"],
        "vencimiento": ["2026-01-01"] * 2,
        "importe": [5, 6],
        "plan_id": ["P", None],
    }
    frames = {"expedientes": accounts, "pagos": payments, "planes": plans, "cuotas": instalments}
    options = PortfolioOptions(lag_days={"payments": 2}, columns={"payments": {"cuando": "paid_at"}})
    portfolio = Portfolio.from_frames({**frames, "pagos": pd.DataFrame(payments)[:3]}, options=options)
    as_of = int(pd.Timestamp("2025-01-07 12:00").timestamp() * 1e6)
    dated = dated_tables(frames, portfolio)
    assert dated["pagos"].before(as_of)["importe"].tolist() == [1, 2, 4]
    assert dated["cuotas"].before(as_of)["importe"].tolist() == [5, 6]
    assert dated["cuotas"].before(as_of - US_PER_DAY)["importe"].tolist() == [6]
    plan = dated["planes"].before(as_of).iloc[0]
    assert plan["fecha_aceptacion"] == "2025-01-07"
    assert pd.isna(plan["fecha_fin"])
    assert pd.isna(plan["motivo_fin"])
