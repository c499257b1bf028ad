"""Reasons in words: the concepts that weigh most on each account, told to one of three readers.

A sentence says which way a concept weighs; the fact behind it is the value of the feature that pulls hardest.
What is denied to the reader in the account's country is left out before the heaviest are chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.errors import ConfigError
from recobro_score.explain.points import TRAINING, ProbabilityPoints
from recobro_score.explain.readers import AGENT, AUDITOR, Told, reader_texts, told_to
from recobro_score.explain.wording import Wording
from recobro_score.texts import load_deny

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
        If the reader or the language does not exist, or the auditor's points are not given.
    TextMissing
        If a concept that the reader may be told of has no sentence in the language.
    """
    if reader == AUDITOR and points is None:
        msg = "the auditor's reasons need `points`, see probability_points"
        raise ConfigError(msg)
    places = np.full(len(currency), None, dtype=object) if country is None else country
    index, weight = _heaviest(contributions, k, reader, places)
    sayable = tuple(name for name in contributions.concepts if load_deny().may_tell(name))
    never = load_deny().concepts_for(reader, "")
    texts = reader_texts(reader, language, tuple(name for name in sayable if name not in never))
    row, place = np.nonzero(weight)
    concept = index[row, place]
    feature = contributions.lead[row, concept]
    unknown = np.full(len(row), np.nan)
    told = Told(
        concept=np.array(contributions.concepts, dtype=object)[concept],
        direction=np.where(weight[row, place] > 0.0, "up", "down").astype(object),
        contribution=weight[row, place],
        feature=feature,
        value=matrix.values[row, feature],
        currency=currency[row],
        points=unknown if points is None else points.values[row, concept],
        average=unknown if points is None else points.average[row],
    )
    reference = TRAINING if points is None else points.reference
    return Reasons(
        account_ids=np.asarray(matrix.account_ids, dtype=object),
        as_of=matrix.as_of,
        row=row,
        rank=place + 1,
        concept=told.concept,
        direction=told.direction,
        contribution=told.contribution,
        points=told.points,
        feature=np.array(matrix.schema.names, dtype=object)[feature],
        value=told.value,
        text=told_to(reader, told, Wording(texts, matrix.schema), reference=reference),
    )


def _heaviest(
    contributions: ConceptReasons, k: int, reader: str, country: Objects
) -> tuple[NDArray[np.int64], Floats]:
    """Position and contribution, (n, k), of the heaviest concepts that may be told; 0 beyond the last."""
    deny = load_deny()
    shape = (len(country), min(k, len(contributions.concepts)))
    index, weight = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    denied_in = {name: deny.concepts_for(reader, name) for name in dict.fromkeys(country)}
    unsayable = {name for name in contributions.concepts if not deny.may_tell(name)}
    for denied in dict.fromkeys(denied_in.values()):
        here = [name for name, found in denied_in.items() if found == denied]
        rows = np.flatnonzero([name in here for name in country])
        part = replace(
            contributions,
            values=contributions.values[rows],
            bias=contributions.bias[rows],
            lead=contributions.lead[rows],
        )
        top = part.top(k, without=unsayable | denied)
        width = top.index.shape[1]
        index[rows, :width], weight[rows, :width] = top.index, top.value
    return index, weight
