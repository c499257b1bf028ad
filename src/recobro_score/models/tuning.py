"""A search for better booster options over temporal folds, which can be stopped and gone on with.

Needs the extra ``tune`` (``pip install 'recobro-score[tune]'``). The options it begins with are its first
trial, so a search never returns anything that did worse than they did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import ConfigError
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.objectives import Objective
from recobro_score.models.selection import LOG_LOSS, LabelledRows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from optuna import Study, Trial

    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.timeline import Split

Progress = Callable[[str, float], None]


class SearchSpace(BaseModel):
    """Bounds of what is searched, both ends included; all but ``feature_fraction`` on a log scale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trees: tuple[int, int] = (100, 800)
    learning_rate: tuple[float, float] = (0.01, 0.1)
    leaves: tuple[int, int] = (4, 63)
    min_leaf: tuple[int, int] = (10, 300)
    feature_fraction: tuple[float, float] = (0.2, 1.0)
    l2: tuple[float, float] = (0.1, 200.0)

    def draw(self, trial: Trial, base: BoosterOptions) -> BoosterOptions:
        """Return the options that a trial suggests; seed and threads are those of `base`."""
        found = {
            name: trial.suggest_int(name, *getattr(self, name), log=True)
            for name in ("trees", "leaves", "min_leaf")
        }
        spread = {
            name: trial.suggest_float(name, *getattr(self, name), log=name != "feature_fraction")
            for name in ("learning_rate", "feature_fraction", "l2")
        }
        return base.model_copy(update={**found, **spread})

    def clipped(self, options: BoosterOptions) -> dict[str, float]:
        """Return options as parameters within the bounds."""
        return {name: min(max(getattr(options, name), low), high) for name, (low, high) in self}


class TuningOptions(BaseModel):
    """How to search.

    Parameters
    ----------
    trials : int
        In all; a search that is gone on with adds what is missing.
    seed : int
        Of the sampler.
    space : SearchSpace
    base : BoosterOptions
        The first trial, as far as the space allows; also gives seed and threads of every booster.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(default=30, ge=1)
    seed: int = 20_250_601
    space: SearchSpace = SearchSpace()
    base: BoosterOptions = BoosterOptions()


@dataclass(frozen=True, slots=True, repr=False)
class Tuning:
    """What a search found.

    Parameters
    ----------
    objective : str
    best : BoosterOptions
    best_loss, base_loss : float
        Mean over the folds, of the best options and of those it began with.
    trials : pandas.DataFrame
        See `frame`.
    """

    objective: str
    best: BoosterOptions
    best_loss: float
    base_loss: float
    trials: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return one row per trial: ``trial``, the loss by name, ``pruned``, and one column per option."""
        return self.trials.copy()

    def summary(self) -> str:
        """Return the best options and what they gain, as text."""
        gain = self.base_loss - self.best_loss
        options = ", ".join(f"{name} {value:g}" for name, value in _searched(self.best).items())
        return (
            f"{self.objective} {self.best_loss:.5g} after {len(self.trials)} trials, {gain:.2g} better than "
            f"what it began with\n{options}"
        )

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        shown = self.trials.sort_values(self.objective, kind="stable").head(10)
        return str(shown.to_html(index=False, float_format="%.4g", na_rep="–", border=0))


def tune(
    matrix: FeatureMatrix,
    labels: Labels,
    *,
    folds: Sequence[Split],
    groups: NDArray[Any] | None = None,
    options: TuningOptions | None = None,
    objective: Objective = LOG_LOSS,
    storage: Path | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Search for booster options of the least mean loss over temporal folds.

    Trials that do worse than the median on their first folds are given up. The search on the same rows with
    the same folds, objective and options finds the same, unless it was stopped in between.

    Parameters
    ----------
    matrix : FeatureMatrix
    labels : Labels
        Of the same pairs in the same order; unknown ones are left out.
    folds : sequence of Split
        Each with a calibration and a test part. Keep the last months out of them to judge the outcome.
    groups : array of shape (n,), optional
        Debtor of each pair, as for `select`.
    options : TuningOptions, optional
    objective : Objective
        `LogLoss` or `ListCost`, or anything of their shape.
    storage : Path, optional
        SQLite file that keeps the trials: the same search goes on where it stopped.
    progress : callable, optional
        Called with the best loss so far in words and the share of the trials done.

    Raises
    ------
    ConfigError
        If Optuna is not installed, saying how to install it, or there is no fold.
    NotEnoughData
        If a part of a fold cannot carry its step.
    """
    if not folds:
        msg = "a search needs at least one fold"
        raise ConfigError(msg)
    options = options or TuningOptions()
    rows = LabelledRows.of(matrix, labels, groups)
    study = _study(rows, folds, options, objective, storage)

    def judge(trial: Trial) -> float:
        drawn = options.space.draw(trial, options.base)
        losses = []
        for number, split in enumerate(folds):
            losses.append(rows.loss(split, drawn, objective))
            trial.report(float(np.mean(losses)), number)
            if number + 1 < len(folds) and trial.should_prune():
                raise _optuna().TrialPruned
        return float(np.mean(losses))

    while len(_ended(study)) < options.trials:
        study.optimize(judge, n_trials=1)
        if progress is not None:
            ended = len(_ended(study))
            progress(f"{objective.name} {study.best_value:.5g}", ended / options.trials)
    return _result(study, options, objective)


def _optuna() -> Any:  # noqa: ANN401 - a module
    try:
        import optuna
    except ImportError as error:
        msg = "tuning needs Optuna: pip install 'recobro-score[tune]'"
        raise ConfigError(msg) from error
    return optuna


def _study(
    rows: LabelledRows,
    folds: Sequence[Split],
    options: TuningOptions,
    objective: Objective,
    storage: Path | None,
) -> Study:
    """Return the study of exactly this problem, with its trials so far if it is kept in a file."""
    optuna = _optuna()
    asked = {
        "schema": rows.schema.hash,
        "rows": hashlib.sha256(rows.values.tobytes() + rows.y.tobytes()).hexdigest(),
        "debtors": None if rows.groups is None else sha256_text(canonical_json(rows.groups.tolist())),
        "folds": [[*split.train, *split.calibration, *split.test] for split in folds],
        "objective": repr(objective),
        "options": options.model_dump(mode="json", exclude={"trials": True, "base": {"threads"}}),
    }
    study: Study = optuna.create_study(
        storage=None if storage is None else f"sqlite:///{storage}",
        study_name=sha256_text(canonical_json(asked))[:16],
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
    )
    done = len(study.trials)
    study.sampler = optuna.samplers.TPESampler(seed=options.seed + done)
    if not done:
        study.enqueue_trial(options.space.clipped(options.base))
    return study


def _ended(study: Study) -> list[Any]:
    states = _optuna().trial.TrialState
    return list(study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED)))


def _result(study: Study, options: TuningOptions, objective: Objective) -> Tuning:
    pruned = _optuna().trial.TrialState.PRUNED
    trials = _ended(study)
    table = pd.DataFrame(
        [
            {
                "trial": trial.number,
                objective.name: trial.value,
                "pruned": trial.state == pruned,
                **trial.params,
            }
            for trial in trials
        ]
    )
    best = options.base.model_copy(update=study.best_params)
    return Tuning(objective.name, best, study.best_value, float(trials[0].value), table)


def _searched(options: BoosterOptions) -> dict[str, float]:
    return {name: getattr(options, name) for name in SearchSpace.model_fields}
