"""Columns that need no scan: static attributes, and words as codes of the schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.events import EventStore
from recobro_score.features.readable import CATEGORY, DATE, MONEY, STATIC
from recobro_score.features.recipes import Recipe
from recobro_score.features.schema import FIRST_WORD, MISSING_WORD, UNSEEN_WORD
from recobro_score.money import to_major

Columns = tuple[tuple[int, Recipe], ...]
"""Recipes with their destinations."""


def fill_static(
    columns: Columns,
    vocabularies: Mapping[str, tuple[str, ...]],
    store: EventStore,
    accounts: NDArray[np.int64],
    as_of: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Fill the static columns; missing until the row of the account (or debtor) is known."""
    owners = {"accounts": accounts, "debtors": store.account_debtor[accounts]}
    tables = {"accounts": store.accounts, "debtors": store.debtors}
    unknown = {name: tables[name]["known_at"][owners[name]] >= as_of for name in tables}
    for dest, recipe in columns:
        table, name = recipe.table, str(recipe.value)
        kind = STATIC[table][name]
        values = tables[table][name][owners[table]]
        if kind == CATEGORY:
            words = store.vocabularies[f"{table}.{name}"]
            out[:, dest] = recode(values.astype(np.float64), words, vocabularies[recipe.name])
        elif kind == MONEY:
            out[:, dest] = to_major(values, store.digits[accounts])
        elif kind == DATE:
            out[:, dest] = np.where(values == NEVER, np.nan, (as_of - values) / US_PER_DAY)
        else:
            out[:, dest] = values
        out[unknown[table], dest] = MISSING_WORD if kind == CATEGORY else np.nan


def recode(
    codes: NDArray[np.float64], words: tuple[str, ...], vocabulary: tuple[str, ...]
) -> NDArray[np.float64]:
    """Turn a store's category codes (−1 or NaN missing) into the codes of a schema's vocabulary."""
    places = np.where(np.isnan(codes), -1.0, codes).astype(np.int64)
    return _table(words, vocabulary)[places]


@lru_cache(maxsize=1024)
def _table(words: tuple[str, ...], vocabulary: tuple[str, ...]) -> NDArray[np.float64]:
    place = {word: FIRST_WORD + i for i, word in enumerate(vocabulary)}
    codes = [place.get(word, UNSEEN_WORD) for word in words]
    return np.array([*codes, MISSING_WORD], dtype=np.float64)
