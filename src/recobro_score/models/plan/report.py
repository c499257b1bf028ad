"""What a plan model learned from, and how it did on offers it had not seen."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.data.state import BUCKETS
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.evaluation.survival import kaplan_meier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recobro_score.models.plan.parts import TermPart
    from recobro_score.models.plan.rows import PlanRows

    Floats = NDArray[np.float64]

FEW_ROWS = 500


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
    """

    offers: int
    answered: int
    accepted: int
    completed: int
    broken: int
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]

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
        )

    def to_state(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PlanFacts:
        """Return the facts written by `to_state`."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in state.items()
        }
        return cls(**values)


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
            ``instalments``, ``plans``, ``completed``, ``broken``, ``running``; ``observed`` with
            ``observed_low`` and ``observed_high``: Kaplan and Meier's share kept to the end with its 95 %
            interval, NaN where no plan was seen so long; ``predicted`` (mean of the model); ``decided``:
            completed ÷ (completed + broken), what one gets by leaving running plans out.
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
            answered.accepted, accepted, held_out=held_out, group=answered.bucket, names=BUCKETS
        )
    rows = [_by_length(plans, completed, int(months)) for months in np.unique(plans.length)]
    columns = ["instalments", "plans", "completed", "broken", "running"]
    columns += ["observed", "observed_low", "observed_high", "predicted", "decided"]
    return PlanEvaluation(acceptance, pd.DataFrame(rows, columns=columns), facts.warnings)


def _by_length(plans: PlanRows, completed: Floats, months: int) -> dict[str, Any]:
    these = plans.length == months
    part = plans.take(these)
    curve = kaplan_meier(part.months + part.broken, part.broken)
    last = float(curve.time[-1]) >= months
    done, gone = int(part.completed.sum()), int(part.broken.sum())
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
        "predicted": float(completed[these].mean()),
        "decided": done / (done + gone) if done + gone else unknown,
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
