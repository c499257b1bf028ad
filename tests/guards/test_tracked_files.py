"""What is committed holds no secret, no place on somebody's machine, and no private package index."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.guards.source_tree import ROOT

FORBIDDEN = {
    "a home or working folder of one machine": r"(?<![\w.])/(?:root|home/\w+|Users/\w+|workspaces?|work)/",
    "a drive of one machine": r"\b[A-Z]:\\\\?Users\\",
    "a package index of one's own": r"(?:--|PIP_|extra-)?\b(?:index-url|INDEX_URL|find-links|FIND_LINKS)\b",
    "a password in an address": r"\w+://[^/\s:@{}<>]+:[^/\s:@{}<>]+@",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "an access key": r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{36}|xox[abp]-[\w-]{10,}|sk-[\w-]{20,})\b",
    "a secret in the open": r"(?i)\b(?:password|secret|api_?key|token)\b\s*[:=]\s*[\"'][^\"'\s{}$]{8,}[\"']",
}
THIS = Path(__file__).resolve()
LARGEST = 2_000_000


def _texts() -> list[tuple[str, str]]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path == THIS or not path.is_file() or b"\0" in (raw := path.read_bytes()):
            continue
        found.append((name, raw.decode("utf-8")))
    return found


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of tracked files")
    return _texts()


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_holds(texts, what):
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{name}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()}"
        for name, text in texts
        for hit in pattern.finditer(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a home or working folder of one machine", "see /home/ana/project/x.py"),
        ("a package index of one's own", "pip install --index-url https://somewhere x"),
        ("a password in an address", "postgresql://ana:clave@db/portfolio"),
        ("a private key", "-----BEGIN RSA PRIVATE KEY-----"),
        ("an access key", "AKIA" + "ABCDEFGHIJKLMNOP"),
        ("a secret in the open", "password = 'correct-horse'"),
    ],
)
def test_the_patterns_find_what_they_are_for(what, text):
    assert re.search(FORBIDDEN[what], text)


def test_no_tracked_file_is_large():
    sizes = {name: len(text) for name, text in _texts()} if (ROOT / ".git").exists() else {}
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}
