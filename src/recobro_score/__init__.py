"""Scores overdue debts and picks the next best action: lawful, affordable, explained.

The names below are the public face; each is imported from its room when it is first used, so that
``import recobro_score`` costs next to nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recobro_score.bundle import Bundle
    from recobro_score.data.options import PortfolioOptions
    from recobro_score.data.portfolio import Portfolio
    from recobro_score.data.sample import sample_portfolio
    from recobro_score.data.sources import read_portfolio
    from recobro_score.data.streamed import StreamedPortfolio
    from recobro_score.engine import Outputs, RunOptions, Scored, run, score
    from recobro_score.errors import RecobroError
    from recobro_score.evaluation.plots import (
        plot_gain,
        plot_lift,
        plot_months,
        plot_reliability,
        plot_rivals,
    )
    from recobro_score.explain.plots import plot_concepts, plot_dependence, plot_waterfall, to_shap
    from recobro_score.explain.reasons import tell_reasons
    from recobro_score.explain.table_shap import TableExplainer
    from recobro_score.features.audit.leakage import audit_leakage
    from recobro_score.features.audit.options import AuditOptions
    from recobro_score.features.audit.result import LeakageAudit
    from recobro_score.features.feature_set import FeatureSet
    from recobro_score.features.single import AccountFeatures
    from recobro_score.models.booster import BoosterOptions
    from recobro_score.models.contact.model import ContactModel
    from recobro_score.models.early_warning import EarlyWarningModel
    from recobro_score.models.event_model import EventOptions
    from recobro_score.models.payment.model import PaymentModel, PaymentTarget
    from recobro_score.models.plan.model import PlanModel
    from recobro_score.models.promise.model import PromiseModel
    from recobro_score.models.recovery.model import RecoveryModel
    from recobro_score.models.report import ChainReport, ModelReport
    from recobro_score.models.scorecard import Scorecard
    from recobro_score.models.self_cure import SelfCureModel
    from recobro_score.models.tabular import TabularClassifier
    from recobro_score.money import Rates
    from recobro_score.policy.policy import Policy
    from recobro_score.report.card import model_card
    from recobro_score.serving import Scorer, ScoreRequest
    from recobro_score.simulate.portfolio import simulate_portfolio
    from recobro_score.simulate.scenario import Scenario
    from recobro_score.timeline import Timeline
    from recobro_score.training import Training, TrainingOptions, train

_HOMES = {
    "AccountFeatures": "recobro_score.features.single",
    "AuditOptions": "recobro_score.features.audit.options",
    "BoosterOptions": "recobro_score.models.booster",
    "Bundle": "recobro_score.bundle",
    "ChainReport": "recobro_score.models.report",
    "ContactModel": "recobro_score.models.contact.model",
    "EarlyWarningModel": "recobro_score.models.early_warning",
    "EventOptions": "recobro_score.models.event_model",
    "FeatureSet": "recobro_score.features.feature_set",
    "LeakageAudit": "recobro_score.features.audit.result",
    "ModelReport": "recobro_score.models.report",
    "Outputs": "recobro_score.engine",
    "PaymentModel": "recobro_score.models.payment.model",
    "PaymentTarget": "recobro_score.models.payment.model",
    "PlanModel": "recobro_score.models.plan.model",
    "Policy": "recobro_score.policy.policy",
    "Portfolio": "recobro_score.data.portfolio",
    "PortfolioOptions": "recobro_score.data.options",
    "PromiseModel": "recobro_score.models.promise.model",
    "Rates": "recobro_score.money",
    "RecobroError": "recobro_score.errors",
    "RecoveryModel": "recobro_score.models.recovery.model",
    "RunOptions": "recobro_score.engine",
    "Scenario": "recobro_score.simulate.scenario",
    "ScoreRequest": "recobro_score.serving",
    "Scorecard": "recobro_score.models.scorecard",
    "Scored": "recobro_score.engine",
    "Scorer": "recobro_score.serving",
    "SelfCureModel": "recobro_score.models.self_cure",
    "StreamedPortfolio": "recobro_score.data.streamed",
    "TableExplainer": "recobro_score.explain.table_shap",
    "TabularClassifier": "recobro_score.models.tabular",
    "Timeline": "recobro_score.timeline",
    "Training": "recobro_score.training",
    "TrainingOptions": "recobro_score.training",
    "audit_leakage": "recobro_score.features.audit.leakage",
    "model_card": "recobro_score.report.card",
    "plot_concepts": "recobro_score.explain.plots",
    "plot_dependence": "recobro_score.explain.plots",
    "plot_gain": "recobro_score.evaluation.plots",
    "plot_lift": "recobro_score.evaluation.plots",
    "plot_months": "recobro_score.evaluation.plots",
    "plot_reliability": "recobro_score.evaluation.plots",
    "plot_rivals": "recobro_score.evaluation.plots",
    "plot_waterfall": "recobro_score.explain.plots",
    "read_portfolio": "recobro_score.data.sources",
    "run": "recobro_score.engine",
    "sample_portfolio": "recobro_score.data.sample",
    "score": "recobro_score.engine",
    "simulate_portfolio": "recobro_score.simulate.portfolio",
    "tell_reasons": "recobro_score.explain.reasons",
    "to_shap": "recobro_score.explain.plots",
    "train": "recobro_score.training",
}

__all__ = [
    "AccountFeatures",
    "AuditOptions",
    "BoosterOptions",
    "Bundle",
    "ChainReport",
    "ContactModel",
    "EarlyWarningModel",
    "EventOptions",
    "FeatureSet",
    "LeakageAudit",
    "ModelReport",
    "Outputs",
    "PaymentModel",
    "PaymentTarget",
    "PlanModel",
    "Policy",
    "Portfolio",
    "PortfolioOptions",
    "PromiseModel",
    "Rates",
    "RecobroError",
    "RecoveryModel",
    "RunOptions",
    "Scenario",
    "ScoreRequest",
    "Scorecard",
    "Scored",
    "Scorer",
    "SelfCureModel",
    "StreamedPortfolio",
    "TableExplainer",
    "TabularClassifier",
    "Timeline",
    "Training",
    "TrainingOptions",
    "__version__",
    "audit_leakage",
    "model_card",
    "plot_concepts",
    "plot_dependence",
    "plot_gain",
    "plot_lift",
    "plot_months",
    "plot_reliability",
    "plot_rivals",
    "plot_waterfall",
    "read_portfolio",
    "run",
    "sample_portfolio",
    "score",
    "simulate_portfolio",
    "tell_reasons",
    "to_shap",
    "train",
]

__version__ = version("recobro-score")

# Compiled code is cached with the user, never beside the sources or in a bundle.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - never raises
os.environ.setdefault("NUMBA_CACHE_DIR", str(_CACHE / "recobro_score" / "numba"))


def __getattr__(name: str) -> object:
    """Import a public name where it is first used."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
