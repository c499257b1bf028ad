"""What holds for labels of any portfolio: alone as in the batch, blind beyond their window, coherent."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.errors import ConfigError
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LABEL_KINDS, LabelSpec, standard_labels
from recobro_score.money import MISSING_MONEY
from tests.features.stores import AS_OF, EARLIER, event_rows, store_of

DAY = US_PER_DAY
LATER = AS_OF + 90 * DAY
SPECS = standard_labels((7, 30), (0.1, 0.5, 1.0))
PEOPLE = {"n_accounts": 3, "debtor_of": [0, 0, 1], "principal": 3000}
LATER_DATES = ("due_at", "accepted_at", "ended_at", "recalled_at", "wrong_from")
events = event_rows(3, 2)


def matrix_of(store, *, as_ofs=(EARLIER, AS_OF), observed_until=LATER, specs=SPECS):
    return compute_labels(store, list(as_ofs), specs, observed_until=observed_until)


def assert_same(one, other):
    np.testing.assert_array_equal(one.value, other.value)
    np.testing.assert_array_equal(one.reason, other.reason)


@settings(max_examples=12, deadline=None)
@given(tables=events, data=st.data())
def test_the_labels_of_one_account_or_bucket_are_those_of_the_batch(tables, data):
    store = store_of(tables, **PEOPLE)
    whole = matrix_of(store)
    alone = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True).map(sorted))
    assert_same(whole.take(np.isin(whole.account, alone)), matrix_of(store.take(np.array(alone))))
    for bucket in store.buckets(3):
        rows = np.isin(store.account_ids.to_numpy(zero_copy_only=False), bucket.account_ids.to_pylist())
        assert_same(whole.take(rows[whole.account]), matrix_of(bucket))
    for place, as_of in enumerate((EARLIER, AS_OF)):
        assert_same(whole.take(np.arange(place, 6, 2)), matrix_of(store, as_ofs=(as_of,)))


@settings(max_examples=12, deadline=None)
@given(tables=events, seed=st.randoms())
def test_the_order_of_the_rows_does_not_matter(tables, seed):
    shuffled = {name: seed.sample(rows, len(rows)) for name, rows in tables.items()}
    assert_same(matrix_of(store_of(tables, **PEOPLE)), matrix_of(store_of(shuffled, **PEOPLE)))


@settings(max_examples=12, deadline=None)
@given(tables=events, specs=st.permutations(SPECS), size=st.integers(1, len(SPECS)))
def test_a_label_does_not_depend_on_the_others_asked_for(tables, specs, size):
    store = store_of(tables, **PEOPLE)
    whole, some = matrix_of(store), matrix_of(store, specs=specs[:size])
    for place, spec in enumerate(specs[:size]):
        np.testing.assert_array_equal(whole.column(spec.name), some.value[:, place])


@settings(max_examples=20, deadline=None)
@given(tables=events, others=events, horizon=st.sampled_from((7, 29)))
def test_what_happens_from_the_end_of_the_window_on_changes_no_label(tables, others, horizon):
    end = AS_OF + horizon * DAY
    specs = standard_labels((horizon,), (0.1, 0.5, 1.0))
    until = LATER + 60 * DAY

    def clipped(row):
        return {
            **row,
            **{name: NEVER for name in LATER_DATES if row.get(name, 0) >= end and name != "due_at"},
        }

    past = {name: [clipped(row) for row in rows if row["at"] < end] for name, rows in tables.items()}
    beyond = {
        name: [{**row, "known_at": max(row["at"], row["known_at"])} for row in rows if row["at"] >= end]
        for name, rows in others.items()
    }
    mixed = {
        name: [*(row for row in rows if row["at"] < end), *beyond[name]] for name, rows in tables.items()
    }
    asked = {"as_ofs": (AS_OF,), "observed_until": until, "specs": specs}
    before, after = (matrix_of(store_of(rows, **PEOPLE), **asked) for rows in (past, mixed))
    assert_same(before, after)


@settings(max_examples=20, deadline=None)
@given(tables=events, others=events)
def test_what_becomes_known_after_the_observation_changes_no_label(tables, others):
    until = AS_OF + 30 * DAY
    late = {
        name: [{**row, "known_at": max(row["known_at"], until)} for row in rows]
        for name, rows in others.items()
        if name != "balances"
    }
    more = {name: [*rows, *late.get(name, ())] for name, rows in tables.items()}
    asked = {"observed_until": until}
    assert_same(matrix_of(store_of(tables, **PEOPLE), **asked), matrix_of(store_of(more, **PEOPLE), **asked))


@settings(max_examples=20, deadline=None)
@given(tables=events, days=st.integers(-400, 400))
def test_moving_every_clock_moves_nothing_else(tables, days):
    by = days * DAY

    def moved(row):
        dates = {name: row[name] + by for name in LATER_DATES if row.get(name, NEVER) != NEVER}
        return {**row, **dates, "at": row["at"] + by, "known_at": row["known_at"] + by}

    there = {name: [moved(row) for row in rows] for name, rows in tables.items()}
    clocks = {"opened_at": EARLIER - 2000 * DAY, "known_at": EARLIER - 2000 * DAY}
    here = matrix_of(store_of(tables, **PEOPLE, **clocks))
    then = matrix_of(
        store_of(there, **PEOPLE, **clocks), as_ofs=(EARLIER + by, AS_OF + by), observed_until=LATER + by
    )
    assert_same(here, then)


def without_reversals(tables):
    payments = [{**row, "kind": row["kind"].replace("reversal", "payment")} for row in tables["payments"]]
    return {**tables, "payments": payments, "placements": []}


def assert_in_order(matrix, *names):
    """Assert that no label is less than the one before it where both are known."""
    for low, high in pairwise(names):
        smaller, larger = matrix.column(low), matrix.column(high)
        both = ~np.isnan(smaller) & ~np.isnan(larger)
        assert (smaller[both] <= larger[both]).all(), (low, high)


@settings(max_examples=20, deadline=None)
@given(tables=events.map(without_reversals))
def test_a_longer_window_never_sees_less(tables):
    matrix = matrix_of(store_of(tables, **PEOPLE), specs=standard_labels((3, 7, 30), (0.1, 0.5, 1.0)))
    kinds = ("pays_10", "pays_50", "pays_100", "recovered", "rpc", "promise_made", "cure", "roll_forward")
    for kind in kinds:
        assert_in_order(matrix, *(f"{kind}_in_{days}d" for days in (3, 7, 30)))
    for stake in ("promise_kept_open", "plan_kept_open"):
        assert_in_order(matrix, *(f"{stake}_in_{days}d" for days in (30, 7, 3)))


@settings(max_examples=20, deadline=None)
@given(tables=events)
def test_labels_of_one_window_agree_with_each_other(tables):
    matrix = matrix_of(store_of({**tables, "placements": []}, **PEOPLE))
    for days in (7, 30):
        assert_in_order(matrix, *(f"pays_{share}_in_{days}d" for share in (100, 50, 10)))
        paid = matrix.column(f"recovered_in_{days}d") * 100
        for share in (0.1, 0.5, 1.0):
            pays = matrix.column(f"pays_{share * 100:g}_in_{days}d")
            known = ~np.isnan(pays)
            np.testing.assert_array_equal(pays[known], paid[known] >= share * matrix.exposure[known])
        cure, alone = matrix.column(f"cure_in_{days}d"), matrix.column(f"self_cure_in_{days}d")
        known = ~np.isnan(alone)
        np.testing.assert_array_equal(cure[known], alone[known])
    assert (np.isnan(matrix.value) == ~matrix.known).all()


@settings(max_examples=15, deadline=None)
@given(tables=events)
def test_a_label_once_known_stays_as_it_is(tables):
    prompt = {
        name: [{**row, "known_at": row["at"]} for row in rows] if name != "instalments" else rows
        for name, rows in tables.items()
    }
    store = store_of(prompt, **PEOPLE)
    early, late = (matrix_of(store, observed_until=AS_OF + days * DAY) for days in (10, 90))
    np.testing.assert_array_equal(early.value[early.known], late.value[early.known])
    assert early.known.sum() <= late.known.sum()


horizons = st.one_of(st.integers(1, 400), st.sampled_from((0.5, 7.25)))
specs = st.one_of(
    st.builds(LabelSpec, st.sampled_from([kind for kind in LABEL_KINDS if kind != "pays"]), horizons),
    st.builds(lambda h, s: LabelSpec("pays", h, share=s / 10_000), horizons, st.integers(1, 10_000)),
    st.builds(
        lambda h, s, g, t: LabelSpec("promise_kept", h, stake=s, grace_days=g, tolerance=t / 1000),
        horizons,
        st.sampled_from(("open", "new")),
        st.integers(0, 10),
        st.integers(1, 1000),
    ),
    st.builds(
        lambda h, name: LabelSpec("plan_kept", h, stake="new", name=name), horizons, st.text(max_size=9)
    ),
)


@settings(max_examples=50)
@given(spec=specs)
def test_a_spec_survives_json(spec):
    back = LabelSpec.from_json(spec.to_json())
    assert back == spec
    assert hash(back) == hash(spec)
    assert back.to_json() == spec.to_json()


def test_standard_labels_cover_every_kind_under_names_of_their_own():
    labels = standard_labels()
    assert {spec.kind for spec in labels} == set(LABEL_KINDS)
    assert len({spec.name for spec in labels}) == len(labels)
    assert LabelSpec("pays", 7.5, share=0.125).name == "pays_12p5_in_7p5d"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "self_cured", "horizon_days": 0}, ["Did you mean 'self_cure'", "more than 0, got 0"]),
        ({"kind": "pays", "horizon_days": 30}, ["a share goes with pays"]),
        ({"kind": "rpc", "horizon_days": 30, "share": 0.5}, ["a share goes with pays"]),
        ({"kind": "pays", "horizon_days": 30, "share": 0.00001}, ["at most four decimals"]),
        ({"kind": "pays", "horizon_days": float("nan"), "share": 2}, ["horizon_days", "share must lie"]),
        ({"kind": "plan_kept", "horizon_days": 30, "stake": "old"}, ["stake is open or new"]),
        ({"kind": "rpc", "horizon_days": 30, "stake": "new"}, ["stake is open or new"]),
        (
            {"kind": "promise_kept", "horizon_days": 1, "grace_days": -1, "tolerance": 0},
            ["grace", "tolerance"],
        ),
        ({"kind": "rpc"}, ["a label needs ['horizon_days']"]),
        ({"kind": "rpc", "horizon": 30}, ["no field 'horizon'. Did you mean 'horizon_days'?"]),
    ],
)
def test_a_wrong_spec_says_all_that_is_wrong(fields, said):
    with pytest.raises(ConfigError) as error:
        LabelSpec.from_dict(fields)
    for words in said:
        assert words in str(error.value)


def test_amounts_keep_their_cents():
    payments = [{"at": AS_OF, "amount": 123_456_789_012_345}]
    store = store_of({"payments": payments}, principal=2**52, digits=[3])
    matrix = matrix_of(store, specs=[LabelSpec("recovered", 1)])
    assert matrix.value[1, 0] == 123_456_789_012.345
    assert matrix.exposure[1] not in (0, MISSING_MONEY)
