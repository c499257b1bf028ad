"""`simulate_portfolio`: a whole portfolio with known truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from recobro_score.digest import readable_json, write_parquet
from recobro_score.errors import ConfigError, hint
from recobro_score.money import to_major
from recobro_score.simulate.arrays import Streams
from recobro_score.simulate.catalogue import ACTION_IDS
from recobro_score.simulate.debts import Debts, draw_debts, holder_count, period_starts
from recobro_score.simulate.ledger import Ledger
from recobro_score.simulate.moments import Files
from recobro_score.simulate.people import People, draw_people
from recobro_score.simulate.periods import Moment, run_periods
from recobro_score.simulate.scenario import Scenario
from recobro_score.simulate.scene import Scene
from recobro_score.simulate.statics import write_statics
from recobro_score.simulate.tables import make_tables, numbered
from recobro_score.simulate.truth import draw_from_truth, truth_table

_FURTHER_PEOPLE = 0.08


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated portfolio.

    Attributes
    ----------
    tables : mapping of str to pyarrow.Table
        The recorded tables in the columns of the data contract; tables that the scenario does not record are
        absent.
    truth : pyarrow.Table
        One row per account and action at `as_of`; columns in `recobro_score.simulate.truth.truth_table`.
    as_of, observed_until : int
        µs UTC. No row happened or became known at or after `observed_until`, schedules apart.
    period_starts : tuple of int
        The instants, 30 days apart, at which the legacy policy decided; the truth has the same rhythm.
    scenario : Scenario
    seed : int
    """

    tables: Mapping[str, pa.Table]
    truth: pa.Table
    as_of: int
    observed_until: int
    period_starts: tuple[int, ...]
    scenario: Scenario
    seed: int
    _moment: Moment = field(repr=False)
    _people: People = field(repr=False)
    _debts: Debts = field(repr=False)

    def outcomes(self, actions: str | Sequence[str], *, seed: int) -> pa.Table:
        """Draw what happens within 30 days of `as_of` if the given actions are assigned.

        Parameters
        ----------
        actions : str or sequence of str
            One action for all accounts, or one per account in the order of their ids.
        seed : int
            Of the draw; the same seed and actions give the same outcomes.

        Returns
        -------
        pyarrow.Table
            ``account_id``, ``action_id``, ``recovered`` (major units, less what was taken back).

        Raises
        ------
        ConfigError
            If an action is not known or their number is not that of the accounts.
        """
        count = self._debts.count
        names = [actions] * count if isinstance(actions, str) else list(actions)
        unknown = sorted(set(names) - set(ACTION_IDS))
        if unknown:
            msg = f"unknown actions: {', '.join(unknown[:5])}.{hint(unknown[0], ACTION_IDS)}"
            raise ConfigError(msg)
        if len(names) != count:
            msg = f"{len(names):,} actions were given for {count:,} accounts"
            raise ConfigError(msg)
        action = np.array([ACTION_IDS.index(name) for name in names], dtype=np.int64)
        generator = Streams(seed).of("outcomes")
        outcome = draw_from_truth(self._moment, action, self._debts, self.scenario, generator=generator)
        digits = self._debts.digits.astype(np.int8)
        return pa.table(
            {
                "account_id": numbered("A", np.arange(count)),
                "action_id": pa.array(names),
                "recovered": to_major(outcome.recovered, digits),
            }
        )

    def write(self, folder: str | Path) -> None:
        """Write ``<table>.parquet`` for every table, ``truth/truth.parquet`` and ``scenario.json``.

        The truth lies in a folder of its own so that reading the portfolio does not pick it up.
        """
        folder = Path(folder)
        (folder / "truth").mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            write_parquet(table, folder / f"{name}.parquet")
        write_parquet(self.truth, folder / "truth" / "truth.parquet")
        content = {
            "as_of": self.as_of,
            "observed_until": self.observed_until,
            "scenario": self.scenario.model_dump(mode="json"),
            "seed": self.seed,
            "time_zone": self.scenario.span.time_zone,
        }
        (folder / "scenario.json").write_text(readable_json(content), encoding="utf-8")


def simulate_portfolio(
    n_accounts: int,
    seed: int = 0,
    scenario: Scenario | str | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Simulate a portfolio with known truth.

    Parameters
    ----------
    n_accounts : int
        Number of debts, at least 1.
    seed : int
        The same seed, number and scenario give the same tables.
    scenario : Scenario or str, optional
        What the portfolio is like, or the name of a preset.
    progress : callable, optional
        Called with (periods done, periods in all).

    Raises
    ------
    ConfigError
        If a number is out of range or the preset is not known.

    Examples
    --------
    >>> simulation = simulate_portfolio(50, seed=1)
    >>> simulation.tables["accounts"].num_rows, simulation.truth.num_rows
    (50, 400)
    """
    if n_accounts < 1 or seed < 0:
        msg = f"at least 1 account and a seed of at least 0 are needed, got {n_accounts=} and {seed=}"
        raise ConfigError(msg)
    if not isinstance(scenario, Scenario):
        scenario = Scenario.preset(scenario or "default")
    streams, ledger = Streams(seed), Ledger()
    holders = holder_count(n_accounts, scenario.structure)
    people = draw_people(holders + round(_FURTHER_PEOPLE * holders), scenario, streams)
    debts = draw_debts(n_accounts, people, scenario, streams)
    moment, book = run_periods(people, debts, scenario, streams, ledger=ledger, progress=progress)
    starts = period_starts(scenario.span).tolist()
    as_of, observed_until = starts[scenario.span.periods], starts[-1]
    files = Files(scenario.lateness, scenario.span, streams)
    write_statics(Scene(0, starts[0], people, debts, scenario, files, ledger), book, streams)
    tables = make_tables(ledger, people, debts, scenario, observed_until=observed_until)
    return Simulation(
        tables=MappingProxyType(tables),
        truth=truth_table(moment, people, debts, scenario),
        as_of=as_of,
        observed_until=observed_until,
        period_starts=tuple(starts),
        scenario=scenario,
        seed=seed,
        _moment=moment,
        _people=people,
        _debts=debts,
    )
