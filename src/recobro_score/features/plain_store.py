"""The event store of one account, straight from plain records: what `Portfolio` would build of them.

The contracts build a store from frames, column by column, for any number of accounts; for one account that
costs a hundred times what is in it. Records of plain cells are read here at once; of any other nothing is
made, and the contracts decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.calendars import MINUTES_PER_DAY, US_PER_DAY, US_PER_MINUTE, zone_of_country
from recobro_score.data.contracts import CONTRACTS, EVENT_TABLES
from recobro_score.data.disproofs import NOTHING_DISPROVED, OUTCOMES, disproofs, disproved
from recobro_score.data.events import EventStore, EventTable
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.features import cells, raw
from recobro_score.features.cells import Doubtful, Words
from recobro_score.features.from_records import Read, RecordReader, Records
from recobro_score.features.local_date import local_time
from recobro_score.features.reading import TABLES, Readings

_SIGN = {"payment": 1, "reversal": -1}
_OWNER_IDS = {"account": ("account_id",), "debtor": ("debtor_id",), "either": ("account_id", "debtor_id")}
_THURSDAY = 3
_NOBODY = {
    "accounts": [
        {"account_id": "A", "debtor_id": "D", "opened_at": "2000-01-01", "currency": "EUR", "country": "ES"}
    ],
    "payments": [],
}


class PlainStores:
    """Builds the store of one account from its records. Safe to share among threads.

    Parameters
    ----------
    options : PortfolioOptions
        How records are read.
    """

    def __init__(self, options: PortfolioOptions) -> None:
        self._options = options
        self._readings = Readings(options)
        self._records = RecordReader(self._readings, options)
        self._tables = {name: _kept(name, self._readings) for name in TABLES}
        like = PortfolioOptions(time_zone=options.time_zone, lag_days=options.lag_days)
        self._empty = Portfolio.from_frames(_NOBODY, options=like).store

    def of(self, tables: Mapping[str, Records]) -> EventStore:
        """Return the store of one account.

        Parameters
        ----------
        tables : mapping of str to list of records
            One row of ``accounts``, at most one of ``debtors``, and rows of the other tables that are theirs.

        Raises
        ------
        Doubtful
            If only the contracts can tell what the records mean.
        """
        if self._options.declared:
            raise Doubtful
        read = self._records.read(tables)
        shape = self._readings.shape
        ended, starts, whole = raw.arrange(shape, read.cells, read.scale)
        if ended > 0:
            cells_of = self._records.ranked(read, ended)
            ended, starts, whole = raw.arrange(shape, cells_of, read.scale)
        if ended != raw.DONE:
            raise Doubtful
        rows = _Rows(self._tables, read, starts, whole)
        accounts, account_words = rows.static("accounts")
        debtors, debtor_words = self._debtors(rows)
        zone, zones = _zones(account_words, debtor_words, self._options.time_zone)
        events = dict(self._empty.tables)
        for table in read.columns:
            if table in events:
                events[table] = _derived(rows.events(table), zone, zones)
        points, contacts = events["contact_points"], events["contacts"]
        shown = disproofs(contacts) if len(contacts.codes("outcome", *OUTCOMES)) else NOTHING_DISPROVED
        events["contact_points"] = disproved(points, shown)
        words = {f"accounts.{name}": value for name, value in account_words.items()}
        words |= {f"debtors.{name}": value for name, value in debtor_words.items()}
        return EventStore(
            account_ids=pa.array([rows.text("accounts", "account_id")], pa.string()),
            debtor_ids=pa.array([rows.text("accounts", "debtor_id")], pa.string()),
            account_debtor=np.zeros(1, np.int64),
            accounts=accounts,
            debtors=debtors,
            vocabularies=words,
            digits=np.array([round(np.log10(read.scale))], np.int8),
            zone=np.array([zone], np.int32),
            zones=zones,
            tables={table: events[table] for table in EVENT_TABLES},
            time_zone=self._options.time_zone,
            lags=self._empty.lags,
            stopped=np.zeros(1, bool),
            blocked=(),
        )

    def _debtors(self, rows: _Rows) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[str, ...]]]:
        if "debtors" in rows.read.columns:
            return rows.static("debtors")
        empty = self._empty
        names = [name.removeprefix("debtors.") for name in empty.vocabularies if name.startswith("debtors.")]
        return dict(empty.debtors), {name: empty.vocabularies[f"debtors.{name}"] for name in names}


class _Kept(NamedTuple):
    """A column that a store keeps: its kind, its place among the instants or figures, how words are read."""

    name: str
    kind: str
    place: int
    words: Words | None


def _kept(table: str, readings: Readings) -> tuple[_Kept, ...]:
    contract, reading = CONTRACTS[table], readings.tables[table]
    left_out: set[str | None] = {"known_at", *_OWNER_IDS[contract.owner]}
    left_out |= {"debtor_id"} if table == "accounts" else {contract.clock}
    numbers = {name: place for names in (reading.times, reading.figures) for place, name in enumerate(names)}
    return tuple(
        _Kept(
            column.name, column.kind, numbers.get(column.name, -1), readings.words.get((table, column.name))
        )
        for column in contract.columns
        if column.name not in left_out
    )


class _Rows:
    """What was read and put in order, as columns."""

    def __init__(
        self,
        tables: Mapping[str, tuple[_Kept, ...]],
        read: Read,
        starts: NDArray[np.int64],
        whole: raw.Whole,
    ) -> None:
        self.read = read
        self._tables = tables
        self._starts: list[list[int]] = starts.tolist()
        self._whole = whole

    def text(self, table: str, name: str) -> str | None:
        """Return the id in the first row of a table."""
        source, columns = self.read.columns[table]
        return cells.ids(columns[source.place[name]])[0]

    def static(self, table: str) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[str, ...]]]:
        """Return the columns of the one row of accounts or debtors, and their words."""
        columns, words, _ = self._columns(table, [0], in_order=True)
        known_at = self._whole.bases[raw.IS_KNOWN] + self._starts[TABLES.index(table)][raw.ROWS]
        columns["known_at"] = self._whole.cells[known_at : known_at + 1]
        return columns, words

    def events(self, table: str) -> EventTable:
        """Return an event table."""
        place = TABLES.index(table)
        first, last = self._starts[place][raw.ROWS], self._starts[place + 1][raw.ROWS]
        order = self._whole.order[first:last] - first
        rows = order.tolist()
        known = self._whole.bases[raw.IS_KNOWN]
        return EventTable(
            table,
            np.array([0, last - first]),
            self._whole.cells[first:last][order],
            self._whole.cells[known + first : known + last][order],
            *self._columns(table, rows, in_order=rows == list(range(len(rows)))),
        )

    def _columns(
        self, table: str, rows: list[int], *, in_order: bool
    ) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[str, ...]], dict[str, pa.StringArray]]:
        """Return columns in an order, words of the categories among them, and ids."""
        source, given = self.read.columns[table]
        size, (_, times, figures, _) = len(rows), self._starts[TABLES.index(table)]
        whole, bases = self._whole.cells, self._whole.bases
        columns: dict[str, NDArray[Any]] = {}
        words: dict[str, tuple[str, ...]] = {}
        ids: dict[str, pa.StringArray] = {}
        for name, kind, place, reader in self._tables[table]:
            if place < 0:
                cell = given[source.place[name]]
                texts = cells.ids(cell) if reader is None else reader.read(cell)
                ordered = texts if in_order else [texts[row] for row in rows]
                if reader is None:
                    ids[name] = pa.array(ordered, pa.string())
                else:
                    columns[name], words[name] = _encoded(ordered)
                continue
            if kind == "number":
                values: NDArray[Any] = self.read.cells.figures[figures + place * size :][:size].copy()
            else:
                first = bases[raw.IS_MONEY] + figures if kind == "money" else bases[raw.IS_TIME] + times
                values = whole[first + place * size :][:size]
            columns[name] = values if in_order else values[rows]
        return columns, words, ids


def _encoded(texts: Sequence[str | None]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return codes into the sorted vocabulary of the words that occur (-1 = missing)."""
    words = tuple(sorted({text for text in texts if text is not None}))
    codes: dict[str | None, int] = {word: code for code, word in enumerate(words)}
    codes[None] = -1
    return np.array([codes[text] for text in texts], np.int32), words


def _zones(
    accounts: Mapping[str, tuple[str, ...]], debtors: Mapping[str, tuple[str, ...]], time_zone: str
) -> tuple[int, tuple[str, ...]]:
    """Return the place of the account's zone among all that occur: the debtor's own, else a country's."""
    found = [
        *debtors["time_zone"],
        *map(zone_of_country, debtors["country"]),
        *map(zone_of_country, accounts["country"]),
    ]
    named = [name for name in found if name is not None]
    zones = tuple(dict.fromkeys([time_zone, *named]))
    return zones.index(named[0]) if named else 0, zones


def _derived(table: EventTable, zone: int, zones: tuple[str, ...]) -> EventTable:
    """Add the columns that follow from others: signed recoveries, local contact times."""
    columns: dict[str, NDArray[Any]] = dict(table.columns)
    if table.name == "payments":
        signs = np.array([*(_SIGN.get(word, 0) for word in table.vocabularies["kind"]), 0])
        columns["recovery"] = signs[columns["kind"]] * np.abs(columns["amount"])
    elif table.name == "contacts":
        local = local_time(table.at, np.full(len(table.at), zone, np.int32), zones)
        columns["local_minute"] = local // US_PER_MINUTE % MINUTES_PER_DAY
        columns["local_weekday"] = (local // US_PER_DAY + _THURSDAY) % 7
    return EventTable(
        table.name, table.offsets, table.at, table.known_at, columns, table.vocabularies, table.ids
    )
