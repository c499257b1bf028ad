"""From a portfolio to a bundle: snapshots, labels, models, effects, and the report on them."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.bundle import Bundle
from recobro_score.calendars import format_instant
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ConfigError, ContractError, NotEnoughData
from recobro_score.evaluation.result import Evaluation
from recobro_score.features.feature_set import FeatureSet
from recobro_score.features.given import given_labels
from recobro_score.features.label_matrix import LabelMatrix, compute_labels
from recobro_score.features.labels import Labels, payment_labels
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.frames import to_arrow
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.contact.rates import ContactRates
from recobro_score.models.decision_log import DecisionLog, decision_log
from recobro_score.models.effect import EffectTable
from recobro_score.models.payment.assumed import assumed_payment
from recobro_score.models.payment.grid import labels_of, payment_specs
from recobro_score.models.payment.model import PaymentModel, PaymentTarget
from recobro_score.models.snapshots import Snapshots
from recobro_score.policy.policy import Policy
from recobro_score.timeline import Timeline

if TYPE_CHECKING:
    from recobro_score.data.events import EventStore
    from recobro_score.models.snapshots import Weigh

logger = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, 0 to 1."""

PROFILE_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What to learn and from what.

    Attributes
    ----------
    target : PaymentTarget
        Share of the exposure and horizon that count as paying.
    observed_until : int or str, optional
        Instant up to which the tables are complete (µs UTC, or a date in the portfolio's time zone). If
        absent, the latest instant at which a payment, balance, contact, promise or decision became known.
    booster : BoosterOptions
        Trees, seed, threads.
    features : FeatureSet, optional
        The standard set if absent.
    labels : frame, optional
        Given labels instead of computed ones, see `recobro_score.features.labels.given_labels`; beside a
        sample of a portfolio, those of accounts that it does not hold are left aside.
    weights : callable, optional
        From the `Snapshots` to the weight of each of their rows: ``lambda seen: seen.recency(180)``; see
        `recobro_score.models.scorer_fit.fit_scorer`.
    horizons, shares : tuple of float
        Days and shares of the exposure beside the target's, for `PaymentModel.curve`; none by default.
    """

    target: PaymentTarget = field(default_factory=lambda: PaymentTarget(share=0.5, horizon_days=30))
    observed_until: int | str | None = None
    booster: BoosterOptions = field(default_factory=BoosterOptions)
    features: FeatureSet | None = None
    labels: Any = None
    weights: Weigh | None = None
    horizons: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Training:
    """A trained bundle and how well it does on rows it never saw.

    Attributes
    ----------
    bundle : Bundle
        The trained system.
    evaluation : Evaluation or None
        Held-out metrics per bucket beside the logistic baseline.
    labels : Labels
        The label of every (account, as-of) pair, unknown ones with their reason.
    """

    bundle: Bundle
    evaluation: Evaluation | None
    labels: Labels

    def summary(self) -> str:
        """Return the metrics, the mode of the effects and every warning as text."""
        card = self.bundle.card
        lines = [
            f"bundle {self.bundle.bundle_id}: {card['accounts']:,} accounts, {card['rows']:,} labelled rows",
            f"calibration: {card['calibration']}; effects: {card['effects']}",
        ]
        if self.evaluation is not None:
            lines.append(self.evaluation.summary())
        told = self.evaluation.warnings if self.evaluation is not None else ()
        return "\n".join([*lines, *(f"! {warning}" for warning in card["warnings"] if warning not in told)])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        table = "" if self.evaluation is None else self.evaluation._repr_html_()
        return f"<pre>{html.escape(self.summary())}</pre>{table}"


def train(
    portfolio: Portfolio,
    timeline: Timeline,
    *,
    options: TrainingOptions | None = None,
    policy: Policy | None = None,
    progress: Progress | None = None,
) -> Training:
    """Train everything a night needs.

    Parameters
    ----------
    portfolio : Portfolio
        The book of debts with its history, or a sample of it (`recobro_score.data.sample.sample_portfolio`).
    timeline : Timeline
        Snapshots to learn from. With three or more that leave room for the horizon between them, the last
        matured one tests and the quarter before it calibrates; with fewer, calibration is out of fold by
        debtor, and the report says so.
    options : TrainingOptions, optional
        Target, booster, features.
    policy : Policy, optional
        Actions, contact rules and offers; the library's defaults if absent.
    progress : callable, optional
        Called with a step's name and the share done.

    Notes
    -----
    Where the labels carry less, a humbler model is trained and the warnings say so: out-of-fold calibration
    for a split in time, and assumed rates per bucket (every score flagged ``assumed``) where nothing can be
    learned at all, as in a portfolio of new accounts only.
    """
    if portfolio.n_accounts == 0:
        msg = "the portfolio holds no usable account: there is nothing to train on"
        raise ContractError(msg)
    options = options or TrainingOptions()
    policy = policy or Policy.load()
    tell = progress or _silent
    tell("features", 0.0)
    seen = Snapshots.of(
        portfolio,
        timeline,
        features=options.features,
        observed_until=options.observed_until,
        threads=options.booster.threads,
    )
    store, schema, until = seen.store, seen.matrix.schema, seen.observed_until
    tell("labels", 0.3)
    if options.labels is not None and portfolio.sample is not None:
        options = replace(options, labels=_of_held(options.labels, store))
    labels = _labels(seen, options)
    tell("payment model", 0.4)
    payment = _payment(seen, labels, options)
    tell("contact rates and effects", 0.9)
    log = decision_log(
        store,
        action_ids=policy.catalogue.ids,
        share=options.target.share,
        horizon_days=options.target.horizon_days,
        observed_until=until,
    )
    effects = EffectTable.fit(log, policy.catalogue.prior_effects(), action_ids=policy.catalogue.ids)
    contact = ContactRates.fit(store, until)
    card = _card(portfolio, timeline, payment, effects, contact) | {"log": _log_facts(log)}
    card["profile"] = _profile(seen.matrix, payment)
    tell("trained", 1.0)
    known = labels if isinstance(labels, Labels) else _of_target(labels, options.target)
    return Training(Bundle(schema, payment, contact, effects, policy, card), payment.validation, known)


def _silent(step: str, done: float) -> None:
    """Report nothing."""


def _labels(seen: Snapshots, options: TrainingOptions) -> Labels | LabelMatrix:
    as_ofs = np.array(seen.timeline.as_ofs, dtype=np.int64)
    target, curve = options.target, bool(options.horizons or options.shares)
    if options.labels is not None:
        if curve:
            msg = "given labels are of the target alone: they teach no other horizons and shares"
            raise ConfigError(msg)
        return given_labels(options.labels, seen.store, as_ofs)
    if curve:
        specs = payment_specs(
            sorted({*options.horizons, target.horizon_days}), sorted({*options.shares, target.share})
        )
        return compute_labels(seen.store, as_ofs, specs, observed_until=seen.observed_until)
    return payment_labels(
        seen.store,
        as_ofs,
        share=target.share,
        horizon_days=target.horizon_days,
        observed_until=seen.observed_until,
    )


def _of_held(labels: Any, store: EventStore) -> pa.Table:  # noqa: ANN401 - any supported frame
    """Return the rows of given labels whose account the store holds."""
    table = to_arrow(labels, name="labels")
    if "account_id" not in table.column_names:
        return table
    held = table.filter(pc.is_in(table["account_id"].cast(pa.string()), value_set=store.account_ids))
    logger.info("%d of %d given labels are of accounts of the sample", len(held), len(table))
    return held


def _of_target(labels: LabelMatrix, target: PaymentTarget) -> Labels:
    return labels_of(labels, horizon_days=target.horizon_days, share=target.share)


def _payment(seen: Snapshots, labels: Labels | LabelMatrix, options: TrainingOptions) -> PaymentModel:
    """Return the best-founded payment model that the labels can carry, the reason for each step down kept."""
    target = options.target
    known = (labels if isinstance(labels, Labels) else _of_target(labels, target)).known
    why = "" if known.any() else f"none of the {len(seen.timeline)} snapshots has a known label"
    split = seen.split(known, target.horizon_days)
    for part in () if why else dict.fromkeys((split, None)):
        try:
            return PaymentModel.fit(
                seen.matrix,
                labels,
                target=target,
                bucket=seen.bucket,
                split=part,
                groups=seen.debtor,
                options=options.booster,
                weights=seen.weigh(options.weights),
            )
        except NotEnoughData as error:
            why = str(error)
            logger.warning("payment model: %s", why)
    return assumed_payment(seen.matrix.schema, target, why=why)


def _card(
    portfolio: Portfolio,
    timeline: Timeline,
    payment: PaymentModel,
    effects: EffectTable,
    contact: ContactRates,
) -> dict[str, Any]:
    zone = timeline.time_zone
    facts = payment.facts
    metrics = {} if payment.validation is None else _metrics(payment.validation)
    warnings = [*facts.warnings, *(() if payment.validation is None else payment.validation.warnings)]
    if not contact.has_log:
        warnings.append("no contact log: contact rates are assumptions")
    if effects.mode == "prior":
        warnings.append(
            f"effects come from the catalogue's priors ({effects.reason}), not from this portfolio"
        )
    if portfolio.sample is not None:
        warnings.append(f"learned from {portfolio.sample.summary()}")
    return {
        "accounts": portfolio.n_accounts,
        "rows": facts.rows,
        "payers": facts.events,
        "unknown_labels": facts.unknown,
        "target": payment.target.model_dump(),
        "snapshots": {
            part: [format_instant(as_of, zone) for as_of in getattr(facts, part)]
            for part in ("train", "calibration", "test")
        },
        "calibration": payment.event.calibration_kind,
        "effects": effects.mode,
        "metrics": metrics,
        "warnings": list(dict.fromkeys(warnings)),
        "rows_used": {table: count.used for table, count in portfolio.counts.items()},
    }


def _metrics(evaluation: Evaluation) -> dict[str, dict[str, float | int | str | None]]:
    frame = evaluation.frame().set_index("group")
    return {
        str(group): {str(name): _plain(value) for name, value in row.items()}
        for group, row in frame.iterrows()
    }


def _plain(value: Any) -> float | int | str | None:  # noqa: ANN401 - a cell of a frame
    if isinstance(value, str):
        return value
    number = float(value)
    return None if not np.isfinite(number) else number


def _log_facts(log: DecisionLog) -> dict[str, Any]:
    return {"decisions": len(log.account), "left_out": dict(log.left_out)}


def _profile(matrix: FeatureMatrix, payment: PaymentModel) -> Mapping[str, Any]:
    """Return quantiles and missing shares of the features, and quantiles of the score, for monitoring."""
    latest = matrix.take(matrix.as_of == matrix.as_of.max())
    margin = payment.event.booster.margin(latest.values)
    features = {
        name: {"missing": float(np.isnan(values).mean()), "quantiles": _quantiles(values)}
        for name, values in zip(matrix.schema.names, latest.values.T, strict=True)
    }
    return {"levels": list(PROFILE_QUANTILES), "margin": _quantiles(margin), "features": features}


def _quantiles(values: NDArray[np.float64]) -> list[float | None]:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return [None] * len(PROFILE_QUANTILES)
    return [float(value) for value in np.quantile(known, PROFILE_QUANTILES)]
