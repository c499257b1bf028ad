"""Which sentences a language must have, and which fields they may use, read from ``required.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from string import Formatter
from typing import Any

from recobro_score.texts.deny import DenyList

_OPEN = "*"


def problems(sentences: Mapping[str, str], required: Mapping[str, Any], deny: DenyList) -> list[str]:
    """Return everything wrong with the sentences of a language: missing, unreadable, unfillable, unsayable.

    Parameters
    ----------
    sentences : mapping of str to str
        Dotted key to template.
    required : mapping
        ``lists`` (name to words) and ``texts`` (key pattern to the fields it may use).
    deny : DenyList
        What is never said.
    """
    exact = {
        key: set(fields)
        for pattern, fields in required["texts"].items()
        if not pattern.endswith(_OPEN)
        for key in _keys(pattern, required["lists"])
    }
    families = {
        pattern.removesuffix(_OPEN): set(fields)
        for pattern, fields in required["texts"].items()
        if pattern.endswith(_OPEN)
    }
    found = [f"{key} is missing" for key in exact if not sentences.get(key)]
    for key, template in sentences.items():
        allowed = exact.get(key)
        if allowed is None:
            allowed = next((fields for start, fields in families.items() if key.startswith(start)), None)
        found += _wrong(key, template, allowed)
        found += [f"{key} says {word!r}, which is never said" for word in deny.denied_in(template)]
    return found


def _keys(pattern: str, lists: Mapping[str, list[str]]) -> list[str]:
    names = [name for _, name, _, _ in Formatter().parse(pattern) if name]
    choices = product(*(lists[name] for name in names))
    return [pattern.format(**dict(zip(names, words, strict=True))) for words in choices]


def _wrong(key: str, template: str, allowed: set[str] | None) -> list[str]:
    if allowed is None:
        return [f"{key} is no known text"]
    try:
        asked = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        return [f"{key} cannot be read: {error}"]
    unknown = sorted(asked - allowed)
    return [f"{key} asks for {{{name}}}; it may use {sorted(allowed)}" for name in unknown]
