"""A small portfolio, a bundle trained on it, and the options of a night."""

from __future__ import annotations

import pyarrow as pa
import pytest

from recobro_score.bundle import Bundle
from recobro_score.calendars import US_PER_DAY
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.engine import RunOptions
from recobro_score.money import Rates

RATES = Rates("USD", [("COP", 0, 0.00025), ("CLP", 0, 0.00105)])


@pytest.fixture(scope="session")
def tables(small_simulation) -> dict[str, pa.Table]:
    return dict(small_simulation.tables)


@pytest.fixture(scope="session")
def zone(small_simulation) -> str:
    return small_simulation.scenario.span.time_zone


@pytest.fixture(scope="session")
def as_of(small_simulation) -> int:
    """An instant with a history before it and events after it, on an ordinary Wednesday."""
    return small_simulation.as_of - 32 * US_PER_DAY


@pytest.fixture(scope="session")
def bundle(small_bundle) -> Bundle:
    return Bundle.load(small_bundle)


@pytest.fixture(scope="session")
def build(zone):
    """Return a portfolio of tables."""

    def of(tables, **options) -> Portfolio:
        return Portfolio.from_frames(tables, options=PortfolioOptions(time_zone=zone, **options))

    return of


@pytest.fixture(scope="session")
def portfolio(tables, build) -> Portfolio:
    return build(tables)


@pytest.fixture(scope="session")
def night() -> RunOptions:
    return RunOptions(capacities={"call": 8, "call_bot": 10, "sms": 20}, rates=RATES, language="en")
