"""MLflow: a training as a run, its bundle as a registered model that holds no pickle.

The stored model is MLflow's own three environment files plus the bundle, copied as it is; this module is
its loader. Every call goes through a client of its own, so no global MLflow state (tracking address,
active run) is read or changed. Telemetry, progress bars and log handlers of MLflow are off unless the
environment says otherwise before this module is imported.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from recobro_score.errors import BundleError
from recobro_score.serving import Scorer

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "true")
os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")

import mlflow.artifacts
import mlflow.pyfunc
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.models import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

    from recobro_score.serving import Record, ScoreRequest

CHAMPION = "champion"
REGISTRY_SCHEME = "models:/"
SCORER_DEFAULTS = {"time_zone": "UTC", "language": "es"}
_PARAMS_PER_CALL = 100  # MLflow refuses longer batches


@dataclass(frozen=True, slots=True)
class TrackedModel:
    """Where a training was recorded.

    Attributes
    ----------
    run_id : str
        MLflow's id of the run.
    version : int
        Version of the registered model, counted from 1.
    name : str
        Name of the registered model.
    """

    run_id: str
    version: int
    name: str

    @property
    def reference(self) -> str:
        """The text that `resolve_bundle` and ``run.toml`` take for exactly this version."""
        return f"{REGISTRY_SCHEME}{self.name}/{self.version}"


def log_training(
    *,
    uri: str,
    experiment: str,
    name: str,
    bundle_folder: Path,
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    artifacts: Sequence[Path] = (),
    scorer: Mapping[str, str] | None = None,
) -> TrackedModel:
    """Record one training as a run and register its bundle; the first of its name is the champion.

    Parameters
    ----------
    uri : str
        Tracking address. With ``sqlite:///mlflow.db`` the artifacts lie in ``mlartifacts`` beside the
        database, wherever the process runs; an experiment that exists already keeps its own place.
    experiment : str
        Name of the experiment, made when it is new.
    name : str
        Name of the registered model, made when it is new.
    bundle_folder : Path
        A saved bundle; it is copied file by file.
    params : mapping of str to object
        Settings of the training, stored as text.
    metrics : mapping of str to float
        Measured numbers, attached to the run and to the model.
    artifacts : sequence of Path
        Further files or folders kept with the run.
    scorer : mapping of str to str, optional
        ``time_zone`` and ``language`` of the `Scorer` that MLflow will load; whoever loads the model may
        give others as ``model_config``.

    Returns
    -------
    TrackedModel
        The run and the version.

    Raises
    ------
    BundleError
        `bundle_folder` is not a folder.
    """
    if not bundle_folder.is_dir():
        msg = f"There is no bundle folder {bundle_folder}."
        raise BundleError(msg)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    run = client.create_run(_experiment_id(client, uri, experiment))
    run_id: str = run.info.run_id
    try:
        texts = {key: str(value) for key, value in params.items()}
        model = client.create_logged_model(
            run.info.experiment_id, name=name, source_run_id=run_id, params=texts
        )
        client.log_outputs(run_id, models=[LoggedModelOutput(model.model_id, step=0)])
        _log_values(client, model, run_id, texts, metrics)
        for path in artifacts:
            client.log_artifact(run_id, str(path))
        _store_bundle(client, model, bundle_folder, {**SCORER_DEFAULTS, **(scorer or {})})
        version = _register(client, model, name)
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id)
    return TrackedModel(run_id=run_id, version=version, name=name)


def set_champion(model: TrackedModel, *, uri: str) -> None:
    """Make a registered version the one that ``models:/name@champion`` means.

    Parameters
    ----------
    model : TrackedModel
        The version.
    uri : str
        Tracking address of the registry.
    """
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.set_registered_model_alias(model.name, CHAMPION, str(model.version))


def resolve_bundle(reference: str, *, uri: str) -> Path:
    """Return the bundle folder behind a reference.

    Parameters
    ----------
    reference : str
        A folder, or ``models:/name@alias``, or ``models:/name/version``.
    uri : str
        Tracking address of the registry; not used for a folder.

    Returns
    -------
    Path
        The folder itself, or the registered copy: in place where the registry's files are on this machine,
        else downloaded to a new temporary folder.

    Raises
    ------
    BundleError
        The folder, the model, its alias or its version does not exist, or the model is not a bundle.
    """
    if not reference.startswith(REGISTRY_SCHEME):
        folder = Path(reference)
        if not folder.is_dir():
            msg = f"There is no bundle folder {folder}."
            raise BundleError(msg)
        return folder
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    try:
        found = _model_version(client, reference)
        source = client.get_model_version_download_uri(found.name, found.version)
        stored = Path(mlflow.artifacts.download_artifacts(source, tracking_uri=uri, registry_uri=uri))
        flavour = Model.load(str(stored)).flavors.get(mlflow.pyfunc.FLAVOR_NAME, {})
    except MlflowException as error:
        msg = f"The registry has no bundle {reference!r}: {error.message}"
        raise BundleError(msg) from error
    if flavour.get(mlflow.pyfunc.MAIN) != __name__:
        msg = f"{reference!r} is not a bundle: its loader is {flavour.get(mlflow.pyfunc.MAIN)!r}."
        raise BundleError(msg)
    return stored / str(flavour[mlflow.pyfunc.DATA])


class BundleModel:
    """What MLflow loads: the `Scorer` of a registered bundle behind MLflow's ``predict``.

    Parameters
    ----------
    scorer : Scorer
        A loaded scorer.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def predict(self, model_input: Iterable[Record | ScoreRequest] | pd.DataFrame) -> list[dict[str, Any]]:
        """Score requests one by one, the same numbers as `Scorer.score_one`.

        Parameters
        ----------
        model_input : iterable of dict or ScoreRequest, or pandas.DataFrame
            The requests. In a frame a row is a request and a column a field; empty cells are left out.

        Returns
        -------
        list of dict
            One result per request, in the same order, of plain JSON values.
        """
        return [self._scorer.score_one(request).model_dump(mode="json") for request in _requests(model_input)]


def _load_pyfunc(data_path: str, model_config: Mapping[str, str]) -> BundleModel:
    """Load a registered bundle; MLflow calls this by its name."""
    return BundleModel(Scorer.load(data_path, **model_config))


def _experiment_id(client: MlflowClient, uri: str, experiment: str) -> str:
    """Return the id of an experiment, made when it is new."""
    found = client.get_experiment_by_name(experiment)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(experiment, artifact_location=_artifact_location(uri)))


def _artifact_location(uri: str) -> str | None:
    """Return the folder beside an SQLite file, or None where the server has its own place."""
    address = urlsplit(uri)
    if address.scheme != "sqlite":
        return None
    return (Path(address.path[1:]).resolve().parent / "mlartifacts").as_uri()


def _log_values(
    client: MlflowClient,
    model: LoggedModel,
    run_id: str,
    params: Mapping[str, str],
    metrics: Mapping[str, float],
) -> None:
    """Write the settings to the run, the numbers to the run and its model."""
    rows = [Param(key, value) for key, value in params.items()]
    for start in range(0, len(rows), _PARAMS_PER_CALL):
        client.log_batch(run_id, params=rows[start : start + _PARAMS_PER_CALL])
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[
            Metric(key, float(value), now, step=0, model_id=model.model_id) for key, value in metrics.items()
        ],
    )


def _store_bundle(
    client: MlflowClient, model: LoggedModel, bundle_folder: Path, scorer: dict[str, str]
) -> None:
    """Store the bundle as a pyfunc whose loader is this module."""
    with tempfile.TemporaryDirectory() as scratch:
        stored = Path(scratch, "model")
        mlflow.pyfunc.save_model(
            path=str(stored),
            loader_module=__name__,
            data_path=str(bundle_folder.resolve()),
            model_config=scorer,
            pip_requirements=[f"recobro-score=={installed_version('recobro-score')}"],
            mlflow_model=Model(
                artifact_path=model.artifact_location, run_id=model.source_run_id, model_id=model.model_id
            ),
        )
        client.log_model_artifacts(model.model_id, str(stored))
    client.finalize_logged_model(model.model_id, status="READY")


def _register(client: MlflowClient, model: LoggedModel, name: str) -> int:
    """Add a version to the registry, the champion where there is none; return the version."""
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)
    # Its place, not `models:/<id>`: that form is looked up in the global registry, not in this one.
    added = client.create_model_version(
        name, source=model.artifact_location, run_id=model.source_run_id, model_id=model.model_id
    )
    if CHAMPION not in client.get_registered_model(name).aliases:
        client.set_registered_model_alias(name, CHAMPION, added.version)
    return int(added.version)


def _model_version(client: MlflowClient, reference: str) -> ModelVersion:
    """Look a reference up in the registry."""
    name, at, alias = reference.removeprefix(REGISTRY_SCHEME).rpartition("@")
    if at:
        return client.get_model_version_by_alias(name, alias)
    name, _, version = alias.rpartition("/")
    if not name:
        msg = f"{reference!r} names no model: write models:/name@alias or models:/name/version."
        raise BundleError(msg)
    return client.get_model_version(name, version)


def _requests(
    model_input: Iterable[Record | ScoreRequest] | pd.DataFrame,
) -> Iterable[Record | ScoreRequest]:
    """Read a frame row by row; anything else holds requests already."""
    if not isinstance(model_input, pd.DataFrame):
        return model_input
    columns = list(model_input.columns)
    return [
        {name: cell for name, cell in zip(columns, row, strict=True) if not _is_empty(cell)}
        for row in model_input.itertuples(index=False, name=None)
    ]


def _is_empty(cell: object) -> bool:
    """Tell whether a cell of a frame holds nothing (a list or a dict always holds something)."""
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))
