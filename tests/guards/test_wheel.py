"""The wheel holds what it needs and nothing else, and runs the demo in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGE = "recobro_score"
NIGHT = {"scores.parquet", "decisions.parquet", "quarantine.parquet", "manifest.json"}


def _run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run without any path of this checkout; show what it said when it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, root, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_is_pure_and_holds_the_package_only(wheel, contents):
    assert wheel.name.endswith("-py3-none-any.whl")
    tops = {name.partition("/")[0] for name in contents}
    assert {top for top in tops if not top.endswith(".dist-info")} == {PACKAGE}
    suffixes = {Path(name).suffix for name in contents if name.startswith(f"{PACKAGE}/")}
    assert suffixes <= {".py", ".toml", ".typed"}


def test_the_wheel_holds_every_module_and_every_data_file(root, contents):
    source = root / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for pattern in ("*.py", "*.toml", "py.typed")
        for path in (source / PACKAGE).rglob(pattern)
    }
    assert wanted <= contents
    assert any(name.endswith(".toml") for name in wanted)


@pytest.fixture(scope="module")
def demo(root, wheel, tmp_path_factory) -> Path:
    """The folder of a demo run by the installed command."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env", with_pip=True)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    constraints = root / "constraints.txt"
    _run(programs / "python", "-m", "pip", "install", "--quiet", "-c", constraints, wheel, cwd=folder)
    said = _run(programs / "recobro-score", "demo", "--out", "shown", "--accounts", "600", cwd=folder)
    assert "shown" in said.stdout
    return folder / "shown"


def test_the_installed_demo_shows_the_fixed_faces(demo):
    assert {"portfolio", "run.toml", "bundle", "out"} <= {path.name for path in demo.iterdir()}
    nights = [path for path in (demo / "out").iterdir() if path.is_dir()]
    assert nights
    for night in nights:
        assert {path.name for path in night.iterdir()} >= NIGHT


def test_the_installed_demo_loses_no_row(demo):
    for path in (demo / "out").glob("*/manifest.json"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        for table, rows in manifest["rows"].items():
            assert rows["read"] == rows["used"] + rows["quarantined"], table
        assert manifest["decisions"] == manifest["accounts"] == 600
