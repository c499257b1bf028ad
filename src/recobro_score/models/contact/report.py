"""How well a contact model does on attempts it never saw, per channel, beside plain rates and its rivals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.models.booster import FIRST_KNOWN_CODE
from recobro_score.models.contact.attempts import SLOTS, assumed_rates
from recobro_score.models.contact.fit import PRIOR_ATTEMPTS, Cuts
from recobro_score.models.contact.log import AttemptLog
from recobro_score.models.report import Judged, already_learned, require_known
from recobro_score.models.rivals import KnownRows, Rivals, WiderColumns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recobro_score.models.contact.columns import ContactColumns
    from recobro_score.models.contact.fit import ContactFit
    from recobro_score.models.report import ModelReport
    from recobro_score.models.snapshots import Snapshots, Weigh

    Floats = NDArray[np.float64]

DAYS = 7
FEW_EVENTS = 100
FEW_TO_CALIBRATE = 1000


def report_attempts(
    fit: ContactFit, log: AttemptLog, features: Floats, cuts: Cuts, *, warnings: tuple[str, ...], threads: int
) -> Evaluation:
    """Judge a model on the attempts after the second cut, beside each channel's rate over the earlier ones.

    Parameters
    ----------
    fit : ContactFit
    log : AttemptLog
        All attempts, the history of those judged included.
    features : ndarray of shape (m, p)
    cuts : Cuts
    warnings : tuple of str
        What is known already.
    threads : int
    """
    tested, earlier = cuts.test(log), cuts.learned(log) | cuts.calibration(log)
    p = fit.calibrated(fit.log_odds(log, features, threads=threads), log.channel)[tested]
    judged = log.take(tested)
    return evaluate(
        judged.success.astype(np.float64),
        p,
        held_out=f"the latest attempts: {p.size:,}",
        baseline=channel_rates(log.take(earlier))[judged.channel],
        group=judged.channel,
        names=log.channels,
        weight=judged.counted,
    ).knowing(warnings)


def report_channels(
    fit: ContactFit,
    seen: Snapshots,
    *,
    segments: tuple[str, ...],
    first: int,
    learned_until: int,
    warnings: tuple[str, ...],
    weights: Weigh | None,
) -> ModelReport:
    """Judge a model on the attempts from an instant on, per channel, beside the channel's rate and rivals.

    Parameters
    ----------
    fit : ContactFit
    seen : Snapshots
        Of all attempts, those that the model learned from and the history of those judged included.
    segments : tuple of str
        Of the model.
    first : int
        Attempts from here on are judged; µs UTC.
    learned_until : int
        Attempts before it the model learned from; so do the rivals.
    warnings : tuple of str
        What is known already.
    weights : callable or None
        From the snapshots to the weight of their rows, and with it of their attempts.

    Raises
    ------
    NotEnoughData
        If no attempt is left to judge.
    """
    columns, schema = fit.prior.columns, _with_time(fit.prior.columns)
    log = AttemptLog.of(
        seen.store,
        seen.observed_until,
        as_ofs=seen.timeline.as_ofs,
        channels=columns.channels,
        segments=segments,
        weights=seen.weigh(weights),
    )
    tested, earlier = Cuts(first, first).test(log), Cuts(learned_until, learned_until).learned(log)
    known, before = log.take(tested), log.take(earlier & (log.at < first))
    require_known(len(known), "attempts", "a known outcome and features")
    given, learned = (_known_rows(columns, part, seen) for part in (known, before))
    p = fit.calibrated(fit.log_odds(log, seen.matrix.values), log.channel)[tested]
    judged = Judged(
        name="right party reached, or a reply",
        rows=given,
        score=p,
        probability=p,
        rivals=Rivals.of(learned, given, schema),
        groups=log.channels,
        learned=learned,
    )
    again = already_learned(int((known.at < learned_until).sum()), len(known), "attempts")
    rates = channel_rates(before)[known.channel]
    return judged.report(judged.evaluation(f"{len(known):,} attempts", (*warnings, *again), baseline=rates))


def contact_warnings(channels: tuple[str, ...], facts: Mapping[str, Any], fit: ContactFit) -> Iterator[str]:
    """Yield what a reader must know before trusting a contact model."""
    for name, attempts, won in zip(channels, facts["attempts"], facts["successes"], strict=True):
        if not attempts:
            yield f"{name}: no attempt was seen, its rate is an assumption"
        elif min(won, attempts - won) < FEW_EVENTS:
            yield f"{name}: only {won:,} of {attempts:,} attempts succeeded: mostly borrowed"
    if fit.prior.booster is None:
        yield "too few attempts to learn from features: accounts differ by their own history only"
    if facts["calibrated_on"] < FEW_TO_CALIBRATE:
        yield f"calibrated on {facts['calibrated_on']:,} attempts: the level is uncertain"
    if not facts["other_party_attempts"]:
        yield "nobody but debtors was tried: others are assumed to be as easy to reach"


def channel_rates(log: AttemptLog) -> Floats:
    """Return the rate of each channel over some attempts, the assumed one counting as a few, shape (C,)."""
    channels = len(log.channels)
    tried = np.bincount(log.channel, weights=log.counted, minlength=channels)
    won = np.bincount(log.channel, weights=log.counted * log.success, minlength=channels)
    rates: Floats = (won + PRIOR_ATTEMPTS * assumed_rates(log.channels)) / (tried + PRIOR_ATTEMPTS)
    return rates


def _with_time(columns: ContactColumns) -> WiderColumns:
    """Return contact columns with slot and weekday as categories."""
    slots = tuple(str(hour) for hour in (*SLOTS, -1))
    return WiderColumns.of(columns, words={"slot": slots, "weekday": tuple(map(str, range(DAYS)))})


def _values(columns: ContactColumns, log: AttemptLog, features: Floats) -> Floats:
    """Return the columns of `_with_time` of every attempt."""
    time = np.stack([log.slot, log.weekday], axis=1) + FIRST_KNOWN_CODE
    return np.concatenate([columns.values(features[log.row], log.channel), time], axis=1)


def _known_rows(columns: ContactColumns, log: AttemptLog, seen: Snapshots) -> KnownRows:
    return KnownRows(
        values=_values(columns, log, seen.matrix.values),
        y=log.success.astype(np.float64),
        at=log.at,
        group=log.channel,
        debtor=seen.debtor[log.row],
        weight=log.weight,
    )
