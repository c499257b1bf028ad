"""Compile ahead: what a score needs is run once, so that compiled code waits in the user's cache folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recobro_score import engine
from recobro_score.bundle import Bundle
from recobro_score.calendars import US_PER_DAY
from recobro_score.data import homes, local_clocks, ordering
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.features import warm_up as warm_up_features
from recobro_score.models.booster import BoosterOptions
from recobro_score.simulate import simulate_portfolio
from recobro_score.timeline import Timeline
from recobro_score.training import TrainingOptions, train

Progress = Callable[[str, float], None]

ACCOUNTS = 200
_TIME_ZONE = "Europe/Madrid"
_SNAPSHOTS = 6


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What warming up took.

    Attributes
    ----------
    kernels : float
        Seconds to compile, or load, the functions of reading and features.
    chain : float
        Seconds of a rehearsal of scoring (and, without a bundle, training) on a small made-up portfolio.
    again : float
        Seconds of the same scoring once more, with everything compiled.
    """

    kernels: float
    chain: float
    again: float

    def summary(self) -> str:
        """Return the figures as text."""
        return (
            f"compiled or loaded the kernels in {self.kernels:.1f} s, "
            f"rehearsed scoring in {self.chain:.1f} s; "
            f"scoring {ACCOUNTS} accounts now takes {self.again:.2f} s"
        )


def warm_up(bundle: str | Path | None = None, *, progress: Progress | None = None) -> WarmUp:
    """Run every compiled function of the scoring path once: reading, features, state, contact, explanations.

    Parameters
    ----------
    bundle : str or Path, optional
        A saved bundle to rehearse with; without one, a small one is trained in memory.
    progress : callable, optional
        Called with a step's name and the share done.

    Raises
    ------
    BundleError
        If the bundle cannot be read.
    """
    tell = progress or (lambda step, done: None)  # noqa: ARG005 - the shape of Progress
    started = time.perf_counter()
    tell("compiling", 0.0)
    homes.warm_up()
    local_clocks.warm_up()
    ordering.warm_up()
    warm_up_features()
    compiled = time.perf_counter()
    tell("rehearsing", 0.3)
    simulation = simulate_portfolio(ACCOUNTS, seed=1)
    options = PortfolioOptions(time_zone=_TIME_ZONE)
    portfolio = Portfolio.from_frames(simulation.tables, options=options)
    ready = Bundle.load(bundle) if bundle is not None else _small_bundle(portfolio, simulation.as_of)
    engine.score(ready, portfolio.store, simulation.as_of)
    rehearsed = time.perf_counter()
    tell("rehearsing", 0.9)
    engine.score(ready, portfolio.store, simulation.as_of)
    tell("rehearsing", 1.0)
    return WarmUp(compiled - started, rehearsed - compiled, time.perf_counter() - rehearsed)


def _small_bundle(portfolio: Portfolio, as_of: int) -> Bundle:
    period = 30 * US_PER_DAY
    instants = [as_of - number * period for number in range(_SNAPSHOTS, 0, -1)]
    timeline = Timeline(tuple(instants), _TIME_ZONE)
    return train(portfolio, timeline, options=TrainingOptions(booster=BoosterOptions(trees=5))).bundle
