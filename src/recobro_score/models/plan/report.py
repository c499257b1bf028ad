"""What a plan model learned from, and how it did on offers it had not seen."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.data.state import BUCKETS
from recobro_score.errors import ContractError
from recobro_score.evaluation.logistic import sigmoid
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.evaluation.survival import kaplan_meier
from recobro_score.models.files import to_lists, to_tuples
from recobro_score.models.plan.parts import plan_months
from recobro_score.models.plan.rows import MONTH
from recobro_score.models.report import Judged, already_learned
from recobro_score.models.rivals import KnownRows, Rivals, WiderColumns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.plan.parts import TermPart
    from recobro_score.models.plan.rows import PlanRows
    from recobro_score.models.report import ModelReport

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FEW_ROWS = 500
TERMS = ("instalments", "discount", "down_payment", "burden")
"""Columns of the terms, for rivals."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What a plan model learned from; saved with it.

    Parameters
    ----------
    offers, answered, accepted, completed, broken : int
        Offers read; with a known answer; plans among them; and how those ended. The others still run.
    assumed : tuple of str
        Which of ``acceptance`` and ``completion`` could not be learned.
    warnings : tuple of str
    as_ofs : tuple of int
        Snapshots of the offers, µs UTC; none where the rows do not say.
    """

    offers: int
    answered: int
    accepted: int
    completed: int
    broken: int
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]
    as_ofs: tuple[int, ...] = ()

    @classmethod
    def of(cls, rows: PlanRows, accept: TermPart, breaks: TermPart, *, signals: tuple[str, ...]) -> PlanFacts:
        """Return the facts of a fit, with every warning that follows from them."""
        words = {"acceptance": accept, "completion": breaks}
        answered, accepted = int((~np.isnan(rows.accepted)).sum()), int(rows.taken.sum())
        return cls(
            offers=len(rows),
            answered=answered,
            accepted=accepted,
            completed=int((rows.taken & rows.completed).sum()),
            broken=int((rows.taken & rows.broken).sum()),
            assumed=tuple(word for word, part in words.items() if part.assumed),
            warnings=(*rows.notes, *_warnings(words, signals)),
            as_ofs=() if rows.as_of is None else tuple(np.unique(rows.as_of).tolist()),
        )

    def to_state(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return to_lists({name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PlanFacts:
        """Return the facts written by `to_state`."""
        return cls(**to_tuples(state))


@dataclass(frozen=True, slots=True, repr=False)
class PlanEvaluation:
    """The report on offers and plans that the model had not seen.

    Parameters
    ----------
    acceptance : Evaluation or None
        Of offers with a known answer, per bucket; None without any.
    table : pandas.DataFrame
        See `frame`.
    warnings : tuple of str
    """

    acceptance: Evaluation | None
    table: pd.DataFrame
    warnings: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return the completion of plans by their number of instalments, running plans censored.

        Returns
        -------
        pandas.DataFrame
            ``instalments``, ``plans``, ``completed``, ``broken``, ``running`` (numbers); ``observed`` with
            ``observed_low`` and ``observed_high``: Kaplan and Meier's share kept to the end with its 95 %
            interval, NaN where no plan was seen so long; ``predicted`` (mean of the model); ``decided``:
            completed ÷ (completed + broken), what one gets by leaving running plans out. All but the numbers
            are weighted.
        """
        return self.table.copy()

    def summary(self) -> str:
        """Return both parts and every warning as a few lines of text."""
        lines = [] if self.acceptance is None else ["Acceptance:", self.acceptance.summary()]
        lines += ["Completion by instalments:", self.table.to_string(index=False, float_format="%.3f")]
        return "\n".join([*lines, *(f"! {warning}" for warning in self.warnings)])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        first = "" if self.acceptance is None else self.acceptance._repr_html_()
        table = self.table.to_html(index=False, float_format="%.4g", na_rep="–", border=0)
        items = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        return f"<div>{first}{table}<ul>{items}</ul></div>"


def judge_plans(
    answered: PlanRows,
    accepted: Floats,
    plans: PlanRows,
    completed: Floats,
    *,
    facts: PlanFacts,
    held_out: str,
) -> PlanEvaluation:
    """Compare probabilities with answers, and with what became of plans.

    Parameters
    ----------
    answered : PlanRows
        Offers with a known answer.
    accepted : ndarray
        Their probabilities of being accepted.
    plans : PlanRows
        Accepted ones.
    completed : ndarray
        Their probabilities of being completed.
    facts : PlanFacts
    held_out : str
        Which rows these are, in words.
    """
    acceptance = None
    if len(answered):
        acceptance = evaluate(
            answered.accepted,
            accepted,
            held_out=held_out,
            group=answered.bucket,
            names=BUCKETS,
            weight=answered.counted,
        )
    rows = [_by_length(plans, completed, int(months)) for months in np.unique(plans.length)]
    columns = ["instalments", "plans", "completed", "broken", "running"]
    columns += ["observed", "observed_low", "observed_high", "predicted", "decided"]
    return PlanEvaluation(acceptance, pd.DataFrame(rows, columns=columns), facts.warnings)


@dataclass(frozen=True, slots=True, eq=False)
class PlanBook:
    """Offers to judge a model by, and those it learned from.

    Parameters
    ----------
    given, learned : PlanRows
        With features and snapshots.
    schema : ColumnSchema
        Of the features.
    """

    given: PlanRows
    learned: PlanRows
    schema: ColumnSchema

    def acceptance(self, probability: Floats) -> ModelReport:
        """Report on the acceptance of the given offers with a known answer, per bucket.

        Parameters
        ----------
        probability : ndarray
            Of each of them.
        """

        def known(offers: PlanRows) -> KnownRows:
            answered = offers.take(~np.isnan(offers.accepted))
            rows = np.arange(len(answered))
            return _known(answered, rows, answered.accepted, group=answered.bucket)

        schema = WiderColumns.of(self.schema, numbers=TERMS)
        return self._report("terms accepted", known, probability, schema, BUCKETS)

    def completion(self, log_odds: Floats, breaks: TermPart, kept: pd.DataFrame) -> ModelReport:
        """Report on the given plans month by month: a month counts as far as it has been seen.

        Parameters
        ----------
        log_odds : ndarray
            Of breaking, of each plan, without the months.
        breaks : TermPart
        kept : pandas.DataFrame
            From `PlanEvaluation.frame`: shares kept to the end.
        """
        plans = self.given.take(self.given.taken)
        lengths = np.unique(np.concatenate([self.given.length, self.learned.length]))

        def known(offers: PlanRows) -> KnownRows:
            taken = offers.take(offers.taken)
            plan, month, event = plan_months(taken.months, taken.broken)
            group = np.searchsorted(lengths, taken.length[plan])
            return _known(taken, plan, event, group=group, month=month)

        plan, month, _ = plan_months(plans.months, plans.broken)
        shift = np.array([breaks.month_shift(place) for place in range(int(month.max(initial=0)) + 1)])
        schema = WiderColumns.of(self.schema, numbers=(*TERMS, "month"))
        names = [f"{length} instalments" for length in lengths.tolist()]
        p = sigmoid(log_odds[plan] + shift[month])
        report = self._report("plan broken in a month", known, p, schema, names)
        return replace(report, more={"Kept to the end, running plans censored": kept})

    def _report(
        self,
        name: str,
        known: Callable[[PlanRows], KnownRows],
        probability: Floats,
        schema: ColumnSchema,
        groups: Sequence[str],
    ) -> ModelReport:
        given, learned = known(self.given), known(self.learned)
        judged = Judged(
            name=name,
            rows=given,
            score=probability,
            probability=probability,
            rivals=Rivals.of(learned, given, schema),
            groups=groups,
            learned=learned,
        )
        of_learned = np.isin(self.given.plan_ids, self.learned.plan_ids)
        again = already_learned(int(of_learned.sum()), len(self.given), "offers")
        return judged.report(judged.evaluation(f"{len(self.given):,} offers, {name}", again))


def _known(
    offers: PlanRows, rows: Ints, y: Floats, *, group: NDArray[np.integer[Any]], month: Ints | None = None
) -> KnownRows:
    """Return rows of offers with features and terms, and the month of the plan where there is one."""
    if offers.values is None or offers.as_of is None:
        msg = "offers are judged beside rivals by features at snapshots: read them with `plan_rows`"
        raise ContractError(msg)
    terms = np.array([(t.instalments, t.discount, t.down_payment) for t in offers.terms], dtype=np.float64)
    columns = [offers.values[rows], terms.reshape(-1, 3)[offers.term[rows]], offers.burden[rows, None]]
    at = offers.as_of[rows]
    if month is not None:
        columns.append(month[:, None].astype(np.float64))
        at = at + (month + 1) * MONTH
    values = np.ascontiguousarray(np.concatenate(columns, axis=1))
    weight = None if offers.weight is None else offers.weight[rows]
    return KnownRows(values=values, y=y, at=at, group=group, debtor=offers.debtor[rows], weight=weight)


def _by_length(plans: PlanRows, completed: Floats, months: int) -> dict[str, Any]:
    these = plans.length == months
    part = plans.take(these)
    curve = kaplan_meier(part.months + part.broken, part.broken, weight=part.counted)
    last = float(curve.time[-1]) >= months
    done, gone = int(part.completed.sum()), int(part.broken.sum())
    kept, ended = (float(part.counted[mask].sum()) for mask in (part.completed, part.completed | part.broken))
    unknown = float("nan")
    return {
        "instalments": months,
        "plans": len(part),
        "completed": done,
        "broken": gone,
        "running": len(part) - done - gone,
        "observed": curve.at(months).value if last else unknown,
        "observed_low": float(curve.low[-1]) if last else unknown,
        "observed_high": float(curve.high[-1]) if last else unknown,
        "predicted": float(np.average(completed[these], weights=part.counted)),
        "decided": kept / ended if ended else unknown,
    }


def _warnings(words: dict[str, TermPart], signals: tuple[str, ...]) -> Iterator[str]:
    for word, part in words.items():
        what = "offers with a known answer" if part.kind == "accept" else "months of plans"
        event = "accepted" if part.kind == "accept" else "broken"
        told = f"{part.rows:,} {what}, {part.events:,} {event}"
        if part.assumed:
            yield f"{word} is assumed, not learned: only {told}"
        elif part.events < FEW_ROWS:
            yield f"{word} is learned from {told}: it leans on the assumptions"
        if not part.assumed and part.kind not in signals:
            yield f"{word}: too few plans to learn from the accounts' features; bucket and terms only"
    yield "terms were put by a policy, not drawn: their coefficients are associations, not effects"
