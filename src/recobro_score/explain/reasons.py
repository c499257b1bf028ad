"""Reasons in words: the concepts that weigh most on each account, told to one of three readers.

A sentence says which way a concept weighs; the fact behind it is the value of the feature that pulls hardest.
What is denied to the reader in the account's country is left out before the heaviest are chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.errors import ConfigError
from recobro_score.explain.contributions import heaviest
from recobro_score.explain.points import TRAINING, ProbabilityPoints
from recobro_score.explain.readers import AGENT, AUDITOR, Told, require_texts, tellable, told_to

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.explain.contributions import ConceptReasons
    from recobro_score.features.matrix import FeatureMatrix

    Objects = NDArray[np.object_]
    Floats = NDArray[np.float64]

DEFAULT_REASONS = 3


@dataclass(frozen=True, slots=True)
class Reasons:
    """The heaviest concepts of each account in words, one entry per reason in each array.

    Attributes
    ----------
    account_ids : object array, shape (n,)
        Account of each scored row.
    as_of : int64 array, shape (n,)
        Its instant in µs UTC.
    row : int64 array, shape (m,)
        The scored row a reason belongs to; rows in order, reasons of a row heaviest first.
    rank : int64 array, shape (m,)
        1 for the heaviest.
    concept, direction, feature, text : object arrays, shape (m,)
        Concept code; ``up`` (payment more likely) or ``down``; the feature told of; the sentence.
    contribution : float64 array, shape (m,)
        What the concept adds to the raw margin.
    points : float64 array, shape (m,)
        The same in probability, NaN where that was not asked for (see `ProbabilityPoints`).
    value : float64 array, shape (m,)
        The feature's value.
    """

    account_ids: Objects
    as_of: NDArray[np.int64]
    row: NDArray[np.int64]
    rank: NDArray[np.int64]
    concept: Objects
    direction: Objects
    contribution: Floats
    points: Floats
    feature: Objects
    value: Floats
    text: Objects

    def frame(self) -> pd.DataFrame:
        """Return one row per reason.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``as_of`` (µs UTC), ``rank``, ``concept``, ``direction`` (up or down),
            ``contribution`` (to the raw margin), ``points`` (of probability, in (−1, 1)), ``feature``,
            ``value``, ``text``.
        """
        told = ("rank", "concept", "direction", "contribution", "points", "feature", "value", "text")
        keys = {"account_id": self.account_ids[self.row], "as_of": self.as_of[self.row]}
        return pd.DataFrame({**keys, **{name: getattr(self, name) for name in told}})

    def sentences(self) -> list[tuple[str, ...]]:
        """Return the sentences of each scored row, heaviest first; rows without a reason have none."""
        edges = np.searchsorted(self.row, np.arange(len(self.account_ids) + 1))
        return [tuple(self.text[a:b]) for a, b in pairwise(edges)]


def tell_reasons(
    contributions: ConceptReasons,
    matrix: FeatureMatrix,
    *,
    language: str,
    currency: Objects,
    k: int = DEFAULT_REASONS,
    reader: str = AGENT,
    country: Objects | None = None,
    points: ProbabilityPoints | None = None,
) -> Reasons:
    """Put the `k` heaviest concepts of every row into words for one reader.

    Parameters
    ----------
    contributions : ConceptReasons
        What each concept adds, row by row of `matrix`.
    matrix : FeatureMatrix
        The features that were explained.
    language : str
        ``es``, ``en`` or ``pt``, or one of them in a country (``es-MX``).
    currency : object array, shape (n,)
        Currency code of each row.
    k : int
        How many reasons; concepts that add exactly nothing are none.
    reader : str
        ``agent`` (what to talk about), ``debtor`` (plain, no jargon) or ``auditor`` (feature, value, weight
        and reference group).
    country : object array, shape (n,), optional
        Country of each row, for what is denied there. Where it is not known, what is denied anywhere is
        denied.
    points : ProbabilityPoints, optional
        The contributions in probability; the auditor needs them.

    Raises
    ------
    ConfigError
        If the reader or the language does not exist, there are to be no reasons, or the auditor's points are
        not given.
    TextMissing
        If a concept that the reader may be told of has no sentence in the language.
    """
    if k < 1:
        msg = f"The number of reasons must be at least 1, got {k}."
        raise ConfigError(msg)
    if reader == AUDITOR and points is None:
        msg = "the auditor's reasons need `points`, see probability_points"
        raise ConfigError(msg)
    require_texts(reader, language, contributions.concepts)
    places = np.full(len(currency), None, dtype=object) if country is None else country
    index, weight = _heaviest(contributions, k, reader, places)
    row, place = np.nonzero(weight)
    concept = index[row, place]
    feature = contributions.lead[row, concept]
    unknown = np.full(len(row), np.nan)
    told = Told(
        concept=_words(contributions.concepts)[concept],
        direction=_words(("down", "up"))[(weight[row, place] > 0.0).astype(np.int64)],
        contribution=weight[row, place],
        feature=feature,
        value=matrix.values[row, feature],
        currency=currency[row],
        points=unknown if points is None else points.values[row, concept],
        average=unknown if points is None else points.average[row],
    )
    reference = TRAINING if points is None else points.reference
    return Reasons(
        account_ids=matrix.account_ids.to_numpy(zero_copy_only=False),
        as_of=matrix.as_of,
        row=row,
        rank=place + 1,
        concept=told.concept,
        direction=told.direction,
        contribution=told.contribution,
        points=told.points,
        feature=_words(matrix.schema.names)[feature],
        value=told.value,
        text=told_to(reader, told, language=language, schema=matrix.schema, reference=reference),
    )


@lru_cache(maxsize=64)
def _words(words: tuple[str, ...]) -> Objects:
    return np.array(words, dtype=object)


def _heaviest(
    contributions: ConceptReasons, k: int, reader: str, country: Objects
) -> tuple[NDArray[np.int64], Floats]:
    """Position and contribution, (n, k), of the heaviest concepts that may be told; 0 beyond the last."""
    shape = (len(country), min(k, len(contributions.concepts)))
    index, weight = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    told_in = {name: tellable(reader, name, contributions.concepts) for name in dict.fromkeys(country)}
    for told in dict.fromkeys(told_in.values()):
        here = {name for name, found in told_in.items() if found == told}
        rows = np.flatnonzero([name in here for name in country])
        top = heaviest(contributions.values[rows], told, k)
        width = top.index.shape[1]
        index[rows, :width], weight[rows, :width] = top.index, top.value
    return index, weight
