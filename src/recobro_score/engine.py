"""The chain that everything calls: features, scores, reasons, candidates, decisions.

Notebook, night and service run the same code: the same account at the same instant gets the same bits for
the same bundle, whatever the batch, the buckets, the threads or the order of rows. Only the allocation under
shared capacities looks at all accounts at once.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.bundle import Bundle
from recobro_score.calendars import format_instant, parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.quarantine import Quarantine, TableCounts
from recobro_score.data.state import BUCKETS, AccountState, account_state
from recobro_score.errors import ContractError
from recobro_score.explain.contributions import ConceptReasons, concept_contributions
from recobro_score.explain.reasons import Reasons, tell_reasons
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.models.contact import ContactForecast
from recobro_score.models.scores import Scores
from recobro_score.money import Rates, to_major
from recobro_score.policy.decide import (
    Candidates,
    DecisionInputs,
    Decisions,
    Versions,
    candidates,
    decide,
    policy_version,
)

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str, float], None]

SCORES_VERSION = "1"
REASONS = 3


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is done; only `capacities` and `rates` change what is decided.

    Attributes
    ----------
    capacities : mapping of str to int
        Uses per pool of the catalogue; a pool that is not named is not limited.
    rates : Rates, optional
        Dated exchange rates; needed when accounts or costs are in several currencies.
    language : str
        Language of the sentences.
    buckets : int
        Parts in which accounts are scored; bounds memory.
    threads : int
        Threads for features and scores.
    """

    capacities: Mapping[str, int] = field(default_factory=dict)
    rates: Rates | None = None
    language: str = "es"
    buckets: int = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Scored:
    """One store scored at one instant; all arrays in the order of its accounts.

    Attributes
    ----------
    store : EventStore
        What was scored.
    state : AccountState
        Exposure, days past due, bucket.
    matrix : FeatureMatrix
        The features.
    scores : Scores
        Margin, probability, flags.
    expected_recovery : float64 array
        Major units of each account's currency.
    contributions : ConceptReasons
        What each concept adds to the margin.
    reasons : Reasons
        The heaviest concepts in words.
    contact : ContactForecast
        Contact rates per channel and hour.
    """

    store: EventStore
    state: AccountState
    matrix: FeatureMatrix
    scores: Scores
    expected_recovery: NDArray[np.float64]
    contributions: ConceptReasons
    reasons: Reasons
    contact: ContactForecast

    def table(self) -> pa.Table:
        """Return one row per account (see `Outputs.scores`)."""
        state, scores, store = self.state, self.scores, self.store
        words = np.array([*BUCKETS, None], dtype=object)
        return pa.table(
            [
                store.account_ids,
                store.debtor_ids.take(pa.array(store.account_debtor)),
                pa.array(scores.as_of).cast(pa.timestamp("us", "UTC")),
                pa.array(store.words("accounts.currency"), pa.string()),
                _known(to_major(state.exposure, store.digits)),
                _known(state.dpd),
                pa.array(words[state.bucket.astype(np.int64)], pa.string()),
                scores.margin,
                scores.probability,
                _known(self.expected_recovery),
                pa.array(self.flags(), pa.string()),
                *_lists_by_row(self.reasons),
                pa.array([scores.model_id] * store.n_accounts, pa.string()),
            ],
            schema=SCORES_SCHEMA,
        )

    def flags(self) -> list[str]:
        """Return the names of each account's flags, joined by commas."""
        columns = [np.where(self.scores.has(name), name, "") for name in self.scores.flag_names]
        return [",".join(filter(None, names)) for names in zip(*columns, strict=True)]


SCORES_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("debtor_id", pa.string()),
        ("as_of", pa.timestamp("us", "UTC")),
        ("currency", pa.string()),
        ("exposure", pa.float64()),
        ("dpd", pa.float64()),
        ("bucket", pa.string()),
        ("margin", pa.float64()),
        ("p_pay", pa.float64()),
        ("expected_recovery", pa.float64()),
        ("flags", pa.string()),
        ("reason_codes", pa.list_(pa.string())),
        ("reason_contributions", pa.list_(pa.float64())),
        ("reasons", pa.list_(pa.string())),
        ("model_id", pa.string()),
    ]
)
"""Columns of the scores: money in major units of `currency`; null where something is not known."""


@dataclass(frozen=True, slots=True, repr=False)
class Outputs:
    """What a run says of a portfolio.

    Attributes
    ----------
    as_of : int
        Instant in µs UTC.
    time_zone : str
        The portfolio's zone.
    scores : pyarrow.Table
        One row per account, by account id; columns in `SCORES_SCHEMA`, reasons included.
    decided : Decisions
        The decision list and the plan behind it.
    quarantine : Quarantine
        Rows that were not used, with their rule.
    counts : mapping of str to TableCounts
        Per table: read = used + quarantined.
    warnings : tuple of str
        What a reader must know before acting on it.
    """

    as_of: int
    time_zone: str
    scores: pa.Table
    decided: Decisions
    quarantine: Quarantine
    counts: Mapping[str, TableCounts]
    warnings: tuple[str, ...]

    @property
    def decisions(self) -> pa.Table:
        """One decision record per account, by account id (see `recobro_score.policy.records.COLUMNS`)."""
        return self.decided.table

    def frame(self) -> pd.DataFrame:
        """Return the decision records as a pandas frame."""
        return self.decided.frame()

    def plan(self) -> dict[str, Any]:
        """Return value, proven bound, gap, and use and price of every capacity as JSON values."""
        plan = self.decided.allocation
        columns = (plan.capacities.tolist(), plan.usage.tolist(), plan.prices.tolist())
        pools = zip(plan.pools, *columns, strict=True)
        return {
            "value": plan.value,
            "bound": plan.bound,
            "gap": plan.gap,
            "pools": {
                name: {"capacity": None if capacity < 0 else capacity, "used": used, "price": price}
                for name, capacity, used, price in pools
            },
        }

    def summary(self) -> str:
        """Return how many accounts get which action, the plan's proof and the warnings as text."""
        head = f"{self.decisions.num_rows:,} decisions as of {format_instant(self.as_of, self.time_zone)}"
        quarantined = f"{len(self.quarantine):,} rows in quarantine"
        told = [f"! {warning}" for warning in self.warnings]
        return "\n".join([head, self.decided.summary(), quarantined, *told])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


def score(bundle: Bundle, store: EventStore, as_of: int, *, language: str = "es", threads: int = 1) -> Scored:
    """Score and explain every account of a store.

    Parameters
    ----------
    bundle : Bundle
        The trained system.
    store : EventStore
        One account or many.
    as_of : int
        Instant in µs UTC.
    language : str
        Language of the reasons.
    threads : int
        Threads for features and scores; they change no bit.
    """
    matrix = compute(bundle.schema, store, [as_of], threads=threads)
    state = account_state(store, [as_of])
    scores = bundle.payment.score(matrix, state.bucket, threads=threads)
    contributions = concept_contributions(
        bundle.payment.event.booster.contributions(matrix.values, threads=threads),
        bundle.schema.concepts,
        margin=scores.margin,
        account_ids=store.account_ids,
    )
    reasons = tell_reasons(
        contributions,
        matrix,
        language=language,
        currency=store.words("accounts.currency"),
        k=REASONS,
    )
    recovered = bundle.payment.expected_recovery(scores.probability, state.bucket, state.exposure)
    return Scored(
        store=store,
        state=state,
        matrix=matrix,
        scores=scores,
        expected_recovery=recovered / np.power(10.0, store.digits),
        contributions=contributions,
        reasons=reasons,
        contact=bundle.contact.predict(store, as_of),
    )


def run(
    bundle: Bundle,
    portfolio: Portfolio,
    as_of: int | str,
    *,
    options: RunOptions | None = None,
    progress: Progress | None = None,
) -> Outputs:
    """Score, explain and decide for every account of a portfolio.

    Parameters
    ----------
    bundle : Bundle
        The trained system.
    portfolio : Portfolio
        The book of debts.
    as_of : int or str
        Instant in µs UTC, or a date or time as text (a date means 00:00 in the portfolio's time zone).
    options : RunOptions, optional
        Capacities, rates, language, buckets, threads.
    progress : callable, optional
        Called with a step's name and the share done.

    Returns
    -------
    Outputs
        Scores, reasons and exactly one decision record per account, by account id.

    Raises
    ------
    ConfigError
        If a capacity names no pool of the catalogue, or a currency has no rate.
    """
    options = options or RunOptions()
    instant = parse_instant(as_of, portfolio.store.time_zone) if isinstance(as_of, str) else as_of
    store = portfolio.at(instant)
    tables: list[pa.Table] = []
    found: list[Candidates] = []
    done = 0
    for part in store.buckets(options.buckets):
        scored = score(bundle, part, instant, language=options.language, threads=options.threads)
        tables.append(scored.table())
        found.append(_candidates(bundle, scored, instant, options))
        done += part.n_accounts
        if progress is not None:
            progress("scoring and explaining", done / store.n_accounts)
    if not found:
        msg = "the portfolio holds no usable account"
        raise ContractError(msg)
    decisions = decide(
        Candidates.concat(found),
        capacities=options.capacities,
        language=options.language,
        versions=_versions(bundle, options),
    )
    if progress is not None:
        progress("allocating", 1.0)
    return Outputs(
        as_of=instant,
        time_zone=store.time_zone,
        scores=pa.concat_tables(tables).sort_by("account_id").combine_chunks(),
        decided=decisions,
        quarantine=portfolio.quarantine,
        counts=portfolio.counts,
        warnings=_warnings(bundle, store, instant),
    )


def _candidates(bundle: Bundle, scored: Scored, as_of: int, options: RunOptions) -> Candidates:
    policy, bucket = bundle.policy, scored.state.bucket
    codes, texts = _reason_columns(scored.reasons, scored.store.n_accounts)
    contact = scored.contact
    from_log = np.any(bundle.effects.from_log, axis=1).tolist()
    inputs = DecisionInputs(
        p_pay=scored.scores.probability,
        paid_share=bundle.payment.paid_share(bucket),
        unpaid_share=bundle.payment.unpaid_share(bucket),
        expected_recovery=scored.expected_recovery,
        state=scored.state,
        reason_codes=codes,
        reason_texts=texts,
        flags=np.array(scored.flags(), dtype=object),
        model_id=scored.scores.model_id,
        channels=contact.channels,
        p_contact=contact.rate,
        typical_contact=bundle.contact.typical_rate,
        effects=bundle.effects.shift,
        effect_source=tuple("log" if logged else "prior" for logged in from_log),
    )
    return candidates(
        inputs,
        scored.store,
        as_of,
        catalogue=policy.catalogue,
        rules=policy.rules,
        offers=policy.offers,
        rates=options.rates,
    )


def _reason_columns(reasons: Reasons, n_accounts: int) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    codes = np.full((n_accounts, REASONS), None, dtype=object)
    texts = codes.copy()
    codes[reasons.row, reasons.rank - 1] = reasons.concept
    texts[reasons.row, reasons.rank - 1] = reasons.text
    return codes, texts


def _versions(bundle: Bundle, options: RunOptions) -> Versions:
    policy = bundle.policy
    return Versions(
        policy=policy_version(policy.catalogue, policy.rules, policy.offers, options.capacities),
        rules=policy.rules.version,
        bundle_id=bundle.bundle_id,
    )


def _warnings(bundle: Bundle, store: EventStore, as_of: int) -> tuple[str, ...]:
    """Return what a reader must know before acting on the decisions."""
    told = list(bundle.card["warnings"])
    if bundle.contact.as_of > as_of:
        learned = format_instant(bundle.contact.as_of, store.time_zone)
        told.append(f"the bundle was trained on data up to {learned}, after the as-of: it knows the future")
    told += [f"nobody may be contacted: {reason}" for reason in store.blocked]
    return tuple(told)


def _known(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _lists_by_row(reasons: Reasons) -> tuple[pa.Array, pa.Array, pa.Array]:
    offsets = pa.array(np.searchsorted(reasons.row, np.arange(len(reasons.account_ids) + 1)), pa.int32())
    return (
        pa.ListArray.from_arrays(offsets, pa.array(reasons.concept, pa.string())),
        pa.ListArray.from_arrays(offsets, pa.array(reasons.contribution)),
        pa.ListArray.from_arrays(offsets, pa.array(reasons.text, pa.string())),
    )
