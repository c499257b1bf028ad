"""What an account's own attempts say against what was expected of them: shrunk shifts of the odds.

With `k` the strength of an account's prior rate μ, `n` own attempts of which `s` succeeded where `e` were
expected, the odds of every slot are multiplied by ::

    (s + kμ) / (n − s + k(1 − μ))  ÷  (e + kμ) / (n − e + k(1 − μ))

which is 1 without attempts or where all went as expected, the beta-binomial posterior where every attempt had
the rate μ, and the account's own odds over those expected in the limit. Attempts on other channels count by
the share `kinship`. The slot's own attempts are then shrunk to the shifted rate with `slot_strength`.

What is learned here is chosen by the likelihood of each attempt given the account's earlier ones. The product
of those is the marginal likelihood, in which neither the number of attempts nor stopping after a success
matters: who is called more often weighs no more for being called. A series also stops for reasons that the
log does not show as a success (the money is on its way, the message was read), and who is tried once more
within it is chosen by them; so only attempts that begin a series choose, where there are enough.

The strength of a channel is learned as the spread τ of accounts in log-odds, ``k + 1 = 1 ÷ (τ² μ (1 − μ))``
with the channel's rate μ: a number that channels can share. Counted in attempts they cannot: what ten calls
say of an account takes a hundred e-mails, of which one in fifty is answered. The spread of each channel is
shrunk to that of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from recobro_score.models.contact.log import HISTORY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.contact.log import AttemptLog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SPREADS = tuple(np.geomspace(0.1, 1.4, 24).tolist())
DEFAULT_SPREAD = 0.9
"""Standard deviation, in log-odds, of how easily an account is reached on a channel: what is tried, and what
is taken where too few accounts were attempted twice to choose."""
SPREAD_DOUBT, OWN_DOUBT = 0.5, 0.25
"""Prior standard deviations of the logarithm of the spread that channels share around the default, and of one
channel's around that."""
LEAST_STRENGTH = 1.0
KINSHIPS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)
SLOT_STRENGTHS = (20.0, 50.0, 150.0, 500.0, 2000.0)
DEFAULT_KINSHIP = 0.2
DEFAULT_SLOT_STRENGTH = 150.0
MIN_REPEATED = 200
"""Fewest attempts with history before them that choose a number."""

OWN, KIN = slice(0, 3), slice(3, 6)
"""Columns of a tally: tried, won, expected on the attempt's channel; the same on the others."""
SLOT_TRIED, SLOT_WON = 6, 7


def odds_shift(n: Any, s: Any, e: Any, mu: Any, k: Any) -> Any:  # noqa: ANN401 - numbers or arrays alike
    """Return the factor on the odds; the formula of this module."""
    hits = k * mu
    misses = k - hits
    return (s + hits) / (n - s + misses) * ((n - e + misses) / (e + hits))


_odds_shift = njit(nogil=True, cache=True, inline="always")(odds_shift)


@dataclass(frozen=True, slots=True)
class OwnHistory:
    """How much an account's own attempts count.

    Parameters
    ----------
    strength : tuple of float, length C
        Per channel, how many attempts the prior rate is worth.
    kinship : float
        What an attempt on another channel counts, in attempts on the channel.
    slot_strength : float
        How many attempts in one slot the account's shifted rate is worth.
    """

    strength: tuple[float, ...]
    kinship: float
    slot_strength: float

    @classmethod
    def default(cls, rates: Floats) -> OwnHistory:
        """Return the assumed numbers for channels of these rates, shape (C,)."""
        return cls(_strengths(DEFAULT_SPREAD, rates), DEFAULT_KINSHIP, DEFAULT_SLOT_STRENGTH)

    @classmethod
    def fit(
        cls,
        tally: Floats,
        mean_odds: Floats,
        slot_odds: Floats,
        *,
        y: Floats,
        channel: Ints,
        begins: NDArray[np.bool_],
        rates: Floats,
        weight: Floats | None = None,
    ) -> OwnHistory:
        """Choose the numbers under which the attempts were likeliest, each given the account's earlier ones.

        Parameters
        ----------
        tally : ndarray of shape (n, 8)
            From `tally_before`.
        mean_odds, slot_odds : ndarray of shape (n,)
            Prior odds of the attempt's account and channel, on average over slots and in its own slot.
        y : ndarray of shape (n,)
            Outcomes, 0 or 1.
        channel : int64 ndarray of shape (n,)
            Of each attempt, below C.
        begins : bool ndarray of shape (n,)
            Whether the attempt begins a series; all attempts choose where fewer than `MIN_REPEATED` do.
        rates : ndarray of shape (C,)
            Of each channel.
        weight : ndarray of shape (n,), optional
            How much each attempt counts; `MIN_REPEATED` counts attempts.
        """
        chosen, channels = cls.default(rates), len(rates)
        repeated = tally[:, OWN.start] + tally[:, KIN.start] > 0
        rows = repeated & begins if np.count_nonzero(repeated & begins) >= MIN_REPEATED else repeated
        if np.count_nonzero(rows) < MIN_REPEATED:
            return chosen
        tally, mean_odds, slot_odds, y = (part[rows] for part in (tally, mean_odds, slot_odds, y))
        channel, counts = channel[rows], np.ones(y.size) if weight is None else weight[rows]

        def fitness(candidate: OwnHistory) -> Floats:
            odds = candidate.posterior_odds(tally, mean_odds, slot_odds, channel)
            gain = counts * (y * np.log(odds) - np.log1p(odds))
            return np.bincount(channel, weights=gain, minlength=channels).astype(np.float64)

        best = -np.inf
        for kinship in KINSHIPS:
            tried = [fitness(cls(_strengths(tau, rates), kinship, SLOT_STRENGTHS[-1])) for tau in SPREADS]
            spread, total = _likeliest(np.stack(tried))
            if total > best:
                best, chosen = total, cls(_strengths(spread, rates), kinship, DEFAULT_SLOT_STRENGTH)
        by_slot = [
            float(fitness(cls(chosen.strength, chosen.kinship, slot)).sum()) for slot in SLOT_STRENGTHS
        ]
        return cls(chosen.strength, chosen.kinship, SLOT_STRENGTHS[int(np.argmax(by_slot))])

    def shift(self, tally: Floats, mean_odds: Floats, channel: Ints) -> Floats:
        """Return the factor that each attempt's history puts on its odds."""
        n, s, e = (tally[:, OWN] + self.kinship * tally[:, KIN]).T
        factor = odds_shift(n, s, e, mean_odds / (1.0 + mean_odds), np.array(self.strength)[channel])
        return np.where(n > 0.0, factor, 1.0)

    def posterior_odds(self, tally: Floats, mean_odds: Floats, slot_odds: Floats, channel: Ints) -> Floats:
        """Return the odds of each attempt given the account's earlier ones."""
        odds = slot_odds * self.shift(tally, mean_odds, channel)
        hits = tally[:, SLOT_WON] + self.slot_strength * (odds / (1.0 + odds))
        misses = tally[:, SLOT_TRIED] - tally[:, SLOT_WON] + self.slot_strength / (1.0 + odds)
        return np.where(tally[:, SLOT_TRIED] > 0.0, hits / misses, odds)

    def weight(self, tally: Floats) -> Floats:
        """Return what an attempt counts in what is said of accounts in general: ``1 / (1 + n)``.

        All attempts of one account on a channel together never weigh more than a few, so that those called
        often (because they are hard to reach, it may be) do not set the level of all others. Weights that
        depend on earlier attempts only leave estimates from each attempt given the earlier ones unbiased.
        """
        return np.asarray(1.0 / (1.0 + tally[:, OWN.start] + self.kinship * tally[:, KIN.start]))

    def to_state(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {
            "strength": list(self.strength),
            "kinship": self.kinship,
            "slot_strength": self.slot_strength,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> OwnHistory:
        """Return the numbers written by `to_state`."""
        return cls(tuple(state["strength"]), state["kinship"], state["slot_strength"])


def _strengths(spread: Floats | float, rates: Floats) -> tuple[float, ...]:
    """Return the strengths of channels whose accounts differ by a spread in log-odds."""
    strength = 1.0 / (np.square(spread) * rates * (1.0 - rates)) - 1.0
    return tuple(np.maximum(strength, LEAST_STRENGTH).tolist())


def _likeliest(fitness: Floats) -> tuple[Floats, float]:
    """Return the spread of each channel, shrunk to that of all, and the penalised fitness of these.

    `fitness` are the log-likelihoods per spread of `SPREADS` and channel.
    """
    size = np.log(SPREADS)
    doubt = 0.5 * ((size - np.log(DEFAULT_SPREAD)) / SPREAD_DOUBT) ** 2
    shared = int((fitness.sum(axis=1) - doubt).argmax())
    own = fitness - 0.5 * ((size - size[shared]) / OWN_DOUBT)[:, None] ** 2
    return np.exp(size[own.argmax(axis=0)]), float(own.max(axis=0).sum() - doubt[shared])


def tally_before(log: AttemptLog, odds: Floats, factors: Floats) -> Floats:
    """Return what each attempt's account had to show before it.

    Only attempts on the debtor count that were made and known before the attempt, within a year.

    Parameters
    ----------
    log : AttemptLog
    odds : ndarray of shape (n, C)
        Prior odds of the attempt's account on every channel, on average over slots.
    factors : ndarray of shape (K + 1, C, 15, 7)
        What segment, channel, slot and weekday do to them.

    Returns
    -------
    ndarray of shape (n, 8)
        Tried, won and expected on the same channel; the same on the others; tried and won in the same
        channel and slot.
    """
    out = np.zeros((len(log), 8))
    _tally(
        log.offsets,
        (log.at, log.known_at, log.channel, log.slot, log.weekday, log.segment),
        (log.success, log.other_party, log.tried_before, log.won_before),
        odds,
        factors,
        out,
    )
    return out


@njit(nogil=True, cache=True)
def _tally(offsets, when, what, odds, factors, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    at, known_at, channel, slot, weekday, segment = when
    success, other_party, tried_before, won_before = what
    for account in range(len(offsets) - 1):
        for i in range(offsets[account], offsets[account + 1]):
            own = channel[i]
            mean = odds[i, own] / (1.0 + odds[i, own])
            out[i, 0] = tried_before[i]
            out[i, 1] = won_before[i]
            out[i, 2] = tried_before[i] * mean
            for j in range(offsets[account], offsets[account + 1]):
                if at[j] >= at[i]:
                    break
                if known_at[j] >= at[i] or at[j] < at[i] - HISTORY or other_party[j]:
                    continue
                c = channel[j]
                expected = odds[i, c] * factors[segment[j], c, slot[j], weekday[j]]
                first = 0 if c == own else 3
                out[i, first] += 1.0
                out[i, first + 1] += success[j]
                out[i, first + 2] += expected / (1.0 + expected)
                if c == own and slot[j] == slot[i]:
                    out[i, 6] += 1.0
                    out[i, 7] += success[j]


@njit(nogil=True, cache=True)
def forecast(  # type: ignore[no-untyped-def]  # noqa: ANN201
    offsets,  # noqa: ANN001
    log,  # noqa: ANN001
    account,  # noqa: ANN001
    factors,  # noqa: ANN001
    rules,  # noqa: ANN001
    out,  # noqa: ANN001
):
    """Fill the odds of account i, channel c and slot j, and count the account's attempts per channel.

    `log` is (channel, slot, weekday, success) with channel −1 for what does not count; `account` is (segment,
    weekday, odds); `rules` are (strength, kinship, slot_strength); `out` is (attempts, odds on average over
    slots, odds of every slot).
    """
    channel, slot, weekday, success = log
    segment, today, odds = account
    strength, kinship, slot_strength = rules
    attempts, typical, result = out
    channels, slots = result.shape[1], result.shape[2]
    tried = np.zeros((channels, slots + 1))
    won = np.zeros((channels, slots + 1))
    sums = np.zeros((channels, 3))
    for i in range(len(result)):
        tried[:] = 0.0
        won[:] = 0.0
        sums[:] = 0.0
        for row in range(offsets[i], offsets[i + 1]):
            c = channel[row]
            if c >= 0:
                expected = odds[i, c] * factors[segment[i], c, slot[row], weekday[row]]
                tried[c, slot[row]] += 1.0
                won[c, slot[row]] += success[row]
                sums[c, 0] += 1.0
                sums[c, 1] += success[row]
                sums[c, 2] += expected / (1.0 + expected)
        for c in range(channels):
            attempts[i, c] = np.int32(sums[c, 0])
            kin_n, kin_s, kin_e = 0.0, 0.0, 0.0
            for other in range(channels):
                if other != c:
                    kin_n += sums[other, 0]
                    kin_s += sums[other, 1]
                    kin_e += sums[other, 2]
            n = sums[c, 0] + kinship * kin_n
            shift = 1.0
            if n > 0.0:
                mean = odds[i, c] / (1.0 + odds[i, c])
                shift = _odds_shift(
                    n, sums[c, 1] + kinship * kin_s, sums[c, 2] + kinship * kin_e, mean, strength[c]
                )
            typical[i, c] = odds[i, c] * shift
            for j in range(slots):
                o = typical[i, c] * factors[segment[i], c, j, today[i]]
                if tried[c, j] > 0.0:
                    hits = won[c, j] + slot_strength * (o / (1.0 + o))
                    o = hits / (tried[c, j] - won[c, j] + slot_strength / (1.0 + o))
                result[i, c, j] = o
