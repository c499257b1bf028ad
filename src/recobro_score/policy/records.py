"""The decision record: one row per account, do nothing and not allowed included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_HOUR, format_instant
from recobro_score.data.state import BUCKETS
from recobro_score.digest import canonical_json, sha256_text
from recobro_score.money import to_major
from recobro_score.policy.candidates import Candidates
from recobro_score.policy.terms import offer_content, schedule

SCHEMA_VERSION = "1"
_INSTANT = pa.timestamp("us", tz="UTC")

COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("decision_id", pa.string(), "16 hex digits from account, instant and policy version"),
    ("account_id", pa.string(), "the account"),
    ("debtor_id", pa.string(), "its debtor"),
    ("as_of", _INSTANT, "instant the decision is for"),
    ("action_id", pa.string(), "what to do; no_action = nothing"),
    ("channel", pa.string(), "channel of the action; internal = handed over to a person, null = no action"),
    ("agent", pa.string(), "who acts: bot, human or none"),
    ("slot_start", _INSTANT, "from here: the account's best hour, whoever else has it; null without contact"),
    ("slot_end", _INSTANT, "contact before here; null without contact"),
    ("contact_point_id", pa.string(), "contact point to use; null where none is known"),
    ("offer", pa.string(), "JSON: terms, total, waived, schedule, valid_until; null without offer"),
    ("currency", pa.string(), "currency of exposure and expected_recovery"),
    ("exposure", pa.float64(), "what is due, major units; null = unknown"),
    ("dpd", pa.float64(), "days past due; null = unknown"),
    ("bucket", pa.string(), "bucket of days past due; null = unknown"),
    ("p_pay", pa.float64(), "P(pays within the horizon) without an action"),
    ("p_pay_with_action", pa.float64(), "the same with the chosen action assigned"),
    ("p_contact", pa.float64(), "P(contact) in the slot; null without evidence or contact"),
    ("expected_recovery", pa.float64(), "expected recovery without an action, major units"),
    ("reporting_currency", pa.string(), "currency of value, cost, runner_up_value and price"),
    ("value", pa.float64(), "expected incremental net recovery of the action; 0 for no_action"),
    ("cost", pa.float64(), "cost of the action"),
    ("effect_source", pa.string(), "prior = catalogue and offer assumptions, log = logged decisions"),
    ("rule", pa.string(), "what stood against (another) action; null where nothing did"),
    ("next_allowed_at", _INSTANT, "earliest instant at which that rule gives way; null = not by itself"),
    ("runner_up", pa.string(), "second best eligible action at today's prices"),
    ("runner_up_value", pa.float64(), "its value"),
    ("pool", pa.string(), "scarce capacity the action uses; null = none"),
    ("price", pa.float64(), "shadow price of one unit of it"),
    ("propensity", pa.float64(), "probability with which the action was drawn; 1 = not random"),
    ("drawn", pa.bool_(), "whether the action was drawn at random"),
    ("reason_codes", pa.string(), "concepts behind the score, comma-joined, the strongest first"),
    ("reason_1", pa.string(), "strongest reason for the score"),
    ("reason_2", pa.string(), "second reason"),
    ("reason_3", pa.string(), "third reason"),
    ("action_reason", pa.string(), "why this action, one sentence"),
    ("flags", pa.string(), "warnings of the score, comma-joined; empty for none"),
    ("model_id", pa.string(), "model behind p_pay"),
    ("policy_version", pa.string(), "version of catalogue, offers, rules and capacities together"),
    ("rules_version", pa.string(), "version of the contact rules"),
    ("bundle_id", pa.string(), "bundle in use"),
    ("schema_version", pa.string(), "version of these columns"),
)
"""Name, type and meaning of every column."""

SCHEMA = pa.schema([pa.field(name, kind) for name, kind, _ in COLUMNS])


@dataclass(frozen=True, slots=True)
class Versions:
    """What a record was made with.

    Attributes
    ----------
    policy
        See `recobro_score.policy.decide.policy_version`.
    rules
        `ContactRules.version`.
    bundle_id
        The bundle in use; "" without one.
    """

    policy: str
    rules: str
    bundle_id: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What was decided, one row per account of the candidates.

    Attributes
    ----------
    action, runner_up
        i64[n] positions in the catalogue; runner_up -1 = none.
    runner_up_value
        f64[n]; NaN = none.
    rule
        object[n] what stood against (another) action; None = nothing.
    next_allowed_at
        i64[n] µs UTC; `NEVER` = not by itself, or nothing stands against.
    price
        f64[n] shadow price of a unit of the chosen action's pool; 0 where it needs none.
    """

    action: NDArray[np.int64]
    runner_up: NDArray[np.int64]
    runner_up_value: NDArray[np.float64]
    rule: NDArray[np.object_]
    next_allowed_at: NDArray[np.int64]
    price: NDArray[np.float64]


def decision_id(account_id: str, as_of: int, policy: str) -> str:
    """Return the 16 hex digits that name the decision of one account at one instant under one policy."""
    return sha256_text(f"{account_id}|{as_of}|{policy}")[:16]


def record_table(
    found: Candidates, choices: Choices, *, sentences: NDArray[np.object_], versions: Versions
) -> pa.Table:
    """Assemble the records, one per account of the candidates, in their order.

    Parameters
    ----------
    found
        Candidates.
    choices
        What was decided.
    sentences
        object[n] why, in words.
    versions
        What the records were made with.
    """
    row, n = np.arange(len(found)), len(found)
    action = choices.action
    actions = found.catalogue.actions
    contact = np.array([a.is_contact for a in actions])[action]
    start = found.slot_start[row, action]
    codes = np.array([",".join(c for c in codes if c) for codes in found.reason_codes], dtype=object)
    columns: dict[str, Any] = {
        "decision_id": [decision_id(a, found.as_of, versions.policy) for a in found.account_ids.to_pylist()],
        "account_id": found.account_ids,
        "debtor_id": found.debtor_ids,
        "as_of": _instants(np.full(n, found.as_of), np.ones(n, dtype=bool)),
        "action_id": _words([a.id for a in actions], action),
        "channel": _words([a.channel or None for a in actions], action),
        "agent": _words([a.agent for a in actions], action),
        "slot_start": _instants(start, contact),
        "slot_end": _instants(start + US_PER_HOUR, contact),
        "contact_point_id": _contact_points(found, action),
        "offer": _offers(found, action),
        "currency": found.currency,
        "exposure": to_major(found.exposure, found.digits),
        "dpd": found.dpd,
        "bucket": _words([*BUCKETS, None], found.bucket.astype(np.int64)),
        "p_pay": found.p_pay,
        "p_pay_with_action": found.p_with[row, action],
        "p_contact": found.p_contact[row, action],
        "expected_recovery": found.expected_recovery,
        "reporting_currency": _same(found.reporting, n),
        "value": found.table.values[row, action],
        "cost": np.array(found.cost)[action],
        "effect_source": effect_sources(found, action),
        "rule": choices.rule,
        "next_allowed_at": _instants(choices.next_allowed_at, choices.next_allowed_at != NEVER),
        "runner_up": _words([*found.catalogue.ids, None], choices.runner_up),
        "runner_up_value": choices.runner_up_value,
        "pool": _words([a.pool for a in actions], action),
        "price": choices.price,
        "propensity": np.ones(n),
        "drawn": np.zeros(n, dtype=bool),
        "reason_codes": codes,
        "reason_1": found.reason_texts[:, 0],
        "reason_2": found.reason_texts[:, 1],
        "reason_3": found.reason_texts[:, 2],
        "action_reason": sentences,
        "flags": found.flags,
        "model_id": _same(found.model_id, n),
        "policy_version": _same(versions.policy, n),
        "rules_version": _same(versions.rules, n),
        "bundle_id": _same(versions.bundle_id, n),
        "schema_version": _same(SCHEMA_VERSION, n),
    }
    arrays = [_array(columns[field.name], field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def effect_sources(found: Candidates, action: NDArray[np.int64]) -> NDArray[np.object_]:
    """Where the effect behind a choice comes from; for no action "prior" as soon as one effect is a prior."""
    contacts = [a.is_contact for a in found.catalogue.actions]
    compared = {
        source for source, is_contact in zip(found.effect_source, contacts, strict=True) if is_contact
    }
    overall = "log" if compared == {"log"} else "prior"
    sources = [s if c else overall for s, c in zip(found.effect_source, contacts, strict=True)]
    return _words(sources, action)


def _offers(found: Candidates, action: NDArray[np.int64]) -> NDArray[np.object_]:
    """Offers of the chosen actions as canonical JSON; None where the action carries none."""
    out = np.full(len(found), None, dtype=object)
    carries = np.array([a.offers for a in found.catalogue.actions])[action]
    for row in np.flatnonzero(carries & (found.offers.term >= 0)).tolist():
        terms, zone = found.offers.terms[found.offers.term[row]], str(found.zone[row])
        offered_at = int(found.offers.offered_at[row])
        plan = schedule(int(found.offers.exposure[row]), terms, offered_at, time_zone=zone)
        content = offer_content(
            plan,
            terms,
            currency=str(found.currency[row]),
            valid_until=format_instant(int(found.offers.valid_until[row]), zone),
            source=found.offers.source,
        )
        out[row] = canonical_json(content)
    return out


def _contact_points(found: Candidates, action: NDArray[np.int64]) -> pa.StringArray:
    column = found.catalogue.channel_codes()[action]
    points = np.concatenate([found.contact_point, np.full((len(found), 1), -1, dtype=np.int32)], axis=1)
    used = points[np.arange(len(found)), column]
    return found.contact_points.take(pa.array(used, mask=used < 0))


def _words(words: Sequence[str | None], codes: NDArray[np.int64]) -> NDArray[np.object_]:
    return np.asarray(np.array(words, dtype=object)[codes], dtype=object)


def _same(word: str, n: int) -> NDArray[np.object_]:
    return np.full(n, word, dtype=object)


def _instants(us: NDArray[np.int64], known: NDArray[np.bool_]) -> pa.Array:
    return pa.array(us, type=pa.int64(), mask=~known).cast(_INSTANT)


def _array(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401 - arrays, lists or Arrow
    if isinstance(values, pa.Array):
        return values.cast(kind)
    return pa.array(values, type=kind, from_pandas=True)
