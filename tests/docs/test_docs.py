"""Documentation that follows from the code is up to date, and what it shows runs."""

from __future__ import annotations

import importlib.util
import re

import pytest


def test_the_feature_reference_is_what_the_script_writes(root):
    path = root / "docs" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    committed = script.FEATURES.read_text(encoding="utf-8")
    assert committed == script.features_page(), "run: python docs/make_reference.py"


@pytest.mark.parametrize("page", ["concepts/as_of.md"])
def test_the_examples_of_a_page_run_one_after_the_other(root, page, monkeypatch, capsys):
    monkeypatch.chdir(root)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", (root / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    assert "1 error" in capsys.readouterr().out


def test_every_relative_link_of_the_docs_leads_somewhere(root):
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in (root / "docs").rglob("*.md")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken
