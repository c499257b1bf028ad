"""LightGBM on float64 arrays of a known schema: deterministic, saved as text, one row as good as a batch.

LightGBM accepts re-ordered columns silently and returns other numbers, so it never sees a frame here: columns
are ours by position, categories ours by code (0 missing, 1 unseen, 2.. the vocabulary), and a schema of
another hash is refused. It grows the trees (see `growing`); scores are read off them without it (see
`forest`), to the same bits.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recobro_score.errors import ContractError, NotEnoughData, SchemaMismatch
from recobro_score.models.forest import Forest
from recobro_score.models.trees import read_trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_ROWS = 100
MIN_PER_CLASS = 10
FIRST_KNOWN_CODE = 2


class ColumnSchema(Protocol):
    """What a booster must know of its columns; `features` has the full one."""

    @property
    def names(self) -> Sequence[str]:
        """Column names in order."""

    @property
    def kinds(self) -> Sequence[str]:
        """``number`` or ``category`` per column."""

    @property
    def vocabularies(self) -> Mapping[str, Sequence[str]]:
        """Known categories of each category column."""

    @property
    def monotone(self) -> Sequence[int]:
        """−1, 0 or 1 per column."""

    @property
    def hash(self) -> str:
        """Identity of all of it."""


class BoosterOptions(BaseModel):
    """How to train. The defaults suit 5,000 to 500,000 rows; small leaves are refused by ``min_leaf``.

    Parameters
    ----------
    trees, learning_rate, leaves : int, float, int
        Number of trees, the step of each, leaves per tree.
    min_leaf : int
        Fewest rows in a leaf.
    feature_fraction : float
        Share of the columns each tree may use.
    l2 : float
        Ridge on leaf values.
    seed : int
        Draws the columns of each tree.
    threads : int
        Changes the time, never the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trees: int = Field(default=300, ge=1)
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    leaves: int = Field(default=15, ge=2)
    min_leaf: int = Field(default=40, ge=1)
    feature_fraction: float = Field(default=0.6, gt=0, le=1)
    l2: float = Field(default=20.0, ge=0)
    seed: int = 20_250_601
    threads: int = Field(default=1, ge=1)


@dataclass(frozen=True, slots=True)
class Booster:
    """A trained ensemble of trees for one yes-or-no event.

    Safe to share between threads: nothing changes after construction.

    Parameters
    ----------
    text : str
        The canonical LightGBM text; all there is to save.
    schema : ColumnSchema
        The columns it was trained on.
    """

    text: str
    schema: ColumnSchema
    _forest: Forest = field(init=False, repr=False, compare=False)
    _codes: CategoryCodes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Equal texts are one object, so that whoever keeps something by text finds it without comparing.
        object.__setattr__(self, "text", sys.intern(self.text))
        object.__setattr__(self, "_forest", Forest.of(read_trees(self.text, len(self.schema.names))))
        object.__setattr__(self, "_codes", CategoryCodes.of(self.schema))

    @classmethod
    def fit(
        cls,
        values: Floats,
        y: Floats,
        *,
        schema: ColumnSchema,
        options: BoosterOptions | None = None,
        weight: Floats | None = None,
        offset: Floats | None = None,
        min_rows: int = MIN_ROWS,
    ) -> Booster:
        """Train on rows in the order given.

        Sums over rows depend on their order in the last bits: callers that want the same model for any order
        sort the rows first (`slices.canonical_order` does).

        Parameters
        ----------
        values : ndarray of shape (n, p)
            float64, C-contiguous; NaN is missing in number columns, categories are codes.
        y : ndarray of shape (n,)
            Outcomes, 0 or 1.
        schema : ColumnSchema
            Of the p columns.
        options : BoosterOptions, optional
            The defaults where absent.
        weight : ndarray of shape (n,), optional
            Importance weights.
        offset : ndarray of shape (n,), optional
            Log-odds known from elsewhere: the trees learn what is left, and `margin` is without it.
        min_rows : int
            Fewest rows, a tenth of them of either outcome.

        Raises
        ------
        NotEnoughData
            Below `min_rows` rows, or a tenth of them of either outcome.
        ContractError
            If values or outcomes are not what they must be.
        """
        options = options or BoosterOptions()
        codes = CategoryCodes.of(schema)
        _check_values(values, schema.names, codes)
        require_enough(y, rows=min_rows, per_class=min_rows // (MIN_ROWS // MIN_PER_CLASS))
        if y.shape != (len(values),):
            msg = f"{len(values):,} rows of features but outcomes of shape {y.shape}."
            raise ContractError(msg)
        from recobro_score.models.growing import grow  # LightGBM is for training only: scoring starts sooner

        text = grow(
            values,
            y,
            parameters=_parameters(options, schema, len(values)),
            trees=options.trees,
            categorical=codes.column.tolist(),
            weight=weight,
            offset=offset,
        )
        return cls(text, schema)

    def __getstate__(self) -> tuple[str, ColumnSchema]:
        """Go to another process as text and schema."""
        return self.text, self.schema

    def __setstate__(self, state: tuple[str, ColumnSchema]) -> None:
        for name, value in zip(("text", "schema"), state, strict=True):
            object.__setattr__(self, name, value)
        self.__post_init__()

    def check_schema(self, schema: ColumnSchema) -> None:
        """Refuse columns other than those of training.

        Raises
        ------
        SchemaMismatch
            Naming the columns that are new, gone, or the first that moved.
        """
        if schema.hash == self.schema.hash:
            return
        mine, theirs = list(self.schema.names), list(schema.names)
        parts = [
            f"without {[n for n in mine if n not in theirs][:5]}" if set(mine) - set(theirs) else "",
            f"with unknown {[n for n in theirs if n not in mine][:5]}" if set(theirs) - set(mine) else "",
        ]
        detail = ", ".join(part for part in parts if part) or (
            "the same columns in another order" if mine != theirs else "other vocabularies or kinds"
        )
        msg = f"The model knows schema {self.schema.hash[:12]}, got {schema.hash[:12]}: {detail}."
        raise SchemaMismatch(msg)

    def margin(self, values: Floats, *, threads: int = 1) -> Floats:
        """Return LightGBM's raw score, the log-odds before calibration; one row gives the bits of a batch.

        Parameters
        ----------
        values : ndarray of shape (n, p)
            float64, C-contiguous, in the order of the schema.
        threads : int
            Changes nothing but the time.

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        ContractError
            On a wrong dtype, layout or width, on infinities, and on category codes that cannot be.
        """
        _check_values(values, self.schema.names, self._codes)
        return self._forest.raw_score(values, threads=threads)


def require_enough(y: Floats, *, rows: int = MIN_ROWS, per_class: int = MIN_PER_CLASS) -> None:
    """Refuse samples that no model can be fitted to.

    Raises
    ------
    NotEnoughData
        With the numbers there are and the numbers needed.
    ContractError
        If outcomes are not 0 or 1.
    """
    if y.dtype != np.float64 or not np.isin(y, (0.0, 1.0)).all():
        msg = f"Outcomes must be float64, 0 or 1, got {y.dtype} with values like {np.unique(y)[:5].tolist()}."
        raise ContractError(msg)
    events = int(np.count_nonzero(y))
    if y.size < rows or min(events, y.size - events) < per_class:
        msg = (
            f"{y.size:,} rows with a known outcome, {events:,} events and {y.size - events:,} non-events: "
            f"a model needs at least {rows} rows and {per_class} of each."
        )
        raise NotEnoughData(msg)


@dataclass(frozen=True, slots=True, eq=False)
class CategoryCodes:
    """The category columns and how many codes each has: 0 missing, 1 unseen, then the vocabulary."""

    column: NDArray[np.int64]
    number: Floats

    @classmethod
    def of(cls, schema: ColumnSchema) -> CategoryCodes:
        """Return the category columns of a schema."""
        columns = [column for column, kind in enumerate(schema.kinds) if kind == "category"]
        known = [len(schema.vocabularies[schema.names[column]]) for column in columns]
        return cls(np.array(columns, dtype=np.int64), np.array(known, dtype=np.float64) + FIRST_KNOWN_CODE)

    def wrong_in(self, values: Floats) -> NDArray[np.bool_]:
        """Return which codes of each row and category column cannot be."""
        codes = values[:, self.column]
        return np.asarray(~((codes >= 0) & (codes < self.number) & (codes == np.floor(codes))))


def _check_values(values: Floats, names: Sequence[str], codes: CategoryCodes) -> None:
    if values.dtype != np.float64 or values.ndim != 2 or not values.flags.c_contiguous:
        msg = f"Features must be a C-contiguous float64 matrix, got {values.dtype} of shape {values.shape}."
        raise ContractError(msg)
    if values.shape[1] != len(names):
        msg = f"Features must have the {len(names)} columns of the schema, got {values.shape[1]}."
        raise ContractError(msg)
    infinite, wrong = np.isinf(values), codes.wrong_in(values)
    if not infinite.any() and not wrong.any():
        return
    problems = [
        f"{names[column]}: {int(infinite[:, column].sum()):,} of {len(values):,} values are infinite"
        for column in np.flatnonzero(infinite.any(axis=0))[:5]
    ]
    for place in np.flatnonzero(wrong.any(axis=0)):
        column, rows = codes.column[place], wrong[:, place]
        problems.append(
            f"{names[column]}: {int(rows.sum()):,} of {len(values):,} category codes are not among "
            f"0..{int(codes.number[place]) - 1}, for example {values[rows, column][0]}"
        )
    msg = "; ".join(problems) + "."
    raise ContractError(msg)


def _parameters(options: BoosterOptions, schema: ColumnSchema, rows: int) -> dict[str, object]:
    return {
        "objective": "binary",
        "learning_rate": options.learning_rate,
        "num_leaves": options.leaves,
        "min_data_in_leaf": options.min_leaf,
        "feature_fraction": options.feature_fraction,
        "lambda_l2": options.l2,
        "seed": options.seed,
        "monotone_constraints": list(schema.monotone) if any(schema.monotone) else None,
        "monotone_constraints_method": "basic",  # the others were seen to break the constraint (LightGBM 4.7)
        "bin_construct_sample_cnt": max(rows, 200_000),
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": options.threads,
        "verbosity": -1,
    }
