"""How fast a list gets to the payers and to the money, working it from the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recobro_score.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

STEPS = 20
PERFECT, RANDOM = "perfect", "random"


def gain_table(
    y: ArrayLike,
    lists: Mapping[str, ArrayLike],
    *,
    money: ArrayLike | None = None,
    steps: int = STEPS,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Return how much of what came in stood in the first part of each list.

    It says how well a list finds those who pay, not what working it adds: some would have paid anyway.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcomes, 0 or 1.
    lists : mapping of str to array-like of shape (n,)
        Scores by which each list is worked, the highest first; ties share alike.
    money : array-like of shape (n,), optional
        What each row recovered, in one currency, at least 0; NaN where unknown (counts as nothing).
    steps : int
        Number of equal parts.
    weight : array-like of shape (n,), optional
        How much each row counts: 2 like the row twice.

    Returns
    -------
    pandas.DataFrame
        One row per list and step, from 0; beside the given lists ``perfect`` (by the outcome, and by the
        money) and ``random``: ``list``, ``share`` (worked), ``events`` (share of all events found) and, with
        `money`, ``money`` (share of all money found). NaN where there is nothing to find.

    Raises
    ------
    ContractError
        If lengths differ or money is negative.
    """
    outcome = np.asarray(y, dtype=np.float64)
    found = {"events": outcome}
    if money is not None:
        found["money"] = np.nan_to_num(np.asarray(money, dtype=np.float64))
    scores = {name: np.asarray(score, dtype=np.float64) for name, score in lists.items()}
    wrong = [name for name, score in (*scores.items(), *found.items()) if score.shape != outcome.shape]
    if wrong or min(found.get("money", outcome), default=0.0) < 0:
        msg = f"{wrong[0]} is not as long as the outcomes" if wrong else "money must be at least 0"
        raise ContractError(msg)
    counts = np.ones(outcome.size) if weight is None else np.asarray(weight, dtype=np.float64)
    share = np.linspace(0.0, 1.0, steps + 1)
    tables = [
        pd.DataFrame(
            {"list": name, "share": share}
            | {what: _captured(score, amount, share, counts) for what, amount in found.items()}
        )
        for name, score in scores.items()
    ]
    perfect = {what: _captured(amount, amount, share, counts) for what, amount in found.items()}
    tables.append(pd.DataFrame({"list": PERFECT, "share": share} | perfect))
    tables.append(pd.DataFrame({"list": RANDOM, "share": share} | dict.fromkeys(found, share)))
    return pd.concat(tables, ignore_index=True)


def _captured(score: Floats, amount: Floats, share: Floats, weight: Floats) -> Floats:
    """Return the share of the whole amount in the first shares of a list; ties hold their mean."""
    total = (weight * amount).sum()
    if not total > 0:
        return np.full(share.size, np.nan)
    _, tie = np.unique(-score, return_inverse=True)
    ends = np.concatenate([[0.0], np.cumsum(np.bincount(tie, weights=weight))])
    sums = np.concatenate([[0.0], np.cumsum(np.bincount(tie, weights=weight * amount))])
    return np.asarray(np.interp(share * ends[-1], ends, sums) / total)
