"""Sentences and formats per language.

The sentences live in ``<language>/*.toml`` beside this file, so that they can be read and edited by people
who do not program. A language that lacks a sentence another one has is refused when it is loaded.
"""

from __future__ import annotations

from recobro_score.texts.loader import Texts, languages, load_texts

__all__ = ["Texts", "languages", "load_texts"]
