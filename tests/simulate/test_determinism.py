from __future__ import annotations

from pathlib import Path

import pytest

from recobro_score.digest import sha256_file
from recobro_score.simulate import Scenario, Simulation, simulate_portfolio
from recobro_score.simulate.scenario import Contactability, Effects, Legacy


def _hashes(simulation: Simulation, folder: Path) -> dict[str, str]:
    simulation.write(folder)
    return {str(path.relative_to(folder)): sha256_file(path) for path in folder.rglob("*.*")}


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (simulate_portfolio(300, seed=4) for _ in range(2))
    assert _hashes(first, tmp_path / "a") == _hashes(second, tmp_path / "b")


def test_another_seed_gives_other_tables() -> None:
    first, second = (simulate_portfolio(300, seed=seed) for seed in (4, 5))
    same = [name for name in first.tables if first.tables[name].equals(second.tables[name])]
    assert same == []
    assert not first.truth.equals(second.truth)


def test_reading_the_folder_does_not_meet_the_truth(tmp_path: Path) -> None:
    simulation = simulate_portfolio(50, seed=1)
    simulation.write(tmp_path)
    assert {path.stem for path in tmp_path.glob("*.parquet")} == set(simulation.tables)
    assert (tmp_path / "truth" / "truth.parquet").exists()


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(effects=Effects(scale=0.0)),
        Scenario(contactability=Contactability(wrong_share=0.3)),
        Scenario(legacy=Legacy(randomised=1.0)),
    ],
)
def test_one_concern_does_not_shift_the_draws_of_another(scenario: Scenario) -> None:
    default, changed = simulate_portfolio(200, seed=4), simulate_portfolio(200, seed=4, scenario=scenario)
    for name in ("accounts", "parties"):
        assert default.tables[name].equals(changed.tables[name])


def test_what_is_recorded_changes_nothing_else() -> None:
    silent = Scenario(legacy=Legacy(record_contacts=False, record_propensities=False))
    default, changed = simulate_portfolio(300, seed=4), simulate_portfolio(300, seed=4, scenario=silent)
    assert set(default.tables) - set(changed.tables) == {"contacts", "promises", "decisions"}
    assert all(default.tables[name].equals(table) for name, table in changed.tables.items())
    assert default.truth.equals(changed.truth)
