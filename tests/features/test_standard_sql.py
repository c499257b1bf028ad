"""The whole standard and extended set agrees with SQL that was written from the definitions alone."""

from __future__ import annotations

import holidays
import numpy as np
import pandas as pd
import pytest

from recobro_score.data.portfolio import Portfolio
from recobro_score.features import FeatureSet, compute
from tests.features.random_tables import ZONES, RandomTables
from tests.features.standard_sql import covered, run_sql

FEATURES = FeatureSet.extended()
SHOWN = tuple(recipe for recipe in FEATURES.recipes if not recipe.hidden)
DRAWS = [(zone, seed) for zone in ZONES for seed in (1, 2)]
ALWAYS_THERE = ("count", "distinct", "sum", "streak", "longest_streak", "decayed_count", "decayed_sum")
EXACT = (
    "count",
    "streak",
    "longest_streak",
    "distinct",
    "sum",
    "min",
    "max",
    "last",
    "first",
    "mode",
    "static",
)
"""Aggregates that SQL must give to the last bit; all others within 1e-9."""


def test_every_standard_and_extended_feature_has_its_sql():
    assert set(FEATURES.names) - covered() == set()
    assert covered() - set(FEATURES.names) == set()


def free_days(frame):
    """Public holidays of each country and subdivision of the accounts, by the `holidays` package."""
    known = holidays.list_supported_countries()
    places = set(zip(*(frame[name].to_pylist() for name in ("country", "subdivision")), strict=True))
    for country, part in places:
        if country in known:
            short = (part or "").removeprefix(f"{country}-")
            found = holidays.country_holidays(
                country, subdiv=short if short in known[country] else None, years=range(2024, 2027)
            )
            for day in found:
                yield (country, part, day)


@pytest.fixture(scope="module", params=DRAWS, ids=str)
def both(request):
    """The features of random tables, and the same by SQL."""
    zone, seed = request.param
    tables = RandomTables(seed, zone)
    by_sql = run_sql(tables.frames, tables.as_ofs, zone, list(free_days(tables.frames["accounts"])))
    return features_of(tables), by_sql


def features_of(tables):
    store = Portfolio.from_frames(tables.frames, options=tables.options).store
    return compute(FEATURES.schema(store), store, sorted(tables.as_ofs)).frame()


def test_the_random_tables_move_every_feature():
    """What never changes, or is never missing where it can be, would agree with any SQL."""
    drawn = pd.concat([features_of(RandomTables(seed, zone)) for zone, seed in DRAWS])
    assert [name for name in FEATURES.names if drawn[name].nunique() < 2] == []
    can_be_missing = [
        r.name for r in SHOWN if not (r.aggregate in ALWAYS_THERE or r.name.startswith("others_"))
    ]
    assert [name for name in can_be_missing if drawn[name].notna().all()] == []


def test_every_feature_agrees_with_sql(both):
    found, expected = both
    assert found["account_id"].tolist() == expected["account_id"].tolist()
    differing = {}
    for recipe in SHOWN:
        mine, theirs = found[recipe.name], expected[recipe.name]
        rows = np.flatnonzero(_differing(recipe, mine, theirs))
        if len(rows):
            row = rows[0]
            differing[recipe.name] = (len(rows), found["account_id"][row], row % 3, mine[row], theirs[row])
    assert differing == {}


def _differing(recipe, mine, theirs):
    if recipe.kind == "category":
        return [(a if a == a else None) != (b if b == b else None) for a, b in zip(mine, theirs, strict=True)]
    a, b = mine.to_numpy(float), theirs.to_numpy(float, na_value=np.nan)
    tolerance = 0.0 if recipe.aggregate in EXACT else 1e-9 * np.maximum(1.0, np.abs(b))
    return ~((np.abs(a - b) <= tolerance) | (np.isnan(a) & np.isnan(b)))
