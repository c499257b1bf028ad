"""`import recobro_score` and the command line stay light, and the façade's names are all there."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest

import recobro_score
from tests.guards.source_tree import SOURCE

HEAVY = {
    "duckdb",
    "holidays",
    "lightgbm",
    "matplotlib",
    "mlflow",
    "narwhals",
    "numba",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "scipy",
    "shap",
    "sklearn",
}


@pytest.mark.parametrize("imported", ["recobro_score", "recobro_score.cli"])
def test_importing_loads_nothing_heavy(imported):
    code = f"import sys, {imported}; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from recobro_score.cli import main\n"
        "sys.argv = ['recobro-score', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print('loaded:', *sorted({HEAVY!r} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "demo" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


def test_every_public_name_is_there_and_is_listed():
    for name in recobro_score.__all__:
        assert getattr(recobro_score, name) is not None
    assert set(recobro_score.__all__) <= set(dir(recobro_score))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Portfolioo"):
        _ = recobro_score.Portfolioo


def test_type_checkers_see_the_same_names_as_python():
    tree = ast.parse((SOURCE / "recobro_score" / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == recobro_score._HOMES
    assert set(typed) | {"__version__"} == set(recobro_score.__all__)


def test_a_public_name_is_the_object_of_its_home():
    for name, home in recobro_score._HOMES.items():
        assert getattr(recobro_score, name) is getattr(importlib.import_module(home), name)
