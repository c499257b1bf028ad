from __future__ import annotations

import pytest

from recobro_score.simulate import Scenario, Simulation, simulate_portfolio
from recobro_score.simulate.scenario import Lateness, Span


@pytest.fixture(scope="session")
def simulated() -> Simulation:
    """The default scenario."""
    return simulate_portfolio(2_000, seed=11)


@pytest.fixture(scope="session")
def matured() -> Simulation:
    """A portfolio whose outcomes at the as-of have been observed, without late files."""
    scenario = Scenario(span=Span(periods_after=1), lateness=Lateness(late_share=0.0))
    return simulate_portfolio(6_000, seed=12, scenario=scenario)
