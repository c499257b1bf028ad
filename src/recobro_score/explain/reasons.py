"""Reasons in words: the concepts that weigh most on each account, each with one telling fact.

A sentence says which way a concept weighs; the fact behind it is the value of the feature that pulls hardest.
Vulnerability and health are never told, nor words that were typed freely into an event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.data.state import BUCKETS
from recobro_score.features.recipes import STATE_TABLE, Recipe
from recobro_score.features.schema import FIRST_WORD, FeatureSchema
from recobro_score.money import minor_digits
from recobro_score.texts import Texts, load_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.explain.contributions import ConceptReasons
    from recobro_score.features.matrix import FeatureMatrix

    Objects = NDArray[np.object_]
    Floats = NDArray[np.float64]

DEFAULT_REASONS = 3

_STATIC_TABLES = ("accounts", "debtors")
_UNSAYABLE = (
    "vulnerab",
    "health",
    "salud",
    "medic",
    "médic",
    "hospital",
    "illness",
    "enferm",
    "disab",
    "discapac",
    "death",
    "fallec",
    "pregnan",
    "embaraz",
)


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
    feature: Objects
    value: Floats
    text: Objects

    def frame(self) -> pd.DataFrame:
        """Return one row per reason.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``as_of`` (µs UTC), ``rank``, ``concept``, ``direction`` (up or down),
            ``contribution`` (to the raw margin), ``feature``, ``value``, ``text``.
        """
        told = ("rank", "concept", "direction", "contribution", "feature", "value", "text")
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
) -> Reasons:
    """Put the `k` heaviest concepts of every row into words.

    Parameters
    ----------
    contributions : ConceptReasons
        What each concept adds, row by row of `matrix`.
    matrix : FeatureMatrix
        The features that were explained.
    language : str
        ``es`` or ``en``.
    currency : object array, shape (n,)
        Currency code of each row.
    k : int
        How many reasons; concepts that add exactly nothing are none.

    Raises
    ------
    TextMissing
        If a concept has no sentence in the language.
    """
    top = contributions.top(k, without=[name for name in contributions.concepts if not _sayable(name)])
    row, place = np.nonzero(top.value)
    concept = top.index[row, place]
    contribution = top.value[row, place]
    feature = contributions.lead[row, concept]
    value = matrix.values[row, feature]
    teller = _Teller(load_texts(language), matrix.schema)
    facts = teller.facts(feature, value, currency[row])
    codes = np.array(contributions.concepts, dtype=object)[concept]
    direction = np.where(contribution > 0.0, "up", "down").astype(object)
    return Reasons(
        account_ids=np.asarray(matrix.account_ids, dtype=object),
        as_of=matrix.as_of,
        row=row,
        rank=place + 1,
        concept=codes,
        direction=direction,
        contribution=contribution,
        feature=np.array(matrix.schema.names, dtype=object)[feature],
        value=value,
        text=teller.sentences(codes, direction, feature, facts),
    )


@dataclass(frozen=True, slots=True)
class _Teller:
    """Words for values and sentences around them, in one language."""

    texts: Texts
    schema: FeatureSchema

    def facts(self, feature: NDArray[np.int64], value: Floats, currency: Objects) -> Objects:
        """Return the value of each feature in words; None where it is missing or not to be told."""
        facts = np.full(len(feature), None, dtype=object)
        for position in np.unique(feature):
            rows = np.flatnonzero((feature == position) & np.isfinite(value))
            recipe = self.schema.features[position]
            if not _sayable(recipe.name, *_words_of(recipe)):
                continue
            if recipe.unit == "money":
                for code in dict.fromkeys(currency[rows]):
                    own = rows[currency[rows] == code]
                    facts[own] = _in_words(value[own], partial(self._money, currency=code))
            else:
                facts[rows] = _in_words(value[rows], self._wording(recipe))
        return facts

    def sentences(
        self, concept: Objects, direction: Objects, feature: NDArray[np.int64], facts: Objects
    ) -> Objects:
        """Return the whole sentences; equal ones are made once."""
        made: dict[tuple[str, str, int, str | None], str] = {}
        texts = np.empty(len(concept), dtype=object)
        for i, key in enumerate(zip(concept, direction, feature.tolist(), facts, strict=True)):
            if key not in made:
                made[key] = self._sentence(*key)
            texts[i] = made[key]
        return texts

    def _sentence(self, concept: str, direction: str, feature: int, fact: str | None) -> str:
        sentence = self.texts.render(f"reason.{concept}.{direction}")
        if fact is None:
            return self.texts.render("reason.plain", sentence=sentence)
        label = self.schema.features[feature].label(self.texts.language)
        return self.texts.render("reason.with_fact", sentence=sentence, label=label, value=fact)

    def _wording(self, recipe: Recipe) -> Callable[[float], str | None]:
        if recipe.kind == "category":
            return partial(self._category, recipe)
        if (recipe.table, recipe.value) == (STATE_TABLE, "bucket"):
            return lambda code: self.texts.render("reason.bucket", bucket=BUCKETS[int(code)])
        wordings: dict[str, Callable[[float], str | None]] = {
            "days": self._days,
            "count": lambda x: self.texts.number(x),
            "ratio": lambda x: self.texts.percent(x),
        }
        return wordings.get(recipe.unit, self._number)

    def _money(self, amount: float, currency: str) -> str:
        return self.texts.money(round(amount * 10 ** minor_digits(currency)), currency)

    def _days(self, days: float) -> str:
        whole = round(days)
        form = "one" if whole == 1 else "many"
        return self.texts.render(f"reason.days.{form}", number=self.texts.number(whole))

    def _number(self, number: float) -> str:
        rounded = round(number, 1) + 0.0
        return self.texts.number(rounded, 0 if rounded == round(rounded) else 1)

    def _category(self, recipe: Recipe, code: float) -> str | None:
        """Return the word of a static attribute; None for one that is missing or that training never saw."""
        if recipe.table not in _STATIC_TABLES or code < FIRST_WORD:
            return None
        word = self.schema.vocabularies[recipe.name][int(code) - FIRST_WORD]
        return word if _sayable(word) else None


def _in_words(values: Floats, wording: Callable[[float], str | None]) -> Objects:
    """Return the wording of every value, made once for equal ones."""
    unique, inverse = np.unique(values, return_inverse=True)
    words = np.array([*(wording(float(x)) for x in unique), None], dtype=object)
    return words[inverse]


def _words_of(recipe: Recipe) -> list[str]:
    """Return the filter words of a recipe and its labels."""
    filters = [word for condition in recipe.where for word in getattr(condition, "values", ())]
    return [*filters, *(text for _, text in recipe.labels)]


def _sayable(*words: str) -> bool:
    return not any(stem in word.lower() for word in words for stem in _UNSAYABLE)
