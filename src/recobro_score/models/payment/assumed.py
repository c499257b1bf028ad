"""The payment model of a portfolio whose outcomes nobody knows yet: assumptions, and said so everywhere.

A portfolio where every account is new has no label to learn from, yet its first night must run. The rates
below stand in: one per bucket of days past due, in the shape every source agrees on (payment falls with age)
and at a cautious level. They order accounts, they forecast nothing: every score carries the flag ``assumed``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.state import BUCKETS
from recobro_score.features.schema import FeatureSchema
from recobro_score.models.booster import Booster, BoosterOptions
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.event_model import EventModel
from recobro_score.models.event_scorer import EventScorer
from recobro_score.models.facts import TrainingFacts
from recobro_score.models.payment.model import PaymentModel, PaymentTarget
from recobro_score.models.payment.shares import RecoveredShares
from recobro_score.models.scores import STANDARD_THIN_FILE

ASSUMED_RATES = (0.50, 0.40, 0.25, 0.18, 0.10, 0.04)
"""Assumed probability to pay per bucket 0, 1–30, 31–60, 61–90, 91–180, 181+; from no study, by convention."""
UNKNOWN_RATE = 0.15
DAYS = "dpd"

_FIRST_AND_LAST_DAY = ((0, 0), (1, 30), (31, 60), (61, 90), (91, 180), (181, 720))
_ROWS = 1_000
_OPTIONS = BoosterOptions(
    trees=60, learning_rate=0.5, leaves=len(BUCKETS) + 2, min_leaf=_ROWS // 2, feature_fraction=1.0, l2=0.0
)


def assumed_payment(schema: FeatureSchema, target: PaymentTarget, *, why: str) -> PaymentModel:
    """Return a payment model of the assumed rates, in the form of every other one.

    Parameters
    ----------
    schema : FeatureSchema
        Without the feature ``dpd`` every account gets the mean of the rates.
    target : PaymentTarget
        What the probabilities speak of; the rates are taken as they are whatever it says.
    why : str
        Why nothing could be learned; kept among the model's warnings.
    """
    days = np.repeat([*np.ravel(_FIRST_AND_LAST_DAY), np.nan, np.nan], _ROWS // 2)
    payers = np.rint(np.array([*ASSUMED_RATES, UNKNOWN_RATE]) * _ROWS).astype(np.int64)
    y = np.concatenate([_evenly(count) for count in payers])
    values = np.zeros((len(days), len(schema)))
    values[:, [i for i, kind in enumerate(schema.kinds) if kind == "number"]] = np.nan
    if DAYS in schema.names:
        values[:, schema.names.index(DAYS)] = days
    booster = Booster.fit(values, y, schema=schema, options=_OPTIONS)
    calibrator = Calibrator("identity", 1.0, 1.0, 0.0, 0, 0, "assumed, not calibrated")
    warnings = (
        f"nothing could be learned: {why}",
        "probabilities are assumptions per bucket, not predictions",
    )
    scorer = EventScorer(
        event=EventModel(booster, calibrator, "assumed"),
        thin_file=STANDARD_THIN_FILE if STANDARD_THIN_FILE.applies_to(schema.names) else None,
        options=_OPTIONS,
        facts=TrainingFacts(
            rows=0, events=0, unknown={}, train=(), calibration=(), test=(), warnings=warnings
        ),
    )
    return PaymentModel(target, scorer, _assumed_shares(target))


def _evenly(payers: int) -> NDArray[np.float64]:
    """Return outcomes of one bucket, as many payers in its first half as in its second."""
    half = np.arange(_ROWS // 2) < payers // 2
    return np.concatenate([half, half]).astype(np.float64)


def _assumed_shares(target: PaymentTarget) -> RecoveredShares:
    """Return the least that the target says: its share given paid, nothing given not."""
    cells = len(BUCKETS) + 1
    return RecoveredShares(
        BUCKETS, (target.share,) * cells, (0.0,) * cells, rows_paid=(0,) * cells, rows_unpaid=(0,) * cells
    )
