"""The leakage audit: features that know what they could not have known, or speak of what they may not.

A recipe is proven: its values are computed again on the data as they could have been written down at the
as-of, and must not change by a bit. The user's own function is proven the same way. Columns that only come as
a frame, and undated columns of the raw tables, are held against later values, the label and their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.events import EventStore
from recobro_score.data.lags import estimate_lags, observed_lags
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ConfigError
from recobro_score.features.audit import future, static, windows
from recobro_score.features.audit.columns import (
    Column,
    UserColumns,
    column_of,
    frame_columns,
    matrix_columns,
    static_cells,
)
from recobro_score.features.audit.forbidden import (
    check_lifted,
    forbidden_findings,
    held_attributes,
    proxy_findings,
)
from recobro_score.features.audit.likeness import later_values
from recobro_score.features.audit.measures import MIN_EVENTS, proxy_measures
from recobro_score.features.audit.options import AuditOptions
from recobro_score.features.audit.past import dated_tables
from recobro_score.features.audit.result import SEVERITIES, Finding, LeakageAudit, Measured
from recobro_score.features.audit.telling import auc_findings, auc_measures
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.labels import Labels, payment_labels
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.features.recipes import Recipe, Where
from recobro_score.timeline import Split, Timeline, debtor_folds


@dataclass(slots=True)
class _Audit:
    """What all checks share, and what they found so far."""

    portfolio: Portfolio
    store: EventStore
    timeline: Timeline | Split
    as_ofs: NDArray[np.int64]
    until: int
    options: AuditOptions
    columns: list[Column] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def result(self) -> LeakageAudit:
        ranked = sorted(self.findings, key=lambda finding: SEVERITIES.index(finding.severity))
        return LeakageAudit(
            findings=tuple(ranked),
            measurements=tuple(self.measured),
            skipped=tuple(self.skipped),
            features=len(self.columns),
            accounts=self.store.n_accounts,
            snapshots=len(self.as_ofs),
        )


def audit_leakage(
    portfolio: Portfolio,
    timeline: Timeline | Split,
    *,
    features: FeatureSet | None = None,
    columns: Any | UserColumns | None = None,  # noqa: ANN401 - any supported frame
    tables: Mapping[str, Any] | None = None,
    earlier: Mapping[str, Any] | None = None,
    labels: Labels | None = None,
    options: AuditOptions | None = None,
) -> LeakageAudit:
    """Look for features that know the future, and for those that no feature may be.

    ====================  ==========================================================================
    check                 fires when
    ====================  ==========================================================================
    knows_future          a recipe's, or the function's, value changes once everything that happened
                          or became known at the as-of or later is taken away (error: a proof)
    not_reproducible      the function gives two answers on the same tables
    future_value          a user's column, an undated column of the raw tables, or a static amount ranks
                          like a balance, payment … of later and like nothing visible (error)
    single_auc            one feature alone tells the label too well, at all snapshots or at the last
    overlap               a declared window ends after the as-of; parts of a split touch
    undated               a column of the raw accounts or debtors tables, or one that never changes,
                          tells of a state by its name; or it differs from an earlier delivery
    forbidden, proxy      a name speaks of a forbidden attribute; a feature goes with one that the
                          portfolio holds
    late_source           a source reports later than declared (a note, unless rows lack ``known_at``)
    immature_labels       labels are taken as known although payments are still to be reported
    ====================  ==========================================================================

    Parameters
    ----------
    portfolio : Portfolio
        The book of debts with its history.
    timeline : Timeline or Split
        The snapshots to learn from; of a split, the distance between its parts is checked too.
    features : FeatureSet, optional
        Recipes to audit; the standard set if absent.
    columns : frame or callable, optional
        The user's own features: a frame with ``account_id``, ``as_of`` and the columns, or a function
        ``compute(tables, as_of) -> frame`` with ``account_id`` and the columns. It gets the raw tables and
        the as-of as an aware `pandas.Timestamp` in the portfolio's zone. Only a function can be proven.
    tables : mapping of str to frame, optional
        The raw tables the portfolio was made of: needed for a function, and to find undated columns.
    earlier : mapping of str to frame, optional
        An earlier delivery of the same tables, to see which undated columns have changed since.
    labels : Labels, optional
        Of all accounts of the portfolio at these snapshots; payment labels by the options if absent.
    options : AuditOptions, optional
        Thresholds, label, declared windows, lifted bans.

    Returns
    -------
    LeakageAudit
        ``.verdict`` is a sentence, ``.frame()`` the findings, ``.measured()`` every number.

    Raises
    ------
    ConfigError
        If a function comes without tables, tables are no mapping, or a ban is lifted that cannot be.
    ContractError
        If the columns cannot be read.

    Examples
    --------
    >>> from recobro_score.simulate import simulate_portfolio
    >>> simulation = simulate_portfolio(60, seed=1)
    >>> portfolio = Portfolio.from_frames(simulation.tables)
    >>> timeline = Timeline(simulation.period_starts[-5:-1])
    >>> audit_leakage(portfolio, timeline).clean
    True
    """
    options = options or AuditOptions()
    check_lifted(options.lifted)
    _check_mappings({"tables": tables, "earlier": earlier})
    store = next(portfolio.store.buckets(-(-portfolio.n_accounts // options.accounts)))
    as_ofs = np.array(sorted(_as_ofs(timeline)), dtype=np.int64)
    until = portfolio.observed_until(options.observed_until)
    audit = _Audit(portfolio, store, timeline, as_ofs, until, options)
    chosen = features or FeatureSet.standard()
    matrix = compute(chosen.schema(store), store, as_ofs)
    audit.columns += matrix_columns(matrix)
    audit.findings += future.recipe_findings(matrix, store, as_ofs)
    own = _user_columns(audit, columns, tables)
    cells = {} if tables is None else static_cells(tables, store, portfolio.options)
    _check_undated(audit, own, cells, tables, earlier)
    audit.columns += own
    _check_labels(audit, labels, cells)
    _check_windows(audit)
    _check_forbidden(audit, matrix, own, cells)
    return audit.result()


def _check_mappings(given: Mapping[str, object]) -> None:
    for name, tables in given.items():
        if not isinstance(tables, Mapping | None):
            kind = type(tables).__name__
            msg = f"{name} are a mapping of frames, for example read_tables(folder), not {kind}"
            raise ConfigError(msg)


def _as_ofs(timeline: Timeline | Split) -> Iterable[int]:
    if isinstance(timeline, Timeline):
        return timeline.as_ofs
    return (*timeline.train, *timeline.calibration, *timeline.test)


def _user_columns(audit: _Audit, columns: Any, tables: Mapping[str, Any] | None) -> list[Column]:  # noqa: ANN401
    if columns is None:
        return []
    if not callable(columns):
        audit.skipped.append(
            "columns that come as a frame cannot be computed again: only likeness and AUC can tell; give a "
            "function for a proof"
        )
        return frame_columns(columns, audit.store, audit.as_ofs)
    if tables is None:
        msg = "a function needs the raw tables: audit_leakage(..., columns=function, tables=frames)"
        raise ConfigError(msg)
    dated = dated_tables(tables, audit.portfolio)
    found, findings = future.function_findings(columns, dated, audit.store, audit.as_ofs)
    audit.findings += findings
    return found


def _check_undated(
    audit: _Audit,
    own: list[Column],
    cells: Mapping[str, pa.Array],
    tables: Mapping[str, Any] | None,
    earlier: Mapping[str, Any] | None,
) -> None:
    """Hold columns without a date against later values, their names and an earlier delivery."""
    moments = len(audit.as_ofs)
    caught = {finding.feature for finding in audit.findings}
    unproven = [column for column in own if column.name not in caught]
    undated = [column_of(name, array, moments=moments) for name, array in cells.items()]
    amounts = static.static_amounts(audit.store, moments)
    horizon = round(audit.options.horizon_days * US_PER_DAY)
    later = later_values(audit.store, audit.as_ofs, horizon, audit.until)
    found = future.likenesses([*unproven, *undated, *amounts], later)
    audit.measured += [likeness.measured for likeness in found]
    audit.findings += future.likeness_findings(found)
    audit.findings += static.undated_by_name(cells)
    audit.findings += static.undated_by_constancy(unproven, moments)
    if tables is None:
        audit.skipped.append("undated columns of the raw tables: no raw tables were given")
    elif earlier is not None:
        both = [
            static_cells(given, audit.store, audit.portfolio.options, contract_too=True)
            for given in (earlier, tables)
        ]
        audit.findings += static.undated_by_change(*both)


def _check_labels(audit: _Audit, given: Labels | None, cells: Mapping[str, pa.Array]) -> None:
    """Measure every feature alone against the label, and whether the labels had matured."""
    labels = _payment_labels(audit) if given is None else _sampled(given, audit)
    horizon_days = audit.options.horizon_days
    audit.findings += windows.maturity_findings(labels, audit.store, horizon_days, audit.until)
    undated = [column_of(name, array, moments=len(audit.as_ofs)) for name, array in cells.items()]
    found = list(auc_measures([*audit.columns, *undated], labels, _folds(audit.store)))
    if not found:
        y = labels.value[labels.known]
        audit.skipped.append(
            f"AUC of single features: {int(y.sum())} events in {len(y)} labels, {MIN_EVENTS} of each needed"
        )
    audit.measured += found
    audit.findings += auc_findings(found, audit.options.auc)


def _payment_labels(audit: _Audit) -> Labels:
    return payment_labels(
        audit.store,
        audit.as_ofs,
        share=audit.options.share,
        horizon_days=audit.options.horizon_days,
        observed_until=audit.until,
    )


def _sampled(labels: Labels, audit: _Audit) -> Labels:
    """Return the labels of the accounts that are looked at."""
    expected = audit.portfolio.n_accounts * len(audit.as_ofs)
    if len(labels) != expected or not np.array_equal(np.unique(labels.as_of), audit.as_ofs):
        msg = f"labels must be of all accounts at these snapshots: {expected:,} rows, got {len(labels):,}"
        raise ConfigError(msg)
    codes = np.asarray(pc.index_in(audit.store.account_ids, value_set=audit.portfolio.store.account_ids))
    moments = len(audit.as_ofs)
    taken = labels.take((codes[:, None] * moments + np.arange(moments)).ravel().astype(np.int64))
    return replace(taken, account=np.repeat(np.arange(audit.store.n_accounts), moments))


def _folds(store: EventStore) -> NDArray[np.int64]:
    return debtor_folds(store.debtor_ids.take(pa.array(store.account_debtor)), 2)


def _check_windows(audit: _Audit) -> None:
    seen = observed_lags(audit.store, "payments")
    lag = max(audit.store.lags["payments"] / US_PER_DAY, float(np.quantile(seen, 0.95)) if len(seen) else 0.0)
    options = audit.options
    audit.findings += windows.overlap_findings(audit.timeline, options.windows, options.horizon_days, lag)
    audit.findings += windows.lag_findings(estimate_lags(audit.portfolio))


def _check_forbidden(
    audit: _Audit, matrix: FeatureMatrix, own: list[Column], cells: Mapping[str, pa.Array]
) -> None:
    names = {recipe.name: _named_by(recipe) for recipe in matrix.schema.features}
    names |= {column.name: column.name for column in own}
    audit.findings += forbidden_findings(names, audit.store, audit.options.lifted)
    moments = len(audit.as_ofs)
    held = held_attributes(audit.store, int(audit.as_ofs[-1]), cells)
    if not held:
        audit.skipped.append("proxies: the portfolio holds no forbidden attribute to compare with")
    last = [Column(one.name, one.kind, one.at(moments - 1, moments)) for one in audit.columns]
    found = list(proxy_measures(last, held.items(), _folds(audit.store)))
    audit.measured += found
    audit.findings += proxy_findings(found, audit.options.proxy, set(audit.options.lifted))


def _named_by(recipe: Recipe) -> str:
    words = [word for one in recipe.where if isinstance(one, Where) for word in (one.column, *one.values)]
    return " ".join((recipe.name, recipe.value or "", *words))
