"""The README's Python runs as it stands, block after block, in a folder that holds only the sample data."""

from __future__ import annotations

import re
import shutil

import pytest

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def readme(root):
    return root / "README.md"


def test_the_readmes_python_runs(readme, root, tmp_path, monkeypatch):
    text = readme.read_text(encoding="utf-8")
    shutil.copytree(root / "data" / "sample", tmp_path / "data" / "sample")
    monkeypatch.chdir(tmp_path)
    blocks = list(BLOCK.finditer(text))
    assert blocks, "the README shows no Python"
    names: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), str(readme), "exec"), names)


def test_the_readme_opens_with_the_two_commands(readme):
    opening = readme.read_text(encoding="utf-8").split("\n## ")[:2]
    for command in ("make demo", "make test"):
        assert command in "\n".join(opening)
