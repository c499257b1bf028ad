"""Attempts to learn contact from: one row each, those of one account together and in the order of time."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from recobro_score.calendars import US_PER_DAY
from recobro_score.errors import ColumnNotFound, ContractError, hint
from recobro_score.models.contact.attempts import (
    CHANNELS,
    HISTORY_DAYS,
    OTHER_HOURS,
    SLOTS,
    account_segments,
    visible_attempts,
)
from recobro_score.models.weights import check_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore
    from recobro_score.features.matrix import FeatureMatrix

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NO_ROW = -1
"""The row of an attempt that was made before the first snapshot: it counts as history only."""
HISTORY = HISTORY_DAYS * US_PER_DAY
SERIES = 14 * US_PER_DAY
"""Attempts closer than this may belong to one series, which a success ends."""

_OPTIONAL = {"account_id", "at", "known_at", "weekday", "hour", "segment", "tried_before", "won_before"}
_REQUIRED = {"channel", "success"}


@dataclass(frozen=True, slots=True, eq=False)
class AttemptLog:
    """Outbound attempts with a known outcome; arrays of shape (n,).

    Attributes
    ----------
    channels : tuple of str
        What `channel` points into.
    segments : tuple of str
        What `segment` points into; past the end is any other. Slots are learned per segment: the country.
    n_accounts : int
    account : int64 array
        Account codes, not decreasing.
    at, known_at : int64 array
        When the attempt was made and when its outcome was known; µs UTC, or any clock that counts up.
    channel, slot, weekday, segment : int64 array
        Positions in `channels`, in `SLOTS` (or `OTHER_HOURS`), Monday = 0, in `segments`.
    success : bool array
        Right party reached, or a reply.
    other_party : bool array
        Made to somebody else who answers for the account: no history of the debtor's.
    tried_before, won_before : int64 array
        Earlier attempts on the channel that are no rows of this log, and successes among them.
    row : int64 array
        Row of the feature values as of the attempt; `NO_ROW` where there is none.
    weight : float64 array or None
        How much each attempt counts to learn from and to judge by; all alike where absent. What was tried
        before a later attempt is counted once whatever it weighs: one of weight 0 is history only.
    """

    channels: tuple[str, ...]
    segments: tuple[str, ...]
    n_accounts: int
    account: Ints
    at: Ints
    known_at: Ints
    channel: Ints
    slot: Ints
    weekday: Ints
    segment: Ints
    success: NDArray[np.bool_]
    other_party: NDArray[np.bool_]
    tried_before: Ints
    won_before: Ints
    row: Ints
    weight: Floats | None = None

    def __len__(self) -> int:
        return len(self.account)

    @property
    def offsets(self) -> Ints:
        """Rows of account ``i`` are ``offsets[i]:offsets[i + 1]``."""
        return np.searchsorted(self.account, np.arange(self.n_accounts + 1)).astype(np.int64)

    @property
    def counted(self) -> Floats:
        """How much each attempt counts; ones where nothing is said."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def learnable(self) -> NDArray[np.bool_]:
        """Which attempts a model learns from: those on the debtor that have features and weigh anything."""
        return np.asarray((self.row != NO_ROW) & ~self.other_party & (self.counted > 0))

    @property
    def begins_series(self) -> NDArray[np.bool_]:
        """Which attempts have none on the account and channel within `SERIES` before them."""
        order = np.lexsort((self.at, self.channel, self.account))
        account, channel, at = (part[order] for part in (self.account, self.channel, self.at))
        begins = np.ones(len(self), dtype=np.bool_)
        same = (account[1:] == account[:-1]) & (channel[1:] == channel[:-1])
        begins[order[1:]] = ~(same & (at[1:] - at[:-1] < SERIES))
        return begins

    def take(self, rows: Ints | NDArray[np.bool_]) -> AttemptLog:
        """Return some attempts, given in their order as positions or as a mask; accounts keep their codes."""
        arrays = {
            each.name: getattr(self, each.name)[rows]
            for each in fields(self)
            if each.name not in ("channels", "segments", "n_accounts", "weight")
        }
        weight = None if self.weight is None else self.weight[rows]
        return AttemptLog(self.channels, self.segments, self.n_accounts, **arrays, weight=weight)

    def weighing(self, weights: Floats | None, n_rows: int) -> AttemptLog:
        """Return the log in which each attempt weighs what its row of the features weighs.

        Parameters
        ----------
        weights : ndarray of shape (n_rows,) or None
            Attempts without a row count once. None changes nothing.
        n_rows : int
            Rows of the features.

        Raises
        ------
        ContractError
            If they are not what weights must be.
        """
        if weights is None:
            return self
        counts = check_weights(weights, n_rows)
        return replace(self, weight=np.where(self.row == NO_ROW, 1.0, counts[self.row]))

    @classmethod
    def of(
        cls,
        store: EventStore,
        until: int,
        *,
        as_ofs: Sequence[int] = (),
        channels: tuple[str, ...] = CHANNELS,
        segments: tuple[str, ...] | None = None,
        weights: Floats | None = None,
    ) -> AttemptLog:
        """Return the attempts of a store that were made and known before an instant.

        Parameters
        ----------
        store : EventStore
            The portfolio.
        until : int
            µs UTC.
        as_ofs : sequence of int, length m
            Snapshots of the feature matrix, increasing. An attempt takes the features of the last one that is
            not after it, so nothing that happened or became known at or after the snapshot, and with it at
            or after the attempt, is in them. Its row is ``account × m + snapshot``.
        channels : tuple of str
            Channels to learn; attempts on others are left out.
        segments : tuple of str, optional
            Countries; those of the store when left out.
        weights : ndarray, optional
            How much each row of the feature matrix counts; an attempt weighs what its row does, and one from
            before the first snapshot what the account's first row does.
        """
        seen = visible_attempts(store, until, channels, history_days=np.inf)
        kept = np.flatnonzero(seen.channel >= 0)
        contacts = store.tables["contacts"]
        at, account = contacts.at[kept], seen.account[kept]
        snapshot = np.searchsorted(np.asarray(as_ofs, dtype=np.int64), at, side="right") - 1
        known = store.vocabularies["accounts.country"] if segments is None else segments
        nothing = np.zeros(len(kept), dtype=np.int64)
        return cls(
            channels=channels,
            segments=known,
            n_accounts=store.n_accounts,
            account=account,
            at=at,
            known_at=contacts.known_at[kept],
            channel=seen.channel[kept],
            slot=seen.slot[kept],
            weekday=contacts.columns["local_weekday"][kept].astype(np.int64),
            segment=account_segments(store, known)[account],
            success=seen.success[kept],
            other_party=on_other_party(store, until)[kept],
            tried_before=nothing,
            won_before=nothing,
            row=np.where(snapshot < 0, NO_ROW, account * len(as_ofs) + snapshot),
            weight=None if weights is None else weights[account * len(as_ofs) + np.maximum(snapshot, 0)],
        )

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, *, channels: Sequence[str], segments: Sequence[str] = ()
    ) -> AttemptLog:
        """Return the attempts of a plain frame, for logs that are no event tables.

        Parameters
        ----------
        frame : pandas.DataFrame
            One row per attempt: ``channel`` (word) and ``success`` (0 or 1); and, where they are known,
            ``account_id`` (each row is an account of its own without), ``at`` and ``known_at`` (numbers that
            count up; the order of the rows without), ``weekday`` (Monday = 0), ``hour`` (0 to 23),
            ``segment`` (word), ``tried_before`` and ``won_before`` (attempts on the channel that are no rows
            of the frame, and successes among them).
        channels, segments : sequence of str
            Words to learn; a channel that is not among them is refused.

        Returns
        -------
        AttemptLog
            Sorted by account and time; ``row`` is the position in the frame.

        Raises
        ------
        ColumnNotFound
            If a column is missing or unknown.
        ContractError
            If channels are unknown, outcomes not 0 or 1, weekdays or hours out of range.
        """
        _check_frame(frame, tuple(channels))
        n = len(frame)
        default: dict[str, Any] = {
            "account_id": np.arange(n),
            "at": np.arange(n),
            "weekday": 0,
            "hour": 0,
            "segment": "",
            "tried_before": 0,
            "won_before": 0,
        }
        full = frame.assign(**{name: value for name, value in default.items() if name not in frame})
        full = full if "known_at" in full else full.assign(known_at=full["at"])
        ids = pd.factorize(full["account_id"], sort=True)
        ties = [full[name].to_numpy() for name in ("success", "hour", "weekday", "known_at", "at")]
        words = pd.Index(list(channels)).get_indexer(full["channel"]).astype(np.int64)
        order = np.lexsort((*ties[:3], words, *ties[3:], ids[0]))
        slot = full["hour"].to_numpy(dtype=np.int64)[order] - SLOTS[0]
        segment = pd.Index(list(segments)).get_indexer(full["segment"]).astype(np.int64)[order]

        def column(name: str) -> Ints:
            return np.asarray(full[name].to_numpy(dtype=np.int64)[order])

        return cls(
            channels=tuple(channels),
            segments=tuple(segments),
            n_accounts=len(ids[1]),
            account=ids[0][order].astype(np.int64),
            at=column("at"),
            known_at=column("known_at"),
            channel=words[order],
            slot=np.where((slot >= 0) & (slot < len(SLOTS)), slot, OTHER_HOURS),
            weekday=column("weekday"),
            segment=np.where(segment < 0, len(segments), segment),
            success=column("success") == 1,
            other_party=np.zeros(n, dtype=np.bool_),
            tried_before=column("tried_before"),
            won_before=column("won_before"),
            row=order.astype(np.int64),
        )


def snapshots_of(store: EventStore, matrix: FeatureMatrix) -> tuple[int, ...]:
    """Return the as-ofs of a matrix that has every account of the store at each of them, account-major.

    Raises
    ------
    ContractError
        If rows are missing or in another order.
    """
    as_ofs = np.unique(matrix.as_of)
    account = np.repeat(np.arange(store.n_accounts), len(as_ofs))
    complete = np.array_equal(matrix.account, account) and np.array_equal(
        matrix.as_of, np.tile(as_ofs, store.n_accounts)
    )
    if not complete:
        msg = (
            f"Contact needs the features of all {store.n_accounts:,} accounts of the store at every as-of, "
            f"account-major as they are computed; got {len(matrix):,} rows of {len(as_ofs)} as-ofs."
        )
        raise ContractError(msg)
    return tuple(as_ofs.tolist())


def on_other_party(store: EventStore, as_of: int) -> NDArray[np.bool_]:
    """Return which contacts were made to somebody other than the account's debtor.

    Those on a contact point that is not among the debtor's, where any of the debtor's is known by then. It
    follows from the debtor's own rows, so that it is the same whatever else the store holds.
    """
    contacts, points = store.tables["contacts"], store.tables["contact_points"]
    known = points.known_at < as_of
    known_of = np.zeros(len(store.debtor_ids), dtype=np.bool_)
    known_of[points.owner()[known]] = True
    place = pc.index_in(contacts.ids["contact_point_id"], value_set=points.ids["contact_point_id"])
    row = place.fill_null(NO_ROW).to_numpy(zero_copy_only=False).astype(np.int64)
    owner = np.append(np.where(known, points.owner(), NO_ROW), NO_ROW)[row]
    given = contacts.ids["contact_point_id"].is_valid().to_numpy(zero_copy_only=False)
    debtor = store.account_debtor[contacts.owner()]
    return np.asarray(given & known_of[debtor] & (owner != debtor))


def _check_frame(frame: pd.DataFrame, channels: tuple[str, ...]) -> None:
    known = _REQUIRED | _OPTIONAL
    unknown, missing = sorted(set(frame.columns) - known), sorted(_REQUIRED - set(frame.columns))
    if unknown or missing:
        name = (unknown or missing)[0]
        msg = f"attempts: unknown columns {unknown}, missing columns {missing}.{hint(str(name), known)}"
        raise ColumnNotFound(msg)
    wrong = {
        f"channels are not among {list(channels)}": ~frame["channel"].isin(channels),
        "outcomes are not 0 or 1": ~frame["success"].isin([0, 1]),
    }
    if "weekday" in frame:
        wrong["weekdays are not 0 to 6"] = ~frame["weekday"].isin(range(7))
    if "hour" in frame:
        wrong["hours are not 0 to 23"] = ~frame["hour"].isin(range(24))
    if "tried_before" in frame and "won_before" in frame:
        wrong["rows won more than they tried"] = ~frame["won_before"].between(0, frame["tried_before"])
    problems = [
        f"{int(bad.sum()):,} of {len(frame):,} {what}, first in row {int(np.argmax(bad.to_numpy()))}"
        for what, bad in wrong.items()
        if bad.any()
    ]
    if problems:
        msg = f"attempts: {'; '.join(problems)}"
        raise ContractError(msg)
