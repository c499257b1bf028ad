"""What each action is worth for each account, and which rule forbids it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.errors import ConfigError
from recobro_score.money import Rates
from recobro_score.policy.actions import Action, ActionTable, Catalogue
from recobro_score.policy.inputs import DecisionInputs
from recobro_score.policy.offers import Offers
from recobro_score.policy.slots import LawfulSlots
from recobro_score.policy.stops import Stops

HUMAN_ONLY = "human_only"
NOT_NEEDED = "human_review:not_needed"
COMPLAINT_OPEN = "complaint:open"
LOG = "log"
MAX_REACH_RATIO = 2.0
_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Worth:
    """Values and rules per action, with the probabilities behind them.

    Attributes
    ----------
    table
        Accounts × actions.
    p_with
        f64[n, A] P(pays) with the action assigned.
    p_contact
        f64[n, A] P(contact) at the best lawful slot; NaN = unknown, or nobody is contacted.
    """

    table: ActionTable
    p_with: NDArray[np.float64]
    p_contact: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Best:
    """Best lawful slot of each channel: position, P(contact) there, and its ratio to the typical rate."""

    slot: NDArray[np.int16]
    p_contact: NDArray[np.float64]
    ratio: NDArray[np.float64]


def exchange(
    currency: NDArray[np.object_], catalogue: Catalogue, rates: Rates | None, as_of: int
) -> tuple[NDArray[np.float64], tuple[float, ...], str]:
    """Bring amounts and costs into one currency.

    Returns
    -------
    scale : float64 array, shape (n,)
        Major units of the reporting currency per major unit of each account's.
    cost : tuple of float
        Cost of each action in the reporting currency.
    reporting : str
        The reporting currency; without rates, the catalogue's.

    Raises
    ------
    ConfigError
        When a rate is missing.
    """
    found = sorted(set(currency.tolist()))
    if rates is None:
        foreign = [name for name in found if name != catalogue.currency]
        if foreign:
            msg = (
                f"accounts are in {', '.join(foreign)} and the catalogue's costs in {catalogue.currency}: "
                "give dated rates, or a catalogue priced in the accounts' currency"
            )
            raise ConfigError(msg)
        rates = Rates(catalogue.currency)
    factors = {name: rates.factor(name, as_of) for name in found}
    own = rates.factor(catalogue.currency, as_of)
    cost = tuple(float(action.cost) * own for action in catalogue.actions)
    return np.array([factors[name] for name in currency], dtype=np.float64), cost, rates.reporting


def action_table(
    inputs: DecisionInputs,
    stops: Stops,
    slots: LawfulSlots,
    offers: Offers,
    *,
    catalogue: Catalogue,
    stake: NDArray[np.float64],
    scale: NDArray[np.float64],
    cost: tuple[float, ...],
) -> Worth:
    """Value every action for every account, and name the rule that forbids it.

    Parameters
    ----------
    inputs, stops, slots, offers
        What is known of the accounts, in one order.
    catalogue
        The actions.
    stake
        f64[n] exposure in the reporting currency.
    scale
        f64[n] rate of each account's currency into it.
    cost
        Cost of each action in it.
    """
    shape = (len(inputs.p_pay), len(catalogue.actions))
    best = _best_slots(inputs, slots)
    names = [*stops.rules, *slots.rules]
    rule, until = np.full(shape, -1, dtype=np.int16), np.zeros(shape, dtype=np.int64)
    values, p_with = np.zeros(shape), np.repeat(inputs.p_pay[:, None], shape[1], axis=1)
    slot, p_contact = np.full(shape, -1, dtype=np.int16), np.full(shape, np.nan)
    effects = catalogue.prior_effects() if inputs.effects is None else inputs.effects
    sources = inputs.effect_source or ("prior",) * shape[1]
    moved = (inputs.paid_share - inputs.unpaid_share) * stake
    for a, action in enumerate(catalogue.actions):
        if action.channel == "":
            continue
        rule[:, a], until[:, a] = _forbidden(action, stops, slots, offers, names)
        if action.is_contact:
            c = slots.channels.index(action.channel)
            slot[:, a], p_contact[:, a] = best.slot[:, c], best.p_contact[:, c]
            shift = effects[a][inputs.state.bucket] * best.ratio[:, c]
            p_with[:, a] = _shifted(inputs.p_pay, shift)
            values[:, a] = (p_with[:, a] - inputs.p_pay) * moved - cost[a]
        if action.offers and sources[a] != LOG:
            reach = np.where(np.isnan(p_contact[:, a]), action.prior_reach, p_contact[:, a])
            values[:, a] += offers.increment * scale * reach
    eligible = rule < 0
    table = ActionTable(
        action_ids=catalogue.ids,
        values=np.where(eligible, values, -np.inf),
        eligible=eligible,
        rule=rule,
        rules=tuple(names),
        next_allowed_at=until,
        slot=np.where(eligible, slot, -1).astype(np.int16),
        pool=catalogue.pool_codes(),
        pools=catalogue.pools,
    )
    return Worth(table, p_with, np.where(eligible, p_contact, np.nan))


def _forbidden(
    action: Action, stops: Stops, slots: LawfulSlots, offers: Offers, names: list[str]
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """First rule that forbids an action per account, -1 = none, and when it gives way; `names` may grow."""
    rule, until = stops.account.copy(), np.where(stops.account >= 0, stops.until, 0)
    _add(
        rule,
        until,
        stops.vulnerable if action.is_contact else ~stops.vulnerable,
        names,
        HUMAN_ONLY if action.is_contact else NOT_NEEDED,
    )
    if not action.is_contact:
        return rule, until
    c = slots.channels.index(action.channel)
    rows = (rule < 0) & (stops.machine_until > 0) & (action.agent == "bot")
    if rows.any():
        rule[rows], until[rows] = _code(names, COMPLAINT_OPEN), stops.machine_until[rows]
    rows = (rule < 0) & (stops.channel[:, c] >= 0)
    rule[rows], until[rows] = stops.channel[rows, c], NEVER
    rows = (rule < 0) & (slots.rule[:, c] >= 0)
    rule[rows], until[rows] = slots.rule[rows, c] + len(stops.rules), slots.next_allowed_at[rows, c]
    if action.offers:
        for name in sorted({str(r) for r in offers.rule if r is not None}):
            _add(rule, until, offers.rule == name, names, name)
    return rule, until


def _add(
    rule: NDArray[np.int16], until: NDArray[np.int64], where: NDArray[np.bool_], names: list[str], name: str
) -> None:
    """Forbid an action for some accounts by a rule that does not give way by itself."""
    rows = where & (rule < 0)
    rule[rows], until[rows] = _code(names, name), NEVER


def _code(names: list[str], name: str) -> int:
    """Position of a rule's name, added when new."""
    if name not in names:
        names.append(name)
    return names.index(name)


def _best_slots(inputs: DecisionInputs, slots: LawfulSlots) -> _Best:
    """Lawful slot with the largest P(contact) per channel, the earliest among equals."""
    n, width = slots.rule.shape
    slot, p_contact = np.full((n, width), -1, dtype=np.int16), np.full((n, width), np.nan)
    ratio = np.ones((n, width))
    for c, channel in enumerate(slots.channels):
        chance = np.full(slots.start.shape, np.nan)
        typical = np.nan
        if inputs.p_contact is not None and channel in inputs.channels:
            chance = inputs.p_contact[:, inputs.channels.index(channel)].astype(np.float64)
            if inputs.typical_contact is not None:
                typical = float(inputs.typical_contact[inputs.channels.index(channel)])
        ranked = np.where(slots.allowed[:, c], np.where(np.isnan(chance), -1.0, chance), -np.inf)
        equal = (ranked == ranked.max(axis=1, keepdims=True)) & slots.allowed[:, c]
        first = np.where(equal, slots.start, NEVER).argmin(axis=1)
        some = equal.any(axis=1)
        slot[some, c] = first[some]
        p_contact[:, c] = np.where(some, chance[np.arange(n), first], np.nan)
        if typical > 0.0:
            relative = np.clip(p_contact[:, c] / typical, 0.0, MAX_REACH_RATIO)
            ratio[:, c] = np.where(np.isnan(relative), 1.0, relative)
    return _Best(slot, p_contact, ratio)


def _shifted(p: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities moved by log-odds; certain ones hardly move, and no shift moves nothing at all."""
    inner = np.clip(p, _EDGE, 1.0 - _EDGE)
    moved = 1.0 / (1.0 + (1.0 - inner) / inner * np.exp(-shift))
    return np.where(shift == 0.0, p, p + (moved - inner))
