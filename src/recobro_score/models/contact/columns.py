"""The columns that a contact model's trees see: the account without its own contact history, and the channel.

What outbound attempts and decisions left behind is kept from the trees on purpose. How often somebody was
called says what the policy thought of the account, not how hard it is to reach; and the account's own
successes speak, shrunk as they should be, through its own history. Contacts that the debtor began stay in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.digest import canonical_json, sha256_text
from recobro_score.features.recipes import Where
from recobro_score.features.schema import FeatureSchema
from recobro_score.models.booster import FIRST_KNOWN_CODE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.features.recipes import Recipe
    from recobro_score.models.booster import ColumnSchema

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CHANNEL = "contact_channel"
OWN_DOING = ("contacts", "decisions")
"""Tables that say what the holder did."""


@dataclass(frozen=True, slots=True, eq=False)
class ContactColumns:
    """Columns taken from a feature schema, and one more that names the channel.

    Parameters
    ----------
    source : ColumnSchema
        Of the features.
    channels : tuple of str
        The words of the last column.
    taken : tuple of int
        Positions in the source.
    word : str
        Name of the last column.
    """

    source: ColumnSchema
    channels: tuple[str, ...]
    taken: tuple[int, ...]
    word: str = CHANNEL
    names: tuple[str, ...] = field(init=False)
    kinds: tuple[str, ...] = field(init=False)
    vocabularies: Mapping[str, tuple[str, ...]] = field(init=False)
    monotone: tuple[int, ...] = field(init=False)
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive the columns."""
        source = self.source
        derived: dict[str, Any] = {
            "names": (*(source.names[i] for i in self.taken), self.word),
            "kinds": (*(source.kinds[i] for i in self.taken), "category"),
            "monotone": (*(0 for _ in self.taken), 0),
            "hash": sha256_text(
                canonical_json([source.hash, list(self.taken), self.word, list(self.channels)])
            ),
        }
        words = {name: tuple(source.vocabularies[name]) for name in source.vocabularies}
        derived["vocabularies"] = {name: words[name] for name in derived["names"] if name in words} | {
            self.word: self.channels
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, source: ColumnSchema, channels: tuple[str, ...]) -> ContactColumns:
        """Return the columns of a schema that say nothing of the holder's own attempts and decisions.

        All of them where the schema is no `FeatureSchema`: then the caller chose them.
        """
        if not isinstance(source, FeatureSchema):
            return cls(source, channels, tuple(range(len(source.names))))
        own = _own_doing(source)
        return cls(source, channels, tuple(i for i, name in enumerate(source.names) if name not in own))

    def values(self, features: Floats, channel: Ints) -> Floats:
        """Return the matrix of pairs.

        Parameters
        ----------
        features : ndarray of shape (n, p)
            In the columns of the source.
        channel : int64 ndarray of shape (n,)
            Positions in `channels`; −1 is a word not among them, −2 none.
        """
        out = np.empty((len(features), len(self.taken) + 1))
        out[:, :-1] = features[:, list(self.taken)]
        out[:, -1] = FIRST_KNOWN_CODE + channel
        return out

    def each_channel(self, features: Floats) -> Floats:
        """Return the matrix of every row with every channel, shape (n · C, p), row-major."""
        channels = len(self.channels)
        out = np.empty((len(features), channels, len(self.names)))
        out[:, :, :-1] = features[:, None, list(self.taken)]
        out[:, :, -1] = FIRST_KNOWN_CODE + np.arange(channels)
        return out.reshape(-1, len(self.names))


def _own_doing(schema: FeatureSchema) -> set[str]:
    """Return the recipes that read what the holder did, or are made of one that does."""
    found: set[str] = set()
    left = list(schema.recipes)
    while True:
        more = {recipe.name for recipe in left if _reads_own_doing(recipe) or found & set(recipe.of)}
        if more <= found:
            return found
        found |= more


def _reads_own_doing(recipe: Recipe) -> bool:
    inbound = any(
        isinstance(condition, Where) and condition == Where("direction", ("inbound",))
        for condition in recipe.where
    )
    return recipe.table in OWN_DOING and not inbound
