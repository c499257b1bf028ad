"""The shared course of a model of shares: one booster for the expected share, one chain for its distribution.

The booster is LightGBM with the cross-entropy of the share itself (a fractional logit), written as the binary
objective on two weighted copies of a row: ``y = 1`` with weight ``share`` and ``y = 0`` with weight
``1 − share``. Its margin orders accounts by expected share; `ShareChain` reads the whole distribution from
it, on rows that the booster has not seen.

References
----------
Papke and Wooldridge (1996), Journal of Applied Econometrics 11, 619-632 (fractional logit).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.errors import NotEnoughData
from recobro_score.models.booster import Booster
from recobro_score.models.recovery.forecast import ShareForecast
from recobro_score.models.recovery.share_chain import ShareChain
from recobro_score.models.slices import FOLDS, folds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.slices import Slices

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MIN_ROWS = 100
MIN_RECOVERING = 20


@dataclass(frozen=True, slots=True)
class ShareFit:
    """A fitted booster and chain, and what they say of rows that neither saw.

    Parameters
    ----------
    booster : Booster
    chain : ShareChain
    learned : int64 ndarray
        Rows of booster and chain.
    held_out : int64 ndarray of shape (k,)
    margin : ndarray of shape (k,)
        Of the held-out rows, from a booster that had not seen their debtors.
    chains : tuple of (ShareChain, int64 ndarray)
        Which chain speaks for which positions in ``held_out``: one that had not seen their debtors.
    """

    booster: Booster
    chain: ShareChain
    learned: Ints
    held_out: Ints
    margin: Floats
    chains: tuple[tuple[ShareChain, Ints], ...]

    def forecast(self) -> ShareForecast:
        """Return the distribution of the held-out rows."""
        out = {name: np.zeros(self.margin.size) for name in ShareForecast.__dataclass_fields__}
        for chain, rows in self.chains:
            part = ShareForecast.of(chain, self.margin[rows])
            for name, values in out.items():
                values[rows] = getattr(part, name)
        return ShareForecast(**out)


def fit_booster(
    values: Floats, share: Floats, *, weight: Floats, schema: ColumnSchema, options: BoosterOptions
) -> Booster:
    """Train on the cross-entropy of a share.

    Parameters
    ----------
    values : ndarray of shape (n, p)
    share : ndarray of shape (n,)
        In [0, 1].
    weight : ndarray of shape (n,)
        How much each row counts.
    schema, options
        See `Booster.fit`.
    """
    some, less = np.flatnonzero(share > 0), np.flatnonzero(share < 1)
    rows = np.concatenate([some, less])
    y = np.concatenate([np.ones(some.size), np.zeros(less.size)])
    part = np.concatenate([share[some], 1.0 - share[less]])
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    return Booster.fit(
        np.ascontiguousarray(values[rows]),
        y[order],
        schema=schema,
        options=options,
        weight=part[order] * weight[rows],
    )


def fit_shares(
    values: Floats,
    share: Floats,
    *,
    schema: ColumnSchema,
    options: BoosterOptions,
    groups: NDArray[Any],
    slices: Slices | None,
    weight: Floats | None = None,
) -> ShareFit:
    """Train, fit the chain on rows the booster did not see, and keep rows of debtors that neither saw.

    Parameters
    ----------
    values : ndarray of shape (n, p)
        In canonical order.
    share : ndarray of shape (n,)
        Known shares in [0, 1].
    schema, options
        See `Booster.fit`.
    groups : array of shape (n,)
        Debtor of each row: rows of one debtor stay in one fold.
    slices : Slices or None
        As for `event_model.fit_event`: without a calibration slice the chain is fitted out of fold.
    weight : ndarray of shape (n,), optional
        Above 0: how much each row counts to booster and chain.

    Raises
    ------
    NotEnoughData
        If a part has too few rows, or too few that recovered anything or nothing.
    """
    counts = np.ones(share.size) if weight is None else weight
    rows = _Rows(values, share, counts, groups, schema, options)
    if slices is None:
        return _out_of_fold(rows, np.arange(share.size), None)
    if not slices.calibration.size:
        return _out_of_fold(rows, slices.train, slices.test)
    train, later = slices.train, slices.calibration
    require_shares("training slice", share[train])
    require_shares("calibration slice", share[later])
    booster = rows.booster(train)
    judged = []
    for part in slices.folds(groups):
        other = rows.booster(part.train)
        chain = rows.chain(rows.margin(other, part.calibration), part.calibration)
        judged.append((part.test, rows.margin(other, part.test), chain))
    chain = rows.chain(rows.margin(booster, later), later)
    return _share_fit(booster, chain, np.concatenate([train, later]), judged)


def require_shares(what: str, share: Floats) -> None:
    """Refuse samples that no model of shares can be fitted to.

    Raises
    ------
    NotEnoughData
        With the numbers there are and the numbers needed.
    """
    some = int(np.count_nonzero(share > 0))
    if share.size < MIN_ROWS or min(some, share.size - some) < MIN_RECOVERING:
        msg = (
            f"The {what} has {share.size:,} rows with a known amount, {some:,} of which recovered anything: "
            f"a model needs at least {MIN_ROWS} rows, {MIN_RECOVERING} with and {MIN_RECOVERING} without."
        )
        raise NotEnoughData(msg)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is learned from, in canonical order, and how."""

    values: Floats
    share: Floats
    weight: Floats
    groups: NDArray[Any]
    schema: ColumnSchema
    options: BoosterOptions

    def booster(self, rows: Ints) -> Booster:
        return fit_booster(
            self.values[rows],
            self.share[rows],
            weight=self.weight[rows],
            schema=self.schema,
            options=self.options,
        )

    def margin(self, booster: Booster, rows: Ints) -> Floats:
        return booster.margin(np.ascontiguousarray(self.values[rows]), threads=self.options.threads)

    def chain(self, margin: Floats, rows: Ints) -> ShareChain:
        return ShareChain.fit(margin, self.share[rows], weight=self.weight[rows])


def _out_of_fold(rows: _Rows, train: Ints, test: Ints | None) -> ShareFit:
    """Fit the chain on margins of boosters that had not seen the debtor; they judge `test`, or these rows."""
    fold = folds_of(rows.groups)
    require_shares("sample", rows.share[train])
    margin, held_out = np.zeros(train.size), []
    for k in range(FOLDS):
        mine = fold[train] == k
        booster = rows.booster(train[~mine])
        margin[mine] = rows.margin(booster, train[mine])
        left = train[mine] if test is None else test[fold[test] == k]
        held_out.append((mine, left, rows.margin(booster, left)))
    judged = [
        (left, found, rows.chain(margin[~mine], train[~mine])) for mine, left, found in held_out if left.size
    ]
    return _share_fit(rows.booster(train), rows.chain(margin, train), train, judged)


def _share_fit(
    booster: Booster, chain: ShareChain, learned: Ints, judged: Sequence[tuple[Ints, Floats, ShareChain]]
) -> ShareFit:
    """Put a fit together; `judged` are rows, their margins, and the chain of other debtors that judges."""
    ends = np.cumsum([0, *(rows.size for rows, _, _ in judged)])
    return ShareFit(
        booster=booster,
        chain=chain,
        learned=learned,
        held_out=np.concatenate([np.zeros(0, dtype=np.int64), *(rows for rows, _, _ in judged)]),
        margin=np.concatenate([np.zeros(0), *(margin for _, margin, _ in judged)]),
        chains=tuple(
            (other, np.arange(begin, end))
            for (_, _, other), begin, end in zip(judged, ends[:-1], ends[1:], strict=True)
        ),
    )
