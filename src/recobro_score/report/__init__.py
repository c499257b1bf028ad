"""Documents about a trained system; they compose what is known and compute nothing.

`card`: the model card, in Markdown and as data, in Spanish and English.
"""

from __future__ import annotations

from recobro_score.report.card import ModelCard, model_card

__all__ = ["ModelCard", "model_card"]
