from __future__ import annotations

import numpy as np
import pytest

from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.metrics import recalibrate
from recobro_score.evaluation.ranking import auc
from recobro_score.models.baseline import LogisticBaseline
from tests.models.event_samples import Columns, draw


def test_it_finds_a_logistic_truth() -> None:
    values, y, _ = draw(3000)
    other, truth, margin = draw(3000, seed=1)
    p = LogisticBaseline.fit(values, y, schema=Columns()).predict(other)
    assert auc(truth, p).value > auc(truth, margin).value - 0.02
    assert recalibrate(truth, p).slope.value == pytest.approx(1, abs=0.15)


def test_outliers_missing_values_and_unseen_categories_move_nothing_much() -> None:
    values, y, _ = draw()
    values[0, 1] = 1e15
    fitted = LogisticBaseline.fit(values, y, schema=Columns())
    strange = draw(20, seed=2)[0]
    strange[:, 1], strange[:, 0], strange[:, 4] = 1e300, np.nan, 1.0
    p = fitted.predict(strange)
    assert ((p > 0) & (p < 1)).all()


def test_empty_and_constant_columns_add_nothing() -> None:
    values, y, _ = draw()
    fitted = LogisticBaseline.fit(values, y, schema=Columns())
    changed = values.copy()
    changed[:, 3] = 7.0
    changed[:, 2] = -50.0
    np.testing.assert_allclose(fitted.predict(changed), fitted.predict(values), atol=1e-12)


def test_separable_outcomes_converge() -> None:
    values, _, _ = draw(400)
    y = (values[:, 1] > 90).astype(float)
    p = LogisticBaseline.fit(values, y, schema=Columns()).predict(values)
    assert auc(y, p).value > 0.98


def test_one_class_is_refused() -> None:
    with pytest.raises(NotEnoughData):
        LogisticBaseline.fit(draw(200)[0], np.zeros(200), schema=Columns())
