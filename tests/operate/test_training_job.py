"""Training from a folder larger than memory: a sample, said to be one, and the same bundle every time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recobro_score import cli
from recobro_score.bundle import Bundle
from recobro_score.data import sample
from recobro_score.data.sample import sample_portfolio
from recobro_score.data.streamed import ROWS_IN_MEMORY
from recobro_score.errors import ContractError
from recobro_score.models.booster import BoosterOptions
from recobro_score.operate.batch import run_training
from recobro_score.operate.config import RunConfig
from recobro_score.report.card import model_card
from recobro_score.timeline import Timeline
from recobro_score.training import TrainingOptions, train

SAYS = "learned from a sample of whole debtors"


@pytest.fixture
def quick(copied) -> Path:
    """A run file that trains few trees on few snapshots and tracks nothing."""
    run_file = copied / "run.toml"
    text = run_file.read_text().split("[tracking]", maxsplit=1)[0]
    text = text.replace("every_days = 30", "every_days = 60\ntrees = 10")
    run_file.write_text(text.replace('reference = "bundle"', 'reference = "other"'))
    return run_file


def bundle_of(run_file: Path) -> dict[str, bytes]:
    """Return the files of the bundle just trained, and put them away."""
    folder = run_file.parent / "other"
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    shutil.rmtree(folder)
    return found


def test_a_sample_is_learned_from_and_everybody_is_told(quick, capsys):
    assert cli.run(["train", str(quick), "--max-accounts", "250"]) == 0
    told = capsys.readouterr().out
    bundle = Bundle.load(quick.parent / "other")
    (warning,) = (text for text in bundle.card["warnings"] if text.startswith(SAYS))
    accounts = int(warning.removeprefix(f"{SAYS}: ").split(" of 500 accounts")[0])
    assert 200 < accounts <= 250
    assert bundle.card["accounts"] <= accounts
    assert warning in told
    assert warning in model_card(bundle).markdown


def test_the_same_folder_and_options_give_the_same_bundle(quick, monkeypatch):
    config = RunConfig.read(quick)
    run_training(config, max_accounts=250)
    first = bundle_of(quick)
    quick.write_text(quick.read_text().replace("[training]", "[training]\nmax_accounts = 250"))
    run_training(RunConfig.read(quick))
    assert bundle_of(quick) == first
    monkeypatch.setattr(sample, "ROWS_IN_MEMORY", 1)
    run_training(config, max_accounts=10_000)
    whole = bundle_of(quick)
    monkeypatch.undo()
    run_training(config)
    assert bundle_of(quick) == whole != first


def test_a_large_folder_is_sampled_without_being_told_to(quick, monkeypatch):
    monkeypatch.setattr(sample, "ROWS_IN_MEMORY", 15_000)
    job = run_training(RunConfig.read(quick))
    assert SAYS in job.summary()
    assert job.training.bundle.card["accounts"] < 500


def test_labels_of_accounts_that_were_not_drawn_are_left_aside(quick):
    config = RunConfig.read(quick)
    folder = config.portfolio.folder
    ids = pq.read_table(folder / "accounts.parquet")["account_id"].to_pylist()
    labels = pa.table({"account_id": ids, "label": [place % 3 // 2 for place in range(len(ids))]})
    timeline = Timeline.every("2025-03-01", "2025-03-01", days=30, time_zone=config.portfolio.time_zone)
    drawn = sample_portfolio(folder, accounts=250, options=config.portfolio.options())
    options = TrainingOptions(labels=labels, booster=BoosterOptions(trees=5))
    known = train(drawn, timeline, options=options).labels
    given = dict(zip(ids, labels["label"].to_pylist(), strict=True))
    assert known.value.tolist() == [given[name] for name in drawn.store.account_ids.to_pylist()]
    strange = labels.set_column(0, "account_id", pa.array([f"{name}?" for name in ids]))
    whole = sample_portfolio(folder, options=config.portfolio.options())
    with pytest.raises(ContractError, match="no such account"):
        train(whole, timeline, options=TrainingOptions(labels=strange))


def test_the_help_says_when_a_sample_is_drawn(capsys):
    assert cli.run(["train", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"more than {ROWS_IN_MEMORY // 1_000_000} million rows" in told
    assert "max_accounts" in told
