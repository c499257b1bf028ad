"""A rare event on a plain wide table: 150,000 borrowers of "Give Me Some Credit", 6.7 % in serious arrears.

The three counts of late payments hold the codes 96 and 98 where nothing was recorded. They are declared as
missing in the estimator, and nothing is done to the table. Five folds by account; within each training part
the calibrator is fitted out of fold. Age is no feature, so it is left out; what it would add is told.

    python benchmarks/real/gmsc.py --data DIR [--quick]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from results import Table

from recobro_score.evaluation.metrics import binary_report
from recobro_score.evaluation.ranking import compare_auc
from recobro_score.models.baseline import LogisticBaseline
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.plain import PlainSchema
from recobro_score.models.tabular import TabularClassifier
from recobro_score.timeline import debtor_folds

TARGET = "SeriousDlqin2yrs"
COUNTS = (
    "NumberOfTime30-59DaysPastDueNotWorse",
    "NumberOfTime60-89DaysPastDueNotWorse",
    "NumberOfTimes90DaysLate",
)
NOT_RECORDED = dict.fromkeys(COUNTS, (96, 98))
AGE = "age"
FOLDS = 5


def held_out(
    x: pd.DataFrame,
    y: np.ndarray,
    fold: np.ndarray,
    *,
    codes: dict[str, tuple[int, ...]],
    folds: int,
    trees: int,
) -> np.ndarray:
    """Return the probability of every row from an estimator that did not know it; NaN in folds left out."""
    found = np.full(y.size, np.nan)
    for number in range(folds):
        model = TabularClassifier(BoosterOptions(trees=trees), missing_codes=codes)
        model.fit(x[fold != number], y[fold != number])
        found[fold == number] = model.predict_proba(x[fold == number])[:, 1]
        print(f"fold {number + 1} of {folds} scored", file=sys.stderr)
    return found


def logistic(x: pd.DataFrame, y: np.ndarray, fold: np.ndarray, *, folds: int) -> np.ndarray:
    """Return the logistic regression's probabilities on the same columns, codes declared too."""
    schema = PlainSchema.learn(x, missing_codes=NOT_RECORDED)
    values, found = schema.values(x), np.full(y.size, np.nan)
    for number in range(folds):
        baseline = LogisticBaseline.fit(values[fold != number], y[fold != number], schema=schema)
        found[fold == number] = baseline.predict(values[fold == number])
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds gmsc_train.parquet")
    parser.add_argument("--quick", action="store_true", help="one fold, fewer trees; proves no target")
    arguments = parser.parse_args()
    raw = pd.read_parquet(arguments.data / "gmsc_train.parquet")
    fold = debtor_folds([str(number) for number in raw["id"]], FOLDS)
    folds, trees = (1, 60) if arguments.quick else (FOLDS, BoosterOptions().trees)
    y = raw[TARGET].to_numpy(dtype=np.float64)
    aged = raw.drop(columns=[TARGET, "id"])
    x = aged.drop(columns=AGE)
    given = {"y": y, "fold": fold, "folds": folds, "trees": trees}
    p = held_out(x, codes=NOT_RECORDED, **given)
    as_they_are = held_out(x, codes={}, **given)
    with_age = held_out(aged, codes=NOT_RECORDED, **given)
    base = logistic(x, y, fold, folds=folds)
    known = np.isfinite(p)
    report = binary_report(y[known], p[known]).set_index("group").loc["all"]
    case = "150,000 borrowers, without age, 5 folds by account"
    table = Table("real_gmsc_quick" if arguments.quick else "real_gmsc")
    peers = {"peer": "LightGBM on the raw columns, age too", "peer_value": 0.866}
    table.add(case, "AUC", report["auc"], target=">= 0.863", **peers)
    table.add(case, "AUC standard error", report["auc_se"])
    table.add(case, "event rate", report["base_rate"])
    table.add(case, "Brier", report["brier"])
    table.add(case, "log loss", report["log_loss"])
    table.add(case, "calibration slope", report["slope"], target="0.95..1.05")
    table.add(case, "calibration slope standard error", report["slope_se"])
    table.add(case, "calibration intercept", report["intercept"])
    table.add(case, "ECE", report["ece"], target="<= 0.01")
    for name, other in {
        "logistic regression": base,
        "codes left as numbers": as_they_are,
        "with age": with_age,
    }.items():
        compared = compare_auc(y[known], p[known], other[known])
        table.add(case, "AUC", compared.first.value, peer=name, peer_value=compared.second.value)
        table.add(case, f"p-value of equal AUC, {name}", compared.p_value)
    table.finish()


if __name__ == "__main__":
    main()
