"""Contact points that an attempt has shown to be somebody else's.

It counts for whoever owns the point, whichever account the attempt was made for: a co-debtor is called for
one account and owes another, and the two may lie in different parts of a portfolio.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recobro_score.calendars import NEVER
from recobro_score.data.events import EventTable

OUTCOMES = ("wrong_number", "third_party")
POINT = "contact_point_id"
SINCE = "disproved_at"

NOTHING_DISPROVED = pa.table({POINT: pa.array([], pa.string()), SINCE: pa.array([], pa.int64())})


def disproofs(contacts: EventTable) -> pa.Table:
    """Return the contact points that attempts have disproved.

    Returns
    -------
    pyarrow.Table
        ``contact_point_id``, each once, and ``disproved_at``, µs UTC: when the first such attempt had been
        made and was known.
    """
    wrong = contacts.codes("outcome", *OUTCOMES)
    if len(wrong) == 0:
        return NOTHING_DISPROVED
    disproving = np.zeros(len(contacts.vocabularies["outcome"]) + 1, dtype=bool)
    disproving[wrong] = True
    rows = np.flatnonzero(disproving.take(contacts.columns["outcome"]))
    points = contacts.ids[POINT].take(pa.array(rows))
    since = np.maximum(contacts.at[rows], contacts.known_at[rows])
    return earliest([pa.table({POINT: points, SINCE: since})])


def earliest(parts: Iterable[pa.Table]) -> pa.Table:
    """Return every point of several tables of disproofs once, with its first instant."""
    found = pa.concat_tables([NOTHING_DISPROVED, *parts])
    found = found.filter(pc.is_valid(found[POINT]))
    if found.num_rows < 2:
        return found.combine_chunks()
    grouped = found.group_by(POINT, use_threads=False).aggregate([(SINCE, "min")])
    return grouped.select([POINT, f"{SINCE}_min"]).rename_columns([POINT, SINCE]).combine_chunks()


def beyond(found: pa.Table, points: EventTable) -> pa.Table:
    """Return the disproofs of points that are not among those of a table."""
    return found.filter(pc.invert(pc.is_in(found[POINT], value_set=points.ids[POINT])))


def disproved(points: EventTable, found: pa.Table) -> EventTable:
    """Return contact points with the column ``disproved_at``: the first disproof, `NEVER` without one."""
    since = points.columns.get(SINCE, np.full(points.n_rows, NEVER))
    if found.num_rows and points.n_rows:
        place = pc.index_in(points.ids[POINT], value_set=found[POINT].combine_chunks()).fill_null(-1)
        shown = np.append(found[SINCE].to_numpy(), NEVER)[place.to_numpy(zero_copy_only=False)]
        since = np.minimum(since, shown)
    return replace(points, columns={**points.columns, SINCE: since})
