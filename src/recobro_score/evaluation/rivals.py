"""Scores beside their rivals: who orders whom better, per group, with a paired test for each pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.evaluation.metrics import FEW_EVENTS, group_masks
from recobro_score.evaluation.ranking import auc, compare_auc
from recobro_score.evaluation.samples import sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

SIGNIFICANT = 0.05
NOT_JUDGED, NO_DIFFERENCE, MODEL = "not judged", "no difference", "model"


def compare_rivals(
    y: ArrayLike,
    score: ArrayLike,
    rivals: Mapping[str, ArrayLike],
    *,
    group: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Compare a score with each of its rivals on the same rows.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        Outcomes (0 or 1) and the model's scores; higher means likelier.
    rivals : mapping of str to array-like of shape (n,)
        Scores of others.
    group : array-like of shape (n,), optional
        Group of each row: labels, or codes into `names`.
    names : sequence of str, optional
        Names and order of the groups.
    weight : array-like of shape (n,), optional
        Importance weights; ``n`` and ``events`` count rows.

    Returns
    -------
    pandas.DataFrame
        One row per group and rival, ``all`` last: ``group``; ``rival``; ``n``; ``events``; ``auc`` and
        ``rival_auc`` with their ``_se``; ``gain`` (difference) with ``gain_se`` and ``p_value`` (DeLong's
        paired test, not corrected for the number of comparisons); ``winner``: ``model``, the rival's name,
        ``no difference`` (p ≥ 0.05), or ``not judged`` (fewer than 50 events or non-events).
    """
    drawn = sample(y, score, weight)
    outcome, model, counts = drawn.y, drawn.score, drawn.weight
    others = {rival: np.asarray(other, dtype=np.float64) for rival, other in rivals.items()}
    rows = []
    for name, mask in group_masks(outcome.size, group, names):
        fewest = int(min(np.count_nonzero(outcome[mask] == value) for value in (0, 1)))
        for rival, other in others.items():
            test = compare_auc(outcome[mask], model[mask], other[mask], weight=counts[mask])
            rows.append(
                {
                    "group": name,
                    "rival": rival,
                    "n": int(mask.sum()),
                    "events": int(outcome[mask].sum()),
                    "auc": test.first.value,
                    "auc_se": test.first.se,
                    "rival_auc": test.second.value,
                    "rival_auc_se": test.second.se,
                    "gain": test.difference.value,
                    "gain_se": test.difference.se,
                    "p_value": test.p_value,
                    "winner": _winner(rival, fewest, test.p_value, test.difference.value),
                }
            )
    return pd.DataFrame(rows)


def single_rankings(y: ArrayLike, values: Floats, names: Sequence[str], *, most: int = 10) -> pd.DataFrame:
    """Rank rows by one column at a time: what a team without a model could do.

    The direction of each column is the one that does better on these very rows, which favours the column.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    values : ndarray of shape (n, p)
        NaN ranks last in either direction.
    names : sequence of str
        Of the p columns.
    most : int
        How many columns to return.

    Returns
    -------
    pandas.DataFrame
        The best columns first: ``feature``; ``direction`` (1: higher is likelier, −1: lower); ``auc`` and
        ``auc_se``. Empty where one class is missing.
    """
    outcome = np.asarray(y, dtype=np.float64)
    rows = []
    for name, column in zip(names, values.T, strict=True):
        tried = [(direction, auc(outcome, single_score(column, direction))) for direction in (1, -1)]
        direction, best = max(tried, key=lambda pair: (pair[1].value, pair[0]))
        rows.append({"feature": name, "direction": direction, "auc": best.value, "auc_se": best.se})
    table = pd.DataFrame(rows, columns=["feature", "direction", "auc", "auc_se"]).dropna(subset="auc")
    return table.sort_values("auc", ascending=False, kind="stable", ignore_index=True).head(most)


def single_score(column: Floats, direction: int) -> Floats:
    """Return one column as a score: times its direction, missing values below all others."""
    score = column * direction
    known = score[~np.isnan(score)]
    lowest = float(known.min()) - 1.0 if known.size else 0.0
    return np.where(np.isnan(score), lowest, score)


def strongest_rivals(table: pd.DataFrame) -> pd.DataFrame:
    """Return, per group of `compare_rivals`, the row of the rival of highest AUC."""
    best = table.sort_values("rival_auc", ascending=False, kind="stable").drop_duplicates("group")
    order = {name: place for place, name in enumerate(dict.fromkeys(table["group"]))}
    return best.sort_values("group", key=lambda column: column.map(order), ignore_index=True)


def _winner(rival: str, fewest: int, p_value: float, gain: float) -> str:
    if fewest < FEW_EVENTS:
        return NOT_JUDGED
    if not p_value < SIGNIFICANT:
        return NO_DIFFERENCE
    return MODEL if gain > 0 else rival
