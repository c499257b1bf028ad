"""A real portfolio: 30,000 card accounts of Taiwan, 2005, through the library's own train and nightly code.

The columns of the public data set become event tables: monthly statements are dated balances with their days
past due, what each statement newly billed is an instalment, and repayments are payments. Nothing of sex, age,
marriage or education is used. The given label (default in October) is predicted as of 2005-10-01, five folds
by account; then one night with 2,000 calls is decided in prior mode and set beside three simple lists.

    python benchmarks/real/taiwan.py --data DIR [--quick]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from results import Table

from recobro_score import engine
from recobro_score.calendars import parse_instant
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.sources import read_portfolio
from recobro_score.data.state import BUCKETS
from recobro_score.evaluation.metrics import binary_report
from recobro_score.evaluation.ranking import compare_auc
from recobro_score.models.booster import BoosterOptions
from recobro_score.operate.batch import read_decisions, run_night, run_training
from recobro_score.operate.config import RunConfig
from recobro_score.timeline import Timeline, debtor_folds
from recobro_score.training import TrainingOptions, train

AS_OF = "2005-10-01"
TIME_ZONE = "Asia/Taipei"
MONTHS = ("2005-04", "2005-05", "2005-06", "2005-07", "2005-08", "2005-09")
STATUS = ("PAY_6", "PAY_5", "PAY_4", "PAY_3", "PAY_2", "PAY_0")
TARGET = "default.payment.next.month"
FOLDS = 5
CALLS = 2_000
HERE = Path(__file__).resolve().parent

RUN_TOML = """\
[portfolio]
folder = "portfolio"
time_zone = "Asia/Taipei"

[target]
share = 1.0
horizon_days = 31

[training]
first = 2005-10-01
last = 2005-10-01
labels = "labels.parquet"

[policy]
catalogue = "{here}/taiwan/catalogue.toml"
rules = "{here}/taiwan/rules"
adopt = ["TW-assumed-hours"]

[night]
language = "en"

[capacities]
call = {calls}
"""


def event_tables(raw: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Turn the wide rows into accounts, instalments, payments and dated balances."""
    account = "TW" + raw["ID"].astype(str).str.zfill(5)
    accounts = pd.DataFrame(
        {
            "account_id": account,
            "debtor_id": "D" + account,
            "opened_at": "2005-03-01",
            "currency": "TWD",
            "country": "TW",
            "product": "card",
            "credit_limit": raw["LIMIT_BAL"],
        }
    )
    balances, payments, instalments = [], [], []
    carried = pd.Series(0, index=raw.index)
    for number, (month, status) in enumerate(zip(MONTHS, STATUS, strict=True)):
        bill, paid = raw[f"BILL_AMT{6 - number}"], raw[f"PAY_AMT{6 - number}"]
        months_late = raw[status].clip(lower=0)
        statement = {
            "account_id": account,
            "known_at": f"{month}-28",
            "balance": bill,
            "dpd": 30 * months_late,
        }
        balances.append(pd.DataFrame(statement))
        payment = pd.DataFrame({"account_id": account, "paid_at": f"{month}-15", "amount": paid})
        payments.append(payment[paid > 0])
        newly_billed = bill - (carried - paid if number else 0)
        due = pd.DataFrame({"account_id": account, "due_at": f"{month}-28", "amount": newly_billed})
        instalments.append(due[newly_billed > 0])
        carried = bill
    return {
        "accounts": accounts,
        "balances": pd.concat(balances),
        "payments": pd.concat(payments),
        "instalments": pd.concat(instalments),
    }


def write_portfolio(raw: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Write tables, labels and run file; return the labels (1 = pays)."""
    tables = event_tables(raw)
    (folder / "portfolio").mkdir()
    for name, frame in tables.items():
        frame.to_parquet(folder / "portfolio" / f"{name}.parquet", index=False)
    labels = pd.DataFrame({"account_id": tables["accounts"]["account_id"], "label": 1 - raw[TARGET]})
    labels.to_parquet(folder / "labels.parquet", index=False)
    (folder / "run.toml").write_text(RUN_TOML.format(here=HERE, calls=CALLS))
    return labels


def out_of_fold(
    portfolio: Portfolio, labels: pd.DataFrame, *, trees: int, folds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return P(pays) of every account, model's and logistic baseline's, from a training without its label."""
    fold = debtor_folds(portfolio.store.debtor_ids, FOLDS)[portfolio.store.account_debtor]
    ids = portfolio.store.account_ids.to_pandas()
    timeline = Timeline.explicit([AS_OF], TIME_ZONE)
    as_of = parse_instant(AS_OF, TIME_ZONE)
    p_pay, baseline = np.full(len(ids), np.nan), np.full(len(ids), np.nan)
    for number in range(folds):
        known = labels[~labels["account_id"].isin(set(ids[fold == number]))]
        options = TrainingOptions(booster=BoosterOptions(trees=trees), labels=known)
        bundle = train(portfolio, timeline, options=options).bundle
        store = portfolio.store.take(np.flatnonzero(fold == number))
        scored = engine.score(bundle, store, as_of)
        p_pay[fold == number] = scored.scores.probability
        baseline[fold == number] = bundle.payment.scorer.baseline.predict(scored.matrix.values)
        print(f"fold {number + 1} of {folds} scored", file=sys.stderr)
    return p_pay, baseline


def compare_lists(decisions: pd.DataFrame, effect: np.ndarray, defaulted: pd.Series) -> pd.DataFrame:
    """Return what each way of choosing the accounts to call gets: by the priors, and by what then happened.

    Parameters
    ----------
    decisions : DataFrame
        The night's records.
    effect : array
        Log-odds shift of a call per bucket, the last for an unknown one: the catalogue's prior.
    defaulted : Series
        The label by account id.
    """
    frame = decisions.assign(defaulted=defaulted.loc[decisions["account_id"]].to_numpy())
    bucket = frame["bucket"].map({name: code for code, name in enumerate(BUCKETS)}).fillna(-1).astype(int)
    odds = frame["p_pay"] / (1 - frame["p_pay"]) * np.exp(effect[bucket])
    frame["gain"] = (odds / (1 + odds) - frame["p_pay"]) * frame["exposure"]
    due = frame[frame["exposure"] > 0]
    lists = {
        "library": frame[frame["action_id"] != "no_action"],
        "balance-first": due.nlargest(CALLS, "exposure"),
        "oldest-first": due.sort_values(["dpd", "exposure"], ascending=False).head(CALLS),
        "p_pay-first": due.nlargest(CALLS, "p_pay"),
    }
    rows = [
        {
            "list": name,
            "calls": len(chosen),
            "exposure": chosen["exposure"].sum(),
            "dpd": chosen["dpd"].mean(),
            "defaulted": chosen["defaulted"].mean(),
            "gain": chosen["gain"].sum(),
        }
        for name, chosen in lists.items()
    ]
    return pd.DataFrame(rows).set_index("list")


def add_scores(table: Table, y: np.ndarray, p_pay: np.ndarray, baseline: np.ndarray) -> None:
    """Add the out-of-fold metrics with their targets, and the paired test against the baseline."""
    known = np.isfinite(p_pay)
    report = binary_report(y[known], p_pay[known]).set_index("group").loc["all"]
    case = f"30,000 cards as of {AS_OF}, {FOLDS} folds by account"
    raw = "raw columns without demographics"
    table.add(case, "AUC", report["auc"], peer=raw, peer_value=0.782, target=">= 0.779")
    table.add(case, "AUC standard error", report["auc_se"])
    table.add(case, "Brier", report["brier"], target="<= 0.137")
    table.add(case, "calibration slope", report["slope"], target="0.95..1.05")
    table.add(case, "calibration intercept", report["intercept"])
    table.add(case, "ECE", report["ece"], target="<= 0.01")
    table.add(case, "KS", report["ks"])
    compared = compare_auc(y[known], p_pay[known], baseline[known])
    peers = {"peer": "logistic regression on the same features", "peer_value": compared.second.value}
    table.add(case, "AUC", compared.first.value, **peers)
    table.add(case, "AUC gain over it", compared.difference.value)
    table.add(case, "AUC gain's standard error", compared.difference.se)
    table.add(case, "p-value of equal AUC", compared.p_value, target="<= 0.01")


def add_night(table: Table, config: RunConfig, labels: pd.DataFrame) -> None:
    """Run the library's training and night, and add the lists of calls beside each other."""
    job = run_training(config)
    night = run_night(config, AS_OF)
    decisions = read_decisions(night.folder).to_pandas()
    effects = job.training.bundle.effects
    effect = effects.shift[effects.action_ids.index("call_agent")]
    defaulted = 1 - labels.set_index("account_id")["label"]
    compared = compare_lists(decisions, effect, defaulted)
    print(night.summary())
    ours = compared.loc["library", "gain"]
    for name, row in compared.iterrows():
        case = f"{CALLS:,} calls, {name}"
        table.add(case, "calls made", row["calls"], target=f"<= {CALLS}" if name == "library" else None)
        table.add(case, "exposure called", row["exposure"], unit="TWD")
        table.add(case, "mean days past due", row["dpd"], unit="days")
        table.add(case, "share that defaulted", row["defaulted"])
        table.add(
            case, "expected gain by the priors", row["gain"], unit="TWD", peer="library", peer_value=ours
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds taiwan_default.parquet")
    parser.add_argument(
        "--quick", action="store_true", help="one fold, fewer trees; writes no targets' proof"
    )
    arguments = parser.parse_args()
    raw = pd.read_parquet(arguments.data / "taiwan_default.parquet")
    table = Table("real_taiwan_quick" if arguments.quick else "real_taiwan")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = write_portfolio(raw, folder)
        config = RunConfig.read(folder / "run.toml")
        portfolio = read_portfolio(config.portfolio.folder, options=config.portfolio.options())
        print(portfolio.summary())
        trees, folds = (100, 1) if arguments.quick else (BoosterOptions().trees, FOLDS)
        p_pay, baseline = out_of_fold(portfolio, labels, trees=trees, folds=folds)
        y = labels.set_index("account_id")["label"].loc[portfolio.store.account_ids.to_pandas()].to_numpy()
        add_scores(table, y.astype(float), p_pay, baseline)
        add_night(table, config, labels)
    table.finish()


if __name__ == "__main__":
    main()
