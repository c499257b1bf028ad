"""Contributions in points of probability, for reading.

A contribution v moves the margin, and how much probability that is worth depends on where the account stands.
Around the account's own margin m, with the calibrated probability p,

    points(v) = sign(v) · (p(m + |v|/2) − p(m − |v|/2)).

It is odd and never falls as v grows: the points of an account keep the order and the signs of its
contributions (a calibration in steps can tie them, or make them 0), and none is worth more than the whole way
from 0 to 1. The plain difference with and without the concept, p(m) − p(m − v), keeps the signs but not the
order between what raises and what lowers. Points are for reading: they do not add up to anything, the
contributions to the margin do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.explain.contributions import ConceptReasons

    Floats = NDArray[np.float64]

TRAINING = "training"
BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class ProbabilityPoints:
    """What contributions are worth in probability.

    Attributes
    ----------
    values : float64 array, shape (n, C)
        In (−1, 1), with the order and the signs of the contributions; times 100 they are points.
    average : float64 array, shape (n,)
        Calibrated probability at the margin from which the contributions start.
    reference : str
        Whose margin that is: ``training`` (the average account of training, path-dependent contributions) or
        ``background`` (the average of a background sample, interventional ones).
    """

    values: Floats
    average: Floats
    reference: str


def probability_points(
    contributions: ConceptReasons,
    margin: Floats,
    *,
    probability: Callable[[Floats], Floats],
    reference: str = TRAINING,
) -> ProbabilityPoints:
    """Say what every contribution is worth in probability.

    Parameters
    ----------
    contributions : ConceptReasons
        What each concept adds to the margin.
    margin : float64 array, shape (n,)
        The raw margin that they explain.
    probability : callable
        From margins, shape (n, k), row by row as the contributions, to calibrated probabilities; elementwise,
        and never falling along a row: `Calibrator.probability`. Where it rises strictly, so do the points.
    reference : str
        ``training`` or ``background``, see `ProbabilityPoints`.
    """
    concepts = contributions.values.shape[1]
    half, centre = 0.5 * np.abs(contributions.values), margin[:, None]
    ends = np.concatenate([centre + half, centre - half, contributions.bias[:, None]], axis=1)
    found = probability(ends)
    width = found[:, :concepts] - found[:, concepts:-1]
    return ProbabilityPoints(
        values=np.sign(contributions.values) * width, average=found[:, -1], reference=reference
    )
