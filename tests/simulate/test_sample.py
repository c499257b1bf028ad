from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.simulate import Scenario, simulate_portfolio

_SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def test_the_sample_is_small_and_read_without_a_bad_row() -> None:
    assert sum(path.stat().st_size for path in _SAMPLE.rglob("*") if path.is_file()) <= 2_000_000
    tables = {path.stem: pq.read_table(path) for path in _SAMPLE.glob("*.parquet")}
    written = json.loads((_SAMPLE / "scenario.json").read_text(encoding="utf-8"))
    portfolio = Portfolio.from_frames(tables, options=PortfolioOptions(time_zone=written["time_zone"]))
    assert len(portfolio.quarantine.frame()) == 0


def test_the_sample_is_what_its_readme_says_it_is() -> None:
    written = json.loads((_SAMPLE / "scenario.json").read_text(encoding="utf-8"))
    assert Scenario.model_validate(written["scenario"]) == Scenario()
    again = simulate_portfolio(1_800, seed=written["seed"])
    readme = (_SAMPLE / "README.md").read_text(encoding="utf-8")
    for name, table in again.tables.items():
        kept = pq.read_table(_SAMPLE / f"{name}.parquet")
        assert kept.schema.names == table.schema.names
        assert f"| {name} | {kept.num_rows:,} |" in readme
    assert pq.read_table(_SAMPLE / "accounts.parquet").equals(again.tables["accounts"])
