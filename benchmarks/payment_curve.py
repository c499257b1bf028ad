"""One curve against a model per cell: P(pays ≥ share within horizon) of 15 cells, at a later time.

The portfolio is simulated and observed for three months after the test as-of. Accounts that paid are taken
back by the creditor before long windows end; such an outcome counts as settled here, for the peer's training
and for the judgement of both sides (the curve does not need it: its hazards are asked of those who have not
paid). Both sides learn from the same as-ofs and calibrate on the same later ones: the library's curve is one
booster of the target (half of what is due within 30 days) and a chain of hazards on its margin; the peer is
fifteen boosters, each with a beta calibrator of its own. The target is also set beside the probability that
the simulator drew from, for accounts that nobody ever contacted too.

    python benchmarks/payment_curve.py [--quick]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from itertools import product
from time import process_time

import numpy as np
import pandas as pd
from results import Table

import recobro_score as rs
from recobro_score.evaluation.logistic import fit_logistic
from recobro_score.evaluation.metrics import binary_report
from recobro_score.features.label_matrix import LabelMatrix, compute_labels
from recobro_score.features.label_specs import LabelSpec
from recobro_score.features.labels import Labels
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.models.payment.grid import HORIZONS, SHARES, labels_of, payment_specs
from recobro_score.models.payment.model import PaymentModel, PaymentTarget
from recobro_score.simulate.portfolio import Simulation
from recobro_score.timeline import Split

TARGET = PaymentTarget(share=0.5, horizon_days=30)
TOLERANCE = 0.01


@dataclass(frozen=True)
class Book:
    """Features, labels and buckets of a simulated portfolio at all as-ofs, with the split in time."""

    simulation: Simulation
    matrix: FeatureMatrix
    labels: LabelMatrix
    split: Split

    @classmethod
    def simulate(cls, accounts: int, seed: int) -> Book:
        scenario = rs.Scenario(span={"periods_after": 3})
        simulation = rs.simulate_portfolio(accounts, scenario=scenario, seed=seed)
        zone = simulation.scenario.span.time_zone
        options = rs.PortfolioOptions(time_zone=zone)
        store = rs.Portfolio.from_frames(dict(simulation.tables), options=options).store
        starts = [start for start in simulation.period_starts if start <= simulation.as_of]
        split = Split(tuple(starts[-13:-7]), tuple(starts[-5:-3]), (starts[-1],), horizon_days=90)
        as_ofs = (*split.train, *split.calibration, *split.test)
        until = simulation.observed_until
        labels = compute_labels(store, as_ofs, payment_specs(), observed_until=until)
        matrix = compute(rs.FeatureSet.standard().schema(store), store, as_ofs)
        return cls(simulation, matrix, labels, split)

    def fit(self, labels: object, target: PaymentTarget) -> PaymentModel:
        options = {"target": target, "split": self.split, "bucket": self.labels.bucket}
        return PaymentModel.fit(self.matrix, labels, **options)

    def score(self, models: dict[tuple[int, float], PaymentModel], rows: np.ndarray) -> np.ndarray:
        """Return the separate models' probabilities, shape (rows, horizons, shares)."""
        matrix, bucket = self.matrix.take(rows), self.labels.bucket[rows]
        found = np.empty((len(rows), len(HORIZONS), len(SHARES)))
        for (k, days), (j, share) in product(enumerate(HORIZONS), enumerate(SHARES)):
            found[:, k, j] = models[days, share].score(matrix, bucket).probability
        return found

    @property
    def tested(self) -> np.ndarray:
        """Rows of the test as-of whose target is known."""
        known = ~np.isnan(self.labels.column(LabelSpec("pays", 30, share=0.5).name))
        return np.flatnonzero(np.isin(self.labels.as_of, self.split.test) & known)

    def settled(self, days: float, share: float) -> Labels:
        """Return one cell's labels; 1 where unknown but reached within an earlier horizon."""
        found = labels_of(self.labels, horizon_days=days, share=share)
        value = found.value.copy()
        for earlier in (each for each in HORIZONS if each < days):
            column = self.labels.column(LabelSpec("pays", earlier, share=share).name)
            value[np.isnan(value) & (column == 1)] = 1.0
        return replace(found, value=value)


def incoherent(values: np.ndarray, *, by: float) -> float:
    """Return the share of accounts with a cell that falls along the horizons, or rises along the shares."""
    falls = (np.diff(values, axis=1) < -by).any(axis=(1, 2))
    rises = (np.diff(values, axis=2) > by).any(axis=(1, 2))
    return float((falls | rises).mean())


def add_cells(table: Table, case: str, book: Book, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Add AUC, log loss and calibration slope of every cell, and what they come to together."""
    gains, slopes = [], []
    for (k, days), (j, share) in product(enumerate(HORIZONS), enumerate(SHARES)):
        y = book.settled(days, share).value[book.tested]
        known = ~np.isnan(y)
        sides = [
            binary_report(y[known], each[known, k, j]).set_index("group").loc["all"]
            for each in (ours, theirs)
        ]
        cell = f"{case}: at least {share:.0%} within {days} days"
        for metric in ("auc", "log_loss", "slope", "intercept"):
            peers = {"peer": "separate model", "peer_value": float(sides[1][metric])}
            table.add(cell, metric, sides[0][metric], **peers)
        gains.append(sides[0]["log_loss"] - sides[1]["log_loss"])
        slopes.append([abs(side["slope"] - 1) for side in sides])
    mine, other = np.array(slopes).T
    table.add(case, "mean log loss less that of separate models", np.mean(gains), unit="nats")
    peers = {"peer": "separate models", "peer_value": other.max()}
    table.add(case, "largest distance of a slope from 1", mine.max(), **peers)


def beside_the_truth(book: Book, model: PaymentModel) -> pd.DataFrame:
    """Return every open account's prediction and its probability under the action it was assigned."""
    simulation, rows = book.simulation, np.flatnonzero(book.labels.as_of == book.split.test[0])
    as_of = pd.Timestamp(simulation.as_of, unit="us", tz="UTC")
    decisions, contacts = (simulation.tables[name].to_pandas() for name in ("decisions", "contacts"))
    drawn = decisions[pd.to_datetime(decisions["decided_at"], utc=True) >= as_of].sort_values("decided_at")
    action = drawn.groupby("account_id")["action_id"].first()
    before = contacts[pd.to_datetime(contacts["attempted_at"], utc=True) < as_of]
    contacted = set(before.loc[before["direction"] == "outbound", "account_id"])
    truth = simulation.truth.to_pandas().query("open and p_pay.notna()")
    assigned = truth["account_id"].map(action).fillna("no_action")
    scores = model.score(book.matrix.take(rows), book.labels.bucket[rows]).frame()
    found = scores.merge(truth[truth["action_id"] == assigned], on="account_id")
    return found.assign(never=~found["account_id"].isin(contacted))


def add_truth(table: Table, case: str, known: pd.DataFrame) -> None:
    """Add slope, correlation and level of the predictions against the known probabilities."""
    for group, rows in {"": known, ", never contacted": known[known["never"]]}.items():
        p, truth = rows["probability"].to_numpy(), rows["p_pay"].to_numpy()
        columns = (np.log(p) - np.log1p(-p), np.ones(p.size))
        fit = fit_logistic(columns, truth, np.ones(p.size))
        name = f"{case}: against the known probability{group}"
        table.add(name, "accounts", len(rows))
        table.add(name, "calibration slope", fit.coefficients[0], target="0.9..1.1")
        table.add(name, "correlation", np.corrcoef(p, truth)[0, 1])
        table.add(name, "mean", p.mean(), peer="truth", peer_value=truth.mean())


def measure(table: Table, accounts: int, seed: int) -> None:
    """Add one seed's comparison."""
    case = f"{accounts:,} accounts, seed {seed}"
    book = Book.simulate(accounts, seed)
    began = process_time()
    model = book.fit(book.labels, TARGET)
    ours_s, began = process_time() - began, process_time()
    separate = {
        (days, share): book.fit(book.settled(days, share), PaymentTarget(share=share, horizon_days=days))
        for days, share in product(HORIZONS, SHARES)
    }
    theirs_s = process_time() - began
    ours = model.curve_of(book.matrix.take(book.tested)).values
    theirs = book.score(separate, book.tested)
    add_cells(table, case, book, ours, theirs)
    for by in (0.0, TOLERANCE):
        peers = {"peer": "separate models", "peer_value": incoherent(theirs, by=by)}
        what = f"accounts with incoherent probabilities, by more than {by:g}"
        table.add(case, what, incoherent(ours, by=by), target="<= 0", **peers)
    add_truth(table, case, beside_the_truth(book, model))
    table.add(case, "training", ours_s, unit="CPU s", peer="separate models", peer_value=theirs_s)
    size = sum(len(text) for each in separate.values() for text in each.to_files().values())
    peers = {"peer": "separate models", "peer_value": size / 1e6}
    table.add(case, "model files", sum(map(len, model.to_files().values())) / 1e6, unit="MB", **peers)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer accounts")
    arguments = parser.parse_args()
    table = Table("payment_curve_quick" if arguments.quick else "payment_curve")
    measure(table, 3_000 if arguments.quick else 12_000, seed=3)
    table.finish()


if __name__ == "__main__":
    main()
