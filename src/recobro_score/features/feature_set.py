"""A checked set of recipes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.data.events import EventStore
from recobro_score.digest import canonical_json
from recobro_score.errors import ConfigError, hint
from recobro_score.features.recipes import Months, PromiseRule, Recipe, Window
from recobro_score.features.schema import FeatureSchema, learn_schema
from recobro_score.features.standard import further_recipes, standard_recipes
from recobro_score.features.validation import find_problems

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_PROMISES = PromiseRule()


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Recipes that fit together. Immutable.

    Parameters
    ----------
    recipes : tuple of Recipe
        In the order of the columns; a derived recipe may stand before its operands.
    promises : PromiseRule
        When a promise counts as kept.

    Raises
    ------
    ConfigError
        Listing everything that is wrong with the set at once.

    Examples
    --------
    >>> from recobro_score.features import Recipe, Where, Window
    >>> mine = Recipe("rpc_45d", "contacts", "count", "contact_success",
    ...               window=Window(-45, 0), where=(Where("outcome", ("rpc",)),))
    >>> FeatureSet.standard().with_recipes(mine).recipes[-1].name
    'rpc_45d'
    """

    recipes: tuple[Recipe, ...]
    promises: PromiseRule = DEFAULT_PROMISES

    def __post_init__(self) -> None:
        """Check all recipes."""
        object.__setattr__(self, "recipes", tuple(self.recipes))
        problems = find_problems(self.recipes, self.promises)
        if problems:
            lines = "\n".join(f"  - {problem}" for problem in problems)
            many = "s" if len(problems) > 1 else ""
            msg = f"{len(problems)} problem{many} with the feature set:\n{lines}"
            raise ConfigError(msg)

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def standard(cls, *, promises: PromiseRule | None = None) -> FeatureSet:
        """Return the standard set (see `recobro_score.features.standard`)."""
        return cls(standard_recipes(), promises or DEFAULT_PROMISES)

    @classmethod
    def extended(cls, *, promises: PromiseRule | None = None) -> FeatureSet:
        """Return the standard set with the debtor's other accounts and the date itself.

        An account's row then depends on all accounts of its debtor, never on those of others.
        """
        return cls((*standard_recipes(), *further_recipes()), promises or DEFAULT_PROMISES)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features; hidden recipes are left out."""
        return tuple(recipe.name for recipe in self.recipes if not recipe.hidden)

    def with_recipes(self, *recipes: Recipe) -> FeatureSet:
        """Return the set with more recipes at its end."""
        return FeatureSet((*self.recipes, *recipes), self.promises)

    def without(self, *names: str) -> FeatureSet:
        """Return the set without some recipes.

        Raises
        ------
        ConfigError
            If another recipe is made of one of them, or there is no such recipe.
        """
        _require(names, [recipe.name for recipe in self.recipes], "to be left out")
        kept = tuple(recipe for recipe in self.recipes if recipe.name not in names)
        return FeatureSet(kept, self.promises)

    def held_to(self, directions: Mapping[str, int]) -> FeatureSet:
        """Return the set with directions that models must keep to, for example ``{"dpd": -1}``.

        Parameters
        ----------
        directions : mapping of str to int
            Per feature 1 (a larger value never lowers the score), −1 (never raises it) or 0 (free again).
            All models trained on the set are held to them.

        Raises
        ------
        ConfigError
            If there is no such feature, or a direction is none of the three.
        """
        _require(directions, self.names, "to be held to a direction")
        recipes = (replace(one, monotone=directions.get(one.name, one.monotone)) for one in self.recipes)
        return FeatureSet(tuple(recipes), self.promises)

    def schema(self, store: EventStore) -> FeatureSchema:
        """Learn known tables and vocabularies from a training store (see `FeatureSchema`)."""
        return learn_schema(self.recipes, self.promises, store)

    def describe(self, *, hidden: bool = False) -> pd.DataFrame:
        """Return one row per feature, or per hidden recipe that features are made of.

        Returns
        -------
        pandas.DataFrame
            Columns ``name``, ``concept``, ``table``, ``aggregate``, ``value``, ``window``, ``where``, ``run``
            (what goes on in a streak), ``half_life`` (days, NaN where nothing fades), ``by_debtor``, ``of``,
            ``unit``, ``kind``, ``monotone`` and ``label_<language>`` for every language of the labels.
        """
        import pandas as pd

        chosen = [recipe for recipe in self.recipes if recipe.hidden == hidden]
        languages = sorted({language for recipe in chosen for language, _ in recipe.labels})
        return pd.DataFrame([_described(recipe, languages) for recipe in chosen])

    def to_json(self) -> str:
        """Return canonical JSON."""
        promises = {"grace_days": self.promises.grace_days, "tolerance": self.promises.tolerance}
        return canonical_json(
            {"recipes": [recipe.to_dict() for recipe in self.recipes], "promises": promises}
        )

    @classmethod
    def from_json(cls, text: str) -> FeatureSet:
        """Return the set written by `to_json`."""
        fields = json.loads(text)
        recipes = tuple(Recipe.from_dict(recipe) for recipe in fields["recipes"])
        return cls(recipes, PromiseRule(**fields["promises"]))


def _require(wanted: Iterable[str], known: Sequence[str], purpose: str) -> None:
    for name in wanted:
        if name not in known:
            msg = f"no feature {name!r} {purpose}.{hint(name, known)}"
            raise ConfigError(msg)


def _described(recipe: Recipe, languages: list[str]) -> dict[str, Any]:
    fields = {
        "name": recipe.name,
        "concept": recipe.concept,
        "table": recipe.table,
        "aggregate": recipe.aggregate,
        "value": recipe.value or "",
        "window": _window_text(recipe.window),
        "where": " and ".join(str(condition) for condition in recipe.where),
        "run": " and ".join(str(condition) for condition in recipe.run),
        "half_life": np.nan if recipe.half_life is None else recipe.half_life,
        "by_debtor": recipe.by_debtor,
        "of": ", ".join(recipe.of),
        "unit": recipe.unit,
        "kind": recipe.kind,
        "monotone": recipe.monotone,
    }
    return {**fields, **{f"label_{language}": recipe.label(language) for language in languages}}


def _window_text(window: Window | Months | None) -> str:
    if window is None:
        return ""
    if isinstance(window, Window):
        ends, unit = (window.days_from, window.days_to), "days"
    else:
        ends, unit = (window.months_from, window.months_to), "months"
    low, high = ("…" if end is None else f"{end:g}" for end in ends)
    return f"[{low}, {high}) {unit}"
