from __future__ import annotations

import pytest
from pydantic import ValidationError

from recobro_score.errors import ConfigError
from recobro_score.simulate import PRESETS, Scenario, simulate_portfolio
from recobro_score.simulate.scenario import CHILE, COLOMBIA, Country, Lateness, Market, Span, Structure


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_runs(name: str) -> None:
    simulation = simulate_portfolio(400, seed=3, scenario=name)
    assert simulation.tables["accounts"].num_rows == 400
    assert simulation.truth.num_rows == 400 * 8


def test_a_scenario_survives_json() -> None:
    for scenario in PRESETS.values():
        assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario


def test_an_unknown_preset_is_named_with_the_closest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'no_effect'"):
        Scenario.preset("no_efect")


@pytest.mark.parametrize("count_and_seed", [(0, 1), (10, -1)])
def test_numbers_out_of_range_are_refused(count_and_seed: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="at least 1 account"):
        simulate_portfolio(*count_and_seed)


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (lambda: Span(time_zone="America/Nowhere"), "time_zone|time zone"),
        (lambda: Span(as_of="soon"), "not a date"),
        (lambda: Structure(arrears=(0.0, 0.0)), "at least one weight"),
        (lambda: Market(countries=(CHILE, CHILE)), "appears twice"),
        (lambda: Lateness(late_share=1.5), "late_share"),
        (lambda: Scenario.model_validate({"effect": {}}), "effect"),
        (
            lambda: Country.model_validate({**COLOMBIA.model_dump(), "zones": (("Mars/Base", 1.0),)}),
            "Mars/Base",
        ),
    ],
)
def test_nonsense_is_refused_with_its_name(build: object, what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        build()  # type: ignore[operator]


def test_new_accounts_have_no_past() -> None:
    simulation = simulate_portfolio(300, seed=3, scenario="all_new")
    opened = simulation.tables["accounts"]["opened_at"].cast("int64").to_numpy()
    days = (simulation.as_of - opened) / 86_400e6
    assert days.min() > 0
    assert days.max() <= 10
    assert simulation.tables["payments"].num_rows == 0


def test_few_payers_are_few_but_there() -> None:
    payments = simulate_portfolio(5_000, seed=3, scenario="few_payers").tables["payments"]
    assert 250 <= len(payments["account_id"].unique()) <= 600
