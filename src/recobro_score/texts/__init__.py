"""Sentences and formats per language, and what is never said.

The sentences live in ``<language>/*.toml`` beside this file, so that they can be read and edited by people
who do not program; ``formats.toml`` says how numbers and dates are written, ``deny.toml`` what no reader is
told, ``required.toml`` which sentences there must be. A language that lacks one, or says what is denied, is
refused when it is loaded.
"""

from __future__ import annotations

from recobro_score.texts.deny import DenyList, load_deny
from recobro_score.texts.loader import Formats, Texts, languages, load_texts

__all__ = ["DenyList", "Formats", "Texts", "languages", "load_deny", "load_texts"]
