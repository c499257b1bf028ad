"""The bundle: the folder a trained system is saved in. Text only; nothing in it can run code.

Files
-----
``manifest.json``
    Format version, the bundle's id, and the SHA-256 of every other file.
``features.json``
    Recipes, column order, vocabularies, concepts.
``payment.txt``, ``payment.json``
    The booster as LightGBM's text; target, calibrator, recovered shares, training facts.
``contact.json``, ``effects.json``
    Contact rates; effect of each action and where it comes from.
``catalogue.toml``, ``offers.json``, ``rules/…toml``, ``rules.json``
    Actions, offer policy, contact rules as they were read.
``card.json``
    What it was trained on, how well it does, and a profile of the training population.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recobro_score.digest import canonical_json, readable_json, sha256_text
from recobro_score.errors import BundleError, RecobroError
from recobro_score.features.schema import FeatureSchema
from recobro_score.models.contact.rates import ContactRates
from recobro_score.models.effect import EffectTable
from recobro_score.models.payment.model import PaymentModel
from recobro_score.policy.policy import Policy

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A trained system. Immutable; safe to share among threads.

    Attributes
    ----------
    schema : FeatureSchema
        The features and their order.
    payment : PaymentModel
        Probability to pay.
    contact : ContactRates
        Smoothed contact rates.
    effects : EffectTable
        What each action adds, from the catalogue's priors or from a log.
    policy : Policy
        Actions, contact rules, offers.
    card : mapping
        JSON values: training dates, counts, metrics, warnings, population profile.
    bundle_id : str
        First 12 hex digits of the SHA-256 over all files.
    """

    schema: FeatureSchema
    payment: PaymentModel
    contact: ContactRates
    effects: EffectTable
    policy: Policy
    card: Mapping[str, Any]
    bundle_id: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the bundle by its content."""
        object.__setattr__(self, "bundle_id", _bundle_id(_hashes(self.files())))

    def files(self) -> dict[str, str]:
        """Return the content of every file but the manifest, by relative path."""
        return {
            "features.json": self.schema.to_json(),
            "contact.json": readable_json(self.contact.to_json()),
            "effects.json": readable_json(self.effects.to_json()),
            "card.json": readable_json(self.card),
            **self.payment.to_files(),
            **self.policy.to_files(),
        }

    def save(self, folder: str | Path) -> Path:
        """Write the bundle.

        Parameters
        ----------
        folder : str or Path
            Created if need be. An earlier bundle in it is replaced; any other content is an error.

        Returns
        -------
        Path
            The folder.
        """
        folder = Path(folder)
        files = self.files()
        _make_room(folder)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        hashes = _hashes(files)
        manifest = {"format": FORMAT, "bundle_id": _bundle_id(hashes), "files": hashes}
        (folder / MANIFEST).write_text(readable_json(manifest), encoding="utf-8", newline="\n")
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Bundle:
        """Read a bundle after checking every file against its hash.

        Raises
        ------
        BundleError
            If the folder is no bundle, files are missing, altered or added, or the format is another one.
        """
        folder = Path(folder)
        files = _read_checked(folder)
        try:
            schema = FeatureSchema.from_json(files["features.json"])
            return cls(
                schema=schema,
                payment=PaymentModel.from_files(files, schema),
                contact=ContactRates.from_json(json.loads(files["contact.json"])),
                effects=EffectTable.from_json(json.loads(files["effects.json"])),
                policy=Policy.from_files(files),
                card=json.loads(files["card.json"]),
            )
        except (KeyError, ValueError) as error:
            if isinstance(error, BundleError):
                raise
            reason = str(error) if isinstance(error, RecobroError | ValueError) else f"{error} is missing"
            msg = f"the bundle in {folder} cannot be read: {reason}"
            raise BundleError(msg) from error


def _hashes(files: Mapping[str, str]) -> dict[str, str]:
    return {name: sha256_text(text) for name, text in sorted(files.items())}


def _bundle_id(hashes: Mapping[str, str]) -> str:
    return sha256_text(canonical_json({"format": FORMAT, "files": dict(hashes)}))[:12]


def _read_checked(folder: Path) -> dict[str, str]:
    manifest_path = folder / MANIFEST
    if not manifest_path.is_file():
        msg = f"{folder} is no bundle: it has no {MANIFEST}"
        raise BundleError(msg)
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        stated, written = dict(manifest["files"]), manifest["format"]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        msg = f"the manifest of the bundle in {folder} is damaged: {error}"
        raise BundleError(msg) from error
    if written != FORMAT:
        msg = f"the bundle in {folder} has format {written!r}; this release reads format {FORMAT}"
        raise BundleError(msg)
    files = _texts(folder)
    actual = _hashes(files)
    wrong = sorted(name for name in stated.keys() | actual.keys() if stated.get(name) != actual.get(name))
    if wrong or manifest.get("bundle_id") != _bundle_id(actual):
        named = ", ".join(wrong[:5]) or "its id"
        msg = f"the bundle in {folder} is not the one its manifest describes: {named}"
        raise BundleError(msg)
    return files


def _texts(folder: Path) -> dict[str, str]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST)
    texts = {}
    for path in paths:
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                texts[path.relative_to(folder).as_posix()] = stream.read()
        except UnicodeDecodeError as error:
            msg = f"{path.name} in the bundle {folder} is not text"
            raise BundleError(msg) from error
    return texts


def _make_room(folder: Path) -> None:
    """Remove an earlier bundle, and nothing else."""
    if not folder.exists() or not any(folder.iterdir()):
        folder.mkdir(parents=True, exist_ok=True)
        return
    if not (folder / MANIFEST).is_file():
        msg = f"{folder} is not empty and holds no bundle; nothing was written"
        raise BundleError(msg)
    old = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name in old["files"]:
        (folder / name).unlink(missing_ok=True)
    (folder / MANIFEST).unlink()
