"""How a contact model is learned from attempts: prior of a new account, slots, own history, calibration.

On the earlier attempts the level of each channel, the slots and own history take turns, each learning what
the others leave; then the trees learn what is left by all of them. Every attempt is judged given only the
account's attempts before it, and weighs the less the more of them there were (`OwnHistory.weight`). The later
attempts then say how far the trees can be trusted and how much own history counts, and calibrate the whole;
the latest are left to judge it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.logistic import Prior, fit_logistic, sigmoid
from recobro_score.models.booster import Booster, BoosterOptions
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.calibration.steps import VennAbers
from recobro_score.models.contact.attempts import assumed_rates
from recobro_score.models.contact.calibration import Judged, calibrate_channels
from recobro_score.models.contact.columns import ContactColumns
from recobro_score.models.contact.history import OwnHistory, tally_before
from recobro_score.models.contact.pattern import SlotPattern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.contact.log import AttemptLog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PRIOR_ATTEMPTS = 20.0
"""What an assumed rate counts, in attempts."""
OPTIONS = BoosterOptions(trees=120, learning_rate=0.05, leaves=8, min_leaf=100)
"""Small trees: a million accounts on every channel take one evaluation each."""
ROUNDS = 2
TRUST, TRUST_SPREAD, MOST_TRUST = 0.5, 0.5, 1.5
"""What the trees' part of the log-odds is multiplied by: prior mean and standard deviation, and the limit."""
OTHER_PARTY_SPREAD = 0.5
"""Prior standard deviation, in log-odds, of how much harder other parties are to reach than the debtor."""
ROWS_PER_BLOCK = 4096

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ContactPrior:
    """What is expected of an account before its own attempts are looked at.

    Parameters
    ----------
    columns : ContactColumns
    level : ndarray of shape (C,)
        Log-odds of each channel.
    booster : Booster or None
        What the account's features add to them; None where attempts were too few to learn it.
    trust : ndarray of shape (C,)
        What that is multiplied by: near 0 where it says nothing about later attempts.
    pattern : SlotPattern
        What slot and weekday add.
    """

    columns: ContactColumns
    level: Floats
    booster: Booster | None
    trust: Floats
    pattern: SlotPattern

    @property
    def factors(self) -> Floats:
        """What segment, channel, slot and weekday do to the odds, shape (K + 1, C, 15, 7)."""
        return np.asarray(np.exp(self.pattern.weight))

    def margins(self, features: Floats, *, threads: int = 1) -> Floats:
        """Return the log-odds of rows on every channel, on average over slots, shape (n, C)."""
        return self.level + self.trust * self._learned(features, threads)

    def of_attempts(self, log: AttemptLog, features: Floats, *, threads: int = 1) -> Floats:
        """Return the same of the account of every attempt, shape (n, C); the levels without features."""
        out = np.tile(self.level, (len(log), 1))
        rows, place = np.unique(log.row[log.row >= 0], return_inverse=True)
        out[log.row >= 0] = self.margins(features[rows], threads=threads)[place]
        return out

    def _learned(self, features: Floats, threads: int) -> Floats:
        out = np.zeros((len(features), len(self.level)))
        if self.booster is None or not self.trust.any():
            return out
        for low in range(0, len(features), ROWS_PER_BLOCK):
            block = slice(low, low + ROWS_PER_BLOCK)
            values = self.columns.each_channel(features[block])
            out[block] = self.booster.margin(values, threads=threads).reshape(-1, len(self.level))
        return out


@dataclass(frozen=True, slots=True)
class Expected:
    """What a prior expects of attempts, and what their accounts had to show before them.

    Parameters
    ----------
    tally : ndarray of shape (n, 8)
        See `tally_before`.
    mean, slot : ndarray of shape (n,)
        Prior odds on average over slots, and in the attempt's slot.
    """

    tally: Floats
    mean: Floats
    slot: Floats

    @classmethod
    def of(cls, log: AttemptLog, prior: ContactPrior, features: Floats, threads: int) -> Expected:
        """Return what a prior expects of every attempt of a log."""
        odds = np.exp(prior.of_attempts(log, features, threads=threads))
        mean = odds[np.arange(len(log)), log.channel]
        return cls(tally_before(log, odds, prior.factors), mean, mean * np.exp(prior.pattern.of(log)))

    def log_odds(self, history: OwnHistory, channel: Ints) -> Floats:
        """Return the log-odds of every attempt given the account's earlier ones."""
        return np.asarray(np.log(history.posterior_odds(self.tally, self.mean, self.slot, channel)))


@dataclass(frozen=True, slots=True)
class ContactFit:
    """A learned contact model in parts.

    Parameters
    ----------
    prior : ContactPrior
    history : OwnHistory
    calibrators : tuple of Calibrator
        One per channel.
    intervals : tuple of VennAbers
        One per channel, on the rows of its calibrator.
    other_party : float
        Log-odds to add for other parties than the debtor.
    """

    prior: ContactPrior
    history: OwnHistory
    calibrators: tuple[Calibrator, ...]
    intervals: tuple[VennAbers, ...]
    other_party: float

    def log_odds(self, log: AttemptLog, features: Floats, *, threads: int = 1) -> Floats:
        """Return the log-odds of every attempt given the account's earlier ones, before calibration."""
        return Expected.of(log, self.prior, features, threads).log_odds(self.history, log.channel)

    def calibrated(self, margin: Floats, channel: Ints) -> Floats:
        """Return the probabilities of log-odds of shape (n,), each by its channel's calibrator."""
        out = np.empty(margin.shape)
        for position, calibrator in enumerate(self.calibrators):
            rows = channel == position
            out[rows] = calibrator.probability(margin[rows])
        return out


@dataclass(frozen=True, slots=True)
class Cuts:
    """The instants between the attempts that teach, calibrate and judge.

    Parameters
    ----------
    calibrate_from, test_from : int
        On the clock of the attempts.
    """

    calibrate_from: int
    test_from: int

    @classmethod
    def of(cls, log: AttemptLog, calibrate_from: int | None, test_from: int | None) -> Cuts:
        """Return the cuts asked for; else the last fifth of the attempts judges, that before calibrates."""
        at = np.sort(log.at[log.learnable])
        places = (np.array([0.6, 0.8]) * len(at)).astype(np.int64)
        middle, end = (int(at[place]) if len(at) else 0 for place in places)
        return cls(
            middle if calibrate_from is None else calibrate_from, end if test_from is None else test_from
        )

    def learned(self, log: AttemptLog) -> NDArray[np.bool_]:
        """Return the attempts whose outcome was known before the first cut."""
        return log.learnable & (log.at < self.calibrate_from) & (log.known_at < self.calibrate_from)

    def calibration(self, log: AttemptLog) -> NDArray[np.bool_]:
        """Return those made after it whose outcome was known before the second."""
        between = (log.at >= self.calibrate_from) & (log.at < self.test_from)
        return log.learnable & between & (log.known_at < self.test_from)

    def test(self, log: AttemptLog) -> NDArray[np.bool_]:
        """Return those made after the second."""
        return log.learnable & (log.at >= self.test_from)

    def others(self, log: AttemptLog) -> NDArray[np.bool_]:
        """Return those made to other parties before it."""
        return log.other_party & (log.counted > 0) & (log.at < self.test_from)


def fit_contact(
    log: AttemptLog, features: Floats, schema: ColumnSchema, cuts: Cuts, *, options: BoosterOptions = OPTIONS
) -> ContactFit:
    """Learn a contact model.

    Parameters
    ----------
    log : AttemptLog
        All attempts, those that are history only included.
    features : ndarray of shape (m, p)
        Rows that ``log.row`` points to, each as it was known at the attempt.
    schema : ColumnSchema
        Of the p columns.
    cuts : Cuts
    options : BoosterOptions
    """
    prior, history = _fit_prior(log, features, schema, cuts.learned(log), options)
    y, later, channels = log.success.astype(np.float64), cuts.calibration(log), len(log.channels)
    seen = Expected.of(log, prior, features, options.threads)
    if prior.booster is not None:
        told = seen.log_odds(history, log.channel)
        trust = _trust(seen.mean[later], told[later], y[later], log.take(later), prior)
        prior = replace(prior, trust=trust)
        seen = Expected.of(log, prior, features, options.threads)
    known = cuts.learned(log) | later
    history = OwnHistory.fit(
        seen.tally[known],
        seen.mean[known],
        seen.slot[known],
        y=y[known],
        channel=log.channel[known],
        begins=log.begins_series[known],
        rates=sigmoid(prior.level),
        weight=log.counted[known],
    )
    margin = seen.log_odds(history, log.channel)
    others = cuts.others(log)
    shift = _level(np.log(seen.slot[others]), y[others], log.counted[others], (0.0, OTHER_PARTY_SPREAD**-2))
    judged = Judged(margin, y, log.counted * history.weight(seen.tally), log.channel, log.at)
    calibrators = calibrate_channels(judged.rows(known), later[known], channels)
    of_channel = [later & (log.channel == position) for position in range(channels)]
    intervals = tuple(VennAbers.fit(margin[rows], y[rows], weight=log.counted[rows]) for rows in of_channel)
    return ContactFit(prior, history, calibrators, intervals, shift)


def _fit_prior(
    log: AttemptLog,
    features: Floats,
    schema: ColumnSchema,
    learned: NDArray[np.bool_],
    options: BoosterOptions,
) -> tuple[ContactPrior, OwnHistory]:
    channels = len(log.channels)
    columns = ContactColumns.of(schema, log.channels)
    taught, channel = log.take(learned), log.channel[learned]
    y, counted = taught.success.astype(np.float64), taught.counted
    rates, begins = assumed_rates(log.channels), log.begins_series[learned]
    history = OwnHistory.default(rates)
    assumed = np.log(rates) - np.log1p(-rates)
    level = _levels(np.zeros(y.size), y, counted, channel, assumed)
    flat = SlotPattern.flat(len(log.segments), channels)
    prior = ContactPrior(columns, level, None, np.full(channels, TRUST), flat)
    known, weight = np.zeros(y.size), counted
    for _ in range(ROUNDS):
        seen = Expected.of(log, prior, features, options.threads)
        tally, mean, slot = seen.tally[learned], seen.mean[learned], seen.slot[learned]
        rates = sigmoid(prior.level)
        history = OwnHistory.fit(
            tally, mean, slot, y=y, channel=channel, begins=begins, rates=rates, weight=counted
        )
        weight, shift = counted * history.weight(tally), np.log(history.shift(tally, mean, channel))
        pattern = SlotPattern.fit(taught, prior.level[channel] + shift, weight)
        known = pattern.of(taught) + shift
        level = _levels(known, y, weight, channel, assumed)
        prior = replace(prior, level=level, pattern=pattern)
    values, offset = columns.values(features[taught.row], channel), prior.level[channel] + known
    booster = _booster(values, y, columns, options, weight=weight, offset=offset)
    return replace(prior, booster=booster), history


def _trust(mean: Floats, known: Floats, y: Floats, log: AttemptLog, prior: ContactPrior) -> Floats:
    """Return per channel by what the trees' part is best multiplied, shrunk to that of all channels.

    Arrays are of the attempts of `log`: `mean` are the odds of an average slot with the trees at their prior
    trust, `known` the log-odds with all that is known.
    """
    channel = log.channel
    learned = (np.log(mean) - prior.level[channel]) / prior.trust[channel]
    rest = known - prior.trust[channel] * learned
    pooled = _slope(learned, rest, y, log.counted, (TRUST, TRUST_SPREAD))
    own = [channel == position for position in range(len(prior.level))]
    doubt = (pooled, TRUST_SPREAD / 2.0)
    found = [_slope(learned[rows], rest[rows], y[rows], log.counted[rows], doubt) for rows in own]
    return np.asarray(np.clip(np.array(found), 0.0, MOST_TRUST))


def _slope(column: Floats, offset: Floats, y: Floats, weight: Floats, prior: tuple[float, float]) -> float:
    mean, spread = prior
    normal = Prior((mean, 0.0), (spread**-2, 1.0))
    return fit_logistic((column, np.ones(y.size)), y, weight, offset=offset, prior=normal).coefficients[0]


def _booster(
    values: Floats,
    y: Floats,
    columns: ContactColumns,
    options: BoosterOptions,
    *,
    weight: Floats,
    offset: Floats,
) -> Booster | None:
    try:
        return Booster.fit(values, y, schema=columns, options=options, weight=weight, offset=offset)
    except NotEnoughData as error:
        logger.warning("contact model without features: %s", error)
        return None


def _levels(offset: Floats, y: Floats, weight: Floats, channel: Ints, assumed: Floats) -> Floats:
    """Return each channel's log-odds, the assumed rate counting as `PRIOR_ATTEMPTS` attempts."""
    found = []
    for position, mean in enumerate(assumed.tolist()):
        rows = channel == position
        rate = 1.0 / (1.0 + np.exp(-mean))
        precision = PRIOR_ATTEMPTS * rate * (1.0 - rate)
        found.append(_level(offset[rows], y[rows], weight[rows], (mean, float(precision))))
    return np.array(found)


def _level(offset: Floats, y: Floats, weight: Floats, prior: tuple[float, float]) -> float:
    mean, precision = prior
    fit = fit_logistic((np.ones(y.size),), y, weight, offset=offset, prior=Prior((mean,), (precision,)))
    return fit.coefficients[0]


def contact_facts(fit: ContactFit, log: AttemptLog, cuts: Cuts) -> dict[str, Any]:
    """Return per channel what the model rests on, as JSON values."""
    learned = cuts.learned(log) | cuts.calibration(log)
    won = log.success[learned]
    channels = len(log.channels)
    return {
        "attempts": np.bincount(log.channel[learned], minlength=channels).tolist(),
        "successes": np.bincount(log.channel[learned][won], minlength=channels).tolist(),
        "other_party_attempts": int(cuts.others(log).sum()),
        "calibrated_on": int(cuts.calibration(log).sum()),
        "learned_until": cuts.test_from,
        "comparisons": list(fit.prior.pattern.comparisons),
    }
