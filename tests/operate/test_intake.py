"""A night reads its folder whole or in parts, as the run file says, and nobody can tell from its files."""

from __future__ import annotations

import shutil

import pytest

from recobro_score import cli
from recobro_score.data.streamed import ROWS_IN_MEMORY
from recobro_score.operate import intake
from recobro_score.operate.batch import run_night
from recobro_score.operate.config import RunConfig
from tests.operate.test_batch import AS_OF, FAULTS, night_bytes, nightly

SPLITTING = "splitting the portfolio"
OF_THE_DATA = ("too many bad rows", "columns missing", "a safety table missing")


def in_buckets(folder, buckets: int) -> None:
    run_file = folder / "run.toml"
    run_file.write_text(run_file.read_text().replace("[night]", f"[night]\nbuckets = {buckets}"))


@pytest.mark.parametrize(
    ("buckets", "rows_in_memory", "splits"),
    [(None, 10**9, False), (None, 100, True), (1, 100, False), (4, 10**9, True)],
)
def test_a_folder_is_split_if_it_is_large_or_told_to_be(buckets, rows_in_memory, splits, copied, monkeypatch):
    first = night_bytes(copied / "out" / AS_OF)
    shutil.rmtree(copied / "out")
    monkeypatch.setattr(intake, "ROWS_IN_MEMORY", rows_in_memory)
    if buckets is not None:
        in_buckets(copied, buckets)
    steps = []
    run_night(RunConfig.read(copied / "run.toml"), AS_OF, progress=lambda *step: steps.append(step))
    assert night_bytes(copied / "out" / AS_OF) == first
    assert ((SPLITTING, 1.0) in steps) == splits
    assert ("reading the portfolio", 1.0) in steps
    assert {path.name for path in (copied / "out").iterdir()} == {AS_OF, "runs.jsonl"}


@pytest.mark.parametrize("fault", OF_THE_DATA)
def test_a_split_folder_is_refused_in_the_same_words(fault, copied, capsys):
    spoil, code, _ = FAULTS[fault]
    spoil(copied)
    assert nightly(copied) == code
    whole = capsys.readouterr().err.splitlines()[-1]
    in_buckets(copied, 3)
    assert nightly(copied) == code
    assert capsys.readouterr().err.splitlines()[-1] == whole
    assert whole.startswith("recobro-score: ")
    assert not [path for path in (copied / "out").iterdir() if path.name.startswith(".")]


def test_the_help_says_when_a_folder_is_split(capsys):
    assert cli.run(["nightly", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"more than {ROWS_IN_MEMORY // 1_000_000} million rows" in told
    assert "[night] buckets" in told


def test_a_folder_that_is_not_there_is_told_before_anything_is_written(copied, capsys):
    in_buckets(copied, 3)
    shutil.rmtree(copied / "portfolio")
    shutil.rmtree(copied / "out")
    assert nightly(copied) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not (copied / "out").exists()
