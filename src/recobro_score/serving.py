"""Score and explain one account from its raw events: the same bits as the night.

A request holds the rows of one account's tables as records; it goes through the same contracts and the same
engine as a portfolio. A row that a night would quarantine is an error here, named in full.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from recobro_score import engine
from recobro_score.bundle import Bundle
from recobro_score.calendars import format_instant, parse_instant
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ContractError, Problem, hint, report

Record = dict[str, Any]


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
    """One reason: concept, contribution to the raw margin, sentence."""

    concept: str
    contribution: float
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
    """

    def __init__(self, bundle: Bundle, *, time_zone: str = "UTC", language: str = "es") -> None:
        self.bundle = bundle
        self.options = PortfolioOptions(time_zone=time_zone)
        self.language = language

    @classmethod
    def load(cls, folder: str | Path, *, time_zone: str = "UTC", language: str = "es") -> Scorer:
        """Return a scorer for a saved bundle."""
        return cls(Bundle.load(folder), time_zone=time_zone, language=language)

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
        request = request if isinstance(request, ScoreRequest) else ScoreRequest.model_validate(request)
        portfolio = self._portfolio(request)
        as_of = parse_instant(request.as_of, self.options.time_zone)
        scored = engine.score(self.bundle, portfolio.store, as_of, language=self.language)
        row = scored.table().to_pylist()[0]
        told = zip(row["reason_codes"], row["reason_contributions"], row["reasons"], strict=True)
        return ScoreResult(
            account_id=row["account_id"],
            as_of=format_instant(as_of, self.options.time_zone),
            margin=row["margin"],
            p_pay=row["p_pay"],
            expected_recovery=row["expected_recovery"],
            exposure=row["exposure"],
            dpd=row["dpd"],
            bucket=row["bucket"],
            flags=tuple(filter(None, row["flags"].split(","))),
            reasons=tuple(
                Reason(concept=concept, contribution=value, text=text) for concept, value, text in told
            ),
            model_id=row["model_id"],
            bundle_id=self.bundle.bundle_id,
        )

    def _portfolio(self, request: ScoreRequest) -> Portfolio:
        frames: dict[str, list[Record]] = {"payments": []}
        for table, rows in request.tables.items():
            if table not in CONTRACTS:
                msg = f"{table}: no such table.{hint(table, CONTRACTS)}"
                raise ContractError(msg)
            frames[table] = rows
        frames["accounts"] = [request.account]
        if request.debtor is not None:
            frames["debtors"] = [request.debtor]
        portfolio = Portfolio.from_frames(frames, options=self.options)
        if len(portfolio.quarantine):
            bad = portfolio.quarantine.table.to_pylist()
            problems = [Problem(f"{row['table']}[{row['row']}]: {row['rule']}") for row in bad]
            raise ContractError(report("the request has bad rows:", problems))
        return portfolio
