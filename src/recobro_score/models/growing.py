"""Grow the trees with LightGBM and write them as text: training needs LightGBM, scoring does not.

The text of a model is made canonical: without LightGBM's parameter block (which names the threads), and with
a place for values that were never missing in training (see `_place_missing`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np

from recobro_score.models.trees import CATEGORICAL, DEFAULT_LEFT, MISSING, NAN_IS_MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def grow(
    values: Floats,
    y: Floats,
    *,
    parameters: Mapping[str, object],
    trees: int,
    categorical: Sequence[int],
    weight: Floats | None = None,
    offset: Floats | None = None,
) -> str:
    """Return the canonical text of a newly trained model.

    Parameters
    ----------
    values : float64 array, shape (n, p)
        C-contiguous; NaN is missing in number columns, categories are codes.
    y : float64 array, shape (n,)
        Outcomes, 0 or 1.
    parameters : mapping
        LightGBM's, but for the number of trees.
    trees : int
        How many.
    categorical : sequence of int
        The columns that are categories.
    weight, offset : float64 arrays, shape (n,), optional
        Importance weights; log-odds known from elsewhere.
    """
    chosen = dict(parameters)
    data = lgb.Dataset(
        values,
        label=y,
        weight=weight,
        init_score=offset,
        categorical_feature=list(categorical),
        params=chosen,
        free_raw_data=True,
    )
    trained = lgb.train(chosen, data, num_boost_round=trees)
    return _canonical_text(trained.model_to_string(), _medians(values))


def _medians(values: Floats) -> Floats:
    """Return the median of each column without missing values, NaN for the others."""
    return np.asarray(np.median(values, axis=0), dtype=np.float64)


def _canonical_text(text: str, medians: Floats) -> str:
    """Return LightGBM's text without its parameter block and with `_place_missing` applied to every tree."""
    head, _, rest = text.partition("\nTree=0\n")
    trees, end, tail = ("Tree=0\n" + rest).partition("end of trees\n")
    importances = tail.partition("\nparameters:")[0].rstrip("\n")
    blocks = [_place_missing(block, medians) for block in re.split(r"(?=^Tree=)", trees, flags=re.M) if block]
    sizes = " ".join(str(len(block.encode())) for block in blocks)
    head = re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", head, flags=re.M)
    return f"{head}\n{''.join(blocks)}{end}{importances}\n"


def _place_missing(block: str, medians: Floats) -> str:
    """Send missing values of columns that had none in training where the column's median goes.

    LightGBM itself would read them as 0, which for an amount or an age is a strong and wrong statement. Known
    values go where they went before.
    """
    lines = dict(re.findall(r"^(\w+)=(.*)$", block, flags=re.M))
    if not lines["decision_type"]:
        return block
    parts = [lines[key].split() for key in ("decision_type", "split_feature", "threshold")]
    decisions = []
    for decision, column, threshold in zip(*parts, strict=True):
        code = int(decision)
        if not code & (CATEGORICAL | MISSING):
            left = medians[int(column)] <= float(threshold)
            code = NAN_IS_MISSING | (DEFAULT_LEFT if left else 0)
        decisions.append(str(code))
    return re.sub(r"^decision_type=.*$", f"decision_type={' '.join(decisions)}", block, flags=re.M)
