"""The report on a model: what held-out rows of a portfolio say, beside its rivals.

Every model's ``evaluate(portfolio, timeline)`` gives a `ModelReport`, or, where the model is a chain of
several events, a `ChainReport` of them.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from recobro_score.calendars import format_instant
from recobro_score.errors import ConfigError, NotEnoughData
from recobro_score.evaluation.gain import gain_table
from recobro_score.evaluation.metrics import binary_report
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.evaluation.rivals import NOT_JUDGED, compare_rivals, strongest_rivals
from recobro_score.evaluation.stability import by_month
from recobro_score.features.schema import FeatureSchema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.rivals import KnownRows, Rivals
    from recobro_score.models.scorecard import Scorecard

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MODEL = "model"
MET = ("learned from", "new")
"""Debtors whose rows a model learned from, and others."""


class Judgement(Protocol):
    """What the evaluations of events and of amounts have in common."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the numbers."""

    def frame(self) -> pd.DataFrame:
        """Return one row per group, then ``all``."""

    def summary(self) -> str:
        """Return the whole and every warning as text."""

    def _repr_html_(self) -> str: ...


@dataclass(frozen=True, slots=True, repr=False)
class ModelReport:
    """What held-out rows say of a model.

    Parameters
    ----------
    name : str
        What is predicted.
    evaluation : Evaluation or AmountEvaluation
        Metrics per group (bucket, channel, number of instalments) with standard errors, reliability or tenths
        of the money, lift, warnings.
    rivals : pandas.DataFrame
        From `evaluation.rivals.compare_rivals`, per group: the logistic regression, the scorecard and the
        best single feature, all learned from the rows that the model learned from. Empty where those have
        no known outcome in the portfolio.
    singles : pandas.DataFrame
        From `evaluation.rivals.single_rankings`, on the rows that the rivals learned from.
    gain : pandas.DataFrame
        From `evaluation.gain.gain_table`: events and, where all amounts are of one currency, money found.
    months : pandas.DataFrame
        From `evaluation.stability.by_month`; of amounts, from `evaluation.amounts.amount_report`.
    debtors : pandas.DataFrame
        The metrics of rows whose debtor the model had ``learned from`` at earlier as-ofs, and of ``new``
        debtors; ``unknown`` where the portfolio does not hold what the model learned from.
    scorecard : Scorecard or None
        To read, print or export.
    more : mapping of str to pandas.DataFrame
        What only this kind of model has, by what it shows.
    """

    name: str
    evaluation: Judgement
    rivals: pd.DataFrame
    singles: pd.DataFrame
    gain: pd.DataFrame
    months: pd.DataFrame
    debtors: pd.DataFrame
    scorecard: Scorecard | None
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the numbers."""
        return self.evaluation.warnings

    def frame(self) -> pd.DataFrame:
        """Return one row per group, then ``all``; see the evaluation's own ``frame``."""
        return self.evaluation.frame()

    def winners(self) -> pd.DataFrame:
        """Return the strongest rival per group and who wins; see `compare_rivals` for the columns."""
        return strongest_rivals(self.rivals) if len(self.rivals) else self.rivals

    def summary(self) -> str:
        """Return the whole, the verdict per group and every warning as text."""
        lines, unjudged = [self.name, self.evaluation.summary()], []
        for row in self.winners().to_dict("records"):
            if row["winner"] == NOT_JUDGED:
                unjudged.append(str(row["group"]))
                continue
            gap = f"{row['gain']:+.4f} ± {row['gain_se']:.4f} AUC against the {row['rival']}"
            lines.append(f"{row['group']}: {row['winner']} ({gap})")
        return "\n".join([*lines, *([f"{NOT_JUDGED}: {', '.join(unjudged)}"] if unjudged else [])])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        shown = ["group", "rival", "auc", "rival_auc", "gain", "gain_se", "p_value", "winner"]
        parts = {"Rivals": self.winners().reindex(columns=shown), "Months": self.months, **self.more}
        tables = [
            f"<p>{html.escape(title)}</p>"
            + str(table.to_html(index=False, float_format="%.4g", na_rep="–", border=0))
            for title, table in parts.items()
            if len(table)
        ]
        head = f"<p><b>{html.escape(self.name)}</b></p>{self.evaluation._repr_html_()}"
        return f"<div>{head}{''.join(tables)}</div>"


@dataclass(frozen=True, slots=True, repr=False)
class ChainReport:
    """The reports on the events of a chain, each given the one before.

    Parameters
    ----------
    name : str
    parts : mapping of str to ModelReport
        By event, in their order; one without known outcomes is missing, and a warning says so.
    notes : tuple of str
        What a reader must know beside the parts' own warnings.
    """

    name: str
    parts: Mapping[str, ModelReport]
    notes: tuple[str, ...] = ()

    def __getitem__(self, part: str) -> ModelReport:
        return self.parts[part]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the numbers."""
        own = (f"{name}: {each}" for name, part in self.parts.items() for each in part.warnings)
        return (*self.notes, *own)

    def frame(self) -> pd.DataFrame:
        """Return `ModelReport.frame` of every part, one below the other, behind a column ``part``."""
        return _stacked({name: part.frame() for name, part in self.parts.items()})

    def winners(self) -> pd.DataFrame:
        """Return `ModelReport.winners` of every part, behind a column ``part``."""
        return _stacked({name: part.winners() for name, part in self.parts.items()})

    def summary(self) -> str:
        """Return the summaries of all parts as text."""
        told = (f"{name}: {part.summary()}" for name, part in self.parts.items())
        return "\n\n".join(["\n".join([self.name, *(f"! {note}" for note in self.notes)]), *told])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        told = "".join(part._repr_html_() for part in self.parts.values())
        return f"<div><p><b>{html.escape(self.name)}</b></p><ul>{notes}</ul>{told}</div>"


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows with a known outcome, what a model and its rivals say of them, and how they are told of.

    Parameters
    ----------
    name : str
        What is predicted.
    rows : KnownRows
    score, probability : ndarray of shape (n,)
        What the model orders by, and what it predicts.
    rivals : Rivals
    groups : sequence of str
        Names of the groups' codes.
    learned : KnownRows or None
        What the model learned from.
    """

    name: str
    rows: KnownRows
    score: Floats
    probability: Floats
    rivals: Rivals
    groups: Sequence[str]
    learned: KnownRows | None

    def evaluation(
        self, held_out: str, warnings: Sequence[str], *, baseline: Floats | None = None
    ) -> Evaluation:
        """Return the metrics of the event beside those of a baseline.

        Parameters
        ----------
        held_out : str
            Which rows these are, in words.
        warnings : sequence of str
            What is known already.
        baseline : ndarray of shape (n,), optional
            Its probabilities; the logistic regression's where absent.
        """
        return evaluate(
            self.rows.y,
            self.probability,
            held_out=held_out,
            baseline=self.rivals.logistic if baseline is None else baseline,
            group=self.rows.group,
            names=self.groups,
            weight=self.rows.weight,
        ).knowing((*warnings, *self.rivals.why))

    def report(self, evaluation: Judgement) -> ModelReport:
        """Return the whole report around an evaluation of the same rows."""
        rows, rivals = self.rows, self.rivals
        return ModelReport(
            name=self.name,
            evaluation=evaluation,
            rivals=compare_rivals(
                rows.y, self.score, rivals.scores, group=rows.group, names=self.groups, weight=rows.weight
            ),
            singles=rivals.singles,
            gain=gain_table(
                rows.y, {MODEL: self.score, **rivals.scores}, money=rows.money, weight=rows.weight
            ),
            months=by_month(rows.y, self.probability, months_of(rows.at), weight=rows.weight),
            debtors=binary_report(
                rows.y,
                self.probability,
                group=met_before(rows, self.learned),
                names=MET,
                weight=rows.weight,
            ),
            scorecard=rivals.scorecard,
        )


def met_before(rows: KnownRows, learned: KnownRows | None) -> Ints:
    """Return the position in `MET` of each row's debtor; past its end where it is not known."""
    if learned is None or not len(learned):
        return np.full(len(rows), len(MET))
    return np.where(np.isin(rows.debtor.astype(str), learned.debtor.astype(str)), 0, 1)


def months_of(at: Ints) -> NDArray[np.str_]:
    """Return the month of each instant as ``2025-06``, in UTC."""
    instants, place = np.unique(at, return_inverse=True)
    names = [format_instant(instant, "UTC")[:7] for instant in instants.tolist()]
    return np.array(names, dtype=np.str_)[place]


def already_learned(rows: int, of: int, what: str) -> tuple[str, ...]:
    """Return the warning that so many of the given rows are no test; nothing where there are none."""
    return (f"{rows:,} of {of:,} rows are of {what} the model learned from: no test",) if rows else ()


def require_known(rows: int, of: str, what: str) -> None:
    """Refuse to report on nothing.

    Raises
    ------
    NotEnoughData
        Saying what was looked at, and what is not known of it.
    """
    if not rows:
        msg = f"none of the {of} has {what}"
        raise NotEnoughData(msg)


def feature_schema(schema: ColumnSchema) -> FeatureSchema:
    """Return a booster's schema if it is one of features that a portfolio can be asked for.

    Raises
    ------
    ConfigError
        If the model was trained on columns of another kind.
    """
    if not isinstance(schema, FeatureSchema):
        msg = "the model was trained on columns of another kind: judge it by their matrix and labels"
        raise ConfigError(msg)
    return schema


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    parts = [table.assign(part=name) for name, table in tables.items() if len(table)]
    if not parts:
        return pd.DataFrame(columns=["part"])
    table = pd.concat(parts, ignore_index=True)
    return table[["part", *table.columns.drop("part")]]
