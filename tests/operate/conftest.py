"""A small demo folder, made once: tables, run file, bundle, one night."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recobro_score.operate.demo import Demo, run_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Demo:
    return run_demo(tmp_path_factory.mktemp("demo"), accounts=500, seed=11, language="es")


@pytest.fixture
def copied(demo, tmp_path) -> Path:
    """A demo folder of one's own to spoil."""
    return Path(shutil.copytree(demo.folder, tmp_path / "demo"))
