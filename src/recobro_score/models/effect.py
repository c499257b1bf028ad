"""What an action adds: log-odds shifts of P(pay) per action and bucket, from priors or from a randomised log.

Without a log of propensities the catalogue's priors stand as they are (*prior mode*). With one, each cell
compares the payment rate under the action with that under `no_action` by inverse propensity weighting and is
shrunk to its prior by precision. A rule-based log, whatever its size, says nothing here: it has no overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.data.state import BUCKETS
from recobro_score.errors import BundleError, ConfigError, hint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.decision_log import DecisionLog

FORMAT_VERSION = 1
CELLS = (*BUCKETS, "unknown")
"""Columns of the table; a bucket code of −1 (unknown) is the last."""

PRIOR_SD = 0.25
"""How far a cell's true shift is believed to lie from its prior: two thirds of cells within ± 0.25."""
SHARED_BETWEEN_BUCKETS = 0.5
"""Share of that variance common to all buckets of an action: one bucket's evidence informs the others."""
MAX_MISSING_PROPENSITIES = 0.01
MIN_ESS = 30.0
SUPPORT_TOLERANCE = 0.2
SUPPORT_SDS = 4.0

_NUMBERS = ("shift", "sd", "prior_shift", "estimate", "se", "ess", "support")


@dataclass(frozen=True, slots=True)
class EffectTable:
    """Log-odds shifts of P(pay) by action and bucket; all arrays have shape (A, 7), columns as in `CELLS`.

    Attributes
    ----------
    action_ids : tuple of str
        The A actions.
    shift : float64 array
        The shift to use: logit P(pay | action) − logit P(pay | no action).
    sd : float64 array
        Its standard deviation: the prior's, or the posterior's.
    prior_shift : float64 array
        The catalogue's prior.
    estimate, se : float64 arrays
        What the log alone says, and its standard error; NaN where nothing could be compared.
    n : int64 array
        Decisions of that action and bucket with a usable propensity.
    ess : float64 array
        Their effective number, ``(Σw)² / Σw²``; NaN without any.
    support : float64 array
        Mean weight, an estimate of the share of the bucket the action could have been drawn for.
    from_log : bool array
        Whether the shift uses the log.
    reason : str
        Why no cell does: ``no_log``, ``no_propensities``, ``no_randomisation``, ``no_baseline`` or
        ``no_overlap``; empty if some do.

    Notes
    -----
    The rates are Hájek's (self-normalised) ones, with half a success and half a failure of average weight
    added. The variance of the log-odds ratio follows by the delta method, clustered by debtor, and is never
    taken below that of as many independent draws as the effective number. The shrinkage is the posterior mean
    of a normal model, jointly over an action's buckets. Rows drawn with certainty take no part, nor does a
    cell whose mean weight shows that its action was open to other accounts than `no_action` was.
    """

    action_ids: tuple[str, ...]
    shift: NDArray[np.float64]
    sd: NDArray[np.float64]
    prior_shift: NDArray[np.float64]
    estimate: NDArray[np.float64]
    se: NDArray[np.float64]
    n: NDArray[np.int64]
    ess: NDArray[np.float64]
    support: NDArray[np.float64]
    from_log: NDArray[np.bool_]
    reason: str

    @classmethod
    def prior(
        cls,
        action_ids: tuple[str, ...],
        prior: NDArray[np.float64],
        *,
        prior_sd: float = PRIOR_SD,
        reason: str = "no_log",
    ) -> EffectTable:
        """Return the table of prior mode: the catalogue's shifts as they are.

        Parameters
        ----------
        action_ids : tuple of str
            The A actions.
        prior : float64 array, shape (A, 7)
            Log-odds shifts, one column per bucket and the last for an unknown bucket.
        prior_sd : float
            Standard deviation of a cell around its prior.
        reason : str
            Why no log is used.

        Raises
        ------
        ConfigError
            If the priors have another shape or are not finite.
        """
        shape = (len(action_ids), len(CELLS))
        if prior.shape != shape or not np.isfinite(prior).all():
            msg = f"prior effects must be finite and of shape {shape}, got shape {prior.shape}"
            raise ConfigError(msg)
        nothing = np.full(shape, np.nan)
        return cls(
            action_ids=action_ids,
            shift=prior.astype(np.float64),
            sd=np.full(shape, prior_sd),
            prior_shift=prior.astype(np.float64),
            estimate=nothing.copy(),
            se=nothing.copy(),
            n=np.zeros(shape, dtype=np.int64),
            ess=nothing.copy(),
            support=nothing.copy(),
            from_log=np.zeros(shape, dtype=np.bool_),
            reason=reason,
        )

    @classmethod
    def fit(
        cls,
        log: DecisionLog,
        prior: NDArray[np.float64],
        *,
        action_ids: tuple[str, ...],
        no_action: str = "no_action",
        prior_sd: float = PRIOR_SD,
    ) -> EffectTable:
        """Learn the shifts from logged, randomised decisions; cells that cannot be learned keep their prior.

        Parameters
        ----------
        log : DecisionLog
            Decisions with their propensity and outcome; its action codes index `action_ids`.
        prior : float64 array, shape (A, 7)
            The catalogue's shifts.
        action_ids : tuple of str
            The A actions.
        no_action : str
            The action that the others are compared with.
        prior_sd : float
            Standard deviation of a cell around its prior.

        Raises
        ------
        ConfigError
            If `no_action` is not among the actions or the priors have another shape.
        """
        if no_action not in action_ids:
            msg = f"the actions lack the baseline {no_action!r}.{hint(no_action, action_ids)}"
            raise ConfigError(msg)
        table = cls.prior(action_ids, prior, prior_sd=prior_sd)
        baseline = action_ids.index(no_action)
        usable, reason = _usable(log, baseline)
        if reason:
            return replace(table, reason=reason)
        for bucket in range(len(CELLS)):
            rows = np.flatnonzero(usable & (log.bucket % len(CELLS) == bucket))
            _fill_cells(table, _arms(log, rows, len(action_ids)), baseline, bucket)
        for action in range(len(action_ids)):
            _shrink(table, action, prior_sd)
        return replace(table, reason="" if table.from_log.any() else "no_overlap")

    @property
    def source(self) -> NDArray[np.object_]:
        """``log`` or ``prior`` per cell."""
        return np.where(self.from_log, "log", "prior").astype(object)

    @property
    def mode(self) -> str:
        """``log`` if any cell uses the log, else ``prior``."""
        return "log" if self.from_log.any() else "prior"

    def frame(self) -> pd.DataFrame:
        """Return one row per action and bucket.

        Returns
        -------
        pandas.DataFrame
            ``action_id``, ``bucket``, ``source`` (log or prior), ``shift`` and its ``sd``, ``prior_shift``,
            ``estimate`` and its ``se``, ``n``, ``ess``, ``support``.
        """
        index = pd.MultiIndex.from_product([self.action_ids, CELLS], names=["action_id", "bucket"])
        columns = {
            name: getattr(self, name).ravel() for name in ("source", *_NUMBERS[:5], "n", *_NUMBERS[5:])
        }
        return index.to_frame(index=False).assign(**columns)

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values, NaN as None; `from_json` gives the same bits back."""
        numbers = {name: _with_none(getattr(self, name)) for name in _NUMBERS}
        plain = {"n": self.n.tolist(), "from_log": self.from_log.tolist(), "reason": self.reason}
        names = list(self.action_ids)
        return {"format": FORMAT_VERSION, "action_ids": names, **plain, **numbers}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> EffectTable:
        """Return the table kept by `to_json`.

        Raises
        ------
        BundleError
            If the state is of another format.
        """
        if state.get("format") != FORMAT_VERSION:
            msg = f"effects of format {state.get('format')!r}; this release reads {FORMAT_VERSION}"
            raise BundleError(msg)
        numbers = {name: np.array(state[name], dtype=np.float64) for name in _NUMBERS}
        return cls(
            action_ids=tuple(state["action_ids"]),
            n=np.array(state["n"], dtype=np.int64),
            from_log=np.array(state["from_log"], dtype=np.bool_),
            reason=str(state["reason"]),
            **numbers,
        )


@dataclass(frozen=True, slots=True)
class _Arm:
    """One action's decisions in one bucket: the smoothed rate and its rows' influence on its log-odds."""

    n: int
    ess: float
    support: float
    supported: bool
    rate: float
    influence: NDArray[np.float64]
    debtor: NDArray[np.int64]

    @property
    def comparable(self) -> bool:
        return self.supported and self.ess >= MIN_ESS


def _usable(log: DecisionLog, baseline: int) -> tuple[NDArray[np.bool_], str]:
    """Return the rows drawn at random with a known propensity, and why the log is of no use if it is."""
    known = (log.propensity > 0.0) & (log.propensity <= 1.0)
    usable = known & (log.propensity < 1.0)
    if len(known) == 0:
        return usable, "no_log"
    if np.mean(~known) > MAX_MISSING_PROPENSITIES:
        return usable, "no_propensities"
    if not usable.any():
        return usable, "no_randomisation"
    if not (usable & (log.action == baseline)).any():
        return usable, "no_baseline"
    return usable, ""


def _arms(log: DecisionLog, rows: NDArray[np.int64], n_actions: int) -> list[_Arm | None]:
    """Return one arm per action over the rows of a bucket; None where the action was never drawn."""
    arms: list[_Arm | None] = []
    for action in range(n_actions):
        own = rows[log.action[rows] == action]
        arms.append(_arm(log, own, len(rows)) if len(own) else None)
    return arms


def _arm(log: DecisionLog, rows: NDArray[np.int64], n_bucket: int) -> _Arm:
    weight = 1.0 / log.propensity[rows]
    total, squares = weight.sum(), (weight**2).sum()
    ess = total**2 / squares
    mean = (weight * log.outcome[rows]).sum() / total
    rate = (ess * mean + 0.5) / (ess + 1.0)
    spread = np.sqrt(max(squares - total**2 / n_bucket, 0.0)) / n_bucket
    support = total / n_bucket
    return _Arm(
        n=len(rows),
        ess=float(ess),
        support=float(support),
        supported=bool(abs(support - 1.0) <= max(SUPPORT_TOLERANCE, SUPPORT_SDS * spread)),
        rate=float(rate),
        influence=weight * (log.outcome[rows] - mean) / (total * rate * (1.0 - rate)),
        debtor=log.debtor[rows],
    )


def _fill_cells(table: EffectTable, arms: list[_Arm | None], baseline: int, bucket: int) -> None:
    """Write what the log says of one bucket into the (still private) arrays of the table."""
    base = arms[baseline]
    for action, arm in enumerate(arms):
        if arm is None:
            continue
        cell = action, bucket
        table.n[cell], table.ess[cell], table.support[cell] = arm.n, arm.ess, arm.support
        if base is None or action == baseline or not (arm.comparable and base.comparable):
            continue
        table.estimate[cell] = _logit(arm.rate) - _logit(base.rate)
        table.se[cell] = _standard_error(arm, base)


def _standard_error(arm: _Arm, base: _Arm) -> float:
    debtors, cluster = np.unique(np.concatenate([arm.debtor, base.debtor]), return_inverse=True)
    influence = np.bincount(cluster, weights=np.concatenate([arm.influence, -base.influence]))
    clustered = (influence**2).sum() * len(debtors) / max(len(debtors) - 1, 1)
    independent = sum(1.0 / (one.ess * one.rate * (1.0 - one.rate)) for one in (arm, base))
    return float(np.sqrt(max(clustered, independent)))


def _shrink(table: EffectTable, action: int, prior_sd: float) -> None:
    """Replace an action's shifts by their posterior in the buckets that have an estimate."""
    seen = np.flatnonzero(np.isfinite(table.estimate[action]))
    if len(seen) == 0:
        return
    own = (1.0 - SHARED_BETWEEN_BUCKETS) * np.eye(len(seen))
    prior_cov = prior_sd**2 * (own + SHARED_BETWEEN_BUCKETS)
    gain = np.linalg.solve(prior_cov + np.diag(table.se[action, seen] ** 2), prior_cov).T
    surprise = table.estimate[action, seen] - table.prior_shift[action, seen]
    table.shift[action, seen] += gain @ surprise
    table.sd[action, seen] = np.sqrt(np.diag(prior_cov - gain @ prior_cov))
    table.from_log[action, seen] = True


def _logit(rate: float) -> float:
    return float(np.log(rate) - np.log1p(-rate))


def _with_none(values: NDArray[np.float64]) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in values]
