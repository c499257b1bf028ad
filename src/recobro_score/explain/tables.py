"""Filling what the kernel adds up: words, tables of groups of leaves, halves of deep leaves, walks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from recobro_score.explain.kernel import Halves, Model, Tables, Walks, Words
from recobro_score.explain.shapley import LANES, half_patterns, quadrature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    from recobro_score.explain.games import Game
    from recobro_score.explain.layout import Field, TreeLayout
    from recobro_score.explain.leaves import Classes, Group, Leaf

    Ints = NDArray[np.int64]

_BITS = ("shift", "mask", "bits", "seen")
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
        as rounded once at its whole value.
    """

    def __init__(self, game: Game, column_of: Mapping[int, int], entry: DTypeLike) -> None:
        self.game = game
        self.column_of = column_of
        self.bias = 0.0
        self.variance = 0.0
        self._rounding = float(np.finfo(np.dtype(entry)).eps)
        self._words = _Stack(Words._fields, entry, counter="slot")
        self._tables = _Stack(Tables._fields, entry, counter="at")
        self._halves = _Stack(Halves._fields, entry, counter="low")
        self._walks = _Stack(Walks._fields, entry, counter="value")
        self._places = _Stack(("start", "column"), entry, counter="column")
        self._walks.push(first=0, terms=0, weight=game.weight)

    def add(self, layout: TreeLayout) -> None:
        """Add one tree."""
        signatures: list[dict[int, NDArray[np.uint64]]] = [{} for _ in range(layout.words)]
        place = {slot: layout.columns.index(self.column_of[slot]) for slot in layout.label}

        def sign(field: Field, slot: int, parts: Mapping[Classes, int]) -> None:
            """Add to the field of every code of a slot the number of the part its class lies in."""
            classes = layout.label[slot]
            own = signatures[field.word].setdefault(slot, np.zeros(len(classes), dtype=np.uint64))
            number = np.zeros(int(classes.max()) + 1, dtype=np.uint64)
            for part, own_number in parts.items():
                number[[c for c in range(len(number)) if part >> c & 1]] = own_number
            own += number[classes] << np.uint64(field.shift)

        for group, field in layout.groups:
            self._add_group(group, field, layout, place, sign)
        for leaf, field in (*layout.halved, *layout.walked):
            for bit, (slot, accepted) in enumerate(zip(leaf.slots, leaf.accepted, strict=True)):
                sign(field, slot, {accepted: 1 << bit})
        for leaf, field in layout.halved:
            self._add_halves(leaf, field, place)
        for leaf, field in layout.walked:
            self._add_walk(leaf, field, layout, place)
        self.bias += sum(self.game.bias(leaf, layout.label) for leaf in layout.leaves())
        for word, own in enumerate(signatures):
            for slot, bits in sorted(own.items()):
                self._words.push(slot=slot, word=word, at=self._words.size("bits"), bits=bits)
        self._words.push(words=layout.words)
        self._places.push(column=np.array(layout.columns, dtype=np.int64))
        for stack in (self._words, self._tables, self._halves, self._walks, self._places):
            stack.end_tree()

    def model(self) -> Model:
        """Return what has been added."""
        return Model(
            words=Words(**self._words.arrays()),
            tables=Tables(**self._tables.arrays()),
            halves=Halves(**self._halves.arrays()),
            walks=Walks(**self._walks.arrays()),
            **self._places.arrays(),
        )

    def _add_group(
        self,
        group: Group,
        field: Field,
        layout: TreeLayout,
        place: Mapping[int, int],
        sign: Callable[[Field, int, Mapping[Classes, int]], None],
    ) -> None:
        slots = list(group.cells)
        counts = np.array([len(group.cells[slot]) for slot in slots], dtype=np.int64)
        stride = 1
        for slot in slots:
            sign(field, slot, {cell: number * stride for number, cell in enumerate(group.cells[slot])})
            stride *= len(group.cells[slot])
        table = np.zeros((group.size, layout.width))
        for leaf in group.leaves:
            met = np.zeros((len(slots), int(counts.max(initial=1))), dtype=np.int64)
            for bit, (slot, accepted) in enumerate(zip(leaf.slots, leaf.accepted, strict=True)):
                own = [(1 << bit) if cell & accepted else 0 for cell in group.cells[slot]]
                met[slots.index(slot), : len(own)] = own
            places = np.array([place[slot] for slot in leaf.slots], dtype=np.int64)
            if leaf.slots:
                _add_leaf(table, counts, met, places, self.game.patterns(leaf, layout.label))
        at = self._tables.size("rows")
        mask = (1 << field.bits) - 1
        self._tables.push(word=field.word, shift=field.shift, mask=mask, at=at, rows=table.ravel())
        rounded = table.astype(self._tables.entry)
        self.variance += float(((rounded - table) ** 2).sum(axis=1).mean())

    def _add_halves(self, leaf: Leaf, field: Field, place: Mapping[int, int]) -> None:
        conditions = len(leaf.slots)
        low = conditions // 2
        rule, share = quadrature(conditions), np.array(leaf.shares)
        first = half_patterns(share[:low], rule.point, rule.weight * leaf.value)
        second = half_patterns(share[low:], rule.point, np.ones_like(rule.point))
        lanes = np.zeros((1, 2 * LANES), dtype=np.int64)
        lanes[0, :low] = [place[slot] for slot in leaf.slots[:low]]
        lanes[0, LANES : LANES + conditions - low] = [place[slot] for slot in leaf.slots[low:]]
        self.variance += (self._rounding * leaf.value) ** 2
        at = self._halves.size("rows")
        self._halves.push(word=field.word, shift=field.shift, low=low, high=conditions - low, place=lanes)
        self._halves.push(points=rule.point.size, at_low=at, at_high=at + first.size, rows=first.ravel())
        self._halves.push(rows=second.ravel())

    def _add_walk(self, leaf: Leaf, field: Field, layout: TreeLayout, place: Mapping[int, int]) -> None:
        self.variance += (self._rounding * leaf.value) ** 2
        terms = self.game.terms(leaf, layout.label)
        places = np.array([place[slot] for slot in leaf.slots], dtype=np.int64)
        self._walks.push(word=field.word, shift=field.shift, value=leaf.value)
        self._walks.push(share=np.array(leaf.shares), place=places, **terms._asdict())
        self._walks.push(first=self._walks.size("share"))
        self._walks.push(terms=max(self._walks.size("point"), self._walks.size("seen")))


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
            shape = (0, 2 * LANES) if name == "place" and self._counter == "low" else (0,)
            found[name] = np.concatenate(parts) if parts else np.empty(shape, dtype=self._dtype(name))
        return found

    def _dtype(self, name: str) -> DTypeLike:
        if name == "rows":
            return self.entry
        return np.uint64 if name in _BITS else np.float64 if name in _REALS else np.int64


@njit(nogil=True, cache=True)  # pragma: no cover - compiled
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
