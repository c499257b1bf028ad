"""The whole chain: part by part to candidates, then one allocation over all accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.bundle import Bundle
from recobro_score.calendars import US_PER_DAY, format_instant, parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.survey import Survey, survey
from recobro_score.engine.outputs import Outputs
from recobro_score.engine.packed import joined, packed
from recobro_score.engine.scored import Scored, score
from recobro_score.errors import ContractError
from recobro_score.explain.readers import AGENT, require_texts
from recobro_score.explain.reasons import DEFAULT_REASONS, Reasons
from recobro_score.money import Rates
from recobro_score.policy.decide import (
    Candidates,
    DecisionInputs,
    Versions,
    candidates,
    check_capacities,
    decide,
    policy_version,
)
from recobro_score.policy.worth import exchange

if TYPE_CHECKING:
    from recobro_score.data.streamed import StreamedPortfolio

Progress = Callable[[str, float], None]
Check = Callable[[Survey], None]

STALE_DAYS = 35
WATCHED = ("payments", "balances")
"""Tables whose silence for more than `STALE_DAYS` before the as-of is told."""


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
    reader : str
        Whom the reasons for the score are for: ``agent``, ``debtor`` or ``auditor``.
    buckets : int
        Parts in which the accounts in memory are scored: each bucket of a streamed portfolio, or all.
    threads : int
        Threads for features and scores.
    """

    capacities: Mapping[str, int] = field(default_factory=dict)
    rates: Rates | None = None
    language: str = "es"
    reader: str = AGENT
    buckets: int = 1
    threads: int = 1


def run(
    bundle: Bundle,
    portfolio: Portfolio | StreamedPortfolio,
    as_of: int | str,
    *,
    options: RunOptions | None = None,
    check: Check | None = None,
    progress: Progress | None = None,
) -> Outputs:
    """Score, explain and decide for every account of a portfolio.

    Parameters
    ----------
    bundle : Bundle
        The trained system.
    portfolio : Portfolio or StreamedPortfolio
        The book of debts, in memory or on disk; the outputs are the same. One on disk is read twice, one
        bucket at a time: before anything is scored all of it must have been seen.
    as_of : int or str
        Instant in µs UTC, or a date or time as text (a date means 00:00 in the portfolio's time zone).
    options : RunOptions, optional
        Capacities, rates, language, buckets, threads.
    check : callable, optional
        Called with the `Survey` of the whole portfolio before anything is scored; what it raises stops
        the run.
    progress : callable, optional
        Called with a step's name and the share done.

    Returns
    -------
    Outputs
        Scores, reasons and exactly one decision record per account, by account id.

    Raises
    ------
    ConfigError
        If a capacity names no pool of the catalogue, a currency has no rate, or there is no such reader or
        language.
    ContractError
        If there is no usable account, or tables of a portfolio on disk are broken as a whole.
    TextMissing
        If a sentence is missing that the reader may be told.
    """
    options = options or RunOptions()
    time_zone = portfolio.options.time_zone
    instant = parse_instant(as_of, time_zone) if isinstance(as_of, str) else as_of
    require_texts(options.reader, options.language, bundle.schema.concepts)
    check_capacities(bundle.policy.catalogue, options.capacities)
    whole = survey(portfolio, instant, progress=progress)
    if check is not None:
        check(whole)
    if whole.n_accounts == 0:
        msg = "the portfolio holds no usable account"
        raise ContractError(msg)
    exchange(np.array(whole.currencies, dtype=object), bundle.policy.catalogue, options.rates, instant)
    found, scores = _score_all(bundle, portfolio, whole, options, progress)
    decided = decide(
        found,
        capacities=options.capacities,
        language=options.language,
        versions=_versions(bundle, options),
    )
    if progress is not None:
        progress("allocating", 1.0)
    return Outputs(
        as_of=instant,
        time_zone=time_zone,
        packed_scores=scores,
        decided=decided,
        quarantine=whole.quarantine,
        counts=whole.counts,
        warnings=_warnings(bundle, whole, time_zone),
    )


def _score_all(
    bundle: Bundle,
    portfolio: Portfolio | StreamedPortfolio,
    whole: Survey,
    options: RunOptions,
    progress: Progress | None,
) -> tuple[Candidates, pa.Table]:
    """Return all candidates, and all packed scores; one part of the events is in memory at a time."""
    tables: list[pa.Table] = []
    found: list[Candidates] = []
    done = 0
    for store in _stores(portfolio, whole, options.buckets):
        scored = score(
            bundle,
            store,
            whole.as_of,
            language=options.language,
            reader=options.reader,
            threads=options.threads,
        )
        tables.append(packed(scored.table()))
        found.append(_candidates(bundle, scored, whole.as_of, options))
        done += store.n_accounts
        if progress is not None:
            progress("scoring and explaining", done / whole.n_accounts)
        del store, scored  # before the next part is read
    joined_scores = joined(tables)
    del tables  # before the candidates are there twice
    return Candidates.concat(found), joined_scores


def _stores(portfolio: Portfolio | StreamedPortfolio, whole: Survey, buckets: int) -> Iterator[EventStore]:
    for part in portfolio.parts():
        if part.n_accounts:
            yield from whole.completed(part.store).buckets(buckets)
        del part  # before the next one is read


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
    codes = np.full((n_accounts, DEFAULT_REASONS), None, dtype=object)
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


def _warnings(bundle: Bundle, whole: Survey, time_zone: str) -> tuple[str, ...]:
    """Return what a reader must know before acting on the decisions."""
    told = _gaps(bundle, whole)
    if bundle.contact.as_of > whole.as_of:
        learned = format_instant(bundle.contact.as_of, time_zone)
        told.append(f"the bundle was trained on data up to {learned}, after the as-of: it knows the future")
    told += [f"nobody may be contacted: {reason}" for reason in whole.blocked]
    return (*told, *bundle.card["warnings"])


def _gaps(bundle: Bundle, whole: Survey) -> list[str]:
    """Return warnings about tables the bundle was trained with that are missing or old."""
    told = []
    newest, as_of = whole.newest, whole.as_of
    for table in bundle.schema.known_tables:
        if table not in newest:
            told.append(f"no row of {table} was known before the as-of, but the bundle was trained with them")
        elif table in WATCHED and as_of - newest[table] > STALE_DAYS * US_PER_DAY:
            days = (as_of - newest[table]) // US_PER_DAY
            told.append(f"the newest row of {table} is {days} days older than the as-of: the data look stale")
    return told
