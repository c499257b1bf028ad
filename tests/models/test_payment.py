from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.state import BUCKETS
from recobro_score.errors import BundleError, ContractError, NotEnoughData, SchemaMismatch
from recobro_score.features.labels import REASONS
from recobro_score.models.event_model import EventOptions, fit_event
from recobro_score.models.payment.model import PaymentModel, PaymentTarget
from recobro_score.models.payment.shares import RecoveredShares
from recobro_score.models.scores import ThinFile
from recobro_score.money import MISSING_MONEY
from recobro_score.timeline import Split
from tests.models.event_samples import FAST, Columns, draw

TARGET = PaymentTarget(share=0.5, horizon_days=30)
MONTHS = tuple(day * US_PER_DAY for day in (20_000, 20_030, 20_060))
SPLIT = Split(MONTHS[:1], MONTHS[1:2], MONTHS[2:], horizon_days=30)
COLUMNS = Columns()
THIN = ThinFile(age="paid", younger_than=20.0, counts=("empty",))
OPTIONS = EventOptions(**FAST.model_dump(), thin_file=THIN)


@dataclass(frozen=True)
class Matrix:
    account_ids: NDArray[np.object_]
    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    values: NDArray[np.float64]
    schema: Columns = COLUMNS

    def take(self, rows: NDArray[np.int64]) -> Matrix:
        return Matrix(
            self.account_ids[rows], self.account[rows], self.as_of[rows], self.values[rows], self.schema
        )


@dataclass(frozen=True)
class Outcomes:
    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    value: NDArray[np.float64]
    recovered: NDArray[np.int64]
    exposure: NDArray[np.int64]
    reason: NDArray[np.int8]

    def take(self, rows: NDArray[np.int64]) -> Outcomes:
        return Outcomes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Book:
    """Pairs of 500 accounts and three months with features, labels and buckets; some labels are unknown."""

    matrix: Matrix
    labels: Outcomes
    bucket: NDArray[np.int8]

    @classmethod
    def draw(cls, n_accounts: int = 500, seed: int = 0, months: tuple[int, ...] = MONTHS) -> Book:
        n = n_accounts * len(months)
        values, y, _ = draw(n, seed)
        account = np.repeat(np.arange(n_accounts), len(months))
        as_of = np.tile(np.array(months), n_accounts)
        ids = np.array([f"A{code:05d}" for code in account], dtype=object)
        rng = np.random.default_rng(seed + 1)
        exposure = rng.integers(1_000, 100_000, n)
        recovered = np.where(y == 1, exposure * 3 // 4, exposure // 10)
        unknown = rng.random(n) < 0.05
        labels = Outcomes(
            account,
            as_of,
            np.where(unknown, np.nan, y),
            np.where(unknown, MISSING_MONEY, recovered),
            exposure,
            np.where(unknown, REASONS.index("recalled"), 0).astype(np.int8),
        )
        return cls(Matrix(ids, account, as_of, values), labels, rng.integers(-1, 4, n).astype(np.int8))

    def take(self, rows: NDArray[np.int64]) -> Book:
        return Book(self.matrix.take(rows), self.labels.take(rows), self.bucket[rows])

    def fit(self, **options) -> PaymentModel:
        given = {"target": TARGET, "options": OPTIONS} | options
        return PaymentModel.fit(self.matrix, self.labels, bucket=self.bucket, **given)


@pytest.fixture(scope="module")
def book() -> Book:
    return Book.draw()


@pytest.fixture(scope="module")
def later(book: Book) -> PaymentModel:
    return book.fit(split=SPLIT)


@pytest.fixture(scope="module")
def folded(book: Book) -> PaymentModel:
    return book.fit()


def test_with_a_split_calibration_is_on_the_later_slice(book: Book, later: PaymentModel) -> None:
    known = ~np.isnan(book.labels.value)
    in_slice = known & (book.labels.as_of == MONTHS[1])
    assert later.event.calibration_kind == "later_slice"
    assert later.event.calibrator.rows == in_slice.sum()
    assert later.facts.rows == (known & (book.labels.as_of != MONTHS[2])).sum()
    assert (
        later.validation.frame().set_index("group").loc["all", "n"]
        == (known & (book.labels.as_of == MONTHS[2])).sum()
    )
    assert later.validation.held_out.startswith("test slice")


def test_what_happens_in_a_slice_changes_only_what_is_fitted_on_it(book: Book, later: PaymentModel) -> None:
    flipped = replace(
        book.labels, value=np.where(book.labels.as_of == MONTHS[2], 1 - book.labels.value, book.labels.value)
    )
    assert Book(book.matrix, flipped, book.bucket).fit(split=SPLIT).model_id == later.model_id
    flipped = replace(
        book.labels, value=np.where(book.labels.as_of == MONTHS[1], 1 - book.labels.value, book.labels.value)
    )
    other = Book(book.matrix, flipped, book.bucket).fit(split=SPLIT)
    assert other.event.booster.text == later.event.booster.text
    assert other.event.calibrator != later.event.calibrator


@pytest.mark.parametrize(
    ("train", "calibration", "words"),
    [(MONTHS[:1], MONTHS[:1], "calibration begins"), (MONTHS[1:2], MONTHS[:1], "calibration begins")],
)
def test_overlapping_slices_are_refused(book: Book, train, calibration, words: str) -> None:
    @dataclass(frozen=True)
    class Unchecked:
        train: tuple[int, ...]
        calibration: tuple[int, ...]
        test: tuple[int, ...]

    with pytest.raises(ContractError, match=words):
        book.fit(split=Unchecked(train, calibration, MONTHS[2:]))


def test_label_windows_longer_than_the_split_allows_for_are_refused(book: Book) -> None:
    with pytest.raises(ContractError, match="must not overlap"):
        book.fit(split=SPLIT, target=PaymentTarget(share=0.5, horizon_days=31))


def test_without_a_split_calibration_is_out_of_fold_and_named_so(book: Book, folded: PaymentModel) -> None:
    known = int((~np.isnan(book.labels.value)).sum())
    assert folded.event.calibration_kind == "out_of_fold"
    assert folded.event.calibrator.rows == folded.facts.rows == known
    assert any("out of fold" in warning for warning in folded.warnings)
    assert folded.validation.held_out == "out of fold, by debtor"
    assert folded.validation.frame().set_index("group").loc["all", "n"] == known


def test_a_split_without_calibration_calibrates_out_of_fold_on_its_training_rows(book: Book) -> None:
    model = book.fit(split=Split(MONTHS[:2], (), MONTHS[2:], horizon_days=30))
    assert model.event.calibration_kind == "out_of_fold"
    assert model.event.calibrator.rows == model.facts.rows
    assert model.validation.held_out.startswith("test slice")


def test_noise_is_not_taken_for_knowledge() -> None:
    """A booster that has seen its rows would look certain; margins out of fold show that it knows nothing."""
    rng = np.random.default_rng(3)
    values = np.ascontiguousarray(np.column_stack([rng.normal(size=(400, 4)), np.zeros(400)]))
    y = (rng.random(400) < 0.4).astype(float)
    groups = np.arange(400) // 2
    options = FAST.model_copy(update={"min_leaf": 3, "leaves": 31})
    fit = fit_event(values, y, schema=Columns(), options=options, groups=groups)
    p = fit.model.probability(values)
    raw = 1 / (1 + np.exp(-fit.model.booster.margin(values)))
    assert np.std(p) < np.std(raw) / 2
    assert abs(np.mean(fit.probability) - np.mean(y)) < 0.05


def test_rows_of_one_debtor_never_help_to_predict_each_other() -> None:
    """Rows are copies within debtors and else pure noise: any leak between folds would show as a high AUC."""
    rng = np.random.default_rng(5)
    debtor = np.repeat(np.arange(150), 4)
    values = np.ascontiguousarray(np.column_stack([rng.normal(size=(150, 4))[debtor], np.zeros(600)]))
    y = (rng.random(150) < 0.5).astype(float)[debtor]
    options = FAST.model_copy(update={"min_leaf": 3})
    fit = fit_event(values, y, schema=Columns(), options=options, groups=debtor)
    assert np.corrcoef(fit.probability, y[fit.held_out])[0, 1] < 0.3
    assert np.corrcoef(fit.model.booster.margin(values), y)[0, 1] > 0.6


def test_row_order_and_threads_change_no_byte(book: Book, folded: PaymentModel) -> None:
    order = np.random.default_rng(0).permutation(book.bucket.size)
    mixed = book.take(order).fit(options=OPTIONS.model_copy(update={"threads": 2}))
    assert mixed.to_files() == folded.to_files()
    assert mixed.model_id == folded.model_id


def test_one_account_scores_the_bits_it_has_in_the_batch(book: Book, later: PaymentModel) -> None:
    batch = later.score(book.matrix, book.bucket, threads=2)
    for row in range(0, 60, 7):
        one = book.take(np.array([row]))
        alone = later.score(one.matrix, one.bucket)
        for name in ("margin", "probability", "flags"):
            assert getattr(alone, name)[0] == getattr(batch, name)[row]


def test_scores_name_their_model_and_flags(book: Book, later: PaymentModel) -> None:
    scores = later.score(book.matrix, book.bucket)
    frame = scores.frame()
    assert list(frame) == [
        "account_id", "as_of", "margin", "probability", "p_low", "p_high", "thin_file", "unknown_bucket",
        "assumed", "model_id",
    ]  # fmt: skip
    assert set(frame["model_id"]) == {later.model_id}
    np.testing.assert_array_equal(frame["thin_file"], book.matrix.values[:, 1] < 20)
    np.testing.assert_array_equal(frame["unknown_bucket"], book.bucket == -1)
    assert not frame["assumed"].any()
    assert frame["as_of"].iloc[0].isoformat() == "2024-10-04T00:00:00+00:00"


def test_a_thin_file_rule_without_its_columns_flags_nobody_and_warns(book: Book) -> None:
    rule = ThinFile("account_age", 60.0, ())
    model = book.fit(split=SPLIT, options=OPTIONS.model_copy(update={"thin_file": rule}))
    assert not model.score(book.matrix, book.bucket).has("thin_file").any()
    assert any("thin files are not flagged" in warning for warning in model.warnings)


def test_a_model_read_from_files_is_the_same_model(book: Book, later: PaymentModel) -> None:
    again = PaymentModel.from_files(later.to_files(), Columns())
    one, other = (model.score(book.matrix, book.bucket) for model in (later, again))
    assert again.model_id == later.model_id == one.model_id
    np.testing.assert_array_equal(one.margin, other.margin)
    np.testing.assert_array_equal(one.probability, other.probability)
    np.testing.assert_array_equal(one.flags, other.flags)
    assert again.to_files() == later.to_files()
    found = again.judge(book.matrix, book.labels, book.bucket)
    assert any("no baseline" in warning for warning in found.warnings)


def test_files_hold_text_only_and_no_threads(later: PaymentModel) -> None:
    files = later.to_files()
    assert set(files) == {"payment.txt", "payment.json"}
    assert "threads" not in files["payment.json"] + files["payment.txt"]
    assert (
        later.model_id.removeprefix("payment-")
        in hashlib.sha256(
            json.dumps(files, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        ).hexdigest()
    )


def test_files_of_another_kind_are_refused(later: PaymentModel) -> None:
    files = later.to_files()
    with pytest.raises(BundleError, match=r"needs payment\.txt"):
        PaymentModel.from_files({"payment.json": "{}"}, Columns())
    with pytest.raises(BundleError, match="format 9"):
        PaymentModel.from_files(files | {"payment.json": '{"format": 9}'}, Columns())
    with pytest.raises(SchemaMismatch, match="schema aaaa"):
        PaymentModel.from_files(files, replace(Columns(), hash="b" * 64))


def test_a_matrix_of_another_schema_is_refused(book: Book, later: PaymentModel) -> None:
    other = replace(book.matrix, schema=replace(Columns(), hash="b" * 64))
    with pytest.raises(SchemaMismatch):
        later.score(other, book.bucket)


def test_labels_of_other_pairs_are_refused(book: Book) -> None:
    mixed = book.labels.take(np.arange(book.bucket.size)[::-1])
    with pytest.raises(ContractError, match="same pairs in the same order"):
        Book(book.matrix, mixed, book.bucket).fit()


def test_unknown_labels_are_left_out_and_counted(book: Book, later: PaymentModel) -> None:
    assert later.facts.unknown == {"recalled": int(np.isnan(book.labels.value).sum())}


@pytest.mark.parametrize(("reason", "warned"), [("not_matured", True), ("nothing_due", False)])
def test_many_unknown_outcomes_are_a_warning_but_accounts_that_owe_nothing_are_not(
    book: Book, reason: str, warned: bool
) -> None:
    hidden = (np.arange(book.bucket.size) % 10 < 6) | np.isnan(book.labels.value)
    labels = replace(
        book.labels,
        value=np.where(hidden, np.nan, book.labels.value),
        reason=np.where(hidden, REASONS.index(reason), 0).astype(np.int8),
    )
    model = Book(book.matrix, labels, book.bucket).fit(split=SPLIT)
    assert any("no known outcome" in warning for warning in model.warnings) == warned


def test_evaluation_stands_beside_the_baseline_and_warns_of_rows_it_learned_from(
    book: Book, later: PaymentModel
) -> None:
    fresh = Book.draw(seed=7, months=(20_200 * US_PER_DAY,))
    found = later.judge(fresh.matrix, fresh.labels, fresh.bucket, capacity=50)
    rows = found.frame().set_index("group")
    assert rows.loc["all", "auc"] > 0.65
    assert rows.loc["all", "baseline_auc"] > 0.65
    assert not any("learned from" in warning for warning in found.warnings)
    assert set(rows.index) == {*BUCKETS, "unknown", "all"}
    assert rows.loc["91-180", "verdict"] == "not judged"
    seen = later.judge(book.matrix, book.labels, book.bucket)
    assert any("learned from" in warning for warning in seen.warnings)


def test_few_payers_give_warnings_and_very_few_an_error() -> None:
    small = Book.draw(n_accounts=150)
    model = small.fit(split=SPLIT)
    assert any("events among" in warning for warning in model.warnings)
    assert any("the level is uncertain by" in warning for warning in model.warnings)
    rare = replace(small.labels, value=np.where(np.arange(450) < 15, 1.0, 0.0))
    with pytest.raises(NotEnoughData, match="15 events"):
        Book(small.matrix, rare, small.bucket).fit()
    none = replace(small.labels, value=np.zeros(450))
    with pytest.raises(NotEnoughData, match="0 events"):
        Book(small.matrix, none, small.bucket).fit()
    unknown = replace(small.labels, value=np.full(450, np.nan))
    with pytest.raises(NotEnoughData, match="0 rows"):
        Book(small.matrix, unknown, small.bucket).fit()


def test_a_calibration_slice_without_known_outcomes_is_refused(book: Book) -> None:
    hidden = replace(book.labels, value=np.where(book.labels.as_of == MONTHS[1], np.nan, book.labels.value))
    with pytest.raises(NotEnoughData, match="calibration slice"):
        Book(book.matrix, hidden, book.bucket).fit(split=SPLIT)


def test_a_test_slice_without_known_outcomes_leaves_the_model_unjudged(book: Book) -> None:
    hidden = replace(book.labels, value=np.where(book.labels.as_of == MONTHS[2], np.nan, book.labels.value))
    model = Book(book.matrix, hidden, book.bucket).fit(split=SPLIT)
    assert model.validation is None
    assert any("has not been judged" in warning for warning in model.warnings)


def test_expected_recovery_lies_between_the_shares(book: Book, later: PaymentModel) -> None:
    bucket = np.array([-1, 0, 3], dtype=np.int8)
    exposure = np.array([10_000, 20_000, 30_000])
    for p, share in ((np.zeros(3), later.unpaid_share(bucket)), (np.ones(3), later.paid_share(bucket))):
        np.testing.assert_allclose(later.expected_recovery(p, bucket, exposure), exposure * share)
    np.testing.assert_allclose(later.paid_share(bucket), 0.75, atol=1e-3)
    np.testing.assert_allclose(later.unpaid_share(bucket), 0.1, atol=1e-3)
    nothing = np.array([MISSING_MONEY, 0, -5])
    np.testing.assert_array_equal(later.expected_recovery(np.ones(3), bucket, nothing), 0.0)


def test_shares_of_thin_buckets_lean_on_the_whole() -> None:
    bucket = np.array([0] * 1000 + [1] * 2 + [-1])
    exposure = np.full(1003, 100)
    recovered = np.array([80] * 1000 + [100] * 2 + [400])
    shares = RecoveredShares.fit(
        recovered, exposure, np.ones(1003), bucket, buckets=("0", "1-30", "31-60"), least=0.5
    )
    overall = (0.8 * 1000 + 2 + 1) / 1003
    assert shares.paid[3] == pytest.approx(overall)
    assert shares.paid[2] == pytest.approx(overall)
    assert shares.paid[1] == pytest.approx((2 + 25 * overall) / 27)
    assert shares.frame()["rows_paid"].tolist() == [1000, 2, 0, 1003]


def test_labels_without_amounts_fall_back_to_what_they_say_and_warn(book: Book) -> None:
    given = replace(book.labels, recovered=np.full(book.bucket.size, MISSING_MONEY))
    model = Book(book.matrix, given, book.bucket).fit(split=SPLIT)
    np.testing.assert_array_equal(model.paid_share(book.bucket), TARGET.share)
    np.testing.assert_array_equal(model.unpaid_share(book.bucket), 0.0)
    assert any("amounts recovered are not known" in warning for warning in model.warnings)
