"""Why an account has its score: contributions by concept, sentences, plots."""

from __future__ import annotations

from recobro_score.explain.contributions import ConceptReasons, TopConcepts, concept_contributions
from recobro_score.explain.plots import (
    features_to_shap,
    plot_concepts,
    plot_dependence,
    plot_waterfall,
    to_shap,
)
from recobro_score.explain.points import ProbabilityPoints, probability_points
from recobro_score.explain.readers import READERS
from recobro_score.explain.reasons import Reasons, tell_reasons

__all__ = [
    "READERS",
    "ConceptReasons",
    "ProbabilityPoints",
    "Reasons",
    "TopConcepts",
    "concept_contributions",
    "features_to_shap",
    "plot_concepts",
    "plot_dependence",
    "plot_waterfall",
    "probability_points",
    "tell_reasons",
    "to_shap",
]
