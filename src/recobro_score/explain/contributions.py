"""From a model's contributions per feature to contributions per concept.

The first source of contributions is LightGBM's own `pred_contrib`; whatever computes them, this is where
features become concepts and where additivity is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.data.compiled import entered
from recobro_score.errors import RecobroError, SchemaMismatch
from recobro_score.explain.kernel import keep_heaviest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

ADDITIVITY_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class TopConcepts:
    """The concepts that weigh most, per row.

    Attributes
    ----------
    index : int64 array, shape (n, k)
        Position of the concept, heaviest first.
    value : float64 array, shape (n, k)
        Its signed contribution to the margin.
    """

    index: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ConceptReasons:
    """What each concept adds to the raw margin of each row.

    Attributes
    ----------
    concepts : tuple of str
        The C concepts, in the order of the first feature of each.
    values : float64 array, shape (n, C)
        Contributions; with `bias` they add up to the margin.
    bias : float64 array, shape (n,)
        The margin of the average account.
    lead : int64 array, shape (n, C)
        The feature that pulls hardest in the direction of its concept; −1 where the concept adds nothing.
    """

    concepts: tuple[str, ...]
    values: NDArray[np.float64]
    bias: NDArray[np.float64]
    lead: NDArray[np.int64]

    def top(self, k: int, *, without: Collection[str] = ()) -> TopConcepts:
        """Return the `k` heaviest concepts of each row, fewer if there are fewer.

        Ties go to the concept that comes first.

        Parameters
        ----------
        k : int
            How many.
        without : collection of str
            Concepts left aside.
        """
        return heaviest(self.values, [i for i, name in enumerate(self.concepts) if name not in without], k)


def heaviest(values: NDArray[np.float64], among: Sequence[int], k: int) -> TopConcepts:
    """Return the `k` largest magnitudes of each row among some columns; ties go to the first of them.

    Parameters
    ----------
    values : float64 array, shape (n, C)
        Contributions.
    among : sequence of int
        The columns, in order.
    k : int
        How many, at least 1; fewer come back if there are fewer.
    """
    columns = np.array(among, dtype=np.int64)
    shape = len(values), min(k, len(columns))
    index, value = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    keep_heaviest(np.ascontiguousarray(values[:, columns]), index, value)
    return TopConcepts(columns[index], value)


def concept_contributions(
    contrib: NDArray[np.float64],
    concepts: Sequence[str],
    *,
    margin: NDArray[np.float64],
    account_ids: Sequence[str] | None = None,
) -> ConceptReasons:
    """Add up contributions by concept, in the fixed order of the features, and check that they add up.

    Parameters
    ----------
    contrib : float64 array, shape (n, p + 1)
        Contribution of every feature to the raw margin; the last column is the bias.
    concepts : sequence of str, length p
        The concept of every feature.
    margin : float64 array, shape (n,)
        The raw margin that is explained.
    account_ids : sequence of str, optional
        Ids to name in an error; row numbers otherwise.

    Raises
    ------
    SchemaMismatch
        If the shapes do not fit together.
    RecobroError
        If the contributions of a row miss its margin by more than ``1e-6 · max(1, |margin|)``.
    """
    if contrib.ndim != 2 or contrib.shape != (len(margin), len(concepts) + 1):
        expected = (len(margin), len(concepts) + 1)
        msg = f"contributions must have the shape (accounts, features + 1) = {expected}, got {contrib.shape}"
        raise SchemaMismatch(msg)
    names, concept_of = _grouped(tuple(concepts))
    values = np.zeros((len(margin), len(names)))
    lead = np.full((len(margin), len(names)), -1, dtype=np.int64)
    total = np.empty(len(margin))
    _gather(np.ascontiguousarray(contrib), concept_of, values, lead, total)
    _check_additivity(total, margin, account_ids)
    return ConceptReasons(names, values, np.ascontiguousarray(contrib[:, -1]), lead)


@lru_cache(maxsize=16)
def _grouped(concepts: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the different concepts and the position of each feature's among them."""
    names = tuple(dict.fromkeys(concepts))
    return names, np.array([names.index(name) for name in concepts], dtype=np.int64)


def _check_additivity(
    total: NDArray[np.float64], margin: NDArray[np.float64], account_ids: Sequence[str] | None
) -> None:
    error = np.abs(total - margin) / np.maximum(1.0, np.abs(margin))
    wrong = ~(error <= ADDITIVITY_TOLERANCE)
    if not wrong.any():
        return
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    name = f"row {worst}" if account_ids is None else f"account {account_ids[worst]}"
    msg = (
        f"contributions do not add up to the margin for {int(wrong.sum()):,} of {len(margin):,} accounts, "
        f"worst {name}: {total[worst]!r} against {margin[worst]!r}"
    )
    raise RecobroError(msg)


@entered
def _gather(contrib, concept_of, values, lead, total):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill `values`, `lead` and `total`: features in order, so that a row alone gives the same bits."""
    n_features = len(concept_of)
    n_concepts = values.shape[1]
    strongest = np.empty(n_concepts)
    for i in range(contrib.shape[0]):
        for f in range(n_features):
            values[i, concept_of[f]] += contrib[i, f]
        total[i] = contrib[i, n_features]
        for c in range(n_concepts):
            total[i] += values[i, c]
            strongest[c] = 0.0
        for f in range(n_features):
            c = concept_of[f]
            pull = contrib[i, f] if values[i, c] > 0.0 else -contrib[i, f]
            if values[i, c] != 0.0 and pull > strongest[c]:
                strongest[c] = pull
                lead[i, c] = f
