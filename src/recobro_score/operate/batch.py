"""The night and the training as jobs: a run file in, files out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recobro_score import engine, training
from recobro_score.bundle import MANIFEST, Bundle
from recobro_score.calendars import as_datetime, parse_instant
from recobro_score.data.quarantine import QUARANTINE_VERSION
from recobro_score.data.sources import table_files
from recobro_score.digest import canonical_json, readable_json, sha256_file, sha256_text, write_parquet
from recobro_score.errors import ConfigError, NotEnoughData
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.payment.model import PaymentTarget
from recobro_score.operate.config import RunConfig, TrainingSection
from recobro_score.operate.intake import accept, opened, read_for_training
from recobro_score.policy.policy import Policy
from recobro_score.policy.records import SCHEMA_VERSION as DECISIONS_VERSION
from recobro_score.timeline import Timeline

logger = logging.getLogger(__name__)

Progress = Callable[[str, float], None]

MANIFEST_VERSION = "1"
RUN_LOG = "runs.jsonl"
ASSUMED = "assumed"
_LIBRARIES = ("recobro-score", "lightgbm", "numpy", "pandas", "pyarrow", "scikit-learn", "numba")


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A finished training.

    Attributes
    ----------
    training : Training
        Bundle and report.
    folder : Path
        Where the bundle was saved.
    registered : str or None
        ``models:/name/version`` when the run file asks for tracking.
    """

    training: training.Training
    folder: Path
    registered: str | None

    def summary(self) -> str:
        """Return the report and where the bundle lies."""
        lines = [self.training.summary(), f"bundle saved in {self.folder}"]
        return "\n".join([*lines, f"registered as {self.registered}"] if self.registered else lines)


@dataclass(frozen=True, slots=True)
class Night:
    """A finished night.

    Attributes
    ----------
    outputs : Outputs
        What was decided.
    folder : Path
        Holds ``scores.parquet``, ``decisions.parquet``, ``quarantine.parquet`` and ``manifest.json``.
    """

    outputs: engine.Outputs
    folder: Path

    def summary(self) -> str:
        """Return what was decided and where the files lie."""
        return f"{self.outputs.summary()}\nwritten to {self.folder}"


def run_training(
    config: RunConfig, *, max_accounts: int | None = None, progress: Progress | None = None
) -> TrainingJob:
    """Train as a run file says, save the bundle, and register it if tracking is asked for.

    Parameters
    ----------
    config : RunConfig
        The run file.
    max_accounts : int, optional
        In place of the run file's (see `TrainingSection`).
    progress : callable, optional
        Called with a step's name and the share done.

    Raises
    ------
    ConfigError
        If the run file has no ``[training]``, or the bundle is a registry reference.
    ContractError
        If more rows than allowed are bad.
    """
    section = config.training
    if section is None:
        msg = "the run file has no [training] section: first and last as-of date are needed"
        raise ConfigError(msg)
    if config.bundle.reference.startswith("models:"):
        msg = "training writes a folder: set [bundle] reference to one, not to a registered model"
        raise ConfigError(msg)
    portfolio = read_for_training(
        config, max_accounts=max_accounts or section.max_accounts, progress=progress
    )
    zone = config.portfolio.time_zone
    timeline = Timeline.every(section.first, section.last, days=section.every_days, time_zone=zone)
    options = _training_options(config, section)
    result = training.train(portfolio, timeline, options=options, policy=_policy(config), progress=progress)
    _keep_what_was_learned(result, Path(config.bundle.reference))
    folder = result.bundle.save(config.bundle.reference)
    return TrainingJob(result, folder, _track(config, result, folder, progress))


def run_night(config: RunConfig, as_of: str, *, progress: Progress | None = None) -> Night:
    """Decide for every account and write the night's files; a second run writes the same bytes.

    Parameters
    ----------
    config : RunConfig
        The run file.
    as_of : str
        A date means 00:00 in the portfolio's time zone.
    progress : callable, optional
        Called with a step's name and the share done.

    Raises
    ------
    SafetyTableError
        If a declared safety table is missing or stale, or a bad row of one names nobody.
    ContractError
        If more rows than allowed are bad.
    """
    started = datetime.now(UTC)
    zone = config.portfolio.time_zone
    instant = parse_instant(as_of, zone)
    bundle_folder = _bundle_folder(config)
    bundle = Bundle.load(bundle_folder)
    _require_same_policy(config, bundle)
    with opened(config, progress=progress) as portfolio:
        outputs = engine.run(
            bundle,
            portfolio,
            instant,
            options=_run_options(config),
            check=lambda whole: accept(whole, config.portfolio),
            progress=progress,
        )
    folder = config.output.folder / _folder_name(instant, zone)
    folder.mkdir(parents=True, exist_ok=True)
    write_parquet(outputs.packed_scores, folder / "scores.parquet", schema_version=engine.SCORES_VERSION)
    write_parquet(outputs.decisions, folder / "decisions.parquet", schema_version=DECISIONS_VERSION)
    write_parquet(outputs.quarantine.table, folder / "quarantine.parquet", schema_version=QUARANTINE_VERSION)
    manifest = _manifest(config, bundle=bundle, outputs=outputs, folder=folder)
    manifest["bundle"]["sha256"] = sha256_file(bundle_folder / MANIFEST)
    (folder / "manifest.json").write_text(readable_json(manifest), encoding="utf-8", newline="\n")
    _log_run(config.output.folder, folder.name, started)
    return Night(outputs, folder)


def read_decisions(folder: str | Path) -> pa.Table:
    """Return the decision records of a night's folder."""
    return pq.read_table(Path(folder) / "decisions.parquet")


def _require_same_policy(config: RunConfig, bundle: Bundle) -> None:
    """Refuse a run file whose own policy is not the one the bundle was trained and saved with."""
    if "policy" in config.model_fields_set and _policy(config).version != bundle.policy.version:
        msg = (
            "[policy] of the run file is not the policy saved in the bundle, and the bundle's is what "
            "decides: train again, or leave the section out"
        )
        raise ConfigError(msg)


def _policy(config: RunConfig) -> Policy:
    section = config.policy
    return Policy.load(
        catalogue=section.catalogue, rules=section.rules, adopt=section.adopt, offers=section.offers
    )


def _keep_what_was_learned(result: training.Training, folder: Path) -> None:
    """Refuse to replace a bundle that learned something by one of assumptions."""
    if result.bundle.card["calibration"] != ASSUMED or not (folder / MANIFEST).is_file():
        return
    if Bundle.load(folder).card["calibration"] != ASSUMED:
        reason = "; ".join(result.bundle.card["warnings"][:2])
        msg = f"{folder} holds a trained bundle and is kept: this training learned nothing ({reason})"
        raise NotEnoughData(msg)


def _training_options(config: RunConfig, section: TrainingSection) -> training.TrainingOptions:
    until = section.observed_until
    return training.TrainingOptions(
        target=PaymentTarget(share=config.target.share, horizon_days=config.target.horizon_days),
        observed_until=None if until is None else parse_instant(until, config.portfolio.time_zone),
        booster=BoosterOptions(trees=section.trees, seed=section.seed, threads=section.threads),
        features=config.features.feature_set(),
        labels=None if section.labels is None else pq.read_table(section.labels),
        horizons=config.target.horizons,
        shares=config.target.shares,
    )


def _run_options(config: RunConfig) -> engine.RunOptions:
    return engine.RunOptions(
        capacities=config.capacities,
        rates=config.rate_table(),
        language=config.night.language,
        reader=config.night.reader,
        threads=config.night.threads,
    )


def _bundle_folder(config: RunConfig) -> Path:
    reference = config.bundle.reference
    if not reference.startswith("models:"):
        if not Path(reference).is_dir():
            msg = f"bundle.reference: there is no folder {reference}; train one, or name a registered model"
            raise ConfigError(msg)
        return Path(reference)
    if config.tracking is None:
        msg = f"the bundle {reference!r} is a registered model: the run file needs a [tracking] section"
        raise ConfigError(msg)
    from recobro_score.operate.tracking import resolve_bundle

    return resolve_bundle(reference, uri=config.tracking.uri)


def _track(
    config: RunConfig, result: training.Training, folder: Path, progress: Progress | None
) -> str | None:
    if config.tracking is None:
        return None
    if progress is not None:
        progress("registering the bundle", 0.0)
    from recobro_score.operate.tracking import log_training

    card = result.bundle.card
    overall = {name: value for name, value in card["metrics"].get("all", {}).items() if _is_number(value)}
    tracked = log_training(
        uri=config.tracking.uri,
        experiment=config.tracking.experiment,
        name=config.tracking.name,
        bundle_folder=folder,
        params={"bundle_id": result.bundle.bundle_id, **card["target"], "calibration": card["calibration"]},
        metrics=overall,
        scorer={"time_zone": config.portfolio.time_zone, "language": config.night.language},
    )
    if progress is not None:
        progress("registering the bundle", 1.0)
    return tracked.reference


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _folder_name(as_of: int, time_zone: str) -> str:
    """Return the date, or date and time when it is not midnight, in the portfolio's zone."""
    local = as_datetime(as_of, time_zone)
    is_midnight = local.time() == time.min
    return local.date().isoformat() if is_midnight else local.strftime("%Y-%m-%dT%H%M%S")


def _manifest(config: RunConfig, *, bundle: Bundle, outputs: engine.Outputs, folder: Path) -> dict[str, Any]:
    written = ("scores.parquet", "decisions.parquet", "quarantine.parquet")
    return {
        "schema_version": MANIFEST_VERSION,
        "as_of": folder.name,
        "time_zone": config.portfolio.time_zone,
        "accounts": outputs.packed_scores.num_rows,
        "decisions": outputs.decisions.num_rows,
        "rows": {
            table: {"read": count.read, "used": count.used, "quarantined": count.quarantined}
            for table, count in outputs.counts.items()
        },
        "plan": outputs.plan(),
        "warnings": list(outputs.warnings),
        "bundle": {"id": bundle.bundle_id, "policy": bundle.policy.version},
        "run": sha256_text(_decisive(config)),
        "inputs": _input_hashes(config.portfolio.folder),
        "outputs": {name: sha256_file(folder / name) for name in written},
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def _decisive(config: RunConfig) -> str:
    """Return what of the run file decides a night: not where things lie, nor how the work is divided."""
    night = config.model_dump(
        mode="json", include={"night": {"language", "reader"}, "capacities": True, "rates": True}
    )
    return canonical_json(night | {"portfolio": config.portfolio.options().model_dump(mode="json")})


def _input_hashes(folder: Path) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for path in table_files(folder).values():
        parts = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        hashes |= {part.relative_to(folder).as_posix(): sha256_file(part) for part in parts}
    return hashes


def _log_run(folder: Path, name: str, started: datetime) -> None:
    """Append to the run log: clock times live here, not in the manifest."""
    entry = {"as_of": name, "started": started.isoformat(), "ended": datetime.now(UTC).isoformat()}
    with (folder / RUN_LOG).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")
