"""Which candidate to use, judged month after month rather than by one score.

Each candidate is trained, calibrated and tested on each temporal fold. Its *regret* in a month is its loss
less that of the month's best. A candidate that wins the average may have been hopeless last spring; a rule
that chases last month's winner may pay for it: both can be read off.

References
----------
Ackermann et al. (2018), KDD (the audition of models by the regret of selection rules over time).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.calendars import format_instant
from recobro_score.errors import ConfigError
from recobro_score.models.booster import Booster, BoosterOptions, ColumnSchema
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.objectives import JudgedRows, LogLoss, Objective
from recobro_score.models.slices import canonical_order, temporal_slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.features.labels import Labels
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.slices import Slices
    from recobro_score.timeline import Split

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Progress = Callable[[str, float], None]
LOG_LOSS = LogLoss()

RULES: Mapping[str, Callable[[Floats], int]] = {
    "best of last month": lambda past: int(np.argmin(past[-1])),
    "least mean regret": lambda past: int(np.argmin(past.mean(axis=0))),
    "least worst regret": lambda past: int(np.argmin(past.max(axis=0))),
}
"""Each picks a candidate from the regrets of the months so far, shape (months, candidates)."""


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows with a known outcome, in canonical order, and when, whom and what they are about."""

    values: Floats
    y: Floats
    as_of: Ints
    exposure: Ints
    recovered: Ints
    schema: ColumnSchema
    groups: NDArray[Any] | None

    @classmethod
    def of(cls, matrix: FeatureMatrix, labels: Labels, groups: NDArray[Any] | None) -> LabelledRows:
        """Return the known rows of a matrix and its labels, and their debtors if those are given."""
        order = canonical_order(matrix.account_ids, matrix.as_of)
        rows = order[~np.isnan(labels.value[order])]
        return cls(
            np.ascontiguousarray(matrix.values[rows]),
            labels.value[rows],
            labels.as_of[rows],
            labels.exposure[rows],
            labels.recovered[rows],
            matrix.schema,
            None if groups is None else np.asarray(groups)[rows],
        )

    def loss(self, split: Split, options: BoosterOptions, objective: Objective) -> float:
        """Train on a split's first part, calibrate on its second, return the loss on its third.

        Where debtors are known each group of them is judged by what was learned from the others.

        Raises
        ------
        NotEnoughData
            If a part cannot carry its step.
        ConfigError
            If the split has no calibration or no test part.
        """
        if not (split.calibration and split.test):
            msg = "candidates are judged on splits with a calibration and a test part"
            raise ConfigError(msg)
        whole = temporal_slices(self.as_of, split, horizon_days=split.horizon_days)
        parts = [whole] if self.groups is None else list(whole.folds(self.groups))
        p = np.concatenate([self._probability(part, options) for part in parts])
        test = np.concatenate([part.test for part in parts])
        return objective.loss(p, JudgedRows(self.y[test], self.exposure[test], self.recovered[test]))

    def _probability(self, slices: Slices, options: BoosterOptions) -> Floats:
        """Return what training and calibration slice say of the test slice."""
        train, later, test = slices.train, slices.calibration, slices.test
        booster = Booster.fit(self.values[train], self.y[train], schema=self.schema, options=options)
        calibrator = Calibrator.fit(
            booster.margin(self.values[later], threads=options.threads), self.y[later]
        )
        return calibrator.probability(booster.margin(self.values[test], threads=options.threads))


@dataclass(frozen=True, slots=True, repr=False)
class Selection:
    """Losses of candidates over months.

    Parameters
    ----------
    objective : str
        What the losses are.
    candidates, months : tuple of str
        Names; first test day of each fold.
    losses : ndarray of shape (months, candidates)
    """

    objective: str
    candidates: tuple[str, ...]
    months: tuple[str, ...]
    losses: Floats

    @property
    def regrets(self) -> Floats:
        """Loss less that of the month's best, shape (months, candidates)."""
        return np.asarray(self.losses - self.losses.min(axis=1, keepdims=True))

    @property
    def chosen(self) -> str:
        """The candidate of least mean regret; the first of those if several."""
        return self.candidates[RULES["least mean regret"](self.regrets)]

    def frame(self) -> pd.DataFrame:
        """Return one row per month and candidate: ``month``, ``candidate``, the loss by name, ``regret``."""
        months, names = np.meshgrid(self.months, self.candidates, indexing="ij")
        columns = {"month": months.ravel(), "candidate": names.ravel(), self.objective: self.losses.ravel()}
        return pd.DataFrame(columns).assign(regret=self.regrets.ravel())

    def by_candidate(self) -> pd.DataFrame:
        """Return one row per candidate, the least mean regret first.

        Returns
        -------
        pandas.DataFrame
            ``candidate``, ``mean_loss``, ``mean_regret`` with ``mean_regret_se`` (over months; NaN for one),
            ``worst_regret``, ``months_best``.
        """
        regrets, months = self.regrets, len(self.months)
        spread = regrets.std(axis=0, ddof=1) / np.sqrt(months) if months > 1 else np.nan
        found = pd.DataFrame(
            {
                "candidate": self.candidates,
                "mean_loss": self.losses.mean(axis=0),
                "mean_regret": regrets.mean(axis=0),
                "mean_regret_se": spread,
                "worst_regret": regrets.max(axis=0),
                "months_best": (regrets == 0).sum(axis=0),
            }
        )
        return found.sort_values("mean_regret", kind="stable", ignore_index=True)

    def by_rule(self) -> pd.DataFrame:
        """Return what each rule of choosing would have cost: it picks from the past, the next month judges.

        Returns
        -------
        pandas.DataFrame
            ``rule`` (those of `RULES`, then each candidate kept throughout), ``mean_regret`` over the months
            after the first (NaN if there is one month only), ``picks_now``.
        """
        regrets = self.regrets
        later = range(1, len(self.months))
        rows = []
        for name, rule in RULES.items():
            paid = [regrets[month, rule(regrets[:month])] for month in later]
            rows.append((name, _mean(paid), self.candidates[rule(regrets)]))
        for column, candidate in enumerate(self.candidates):
            rows.append(
                (f"always {candidate}", _mean([regrets[month, column] for month in later]), candidate)
            )
        return pd.DataFrame(rows, columns=["rule", "mean_regret", "picks_now"])

    def summary(self) -> str:
        """Return the choice and the regrets as text."""
        table = self.by_candidate().to_string(index=False, float_format="%.4g")
        return (
            f"{self.chosen} has the least mean regret ({self.objective}, {len(self.months)} months)\n{table}"
        )

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return str(self.by_candidate().to_html(index=False, float_format="%.4g", na_rep="–", border=0))


def select(
    matrix: FeatureMatrix,
    labels: Labels,
    candidates: Mapping[str, BoosterOptions],
    *,
    folds: Sequence[Split],
    groups: NDArray[Any] | None = None,
    objective: Objective = LOG_LOSS,
    progress: Progress | None = None,
) -> Selection:
    """Judge candidates on every fold.

    Parameters
    ----------
    matrix : FeatureMatrix
    labels : Labels
        Of the same pairs in the same order; unknown ones are left out.
    candidates : mapping of str to BoosterOptions
    folds : sequence of Split
        Such as `temporal_folds` returns, each with a calibration and a test part.
    groups : array of shape (n,), optional
        Debtor of each pair: then candidates are judged on debtors that they have not learned from, at about
        four times the cost. Without them a split is by time only.
    objective : Objective
        `LogLoss` or `ListCost`, or anything of their shape.
    progress : callable, optional
        Called with what is done and the share of it.

    Raises
    ------
    ConfigError
        If there is no candidate or no fold.
    NotEnoughData
        If a part of a fold cannot carry its step.
    """
    if not candidates or not folds:
        msg = f"selection needs candidates and folds, got {len(candidates)} and {len(folds)}"
        raise ConfigError(msg)
    rows = LabelledRows.of(matrix, labels, groups)
    losses = np.array(list(_losses(rows, candidates, folds, objective, progress)))
    months = tuple(format_instant(min(split.test), "UTC")[:10] for split in folds)
    shape = (len(folds), len(candidates))
    return Selection(objective.name, tuple(candidates), months, losses.reshape(shape))


def _losses(
    rows: LabelledRows,
    candidates: Mapping[str, BoosterOptions],
    folds: Sequence[Split],
    objective: Objective,
    progress: Progress | None,
) -> Iterator[float]:
    total = len(folds) * len(candidates)
    jobs = [(split, name) for split in folds for name in candidates]
    for done, (split, name) in enumerate(jobs):
        if progress is not None:
            progress(name, done / total)
        yield rows.loss(split, candidates[name], objective)


def _mean(values: Sequence[Any]) -> float:
    return float(np.mean(values)) if values else float("nan")
