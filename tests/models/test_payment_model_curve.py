"""The curve inside `PaymentModel`, intervals, other calibrations, and what the simulator knows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recobro_score.errors import ColumnNotFound, ConfigError, ContractError, NotEnoughData, SchemaMismatch
from recobro_score.features.label_matrix import LabelMatrix
from recobro_score.models.booster import Booster
from recobro_score.models.calibration.segments import SegmentedCalibrator
from recobro_score.models.calibration.steps import IsotonicCalibrator, VennAbers
from recobro_score.models.event_model import fit_event
from recobro_score.models.payment.grid import payment_specs
from recobro_score.models.payment.model import PaymentModel, PaymentTarget
from recobro_score.models.slices import Slices
from tests.models.event_samples import FAST, Columns, draw
from tests.models.test_payment import MONTHS, OPTIONS, SPLIT, TARGET, Book

SPECS = payment_specs((7, 30, 60), (0.1, 0.5))


def many_labels(book: Book, seed: int = 0, *, hidden: float = 0.0) -> LabelMatrix:
    """Return labels of a grid that agree with the book's: payers of a week are some of those of a month."""
    rng = np.random.default_rng(seed)
    n = book.bucket.size
    month = np.nan_to_num(book.labels.value) == 1
    early, late, little = rng.random(n) < 0.4, rng.random(n) < 0.3, rng.random(n) < 0.2
    half = np.column_stack([month & early, month, month | late])
    tenth = half | little[:, None]
    unknown = np.isnan(book.labels.value)
    columns = {}
    for place, days in enumerate((7, 30, 60)):
        columns[days, 0.1], columns[days, 0.5] = tenth[:, place], half[:, place]
    value = np.empty((n, len(SPECS)))
    for place, spec in enumerate(SPECS):
        if spec.kind == "pays":
            value[:, place] = np.where(unknown, np.nan, columns[spec.horizon_days, spec.share])
        else:
            value[:, place] = np.where(unknown, np.nan, book.labels.recovered / 100)
    value[rng.random(n) < hidden, 4:6] = np.nan
    reason = np.where(np.isnan(value), 1, 0).astype(np.int8)
    digits = np.full(n, 2, dtype=np.int8)
    labels = book.labels
    return LabelMatrix(
        labels.account, labels.as_of, value, reason, labels.exposure, book.bucket, digits, SPECS
    )


@pytest.fixture(scope="module")
def book() -> Book:
    return Book.draw(800)


@pytest.fixture(scope="module")
def curved(book: Book) -> PaymentModel:
    return fit(book, many_labels(book))


def fit(book: Book, labels: LabelMatrix, **options) -> PaymentModel:
    given = {"target": TARGET, "options": OPTIONS, "split": SPLIT} | options
    return PaymentModel.fit(book.matrix, labels, bucket=book.bucket, **given)


def test_the_target_is_a_cell_of_the_curve(book: Book, curved: PaymentModel) -> None:
    scores, curve = curved.score(book.matrix, book.bucket), curved.curve_of(book.matrix)
    assert (curve.horizons, curve.shares) == ((7, 30, 60), (0.1, 0.5))
    np.testing.assert_array_equal(curve.probability(horizon_days=30, share=0.5), scores.probability)
    np.testing.assert_array_equal(curved.curve_of(book.matrix, threads=2).values, curve.values)
    assert (
        curved.event.calibrator.events
        == (many_labels(book).column("pays_50_in_30d") == 1)[book.labels.as_of == MONTHS[1]].sum()
    )
    with pytest.raises(ColumnNotFound, match=r"0\.5 within 14"):
        curve.probability(horizon_days=14, share=0.5)


def test_the_curve_of_a_book_is_coherent_and_its_frame_says_all(book: Book, curved: PaymentModel) -> None:
    curve = curved.curve_of(book.matrix)
    assert (np.diff(curve.values, axis=1) >= 0).all()
    assert (np.diff(curve.values, axis=2) <= 0).all()
    frame = curve.frame()
    assert list(frame) == ["account_id", "as_of", "horizon_days", "share", "probability", "model_id"]
    assert len(frame) == book.bucket.size * 6
    third = frame[(frame["account_id"] == "A00000") & (frame["horizon_days"] == 30) & (frame["share"] == 0.1)]
    np.testing.assert_array_equal(third["probability"], curve.values[:3, 1, 0])


def test_the_booster_and_the_amounts_are_those_of_the_target_alone(book: Book, curved: PaymentModel) -> None:
    alone = book.fit(split=SPLIT)
    assert curved.event.booster.text == alone.event.booster.text
    np.testing.assert_allclose(curved.shares.paid, alone.shares.paid)
    assert alone.curve is None
    with pytest.raises(ConfigError, match="target alone"):
        alone.curve_of(book.matrix)


def test_a_model_with_a_curve_survives_its_files(book: Book, curved: PaymentModel) -> None:
    again = PaymentModel.from_files(curved.to_files(), Columns())
    assert again.model_id == curved.model_id
    assert again.curve == curved.curve
    np.testing.assert_array_equal(again.curve_of(book.matrix).values, curved.curve_of(book.matrix).values)


def test_the_report_judges_the_cell_that_scores(book: Book, curved: PaymentModel) -> None:
    test = book.take(np.flatnonzero((book.labels.as_of == MONTHS[2]) & ~np.isnan(book.labels.value)))
    told = curved.validation.frame().set_index("group").loc["all", "predicted"]
    assert told == pytest.approx(curved.score(test.matrix, test.bucket).probability.mean(), abs=0.02)


def test_every_cell_is_judged(book: Book, curved: PaymentModel) -> None:
    fresh = Book.draw(seed=7, months=(20_200 * 86_400_000_000,))
    found = curved.evaluate_curve(fresh.matrix, many_labels(fresh, seed=7))
    frame = found.frame()
    assert frame[["horizon_days", "share"]].to_numpy().tolist() == [
        [days, share] for days in (7, 30, 60) for share in (0.1, 0.5)
    ]
    assert (frame["auc"] > 0.5).all()
    assert "≥ 50% in 30 days" in repr(found)
    assert "out of time" in found._repr_html_()


def test_horizons_that_reach_into_the_test_slice_are_said(curved: PaymentModel) -> None:
    assert any("outcomes within 60 days" in warning for warning in curved.warnings)
    assert not any("7, " in warning for warning in curved.warnings)


def test_a_horizon_without_outcomes_is_left_out_with_a_warning(book: Book) -> None:
    model = fit(book, many_labels(book, hidden=1.0))
    assert model.curve.horizons == (7, 30)
    assert any("within 60 days: left out" in warning for warning in model.warnings)
    assert any("within 60 days: left out" in warning for warning in model.validation.warnings)


def test_rows_whose_target_is_unknown_teach_the_cells_that_they_know(book: Book) -> None:
    labels = many_labels(book)
    names = [spec.name for spec in SPECS]
    later = np.flatnonzero((labels.as_of == MONTHS[1]) & (labels.reason[:, 0] == 0))[:200]
    value = labels.value.copy()
    for name in ("pays_10_in_30d", "pays_50_in_30d", "pays_10_in_60d", "pays_50_in_60d"):
        value[later, names.index(name)] = np.nan
    recalled = replace(labels, value=value)
    assert fit(book, recalled).curve.known[0][0] == fit(book, labels).curve.known[0][0]
    assert fit(book, recalled).curve.known[0][1] == fit(book, labels).curve.known[0][1] - 200


def test_out_of_fold_curves_and_row_order(book: Book) -> None:
    model = fit(book, many_labels(book), split=None)
    assert model.event.calibration_kind == "out_of_fold"
    order = np.random.default_rng(0).permutation(book.bucket.size)
    mixed = book.take(order)
    other = fit(
        mixed,
        many_labels(book).take(order),
        split=None,
        options=OPTIONS.model_copy(update={"threads": 2}),
    )
    assert other.to_files() == model.to_files()


def test_another_process_writes_the_same_bytes(curved: PaymentModel, root: Path) -> None:
    script = (
        "import hashlib, json\n"
        "from tests.models.test_payment import Book\n"
        "from tests.models.test_payment_model_curve import fit, many_labels\n"
        "book = Book.draw(800)\n"
        "model = fit(book, many_labels(book))\n"
        "print(hashlib.sha256(json.dumps(model.to_files()).encode()).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == hashlib.sha256(json.dumps(curved.to_files()).encode()).hexdigest()


def test_a_curve_has_no_form_for_steps_or_buckets(book: Book) -> None:
    for options in ({"calibration": "isotonic"}, {"by_bucket": True}):
        with pytest.raises(ConfigError, match="a curve is calibrated by beta or platt"):
            fit(book, many_labels(book), options=OPTIONS.model_copy(update=options))
    platt = fit(book, many_labels(book), options=OPTIONS.model_copy(update={"calibration": "platt"}))
    assert {hazard.method for row in platt.curve.hazards for hazard in row} <= {"platt", "flat"}
    with pytest.raises(ColumnNotFound, match="pays_100_in_30d"):
        fit(book, many_labels(book), target=PaymentTarget(share=1.0, horizon_days=30))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"calibration": "isotonic"}, IsotonicCalibrator),
        ({"calibration": "venn_abers"}, VennAbers),
        ({"by_bucket": True}, SegmentedCalibrator),
    ],
)
@pytest.mark.parametrize("split", [SPLIT, None])
def test_every_calibration_is_fitted_judged_and_saved(book: Book, options: dict, kind: type, split) -> None:
    model = book.fit(options=OPTIONS.model_copy(update=options), split=split)
    assert isinstance(model.event.calibrator, kind)
    assert model.validation.frame().set_index("group").loc["all", "slope"] == pytest.approx(1, abs=0.35)
    again = PaymentModel.from_files(model.to_files(), Columns())
    one, other = (each.score(book.matrix, book.bucket) for each in (model, again))
    for name in ("probability", "p_low", "p_high"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.margin, book.fit(split=split).score(book.matrix, book.bucket).margin)


def test_scores_of_a_bucket_use_its_calibration(book: Book) -> None:
    value = np.where(np.isnan(book.labels.value), np.nan, (book.bucket == 1).astype(float))
    noise = np.random.default_rng(0).random(value.size) < 0.3
    value = np.where(noise & ~np.isnan(value), 1 - value, value)
    shifted = Book(book.matrix, replace(book.labels, value=value), book.bucket)
    options = OPTIONS.model_copy(update={"by_bucket": True})
    scores = shifted.fit(split=SPLIT, options=options).score(book.matrix, book.bucket)
    known = ~np.isnan(value)
    for code in (0, 1, 2):
        rows = known & (book.bucket == code)
        assert scores.probability[rows].mean() == pytest.approx(value[rows].mean(), abs=0.06)


def test_intervals_hold_probabilities_and_are_wider_for_thin_files(book: Book, curved: PaymentModel) -> None:
    scores = curved.score(book.matrix, book.bucket)
    assert ((scores.p_low <= scores.probability) & (scores.probability <= scores.p_high)).all()
    thin = scores.has("thin_file")
    width = scores.p_high - scores.p_low
    assert width[thin].mean() > 2 * width[~thin].mean()
    one = book.take(np.array([5]))
    alone = curved.score(one.matrix, one.bucket)
    assert (alone.p_low[0], alone.p_high[0]) == (scores.p_low[5], scores.p_high[5])


def test_columns_in_another_order_are_refused_and_strange_values_scored(
    book: Book, curved: PaymentModel
) -> None:
    values = book.matrix.values[:6].copy()
    values[:, 4] = (0, 1, 2, 3, 4, 0)
    values[:, 0], values[:, 3] = np.nan, 1e300
    strange = replace(book.take(np.arange(6)).matrix, values=values)
    p = curved.curve_of(strange).values
    assert np.isfinite(p).all()
    names = ("paid", "age", "constant", "empty", "product")
    moved = replace(book.matrix, schema=replace(Columns(), names=names, hash="b" * 64))
    with pytest.raises(SchemaMismatch, match="another order"):
        curved.curve_of(moved)


class Watched:
    """Remembers which rows each booster learned from and which it judged, by an id kept in a column."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, column: int) -> None:
        self.learned: dict[str, set[float]] = {}
        self.judged: list[tuple[str, set[float], np.ndarray]] = []
        fit, margin = Booster.fit.__func__, Booster.margin

        def watched_fit(cls, values, y, **options):
            found = fit(cls, values, y, **options)
            self.learned[found.text] = set(values[:, column])
            return found

        def watched_margin(booster, values, **options):
            found = margin(booster, values, **options)
            self.judged.append((booster.text, set(values[:, column]), found))
            return found

        monkeypatch.setattr(Booster, "fit", classmethod(watched_fit))
        monkeypatch.setattr(Booster, "margin", watched_margin)

    def unseen(self) -> np.ndarray:
        """Return all margins that a booster gave to rows it had not learned from."""
        clean = [found for text, rows, found in self.judged if not rows & self.learned[text]]
        return np.sort(np.concatenate(clean))


@pytest.mark.parametrize("slices", [Slices(*np.split(np.arange(1_500), [700, 1_200])), None])
def test_no_calibration_margin_comes_from_a_booster_that_saw_the_row(monkeypatch, slices) -> None:
    values, y, _ = draw()
    values[:, 2] = np.arange(1_500)
    watched = Watched(monkeypatch, column=2)
    fit = fit_event(
        values, y, schema=Columns(), options=FAST, groups=np.arange(1_500).astype(str), slices=slices
    )
    assert fit.calibration.size == (500 if slices else 1_500)
    assert np.isin(fit.calibration_margin, watched.unseen()).all()


@pytest.mark.parametrize("shared", ["calibration", "test"])
def test_slices_that_share_rows_are_refused(shared: str) -> None:
    values, y, _ = draw()
    parts = {"train": np.arange(700), "calibration": np.arange(700, 1_200), "test": np.arange(1_200, 1_500)}
    slices = Slices(**parts | {shared: np.append(parts[shared], [3, 4])})
    with pytest.raises(ContractError, match=rf"training and the {shared} slice share 2 rows"):
        fit_event(
            values, y, schema=Columns(), options=FAST, groups=np.arange(1_500).astype(str), slices=slices
        )


def test_fifty_rows_and_one_class_are_refused_with_their_numbers() -> None:
    few = Book.draw(17)
    with pytest.raises(NotEnoughData, match="a model needs at least 100 rows"):
        fit(few, many_labels(few), split=None)
    book = Book.draw(200)
    none = replace(book.labels, value=np.where(np.isnan(book.labels.value), np.nan, 0.0))
    with pytest.raises(NotEnoughData, match="0 events"):
        fit(Book(book.matrix, none, book.bucket), many_labels(Book(book.matrix, none, book.bucket)))
