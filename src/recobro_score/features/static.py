"""Static attributes of one account and its debtor, as numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.features.program import Columns
from recobro_score.features.readable import CATEGORY, DATE, MONEY, STATIC
from recobro_score.features.schema import FIRST_WORD, MISSING_WORD, UNSEEN_WORD, FeatureSchema
from recobro_score.money import MISSING_MONEY

ValueOf = Callable[[str, str], Any]
"""Gives the value of a column of ``accounts`` or ``debtors``: words as text or None, the rest as stored."""


class StaticValues:
    """The static columns of a schema, for one account at a time."""

    def __init__(self, schema: FeatureSchema, columns: Columns) -> None:
        self._columns = tuple(
            (
                recipe.table,
                str(recipe.value),
                STATIC[recipe.table][str(recipe.value)],
                {word: FIRST_WORD + i for i, word in enumerate(schema.vocabularies.get(recipe.name, ()))},
            )
            for _, recipe in columns
        )
        self._tables = tuple({table for table, *_ in self._columns})

    def of(self, value_of: ValueOf, as_of: int, scale: float) -> NDArray[np.float64]:
        """Return the values; missing until the row of the account (or debtor) is known.

        Parameters
        ----------
        value_of : callable
            Gives the value of a column of a table.
        as_of : int
            Microseconds UTC.
        scale : float
            Minor units of a major one.
        """
        unknown = {table: value_of(table, "known_at") >= as_of for table in self._tables}
        found: list[float] = []
        for table, name, kind, codes in self._columns:
            value = value_of(table, name)
            if kind == CATEGORY:
                missing = value is None or unknown[table]
                found.append(MISSING_WORD if missing else codes.get(value, UNSEEN_WORD))
            elif (
                unknown[table]
                or (kind == MONEY and value == MISSING_MONEY)
                or (kind == DATE and value == NEVER)
            ):
                found.append(np.nan)
            elif kind == MONEY:
                found.append(float(value) / scale)
            elif kind == DATE:
                found.append(float(as_of - value) / US_PER_DAY if value != NEVER else np.nan)
            else:
                found.append(value)
        return np.array(found, dtype=np.float64)
