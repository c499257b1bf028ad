"""Every model against the known truth of simulated portfolios, accounts that were never contacted included.

A portfolio with a logged legacy policy is simulated up to an as-of and a year beyond. Each model learns from
what was known at the as-of; what it then says is set beside the simulator's own probabilities for the action
that the policy drew, or for no action (the mean of many draws from its closed form), or, where the truth has
no such form, beside what came about. Seasons are switched off: a model cannot know the next month's, and
this is not about drift.

Every figure is the mean over several worlds, since a calibration learned from few accounts (those left
alone, plans) differs from draw to draw. `slope` is that of the truth's log-odds on the prediction's (1 is
calibrated), `correlation` that of the truth with the prediction: below 1, since the truth knows what no
table shows. What the truth knows more does not bend the slope: it regresses the truth on the prediction.
Where the predictions hardly differ (the truth of accounts without history varies by what no table shows), the
slope is not known well; its standard error over the worlds says so.

A case is one function: it takes a `World` and adds its rows, the same ones for every world.

    python benchmarks/models_truth.py [--quick] [--only CASE ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))

from results import Table

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import AccountState, account_state
from recobro_score.evaluation.logistic import fit_logistic
from recobro_score.evaluation.metrics import recalibrate
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LabelSpec
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.models.early_warning import EarlyWarningModel
from recobro_score.models.plan.model import PlanModel
from recobro_score.models.plan.rows import PlanRows, plan_rows
from recobro_score.models.recovery.model import RecoveryModel
from recobro_score.models.self_cure import SelfCureModel
from recobro_score.models.snapshots import Snapshots
from recobro_score.simulate.portfolio import Simulation, simulate_portfolio
from recobro_score.simulate.scenario import Behaviour, Scenario, Span
from recobro_score.timeline import Timeline

Floats = NDArray[np.float64]
MONTHS = 10
DRAWS = 100
SLOPE = "0.9..1.1"
LEVEL = "mean truth ÷ mean prediction"


@dataclass(frozen=True)
class World:
    """A simulated portfolio, what may be learned from, and the as-of at which models are judged."""

    simulation: Simulation
    portfolio: Portfolio
    timeline: Timeline

    @classmethod
    def make(cls, accounts: int, seed: int) -> World:
        scenario = Scenario(span=Span(periods_after=12), behaviour=Behaviour(seasonality=0.0))
        simulation = simulate_portfolio(accounts, seed=seed, scenario=scenario)
        zone = scenario.span.time_zone
        options = PortfolioOptions(time_zone=zone)
        portfolio = Portfolio.from_frames(dict(simulation.tables), options=options)
        past = [start for start in simulation.period_starts if start < simulation.as_of]
        return cls(simulation, portfolio, Timeline(tuple(past[-MONTHS:]), zone))

    @property
    def as_of(self) -> int:
        return self.simulation.as_of

    def now(self) -> tuple[FeatureMatrix, AccountState]:
        """Return features and state of every account at the as-of."""
        store = self.portfolio.store
        matrix = compute(FeatureSet.standard().schema(store), store, np.array([self.as_of]))
        return matrix, account_state(store, np.array([self.as_of]))

    @property
    def accounts(self) -> NDArray[np.str_]:
        return np.asarray(self.portfolio.store.account_ids.to_pylist())

    def exposure(self) -> Floats:
        """Return what is truly due at the as-of, major units."""
        table = self.simulation.truth
        rows = table.filter(pa.array(np.asarray(table["action_id"].to_pylist()) == "no_action"))
        order = np.argsort(np.asarray(rows["account_id"].to_pylist()))
        return rows["exposure"].to_numpy()[order]

    def draws(self, actions: str | list[str], measure: Callable[[Floats], Floats]) -> Floats:
        """Return the mean of a measure of what is recovered over many draws from the truth."""
        total = np.zeros(self.portfolio.n_accounts)
        for seed in range(DRAWS):
            total += measure(self.simulation.outcomes(actions, seed=seed)["recovered"].to_numpy())
        return total / DRAWS

    def drawn(self) -> dict[str, str]:
        """Return the action that the policy drew for each account at the as-of."""
        log = self.simulation.tables["decisions"].to_pandas()
        day = np.datetime64(self.as_of, "us")
        at = log["decided_at"].dt.tz_localize(None) if log["decided_at"].dt.tz else log["decided_at"]
        here = log[(at >= day) & (at < day + np.timedelta64(1, "D"))]
        return dict(zip(here["account_id"], here["action_id"], strict=True))

    def never_contacted(self) -> NDArray[np.bool_]:
        """Return which accounts had no outbound contact before the as-of."""
        contacts = self.portfolio.store.tables["contacts"]
        outbound = np.isin(contacts.columns["direction"], contacts.codes("direction", "outbound"))
        before = outbound & (contacts.at < self.as_of)
        count = np.bincount(contacts.owner()[before], minlength=self.portfolio.n_accounts)
        return count == 0


def against_truth(truth: Floats, predicted: Floats, weight: Floats) -> tuple[float, float]:
    """Return slope and correlation of true with predicted probabilities (or shares)."""
    kept = np.clip(predicted, 1e-6, 1 - 1e-6)
    logit = np.log(kept) - np.log1p(-kept)
    slope = fit_logistic((logit, np.ones(logit.size)), truth, weight).coefficients[0]
    covariance = np.cov(truth, predicted, aweights=weight)
    return slope, float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def add_truth(
    table: Table,
    case: str,
    truth: Floats,
    predicted: Floats,
    *,
    weight: Floats | None = None,
    target: str | None = SLOPE,
) -> None:
    """Add slope, correlation, level and range of one comparison; without weights all accounts count alike."""
    weight = np.ones(truth.size) if weight is None else weight
    slope, correlation = against_truth(truth, predicted, weight)
    table.add(case, "accounts", truth.size)
    table.add(case, "calibration slope against truth", slope, target=target)
    table.add(case, "correlation with truth", correlation)
    table.add(case, LEVEL, float((weight * truth).sum() / (weight * predicted).sum()))
    for name, values in (("truth", truth), ("prediction", predicted)):
        for percent in (5, 95):
            table.add(case, f"{name}, percentile {percent}", float(np.percentile(values, percent)))


def recovery(world: World, table: Table) -> None:
    """Expected share recovered within 30 days, under the action that the policy drew."""
    model = RecoveryModel.from_portfolio(world.portfolio, world.timeline, observed_until=world.as_of)
    matrix, state = world.now()
    digits = world.portfolio.store.digits
    forecast = model.predict(matrix, state.exposure, bucket=state.bucket, digits=digits)
    due, never = world.exposure(), world.never_contacted()
    drawn = world.drawn()
    actions = [drawn.get(account, "no_action") for account in world.accounts]
    share = world.draws(actions, lambda recovered: np.clip(recovered / np.where(due > 0, due, 1), 0, 1))
    fine = (due > 0) & (state.exposure > 0) & np.isin(world.accounts, list(drawn))
    predicted = forecast.share.expected
    add_truth(table, "RecoveryModel, all accounts", share[fine], predicted[fine])
    here = fine & never
    add_truth(table, "RecoveryModel, never contacted", share[here], predicted[here])


def self_cure(world: World, table: Table) -> None:
    """Cure within 30 days without contact: the share of draws under no action that pay all that is due."""
    model = SelfCureModel.from_portfolio(world.portfolio, world.timeline, observed_until=world.as_of)
    matrix, state = world.now()
    scores = model.score(matrix, state.bucket)
    due = world.exposure()
    truth = world.draws("no_action", lambda recovered: recovered >= due)
    fine = np.isfinite(scores.probability) & (due > 0) & state.placed & state.open
    never = world.never_contacted()
    add_truth(table, "SelfCureModel, 1-30", truth[fine], scores.probability[fine])
    here = fine & never
    add_truth(table, "SelfCureModel, never contacted", truth[here], scores.probability[here], target=None)
    table.add("SelfCureModel, 1-30", "mean prediction", scores.probability[fine].mean())


def early_warning(world: World, table: Table) -> None:
    """Late within 30 days of accounts that are not: beside what came about (there is no closed form)."""
    model = EarlyWarningModel.from_portfolio(world.portfolio, world.timeline, observed_until=world.as_of)
    matrix, state = world.now()
    spec = LabelSpec("roll_forward", 30)
    until = world.simulation.observed_until
    labels = compute_labels(world.portfolio.store, [world.as_of], [spec], observed_until=until)
    add_realised(
        table, "EarlyWarningModel", labels.column(spec.name), model.score(matrix, state.bucket).probability
    )


def plan_acceptance(world: World, table: Table) -> None:
    """Acceptance of offers made within 60 days after the as-of, beside what was answered."""
    model, later = _plan_model(world), _offers(world, after=True)
    columns = model.judge(later).acceptance.frame().set_index("group").loc["all"]
    table.add("PlanModel, acceptance of later offers", "offers", columns["n"])
    table.add("PlanModel, acceptance of later offers", "calibration slope", columns["slope"], target=SLOPE)
    table.add("PlanModel, acceptance of later offers", "calibration slope, error", columns["slope_se"])
    table.add("PlanModel, acceptance of later offers", "AUC", columns["auc"])
    table.add(
        "PlanModel, acceptance of later offers",
        "observed ÷ predicted",
        columns["base_rate"] / columns["predicted"],
    )


def plan_completion(world: World, table: Table) -> None:
    """Completion of plans accepted before the as-of, most of them running then; beside how they ended."""
    model, known, ended = _plan_model(world), _offers(world, after=False), _offers(world, after=None)
    seen = set(np.asarray(known.plan_ids)[known.taken])
    plans = ended.take(np.array([plan in seen for plan in ended.plan_ids], dtype=bool) & ended.taken)
    plans = plans.take(plans.completed | plans.broken)
    report = model.judge(plans).frame()
    predicted = float((report["predicted"] * report["plans"]).sum() / report["plans"].sum())
    over = known.completed | known.broken
    case = "PlanModel, completion of accepted plans"
    table.add(case, "plans", len(plans))
    table.add(case, "running at the as-of", float(1 - over[known.taken].mean()))
    table.add(case, "completed in the end", float(plans.completed.mean()))
    ratio = predicted / float(plans.completed.mean())
    naive = float(known.completed[known.taken].sum() / over[known.taken].sum())
    table.add(
        case,
        "predicted ÷ completed in the end",
        ratio,
        peer="ended plans only",
        peer_value=naive / float(plans.completed.mean()),
        target="0.9..1.1",
    )
    for row in report.to_dict("records"):
        part = f"{case}, {row['instalments']} instalments"
        table.add(part, "completed in the end", row["decided"])
        table.add(part, "predicted", row["predicted"])


def add_realised(table: Table, case: str, y: Floats, predicted: Floats) -> None:
    """Add slope with its error and level of one comparison with what came about."""
    fine = np.isfinite(y) & np.isfinite(predicted)
    found = recalibrate(y[fine], predicted[fine])
    table.add(case, "accounts", int(fine.sum()))
    table.add(case, "calibration slope", found.slope.value, target=SLOPE)
    table.add(case, "calibration slope, error", found.slope.se)
    table.add(case, "observed ÷ predicted", y[fine].mean() / predicted[fine].mean())


def _plan_model(world: World) -> PlanModel:
    return PlanModel.from_portfolio(world.portfolio, _all_months(world), observed_until=world.as_of)


def _all_months(world: World) -> Timeline:
    return Timeline(
        world.simulation.period_starts[: world.simulation.scenario.span.periods], world.timeline.time_zone
    )


def _offers(world: World, *, after: bool | None) -> PlanRows:
    """Return offers before the as-of as known then, those soon after, or the former as known at the end."""
    starts, until = world.simulation.period_starts, world.simulation.observed_until
    if after:
        place = starts.index(world.as_of)
        timeline = Timeline(starts[place : place + 2], world.timeline.time_zone)
        return plan_rows(Snapshots.of(world.portfolio, timeline, observed_until=until))
    seen = Snapshots.of(
        world.portfolio, _all_months(world), observed_until=until if after is None else world.as_of
    )
    return plan_rows(seen)


CASES: dict[str, Callable[[World, Table], None]] = {
    "recovery": recovery,
    "plan_acceptance": plan_acceptance,
    "plan_completion": plan_completion,
    "self_cure": self_cure,
    "early_warning": early_warning,
}


def averaged(name: str, worlds: list[Table]) -> Table:
    """Return the mean of every row over the worlds, and of slopes and levels the standard error."""
    table = Table(name)
    for place, row in enumerate(worlds[0].rows):
        values = np.array([world.rows[place].value for world in worlds])
        peers = [world.rows[place].peer_value for world in worlds]
        peer = None if row.peer_value is None else float(np.mean(peers))
        table.rows.append(replace(row, value=float(values.mean()), peer_value=peer))
        if (row.target == SLOPE or row.metric == LEVEL) and len(worlds) > 1:
            error = values.std(ddof=1) / np.sqrt(len(worlds))
            table.add(row.case, f"{row.metric}, standard error over {len(worlds)} worlds", error)
    return table


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small worlds; writes no targets' proof")
    parser.add_argument("--data", type=Path, help="not used: everything is simulated")
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    name = "models_truth_quick" if arguments.quick else "models_truth"
    accounts, seeds = (4_000, (1, 2)) if arguments.quick else (20_000, (1, 2, 3, 4, 5, 6))
    tables = []
    for seed in seeds:
        world, table = World.make(accounts, seed), Table(name)
        for case in arguments.only:
            CASES[case](world, table)
        tables.append(table)
        print(f"world {len(tables)} of {len(seeds)} done", file=sys.stderr)
    averaged(name, tables).finish()


if __name__ == "__main__":
    main()
