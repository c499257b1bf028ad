"""The rows of a simulation as Arrow tables in the columns of the data contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.money import MISSING_MONEY, to_major
from recobro_score.simulate.arrays import I64
from recobro_score.simulate.columns import Field, table_fields
from recobro_score.simulate.debts import Debts
from recobro_score.simulate.ledger import Ledger
from recobro_score.simulate.people import People
from recobro_score.simulate.plans import BROKEN, EXPIRED
from recobro_score.simulate.scenario import Scenario

TIME = pa.timestamp("us", tz="UTC")
_ID_WIDTH = 9
Columns = Mapping[str, NDArray[Any]]
_NOT_RECORDED = ("contacts", "promises", "decisions")
_CLOCKS = {
    "parties": "known_at",
    "placements": "placed_at",
    "facts": "from_at",
    "holds": "from_at",
    "instalments": "due_at",
    "balances": "known_at",
    "payments": "paid_at",
    "contacts": "attempted_at",
    "promises": "promised_at",
    "plans": "offered_at",
    "complaints": "made_at",
    "decisions": "decided_at",
}
_SCHEDULED = "instalments"


def make_tables(
    ledger: Ledger, people: People, owned: Debts, scenario: Scenario, *, observed_until: int
) -> dict[str, pa.Table]:
    """Return every table that the scenario records.

    Rows that happened or became known at or after `observed_until` are left out, later dates beyond it are
    empty. Rows are sorted by owner and event clock.
    """
    tables = {}
    for name, own in table_fields(people, scenario).items():
        if name in _NOT_RECORDED and not scenario.legacy.record_contacts:
            continue
        columns = ledger.columns(name)
        if name == "plans" and columns:
            columns = _with_ends(
                columns, ledger.columns("plan_ends"), scenario, observed_until=observed_until
            )
        tables[name] = _table(own, _observed(name, columns, observed_until), owned, observed_until)
    return tables


def _with_ends(
    columns: Columns, ends: Columns, scenario: Scenario, *, observed_until: int
) -> dict[str, NDArray[Any]]:
    """Return the plans with how they ended: accepted ones as written, the others by expiry."""
    days = np.array([t.valid_days for t in scenario.offers.menu])[columns["terms"]]
    accepted = columns["accepted_at"] != NEVER
    ended = np.where(accepted, NEVER, columns["offered_at"] + days * US_PER_DAY)
    reason = np.where(accepted, BROKEN, EXPIRED)
    if ends:
        order = np.argsort(columns["plan_id"])
        rows = order[np.searchsorted(columns["plan_id"], ends["plan_id"], sorter=order)]
        ended[rows], reason[rows] = ends["ended_at"], ends["end_reason"]
    reason = np.where(ended < observed_until, reason, -1)
    return {**columns, "ended_at": ended, "end_reason": reason}


def _observed(name: str, columns: Columns, observed_until: int) -> Columns:
    """Return the rows that had been observed, sorted by owner and clock."""
    if not columns:
        return columns
    owner = "account_id" if "account_id" in columns else "debtor_id"
    clock = _CLOCKS.get(name, owner)
    seen = np.ones(len(columns[owner]), dtype=bool)
    if name in _CLOCKS and name != _SCHEDULED:
        seen &= columns[clock] < observed_until
    if "known_at" in columns and name not in ("accounts", "debtors"):
        seen &= columns["known_at"] < observed_until
    rows = np.flatnonzero(seen)
    rows = rows[np.lexsort((columns[clock][rows], columns[owner][rows]))]
    return {key: values[rows] for key, values in columns.items()}


def _table(fields: tuple[Field, ...], columns: Columns, owned: Debts, observed_until: int) -> pa.Table:
    nothing = np.zeros(0, dtype=np.int64)
    size = len(next(iter(columns.values()), nothing))
    digits = owned.digits[columns.get("account_id", nothing)]
    arrays = {}
    for field in fields:
        values = np.arange(size) if field.kind == "sequence" else columns.get(field.name, nothing)
        arrays[field.name] = _array(field, values, digits, observed_until)
    return pa.table(arrays)


def _array(field: Field, values: NDArray[Any], digits: I64, observed_until: int) -> pa.Array:
    if field.kind in ("time", "later"):
        empty = values >= observed_until if field.kind == "later" else values == NEVER
        return pa.array(values, type=pa.int64(), mask=empty).cast(TIME)
    if field.kind == "money":
        major = to_major(values, digits.astype(np.int8))
        return pa.array(major, type=pa.float64(), mask=values == MISSING_MONEY)
    if field.kind == "number":
        number = values.astype(np.float64)
        return pa.array(number, mask=np.isnan(number))
    if field.kind == "word":
        return pa.array(field.words, type=pa.string()).take(pa.array(values, mask=values < 0))
    if field.kind == "text":
        return pa.array(values, type=pa.string())
    return numbered(field.prefix, values)


def numbered(prefix: str, numbers: I64) -> pa.Array:
    """Return ids made of a prefix and a number of fixed width; negative numbers are missing."""
    digits = pc.utf8_lpad(pa.array(numbers, mask=numbers < 0).cast(pa.string()), _ID_WIDTH, "0")
    return pc.binary_join_element_wise(prefix, digits, "")
