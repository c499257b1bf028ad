"""Build the event store from checked tables: people first, then every table, then what stops contact."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import is_zone, zone_of_country
from recobro_score.data.assemble import (
    ALWAYS,
    Assembled,
    Population,
    assemble,
    mark_duplicates,
    mark_unreadable_money,
    plan_starts,
)
from recobro_score.data.check import Checked
from recobro_score.data.contracts import EVENT_TABLES, SAFETY_TABLES
from recobro_score.data.disproofs import disproofs, disproved
from recobro_score.data.encoding import codes_of, encode
from recobro_score.data.events import EventStore
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.parse import text_of
from recobro_score.money import minor_digits


def build_store(
    checked: Mapping[str, Checked], options: PortfolioOptions, *, given: Set[str]
) -> tuple[EventStore, dict[str, int]]:
    """Return the store and the number of possible duplicates per table.

    Parameters
    ----------
    checked : mapping of str to Checked
        Every table; rows that break a rule between tables are added to their logs.
    options : PortfolioOptions
        Time zone, lags, declared tables.
    given : set of str
        The tables that came at all.
    """
    accounts, account_words, account_ids, debtor_of = _accounts(checked["accounts"], options)
    debtors, debtor_words, debtor_ids = _debtors(checked["debtors"], debtor_of)
    account_debtor = codes_of(debtor_of, debtor_ids)
    digits = np.array([minor_digits(word) for word in account_words["currency"]], dtype=np.int8)
    words = {f"accounts.{name}": value for name, value in account_words.items()}
    words |= {f"debtors.{name}": value for name, value in debtor_words.items()}
    zone, zones = _zones(accounts, debtors, account_debtor, words, options.time_zone)
    people = Population(
        account_ids=account_ids,
        debtor_ids=debtor_ids,
        account_debtor=account_debtor,
        digits=digits[accounts["currency"]] if len(account_ids) else np.zeros(0, np.int8),
        zone=zone,
        zones=zones,
        opened_at=accounts["opened_at"],
    )
    assembled: dict[str, Assembled] = {}
    starts: dict[str, int] = {}
    for table in ("plans", *(name for name in EVENT_TABLES if name != "plans")):
        assembled[table] = assemble(checked[table], people, lag=options.lag(table), plan_start=starts)
        if table == "plans":
            starts = plan_starts(assembled[table].table)
    tables = {table: assembled[table].table for table in EVENT_TABLES}
    tables["contact_points"] = disproved(tables["contact_points"], disproofs(tables["contacts"]))
    stopped, blocked = _stops(checked, people, options, given)
    store = EventStore(
        account_ids=account_ids,
        debtor_ids=debtor_ids,
        account_debtor=account_debtor,
        accounts=accounts,
        debtors=debtors,
        vocabularies=words,
        digits=people.digits,
        zone=zone,
        zones=zones,
        tables=tables,
        time_zone=options.time_zone,
        lags={table: options.lag(table) for table in EVENT_TABLES},
        stopped=stopped,
        blocked=blocked,
    )
    return store, {table: result.possible_duplicates for table, result in assembled.items()}


def _accounts(
    checked: Checked, options: PortfolioOptions
) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[str, ...]], pa.StringArray, pa.StringArray]:
    currency = checked.values("currency")
    by_word = [minor_digits(word) for word in [*currency.dictionary.to_pylist(), ""]]
    digits = np.array(by_word, dtype=np.int8)[currency.indices.fill_null(-1).to_numpy()]
    minor = mark_unreadable_money(checked, digits)
    given = checked.columns["known_at"]
    known_at = np.where(given.missing, checked.values("opened_at") + options.lag("accounts"), given.values)
    mark_duplicates(checked, known_at)
    rows = _sorted_rows(checked, "account_id")
    columns, words = _static(checked, rows, skip=("account_id", "debtor_id", "known_at"), minor=minor)
    columns["known_at"] = known_at[rows]
    take = pa.array(rows)
    ids, debtors = (text_of(checked.values(name)).take(take) for name in ("account_id", "debtor_id"))
    return columns, words, ids, debtors


def _debtors(
    checked: Checked, debtor_of: pa.StringArray
) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[str, ...]], pa.StringArray]:
    zones = text_of(checked.values("time_zone"))
    known = [name for name in pc.unique(zones).to_pylist() if name is None or is_zone(name)]
    unknown = codes_of(zones, pa.array(known, pa.string())) < 0
    checked.log.mark(unknown & ~checked.columns["time_zone"].missing, "unreadable:time_zone", "time_zone")
    given = checked.columns["known_at"]
    known_at = np.where(given.missing, ALWAYS, given.values)
    mark_duplicates(checked, known_at)
    rows = _sorted_rows(checked, "debtor_id")
    listed = text_of(checked.values("debtor_id")).take(pa.array(rows))
    everyone = pc.unique(pa.concat_arrays([listed, debtor_of]))
    debtor_ids = everyone.take(pc.sort_indices(everyone))
    columns, words = _static(checked, rows, skip=("debtor_id", "known_at"), minor={})
    columns["known_at"] = known_at[rows]
    position = codes_of(debtor_ids, listed)
    return {name: _spread(values, position) for name, values in columns.items()}, words, debtor_ids


def _sorted_rows(checked: Checked, unique: str) -> NDArray[np.int64]:
    rows = np.flatnonzero(checked.good())
    order = pc.sort_indices(text_of(checked.values(unique)).take(pa.array(rows)))
    return rows[np.asarray(order.to_numpy(zero_copy_only=False), dtype=np.int64)]


def _static(
    checked: Checked,
    rows: NDArray[np.int64],
    *,
    skip: tuple[str, ...],
    minor: Mapping[str, NDArray[np.int64]],
) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[str, ...]]]:
    columns: dict[str, NDArray[Any]] = {}
    words: dict[str, tuple[str, ...]] = {}
    for column in checked.contract.columns:
        if column.name in skip:
            continue
        if column.kind == "category":
            columns[column.name], words[column.name] = encode(
                checked.values(column.name).take(pa.array(rows))
            )
        else:
            columns[column.name] = minor.get(column.name, checked.values(column.name))[rows]
    return columns, words


def _spread(values: NDArray[Any], position: NDArray[np.int64]) -> NDArray[Any]:
    """Return the values at positions, and the empty value of their kind at −1."""
    empty: Any = {"f": np.nan, "i": -1}[values.dtype.kind]
    if values.dtype == np.int64:
        empty = ALWAYS
    return np.append(values, np.array([empty], dtype=values.dtype))[position]


def _zones(
    accounts: Mapping[str, NDArray[Any]],
    debtors: Mapping[str, NDArray[Any]],
    account_debtor: NDArray[np.int64],
    words: Mapping[str, tuple[str, ...]],
    time_zone: str,
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return the zone of each account: the debtor's own, else the debtor's country's, else the account's."""
    names: list[str] = [time_zone]

    def number(name: str | None) -> int:
        if name is None:
            return -1
        if name not in names:
            names.append(name)
        return names.index(name)

    def lookup(column: str, codes: NDArray[np.int32], *, country: bool) -> NDArray[np.int32]:
        vocabulary = words[column]
        table = [number(zone_of_country(word) if country else word) for word in vocabulary]
        return np.array([*table, -1], dtype=np.int32)[codes]

    candidates = [
        lookup("debtors.time_zone", debtors["time_zone"][account_debtor], country=False),
        lookup("debtors.country", debtors["country"][account_debtor], country=True),
        lookup("accounts.country", accounts["country"], country=True),
    ]
    zone = np.zeros(len(account_debtor), dtype=np.int32)
    for candidate in reversed(candidates):
        zone = np.where(candidate >= 0, candidate, zone).astype(np.int32)
    return zone, tuple(names)


def _stops(
    checked: Mapping[str, Checked], people: Population, options: PortfolioOptions, given: Set[str]
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return whom bad safety rows name, and the reasons to contact nobody at all.

    A row that names an account stops all accounts of its debtor: what was lost may concern the person.
    """
    stopped = np.zeros(len(people.account_ids), dtype=bool)
    blocked = [
        f"missing:{table}" for table in options.declared if table in SAFETY_TABLES and table not in given
    ]
    for table in SAFETY_TABLES:
        bad = checked[table].quarantined()
        if len(bad) == 0:
            continue
        bad = bad.filter(pc.field("rule") != "duplicate_id")
        accounts = codes_of(bad["account_id"].combine_chunks(), people.account_ids)
        debtors = codes_of(bad["debtor_id"].combine_chunks(), people.debtor_ids)
        named = np.concatenate([people.account_debtor[accounts[accounts >= 0]], debtors[debtors >= 0]])
        stopped |= np.isin(people.account_debtor, named)
        nobody = pc.and_(pc.is_null(bad["account_id"]), pc.is_null(bad["debtor_id"]))
        if pc.any(nobody).as_py():
            blocked.append(f"names_nobody:{table}")
    return stopped, tuple(blocked)
