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
from recobro_score.texts.deny import load_deny
from recobro_score.texts.required import problems

_FORMATS, _REQUIRED = "formats.toml", "required.toml"
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Formats:
    """How numbers, money and dates are written.

    Attributes
    ----------
    decimal, group : str
        Marks before decimals and between thousands.
    date : str
        As `datetime.strftime` takes it.
    money, percent : str
        Templates of an ``{amount}`` with its ``{currency}``, and of a ``{number}`` of hundredths.
    """

    decimal: str
    group: str
    date: str
    money: str
    percent: str


@dataclass(frozen=True, slots=True)
class Texts:
    """The sentences and formats of one language.

    Attributes
    ----------
    language : str
        ``es``, ``en`` or ``pt``.
    sentences : mapping of str to str
        Dotted key to template; templates hold ``{field}`` placeholders.
    formats : Formats
        Of the language, or of the language in a country.
    """

    language: str
    sentences: Mapping[str, str]
    formats: Formats

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
        if (self.formats.group, self.formats.decimal) == (",", "."):
            return text
        return text.translate({ord(","): self.formats.group, ord("."): self.formats.decimal})

    def signed(self, value: float, decimals: int = 0) -> str:
        """Return a number that always shows its sign, for example ``+0,42`` or ``−0,0``."""
        sign = "" if value == 0.0 else _MINUS if value < 0.0 else "+"
        return sign + self.number(abs(value), decimals)

    def money(self, minor: int, currency: str) -> str:
        """Return an amount given in minor units, for example ``1.234,50 EUR``."""
        digits = minor_digits(currency)
        amount = self.number(minor / 10**digits, digits)
        return self.formats.money.format(amount=amount, currency=currency)

    def percent(self, share: float, decimals: int = 0) -> str:
        """Return a share as a percentage, for example ``35 %``."""
        return self.formats.percent.format(number=self.number(100.0 * share, decimals))

    def date(self, us: int, time_zone: str) -> str:
        """Return the local date of an instant: ``03/06/2025`` in Spanish, ``2025-06-03`` in English."""
        return as_datetime(us, time_zone).strftime(self.formats.date)


def languages() -> tuple[str, ...]:
    """Return the codes of the languages that have texts."""
    folder = files("recobro_score.texts")
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and len(entry.name) == 2))


@cache
def load_texts(language: str) -> Texts:
    """Return the texts of a language.

    Parameters
    ----------
    language : str
        A language (``es``), or a language in a country (``es-MX``): the same sentences, with the formats of
        ``formats.toml`` for that country where it has them.

    Raises
    ------
    ConfigError
        If there are no texts in that language, or two files hold the same sentence.
    TextMissing
        If sentences are missing that every language must have, or that another language has; if one asks for
        a field that it is not given, or says what is never said. All in one message.
    """
    base = language.partition("-")[0]
    known = languages()
    if base not in known:
        msg = f"no texts in the language {language!r}; there are {', '.join(known)}"
        raise ConfigError(msg)
    sentences = _read(base)
    found = [
        f"{key} of {other!r} is missing"
        for other in known
        for key in sorted(_read(other).keys() - sentences.keys())
    ]
    found += problems(sentences, _toml(_REQUIRED), load_deny())
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        msg = f"the {base!r} texts have {len(found)} problems: {'; '.join(found[:5])}{more}"
        raise TextMissing(msg)
    written = _toml(_FORMATS)
    return Texts(base, sentences, Formats(**{**written[base], **written.get(language, {})}))


@cache
def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads(files("recobro_score.texts").joinpath(name).read_text(encoding="utf-8"))


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
