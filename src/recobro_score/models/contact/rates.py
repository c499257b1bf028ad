"""Smoothed contact rates: the first version of the contact model.

Rates are shrunk step by step, so that every cell has one and thin cells borrow: documented prior → channel →
channel × part of the day → country × channel × hour → the same on weekdays, Saturdays and Sundays → the
account's own history. Each step is a beta-binomial mean, ``(successes + k·parent) / (attempts + k)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.calendars import local_clock
from recobro_score.data.compiled import entered
from recobro_score.errors import BundleError, ColumnNotFound, hint
from recobro_score.models.contact.attempts import (
    CHANNELS,
    DAY_CLASSES,
    OTHER_HOURS,
    SLOTS,
    Attempts,
    account_segments,
    assumed_rates,
    day_class,
    visible_attempts,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore

FORMAT_VERSION = 1

CHANNEL_STRENGTH = 20.0
PART_STRENGTH = 30.0
SEGMENT_STRENGTH = 50.0
DAY_STRENGTH = 50.0
SLOT_STRENGTH = 20.0
"""Weak on purpose: an account's attempts speak twice, for their channel and for their slot."""
OWN_STRENGTH = 10.0
"""Used where too few accounts have two attempts to estimate it."""
OWN_STRENGTH_RANGE = (2.0, 200.0)
MIN_REPEATED_ACCOUNTS = 50

_STATE_ARRAYS: Mapping[str, Any] = {
    "rate": np.float64,
    "typical_rate": np.float64,
    "strength": np.float64,
    "attempts": np.int64,
    "successes": np.int64,
}
_PART_OF_SLOT = np.array([0] * 4 + [1] * 3 + [2] * 4 + [3] * 3 + [4])


@dataclass(frozen=True, slots=True)
class ContactForecast:
    """The chance that an attempt is answered, per account, channel and hour.

    Attributes
    ----------
    account_ids : pyarrow.StringArray, shape (n,)
        The accounts, in the order of the store.
    channels : tuple of str
        The C channels.
    slots : tuple of int
        The 14 start hours, 7 to 20.
    rate : float32 array, shape (n, C, 14)
        P(right party reached or replied | one attempt), strictly between 0 and 1.
    attempts : int32 array, shape (n, C)
        The account's own counted attempts behind it.
    has_log : bool
        False if the rates were learned from no attempt at all: then they are assumptions.
    """

    account_ids: pa.StringArray
    channels: tuple[str, ...]
    slots: tuple[int, ...]
    rate: NDArray[np.float32]
    attempts: NDArray[np.int32]
    has_log: bool

    def frame(self) -> pd.DataFrame:
        """Return one row per account and channel.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``channel``, ``attempts`` and one rate per slot, ``slot_07`` to ``slot_20``.
        """
        n, width = self.attempts.shape
        flat = self.rate.reshape(n * width, len(self.slots))
        return pd.DataFrame(
            {
                "account_id": np.repeat(self.account_ids.to_numpy(zero_copy_only=False), width),
                "channel": np.tile(np.array(self.channels, dtype=object), n),
                "attempts": self.attempts.ravel(),
                **{f"slot_{hour:02d}": flat[:, j] for j, hour in enumerate(self.slots)},
            }
        )


@dataclass(frozen=True, slots=True)
class ContactRates:
    """Contact rates of segments, learned from the attempts visible at an instant.

    Attributes
    ----------
    channels : tuple of str
        The C channels.
    countries : tuple of str
        The K countries seen; a country not seen uses the rates of its channel and part of the day.
    rate : float64 array, shape (K + 1, 3, C, 15)
        Rate by country (last: any other), class of day, channel and slot (last: hours outside the slots).
    typical_rate : float64 array, shape (C,)
        Rate of the channel over everything.
    strength : float64 array, shape (C,)
        How many attempts of its own an account needs to count as much as its segment.
    attempts, successes : int64 array, shape (C,)
        What the rates rest on.
    as_of : int
        Only attempts before this instant were seen.

    Notes
    -----
    The strength is the moment estimate of the beta-binomial's ``1/r − 1`` from accounts with two or more
    attempts, ``r = (Σ(s − e)² − Σv) / Σ v(n − 1)`` with `e` the expected successes of an account and `v`
    their binomial variance (Kleinman 1973, JASA 68).
    """

    channels: tuple[str, ...]
    countries: tuple[str, ...]
    rate: NDArray[np.float64]
    typical_rate: NDArray[np.float64]
    strength: NDArray[np.float64]
    attempts: NDArray[np.int64]
    successes: NDArray[np.int64]
    as_of: int

    @classmethod
    def fit(cls, store: EventStore, as_of: int, *, channels: tuple[str, ...] = CHANNELS) -> ContactRates:
        """Learn the rates from the attempts visible before `as_of`.

        Parameters
        ----------
        store : EventStore
            The portfolio; its contact log may be empty.
        as_of : int
            Instant in µs UTC.
        channels : tuple of str
            Channels to learn; attempts on others are left out.
        """
        log = visible_attempts(store, as_of, channels)
        used = log.channel >= 0
        countries = store.vocabularies["accounts.country"]
        shape = (len(countries) + 1, len(DAY_CLASSES), len(channels), len(SLOTS) + 1)
        country = account_segments(store, countries)[log.account]
        seen = (country[used], log.day[used], log.channel[used], log.slot[used])
        cell = np.ravel_multi_index(seen, shape)
        size = int(np.prod(shape))
        tried = np.bincount(cell, minlength=size).reshape(shape)
        won = np.bincount(cell[log.success[used]], minlength=size).reshape(shape)
        rate, typical = _shrunk_rates(tried, won, assumed_rates(channels))
        return cls(
            channels=channels,
            countries=countries,
            rate=rate,
            typical_rate=typical,
            strength=_own_strength(log, rate.reshape(-1)[cell], (store.n_accounts, len(channels))),
            attempts=tried.sum(axis=(0, 1, 3)),
            successes=won.sum(axis=(0, 1, 3)),
            as_of=as_of,
        )

    @property
    def has_log(self) -> bool:
        """Whether any attempt was seen; if not, every rate is an assumption."""
        return bool(self.attempts.sum() > 0)

    def typical(self, channel: str) -> float:
        """Return the rate of a channel over all segments and slots.

        Raises
        ------
        ColumnNotFound
            If the channel was not learned.
        """
        if channel not in self.channels:
            msg = f"no contact rates for the channel {channel!r}.{hint(channel, self.channels)}"
            raise ColumnNotFound(msg)
        return float(self.typical_rate[self.channels.index(channel)])

    def predict(self, store: EventStore, as_of: int) -> ContactForecast:
        """Return the rates of every account on its local day of `as_of`.

        Parameters
        ----------
        store : EventStore
            One account or many: an account's rates are the same bits either way.
        as_of : int
            Instant in µs UTC; only attempts visible before it count.
        """
        n = store.n_accounts
        log = visible_attempts(store, as_of, self.channels)
        today = local_clock(np.full(n, as_of, dtype=np.int64), store.zone, store.zones)
        attempts = np.zeros((n, len(self.channels)), dtype=np.int32)
        rate = np.empty((n, len(self.channels), len(SLOTS)), dtype=np.float32)
        _forecast(
            store.tables["contacts"].offsets,
            (log.channel, log.slot, log.day, log.success),
            (account_segments(store, self.countries), day_class(today.weekday)),
            (self.rate, self.typical_rate, self.strength),
            attempts,
            rate,
        )
        return ContactForecast(store.account_ids, self.channels, SLOTS, rate, attempts, self.has_log)

    def frame(self) -> pd.DataFrame:
        """Return the segment rates.

        Returns
        -------
        pandas.DataFrame
            ``country`` (``*``: any other), ``day``, ``channel``, ``slot`` (start hour) and ``rate``.
        """
        levels = ([*self.countries, "*"], list(DAY_CLASSES), list(self.channels), list(SLOTS))
        index = pd.MultiIndex.from_product(levels, names=["country", "day", "channel", "slot"])
        return index.to_frame(index=False).assign(rate=self.rate[..., :OTHER_HOURS].ravel())

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values; `from_json` gives the same bits back."""
        arrays = {name: getattr(self, name).tolist() for name in _STATE_ARRAYS}
        lists = {"channels": list(self.channels), "countries": list(self.countries)}
        return {"format": FORMAT_VERSION, "as_of": self.as_of, **lists, **arrays}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> ContactRates:
        """Return the rates kept by `to_json`.

        Raises
        ------
        BundleError
            If the state is of another format.
        """
        if state.get("format") != FORMAT_VERSION:
            msg = f"contact rates of format {state.get('format')!r}; this release reads {FORMAT_VERSION}"
            raise BundleError(msg)
        known: dict[str, Any] = {name: np.array(state[name], kind) for name, kind in _STATE_ARRAYS.items()}
        known |= {name: tuple(state[name]) for name in ("channels", "countries")}
        return cls(as_of=int(state["as_of"]), **known)


def _shrunk_rates(
    tried: NDArray[np.int64], won: NDArray[np.int64], prior: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rates of shape (K + 1, 3, C, 15) and of the channels alone."""
    by_slot = (tried.sum(axis=(0, 1)), won.sum(axis=(0, 1)))
    channel = _shrink(by_slot[0].sum(axis=1), by_slot[1].sum(axis=1), prior, CHANNEL_STRENGTH)
    member = np.arange(_PART_OF_SLOT[-1] + 1)[:, None] == _PART_OF_SLOT
    in_part = [np.stack([counts[:, slots].sum(axis=1) for slots in member], axis=1) for counts in by_slot]
    part = _shrink(in_part[0], in_part[1], channel[:, None], PART_STRENGTH)[:, _PART_OF_SLOT]
    segment = _shrink(tried.sum(axis=1), won.sum(axis=1), part[None], SEGMENT_STRENGTH)
    rate = _shrink(tried, won, segment[:, None], DAY_STRENGTH)
    rate[-1] = part
    return rate, channel


def _shrink(
    tried: NDArray[np.int64], won: NDArray[np.int64], parent: NDArray[np.float64], strength: float
) -> NDArray[np.float64]:
    shrunk: NDArray[np.float64] = (won + strength * parent) / (tried + strength)
    return shrunk


def _own_strength(
    log: Attempts, expected: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return per channel how many attempts the segment's rate is worth against an account's own."""
    used = log.channel >= 0
    owner = log.account[used] * shape[1] + log.channel[used]
    size = shape[0] * shape[1]
    n = np.bincount(owner, minlength=size).reshape(shape)
    s = np.bincount(owner[log.success[used]], minlength=size).reshape(shape)
    e = np.bincount(owner, weights=expected, minlength=size).reshape(shape)
    v = np.bincount(owner, weights=expected * (1.0 - expected), minlength=size).reshape(shape)
    repeated = n >= 2
    excess = np.where(repeated, (s - e) ** 2 - v, 0.0).sum(axis=0)
    scale = np.where(repeated, v * (n - 1), 0.0).sum(axis=0)
    low, high = OWN_STRENGTH_RANGE
    rho = np.clip(excess / np.where(scale > 0.0, scale, 1.0), 1.0 / (1.0 + high), 1.0 / (1.0 + low))
    enough = repeated.sum(axis=0) >= MIN_REPEATED_ACCOUNTS
    return np.where(enough, 1.0 / rho - 1.0, OWN_STRENGTH)


@entered
def _forecast(offsets, log, account, segments, attempts, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill `attempts` and `out`: the account's own success shifts its segment's profile over the hours.

    The odds of every slot are multiplied by the ratio of the account's smoothed odds to those expected of its
    attempts; where all slots are alike this is the beta-binomial posterior.
    """
    channel, slot, day, success = log
    segment, today = account
    rate, typical, strength = segments
    n_channels, n_slots = out.shape[1], out.shape[2]
    tried = np.zeros((n_channels, n_slots + 1), dtype=np.int64)
    won = np.zeros((n_channels, n_slots + 1), dtype=np.int64)
    expected = np.zeros(n_channels)
    for i in range(out.shape[0]):
        tried[:] = 0
        won[:] = 0
        expected[:] = 0.0
        for row in range(offsets[i], offsets[i + 1]):
            c = channel[row]
            if c >= 0:
                tried[c, slot[row]] += 1
                won[c, slot[row]] += success[row]
                expected[c] += rate[segment[i], day[row], c, slot[row]]
        for c in range(n_channels):
            n, s = 0, 0
            for j in range(n_slots + 1):
                n += tried[c, j]
                s += won[c, j]
            attempts[i, c] = n
            hits = strength[c] * typical[c]
            misses = strength[c] - hits
            ratio = (s + hits) / (n - s + misses) / ((expected[c] + hits) / (n - expected[c] + misses))
            for j in range(n_slots):
                base = rate[segment[i], today[i], c, j]
                if n == 0:
                    out[i, c, j] = base
                    continue
                odds = base / (1.0 - base) * ratio
                shifted = odds / (1.0 + odds)
                out[i, c, j] = (won[c, j] + SLOT_STRENGTH * shifted) / (tried[c, j] + SLOT_STRENGTH)
