"""Point-in-time features beside DuckDB, pandas and Polars: the same sixty features, all answers compared.

Every engine reads the same Parquet files and writes Parquet: ours with Snappy, which costs less than the
Zstandard of the others and makes larger files. One run takes the engines in turn, each in a child process;
CPU seconds are those of the child, with its start-up and all its threads; of several rounds the cheapest of
each engine counts, since what else the machine does only adds. Peak memory is what its own program had at
most (Linux tells). The files lie in the page cache for everybody, and ours has compiled its
kernels beforehand (``warmup``). Every engine must give the same features: counts and cents exactly, the rest
within 1e-9.

    python benchmarks/features.py [--quick] [--data DIR] [--only CASE ...] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import features_peers
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from features_data import as_ofs, write_portfolio
from features_set import CLOCKS, feature_set, features
from results import Table

PEERS = ("duckdb", "polars", "pandas")


@dataclass(frozen=True)
class Case:
    """Accounts times as-ofs, who takes part, what is aimed at, and how many times the usual events."""

    accounts: int
    as_ofs: int
    peers: tuple[str, ...]
    target: str | None = None
    times: int = 1

    @property
    def name(self) -> str:
        size = f"{self.accounts // 1_000_000}M" if self.accounts >= 1_000_000 else f"{self.accounts // 1000}k"
        name = f"{size} x {self.as_ofs}"
        return name if self.times == 1 else f"{name}, {self.times} times the events"

    @property
    def folder(self) -> str:
        return f"portfolio-{self.accounts}" + ("" if self.times == 1 else f"-{self.times}")

    @property
    def memory_target(self) -> str | None:
        return "<= 2.5" if self.as_ofs == 12 and self.accounts * self.times >= 1_000_000 else None


QUICK = (Case(20_000, 1, PEERS), Case(20_000, 3, PEERS))
FULL = (
    Case(100_000, 1, PEERS),
    Case(100_000, 12, PEERS, "ratio <= 0.25"),
    Case(1_000_000, 1, PEERS, "ratio <= 0.45"),
    Case(1_000_000, 12, ()),
    Case(100_000, 12, (), times=10),
)


def work(engine: str, folder: Path, count: int, out: Path) -> dict[str, float]:
    """Run one engine in this process and return what it cost."""
    started = time.perf_counter()
    steps: dict[str, float] = {}
    moments = as_ofs(count)
    if engine == "ours":
        steps = _ours(folder, moments, out)
    elif engine == "pyarrow":
        for table in CLOCKS:
            with pq.ParquetFile(folder / f"{table}.parquet") as file:
                for _ in file.iter_batches(use_threads=False):
                    pass
    elif engine == "reading":
        steps = {"read": _reading(folder)}
    else:
        getattr(features_peers, f"run_{engine}")(folder, moments, out)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = {"cpu": used.ru_utime + used.ru_stime, "wall": time.perf_counter() - started}
    return cost | {"peak": _peak()} | {f"cpu of {step}": value for step, value in steps.items()}


def _peak() -> float:
    """Return the most memory this program had, in GB; `ru_maxrss` begins with that of who started it."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1e6


def _ours(folder: Path, moments: list[int], out: Path) -> dict[str, float]:
    from recobro_score.features.scale import features_to_parquet
    from recobro_score.features.schema import FeatureSchema

    recipes = feature_set()
    schema = FeatureSchema(recipes.recipes, recipes.promises, tuple(sorted(CLOCKS)), {})
    return dict(features_to_parquet(folder, schema, moments, out).cpu_seconds)


def _reading(folder: Path) -> float:
    """Stream the events as our engine does, and do nothing with them; return the CPU seconds."""
    from recobro_score.data.options import PortfolioOptions
    from recobro_score.data.streams import TableStream

    started = time.process_time()
    for table in CLOCKS:
        for _ in TableStream.of(table, folder / f"{table}.parquet", PortfolioOptions()).batches():
            pass
    return time.process_time() - started


def run(engine: str, folder: Path, count: int, out: Path) -> dict[str, float]:
    """Run one engine in a process of its own."""
    command = [sys.executable, __file__, "--work", engine, str(folder), str(count), str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def check_equal(ours: Path, theirs: Path, peer: str) -> None:
    """Raise unless both hold the same features: counts and cents exactly, the rest within 1e-9."""
    left, right = _sorted(ours), _sorted(theirs)
    for key in ("account_id", "as_of"):
        if not left[key].cast(pa.string()).equals(right[key].cast(pa.string())):
            msg = f"{peer}: other accounts or as-ofs"
            raise AssertionError(msg)
    for feature in features():
        a, b = (_numbers(table[feature.name]) for table in (left, right))
        if feature.value == "amount" and feature.aggregate != "mean":
            a, b = np.rint(a * 100), np.rint(b * 100)
        tolerance = 0.0 if feature.aggregate in ("count", "distinct", "sum", "min", "max") else 1e-9
        close = np.abs(a - b) <= tolerance * np.maximum(1.0, np.abs(b))
        wrong = np.flatnonzero(~(close | (np.isnan(a) & np.isnan(b))))
        if len(wrong):
            row = int(wrong[0])
            msg = f"{peer}: {feature.name} differs in {len(wrong)} rows, first {a[row]!r} and {b[row]!r}"
            raise AssertionError(msg)


def _sorted(path: Path) -> pa.Table:
    table = ds.dataset(path, format="parquet").to_table()
    times = pc.cast(table["as_of"], pa.timestamp("us", "UTC"))
    table = table.set_column(table.schema.get_field_index("as_of"), "as_of", times)
    return table.sort_by([("account_id", "ascending"), ("as_of", "ascending")]).combine_chunks()


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy().astype(float)


def run_case(case: Case, folder: Path, table: Table, *, rounds: int) -> float:
    """Run every engine on one case, add its rows, and return the CPU seconds of ours."""
    costs = _in_turn(case, folder, rounds)
    best = {engine: min(runs, key=lambda cost: cost["cpu"]) for engine, runs in costs.items()}
    peak = {engine: max(cost["peak"] for cost in runs) for engine, runs in costs.items()}
    ours = best["ours"]
    for peer in case.peers:
        cpu, target = best[peer]["cpu"], case.target if peer == "duckdb" else None
        table.add(case.name, "CPU", ours["cpu"], unit="s", peer=peer, peer_value=cpu, target=target)
        table.add(case.name, "peak memory", peak["ours"], unit="GB", peer=peer, peer_value=peak[peer])
    for step, seconds in _steps(ours, folder, case.as_ofs).items():
        table.add(case.name, f"CPU of {step}", seconds, unit="s")
        table.add(case.name, f"share of {step}", seconds / ours["cpu"])
    reading = min(run("pyarrow", folder, case.as_ofs, folder)["cpu"] for _ in range(rounds))
    aim = "ratio <= 5" if case.as_ofs == 1 else None
    table.add(
        case.name, "CPU over reading", ours["cpu"], unit="s", peer="pyarrow reading",
        peer_value=reading, target=aim,
    )  # fmt: skip
    table.add(case.name, "peak memory", peak["ours"], unit="GB", target=case.memory_target)
    table.add(case.name, "wall", ours["wall"], unit="s")
    return ours["cpu"]


def _in_turn(case: Case, folder: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Run ours and every peer, one after the other, as often as asked; compare the answers of each round."""
    engines = ("ours", *case.peers)
    costs: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for _ in range(rounds if case.peers else 1):
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            for engine in engines:
                print(f"{case.name}: {engine}", file=sys.stderr)
                path = Path(name) / engine
                costs[engine].append(run(engine, folder, case.as_ofs, path))
                if engine != "ours":
                    check_equal(Path(name) / "ours", path, engine)
                    path.unlink()
    return costs


def _steps(ours: dict[str, float], folder: Path, count: int) -> dict[str, float]:
    """Return the CPU seconds of our steps, reading told apart from splitting by a run that only reads."""
    steps = {name.removeprefix("cpu of "): ours[name] for name in ours if name.startswith("cpu of ")}
    read = run("reading", folder, count, folder)["cpu of read"]
    steps = {"read": read} | steps | {"bucket": steps["bucket"] - read}
    return steps | {"start": ours["cpu"] - sum(steps.values())}


def _warm_up(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        run("ours", folder, 1, Path(name) / "warm")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20,000 accounts; proves equality, not targets")
    parser.add_argument("--data", type=Path, help="folder for the generated portfolios; temporary if absent")
    parser.add_argument("--only", nargs="*", help='cases such as "1M x 1"')
    parser.add_argument("--peers", nargs="*", default=PEERS, help="engines to run beside ours")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each engine; the cheapest counts")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        engine, folder, count, out = arguments.work
        print(json.dumps(work(engine, Path(folder), int(count), Path(out))))
        return
    cases = [
        case for case in (QUICK if arguments.quick else FULL) if case.name in (arguments.only or [case.name])
    ]
    table = Table("features_quick" if arguments.quick else "features")
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        root = arguments.data or Path(name)
        for case in cases:
            folder = root / case.folder
            if not folder.exists():
                print(f"{case.name}: making the portfolio", file=sys.stderr)
                write_portfolio(folder, case.accounts, times=case.times)
            if case is cases[0]:
                _warm_up(folder)
            peers = tuple(peer for peer in case.peers if peer in arguments.peers)
            spent[case.name] = run_case(
                replace(case, peers=peers), folder, table, rounds=1 if arguments.quick else arguments.rounds
            )
    if {"100k x 1", "1M x 1"} <= set(spent):
        growth = spent["1M x 1"] / spent["100k x 1"]
        table.add("100k to 1M, x 1", "growth of CPU", growth, target="<= 11")
    table.finish()


if __name__ == "__main__":
    main()
