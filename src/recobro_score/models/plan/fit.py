"""How the parts of a plan model are fitted, and judged on the rows of debtors that they had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.evaluation.logistic import sigmoid
from recobro_score.models.plan.parts import TermPart, base_columns, fit_accept, fit_break
from recobro_score.models.plan.report import PlanEvaluation, PlanFacts, judge_plans
from recobro_score.models.plan.signal import fit_signal, has_signal, out_of_fold
from recobro_score.models.slices import FOLDS, folds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recobro_score.models.booster import Booster, BoosterOptions, ColumnSchema
    from recobro_score.models.plan.rows import PlanRows

    Floats = NDArray[np.float64]

KINDS = ("accept", "break")


@dataclass(frozen=True, slots=True)
class Learned:
    """What the accounts' features say of some rows.

    Parameters
    ----------
    booster : Booster or None
        For scoring; None where there were too few rows.
    margin : ndarray of shape (n,) or None
        Of the rows, each from a booster that had not seen its debtor.
    """

    booster: Booster | None
    margin: Floats | None

    @classmethod
    def of(
        cls, rows: PlanRows, yes: Floats, no: Floats, schema: ColumnSchema | None, options: BoosterOptions
    ) -> Learned:
        """Learn from rows how often the event happened to each, and how often it did not."""
        if rows.values is None or schema is None or not has_signal(yes, no):
            return cls(None, None)
        yes, no = yes * rows.counted, no * rows.counted
        booster = fit_signal(rows.values, yes, no, schema=schema, options=options)
        margin = out_of_fold(rows.values, yes, no, debtor=rows.debtor, schema=schema, options=options)
        return cls(booster, margin)


def fit_part(kind: str, rows: PlanRows, learned: Learned) -> TermPart:
    """Return the regression of one kind on rows: offers with an answer, or plans."""
    columns = base_columns(rows.terms, rows.term, rows.bucket, rows.burden, learned.margin)
    if kind == "accept":
        return fit_accept(columns, rows.accepted, rows.counted)
    return fit_break(columns, rows.months, rows.broken, rows.counted)


def to_the_end(part: TermPart, odds: Floats, plans: PlanRows) -> Floats:
    """Return P(every part is paid) of plans, given the log-odds of breaking without the months."""
    length = plans.length
    chance = np.ones(len(plans))
    for months in np.unique(length).tolist():
        these = length == months
        chance[these] = part.kept(odds[these], months)
    return chance


def validate(
    answered: PlanRows, plans: PlanRows, learned: Mapping[str, Learned], facts: PlanFacts
) -> PlanEvaluation | None:
    """Return the report on every row from parts that had not seen its debtor."""
    if len(facts.assumed) == len(KINDS):
        return None
    accepted, completed = np.full(len(answered), np.nan), np.full(len(plans), np.nan)
    for kind, rows, out in (("accept", answered, accepted), ("break", plans, completed)):
        fold, margin = folds_of(rows.debtor), learned[kind].margin
        for k in range(FOLDS):
            seen, left = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            part_of = Learned(None, None if margin is None else margin[seen])
            part = fit_part(kind, rows.take(seen), part_of)
            other = rows.take(left)
            signal = None if margin is None else margin[left]
            columns = base_columns(other.terms, other.term, other.bucket, other.burden, signal)
            if kind == "accept":
                out[left] = sigmoid(part.log_odds(columns))
            else:
                out[left] = to_the_end(part, part.log_odds(columns), other)
    return judge_plans(answered, accepted, plans, completed, facts=facts, held_out="out of fold, by debtor")
