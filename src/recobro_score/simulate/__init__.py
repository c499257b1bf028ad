"""Portfolios with known truth, for tests, demonstrations and honest comparisons.

Presets of `Scenario`: ``default`` (Colombia and Chile), ``no_effect`` (no action changes anything),
``no_propensities``, ``confounded`` (the legacy policy sees what no table holds), ``single_country``,
``no_contacts`` (no log of contacts, promises and decisions), ``all_new`` (every account opened days before
the as-of), ``few_payers``.
"""

from __future__ import annotations

from recobro_score.simulate.portfolio import Simulation, simulate_portfolio
from recobro_score.simulate.scenario import PRESETS, Scenario

__all__ = ["PRESETS", "Scenario", "Simulation", "simulate_portfolio"]
