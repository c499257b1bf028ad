"""Offers already made and plans under way: what stands is repeated, what is being kept is left alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.events import EventStore
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
        i64[n] position in `terms` of an offer that still stands, -1 = none.
    offered_at, valid_until
        i64[n] µs UTC of that offer; 0 where there is none.
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
    unreadable: NDArray[np.bool_]
    terms: tuple[Terms, ...]


def open_plans(store: EventStore, as_of: int, *, valid_days: int) -> OpenPlans:
    """Read the plans of every account as they stand at `as_of`.

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
    offer = last_row(owner, np.flatnonzero(live & ~taken & (until > as_of)), n)
    has = (offer >= 0) & (plan < 0)
    standing, offered_at, valid_until = (
        np.full(n, -1, dtype=np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
    )
    standing[has] = position[of_row[offer[has]]]
    offered_at[has], valid_until[has] = table.at[offer[has]], until[offer[has]]
    kept, next_due = _progress(store, as_of, plan)
    return OpenPlans(
        accepted=plan >= 0,
        kept=kept,
        next_due=next_due,
        standing=standing,
        offered_at=offered_at,
        valid_until=valid_until,
        unreadable=has & (standing < 0),
        terms=tuple(known),
    )


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
