"""The records of one account, read without building frames.

Records are read as the contracts say, by a reader that knows the plain cases: records of the same keys, texts
without blanks around them, instants and dates as Python or ISO 8601 writes them, finite numbers. Of anything
else (a bad cell, a doubtful one) it makes nothing, and the contracts decide.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, is_zone, zone_of_country
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.names import english_names, misspelt, table_name
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.state import frozen
from recobro_score.features import cells, raw
from recobro_score.features.cells import Codes, Doubtful
from recobro_score.features.iso import FAR, NOTHING
from recobro_score.features.reading import TABLES, Readings
from recobro_score.money import minor_digits

Records = Sequence[Mapping[str, Any]]
Column = Sequence[Any]

_NO_RANKS = frozen(np.zeros(0), np.int64)
_ACCOUNT_PLACE = ("country", "subdivision", "currency")
_DEBTOR_PLACE = ("time_zone", "country")
_REMEMBERED = 1024

_Local = tuple[float, str, str | None, str | None]
"""Minor units of a major one, and the zone, country and subdivision."""


class Source(NamedTuple):
    """Where the columns of a table lie in records of the same keys.

    ``cells`` takes the cells of a record: instants, figures, ids, texts, up to each of ``ends``, then the
    rest. ``absent`` are the places of columns that are not there; places are those with these filled in.
    """

    size: int
    cells: Callable[[Any], tuple[Any, ...]]
    absent: tuple[int, ...]
    ends: tuple[int, ...]
    words: tuple[tuple[int, Codes[int]], ...]
    discounts: tuple[tuple[int, Codes[float]], ...]
    checked: tuple[tuple[int, Codes[int]], ...]
    required: tuple[int, ...]
    owner: tuple[int, str]
    unique: int | None
    plan: int
    place: Mapping[str, int]


class Read(NamedTuple):
    """The records of an account, read.

    Attributes
    ----------
    cells : raw.Raw
        All cells, in the order of the tables of `raw`.
    scale : float
        Minor units of a major one.
    zone, country, subdivision
        Where the account is.
    columns : dict of str to (source, columns)
        The columns of each table with rows, as they came.
    """

    cells: raw.Raw
    scale: float
    zone: str
    country: str | None
    subdivision: str | None
    columns: Mapping[str, tuple[Source, list[Column]]]


@dataclass(slots=True)
class _Cells:
    """All columns that were read, by kind, and the rows of each table."""

    sizes: list[int] = field(default_factory=list)
    times: list[Column] = field(default_factory=list)
    figures: list[Sequence[Any]] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    ids: list[Column] = field(default_factory=list)
    texts: list[Column] = field(default_factory=list)
    plans: dict[str, int] = field(default_factory=dict)


class RecordReader:
    """Reads the records of one account. Safe to share among threads.

    Parameters
    ----------
    readings : Readings
        What is read of each table.
    options : PortfolioOptions
        How.
    """

    def __init__(self, readings: Readings, options: PortfolioOptions) -> None:
        self._options = options
        self._readings = readings
        self._names = lru_cache(maxsize=_REMEMBERED)(self._english)
        self._sources = lru_cache(maxsize=_REMEMBERED)(self._source)
        self._places = lru_cache(maxsize=_REMEMBERED)(self._place)
        self._declared = frozenset(name for name in options.declared if not CONTRACTS[name].safety)

    def read(self, tables: Mapping[str, Records]) -> Read:
        """Return the cells of the account, and where it is.

        Raises
        ------
        Doubtful
            If only the contracts can tell what the records mean.
        """
        try:
            return self._read(dict(zip(self._names(tuple(tables)), tables.values(), strict=True)))
        except (KeyError, TypeError) as error:  # other keys; what should be a record or a text is none
            raise Doubtful from error

    def ranked(self, read: Read, tied: int) -> raw.Raw:
        """Return the cells with the place of each row among those of its table, by id, then whole content.

        Parameters
        ----------
        read : Read
            What was read.
        tied : int
            The bits of the tables that are asked for; the places of the rows of others are 0.
        """
        found: list[int] = []
        for place, size in enumerate(read.cells.sizes.tolist()):
            found += self._ranks(TABLES[place], read) if tied >> place & 1 else [0] * size
        return read.cells._replace(ranks=_whole(found))

    def _english(self, given: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of all tables."""
        names = tuple(map(table_name, given))
        if len({*names}) < len(names) or not {*names} <= CONTRACTS.keys() or self._declared - {*names}:
            raise Doubtful
        return names

    def _read(self, named: Mapping[str, Records]) -> Read:
        if len(named.get("accounts", ())) != 1 or len(named.get("debtors", ())) > 1:
            raise Doubtful
        found = _Cells()
        person: dict[str, Any] = {}
        home: list[Any] = []
        read: dict[str, tuple[Source, list[Column]]] = {}
        for name in TABLES:
            rows = named.get(name, ())
            found.sizes.append(len(rows))
            if rows:
                source, columns = read[name] = self._columns(name, rows)
                if name == "accounts":
                    person = {owner: columns[source.place[owner]][0] for owner in ("account_id", "debtor_id")}
                    home += [columns[source.place[column]][0] for column in _ACCOUNT_PLACE]
                elif name == "debtors":
                    home += [columns[source.place[column]][0] for column in _DEBTOR_PLACE]
                _check_rows(source, columns, person)
                self._add(name, source, columns, found)
        cells.check_ids(found.ids)
        cells.check_texts(found.texts)
        options = self._options
        cells_of = raw.Raw(
            _whole(found.sizes),
            cells.instants(found.times, options.time_zone, text=options.date_format is None),
            cells.figures(found.figures),
            _whole(found.words),
            _NO_RANKS,
        )
        return Read(cells_of, *self._places(*home), read)

    def _columns(self, table: str, rows: Records) -> tuple[Source, list[Column]]:
        """Return the columns of a table, those that are not there as empty ones."""
        if type(rows[0]) is not dict:
            raise Doubtful
        source, size = self._sources(table, tuple(rows[0])), len(rows)
        if size > 1 and set(map(len, rows)) != {source.size}:
            raise Doubtful
        columns: list[Column] = [*zip(*map(source.cells, rows), strict=True)]
        for place in source.absent:
            columns.insert(place, (None,) * size)
        return source, columns

    def _add(self, table: str, source: Source, columns: list[Column], found: _Cells) -> None:
        """Add the columns of a table to those of the others."""
        times, figures, ids, texts = source.ends
        found.times += columns[:times]
        found.figures += columns[times:figures]
        found.ids += columns[figures:ids]
        found.texts += columns[ids:texts]
        if table == "plans":
            found.plans |= {str(plan): row for row, plan in enumerate(columns[source.plan])}
        elif table == "instalments":
            found.words += [
                raw.NO_PLAN if plan is None else found.plans.get(str(plan), raw.NO_PLAN - 1)
                for plan in columns[source.plan]
            ]
        for place, codes in source.words:
            found.words += [codes[word] for word in columns[place]]
        for place, shares in source.discounts:
            found.figures.append([shares[word] for word in columns[place]])
        for place, codes in source.checked:
            for word in columns[place]:
                codes[word]

    def _source(self, table: str, keys: tuple[str, ...]) -> Source:
        """Return where the columns of a table lie in records of these keys."""
        reading, mapping = self._readings.tables[table], self._options.columns.get(table, {})
        contract = reading.contract
        if not {*map(type, keys)} <= {str}:
            raise Doubtful
        sources = english_names(contract, keys, mapping)
        fits = mapping.keys() <= set(keys) and {*mapping.values()} - {""} <= {*contract.names}
        if (
            not fits
            or not {*contract.required} <= sources.keys()
            or misspelt(contract, keys, sources, mapping)
            or any(len(names) > 1 for names in sources.values())
        ):
            raise Doubtful
        kinds = (reading.times, reading.figures, reading.ids, reading.texts)
        flat = list(dict.fromkeys(name for names in kinds for name in names))
        flat += [name for name in contract.names if name not in flat]
        place = {name: at for at, name in enumerate(flat)}
        wanted = [sources[name][0] for name in flat if name in sources]
        wanted += [key for key in keys if key not in wanted]
        both = contract.owner == "either"
        return Source(
            size=len(keys),
            cells=itemgetter(*wanted) if len(wanted) > 1 else lambda row: (row[wanted[0]],),
            absent=tuple(at for name, at in place.items() if name not in sources),
            ends=tuple(itertools.accumulate(map(len, kinds))),
            words=tuple((place[name], codes) for name, codes in reading.words),
            discounts=tuple((place[name], shares) for name, shares in reading.discounts),
            checked=tuple((place[name], codes) for name, codes in reading.checked),
            required=tuple(place[name] for name in reading.ids if name in contract.required),
            owner=(-1, "") if both else (place[f"{contract.owner}_id"], f"{contract.owner}_id"),
            unique=None if contract.unique is None else place[contract.unique],
            plan=place.get("plan_id", -1),
            place=place,
        )

    def _place(self, *found: str | None) -> _Local:
        """Return where an account is, from its country, subdivision and currency, and its debtor's place."""
        country, subdivision, currency, time_zone, home = (*found, None, None)[:5]
        words = self._readings.words
        zone = words["debtors", "time_zone"].meaning(time_zone)
        if zone and not is_zone(zone):
            raise Doubtful
        country = words["accounts", "country"].meaning(country)
        home = words["debtors", "country"].meaning(home)
        zones = (zone, home and zone_of_country(home), country and zone_of_country(country))
        zone = next((zone for zone in zones if zone), self._options.time_zone)
        digits = minor_digits(str(words["accounts", "currency"].meaning(currency)))
        subdivision = words["accounts", "subdivision"].meaning(subdivision)
        return 10.0**digits, zone, country, subdivision

    def _ranks(self, table: str, read: Read) -> list[int]:
        (source, columns), contract = read.columns[table], CONTRACTS[table]
        content: list[list[Any]] = []
        names = [name for name in contract.names if name not in (contract.unique, contract.clock, "known_at")]
        if contract.unique is not None:
            names = [contract.unique, *(names if None in columns[source.place[contract.unique]] else ())]
        for name in names:
            column, kind = columns[source.place[name]], contract.column(name).kind
            if kind in ("id", "category"):
                texts = cells.ids(column) if kind == "id" else self._readings.words[table, name].read(column)
                content.append([(text is None, text) for text in texts])
            elif kind in ("money", "number"):
                content.append(_sortable(cells.figures([column]), read.scale if kind == "money" else None))
            else:
                text = self._options.date_format is None
                us = cells.instants([column], self._options.time_zone, text=text)
                content.append([NEVER if one == NOTHING or one >= FAR else one for one in us.tolist()])
        rows_of = list(zip(*content, strict=True))
        ranks = {key: rank for rank, key in enumerate(sorted(set(rows_of)))}
        return [ranks[row] for row in rows_of]


def _whole(numbers: Sequence[int]) -> NDArray[np.int64]:
    found = np.array(numbers, dtype=np.int64)
    found.flags.writeable = False
    return found


def _check_rows(source: Source, columns: Sequence[Column], person: Mapping[str, Any]) -> None:
    """Refuse rows of anybody else, and ids that are not there or occur twice."""
    owner, name = source.owner
    if owner < 0:
        _check_either(columns, source.place, person)
    elif columns[owner].count(person[name]) < len(columns[owner]):
        raise Doubtful
    elif type(person[name]) is not str:
        cells.ids(columns[owner])
    for place in source.required:
        if None in columns[place]:
            raise Doubtful
    if source.unique is not None:
        column = columns[source.unique]
        different = set(column)
        given = len(column) - column.count(None)
        if len(different) < len(column) and len(different) - (None in different) < given:
            raise Doubtful


def _check_either(columns: Sequence[Column], place: Mapping[str, int], account: Mapping[str, Any]) -> None:
    """Refuse rows that name anybody but the account or its debtor, or nobody."""
    accounts, debtors = columns[place["account_id"]], columns[place["debtor_id"]]
    named = {*accounts} <= {account["account_id"], None} and {*debtors} <= {account["debtor_id"], None}
    if not named or (None, None) in zip(accounts, debtors, strict=True):
        raise Doubtful


def _sortable(values: NDArray[np.float64], scale: float | None) -> list[Any]:
    """Return what orders figures as the store does: money by minor units, numbers by their bits."""
    if scale is None:
        return list(values.view(np.int64).tolist())
    return [(value == value, value == value and round(value * scale)) for value in values.tolist()]
