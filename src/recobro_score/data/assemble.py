"""From checked tables to the event store: keys resolved, money exact, duplicates out, rows in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.data.check import Checked, absent
from recobro_score.data.contracts import Contract
from recobro_score.data.deferred import Deferred
from recobro_score.data.encoding import codes_of, encode
from recobro_score.data.events import EventTable
from recobro_score.data.local_clocks import local_minutes
from recobro_score.data.ordering import Arranged, arrange, content_keys, later_duplicates
from recobro_score.data.parse import text_of
from recobro_score.money import to_minor

_Maker = Callable[[], NDArray[Any]]
_Columns = tuple[dict[str, _Maker], dict[str, tuple[str, ...]], dict[str, pa.StringArray]]
"""What makes the columns of a table, its vocabularies and ids."""

_LOCAL_CLOCK = ("local_minute", "local_weekday")

ALWAYS = int(np.iinfo(np.int64).min)
"""The known clock of undated facts: they were always known."""


@dataclass(frozen=True, slots=True)
class Population:
    """The accounts and debtors that rows may name.

    Attributes
    ----------
    account_ids, debtor_ids : pyarrow.StringArray
        Sorted, unique.
    account_debtor : int64 array
        Debtor code per account.
    digits, zone, zones
        As in `EventStore`.
    opened_at : int64 array
        Opening instant per account.
    """

    account_ids: pa.StringArray
    debtor_ids: pa.StringArray
    account_debtor: NDArray[np.int64]
    digits: NDArray[np.int8]
    zone: NDArray[np.int32]
    zones: tuple[str, ...]
    opened_at: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Assembled:
    """One table in its final form.

    Attributes
    ----------
    table : EventTable
        The good rows.
    possible_duplicates : int
        Rows equal to another one in a table or row without an id.
    """

    table: EventTable
    possible_duplicates: int


def mark_duplicates(checked: Checked, known_at: NDArray[np.int64]) -> None:
    """Mark rows that repeat the id of a good row, keeping the version that was known first."""
    unique = checked.contract.unique
    if unique is None or checked.columns[unique].missing.all():
        return
    rows = np.flatnonzero(checked.good())
    keys = content_keys([checked.values(name) for name in checked.contract.names], rows)
    repeated = later_duplicates(_rows(checked.values(unique), rows), known_at[rows], keys)
    checked.log.mark(rows[repeated], "duplicate_id", unique)


def mark_unreadable_money(checked: Checked, digits: NDArray[np.int8]) -> dict[str, NDArray[np.int64]]:
    """Return the money columns in minor units and mark amounts that do not fit or make no sense."""
    minor: dict[str, NDArray[np.int64]] = {}
    for name in checked.contract.of_kind("money"):
        minor[name], fits = to_minor(checked.values(name), digits)
        checked.log.mark(~fits, f"out_of_range:{name}", name)
    if checked.contract.table == "payments":
        negative = np.flatnonzero(minor["amount"] < 0)
        kinds = checked.values("kind").take(pa.array(negative))
        negative = negative[codes_of(kinds, pa.array(["payment"])) == 0]
        checked.log.mark(negative, "negative_payment", "amount")
    if checked.contract.table in ("instalments", "promises"):
        checked.log.mark(minor["amount"] < 0, f"negative_{checked.contract.table[:-1]}", "amount")
    return minor


def assemble(checked: Checked, people: Population, *, lag: int, plan_start: Mapping[str, int]) -> Assembled:
    """Resolve keys, mark what cannot be used, and put the good rows of one table in order.

    Parameters
    ----------
    checked : Checked
        The table; rules broken here (``unknown_account``, ``unknown_debtor``, ``out_of_range:…``,
        ``negative_…``, ``ends_before_start``, ``duplicate_id``) are added to its log.
    people : Population
        Who may be named.
    lag : int
        Declared reporting lag in microseconds, for rows without ``known_at``.
    plan_start : mapping of str to int
        When each plan was known to be accepted: what its instalments are known from.
    """
    contract = checked.contract
    if checked.n_rows == 0:
        return Assembled(_nothing(contract, people), 0)
    owner = _owner(checked, people)
    owner_digits = _digits(checked, people, owner)
    minor = mark_unreadable_money(checked, owner_digits)
    _mark_backward_periods(checked)
    at, known_at = _clocks(checked, people, owner, lag=lag, plan_start=plan_start)
    mark_duplicates(checked, known_at)
    rows = checked.log.good_rows()
    as_they_came = contract.owner != "either" and len(rows) == checked.n_rows
    if contract.owner == "either":
        rows, owner_of_row = _expand_holds(checked, people, rows)
        at, known_at = at[rows], known_at[rows]
    elif as_they_came:
        owner_of_row = owner
    else:
        owner_of_row, at, known_at = owner[rows], at[rows], known_at[rows]
    n_owners = len(people.debtor_ids if contract.owner == "debtor" else people.account_ids)
    keys = content_keys([minor.get(name, checked.values(name)) for name in _tie_order(contract)], rows)
    arranged = arrange(owner_of_row, n_owners, at, known_at, keys)
    possible_duplicates = len(np.unique(rows[arranged.repeated]))
    rows = arranged.order if as_they_came else rows.take(arranged.order)
    made, vocabularies, ids = _columns(checked, minor, rows)
    made |= _derived(contract.table, made, vocabularies)
    if contract.table == "contacts":
        made |= _local_clock(arranged, people)
    columns = Deferred(made)
    table = EventTable(
        contract.table, arranged.offsets, arranged.at, arranged.known_at, columns, vocabularies, ids
    )
    return Assembled(table, possible_duplicates)


def _nothing(contract: Contract, people: Population) -> EventTable:
    """Return the table without rows."""
    columns, vocabularies, ids = _no_columns(contract)
    n_owners = len(people.debtor_ids if contract.owner == "debtor" else people.account_ids)
    empty = np.zeros(0, dtype=np.int64)
    offsets = np.zeros(n_owners + 1, dtype=np.int64)
    return EventTable(contract.table, offsets, empty, empty, dict(columns), dict(vocabularies), dict(ids))


@cache
def _no_columns(
    contract: Contract,
) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[str, ...]], dict[str, pa.StringArray]]:
    none = np.zeros(0, dtype=np.int64)
    minor = dict.fromkeys(contract.of_kind("money"), none)
    made, vocabularies, ids = _columns(absent(contract), minor, none)
    made |= _derived(contract.table, made, vocabularies)
    columns = {name: make() for name, make in made.items()}
    if contract.table == "contacts":
        columns |= dict.fromkeys(_LOCAL_CLOCK, none)
    return columns, vocabularies, ids


def _rows(values: Any, rows: NDArray[np.int64]) -> Any:  # noqa: ANN401 - Arrow or numpy
    if not isinstance(values, pa.Array):
        return values.take(rows)
    if isinstance(values, pa.DictionaryArray):
        codes = values.indices
        if codes.null_count == 0:
            taken = pa.array(codes.to_numpy().take(rows))
        elif codes.null_count == len(codes):
            taken = pa.nulls(len(rows), codes.type)
        else:
            taken = codes.take(pa.array(rows))
        return pa.DictionaryArray.from_arrays(taken, values.dictionary, safe=False)
    if values.null_count == len(values):
        return pa.nulls(len(rows), values.type)
    return values.take(pa.array(rows))


def _flags(mask: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False), dtype=bool)


def _owner(checked: Checked, people: Population) -> NDArray[np.int64]:
    if checked.contract.owner == "account":
        owner = codes_of(checked.values("account_id"), people.account_ids)
        checked.log.mark(owner < 0, "unknown_account", "account_id")
        return owner
    debtor = codes_of(checked.values("debtor_id"), people.debtor_ids)
    if checked.contract.owner == "debtor":
        checked.log.mark(debtor < 0, "unknown_debtor", "debtor_id")
        return debtor
    account = codes_of(checked.values("account_id"), people.account_ids)
    unnamed = checked.columns["account_id"].missing & checked.columns["debtor_id"].missing
    checked.log.mark(unnamed, "names_nobody", None)
    unknown = (account < 0) & (debtor < 0)
    checked.log.mark(unknown & ~checked.columns["account_id"].missing, "unknown_account", "account_id")
    checked.log.mark(unknown, "unknown_debtor", "debtor_id")
    return account


def _digits(checked: Checked, people: Population, owner: NDArray[np.int64]) -> NDArray[np.int8]:
    digits = people.digits
    if checked.contract.owner != "account" or len(digits) == 0:
        return np.zeros(checked.n_rows, dtype=np.int8)
    if digits.min() == digits.max():
        return np.full(checked.n_rows, digits[0])
    return digits[np.maximum(owner, 0)]


def _mark_backward_periods(checked: Checked) -> None:
    if not checked.contract.safety or checked.contract.clock is None:
        return
    start = checked.values(checked.contract.clock)
    for name in checked.contract.of_kind("later"):
        checked.log.mark(checked.values(name) < start, "ends_before_start", name)


def _clocks(
    checked: Checked,
    people: Population,
    owner: NDArray[np.int64],
    *,
    lag: int,
    plan_start: Mapping[str, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    contract = checked.contract
    given = checked.columns["known_at"]
    if contract.clock == "known_at":
        return given.values, given.values
    if contract.clock is None:
        known_at = np.where(given.missing, ALWAYS, given.values)
        return known_at, known_at
    at = checked.values(contract.clock)
    if not given.missing.any():
        return at, given.values
    default = at + lag
    if contract.scheduled and len(people.opened_at):
        default = people.opened_at[np.maximum(owner, 0)] + lag
        plans = checked.values("plan_id")
        if plans.null_count < len(plans):
            starts = np.array([plan_start.get(plan, NEVER) for plan in plans.to_pylist()], dtype=np.int64)
            starts = np.where(starts == NEVER, NEVER, np.minimum(starts, NEVER - lag) + lag)
            default = np.where(checked.columns["plan_id"].missing, default, starts)
    return at, np.where(given.missing, default, given.values)


def _expand_holds(
    checked: Checked, people: Population, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give a hold to the account it names and to every account of the debtor it names."""
    account = codes_of(_rows(checked.values("account_id"), rows), people.account_ids)
    debtor = codes_of(_rows(checked.values("debtor_id"), rows), people.debtor_ids)
    by_debtor = np.argsort(people.account_debtor, kind="stable")
    starts = np.searchsorted(people.account_debtor[by_debtor], np.arange(len(people.debtor_ids) + 1))
    named = np.flatnonzero(debtor >= 0)
    lengths = starts[debtor[named] + 1] - starts[debtor[named]]
    ends = np.cumsum(lengths)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    of_debtor = by_debtor[np.repeat(starts[debtor[named]], lengths) + within]
    direct = np.flatnonzero(account >= 0)
    pairs = np.concatenate(
        [
            np.stack([rows[direct], account[direct]]),
            np.stack([np.repeat(rows[named], lengths), of_debtor]),
        ],
        axis=1,
    )
    pairs = np.unique(pairs, axis=1)
    return pairs[0], pairs[1]


def _tie_order(contract: Contract) -> list[str]:
    unique = contract.unique
    rest = [name for name in contract.names if name not in (unique, "known_at")]
    return [unique, *rest] if unique else rest


def _columns(checked: Checked, minor: Mapping[str, NDArray[np.int64]], rows: NDArray[np.int64]) -> _Columns:
    contract = checked.contract
    owner_ids = {"account": ("account_id",), "debtor": ("debtor_id",), "either": ("account_id", "debtor_id")}
    made: dict[str, _Maker] = {}
    vocabularies: dict[str, tuple[str, ...]] = {}
    ids: dict[str, pa.StringArray] = {}
    for column in contract.columns:
        if column.name in (contract.clock, "known_at", *owner_ids[contract.owner]):
            continue
        parsed = checked.columns[column.name]
        values = minor.get(column.name, parsed.values)
        if column.kind == "id":
            ids[column.name] = text_of(_in_order(values, parsed.missing, rows))
        elif column.kind == "category":
            codes, vocabularies[column.name] = encode(_in_order(values, parsed.missing, rows))
            made[column.name] = partial(np.asarray, codes)
        else:
            made[column.name] = cache(partial(_in_order, values, parsed.missing, rows))
    return made, vocabularies, ids


def _in_order(values: Any, missing: NDArray[np.bool_], rows: NDArray[np.int64]) -> Any:  # noqa: ANN401
    """Return the values of rows in their order; where all are missing they are alike, and any will do."""
    if len(rows) <= len(values) and missing.all():
        alike = values[: len(rows)]
        return alike if isinstance(alike, pa.Array) else np.ascontiguousarray(alike)
    return _rows(values, rows)


def _derived(
    table: str, made: Mapping[str, _Maker], vocabularies: Mapping[str, tuple[str, ...]]
) -> dict[str, _Maker]:
    """Return the signed recoveries of payments."""
    if table != "payments":
        return {}
    words = vocabularies["kind"]
    sign = np.zeros(len(words) + 1, dtype=np.int64)
    sign[: len(words)] = [{"payment": 1, "reversal": -1}.get(word, 0) for word in words]
    kind, amount = made["kind"], made["amount"]
    return {"recovery": lambda: sign.take(kind()) * np.abs(amount())}


def _local_clock(arranged: Arranged, people: Population) -> dict[str, _Maker]:
    """Return the minute of the day and the weekday where the debtor lives."""
    clock = cache(partial(local_minutes, arranged.at, arranged.offsets, people.zone, people.zones))
    minute, weekday = _LOCAL_CLOCK
    return {minute: lambda: clock()[0], weekday: lambda: clock()[1]}


def plan_starts(plans: EventTable) -> dict[str, int]:
    """Return when each plan was known to be accepted (`NEVER` for one that was not)."""
    known = np.maximum(plans.columns["accepted_at"], plans.known_at)
    return dict(zip(plans.ids["plan_id"].to_pylist(), known.tolist(), strict=True))
