"""Score and explain: one store at one instant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.bundle import Bundle
from recobro_score.calendars import parse_instant
from recobro_score.data.events import EventStore
from recobro_score.data.state import BUCKETS, AccountState, account_state
from recobro_score.engine.explained import Telling, explain, feature_contributions
from recobro_score.explain.contributions import ConceptReasons
from recobro_score.explain.points import ProbabilityPoints
from recobro_score.explain.readers import AGENT
from recobro_score.explain.reasons import Reasons
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.features.single import account_features
from recobro_score.models.contact.rates import ContactForecast
from recobro_score.models.event_model import EventModel
from recobro_score.models.scores import Scores
from recobro_score.money import to_major

SCORES_VERSION = "2"

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
        ("p_low", pa.float64()),
        ("p_high", pa.float64()),
        ("expected_recovery", pa.float64()),
        ("flags", pa.string()),
        ("reason_codes", pa.list_(pa.string())),
        ("reason_contributions", pa.list_(pa.float64())),
        ("reason_points", pa.list_(pa.float64())),
        ("reasons", pa.list_(pa.string())),
        ("model_id", pa.string()),
    ]
)
"""Columns of the scores: money in major units of `currency`; null where something is not known.

``p_low`` and ``p_high`` bound what rows of this margin say of ``p_pay`` (Venn-Abers).
``reason_codes``, ``reason_contributions`` (signed, to the raw margin), ``reason_points`` (the same in
probability, in (−1, 1)) and ``reasons`` (sentences for the reader of the run) begin with the heaviest.
"""


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
    model : EventModel
        What scored them.
    scores : Scores
        Margin, probability, flags.
    expected_recovery : float64 array
        Major units of each account's currency.
    contributions : ConceptReasons
        What each concept adds to the margin.
    points : ProbabilityPoints
        The same in probability, for reading.
    reasons : Reasons
        The heaviest concepts in words.
    contact : ContactForecast
        Contact rates per channel and hour.
    """

    store: EventStore
    state: AccountState
    matrix: FeatureMatrix
    model: EventModel
    scores: Scores
    expected_recovery: NDArray[np.float64]
    contributions: ConceptReasons
    points: ProbabilityPoints
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
                scores.p_low,
                scores.p_high,
                _known(self.expected_recovery),
                pa.array(self.flags(), pa.string()),
                *_lists_by_row(self.reasons),
                pa.array([scores.model_id] * store.n_accounts, pa.string()),
            ],
            schema=SCORES_SCHEMA,
        )

    def feature_contributions(self, *, threads: int = 1) -> NDArray[np.float64]:
        """Return what each feature adds to the margin, (n, p + 1): the last column is the bias."""
        return feature_contributions(self.model, self.matrix, threads=threads)

    def flags(self) -> list[str]:
        """Return the names of each account's flags, joined by commas."""
        columns = [np.where(self.scores.has(name), name, "") for name in self.scores.flag_names]
        return [",".join(filter(None, names)) for names in zip(*columns, strict=True)]


def score(
    bundle: Bundle,
    store: EventStore,
    as_of: int | str,
    *,
    language: str = "es",
    reader: str = AGENT,
    threads: int = 1,
) -> Scored:
    """Score and explain every account of a store.

    Parameters
    ----------
    bundle : Bundle
        The trained system.
    store : EventStore
        One account or many.
    as_of : int or str
        Instant in µs UTC, or a date or time as text (a date means 00:00 in the store's time zone).
    language : str
        Language of the reasons.
    reader : str
        Whom they are for: ``agent``, ``debtor`` or ``auditor``.
    threads : int
        Threads for features and scores; they change no bit.
    """
    instant = parse_instant(as_of, store.time_zone) if isinstance(as_of, str) else as_of
    if store.n_accounts == 1:
        matrix = account_features(bundle.schema).matrix(store, instant)
    else:
        matrix = compute(bundle.schema, store, [instant], threads=threads)
    state = account_state(store, [instant])
    scores = bundle.payment.score(matrix, state.bucket, threads=threads)
    model = bundle.payment.event
    explained = explain(
        model,
        matrix,
        scores,
        bucket=state.bucket,
        currency=store.words("accounts.currency"),
        country=store.words("accounts.country"),
        telling=Telling(reader, language),
        threads=threads,
    )
    recovered = bundle.payment.expected_recovery(scores.probability, state.bucket, state.exposure)
    return Scored(
        store=store,
        state=state,
        matrix=matrix,
        model=model,
        scores=scores,
        expected_recovery=recovered / np.power(10.0, store.digits),
        contributions=explained.contributions,
        points=explained.points,
        reasons=explained.reasons,
        contact=bundle.contact.predict(store, instant),
    )


def _known(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _lists_by_row(reasons: Reasons) -> tuple[pa.Array, ...]:
    offsets = pa.array(np.searchsorted(reasons.row, np.arange(len(reasons.account_ids) + 1)), pa.int32())
    columns = (
        pa.array(reasons.concept, pa.string()),
        pa.array(reasons.contribution),
        pa.array(reasons.points),
        pa.array(reasons.text, pa.string()),
    )
    return tuple(pa.ListArray.from_arrays(offsets, column) for column in columns)
