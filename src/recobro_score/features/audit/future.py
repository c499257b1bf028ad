"""Who knows the future: the data are taken back to the as-of and everything is computed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.data.state import account_state
from recobro_score.features.audit.columns import (
    NUMBER,
    Column,
    UserColumns,
    differing,
    function_columns,
    joined,
)
from recobro_score.features.audit.likeness import (
    RANK_CORRELATION,
    LaterValues,
    Likeness,
    likest_later_value,
)
from recobro_score.features.audit.past import DatedTable, past_store
from recobro_score.features.audit.result import ERROR, WARNING, Finding
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute

_READ_PAST = "read only rows that happened and were known before the as-of"


def recipe_findings(matrix: FeatureMatrix, store: EventStore, as_ofs: NDArray[np.int64]) -> Iterator[Finding]:
    """Yield the features of a matrix that change when the store is taken back to each as-of.

    Rows of accounts that were not yet opened and known at the as-of are left out: nobody could score them.
    """
    is_open = account_state(store, as_ofs).open.reshape(-1, len(as_ofs))
    changed = np.zeros(len(matrix.schema), np.int64)
    for j, as_of in enumerate(as_ofs.tolist()):
        then = compute(matrix.schema, past_store(store, as_of), [as_of]).values[is_open[:, j]]
        now = matrix.values[matrix.as_of == as_of][is_open[:, j]]
        changed += ((then != now) & ~(np.isnan(then) & np.isnan(now))).sum(axis=0)
    for name, count in zip(matrix.schema.names, changed.tolist(), strict=True):
        if count:
            yield _knows_future(name, count, int(is_open.sum()))


def function_findings(
    function: UserColumns,
    tables: Mapping[str, DatedTable],
    store: EventStore,
    as_ofs: NDArray[np.int64],
) -> tuple[list[Column], list[Finding]]:
    """Return the columns of a user's function, and those that change when the tables are taken back.

    A column that changes is computed once more on the whole tables: if it changes even then, it is not
    reproducible and nothing can be said.
    """
    whole = {name: table.whole for name, table in tables.items()}
    is_open = account_state(store, as_ofs).open.reshape(-1, len(as_ofs))
    parts: list[Mapping[str, pa.Array]] = []
    changed: dict[str, int] = {}
    unstable: set[str] = set()
    for j, as_of in enumerate(as_ofs.tolist()):
        now = function_columns(function, whole, store, as_of)
        past = {name: table.before(as_of) for name, table in tables.items()}
        counts = _changes(now, function_columns(function, past, store, as_of), is_open[:, j])
        if any(counts.values()):
            again = _changes(now, function_columns(function, whole, store, as_of), is_open[:, j])
            unstable |= {name for name, count in again.items() if count}
        changed = {name: changed.get(name, 0) + count for name, count in counts.items()}
        parts.append(now)
    pairs = int(is_open.sum())
    findings = [
        _not_reproducible(name, pairs) if name in unstable else _knows_future(name, count, pairs)
        for name, count in changed.items()
        if count
    ]
    return joined(parts, store.n_accounts), findings


def _changes(
    now: Mapping[str, pa.Array], then: Mapping[str, pa.Array], rows: NDArray[np.bool_]
) -> dict[str, int]:
    nothing = pa.nulls(len(rows))
    names = dict.fromkeys((*now, *then))
    return {
        name: int((differing(now.get(name, nothing), then.get(name, nothing)) & rows).sum()) for name in names
    }


def _knows_future(name: str, count: int, pairs: int) -> Finding:
    evidence = f"changes in {count:,} of {pairs:,} rows when everything from the as-of on is taken away"
    return Finding(name, "knows_future", ERROR, evidence, count / pairs, 0.0, _READ_PAST)


def _not_reproducible(name: str, pairs: int) -> Finding:
    evidence = f"differs between two runs on the same tables ({pairs:,} rows): nothing can be proven"
    advice = "make the function depend on its arguments alone (fix seeds and orders)"
    return Finding(name, "not_reproducible", WARNING, evidence, np.nan, np.nan, advice)


def likenesses(columns: Iterable[Column], values: LaterValues) -> list[Likeness]:
    """Return the likest later value of every numeric column that has one."""
    found = (likest_later_value(column, values) for column in columns if column.kind == NUMBER)
    return [likeness for likeness in found if likeness is not None]


def likeness_findings(found: Iterable[Likeness]) -> Iterator[Finding]:
    """Yield the columns that rank like a later value and like nothing that was visible at the as-of."""
    for likeness in found:
        if not likeness.telling:
            continue
        told = likeness.measured
        evidence = (
            f"ranks like {told.against} (Spearman {told.value:.3f} in {told.rows:,} rows that only later "
            "events explain) and like nothing visible at the as-of"
        )
        advice = "date it: give each value the instant at which it became known, and read the last one before"
        yield Finding(
            told.feature, "future_value", ERROR, evidence, abs(told.value), RANK_CORRELATION, advice
        )
