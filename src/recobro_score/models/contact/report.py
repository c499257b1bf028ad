"""How well a contact model does on attempts it never saw, per channel, beside plain rates and a logistic."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.metrics import ALL, EPSILON
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.evaluation.samples import weighted_mean
from recobro_score.models.baseline import LogisticBaseline
from recobro_score.models.booster import FIRST_KNOWN_CODE
from recobro_score.models.contact.attempts import SLOTS, assumed_rates
from recobro_score.models.contact.fit import PRIOR_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recobro_score.models.contact.columns import ContactColumns
    from recobro_score.models.contact.fit import ContactFit, Cuts
    from recobro_score.models.contact.log import AttemptLog

    Floats = NDArray[np.float64]

DAYS = 7
FEW_EVENTS = 100
FEW_TO_CALIBRATE = 1000


@dataclass(frozen=True, slots=True, repr=False)
class ContactReport:
    """The report of a contact model on held-out attempts.

    Parameters
    ----------
    evaluation : Evaluation
        Groups are channels; the baseline is a logistic regression on the same columns, slot and weekday.
    against_rates : pandas.DataFrame
        One row per channel and ``all``: ``group``, ``n``, ``log_loss``, ``rate_log_loss`` (each channel's
        rate over the earlier attempts), ``log_loss_gain`` over it and ``log_loss_gain_se`` (paired).
    """

    evaluation: Evaluation
    against_rates: pd.DataFrame

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the numbers."""
        return (*self.evaluation.warnings, *self._worse())

    def frame(self) -> pd.DataFrame:
        """Return `Evaluation.frame` with ``rate_log_loss``, ``log_loss_gain`` and ``log_loss_gain_se``."""
        added = self.against_rates[["group", "rate_log_loss", "log_loss_gain", "log_loss_gain_se"]]
        return self.evaluation.frame().merge(added, on="group", how="left", validate="one_to_one")

    def summary(self) -> str:
        """Return the whole and every warning as a few lines of text."""
        row = self.against_rates.set_index("group").loc[ALL]
        gain = f"{row['log_loss_gain']:.5f} ± {row['log_loss_gain_se']:.5f}"
        lines = [self.evaluation.summary(), f"log loss below that of each channel's rate by {gain}"]
        return "\n".join([*lines, *(f"! {warning}" for warning in self._worse())])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"{self.evaluation._repr_html_()}<pre>{html.escape(self.summary())}</pre>"

    def _worse(self) -> Iterator[str]:
        for row in self.against_rates.to_dict("records"):
            if row["log_loss_gain"] < -2 * row["log_loss_gain_se"]:
                yield f"{row['group']}: the plain rate of the channel has the lower log loss"


@dataclass(frozen=True, slots=True)
class ReportLines:
    """What a report says of its rows, and how it is made.

    Parameters
    ----------
    held_out : str
        Which rows these are, in words.
    warnings : tuple of str
    threads : int
    beside : bool
        Whether to fit the logistic baseline on the earlier attempts.
    """

    held_out: str
    warnings: tuple[str, ...]
    threads: int = 1
    beside: bool = True


def report_contact(
    fit: ContactFit, log: AttemptLog, features: Floats, cuts: Cuts, lines: ReportLines
) -> ContactReport:
    """Judge a model on the attempts after the second cut, next to what the earlier ones would have said.

    Parameters
    ----------
    fit : ContactFit
    log : AttemptLog
        All attempts, the history of those judged included.
    features : ndarray of shape (m, p)
    cuts : Cuts
    lines : ReportLines
    """
    tested, earlier = cuts.test(log), cuts.learned(log) | cuts.calibration(log)
    p = fit.calibrated(fit.log_odds(log, features, threads=lines.threads), log.channel)[tested]
    judged = log.take(tested)
    y = judged.success.astype(np.float64)
    columns = fit.prior.columns
    beside = _logistic(columns, log.take(earlier), judged, features) if lines.beside else None
    evaluation = evaluate(
        y,
        p,
        held_out=f"{lines.held_out}: {y.size:,}",
        baseline=beside,
        group=judged.channel,
        names=log.channels,
        warnings=lines.warnings,
    )
    rates = channel_rates(log.take(earlier))[judged.channel]
    return ContactReport(evaluation, _against(y, p, rates, judged.channel, log.channels))


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
    tried = np.bincount(log.channel, minlength=channels)
    won = np.bincount(log.channel[log.success], minlength=channels)
    rates: Floats = (won + PRIOR_ATTEMPTS * assumed_rates(log.channels)) / (tried + PRIOR_ATTEMPTS)
    return rates


@dataclass(frozen=True, slots=True)
class _WithTime:
    """Contact columns with slot and weekday as categories, for the logistic baseline."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    vocabularies: Mapping[str, tuple[str, ...]]
    monotone: tuple[int, ...]
    hash: str


def _logistic(
    columns: ContactColumns, earlier: AttemptLog, judged: AttemptLog, features: Floats
) -> Floats | None:
    """Return the baseline's probabilities, None where there were too few attempts to fit it."""
    words = {
        "slot": tuple(str(hour) for hour in (*SLOTS, -1)),
        "weekday": tuple(str(day) for day in range(DAYS)),
    }
    schema = _WithTime(
        (*columns.names, *words),
        (*columns.kinds, *("category" for _ in words)),
        {**columns.vocabularies, **words},
        (*columns.monotone, *(0 for _ in words)),
        columns.hash,
    )

    def values(log: AttemptLog) -> Floats:
        time = np.stack([log.slot, log.weekday], axis=1) + FIRST_KNOWN_CODE
        return np.concatenate([columns.values(features[log.row], log.channel), time], axis=1)

    try:
        model = LogisticBaseline.fit(values(earlier), earlier.success.astype(np.float64), schema=schema)
    except NotEnoughData:
        return None
    return model.predict(values(judged))


def _against(
    y: Floats, p: Floats, rates: Floats, channel: NDArray[np.int64], names: tuple[str, ...]
) -> pd.DataFrame:
    ours, theirs = (_losses(y, each) for each in (p, rates))
    rows: list[dict[str, Any]] = []
    for name, mask in [*((n, channel == c) for c, n in enumerate(names)), (ALL, np.ones(y.size, bool))]:
        weight = np.ones(int(mask.sum()))
        gain = weighted_mean((theirs - ours)[mask], weight)
        rows.append(
            {
                "group": name,
                "n": int(mask.sum()),
                "log_loss": weighted_mean(ours[mask], weight).value,
                "rate_log_loss": weighted_mean(theirs[mask], weight).value,
                "log_loss_gain": gain.value,
                "log_loss_gain_se": gain.se,
            }
        )
    return pd.DataFrame(rows)


def _losses(y: Floats, p: Floats) -> Floats:
    kept = np.clip(p, EPSILON, 1.0 - EPSILON)
    return -np.where(y == 1, np.log(kept), np.log1p(-kept))
