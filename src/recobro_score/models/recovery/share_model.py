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
import pyarrow as pa

from recobro_score.errors import NotEnoughData
from recobro_score.models.booster import Booster
from recobro_score.models.recovery.forecast import ShareForecast
from recobro_score.models.recovery.share_chain import ShareChain
from recobro_score.timeline import debtor_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.event_model import Slices

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MIN_ROWS = 100
MIN_RECOVERING = 20
FOLDS = 5


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
        Of the held-out rows, from a booster that had not seen them.
    chains : tuple of (ShareChain, int64 ndarray)
        Which chain speaks for which positions in ``held_out``: out of fold each fold has one that had not
        seen it.
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


def fit_booster(values: Floats, share: Floats, *, schema: ColumnSchema, options: BoosterOptions) -> Booster:
    """Train on the cross-entropy of a share.

    Parameters
    ----------
    values : ndarray of shape (n, p)
    share : ndarray of shape (n,)
        In [0, 1].
    schema, options
        See `Booster.fit`.
    """
    some, less = np.flatnonzero(share > 0), np.flatnonzero(share < 1)
    rows = np.concatenate([some, less])
    y = np.concatenate([np.ones(some.size), np.zeros(less.size)])
    weight = np.concatenate([share[some], 1.0 - share[less]])
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    return Booster.fit(
        np.ascontiguousarray(values[rows]), y[order], schema=schema, options=options, weight=weight[order]
    )


def fit_shares(
    values: Floats,
    share: Floats,
    *,
    schema: ColumnSchema,
    options: BoosterOptions,
    groups: NDArray[Any],
    slices: Slices | None,
) -> ShareFit:
    """Train, fit the chain on rows the booster did not see, and keep rows that neither saw.

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

    Raises
    ------
    NotEnoughData
        If a part has too few rows, or too few that recovered anything or nothing.
    """
    if slices is None:
        return _out_of_fold(values, share, groups, schema=schema, options=options)
    train, later = slices.train, slices.calibration
    if later.size:
        require_shares("training slice", share[train])
        require_shares("calibration slice", share[later])
        booster = fit_booster(values[train], share[train], schema=schema, options=options)
        chain = ShareChain.fit(_margin(booster, values, later, options), share[later])
    else:
        fold = _out_of_fold(values[train], share[train], groups[train], schema=schema, options=options)
        booster, chain = fold.booster, fold.chain
    test = slices.test
    return ShareFit(
        booster=booster,
        chain=chain,
        learned=np.concatenate([train, later]),
        held_out=test,
        margin=_margin(booster, values, test, options),
        chains=((chain, np.arange(test.size)),),
    )


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


def _out_of_fold(
    values: Floats, share: Floats, groups: NDArray[Any], *, schema: ColumnSchema, options: BoosterOptions
) -> ShareFit:
    require_shares("sample", share)
    fold = debtor_folds(pa.array(groups).cast(pa.string()), FOLDS)
    margin = np.zeros(share.size)
    for k in range(FOLDS):
        left = np.flatnonzero(fold == k)
        booster = fit_booster(values[fold != k], share[fold != k], schema=schema, options=options)
        margin[left] = _margin(booster, values, left, options)
    everything = np.arange(share.size)
    return ShareFit(
        booster=fit_booster(values, share, schema=schema, options=options),
        chain=ShareChain.fit(margin, share),
        learned=everything,
        held_out=everything,
        margin=margin,
        chains=tuple(
            (ShareChain.fit(margin[fold != k], share[fold != k]), np.flatnonzero(fold == k))
            for k in range(FOLDS)
        ),
    )


def _margin(booster: Booster, values: Floats, rows: Ints, options: BoosterOptions) -> Floats:
    return booster.margin(np.ascontiguousarray(values[rows]), threads=options.threads)
