"""Offers already made and plans under way: what stands is repeated, what is being kept is left alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY, local_clock, to_utc
from recobro_score.data.events import EventStore
from recobro_score.data.state import account_state
from recobro_score.policy.terms import Terms
from recobro_score.policy.views import codes, last_row, times, visible


@dataclass(frozen=True, slots=True)
class OpenPlans:
    """Plans of each account at an instant.

    Attributes
    ----------
    accepted
        bool[n] a plan was accepted and has not ended.
    kept
        bool[n] such a plan has a known schedule, and recoveries since its acceptance cover what fell due.
    next_due
        i64[n] µs UTC at which its next instalment falls due, `NEVER` when none is known.
    standing
        i64[n] position in `terms` of an offer that still stands and can still be kept, -1 = none.
    offered_at, valid_until
        i64[n] µs UTC of that offer; 0 where there is none.
    promised_on
        i64[n] exposure that offer was made on, minor units: its total and schedule follow from it.
    unreadable
        bool[n] an offer stands whose terms cannot be read, so it can be neither repeated nor replaced.
    terms
        Terms of the standing offers.
    """

    accepted: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    next_due: NDArray[np.int64]
    standing: NDArray[np.int64]
    offered_at: NDArray[np.int64]
    valid_until: NDArray[np.int64]
    promised_on: NDArray[np.int64]
    unreadable: NDArray[np.bool_]
    terms: tuple[Terms, ...]


def open_plans(store: EventStore, as_of: int, *, valid_days: int) -> OpenPlans:
    """Read the plans of every account as they stand at `as_of`.

    An offer stands until it expires, on the amounts promised then, whatever today's floors say. It has lapsed
    earlier where it cannot be kept as it stands: its first due date has come, or less is due by now than it
    was made on, so that its schedule would ask for too much. What it was made on is the exposure at the
    beginning of the local day of the offer.

    Parameters
    ----------
    store
        The portfolio.
    as_of
        µs UTC.
    valid_days
        Days an offer stands whose terms cannot be read.
    """
    table, n = store.tables["plans"], store.n_accounts
    owner = table.owner()
    live = visible(table, as_of) & (times(table, "ended_at") >= as_of)
    taken = times(table, "accepted_at") < as_of
    plan = last_row(owner, np.flatnonzero(live & taken), n)
    parsed = [Terms.parse(text) for text in table.vocabularies["terms"]]
    known = sorted({terms for terms in parsed if terms is not None})
    position = np.array([known.index(t) if t else -1 for t in parsed] + [-1], dtype=np.int64)
    days = np.array([t.valid_days if t else valid_days for t in parsed] + [valid_days], dtype=np.int64)
    of_row = codes(table, "terms")
    until = table.at + days[of_row] * US_PER_DAY
    first_due = np.array([t.first_due_days if t else NEVER for t in parsed] + [NEVER], dtype=np.int64)[of_row]
    waited = _local_day(store, owner, np.full(len(owner), as_of)) - _local_day(store, owner, table.at)
    offer = last_row(owner, np.flatnonzero(live & ~taken & (until > as_of) & (first_due > waited)), n)
    offer[plan >= 0] = -1
    terms, offered_at = position[np.append(of_row, -1)[offer]], np.append(table.at, 0)[offer]
    readable = (offer >= 0) & (terms >= 0)
    promised_on, due = _exposures(store, as_of, np.where(readable, offered_at, NEVER))
    has = readable & (due >= promised_on) & (promised_on > 0)
    kept, next_due = _progress(store, as_of, plan)
    return OpenPlans(
        accepted=plan >= 0,
        kept=kept,
        next_due=next_due,
        standing=np.where(has, terms, -1),
        offered_at=np.where(has, offered_at, 0),
        valid_until=np.where(has, np.append(until, 0)[offer], 0),
        promised_on=np.where(has, promised_on, 0),
        unreadable=(offer >= 0) & ~readable,
        terms=tuple(known),
    )


def _local_day(store: EventStore, owner: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int64]:
    return local_clock(at, store.zone[owner], store.zones).day


def _exposures(
    store: EventStore, as_of: int, offered_at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Exposure at the beginning of the local day of each account's offer, and at `as_of`; 0 without offer."""
    then, now = np.zeros(len(offered_at), dtype=np.int64), np.zeros(len(offered_at), dtype=np.int64)
    rows = np.flatnonzero(offered_at != NEVER)
    day = _local_day(store, rows, offered_at[rows])
    start = to_utc(day, np.zeros(len(rows), dtype=np.int64), store.zone[rows], store.zones)
    for instant in np.unique(start).tolist():
        same = rows[start == instant]
        exposure = account_state(store.take(same), [instant, as_of]).exposure.reshape(-1, 2)
        then[same], now[same] = exposure[:, 0], exposure[:, 1]
    return then, now


def _progress(
    store: EventStore, as_of: int, plan: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each account's plan is being kept, and when its next instalment falls due."""
    n = store.n_accounts
    plans, dues, payments = store.tables["plans"], store.tables["instalments"], store.tables["payments"]
    plan_ids = np.array([*plans.ids["plan_id"].to_pylist(), None], dtype=object)[plan]
    owner = dues.owner()
    due_ids = np.array(dues.ids["plan_id"].to_pylist(), dtype=object)
    mine = (dues.known_at < as_of) & (plan[owner] >= 0) & (due_ids == plan_ids[owner])
    asked, paid = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    fallen = mine & (dues.at < as_of)
    np.add.at(asked, owner[fallen], times(dues, "amount")[fallen])
    next_due = np.full(n, NEVER, dtype=np.int64)
    np.minimum.at(next_due, owner[mine & ~fallen], dues.at[mine & ~fallen])
    accepted_at = np.append(times(plans, "accepted_at"), NEVER)[plan]
    payer = payments.owner()
    since = visible(payments, as_of) & (payments.at >= accepted_at[payer])
    np.add.at(paid, payer[since], times(payments, "recovery")[since])
    scheduled = np.zeros(n, dtype=bool)
    scheduled[owner[mine]] = True
    return scheduled & (paid >= asked), next_due
