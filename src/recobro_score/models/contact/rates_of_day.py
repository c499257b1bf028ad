"""The rates of every account on one day: the trees once per account and channel, arithmetic for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.calendars import local_clock
from recobro_score.errors import ContractError, SchemaMismatch
from recobro_score.models.contact.attempts import SLOTS, account_segments, visible_attempts
from recobro_score.models.contact.history import forecast
from recobro_score.models.contact.log import on_other_party, snapshots_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.contact.fit import ContactFit

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ACCOUNTS_PER_BLOCK = 8192
"""Accounts computed together; results do not depend on it."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where and when accounts are to be reached.

    Parameters
    ----------
    as_of : int
        µs UTC: attempts visible before it count.
    segment, weekday : int64 ndarray of shape (n,)
        Segment of each account, and local day of the week.
    """

    as_of: int
    segment: Ints
    weekday: Ints

    @classmethod
    def of(
        cls, store: EventStore, as_of: int, segments: tuple[str, ...], *, weekday: int | None = None
    ) -> Whereabouts:
        """Return those of the store's accounts; the local day of the as-of where no weekday is given."""
        n = store.n_accounts
        if weekday is None:
            day = local_clock(np.full(n, as_of, dtype=np.int64), store.zone, store.zones).weekday
        else:
            day = np.full(n, weekday, dtype=np.int64)
        return cls(as_of, account_segments(store, segments), day)


@dataclass(frozen=True, slots=True)
class ContactRatesOfDay:
    """Calibrated probabilities of an attempt, and what they are made of.

    Parameters
    ----------
    attempts : int32 ndarray of shape (n, C)
        The account's own counted attempts.
    typical : ndarray of shape (n, C)
        Log-odds in an average slot, before calibration.
    rate : float32 ndarray of shape (n, C, 14)
        In every slot.
    others : float32 ndarray of shape (n, C, 14)
        Of other parties than the debtor, who have no history here.
    """

    attempts: NDArray[np.int32]
    typical: Floats
    rate: NDArray[np.float32]
    others: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """P(reached by one attempt in an average slot), per account; arrays of shape (n,).

    Parameters
    ----------
    probability : ndarray
    low, high : ndarray
        What the attempts that calibrated the channel leave open (Venn-Abers).
    assumed : bool
        Whether no attempt was seen on the channel.
    """

    probability: Floats
    low: Floats
    high: Floats
    assumed: bool


def one_as_of(fit: ContactFit, store: EventStore, matrix: FeatureMatrix) -> int:
    """Return the as-of of a matrix that a model can be asked for.

    Raises
    ------
    SchemaMismatch
        If it is of another schema than that of training.
    ContractError
        If its rows are not those of the store, or of several as-ofs.
    """
    known = fit.prior.columns.source.hash
    if matrix.schema.hash != known:
        msg = f"The model knows schema {known[:12]}, got {matrix.schema.hash[:12]}."
        raise SchemaMismatch(msg)
    as_ofs = snapshots_of(store, matrix)
    if len(as_ofs) > 1:
        msg = f"Contact is predicted at one as-of, the features are of {len(as_ofs)}."
        raise ContractError(msg)
    return as_ofs[0] if as_ofs else 0


def rates_of_day(
    fit: ContactFit, store: EventStore, features: Floats, where: Whereabouts, *, threads: int = 1
) -> ContactRatesOfDay:
    """Return the rates of every account of a store.

    Parameters
    ----------
    fit : ContactFit
    store : EventStore
    features : ndarray of shape (n, p)
        Of every account, in order.
    where : Whereabouts
    threads : int
        Threads of the trees; they change no bit.
    """
    shape = (store.n_accounts, len(fit.calibrators))
    found = ContactRatesOfDay(
        np.zeros(shape, dtype=np.int32),
        np.empty(shape),
        np.empty((*shape, len(SLOTS)), dtype=np.float32),
        np.empty((*shape, len(SLOTS)), dtype=np.float32),
    )
    contacts = store.tables["contacts"]
    seen = visible_attempts(store, where.as_of, fit.prior.columns.channels)
    channel = np.where(on_other_party(store, where.as_of), -1, seen.channel)
    log = (channel, seen.slot, contacts.columns["local_weekday"].astype(np.int64), seen.success)
    factors, history = fit.prior.factors, fit.history
    rules = (np.array(history.strength), history.kinship, history.slot_strength)
    for low in range(0, shape[0], ACCOUNTS_PER_BLOCK):
        block = slice(low, low + ACCOUNTS_PER_BLOCK)
        segment, weekday = where.segment[block], where.weekday[block]
        odds = np.exp(fit.prior.margins(features[block], threads=threads))
        typical, slots = np.empty(odds.shape), np.empty((*odds.shape, len(SLOTS)))
        forecast(
            contacts.offsets[low : low + len(odds) + 1],
            log,
            (segment, weekday, odds),
            factors,
            rules,
            (found.attempts[block], typical, slots),
        )
        by_slot = factors[segment, :, : len(SLOTS), weekday]
        others = odds[:, :, None] * np.exp(fit.other_party) * by_slot
        for c, calibrator in enumerate(fit.calibrators):
            found.typical[block, c] = np.log(typical[:, c])
            found.rate[block, c] = calibrator.probability(np.log(slots[:, c]))
            found.others[block, c] = calibrator.probability(np.log(others[:, c]))
    return found
