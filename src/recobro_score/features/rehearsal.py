"""Compile ahead: one made-up account is computed in a batch and alone, so that nothing is left to compile."""

from __future__ import annotations

from datetime import datetime

from recobro_score.calendars import parse_instant
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.pipeline import compute
from recobro_score.features.plain_store import PlainStores
from recobro_score.features.readable import EVENT_TABLES
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.single import AccountFeatures

_ACCOUNT = {
    "account_id": "A",
    "debtor_id": "D",
    "opened_at": "2024-01-01",
    "currency": "EUR",
    "country": "ES",
}


def warm_up() -> None:
    """Compile, or load from the user's cache, every compiled function that computes features."""
    recipes = FeatureSet.extended()
    store = Portfolio.from_frames({"accounts": [_ACCOUNT], "payments": []}).store
    learned = recipes.schema(store)
    schema = FeatureSchema(recipes.recipes, recipes.promises, tuple(EVENT_TABLES), learned.vocabularies)
    as_of = parse_instant("2025-01-01")
    compute(schema, store, [as_of])
    single = AccountFeatures(schema)
    single.of_store(store, as_of)
    local = AccountFeatures(schema, options=PortfolioOptions(time_zone="Europe/Madrid"))
    for opened_at in ("2024-01-01", datetime(2024, 1, 1)):
        local.of_rows({"accounts": [{**_ACCOUNT, "opened_at": opened_at}]}, as_of)
    PlainStores(PortfolioOptions()).of({"accounts": [_ACCOUNT]})
