"""What is never said: words, and concepts per reader and country, read from ``deny.toml``."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

EVERY = "*"
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class DeniedConcepts:
    """Concepts that some readers are not told of, and why.

    Attributes
    ----------
    readers, countries : tuple of str
        Whom and where; ``*`` is everyone and everywhere.
    names : tuple of str
        The concepts.
    because : str
        The reason for it.
    """

    readers: tuple[str, ...]
    countries: tuple[str, ...]
    names: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class DenyList:
    """What is never said.

    Attributes
    ----------
    data : tuple of str
        Words that keep a feature, a value or a concept out of every reason; ``salud*`` is a beginning.
    texts : tuple of str
        Words that no sentence may say, beside those of `data`.
    concepts : tuple of DeniedConcepts
        What is denied to whom and where.
    """

    data: tuple[str, ...]
    texts: tuple[str, ...]
    concepts: tuple[DeniedConcepts, ...]

    def concepts_for(self, reader: str, country: str | None) -> frozenset[str]:
        """Return the concepts that a reader is not told of an account in a country.

        Parameters
        ----------
        reader : str
            For example ``debtor``.
        country : str or None
            ISO 3166-1 alpha-2; None = not known, so that what is denied anywhere is denied.
        """
        return frozenset(
            name
            for entry in self.concepts
            if {reader, EVERY} & set(entry.readers)
            and (country is None or {country, EVERY} & set(entry.countries))
            for name in entry.names
        )

    def may_tell(self, *data: str) -> bool:
        """Return whether names, labels and values speak of nothing that is never told."""
        return not any(denied_words(text, self.data) for text in data)

    def denied_in(self, sentence: str) -> tuple[str, ...]:
        """Return the words of a sentence that no sentence may say."""
        return denied_words(sentence, (*self.data, *self.texts))


def denied_words(text: str, denied: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a text that are denied, in lower case without accents."""
    whole, beginnings = _split(tuple(denied))
    plain = unicodedata.normalize("NFKD", text.lower())
    words = _WORD.findall("".join(char for char in plain if not unicodedata.combining(char)))
    return tuple(word for word in words if word in whole or word.startswith(beginnings))


@cache
def _split(denied: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    whole = frozenset(word for word in denied if not word.endswith(EVERY))
    return whole, tuple(word.removesuffix(EVERY) for word in denied if word.endswith(EVERY))


@cache
def load_deny() -> DenyList:
    """Return the shipped deny-list."""
    text = files("recobro_score.texts").joinpath("deny.toml").read_text(encoding="utf-8")
    read = tomllib.loads(text)
    return DenyList(
        tuple(read["words"]["data"]),
        tuple(read["words"]["texts"]),
        tuple(
            DeniedConcepts(
                readers=tuple(entry["readers"]),
                countries=tuple(entry["countries"]),
                names=tuple(entry["names"]),
                because=entry["because"],
            )
            for entry in read["concepts"]
        ),
    )
