"""Real calls of a bank in 2008, in call order: the contact model against plain rates and plain trees.

Each cut trains on the calls before it and tests on the tenth that follows; nothing looks ahead, and the
length of the call, known only afterwards, is no feature. The data have no account ids and no hours: the
attempts go in through `AttemptLog.from_frame`, each an account of its own with the attempts made before it in
the campaign (``campaign − 1``, none of which succeeded), its channel, its weekday and the earlier outcome.

What to expect: over these months the rates drift with the list that is called, and who was called says next
to nothing of who will be: out of time no model orders the calls better than chance for long. What is compared
is whose probabilities do the least harm.

    python benchmarks/real/bank_calls.py --data DIR [--quick]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from results import Table

from recobro_score.evaluation.metrics import EPSILON, binary_report
from recobro_score.evaluation.ranking import auc, compare_auc
from recobro_score.evaluation.samples import weighted_mean
from recobro_score.models.contact.log import AttemptLog
from recobro_score.models.contact.model import ContactModel
from recobro_score.models.contact.report import channel_rates
from recobro_score.models.plain import PlainSchema

CHANNELS = ("cellular", "telephone")
DAYS = ("mon", "tue", "wed", "thu", "fri")
CUTS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TEST = 0.1
CALIBRATION = 0.2
"""Share of the calls before a cut, the latest, that calibrates."""
NEVER_BEFORE = 999
FEATURES = ("campaign", "previous", "pdays", "poutcome", "default", "housing", "loan")
"""What the contact model's trees see: how the client was tried before, and what the client owes."""
HIDDEN = ("row", "year", "duration", "y")
Z = 1.959963984540054


def attempts(raw: pd.DataFrame) -> tuple[AttemptLog, np.ndarray, PlainSchema]:
    """Return the calls as attempts, and their features in the order of the rows."""
    schema = PlainSchema.learn(raw[list(FEATURES)], missing_codes={"pdays": (NEVER_BEFORE,)})
    frame = pd.DataFrame(
        {
            "channel": raw["contact"],
            "success": (raw["y"] == "yes").astype(int),
            "weekday": raw["day_of_week"].map({day: place for place, day in enumerate(DAYS)}),
            "tried_before": raw["campaign"] - 1,
            "won_before": 0,
        }
    )
    return AttemptLog.from_frame(frame, channels=CHANNELS), schema.values(raw), schema


def plain_trees(raw: pd.DataFrame, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return what LightGBM says of later calls from every column known before the call."""
    known = raw.drop(columns=list(HIDDEN))
    values = known.astype(dict.fromkeys(known.select_dtypes(exclude="number"), "category"))
    model = lgb.LGBMClassifier(
        n_estimators=200, learning_rate=0.03, num_leaves=15, verbosity=-1, n_jobs=1, deterministic=True
    )
    model.fit(values[train], y[train])
    return model.predict_proba(values[test])[:, 1]


@dataclass(frozen=True)
class Predicted:
    """What happened after one or all cuts, and who said what."""

    y: np.ndarray
    model: np.ndarray
    rates: np.ndarray
    trees: np.ndarray

    def add(self, table: Table, case: str) -> None:
        y = self.y
        table.add(case, "calls", y.size)
        table.add(case, "success rate", y.mean())
        said = {"channel base rate": self.rates, "plain LightGBM": self.trees}
        ours = losses(y, self.model)
        for peer, p in said.items():
            gain = weighted_mean(losses(y, p) - ours, np.ones(y.size))
            table.add(case, "log loss", ours.mean(), peer=peer, peer_value=losses(y, p).mean())
            table.add(case, f"log loss below {peer}", gain.value, unit="nats", target=">= 0")
            table.add(case, f"log loss below {peer}, low end of 95 %", gain.value - Z * gain.se, unit="nats")
            table.add(case, f"log loss below {peer}, high end of 95 %", gain.value + Z * gain.se, unit="nats")
            test = compare_auc(y, self.model, p)
            table.add(case, "AUC", test.first.value, peer=peer, peer_value=test.second.value)
            table.add(case, f"AUC above {peer}", test.difference.value)
            table.add(case, f"AUC above {peer}, standard error", test.difference.se)
        table.add(case, "AUC standard error", auc(y, self.model).se)
        report = binary_report(y, self.model).set_index("group").loc["all"]
        for name in ("slope", "slope_se", "ece", "predicted"):
            table.add(case, f"calibration: {name}", report[name])


def losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    kept = np.clip(p, EPSILON, 1.0 - EPSILON)
    return -np.where(y == 1, np.log(kept), np.log1p(-kept))


def after_cut(
    raw: pd.DataFrame, log: AttemptLog, values: np.ndarray, columns: PlainSchema, cut: int
) -> Predicted:
    """Return the predictions of the calls after a cut by those who saw only the calls before it."""
    y = log.success.astype(float)
    train, test = np.arange(len(raw)) < cut, np.arange(len(raw)) >= cut
    test &= np.arange(len(raw)) < cut + round(TEST * len(raw))
    calibrate_from = cut - round(CALIBRATION * cut)
    model = ContactModel.fit_attempts(
        log.take(train), values, columns, calibrate_from=calibrate_from, test_from=cut
    )
    later = log.take(test)
    return Predicted(
        y[test],
        model.predict_attempts(later, values),
        channel_rates(log.take(train))[later.channel],
        plain_trees(raw, y, train, test),
    )


def add_drift(table: Table, raw: pd.DataFrame, y: np.ndarray) -> None:
    """Add what changed from month to month, which no column known before the call foretells."""
    for month, rows in raw.groupby("month", sort=False).indices.items():
        if len(rows) >= 1000:
            case = f"drift: {month}"
            table.add(case, "success rate", y[rows].mean())
            table.add(case, "share on cellular", (raw["contact"].to_numpy()[rows] == "cellular").mean())


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds bank_calls_2008.parquet")
    parser.add_argument("--quick", action="store_true", help="two cuts")
    arguments = parser.parse_args()
    raw = pd.read_parquet(arguments.data / "bank_calls_2008.parquet")
    log, values, columns = attempts(raw)
    table = Table("real_bank_calls_quick" if arguments.quick else "real_bank_calls")
    found = []
    for share in CUTS[-2:] if arguments.quick else CUTS:
        found.append(after_cut(raw, log, values, columns, round(share * len(raw))))
        found[-1].add(table, f"calls before {share:.0%}, tested on the next {TEST:.0%}")
    together = [np.concatenate([getattr(p, name) for p in found]) for name in Predicted.__dataclass_fields__]
    Predicted(*together).add(table, "all cuts together")
    add_drift(table, raw, log.success.astype(float))
    table.finish()


if __name__ == "__main__":
    main()
