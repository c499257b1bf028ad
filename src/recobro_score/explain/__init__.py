"""Why an account has its score: contributions by concept, sentences, plots."""

from __future__ import annotations

from recobro_score.explain.contributions import ConceptReasons, TopConcepts, concept_contributions
from recobro_score.explain.plots import plot_concepts, plot_waterfall, to_shap
from recobro_score.explain.reasons import Reasons, tell_reasons

__all__ = [
    "ConceptReasons",
    "Reasons",
    "TopConcepts",
    "concept_contributions",
    "plot_concepts",
    "plot_waterfall",
    "tell_reasons",
    "to_shap",
]
