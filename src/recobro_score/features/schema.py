"""What a model was trained on: the recipes, their order, and what was learned from the training store."""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import SchemaMismatch
from recobro_score.features.readable import EVENT_TABLES
from recobro_score.features.recipes import PromiseRule, Recipe, Where

logger = logging.getLogger(__name__)

MISSING_WORD = 0
UNSEEN_WORD = 1
FIRST_WORD = 2
"""Category codes of a matrix: missing, unseen at training, then the vocabulary in order."""

_FORMAT = 1
_CLOSE = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSchema:
    """The columns of a feature matrix, as learned at training. Immutable; equal if the hashes are equal.

    Parameters
    ----------
    recipes : tuple of Recipe
        All recipes, hidden ones included.
    promises : PromiseRule
        When a promise counts as kept.
    known_tables : tuple of str
        Event tables of which the training store had rows. Features of the others are missing for every
        account; features of these are 0 or missing where an account has no rows. It is decided once, at
        training, so that the other accounts of a store never change an account's features.
    vocabularies : mapping of str to tuple of str
        Words of each category feature, by feature name.

    Attributes
    ----------
    names, kinds, concepts : tuple of str
        Of each column of the matrix, in order; kinds are ``number`` and ``category``.
    monotone : tuple of int
        −1, 0 or 1 per column.
    hash : str
        SHA-256 of the canonical JSON.
    """

    recipes: tuple[Recipe, ...]
    promises: PromiseRule
    known_tables: tuple[str, ...]
    vocabularies: Mapping[str, tuple[str, ...]]
    names: tuple[str, ...] = field(init=False)
    kinds: tuple[str, ...] = field(init=False)
    concepts: tuple[str, ...] = field(init=False)
    monotone: tuple[int, ...] = field(init=False)
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive the columns and the hash."""
        shown = self.features
        object.__setattr__(self, "names", tuple(recipe.name for recipe in shown))
        object.__setattr__(self, "kinds", tuple(recipe.kind for recipe in shown))
        object.__setattr__(self, "concepts", tuple(recipe.concept for recipe in shown))
        object.__setattr__(self, "monotone", tuple(recipe.monotone for recipe in shown))
        object.__setattr__(self, "hash", sha256_text(self.to_json()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FeatureSchema) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def features(self) -> tuple[Recipe, ...]:
        """The recipes of the matrix's columns, in order."""
        return tuple(recipe for recipe in self.recipes if not recipe.hidden)

    @property
    def categories(self) -> tuple[int, ...]:
        """Positions of the category columns."""
        return tuple(i for i, kind in enumerate(self.kinds) if kind == "category")

    def words(self, name: str, codes: NDArray[np.float64]) -> NDArray[np.object_]:
        """Return the words behind the codes of a category column (None = missing or unseen)."""
        vocabulary = np.array([None, None, *self.vocabularies[name]], dtype=object)
        return vocabulary[codes.astype(np.int64)]

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as JSON values."""
        return {
            "format": _FORMAT,
            "recipes": [recipe.to_dict() for recipe in self.recipes],
            "promises": {"grace_days": self.promises.grace_days, "tolerance": self.promises.tolerance},
            "known_tables": list(self.known_tables),
            "vocabularies": {name: list(words) for name, words in self.vocabularies.items()},
        }

    def to_json(self) -> str:
        """Return canonical JSON."""
        return canonical_json(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> FeatureSchema:
        """Return the schema written by `to_json`.

        Raises
        ------
        SchemaMismatch
            If the text is of another format.
        """
        fields = json.loads(text)
        if fields.get("format") != _FORMAT:
            msg = f"feature schema of format {fields.get('format')!r}; this release reads format {_FORMAT}"
            raise SchemaMismatch(msg)
        return cls(
            tuple(Recipe.from_dict(recipe) for recipe in fields["recipes"]),
            PromiseRule(**fields["promises"]),
            tuple(fields["known_tables"]),
            {name: tuple(words) for name, words in fields["vocabularies"].items()},
        )


def learn_schema(recipes: Iterable[Recipe], promises: PromiseRule, store: EventStore) -> FeatureSchema:
    """Return the schema of recipes on a training store: its known tables and vocabularies.

    A filter's word that no row has, while rows have one spelt almost alike, is logged as a warning.
    """
    kept = tuple(recipes)
    known = tuple(name for name in sorted(EVENT_TABLES) if store.tables[name].n_rows)
    vocabularies = {recipe.name: _words(recipe, store) for recipe in kept if recipe.kind == "category"}
    for (table, column, word), names in _words_of_filters(kept).items():
        seen = store.tables[table].vocabularies.get(column, ())
        close = [] if word in seen else difflib.get_close_matches(word, seen, n=1, cutoff=_CLOSE)
        if close:
            told = f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
            logger.warning(
                "%s: no row of %s has %s %r. Did you mean %r?", told, table, column, word, close[0]
            )
    return FeatureSchema(kept, promises, known, vocabularies)


def _words_of_filters(recipes: Iterable[Recipe]) -> dict[tuple[str, str, str], list[str]]:
    """Return, per table, column and word that filters name, the recipes that name it."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for recipe in recipes:
        for condition in (*recipe.where, *recipe.run):
            for word in condition.values if isinstance(condition, Where) else ():
                found.setdefault((recipe.table, condition.column, word), []).append(recipe.name)
    return found


def _words(recipe: Recipe, store: EventStore) -> tuple[str, ...]:
    column = str(recipe.value)
    if recipe.aggregate == "static":
        return tuple(store.vocabularies[f"{recipe.table}.{column}"])
    return tuple(store.tables[recipe.table].vocabularies[column])
