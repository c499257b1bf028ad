"""The audit fires on a planted leak of every kind and stays silent on clean data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import account_state
from recobro_score.errors import ConfigError, ContractError
from recobro_score.features import FeatureSet, Recipe, Where, compute, payment_labels
from recobro_score.features.audit import AuditOptions, audit_leakage
from recobro_score.features.audit.forbidden import forbidden_attributes, forbidden_findings
from recobro_score.features.audit.future import recipe_findings
from recobro_score.simulate import simulate_portfolio
from recobro_score.timeline import Split, Timeline


def _zone(simulation):
    return simulation.scenario.span.time_zone


def _portfolio(simulation, frames=None):
    options = PortfolioOptions(time_zone=_zone(simulation))
    return Portfolio.from_frames(dict(frames or simulation.tables), options=options)


def _pandas(simulation):
    return {name: table.to_pandas() for name, table in simulation.tables.items()}


@pytest.fixture(scope="module")
def simulation(small_simulation):
    return small_simulation


@pytest.fixture(scope="module")
def frames(simulation):
    return _pandas(simulation)


@pytest.fixture(scope="module")
def portfolio(simulation):
    return _portfolio(simulation)


@pytest.fixture(scope="module")
def timeline(simulation):
    return Timeline(tuple(simulation.period_starts[-6:-1]), _zone(simulation))


@pytest.fixture(scope="module")
def pairs(portfolio, timeline):
    """The keys of a user's frame, and a column of noise."""
    matrix = compute(FeatureSet.standard().schema(portfolio.store), portfolio.store, timeline.as_ofs)
    keys = matrix.frame()[["account_id", "as_of"]].assign(as_of=lambda f: f["as_of"].dt.tz_localize("UTC"))
    return keys.assign(noise=np.random.default_rng(0).normal(size=len(keys)))


def _fired(audit, *, severities=("error", "warning")):
    found = audit.frame()
    found = found[found["severity"].isin(severities)]
    return set(zip(found["feature"], found["check"], strict=True))


def _as_of_the_end(frames, table, column, clock):
    """The last value of each account in the whole table."""
    return frames[table].sort_values(clock).groupby("account_id")[column].last().rename(f"{table}_{column}")


# What a user might compute, honestly and not.


def honest(tables, as_of):
    payments, accounts = tables["payments"], tables["accounts"]
    seen = payments[(payments["paid_at"] < as_of) & (payments["known_at"] < as_of)]
    sums = seen.groupby("account_id")["amount"].agg(["sum", "count", "last"])
    product = accounts.set_index("account_id")["product"]
    return product.to_frame().join(sums).reset_index()


def leaking(tables, as_of):
    payments = tables["payments"]
    forgotten = payments.sort_values("paid_at").groupby("account_id")["amount"].last().rename("last_amount")
    one_clock = payments[payments["paid_at"] < as_of].groupby("account_id").size().rename("by_event_clock")
    methods = pd.crosstab(payments["account_id"], payments["method"]).add_prefix("method_")
    base = honest(tables, as_of).set_index("account_id")
    return base.join([forgotten, one_clock, methods]).reset_index()


# Clean data.


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_clean_data_raise_no_alarm(seed):
    simulation = simulate_portfolio(250, seed=seed)
    portfolio = _portfolio(simulation)
    timeline = Timeline(tuple(simulation.period_starts[-6:-1]), _zone(simulation))
    matrix = compute(FeatureSet.standard().schema(portfolio.store), portfolio.store, timeline.as_ofs).frame()
    mine = matrix.add_prefix("my_").rename(columns={"my_account_id": "account_id"})
    mine["as_of"] = mine.pop("my_as_of").dt.tz_localize("UTC")
    audit = audit_leakage(portfolio, timeline, columns=mine, tables=simulation.tables)
    assert _fired(audit) == set()
    assert audit.clean
    assert audit.verdict.startswith("No leak found in ")
    assert audit.features == 2 * len(FeatureSet.standard())


@pytest.mark.parametrize("scenario", ["few_payers", "no_contacts", "all_new"])
def test_poor_data_raise_no_alarm_and_say_what_was_not_checked(scenario):
    simulation = simulate_portfolio(120, seed=5, scenario=scenario)
    timeline = Timeline(tuple(simulation.period_starts[-4:-1]), _zone(simulation))
    audit = audit_leakage(_portfolio(simulation), timeline, tables=simulation.tables)
    assert audit.clean
    if scenario == "all_new":
        assert any("AUC of single features" in reason for reason in audit.skipped)


def test_a_function_that_reads_only_the_past_is_proven_clean(portfolio, timeline, frames):
    audit = audit_leakage(portfolio, timeline, columns=honest, tables=frames)
    assert _fired(audit) == set()
    assert {"sum", "count", "last", "product"} <= set(audit.measured()["feature"])


# (a) Who knows the future.


def test_a_function_that_knows_the_future_is_caught_column_by_column(simulation, timeline, frames):
    payments = frames["payments"]
    days_late = pd.to_timedelta(np.arange(len(payments)) % 10, unit="D")
    tables = frames | {"payments": payments.assign(known_at=payments["known_at"] + days_late)}
    audit = audit_leakage(_portfolio(simulation, tables), timeline, columns=leaking, tables=tables)
    fired = _fired(audit)
    assert ("last_amount", "knows_future") in fired
    assert ("by_event_clock", "knows_future") in fired  # forgets when a late file came in
    assert any(name.startswith("method_") and check == "knows_future" for name, check in fired)
    assert not {name for name, _ in fired} & {"sum", "count", "last", "product"}
    assert not audit.clean
    assert "last_amount" in audit.verdict
    assert audit.frame()["severity"].iloc[0] == "error"


def test_a_column_may_change_its_type_from_one_as_of_to_the_next(portfolio, timeline, frames):
    ids = frames["accounts"][["account_id"]]
    first = pd.Timestamp(timeline.as_ofs[0], unit="us", tz="UTC")

    def moody(tables, as_of):
        early = as_of == first
        words = None if early else "x"
        return ids.assign(n=np.arange(len(ids)) * (1 if early else 1.5), empty=None, word=words)

    audit = audit_leakage(portfolio, timeline, columns=moody, tables=frames)
    assert _fired(audit) == set()
    assert {"n", "empty", "word"} <= set(audit.measured()["feature"])


def test_polars_tables_stay_polars(simulation, portfolio, timeline):
    def by_polars(tables, as_of):
        last = tables["payments"].sort("paid_at").group_by("account_id").agg(pl.last("amount"))
        return tables["accounts"].select("account_id").join(last, on="account_id", how="left")

    tables = {name: pl.from_arrow(table) for name, table in simulation.tables.items()}
    audit = audit_leakage(portfolio, timeline, columns=by_polars, tables=tables)
    assert ("amount", "knows_future") in _fired(audit)


def test_a_function_with_a_will_of_its_own_is_no_leak(portfolio, timeline, frames):
    generator = np.random.default_rng(1)

    def random(tables, as_of):
        ids = tables["accounts"]["account_id"]
        return pd.DataFrame({"account_id": ids, "whim": generator.random(len(ids))})

    audit = audit_leakage(portfolio, timeline, columns=random, tables=frames)
    assert _fired(audit) == {("whim", "not_reproducible")}


def test_a_recipe_that_knew_the_future_would_be_caught(portfolio, timeline):
    as_ofs = np.array(timeline.as_ofs)
    matrix = compute(FeatureSet.standard().schema(portfolio.store), portfolio.store, as_ofs)
    values = matrix.values.copy()
    is_open = account_state(portfolio.store, as_ofs).open
    values[np.flatnonzero(is_open)[0], 5] += 1.0
    values[np.flatnonzero(~is_open)[0], 6] += 1.0
    tampered = replace(matrix, values=values)
    assert list(recipe_findings(matrix, portfolio.store, as_ofs)) == []
    (finding,) = recipe_findings(tampered, portfolio.store, as_ofs)
    assert (finding.feature, finding.check) == (matrix.schema.names[5], "knows_future")


@pytest.mark.parametrize(
    ("table", "column", "clock"), [("payments", "amount", "paid_at"), ("balances", "balance", "known_at")]
)
def test_a_frame_that_holds_values_of_later_is_caught(
    portfolio, timeline, frames, pairs, table, column, clock
):
    last = _as_of_the_end(frames, table, column, clock)
    mine = pairs.merge(last.reset_index(), on="account_id", how="left")
    when = mine["account_id"].map(frames["payments"].groupby("account_id")["paid_at"].max())
    mine["days_since"] = (mine["as_of"] - when).dt.total_seconds() / 86_400
    mine["scaled"] = -0.001 * mine[last.name]
    audit = audit_leakage(portfolio, timeline, columns=mine)
    caught = {feature for feature, check in _fired(audit) if check == "future_value"}
    assert caught == {last.name, "scaled", "days_since"}


# (b) A single feature that is too good.


def test_a_feature_that_tells_the_label_is_suspicious(portfolio, timeline, pairs):
    labels = payment_labels(
        portfolio.store, timeline.as_ofs, share=0.5, horizon_days=30, observed_until=timeline.as_ofs[-1] * 2
    )
    told = np.nan_to_num(labels.value)
    swapped = np.where(np.random.default_rng(2).random(len(told)) < 0.02, 1 - told, told)
    mine = pairs.assign(number=3 - 2 * swapped, word=np.where(swapped == 1, "yes", "no"), hidden=None)
    mine["missing"] = mine["noise"].where(swapped == 1)
    mine["both_ends"] = np.where(swapped == 1, np.sign(mine["noise"]) * 9, mine["noise"].clip(-3, 3))
    audit = audit_leakage(portfolio, timeline, columns=mine, labels=labels)
    suspicious = {feature for feature, check in _fired(audit) if check == "single_auc"}
    assert suspicious == {"number", "word", "missing", "both_ends"}
    noise = audit.measured().query("check == 'single_auc' and feature == 'noise'")
    assert list(noise["against"]) == ["label", "label of the last snapshot"]
    assert ((noise["value"] - 0.5).abs() < 4 * noise["se"]).all()


def test_a_leak_that_shows_only_at_the_last_snapshot_is_suspicious(portfolio, timeline, pairs):
    labels = payment_labels(
        portfolio.store, timeline.as_ofs, share=0.5, horizon_days=30, observed_until=timeline.as_ofs[-1] * 2
    )
    late = np.where(labels.as_of == timeline.as_ofs[-1], 4 * np.nan_to_num(labels.value), 0.0)
    audit = audit_leakage(
        portfolio, timeline, columns=pairs.assign(late=pairs["noise"] + late), labels=labels
    )
    assert _fired(audit) == {("late", "single_auc")}


# (c) Windows that overlap.


def test_a_declared_window_past_the_as_of_overlaps_the_label(portfolio, timeline, pairs):
    options = AuditOptions(windows={"noise": (-30, 5), "fine": (-30, 0)})
    audit = audit_leakage(portfolio, timeline, columns=pairs, options=options)
    assert _fired(audit) == {("noise", "overlap")}


def test_parts_of_a_split_must_leave_room_for_horizon_and_lag(simulation, portfolio):
    starts = simulation.period_starts
    touching = Split(starts[-7:-4], (starts[-3],), (starts[-2],), horizon_days=30)
    apart = Split(starts[-8:-5], (starts[-4],), (starts[-2],), horizon_days=30, embargo_days=45)
    assert ("calibration/test", "overlap") in _fired(audit_leakage(portfolio, touching))
    assert _fired(audit_leakage(portfolio, apart)) == set()


def test_close_snapshots_are_only_noted(simulation, portfolio):
    weekly = Timeline(tuple(simulation.period_starts[-3] + 7 * week * US_PER_DAY for week in range(3)))
    audit = audit_leakage(portfolio, weekly)
    assert audit.clean
    assert ("timeline", "overlap") in _fired(audit, severities=("note",))


# (d) State without a date.


def test_undated_state_is_caught_by_its_value_and_by_its_name(simulation, timeline, frames):
    last = _as_of_the_end(frames, "balances", "balance", "known_at").rename("importe")
    status = np.where(np.arange(len(frames["accounts"])) % 2, "open", "closed")
    accounts = frames["accounts"].merge(last.reset_index(), on="account_id", how="left")
    accounts = accounts.assign(estado=status, saldo_inicial=1.0, branch=status)
    tables = frames | {"accounts": accounts}
    audit = audit_leakage(_portfolio(simulation, tables), timeline, tables=tables)
    assert _fired(audit) == {("accounts.importe", "future_value"), ("accounts.estado", "undated")}


def test_a_principal_that_is_really_the_balance_is_caught(simulation, timeline, frames):
    last = _as_of_the_end(frames, "balances", "balance", "known_at").rename("principal")
    accounts = frames["accounts"].drop(columns="principal").merge(last.reset_index(), on="account_id")
    audit = audit_leakage(_portfolio(simulation, frames | {"accounts": accounts}), timeline)
    assert ("accounts.principal", "future_value") in _fired(audit)


def test_what_differs_from_an_earlier_delivery_is_not_static(portfolio, timeline, frames):
    accounts = frames["accounts"]
    earlier = frames | {"accounts": accounts.assign(credit_limit=accounts["credit_limit"] * 0.9)[::-1]}
    audit = audit_leakage(portfolio, timeline, tables=frames, earlier=earlier)
    assert _fired(audit) == {("accounts.credit_limit", "undated")}


def test_a_state_that_is_the_same_at_every_as_of_is_undated(portfolio, timeline, pairs):
    by_account = pairs.groupby("account_id")["noise"].transform("first")
    audit = audit_leakage(
        portfolio, timeline, columns=pairs.assign(current_score=by_account, height=by_account)
    )
    assert _fired(audit) == {("current_score", "undated")}


# (e) What no feature may speak of.


def test_forbidden_names_are_refused_and_others_are_not(portfolio, timeline, pairs):
    names = ["Edad", "gender", "motivo_no_pago", "reason_for_default", "etnia", "health_flag", "birth_year"]
    innocent = ["account_age", "passage", "message_count", "sextile", "average", "reason_code", "manage"]
    mine = pairs.assign(**dict.fromkeys(names + innocent, pairs["noise"]))
    audit = audit_leakage(portfolio, timeline, columns=mine)
    assert _fired(audit) == {(name, "forbidden") for name in names}


SPEAKING = {
    "age": ("age", "Edad", "fecha_nacimiento", "birth_year"),
    "sex": ("sexo", "gender", "is_female"),
    "health": ("health_flag", "enfermedad", "disabled", "medico"),
    "vulnerability": ("vulnerable", "vulnerabilidad_2025"),
    "ethnicity": ("ethnic_group", "raza", "nationality"),
    "belief": ("religion", "political_view", "sindicato"),
    "reason_for_default": ("reason_for_default", "motivo_no_pago", "causa_impago", "motivo_de_mora"),
}
"""Names that speak of each forbidden attribute of Colombia."""


def test_every_forbidden_attribute_is_caught_by_its_names_and_by_no_other(portfolio):
    assert set(SPEAKING) == {attribute.id for attribute in forbidden_attributes()}
    for attribute, names in SPEAKING.items():
        texts = {name: name for name in (*names, "balance", "days_since_payment", "reason_code")}
        found = list(forbidden_findings(texts, portfolio.store, {}))
        assert {finding.feature for finding in found} == set(names)
        assert all(f"speaks of {attribute}," in finding.evidence for finding in found)
        assert {finding.severity for finding in found} == {"error"}


def test_a_recipe_is_refused_for_what_it_filters_on(portfolio, timeline):
    ill = Recipe("calls_45d", "contacts", "count", "contact_effort", where=(Where("outcome", ("illness",)),))
    fine = Recipe("calls_50d", "contacts", "count", "contact_effort", where=(Where("outcome", ("busy",)),))
    audit = audit_leakage(portfolio, timeline, features=FeatureSet((ill, fine)))
    assert _fired(audit) == {("calls_45d", "forbidden")}


@pytest.mark.parametrize(("country", "fires"), [("CO", True), ("CL", False)])
def test_what_goes_with_an_asked_reason_is_a_proxy_where_asking_is_forbidden(
    simulation, timeline, frames, pairs, country, fires
):
    debtors = frames["accounts"].set_index("account_id")["debtor_id"]
    asked = sorted(set(debtors))[::3]
    facts = pd.DataFrame(
        {"debtor_id": asked, "kind": "reason_for_default", "value": "job", "from_at": "2020-01-01"}
    )
    tables = frames | {"facts": facts, "accounts": frames["accounts"].assign(country=country)}
    told = pairs["account_id"].map(debtors).isin(asked)
    mine = pairs.assign(calls=np.where(pairs["noise"].abs() < 1.5, told, False), shoes=pairs["noise"] > 0)
    audit = audit_leakage(_portfolio(simulation, tables), timeline, columns=mine)
    assert _fired(audit) == ({("calls", "proxy")} if fires else set())
    if fires:
        against = audit.measured().query("check == 'proxy' and feature == 'calls'").nlargest(1, "value")
        assert against["against"].item() == "reason_for_default (facts)"


def test_the_asked_reason_is_forbidden_where_asking_is(simulation, timeline, frames, pairs):
    chile = frames | {"accounts": frames["accounts"].assign(country="CL")}
    audit = audit_leakage(
        _portfolio(simulation, chile), timeline, columns=pairs.assign(motivo_mora=pairs["noise"])
    )
    assert _fired(audit) == set()


def test_a_lifted_ban_is_noted_with_its_reason(portfolio, timeline, pairs):
    options = AuditOptions(lifted={"age": "pension offers, approved 2025-03"})
    audit = audit_leakage(portfolio, timeline, columns=pairs.assign(edad=pairs["noise"]), options=options)
    assert audit.clean
    (evidence,) = audit.frame().query("check == 'forbidden'")["evidence"]
    assert "pension offers" in evidence


@pytest.mark.parametrize(
    ("lifted", "told"),
    [
        ({"age": " "}, "stated reason"),
        ({"agee": "why"}, "Did you mean 'age'"),
        ({"reason_for_default": "why"}, "cannot be lifted"),
    ],
)
def test_a_ban_cannot_be_lifted_without_right_and_reason(portfolio, timeline, lifted, told):
    with pytest.raises(ConfigError, match=told):
        audit_leakage(portfolio, timeline, options=AuditOptions(lifted=lifted))


def test_proxies_are_reported_by_their_association(simulation, portfolio, timeline, frames, pairs):
    owner = frames["accounts"].merge(frames["debtors"], on="debtor_id").set_index("account_id")
    year = pairs["account_id"].map(owner["birth_year"])
    sex = frames["debtors"].assign(sexo=np.where(np.arange(len(frames["debtors"])) % 2, "f", "m"))
    hers = pairs["account_id"].map(
        owner[["debtor_id"]].merge(sex, on="debtor_id").set_index(owner.index)["sexo"]
    )
    mine = pairs.assign(
        tenure=year + 8 * pairs["noise"],
        generation=pd.cut(year, 4).astype(str),
        shop=np.where(pairs["noise"].abs() < 1.5, hers, "x"),
    )
    tables = frames | {"debtors": sex}
    audit = audit_leakage(_portfolio(simulation, tables), timeline, columns=mine, tables=tables)
    assert _fired(audit) == {("tenure", "proxy"), ("generation", "proxy"), ("shop", "proxy")}
    against = audit.measured().query("check == 'proxy' and feature == 'shop'").nlargest(1, "value")
    assert against["against"].item() == "sex (debtors.sexo)"


# Two clocks.


def test_rows_without_a_known_clock_in_a_late_source_count_too_early(simulation, timeline, frames):
    payments = frames["payments"]
    late = payments["known_at"] + pd.Timedelta(days=20)
    some = np.arange(len(payments)) % 3 == 0
    tables = frames | {"payments": payments.assign(known_at=late.where(~some))}
    options = AuditOptions(observed_until=simulation.observed_until)
    audit = audit_leakage(_portfolio(simulation, tables), timeline, options=options)
    assert ("payments", "late_source") in _fired(audit)
    assert ("labels", "immature_labels") in _fired(audit)


def test_an_undeclared_lag_of_dated_rows_is_only_noted(simulation, timeline, frames):
    payments = frames["payments"]
    tables = frames | {"payments": payments.assign(known_at=payments["known_at"] + pd.Timedelta(days=3))}
    audit = audit_leakage(_portfolio(simulation, tables), Timeline(timeline.as_ofs[:3], timeline.time_zone))
    assert audit.clean
    assert ("payments", "late_source") in _fired(audit, severities=("note",))


# The result, and what cannot be audited.


def test_the_result_reads_as_frame_sentence_and_page(portfolio, timeline, pairs):
    audit = audit_leakage(portfolio, timeline, columns=pairs.assign(edad=pairs["noise"]))
    columns = ["feature", "check", "severity", "evidence", "value", "threshold", "advice"]
    assert list(audit.frame().columns) == columns
    assert list(audit.measured().columns) == ["feature", "check", "against", "value", "se", "rows"]
    assert audit.verdict.startswith(
        f"1 error in {len(FeatureSet.standard()) + 2} features of 400 accounts at 5 snapshots: edad."
    )
    assert audit.verdict in audit.summary()
    assert "edad" in audit._repr_html_()
    assert repr(audit) == audit.summary()


def test_a_sample_of_accounts_gives_the_audit_of_these_accounts(portfolio, timeline, pairs):
    labels = payment_labels(
        portfolio.store, timeline.as_ofs, share=0.5, horizon_days=30, observed_until=timeline.as_ofs[-1] * 2
    )
    options = AuditOptions(accounts=150)
    mine = pairs.assign(told=labels.value)
    audit = audit_leakage(portfolio, timeline, columns=mine, labels=labels, options=options)
    assert 100 < audit.accounts < 200
    assert _fired(audit) == {("told", "single_auc")}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"x": [1.0]}, "account_id and as_of must be there"),
        ({"account_id": ["nobody"], "as_of": ["2025-01-01"], "x": [1.0]}, "no row names"),
    ],
)
def test_columns_that_name_nobody_are_refused(portfolio, timeline, columns, told):
    with pytest.raises(ContractError, match=told):
        audit_leakage(portfolio, timeline, columns=columns)


def test_columns_given_twice_are_refused(portfolio, timeline, pairs):
    with pytest.raises(ContractError, match="given twice"):
        audit_leakage(portfolio, timeline, columns=pd.concat([pairs, pairs[:1]]))


def test_tables_are_frames_and_a_function_names_its_accounts(portfolio, timeline, frames):
    with pytest.raises(ConfigError, match="a mapping of frames"):
        audit_leakage(portfolio, timeline, columns=honest, tables="data/sample")

    def nameless(tables, as_of):
        return honest(tables, as_of).set_index("account_id")

    with pytest.raises(ContractError, match="an index is none"):
        audit_leakage(portfolio, timeline, columns=nameless, tables=frames)


def test_a_function_needs_tables_and_labels_need_all_accounts(portfolio, timeline):
    with pytest.raises(ConfigError, match="needs the raw tables"):
        audit_leakage(portfolio, timeline, columns=honest)
    labels = payment_labels(
        portfolio.store, timeline.as_ofs[:2], share=0.5, horizon_days=30, observed_until=timeline.as_ofs[-1]
    )
    with pytest.raises(ConfigError, match="labels must be of all accounts"):
        audit_leakage(portfolio, timeline, labels=labels)
