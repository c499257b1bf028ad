"""Settlement plans and recoveries of charged-off Lending Club loans, through PlanModel and RecoveryModel.

Plans. A plan's row holds what is known when it starts: percentage, term, amount, its instalment beside that
of the loan, the loan's grade, rate and age. Running plans are censored. The file does not say when a plan
was broken: that is dated by the instalments that had been recovered by then, which makes the outcome and is
never a feature; observation ends a month after the latest start, and a plan counts as completed when its
term is over, also where all was paid sooner (else running plans of the same age would be missing beside it).
A term of 0 is not recorded: such plans cannot be fitted, and get the mean over the terms on record. Out of
fold, five folds by loan. Among plans that have ended, long ones are mostly broken because those that will be
completed still run: beside them stand the same plans weighted by the inverse of their chance of having been
seen to their end, and the likelihood of all plans, running ones with what is known of them. Only accepted
plans are known, and terms were chosen by debtor and lender: nothing here is an effect.

Recovery. What a charged-off loan recovered net of collection fees, as a share of the principal that was left
(amount funded, from instalment and rate over 36 months, less the principal repaid before it was charged off).
Learned from the loans of April and May, out of fold by loan, and judged in money on those of June.

    python benchmarks/real/lending_club.py --data DIR [--quick]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from results import Table

from recobro_score.evaluation.metrics import recalibrate
from recobro_score.evaluation.ranking import compare_auc
from recobro_score.evaluation.survival import kaplan_meier
from recobro_score.features.labels import Labels
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.plain import PlainSchema
from recobro_score.models.plan.model import PlanModel
from recobro_score.models.plan.rows import PlanRows
from recobro_score.models.recovery.model import RecoveryModel
from recobro_score.models.recovery.report import Breakdown
from recobro_score.models.slices import FOLDS, folds_of
from recobro_score.policy.terms import Terms

Floats = NDArray[np.float64]
FILE = "lc_outcomes_2015_04_06.parquet"
TERM_GROUPS = ((1, 1), (2, 6), (7, 12), (13, 18), (19, 24))
CHARGED_OFF = 5
AT_START = ("percentage", "amount", "grade", "rate", "loan_instalment", "loan_age")
AT_CHARGE_OFF = ("grade", "int_rate", "funded", "installment", "repaid", "interest", "late_fees")
Z_95 = 1.96
LONGEST = 18
"""No plan of more months started early enough to be seen to its end."""


def month_of(text: pd.Series) -> pd.Series:
    """Return months since year 0."""
    date = pd.to_datetime(text)
    return date.dt.year * 12 + date.dt.month - 1


def read_plans(raw: pd.DataFrame) -> pd.DataFrame:
    """Return one row per plan with what is known at its start, and what had become of it."""
    plans = raw[raw["settlement_status"].notna()].reset_index(drop=True)
    start = month_of(plans["settlement_date"])
    term = plans["settlement_term"].astype(int)
    part = plans["settlement_amount"] / term.where(term > 0)
    elapsed = start.max() + 1 - start
    paid = np.floor(plans["recoveries"] / part + 1e-6).fillna(0).clip(lower=0)
    last = (term - 1).clip(lower=0)
    broken, done = plans["settlement_status"] == "BROKEN", plans["settlement_status"] == "COMPLETE"
    seen_out = done & (elapsed >= term)
    before = np.minimum(np.minimum(paid, last), (elapsed - 1).clip(lower=0))
    months = np.where(seen_out, term, np.where(broken, before, np.minimum(elapsed, last)))
    return pd.DataFrame(
        {
            "id": plans["id"].astype(str),
            "term": term,
            "percentage": plans["settlement_percentage"],
            "amount": plans["settlement_amount"],
            "grade": plans["grade"].map("ABCDEFG".index),
            "rate": plans["int_rate"],
            "loan_instalment": plans["installment"],
            "loan_age": start - month_of(plans["issue_d"]),
            "burden": part / plans["installment"],
            "elapsed": elapsed,
            "months": months.astype(np.int64),
            "broken": broken,
            "completed": seen_out,
            "done": done,
        }
    )


def plan_rows(plans: pd.DataFrame, schema: PlainSchema) -> PlanRows:
    """Return plans with a term on record as the model takes them."""
    waived = (1 - plans["percentage"] / 100).clip(0, 0.99).round(4)
    each = [Terms(int(n), discount=float(d)) for n, d in zip(plans["term"], waived, strict=True)]
    menu = tuple(sorted(set(each)))
    return PlanRows(
        plan_ids=plans["id"].to_numpy(),
        debtor=plans["id"].to_numpy(),
        term=np.array([menu.index(terms) for terms in each], dtype=np.int64),
        terms=menu,
        bucket=np.full(len(plans), CHARGED_OFF, dtype=np.int8),
        burden=plans["burden"].to_numpy(dtype=np.float64),
        values=schema.values(plans[list(AT_START)]),
        accepted=np.full(len(plans), np.nan),
        taken=np.ones(len(plans), dtype=np.bool_),
        months=plans["months"].to_numpy(),
        broken=plans["broken"].to_numpy(),
        completed=plans["completed"].to_numpy(),
    )


def only_term(rows: PlanRows) -> PlanRows:
    """Return the same plans with nothing but the number of instalments."""
    code = {n: place for place, n in enumerate(sorted(set(rows.length.tolist())))}
    terms = tuple(Terms(n) for n in code)
    term = np.array([code[n] for n in rows.length.tolist()], dtype=np.int64)
    return replace(rows, terms=terms, term=term, values=None, burden=np.full(len(rows), np.nan))


def out_of_fold(rows: PlanRows, schema: PlainSchema | None) -> tuple[Floats, Floats]:
    """Return P(complete) and the log-likelihood of what was seen of every plan, by models without it."""
    fold = folds_of(rows.debtor)
    complete, likelihood = np.zeros(len(rows)), np.zeros(len(rows))
    for k in range(FOLDS):
        left = np.flatnonzero(fold == k)
        model = PlanModel.fit(rows.take(np.flatnonzero(fold != k)), schema=schema)
        part = rows.take(left)
        complete[left] = model.completion(part)
        likelihood[left] = log_likelihood(model, part)
    return complete, likelihood


def log_likelihood(model: PlanModel, rows: PlanRows) -> Floats:
    """Return the log-probability of the months that each plan was kept, and of its break."""
    kept = {n: of_months(model, rows, n) for n in range(int(rows.length.max()) + 1)}
    seen = np.array([kept[n][row] for row, n in enumerate(rows.months.tolist())])
    more = np.array([kept[n][row] for row, n in enumerate((rows.months + rows.broken).tolist())])
    return np.log(np.where(rows.broken, seen - more, seen))


def of_months(model: PlanModel, rows: PlanRows, months: int) -> Floats:
    """Return the probability that each plan is kept for so many months."""
    return model.breaks.kept(model.break_log_odds(rows), months)


def unrecorded(model: PlanModel, plans: pd.DataFrame, known: PlanRows, schema: PlainSchema) -> Floats:
    """Return P(complete) of plans without a term: the mean over the terms on record."""
    lengths, counts = np.unique(known.length, return_counts=True)
    total = np.zeros(len(plans))
    for length, count in zip(lengths.tolist(), counts.tolist(), strict=True):
        part = plans["amount"] / length / plans["loan_instalment"]
        tried = plans.assign(term=length, burden=part, months=0, broken=False, completed=False)
        total += count * model.completion(plan_rows(tried, schema))
    return total / counts.sum()


def add_plans(table: Table, raw: pd.DataFrame) -> None:
    """Add completion: ranking and likelihood beside the term alone, and the completion curve by term."""
    plans = read_plans(raw)
    on_record = plans["term"] > 0
    known = plans[on_record].reset_index(drop=True)
    schema = PlainSchema.learn(known[list(AT_START)])
    rows = plan_rows(known, schema)
    complete, likelihood = out_of_fold(rows, schema)
    _, likelihood_of_term = out_of_fold(only_term(rows), None)
    decided = known["broken"].to_numpy() | known["done"].to_numpy()
    done = known["done"].to_numpy()[decided]
    add_ranking(table, "ended plans with a term on record", done, complete[decided], rows.length[decided])
    clear = (rows.broken | rows.completed) & (rows.length <= LONGEST)
    weight = 1 / chance_to_end(known["elapsed"].to_numpy(), rows)[clear]
    case = f"the same to {LONGEST} months, weighted for censoring"
    add_ranking(table, case, rows.completed[clear], complete[clear], rows.length[clear], weight=weight)
    others = plans[~on_record].reset_index(drop=True)
    p_all = np.concatenate(
        [complete[decided], unrecorded(PlanModel.fit(rows, schema=schema), others, rows, schema)]
    )
    y_all = np.concatenate([done, others["done"].to_numpy()])
    term_all = np.concatenate([rows.length[decided], np.zeros(len(others))])
    add_ranking(table, "all ended plans, unrecorded terms as 0", y_all, p_all, term_all)
    gain = likelihood - likelihood_of_term
    case = "all plans with a term, running ones censored"
    table.add(case, "plans", len(rows))
    table.add(case, "running", float((~decided).mean()))
    table.add(
        case,
        "log-likelihood per plan",
        likelihood.mean(),
        peer="term alone",
        peer_value=float(likelihood_of_term.mean()),
    )
    table.add(case, "gain in it over term alone", gain.mean())
    table.add(case, "gain, standard error", gain.std() / np.sqrt(gain.size))
    add_curve(table, known, rows, complete)


def chance_to_end(elapsed: Floats, rows: PlanRows) -> Floats:
    """Return the share of the plans of a group of terms that started early enough to be seen to this end."""
    end = rows.months + rows.broken
    chance = np.ones(len(rows))
    for low, high in TERM_GROUPS:
        these = (rows.length >= low) & (rows.length <= high)
        chance[these] = [(elapsed[these] >= each).mean() for each in end[these]]
    return chance


def add_ranking(
    table: Table, case: str, y: Floats, p: Floats, term: Floats, *, weight: Floats | None = None
) -> None:
    """Add the AUC beside that of the term alone, with the paired interval, and the calibration slope."""
    y = y.astype(np.float64)
    paired = compare_auc(y, p, -term.astype(np.float64), weight=weight)
    table.add(case, "plans", y.size)
    table.add(case, "AUC", paired.first.value, peer="term alone", peer_value=paired.second.value)
    table.add(case, "AUC standard error", paired.first.se)
    table.add(case, "gain in AUC", paired.difference.value)
    table.add(case, "gain in AUC, 95 % low", paired.difference.value - Z_95 * paired.difference.se)
    table.add(case, "gain in AUC, 95 % high", paired.difference.value + Z_95 * paired.difference.se)
    table.add(case, "calibration slope", recalibrate(y, p, weight=weight).slope.value)


def add_curve(table: Table, known: pd.DataFrame, rows: PlanRows, complete: Floats) -> None:
    """Add Kaplan and Meier's share kept to the end by term, beside leaving running plans out.

    Within a group of terms a plan that was completed stays in the risk set to the group's end: it can break
    no more. Where no plan was seen to the last month, what is shown is the share kept so far: the completion
    is at most that.
    """
    for low, high in TERM_GROUPS:
        these = (rows.length >= low) & (rows.length <= high)
        part, own = rows.take(these), known[these]
        time = np.where(part.completed, high, part.months + part.broken)
        curve = kaplan_meier(time, part.broken)
        last = int(curve.time[-1])
        case = f"completion, {low} months" if low == high else f"completion, {low}-{high} months"
        ended = own["done"] | own["broken"]
        share = float(own["done"][ended].mean())
        table.add(case, "plans", len(part))
        table.add(case, "seen to month", last)
        table.add(case, "Kaplan-Meier", curve.at(last).value, peer="ended plans only", peer_value=share)
        table.add(case, "Kaplan-Meier, 95 % low", curve.low[-1])
        table.add(case, "Kaplan-Meier, 95 % high", curve.high[-1])
        table.add(case, "predicted", complete[these].mean())


def add_recovery(table: Table, raw: pd.DataFrame, *, trees: int) -> None:
    """Add expected recoveries against what came in, net of fees, on the loans of the last month."""
    loans = raw[raw["loan_status"] == "Charged Off"].reset_index(drop=True)
    rate = loans["int_rate"] / 1200
    funded = (loans["installment"] * (1 - (1 + rate) ** -36) / rate / 25).round() * 25
    known = pd.DataFrame(
        {
            "grade": loans["sub_grade"],
            "int_rate": loans["int_rate"],
            "funded": funded,
            "installment": loans["installment"],
            "repaid": loans["total_rec_prncp"] / funded,
            "interest": loans["total_rec_int"] / funded,
            "late_fees": loans["total_rec_late_fee"],
        }
    )[list(AT_CHARGE_OFF)]
    left = funded - loans["total_rec_prncp"]
    net = (loans["recoveries"] - loans["collection_recovery_fee"]).clip(lower=0)
    schema = PlainSchema.learn(known)
    as_of = pd.to_datetime(loans["issue_d"]).to_numpy().astype("M8[us]").astype(np.int64)
    n = len(loans)
    matrix = FeatureMatrix(
        pa.array(loans["id"].astype(str)), np.arange(n), as_of, schema.values(known), schema
    )
    cents = np.rint(net * 100).astype(np.int64).to_numpy(), np.rint(left * 100).astype(np.int64).to_numpy()
    labels = Labels(
        np.arange(n), as_of, np.zeros(n), *cents, np.zeros(n, dtype=np.int8), np.full(n, 2, dtype=np.int8)
    )
    ids = np.asarray(matrix.account_ids)
    by = Breakdown(np.full(n, CHARGED_OFF, dtype=np.int8), np.full(n, "USD"), ids)
    early, late = as_of < as_of.max(), as_of == as_of.max()
    model = RecoveryModel.fit(
        matrix.take(early),
        labels.take(early),
        horizon_days=1300,
        by=by.take(early),
        options=BoosterOptions(trees=trees),
    )
    report = model.judge(matrix.take(late), labels.take(late), by=by.take(late))
    whole = report.frame().set_index("group").loc["all"]
    case = "recovery net of fees, charged-off loans of June"
    table.add(case, "loans", whole["n"])
    table.add(
        case,
        "recovered",
        whole["recovered"],
        unit="USD",
        peer="expected",
        peer_value=float(whole["expected"]),
        target="ratio 0.9..1.1",
    )
    table.add(case, "standard error of the ratio", whole["ratio_se"])
    table.add(
        case,
        "error of the share (rmse)",
        whole["rmse"],
        peer="mean share",
        peer_value=float(whole["baseline_rmse"]),
        target="ratio <= 1.0",
    )
    table.add(case, "above P90", whole["above"], target="<= 0.12")
    table.add(case, "below P10", whole["below"], target="<= 0.12")
    for row in report.deciles.to_dict("records"):
        table.add(
            f"{case}, tenth {row['decile'] + 1}", "recovered per loan", row["recovered"], unit="USD",
            peer="expected", peer_value=row["expected"],
        )  # fmt: skip


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {FILE}")
    parser.add_argument("--quick", action="store_true", help="fewer trees; writes no targets' proof")
    arguments = parser.parse_args()
    raw = pd.read_parquet(arguments.data / FILE)
    table = Table("real_lending_club_quick" if arguments.quick else "real_lending_club")
    add_plans(table, raw)
    add_recovery(table, raw, trees=60 if arguments.quick else BoosterOptions().trees)
    table.finish()


if __name__ == "__main__":
    main()
