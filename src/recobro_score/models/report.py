"""The report on a model of one event: what held-out months of a portfolio say, beside its rivals."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recobro_score.calendars import format_instant
from recobro_score.data.state import BUCKETS, account_state
from recobro_score.errors import ConfigError, NotEnoughData
from recobro_score.evaluation.gain import gain_table
from recobro_score.evaluation.result import Evaluation, evaluate
from recobro_score.evaluation.rivals import (
    compare_rivals,
    single_rankings,
    single_score,
    strongest_rivals,
)
from recobro_score.evaluation.stability import by_month
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LabelSpec
from recobro_score.features.pipeline import compute
from recobro_score.features.schema import FeatureSchema
from recobro_score.models.baseline import LogisticBaseline
from recobro_score.models.calibration.family import calibrated
from recobro_score.models.scorecard import Scorecard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from recobro_score.data.events import EventStore
    from recobro_score.models.booster import ColumnSchema
    from recobro_score.models.event_scorer import EventScorer

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LOGISTIC, SCORECARD = "logistic regression", "scorecard"
ROWS_TO_RANK = 20_000
"""Single columns are ranked on at most so many rows."""


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Pairs with a known outcome: features, outcome, month, bucket, money."""

    values: Floats
    y: Floats
    as_of: Ints
    bucket: NDArray[np.int8]
    recovered: Floats
    currency: NDArray[Any]


@dataclass(frozen=True, slots=True, repr=False)
class ModelReport:
    """What held-out pairs say of a model.

    Parameters
    ----------
    name : str
        What is predicted.
    evaluation : Evaluation
        Metrics per bucket with standard errors, reliability, lift, warnings.
    rivals : pandas.DataFrame
        From `evaluation.rivals.compare_rivals`, per bucket: the logistic regression, the scorecard and the
        best single feature, all learned from the as-ofs that the model learned from. Empty where those have
        no known outcome in the portfolio.
    singles : pandas.DataFrame
        From `evaluation.rivals.single_rankings`, on the rows that the rivals learned from.
    gain : pandas.DataFrame
        From `evaluation.gain.gain_table`: payers and, where all amounts are of one currency, money found.
    months : pandas.DataFrame
        From `evaluation.stability.by_month`.
    scorecard : Scorecard or None
        To read, print or export.
    """

    name: str
    evaluation: Evaluation
    rivals: pd.DataFrame
    singles: pd.DataFrame
    gain: pd.DataFrame
    months: pd.DataFrame
    scorecard: Scorecard | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the numbers."""
        return self.evaluation.warnings

    def frame(self) -> pd.DataFrame:
        """Return one row per bucket, then ``all``; see `Evaluation.frame`."""
        return self.evaluation.frame()

    def winners(self) -> pd.DataFrame:
        """Return the strongest rival per bucket and who wins; see `compare_rivals` for the columns."""
        return strongest_rivals(self.rivals) if len(self.rivals) else self.rivals

    def summary(self) -> str:
        """Return the whole, the verdict per bucket and every warning as text."""
        lines = [self.name, self.evaluation.summary()]
        for row in self.winners().to_dict("records"):
            gap = f"{row['gain']:+.4f} ± {row['gain_se']:.4f} AUC against the {row['rival']}"
            lines.append(f"bucket {row['group']}: {row['winner']} ({gap})")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        shown = ["group", "rival", "auc", "rival_auc", "gain", "gain_se", "p_value", "winner"]
        parts = {"Rivals": self.winners().reindex(columns=shown), "Months": self.months}
        tables = "".join(
            f"<p>{title}</p>{table.to_html(index=False, float_format='%.4g', na_rep='–', border=0)}"
            for title, table in parts.items()
            if len(table)
        )
        return f"<div><p><b>{html.escape(self.name)}</b></p>{self.evaluation._repr_html_()}{tables}</div>"


def report_on(
    scorer: EventScorer,
    schema: FeatureSchema,
    store: EventStore,
    as_ofs: Sequence[int],
    *,
    spec: LabelSpec,
    observed_until: int,
    buckets: Sequence[int] | None = None,
) -> ModelReport:
    """Judge a model on the pairs of a store.

    Parameters
    ----------
    scorer : EventScorer
    schema : FeatureSchema
        Of the model.
    store : EventStore
        With the history of the as-ofs the model learned from, where rivals are to learn from it too.
    as_ofs : sequence of int
        µs UTC; those that the model learned from are no test, and a warning says so.
    spec : LabelSpec
        What the model predicts.
    observed_until : int
        End of observation, µs UTC.
    buckets : sequence of int, optional
        Codes of the buckets that the model is for; all of them where absent.

    Raises
    ------
    NotEnoughData
        If no pair has a known outcome.
    """
    given = _pairs(schema, store, as_ofs, spec, observed_until, buckets)
    if not given.y.size:
        msg = f"none of the {len(as_ofs)} as-ofs has a pair whose {spec.name} is known"
        raise NotEnoughData(msg)
    margin = scorer.event.booster.margin(given.values, threads=scorer.options.threads)
    p = calibrated(scorer.event.calibrator, margin, given.bucket)
    learned_from = [*scorer.facts.train, *scorer.facts.calibration]
    learned = _pairs(schema, store, learned_from, spec, observed_until, buckets) if learned_from else None
    rivals, singles, card, why = _rivals(learned, given, schema)
    seen = int(np.isin(given.as_of, learned_from).sum())
    warnings = [*scorer.facts.warnings, *([why] if why else [])]
    if seen:
        warnings.append(f"{seen:,} of {given.y.size:,} rows are of as-ofs the model learned from: no test")
    months = np.array([format_instant(instant, "UTC")[:7] for instant in given.as_of.tolist()])
    one_currency = len(set(given.currency.tolist())) == 1
    return ModelReport(
        name=spec.name,
        evaluation=evaluate(
            given.y,
            p,
            held_out=f"{given.y.size:,} pairs of {len(as_ofs)} as-ofs",
            baseline=rivals.get(LOGISTIC),
            group=given.bucket,
            names=BUCKETS,
            warnings=warnings,
        ),
        rivals=compare_rivals(given.y, margin, rivals, group=given.bucket, names=BUCKETS),
        singles=singles,
        gain=gain_table(
            given.y, {"model": margin, **rivals}, money=given.recovered if one_currency else None
        ),
        months=by_month(given.y, p, months),
        scorecard=card,
    )


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


def _pairs(
    schema: FeatureSchema,
    store: EventStore,
    as_ofs: Sequence[int],
    spec: LabelSpec,
    observed_until: int,
    buckets: Sequence[int] | None,
) -> JudgedPairs:
    instants = np.array(sorted(as_ofs), dtype=np.int64)
    specs = (spec, LabelSpec("recovered", spec.horizon_days))
    labels = compute_labels(store, instants, specs, observed_until=observed_until)
    y = labels.column(spec.name)
    bucket = account_state(store, instants).bucket
    wanted = ~np.isnan(y) & (np.isin(bucket, buckets) if buckets is not None else True)
    rows = np.flatnonzero(wanted)
    matrix = compute(schema, store, instants).take(rows)
    return JudgedPairs(
        values=matrix.values,
        y=y[rows],
        as_of=matrix.as_of,
        bucket=bucket[rows],
        recovered=np.maximum(labels.column(specs[1].name)[rows], 0.0),
        currency=np.asarray(store.words("accounts.currency"), dtype=object)[matrix.account],
    )


def _rivals(
    learned: JudgedPairs | None, given: JudgedPairs, schema: FeatureSchema
) -> tuple[dict[str, Floats], pd.DataFrame, Scorecard | None, str]:
    """Return the rivals' scores of the given rows, the single rankings, the card, and why there are none."""
    nothing = pd.DataFrame(columns=["feature", "direction", "auc", "auc_se"])
    if learned is None or not learned.y.size:
        return {}, nothing, None, "no rivals: the portfolio does not hold the months the model learned from"
    try:
        card = Scorecard.fit(learned.values, learned.y, schema=schema)
        logistic = LogisticBaseline.fit(learned.values, learned.y, schema=schema)
    except NotEnoughData as error:
        return {}, nothing, None, f"no rivals: {error}"
    step = -(-learned.y.size // ROWS_TO_RANK)
    numbers = [place for place, kind in enumerate(schema.kinds) if kind == "number"]
    names = [schema.names[place] for place in numbers]
    singles = single_rankings(learned.y[::step], learned.values[::step][:, numbers], names)
    rivals: dict[str, Floats] = {
        LOGISTIC: logistic.predict(given.values),
        SCORECARD: card.points(given.values).astype(np.float64),
    }
    for row in _first(singles):
        column = given.values[:, schema.names.index(str(row["feature"]))]
        rivals[f"{row['feature']} alone"] = single_score(column, int(row["direction"]))
    return rivals, singles, card, ""


def _first(singles: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    for row in singles.head(1).to_dict("records"):
        yield {str(name): value for name, value in row.items()}
