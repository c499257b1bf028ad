"""Filling what the kernel adds up: words, tables of groups of leaves, factors of deep leaves, walks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.data.compiled import entered
from recobro_score.explain.kernel import Factors, Model, Tables, Walks, Words
from recobro_score.explain.layout import Field, filled_up
from recobro_score.explain.shapley import LANES, factor_patterns, quadrature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    from recobro_score.explain.games import Game
    from recobro_score.explain.layout import Part, TreeLayout
    from recobro_score.explain.leaves import Cells, Classes, Factored, Group, Leaf

    Ints = NDArray[np.int64]

_WHOLE = ("slot", "word", "shift", "mask", "at", "lane", "width", "bits", "seen", "place", "column")
_LINE_BYTES = 64
_REALS = ("value", "share", "point", "point_weight", "seen_share", "weight")


class Assembly:
    """A `Model` while it grows, tree by tree.

    Parameters
    ----------
    game : Game
        How leaves are valued.
    column_of : mapping of int to int
        The result's column of each slot.
    entry : dtype
        float32 or float64: of the table entries and of what is added up within a tree.

    Attributes
    ----------
    bias : float
        The mean margin.
    variance : float
        Mean square of what rounding does to the sum of a row's contributions; a leaf without a table counts
        as rounded once at its value.
    """

    def __init__(self, game: Game, column_of: Mapping[int, int], entry: DTypeLike) -> None:
        self.game = game
        self.column_of = column_of
        self.bias = 0.0
        self.variance = 0.0
        self._rounding = float(np.finfo(np.dtype(entry)).eps) / 4
        self._words = _Stack(Words._fields, entry, counter="slot")
        self._tables = _Stack(Tables._fields, entry, counter="at")
        self._factors = _Stack(Factors._fields, entry, counter="points")
        self._walks = _Stack(Walks._fields, entry, counter="value")
        self._rows = _Stack(("start", "column", "ends", "rows"), entry, counter="column")
        self._factors.push(first=0)
        self._walks.push(first=0, terms=0, weight=game.weight)
        self._rows.push(ends=0)

    def add(self, layout: TreeLayout) -> None:
        """Add one tree."""
        signs = _Signs(layout)
        place = {column: lane for part in layout.parts for column, lane in _lanes(part)}
        for group, part, field in layout.groups:
            self._add_group(group, part, field, layout.label, signs)
        for split, field in layout.factored:
            self._add_factors(split, field, place, signs)
        for leaf, field in layout.walked:
            for bit, (slot, accepted) in enumerate(zip(leaf.slots, leaf.accepted, strict=True)):
                signs.add(field, slot, {accepted: 1 << bit})
            self._add_walk(leaf, field, layout.label, [place[self.column_of[slot]] for slot in leaf.slots])
        self.bias += sum(self.game.bias(leaf, layout.label) for leaf in layout.leaves())
        for word, own in enumerate(signs.words):
            for slot, bits in sorted(own.items()):
                self._words.push(slot=slot, word=word, at=self._words.size("bits"), bits=bits)
        self._words.push(words=layout.words)
        for part in layout.parts:
            column = np.zeros(part.width, dtype=np.uint64)  # what fills up the lanes adds zero to the first
            column[: len(part.columns)] = part.columns
            self._rows.push(column=column)
        self._rows.push(ends=self._rows.size("rows"))
        for stack in (self._words, self._tables, self._factors, self._walks, self._rows):
            stack.end_tree()

    def model(self, *, in_order: bool) -> Model:
        """Return what has been added; `in_order` if every tree has all columns in order."""
        rows = self._rows.arrays()
        rows["rows"] = _in_lines(rows["rows"])
        if in_order:
            rows["column"] = rows["column"][:0].copy()
        return Model(
            words=Words(**self._words.arrays()),
            tables=Tables(**self._tables.arrays()),
            factors=Factors(**self._factors.arrays()),
            walks=Walks(**self._walks.arrays()),
            **rows,
        )

    def _add_group(
        self, group: Group, part: Part, field: Field, label: Mapping[int, Ints], signs: _Signs
    ) -> None:
        slots = list(group.cells)
        counts = signs.number(field, group.cells)
        table = np.zeros((group.size, part.width))
        for leaf in group.leaves:
            met = np.zeros((len(slots), int(counts.max(initial=1))), dtype=np.int64)
            for bit, (slot, accepted) in enumerate(zip(leaf.slots, leaf.accepted, strict=True)):
                own = [(1 << bit) if cell & accepted else 0 for cell in group.cells[slot]]
                met[slots.index(slot), : len(own)] = own
            places = np.array(
                [part.columns.index(self.column_of[slot]) for slot in leaf.slots], dtype=np.int64
            )
            if leaf.slots:
                _add_leaf(table, counts, met, places, self.game.patterns(leaf, label))
        mask = (1 << field.bits) - 1
        self._tables.push(word=field.word, shift=field.shift, mask=mask, at=self._add_table(table))
        self._tables.push(lane=part.first, width=part.width)
        rounded = table.astype(self._rows.entry)
        self.variance += float(((rounded - table) ** 2).sum(axis=1).mean())

    def _add_factors(self, group: Factored, field: Field, place: Mapping[int, int], signs: _Signs) -> None:
        rule = quadrature(2 * group.points)
        shift = field.shift
        for number, (cells, width) in enumerate(zip(group.factors, group.widths, strict=True)):
            last = number == len(group.factors) - 1
            leaves = group.leaves if last else group.leaves[:1]
            scale = np.ones((len(leaves), group.points))
            scale *= rule.weight if number == 0 else 1.0
            scale *= np.array([[leaf.value] for leaf in leaves]) if last else 1.0
            counts = signs.number(Field(field.word, shift, width), cells)
            table = factor_patterns(counts, *_conditions(leaves, cells), rule.point, scale)
            lanes = np.zeros((1, LANES), dtype=np.uint64)
            lanes[0, : len(cells)] = [place[self.column_of[slot]] for slot in cells]
            self._factors.push(shift=shift, mask=(1 << width) - 1, at=self._add_table(table))
            self._factors.push(used=len(cells), place=lanes)
            shift += width
        self._factors.push(word=field.word, points=group.points, first=self._factors.size("at"))
        self.variance += sum((self._rounding * leaf.value) ** 2 for leaf in group.leaves)

    def _add_table(self, table: NDArray[np.float64]) -> int:
        """Return where the table begins: its rows may not lie across more cache lines than they must."""
        at = self._rows.size("rows")
        self._rows.push(rows=table.ravel())
        self._rows.push(rows=np.zeros(filled_up(table.size) - table.size))
        return at

    def _add_walk(self, leaf: Leaf, field: Field, label: Mapping[int, Ints], places: list[int]) -> None:
        terms = self.game.terms(leaf, label)
        self.variance += (self._rounding * leaf.value) ** 2
        self._walks.push(word=field.word, shift=field.shift, value=leaf.value)
        self._walks.push(share=np.array(leaf.shares), place=places, **terms._asdict())
        self._walks.push(first=self._walks.size("share"))
        self._walks.push(terms=max(self._walks.size("point"), self._walks.size("seen")))


def _lanes(part: Part) -> list[tuple[int, int]]:
    """Return the columns of a part with their places in the tree's row."""
    return [(column, part.first + lane) for lane, column in enumerate(part.columns)]


def _conditions(leaves: Sequence[Leaf], cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which cells meet each leaf's conditions, and the shares; 1 where a leaf has none."""
    most = max(len(parts) for parts in cells.values())
    met, share = np.ones((len(leaves), len(cells), most)), np.ones((len(leaves), len(cells)))
    for i, leaf in enumerate(leaves):
        own = dict(zip(leaf.slots, zip(leaf.accepted, leaf.shares, strict=True), strict=True))
        for j, (slot, parts) in enumerate(cells.items()):
            if slot in own:
                accepted, share[i, j] = own[slot]
                met[i, j, : len(parts)] = [bool(cell & accepted) for cell in parts]
    return met, share


def _in_lines(entries: NDArray[Any]) -> NDArray[Any]:
    """Return the entries where a cache line begins."""
    room = np.empty(entries.nbytes + _LINE_BYTES, dtype=np.uint8)
    first = -room.ctypes.data % _LINE_BYTES
    found = room[first : first + entries.nbytes].view(entries.dtype)
    found[:] = entries
    return found


class _Signs:
    """The bits of each word of a tree by slot and code while they grow."""

    def __init__(self, layout: TreeLayout) -> None:
        self.words: list[dict[int, NDArray[np.uint64]]] = [{} for _ in range(layout.words)]
        self._label = layout.label

    def add(self, field: Field, slot: int, numbers: Mapping[Classes, int]) -> None:
        """Add to the field of every code of a slot the number of the set its class lies in."""
        classes = self._label[slot]
        own = self.words[field.word].setdefault(slot, np.zeros(len(classes), dtype=np.uint64))
        of_class = np.zeros(int(classes.max()) + 1, dtype=np.uint64)
        for part, number in numbers.items():
            of_class[[c for c in range(len(of_class)) if part >> c & 1]] = number
        own += of_class[classes] << np.uint64(field.shift)

    def number(self, field: Field, cells: Cells) -> Ints:
        """Write a field of the combinations of cells, the first slot fastest; return the cells per slot."""
        stride = 1
        for slot, parts in cells.items():
            self.add(field, slot, {cell: place * stride for place, cell in enumerate(parts)})
            stride *= len(parts)
        return np.array([len(parts) for parts in cells.values()], dtype=np.int64)


class _Stack:
    """The arrays of one record type while they grow."""

    def __init__(self, names: Sequence[str], entry: DTypeLike, *, counter: str) -> None:
        self.entry = entry
        self._counter = counter
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        self._sizes = dict.fromkeys(names, 0)
        self.push(start=0)

    def push(self, **values: Any) -> None:  # noqa: ANN401
        """Append numbers or arrays to the arrays of their names."""
        for name, value in values.items():
            part = np.atleast_1d(np.asarray(value, dtype=self._dtype(name)))
            self._parts[name].append(part)
            self._sizes[name] += part.shape[0]

    def size(self, name: str) -> int:
        """Return the length of an array so far."""
        return self._sizes[name]

    def end_tree(self) -> None:
        """Note where the next tree begins."""
        self.push(start=self._sizes[self._counter])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name."""
        found = {}
        for name, parts in self._parts.items():
            shape = (0, LANES) if name == "place" and self._counter == "points" else (0,)
            found[name] = np.concatenate(parts) if parts else np.empty(shape, dtype=self._dtype(name))
        return found

    def _dtype(self, name: str) -> DTypeLike:
        if name == "rows":
            return self.entry
        return np.uint64 if name in _WHOLE else np.float64 if name in _REALS else np.int64


@entered
def _add_leaf(table, counts, met, places, patterns):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add one leaf to its group's table; ``met[slot, cell]`` are the conditions that a cell meets."""
    cell = np.zeros(counts.shape[0], np.int64)
    for row in range(table.shape[0]):
        pattern = 0
        for k in range(cell.shape[0]):
            pattern |= met[k, cell[k]]
        for j in range(places.shape[0]):
            table[row, places[j]] += patterns[pattern, j]
        for k in range(cell.shape[0]):
            cell[k] += 1
            if cell[k] < counts[k]:
                break
            cell[k] = 0
