"""One link of the chain from a call to money: a calibrated model where enough is known, else a rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from recobro_score.digest import readable_json
from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.logistic import sigmoid
from recobro_score.features.labels import Labels
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.models.contact.columns import ContactColumns
from recobro_score.models.event_scorer import EventScorer
from recobro_score.models.files import read_state
from recobro_score.models.promise.rows import AGENTS
from recobro_score.models.scorer_fit import fit_scorer
from recobro_score.money import MISSING_MONEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.features.schema import FeatureSchema
    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.promise.rows import PromiseRows
    from recobro_score.models.snapshots import Snapshots

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FORMAT = 2
AGENT = "taken_by"
PRIOR_ROWS = 20.0
"""What an assumed rate counts, in outcomes."""
FEW = 50
"""Fewer outcomes than this with an agent, and the rate is flagged as assumed."""
HORIZON_DAYS = 30.0
"""Room between slices for what is promised in one to fall due before the next."""
Z_95 = 1.959963984540054
_PER_AGENT = ("prior", "tried", "won", "tried_weight", "won_weight")


@dataclass(frozen=True, slots=True)
class LinkScores:
    """Probabilities of one link; arrays of shape (n,).

    Parameters
    ----------
    probability, low, high : ndarray
        The interval is what the calibrating outcomes leave open of the probability at a margin: see
        `ScoreInterval`, and of an assumed rate the interval of the rate.
    assumed : bool ndarray
        Mostly or wholly a documented assumption.
    """

    probability: Floats
    low: Floats
    high: Floats
    assumed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Link:
    """P(event | the step before), by account and agent.

    Parameters
    ----------
    name : str
    prior : tuple of float
        Assumed rate per agent of `AGENTS`.
    tried, won : tuple of int
        Known outcomes per agent, and events among them.
    tried_weight, won_weight : tuple of float
        What they weigh together: the rate per agent rests on it.
    scorer : EventScorer or None
        None where there was too little to learn from: then the rate per agent, shrunk to the assumed one.
    why : str
        Why there is no scorer; empty where there is one.
    """

    name: str
    prior: tuple[float, ...]
    tried: tuple[int, ...]
    won: tuple[int, ...]
    tried_weight: tuple[float, ...]
    won_weight: tuple[float, ...]
    scorer: EventScorer | None
    why: str = ""

    @classmethod
    def fit(
        cls,
        name: str,
        prior: tuple[float, ...],
        seen: Snapshots,
        rows: PromiseRows,
        *,
        options: BoosterOptions,
        weight: Floats,
    ) -> Link:
        """Learn a link from its events.

        Parameters
        ----------
        name, prior
            See the class.
        seen : Snapshots
            Whose rows ``rows.row`` points to. Where their as-ofs leave room for it, the link is fitted and
            calibrated apart in time, else out of fold.
        rows : PromiseRows
        options : BoosterOptions
        weight : ndarray of shape (n,)
            How much each of the rows counts, above 0.
        """
        known = [rows.known & (rows.agent == agent) for agent in range(len(AGENTS))]
        won = [mask & (rows.value == 1.0) for mask in known]
        split = seen.split(np.isin(np.arange(len(seen.matrix)), rows.row[rows.known]), HORIZON_DAYS)
        events = of_agents(seen.matrix, rows.row, rows.agent)
        n = len(rows)
        nothing = np.zeros(n, dtype=np.int64)
        labels = Labels(
            account=events.account,
            as_of=events.as_of,
            value=rows.value,
            recovered=np.full(n, MISSING_MONEY),
            exposure=nothing,
            reason=np.zeros(n, dtype=np.int8),
            digits=np.zeros(n, dtype=np.int8),
        )
        scorer, why = None, ""
        try:
            scorer = fit_scorer(
                events,
                labels,
                seen.bucket[rows.row],
                horizon_days=split.horizon_days if split else 0.0,
                split=split,
                groups=seen.debtor[rows.row],
                options=options,
                weights=weight,
            ).scorer
        except NotEnoughData as error:
            why = str(error)
        return cls(
            name=name,
            prior=prior,
            tried=tuple(int(mask.sum()) for mask in known),
            won=tuple(int(mask.sum()) for mask in won),
            tried_weight=tuple(float(weight[mask].sum()) for mask in known),
            won_weight=tuple(float(weight[mask].sum()) for mask in won),
            scorer=scorer,
            why=why,
        )

    @property
    def rates(self) -> Floats:
        """The rate per agent, shrunk to the assumed one."""
        won, tried = np.array(self.won_weight), np.array(self.tried_weight)
        return (won + PRIOR_ROWS * np.array(self.prior)) / (tried + PRIOR_ROWS)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the link."""
        found = [f"{self.name}: rates per agent only: {self.why}"]
        if self.scorer is not None:
            found = [f"{self.name}: {warning}" for warning in self.scorer.facts.warnings]
        thin = [(agent, count) for agent, count in zip(AGENTS, self.tried, strict=True) if count < FEW]
        found += [
            f"{self.name}: {count:,} outcomes with a {agent}: its rate is mostly an assumption"
            for agent, count in thin
        ]
        return tuple(found)

    def score(
        self, matrix: FeatureMatrix, bucket: NDArray[np.int8], agent: int, *, threads: int = 1
    ) -> LinkScores:
        """Return the link for every row of a matrix, were the agent to call.

        With a scorer, an agent of whom too few outcomes are known takes the odds of the other times those of
        the two assumed rates, and the interval is wider by what that leaves open of the agent's own rate.
        """
        n = len(matrix)
        few = self.tried[agent] < FEW
        assumed = np.full(n, few)
        if self.scorer is None:
            at, spread = _logit(float(self.rates[agent])), self._spread(agent)
            p, low, high = (sigmoid(np.full(n, at + step)) for step in (0.0, -spread, spread))
            return LinkScores(p, low, high, assumed)
        asked = agent if not few else int(np.argmax(self.tried))
        pairs = of_agents(matrix, np.arange(n), np.full(n, asked, dtype=np.int64))
        scores = self.scorer.score(pairs, bucket, model_id=self.name, threads=threads)
        p, low, high = scores.probability, scores.p_low, scores.p_high
        if asked != agent:
            shift, spread = _logit(self.prior[agent]) - _logit(self.prior[asked]), self._spread(agent)
            p, low, high = (
                _shifted(value, shift + step) for value, step in ((p, 0.0), (low, -spread), (high, spread))
            )
        return LinkScores(p, low, high, assumed)

    def _spread(self, agent: int) -> float:
        """Return half the width, in log-odds, of the 95 % interval of an agent's shrunk rate."""
        rate, rows = float(self.rates[agent]), self.tried_weight[agent] + PRIOR_ROWS
        return Z_95 / float(np.sqrt(rows * rate * (1.0 - rate)))

    def of_events(self, matrix: FeatureMatrix, bucket: NDArray[np.int8], rows: Ints, agent: Ints) -> Floats:
        """Return the link of events, each with its agent, shape (n,).

        Parameters
        ----------
        matrix, bucket
            As for `score`.
        rows, agent : int64 ndarray of shape (n,)
            Rows of the matrix, and positions in `AGENTS`.
        """
        p = np.full(rows.size, np.nan)
        for code in np.unique(agent).tolist():
            mine = agent == code
            p[mine] = self.score(matrix.take(rows[mine]), bucket[rows[mine]], code).probability
        return p

    @property
    def source(self) -> ColumnSchema | None:
        """Columns of the features that it was trained on; None of a link that is a rate."""
        schema = None if self.scorer is None else self.scorer.event.booster.schema
        return schema.source if isinstance(schema, ContactColumns) else None

    @property
    def learned_from(self) -> tuple[int, ...]:
        """As-ofs of the snapshots that booster and calibrator learned from; none of a link that is a rate."""
        if self.scorer is None:
            return ()
        return (*self.scorer.facts.train, *self.scorer.facts.calibration)

    def to_files(self) -> dict[str, str]:
        """Return the link as text files by name."""
        state = {
            "format": FORMAT,
            "schema": None,
            "why": self.why,
        } | {key: list(getattr(self, key)) for key in _PER_AGENT}
        own = {f"{self.name}_rates.json": readable_json(state)}
        return own if self.scorer is None else own | self.scorer.to_files(self.name)

    @classmethod
    def from_files(cls, files: Mapping[str, str], name: str, schema: ColumnSchema) -> Link:
        """Return the link of saved files.

        Raises
        ------
        BundleError, SchemaMismatch
            See `models.files.read_state`.
        """
        rates = f"{name}_rates"
        state = read_state(files, rates, format_version=FORMAT, schema_hash=None, parts=(f"{rates}.json",))
        scorer = None if state["why"] else EventScorer.from_files(files, name, agent_columns(schema))[0]
        lists = {key: tuple(state[key]) for key in _PER_AGENT}
        return cls(name, **lists, scorer=scorer, why=state["why"])


def agent_columns(schema: ColumnSchema) -> ContactColumns:
    """Return all columns of a schema, and the agent."""
    return ContactColumns(schema, AGENTS, tuple(range(len(schema.names))), AGENT)


def of_agents(matrix: FeatureMatrix, rows: Ints, agent: Ints) -> FeatureMatrix:
    """Return some rows of a matrix, each with its agent in `agent_columns`.

    Parameters
    ----------
    matrix : FeatureMatrix
    rows, agent : int64 ndarray of shape (n,)
        Positions; codes of `PromiseRows`.
    """
    chosen, columns = matrix.take(rows), agent_columns(matrix.schema)
    # Models ask no more of a schema than `ColumnSchema`, which `ContactColumns` is.
    schema = cast("FeatureSchema", columns)
    values = columns.values(chosen.values, agent)
    return FeatureMatrix(chosen.account_ids, chosen.account, chosen.as_of, values, schema)


def _logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))


def _shifted(p: Floats, shift: float) -> Floats:
    odds = np.exp(shift)
    return np.asarray(odds * p / (1.0 - p + odds * p), dtype=np.float64)
