"""Which leaf gets which kind of table, where its bits lie in the words of its tree, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recobro_score.errors import ConfigError
from recobro_score.explain.kernel import MOST_CONDITIONS
from recobro_score.explain.leaves import Group, Leaf, Leaves, grouped
from recobro_score.explain.shapley import LANES, STEP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

Progress = Callable[[str, float], None]

LIMITS = (2048, 1024, 512, 256, 128, 64, 32, 16, 8, 0)
"""Most combinations of a group, the best first; 0 means no tables."""

ALONE = 8
"""A leaf alone may have so many times the limit where it cannot be halved."""

_WORD_BITS = 64
_WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Field:
    """Some bits of one of a tree's words."""

    word: int
    shift: int
    bits: int


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """One tree: its leaves by kind of table, each with its field, and the columns of its result.

    Attributes
    ----------
    label : mapping of int to int64 array
        Class of each code, per slot.
    columns : tuple of int
        The columns of the result that the tree adds to.
    groups, halved, walked
        Groups of leaves with one table, leaves with two, leaves with none.
    words : int
        How many words.
    entries, word_bytes : int
        Table entries, and bytes of what makes the words.
    """

    label: Mapping[int, Ints]
    columns: tuple[int, ...]
    groups: tuple[tuple[Group, Field], ...]
    halved: tuple[tuple[Leaf, Field], ...]
    walked: tuple[tuple[Leaf, Field], ...]
    words: int
    entries: int
    word_bytes: int

    @property
    def width(self) -> int:
        """Entries of a table row: the columns, filled up to whole lanes."""
        return _width(len(self.columns))

    def leaves(self) -> list[Leaf]:
        """Return every leaf."""
        shallow = [leaf for group, _ in self.groups for leaf in group.leaves]
        return shallow + [leaf for leaf, _ in (*self.halved, *self.walked)]


def lay_out(leaves: Leaves, column_of: Mapping[int, int], limit: int, *, halves: bool) -> TreeLayout:
    """Decide for every leaf of a tree which kind of table it gets.

    Parameters
    ----------
    leaves : Leaves
    column_of : mapping
        The result's column of each slot.
    limit : int
        One of `LIMITS`.
    halves : bool
        Whether leaves may be halved.

    Raises
    ------
    ConfigError
        If a leaf has more than 64 columns on its path.
    """
    shallow, halved, walked = [], [], []
    for leaf in leaves.leaves:
        conditions = len(leaf.slots)
        if conditions > MOST_CONDITIONS:
            msg = f"A leaf with {conditions} columns on its path cannot be explained; {MOST_CONDITIONS} can."
            raise ConfigError(msg)
        if 1 << conditions <= (limit if halves else limit * ALONE):
            shallow.append(leaf)
        elif halves and limit and conditions <= 2 * LANES:
            halved.append(leaf)
        else:
            walked.append(leaf)
    groups = grouped(shallow, leaves.label, limit)
    columns = tuple(sorted({column_of[slot] for slot in leaves.label}))
    wanted = [(max(1, (group.size - 1).bit_length()), tuple(group.cells)) for group in groups]
    wanted += [(len(leaf.slots), leaf.slots) for leaf in (*halved, *walked)]
    fields, slots = _pack(wanted)
    rows = sum(group.size for group in groups) * _width(len(columns))
    return TreeLayout(
        label=leaves.label,
        columns=columns,
        groups=tuple(zip(groups, fields, strict=False)),
        halved=tuple(zip(halved, fields[len(groups) :], strict=False)),
        walked=tuple(zip(walked, fields[len(groups) + len(halved) :], strict=True)),
        words=len(slots),
        entries=rows + sum(_half_entries(len(leaf.slots)) for leaf in halved),
        word_bytes=_WORD_BYTES * sum(len(leaves.label[slot]) for word in slots for slot in word),
    )


def lay_out_all(
    leaves: Sequence[Leaves],
    column_of: Mapping[int, int],
    *,
    halves: bool,
    most_bytes: int,
    entry_bytes: int,
    progress: Progress,
) -> list[TreeLayout]:
    """Lay out all trees with the largest groups that keep within the memory.

    Raises
    ------
    ConfigError
        If even the words alone need more.
    """
    needed = 0
    for limit in LIMITS:
        layouts = []
        for number, tree in enumerate(leaves):
            layouts.append(lay_out(tree, column_of, limit, halves=halves))
            progress(f"laying out tables of {limit}", (number + 1) / len(leaves))
        needed = sum(layout.entries * entry_bytes + layout.word_bytes for layout in layouts)
        if needed <= most_bytes:
            return layouts
    msg = f"Explaining this model takes {needed / 1e6:,.0f} MB; {most_bytes / 1e6:,.0f} MB are allowed."
    raise ConfigError(msg)


def _pack(wanted: Sequence[tuple[int, Sequence[int]]]) -> tuple[list[Field], list[set[int]]]:
    """Put each field into the first word with room; return the fields and the slots of each word."""
    fields, used, slots = [], [0], [set[int]()]
    for bits, own in wanted:
        word = next((w for w, taken in enumerate(used) if taken + bits <= _WORD_BITS), len(used))
        if word == len(used):
            used.append(0)
            slots.append(set())
        fields.append(Field(word, used[word], bits))
        used[word] += bits
        slots[word].update(own)
    return fields, slots


def _width(columns: int) -> int:
    return -(-columns // LANES) * LANES


def _half_entries(conditions: int) -> int:
    low = conditions // 2
    points = (conditions + 1) // 2
    return ((1 << low) + (1 << (conditions - low))) * points * STEP
