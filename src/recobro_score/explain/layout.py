"""Which leaf gets which kind of table, where its bits lie in the words of its tree, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from recobro_score.errors import ConfigError
from recobro_score.explain.leaves import Factored, Group, Leaf, Leaves, factored, grouped
from recobro_score.explain.shapley import LANES, WORD_BITS, factor_entries

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

Progress = Callable[[str, float], None]

LIMITS = (2048, 1024, 512, 256, 128, 64, 32, 16)
"""Most combinations of a table."""

LAST_LIMITS = (256, 64, 16, 0)
"""The same where nothing else fits into the memory: deep leaves are then walked, 0 means all leaves."""

_ALONE = 2  # times the limit a leaf alone may have that has no factors

_RECORD_BYTES = 64  # of any record; less where it has bits or factors
_FACTOR_BYTES = 96

_FACTOR_WORK, _WALKED_WORK = 2, 100  # in look-ups of one group


@dataclass(frozen=True, slots=True)
class Field:
    """Some bits of one of a tree's words."""

    word: int
    shift: int
    bits: int


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the row in which a tree's contributions are added up: which columns it stands for.

    Tables have rows as wide as their part: a tree of many columns has several parts, and a column may be in
    more than one.
    """

    first: int
    columns: tuple[int, ...]

    @property
    def width(self) -> int:
        """The columns, filled up to whole lanes."""
        return -(-len(self.columns) // LANES) * LANES


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """One tree: its leaves by kind of table, each with its field.

    Attributes
    ----------
    label : mapping of int to int64 array
        Class of each code, per slot.
    parts : tuple of Part
        The row in which the tree's contributions are added up.
    groups, factored, walked
        Groups of leaves with one table in a part of the row, groups of deep leaves with a table per factor,
        leaves without any.
    words : int
        How many words.
    entries, other_bytes : int
        Table entries, and bytes of all else.
    """

    label: Mapping[int, Ints]
    parts: tuple[Part, ...]
    groups: tuple[tuple[Group, Part, Field], ...]
    factored: tuple[tuple[Factored, Field], ...]
    walked: tuple[tuple[Leaf, Field], ...]
    words: int
    entries: int
    other_bytes: int

    @property
    def work(self) -> int:
        """Roughly what a row costs, in look-ups of one group."""
        factors = sum(len(group.factors) for group, _ in self.factored)
        return len(self.groups) + _FACTOR_WORK * factors + _WALKED_WORK * len(self.walked)

    def bytes(self, entry_bytes: int) -> int:
        """Return the memory with entries of so many bytes."""
        return self.entries * entry_bytes + self.other_bytes

    def leaves(self) -> list[Leaf]:
        """Return every leaf."""
        shallow = [leaf for group, *_ in self.groups for leaf in group.leaves]
        deep = [leaf for group, _ in self.factored for leaf in group.leaves]
        return [*shallow, *deep, *(leaf for leaf, _ in self.walked)]


@dataclass(frozen=True, slots=True)
class Planner:
    """Decides which leaf of a tree gets which kind of table.

    Attributes
    ----------
    column_of : mapping
        The result's column of each slot.
    columns : int
        Columns of the result. Up to two times the lanes, every tree has all of them in order.
    factors : bool
        Whether leaves have factors.
    walk_bytes : callable
        What a leaf of so many conditions takes where it has no table.
    """

    column_of: Mapping[int, int]
    columns: int
    factors: bool
    walk_bytes: Callable[[int], int]

    @property
    def in_order(self) -> bool:
        """Whether every tree has all columns in order."""
        return self.columns <= 2 * LANES

    def lay_out(self, leaves: Leaves, limit: int, *, deep: bool) -> TreeLayout:
        """Lay out one tree.

        Parameters
        ----------
        leaves : Leaves
        limit : int
            Most combinations of a table; 0 for no tables.
        deep : bool
            Whether deep leaves have tables too.

        Raises
        ------
        ConfigError
            If a leaf has more than 64 columns on its path.
        """
        shallow: list[Leaf] = []
        rest: list[Leaf] = []
        for leaf in leaves.leaves:
            if len(leaf.slots) > WORD_BITS:
                msg = (
                    f"A leaf with {len(leaf.slots)} columns on its path cannot be explained; {WORD_BITS} can."
                )
                raise ConfigError(msg)
            alone = limit if deep and self.factors else limit * _ALONE
            (shallow if 1 << len(leaf.slots) <= alone else rest).append(leaf)
        groups = grouped(shallow, leaves.label, limit)
        split = factored(rest, leaves.label, limit) if deep and self.factors else []
        walked = [] if deep and self.factors else rest
        wanted = [(max(1, (group.size - 1).bit_length()), tuple(group.cells)) for group in groups]
        wanted += [(group.bits, tuple(slot for cells in group.factors for slot in cells)) for group in split]
        wanted += [(max(1, len(leaf.slots)), leaf.slots) for leaf in walked]
        fields, slots = _pack(wanted)
        owners = [{self.column_of[slot] for slot in group.cells} for group in groups]
        parts, chosen = self._parts(owners, {self.column_of[slot] for leaf in rest for slot in leaf.slots})
        return TreeLayout(
            label=leaves.label,
            parts=tuple(parts),
            groups=tuple(zip(groups, (parts[part] for part in chosen), fields, strict=False)),
            factored=tuple(zip(split, fields[len(groups) :], strict=False)),
            walked=tuple(zip(walked, fields[len(groups) + len(split) :], strict=True)),
            words=len(slots),
            entries=sum(
                filled_up(group.size * parts[part].width) for group, part in zip(groups, chosen, strict=True)
            )
            + sum(filled_up(size * factor_entries(group.points)) for group in split for size in group.sizes),
            other_bytes=_RECORD_BYTES * (len(fields) + 1 + len(parts))
            + _FACTOR_BYTES * sum(len(group.factors) for group in split)
            + sum(_bit_bytes(leaves.label[slot]) for word in slots for slot in word)
            + sum(self.walk_bytes(len(leaf.slots)) for leaf in walked),
        )

    def _parts(self, owners: Sequence[set[int]], others: set[int]) -> tuple[list[Part], list[int]]:
        """Share out the columns of groups and of other leaves; return the parts and that of each group.

        A group joins the part that it widens least, up to two times the lanes; a column of no group goes
        where there is room.
        """
        if self.in_order:
            return [Part(0, tuple(range(self.columns)))], [0] * len(owners)
        columns: list[set[int]] = []
        chosen = []
        for own in [*owners, *({column} for column in sorted(others.difference(*owners)))]:
            fits = [part for part, taken in enumerate(columns) if len(taken | own) <= 2 * LANES]
            part = min(fits, key=lambda part: len(own - columns[part]), default=len(columns))
            if part == len(columns):
                columns.append(set())
            columns[part] |= own
            chosen.append(part)
        parts: list[Part] = []
        for taken in columns:
            parts.append(Part(parts[-1].first + parts[-1].width if parts else 0, tuple(sorted(taken))))
        return parts, chosen[: len(owners)]


def lay_out_all(
    leaves: Sequence[Leaves],
    planner: Planner,
    *,
    most_bytes: int,
    fixed_bytes: int,
    entry_bytes: int,
    progress: Progress,
) -> list[TreeLayout]:
    """Lay out all trees with the tables that serve best within the memory.

    Raises
    ------
    ConfigError
        If even the words alone need more.
    """
    plans: list[list[TreeLayout]] = [[] for _ in leaves]
    needed = 0
    for limit, deep in [(limit, True) for limit in LIMITS] + [(limit, False) for limit in LAST_LIMITS]:
        for number, tree in enumerate(leaves):
            plans[number].append(planner.lay_out(tree, limit, deep=deep))
            progress(f"laying out tables of {limit}", (number + 1) / len(leaves))
        needed = fixed_bytes + sum(min(plan.bytes(entry_bytes) for plan in own) for own in plans)
        if needed <= most_bytes:
            return _best(plans, most_bytes - fixed_bytes, entry_bytes)
    msg = f"Explaining this model takes {needed / 1e6:,.3g} MB; {most_bytes / 1e6:,.3g} MB are allowed."
    raise ConfigError(msg)


def _best(plans: Sequence[Sequence[TreeLayout]], most_bytes: int, entry_bytes: int) -> list[TreeLayout]:
    """Return a plan per tree.

    All begin with the smallest; while there is room, the step that saves most work per byte is taken.
    """

    def size(plan: TreeLayout) -> int:
        return plan.bytes(entry_bytes)

    chosen = [min(own, key=lambda plan: (size(plan), plan.work)) for own in plans]
    room = most_bytes - sum(size(plan) for plan in chosen)

    def next_step(tree: int) -> tuple[float, int, TreeLayout] | None:
        now = chosen[tree]
        more = [(size(plan) - size(now), plan.work - now.work, i) for i, plan in enumerate(plans[tree])]
        steps = [(work / extra, i) for extra, work, i in more if 0 < extra <= room and work < 0]
        if not steps:
            return None
        gain, i = min(steps)
        return gain, tree, plans[tree][i]

    pending = [step for tree in range(len(plans)) if (step := next_step(tree))]
    heapify(pending)
    while pending:
        _, tree, plan = heappop(pending)
        more = size(plan) - size(chosen[tree])
        if more <= room:
            room -= more
            chosen[tree] = plan
        if step := next_step(tree):
            heappush(pending, step)
    return chosen


def _pack(wanted: Sequence[tuple[int, Sequence[int]]]) -> tuple[list[Field], list[set[int]]]:
    """Put each field into the first word with room; return the fields and the slots of each word."""
    fields, used, slots = [], [0], [set[int]()]
    for bits, own in wanted:
        word = next((w for w, taken in enumerate(used) if taken + bits <= WORD_BITS), len(used))
        if word == len(used):
            used.append(0)
            slots.append(set())
        fields.append(Field(word, used[word], bits))
        used[word] += bits
        slots[word].update(own)
    return fields, slots


def filled_up(entries: int) -> int:
    """Return the entries of a table with those to the end of its last cache line."""
    return -(-entries // (2 * LANES)) * 2 * LANES


def _bit_bytes(label: Ints) -> int:
    return _RECORD_BYTES + 8 * len(label)
