"""The classifier over a plain X: scikit-learn's own checks, and our laws of columns, words and sentinels."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from recobro_score.errors import ColumnNotFound, ContractError, NotEnoughData
from recobro_score.evaluation.metrics import recalibrate
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.tabular import TabularClassifier
from tests.models.event_samples import FAST

TINY = BoosterOptions(trees=20, learning_rate=0.2, leaves=4, min_leaf=2, feature_fraction=1.0, l2=0.1)
WEIGHTS = "folds are drawn by row, and min_leaf counts rows: a row of weight 2 is not two rows"


@parametrize_with_checks(
    [TabularClassifier(TINY, min_rows=2)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    },
)
def test_scikit_learn_takes_it_as_one_of_its_own(estimator, check) -> None:
    check(estimator)


def table(n: int = 1_500, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "late": rng.poisson(1, n).astype(float),
            "amount": rng.gamma(2, 100, n),
            "product": rng.choice(["card", "loan", "car"], n),
            "owner": rng.random(n) < 0.5,
        }
    )
    logit = -1 + 0.8 * frame["late"] - 0.002 * frame["amount"] + (frame["product"] == "card") + frame["owner"]
    frame.loc[rng.random(n) < 0.1, "amount"] = np.nan
    frame.loc[rng.random(n) < 0.05, "product"] = None
    return frame, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)


@pytest.fixture(scope="module")
def fitted() -> TabularClassifier:
    return TabularClassifier(FAST).fit(*table())


def test_frames_of_any_kind_and_column_order_score_alike(fitted: TabularClassifier) -> None:
    x, _ = table(300, 1)
    expected = fitted.predict_proba(x)
    shuffled = fitted.schema_.values(x[x.columns[::-1]])
    np.testing.assert_array_equal(shuffled, fitted.schema_.values(x))
    np.testing.assert_array_equal(fitted.predict_proba(pl.from_pandas(x)), expected)
    from_polars = TabularClassifier(FAST).fit(pl.from_pandas(table()[0]), table()[1])
    np.testing.assert_array_equal(from_polars.predict_proba(x), expected)
    alone = np.concatenate([fitted.predict_proba(x.iloc[[row]]) for row in range(50)])
    np.testing.assert_array_equal(alone, expected[:50])


def test_probabilities_mean_what_they_say(fitted: TabularClassifier) -> None:
    x, y = table(20_000, 2)
    p = fitted.predict_proba(x)[:, 1]
    again = recalibrate(y, p)
    assert abs(again.slope.value - 1) < 0.15
    assert brier_score_loss(y, p) < 0.9 * brier_score_loss(y, np.full(y.size, y.mean()))


def test_unseen_and_missing_words_have_codes_of_their_own(fitted: TabularClassifier) -> None:
    x = pd.DataFrame(
        {"late": [1.0] * 3, "amount": [10.0] * 3, "product": ["boat", None, "car"], "owner": True}
    )
    column = fitted.schema_.names.index("product")
    assert fitted.schema_.vocabularies["product"] == ("car", "card", "loan")
    assert fitted.schema_.values(x)[:, column].tolist() == [1.0, 0.0, 2.0]
    assert np.isfinite(fitted.predict_proba(x)).all()


def test_sentinels_are_missing_values() -> None:
    x, y = table()
    coded = x.assign(amount=x["amount"].fillna(-1.0))
    plain = TabularClassifier(FAST).fit(x, y)
    told = TabularClassifier(FAST, missing_codes={"amount": (-1,)}).fit(coded, y)
    np.testing.assert_array_equal(told.predict_proba(coded), plain.predict_proba(x))
    assert told.booster_.text == plain.booster_.text


def test_directions_are_kept() -> None:
    x, y = table()
    model = TabularClassifier(FAST, monotone={"late": 1}).fit(x, y)
    steps = pd.concat([x.iloc[:50].assign(late=float(late)) for late in range(8)])
    margins = model.margin(steps).reshape(8, 50)
    assert (np.diff(margins, axis=0) >= 0).all()


def test_groups_stay_in_one_fold() -> None:
    x, y = table(400)
    twice, outcome = pd.concat([x, x], ignore_index=True), np.tile(y, 2)
    owner = np.tile(np.arange(400), 2)
    naive = TabularClassifier(FAST).fit(twice, outcome).calibrator_
    grouped = TabularClassifier(FAST).fit(twice, outcome, groups=owner).calibrator_
    assert grouped.a + grouped.b < naive.a + naive.b, (
        "copies in training make margins look better than they are"
    )


def test_wrong_input_is_named(fitted: TabularClassifier) -> None:
    x, y = table(200)
    with pytest.raises(ValueError, match=r"(?s)feature names.*amonut"):
        fitted.predict_proba(x.rename(columns={"amount": "amonut"}))
    with pytest.raises(ColumnNotFound, match=r"'amonut'.*'amount'"):
        TabularClassifier(missing_codes={"amonut": (1,)}).fit(x, y)
    with pytest.raises(ContractError, match="late held numbers at training; now 200 of 200 are words"):
        fitted.predict_proba(x.assign(late="many"))
    with pytest.raises(NotEnoughData, match="50 rows"):
        TabularClassifier().fit(x[:50], y[:50])
    with pytest.raises(NotEnoughData, match="one class"):
        TabularClassifier().fit(x, np.ones(200))
    with pytest.raises(ValueError, match="multiclass"):
        TabularClassifier().fit(x, np.arange(200) % 3)


def test_it_works_in_a_pipeline_and_in_other_processes(fitted: TabularClassifier) -> None:
    x, y = table(600)
    numbers = x[["late", "amount"]]
    pipeline = make_pipeline(FunctionTransformer(np.log1p), TabularClassifier(FAST))
    here = cross_val_score(
        pipeline, numbers, y, cv=GroupKFold(2), groups=np.arange(600) % 50, scoring="roc_auc"
    )
    assert here.min() > 0.55
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        found = elsewhere.submit(fitted.predict_proba, x).result()
    np.testing.assert_array_equal(found, fitted.predict_proba(x))
