"""The best ways to reach an account: which party, on which contact point, channel and hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recobro_score.errors import ContractError
from recobro_score.models.contact.attempts import assumed_rates, visible_attempts
from recobro_score.policy.stops import usable_points
from recobro_score.policy.views import visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore
    from recobro_score.models.contact.rates import ContactForecast

    Ints = NDArray[np.int64]

DEBTOR = "debtor"
POINT_STRENGTH = 5.0
"""What the channel's assumed rate counts against a contact point's own attempts, in attempts."""
NO_POINT = -1


@dataclass(frozen=True, slots=True, eq=False)
class BestContacts:
    """Proposals, the likeliest of each account first; arrays of shape (m,), by account and rank.

    Attributes
    ----------
    account : int64 array
        Account code.
    rank : int64 array
        From 1.
    role : array of str
        ``debtor`` or the role of another party.
    party_id : array of str
        The party's debtor id.
    channel : array of str
    contact_point_id : array of str or None
        None where the debtor has no known contact point on any channel.
    hour : int64 array
        Start of the slot, local to the debtor.
    probability : float64 array
    account_ids : pyarrow.StringArray
        The outside id of every account code.
    """

    account: Ints
    rank: Ints
    role: NDArray[np.object_]
    party_id: NDArray[np.object_]
    channel: NDArray[np.object_]
    contact_point_id: NDArray[np.object_]
    hour: Ints
    probability: NDArray[np.float64]
    account_ids: pa.StringArray

    def frame(self) -> pd.DataFrame:
        """Return one row per proposal.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``rank``, ``role``, ``party_id``, ``channel``, ``contact_point_id``, ``hour``,
            ``probability``. Accounts that cannot be reached have no row.
        """
        ids = self.account_ids.to_numpy(zero_copy_only=False)[self.account]
        names = ("rank", "role", "party_id", "channel", "contact_point_id", "hour", "probability")
        return pd.DataFrame({"account_id": ids, **{name: getattr(self, name) for name in names}})


class _Ways(NamedTuple):
    """Party, channel and contact point, one per row; `role` 0 is the debtor."""

    account: Ints
    party: Ints
    role: Ints
    channel: Ints
    point: Ints


def best_contacts(
    store: EventStore,
    as_of: int,
    own: ContactForecast,
    others: NDArray[np.float32],
    *,
    k: int,
    allowed: NDArray[np.bool_] | None = None,
) -> BestContacts:
    """Rank party × contact point × channel × slot by probability.

    Of several usable contact points of one party on a channel the one that has answered best is proposed,
    then the one known last. A debtor who has contact points, but no usable one on a channel, is not proposed
    on it; one of whom none is known at all is proposed without. Other parties need a usable contact point.
    Equal probabilities go by role (the debtor first), channel, hour and party.

    Parameters
    ----------
    store : EventStore
        Accounts that a malformed row stops, and all where contact is blocked, get no proposal. Other parties
        are found as far as the store holds their contact points: not in a store cut by account.
    as_of : int
        µs UTC.
    own : ContactForecast
        Probabilities of the debtors.
    others : float32 ndarray of shape (n, C, 14)
        Probabilities of other parties.
    k : int
        Most proposals per account.
    allowed : bool ndarray of shape (n, C) or (n, C, 14), optional
        All where absent.

    Raises
    ------
    ContractError
        If `k` is less than 1 or `allowed` has another shape.
    """
    shape = own.rate.shape
    if k < 1 or (allowed is not None and allowed.shape not in (shape, shape[:2])):
        got = None if allowed is None else allowed.shape
        msg = f"best_contact needs k of at least 1 and `allowed` of shape {shape[:2]} or {shape}: {k=}, {got}"
        raise ContractError(msg)
    free = np.ones(shape, dtype=np.bool_)
    if allowed is not None:
        free &= allowed if allowed.ndim == len(shape) else allowed[:, :, None]
    free[store.stopped] = False
    free &= not store.blocked
    roles, ways = _ways(store, as_of, own.channels)
    rate = np.where(
        (ways.role == 0)[:, None], own.rate[ways.account, ways.channel], others[ways.account, ways.channel]
    )
    way, slot = np.nonzero(free[ways.account, ways.channel])
    rate = rate[way, slot]
    account = ways.account[way]
    order = np.lexsort(
        (ways.point[way], ways.party[way], slot, ways.channel[way], ways.role[way], -rate, account)
    )
    account = account[order]
    first = np.searchsorted(account, account)
    rank = np.arange(len(account)) - first + 1
    kept = rank <= k
    chosen = way[order][kept]
    points = np.array(
        [*store.tables["contact_points"].ids["contact_point_id"].to_pylist(), None], dtype=object
    )
    return BestContacts(
        account=account[kept],
        rank=rank[kept],
        role=np.array(roles, dtype=object)[ways.role[chosen]],
        party_id=np.array(store.debtor_ids.to_pylist(), dtype=object)[ways.party[chosen]],
        channel=np.array(own.channels, dtype=object)[ways.channel[chosen]],
        contact_point_id=points[ways.point[chosen]],
        hour=np.array(own.slots)[slot[order][kept]],
        probability=rate[order][kept].astype(np.float64),
        account_ids=store.account_ids,
    )


def _ways(store: EventStore, as_of: int, channels: tuple[str, ...]) -> tuple[list[str], _Ways]:
    best = _best_points(store, as_of, channels)
    roles, account, party, role = _parties(store, as_of)
    found = best[party]
    table = store.tables["contact_points"]
    known = np.zeros(len(store.debtor_ids), dtype=np.bool_)
    known[table.owner()[visible(table, as_of)]] = True
    proposed = (found != NO_POINT) | ((role == 0) & ~known[party])[:, None]
    row, channel = np.nonzero(proposed)
    return roles, _Ways(account[row], party[row], role[row], channel.astype(np.int64), found[row, channel])


def _parties(store: EventStore, as_of: int) -> tuple[list[str], Ints, Ints, Ints]:
    """Return the roles, and account, debtor code and role of everybody who answers for an account."""
    table = store.tables["parties"]
    words = [word for word in table.vocabularies["role"] if word != DEBTOR]
    place = pc.index_in(table.ids["debtor_id"], value_set=store.debtor_ids).fill_null(-1)
    party = place.to_numpy(zero_copy_only=False).astype(np.int64)
    owner = table.owner()
    code = np.array([words.index(w) + 1 if w in words else 0 for w in table.vocabularies["role"]] + [0])
    role = code[table.columns["role"]]
    other = visible(table, as_of) & (party >= 0) & (party != store.account_debtor[owner]) & (role > 0)
    accounts = np.arange(store.n_accounts)
    return (
        [DEBTOR, *words],
        np.concatenate([accounts, owner[other]]),
        np.concatenate([store.account_debtor, party[other]]),
        np.concatenate([np.zeros(store.n_accounts, dtype=np.int64), role[other]]),
    )


def _best_points(store: EventStore, as_of: int, channels: tuple[str, ...]) -> Ints:
    """Return the row of each debtor's best usable contact point per channel, `NO_POINT` without one."""
    table = store.tables["contact_points"]
    words = [channels.index(word) if word in channels else -1 for word in table.vocabularies["channel"]]
    channel = np.array([*words, -1], dtype=np.int64)[table.columns["channel"]]
    rows = np.flatnonzero(usable_points(store, as_of) & (channel >= 0))
    tried, won = _point_counts(store, as_of, channels)
    share = (won + POINT_STRENGTH * assumed_rates(channels)[channel]) / (tried + POINT_STRENGTH)
    owner, of = table.owner()[rows], channel[rows]
    order = np.lexsort((-rows, table.known_at[rows], share[rows]))
    best = np.full((len(store.debtor_ids), len(channels)), NO_POINT, dtype=np.int64)
    best[owner[order], of[order]] = rows[order]
    return best


def _point_counts(store: EventStore, as_of: int, channels: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Return how often each contact point was tried and answered."""
    seen, contacts = visible_attempts(store, as_of, channels), store.tables["contacts"]
    points = store.tables["contact_points"].ids["contact_point_id"]
    place = pc.index_in(contacts.ids["contact_point_id"], value_set=points).fill_null(-1)
    point = place.to_numpy(zero_copy_only=False).astype(np.int64)
    used = (seen.channel >= 0) & (point >= 0)
    size = len(points)
    return (
        np.bincount(point[used], minlength=size),
        np.bincount(point[used & seen.success], minlength=size),
    )
