"""Feature values in words: money, days, shares and categories as a language writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.data.state import BUCKETS
from recobro_score.features.recipes import STATE_TABLE, Recipe
from recobro_score.features.schema import FIRST_WORD, UNSEEN_WORD, FeatureSchema
from recobro_score.money import minor_digits
from recobro_score.texts import Texts, load_deny

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Objects = NDArray[np.object_]
    Floats = NDArray[np.float64]

_STATIC_TABLES = ("accounts", "debtors")


@dataclass(frozen=True, slots=True)
class Wording:
    """Words for the features of a schema and their values, in one language.

    What speaks of health, vulnerability and the like has none, nor have words that were typed freely into an
    event.

    Parameters
    ----------
    texts : Texts
    schema : FeatureSchema
    """

    texts: Texts
    schema: FeatureSchema
    recipes: tuple[Recipe, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Keep the recipes of the columns at hand."""
        object.__setattr__(self, "recipes", self.schema.features)

    def values(self, feature: NDArray[np.int64], value: Floats, currency: Objects) -> Objects:
        """Return values in words; None where one is missing or not to be told.

        Parameters
        ----------
        feature : int64 array, shape (m,)
            Position of each feature in the schema.
        value : float64 array, shape (m,)
            Its value.
        currency : object array, shape (m,)
            Currency of money.
        """
        words = np.full(len(feature), None, dtype=object)
        for position in np.unique(feature):
            rows = np.flatnonzero((feature == position) & np.isfinite(value))
            recipe = self.recipes[position]
            if not self.may_name(position):
                continue
            if recipe.unit == "money":
                for code in dict.fromkeys(currency[rows]):
                    own = rows[currency[rows] == code]
                    words[own] = in_words(value[own], partial(self._money, currency=code))
            else:
                words[rows] = in_words(value[rows], self._teller(recipe))
        return words

    def label(self, feature: int) -> str:
        """Return what a feature is called by people, as its recipe says."""
        return self.recipes[feature].label(self.texts.language)

    def may_name(self, feature: int) -> bool:
        """Return whether a feature speaks of nothing that is never told."""
        recipe = self.recipes[feature]
        conditions = (*recipe.where, *getattr(recipe, "run", ()))
        filters = [word for condition in conditions for word in getattr(condition, "values", ())]
        return load_deny().may_tell(recipe.name, *filters, *(text for _, text in recipe.labels))

    def _teller(self, recipe: Recipe) -> Callable[[float], str | None]:
        if recipe.kind == "category":
            return partial(self._category, recipe)
        if (recipe.table, recipe.value) == (STATE_TABLE, "bucket"):
            return self._bucket
        tellers: dict[str, Callable[[float], str | None]] = {
            "days": self._days,
            "count": lambda x: self.texts.number(x),
            "ratio": lambda x: self.texts.percent(x),
        }
        return tellers.get(recipe.unit, self._number)

    def _money(self, amount: float, currency: str) -> str:
        return self.texts.money(round(amount * 10 ** minor_digits(currency)), currency)

    def _bucket(self, code: float) -> str:
        return self.texts.render("value.bucket", bucket=BUCKETS[int(code)])

    def _days(self, days: float) -> str:
        whole = round(days)
        form = "one" if whole == 1 else "many"
        return self.texts.render(f"value.days.{form}", number=self.texts.number(whole))

    def _number(self, number: float) -> str:
        rounded = round(number, 1) + 0.0
        return self.texts.number(rounded, 0 if rounded == round(rounded) else 1)

    def _category(self, recipe: Recipe, code: float) -> str | None:
        """Return the word of a static attribute; None for one that is missing or that training never saw."""
        if recipe.table not in _STATIC_TABLES or code < FIRST_WORD:
            return None
        word = self.schema.vocabularies[recipe.name][int(code) - FIRST_WORD]
        return word if load_deny().may_tell(word) else None

    def unseen(self, feature: NDArray[np.int64], value: Floats) -> NDArray[np.bool_]:
        """Return where a value is a word that training never saw."""
        return np.asarray(np.isin(feature, self.schema.categories) & (value == UNSEEN_WORD))


def in_words(values: NDArray[np.float64], wording: Callable[[float], str | None]) -> Objects:
    """Return the wording of every value, made once for equal ones."""
    unique, inverse = np.unique(values, return_inverse=True)
    words = np.array([*(wording(x) for x in unique.tolist()), None], dtype=object)
    return words[inverse]
