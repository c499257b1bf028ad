"""The night as a job: fixed faces, the same bytes twice, every row accounted for, honest exit codes."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import recobro_score
from recobro_score import cli
from recobro_score.digest import sha256_file
from recobro_score.errors import ConfigError
from recobro_score.operate.batch import run_night
from recobro_score.operate.config import RunConfig

AS_OF = "2025-06-03"
FILES = ("scores.parquet", "decisions.parquet", "quarantine.parquet", "manifest.json")


def night_bytes(folder) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def nightly(folder, as_of: str = AS_OF, *more: str) -> int:
    return cli.run(["nightly", str(folder / "run.toml"), "--as-of", as_of, *more])


def test_the_demo_has_the_fixed_faces(demo):
    assert (demo.folder / "run.toml").is_file()
    assert (demo.folder / "bundle" / "manifest.json").is_file()
    assert (demo.folder / "portfolio" / "accounts.parquet").is_file()
    assert sorted(path.name for path in (demo.folder / "out" / AS_OF).iterdir()) == sorted(FILES)
    summary = demo.summary()
    for place in ("portfolio", "run.toml", "bundle", f"out/{AS_OF}"):
        assert str(demo.folder / place) in summary


def test_the_manifest_accounts_for_every_row(demo):
    folder = demo.folder / "out" / AS_OF
    manifest = json.loads((folder / "manifest.json").read_text())
    read = {
        path.stem: pq.read_metadata(path).num_rows for path in (demo.folder / "portfolio").glob("*.parquet")
    }
    assert {table: rows["read"] for table, rows in manifest["rows"].items()} == read
    for rows in manifest["rows"].values():
        assert rows["read"] == rows["used"] + rows["quarantined"]
    assert manifest["accounts"] == manifest["decisions"] == 500
    for name, digest in manifest["outputs"].items():
        assert sha256_file(folder / name) == digest
    assert manifest["inputs"]["accounts.parquet"] == sha256_file(
        demo.folder / "portfolio" / "accounts.parquet"
    )
    assert manifest["bundle"]["sha256"] == sha256_file(demo.folder / "bundle" / "manifest.json")


def test_every_output_carries_its_schema_version(demo):
    for name, version in zip(FILES[:3], (b"2", b"1", b"1"), strict=True):
        metadata = pq.read_schema(demo.folder / "out" / AS_OF / name).metadata
        assert metadata[b"recobro_score.schema_version"] == version


def test_a_second_night_writes_the_same_bytes(copied):
    first = night_bytes(copied / "out" / AS_OF)
    shutil.rmtree(copied / "out")
    assert nightly(copied) == 0
    assert night_bytes(copied / "out" / AS_OF) == first
    assert nightly(copied) == 0, "over the files of the night before"
    assert night_bytes(copied / "out" / AS_OF) == first


def test_buckets_and_threads_change_no_output(copied):
    first = night_bytes(copied / "out" / AS_OF)
    run_file = copied / "run.toml"
    run_file.write_text(run_file.read_text().replace("[night]", "[night]\nbuckets = 5\nthreads = 2"))
    assert nightly(copied) == 0
    again = night_bytes(copied / "out" / AS_OF)
    assert {name: again[name] for name in FILES[:3]} == {name: first[name] for name in FILES[:3]}


def test_bad_rows_go_to_quarantine_and_the_night_goes_on(copied):
    path = copied / "portfolio" / "payments.parquet"
    table = pq.read_table(path)
    amounts = table["amount"].to_pylist()
    amounts[3] = float("inf")
    position = table.column_names.index("amount")
    pq.write_table(table.set_column(position, "amount", pa.array(amounts)), path)
    assert nightly(copied) == 0
    quarantine = pq.read_table(copied / "out" / AS_OF / "quarantine.parquet").to_pylist()
    assert [(row["table"], row["rule"], row["row"]) for row in quarantine] == [
        ("payments", "unreadable:amount", 3)
    ]


def test_the_registered_champion_decides_as_the_folder_does(copied):
    first = night_bytes(copied / "out" / AS_OF)
    run_file = copied / "run.toml"
    text = run_file.read_text().replace(
        'reference = "bundle"', 'reference = "models:/recobro-score@champion"'
    )
    run_file.write_text(text)
    assert nightly(copied) == 0
    assert night_bytes(copied / "out" / AS_OF) == first


def break_payments(folder):
    path = folder / "portfolio" / "payments.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, table.column_names[0], pa.array(["nobody"] * table.num_rows)), path)


def drop_column(folder):
    path = folder / "portfolio" / "payments.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["paid_at", "amount"]), path)


def drop_holds(folder):
    (folder / "portfolio" / "holds.parquet").unlink()


def unknown_key(folder):
    run_file = folder / "run.toml"
    run_file.write_text(run_file.read_text().replace("[night]", "[night]\nbukets = 5"))


def no_bundle(folder):
    (folder / "bundle" / "manifest.json").unlink()


def alter_bundle(folder):
    path = folder / "bundle" / "payment.txt"
    path.write_text(path.read_text().replace("leaf_value=", "leaf_value=9", 1))


FAULTS = {
    "too many bad rows": (break_payments, 3, "quarantined"),
    "columns missing": (drop_column, 3, "payments.paid_at: the column is missing"),
    "a safety table missing": (drop_holds, 3, "missing:holds"),
    "an unknown key in the run file": (unknown_key, 2, "night.bukets"),
    "no bundle": (no_bundle, 1, "is no bundle"),
    "an altered bundle": (alter_bundle, 1, "payment.txt"),
}


@pytest.mark.parametrize(("fault", "code", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_every_failure_has_its_exit_code_and_one_line(fault, code, words, copied, capsys):
    fault(copied)
    assert nightly(copied) == code
    error = capsys.readouterr().err
    reason = [line for line in error.splitlines() if line.startswith("recobro-score: ")]
    assert len(reason) == 1
    assert words in reason[0]
    assert "Traceback" not in error


def test_the_version_is_told(capsys):
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == recobro_score.__version__


def test_debug_shows_the_trace(copied, capsys):
    unknown_key(copied)
    assert nightly(copied, AS_OF, "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nightly"], ["nightly", "no.toml", "--as-of", "2025-06-03"], ["fly"]])
def test_wrong_usage_is_code_2(arguments, capsys):
    assert cli.run(arguments) == 2
    assert "recobro-score: " in capsys.readouterr().err


def test_a_date_that_is_none_is_code_2(copied, capsys):
    assert nightly(copied, "2025-13-40") == 2
    assert "not a date" in capsys.readouterr().err


def test_a_run_file_without_training_cannot_train(copied):
    run_file = copied / "run.toml"
    text = run_file.read_text()
    start, end = text.index("[training]"), text.index("[bundle]")
    run_file.write_text(text[:start] + text[end:])
    assert cli.run(["train", str(run_file)]) == 2


def test_all_problems_of_a_run_file_come_at_once(copied):
    run_file = copied / "run.toml"
    text = (
        run_file.read_text().replace("share = 0.5", "share = 7").replace("every_days = 30", "every_days = 0")
    )
    run_file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        RunConfig.read(run_file)
    assert "target.share" in str(caught.value)
    assert "training.every_days" in str(caught.value)


def test_an_instant_within_a_day_has_a_folder_of_its_own(copied):
    config = RunConfig.read(copied / "run.toml")
    night = run_night(config, "2025-06-03T12:30")
    assert night.folder.name == "2025-06-03T123000"
    assert (copied / "out" / AS_OF / "manifest.json").is_file()


def test_a_table_lost_as_a_whole_stops_the_night_however_small_it_is(copied, capsys):
    path = copied / "portfolio" / "holds.parquet"
    table = pq.read_table(path)
    position = table.column_names.index("from_at")
    spoilt = table.set_column(position, "from_at", pa.array(["??"] * table.num_rows))
    pq.write_table(spoilt, path)
    assert nightly(copied) == 3
    assert "of holds" in capsys.readouterr().err


def test_a_policy_that_is_not_the_bundles_is_refused(copied, capsys):
    run_file = copied / "run.toml"
    run_file.write_text(run_file.read_text() + "\n[policy.offers]\nmax_instalments = 2\n")
    assert nightly(copied) == 2
    assert "train again" in capsys.readouterr().err


def test_a_trained_bundle_is_not_replaced_by_assumptions(copied, capsys):
    run_file = copied / "run.toml"
    text = run_file.read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("first", "last", "observed"))]
    early = ["first = 2015-01-01", "last = 2015-06-01", "observed_until = 2015-12-01"]
    position = lines.index("[training]")
    run_file.write_text("\n".join([*lines[: position + 1], *early, *lines[position + 1 :]]))
    before = (copied / "bundle" / "manifest.json").read_bytes()
    assert cli.run(["train", str(run_file)]) == 1
    assert "is kept" in capsys.readouterr().err
    assert (copied / "bundle" / "manifest.json").read_bytes() == before


def test_an_empty_portfolio_says_so(copied, capsys):
    for path in (copied / "portfolio").glob("*.parquet"):
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    assert nightly(copied) == 3
    assert "no usable account" in capsys.readouterr().err


def test_a_slip_in_a_key_of_the_run_file_is_hinted_at(copied, capsys):
    unknown_key(copied)
    assert nightly(copied) == 2
    assert "Did you mean 'buckets'?" in capsys.readouterr().err


def test_old_data_draw_a_warning(copied):
    config = RunConfig.read(copied / "run.toml")
    outputs = run_night(config, "2025-12-02").outputs
    assert any("the data look stale" in warning for warning in outputs.warnings)
