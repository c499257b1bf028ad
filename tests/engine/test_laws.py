"""The laws of the chain: nothing leaks, nothing is lost, and how it is run changes no bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score import engine
from recobro_score.bundle import Bundle
from recobro_score.calendars import US_PER_DAY, as_datetime
from recobro_score.data.contracts import CONTRACTS

CLOCKED = tuple(
    name for name, contract in CONTRACTS.items() if contract.clock and name not in ("accounts", "instalments")
)


def same_scores(one: pa.Table, other: pa.Table) -> bool:
    return one.equals(other, check_metadata=False)


def score_table(bundle, portfolio, as_of) -> pa.Table:
    return engine.score(bundle, portfolio.store, as_of, language="en").table()


@pytest.fixture(scope="module")
def scored(bundle, portfolio, as_of) -> pa.Table:
    return score_table(bundle, portfolio, as_of)


def before(table: pa.Table, name: str, as_of: int) -> pa.Table:
    """Return the rows of an event table that happened and were known before an instant."""
    limit = pa.scalar(as_datetime(as_of), pa.timestamp("us", "UTC"))
    seen = pc.less(table[CONTRACTS[name].clock], limit)
    if "known_at" in table.column_names:
        seen = pc.and_(seen, pc.fill_null(pc.less(table["known_at"], limit), fill_value=True))
    return table.filter(seen)


def test_removing_everything_from_the_as_of_on_changes_no_score(bundle, tables, build, as_of, scored):
    cut = {name: before(table, name, as_of) if name in CLOCKED else table for name, table in tables.items()}
    removed = sum(tables[name].num_rows - cut[name].num_rows for name in tables)
    assert removed > 500
    assert same_scores(score_table(bundle, build(cut), as_of), scored)


@settings(max_examples=12)
@given(data=st.data())
def test_adding_events_at_or_after_the_as_of_changes_no_score(data, bundle, tables, build, as_of, scored):
    name = data.draw(st.sampled_from([name for name in CLOCKED if name in tables and tables[name].num_rows]))
    table = tables[name]
    rows = data.draw(st.lists(st.integers(0, table.num_rows - 1), min_size=1, max_size=5))
    later = data.draw(st.integers(0, 40)) * US_PER_DAY // 2
    known_only = data.draw(st.booleans()) and "known_at" in table.column_names
    extra = table.take(rows)
    shifted = pa.array([as_of + later] * len(rows)).cast(pa.timestamp("us", "UTC"))
    moved = ["known_at"] if known_only else [CONTRACTS[name].clock]
    for column in moved:
        position = extra.column_names.index(column)
        extra = extra.set_column(position, column, shifted.cast(extra.schema.field(column).type))
    if not known_only and "known_at" in extra.column_names:
        position = extra.column_names.index("known_at")
        extra = extra.set_column(position, "known_at", shifted.cast(extra.schema.field("known_at").type))
    unique = CONTRACTS[name].unique
    if unique in extra.column_names:
        fresh = pa.array([f"new-{number}" for number in range(len(rows))])
        extra = extra.set_column(extra.column_names.index(unique), unique, fresh)
    changed = {**tables, name: pa.concat_tables([table, extra])}
    assert same_scores(score_table(bundle, build(changed), as_of), scored)


def test_order_of_rows_and_columns_changes_nothing(bundle, tables, build, as_of, night, portfolio):
    rng = np.random.default_rng(5)
    shuffled = {}
    for name, table in tables.items():
        columns = rng.permutation(table.column_names).tolist()
        shuffled[name] = table.take(rng.permutation(table.num_rows)).select(columns)
    one = engine.run(bundle, portfolio, as_of, options=night)
    other = engine.run(bundle, build(shuffled), as_of, options=night)
    assert same_scores(one.scores, other.scores)
    assert one.decisions.equals(other.decisions)


@pytest.mark.parametrize("change", [{"buckets": 7}, {"threads": 2}, {"buckets": 3, "threads": 2}])
def test_buckets_and_threads_change_nothing(bundle, portfolio, as_of, night, change):
    one = engine.run(bundle, portfolio, as_of, options=night)
    other = engine.run(bundle, portfolio, as_of, options=replace(night, **change))
    assert same_scores(one.scores, other.scores)
    assert one.decisions.equals(other.decisions)


@settings(max_examples=25)
@given(number=st.integers(0, 399))
def test_one_account_alone_equals_the_batch_bit_for_bit(number, bundle, portfolio, as_of, scored):
    alone = engine.score(bundle, portfolio.store.take(np.array([number])), as_of, language="en")
    assert same_scores(alone.table(), scored.slice(number, 1).combine_chunks())


def test_every_account_appears_exactly_once(bundle, portfolio, as_of, night):
    outputs = engine.run(bundle, portfolio, as_of, options=night)
    assert outputs.decisions["account_id"].to_pylist() == portfolio.store.account_ids.to_pylist()
    assert outputs.scores["account_id"].to_pylist() == portfolio.store.account_ids.to_pylist()
    assert pc.count_distinct(outputs.decisions["decision_id"]).as_py() == portfolio.n_accounts


def test_capacities_hold_and_the_bound_proves_the_plan(bundle, portfolio, as_of, night):
    outputs = engine.run(bundle, portfolio, as_of, options=night)
    plan = outputs.plan()
    assert plan["pools"]["call"]["used"] == 8, "the scarce pool is used up"
    for name, capacity in night.capacities.items():
        assert outputs.decisions.filter(pc.equal(outputs.decisions["pool"], name)).num_rows <= capacity
    assert 0.0 < plan["value"] <= plan["bound"] * (1 + 1e-12)


def test_contributions_add_up_to_the_margin(bundle, portfolio, as_of):
    scored = engine.score(bundle, portfolio.store, as_of)
    total = scored.contributions.values.sum(axis=1) + scored.contributions.bias
    limit = 1e-6 * np.maximum(1.0, np.abs(scored.scores.margin))
    assert (np.abs(total - scored.scores.margin) <= limit).all()


def test_a_saved_and_loaded_bundle_gives_the_same_bytes(bundle, portfolio, as_of, night, tmp_path):
    again = Bundle.load(bundle.save(tmp_path / "copy"))
    assert again.bundle_id == bundle.bundle_id
    one = engine.run(bundle, portfolio, as_of, options=night)
    other = engine.run(again, portfolio, as_of, options=night)
    assert same_scores(one.scores, other.scores)
    assert one.decisions.equals(other.decisions)


def contacted(outputs) -> set[str]:
    chosen = outputs.decisions.filter(pc.is_valid(outputs.decisions["slot_start"]))
    return set(chosen["account_id"].to_pylist())


MALFORMED = {
    "a good hold": {},
    "no date": {"from_at": None},
    "an unreadable date": {"from_at": "soon"},
    "no kind": {"kind": None},
    "an end before its start": {"until_at": "1999-01-01"},
    "an unreadable end": {"until_at": "never"},
}


@pytest.mark.parametrize("fault", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_held_debtor_is_never_contacted_also_when_the_row_is_malformed(
    fault, bundle, tables, build, as_of, night
):
    free = {name: table for name, table in tables.items() if name != "holds"}
    plenty = replace(night, capacities={})
    reached = engine.run(bundle, build(free), as_of, options=plenty)
    debtors = set(
        reached.decisions.filter(pc.is_valid(reached.decisions["slot_start"]))["debtor_id"].to_pylist()[:30]
    )
    assert len(debtors) == 30
    rows = [
        {"debtor_id": debtor, "kind": "dispute", "from_at": "2020-01-01", "until_at": None, **fault}
        for debtor in sorted(debtors)
    ]
    held = engine.run(bundle, build({**free, "holds": rows}), as_of, options=plenty)
    still = held.decisions.filter(pc.is_valid(held.decisions["slot_start"]))["debtor_id"].to_pylist()
    assert not debtors & set(still)
    assert len(contacted(held)) > 0


def test_a_declared_safety_table_that_is_missing_stops_all_contact(bundle, tables, build, as_of, night):
    without = {name: table for name, table in tables.items() if name != "holds"}
    outputs = engine.run(bundle, build(without, declared=("holds",)), as_of, options=night)
    assert contacted(outputs) == set()
    assert any("missing:holds" in warning for warning in outputs.warnings)
    assert outputs.decisions.num_rows == outputs.scores.num_rows


def test_a_stale_safety_table_stops_all_contact(bundle, tables, build, as_of, night):
    outputs = engine.run(
        bundle, build(tables, max_age_days={"contacts": 0.001}), as_of + 90 * US_PER_DAY, options=night
    )
    assert contacted(outputs) == set()
    assert any("stale:contacts" in warning for warning in outputs.warnings)
