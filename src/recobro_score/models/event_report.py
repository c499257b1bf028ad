"""The report on a model of one event of accounts: a known label of every account at every snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recobro_score.data.state import BUCKETS
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LabelSpec
from recobro_score.models.calibration.family import calibrated
from recobro_score.models.report import Judged, ModelReport, already_learned, feature_schema, require_known
from recobro_score.models.rivals import KnownRows, Rivals
from recobro_score.models.snapshots import Snapshots
from recobro_score.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.models.event_scorer import EventScorer
    from recobro_score.models.snapshots import Weigh


def report_on(
    scorer: EventScorer,
    portfolio: Portfolio,
    timeline: Timeline,
    *,
    spec: LabelSpec,
    observed_until: int | str | None = None,
    buckets: Sequence[str] | None = None,
    weights: Weigh | None = None,
) -> ModelReport:
    """Judge a model on the pairs of a portfolio.

    Parameters
    ----------
    scorer : EventScorer
    portfolio : Portfolio
        With the history of the as-ofs the model learned from, where rivals are to learn from it too.
    timeline : Timeline
        Those as-ofs that the model learned from are no test, and a warning says so.
    spec : LabelSpec
        What the model predicts.
    observed_until : int or str, optional
        See `Snapshots.of`.
    buckets : sequence of str, optional
        Buckets that the model is for; all of them, and unknown ones, where absent.
    weights : callable, optional
        From snapshots to the weight of each of their rows: in every metric, and to the rivals.

    Raises
    ------
    NotEnoughData
        If no pair has a known outcome.
    ConfigError
        If the model was not trained on the library's features.
    """
    schema, threads = feature_schema(scorer.event.booster.schema), scorer.options.threads

    def pairs(as_ofs: Sequence[int]) -> KnownRows:
        asked = Timeline(tuple(sorted(as_ofs)), timeline.time_zone)
        seen = Snapshots.of(portfolio, asked, features=schema, observed_until=observed_until, threads=threads)
        return known_pairs(seen, spec, buckets, weights)

    given = pairs(timeline.as_ofs)
    require_known(len(given), f"{len(timeline)} as-ofs", f"a pair whose {spec.name} is known")
    learned_from = [*scorer.facts.train, *scorer.facts.calibration]
    learned = pairs(learned_from) if learned_from else None
    margin = scorer.event.booster.margin(given.values, threads=threads)
    judged = Judged(
        name=spec.name,
        rows=given,
        score=margin,
        probability=calibrated(scorer.event.calibrator, margin, given.group),
        rivals=Rivals.of(learned, given, schema),
        groups=BUCKETS,
        learned=learned,
    )
    again = already_learned(int(np.isin(given.at, learned_from).sum()), len(given), "as-ofs")
    held_out = f"{len(given):,} pairs of {len(timeline)} as-ofs"
    return judged.report(judged.evaluation(held_out, (*scorer.facts.warnings, *again)))


def known_pairs(
    seen: Snapshots, spec: LabelSpec, buckets: Sequence[str] | None = None, weights: Weigh | None = None
) -> KnownRows:
    """Return the pairs of some snapshots whose label is known, with the bucket as group.

    Parameters
    ----------
    seen : Snapshots
    spec : LabelSpec
    buckets, weights
        As for `report_on`; rows of weight 0 are left out.
    """
    money = LabelSpec("recovered", spec.horizon_days)
    labels = compute_labels(
        seen.store, seen.timeline.as_ofs, (spec, money), observed_until=seen.observed_until
    )
    y, counts = labels.column(spec.name), seen.weigh(weights, some=False)
    wanted = ~np.isnan(y)
    if buckets is not None:
        wanted &= np.isin(seen.bucket, [BUCKETS.index(name) for name in buckets])
    if counts is not None:
        wanted &= counts > 0
    rows = np.flatnonzero(wanted)
    one_currency = len(set(seen.currency[rows].tolist())) == 1
    return KnownRows(
        values=np.ascontiguousarray(seen.matrix.values[rows]),
        y=y[rows],
        at=seen.matrix.as_of[rows],
        group=seen.bucket[rows],
        debtor=seen.debtor[rows],
        money=np.maximum(labels.column(money.name)[rows], 0.0) if one_currency else None,
        weight=None if counts is None else counts[rows],
    )
