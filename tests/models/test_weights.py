"""A row of weight k counts like the row k times, one of weight 0 like a row that is not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.errors import ContractError
from recobro_score.evaluation.amounts import amount_report, decile_table
from recobro_score.evaluation.gain import gain_table
from recobro_score.evaluation.metrics import binary_report, reliability_table
from recobro_score.evaluation.ranking import lift_at, lift_table
from recobro_score.evaluation.result import evaluate
from recobro_score.evaluation.survival import kaplan_meier
from recobro_score.models.calibration.family import fit_calibrator
from recobro_score.models.event_model import fit_event
from recobro_score.models.payment.curve import PaymentCurve
from recobro_score.models.payment.grid import PaymentGrid
from recobro_score.models.payment.shares import RecoveredShares
from recobro_score.models.recovery.share_chain import MOST_PARTS, ROWS_PER_PART, ShareChain
from recobro_score.models.self_cure import SelfCureModel
from recobro_score.models.uncontacted import CureLabels
from tests.evaluation.test_amounts import draw as draw_amounts
from tests.models.event_samples import FAST, Columns, draw
from tests.models.test_payment import SPLIT, Book
from tests.models.test_payment_model_curve import fit as fit_curve
from tests.models.test_payment_model_curve import many_labels
from tests.models.test_self_cure import draw_cures
from tests.models.test_share_chain import draw_shares

SEEDS = st.integers(0, 50)


def sample(seed: int, n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return margins, outcomes and whole weights from 1 to 3."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(0.5 - 1.3 * margin))).astype(float)
    return margin, y, rng.integers(1, 4, n)


def whole(n: int, seed: int) -> np.ndarray:
    """Return whole weights from 1 to 3."""
    return np.random.default_rng(seed).integers(1, 4, n)


def numbers(state: object) -> list[float]:
    """Return the fitted numbers of a calibrator's state, without counts of rows."""
    if isinstance(state, dict):
        return [x for key, each in state.items() if key not in ("rows", "events") for x in numbers(each)]
    if isinstance(state, list):
        return [x for each in state for x in numbers(each)]
    return [state] if isinstance(state, float) else []


@pytest.mark.parametrize("method", ["beta", "platt", "isotonic", "venn_abers"])
@given(seed=SEEDS)
@settings(max_examples=10)
def test_whole_weights_are_repetitions_to_every_calibrator(method, seed) -> None:
    margin, y, weight = sample(seed)
    weighted = fit_calibrator(margin, y, method=method, weight=weight.astype(float))
    repeated = fit_calibrator(np.repeat(margin, weight), np.repeat(y, weight), method=method)
    np.testing.assert_allclose(
        numbers(weighted.to_state()), numbers(repeated.to_state()), rtol=1e-6, atol=1e-9
    )


def test_whole_weights_are_repetitions_to_segments_and_curves_and_shares() -> None:
    margin, y, weight = sample(3)
    segment = np.arange(y.size) % 3
    counts = weight.astype(float)
    weighted = fit_calibrator(margin, y, segment=segment, weight=counts)
    repeated = fit_calibrator(
        *(np.repeat(each, weight) for each in (margin, y)), segment=segment.repeat(weight)
    )
    np.testing.assert_allclose(numbers(weighted.to_state()), numbers(repeated.to_state()), rtol=1e-5)
    later = np.maximum(y, (np.arange(y.size) % 7 == 0).astype(float))
    grid = PaymentGrid((30.0, 60.0), (0.5,), np.stack([y, later], axis=1)[:, :, None])
    grid.value[::11, 1, 0] = 0.0  # some pay and take it back
    curve = PaymentCurve.fit(margin, grid, weight=counts)
    twice = PaymentCurve.fit(margin.repeat(weight), grid.take(np.arange(y.size).repeat(weight)))
    np.testing.assert_allclose(curve.probability(margin), twice.probability(margin), rtol=1e-6)
    amounts = (np.rint(700 * y).astype(np.int64), np.full(y.size, 1_000), y, segment)
    given_weights = RecoveredShares.fit(*amounts, buckets=("a", "b", "c"), least=0.5, weight=counts)
    rows = RecoveredShares.fit(*(each.repeat(weight) for each in amounts), buckets=("a", "b", "c"), least=0.5)
    np.testing.assert_allclose(given_weights.paid, rows.paid)
    np.testing.assert_allclose(given_weights.unpaid, rows.unpaid)


@given(seed=SEEDS)
@settings(max_examples=10)
def test_whole_weights_are_repetitions_in_every_metric(seed) -> None:
    margin, y, weight = sample(seed, 200)
    p, counts = 1 / (1 + np.exp(-margin)), weight.astype(float)
    many_y, many_p = y.repeat(weight), p.repeat(weight)
    exact = ["base_rate", "predicted", "auc", "ks", "brier", "log_loss", "slope", "intercept", "lift"]
    one, other = binary_report(y, p, weight=counts), binary_report(many_y, many_p)
    np.testing.assert_allclose(one[exact].to_numpy(float), other[exact].to_numpy(float), rtol=1e-7)
    for columns, table, repeated in (
        (["captured", "event_rate", "lift"], lift_table(y, p, weight=counts), lift_table(many_y, many_p)),
        (
            ["share", "events"],
            gain_table(y, {"model": p}, weight=counts),
            gain_table(many_y, {"model": many_p}),
        ),
    ):
        np.testing.assert_allclose(table[columns], repeated[columns], rtol=1e-9)
    assert lift_at(y, p, 0.2, weight=counts).value == pytest.approx(lift_at(many_y, many_p, 0.2).value)
    beside = evaluate(y, p, held_out="", baseline=p[::-1], weight=counts).frame()
    copies = evaluate(many_y, many_p, held_out="", baseline=p[::-1].repeat(weight)).frame()
    told = ["baseline_auc", "auc_gain", "log_loss_gain", "baseline_brier"]
    np.testing.assert_allclose(beside[told].to_numpy(float), copies[told].to_numpy(float), rtol=1e-7)
    assert reliability_table(y, p, weight=counts)["n"].sum() == y.size


@given(seed=SEEDS)
@settings(max_examples=10)
def test_whole_weights_are_repetitions_to_a_chain(seed: int) -> None:
    margin, share = draw_shares(2_500, seed)
    share, weight = np.round(share, 2), whole(share.size, seed)
    weighted = ShareChain.fit(margin, share, weight=weight.astype(float))
    repeated = ShareChain.fit(margin.repeat(weight), share.repeat(weight))
    assert np.count_nonzero((share > 0) & (share < 1)) > MOST_PARTS * ROWS_PER_PART, "rows decide otherwise"
    assert weighted.edges == repeated.edges
    np.testing.assert_allclose(numbers(weighted.to_state()), numbers(repeated.to_state()), rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_edges_do_not_know_in_what_weights_are_counted(scale: float) -> None:
    margin, share = draw_shares(1_500)
    edges = ShareChain.fit(margin, share).edges
    scaled = ShareChain.fit(margin, share, weight=np.full(share.size, scale)).edges
    inside = np.sort(share[(share > 0) & (share < 1)])
    ranks = np.searchsorted(inside, edges[1:-1]) - np.searchsorted(inside, scaled[1:-1])
    assert np.abs(ranks).max() <= 1


@given(seed=SEEDS)
@settings(max_examples=10)
def test_whole_weights_are_repetitions_in_money(seed: int) -> None:
    amounts, weight = draw_amounts(400, seed), whole(400, seed)
    many, group = np.repeat(np.arange(400), weight), np.arange(400) % 3
    flat = 0.3 * amounts.due
    one = amount_report(amounts, baseline=flat, group=group, weight=weight)
    other = amount_report(amounts.take(many), baseline=flat[many], group=group[many])
    values = one.columns.drop(["currency", "group", "n"])
    np.testing.assert_allclose(one[values].to_numpy(float), other[values].to_numpy(float), rtol=1e-9)


def test_tenths_of_money_hold_equal_weight() -> None:
    amounts, weight = draw_amounts(3_000), whole(3_000, 0)
    copies = decile_table(amounts.take(np.repeat(np.arange(3_000), weight)))
    tenths = decile_table(amounts, weight=weight)
    assert tenths["n"].sum() == 3_000
    np.testing.assert_allclose(tenths["expected"], copies["expected"], rtol=0.03)
    thrice = decile_table(amounts, weight=np.full(3_000, 3.0))
    pd.testing.assert_frame_equal(thrice, decile_table(amounts))
    assert decile_table(amounts, weight=np.ones(3_000)).equals(decile_table(amounts))
    for wrong in (np.ones(5), -weight):
        with pytest.raises(ContractError, match="3,000 amounts need as many weights"):
            decile_table(amounts, weight=wrong)


@given(seed=SEEDS)
def test_whole_weights_are_repetitions_in_a_curve_of_survival(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    time, ended, weight = rng.integers(0, 12, n), rng.random(n) < 0.6, rng.integers(0, 4, n)
    weight[0] = 1
    curve, copies = (
        kaplan_meier(time, ended, weight=weight),
        kaplan_meier(time.repeat(weight), ended.repeat(weight)),
    )
    np.testing.assert_allclose(curve.survival, copies.survival, atol=1e-12)
    np.testing.assert_array_equal(curve.time, copies.time)
    assert curve.events.sum() == ended[weight > 0].sum()
    plain, heavy = kaplan_meier(time, ended), kaplan_meier(time, ended, weight=np.full(n, 7.0))
    np.testing.assert_allclose(
        plain.frame(), heavy.frame(), err_msg="seven times the weight is no more evidence"
    )
    with pytest.raises(ContractError, match="Weights must be finite"):
        kaplan_meier(time, ended, weight=-weight)


@pytest.fixture(scope="module")
def book() -> Book:
    return Book.draw(700)


@pytest.mark.parametrize("split", [SPLIT, None])
def test_a_row_of_weight_zero_is_not_there(book: Book, split) -> None:
    rng = np.random.default_rng(2)
    kept = rng.random(book.bucket.size) < 0.8
    weights = np.where(kept, rng.uniform(0.5, 2.0, kept.size), 0.0)
    weighted = book.fit(split=split, weights=weights)
    rows = np.flatnonzero(kept)
    without = book.take(rows).fit(split=split, weights=weights[rows])
    assert weighted.event.booster.text == without.event.booster.text
    assert weighted.event.calibrator == without.event.calibrator
    assert weighted.scorer.interval == without.scorer.interval
    assert weighted.shares == without.shares
    assert weighted.validation.frame().equals(without.validation.frame())
    assert weighted.model_id != book.fit(split=split).model_id


def test_equal_weights_of_one_change_no_bit(book: Book) -> None:
    ones = np.ones(book.bucket.size)
    assert book.fit(split=SPLIT, weights=ones).to_files() == book.fit(split=SPLIT).to_files()
    labels = many_labels(book)
    curved = fit_curve(book, labels, weights=ones)
    assert curved.to_files() == fit_curve(book, labels).to_files()


def test_rows_of_weight_zero_teach_a_curve_nothing(book: Book) -> None:
    labels, kept = many_labels(book), np.arange(book.bucket.size) % 4 > 0
    rows = np.flatnonzero(kept)
    weighted = fit_curve(book, labels, weights=kept.astype(float))
    without = fit_curve(book.take(rows), labels.take(rows))
    assert weighted.curve == without.curve


def test_to_trees_whole_weights_are_nearly_repetitions() -> None:
    """LightGBM counts the rows of a leaf and of a bin, whatever they weigh: the margins differ a little."""
    values, y, truth = draw(3_000, 4)
    weight = np.random.default_rng(4).integers(1, 4, y.size)
    groups, options = np.arange(y.size), FAST.model_copy(update={"min_leaf": 30})
    fit = fit_event(values, y, schema=Columns(), options=options, groups=groups, weight=weight.astype(float))
    many = np.repeat(np.arange(y.size), weight)
    copies = fit_event(
        np.ascontiguousarray(values[many]), y[many], schema=Columns(), options=options, groups=groups[many]
    )
    plain = fit_event(values, y, schema=Columns(), options=options, groups=groups)
    one, other, without = (each.model.probability(values) for each in (fit, copies, plain))
    assert np.abs(one - other).mean() < 0.02
    assert np.corrcoef(one, other)[0, 1] > 0.99
    assert np.abs(one - other).mean() < np.abs(one - without).mean() + 0.01
    assert np.corrcoef(one, 1 / (1 + np.exp(-truth)))[0, 1] > 0.9


def test_weights_move_the_level_to_the_rows_that_weigh() -> None:
    """Half of the rows tell one story, half another: the model follows the heavy half."""
    values, y, _ = draw(3_000, 5)
    old = np.arange(y.size) % 2 == 0
    y = np.where(old, (np.random.default_rng(0).random(y.size) < 0.7), y).astype(float)
    groups = np.arange(y.size)
    heavy = np.where(old, 0.02, 1.0)
    fit = fit_event(values, y, schema=Columns(), options=FAST, groups=groups, weight=heavy)
    equal = fit_event(values, y, schema=Columns(), options=FAST, groups=groups)
    gap = abs(fit.model.probability(values).mean() - y[~old].mean())
    assert gap < 0.03 < abs(equal.model.probability(values).mean() - y[~old].mean())


def test_a_cure_of_weight_zero_is_not_there() -> None:
    matrix, labels, bucket, _ = draw_cures(3_000)
    kept = np.random.default_rng(2).random(bucket.size) < 0.8
    weights = np.where(kept, np.random.default_rng(3).uniform(0.5, 2.0, kept.size), 0.0)
    rows = np.flatnonzero(kept)
    fewer = CureLabels(
        labels.cure.take(rows), labels.self_cure.take(rows), labels.weight[rows], labels.warning
    )
    weighted = SelfCureModel.fit(matrix, labels, bucket=bucket, options=FAST, weights=weights)
    without = SelfCureModel.fit(
        matrix.take(rows), fewer, bucket=bucket[rows], options=FAST, weights=weights[rows]
    )
    plain = SelfCureModel.fit(matrix.take(rows), fewer, bucket=bucket[rows], options=FAST)
    assert weighted.scorer.event == without.scorer.event
    assert weighted.scorer.interval == without.scorer.interval != plain.scorer.interval
    assert weighted.validation.frame().equals(without.validation.frame())


def test_rows_of_weight_zero_do_not_judge(book: Book) -> None:
    model, kept = book.fit(split=SPLIT), np.arange(book.bucket.size) % 3 > 0
    rest = book.take(np.flatnonzero(kept))
    weighted = model.judge(book.matrix, book.labels, book.bucket, weights=kept.astype(float))
    alone = model.judge(rest.matrix, rest.labels, rest.bucket)
    assert weighted.frame().equals(alone.frame())
    assert weighted.held_out == alone.held_out


def test_reports_weigh_alike(book: Book) -> None:
    weights = np.random.default_rng(1).uniform(0.1, 3.0, book.bucket.size)
    model = book.fit(split=SPLIT)
    told = model.judge(book.matrix, book.labels, book.bucket, weights=weights).frame().iloc[-1]
    known = ~np.isnan(book.labels.value)
    p = model.score(book.matrix, book.bucket).probability
    assert told["predicted"] == pytest.approx(np.average(p[known], weights=weights[known]))
    assert told["n"] == known.sum()


@pytest.mark.parametrize(
    ("weights", "words"),
    [(np.ones(3), "need as many weights"), (None, "1 of 2,100 weights are negative or not finite")],
)
def test_weights_that_cannot_be_are_refused(book: Book, weights, words: str) -> None:
    if weights is None:
        weights = np.where(np.arange(book.bucket.size) == 5, -1.0, 1.0)
    with pytest.raises(ContractError, match=words):
        book.fit(weights=weights)
    flipped = replace(book, labels=book.labels)
    with pytest.raises(ContractError, match=words):
        flipped.fit(split=SPLIT).judge(book.matrix, book.labels, book.bucket, weights=weights)
