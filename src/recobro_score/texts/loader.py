"""Load the sentences of a language and fill in their values."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from recobro_score.calendars import as_datetime
from recobro_score.errors import ConfigError, TextMissing, hint
from recobro_score.money import minor_digits


@dataclass(frozen=True, slots=True)
class Texts:
    """The sentences and formats of one language.

    Attributes
    ----------
    language : str
        ``es`` or ``en``.
    sentences : mapping of str to str
        Dotted key to template; templates hold ``{field}`` placeholders.
    """

    language: str
    sentences: Mapping[str, str]

    def __contains__(self, key: object) -> bool:
        """Return whether a sentence exists."""
        return key in self.sentences

    def render(self, key: str, **fields: object) -> str:
        """Return the sentence `key` with its placeholders filled in.

        Raises
        ------
        TextMissing
            If the key does not exist or the template asks for a field that was not given.
        """
        try:
            template = self.sentences[key]
        except KeyError:
            msg = f"no {self.language!r} text for {key!r}.{hint(key, self.sentences)}"
            raise TextMissing(msg) from None
        try:
            return template.format(**fields)
        except KeyError as error:
            msg = f"the {self.language!r} text {key!r} asks for the field {error} that was not given"
            raise TextMissing(msg) from None

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number with the language's separators, for example ``1.234,5`` in Spanish."""
        text = f"{value:z,.{decimals}f}"
        if self.language == "en":
            return text
        return text.translate(str.maketrans(",.", ".,"))

    def money(self, minor: int, currency: str) -> str:
        """Return an amount given in minor units, for example ``1.234,50 EUR``."""
        digits = minor_digits(currency)
        return f"{self.number(minor / 10**digits, digits)} {currency}"

    def percent(self, share: float, decimals: int = 0) -> str:
        """Return a share as a percentage, for example ``35 %``."""
        return f"{self.number(100.0 * share, decimals)} %"

    def date(self, us: int, time_zone: str) -> str:
        """Return the local date of an instant: ``03/06/2025`` in Spanish, ``2025-06-03`` in English."""
        local = as_datetime(us, time_zone)
        return local.strftime("%Y-%m-%d" if self.language == "en" else "%d/%m/%Y")


def languages() -> tuple[str, ...]:
    """Return the codes of the languages that have texts."""
    folder = files("recobro_score.texts")
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and len(entry.name) == 2))


@cache
def load_texts(language: str) -> Texts:
    """Return the texts of a language.

    Raises
    ------
    ConfigError
        If there are no texts in that language, or two files hold the same sentence.
    TextMissing
        If it lacks a sentence that another language has.
    """
    known = languages()
    if language not in known:
        msg = f"no texts in the language {language!r}; there are {', '.join(known)}"
        raise ConfigError(msg)
    sentences = _read(language)
    for other in known:
        missing = sorted(set(_read(other)) - set(sentences))
        if missing:
            examples = ", ".join(missing[:5])
            msg = f"the {language!r} texts lack {len(missing)} sentences of {other!r}: {examples}"
            raise TextMissing(msg)
    return Texts(language, sentences)


@cache
def _read(language: str) -> dict[str, str]:
    sentences: dict[str, str] = {}
    folder = files("recobro_score.texts") / language
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".toml"):
            fragment = _flatten(tomllib.loads(entry.read_text(encoding="utf-8")))
            twice = sorted(sentences.keys() & fragment.keys())
            if twice:
                msg = f"the {language!r} text {twice[0]!r} of {entry.name} is also in another file"
                raise ConfigError(msg)
            sentences.update(fragment)
    return sentences


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = str(value)
    return flat
