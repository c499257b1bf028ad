"""A schema is what training saw: its hash, its words and its tables do not depend on what is scored."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recobro_score.errors import ConfigError, SchemaMismatch
from recobro_score.features import FeatureMatrix, FeatureSchema, FeatureSet, Recipe, compute
from tests.features.stores import AS_OF, EARLIER, store_of

LAST_METHOD = Recipe("method_seen_last", "payments", "last", "payment_amounts", value="method")
FEATURES = FeatureSet((*FeatureSet.standard().recipes, LAST_METHOD))


def paid_by(*methods):
    rows = [{"at": AS_OF - 10 + i, "amount": 5, "method": method} for i, method in enumerate(methods)]
    return store_of({"payments": rows})


def test_a_schema_survives_json_with_its_hash():
    schema = FEATURES.schema(paid_by("card", "cash"))
    again = FeatureSchema.from_json(schema.to_json())
    assert again == schema
    assert hash(again) == hash(schema)
    assert (again.names, again.kinds, again.concepts, again.monotone) == (
        schema.names, schema.kinds, schema.concepts, schema.monotone
    )  # fmt: skip
    assert again.to_json() == schema.to_json()


def test_the_hash_tells_recipes_words_tables_and_rules_apart():
    schemas = [
        FEATURES.schema(paid_by("card")),
        FEATURES.schema(paid_by("card", "cash")),
        FEATURES.schema(store_of()),
        FeatureSet.standard().schema(paid_by("card")),
        FeatureSet(FEATURES.recipes[::-1]).schema(paid_by("card")),
    ]
    assert len({schema.hash for schema in schemas}) == len(schemas)


def test_a_schema_of_another_format_is_refused():
    text = FEATURES.schema(store_of()).to_json()
    with pytest.raises(SchemaMismatch, match="format"):
        FeatureSchema.from_json(json.dumps({**json.loads(text), "format": 99}))


def test_words_keep_the_codes_of_training():
    schema = FEATURES.schema(paid_by("card", "cash"))
    assert schema.vocabularies["method_seen_last"] == ("card", "cash")
    found = {
        word: compute(schema, paid_by(word), [AS_OF]).column("method_seen_last")[0]
        for word in ("card", "cash", "crypto", None)
    }
    assert found == {"card": 2.0, "cash": 3.0, "crypto": 1.0, None: 0.0}
    assert schema.kinds[schema.names.index("method_seen_last")] == "category"


def test_a_table_known_at_training_is_empty_and_not_missing_later():
    schema = FEATURES.schema(store_of({"promises": [{"at": AS_OF - 9, "due_at": AS_OF, "amount": 5}]}))
    matrix = compute(schema, store_of(), [AS_OF])
    assert matrix.column("promises_open").tolist() == [0.0]
    assert np.isnan(matrix.column("attempts_7d")[0])


def test_the_frame_shows_words_and_major_units():
    store = paid_by("cash")
    frame = compute(FEATURES.schema(store), store, [AS_OF]).frame()
    assert frame["method_seen_last"].tolist() == ["cash"]
    assert frame["last_payment"].tolist() == [0.05]
    assert frame["account_id"].tolist() == ["A000"]
    assert str(frame["as_of"][0]) == "2025-03-31 00:00:00"
    assert list(frame.columns) == ["account_id", "as_of", *FEATURES.names]


def test_taking_and_joining_rows_keeps_them():
    store = store_of(n_accounts=3)
    matrix = compute(FEATURES.schema(store), store, [EARLIER, AS_OF])
    parts = [matrix.take(matrix.as_of == EARLIER), matrix.take(np.array([1, 3, 5]))]
    joined = FeatureMatrix.concat(parts)
    assert joined.account.tolist() == [0, 1, 2, 0, 1, 2]
    assert joined.account_ids.to_pylist() == ["A000", "A001", "A002"] * 2
    assert joined.take(np.array([0, 3, 1, 4, 2, 5])).values.tobytes() == matrix.values.tobytes()


def test_matrices_of_different_schemas_are_not_joined():
    store = store_of()
    other = FeatureSet.standard()
    parts = [compute(features.schema(store), store, [AS_OF]) for features in (FEATURES, other)]
    with pytest.raises(SchemaMismatch):
        FeatureMatrix.concat(parts)
    with pytest.raises(SchemaMismatch):
        FeatureMatrix.concat([])


@pytest.mark.parametrize(("as_ofs", "threads"), [([], 1), ([AS_OF], 0), ([[AS_OF]], 1)])
def test_nothing_to_compute_is_refused(as_ofs, threads):
    store = store_of()
    with pytest.raises(ConfigError):
        compute(FEATURES.schema(store), store, as_ofs, threads=threads)
