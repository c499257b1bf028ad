"""Score and explain one account from its raw events: the same bits as the night.

A request holds the rows of one account's tables as records; it goes through the same contracts and the same
engine as a portfolio. A row that a night would quarantine is an error here, named in full.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from recobro_score import engine
from recobro_score.bundle import Bundle
from recobro_score.calendars import format_instant, parse_instant
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.events import EventStore
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import BUCKETS
from recobro_score.errors import ContractError, Problem, hint, report
from recobro_score.explain.readers import AGENT, require_texts
from recobro_score.features.cells import Doubtful
from recobro_score.features.plain_store import PlainStores
from recobro_score.money import to_major

Record = dict[str, Any]

_instant_of = lru_cache(maxsize=256)(parse_instant)
"""A service asks for today over and over."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ScoreRequest(BaseModel):
    """One account and everything known of it.

    Attributes
    ----------
    as_of : str
        Date or time; a date means 00:00 in the scorer's time zone.
    account : record
        The row of ``accounts``.
    debtor : record, optional
        The row of ``debtors``.
    tables : dict of str to list of records
        Rows of the other tables by name, for example ``{"payments": [...]}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: str
    account: Record
    debtor: Record | None = None
    tables: dict[str, list[Record]] = Field(default_factory=dict)


class Reason(_Answer):
    """One reason.

    Attributes
    ----------
    concept : str
        Its code.
    contribution, points : float
        What it adds to the raw margin, signed; the same in probability, in (−1, 1), for reading.
    text : str
        The sentence.
    """

    concept: str
    contribution: float
    points: float
    text: str


class ScoreResult(_Answer):
    """The score of one account.

    Attributes
    ----------
    account_id, as_of : str
        The account; the instant in ISO 8601.
    margin, p_pay : float
        Raw score and calibrated probability.
    expected_recovery : float or None
        Major units of the account's currency within the horizon; None when nothing tells what is due.
    exposure, dpd : float or None
        Major units due; days past due.
    bucket : str or None
        Bucket of days past due.
    flags : tuple of str
        For example ``thin_file``.
    reasons : tuple of Reason
        Heaviest first.
    model_id, bundle_id : str
        What scored it.
    """

    account_id: str
    as_of: str
    margin: float
    p_pay: float
    expected_recovery: float | None
    exposure: float | None
    dpd: float | None
    bucket: str | None
    flags: tuple[str, ...]
    reasons: tuple[Reason, ...]
    model_id: str
    bundle_id: str


class Explanation(_Answer):
    """Why one account has its score, told to one reader.

    Attributes
    ----------
    account_id, as_of : str
        The account; the instant in ISO 8601.
    reader, language : str
        Whom it is told, and in which language.
    margin, p_pay : float
        Raw score and calibrated probability.
    average_margin, average_p_pay : float
        The same for the average account of training, from which the contributions start.
    reasons : tuple of Reason
        Heaviest first, without what is denied to the reader in the account's country.
    model_id, bundle_id : str
        What is explained.
    """

    account_id: str
    as_of: str
    reader: str
    language: str
    margin: float
    p_pay: float
    average_margin: float
    average_p_pay: float
    reasons: tuple[Reason, ...]
    model_id: str
    bundle_id: str


class Scorer:
    """A loaded bundle that answers for one account at a time. Safe to share among threads.

    Parameters
    ----------
    bundle : Bundle
        The trained system.
    time_zone : str
        Zone of dates and of times without an offset.
    language : str
        Language of the reasons.
    reader : str
        Whom they are for: ``agent``, ``debtor`` or ``auditor``.

    Raises
    ------
    ConfigError
        If there is no such time zone, language or reader.
    TextMissing
        If a sentence is missing that the reader may be told.
    """

    def __init__(
        self, bundle: Bundle, *, time_zone: str = "UTC", language: str = "es", reader: str = AGENT
    ) -> None:
        require_texts(reader, language, bundle.schema.concepts)
        self.bundle = bundle
        self.options = PortfolioOptions(time_zone=time_zone)
        self._plain = PlainStores(self.options)
        self.language = language
        self.reader = reader

    @classmethod
    def load(
        cls, folder: str | Path, *, time_zone: str = "UTC", language: str = "es", reader: str = AGENT
    ) -> Scorer:
        """Return a scorer for a saved bundle."""
        return cls(Bundle.load(folder), time_zone=time_zone, language=language, reader=reader)

    def score_one(self, request: ScoreRequest | Record) -> ScoreResult:
        """Score one account.

        Parameters
        ----------
        request : ScoreRequest or dict
            The account's rows.

        Raises
        ------
        ContractError
            If a row breaks its contract; one error names all of them.
        """
        scored = self._scored(request, self.reader, self.language)
        scores, state, store = scored.scores, scored.state, scored.store
        return ScoreResult(
            account_id=store.account_ids[0].as_py(),
            as_of=self._instant(scored),
            margin=float(scores.margin[0]),
            p_pay=float(scores.probability[0]),
            expected_recovery=_known(scored.expected_recovery),
            exposure=_known(to_major(state.exposure, store.digits)),
            dpd=_known(state.dpd),
            bucket=(*BUCKETS, None)[int(state.bucket[0])],
            flags=tuple(filter(None, scored.flags()[0].split(","))),
            reasons=_reasons(scored),
            model_id=scores.model_id,
            bundle_id=self.bundle.bundle_id,
        )

    def explain_one(
        self, request: ScoreRequest | Record, *, reader: str | None = None, language: str | None = None
    ) -> Explanation:
        """Say why one account has its score, to one reader.

        Parameters
        ----------
        request : ScoreRequest or dict
            The account's rows.
        reader, language : str, optional
            The scorer's own where absent.

        Raises
        ------
        ContractError
            If a row breaks its contract; one error names all of them.
        ConfigError
            If there is no such reader or language.
        """
        reader, language = reader or self.reader, language or self.language
        scored = self._scored(request, reader, language)
        return Explanation(
            account_id=scored.store.account_ids[0].as_py(),
            as_of=self._instant(scored),
            reader=reader,
            language=language,
            margin=float(scored.scores.margin[0]),
            p_pay=float(scored.scores.probability[0]),
            average_margin=float(scored.contributions.bias[0]),
            average_p_pay=float(scored.points.average[0]),
            reasons=_reasons(scored),
            model_id=scored.scores.model_id,
            bundle_id=self.bundle.bundle_id,
        )

    def _scored(self, request: ScoreRequest | Record, reader: str, language: str) -> engine.Scored:
        request = request if isinstance(request, ScoreRequest) else ScoreRequest.model_validate(request)
        store = self._store(request)
        as_of = _instant_of(request.as_of, self.options.time_zone)
        return engine.score(self.bundle, store, as_of, language=language, reader=reader)

    def _instant(self, scored: engine.Scored) -> str:
        return format_instant(int(scored.scores.as_of[0]), self.options.time_zone)

    def _store(self, request: ScoreRequest) -> EventStore:
        """Return the store of a request: of plain records at once, of any others through the contracts."""
        tables: dict[str, list[Record]] = {"payments": []}
        for table, rows in request.tables.items():
            if table not in CONTRACTS:
                msg = f"{table}: no such table.{hint(table, CONTRACTS)}"
                raise ContractError(msg)
            tables[table] = rows
        tables["accounts"] = [request.account]
        if request.debtor is not None:
            tables["debtors"] = [request.debtor]
        try:
            return self._plain.of(tables)
        except Doubtful:
            return self._checked(tables)

    def _checked(self, tables: dict[str, list[Record]]) -> EventStore:
        portfolio = Portfolio.from_frames(tables, options=self.options)
        if len(portfolio.quarantine):
            bad = portfolio.quarantine.table.to_pylist()
            problems = [Problem(f"{row['table']}[{row['row']}]: {row['rule']}") for row in bad]
            raise ContractError(report("the request has bad rows:", problems))
        return portfolio.store


def _known(values: NDArray[np.float64]) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])


def _reasons(scored: engine.Scored) -> tuple[Reason, ...]:
    told = scored.reasons
    columns = (told.concept, told.contribution.tolist(), told.points.tolist(), told.text)
    return tuple(
        Reason(concept=concept, contribution=contribution, points=points, text=text)
        for concept, contribution, points, text in zip(*columns, strict=True)
    )
