"""The feature matrix: keys, values and the schema they were made by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.errors import SchemaMismatch
from recobro_score.features.schema import FeatureSchema

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMatrix:
    """Features of (account, as-of) pairs. Immutable by agreement; safe to read from several threads.

    Attributes
    ----------
    account_ids : pyarrow.StringArray, length n
        The account of each row.
    account : int64 array, shape (n,)
        Its code in the store the row was computed from.
    as_of : int64 array, shape (n,)
        Microseconds UTC.
    values : float64 array, shape (n, p), C order
        NaN is missing; categories are codes: 0 missing, 1 unseen at training, 2 … the vocabulary in order.
    schema : FeatureSchema
        The columns.
    """

    account_ids: pa.StringArray
    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    values: NDArray[np.float64]
    schema: FeatureSchema

    def __len__(self) -> int:
        return len(self.account)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one feature of all rows."""
        return self.values[:, self.schema.names.index(name)]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> FeatureMatrix:
        """Return some rows, given as positions or as a mask."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return FeatureMatrix(
            self.account_ids.take(pa.array(places, pa.int64())),
            self.account[places],
            self.as_of[places],
            self.values[places],
            self.schema,
        )

    @classmethod
    def concat(cls, parts: Sequence[FeatureMatrix]) -> FeatureMatrix:
        """Return the rows of several matrices of one schema, in order.

        Account codes stay those of the store each part came from.

        Raises
        ------
        SchemaMismatch
            If there is no part, or the schemas differ.
        """
        hashes = {part.schema.hash for part in parts}
        if len(hashes) != 1:
            msg = f"matrices to join must share one schema, got {len(hashes)} schemas in {len(parts)} parts"
            raise SchemaMismatch(msg)
        return cls(
            pa.concat_arrays([part.account_ids for part in parts]),
            np.concatenate([part.account for part in parts]),
            np.concatenate([part.as_of for part in parts]),
            np.concatenate([part.values for part in parts]),
            parts[0].schema,
        )

    def frame(self) -> pd.DataFrame:
        """Return the matrix as a frame.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``as_of`` (UTC) and one column per feature; categories as words (None where
            missing or unseen), money in major units.
        """
        import pandas as pd

        schema = self.schema
        columns = {name: self.values[:, i] for i, name in enumerate(schema.names)}
        words = {name: schema.words(name, columns[name]) for name in schema.vocabularies if name in columns}
        keys = {
            "account_id": self.account_ids.to_numpy(zero_copy_only=False),
            "as_of": self.as_of.view("M8[us]"),
        }
        return pd.DataFrame({**keys, **columns, **words})
