"""A real ledger: the transactions before 354 Czech loans of 1997-98, each loan scored as of its own date.

Transactions become dated events (credits are payments by how they came in, withdrawals and sanctions other
movements), the running balance dated balances, the loan's instalments a schedule known the day before it.
Thirty loans went bad, so intervals are wide: means over repeated folds are given, with standard errors.

    python benchmarks/real/berka.py --data DIR [--quick]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from results import Table

from recobro_score.calendars import US_PER_DAY, parse_instant
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.evaluation.metrics import binary_report
from recobro_score.evaluation.ranking import compare_auc
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.features.recipes import Recipe, Where, Window
from recobro_score.models.baseline import LogisticBaseline
from recobro_score.models.booster import Booster, BoosterOptions
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.timeline import debtor_folds

TIME_ZONE = "Europe/Prague"
BAD = ("B", "D")
FOLDS, REPEATS = 5, 10
WINDOWS = (30, 90, 180, 365)
SMALL = BoosterOptions(trees=150, learning_rate=0.03, leaves=4, min_leaf=10, feature_fraction=0.4, l2=5.0)
"""For 354 rows: few leaves, of at least 10 rows."""

CREDIT = (Where("kind", ("payment",)),)
CASH = (Where("method", ("withdrawal in cash",)),)
HOUSEHOLD = (Where("method", ("household",)),)
SANCTION = (Where("kind", ("fee",)),)


def recipes() -> list[Recipe]:
    """Return what is asked of the ledger."""
    found = [
        Recipe("age", "payments", "since_first", "account_profile", unit="days"),
        Recipe("loan", "accounts", "static", "account_profile", value="principal", unit="money"),
        Recipe("instalment", "instalments", "max", "schedule", value="amount", unit="money"),
        Recipe("terms", "instalments", "count", "schedule", unit="count"),
        Recipe("balance_last", "balances", "last", "balance_level", value="balance", unit="money"),
        Recipe("since_sanction", "payments", "since_last", "arrears", where=SANCTION, unit="days"),
        Recipe("household", "payments", "count", "account_profile", where=HOUSEHOLD, unit="count"),
    ]
    for days in WINDOWS:
        window = Window(-days, 0)
        for name, where in (("credit", CREDIT), ("cash", CASH), ("sanction", SANCTION)):
            found += [
                Recipe(
                    f"{name}_{what}_{days}d",
                    "payments",
                    what,
                    "payment_amounts",
                    value=None if what == "count" else "amount",
                    where=where,
                    window=window,
                    unit="count" if what == "count" else "money",
                )
                for what in (("count",) if name == "sanction" else ("count", "sum", "max"))
            ]
        found += [
            Recipe(
                f"balance_{what}_{days}d",
                "balances",
                what,
                "balance_level",
                value="balance",
                window=window,
                unit="money",
            )
            for what in ("min", "mean", "max", "std")
        ]
        found += [
            Recipe(
                f"{name}_to_instalment_{days}d",
                "derived",
                "share",
                "payment_coverage",
                of=(of, "instalment"),
                unit="ratio",
            )
            for name, of in (("credit", f"credit_sum_{days}d"), ("lowest_balance", f"balance_min_{days}d"))
        ]
    return found


def event_tables(loans: pd.DataFrame, ledger: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Turn loans and transactions into accounts, payments, dated balances and a schedule."""
    ledger = ledger[ledger["account_id"].isin(loans["account_id"])]
    ids = ledger["account_id"].astype(str)
    first = ledger.groupby("account_id")["date_iso"].min().rename("opened_at")
    owner = loans.merge(first, left_on="account_id", right_index=True)
    account = owner["account_id"].astype(str)
    accounts = {
        "account_id": account,
        "debtor_id": "D" + account,
        "opened_at": owner["opened_at"],
        "currency": "CZK",
        "country": "CZ",
        "principal": owner["amount"],
    }
    sanction = ledger["k_symbol"] == "sanction interest if negative balance"
    credit = ledger["type"] == "credit"
    household = ledger["k_symbol"] == "household"
    payments = {
        "payment_id": ledger["trans_id"].astype(str),
        "account_id": ids,
        "paid_at": ledger["date_iso"],
        "amount": ledger["amount"],
        "kind": np.select([sanction, credit], ["fee", "payment"], "adjustment"),
        "method": np.where(household, "household", ledger["operation"].fillna("interest")),
    }
    balances = {"account_id": ids, "known_at": ledger["date_iso"], "balance": ledger["balance"]}
    term = np.repeat(owner.index, owner["duration"])
    number = owner["duration"].map(range).explode().astype(int).to_numpy()
    month = owner.loc[term, "date_iso"].dt.to_period("M").to_numpy() + number + 1
    schedule = {
        "account_id": owner.loc[term, "account_id"].astype(str),
        "due_at": pd.PeriodIndex(month).to_timestamp(),
        "amount": owner.loc[term, "payments"],
        "known_at": owner.loc[term, "date_iso"] - pd.Timedelta(days=1),
    }
    tables = {"accounts": accounts, "payments": payments, "balances": balances, "instalments": schedule}
    return {name: pd.DataFrame(columns) for name, columns in tables.items()}


def loan_features(portfolio: Portfolio, granted: pd.Series) -> FeatureMatrix:
    """Return one row per account, as of its own loan."""
    store = portfolio.store
    as_of = np.array(
        [parse_instant(day.to_pydatetime(), TIME_ZONE) for day in granted.loc[store.account_ids.to_pylist()]]
    )
    every = compute(FeatureSet(recipes()).schema(store), store, np.unique(as_of))
    return every.take(every.as_of == as_of[every.account])


def out_of_fold(matrix: FeatureMatrix, y: np.ndarray, *, salt: str) -> tuple[np.ndarray, np.ndarray]:
    """Return calibrated probabilities and the logistic baseline's, of loans that neither had seen."""
    fold = debtor_folds(matrix.account_ids, FOLDS, salt=salt)
    margin, other = np.zeros(y.size), np.zeros(y.size)
    for number in range(FOLDS):
        seen, left = fold != number, np.ascontiguousarray(matrix.values[fold == number])
        values = np.ascontiguousarray(matrix.values[seen])
        margin[~seen] = Booster.fit(values, y[seen], schema=matrix.schema, options=SMALL).margin(left)
        other[~seen] = LogisticBaseline.fit(values, y[seen], schema=matrix.schema).predict(left)
    p = np.zeros(y.size)
    for number in range(FOLDS):
        left = fold == number
        p[left] = Calibrator.fit(margin[~left], y[~left]).probability(margin[left])
    return p, other


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds berka_*.parquet")
    parser.add_argument("--quick", action="store_true", help="two repeats; not kept as a result")
    arguments = parser.parse_args()
    loans = pd.read_parquet(arguments.data / "berka_loans.parquet")
    ledger = pd.read_parquet(arguments.data / "berka_trans_preloan.parquet")
    options = PortfolioOptions(time_zone=TIME_ZONE)
    portfolio = Portfolio.from_frames(event_tables(loans, ledger), options=options)
    print(portfolio.summary())
    loans = loans.set_index(loans["account_id"].astype(str))
    matrix = loan_features(portfolio, loans["date_iso"])
    y = loans.loc[matrix.account_ids.to_pylist(), "status"].isin(BAD).to_numpy(dtype=np.float64)
    repeats = 2 if arguments.quick else REPEATS
    scored = [out_of_fold(matrix, y, salt=str(number)) for number in range(repeats)]
    add(Table("real_berka_quick" if arguments.quick else "real_berka"), y, scored, matrix)


def add(
    table: Table, y: np.ndarray, scored: list[tuple[np.ndarray, np.ndarray]], matrix: FeatureMatrix
) -> None:
    """Add the metrics, the means over repeats."""
    tests = [compare_auc(y, p, other) for p, other in scored]
    reports = pd.concat([binary_report(y, p) for p, _ in scored])
    days = (matrix.as_of.max() - matrix.as_of.min()) / US_PER_DAY
    case = f"{y.size} loans over {days:.0f} days, {int(y.sum())} bad, {FOLDS} folds × {len(scored)}"
    mean = {
        "AUC": float(np.mean([test.first.value for test in tests])),
        "logistic": float(np.mean([test.second.value for test in tests])),
        "difference": float(np.mean([test.difference.value for test in tests])),
        "difference_se": float(np.mean([test.difference.se for test in tests])),
    }
    reference = "raw aggregates, outside this project"
    table.add(case, "AUC", mean["AUC"], peer=reference, peer_value=0.88, target=">= 0.84")
    table.add(case, "AUC standard error (one repeat)", float(np.mean([test.first.se for test in tests])))
    table.add(case, "AUC spread over repeats", float(np.std([test.first.value for test in tests], ddof=1)))
    table.add(case, "AUC of the logistic baseline", mean["logistic"])
    table.add(case, "difference to it", mean["difference"])
    table.add(case, "its standard error", mean["difference_se"])
    for metric in ("brier", "slope", "slope_se", "ece", "ece_noise"):
        table.add(case, metric, reports[metric].mean())
    table.finish()


if __name__ == "__main__":
    main()
