"""Data frames at the door: pandas, polars, pyarrow and plain records in, one Arrow table out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.errors import ContractError


def to_arrow(frame: Any, *, name: str = "table") -> pa.Table:  # noqa: ANN401 - any supported frame
    """Return an Arrow table from any supported frame.

    Parameters
    ----------
    frame : pandas, polars (also lazy) or pyarrow frame, mapping of columns, or sequence of records
        The index of a pandas frame is not data and is dropped.
    name : str
        How the frame is called in an error.

    Raises
    ------
    ContractError
        If the object is none of these, or a column mixes types that Arrow cannot hold.
    """
    try:
        if isinstance(frame, pa.Table):
            return frame
        if isinstance(frame, Mapping):
            return pa.table(dict(frame))
        if isinstance(frame, Sequence) and not isinstance(frame, str | bytes):
            names = dict.fromkeys(name for row in frame for name in row)
            return pa.table({name: pa.array([row.get(name) for row in frame]) for name in names})
        if isinstance(frame, pd.DataFrame):
            return _from_pandas(frame)
        native = nw.from_native(frame)
        if isinstance(native, nw.LazyFrame):
            native = native.collect()
        return native.to_arrow()
    except (AttributeError, TypeError, ValueError, pa.ArrowException) as error:
        msg = (
            f"{name}: cannot be read as a table ({error}); "
            "expected a pandas, polars or pyarrow frame, a mapping of columns or a list of records"
        )
        raise ContractError(msg) from error


def records_of(frame: Any, name: str = "table") -> list[dict[str, Any]]:  # noqa: ANN401 - any supported frame
    """Return the rows of a small frame as records, missing cells as None.

    They say what the rows of `to_arrow` say, at a fraction of its cost for a pandas frame of a few rows.

    Parameters
    ----------
    frame, name
        As for `to_arrow`.

    Raises
    ------
    ContractError
        As `to_arrow`.
    """
    if isinstance(frame, pd.DataFrame) and frame.columns.is_unique:
        given = frame.to_numpy(dtype=object)
        cells: NDArray[np.object_] = np.where(pd.isna(given), np.array(None), given)
        return [dict(zip(frame.columns, row, strict=True)) for row in cells.tolist()]
    return list(to_arrow(frame, name=name).to_pylist())


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    """Hand aware times over as Arrow's own; pandas deprecates the way Arrow reads them."""
    aware = {
        name: pd.ArrowDtype(pa.timestamp(dtype.unit, "UTC"))
        for name, dtype in frame.dtypes.items()
        if isinstance(dtype, pd.DatetimeTZDtype)
    }
    return pa.Table.from_pandas(frame.astype(aware), preserve_index=False)
