"""The run file: everything a training or a night needs to know, validated."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recobro_score.calendars import parse_instant
from recobro_score.data.options import PortfolioOptions
from recobro_score.errors import ConfigError, Problem, hint, report
from recobro_score.explain.readers import AGENT, Reader
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.recipes import Recipe
from recobro_score.money import Rates
from recobro_score.policy.offers import OfferPolicy
from recobro_score.texts import load_texts

_Model = TypeVar("_Model", bound=BaseModel)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PortfolioSection(PortfolioOptions):
    """Where the tables lie and how they are read.

    Attributes
    ----------
    folder : Path
        Parquet or CSV files, see `recobro_score.data.sources.read_portfolio`.
    max_quarantined_share : float
        Above this share of bad rows, in all or in a table with ten or more of them, the night stops with
        exit code 3; so it does where a table is left without any good row.
    """

    folder: Path
    max_quarantined_share: float = Field(default=0.02, ge=0.0, le=1.0)

    def options(self) -> PortfolioOptions:
        """Return how tables are read."""
        return PortfolioOptions(**{name: getattr(self, name) for name in PortfolioOptions.model_fields})


class TargetSection(_Section):
    """What the payment model predicts: recovers at least `share` of the exposure within `horizon_days`.

    Attributes
    ----------
    share, horizon_days : float, int
        What a night decides by.
    shares, horizons : tuple of float, tuple of int
        Others beside them, for the model's curve.
    """

    share: float = Field(default=0.5, gt=0.0, le=1.0)
    horizon_days: int = Field(default=30, ge=1, le=730)
    shares: tuple[float, ...] = ()
    horizons: tuple[int, ...] = ()


class TrainingSection(_Section):
    """Which snapshots to learn from.

    Attributes
    ----------
    first, last : date
        First and last as-of date; a horizon must have passed after the last one for its labels to count.
    every_days : int
        Days between snapshots.
    observed_until : date, optional
        Until when the tables are complete; the latest known clock in them if absent.
    labels : Path, optional
        A Parquet file of given labels (``account_id``, ``label`` 0 or 1, optionally ``as_of``) instead of
        computed ones.
    max_accounts : int, optional
        Accounts to learn from at most: those of whole debtors, drawn by a hash of their ids. If absent, a
        folder of up to `ROWS_IN_MEMORY` rows is learned from whole, and of a larger one as many accounts as
        have about so many rows.
    trees, seed, threads : int
        Of the booster.
    """

    first: date | datetime
    last: date | datetime
    every_days: int = Field(default=30, ge=1)
    observed_until: date | datetime | None = None
    labels: Path | None = None
    max_accounts: int | None = Field(default=None, ge=1)
    trees: int = Field(default=300, ge=1)
    seed: int = 20_250_601
    threads: int = Field(default=1, ge=1)


class FeaturesSection(_Section):
    """What models learn from: a set of the library, less some features, and the user's own.

    Attributes
    ----------
    base : {'standard', 'extended'}
        See `FeatureSet.standard` and `FeatureSet.extended`.
    without : tuple of str
        Features left out.
    add : tuple of dict
        Own recipes, in the words of `Recipe.from_dict`.
    held_to : mapping of str to int
        Directions that every model keeps to, see `FeatureSet.held_to`.
    """

    base: Literal["standard", "extended"] = "standard"
    without: tuple[str, ...] = ()
    add: tuple[dict[str, Any], ...] = ()
    held_to: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> FeaturesSection:
        self.feature_set()
        return self

    def feature_set(self) -> FeatureSet:
        """Return the set.

        Raises
        ------
        ConfigError
            Listing what is wrong with it.
        """
        chosen = FeatureSet.extended() if self.base == "extended" else FeatureSet.standard()
        own = (Recipe.from_dict(fields) for fields in self.add)
        return chosen.without(*self.without).with_recipes(*own).held_to(self.held_to)


class BundleSection(_Section):
    """The trained system: a folder, or ``models:/name@alias`` in the tracking registry."""

    reference: str = "bundle"


class OutputSection(_Section):
    """Where nights write: ``<folder>/<as-of>/``."""

    folder: Path = Path("out")


class PolicySection(_Section):
    """The creditor's own policy; what is left out is the library's default.

    Attributes
    ----------
    catalogue : Path, optional
        Actions as TOML.
    rules : Path, optional
        Folder of the user's own contact rules; they may tighten a shipped country, never loosen it.
    adopt : tuple of str
        Rules of low confidence that the user adopts by their id.
    offers : OfferPolicy
        Menu of plan terms and the creditor's floors.
    """

    catalogue: Path | None = None
    rules: Path | None = None
    adopt: tuple[str, ...] = ()
    offers: OfferPolicy = Field(default_factory=OfferPolicy)


class NightSection(_Section):
    """How a night runs; nothing here changes a score or a decision.

    Attributes
    ----------
    language : str
        Language of all sentences; its texts are read, and checked, with the run file.
    reader : {'agent', 'debtor', 'auditor'}
        Whom the reasons for the scores are for.
    buckets : int, optional
        Parts into which the folder is split on disk, to be read one at a time, so that memory holds only
        one of them; 1 reads it whole. If absent, a folder of up to `ROWS_IN_MEMORY` rows is read whole and
        a larger one in parts of some 1.5 million rows.
    threads : int
        Threads for features and scores.
    """

    language: str = Field(default="es", validate_default=True)
    reader: Reader = AGENT
    buckets: int | None = Field(default=None, ge=1)
    threads: int = Field(default=1, ge=1)

    @field_validator("language")
    @classmethod
    def _has_texts(cls, language: str) -> str:
        load_texts(language)
        return language


class RateRow(_Section):
    """From a date on, one unit of `currency` is worth `factor` units of the reporting currency."""

    currency: str
    from_: date | datetime = Field(alias="from")
    factor: float = Field(gt=0.0)


class RatesSection(_Section):
    """Dated exchange rates; needed as soon as a portfolio holds several currencies."""

    reporting: str
    rows: tuple[RateRow, ...] = ()


class TrackingSection(_Section):
    """MLflow: where runs and registered bundles are kept."""

    uri: str = "sqlite:///mlflow.db"
    experiment: str = "recobro-score"
    name: str = "recobro-score"


class RunConfig(_Section):
    """A validated run file. Relative paths in it start at the folder the file lies in."""

    portfolio: PortfolioSection
    training: TrainingSection | None = None
    target: TargetSection = Field(default_factory=TargetSection)
    features: FeaturesSection = Field(default_factory=FeaturesSection)
    bundle: BundleSection = Field(default_factory=BundleSection)
    output: OutputSection = Field(default_factory=OutputSection)
    policy: PolicySection = Field(default_factory=PolicySection)
    night: NightSection = Field(default_factory=NightSection)
    capacities: dict[str, int] = Field(default_factory=dict)
    rates: RatesSection | None = None
    tracking: TrackingSection | None = None

    @classmethod
    def read(cls, path: str | Path) -> RunConfig:
        """Read and validate a run file.

        Raises
        ------
        ConfigError
            If it is missing, no TOML, or wrong; one error lists everything wrong in it.
        TextMissing
            If the texts of the night's language are not complete, or say what is never said.
        """
        path = Path(path)
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            msg = f"the run file {path} cannot be read: {error}"
            raise ConfigError(msg) from error
        return _validated(cls, content, path.name).below(path.resolve().parent)

    def rate_table(self) -> Rates | None:
        """Return the dated rates, or None when the file has none."""
        if self.rates is None:
            return None
        zone = self.portfolio.time_zone
        rows = [(row.currency, parse_instant(row.from_, zone), row.factor) for row in self.rates.rows]
        return Rates(self.rates.reporting, rows)

    def below(self, folder: Path) -> RunConfig:
        """Return the configuration with every relative path below the run file's folder."""
        reference = self.bundle.reference
        if not reference.startswith("models:"):
            reference = str(folder / reference)
        update: dict[str, Any] = {
            "portfolio": _placed(self.portfolio, folder, "folder"),
            "bundle": self.bundle.model_copy(update={"reference": reference}),
            "output": _placed(self.output, folder, "folder"),
        }
        if "policy" in self.model_fields_set:
            update["policy"] = _placed(self.policy, folder, "catalogue", "rules")
        if self.training is not None:
            update["training"] = _placed(self.training, folder, "labels")
        if self.tracking is not None:
            uri = _sqlite_below(self.tracking.uri, folder)
            update["tracking"] = self.tracking.model_copy(update={"uri": uri})
        return self.model_copy(update=update)


def _validated(model: type[_Model], content: dict[str, Any], name: str) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [_problem(model, detail, name) for detail in error.errors()]
        raise ConfigError(report(f"the run file {name} is wrong:", problems)) from error


def _problem(model: type[BaseModel], detail: Mapping[str, Any], name: str) -> Problem:
    """Return a finding of pydantic with its place, and the closest key for one that does not exist."""
    place = [str(part) for part in detail["loc"]]
    text = f"{'.'.join(place) or name}: {detail['msg']}"
    if detail["type"] != "extra_forbidden":
        return Problem(text)
    keys = set(model.model_fields)
    section = model.model_fields.get(place[0])
    if len(place) > 1 and section is not None:
        kinds = [
            kind for kind in (section.annotation, *get_args(section.annotation)) if isinstance(kind, type)
        ]
        keys = {key for kind in kinds if issubclass(kind, BaseModel) for key in kind.model_fields}
    return Problem(f"{text}.", hint=hint(place[-1], keys))


def _placed(section: _Model, folder: Path, *names: str) -> _Model:
    paths = {name: getattr(section, name) for name in names}
    placed = {name: folder / path for name, path in paths.items() if path is not None}
    return section.model_copy(update=placed)


def _sqlite_below(uri: str, folder: Path) -> str:
    start = "sqlite:///"
    if not uri.startswith(start) or uri.startswith(start + "/"):
        return uri
    return start + str(folder / uri.removeprefix(start))
