"""Which accounts were left alone by choice, and how likely that was: what self-cure may be learned from.

An account that nobody contacted says what happens without contact only if being left alone had nothing to
do with how it would end. Two things spoil that. Attempts stop once the money is there, so that who pays
early is "not contacted" and who does not is: among such accounts every rate of cure is too high. And a policy
leaves alone whom it thinks safe. With a decision log both are mended: only accounts for which the policy
*decided* to do nothing count, each with the weight 1 ÷ probability of that decision.

References
----------
Horvitz and Thompson (1952), JASA 47, 663-685; Hernán and Robins (2020), Causal Inference, ch. 12 and 22.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.calendars import US_PER_DAY
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LabelSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore
    from recobro_score.features.labels import Labels

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NO_ACTION = "no_action"
LARGEST_WEIGHT = 20.0
"""Weights beyond it count as it: a little bias for much less noise."""
NO_LOG = (
    "no decision log: accounts that paid before anybody came to contact them count as left alone, and the "
    "policy chose whom to leave alone; the probabilities are too high by an unknown amount"
)
NO_PROPENSITIES = (
    "decisions carry no propensities: the probabilities are those of the accounts that the policy chose to "
    "leave alone, not of all"
)
WEIGHTED = (
    "calibrated with weights 1 ÷ P(left alone); the report on held-out rows is unweighted: of the accounts "
    "that were left alone"
)


@dataclass(frozen=True, slots=True, eq=False)
class CureLabels:
    """Who came back to 0 days past due, and who of those left alone did; of the same n pairs.

    Parameters
    ----------
    cure : Labels
        Whether or not anybody contacted the debtor.
    self_cure : Labels
        Known only of pairs that were left alone by choice.
    weight : ndarray of shape (n,)
        1 ÷ P(left alone).
    warning : str
        What the selection leaves open.
    """

    cure: Labels
    self_cure: Labels
    weight: Floats
    warning: str

    @classmethod
    def of(cls, store: EventStore, as_ofs: Ints, *, horizon_days: float, observed_until: int) -> CureLabels:
        """Label every account of a store at every as-of.

        Parameters
        ----------
        store : EventStore
        as_ofs : int64 ndarray of shape (m,)
        horizon_days : float
            Length of the label windows.
        observed_until : int
            End of observation, µs UTC.
        """
        specs = [LabelSpec(kind, horizon_days) for kind in ("cure", "self_cure")]
        found = compute_labels(store, as_ofs, specs, observed_until=observed_until)
        cure, self_cure = (found.labels(spec.name) for spec in specs)
        alone = left_alone(
            store, cure.account, cure.as_of, horizon_days=horizon_days, observed_until=observed_until
        )
        own = replace(self_cure, value=np.where(alone.usable, self_cure.value, np.nan))
        return cls(cure, own, alone.weight, alone.warning)


@dataclass(frozen=True, slots=True, eq=False)
class LeftAlone:
    """Which (account, as-of) pairs were left alone by choice, and their weights; arrays of shape (n,).

    Parameters
    ----------
    usable : bool ndarray
        Every decision of the window was to do nothing; True for all pairs where there is no log at all.
    weight : ndarray
        1 ÷ probability of those decisions, at most `LARGEST_WEIGHT`; 1 where propensities are not logged.
    warning : str
        What the selection leaves open.
    """

    usable: NDArray[np.bool_]
    weight: Floats
    warning: str


def left_alone(
    store: EventStore, account: Ints, as_of: Ints, *, horizon_days: float, observed_until: int
) -> LeftAlone:
    """Read the decision log for the windows of pairs.

    Parameters
    ----------
    store : EventStore
    account, as_of : int64 ndarray of shape (n,)
        Of the pairs.
    horizon_days : float
        Length of the windows ``[as_of, as_of + horizon)``.
    observed_until : int
        Decisions known at or after it (µs UTC) do not count.

    Returns
    -------
    LeftAlone
        A decision counts as drawn with its logged propensity; one that was not drawn but followed a rule
        counts if its propensity is 1, else the pair is not usable: nothing says how likely it was.
    """
    table = store.tables["decisions"]
    known = table.known_at < observed_until
    if not known.any():
        return LeftAlone(np.ones(account.size, dtype=np.bool_), np.ones(account.size), NO_LOG)
    nothing = np.isin(table.columns["action_id"], table.codes("action_id", NO_ACTION))
    propensity = table.columns["propensity"].astype(np.float64)
    logged = bool(np.isfinite(propensity[known & nothing]).any())
    repaired = np.isin(table.columns["drawn"], table.codes("drawn", "false")) & (propensity != 1.0)
    log = np.where(propensity > 0, np.log(np.where(propensity > 0, propensity, 1.0)), np.nan)
    fine = nothing & (~repaired if logged else True) & (np.isfinite(log) if logged else True)
    horizon = round(horizon_days * US_PER_DAY)
    counted, bad, total = (
        _in_windows(table.offsets, table.at, values, account, as_of, as_of + horizon)
        for values in (
            known.astype(np.float64),
            (known & ~fine).astype(np.float64),
            np.where(known & fine & np.isfinite(log), log, 0.0),
        )
    )
    weight = np.minimum(np.exp(-total), LARGEST_WEIGHT) if logged else np.ones(account.size)
    return LeftAlone((counted > 0) & (bad == 0), weight, WEIGHTED if logged else NO_PROPENSITIES)


def _in_windows(offsets: Ints, at: Ints, values: Floats, account: Ints, begin: Ints, end: Ints) -> Floats:
    """Return the sum of each pair's values with ``begin ≤ at < end``, shape (n,)."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    passed = np.concatenate([[0.0], np.cumsum(values)])
    edges = []
    for instant in (begin, end):
        place = np.zeros(account.size, dtype=np.int64)
        for moment in np.unique(instant).tolist():
            before = np.bincount(owner, weights=at < moment, minlength=len(offsets) - 1).astype(np.int64)
            here = instant == moment
            place[here] = offsets[account[here]] + before[account[here]]
        edges.append(passed[place])
    return np.asarray(edges[1] - edges[0])
