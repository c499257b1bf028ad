"""A training is recorded and its bundle registered, found again and loaded, and nothing of it is pickle."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from recobro_score.calendars import format_instant
from recobro_score.errors import BundleError
from recobro_score.operate import tracking
from recobro_score.serving import Scorer, ScoreRequest

PARAMS = {f"setting_{position:03d}": position for position in range(120)} | {"horizon_days": 30}
METRICS = {"auc": 0.75, "brier": 0.125}
NO_CODE = {".pkl", ".pickle", ".joblib", ".cloudpickle", ".skops", ".npy", ".npz", ".py", ".pyc"}


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def uri(folder) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(scope="module")
def plain_bundle(folder) -> Path:
    """Any folder of files: registering and resolving do not look inside."""
    bundle = folder / "trained"
    (bundle / "models").mkdir(parents=True)
    (bundle / "manifest.json").write_text('{"format": 1}')
    (bundle / "models" / "payment.txt").write_text("tree\n")
    return bundle


@pytest.fixture(scope="module")
def two_versions(uri, plain_bundle) -> tuple[tracking.TrackedModel, tracking.TrackedModel]:
    card = plain_bundle / "manifest.json"
    names = {"experiment": "nightly", "name": "collections", "bundle_folder": plain_bundle}
    first = tracking.log_training(uri=uri, **names, params=PARAMS, metrics=METRICS, artifacts=[card])
    second = tracking.log_training(uri=uri, **names, params=PARAMS, metrics=METRICS)
    return first, second


def test_a_run_holds_every_setting_number_and_file(uri, two_versions):
    client = MlflowClient(uri)
    run = client.get_run(two_versions[0].run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {key: str(value) for key, value in PARAMS.items()}
    assert run.data.metrics == METRICS
    assert [file.path for file in client.list_artifacts(two_versions[0].run_id)] == ["manifest.json"]


def test_versions_count_up_and_the_first_is_champion_until_told_otherwise(uri, folder, plain_bundle):
    names = {"experiment": "nightly", "name": "challenged", "bundle_folder": plain_bundle}
    client = MlflowClient(uri)
    champions = []
    for asked in (False, False, True):
        added = tracking.log_training(uri=uri, **names, params={}, metrics={})
        if asked:
            tracking.set_champion(added, uri=uri)
        champions.append(
            (added.version, int(client.get_model_version_by_alias("challenged", "champion").version))
        )
    assert champions == [(1, 1), (2, 1), (3, 3)]


@pytest.mark.parametrize("reference", ["models:/collections@champion", "models:/collections/2"])
def test_a_registered_bundle_comes_back_byte_for_byte(uri, plain_bundle, two_versions, reference):
    assert _files(tracking.resolve_bundle(reference, uri=uri)) == _files(plain_bundle)


def test_a_version_names_itself(uri, two_versions):
    assert [added.reference for added in two_versions] == ["models:/collections/1", "models:/collections/2"]


def test_a_folder_is_its_own_reference(uri, plain_bundle):
    assert tracking.resolve_bundle(str(plain_bundle), uri=uri) == plain_bundle


@pytest.mark.parametrize(
    "reference",
    [
        "models:/collections@nobody",
        "models:/collections/9",
        "models:/unknown@champion",
        "models:/collections",
        "nowhere",
    ],
)
def test_what_does_not_exist_is_a_bundle_error(uri, two_versions, reference):
    with pytest.raises(BundleError):
        tracking.resolve_bundle(reference, uri=uri)


def test_a_model_of_another_kind_is_refused(uri, folder, plain_bundle):
    stored = folder / "other"
    mlflow.pyfunc.save_model(
        path=str(stored), loader_module="elsewhere", data_path=str(plain_bundle), pip_requirements=[]
    )
    client = MlflowClient(uri, uri)
    client.create_registered_model("other")
    client.create_model_version("other", source=stored.as_uri())
    with pytest.raises(BundleError, match="its loader is 'elsewhere'"):
        tracking.resolve_bundle("models:/other/1", uri=uri)


def test_a_missing_bundle_folder_is_refused_before_anything_is_recorded(uri, folder):
    with pytest.raises(BundleError, match="no bundle folder"):
        tracking.log_training(
            uri=uri, experiment="untouched", name="x", bundle_folder=folder / "no", params={}, metrics={}
        )
    assert MlflowClient(uri).get_experiment_by_name("untouched") is None


def test_a_training_that_breaks_leaves_a_failed_run(uri, folder, plain_bundle):
    with pytest.raises(FileNotFoundError):
        tracking.log_training(
            uri=uri,
            experiment="broken",
            name="broken",
            bundle_folder=plain_bundle,
            params={},
            metrics={},
            artifacts=[folder / "no such file"],
        )
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("broken").experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]


def test_the_stored_model_is_text_and_the_bundle_only(uri, plain_bundle, two_versions):
    bundle = tracking.resolve_bundle(two_versions[0].reference, uri=uri)
    stored = bundle.parent.parent
    own = {f"data/{plain_bundle.name}/{name}" for name in _files(plain_bundle)}
    assert set(_files(stored)) - own == {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt"}
    assert not {Path(name).suffix for name in _files(stored)} & NO_CODE


def test_artifacts_lie_beside_the_database_and_nowhere_else(uri, folder, two_versions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = tracking.resolve_bundle("models:/collections@champion", uri=uri)
    assert bundle.is_relative_to(folder / "mlartifacts")
    assert list(tmp_path.iterdir()) == []


def test_a_relative_database_keeps_its_artifacts_beside_it(tmp_path, monkeypatch, plain_bundle):
    monkeypatch.chdir(tmp_path)
    uri = "sqlite:///mlflow.db"
    added = tracking.log_training(
        uri=uri, experiment="here", name="here", bundle_folder=plain_bundle, params={}, metrics={}
    )
    assert tracking.resolve_bundle(added.reference, uri=uri).is_relative_to(tmp_path / "mlartifacts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlartifacts", "mlflow.db"]


def test_the_callers_own_tracking_is_left_alone(uri, plain_bundle, monkeypatch):
    before = (mlflow.get_tracking_uri(), mlflow.active_run())
    tracking.log_training(
        uri=uri, experiment="quiet", name="quiet", bundle_folder=plain_bundle, params={}, metrics={}
    )
    assert (mlflow.get_tracking_uri(), mlflow.active_run()) == before


@pytest.fixture(scope="module")
def requests_of_three(small_simulation) -> list[dict[str, object]]:
    """What a service would send for three accounts: plain values, one account without payments."""
    tables = {name: table.to_pylist() for name, table in small_simulation.tables.items()}
    as_of = format_instant(small_simulation.as_of, "UTC")
    requests = []
    for account in tables["accounts"][:3]:
        payments = [row for row in tables["payments"] if row["account_id"] == account["account_id"]]
        requests.append({"as_of": as_of, "account": account, "tables": {"payments": payments}})
    requests[0]["tables"] = {}
    return requests


@pytest.mark.parametrize("kind", ["records", "models", "frame"])
def test_a_registered_bundle_scores_as_the_scorer_does(uri, small_bundle, requests_of_three, kind):
    added = tracking.log_training(
        uri=uri,
        experiment="real",
        name="real",
        bundle_folder=small_bundle,
        params={},
        metrics={},
        scorer={"time_zone": "America/Bogota", "language": "en"},
    )
    stored = tracking.resolve_bundle(added.reference, uri=uri).parent.parent
    assert not {Path(name).suffix for name in _files(stored)} & NO_CODE
    loaded = mlflow.pyfunc.load_model(str(stored))
    given = {
        "records": requests_of_three,
        "models": [ScoreRequest.model_validate(request) for request in requests_of_three],
        "frame": pd.DataFrame(requests_of_three),
    }[kind]
    scorer = Scorer.load(small_bundle, time_zone="America/Bogota", language="en")
    expected = [scorer.score_one(request).model_dump(mode="json") for request in requests_of_three]
    assert loaded.predict(given) == expected


def test_whoever_loads_a_registered_bundle_chooses_the_language(uri, small_bundle, requests_of_three):
    added = tracking.log_training(
        uri=uri, experiment="real", name="spoken", bundle_folder=small_bundle, params={}, metrics={}
    )
    stored = str(tracking.resolve_bundle(added.reference, uri=uri).parent.parent)
    answers = {
        language: mlflow.pyfunc.load_model(stored, model_config={"language": language}).predict(
            requests_of_three
        )
        for language in ("es", "en")
    }
    scores = {language: [one["margin"] for one in answer] for language, answer in answers.items()}
    assert scores["es"] == scores["en"]
    assert answers["es"] != answers["en"]


ON_ITS_OWN = """
import socket, sys
from pathlib import Path

def refuse(self, address):
    sys.exit(f"connected to {address}")

socket.socket.connect = refuse
from recobro_score.operate import tracking

folder = Path(sys.argv[1])
uri = f"sqlite:///{folder / 'mlflow.db'}"
added = tracking.log_training(
    uri=uri, experiment="e", name="n", bundle_folder=Path(sys.argv[2]), params={"a": 1}, metrics={"b": 2.0}
)
tracking.resolve_bundle(added.reference, uri=uri)
"""


def test_a_first_use_prints_nothing_and_calls_nobody(tmp_path, plain_bundle):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ON_ITS_OWN, str(tmp_path), str(plain_bundle)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
