"""Contact and promise models against the known truth of a simulated portfolio, and what contact costs.

The truth of contact is the simulator's chance that one attempt reaches the debtor (for messages: and is
answered), on average over the hours of the day, for accounts that a night may contact on the channel; it is 0
where the number is somebody else's and nobody knows it yet. That of promises is its
closed form: who was reached by a call promises more often if about to pay. Calls that offer a plan ask for no
promise and are left out of what the promise model learns from. No feature of the tables knows how easy a
person is to reach: accounts that were never contacted differ by the hour alone.

P(kept | promise) is a statement about promises: among accounts that look alike those who are about to pay
promise more often, and keep more often what they promise. The mean of the truth over all of these accounts
would be that of promises which each of them makes equally often, and nobody could learn it from promises. So
each account counts by its chance of promising, once reached. Beside it stands the product of both, P(a
promise that is kept | reached), in which every account counts alike.

What is left of one world's luck shows in the standard errors over several worlds.

Who would pay in any case and has done so is called no more. Those reached by a series of calls are therefore
less often about to pay than all accounts are, and promise less: the truth counts that in, by drawing when
they would pay and when they would be called.

A second world has a log that misleads: people hard to reach are called five times as often as others, and
mostly in the evening, which is the better time for everybody.

    python benchmarks/contact_truth.py [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).resolve().parent))

from models_truth import World, add_truth, averaged
from results import Table

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.features.pipeline import compute
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.contact.fit import OPTIONS
from recobro_score.models.contact.log import AttemptLog
from recobro_score.models.contact.model import ContactModel
from recobro_score.models.plain import PlainSchema
from recobro_score.models.promise.model import PromiseModel
from recobro_score.models.promise.rows import AGENTS
from recobro_score.models.snapshots import Snapshots
from recobro_score.policy.policy import Policy
from recobro_score.policy.stops import find_stops
from recobro_score.simulate.attempts import make_attempts
from recobro_score.simulate.catalogue import ACTION_IDS, ACTIONS, DAY_PARTS
from recobro_score.simulate.debts import local_days
from recobro_score.simulate.intent import Intent
from recobro_score.simulate.moments import payment_moments
from recobro_score.simulate.people import PART_WEIGHTS
from recobro_score.simulate.portfolio import Simulation, simulate_portfolio
from recobro_score.simulate.response import respond

ANSWERED = {"call": 1.0, "sms": 0.3, "whatsapp": 0.3, "email": 0.1}
"""Chance that a debtor who was reached answers a message."""
ACTION_OF = {"call": "call_agent", "sms": "sms", "whatsapp": "whatsapp", "email": "email"}
ASKING = {"bot": "call_bot", "human": "call_agent"}
CHANNELS = ("call", "sms", "whatsapp", "email", "letter")
COST_ACCOUNTS = 100_000
SERIES_DRAWS = 50


def contact(world: World, table: Table) -> None:
    """P(reached or answered | one attempt), per channel."""
    seen = Snapshots.of(world.portfolio, world.timeline, observed_until=world.as_of)
    model = ContactModel.fit(seen.store, seen.matrix, observed_until=world.as_of, channels=CHANNELS)
    matrix, state = world.now()
    forecast = model.predict(seen.store, matrix)
    never = world.never_contacted()
    rules = Policy.load().rules
    stops = find_stops(seen.store, world.as_of, state, rules=rules, channels=tuple(ANSWERED))
    may = (stops.account < 0)[:, None] & (stops.channel < 0)
    everything: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for place, channel in enumerate(ANSWERED):
        truth = attempt_truth(world, channel)
        rate = forecast.rate[:, CHANNELS.index(channel)].astype(float)
        predicted = sum(
            weight
            * rate[:, (np.array(forecast.slots) >= low // 60) & (np.array(forecast.slots) < high // 60)].mean(
                axis=1
            )
            for weight, (low, high) in zip(PART_WEIGHTS, DAY_PARTS, strict=True)
        )
        fine = may[:, place]
        everything.append((truth[fine], predicted[fine], never[fine]))
        add_truth(table, f"ContactModel, {channel}", truth[fine], predicted[fine])
    truth, predicted, here = (np.concatenate(parts) for parts in zip(*everything, strict=True))
    add_truth(table, "ContactModel, all channels", truth, predicted)
    add_truth(table, "ContactModel, all channels, never contacted", truth[here], predicted[here])
    add_later(table, model)


def attempt_truth(world: World, channel: str) -> np.ndarray:
    """Return the chance that one attempt on a channel succeeds; 0 where none can."""
    truth = world.simulation.truth.to_pandas()
    rows = truth[truth["action_id"] == ACTION_OF[channel]].sort_values("account_id")
    attempts = next(action.attempts for action in ACTIONS if action.action_id == ACTION_OF[channel])
    return ANSWERED[channel] * (1.0 - (1.0 - rows["p_reach"].to_numpy()) ** (1.0 / attempts))


def add_later(table: Table, model: ContactModel) -> None:
    """Add what the latest attempts, which nothing was learned from, say."""
    frame = model.validation.frame().set_index("group")
    for group in ("all", "call"):
        row, case = frame.loc[group], f"ContactModel, later attempts, {group}"
        table.add(case, "attempts", row["n"])
        table.add(case, "AUC", row["auc"], peer="channel rate", peer_value=row["baseline_auc"])
        table.add(case, "log loss", row["log_loss"], peer="channel rate", peer_value=row["baseline_log_loss"])
        table.add(case, "log loss below channel rate", row["log_loss_gain"], target=">= 0")
        table.add(case, "log loss below channel rate, error", row["log_loss_gain_se"])
        table.add(case, "calibration slope", row["slope"])
        table.add(case, "calibration slope, error", row["slope_se"])


def promise(world: World, table: Table) -> None:
    """P(promise | reached) and P(kept | promise), by who calls."""
    portfolio = without_plan_calls(world)
    seen = Snapshots.of(portfolio, world.timeline, observed_until=world.as_of)
    model = PromiseModel.fit(seen)
    reach = ContactModel.fit(seen.store, seen.matrix, observed_until=world.as_of, channels=CHANNELS)
    matrix, state = world.now()
    never = world.never_contacted()
    for agent in AGENTS:
        promised, kept, fine = promise_truth(world, ASKING[agent])
        scores = model.score(
            matrix, state.bucket, reach=reach.typical(seen.store, matrix, "call"), agent=agent
        )
        chances = (scores.promised.probability, scores.kept.probability)
        alike = np.ones(promised.size)
        links = {
            "promised": (promised, chances[0], alike),
            "kept": (kept, chances[1], promised),
            "promised and kept": (promised * kept, chances[0] * chances[1], alike),
        }
        for name, arrays in links.items():
            for rows, who in ((fine, ""), (fine & never, ", never contacted")):
                truth, predicted, weight = (values[rows] for values in arrays)
                add_truth(table, f"PromiseModel, {name}, {agent}{who}", truth, predicted, weight=weight)


def without_plan_calls(world: World) -> Portfolio:
    """Return the portfolio without the calls that offered a plan."""
    tables = dict(world.simulation.tables)
    decisions, contacts = tables["decisions"], tables["contacts"]
    plans = decisions.filter(pc.equal(decisions["action_id"], "plan_call"))["decision_id"]
    offered = pc.is_in(contacts["decision_id"], value_set=pa.array(plans.drop_null().to_pylist()))
    tables["contacts"] = contacts.filter(pc.invert(offered))
    return Portfolio.from_frames(tables, options=PortfolioOptions(time_zone=world.timeline.time_zone))


def promise_truth(world: World, action: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return P(promise | reached), P(kept | promise), and where they mean something.

    Of those who will pay 0.7 promise, of the others 0.35. Of promises of payers 0.85 are of an amount no
    larger than the payment; the others ask for all that is due (0.6) or half of it, and are kept if the
    payment reaches that. A payment of the next period comes too late: of 4,591 promises in two simulated logs
    none was kept by one. Who pays in any case counts by the chance of being reached before that.

    Accounts on hold are left out: nobody may call them, and what they would say is in no log.
    """
    simulation = world.simulation
    moment, debts = simulation._moment, simulation._debts  # noqa: SLF001 - there is no other truth
    scenario, n = simulation.scenario, debts.count
    drawn = np.full(n, ACTION_IDS.index(action))
    terms = np.zeros(n, dtype=np.int64)
    response = respond(
        moment.situation, drawn, terms, scenario=scenario, unit=debts.unit, ability=moment.ability
    )
    anyhow = np.minimum(response.pay_alone, response.pay_reached)
    missed = anyhow * (1.0 - reached_in_time(simulation, drawn))
    pays = (response.pay_reached - missed) / (1.0 - missed) * (1.0 - scenario.lateness.reversals)
    rng = np.random.default_rng(0)
    share = rng.beta(scenario.behaviour.partial_alpha, scenario.behaviour.partial_beta, 100_000)
    enough = response.full + (1.0 - response.full) * 0.4 * (share >= 0.5).mean()
    promised = 0.35 + 0.35 * pays
    kept = 0.7 * pays * (0.85 + 0.15 * enough) / promised
    situation = moment.situation
    may = situation.open & (situation.exposure > 0) & ~situation.in_plan & ~situation.held
    return promised, kept, may


def reached_in_time(simulation: Simulation, action: np.ndarray) -> np.ndarray:
    """Return the chance that a series reaches before they pay those who do so in any case, over its chance.

    It is the mean over `SERIES_DRAWS` draws of the moments of payment and of the attempts made until then; an
    attempt reaches with the mean chance over the parts of the day. 1 where nobody can be reached.
    """
    moment, people, debts = simulation._moment, simulation._people, simulation._debts  # noqa: SLF001
    scenario, n = simulation.scenario, debts.count
    first_day = int(local_days(np.array([simulation.as_of]), scenario.span.time_zone)[0])
    everybody, nobody = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    most = np.array([each.attempts for each in ACTIONS])[action]
    reach = moment.situation.reach[np.arange(n), action]
    missed = (1.0 - reach) ** (1.0 / most)
    rng, total = np.random.default_rng(0), np.zeros(n)
    for _ in range(SERIES_DRAWS):
        moments = payment_moments(people, debts, scenario=scenario, first_day=first_day, generator=rng)
        attempts = make_attempts(
            action,
            np.zeros((n, len(ANSWERED), len(DAY_PARTS))),
            Intent(everybody, everybody, nobody, moments),
            people=people,
            debtor=debts.debtor,
            countries=tuple(country.code for country in scenario.market.countries),
            first_day=first_day,
            generator=rng,
        )
        total += 1.0 - missed ** np.bincount(attempts.account, minlength=n)
    return np.divide(total / SERIES_DRAWS, reach, out=np.ones(n), where=reach > 0.0)


def misleading_log(_: World, table: Table) -> None:
    """What a first call reaches, where the hard to reach are called five times as often, in the evening."""
    people, level, evening = 4_000, -1.2, 0.8
    rng = np.random.default_rng(1)
    person = rng.normal(size=people)
    hard = person < 0
    account = np.repeat(np.arange(people), 1 + rng.poisson(np.where(hard, 16, 3)))
    late = rng.random(account.size) < np.where(hard, 0.85, 0.15)[account]
    p = sigmoid(level + person[account] + evening * late)
    frame = pd.DataFrame(
        {
            "account_id": account,
            "at": rng.integers(0, 300 * 86_400_000_000, account.size),
            "channel": "call",
            "hour": np.where(late, 18, 10),
            "weekday": rng.integers(0, 5, account.size),
            "success": (rng.random(account.size) < p).astype(int),
        }
    )
    schema = PlainSchema(("x",), ("number",), {}, {}, (0,))
    log = AttemptLog.from_frame(frame, channels=("call",))
    model = ContactModel.fit_attempts(log, rng.normal(size=(account.size, 1)), schema)
    first = pd.DataFrame({"channel": "call", "success": 0, "hour": [10, 18], "weekday": 2})
    ours = model.predict_attempts(AttemptLog.from_frame(first, channels=("call",)), np.zeros((2, 1)))
    pooled = frame.groupby("hour")["success"].mean().to_numpy()
    truth = [sigmoid(level + person + evening * hour).mean() for hour in (0, 1)]
    for place, hour in enumerate(("at 10", "at 18")):
        case = f"misleading log, first call {hour}"
        table.add(case, "truth", truth[place])
        table.add(case, "predicted", ours[place], peer="pooled rate", peer_value=pooled[place])
    case = "misleading log, log-odds of the evening over the morning"
    table.add(case, "truth", logit(truth[1]) - logit(truth[0]))
    table.add(
        case,
        "predicted",
        logit(ours[1]) - logit(ours[0]),
        peer="pooled rates",
        peer_value=logit(pooled[1]) - logit(pooled[0]),
    )


def cost(world: World, table: Table) -> None:
    """CPU seconds of a night's contact rates on 5 channels and 14 slots."""
    seen = Snapshots.of(world.portfolio, world.timeline, observed_until=world.as_of)
    started = time.process_time()
    options = BoosterOptions(**OPTIONS.model_dump())
    model = ContactModel.fit(
        seen.store, seen.matrix, observed_until=world.as_of, channels=CHANNELS, options=options
    )
    fitted = time.process_time() - started
    simulation = simulate_portfolio(COST_ACCOUNTS, seed=2)
    zone = simulation.scenario.span.time_zone
    frames = {name: simulation.tables[name] for name in simulation.tables}
    store = Portfolio.from_frames(frames, options=PortfolioOptions(time_zone=zone)).store
    matrix = compute(seen.matrix.schema, store, [simulation.as_of])
    model.predict(store.take(np.arange(10)), matrix.take(np.arange(10)))
    started = time.process_time()
    forecast = model.predict(store, matrix)
    predicted = time.process_time() - started
    started = time.process_time()
    model.best_contact(store, matrix)
    ranked = time.process_time() - started
    case = f"{COST_ACCOUNTS:,} accounts × {len(CHANNELS)} channels × {len(forecast.slots)} slots"
    table.add(case, "attempts in the log", store.tables["contacts"].n_rows)
    table.add(case, "predict", predicted, unit="CPU s")
    table.add(case, "evaluations of the trees", COST_ACCOUNTS * len(CHANNELS))
    table.add(case, "best_contact, predict included", ranked, unit="CPU s")
    table.add(f"fit on {sum(model.facts['attempts']):,} attempts", "fit", fitted, unit="CPU s")


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-z))


def logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))


IN_EVERY_WORLD: dict[str, Callable[[World, Table], None]] = {"contact": contact, "promise": promise}
ONCE: dict[str, Callable[[World, Table], None]] = {"misleading_log": misleading_log, "cost": cost}
CASES = IN_EVERY_WORLD | ONCE


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small worlds; writes no targets' proof")
    parser.add_argument("--data", type=Path, help="not used: everything is simulated")
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    name = "contact_truth_quick" if arguments.quick else "contact_truth"
    accounts, seeds = (4_000, (1, 2)) if arguments.quick else (20_000, (1, 2, 3, 4, 5, 6))
    tables, once = [], Table(name)
    for seed in seeds:
        world, table = World.make(accounts, seed), Table(name)
        for case in arguments.only:
            if case in IN_EVERY_WORLD:
                IN_EVERY_WORLD[case](world, table)
            elif seed == seeds[0]:
                ONCE[case](world, once)
        tables.append(table)
        print(f"world {len(tables)} of {len(seeds)} done", file=sys.stderr)
    found = averaged(name, tables)
    found.rows += once.rows
    found.finish()


if __name__ == "__main__":
    main()
