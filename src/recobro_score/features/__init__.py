"""Point-in-time features: recipes as data, one compiled scan, labels by the same machinery looking ahead."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recobro_score.features.audit.leakage import audit_leakage
    from recobro_score.features.audit.options import AuditOptions
    from recobro_score.features.audit.result import Finding, LeakageAudit
    from recobro_score.features.feature_set import FeatureSet
    from recobro_score.features.given import given_labels
    from recobro_score.features.label_matrix import LabelMatrix, compute_labels
    from recobro_score.features.label_specs import LabelSpec, standard_labels
    from recobro_score.features.labels import REASONS, Labels, payment_labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.features.pipeline import compute
    from recobro_score.features.recipes import (
        CONCEPTS,
        Between,
        Months,
        Present,
        PromiseRule,
        Recipe,
        Where,
        Window,
    )
    from recobro_score.features.rehearsal import warm_up
    from recobro_score.features.schema import FeatureSchema

_HOME = {
    "AuditOptions": "audit.options",
    "Finding": "audit.result",
    "LeakageAudit": "audit.result",
    "audit_leakage": "audit.leakage",
    "FeatureSet": "feature_set",
    "LabelMatrix": "label_matrix",
    "LabelSpec": "label_specs",
    "REASONS": "labels",
    "Labels": "labels",
    "given_labels": "given",
    "payment_labels": "labels",
    "FeatureMatrix": "matrix",
    "compute": "pipeline",
    "compute_labels": "label_matrix",
    "standard_labels": "label_specs",
    "warm_up": "rehearsal",
    "CONCEPTS": "recipes",
    "Between": "recipes",
    "Months": "recipes",
    "Present": "recipes",
    "PromiseRule": "recipes",
    "Recipe": "recipes",
    "Where": "recipes",
    "Window": "recipes",
    "FeatureSchema": "schema",
}

__all__ = [
    "CONCEPTS",
    "REASONS",
    "AuditOptions",
    "Between",
    "FeatureMatrix",
    "FeatureSchema",
    "FeatureSet",
    "Finding",
    "LabelMatrix",
    "LabelSpec",
    "Labels",
    "LeakageAudit",
    "Months",
    "Present",
    "PromiseRule",
    "Recipe",
    "Where",
    "Window",
    "audit_leakage",
    "compute",
    "compute_labels",
    "given_labels",
    "payment_labels",
    "standard_labels",
    "warm_up",
]


def __getattr__(name: str) -> object:
    """Import a public name where it is first used: recipes need no compiler, the scan does."""
    if name not in _HOME:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
