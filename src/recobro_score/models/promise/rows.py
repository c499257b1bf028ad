"""Calls that reached the right party, and promises, as a promise model learns from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.features.label_specs import PERMILLE
from recobro_score.models.contact.attempts import visible_attempts
from recobro_score.models.contact.log import snapshots_of
from recobro_score.money import MISSING_MONEY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore, EventTable
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.features.recipes import PromiseRule

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

AGENTS = ("bot", "human")
OTHER_AGENT, NO_AGENT = -1, -2
"""Codes of an agent of another kind, and of none recorded."""
CALL = "call"
TALK = US_PER_DAY
"""A promise belongs to the last call within so long before it."""


@dataclass(frozen=True, slots=True, eq=False)
class PromiseRows:
    """Events with what came of them; arrays of shape (n,), by account and time.

    Parameters
    ----------
    account : int64 ndarray
    row : int64 ndarray
        Row of the feature matrix as known at the event.
    agent : int64 ndarray
        Position in `AGENTS`, `OTHER_AGENT` or `NO_AGENT`.
    value : ndarray
        1, 0, or NaN: not known yet.
    """

    account: Ints
    row: Ints
    agent: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.account)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have an outcome."""
        return ~np.isnan(self.value)

    def take(self, rows: Flags) -> PromiseRows:
        """Return some rows, given as a mask."""
        return PromiseRows(self.account[rows], self.row[rows], self.agent[rows], self.value[rows])


def calls_reached(store: EventStore, matrix: FeatureMatrix, *, observed_until: int) -> PromiseRows:
    """Return the outbound calls that reached the right party, and on which the debtor promised.

    A promise made within a day of the call, and before the next that reached the debtor, is the call's. Calls
    before the first as-of of the matrix are left out; of those within a day and the reporting lag of
    `observed_until` it is not known.

    Parameters
    ----------
    store : EventStore
    matrix : FeatureMatrix
        All accounts at every as-of, account-major.
    observed_until : int
        Rows known at or after it do not count; µs UTC.
    """
    visible = store.tables["promises"].known_at < observed_until
    return _calls(store, matrix, visible, np.zeros_like(visible), observed_until)


def calls_kept(
    store: EventStore, matrix: FeatureMatrix, rule: PromiseRule, *, observed_until: int
) -> PromiseRows:
    """Return the calls of `calls_reached`, and which of them led to a promise that was kept.

    Not known while a promise of the call is open.

    Parameters
    ----------
    store, matrix, rule, observed_until
        As for `promises_made`.
    """
    visible = store.tables["promises"].known_at < observed_until
    kept = _kept(store, rule, observed_until)
    return _calls(store, matrix, visible & (kept == 1), visible & np.isnan(kept), observed_until)


def _calls(
    store: EventStore, matrix: FeatureMatrix, wanted: Flags, unknown: Flags, observed_until: int
) -> PromiseRows:
    """Return the calls that reached the right party, and which led to one of the wanted promises."""
    contacts, promises = store.tables["contacts"], store.tables["promises"]
    seen = visible_attempts(store, observed_until, (CALL,), history_days=np.inf)
    rows = np.flatnonzero((seen.channel == 0) & seen.success)
    account, at = seen.account[rows], contacts.at[rows]
    same = np.append(account[1:] == account[:-1], [False] if rows.size else [])
    following = np.where(same, np.append(at[1:], [NEVER])[: rows.size], NEVER)
    until = np.minimum(at + TALK, following)
    found, opened = (
        _any_between(promises.offsets, promises.at, mask, account, at, until) for mask in (wanted, unknown)
    )
    matured = (at + TALK + store.lags["promises"] <= observed_until) & ~opened
    value = np.where(matured, found.astype(np.float64), np.nan)
    return _with_rows(store, matrix, account, at, _agents(contacts, "agent")[rows], value)


def promises_made(
    store: EventStore, matrix: FeatureMatrix, rule: PromiseRule, *, observed_until: int
) -> PromiseRows:
    """Return the promises, and whether recoveries from then until due date and grace reached the amount.

    Not known before that deadline and the reporting lag of payments have passed, however much was paid by
    then (early payers would count and late ones not), and where the account left our hands before it.

    Parameters
    ----------
    store, matrix, observed_until
        As for `calls_reached`.
    rule : PromiseRule
        Grace and tolerance.
    """
    table, kept = store.tables["promises"], _kept(store, rule, observed_until)
    rows = np.flatnonzero((table.known_at < observed_until) & (table.columns["amount"] != MISSING_MONEY))
    agent = _agents(table, "taken_by")[rows]
    return _with_rows(store, matrix, table.owner()[rows], table.at[rows], agent, kept[rows])


def _kept(store: EventStore, rule: PromiseRule, observed_until: int) -> Floats:
    """Return 1 kept, 0 not, NaN unknown, of every promise of a store."""
    table, payments = store.tables["promises"], store.tables["payments"]
    due, grace = table.columns["due_at"], round(rule.grace_days * US_PER_DAY)
    deadline = np.where(due < NEVER - grace, due + grace, NEVER)
    account, amount = table.owner(), table.columns["amount"]
    told = (table.known_at < observed_until) & (amount != MISSING_MONEY)
    recovery = np.where(payments.known_at < observed_until, payments.columns["recovery"], 0)
    paid = _recovered(payments.offsets, payments.at, recovery, account, table.at, deadline)
    enough = paid * PERMILLE >= np.where(told, amount, 0) * round(rule.tolerance * PERMILLE)
    in_hands = _left_at(store, observed_until)[account] >= deadline
    known = told & (deadline <= observed_until - store.lags["payments"]) & in_hands
    return np.where(known, enough.astype(np.float64), np.nan)


def _with_rows(
    store: EventStore, matrix: FeatureMatrix, account: Ints, at: Ints, agent: Ints, value: Floats
) -> PromiseRows:
    as_ofs = np.array(snapshots_of(store, matrix), dtype=np.int64)
    snapshot = np.searchsorted(as_ofs, at, side="right") - 1
    kept = snapshot >= 0
    row = (account * len(as_ofs) + snapshot)[kept]
    return PromiseRows(account[kept], row, agent[kept], value[kept])


def _agents(table: EventTable, column: str) -> Ints:
    words = [word.lower() for word in table.vocabularies[column]]
    code = [AGENTS.index(word) if word in AGENTS else OTHER_AGENT for word in words]
    found: Ints = np.array([*code, NO_AGENT], dtype=np.int64)[table.columns[column]]
    return found


def _left_at(store: EventStore, observed_until: int) -> Ints:
    """Return when each account left our hands, as known by then; `NEVER` where it has not."""
    table = store.tables["placements"]
    rows = np.flatnonzero(table.known_at < observed_until)
    left = np.full(store.n_accounts, -1, dtype=np.int64)
    np.maximum.at(left, table.owner()[rows], table.columns["recalled_at"][rows])
    return np.where((left < 0) | (left >= observed_until), NEVER, left)


@njit(nogil=True, cache=True)
def _any_between(offsets, at, counted, account, begin, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    found = np.zeros(len(account), dtype=np.bool_)
    for i in range(len(account)):
        for row in range(offsets[account[i]], offsets[account[i] + 1]):
            found[i] |= counted[row] and begin[i] <= at[row] < end[i]
    return found


@njit(nogil=True, cache=True)
def _recovered(offsets, at, recovery, account, begin, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = np.zeros(len(account), dtype=np.int64)
    for i in range(len(account)):
        for row in range(offsets[account[i]], offsets[account[i] + 1]):
            if begin[i] <= at[row] < end[i]:
                total[i] += recovery[row]
    return total
