"""Labels that come from outside, for portfolios whose outcome lies in another file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.state import account_state
from recobro_score.errors import MAX_EXAMPLES, ConfigError, ContractError, Problem, report
from recobro_score.features.labels import REASONS, Labels
from recobro_score.frames import to_arrow
from recobro_score.money import MISSING_MONEY

_NO, _YES = ("0", "0.0", "false"), ("1", "1.0", "true")


def given_labels(
    frame: Any,  # noqa: ANN401 - any supported frame
    store: EventStore,
    as_ofs: Sequence[int] | NDArray[np.int64],
) -> Labels:
    """Return labels that come from outside.

    Parameters
    ----------
    frame : pandas, polars or pyarrow frame
        Columns ``account_id``, ``label`` (0, 1, true or false) and, with more than one as-of, ``as_of``
        (date or time, read in the portfolio's zone).
    store : EventStore
        The portfolio.
    as_ofs : sequence of int
        Microseconds UTC, shape (m,).

    Returns
    -------
    Labels
        ``n_accounts * m`` rows, account-major; pairs the frame does not name are ``not_given``. Nothing is
        known of what was recovered.

    Raises
    ------
    ContractError
        Listing everything wrong: missing columns, unknown accounts or as-ofs, labels other than 0 and 1,
        pairs given twice.
    """
    moments = np.asarray(as_ofs, dtype=np.int64)
    pair, label = _read(to_arrow(frame, name="labels"), store, moments)
    state = account_state(store, moments)
    value = np.full(len(state.account), np.nan)
    value[pair] = label
    return Labels(
        account=state.account,
        as_of=state.as_of,
        value=value,
        recovered=np.full(len(value), MISSING_MONEY),
        exposure=state.exposure,
        reason=np.where(np.isnan(value), REASONS.index("not_given"), 0).astype(np.int8),
        digits=store.digits[state.account],
    )


def _read(
    table: pa.Table, store: EventStore, as_ofs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs a table names and their labels, or raise with everything that is wrong."""
    needed = ("account_id", "label") if len(as_ofs) == 1 else ("account_id", "as_of", "label")
    absent = [name for name in needed if name not in table.column_names]
    if absent:
        problems = [Problem(f"labels.{name}: no such column") for name in absent]
        raise ContractError(report("the labels cannot be read:", problems))
    ids = table["account_id"].cast(pa.string()).combine_chunks()
    found = pc.index_in(ids, value_set=store.account_ids)
    account = np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    moment = np.zeros(len(ids), np.int64)
    if "as_of" in table.column_names:
        moment = _moments(table["as_of"].to_pylist(), as_ofs, store.time_zone)
    words = dict.fromkeys(_NO, 0) | dict.fromkeys(_YES, 1)
    label = _coded([str(value).lower() for value in table["label"].to_pylist()], words)
    pair = np.where((account < 0) | (moment < 0), -1, account * len(as_ofs) + moment)
    _refuse(
        ids,
        {
            "labels.account_id: no such account": account < 0,
            "labels.as_of: not one of the as-ofs": moment < 0,
            "labels.label: neither 0 nor 1": label < 0,
            "labels: a pair that was given before": _repeated(pair),
        },
    )
    return pair, label.astype(np.float64)


def _coded(values: Sequence[Any], codes: Mapping[Any, int]) -> NDArray[np.int64]:
    return np.array([codes.get(value, -1) for value in values], dtype=np.int64)


def _moments(values: Sequence[Any], as_ofs: NDArray[np.int64], time_zone: str) -> NDArray[np.int64]:
    places = {as_of: place for place, as_of in enumerate(as_ofs.tolist())}
    read: dict[Any, int] = {}
    for value in set(values):
        try:
            read[value] = places.get(parse_instant(value, time_zone), -1)
        except (ConfigError, AttributeError):
            read[value] = -1
    return _coded(values, read)


def _repeated(pair: NDArray[np.int64]) -> NDArray[np.bool_]:
    _, first = np.unique(pair, return_index=True)
    repeated = np.ones(len(pair), dtype=bool)
    repeated[first] = False
    return repeated & (pair >= 0)


def _refuse(ids: pa.StringArray, faults: Mapping[str, NDArray[np.bool_]]) -> None:
    problems = [
        Problem(what, int(bad.sum()), len(ids), _examples(ids, bad))
        for what, bad in faults.items()
        if bad.any()
    ]
    if problems:
        raise ContractError(report("the labels cannot be read:", problems))


def _examples(ids: pa.StringArray, bad: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(str(value) for value in ids.filter(pa.array(bad))[:MAX_EXAMPLES].to_pylist())
