"""Windows and lags: what features and labels may overlap, and what was not yet reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY, as_datetime
from recobro_score.data.events import EventStore
from recobro_score.data.lags import FEW_ROWS, LATER, observed_lags
from recobro_score.features.audit.measures import unseen_share
from recobro_score.features.audit.result import ERROR, NOTE, WARNING, Finding
from recobro_score.features.labels import Labels
from recobro_score.timeline import Split, Timeline

UNSEEN_SHARE = 0.1
"""Share of a label window's payments that may be unreported at the end of observation."""
UNDATED_SHARE = 0.05
"""Share of a late source's rows that may lack a known clock of their own."""


def overlap_findings(
    timeline: Timeline | Split,
    windows: Mapping[str, tuple[float, float]],
    horizon_days: float,
    lag_days: float,
) -> Iterator[Finding]:
    """Yield declared windows that reach past the as-of, and snapshots whose label windows touch.

    Parameters
    ----------
    timeline : Timeline or Split
        Of a split, each part must begin after the labels of the one before are known.
    windows : mapping of str to (float, float)
        Days relative to the as-of that the user's columns read, half-open.
    horizon_days, lag_days : float
        Length of the label window, and how late payments are reported.
    """
    for name, (start, end) in windows.items():
        if end > 0:
            evidence = f"its window [{start:g}, {end:g}) days overlaps the label's [0, {horizon_days:g})"
            advice = "end the window at the as-of: half-open, always"
            yield Finding(name, "overlap", ERROR, evidence, end, 0.0, advice)
    if isinstance(timeline, Split):
        yield from _touching_parts(timeline, horizon_days + lag_days)
        return
    gaps = np.diff(np.array(timeline.as_ofs)) / US_PER_DAY
    if len(gaps) and gaps.min() < horizon_days:
        evidence = f"as-ofs {gaps.min():g} days apart share parts of label windows of {horizon_days:g} days"
        advice = "split with an embargo of at least the horizon; take rows of one account as dependent"
        yield Finding("timeline", "overlap", NOTE, evidence, float(gaps.min()), horizon_days, advice)


def _touching_parts(split: Split, needed_days: float) -> Iterator[Finding]:
    parts = [(name, getattr(split, name)) for name in ("train", "calibration", "test")]
    for (name, part), (next_name, next_part) in pairwise((name, part) for name, part in parts if part):
        gap = (min(next_part) - max(part)) / US_PER_DAY
        if gap < needed_days - 1e-9:
            evidence = (
                f"{next_name} begins {gap:g} days after {name} ends, but labels take {needed_days:.1f} days "
                "to be known (horizon and reporting lag)"
            )
            advice = "widen the embargo: this split could not have been made at the time"
            yield Finding(f"{name}/{next_name}", "overlap", WARNING, evidence, gap, needed_days, advice)


def lag_findings(lags: pd.DataFrame) -> Iterator[Finding]:
    """Yield sources that report later than declared (rows of `recobro_score.data.lags.estimate_lags`)."""
    for row in lags[lags["verdict"] == LATER].itertuples():
        evidence = (
            f"95 % of its rows are known within {row.p95:.1f} days, the declared lag is {row.declared_days:g}"
        )
        severity, advice = NOTE, f"declare lag_days[{row.table!r}] = {np.ceil(row.p95):g}"
        if row.as_declared >= UNDATED_SHARE:
            severity = WARNING
            evidence += f"; {row.as_declared:.0%} of rows have no known_at of their own and count too early"
        yield Finding(row.table, "late_source", severity, evidence, row.p95, row.declared_days, advice)


def maturity_findings(
    labels: Labels, store: EventStore, horizon_days: float, observed_until: int
) -> Iterator[Finding]:
    """Yield snapshots whose labels are taken as known though many payments are still to be reported."""
    lag = observed_lags(store, "payments")
    as_ofs = np.unique(labels.as_of[labels.known])
    if len(lag) < FEW_ROWS or len(as_ofs) == 0:
        return
    left: NDArray[np.float64] = (observed_until - as_ofs) / US_PER_DAY - horizon_days
    shares = unseen_share(lag, horizon_days, left)
    late = shares > UNSEEN_SHARE
    if late.any():
        dates = [as_datetime(int(as_of), store.time_zone).date().isoformat() for as_of in as_ofs[late]]
        evidence = (
            f"about {shares.max():.0%} of the payments in the label window of {dates[-1]} were not known at "
            f"the end of observation ({len(dates)} of {len(as_ofs)} snapshots): payers count as non-payers"
        )
        advice = "declare the reporting lag of payments, or end the timeline earlier"
        yield Finding(
            "labels", "immature_labels", WARNING, evidence, float(shares.max()), UNSEEN_SHARE, advice
        )
