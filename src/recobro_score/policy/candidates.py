"""What could be done for each account of one bucket, and what each possibility is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.errors import SchemaMismatch
from recobro_score.money import Rates, to_major
from recobro_score.policy.actions import HUMAN_REVIEW, ActionTable, Catalogue
from recobro_score.policy.affordability import disposable_income
from recobro_score.policy.contact_rules import ContactRules
from recobro_score.policy.inputs import DecisionInputs
from recobro_score.policy.offers import OfferCases, Offers, PriorTermScorer, TermKeys, TermScorer, best_offer
from recobro_score.policy.plans import OpenPlans, open_plans
from recobro_score.policy.slots import lawful_slots
from recobro_score.policy.stops import find_stops
from recobro_score.policy.terms import OfferPolicy
from recobro_score.policy.views import codes, visible
from recobro_score.policy.worth import action_table, exchange


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything `decide` needs of the accounts of one or more buckets; rows are accounts.

    Attributes
    ----------
    account_ids, debtor_ids
        Ids, length n.
    table
        Values, eligibility and rules per action.
    offers
        The offer of each account.
    p_with, p_contact
        f64[n, A] P(pays) with each action assigned; P(contact) at its best slot, NaN = unknown.
    slot_start
        i64[n, A] µs UTC at which the best lawful slot begins; 0 = none.
    contact_point
        i32[n, channels] position in `contact_points` of the one to use; -1 = none known.
    vulnerable
        bool[n] only a person may contact the debtor.
    last_review
        i64[n] µs UTC of the debtor's last hand-over to a person; 0 = never.
    p_pay, expected_recovery, exposure, digits, currency, dpd, bucket, zone
        Columns of the record; `zone` is the name of the debtor's time zone.
    reason_codes, reason_texts, flags
        As in `DecisionInputs`.
    contact_points
        Ids of contact points.
    catalogue, cost, effect_source
        The actions; cost of each in the reporting currency; where its effect comes from.
    as_of, reporting, model_id
        Instant, reporting currency, model.
    """

    account_ids: pa.StringArray
    debtor_ids: pa.StringArray
    table: ActionTable
    offers: Offers
    p_with: NDArray[np.float64]
    p_contact: NDArray[np.float64]
    slot_start: NDArray[np.int64]
    contact_point: NDArray[np.int32]
    vulnerable: NDArray[np.bool_]
    last_review: NDArray[np.int64]
    p_pay: NDArray[np.float64]
    expected_recovery: NDArray[np.float64]
    exposure: NDArray[np.int64]
    digits: NDArray[np.int8]
    currency: NDArray[np.object_]
    dpd: NDArray[np.float64]
    bucket: NDArray[np.int8]
    zone: NDArray[np.object_]
    reason_codes: NDArray[np.object_]
    reason_texts: NDArray[np.object_]
    flags: NDArray[np.object_]
    contact_points: pa.StringArray
    catalogue: Catalogue
    cost: tuple[float, ...]
    effect_source: tuple[str, ...]
    as_of: int
    reporting: str
    model_id: str

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self.p_pay)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given rows in the given order."""
        arrow = pa.array(rows)
        changed: dict[str, Any] = {name: getattr(self, name)[rows] for name in _row_arrays(self)}
        changed |= {"account_ids": self.account_ids.take(arrow), "debtor_ids": self.debtor_ids.take(arrow)}
        changed |= {"table": self.table.take(rows), "offers": self.offers.take(rows)}
        return replace(self, **changed)

    @staticmethod
    def concat(parts: Sequence[Candidates]) -> Candidates:
        """Put buckets below each other.

        Raises
        ------
        SchemaMismatch
            When there is nothing to put together, or the buckets are not of one policy at one instant.
        """
        keys = {(p.as_of, p.reporting, p.model_id, p.effect_source, p.catalogue.version) for p in parts}
        if len(keys) != 1:
            msg = f"candidates of {len(keys)} different policies or instants cannot be put together"
            raise SchemaMismatch(msg)
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _row_arrays(parts[0])
        }
        for name in ("account_ids", "debtor_ids"):
            joined[name] = pa.concat_arrays([getattr(part, name) for part in parts])
        joined["contact_points"] = pa.concat_arrays([part.contact_points for part in parts])
        starts = np.cumsum([0, *(len(part.contact_points) for part in parts[:-1])])
        points = [_moved(part.contact_point, int(start)) for part, start in zip(parts, starts, strict=True)]
        joined["contact_point"] = np.concatenate(points)
        joined["table"] = ActionTable.concat([part.table for part in parts])
        joined["offers"] = Offers.concat([part.offers for part in parts])
        return replace(parts[0], **joined)


def _moved(positions: NDArray[np.int32], by: int) -> NDArray[np.int32]:
    """Move positions that are not -1."""
    return np.where(positions < 0, positions, positions + np.int32(by))


def _row_arrays(found: Candidates) -> list[str]:
    return [field.name for field in fields(found) if isinstance(getattr(found, field.name), np.ndarray)]


def candidates(
    inputs: DecisionInputs,
    store: EventStore,
    as_of: int,
    *,
    catalogue: Catalogue,
    rules: ContactRules,
    offers: OfferPolicy,
    rates: Rates | None = None,
    scorer: TermScorer | None = None,
) -> Candidates:
    """Work out for each account which actions are lawful and what each adds.

    With p = P(pays), δ the action's effect in the account's bucket and r = P(contact at the best lawful
    slot) ÷ the channel's typical rate, clipped to [0, 2] and 1 without evidence, an action is worth

        (sigmoid(logit p + δ·r) − p)·(paid share − unpaid share)·exposure·rate − cost,

    plus the offer's expected increment × P(contact) where it carries one and δ is a prior: the catalogue's
    priors leave the offer out. An effect estimated from a log already contains the offers that were made with
    the action, so nothing is added to it and `effect_source` "log" says all of it.

    Parameters
    ----------
    inputs
        Scores, in the store's order.
    store
        The accounts of one bucket; all accounts of a debtor must be in it.
    as_of
        µs UTC.
    catalogue, rules, offers
        The policy.
    rates
        Dated exchange rates into the reporting currency. None: all accounts are in the catalogue's currency.
    scorer
        P(accept) and P(complete) of terms; None takes `PriorTermScorer`.

    Raises
    ------
    SchemaMismatch
        When shapes do not fit.
    ConfigError
        When a currency has no rate.
    """
    inputs.check(store.n_accounts, len(catalogue.actions))
    state, channels = inputs.state, catalogue.channels
    stops = find_stops(store, as_of, state, rules=rules, channels=channels)
    plans = open_plans(store, as_of, valid_days=offers.valid_days)
    stops.stop(plans.kept, "plan:kept", plans.next_due)
    unscored = np.isnan(inputs.p_pay) | np.isnan(inputs.paid_share) | np.isnan(inputs.unpaid_share)
    stops.stop(unscored & ~stops.vulnerable, "no_score")
    slots = lawful_slots(rules, store, as_of, channels=channels)
    cases = _offer_cases(inputs, store, as_of, plans, policy=offers)
    offered = best_offer(cases, policy=offers, scorer=scorer or PriorTermScorer())
    currency = store.words("accounts.currency")
    scale, cost, reporting = exchange(currency, catalogue, rates, as_of)
    stake = np.nan_to_num(to_major(state.exposure, store.digits)) * scale
    worth = action_table(
        inputs, stops, slots, offered, catalogue=catalogue, stake=stake, scale=scale, cost=cost
    )
    slot = worth.table.slot
    points = pa.array(stops.contact_point.ravel(), pa.string()).dictionary_encode()
    return Candidates(
        account_ids=store.account_ids,
        debtor_ids=store.debtor_ids.take(pa.array(store.account_debtor)),
        table=worth.table,
        offers=offered,
        p_with=worth.p_with,
        p_contact=worth.p_contact,
        slot_start=np.where(slot >= 0, slots.start[np.arange(store.n_accounts)[:, None], slot], 0),
        contact_point=points.indices.fill_null(-1).to_numpy().reshape(stops.contact_point.shape),
        vulnerable=stops.vulnerable,
        last_review=_last_review(store, as_of),
        p_pay=inputs.p_pay,
        expected_recovery=inputs.expected_recovery,
        exposure=state.exposure,
        digits=store.digits,
        currency=currency,
        dpd=state.dpd,
        bucket=state.bucket,
        zone=np.array(store.zones, dtype=object)[store.zone],
        reason_codes=inputs.reason_codes,
        reason_texts=inputs.reason_texts,
        flags=inputs.flags,
        contact_points=points.dictionary,
        catalogue=catalogue,
        cost=cost,
        effect_source=inputs.effect_source or ("prior",) * len(catalogue.actions),
        as_of=as_of,
        reporting=reporting,
        model_id=inputs.model_id,
    )


def _offer_cases(
    inputs: DecisionInputs, store: EventStore, as_of: int, plans: OpenPlans, *, policy: OfferPolicy
) -> OfferCases:
    state = inputs.state
    return OfferCases(
        keys=TermKeys(store.account_ids, as_of, state.bucket),
        exposure=state.exposure,
        digits=store.digits,
        currency=store.words("accounts.currency"),
        p_pay=np.nan_to_num(inputs.p_pay),
        paid_share=np.nan_to_num(inputs.paid_share),
        unpaid_share=np.nan_to_num(inputs.unpaid_share),
        disposable=disposable_income(store, as_of, assumed_expenses=policy.assumed_expenses),
        ability=np.full(store.n_accounts, np.nan) if inputs.ability is None else inputs.ability,
        plans=plans,
    )


def _last_review(store: EventStore, as_of: int) -> NDArray[np.int64]:
    """When each account's debtor was last handed over to a person, µs UTC; 0 = never."""
    table = store.tables["decisions"]
    seen = visible(table, as_of) & np.isin(codes(table, "action_id"), table.codes("action_id", HUMAN_REVIEW))
    last = np.zeros(len(store.debtor_ids), dtype=np.int64)
    np.maximum.at(last, store.account_debtor[table.owner()[seen]], table.at[seen])
    return last[store.account_debtor]
