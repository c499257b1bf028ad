from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recobro_score.calendars import US_PER_DAY, local_clock
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import account_state
from recobro_score.money import minor_digits
from recobro_score.simulate import PRESETS, Scenario, Simulation, simulate_portfolio
from recobro_score.simulate.scenario import Contactability, Lateness

_LATENT = {"willingness", "ability", "hidden", "quirk", "reach_offset", "wrong", "payday", "size"}
_OF_ACCOUNTS = sorted(name for name, contract in CONTRACTS.items() if "account_id" in contract.names)


@pytest.mark.parametrize("table", sorted(CONTRACTS))
def test_every_table_is_there_with_columns_of_its_contract(simulated: Simulation, table: str) -> None:
    columns = simulated.tables[table].column_names
    assert set(columns) <= set(CONTRACTS[table].names)
    assert set(CONTRACTS[table].required) <= set(columns)
    assert not _LATENT & set(columns)
    assert simulated.tables[table].num_rows > 0


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_library_accepts_every_row(name: str) -> None:
    simulation = simulate_portfolio(300, seed=6, scenario=name)
    options = PortfolioOptions(time_zone=simulation.scenario.span.time_zone)
    portfolio = Portfolio.from_frames(simulation.tables, options=options)
    assert len(portfolio.quarantine.frame()) == 0
    assert not portfolio.store.stopped.any()


@pytest.mark.parametrize(
    ("table", "key", "target"),
    [
        ("accounts", "debtor_id", "debtors"),
        ("contact_points", "debtor_id", "debtors"),
        ("facts", "debtor_id", "debtors"),
        ("holds", "debtor_id", "debtors"),
        ("parties", "debtor_id", "debtors"),
        ("complaints", "debtor_id", "debtors"),
        *((name, "account_id", "accounts") for name in _OF_ACCOUNTS),
        ("instalments", "plan_id", "plans"),
        ("payments", "plan_id", "plans"),
        ("contacts", "decision_id", "decisions"),
        ("contacts", "contact_point_id", "contact_points"),
    ],
)
def test_ids_resolve(simulated: Simulation, table: str, key: str, target: str) -> None:
    used = set(simulated.tables[table][key].drop_null().to_pylist())
    assert used
    assert used <= set(simulated.tables[target][key].to_pylist())


@pytest.mark.parametrize("table", sorted(CONTRACTS))
def test_nothing_is_told_of_the_future(simulated: Simulation, table: str) -> None:
    contract, rows = CONTRACTS[table], simulated.tables[table]
    names = [*contract.of_kind("later"), "known_at"]
    if not contract.scheduled and contract.clock:
        names.append(contract.clock)
    for name in set(names) & set(rows.column_names) - {"limitation_at"}:
        moments = rows[name].drop_null().cast("int64").to_numpy()
        assert (moments < simulated.observed_until).all(), name


def test_later_dates_are_later(simulated: Simulation) -> None:
    pairs = [
        ("placements", "placed_at", "recalled_at"),
        ("facts", "from_at", "until_at"),
        ("holds", "from_at", "until_at"),
        ("plans", "offered_at", "accepted_at"),
        ("plans", "accepted_at", "ended_at"),
        ("promises", "promised_at", "due_at"),
        ("payments", "paid_at", "known_at"),
        ("accounts", "opened_at", "known_at"),
    ]
    for table, first, second in pairs:
        frame = simulated.tables[table].to_pandas().dropna(subset=[first, second])
        assert len(frame) > 0
        assert (frame[first] < frame[second]).all(), (table, first, second)


@pytest.mark.parametrize("table", sorted(CONTRACTS))
def test_money_has_the_digits_of_its_currency(simulated: Simulation, table: str) -> None:
    columns = simulated.tables[table].column_names
    money = [name for name in CONTRACTS[table].of_kind("money") if name in columns]
    if not money:
        return
    accounts = simulated.tables["accounts"].to_pandas().set_index("account_id")
    frame = simulated.tables[table].to_pandas()
    digits = accounts["currency"].map(minor_digits).reindex(frame["account_id"]).to_numpy()
    for name in money:
        scaled = frame[name].to_numpy() * 10.0**digits
        assert np.nanmax(np.abs(scaled - np.rint(scaled))) < 1e-3


def test_both_currencies_and_buckets_occur(simulated: Simulation) -> None:
    assert set(simulated.tables["accounts"]["currency"].unique().to_pylist()) == {"COP", "CLP"}
    dpd = simulated.tables["balances"]["dpd"].to_numpy()
    edges = [-1, 0, 30, 60, 90, 180, 10_000]
    assert (np.histogram(dpd, np.array(edges) + 0.5)[0] > 100).all()


def test_exposure_and_lateness_are_those_the_library_computes() -> None:
    scenario = Scenario(lateness=Lateness(late_share=0.0))
    simulation = simulate_portfolio(2_000, seed=8, scenario=scenario)
    options = PortfolioOptions(time_zone=scenario.span.time_zone)
    store = Portfolio.from_frames(simulation.tables, options=options).store
    state = account_state(store, [simulation.as_of])
    truth = simulation.truth.to_pandas().query("action_id == 'no_action'").reset_index(drop=True)
    ours = truth["open"].to_numpy()
    assert store.account_ids.to_pylist() == truth["account_id"].to_list()
    np.testing.assert_array_equal(state.open & state.placed, ours)
    np.testing.assert_allclose((state.exposure / 10.0**store.digits)[ours], truth["exposure"][ours])
    np.testing.assert_array_equal(state.dpd[ours], truth["dpd"][ours])


def test_outbound_contacts_keep_to_lawful_local_hours(simulated: Simulation) -> None:
    tables = simulated.tables
    accounts = tables["accounts"].to_pandas().set_index("account_id")["debtor_id"]
    zone_of = tables["debtors"].to_pandas().set_index("debtor_id")["time_zone"]
    contacts = tables["contacts"].to_pandas().query("direction == 'outbound' and outcome != 'blocked'")
    zones = tuple(sorted(zone_of.unique()))
    zone = zone_of.loc[accounts.loc[contacts["account_id"]]].map(zones.index).to_numpy(np.int32)
    at = contacts["attempted_at"].astype("datetime64[us, UTC]").astype("int64").to_numpy()
    clock = local_clock(at, zone, zones)
    assert clock.minute.min() >= 8 * 60
    assert clock.minute.max() < 19 * 60
    assert (clock.weekday != 6).all()
    assert clock.minute[clock.weekday == 5].max() < 15 * 60


def test_nobody_is_worked_while_held(simulated: Simulation) -> None:
    holds = simulated.tables["holds"].to_pandas().dropna(subset=["account_id"])
    contacts = simulated.tables["contacts"].to_pandas().query("direction == 'outbound'")
    both = contacts.merge(holds, on="account_id")
    end = both["until_at"].fillna(pd.Timestamp(simulated.observed_until, unit="us", tz="UTC"))
    within = both[(both["from_at"] <= both["attempted_at"]) & (both["attempted_at"] < end)]
    assert len(within) > 0
    assert set(within["outcome"]) == {"blocked"}


def test_a_promise_is_kept_by_some_and_broken_by_some(matured: Simulation) -> None:
    promises = matured.tables["promises"].to_pandas()
    payments = matured.tables["payments"].to_pandas().query("kind == 'payment'")
    both = promises.merge(payments, on="account_id", suffixes=("", "_paid"))
    grace = pd.Timedelta(days=2)
    timely = both[(both["paid_at"] >= both["promised_at"]) & (both["paid_at"] < both["due_at"] + grace)]
    paid = timely.groupby("promise_id")["amount_paid"].sum().reindex(promises["promise_id"]).fillna(0.0)
    kept = (paid.to_numpy() >= promises["amount"].to_numpy()).mean()
    assert 0.3 < kept < 0.7


def test_accepted_plans_add_up_to_what_their_terms_say(matured: Simulation) -> None:
    plans = matured.tables["plans"].to_pandas().dropna(subset=["accepted_at"]).set_index("plan_id")
    rows = matured.tables["instalments"].to_pandas().dropna(subset=["plan_id"]).groupby("plan_id")["amount"]
    terms = plans["terms"].map(json.loads).loc[rows.size().index]
    assert (rows.size() <= terms.map(lambda t: t["instalments"])).all()
    assert (rows.max() - rows.min() <= 1.0).all()
    assert {"completed", "broken"} <= set(plans["end_reason"].dropna())
    offers = set(matured.tables["decisions"]["offer"].drop_null().to_pylist())
    assert offers <= set(matured.tables["plans"]["terms"].to_pylist())


def test_a_wrong_number_is_not_called_again() -> None:
    scenario = Scenario(contactability=Contactability(wrong_share=0.4))
    tables = simulate_portfolio(600, seed=2, scenario=scenario).tables
    points = tables["contact_points"].to_pandas().dropna(subset=["wrong_from"])
    contacts = tables["contacts"].to_pandas().merge(points, on="contact_point_id")
    late = contacts["attempted_at"] > contacts["wrong_from"] + pd.Timedelta(days=30)
    outbound = contacts["direction"].eq("outbound") & contacts["outcome"].ne("blocked")
    assert len(points) > 50
    assert not (late & outbound).any()


def test_late_files_come_late_and_no_payment_is_known_before_it_is_made(simulated: Simulation) -> None:
    payments = simulated.tables["payments"].to_pandas()
    own = payments[payments["known_at"] > payments["paid_at"]].merge(
        simulated.tables["placements"].to_pandas()[["account_id", "placed_at"]], on="account_id"
    )
    delay = (own["known_at"] - own["paid_at"])[own["paid_at"] >= own["placed_at"]]
    assert len(own) == len(payments)
    assert (delay > pd.Timedelta(microseconds=2 * US_PER_DAY)).mean() > 0.01


def test_ids_are_sorted_and_unique(simulated: Simulation) -> None:
    for table, contract in CONTRACTS.items():
        if contract.unique:
            ids = simulated.tables[table][contract.unique]
            assert len(ids.unique()) == len(ids)
    ids = simulated.tables["accounts"]["account_id"].to_pylist()
    assert ids == sorted(ids)
    assert simulated.tables["payments"].schema.field("paid_at").type == pa.timestamp("us", tz="UTC")
