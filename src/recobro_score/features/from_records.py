"""The records of one account, laid out for the compiled function without building a store.

Records are read as the contracts say, by a reader that knows the plain cases: records of the same keys, texts
without blanks around them, instants and dates as Python or ISO 8601 writes them, finite numbers. Of anything
else (a bad cell, a doubtful one, rows that only their whole content could order) it makes nothing, and the
contracts decide.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from recobro_score.calendars import NEVER, US_PER_DAY, is_zone, zone_of_country
from recobro_score.data.assemble import ALWAYS
from recobro_score.data.contracts import CONTRACTS, Column
from recobro_score.data.names import english_names, misspelt, table_name
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.state import frozen
from recobro_score.features import alone, cells
from recobro_score.features.cells import Doubtful, Words
from recobro_score.features.computed import discount_of
from recobro_score.features.flat import IN_PLAN, Layout, Part, local_columns
from recobro_score.features.local_date import LOCAL_FIELDS, day_facts, zone_changes
from recobro_score.features.static import StaticValues
from recobro_score.money import MISSING_MONEY, minor_digits

Columns = dict[str, Sequence[Any]]
"""Columns of a table as the store holds them, but words and ids as text."""

_table_name = lru_cache(maxsize=256)(table_name)
_EMPTY = {"later": NEVER, "money": MISSING_MONEY, "number": np.nan}
_SIGN = {"payment": 1, "reversal": -1}
_NO_NEGATIVE = ("instalments", "promises")


class _Person(NamedTuple):
    """What rows of other tables need to know of the account and its debtor."""

    account_id: str
    debtor_id: str
    digits: int
    opened_at: int


class RecordReader:
    """Lays out the records of one account, as a layout asks."""

    def __init__(self, layout: Layout, static: StaticValues, options: PortfolioOptions) -> None:
        self._layout = layout
        self._static = static
        self._options = options
        self._codes = tuple(_codes(part) for part in layout.parts)
        self._local = local_columns(layout.parts)
        self._names = lru_cache(maxsize=1024)(self._sources)
        self._words = {
            (table, column.name): Words(column)
            for table, contract in CONTRACTS.items()
            for column in contract.columns
            if column.kind == "category"
        }

    def read(
        self, tables: Mapping[str, Sequence[Mapping[str, Any]]], as_of: int
    ) -> tuple[alone.Given, alone.Facts]:
        """Return the rows of the account, and what is known of it besides.

        Raises
        ------
        Doubtful
            If only the contracts can tell what the records mean.
        """
        named = {_table_name(name): rows for name, rows in tables.items()}
        declared = (
            name for name in self._options.declared if name not in named and not CONTRACTS[name].safety
        )
        if len(named) < len(tables) or not named.keys() <= CONTRACTS.keys() or any(declared):
            raise Doubtful
        accounts, debtors = (self._static_row(name, named.get(name, ())) for name in ("accounts", "debtors"))
        if not accounts or (debtors and debtors["debtor_id"] != accounts["debtor_id"]):
            raise Doubtful
        if accounts["known_at"] is None:
            accounts["known_at"] = accounts["opened_at"] + self._options.lag("accounts")
        person = _Person(
            accounts["account_id"],
            accounts["debtor_id"],
            minor_digits(accounts["currency"]),
            accounts["opened_at"],
        )
        plans = self._table("plans", named.get("plans", ()), person, {})
        starts = _plan_starts(plans)
        events = {"plans": plans}
        for name, rows in named.items():
            if name not in ("accounts", "debtors", "plans"):
                events[name] = self._table(name, rows, person, starts)
        return self._given(events), self._facts(accounts, debtors, person.digits, as_of)

    def _sources(self, table: str, given: tuple[str, ...]) -> tuple[tuple[Column, int], ...]:
        """Return the columns of the contract that are given, and their places."""
        contract, mapping = CONTRACTS[table], self._options.columns.get(table, {})
        sources = english_names(contract, given, mapping)
        fits = mapping.keys() <= set(given) and {*mapping.values()} - {""} <= {*contract.names}
        if (
            not fits
            or not {*contract.required} <= sources.keys()
            or misspelt(contract, given, sources, mapping)
        ):
            raise Doubtful
        if any(len(names) > 1 for names in sources.values()):
            raise Doubtful
        return tuple(
            (column, given.index(sources[column.name][0]))
            for column in contract.columns
            if column.name in sources
        )

    def _cells(self, table: str, rows: Sequence[Mapping[str, Any]], digits: int | None) -> Columns:
        """Read all cells of a table; required ones are there."""
        names = set(map(tuple, rows))
        if len(names) != 1:
            raise Doubtful
        keys = names.pop()
        cells_of = list(zip(*[row.values() for row in rows], strict=True))
        zone, text = self._options.time_zone, self._options.date_format is None
        found: Columns = {}
        for column, place in self._names(table, keys):
            values, kind, name = cells_of[place], column.kind, column.name
            if kind == "category":
                found[name] = self._words[table, name].read(values)
            elif kind == "id":
                found[name] = cells.ids(values)
            elif kind == "number":
                found[name] = cells.numbers(values)
            elif kind == "money":
                scale = minor_digits(str(found["currency"][0])) if digits is None else digits
                found[name] = cells.money(values, scale)
            else:
                found[name] = cells.times(values, zone, later=kind == "later", text=text)
            if column.required and (
                None in found[name] or (kind == "money" and MISSING_MONEY in found[name])
            ):
                raise Doubtful
        return found

    def _static_row(self, table: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the one row of accounts or debtors; every column, those not given as missing."""
        if not rows:
            return {}
        if len(rows) > 1:
            raise Doubtful
        found = {name: values[0] for name, values in self._cells(table, rows, None).items()}
        if table == "debtors" and found.get("time_zone") and not is_zone(found["time_zone"]):
            raise Doubtful
        return {
            column.name: found.get(column.name, _EMPTY.get(column.kind))
            for column in CONTRACTS[table].columns
        }

    def _table(
        self, table: str, rows: Sequence[Mapping[str, Any]], person: _Person, starts: Mapping[str, int]
    ) -> Columns:
        """Return the rows of an event table with both clocks, in the store's order."""
        if not rows:
            return {}
        found = self._cells(table, rows, person.digits)
        _check_owner(table, found, person, len(rows))
        _check_rules(table, found)
        self._add_clocks(table, found, person, starts, len(rows))
        order = _order(table, found, len(rows))
        if order is not None:
            found = {name: [values[row] for row in order] for name, values in found.items()}
        if table == "payments":
            kinds = found.get("kind") or ["payment"] * len(rows)
            pairs = zip(kinds, found["amount"], strict=True)
            found["recovery"] = [_SIGN.get(kind, 0) * abs(amount) for kind, amount in pairs]
            found["kind"] = kinds
        return found

    def _add_clocks(
        self, table: str, found: Columns, person: _Person, starts: Mapping[str, int], size: int
    ) -> None:
        contract, lag = CONTRACTS[table], self._options.lag(table)
        known = found.get("known_at", [None] * size)
        if contract.clock is None or contract.clock == "known_at":
            at: Sequence[int] = [ALWAYS if value is None else value for value in known]
            default: Sequence[int] = at
        else:
            at = found[contract.clock]
            default = [value + lag for value in at]
        if contract.scheduled:
            default = [person.opened_at + lag] * size
            for row, plan in enumerate(found.get("plan_id", ())):
                if plan is not None:
                    start = starts.get(plan, NEVER)
                    default[row] = start if start == NEVER else min(start, NEVER - lag) + lag
        pairs = zip(known, default, strict=True)
        found["known_at"] = [other if value is None else value for value, other in pairs]
        found["at"] = at

    def _given(self, events: Mapping[str, Columns]) -> alone.Given:
        parts, layout = self._layout.parts, self._layout
        ints: list[list[int]] = [[] for _ in range(layout.ints)]
        reals: list[list[float]] = [[] for _ in range(layout.reals)]
        spans, words = [0], 0
        for part, codes in zip(parts, self._codes, strict=True):
            columns = events.get(part.table)
            size = len(columns["at"]) if columns else 0
            spans.append(spans[-1] + size)
            if columns:
                words = max(words, _append(part, codes, columns, ints, reals, size))
        whole = frozen(np.array(ints, dtype=np.int64), np.int64)
        return alone.Given(
            frozen(np.array(spans), np.int64), whole, np.array(reals, dtype=np.float64), self._local, words
        )

    def _facts(
        self, accounts: Mapping[str, Any], debtors: Mapping[str, Any], digits: int, as_of: int
    ) -> alone.Facts:
        def value_of(table: str, column: str) -> Any:  # noqa: ANN401
            if table == "accounts":
                return accounts[column]
            found = debtors.get(column)
            return ALWAYS if found is None and column == "known_at" else found

        zones = (
            debtors.get("time_zone"),
            debtors.get("country") and zone_of_country(debtors["country"]),
            zone_of_country(accounts["country"]),
        )
        zone = next((zone for zone in zones if zone), self._options.time_zone)
        since, offset = zone_changes(zone)
        scale = 10.0**digits
        return alone.Facts(
            np.array([scale]),
            self._static.of(value_of, as_of, scale),
            since,
            offset,
            day_facts(as_of, zone, accounts["country"], accounts["subdivision"]),
            accounts["principal"],
            max(accounts["opened_at"], accounts["known_at"]),
            accounts["known_at"],
        )


def _plan_starts(plans: Columns) -> dict[str, int]:
    """Return when each plan was known to be accepted."""
    if not plans:
        return {}
    accepted = plans.get("accepted_at") or [NEVER] * len(plans["at"])
    rows = zip(plans["plan_id"], accepted, plans["known_at"], strict=True)
    return {plan: max(at, known) for plan, at, known in rows}


def _check_owner(table: str, found: Columns, person: _Person, size: int) -> None:
    """Refuse rows of anybody else."""
    none = [None] * size
    owner = CONTRACTS[table].owner
    accounts, debtors = set(found.get("account_id", none)), set(found.get("debtor_id", none))
    mine = {
        "account": accounts == {person.account_id},
        "debtor": debtors == {person.debtor_id},
        "either": accounts == {person.account_id} or debtors == {person.debtor_id},
    }
    if not mine[owner] or (
        owner == "either" and accounts | debtors > {person.account_id, person.debtor_id, None}
    ):
        raise Doubtful


def _check_rules(table: str, found: Columns) -> None:
    """Refuse what a rule about whole rows forbids, and ids that occur twice."""
    contract = CONTRACTS[table]
    unique = found.get(contract.unique) if contract.unique else None
    if unique and len(set(unique)) + unique.count(None) - (None in unique) < len(unique):
        raise Doubtful
    if table in _NO_NEGATIVE and min(found["amount"]) < 0:
        raise Doubtful
    if table == "payments" and min(found["amount"]) < 0:
        kinds = found.get("kind") or ["payment"] * len(found["amount"])
        if any(kind == "payment" and amount < 0 for kind, amount in zip(kinds, found["amount"], strict=True)):
            raise Doubtful
    if contract.safety and contract.clock is not None:
        for name in contract.of_kind("later"):
            rows = zip(found.get(name, ()), found[contract.clock], strict=False)
            if any(end < start for end, start in rows):
                raise Doubtful


def _order(table: str, found: Columns, size: int) -> list[int] | None:
    """Return the rows by clocks, then id and content, as the store has them; None if they are so already."""
    clocks = list(zip(found["at"], found["known_at"], strict=True))
    if all(map(operator.lt, clocks, clocks[1:])):
        return None
    if len(set(clocks)) == size:
        return sorted(range(size), key=clocks.__getitem__)
    contract = CONTRACTS[table]
    names = (contract.unique, *contract.names)
    content = [_sortable(found[name]) for name in names if name in found and name != "known_at"]
    keys = list(zip(clocks, *content, strict=True))
    return sorted(range(size), key=keys.__getitem__)


def _sortable(values: Sequence[Any]) -> list[Any]:
    """Return what orders a column as the store does: text with none last, numbers by their bits."""
    if any(type(value) is float for value in values):
        return list(np.array(values, dtype=np.float64).view(np.int64).tolist())
    if all(type(value) is int for value in values):
        return list(values)
    return [(value is None, value or "") for value in values]


def _codes(part: Part) -> tuple[dict[str, int] | None, ...]:
    """Return the codes of words, per column of money and categories."""
    categories = part.categories
    return tuple(
        {word: code for code, word in enumerate(words)} if name in categories else None
        for name, words in zip(part.wholes, part.words, strict=True)
    )


def _append(
    part: Part,
    codes: tuple[dict[str, int] | None, ...],
    columns: Columns,
    ints: list[list[int]],
    reals: list[list[float]],
    size: int,
) -> int:
    """Append the rows of a part; return how many codes its counted words may have."""
    words = 0
    ints[alone.AT] += columns["at"]
    ints[alone.KNOWN_AT] += columns["known_at"]
    for row, name in enumerate(part.own, alone.OWN):
        ints[row] += _own(name, columns, size)
    for row, (name, known) in enumerate(zip(part.wholes, codes, strict=True), alone.WHOLES):
        values = columns.get(name)
        if values is None:
            ints[row] += [MISSING_MONEY] * size
        elif known is None:
            ints[row] += values
        else:
            used: dict[str | None, int] = {None: MISSING_MONEY}
            used.update(known)
            ints[row] += [used.setdefault(word, len(used) - 1) for word in values]
            if name in part.counted:
                words = max(words, len(used) - 1)
    for row, name in enumerate(part.reals):
        reals[row] += _real(part.table, name, columns, size)
    for row in (
        *range(alone.OWN + len(part.own), alone.WHOLES),
        *range(alone.WHOLES + len(part.wholes), len(ints)),
    ):
        ints[row] += [0] * size
    for row in range(len(part.reals), len(reals)):
        reals[row] += [0.0] * size
    return words


def _own(name: str, columns: Columns, size: int) -> Sequence[int]:
    """Return a column that rows are judged by; one that was not given is a later date, or no plan."""
    if name == IN_PLAN:
        return [int(plan is not None) for plan in columns.get("plan_id", [None] * size)]
    return columns.get(name) or [NEVER] * size


def _real(table: str, name: str, columns: Columns, size: int) -> Sequence[float]:
    """Return a number column; what the local clock tells is computed later."""
    if name in LOCAL_FIELDS:
        return [0.0] * size
    if name == "term":
        pairs = zip(columns["due_at"], columns["at"], strict=True)
        return [float(due - at) / US_PER_DAY for due, at in pairs]
    if name == "discount":
        terms = columns.get("offer" if table == "decisions" else "terms") or [None] * size
        return [np.nan if word is None else discount_of(word) for word in terms]
    return columns.get(name) or [np.nan] * size
