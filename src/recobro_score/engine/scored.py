"""Score and explain: one store at one instant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recobro_score.bundle import Bundle
from recobro_score.data.events import EventStore
from recobro_score.data.state import BUCKETS, AccountState, account_state
from recobro_score.explain.contributions import ConceptReasons, concept_contributions
from recobro_score.explain.reasons import Reasons, tell_reasons
from recobro_score.explain.table_shap import explainer_of
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.models.contact import ContactForecast
from recobro_score.models.scores import Scores
from recobro_score.money import to_major

SCORES_VERSION = "1"
REASONS = 3

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
        explainer_of(bundle.payment.event.booster.text, bundle.schema.names).contributions(
            matrix.values, threads=threads
        ),
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


def _known(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _lists_by_row(reasons: Reasons) -> tuple[pa.Array, pa.Array, pa.Array]:
    offsets = pa.array(np.searchsorted(reasons.row, np.arange(len(reasons.account_ids) + 1)), pa.int32())
    return (
        pa.ListArray.from_arrays(offsets, pa.array(reasons.concept, pa.string())),
        pa.ListArray.from_arrays(offsets, pa.array(reasons.contribution)),
        pa.ListArray.from_arrays(offsets, pa.array(reasons.text, pa.string())),
    )
