"""Features of one account at a time, with all that does not depend on the account prepared beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import frozen
from recobro_score.errors import ContractError, Problem, report
from recobro_score.features import alone, raw
from recobro_score.features.cells import Doubtful
from recobro_score.features.flat import lay_out
from recobro_score.features.from_records import RecordReader, Records
from recobro_score.features.from_store import StoreReader
from recobro_score.features.local_date import day_facts, zone_changes
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.features.reading import Readings
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.static import StaticValues
from recobro_score.frames import records_of

_REMEMBERED = 64
"""As-ofs whose windows are kept: a service asks for today over and over."""

_ONE = frozen(np.zeros(1), np.int64)
"""The row groups of one account."""


class AccountFeatures:
    """Computes the features of single accounts by the code of the batch. Safe to share among threads.

    What follows from the schema is laid out once; per as-of, the ends of the windows are worked out once. An
    account then takes one compiled call over all its rows.

    Parameters
    ----------
    schema : FeatureSchema
        What to compute.
    options : PortfolioOptions, optional
        How rows are read; the time zone also places calendar windows.
    """

    def __init__(self, schema: FeatureSchema, *, options: PortfolioOptions | None = None) -> None:
        self.schema = schema
        self.options = options or PortfolioOptions()
        self._layout = lay_out(schema)
        self._store = StoreReader(self._layout, StaticValues(schema, self._layout.plan.static))
        readings = Readings(self.options, schema, self._layout)
        self._shape = readings.shape
        self._records = RecordReader(readings, self.options)
        self._compiled: Callable[..., Any] | None = None
        self._moments = lru_cache(maxsize=_REMEMBERED)(self._layout.moments)

    def of_rows(self, tables: Mapping[str, Any], as_of: int) -> NDArray[np.float64]:
        """Return the features of an account given as rows of its tables.

        Plain records (see `recobro_score.features.from_records`) are read at once; what is doubtful in them
        takes the way of a whole portfolio, which costs more and gives the same bits, or says what is wrong.

        Parameters
        ----------
        tables : mapping of str to frame or list of records
            One row of ``accounts``, and whatever is known of it and its debtor.
        as_of : int
            Microseconds UTC.

        Returns
        -------
        float64 array, shape (p,)
            In the order of ``schema.names``.

        Raises
        ------
        ContractError
            If a row breaks its contract (all are named), or there is not exactly one account.
        """
        try:
            return self._of_records(_records(tables), as_of)
        except Doubtful:
            return self._of_checked(tables, as_of)

    def _of_records(self, tables: Mapping[str, Records], as_of: int) -> NDArray[np.float64]:
        read = self._records.read(tables)
        place = _place(as_of, read.scale, read.zone, read.country, read.subdivision)
        moments = self._moments(as_of, self.options.time_zone)
        ended, found = self._fill(read.cells, place, moments)
        if ended > 0:
            ended, found = self._fill(self._records.ranked(read, ended), place, moments)
        if ended != raw.DONE:
            raise Doubtful
        return found

    def _fill(self, *given: Any) -> tuple[int, NDArray[np.float64]]:  # noqa: ANN401 - what `raw.fill_raw` takes
        """Call the compiled function.

        Its arguments are of the same types in every call. Numba is asked only once which of its versions that
        is: telling the types of some forty arrays would take a fifth of the call.
        """
        whole = (self._layout.flat, self._shape, *given, _ONE)
        if self._compiled is None:
            raw.fill_raw(*whole)
            self._compiled = raw.fill_raw.get_overload(tuple(map(numba.typeof, whole)))
        ended, found = self._compiled(*whole)
        return ended, found

    def _of_checked(self, tables: Mapping[str, Any], as_of: int) -> NDArray[np.float64]:
        portfolio = Portfolio.from_frames({"payments": [], **tables}, options=self.options)
        if len(portfolio.quarantine):
            bad = portfolio.quarantine.table.to_pylist()
            problems = [Problem(f"{row['table']}[{row['row']}]: {row['rule']}") for row in bad]
            raise ContractError(report("the account has bad rows:", problems))
        return self.of_store(portfolio.store, as_of)

    def of_store(self, store: EventStore, as_of: int) -> NDArray[np.float64]:
        """Return the features of the one account of a store: the fastest way, for rows checked already.

        Raises
        ------
        ContractError
            If the store holds not exactly one account.
        """
        if store.n_accounts != 1:
            msg = f"one account is expected, not {store.n_accounts}"
            raise ContractError(msg)
        moments = self._moments(as_of, store.time_zone)
        given, facts = self._store.given(store), self._store.facts(store, as_of)
        found = alone.fill_account(self._layout.flat, given, facts, moments, _ONE)
        return found if len(found) else compute(self.schema, store, [as_of]).values[0]

    def matrix(self, store: EventStore, as_of: int) -> FeatureMatrix:
        """Return the features of the one account of a store, as `compute` does, with its keys."""
        values = self.of_store(store, as_of)[None, :]
        return FeatureMatrix(
            store.account_ids, np.zeros(1, np.int64), np.array([as_of], np.int64), values, self.schema
        )


@lru_cache(maxsize=_REMEMBERED)
def account_features(schema: FeatureSchema) -> AccountFeatures:
    """Return the `AccountFeatures` of a schema for checked stores, laid out once."""
    return AccountFeatures(schema)


@lru_cache(maxsize=4096)
def _place(as_of: int, scale: float, zone: str, country: str | None, subdivision: str | None) -> raw.Place:
    """Return what the place of an account tells at an as-of."""
    return raw.Place(scale, *zone_changes(zone), day_facts(as_of, zone, country, subdivision))


def _records(tables: Mapping[str, Any]) -> Mapping[str, Records]:
    """Return every table as a list of records; lists are taken to be that."""
    if set(map(type, tables.values())) == {list}:
        return tables
    return {name: rows if type(rows) is list else records_of(rows, name) for name, rows in tables.items()}
