"""`PromiseModel`: from a call to a kept promise, P(reached) · P(promise | reached) · P(kept | promise)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.digest import canonical_json, readable_json, sha256_text
from recobro_score.errors import ConfigError, hint
from recobro_score.features.recipes import PromiseRule
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.files import read_state
from recobro_score.models.promise.link import Link, LinkScores
from recobro_score.models.promise.report import PromiseBook
from recobro_score.models.promise.rows import AGENTS, calls_kept, calls_reached, promises_made
from recobro_score.models.report import ChainReport, feature_schema, require_known
from recobro_score.models.snapshots import Snapshots
from recobro_score.models.weights import check_weights
from recobro_score.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.evaluation.result import Evaluation
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.contact.rates_of_day import Reach
    from recobro_score.models.snapshots import Weigh

    Floats = NDArray[np.float64]

NAME = "promise"
FORMAT = 1
PRIOR_PROMISES = (0.25, 0.35)
"""Assumed P(promise | right party reached) by a bot and by a human: conventions of this library."""
PRIOR_KEPT = (0.40, 0.50)
"""Assumed P(kept | promise). Promises to machines break more often (Choi, Huang, Yang and Zhang, 2025)."""
OPTIONS = BoosterOptions(trees=150, leaves=6, min_leaf=60, feature_fraction=0.3)
"""Small trees: promises are few beside the columns that describe them."""
STANDARD_RULE = PromiseRule()


@dataclass(frozen=True, slots=True)
class PromiseScores:
    """The chain of every (account, as-of) pair; arrays of shape (n,).

    Parameters
    ----------
    account_ids : array of str
    as_of : int64 ndarray
        µs UTC.
    agent : str
        Who calls.
    reached, promised, kept : LinkScores
        P(right party reached by one call), P(promise | reached), P(kept | promise).
    model_id : str

    Notes
    -----
    ``low`` and ``high`` are the products of the links' lower and upper ends. The product rises in each link,
    so where all three intervals hold their probability, this one holds the chain's: it misses at most as
    often as the three together, and is wider than it need be, since the links are seldom all at their worst.
    It is about the probability of accounts of these three margins: how far one account lies from others of
    its margins, or whether next month is like the months that calibrated, is in none of the three.
    """

    account_ids: Any
    as_of: NDArray[np.int64]
    agent: str
    reached: LinkScores
    promised: LinkScores
    kept: LinkScores
    model_id: str

    @property
    def probability(self) -> Floats:
        """P(one call ends in a promise that is kept)."""
        return self.reached.probability * self.promised.probability * self.kept.probability

    @property
    def low(self) -> Floats:
        """The product of the three lower ends: all links at their worst."""
        return self.reached.low * self.promised.low * self.kept.low

    @property
    def high(self) -> Floats:
        """The product of the three upper ends."""
        return self.reached.high * self.promised.high * self.kept.high

    def frame(self) -> pd.DataFrame:
        """Return one row per pair.

        Returns
        -------
        pandas.DataFrame
            ``account_id``, ``as_of`` (UTC), ``agent``; per link (``reached``, ``promised``, ``kept``) its
            probability, ``<link>_low``, ``<link>_high`` and ``<link>_assumed``; of the product
            ``probability``, ``low`` and ``high``; ``model_id``.
        """
        columns: dict[str, Any] = {
            "account_id": np.asarray(self.account_ids, dtype=object),
            "as_of": pd.to_datetime(self.as_of, unit="us", utc=True),
            "agent": self.agent,
        }
        for name in ("reached", "promised", "kept"):
            link: LinkScores = getattr(self, name)
            columns |= {name: link.probability, f"{name}_low": link.low, f"{name}_high": link.high}
            columns[f"{name}_assumed"] = link.assumed
        columns |= {"probability": self.probability, "low": self.low, "high": self.high}
        return pd.DataFrame(columns).assign(model_id=self.model_id)


@dataclass(frozen=True, slots=True)
class PromiseModel:
    """P(promise | right party reached) and P(kept | promise), by account and by who calls.

    P(reached) comes from a `ContactModel`. Safe to share between threads.

    Parameters
    ----------
    rule : PromiseRule
        When a promise counts as kept.
    promised, kept : Link
    """

    rule: PromiseRule
    promised: Link
    kept: Link
    model_id: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive the identity from the files."""
        object.__setattr__(self, "model_id", f"{NAME}-{sha256_text(canonical_json(self.to_files()))[:12]}")

    @classmethod
    def fit(
        cls,
        seen: Snapshots,
        *,
        rule: PromiseRule = STANDARD_RULE,
        options: BoosterOptions = OPTIONS,
        weights: Floats | None = None,
    ) -> PromiseModel:
        """Learn from the calls that reached somebody and the promises of a portfolio.

        Both take the features of the last as-of not after them; those before the first as-of are left out.
        A promise counts once its due date, its grace and the reporting lag have passed.

        Parameters
        ----------
        seen : Snapshots
        rule : PromiseRule
        options : BoosterOptions
        weights : ndarray of shape (n,), optional
            How much each row of the snapshots counts: a call or promise weighs what the row weighs that it
            takes its features from. See `recobro_score.models.weights`.

        Raises
        ------
        ContractError
            If weights are not what they must be.

        Notes
        -----
        Where there is too little to learn a link from, it is the rate per agent, shrunk to the documented
        assumption, and ``warnings`` says so.
        """
        until, counts = seen.observed_until, check_weights(weights, len(seen.matrix))
        rows = {
            "promised": calls_reached(seen.store, seen.matrix, observed_until=until),
            "kept": promises_made(seen.store, seen.matrix, rule, observed_until=until),
        }
        priors = {"promised": PRIOR_PROMISES, "kept": PRIOR_KEPT}
        links = {}
        for name, found in rows.items():
            events = found.take(counts[found.row] > 0)
            weight = counts[events.row]
            links[name] = Link.fit(
                f"{NAME}_{name}", priors[name], seen, events, options=options, weight=weight
            )
        return cls(rule, links["promised"], links["kept"])

    @classmethod
    def from_portfolio(
        cls,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        rule: PromiseRule = STANDARD_RULE,
        observed_until: int | None = None,
        options: BoosterOptions = OPTIONS,
        weights: Weigh | None = None,
    ) -> PromiseModel:
        """Compute the features of a portfolio, and fit.

        Parameters
        ----------
        portfolio : Portfolio
        timeline : Timeline
            Snapshots whose features stand for the accounts.
        rule, options
            As for `fit`.
        observed_until : int, optional
            See `Snapshots.of`.
        weights : callable, optional
            From the snapshots to the weight of each of their rows, see `fit`:
            ``lambda seen: seen.recency(180)``.
        """
        seen = Snapshots.of(portfolio, timeline, observed_until=observed_until)
        return cls.fit(seen, rule=rule, options=options, weights=seen.weigh(weights))

    @property
    def validation(self) -> dict[str, Evaluation]:
        """Reports of the links on held-out events, by name; none for a link that is a rate."""
        links = {"promised": self.promised, "kept": self.kept}
        reports = {name: link.scorer.validation for name, link in links.items() if link.scorer is not None}
        return {name: report for name, report in reports.items() if report is not None}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the model."""
        return (*self.promised.warnings, *self.kept.warnings)

    def score(
        self,
        matrix: FeatureMatrix,
        bucket: NDArray[np.int8],
        *,
        reach: Reach,
        agent: str = "human",
        threads: int = 1,
    ) -> PromiseScores:
        """Return the chain for every row of a matrix, were the agent to call.

        Parameters
        ----------
        matrix : FeatureMatrix
            Of the schema of training.
        bucket : int8 ndarray of shape (n,)
        reach : Reach
            Of the same rows: ``contact.typical(store, matrix, "call")``.
        agent : str
            One of `AGENTS`.
        threads : int
            Changes nothing but the time.

        Raises
        ------
        ConfigError
            If there is no such agent, or `reach` is of another number of rows.
        """
        if agent not in AGENTS:
            msg = f"no agent {agent!r} (known: {', '.join(AGENTS)}).{hint(agent, AGENTS)}"
            raise ConfigError(msg)
        if len(reach.probability) != len(matrix):
            msg = f"{len(matrix):,} rows to score, but the reach of {len(reach.probability):,}"
            raise ConfigError(msg)
        code = AGENTS.index(agent)
        assumed = np.full(len(matrix), reach.assumed)
        return PromiseScores(
            account_ids=matrix.account_ids,
            as_of=matrix.as_of,
            agent=agent,
            reached=LinkScores(reach.probability, reach.low, reach.high, assumed),
            promised=self.promised.score(matrix, bucket, code, threads=threads),
            kept=self.kept.score(matrix, bucket, code, threads=threads),
            model_id=self.model_id,
        )

    def evaluate(
        self,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        observed_until: int | str | None = None,
        weights: Weigh | None = None,
    ) -> ChainReport:
        """Judge the links, and both together, on later calls and promises, beside their rivals.

        Parameters
        ----------
        portfolio : Portfolio
            With the calls and promises that the model learned from, rivals learn from them too.
        timeline : Timeline
            Snapshots whose features stand for the accounts. Calls and promises from the first of them on are
            judged, with the agent that they had.
        observed_until : int or str, optional
            What became known later does not count; see `Snapshots.of`.
        weights : callable, optional
            From the snapshots, those that the model learned from among them, to the weight of each of their
            rows: in every metric, and to the rivals.

        Returns
        -------
        ChainReport
            ``promised`` of calls that reached the right party, ``kept`` of promises, and ``both``: of such
            calls, which led to a kept promise. P(reached) is the business of `ContactModel.evaluate`.

        Raises
        ------
        NotEnoughData
            If there are no such calls or promises.
        ConfigError
            If the model was not trained on the library's features.
        """
        links = {"promised": (self.promised,), "kept": (self.kept,), "both": (self.promised, self.kept)}
        source = next((link.source for link in links["both"] if link.source is not None), None)
        learned_from = {as_of for link in links["both"] for as_of in link.learned_from}
        as_ofs = Timeline(tuple(sorted({*learned_from, *timeline.as_ofs})), timeline.time_zone)
        schema = None if source is None else feature_schema(source)
        seen = Snapshots.of(portfolio, as_ofs, features=schema, observed_until=observed_until)
        until = seen.observed_until
        rows = {
            "promised": calls_reached(seen.store, seen.matrix, observed_until=until),
            "kept": promises_made(seen.store, seen.matrix, self.rule, observed_until=until),
            "both": calls_kept(seen.store, seen.matrix, self.rule, observed_until=until),
        }
        book = PromiseBook(seen, timeline.as_ofs[0], seen.weigh(weights))
        names = {"promised": "promise made", "kept": "promise kept", "both": "promise made and kept"}
        found = {part: book.report(names[part], rows[part], links[part]) for part in rows}
        parts = {part: report for part, report in found.items() if report is not None}
        require_known(len(parts), "calls and promises", "a known outcome after the first as-of")
        absent = tuple(f"{part}: no known outcome to judge by" for part in rows if part not in parts)
        return ChainReport("promises", parts, (*self.warnings, *absent))

    def to_files(self) -> dict[str, str]:
        """Return the model as text files by name: LightGBM's text and JSON, no code."""
        rule = {"grace_days": self.rule.grace_days, "tolerance": self.rule.tolerance}
        state = {"format": FORMAT, "schema": None, "rule": rule}
        return {f"{NAME}.json": readable_json(state), **self.promised.to_files(), **self.kept.to_files()}

    @classmethod
    def from_files(cls, files: Mapping[str, str], schema: ColumnSchema) -> PromiseModel:
        """Return the model of saved files; it scores the same bits and has the same id.

        Raises
        ------
        BundleError
            If a file is missing or of an unknown format.
        SchemaMismatch
            If the schema is not that of training.
        """
        state = read_state(files, NAME, format_version=FORMAT, schema_hash=None, parts=(f"{NAME}.json",))
        links = (Link.from_files(files, f"{NAME}_{name}", schema) for name in ("promised", "kept"))
        return cls(PromiseRule(**state["rule"]), *links)
