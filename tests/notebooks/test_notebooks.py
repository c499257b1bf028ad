"""Every notebook runs from top to bottom and was committed with its outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def results_of(notebook):
    """Return the kinds of results of each cell; streams, such as warnings of third parties, left out."""
    return [
        [output.output_type for output in cell.outputs if output.output_type != "stream"]
        for cell in code_cells(notebook)
    ]


def test_there_are_notebooks():
    assert FOLDER / "01_quickstart.ipynb" in NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_committed_with_its_outputs(path):
    cells = code_cells(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert cells[-1].outputs
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_as_committed(path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND")
    notebook = nbformat.read(path, as_version=4)
    shown = results_of(notebook)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
    assert results_of(notebook) == shown
