"""Offers and plans as a plan model learns from them: terms, whose, and what had become of them by then.

A plan that still runs when observation ends is no failure: it has been kept for some months, and that is what
it says. The same holds for one that ended otherwise (replaced, recalled): it was kept until then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.state import account_state
from recobro_score.errors import ContractError
from recobro_score.features.stakes import PLAN_BROKEN, PLAN_KEPT
from recobro_score.models.weights import check_weights
from recobro_score.money import to_major
from recobro_score.policy.affordability import disposable_income
from recobro_score.policy.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore, EventTable
    from recobro_score.models.snapshots import Snapshots

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Rows = NDArray[np.bool_]

MONTH = 30 * US_PER_DAY
GRACE = 30 * US_PER_DAY
"""A part is looked at when so long has passed since it fell due: paid, unless the plan was called broken."""
REACHED = ("rpc", "replied", "opened")
"""Outcomes of a contact by which the debtor has seen the terms."""
OLDEST = 62 * US_PER_DAY
"""Offers further from the snapshot before them are left out."""


_ARRAYS = (
    "plan_ids",
    "debtor",
    "term",
    "bucket",
    "burden",
    "accepted",
    "taken",
    "months",
    "broken",
    "completed",
)


@dataclass(frozen=True, slots=True, eq=False)
class PlanRows:
    """One row per offer; arrays of shape (n,).

    Parameters
    ----------
    plan_ids, debtor : array of str
        The order of the ids is the order of the fit; rows of one debtor stay in one fold.
    term : int64 ndarray
        Position in `terms`.
    terms : tuple of Terms
    bucket : int8 ndarray
        At the offer; −1 unknown.
    burden : ndarray
        Instalment ÷ monthly income less expenses; NaN unknown.
    values : ndarray of shape (n, p) or None
        Features of the account before the offer.
    accepted : ndarray
        1, 0, or NaN: it still stood when observation ended, or nothing says that the debtor has seen the
        terms.
    taken : bool ndarray
        Which offers are known to have become plans, those that still stood included.
    months : int64 ndarray
        Monthly parts known to be paid; those of the terms where the plan was completed.
    broken, completed : bool ndarray
        How an accepted plan ended; neither is true of one that runs or ended otherwise.
    as_of : int64 ndarray or None
        Snapshot of the features, µs UTC; None where there is none.
    notes : tuple of str
        What was left out, and what the rows cannot say.
    weight : ndarray or None
        How much each offer, and the plan it became, counts; all alike where absent. See
        `recobro_score.models.weights`.
    """

    plan_ids: NDArray[Any]
    debtor: NDArray[Any]
    term: Ints
    terms: tuple[Terms, ...]
    bucket: NDArray[np.int8]
    burden: Floats
    values: Floats | None
    accepted: Floats
    taken: Rows
    months: Ints
    broken: Rows
    completed: Rows
    as_of: Ints | None = None
    notes: tuple[str, ...] = ()
    weight: Floats | None = None

    def __post_init__(self) -> None:
        """Check lengths and weights, and that no plan ended twice."""
        check_weights(self.weight, len(self), some=False)
        sizes = {name: len(getattr(self, name)) for name in _ARRAYS}
        if len(set(sizes.values())) != 1 or (self.values is not None and len(self.values) != len(self.term)):
            msg = f"Plan rows must be of one length, got {sizes}."
            raise ContractError(msg)
        both, late = self.broken & self.completed, self.broken & (self.months >= self.length)
        if both.any() or late.any() or (self.months < 0).any():
            msg = (
                f"A plan cannot be both broken and completed ({int(both.sum()):,} are), "
                f"nor broken after its last part ({int(late.sum()):,} are), nor kept for fewer than 0 months."
            )
            raise ContractError(msg)

    def __len__(self) -> int:
        return len(self.term)

    @property
    def counted(self) -> Floats:
        """How much each offer counts; ones where nothing is said."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def length(self) -> Ints:
        """Monthly parts of the terms."""
        return np.array([terms.instalments for terms in self.terms], dtype=np.int64)[self.term]

    def take(self, rows: Ints | Rows) -> PlanRows:
        """Return some rows, given as positions or as a mask."""
        picked: dict[str, Any] = {name: getattr(self, name)[rows] for name in _ARRAYS}
        values = None if self.values is None else np.ascontiguousarray(self.values[rows])
        as_of = None if self.as_of is None else self.as_of[rows]
        weight = None if self.weight is None else self.weight[rows]
        return PlanRows(
            **picked, terms=self.terms, values=values, as_of=as_of, notes=self.notes, weight=weight
        )

    def weighing(self, weights: Floats | None) -> PlanRows:
        """Return the offers that weigh anything, with their weights; the same offers without any.

        Parameters
        ----------
        weights : ndarray of shape (n,) or None

        Raises
        ------
        ContractError
            If they are not what weights must be.
        """
        if weights is None:
            return self
        found = replace(self, weight=check_weights(weights, len(self)))
        return found.take(found.counted > 0)

    def of_snapshots(self, as_ofs: Sequence[int]) -> PlanRows:
        """Return the offers beside some snapshots; none where the rows do not say theirs."""
        if self.as_of is None:
            return self.take(np.zeros(0, dtype=np.int64))
        return self.take(np.isin(self.as_of, np.array(as_ofs, dtype=np.int64)))

    def counts(self) -> pd.DataFrame:
        """Return what became of the offers of each number of instalments.

        Returns
        -------
        pandas.DataFrame
            ``instalments``, ``offers``, ``known`` (the answer), ``accepted``, ``completed``, ``broken``,
            ``running`` (accepted and not ended, or ended otherwise).
        """
        ended = self.completed | self.broken
        frame = pd.DataFrame(
            {
                "instalments": self.length,
                "offers": 1,
                "known": ~np.isnan(self.accepted),
                "accepted": self.taken,
                "completed": self.taken & self.completed,
                "broken": self.taken & self.broken,
                "running": self.taken & ~ended,
            }
        )
        return frame.groupby("instalments", as_index=False).sum().astype(np.int64)


def plan_rows(seen: Snapshots, weights: Floats | None = None) -> PlanRows:
    """Read the offers of a portfolio beside the snapshot before each.

    Parameters
    ----------
    seen : Snapshots
        Features at the as-ofs of a timeline; an offer takes those of the latest as-of before it. What
        happened to it counts as far as it was known before the end of observation.
    weights : ndarray, optional
        How much each row of the snapshots counts: an offer weighs what the row beside it weighs, and one
        beside a row of weight 0 is not read.
    """
    store, until = seen.store, seen.observed_until
    table = store.tables["plans"]
    owner = table.owner()
    as_ofs = np.array(seen.timeline.as_ofs, dtype=np.int64)
    place = np.searchsorted(as_ofs, table.at, side="right") - 1
    near = (place >= 0) & (table.at - as_ofs[np.maximum(place, 0)] <= OLDEST)
    parsed = [Terms.parse(text) for text in table.vocabularies["terms"]]
    known = tuple(sorted({terms for terms in parsed if terms is not None}))
    code = np.array([known.index(t) if t else -1 for t in parsed] + [-1], dtype=np.int64)[
        table.columns["terms"]
    ]
    made = table.known_at < until
    kept = np.flatnonzero(made & near & (code >= 0))
    row = owner[kept] * len(as_ofs) + place[kept]
    accepted, notes = _accepted(store, table, known, code, until)
    outcome = _progress(store, table, known, code, until)
    offers = int(made.sum())
    if offers > kept.size:
        left = f"{offers - kept.size:,} of {offers:,} offers are left out"
        notes = (*notes, f"{left}: no snapshot in the two months before them, or no readable terms")
    rows = PlanRows(
        plan_ids=np.asarray(table.ids["plan_id"].to_pylist(), dtype=object)[kept],
        debtor=seen.debtor[row],
        term=code[kept],
        terms=known,
        bucket=seen.bucket[row],
        burden=_burden(store, as_ofs, known, code[kept], row),
        values=np.ascontiguousarray(seen.matrix.values[row]),
        accepted=accepted[kept],
        taken=(table.columns["accepted_at"] < until)[kept],
        months=outcome[0][kept],
        broken=outcome[1][kept],
        completed=outcome[2][kept],
        as_of=as_ofs[place[kept]],
        notes=notes,
        weight=None if weights is None else weights[row],
    )
    return rows if weights is None else rows.take(rows.counted > 0)


def burden(terms: Terms, exposure: Ints, digits: NDArray[np.int8], disposable: Floats) -> Floats:
    """Return the largest instalment of terms ÷ monthly income less expenses; NaN where either is unknown.

    Parameters
    ----------
    terms : Terms
    exposure : int64 ndarray of shape (n,)
        What the offer is made on, minor units.
    digits : int8 ndarray of shape (n,)
        Decimals of the currency.
    disposable : ndarray of shape (n,)
        Monthly income less expenses, major units; NaN unknown.
    """
    _, _, part = terms.amounts(np.maximum(exposure, 0))
    known = (disposable > 0) & (part > 0)
    return np.where(known, to_major(part, digits) / np.where(known, disposable, 1.0), np.nan)


def _burden(store: EventStore, as_ofs: Ints, terms: tuple[Terms, ...], code: Ints, row: Ints) -> Floats:
    exposure = account_state(store, as_ofs).exposure[row]
    account, place = np.divmod(row, len(as_ofs))
    means = np.stack([disposable_income(store, int(as_of), assumed_expenses=0.0) for as_of in as_ofs])
    disposable, digits = means[place, account], store.digits[account]
    out = np.full(row.size, np.nan)
    for number, each in enumerate(terms):
        these = code == number
        out[these] = burden(each, exposure[these], digits[these], disposable[these])
    return out


def _accepted(
    store: EventStore, table: EventTable, terms: tuple[Terms, ...], code: Ints, until: int
) -> tuple[Floats, tuple[str, ...]]:
    """Return 1 accepted, 0 not, NaN unknown; an offer counts where its debtor has seen the terms.

    And where it stands no more: a yes is known at once and a no only at the end, so that offers still
    standing would count with their yeses alone.
    """
    days = np.array([*(t.valid_days for t in terms), 0], dtype=np.int64)[code]
    over = table.at + days * US_PER_DAY
    taken = table.columns["accepted_at"] < until
    answer = np.where(over < until, taken.astype(np.float64), np.nan)
    contacts = store.tables["contacts"]
    if not contacts.n_rows:
        note = "no contacts are recorded: acceptance is that of offers made, reached or not"
        return answer, (note,)
    spoke = np.isin(contacts.columns["outcome"], contacts.codes("outcome", *REACHED))
    seen = taken | _met(contacts.owner()[spoke], contacts.at[spoke], table.owner(), table.at, over)
    return np.where(seen, answer, np.nan), ()


def _met(account: Ints, at: Ints, owner: Ints, begin: Ints, end: Ints) -> Rows:
    """Return per offer whether its account had one of the given contacts from a day before it to its end."""
    order = np.lexsort((at, account))
    account, at = account[order], at[order]
    low = np.searchsorted(account, owner, side="left")
    high = np.searchsorted(account, owner, side="right")
    met = np.zeros(owner.size, dtype=np.bool_)
    for offer in np.flatnonzero(high > low).tolist():
        times = at[low[offer] : high[offer]]
        first = int(np.searchsorted(times, begin[offer] - US_PER_DAY))
        met[offer] = first < times.size and times[first] < end[offer]
    return met


def _progress(
    store: EventStore, table: EventTable, terms: tuple[Terms, ...], code: Ints, until: int
) -> tuple[Ints, Rows, Rows]:
    """Return parts known to be paid, broken and completed, of every offer that was accepted.

    A part is looked at once the grace after its due date is over, whatever is known of it earlier: that it
    was paid is often known before that it was missed, or the other way round, and to take each when it is
    known would count the one and not the other.
    """
    length = np.array([*(t.instalments for t in terms), 1], dtype=np.int64)[code]
    accepted, ended = (
        table.columns["accepted_at"].astype(np.int64),
        table.columns["ended_at"].astype(np.int64),
    )
    over = ended < until
    reason = table.columns["end_reason"]
    completed, broken = (
        over & np.isin(reason, table.codes("end_reason", w)) for w in (PLAN_KEPT, PLAN_BROKEN)
    )
    first = _first_due(store, table, terms, code)
    judged = np.clip((until - GRACE - first) // MONTH + 1, 0, length)
    fallen = np.clip((np.minimum(ended, until) - first) // MONTH + 1, 1, length)
    elsewise = over & ~broken & ~completed
    paid = np.where(completed, length, np.where(broken | elsewise, fallen - 1, length))
    months = np.minimum(paid, judged)
    taken = accepted < until
    broken &= taken & (paid < judged)
    completed &= taken & (judged == length)
    running = np.minimum(months, length - 1)
    return np.where(taken, np.where(completed, length, running), 0), broken, completed


def _first_due(store: EventStore, table: EventTable, terms: tuple[Terms, ...], code: Ints) -> Ints:
    """Return when the first part fell due: by the schedule on record, else by the terms."""
    days = np.array([*(t.first_due_days for t in terms), 0], dtype=np.int64)[code]
    accepted = table.columns["accepted_at"].astype(np.int64)
    first = np.where(accepted == NEVER, 0, accepted) + days * US_PER_DAY
    dues = store.tables["instalments"]
    scheduled = pd.Series(dues.at).groupby(np.asarray(dues.ids["plan_id"].to_pylist(), dtype=object)).min()
    found = scheduled.reindex(table.ids["plan_id"].to_pylist()).to_numpy(dtype=np.float64)
    return np.where(np.isnan(found), first, np.nan_to_num(found)).astype(np.int64)
