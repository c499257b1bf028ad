"""What every benchmark writes: one table, printed and kept as JSON, and the page made of all of them.

python benchmarks/results.py      makes docs/benchmarks.md from benchmarks/results/*.json
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Row:
    """One measured figure; fields that do not apply are None.

    `target` is a comparison such as ``>= 0.775`` or ``0.9..1.1``.
    """

    case: str
    metric: str
    value: float
    unit: str | None = None
    peer: str | None = None
    peer_value: float | None = None
    target: str | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.peer_value if self.peer_value else None

    @property
    def met(self) -> bool | None:
        """Whether the value (or, for a target that starts with ``ratio``, the ratio) meets the target."""
        if self.target is None:
            return None
        measured, target = self.value, self.target
        if target.startswith("ratio "):
            measured, target = self.ratio or float("nan"), target.removeprefix("ratio ")
        if ".." in target:
            low, high = (float(end) for end in target.split(".."))
            return low <= measured <= high
        sign, bound = target.split()
        return measured >= float(bound) if sign == ">=" else measured <= float(bound)


@dataclass
class Table:
    """The rows of one benchmark."""

    name: str
    rows: list[Row] = field(default_factory=list)

    def add(self, case: str, metric: str, value: float, **fields: object) -> None:
        self.rows.append(Row(case, metric, float(value), **fields))

    def finish(self) -> None:
        """Print the table and write its JSON file."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        print(markdown(self.records()))
        content = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "date": datetime.now(UTC).date().isoformat(),
            "commit": _commit(),
            "rows": self.records(),
        }
        path = RESULTS / f"{self.name}.json"
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written to {path.relative_to(ROOT)}")

    def records(self) -> list[dict[str, object]]:
        return [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in self.rows]


def markdown(records: list[dict[str, object]]) -> str:
    """Return the rows as a Markdown table."""
    names = ("case", "metric", "value", "unit", "peer", "peer_value", "ratio", "target", "met")
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(record[name]) for name in names) + " |" for record in records]
    return "\n".join(lines)


def make_page() -> None:
    """Write docs/benchmarks.md from the result files."""
    parts = [
        "# Benchmarks",
        "",
        "Made by `python benchmarks/results.py` from `benchmarks/results/*.json`.",
        "",
    ]
    for path in sorted(path for path in RESULTS.glob("*.json") if not path.stem.endswith("_quick")):
        content = json.loads(path.read_text(encoding="utf-8"))
        source = f"{content['machine']}; {content['date']}; commit {content['commit']}"
        parts += [f"## {path.stem}", "", source, "", markdown(content["rows"]), ""]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return (
        f"{value:,.4g}"
        if isinstance(value, float) and abs(value) < 1e4
        else (f"{value:,.0f}" if isinstance(value, float) else str(value))
    )


def _commit() -> str:
    """Return the commit of the tree, with ``+changes`` when files differ from it."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run(
        [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
    )
    changes = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no", "--", "src"],
        capture_output=True,
        text=True,
        check=True,
    )
    return commit.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


if __name__ == "__main__":
    make_page()
