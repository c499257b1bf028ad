"""Recipes are data: they survive JSON, and everything wrong with a set is said at once."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.data.contracts import CONTRACTS
from recobro_score.errors import ConfigError
from recobro_score.features import (
    CONCEPTS,
    Between,
    FeatureSet,
    Months,
    PromiseRule,
    Recipe,
    Where,
    Window,
    compute,
)
from recobro_score.features.readable import EVENT_TABLES, STATIC
from tests.features.every_recipe import EVERY
from tests.features.stores import AS_OF, store_of

STANDARD = FeatureSet.standard()


@pytest.mark.parametrize("features", [STANDARD, EVERY, FeatureSet(EVERY.recipes, PromiseRule(5, 0.9))])
def test_a_set_survives_json(features):
    assert FeatureSet.from_json(features.to_json()) == features
    assert FeatureSet.from_json(features.to_json()).to_json() == features.to_json()


_ends = st.one_of(st.none(), st.floats(-400, 0).map(lambda days: days - 1))
_windows = st.one_of(
    st.none(),
    st.builds(Window, _ends, st.just(0.0)),
    st.builds(Months, st.integers(-12, -2), st.integers(-1, 0)),
)
_conditions = st.one_of(
    st.builds(Where, st.just("channel"), st.lists(st.text(max_size=5), min_size=1).map(tuple)),
    st.builds(Between, st.just("local_minute"), st.floats(0, 700), st.floats(701, 1440)),
)


@given(window=_windows, where=st.lists(_conditions, max_size=3).map(tuple), label=st.text(max_size=20))
def test_any_recipe_survives_json(window, where, label):
    recipe = Recipe("it", "contacts", "count", "contact_effort", window=window, where=where,
                    labels=(("en", label), ("es", label)), monotone=-1, unit="count")  # fmt: skip
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert FeatureSet.from_json(FeatureSet((recipe,)).to_json()).recipes == (recipe,)


def test_recipes_are_frozen_and_hold_no_callables():
    for recipe in STANDARD.recipes:
        assert not any(callable(value) for value in dataclasses.astuple(recipe))
        with pytest.raises(dataclasses.FrozenInstanceError):
            recipe.name = "other"


def test_the_standard_set_has_plain_labels_in_all_languages_and_covers_every_concept():
    shown = [recipe for recipe in STANDARD.recipes if not recipe.hidden]
    assert {recipe.concept for recipe in shown} == set(CONCEPTS)
    assert len(CONCEPTS) <= 16
    for language in ("en", "es", "pt"):
        labels = [recipe.label(language) for recipe in shown]
        assert len(set(labels)) == len(labels)
        assert all(0 < len(label) <= 60 for label in labels)
        assert not any("_" in label for label in labels)


def test_describe_lists_every_feature_once():
    frame = STANDARD.describe()
    assert tuple(frame["name"]) == STANDARD.names
    assert len(STANDARD) >= 150
    assert {"concept", "window", "unit", "monotone", "label_en", "label_es", "label_pt"} <= set(frame.columns)
    assert frame.set_index("name").loc["paid_month_2", "window"] == "[-2, -1) months"


def test_describe_tells_all_that_a_recipe_says():
    """Two features that are described alike would have to be the same."""
    frame = FeatureSet.extended().describe().set_index("name")
    said = frame.drop(columns=[name for name in frame.columns if name.startswith("label_")])
    assert not said.astype(str).duplicated().any()
    assert frame.loc["instalments_paid_in_a_row", "run"] == "status = paid"
    assert frame.loc["attempts_decayed_14d", "half_life"] == 14.0
    operands = FeatureSet.extended().describe(hidden=True).set_index("name")
    assert operands.loc["debtor_paid_30d", "by_debtor"]
    made_of = {name for names in frame["of"] for name in names.split(", ") if name}
    assert made_of <= {*frame.index, *operands.index}


def test_no_standard_feature_holds_a_model_to_a_direction_until_somebody_signs_for_it():
    assert set(FeatureSet.extended().describe()["monotone"]) == {0}
    held = STANDARD.held_to({"dpd": -1, "paid_90d": 1})
    assert held.describe().set_index("name")["monotone"].loc[["dpd", "paid_90d", "paid_30d"]].tolist() == [
        -1,
        1,
        0,
    ]
    assert held.schema(store_of()).monotone[STANDARD.names.index("dpd")] == -1
    assert held.held_to({"dpd": 0, "paid_90d": 0}) == STANDARD
    with pytest.raises(ConfigError, match="Did you mean 'dpd'"):
        STANDARD.held_to({"dpdd": -1})
    with pytest.raises(ConfigError, match="monotone must be -1, 0 or 1"):
        STANDARD.held_to({"dpd": -2})


def test_readable_columns_are_columns_of_the_contracts():
    for name, table in EVENT_TABLES.items():
        computed = {
            "recovery",
            "local_minute",
            "local_weekday",
            "local_day",
            "term",
            "discount",
            *table.judged,
        }
        assert set(table.columns) - computed <= set(CONTRACTS[name].names)
        assert set(table.dates) <= set(CONTRACTS[name].of_kind("later"))
    for name, columns in STATIC.items():
        assert set(columns) <= set(CONTRACTS[name].names)


def _recipe(**fields):
    given = {"name": "it", "table": "payments", "aggregate": "count", "concept": "payment_amounts"}
    return Recipe(**{**given, **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "Not A Name"}, "lower-case"),
        ({"concept": "payment_amount"}, "Did you mean 'payment_amounts'?"),
        ({"monotone": 2}, "monotone must be -1, 0 or 1"),
        ({"aggregate": "cuont"}, "Did you mean 'count'?"),
        ({"table": "payment"}, "Did you mean 'payments'?"),
        ({"table": "facts"}, "vulnerability and health"),
        ({"table": "holds"}, "may not be read"),
        ({"table": "debtors", "aggregate": "static", "value": "birth_year"}, "age is no feature"),
        ({"table": "accounts", "aggregate": "static", "value": "produkt"}, "Did you mean 'product'?"),
        ({"table": "payments", "aggregate": "static", "value": "amount"}, "reads accounts or debtors"),
        (
            {"table": "state", "aggregate": "state", "value": "exposure", "window": Window(-1, 0)},
            "as it stood earlier",
        ),
        ({"value": "amount"}, "count takes no value"),
        ({"aggregate": "sum"}, "no value given"),
        ({"aggregate": "sum", "value": "amuont"}, "Did you mean 'amount'?"),
        ({"aggregate": "sum", "value": "kind"}, "is a category"),
        ({"aggregate": "distinct", "value": "amount"}, "is a money column"),
        ({"window": Window(0, 30)}, "looks ahead"),
        ({"window": Window(-30, None)}, "looks ahead"),
        ({"window": Months(-1, 1)}, "looks ahead"),
        ({"window": Window(-30, -60)}, "is empty"),
        ({"window": Window(float("-inf"), 0)}, "None leaves an end open"),
        ({"aggregate": "until_first"}, "needs a window ahead"),
        ({"where": (Where("knid", ("payment",)),)}, "Did you mean 'kind'?"),
        ({"where": (Where("kind", ("paymnet",)),)}, "Did you mean 'payment'?"),
        ({"where": (Where("kind", ()),)}, "names no word"),
        ({"where": (Where("status", ("kept",)),)}, "no judged status"),
        ({"where": (Between("method", 1, 2),)}, "no number payments.method"),
        ({"where": (Between("amount", 2, 1),)}, "no number lies in"),
        ({"table": "promises", "where": (Where("status", ("keept",)),)}, "Did you mean 'kept'?"),
        ({"table": "plans", "where": (Where("end_reason", ("broken",)),)}, 'add Where("status", ("ended",))'),
        ({"table": "plans", "aggregate": "last", "value": "accepted_at"}, "no column plans.accepted_at"),
        ({"of": ("a", "b")}, "`of` belongs to"),
        ({"table": "derived", "aggregate": "share", "of": ("it",)}, "is of two recipes"),
        ({"table": "derived", "aggregate": "share", "of": ("it", "it")}, "made of itself"),
        ({"table": "derived", "aggregate": "share", "of": ("itt", "it")}, "Did you mean 'it'?"),
        ({"aggregate": "streak"}, "`run` says what goes on"),
        ({"run": (Where("kind", ("payment",)),)}, "`run` says what goes on"),
        ({"aggregate": "decayed_count"}, "half_life of more than 0 days"),
        ({"half_life": 3.0}, "`half_life` belongs to"),
        ({"table": "instalments", "where": (Between("lateness", 0, 9),)}, "not to filter on"),
        ({"table": "complaints", "by_debtor": True}, "belong to the debtor already"),
        ({"table": "promises", "where": (Where("status", ("kept",)),), "by_debtor": True}, "per account"),
        ({"table": "state", "aggregate": "state", "value": "dpd", "half_life": 1.0}, "aggregates of events"),
        ({"table": "calendar", "aggregate": "calendar", "value": "days_to_day"}, "is of 1 recipes, got 0"),
        ({"hidden": True}, "no feature is left"),
        ({"where": Where("kind", ("payment",))}, "a tuple of conditions"),
        ({"where": (Where("method", "cash"),)}, "words come as a tuple"),
        ({"where": ("kind = 'payment'",)}, "a tuple of conditions"),
        ({"window": -45}, "not -45"),
        ({"window": (-45, 0)}, "Window(-90, 0)"),
        ({"table": "derived", "aggregate": "share", "of": "it"}, "a tuple of names"),
        ({"labels": {"en": "cash"}}, "labels are pairs"),
    ],
)
def test_a_wrong_recipe_is_refused_with_a_hint(fields, said):
    with pytest.raises(ConfigError) as error:
        FeatureSet((_recipe(**fields),))
    assert said in str(error.value)


def test_everything_wrong_is_said_at_once():
    wrong = (
        _recipe(concept="x"),
        _recipe(name="two", aggregate="sum"),
        _recipe(name="two", table="nowhere"),
        _recipe(name="a", table="derived", aggregate="share", of=("b", "b")),
        _recipe(name="b", table="derived", aggregate="trend", of=("a", "it")),
    )
    with pytest.raises(ConfigError) as error:
        FeatureSet(wrong, PromiseRule(grace_days=-1, tolerance=2))
    text = str(error.value)
    for said in (
        "it: unknown concept",
        "two: no value",
        "two: unknown table",
        "used 2 times",
        "a: made of itself",
        "b: made of itself",
        "grace_days",
        "tolerance",
    ):
        assert said in text
    assert text.startswith("8 problems")


def test_a_user_adds_a_feature_in_three_lines():
    mine = Recipe("cash_45d", "payments", "count", "payment_regularity", window=Window(-45, 0),
                  where=(Where("method", ("cash",)),))  # fmt: skip
    features = STANDARD.with_recipes(mine)
    store = store_of({"payments": [{"at": AS_OF - 1, "amount": 1, "method": "cash"}]})
    assert compute(features.schema(store), store, [AS_OF]).column("cash_45d").tolist() == [1.0]
    assert features.without("cash_45d") == STANDARD
    with pytest.raises(ConfigError, match="Did you mean 'cash_45d'"):
        features.without("cash_45")
    with pytest.raises(ConfigError, match="no recipe 'exposure'"):
        STANDARD.without("exposure")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"windw": {"days": [-45, 0]}}, "no key 'windw' in a recipe. Did you mean 'window'"),
        ({"window": {"days": [-45]}}, "a window is for example"),
        ({"window": {"days": [-45, 0], "months": [-1, 0]}}, "a window is for example"),
        ({"window": [-45, 0]}, "a window has the keys days, months"),
        ({"where": [{"column": "method", "value": ["cash"]}]}, "no key 'value' in a condition"),
        ({"where": [{"column": "method", "values": "cash"}]}, "a column with values"),
        ({"where": [{"column": "amount", "low": 1}]}, "with low and high"),
        ({"where": {"column": "method"}}, "`where` is a list"),
        ({"labels": ["cash"]}, "labels are pairs of language and text"),
    ],
)
def test_a_recipe_in_words_of_the_wrong_shape_says_so(change, said):
    fields = {"name": "cash", "table": "payments", "aggregate": "count", "concept": "payment_regularity"}
    with pytest.raises(ConfigError, match=said):
        Recipe.from_dict(fields | change)
    with pytest.raises(ConfigError, match="a recipe needs concept"):
        Recipe.from_dict({name: value for name, value in fields.items() if name != "concept"})


def test_infinity_and_none_leave_a_window_open():
    fields = {"name": "cash", "table": "payments", "aggregate": "count", "concept": "payment_regularity"}
    for low in (None, -math.inf):
        assert Recipe.from_dict(fields | {"window": {"days": [low, -7]}}).window == Window(None, -7)


def test_a_word_spelt_almost_like_one_of_the_data_is_told(caplog):
    store = store_of({"payments": [{"at": AS_OF - 1, "amount": 1, "method": "transfer"}]})
    for word, warned in (("transfers", True), ("transfer", False), ("cash", False)):
        caplog.clear()
        mine = Recipe("mine", "payments", "count", "payment_regularity", where=(Where("method", (word,)),))
        FeatureSet((mine,)).schema(store)
        assert bool(caplog.messages) == warned
