"""Feature values in words: money, days, shares and categories as a language writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite

from recobro_score.data.state import BUCKETS
from recobro_score.features.recipes import STATE_TABLE, Recipe
from recobro_score.features.schema import FIRST_WORD, UNSEEN_WORD, FeatureSchema
from recobro_score.money import minor_digits
from recobro_score.texts import Texts, load_deny, load_texts

Teller = Callable[[float, str], str | None]

_STATIC_TABLES = ("accounts", "debtors")


@dataclass(frozen=True, slots=True)
class Wording:
    """Words for the features of a schema and their values, in one language; see `wording_in`.

    What speaks of health, vulnerability and the like has none, nor have words that were typed freely into an
    event.

    Parameters
    ----------
    texts : Texts
    schema : FeatureSchema

    Attributes
    ----------
    labels, units : tuple of str
        What people call each feature, and its unit, as its recipe says.
    may_name : tuple of bool
        Whether each feature speaks of nothing that is never told.
    """

    texts: Texts
    schema: FeatureSchema
    labels: tuple[str, ...] = field(init=False)
    units: tuple[str, ...] = field(init=False)
    may_name: tuple[bool, ...] = field(init=False)
    _tellers: tuple[Teller, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Work out once what each feature is called and how its values are told."""
        recipes = self.schema.features
        labels = tuple(recipe.label(self.texts.language) for recipe in recipes)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "units", tuple(recipe.unit for recipe in recipes))
        object.__setattr__(self, "may_name", tuple(_may_name(recipe) for recipe in recipes))
        object.__setattr__(self, "_tellers", tuple(self._teller(recipe) for recipe in recipes))

    def value(self, feature: int, value: float, currency: str) -> str | None:
        """Return a value in words; None where it is missing or not to be told.

        Parameters
        ----------
        feature : int
            Position of the feature in the schema.
        value : float
            Its value.
        currency : str
            Of the account, for money.
        """
        return self._tellers[feature](value, currency) if self.may_name[feature] and isfinite(value) else None

    def is_unseen(self, feature: int, value: float) -> bool:
        """Return whether a value is a word that training never saw."""
        return self.schema.kinds[feature] == "category" and value == UNSEEN_WORD

    def _teller(self, recipe: Recipe) -> Teller:
        if recipe.kind == "category":
            return self._category(recipe)
        if (recipe.table, recipe.value) == (STATE_TABLE, "bucket"):
            return lambda code, _: self.texts.render("value.bucket", bucket=BUCKETS[int(code)])
        tellers: dict[str, Teller] = {
            "money": self._money,
            "days": self._days,
            "count": lambda number, _: self.texts.number(number),
            "ratio": lambda share, _: self.texts.percent(share),
        }
        return tellers.get(recipe.unit, self._number)

    def _money(self, amount: float, currency: str) -> str:
        return self.texts.money(round(amount * 10 ** minor_digits(currency)), currency)

    def _days(self, days: float, _: str) -> str:
        whole = round(days)
        form = "one" if whole == 1 else "many"
        return self.texts.render(f"value.days.{form}", number=self.texts.number(whole))

    def _number(self, number: float, _: str) -> str:
        rounded = round(number, 1) + 0.0
        return self.texts.number(rounded, 0 if rounded == round(rounded) else 1)

    def _category(self, recipe: Recipe) -> Teller:
        """Tell the word of a static attribute; nothing of one that is missing or that training never saw."""
        words: list[str | None] = [None] * FIRST_WORD
        if recipe.table in _STATIC_TABLES:
            known = self.schema.vocabularies[recipe.name]
            words += [word if load_deny().may_tell(word) else None for word in known]
        return lambda code, _: words[int(code)] if int(code) < len(words) else None


@lru_cache(maxsize=16)
def wording_in(language: str, schema: FeatureSchema) -> Wording:
    """Return the words for a schema in a language (see `recobro_score.texts.load_texts`), made once."""
    return Wording(load_texts(language), schema)


def _may_name(recipe: Recipe) -> bool:
    conditions = (*recipe.where, *getattr(recipe, "run", ()))
    filters = [word for condition in conditions for word in getattr(condition, "values", ())]
    return load_deny().may_tell(recipe.name, *filters, *(text for _, text in recipe.labels))
