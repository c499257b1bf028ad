"""What every test stands on: the repository's folder, reproducible properties, figures without a screen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from recobro_score.simulate.portfolio import Simulation

os.environ["MPLBACKEND"] = "Agg"

# No deadline: the first example of a compiled kernel includes its compilation.
settings.register_profile(
    "recobro", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("recobro")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def small_simulation() -> Simulation:
    """400 accounts with every table."""
    from recobro_score.simulate.portfolio import simulate_portfolio

    return simulate_portfolio(400, seed=3)


@pytest.fixture(scope="session")
def small_bundle(small_simulation, tmp_path_factory) -> Path:
    """The folder of a bundle trained on `small_simulation` with few trees."""
    from recobro_score.data.options import PortfolioOptions
    from recobro_score.data.portfolio import Portfolio
    from recobro_score.models.booster import BoosterOptions
    from recobro_score.timeline import Timeline
    from recobro_score.training import TrainingOptions, train

    zone = small_simulation.scenario.span.time_zone
    portfolio = Portfolio.from_frames(dict(small_simulation.tables), options=PortfolioOptions(time_zone=zone))
    timeline = Timeline(tuple(small_simulation.period_starts[-6:-2]), zone)
    options = TrainingOptions(booster=BoosterOptions(trees=20))
    trained = train(portfolio, timeline, options=options)
    return trained.bundle.save(tmp_path_factory.mktemp("small") / "bundle")
