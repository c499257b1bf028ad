"""How long the features of one account take from its own events, and that they are those of the batch.

A hundred accounts of a simulated portfolio whose debtors owe nothing else, as a service meets them: lists of
records with Python's datetimes, or with texts as they come from JSON; as small pandas frames; and parsed, as
arrays of the event store. Every figure is the median over all accounts and several rounds, in CPU time of the
calling thread, after a first round that is not counted. All answers must have the bits of the batch.

    python benchmarks/one_account.py [--quick]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from results import Table

import recobro_score as rs
from recobro_score.data.events import EventStore
from recobro_score.errors import ConfigError
from recobro_score.features import FeatureSet, compute
from recobro_score.features.single import AccountFeatures
from recobro_score.frames import to_arrow

ACCOUNTS = 100
FEATURES = 150
USUAL = range(20, 31)
"""Rows of an account with a short history."""

Records = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Accounts:
    """Accounts alone and together."""

    as_of: int
    options: rs.PortfolioOptions
    store: EventStore
    records: list[Records]

    @property
    def rows(self) -> np.ndarray:
        """How many events each has."""
        return np.array([sum(map(len, tables.values())) for tables in self.records])


def draw() -> Accounts:
    """Simulate a portfolio and take accounts whose debtors owe nothing else."""
    simulation = rs.simulate_portfolio(300, seed=1)
    options = rs.PortfolioOptions(time_zone=simulation.scenario.span.time_zone)
    store = rs.Portfolio.from_frames(dict(simulation.tables), options=options).store
    owed = np.bincount(store.account_debtor)
    own = np.flatnonzero(owed[store.account_debtor] == 1)[:ACCOUNTS]
    tables = {name: to_arrow(frame).to_pylist() for name, frame in simulation.tables.items()}
    records = []
    for code in own:
        account = store.account_ids[int(code)].as_py()
        debtor = store.debtor_ids[int(store.account_debtor[code])].as_py()
        records.append(
            {name: [row for row in rows if _concerns(row, account, debtor)] for name, rows in tables.items()}
        )
    return Accounts(simulation.as_of, options, store.take(own), records)


def _concerns(row: dict[str, Any], account: str, debtor: str) -> bool:
    return row["account_id"] == account if row.get("account_id") else row.get("debtor_id") == debtor


def thinned(whole: FeatureSet, count: int, store: EventStore) -> FeatureSet:
    """Leave out every fourth feature that no other needs, then others, until so many are left."""
    names = whole.schema(store).names
    kept = whole
    for name in (*names[3::4], *names[1::4]):
        if len(kept.schema(store).names) <= count:
            break
        try:
            kept = kept.without(name)
        except ConfigError:
            continue
    return kept


def as_texts(tables: Records) -> Records:
    """Return the records as they come from JSON."""

    def plain(value: object) -> object:
        return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value

    return {
        name: [{key: plain(value) for key, value in row.items()} for row in rows]
        for name, rows in tables.items()
    }


def as_frames(tables: Records) -> dict[str, pd.DataFrame]:
    """Return the records as pandas frames."""
    return {name: pd.DataFrame(rows) for name, rows in tables.items() if rows}


def times(call: Callable[[Any], Any], given: list[Any], rounds: int) -> np.ndarray:
    """Return the microseconds of each call, shape (rounds, accounts)."""
    for one in given:
        call(one)
    taken = np.empty((rounds, len(given)))
    for number in range(rounds):
        for place, one in enumerate(given):
            started = time.thread_time_ns()
            call(one)
            taken[number, place] = time.thread_time_ns() - started
    return taken / 1e3


def measure(accounts: Accounts, features: FeatureSet, table: Table, *, rounds: int) -> None:
    """Add the rows of one feature set."""
    schema = features.schema(accounts.store)
    case = f"{len(schema.names)} features"
    of_one = AccountFeatures(schema, options=accounts.options)
    batch = compute(schema, accounts.store, [accounts.as_of]).values
    ways: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
        "records with datetimes": (lambda one: of_one.of_rows(one, accounts.as_of), accounts.records),
        "records with texts": (
            lambda one: of_one.of_rows(one, accounts.as_of),
            [as_texts(one) for one in accounts.records],
        ),
        "small pandas frames": (
            lambda one: of_one.of_rows(one, accounts.as_of),
            [as_frames(one) for one in accounts.records],
        ),
        "parsed events": (
            lambda one: of_one.of_store(one, accounts.as_of),
            [accounts.store.take(np.array([code])) for code in range(len(accounts.records))],
        ),
    }
    few = np.isin(accounts.rows, USUAL)
    for way, (call, given) in ways.items():
        for code, one in enumerate(given):
            assert call(one).tobytes() == batch[code].tobytes(), (way, code)
        taken = times(call, given, rounds)
        target = "<= 200" if len(schema.names) == FEATURES and way.startswith("records") else None
        table.add(case, f"{way}, median", float(np.median(taken)), unit="µs", target=target)
        name = f"{way}, median of accounts of {USUAL.start} to {USUAL.stop - 1} events"
        table.add(case, name, float(np.median(taken[:, few])), unit="µs")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else 25
    accounts = draw()
    table = Table("one_account_quick" if arguments.quick else "one_account")
    table.add("accounts", "number", len(accounts.records))
    table.add("accounts", "events, median", float(np.median(accounts.rows)))
    table.add("accounts", "events, mean", float(accounts.rows.mean()))
    standard = FeatureSet.standard()
    for features in (thinned(standard, FEATURES, accounts.store), standard):
        measure(accounts, features, table, rounds=rounds)
    table.finish()


if __name__ == "__main__":
    main()
