"""`TabularClassifier`: the calibrated booster of this library as a scikit-learn classifier over a plain X."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from recobro_score.errors import NotEnoughData
from recobro_score.models.booster import MIN_ROWS, Booster, BoosterOptions
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.plain import PlainSchema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

TWO = 2
FEWEST_FOLDS = 2


class TabularClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """LightGBM with its own column order and category codes, calibrated out of fold; for two classes.

    For a `Pipeline`, `cross_val_score` or any plain table; portfolios with a history are the business of the
    models that take event tables. Frames are matched by column name; words and truth values are categories,
    unseen and missing ones have codes of their own; missing numbers may stay missing.

    Parameters
    ----------
    options : BoosterOptions, optional
        Trees, learning rate and so on.
    calibration : {'beta', 'platt'}
    folds : int
        For the out-of-fold margins that the calibrator is fitted on.
    missing_codes : mapping of str to sequence of float, optional
        Numbers that stand for a missing value, per column, such as ``{"late_30_59": (96, 98)}``.
    monotone : mapping of str to int, optional
        Directions of number columns: −1 falling, 1 rising.
    min_rows : int
        Fewest rows to learn from, a tenth of them of either class.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    booster_ : Booster
        Fitted on all rows; ``booster_.margin`` is the canonical score.
    calibrator_ : Calibrator
    schema_ : PlainSchema
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(500, 2))
    >>> model = TabularClassifier().fit(x, x[:, 0] > 0)
    >>> bool(model.predict(np.array([[2.0, 0.0]]))[0])
    True
    """

    def __init__(
        self,
        options: BoosterOptions | None = None,
        *,
        calibration: Literal["beta", "platt"] = "beta",
        folds: int = 5,
        missing_codes: Mapping[str, Sequence[float]] | None = None,
        monotone: Mapping[str, int] | None = None,
        min_rows: int = MIN_ROWS,
    ) -> None:
        self.options = options
        self.calibration = calibration
        self.folds = folds
        self.missing_codes = missing_codes
        self.monotone = monotone
        self.min_rows = min_rows

    def fit(
        self,
        X: Any,  # noqa: ANN401 - scikit-learn's name
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> TabularClassifier:
        """Train on all rows; calibrate on margins of boosters that had not seen the row.

        Parameters
        ----------
        X : frame or array of shape (n, p)
        y : array-like of shape (n,)
            Two classes; the second in sorted order is the event.
        sample_weight : array-like of shape (n,), optional
        groups : array-like of shape (n,), optional
            Rows of one group (a debtor) stay in one fold.

        Raises
        ------
        NotEnoughData
            Below ``min_rows`` rows, or a tenth of them of either class.
        ValueError
            If there are not two classes.
        """
        table, told = self._table(X, y, reset=True)
        self.classes_, outcome = _two_classes(told)
        self.schema_ = PlainSchema.learn(table, missing_codes=self.missing_codes, monotone=self.monotone)
        values = self.schema_.values(table)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, values)
        self.booster_ = self._boost(values, outcome, weight)
        margin = np.zeros(len(values))
        for seen, left in self._folds(outcome, groups):
            part = self._boost(values[seen], outcome[seen], None if weight is None else weight[seen])
            margin[left] = part.margin(np.ascontiguousarray(values[left]))
        self.calibrator_ = Calibrator.fit(margin, outcome, weight=weight, method=self.calibration)
        return self

    def predict_proba(self, X: Any) -> Floats:  # noqa: ANN401
        """Return calibrated probabilities of both classes, shape (n, 2)."""
        margin = self.margin(X)
        event = self.calibrator_.probability(margin)
        return np.stack([1.0 - event, event], axis=1)

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: ANN401
        """Return the likelier class of each row, shape (n,)."""
        event = self.predict_proba(X)[:, 1] >= 0.5
        return np.asarray(self.classes_[event.astype(np.int64)])

    def margin(self, X: Any) -> Floats:  # noqa: ANN401
        """Return LightGBM's raw score, shape (n,): the number to order and explain by."""
        check_is_fitted(self)
        table, _ = self._table(X, None, reset=False)
        options = self.options or BoosterOptions()
        return self.booster_.margin(self.schema_.values(table), threads=options.threads)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags

    def _table(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:  # noqa: ANN401
        """Return X as a frame, or as a checked matrix of numbers, and y as a column."""
        if _is_frame(X):
            validate_data(self, X, skip_check_array=True, reset=reset)
            if y is not None:
                y = column_or_1d(y, warn=True)
                check_consistent_length(X, y)
            return X, y
        given: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan", "order": "C"}
        if y is None:
            return validate_data(self, X, reset=reset, **given), None
        table, y = validate_data(self, X, y, reset=reset, **given)
        return table, y

    def _boost(self, values: Floats, y: Floats, weight: Floats | None) -> Booster:
        return Booster.fit(
            np.ascontiguousarray(values),
            y,
            schema=self.schema_,
            options=self.options,
            weight=weight,
            min_rows=self.min_rows,
        )

    def _folds(self, y: Floats, groups: ArrayLike | None) -> Iterator[tuple[Ints, Ints]]:
        """Yield the rows to train on and the rows to score."""
        fewest = int(min(y.sum(), y.size - y.sum()))
        if fewest < FEWEST_FOLDS:
            msg = f"calibration needs two rows of either class, got {fewest} of one class"
            raise NotEnoughData(msg)
        seed = (self.options or BoosterOptions()).seed
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        folds = kind(min(self.folds, fewest), shuffle=True, random_state=seed)
        yield from folds.split(y, y, groups)


def _is_frame(X: Any) -> bool:  # noqa: ANN401
    """Return whether X has columns by name; whatever has not is a matrix of numbers."""
    names = getattr(X, "column_names", getattr(X, "columns", None))
    return names is not None and all(isinstance(name, str) for name in names)


def _two_classes(y: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
    """Return the classes and 1 where a row is of the second."""
    check_classification_targets(y)
    classes = np.unique(y)
    if len(classes) > TWO:
        msg = f"Only binary classification is supported. The type of the target is {type_of_target(y)}."
        raise ValueError(msg)
    if len(classes) < TWO:
        msg = f"There must be two classes to tell apart, got one class: {classes.tolist()}."
        raise NotEnoughData(msg)
    return classes, (y == classes[1]).astype(np.float64)
