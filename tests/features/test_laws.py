"""What must change no byte: the future, the company, the order, the threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.features import FeatureMatrix, FeatureSet, Months, compute, pipeline
from recobro_score.features.readable import EVENT_TABLES
from tests.features.every_recipe import EVERY
from tests.features.stores import AS_OF, EARLIER, event_rows, store_of
from tests.features.test_oracle import DEBTOR_OF, DIGITS, schema_of

BOTH = FeatureSet((*EVERY.recipes, *FeatureSet.extended().recipes))
THREE = {"n_accounts": 3, "debtor_of": DEBTOR_OF, "digits": DIGITS}
DATES = {
    "plans": ("accepted_at", "ended_at"),
    "placements": ("recalled_at",),
    "contact_points": ("wrong_from",),
}


def _past(table, rows, as_of):
    """The rows as they could have been written down at the as-of."""
    kept = [
        dict(row) for row in rows if row["known_at"] < as_of and (table == "instalments" or row["at"] < as_of)
    ]
    for row in kept:
        for name in DATES.get(table, ()):
            if row[name] >= as_of:
                row[name] = NEVER
        if row.get("ended_at") == NEVER:
            row["end_reason"] = None
    return kept


@settings(max_examples=40)
@given(tables=event_rows(3, 2), other=event_rows(3, 2))
def test_what_happens_or_becomes_known_at_or_after_the_as_of_changes_nothing(tables, other):
    past = {name: _past(name, rows, AS_OF) for name, rows in tables.items()}
    future = {name: [row for row in rows if _past(name, [row], AS_OF) == []] for name, rows in other.items()}
    changed = {name: past[name] + future[name] for name in past}
    stores = [store_of(rows, **THREE) for rows in (tables, past, changed)]
    schema = schema_of(BOTH, stores[0])
    values = [compute(schema, store, [AS_OF]).values.tobytes() for store in stores]
    assert values[0] == values[1] == values[2]


def test_an_account_known_at_the_as_of_is_not_known_before_it():
    features = FeatureSet.standard()
    schema = features.schema(store_of())
    late = compute(schema, store_of(known_at=AS_OF), [AS_OF])
    poor = compute(schema, store_of(known_at=AS_OF, principal=1, credit_limit=1), [AS_OF])
    assert late.values.tobytes() == poor.values.tobytes()
    assert np.isnan(late.column("exposure")[0])
    assert np.isnan(late.column("account_age")[0])


@settings(max_examples=20)
@given(tables=event_rows(3, 2))
def test_a_debtors_accounts_alone_equal_the_batch(tables):
    store = store_of(tables, **THREE)
    schema = schema_of(BOTH, store)
    batch = compute(schema, store, [EARLIER, AS_OF])
    for codes in ([0, 2], [1]):
        alone = compute(schema, store.take(np.array(codes)), [EARLIER, AS_OF])
        assert alone.values.tobytes() == batch.take(np.isin(batch.account, codes)).values.tobytes()


@settings(max_examples=20)
@given(tables=event_rows(3, 2))
def test_one_account_alone_equals_the_batch_in_all_that_is_its_own(tables):
    store = store_of(tables, **THREE)
    own = tuple(r for r in EVERY.recipes if not r.by_debtor and r.name != "others_paid")
    schema = schema_of(FeatureSet(own), store)
    batch = compute(schema, store, [EARLIER, AS_OF])
    for code in range(3):
        alone = compute(schema, store.take(np.array([code])), [EARLIER, AS_OF])
        assert alone.values.tobytes() == batch.take(batch.account == code).values.tobytes()


@settings(max_examples=20)
@given(tables=event_rows(7, 4), count=st.integers(2, 5))
def test_buckets_change_nothing(tables, count):
    store = store_of(tables, n_accounts=7, debtor_of=[0, 1, 2, 3, 0, 1, 2])
    schema = schema_of(BOTH, store)
    whole = compute(schema, store, [EARLIER, AS_OF])
    parts = FeatureMatrix.concat([compute(schema, part, [EARLIER, AS_OF]) for part in store.buckets(count)])
    order = np.lexsort((parts.as_of, parts.account_ids.to_pylist()))
    assert parts.take(order).values.tobytes() == whole.values.tobytes()
    assert parts.take(order).account_ids.equals(whole.account_ids)


@settings(max_examples=20)
@given(tables=event_rows(7, 4), threads=st.integers(1, 4), pairs=st.integers(1, 5))
def test_threads_and_blocks_change_nothing(tables, threads, pairs):
    store = store_of(tables, n_accounts=7, debtor_of=[0, 1, 2, 3, 0, 1, 2])
    schema = schema_of(BOTH, store)
    whole = compute(schema, store, [EARLIER, AS_OF]).values.tobytes()
    size = pipeline.PAIRS_PER_BLOCK
    pipeline.PAIRS_PER_BLOCK = pairs
    try:
        assert compute(schema, store, [EARLIER, AS_OF], threads=threads).values.tobytes() == whole
    finally:
        pipeline.PAIRS_PER_BLOCK = size


@settings(max_examples=20)
@given(tables=event_rows(3, 2))
def test_as_ofs_together_equal_each_alone_in_any_order(tables):
    store = store_of(tables, **THREE)
    schema = schema_of(BOTH, store)
    as_ofs = [AS_OF, EARLIER, AS_OF - 1, AS_OF + 40 * US_PER_DAY]
    together = compute(schema, store, as_ofs)
    for as_of in as_ofs:
        alone = compute(schema, store, [as_of])
        assert together.take(together.as_of == as_of).values.tobytes() == alone.values.tobytes()


@settings(max_examples=20)
@given(tables=event_rows(2, 1), weeks=st.integers(-60, 60))
def test_shifting_every_date_by_weeks_shifts_nothing_else(tables, weeks):
    shift = weeks * 7 * US_PER_DAY
    later = {"at", "known_at", "due_at", *(name for names in DATES.values() for name in names)}
    moved = {
        table: [{k: v + shift if k in later and v != NEVER else v for k, v in row.items()} for row in rows]
        for table, rows in tables.items()
    }
    by_days = FeatureSet(
        tuple(r for r in EVERY.recipes if not isinstance(r.window, Months) and r.value != "local_day")
    )
    first, second = (store_of(rows, n_accounts=2, debtor_of=[0, 0]) for rows in (tables, moved))
    schema = schema_of(by_days, first)
    before, after = compute(schema, first, [AS_OF]), compute(schema, second, [AS_OF + shift])
    assert before.values.tobytes() == after.values.tobytes()


@settings(max_examples=15)
@given(tables=event_rows(3, 2))
def test_an_account_without_rows_does_not_depend_on_the_others(tables):
    empty = compute(schema_of(BOTH, store_of(tables, **THREE)), store_of(n_accounts=1), [AS_OF])
    crowd = store_of({name: rows for name, rows in tables.items() if name in EVENT_TABLES}, n_accounts=4,
                     debtor_of=[3, 1, 0, 2])  # fmt: skip
    schema = empty.schema
    last = compute(
        schema, replace(crowd, accounts={k: v[[0] * 4] for k, v in crowd.accounts.items()}), [AS_OF]
    )
    names = [
        r.name for r in schema.features if r.table in EVENT_TABLES and not EVENT_TABLES[r.table].by_debtor
    ]
    for name in names:
        assert empty.column(name).tobytes() == last.take(last.account == 3).column(name).tobytes()


def test_every_pair_survives_with_no_rows_at_all():
    store = store_of(n_accounts=3)
    matrix = compute(BOTH.schema(store), store, [EARLIER, AS_OF])
    assert matrix.account.tolist() == [0, 0, 1, 1, 2, 2]
    assert matrix.as_of.tolist() == [EARLIER, AS_OF] * 3
    assert matrix.account_ids.to_pylist() == ["A000", "A000", "A001", "A001", "A002", "A002"]
    assert matrix.values.flags.c_contiguous
    assert len(compute(BOTH.schema(store), store.take(np.array([], np.int64)), [AS_OF])) == 0
