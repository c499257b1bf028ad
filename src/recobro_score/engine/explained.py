"""Explain scores: contributions by concept, what they are worth in probability, and the heaviest in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.explain.contributions import ConceptReasons, concept_contributions
from recobro_score.explain.points import ProbabilityPoints, probability_points
from recobro_score.explain.readers import AGENT
from recobro_score.explain.reasons import Reasons, tell_reasons
from recobro_score.explain.table_shap import explainer_of
from recobro_score.models.calibration.family import calibrated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.event_model import EventModel
    from recobro_score.models.scores import Scores

    Floats = NDArray[np.float64]
    Objects = NDArray[np.object_]

_ROWS_TOGETHER = 16_384
"""Rows whose contributions per feature are held at a time; only those per concept are kept."""


@dataclass(frozen=True, slots=True)
class Telling:
    """To whom reasons are told, and in which language.

    Attributes
    ----------
    reader : str
        ``agent``, ``debtor`` or ``auditor``.
    language : str
        ``es``, ``en`` or ``pt``, or one of them in a country (``es-MX``).
    """

    reader: str = AGENT
    language: str = "es"


@dataclass(frozen=True, slots=True)
class Explained:
    """Why accounts have their scores; rows in the order of the feature matrix.

    Attributes
    ----------
    contributions : ConceptReasons
        What each concept adds to the margin; with the bias they add up to it.
    points : ProbabilityPoints
        The same in probability, for reading.
    reasons : Reasons
        The heaviest concepts in words.
    """

    contributions: ConceptReasons
    points: ProbabilityPoints
    reasons: Reasons


def explain(
    model: EventModel,
    matrix: FeatureMatrix,
    scores: Scores,
    *,
    bucket: NDArray[np.int8],
    currency: Objects,
    country: Objects | None = None,
    telling: Telling | None = None,
    threads: int = 1,
) -> Explained:
    """Explain the scores of a feature matrix; a row alone gets the bits and the words that it has in a batch.

    Contributions are computed per feature and added up by concept, not taken from tables of concepts: every
    reader is told the feature that leads a concept.

    Parameters
    ----------
    model : EventModel
        The booster and calibrator behind the scores.
    matrix : FeatureMatrix
        What was scored.
    scores : Scores
        Of the rows of the matrix.
    bucket : int8 array, shape (n,)
        Bucket of days past due of each row, by which the calibrator may differ.
    currency : object array, shape (n,)
        Currency of each row's account.
    country : object array, shape (n,), optional
        Its country; what is denied to the reader there is not told. Where it is not known, what is denied
        anywhere is denied.
    telling : Telling, optional
        The agent, in Spanish, where absent.
    threads : int
        They change no bit.

    Raises
    ------
    ConfigError
        If the reader or the language does not exist.
    TextMissing
        If a concept that the reader may be told of has no sentence in the language.
    """
    telling = telling or Telling()
    contributions = _contributions(model, matrix, scores, threads)

    def probability(margins: Floats) -> Floats:
        segment = np.repeat(bucket, margins.shape[1])
        return calibrated(model.calibrator, margins.ravel(), segment).reshape(margins.shape)

    points = probability_points(contributions, scores.margin, probability=probability)
    reasons = tell_reasons(
        contributions,
        matrix,
        language=telling.language,
        reader=telling.reader,
        currency=currency,
        country=country,
        points=points,
    )
    return Explained(contributions, points, reasons)


def feature_contributions(model: EventModel, matrix: FeatureMatrix, *, threads: int = 1) -> Floats:
    """Return what each feature adds to the raw margin of each row.

    Parameters
    ----------
    model : EventModel
        Whose margin is explained.
    matrix : FeatureMatrix
        Of the schema that the model was trained on.
    threads : int
        They change no bit.

    Returns
    -------
    float64 array, shape (n, p + 1)
        Exact, path-dependent; the last column is the bias.
    """
    explainer = explainer_of(model.booster.text, matrix.schema.names)
    return explainer.contributions(matrix.values, threads=threads)


def _contributions(model: EventModel, matrix: FeatureMatrix, scores: Scores, threads: int) -> ConceptReasons:
    """Add up contributions by concept, a stretch of rows at a time: those per feature are not kept."""
    explainer = explainer_of(model.booster.text, matrix.schema.names)
    stretches = [slice(first, first + _ROWS_TOGETHER) for first in range(0, len(matrix), _ROWS_TOGETHER)]
    parts = [
        concept_contributions(
            explainer.contributions(matrix.values[rows], threads=threads),
            matrix.schema.concepts,
            margin=scores.margin[rows],
            account_ids=matrix.account_ids[rows],
        )
        for rows in stretches or [slice(0)]
    ]
    if len(parts) == 1:
        return parts[0]
    return ConceptReasons(
        parts[0].concepts,
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.bias for part in parts]),
        np.concatenate([part.lead for part in parts]),
    )
