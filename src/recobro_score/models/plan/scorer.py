"""`PlanScorer`: a plan model bound to the accounts of a night, as the choice of offers asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recobro_score.errors import ContractError
from recobro_score.evaluation.logistic import sigmoid
from recobro_score.models.plan.parts import base_columns
from recobro_score.models.plan.rows import burden
from recobro_score.policy.offers import PriorTermScorer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from numpy.typing import NDArray

    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import Booster
    from recobro_score.models.plan.parts import TermPart
    from recobro_score.policy.offers import TermKeys
    from recobro_score.policy.terms import Terms

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

    class _Parts(Protocol):
        """What a scorer needs of a plan model."""

        @property
        def accept(self) -> TermPart: ...
        @property
        def breaks(self) -> TermPart: ...
        @property
        def boosters(self) -> Mapping[str, Booster]: ...
        @property
        def middle(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True, eq=False)
class PlanScorer:
    """P(accept) and P(complete) of terms for known accounts: the `TermScorer` of `policy.offers`.

    Holds the night's margins of the accounts, not their tables. Safe to share between threads.

    Parameters
    ----------
    accept, breaks : TermPart
    account_ids : pyarrow.StringArray of length n
    margin : mapping of str to ndarray of shape (n + 1,)
        Margins of the accounts under ``accept`` and ``break``; the last is for accounts not among them.
    exposure, digits, disposable : ndarray of shape (n + 1,)
        Minor units, decimals of the currency, and monthly income less expenses (NaN unknown).
    """

    accept: TermPart
    breaks: TermPart
    account_ids: pa.StringArray
    margin: Mapping[str, Floats]
    exposure: Ints
    digits: NDArray[np.int8]
    disposable: Floats

    @classmethod
    def of(
        cls,
        model: _Parts,
        matrix: FeatureMatrix,
        *,
        exposure: Ints | None,
        digits: NDArray[np.int8] | None,
        disposable: Floats | None,
        threads: int,
    ) -> PlanScorer:
        """Bind a model to the accounts of a matrix; see `PlanModel.scorer`.

        Raises
        ------
        ContractError
            If an account stands in more than one row, or lengths differ.
        """
        ids = pa.array(np.asarray(matrix.account_ids, dtype=object), pa.string())
        n = len(ids)
        if len(ids.unique()) != n:
            msg = f"A scorer of plans takes one row per account, got {n:,} rows of {len(ids.unique()):,}."
            raise ContractError(msg)
        for booster in model.boosters.values():
            booster.check_schema(matrix.schema)
        given: dict[str, NDArray[Any]] = {
            "exposure": np.zeros(n, dtype=np.int64) if exposure is None else exposure,
            "digits": np.zeros(n, dtype=np.int8) if digits is None else digits,
            "disposable": np.full(n, np.nan) if disposable is None else disposable,
        }
        wrong = {name: values.size for name, values in given.items() if values.shape != (n,)}
        if wrong:
            msg = f"A scorer of plans for {n:,} accounts was given {wrong} values."
            raise ContractError(msg)
        margin = {
            kind: np.append(booster.margin(matrix.values, threads=threads), model.middle[kind])
            for kind, booster in model.boosters.items()
        }
        nobody = cls.of_nobody(model)
        rest = {name: np.concatenate([values, getattr(nobody, name)]) for name, values in given.items()}
        return cls(model.accept, model.breaks, ids, margin, **rest)

    @classmethod
    def of_nobody(cls, model: _Parts) -> PlanScorer:
        """Return a scorer that knows no account: bucket and terms alone count."""
        return cls(
            model.accept,
            model.breaks,
            pa.array([], pa.string()),
            {kind: np.array([value]) for kind, value in model.middle.items()},
            np.zeros(1, dtype=np.int64),
            np.zeros(1, dtype=np.int8),
            np.full(1, np.nan),
        )

    @property
    def source(self) -> str:
        """``log`` where acceptance and completion were both learned, else ``prior``."""
        return "prior" if self.accept.assumed or self.breaks.assumed else "log"

    def p_accept(self, keys: TermKeys, terms: Sequence[Terms]) -> Floats:
        """P(accept | the debtor is reached with these terms), f64[n, len(terms)]."""
        if self.accept.assumed:
            return PriorTermScorer().p_accept(keys, terms)
        odds = [self._log_odds(self.accept, keys, each) for each in terms]
        return np.stack([sigmoid(each) for each in odds], axis=1)

    def p_complete(self, keys: TermKeys, terms: Sequence[Terms]) -> Floats:
        """P(every part is paid | accepted), f64[n, len(terms)]."""
        if self.breaks.assumed:
            return PriorTermScorer().p_complete(keys, terms)
        odds = [self._log_odds(self.breaks, keys, each) for each in terms]
        return np.stack(
            [self.breaks.kept(each, t.instalments) for each, t in zip(odds, terms, strict=True)], axis=1
        )

    def _log_odds(self, part: TermPart, keys: TermKeys, terms: Terms) -> Floats:
        found = pc.index_in(keys.account_ids.cast(pa.string()), value_set=self.account_ids)
        row = found.fill_null(len(self.account_ids)).to_numpy(zero_copy_only=False).astype(np.int64)
        ratio = burden(terms, self.exposure[row], self.digits[row], self.disposable[row])
        margin = self.margin.get(part.kind)
        signal = None if margin is None else margin[row]
        return part.log_odds(
            base_columns([terms], np.zeros(row.size, dtype=np.int64), keys.bucket, ratio, signal)
        )
