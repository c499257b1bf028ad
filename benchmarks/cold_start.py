"""How long a new process takes to load a bundle and score one account, with and without compiled code.

Every figure is the median of a few child processes, one at a time, from starting Python to its end: by the
clock and in CPU seconds. With an empty cache the child compiles all that it needs; the others find it there.
The files of Python and its packages have been read before, as where the service runs every day.

    python benchmarks/cold_start.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from results import Table

import recobro_score as rs

ZONE = "America/Bogota"
REQUEST = {
    "as_of": "2025-06-03",
    "account": {
        "account_id": "A1",
        "debtor_id": "D1",
        "opened_at": "2024-03-01",
        "currency": "COP",
        "country": "CO",
    },
    "tables": {
        "instalments": [
            {"account_id": "A1", "due_at": f"2025-0{month}-05", "amount": 250_000} for month in range(1, 6)
        ],
        "payments": [{"account_id": "A1", "paid_at": "2025-04-30", "amount": 100_000}],
    },
}
CHILD = """
import json, sys, time
started = time.process_time()
from recobro_score.serving import Scorer
imported = time.process_time()
scorer = Scorer.load(sys.argv[1], time_zone=sys.argv[2])
loaded = time.process_time()
request = json.loads(sys.argv[3])
p_pay = scorer.score_one(request).p_pay
scored = time.process_time()
print(json.dumps({
    "p_pay": p_pay,
    "importing": imported - started,
    "loading the bundle": loaded - imported,
    "the first score": scored - loaded,
}))
"""
STEPS = ("importing", "loading the bundle", "the first score")


def train(folder: Path, accounts: int) -> Path:
    """Save the bundle of a simulated portfolio, trained with the defaults."""
    simulation = rs.simulate_portfolio(accounts, seed=1)
    zone = simulation.scenario.span.time_zone
    portfolio = rs.Portfolio.from_frames(dict(simulation.tables), options=rs.PortfolioOptions(time_zone=zone))
    timeline = rs.Timeline(tuple(simulation.period_starts[-10:-1]), zone)
    options = rs.TrainingOptions(observed_until=simulation.as_of)
    return rs.train(portfolio, timeline, options=options).bundle.save(folder)


def first_score(bundle: Path, cache: Path) -> dict[str, float]:
    """Return what one child process took."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(bundle), ZONE, json.dumps(REQUEST)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout) | {"wall": wall, "cpu": cpu}


def add(table: Table, case: str, measured: list[dict[str, float]], target: str) -> None:
    """Add the medians of some children."""

    def middle(name: str) -> float:
        return median(one[name] for one in measured)

    table.add(case, "to the first score, by the clock", middle("wall"), unit="s", target=target)
    table.add(case, "to the first score, CPU", middle("cpu"), unit="CPU s")
    for step in STEPS:
        table.add(case, f"of it {step}", middle(step), unit="CPU s")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller portfolio, fewer processes")
    arguments = parser.parse_args()
    accounts, cold_runs, warm_runs = (400, 1, 3) if arguments.quick else (3_000, 3, 9)
    table = Table("cold_start_quick" if arguments.quick else "cold_start")
    with tempfile.TemporaryDirectory() as room:
        bundle = train(Path(room) / "bundle", accounts)
        caches = [Path(room) / f"cache_{number}" for number in range(cold_runs)]
        cold = [first_score(bundle, cache) for cache in caches]
        warm = [first_score(bundle, caches[0]) for _ in range(warm_runs)]
    assert len({one["p_pay"] for one in [*cold, *warm]}) == 1
    add(table, "compiled code cached", warm, "<= 3")
    add(table, "nothing compiled yet", cold, "<= 30")
    table.finish()


if __name__ == "__main__":
    main()
