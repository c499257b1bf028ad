"""The rivals of a model: what a logistic regression, a scorecard and single columns make of the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.rivals import single_rankings, single_score
from recobro_score.models.baseline import LogisticBaseline
from recobro_score.models.scorecard import Scorecard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LOGISTIC, SCORECARD = "logistic regression", "scorecard"
ROWS_TO_RANK = 20_000
"""Single columns are ranked on at most so many rows."""


@dataclass(frozen=True, slots=True)
class WiderColumns:
    """The columns of a schema with further ones behind them."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    vocabularies: Mapping[str, Sequence[str]]
    monotone: tuple[int, ...]
    hash: str

    @classmethod
    def of(
        cls,
        schema: ColumnSchema,
        *,
        numbers: Sequence[str] = (),
        words: Mapping[str, Sequence[str]] | None = None,
    ) -> WiderColumns:
        """Return a schema with more columns: first the numbers, then the words with their vocabularies."""
        words = words or {}
        more = (*numbers, *words)
        return cls(
            (*schema.names, *more),
            (*schema.kinds, *("number" for _ in numbers), *("category" for _ in words)),
            {**schema.vocabularies, **words},
            (*schema.monotone, *(0 for _ in more)),
            schema.hash,
        )


@dataclass(frozen=True, slots=True)
class KnownRows:
    """Rows with a known outcome; arrays of shape (n,).

    Parameters
    ----------
    values : ndarray of shape (n, p)
    y : ndarray
        0 or 1.
    at : int64 ndarray
        As-ofs, or instants of events; µs UTC.
    group : integer ndarray
        Code of the bucket, or of whatever else a report is broken down by.
    debtor : array
    money : ndarray or None
        What each row recovered, in one currency; None where there are several, or it is not about money.
    weight : ndarray or None
        How much each row counts; all alike where absent.
    """

    values: Floats
    y: Floats
    at: Ints
    group: NDArray[np.integer[Any]]
    debtor: NDArray[Any]
    money: Floats | None = None
    weight: Floats | None = None

    def __len__(self) -> int:
        return len(self.y)


def _no_singles() -> pd.DataFrame:
    return pd.DataFrame(columns=["feature", "direction", "auc", "auc_se"])


@dataclass(frozen=True, slots=True)
class Rivals:
    """What rivals say of given rows.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n,)
        By name, the higher the likelier; the logistic regression's are probabilities. Empty where there was
        nothing to learn from.
    singles : pandas.DataFrame
        From `evaluation.rivals.single_rankings`, on the rows learned from.
    scorecard : Scorecard or None
    why : tuple of str
        Why there are none; empty where there are.
    """

    scores: Mapping[str, Floats] = field(default_factory=dict)
    singles: pd.DataFrame = field(default_factory=_no_singles)
    scorecard: Scorecard | None = None
    why: tuple[str, ...] = ()

    @classmethod
    def of(cls, learned: KnownRows | None, given: KnownRows, schema: ColumnSchema) -> Rivals:
        """Learn from the rows that the model learned from, and score the given ones.

        Parameters
        ----------
        learned : KnownRows or None
            None where they are not at hand.
        given : KnownRows
        schema : ColumnSchema
            Of the values of both.
        """
        if learned is None or not len(learned):
            return cls(why=("no rivals: the portfolio does not hold the months the model learned from",))
        try:
            card = Scorecard.fit(learned.values, learned.y, schema=schema)
            logistic = LogisticBaseline.fit(learned.values, learned.y, schema=schema, weight=learned.weight)
        except NotEnoughData as error:
            return cls(why=(f"no rivals: {error}",))
        step = -(-len(learned) // ROWS_TO_RANK)
        numbers = [place for place, kind in enumerate(schema.kinds) if kind == "number"]
        names = [schema.names[place] for place in numbers]
        singles = single_rankings(learned.y[::step], learned.values[::step][:, numbers], names)
        scores = {
            LOGISTIC: logistic.predict(given.values),
            SCORECARD: card.points(given.values).astype(np.float64),
        }
        for name, direction in singles[["feature", "direction"]].head(1).itertuples(index=False):
            column = given.values[:, schema.names.index(name)]
            scores[f"{name} alone"] = single_score(column, direction)
        return cls(scores, singles, card)

    @property
    def logistic(self) -> Floats | None:
        """Probabilities of the logistic regression, if there is one."""
        return self.scores.get(LOGISTIC)
