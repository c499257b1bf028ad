"""What is read of the records of each table, and what compiled code must know of it.

Every cell of a contract is read or checked, whatever the schema asks for: a bad cell anywhere is the
contracts' business.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.contracts import CONTRACTS, Column, Contract
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.state import frozen
from recobro_score.features import aggregates, alone, judge, kernel, raw
from recobro_score.features.cells import Codes, Doubtful, Words
from recobro_score.features.computed import discount_of
from recobro_score.features.flat import IN_PLAN, Layout, Part, local_columns
from recobro_score.features.local_date import LOCAL_FIELDS
from recobro_score.features.program import Program
from recobro_score.features.readable import CATEGORY, DATE, MONEY, STATIC
from recobro_score.features.recipes import Recipe
from recobro_score.features.schema import FIRST_WORD, MISSING_WORD, UNSEEN_WORD, FeatureSchema
from recobro_score.money import MISSING_MONEY

_FIRST = ("accounts", "debtors", "plans")
TABLES = (*_FIRST, *(name for name in CONTRACTS if name not in _FIRST))
"""All tables, those first that others refer to; the places `raw` knows."""

_OFFERS = {"decisions": "offer", "plans": "terms"}
_SIGN = {"payment": 1, "reversal": -1}
_NO_NEGATIVE = {
    "instalments": raw.NO_NEGATIVE,
    "promises": raw.NO_NEGATIVE,
    "payments": raw.NO_NEGATIVE_PAYMENT,
}
_MOST_WORDS = 20_000
_UNMOVED = (
    aggregates.COUNT,
    aggregates.SINCE_LAST,
    aggregates.SINCE_FIRST,
    aggregates.UNTIL_FIRST,
    aggregates.GAP_MEAN,
    aggregates.GAP_STD,
    aggregates.DECAYED_COUNT,
    aggregates.DISTINCT,
)
"""What the order of rows of equal clocks does not change."""


@dataclass(slots=True)
class Reading:
    """How the records of one table are read.

    Attributes
    ----------
    contract : Contract
        What they must hold.
    words : list of (column, Codes)
        Categories that become codes; a column once for everyone who asks for it.
    discounts : list of (column, Codes)
        Offers that become numbers.
    checked : list of (column, Codes)
        Categories of which not any text will do, that nobody asks for.
    ids, texts : list of str
        Ids that must be plain, and ids and categories that may be any text. The owner's id is neither: it
        is the account's or its debtor's.
    has_plans : bool
        Whether rows follow from plans; then the places of these are the first words.
    """

    contract: Contract
    words: list[tuple[str, Codes[int]]] = field(default_factory=list)
    discounts: list[tuple[str, Codes[float]]] = field(default_factory=list)
    checked: list[tuple[str, Codes[int]]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    has_plans: bool = False

    @property
    def times(self) -> tuple[str, ...]:
        """The columns of instants."""
        return self.contract.of_kind("time", "later")

    @property
    def figures(self) -> tuple[str, ...]:
        """The columns of money and numbers; discounts follow them."""
        return self.contract.of_kind("money", "number")


class Readings:
    """What is read of every table, and the shape of what is read.

    Parameters
    ----------
    options : PortfolioOptions
        How records are read.
    schema, layout
        What the features ask for; without them, all rows are put in order and all ids must be plain.

    Attributes
    ----------
    tables : dict of str to Reading
        By table, in the order of `TABLES`.
    words : dict of (table, column) to Words
        The readers of all categories.
    shape : raw.Shape
        What compiled code must know.
    """

    def __init__(
        self,
        options: PortfolioOptions,
        schema: FeatureSchema | None = None,
        layout: Layout | None = None,
    ) -> None:
        self.tables = {name: Reading(CONTRACTS[name], has_plans=CONTRACTS[name].scheduled) for name in TABLES}
        self.words = {
            (name, column.name): Words(column)
            for name, contract in CONTRACTS.items()
            for column in contract.columns
            if column.kind == "category"
        }
        signs = {"payments": self._word("payments", "kind", lambda word: _SIGN.get(str(word), 0))}
        parts = layout.parts if layout else ()
        copies = [copy for place, part in enumerate(parts) for copy in self._copies(place, part)]
        columns = layout.plan.static if layout else ()
        static = [self._static(recipe, schema) for _, recipe in columns if schema]
        for name, reading in self.tables.items():
            self._check_rest(name, reading, whole=layout is None)
        moved = _moved(layout) if layout else {*TABLES}
        kinds = [
            (1, len(reading.times), len(reading.figures) + len(reading.discounts), _n_words(reading))
            for reading in self.tables.values()
        ]
        self.shape = raw.Shape(
            columns=_table(kinds, 4),
            firsts=frozen(np.cumsum([(0, 0, 0, 0), *kinds[:-1]], axis=0), np.int64),
            times=_table([_time(c) for one in self.tables.values() for c in _columns(one, one.times)], 2),
            figures=_table([f for one in self.tables.values() for f in _figures(one)], 2),
            tables=_table(
                [
                    _facts(one, options.lag(name), signs.get(name, -1), ordered=name in moved)
                    for name, one in self.tables.items()
                ],
                8,
            ),
            parts=frozen(np.array([TABLES.index(part.table) for part in parts], dtype=np.int64), np.int64),
            copies=_table(copies, 5),
            static=_table(static, 3),
            local=local_columns(parts),
            rows=(layout.ints, layout.reals) if layout else (0, 0),
        )

    def _word(self, table: str, column: str, code_of: Callable[[str | None], int]) -> int:
        """Let a category be read as codes; return which of the words of the table it is."""
        words = self.tables[table].words
        words.append((column, Codes(self.words[table, column], code_of)))
        return len(words) - 1 + self.tables[table].has_plans

    def _copies(self, place: int, part: Part) -> list[tuple[int, ...]]:
        """Return what goes into each row of a part."""
        reading, name = self.tables[part.table], part.table
        copies: list[tuple[int, ...]] = [
            (place, raw.IS_AT, 0, alone.AT, 0),
            (place, raw.IS_KNOWN, 0, alone.KNOWN_AT, 0),
        ]
        for dest, column in enumerate(part.own, alone.OWN):
            copies.append((place, *_whole(reading, column), dest, 0))
        for dest, (column, words) in enumerate(zip(part.wholes, part.words, strict=True), alone.WHOLES):
            if column in part.categories:
                counted = column in part.counted
                code = self._word(name, column, _code_of(words, counted=counted))
                copies.append((place, raw.IS_WORD, code, dest, int(counted)))
            else:
                copies.append((place, *_whole(reading, column), dest, 0))
        for dest, column in enumerate(part.reals):
            if column not in LOCAL_FIELDS:
                copies.append((place, *self._real(reading, column), dest, 0))
        return copies

    def _real(self, reading: Reading, column: str) -> tuple[int, int]:
        if column == "term":
            return raw.IS_TERM, reading.times.index("due_at")
        if column != "discount":
            return raw.IS_NUMBER, reading.figures.index(column)
        offer = _OFFERS[reading.contract.table]
        reader = self.words[reading.contract.table, offer]
        if not reading.discounts:
            reading.discounts.append((offer, Codes(reader, _discount)))
        return raw.IS_NUMBER, len(reading.figures)

    def _static(self, recipe: Recipe, schema: FeatureSchema) -> tuple[int, int, int]:
        """Return what `raw.Shape.static` holds of a static column."""
        name, column = recipe.table, str(recipe.value)
        kind, reading = STATIC[name][column], self.tables[name]
        table = TABLES.index(name)
        if kind == CATEGORY:
            codes: dict[str | None, float] = {None: MISSING_WORD}
            codes |= {word: FIRST_WORD + i for i, word in enumerate(schema.vocabularies.get(recipe.name, ()))}
            word = self._word(name, column, lambda word: int(codes.get(word, UNSEEN_WORD)))
            return raw.IS_WORD, table, word
        if kind == DATE:
            return raw.IS_TIME, table, reading.times.index(column)
        what = raw.IS_MONEY if kind == MONEY else raw.IS_NUMBER
        return what, table, reading.figures.index(column)

    def _check_rest(self, table: str, reading: Reading, *, whole: bool) -> None:
        """Have all other cells checked; where the whole table is read anyway, all ids must be plain."""
        contract = reading.contract
        read = {column for column, _ in (*reading.words, *reading.discounts)}
        owner = f"{contract.owner}_id" if table != "accounts" else None
        for column in contract.columns:
            if column.kind == "id" and column.name != owner:
                plain = (
                    whole or column.required or contract.owner == "either" or column.name == contract.unique
                )
                plain |= reading.has_plans and column.name == "plan_id"
                (reading.ids if plain else reading.texts).append(column.name)
            elif column.kind == "category" and column.name not in read and not whole:
                if column.required or column.allowed or column.pattern:
                    codes: Codes[int] = Codes(self.words[table, column.name], lambda _: 0)
                    reading.checked.append((column.name, codes))
                else:
                    reading.texts.append(column.name)


def _n_words(reading: Reading) -> int:
    return len(reading.words) + reading.has_plans


def _table(rows: Sequence[Sequence[int]], width: int) -> NDArray[np.int64]:
    return frozen(np.array(rows, dtype=np.int64).reshape(-1, width), np.int64)


def _columns(reading: Reading, names: Sequence[str]) -> list[Column]:
    return [reading.contract.column(name) for name in names]


def _time(column: Column) -> tuple[int, int]:
    return int(column.kind == "later"), int(column.required)


def _figures(reading: Reading) -> list[tuple[int, int]]:
    """Return kind and whether it is required of every figure of a table."""
    found = []
    for column in _columns(reading, reading.figures):
        kind = raw.MONEY if column.kind == "money" else raw.NUMBER
        if column.name == "amount":
            kind = _NO_NEGATIVE[reading.contract.table]
        found.append((kind, int(column.required)))
    return found + [(raw.NUMBER, 0)] * len(reading.discounts)


def _facts(reading: Reading, lag: int, sign: int, *, ordered: bool) -> tuple[int, ...]:
    """Return what `raw.Shape.tables` holds of a table."""
    contract, times = reading.contract, reading.times
    plan = times.index("accepted_at") if contract.table == "plans" else 0
    return (
        -1 if contract.clock is None else times.index(contract.clock),
        times.index("known_at"),
        lag,
        int(contract.scheduled),
        int(contract.safety and contract.clock is not None),
        sign,
        plan,
        int(ordered),
    )


def _whole(reading: Reading, column: str) -> tuple[int, int]:
    if column == IN_PLAN:
        return raw.IS_IN_PLAN, 0
    if column == "recovery":
        return raw.IS_RECOVERY, reading.figures.index("amount")
    if column in reading.times:
        return raw.IS_TIME, reading.times.index(column)
    return raw.IS_MONEY, reading.figures.index(column)


def _code_of(words: Sequence[str], *, counted: bool) -> Callable[[str | None], int]:
    """Return what gives the codes of words: those asked for, then any other; each its own if counted."""
    codes: dict[str | None, int] = {word: code for code, word in enumerate(words)}
    codes[None] = MISSING_MONEY
    if not counted:
        return lambda word: codes.get(word, len(words))
    more = itertools.count(len(words))

    def code_of(word: str | None) -> int:
        if len(codes) > _MOST_WORDS:
            raise Doubtful
        return codes.setdefault(word, next(more))

    return code_of


def _discount(word: str | None) -> float:
    return np.nan if word is None else discount_of(word)


def _moved(layout: Layout) -> set[str]:
    """Return the tables of which anything read depends on the order of rows of equal clocks."""
    programs = [program for program in layout.plan.programs if isinstance(program, Program)]
    moved = {layout.parts[place].table for place in layout.flat.books[: alone.DPD].tolist()}
    for program in programs:
        unjudged = program.judge in (judge.NOBODY, judge.DATES)
        if not unjudged or not np.isin(program.slots.code[:, kernel.OP], _UNMOVED).all():
            moved.add(program.table.name)
    return moved
