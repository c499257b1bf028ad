"""The compiled scan agrees with plain loops on every aggregate, filter, window and status."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.features import (
    Between,
    FeatureSet,
    Months,
    Present,
    PromiseRule,
    Where,
    Window,
    compute,
)
from recobro_score.features.readable import EVENT_TABLES, STATUS
from recobro_score.features.recipes import AGGREGATES, COUNTING, VALUED
from recobro_score.features.schema import FeatureSchema
from tests.features.every_recipe import EVERY
from tests.features.oracle import Oracle
from tests.features.random_recipes import feature_sets
from tests.features.stores import AS_OF, EARLIER, event_rows, store_of

DEBTOR_OF = [1, 0, 1]
DIGITS = [2, 0, 3]
EXACT = {"count", "distinct", "sum", "min", "max", "last", "first", "mode", "streak", "longest_streak"}


def schema_of(features, store):
    """The schema of a store whose tables had all been seen at training."""
    learned = features.schema(store)
    return FeatureSchema(learned.recipes, learned.promises, tuple(EVENT_TABLES), learned.vocabularies)


def assert_agrees(matrix, oracle, names):
    whole = matrix.frame()
    frame = {name: whole[name].tolist() for name in names}
    for row, (account, as_of) in enumerate(zip(matrix.account, matrix.as_of, strict=True)):
        for name in names:
            found, expected = frame[name][row], oracle.value(name, int(account), int(as_of))
            recipe = oracle.recipes[name]
            if isinstance(expected, str) or found is None:
                agrees = found == expected or (found is None and math.isnan(expected))
            elif math.isnan(found) or math.isnan(expected):
                agrees = math.isnan(found) and math.isnan(expected)
            elif recipe.aggregate in EXACT:
                agrees = found == expected
            else:
                agrees = math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
            assert agrees, f"{name} of account {account}: {found!r}, expected {expected!r}"


@settings(max_examples=30)
@given(tables=event_rows(3, 2))
def test_every_recipe_agrees_with_plain_loops(tables):
    store = store_of(tables, n_accounts=3, debtor_of=DEBTOR_OF, digits=DIGITS)
    matrix = compute(schema_of(EVERY, store), store, [EARLIER, AS_OF])
    oracle = Oracle(tables, EVERY.recipes, debtor_of=DEBTOR_OF, digits=DIGITS)
    assert_agrees(matrix, oracle, EVERY.names)


@settings(max_examples=80)
@given(tables=event_rows(3, 2), features=feature_sets)
def test_any_recipe_agrees_with_plain_loops(tables, features):
    store = store_of(tables, n_accounts=3, debtor_of=DEBTOR_OF, digits=DIGITS)
    matrix = compute(schema_of(features, store), store, [EARLIER, AS_OF])
    oracle = Oracle(tables, features.recipes, debtor_of=DEBTOR_OF, digits=DIGITS)
    assert_agrees(matrix, oracle, features.names)


@settings(max_examples=15)
@given(
    tables=event_rows(2, 1),
    zone=st.sampled_from(("Europe/Madrid", "America/Santiago", "Asia/Taipei")),
    grace=st.sampled_from((0, 3, 30)),
    tolerance=st.sampled_from(("1", "0.9", "0.125")),
)
def test_months_follow_the_portfolios_zone_and_promises_their_rule(tables, zone, grace, tolerance):
    rule = PromiseRule(grace_days=grace, tolerance=float(tolerance))
    features = FeatureSet(EVERY.recipes, rule)
    store = store_of(tables, n_accounts=2, debtor_of=[0, 0], time_zone=zone)
    oracle = Oracle(
        tables,
        EVERY.recipes,
        debtor_of=[0, 0],
        digits=[2, 2],
        time_zone=zone,
        grace_days=grace,
        tolerance=tolerance,
    )
    names = [r.name for r in EVERY.recipes if "month" in r.name or r.table == "promises"]
    assert_agrees(compute(schema_of(features, store), store, [AS_OF]), oracle, names)


@settings(max_examples=15)
@given(tables=event_rows(3, 2))
def test_the_standard_set_agrees_with_plain_loops(tables):
    store = store_of(tables, n_accounts=3, debtor_of=DEBTOR_OF)
    standard = FeatureSet.extended()
    plain = {r.name for r in standard.recipes if r.table in EVENT_TABLES}
    shown = [r for r in standard.recipes if not r.hidden and r.aggregate != "calendar"]
    names = [r.name for r in shown if plain.issuperset(r.of or (r.name,))]
    oracle = Oracle(tables, standard.recipes, debtor_of=DEBTOR_OF, digits=[2, 2, 2])
    assert_agrees(compute(schema_of(standard, store), store, [EARLIER, AS_OF]), oracle, names)
    assert len(names) > 150


def test_the_oracle_meets_every_aggregate_filter_window_and_status():
    recipes = [recipe for recipe in EVERY.recipes if recipe.table in EVENT_TABLES]
    assert {recipe.aggregate for recipe in EVERY.recipes} >= set(AGGREGATES) - {"state", "static", "calendar"}
    assert {r.aggregate for r in recipes if r.by_debtor} >= {*COUNTING, *VALUED} - {"until_first"}
    conditions = [(r.table, one) for r in recipes for one in (*r.where, *r.run)]
    assert {type(one) for _, one in conditions} == {Where, Between, Present}
    filtered = {one.column for _, one in conditions}
    asked = {"channel", "outcome", "direction", "local_minute", "local_weekday", "method", "amount", "agent"}
    assert filtered >= asked
    judged = {(table, word) for table, one in conditions if one.column == STATUS for word in one.values}
    assert judged == {(name, word) for name, table in EVENT_TABLES.items() for word in table.statuses}
    read = {(r.table, r.value) for r in recipes}
    assert read >= {(name, column) for name, table in EVENT_TABLES.items() for column in table.judged}
    spans = [r.window for r in recipes if isinstance(r.window, Window)]
    assert {(w.days_from is None, w.days_to is None) for w in spans} >= {(True, False), (False, True)}
    assert {type(r.window) for r in recipes} == {Window, Months, type(None)}
    assert {r.table for r in recipes} == set(EVENT_TABLES)


def test_large_sums_of_money_are_exact():
    huge = 2**52 + 1
    rows = [{"at": AS_OF - 1 - i, "amount": huge if i == 0 else 1} for i in range(3)]
    store = store_of({"payments": rows}, digits=[0])
    matrix = compute(FeatureSet.standard().schema(store), store, np.array([AS_OF]))
    assert matrix.column("paid_7d")[0] == float(huge + 2)
