"""What became of promises and plans: judged at the end of the window, by what is known by now.

At stake is either what was running at the as-of, or what was made in the window. One thing broken decides;
else one thing undecided leaves the whole undecided; else all was kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.compiled import entered
from recobro_score.data.events import EventStore, EventTable
from recobro_score.data.state import Payments, frozen, payments_of
from recobro_score.features.binding import promise_terms
from recobro_score.features.judge import BROKEN, fate
from recobro_score.features.judge import OPEN as UNDECIDED
from recobro_score.features.label_specs import OPEN
from recobro_score.features.recipes import PromiseRule
from recobro_score.money import MISSING_MONEY

PLAN_KEPT, PLAN_BROKEN = "completed", "broken"
"""The words of ``plans.end_reason`` that say how a plan ended; any other end leaves it undecided."""

Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Stakes:
    """What was at stake per (account, as-of) pair, and what became of it; bool arrays, shape (n,).

    Attributes
    ----------
    some : bool array
        Anything was at stake.
    broken, undecided : bool array
        Any of it was broken; any of it had not been decided, or ended otherwise.
    """

    some: NDArray[np.bool_]
    broken: NDArray[np.bool_]
    undecided: NDArray[np.bool_]


def promise_stakes(
    store: EventStore,
    as_ofs: NDArray[np.int64],
    horizon: int,
    observed_until: int,
    *,
    stake: str,
    rule: PromiseRule,
) -> Stakes:
    """Return what became of promises.

    A promise is kept if the recoveries from when it was made until its due date and the grace, within the
    window, reach the amount; broken if that deadline passed in the window; else undecided. Promises without
    an amount are never at stake.

    Parameters
    ----------
    store : EventStore
        The portfolio.
    as_ofs : int64 array, shape (m,)
        Microseconds UTC.
    horizon : int
        Microseconds.
    observed_until : int
        Rows known at or after it do not count.
    stake : str
        ``open``: visible at the as-of and open as seen then; ``new``: made in the window.
    rule : PromiseRule
        Grace and tolerance.
    """
    table = store.tables["promises"]
    masks = []
    for as_of in as_ofs.tolist():
        end = as_of + horizon
        became = _fate(store, observed_until, end, rule)
        if stake == OPEN:
            seen = _fate(store, as_of, as_of, rule)
            chosen = _visible(table, as_of) & seen.undecided
        else:
            chosen = _known(table, observed_until) & (table.at >= as_of) & (table.at < end)
        masks.append((chosen & (table.columns["amount"] != MISSING_MONEY), became.broken, became.undecided))
    return _by_owner(table, store.n_accounts, masks)


def plan_stakes(
    store: EventStore, as_ofs: NDArray[np.int64], horizon: int, observed_until: int, *, stake: str
) -> Stakes:
    """Return what became of plans.

    A plan that runs on at the end of the window, or was completed in it, is kept; one that ended for the
    reason ``broken`` is broken; any other end (replaced, expired, not said) leaves it undecided.

    Parameters
    ----------
    store, as_ofs, horizon, observed_until
        As for `promise_stakes`.
    stake : str
        ``open``: accepted and running, as seen at the as-of; ``new``: accepted in the window.
    """
    table = store.tables["plans"]
    accepted, ended = table.columns["accepted_at"], table.columns["ended_at"]
    kept, broken = (
        np.isin(table.columns["end_reason"], table.codes("end_reason", word))
        for word in (PLAN_KEPT, PLAN_BROKEN)
    )
    masks = []
    for as_of in as_ofs.tolist():
        end = as_of + horizon
        if stake == OPEN:
            chosen = _visible(table, as_of) & (accepted < as_of) & (ended >= as_of)
        else:
            made = _known(table, observed_until) & (table.at < end)
            chosen = made & (accepted >= as_of) & (accepted < end)
        over = ended < end
        masks.append((chosen, over & broken, over & ~broken & ~kept))
    return _by_owner(table, store.n_accounts, masks)


def _visible(table: EventTable, as_of: int) -> Rows:
    return (table.at < as_of) & _known(table, as_of)


def _known(table: EventTable, instant: int) -> Rows:
    return table.known_at < instant


class _Fate(NamedTuple):
    """Which promises were broken, and which were neither broken nor kept."""

    broken: Rows
    undecided: Rows


def _fate(store: EventStore, known_before: int, instant: int, rule: PromiseRule) -> _Fate:
    """Return what had become of every promise by an instant, judged by the payments known."""
    promises = store.tables["promises"]
    columns = (promises.columns["amount"], promises.at, promises.columns["due_at"])
    codes = np.empty(promises.n_rows, np.uint8)
    _judge(
        frozen(promises.offsets, np.int64),
        frozen(np.stack(columns), np.int64),
        payments_of(store),
        (instant, known_before),
        promise_terms(rule),
        codes,
    )
    return _Fate(codes == BROKEN, codes == UNDECIDED)


@entered
def _judge(
    offsets: NDArray[np.int64],
    terms: NDArray[np.int64],
    payments: Payments,
    seen: tuple[int, int],
    rule: tuple[int, int],
    codes: NDArray[np.uint8],
) -> None:
    starts, paid_at, paid_known_at, recovery = payments
    for account in range(len(offsets) - 1):
        paid = (starts[account], starts[account + 1])
        for row in range(offsets[account], offsets[account + 1]):
            promise = (terms[0, row], terms[1, row], terms[2, row])
            codes[row] = fate(promise, paid_at, paid_known_at, recovery, paid, seen, rule)


def _by_owner(table: EventTable, n_accounts: int, masks: list[tuple[Rows, Rows, Rows]]) -> Stakes:
    """Gather per account, for each as-of, rows at stake and among them the broken and the undecided."""
    owner = table.owner()
    out = np.zeros((3, n_accounts, len(masks)), dtype=bool)
    for j, (chosen, broken, undecided) in enumerate(masks):
        for place, rows in enumerate((chosen, chosen & broken, chosen & undecided)):
            out[place, owner[rows], j] = True
    return Stakes(*out.reshape(3, -1))
