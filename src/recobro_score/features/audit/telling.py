"""Single features that tell the label too well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recobro_score.features.audit.columns import Column
from recobro_score.features.audit.measures import Z_95, enough_events, single_auc
from recobro_score.features.audit.result import WARNING, Finding, Measured
from recobro_score.features.labels import Labels


def auc_measures(columns: Iterable[Column], labels: Labels, fold: NDArray[np.int64]) -> Iterator[Measured]:
    """Yield the AUC of each column alone, over all snapshots and at the last one.

    What is known today of all accounts tells most of the last outcomes: a leak often shows there first.

    Parameters
    ----------
    columns : iterable of Column
        Over the pairs of the labels.
    labels : Labels
        Unknown ones are left out.
    fold : int64 array
        0 or 1 per account, see `recobro_score.features.audit.measures.single_auc`.
    """
    known = np.flatnonzero(labels.known)
    last = known[labels.as_of[known] == labels.as_of[known].max()] if len(known) else known
    parts = {"label": known, "label of the last snapshot": last}
    told = {name: rows for name, rows in parts.items() if enough_events(labels.value[rows])}
    for column in columns:
        for name, rows in told.items():
            part = replace(column, values=column.values[rows])
            estimate = single_auc(part, labels.value[rows], fold[labels.account[rows]])
            yield Measured(column.name, "single_auc", name, estimate.value, estimate.se, len(rows))


def auc_findings(measured: Iterable[Measured], threshold: float) -> Iterator[Finding]:
    """Yield the features whose AUC, by its lower 95 % bound, lies above the threshold anywhere."""
    strongest: dict[str, Measured] = {}
    for one in measured:
        if one.value - Z_95 * one.se > threshold:
            strongest[one.feature] = max(strongest.get(one.feature, one), one, key=lambda found: found.value)
    for one in strongest.values():
        evidence = f"alone it tells the {one.against} with AUC {one.value:.3f} ± {one.se:.3f}"
        advice = "explain it before using it: what does it hold, and when was that known?"
        yield Finding(one.feature, "single_auc", WARNING, evidence, one.value, threshold, advice)
