"""`PlanModel`: P(terms are accepted | reached) and P(every part is paid | accepted).

Plans that still run are censored, never taken for failures.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.digest import canonical_json, readable_json, sha256_text
from recobro_score.errors import BundleError
from recobro_score.evaluation.logistic import sigmoid
from recobro_score.models.booster import Booster
from recobro_score.models.files import read_state
from recobro_score.models.plan.fit import KINDS, Learned, fit_part, to_the_end, validate
from recobro_score.models.plan.parts import TermPart, base_columns
from recobro_score.models.plan.report import PlanBook, PlanEvaluation, PlanFacts, judge_plans
from recobro_score.models.plan.rows import PlanRows, plan_rows
from recobro_score.models.plan.scorer import PlanScorer
from recobro_score.models.plan.signal import SIGNAL_OPTIONS
from recobro_score.models.report import ChainReport, feature_schema, require_known
from recobro_score.models.snapshots import Snapshots
from recobro_score.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.data.portfolio import Portfolio
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.models.booster import BoosterOptions, ColumnSchema
    from recobro_score.models.snapshots import Weigh

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NAME = "plan"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class PlanModel:
    """Acceptance and completion of payment plans, fitted on offers and what had become of them.

    Safe to share between threads. Bind it to the accounts of a night with `scorer`: the result is a
    `TermScorer` of `recobro_score.policy.offers`.

    Parameters
    ----------
    accept, breaks : TermPart
        P(accept | reached) and the monthly hazard of breaking an accepted plan.
    boosters : mapping of str to Booster
        Margins of the account under ``accept`` and ``break``; absent where there were too few plans.
    middle : mapping of str to float
        The mean margin of each, for accounts without features.
    facts : PlanFacts
    validation : PlanEvaluation or None
        Out of fold, by debtor; None in a model read from files or where nothing was learned.
    """

    accept: TermPart
    breaks: TermPart
    boosters: Mapping[str, Booster]
    middle: Mapping[str, float]
    facts: PlanFacts
    validation: PlanEvaluation | None = field(default=None, compare=False)
    model_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model_id", f"{NAME}-{sha256_text(canonical_json(self.to_files()))[:12]}")

    @classmethod
    def fit(
        cls,
        rows: PlanRows,
        *,
        schema: ColumnSchema | None = None,
        options: BoosterOptions | None = None,
        weights: Floats | None = None,
    ) -> PlanModel:
        """Fit both parts; whichever has too few rows stays assumed, and the warnings say so.

        Parameters
        ----------
        rows : PlanRows
            Their order does not matter.
        schema : ColumnSchema, optional
            Of their ``values``; without it, or with too few plans, an account speaks through its bucket only.
        options : BoosterOptions, optional
            Of the boosters of the account's margins.
        weights : ndarray of shape (n,), optional
            How much each offer, and every month of its plan, counts to both parts, the account's margins and
            the report; those that ``rows`` bring along where absent. See `recobro_score.models.weights`.

        Raises
        ------
        ContractError
            If weights are not what they must be.
        """
        options, rows = options or SIGNAL_OPTIONS, rows.weighing(weights)
        rows = rows.take(np.argsort(np.asarray(rows.plan_ids, dtype=str), kind="stable"))
        answered, plans = rows.take(~np.isnan(rows.accepted)), rows.take(rows.taken)
        learned = {
            "accept": Learned.of(answered, answered.accepted, 1.0 - answered.accepted, schema, options),
            "break": Learned.of(
                plans, plans.broken.astype(np.float64), plans.months.astype(np.float64), schema, options
            ),
        }
        accept = fit_part("accept", answered, learned["accept"])
        breaks = fit_part("break", plans, learned["break"])
        boosters = {kind: each.booster for kind, each in learned.items() if each.booster is not None}
        counted = {"accept": answered.counted, "break": plans.counted}
        middle = {
            kind: float(np.average(each.margin, weights=counted[kind]))
            for kind, each in learned.items()
            if each.margin is not None and kind in boosters
        }
        facts = PlanFacts.of(rows, accept, breaks, signals=tuple(boosters))
        model = cls(accept, breaks, boosters, middle, facts)
        return replace(model, validation=validate(answered, plans, learned, facts))

    @classmethod
    def from_portfolio(
        cls,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        observed_until: int | None = None,
        options: BoosterOptions | None = None,
        weights: Weigh | None = None,
    ) -> PlanModel:
        """Read the offers of a portfolio, each beside the snapshot before it, and fit.

        Parameters
        ----------
        portfolio : Portfolio
        timeline : Timeline
            Snapshots whose features stand for the accounts; offers before the first are left out.
        observed_until : int, optional
            See `Snapshots.of`.
        options : BoosterOptions, optional
        weights : callable, optional
            From the snapshots to the weight of each of their rows, which is that of the offers beside it:
            ``lambda seen: seen.recency(180)``.
        """
        seen = Snapshots.of(portfolio, timeline, observed_until=observed_until)
        return cls.fit(plan_rows(seen, seen.weigh(weights)), schema=seen.matrix.schema, options=options)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the model."""
        return self.facts.warnings

    def scorer(
        self,
        matrix: FeatureMatrix | None = None,
        *,
        exposure: Ints | None = None,
        digits: NDArray[np.int8] | None = None,
        disposable: Floats | None = None,
        threads: int = 1,
    ) -> PlanScorer:
        """Return a `TermScorer` for the accounts of a matrix.

        Parameters
        ----------
        matrix : FeatureMatrix, optional
            One row per account, of the schema of training. Accounts that it has not, or all without it, get
            the mean margin: terms and bucket still count.
        exposure : int64 ndarray of shape (n,), optional
            Due at the as-of, minor units.
        digits : int8 ndarray of shape (n,), optional
            Decimals of each account's currency.
        disposable : ndarray of shape (n,), optional
            Monthly income less expenses, major units; NaN unknown. Unknown for all where absent.
        threads : int
            Changes nothing but the time.

        Raises
        ------
        SchemaMismatch
            If the matrix is of another schema.
        """
        if matrix is None:
            return PlanScorer.of_nobody(self)
        return PlanScorer.of(
            self, matrix, exposure=exposure, digits=digits, disposable=disposable, threads=threads
        )

    def acceptance(self, rows: PlanRows) -> Floats:
        """Return P(accepted | the debtor has seen the terms) of offers, shape (n,)."""
        return sigmoid(self.accept.log_odds(self._columns("accept", rows)))

    def completion(self, rows: PlanRows) -> Floats:
        """Return P(every part is paid | accepted) of offers, shape (n,)."""
        return to_the_end(self.breaks, self.break_log_odds(rows), rows)

    def break_log_odds(self, rows: PlanRows) -> Floats:
        """Return the margin of breaking in a month, without the month's own part."""
        return self.breaks.log_odds(self._columns("break", rows))

    def evaluate(
        self,
        portfolio: Portfolio,
        timeline: Timeline,
        *,
        observed_until: int | str | None = None,
        weights: Weigh | None = None,
    ) -> ChainReport:
        """Judge the model on the offers after the snapshots of a timeline, beside its rivals.

        Parameters
        ----------
        portfolio : Portfolio
            With the offers that the model learned from in its history, rivals learn from them too.
        timeline : Timeline
            Offers whose latest snapshot is one of these are judged.
        observed_until : int or str, optional
            What became known later does not count; see `Snapshots.of`.
        weights : callable, optional
            As for `from_portfolio`, of the snapshots that the model learned from too: in every metric, and to
            the rivals.

        Returns
        -------
        ChainReport
            ``acceptance`` of offers with a known answer, per bucket; ``completion`` of plans, month by month
            as far as they have been seen (so plans that run are not taken for kept or broken ones), per
            number of instalments, and beside it Kaplan and Meier's share kept to the end.

        Raises
        ------
        NotEnoughData
            If there is no such offer.
        ConfigError
            If the model was not trained on the library's features.
        """
        schema = next((feature_schema(booster.schema) for booster in self.boosters.values()), None)
        as_ofs = Timeline(tuple(sorted({*self.facts.as_ofs, *timeline.as_ofs})), timeline.time_zone)
        seen = Snapshots.of(portfolio, as_ofs, features=schema, observed_until=observed_until)
        rows = plan_rows(seen, seen.weigh(weights))
        given, learned = (rows.of_snapshots(found) for found in (timeline.as_ofs, self.facts.as_ofs))
        require_known(len(given), f"{len(timeline)} as-ofs", "an offer after it")
        book = PlanBook(given, learned, seen.matrix.schema)
        answered, plans = given.take(~np.isnan(given.accepted)), given.take(given.taken)
        parts = {}
        if len(answered):
            parts["acceptance"] = book.acceptance(self.acceptance(answered))
        if len(plans):
            kept = self.judge(given).frame()
            parts["completion"] = book.completion(self.break_log_odds(plans), self.breaks, kept)
        absent = [name for name in ("acceptance", "completion") if name not in parts]
        notes = (*self.warnings, *(f"{name}: nothing is known of it yet" for name in absent))
        return ChainReport("plans", parts, notes)

    def judge(self, rows: PlanRows, *, weights: Floats | None = None) -> PlanEvaluation:
        """Judge the model on given offers.

        Parameters
        ----------
        rows : PlanRows
            With features where the model has margins of accounts.
        weights : ndarray of shape (n,), optional
            As for `fit`.
        """
        rows = rows.weighing(weights)
        answered, plans = rows.take(~np.isnan(rows.accepted)), rows.take(rows.taken)
        return judge_plans(
            answered,
            self.acceptance(answered),
            plans,
            self.completion(plans),
            facts=self.facts,
            held_out=f"{len(rows):,} offers given",
        )

    def to_files(self) -> dict[str, str]:
        """Return the model as text files by name: LightGBM's text and JSON, no code."""
        schemas = {booster.schema.hash for booster in self.boosters.values()}
        state = {
            "format": FORMAT,
            "schema": next(iter(schemas), None),
            "accept": self.accept.to_state(),
            "breaks": self.breaks.to_state(),
            "boosters": sorted(self.boosters),
            "middle": {kind: self.middle[kind] for kind in sorted(self.middle)},
            "facts": self.facts.to_state(),
        }
        texts = {f"{NAME}_{kind}.txt": booster.text for kind, booster in self.boosters.items()}
        return texts | {f"{NAME}.json": readable_json(state)}

    @classmethod
    def from_files(cls, files: Mapping[str, str], schema: ColumnSchema | None = None) -> PlanModel:
        """Return the model of saved files; it scores the same bits and has the same id.

        Raises
        ------
        BundleError
            If a file is missing or of an unknown format.
        SchemaMismatch
            If the model has margins of accounts and the schema is not that of training.
        """
        kinds = tuple(kind for kind in KINDS if f"{NAME}_{kind}.txt" in files)
        state = read_state(
            files,
            NAME,
            format_version=FORMAT,
            schema_hash=schema.hash if schema is not None and kinds else None,
            parts=(f"{NAME}.json",),
        )
        parts = [f"{NAME}_{kind}.txt" for kind in state["boosters"] if kind not in kinds]
        if parts:
            msg = f"This {NAME} model needs {', '.join(parts)}; found {sorted(files)}."
            raise BundleError(msg)
        boosters = {}
        if schema is not None:
            boosters = {kind: Booster(files[f"{NAME}_{kind}.txt"], schema) for kind in state["boosters"]}
        return cls(
            TermPart.from_state(state["accept"]),
            TermPart.from_state(state["breaks"]),
            boosters,
            dict(state["middle"]),
            PlanFacts.from_state(state["facts"]),
        )

    def _columns(self, kind: str, rows: PlanRows) -> dict[str, Floats]:
        signal = None
        if kind in self.boosters:
            booster = self.boosters[kind]
            signal = np.full(len(rows), self.middle[kind])
            if rows.values is not None:
                signal = booster.margin(rows.values)
        return base_columns(rows.terms, rows.term, rows.bucket, rows.burden, signal)
