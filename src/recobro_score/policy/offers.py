"""The best offer per account within the creditor's floors and the debtor's means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.money import to_major
from recobro_score.policy.plans import OpenPlans
from recobro_score.policy.terms import OfferPolicy, Schedule, Terms, schedule

__all__ = [
    "OfferCases",
    "OfferPolicy",
    "Offers",
    "PriorTermScorer",
    "Schedule",
    "TermKeys",
    "TermScorer",
    "Terms",
    "best_offer",
    "schedule",
]

BROKEN_SHARE = 0.25
"""Prior: share of the instalments that a plan which is not completed still brings."""
SELF_CURE_MONTHS = 3
"""Prior: months during which money keeps coming in without any arrangement at the horizon's rate."""
_STEP = 0.1


@dataclass(frozen=True, slots=True)
class TermKeys:
    """The cases a term scorer is asked about.

    Attributes
    ----------
    account_ids
        Accounts, length n.
    as_of
        µs UTC.
    bucket
        i8[n] bucket of days past due, -1 = unknown.
    """

    account_ids: pa.StringArray
    as_of: int
    bucket: NDArray[np.int8]


class TermScorer(Protocol):
    """Probability that terms are accepted and completed; models implement it."""

    @property
    def source(self) -> str:
        """Where the probabilities come from: "prior" or "log"."""

    def p_accept(self, keys: TermKeys, terms: Sequence[Terms]) -> NDArray[np.float64]:
        """P(accept | the debtor is reached with these terms), f64[n, len(terms)]."""

    def p_complete(self, keys: TermKeys, terms: Sequence[Terms]) -> NDArray[np.float64]:
        """P(every part is paid | accepted), f64[n, len(terms)]."""


class PriorTermScorer:
    """Cautious assumptions in place of a model; they order offers, they forecast nothing.

    log-odds of acceptance = a[bucket] + 4·discount + 0.25·ln(instalments) − 1.5·down payment,
    log-odds of completion = c[bucket] + 1·discount + 1·down payment − 0.05·(instalments − 1),
    with a = -2.2, -2.0, -2.0, -2.2, -2.5, -2.9 and c = 1.0, 0.7, 0.4, 0.2, -0.2, -0.6 over the buckets; an
    unknown bucket counts as the last. Longer terms make a yes a little easier and completion less likely:
    write-downs helped where longer terms did not (Dobbie and Song). The sizes are assumptions.
    """

    source = "prior"
    _accept = np.array([-2.2, -2.0, -2.0, -2.2, -2.5, -2.9])
    _complete = np.array([1.0, 0.7, 0.4, 0.2, -0.2, -0.6])

    def p_accept(self, keys: TermKeys, terms: Sequence[Terms]) -> NDArray[np.float64]:
        """P(accept | reached), f64[n, len(terms)]."""
        shift = np.array(
            [4.0 * t.discount + 0.25 * np.log(t.instalments) - 1.5 * t.down_payment for t in terms]
        )
        return _sigmoid(self._accept[keys.bucket][:, None] + shift)

    def p_complete(self, keys: TermKeys, terms: Sequence[Terms]) -> NDArray[np.float64]:
        """P(complete | accepted), f64[n, len(terms)]."""
        shift = np.array([t.discount + t.down_payment - 0.05 * (t.instalments - 1) for t in terms])
        return _sigmoid(self._complete[keys.bucket][:, None] + shift)


@dataclass(frozen=True, slots=True)
class OfferCases:
    """What the choice of terms looks at, one row per account.

    Attributes
    ----------
    keys
        Accounts, instant and buckets.
    exposure
        i64[n] minor units.
    digits
        i8[n] decimals of the minor unit.
    currency
        object[n] currency codes.
    p_pay, paid_share, unpaid_share
        f64[n] P(pays) without any action; shares of the exposure recovered if it pays, and if not.
    disposable
        f64[n] monthly income less expenses on record, major units; NaN = unknown.
    ability
        f64[n] estimated monthly ability, major units; NaN = no estimate. It only lowers what is asked.
    plans
        Offers and plans under way.
    """

    keys: TermKeys
    exposure: NDArray[np.int64]
    digits: NDArray[np.int8]
    currency: NDArray[np.object_]
    p_pay: NDArray[np.float64]
    paid_share: NDArray[np.float64]
    unpaid_share: NDArray[np.float64]
    disposable: NDArray[np.float64]
    ability: NDArray[np.float64]
    plans: OpenPlans


@dataclass(frozen=True, slots=True)
class Offers:
    """One offer at most per account.

    Attributes
    ----------
    term
        i64[n] position in `terms`, -1 = no offer.
    standing
        bool[n] the offer was made before and still stands.
    offered_at, valid_until
        i64[n] µs UTC.
    exposure
        i64[n] what the offer is made on, minor units; of a standing offer, what it was made on then.
    p_accept, p_complete
        f64[n]; NaN where there is no offer.
    increment
        f64[n] expected recovery that the offer adds if the debtor is reached, major units; 0 without offer.
    rule
        object[n] why there is no offer: `plan:open`, `offer:unreadable`, `offer:none` (the creditor's floors
        leave nothing but the whole debt at once), `offer:unaffordable`, `offer:no_gain`; None where there is
        one.
    terms
        Terms that occur.
    source
        "prior" or "log": where the probabilities come from.
    """

    term: NDArray[np.int64]
    standing: NDArray[np.bool_]
    offered_at: NDArray[np.int64]
    valid_until: NDArray[np.int64]
    exposure: NDArray[np.int64]
    p_accept: NDArray[np.float64]
    p_complete: NDArray[np.float64]
    increment: NDArray[np.float64]
    rule: NDArray[np.object_]
    terms: tuple[Terms, ...]
    source: str

    def take(self, rows: NDArray[np.int64]) -> Offers:
        """Return the given rows in the given order."""
        changed: dict[str, Any] = {name: getattr(self, name)[rows] for name in _ROWS}
        return replace(self, **changed)

    @staticmethod
    def concat(parts: Sequence[Offers]) -> Offers:
        """Put offers below each other."""
        terms = tuple(sorted({t for part in parts for t in part.terms}))
        recoded = [np.array([*map(terms.index, part.terms), -1], dtype=np.int64)[part.term] for part in parts]
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _ROWS
        }
        return replace(parts[0], **{**joined, "term": np.concatenate(recoded), "terms": terms})


_ROWS = (
    "term",
    "standing",
    "offered_at",
    "valid_until",
    "exposure",
    "p_accept",
    "p_complete",
    "increment",
    "rule",
)


def best_offer(cases: OfferCases, *, policy: OfferPolicy, scorer: TermScorer) -> Offers:
    """Choose the terms that add most, and repeat an offer that still stands.

    Per reached debtor, terms with discount d, down payment f and n instalments are worth
    P(accept)·exposure·[(1 − d)·(q + (1 − q)·(f + (1 − f)·b)) − s], where q = P(complete), b = `BROKEN_SHARE`
    and s = 1 − (1 − E)^min(n, 3) is what would come in anyway, with E = p·paid + (1 − p)·unpaid. Terms are
    chosen on banded inputs, so that equal cases within the bands get equal terms; the value uses the exact
    ones.

    Parameters
    ----------
    cases
        Accounts with their figures.
    policy
        The creditor's floors and menu.
    scorer
        P(accept) and P(complete) of terms.
    """
    menu = policy.menu()
    terms = (*menu, *(t for t in cases.plans.terms if t not in menu))
    accept, complete = scorer.p_accept(cases.keys, terms), scorer.p_complete(cases.keys, terms)
    anyway = _recovered(
        _band(cases.p_pay, policy.bands), _tenths(cases.paid_share), _tenths(cases.unpaid_share)
    )
    lawful = _floors(cases, menu, policy)
    allowed = _affordable(cases, menu, policy, lawful)
    best, worth = np.full(len(anyway), -1, dtype=np.int64), np.zeros(len(anyway))
    for code, offered in enumerate(menu):
        gain = accept[:, code] * _gain(offered, complete[:, code], anyway)
        better = allowed[:, code] & (gain > worth)
        best[better], worth[better] = code, gain[better]
    rule = np.where(allowed.any(axis=1), "offer:no_gain", "offer:unaffordable").astype(object)
    rule[~lawful.any(axis=1)] = "offer:none"
    standing = cases.plans.standing >= 0
    position = np.array([*map(terms.index, cases.plans.terms), -1], dtype=np.int64)
    term = np.where(standing, position[cases.plans.standing], best)
    for where, name in ((cases.plans.unreadable, "offer:unreadable"), (cases.plans.accepted, "plan:open")):
        term[where], rule[where] = -1, name
    return _priced(cases, term, rule, terms, accept, complete, source=scorer.source)


def _priced(
    cases: OfferCases,
    term: NDArray[np.int64],
    rule: NDArray[np.object_],
    terms: tuple[Terms, ...],
    accept: NDArray[np.float64],
    complete: NDArray[np.float64],
    *,
    source: str,
) -> Offers:
    """Value the chosen terms with the exact figures."""
    row = np.arange(len(term))
    none = term < 0
    accept, complete = (np.where(none, np.nan, p[row, term]) for p in (accept, complete))
    anyway = _recovered(cases.p_pay, cases.paid_share, cases.unpaid_share)
    share = np.zeros(len(term))
    for code in np.unique(term[~none]).tolist():
        rows = term == code
        share[rows] = accept[rows] * _gain(terms[code], complete[rows], anyway[rows])
    standing = (cases.plans.standing >= 0) & ~none
    exposure = np.where(standing, cases.plans.promised_on, cases.exposure)
    valid_days = np.array([*(t.valid_days for t in terms), 0], dtype=np.int64)[term]
    return Offers(
        term=term,
        standing=standing,
        offered_at=np.where(standing, cases.plans.offered_at, cases.keys.as_of),
        valid_until=np.where(standing, cases.plans.valid_until, cases.keys.as_of + valid_days * US_PER_DAY),
        exposure=exposure,
        p_accept=accept,
        p_complete=complete,
        increment=np.where(none, 0.0, share * np.nan_to_num(to_major(exposure, cases.digits))),
        rule=np.where(none, rule, np.array(None, dtype=object)),
        terms=terms,
        source=source,
    )


def _floors(cases: OfferCases, menu: Sequence[Terms], policy: OfferPolicy) -> NDArray[np.bool_]:
    """Which plans the creditor's floors permit each account, bool[n, menu]."""
    exposure = np.maximum(cases.exposure, 0)
    caps = policy.discount_caps()[cases.keys.bucket]
    floors = {name: policy.smallest_instalment(name) for name in set(cases.currency.tolist())}
    smallest = np.array([floors[name] for name in cases.currency], dtype=np.int64)
    lawful = np.zeros((len(exposure), len(menu)), dtype=bool)
    for code, term in enumerate(menu):
        asked, down, _ = term.amounts(exposure)
        least = (asked - down) // term.instalments
        if term.down_payment > 0:
            least = np.minimum(least, down)
        at_once = term.instalments == 1 and term.down_payment == 0
        lawful[:, code] = term.is_plan & (term.discount <= caps) & (at_once | (least >= smallest))
    return lawful


def _affordable(
    cases: OfferCases, menu: Sequence[Terms], policy: OfferPolicy, lawful: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which of the lawful plans fit each debtor's means, bool[n, menu]."""
    exposure = np.maximum(cases.exposure, 0)
    stated = cases.disposable * policy.disposable_share
    unknown = np.isnan(stated)
    may, safe = np.zeros_like(lawful), np.zeros_like(lawful)
    monthly = np.zeros(lawful.shape)
    for code, term in enumerate(menu):
        _, down, part = term.amounts(exposure)
        monthly[:, code] = to_major(np.maximum(part, down), cases.digits)
        fits = np.where(unknown, term.down_payment == 0, monthly[:, code] <= stated)
        may[:, code] = lawful[:, code] & fits
        safe[:, code] = may[:, code] & (~unknown | (term.instalments >= policy.safe_instalments))
    may = np.where(safe.any(axis=1, keepdims=True), safe, may)
    estimated = may & ~(monthly > cases.ability[:, None])
    least = np.where(may, monthly, np.inf).min(axis=1)
    gentlest = may & (monthly == least[:, None])
    return np.where(estimated.any(axis=1, keepdims=True), estimated, gentlest)


def _gain(terms: Terms, complete: NDArray[np.float64], anyway: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the exposure that accepted terms add over what would come in anyway."""
    down = terms.down_payment
    kept = complete + (1.0 - complete) * (down + (1.0 - down) * BROKEN_SHARE)
    left = 1.0 - anyway
    remaining = left.copy()
    for _ in range(min(terms.instalments, SELF_CURE_MONTHS) - 1):
        remaining = remaining * left
    return (1.0 - terms.discount) * kept - (1.0 - remaining)


def _recovered(
    p: NDArray[np.float64], paid: NDArray[np.float64], unpaid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the expected share of the exposure recovered without any action."""
    return np.clip(p * paid + (1.0 - p) * unpaid, 0.0, 1.0)


def _band(p: NDArray[np.float64], edges: tuple[float, ...]) -> NDArray[np.float64]:
    """Middle of the band of each probability."""
    bounds = np.array([0.0, *edges, 1.0])
    middles = (bounds[:-1] + bounds[1:]) / 2.0
    return np.asarray(middles[np.searchsorted(np.array(edges), p, side="right")])


def _tenths(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.rint(share / _STEP) * _STEP)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
