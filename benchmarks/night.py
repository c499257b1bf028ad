"""What a night is worth where the truth is known: 300 calls, chosen by the library and by three simple lists.

The portfolio is simulated, so the effect of calling each account is known exactly. The library sees only the
tables. Values are true expected incremental recoveries before costs, in the reporting currency.

    python benchmarks/night.py [--quick]
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from results import Table

import recobro_score as rs
from recobro_score.simulate.portfolio import Simulation

CALLS = 300
FACTORS = {"COP": 0.00025, "CLP": 0.00105}
RATES = rs.Rates("USD", [(currency, 0, factor) for currency, factor in FACTORS.items()])
CALL_ACTIONS = ("call_agent", "plan_call")
OTHER_POOLS = dict.fromkeys(("call_bot", "sms", "whatsapp", "email"), 0)


def true_effects(simulation: Simulation) -> pd.DataFrame:
    """Return the true effect of every action on every account, in the reporting currency."""
    truth = simulation.truth.to_pandas()
    truth["worth"] = truth["effect"] * truth["currency"].map(FACTORS)
    return truth.pivot_table(index="account_id", columns="action_id", values="worth", dropna=False)


def decide(simulation: Simulation) -> pd.DataFrame:
    """Train on the portfolio's history and decide its night."""
    zone = simulation.scenario.span.time_zone
    portfolio = rs.Portfolio.from_frames(dict(simulation.tables), options=rs.PortfolioOptions(time_zone=zone))
    timeline = rs.Timeline(tuple(simulation.period_starts[-10:-1]), zone)
    options = rs.TrainingOptions(observed_until=simulation.as_of)
    training = rs.train(portfolio, timeline, options=options)
    night = rs.RunOptions(capacities={"call": CALLS, **OTHER_POOLS}, rates=RATES, language="en")
    return rs.run(training.bundle, portfolio, simulation.as_of, options=night).frame()


def measure(table: Table, accounts: int, seed: int) -> None:
    """Add one seed's lists."""
    simulation = rs.simulate_portfolio(accounts, seed=seed)
    decisions = decide(simulation)
    effects = true_effects(simulation)
    chosen = decisions[decisions["action_id"].isin(CALL_ACTIONS)]
    ours = sum(effects.at[row.account_id, row.action_id] for row in chosen.itertuples())
    free = decisions["rule"].isna() | decisions["rule"].isin(("capacity:call", "no_gain"))
    callable_ = decisions[free & (decisions["exposure"] > 0)]
    due = callable_["exposure"] * callable_["currency"].map(FACTORS)
    lists = {
        "balance-first": due,
        "oldest-first": callable_["dpd"],
        "p_pay-first": callable_["p_pay"],
        "the truth itself": callable_["account_id"].map(effects["call_agent"]),
    }
    case = f"{accounts:,} accounts, seed {seed}, {CALLS} calls"
    promised = float((chosen["value"] + chosen["cost"]).sum())
    table.add(case, "true gain, library", ours, unit="USD", peer="what it promised", peer_value=promised)
    for name, key in lists.items():
        best = callable_["account_id"].iloc[np.argsort(-key.to_numpy(), kind="stable")[:CALLS]]
        gain = float(effects["call_agent"].loc[best].sum())
        table.add(case, "true gain, library", ours, unit="USD", peer=name, peer_value=gain)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer accounts, one seed")
    arguments = parser.parse_args()
    table = Table("night_quick" if arguments.quick else "night")
    for seed in (3,) if arguments.quick else (3, 4, 5):
        measure(table, 5_000 if arguments.quick else 12_000, seed)
    table.finish()


if __name__ == "__main__":
    main()
