"""What a recovery model learned from and how it did on held-out rows, in money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.data.state import BUCKETS
from recobro_score.evaluation.amounts import AmountEvaluation, Amounts, amount_report, evaluate_amounts
from recobro_score.evaluation.gain import gain_table
from recobro_score.evaluation.metrics import ALL, binary_report
from recobro_score.evaluation.rivals import compare_rivals
from recobro_score.features.labels import REASONS, payment_labels
from recobro_score.models.event_scorer import NO_THIN_FILES, where_held_out
from recobro_score.models.facts import TrainingFacts
from recobro_score.models.payment.shares import RecoveredShares
from recobro_score.models.recovery.forecast import ShareForecast, amount_of
from recobro_score.models.report import MET, MODEL, ModelReport, already_learned, met_before, months_of
from recobro_score.models.rivals import KnownRows, Rivals
from recobro_score.money import MISSING_MONEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recobro_score.features.labels import Labels
    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.recovery.share_chain import ShareChain
    from recobro_score.models.recovery.share_model import ShareFit
    from recobro_score.models.snapshots import Snapshots, Weigh
    from recobro_score.timeline import Split

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FEW_RECOVERIES = 500
HALF = 0.5
ANYTHING = "Whether anything is recovered"


@dataclass(frozen=True, slots=True, eq=False)
class Breakdown:
    """By what a report in money is broken down; arrays of shape (n,), one entry per label.

    Parameters
    ----------
    bucket : int8 ndarray
        At the as-of; −1 unknown.
    currency : array of str
        Amounts of several are never added.
    debtor : array
        Rows of one debtor stay in one fold and are not independent of each other; the account where debtors
        are not known.
    """

    bucket: NDArray[np.int8]
    currency: NDArray[Any]
    debtor: NDArray[Any]

    def take(self, rows: Ints | NDArray[np.bool_]) -> Breakdown:
        """Return some rows, given as positions or as a mask."""
        return Breakdown(self.bucket[rows], self.currency[rows], self.debtor[rows])


def shares_of(labels: Labels) -> Floats:
    """Return recovered ÷ exposure within [0, 1], shape (n,); NaN where unknown or nothing is due."""
    known = (labels.exposure > 0) & (labels.recovered != MISSING_MONEY)
    share = np.clip(labels.recovered / np.where(known, labels.exposure, 1), 0.0, 1.0)
    return np.where(known, share, np.nan)


def bucket_means(
    labels: Labels, bucket: NDArray[np.int8], rows: Ints, weight: Floats | None = None
) -> RecoveredShares:
    """Return the mean share per bucket of some rows of these weights, shrunk to that of all: the baseline."""
    return RecoveredShares.fit(
        labels.recovered[rows],
        labels.exposure[rows],
        np.ones(rows.size),
        bucket[rows],
        buckets=BUCKETS,
        least=0.0,
        weight=weight,
    )


def recovery_facts(
    fit: ShareFit,
    labels: Labels,
    rows: Ints,
    split: Split | None,
    *,
    weight: Floats,
    later: bool,
    flagged: bool,
) -> TrainingFacts:
    """Return the facts of a fit with every warning that follows from them.

    Parameters
    ----------
    fit : ShareFit
    labels : Labels
        All of them, unknown ones included.
    rows : int64 ndarray of shape (n,)
        Rows of the labels that were given to the fit, in its order.
    split : Split or None
    weight : ndarray
        Of all labels.
    later : bool
        Whether the chain was fitted on a later slice.
    flagged : bool
        Whether thin files are flagged.
    """
    learned = rows[fit.learned]
    some = int(np.count_nonzero(labels.recovered[learned] > 0))
    as_of = tuple(np.unique(labels.as_of[rows]).tolist())
    unknown = np.isnan(shares_of(labels)) & (weight > 0)
    codes, counts = np.unique(labels.reason[unknown], return_counts=True)
    return TrainingFacts(
        rows=learned.size,
        events=some,
        unknown={REASONS[code]: int(count) for code, count in zip(codes, counts, strict=True)},
        train=split.train if split else as_of,
        calibration=split.calibration if split else (),
        test=split.test if split else (),
        warnings=tuple(_warnings(fit, some, learned.size, later=later, flagged=flagged)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class KnownAmounts:
    """Pairs of snapshots whose amount is known.

    Parameters
    ----------
    labels : Labels
        Of all pairs.
    rows : int64 ndarray of shape (n,)
        Those whose amount is known and that weigh anything.
    by : Breakdown
        Of all pairs.
    known : KnownRows
        The n pairs; the event is that at least half of what is due was recovered.
    """

    labels: Labels
    rows: Ints
    by: Breakdown
    known: KnownRows

    @classmethod
    def of(cls, seen: Snapshots, horizon_days: float, weights: Weigh | None) -> KnownAmounts:
        """Return the known pairs of some snapshots, weighed."""
        labels = payment_labels(
            seen.store,
            np.array(seen.timeline.as_ofs, dtype=np.int64),
            share=HALF,
            horizon_days=horizon_days,
            observed_until=seen.observed_until,
        )
        share, counts = shares_of(labels), seen.weigh(weights, some=False)
        rows = np.flatnonzero(~np.isnan(share) & (True if counts is None else counts > 0))
        one_currency = len(set(seen.currency[rows].tolist())) == 1
        paid = np.clip(labels.recovered[rows], 0, labels.exposure[rows])
        known = KnownRows(
            values=np.ascontiguousarray(seen.matrix.values[rows]),
            y=(share[rows] >= HALF).astype(np.float64),
            at=labels.as_of[rows],
            group=seen.bucket[rows],
            debtor=seen.debtor[rows],
            money=paid.astype(np.float64) if one_currency else None,
            weight=None if counts is None else counts[rows],
        )
        return cls(labels, rows, Breakdown(seen.bucket, seen.currency, seen.debtor), known)


def report_amounts(
    given: KnownAmounts,
    learned: KnownAmounts | None,
    chain: ShareChain,
    margin: Floats,
    *,
    schema: ColumnSchema,
    facts: TrainingFacts,
) -> ModelReport:
    """Report on a model in money, per currency and bucket, and on its order beside rivals.

    Rivals have no amounts: they learn who recovers at least half of what is due, and are compared by that.

    Parameters
    ----------
    given : KnownAmounts
    learned : KnownAmounts or None
        What the model learned from: the baseline's mean shares and the rivals come from there.
    chain : ShareChain
    margin : ndarray of shape (n,)
        Of the given pairs.
    schema : ColumnSchema
    facts : TrainingFacts
    """
    forecast, rows = ShareForecast.of(chain, margin), given.known
    before = None if learned is None else learned.known
    rivals = Rivals.of(before, rows, schema)
    again = int(np.isin(rows.at, [*facts.train, *facts.calibration]).sum())
    baseline = None
    if learned is not None and len(learned.rows):
        before_weight = learned.known.weight
        baseline = bucket_means(learned.labels, learned.by.bucket, learned.rows, before_weight)
    evaluation = judge(
        forecast,
        given.labels,
        given.rows,
        by=given.by,
        baseline=baseline,
        weight=rows.weight,
        held_out=f"{len(rows):,} pairs of {np.unique(rows.at).size} as-ofs",
        warnings=(*facts.warnings, *already_learned(again, len(rows), "as-ofs"), *rivals.why),
    )
    amounts = amounts_of(forecast, given.labels, given.rows, given.by)
    by_due = {"expected amount": amounts.expected, "amount due": amounts.due.astype(np.float64)}
    months = amount_report(amounts, group=months_of(rows.at), weight=rows.weight)
    months = months[months["group"] != ALL].rename(columns={"group": "month"})
    some = (given.labels.recovered[given.rows] > 0).astype(np.float64)
    return ModelReport(
        name="amount recovered",
        evaluation=evaluation,
        rivals=compare_rivals(
            rows.y, margin, rivals.scores, group=rows.group, names=BUCKETS, weight=rows.weight
        ),
        singles=rivals.singles,
        gain=gain_table(
            rows.y, {MODEL: margin, **by_due, **rivals.scores}, money=rows.money, weight=rows.weight
        ),
        months=months.reset_index(drop=True),
        debtors=amount_report(amounts, group=met_before(rows, before), names=MET, weight=rows.weight),
        scorecard=rivals.scorecard,
        more={
            ANYTHING: binary_report(some, forecast.any, group=rows.group, names=BUCKETS, weight=rows.weight)
        },
    )


def amounts_of(forecast: ShareForecast, labels: Labels, rows: Ints, by: Breakdown) -> Amounts:
    """Return what was recovered of some rows of the labels beside their forecast.

    Parameters
    ----------
    forecast : ShareForecast
        Of the rows, in their order.
    labels : Labels
    rows : int64 ndarray of shape (k,)
    by : Breakdown
        Of all labels.
    """
    due = labels.exposure[rows]
    return Amounts(
        due=due,
        recovered=np.clip(labels.recovered[rows], 0, due),
        expected=forecast.expected * due,
        low=amount_of(forecast.low, due),
        high=amount_of(forecast.high, due),
        currency=np.asarray(by.currency)[rows],
        debtor=by.debtor[rows],
    )


def judge(
    forecast: ShareForecast,
    labels: Labels,
    rows: Ints,
    *,
    by: Breakdown,
    baseline: RecoveredShares | None,
    weight: Floats | None,
    held_out: str,
    warnings: tuple[str, ...],
) -> AmountEvaluation:
    """Compare a forecast of some rows of the labels with what was recovered, per currency and bucket.

    Parameters
    ----------
    forecast : ShareForecast
        Of the rows, in their order.
    labels : Labels
    rows : int64 ndarray of shape (k,)
    by : Breakdown
        Of all labels.
    baseline : RecoveredShares or None
        Mean shares per bucket.
    weight : ndarray of shape (k,) or None
        How much each of the rows counts.
    held_out : str
    warnings : tuple of str
    """
    amounts = amounts_of(forecast, labels, rows, by)
    return evaluate_amounts(
        amounts,
        held_out=held_out,
        baseline=None if baseline is None else baseline.paid_share(by.bucket[rows]) * amounts.due,
        group=by.bucket[rows],
        names=BUCKETS,
        weight=weight,
        warnings=warnings,
    )


def validate(
    fit: ShareFit,
    labels: Labels,
    rows: Ints,
    *,
    facts: TrainingFacts,
    by: Breakdown,
    baseline: RecoveredShares,
    weight: Floats,
) -> AmountEvaluation | None:
    """Return the report on the held-out rows of a fit; None where there are none.

    `by` and `weight` are of all labels.
    """
    if not fit.held_out.size:
        return None
    return judge(
        fit.forecast(),
        labels,
        rows[fit.held_out],
        by=by,
        baseline=baseline,
        weight=weight[rows[fit.held_out]],
        held_out=where_held_out(facts.test),
        warnings=facts.warnings,
    )


def _warnings(fit: ShareFit, some: int, n: int, *, later: bool, flagged: bool) -> Iterator[str]:
    if some < FEW_RECOVERIES:
        yield f"only {some:,} of {n:,} rows to learn from recovered anything"
    if not later:
        yield "calibrated out of fold, not on a later time: later months may differ"
    if fit.chain.first.note:
        yield fit.chain.first.note
    if not fit.held_out.size:
        yield "no test slice with known amounts: the model has not been judged"
    if not flagged:
        yield NO_THIN_FILES
