from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from recobro_score.calendars import US_PER_DAY
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.data.state import account_state
from recobro_score.errors import BundleError, ContractError, NotEnoughData, SchemaMismatch
from recobro_score.features.labels import REASONS, Labels
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.pipeline import compute
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.recovery.forecast import RecoveryForecast, amount_of
from recobro_score.models.recovery.model import RecoveryModel
from recobro_score.models.recovery.report import Breakdown
from recobro_score.money import MISSING_MONEY
from recobro_score.simulate.portfolio import simulate_portfolio
from recobro_score.simulate.scenario import Behaviour, Scenario, Span
from recobro_score.timeline import Split, Timeline
from tests.models.event_samples import FAST, Columns, draw

MONTHS = tuple(day * US_PER_DAY for day in (20_000, 20_030, 20_060))
SPLIT = Split(MONTHS[:1], MONTHS[1:2], MONTHS[2:], horizon_days=30)


@dataclass(frozen=True)
class Book:
    """Pairs of accounts and three months; what is recovered follows the margin of the features."""

    matrix: FeatureMatrix
    labels: Labels
    bucket: NDArray[np.int8]
    currency: NDArray[np.str_]

    @classmethod
    def draw(cls, n_accounts: int = 600, seed: int = 0, months: tuple[int, ...] = MONTHS) -> Book:
        n = n_accounts * len(months)
        values, some, margin = draw(n, seed)
        rng = np.random.default_rng(seed + 1)
        account, as_of = np.repeat(np.arange(n_accounts), len(months)), np.tile(np.array(months), n_accounts)
        exposure = rng.integers(1_000, 100_000, n)
        full = rng.random(n) < 1 / (1 + np.exp(-0.5 * margin))
        share = np.where(some == 1, np.where(full, 1.2, rng.uniform(0.01, 0.99, n)), 0.0)
        recovered = np.where(rng.random(n) < 0.02, -500, np.rint(share * exposure)).astype(np.int64)
        unknown = rng.random(n) < 0.05
        labels = Labels(
            account,
            as_of,
            np.where(unknown, np.nan, some),
            np.where(unknown, MISSING_MONEY, recovered),
            exposure,
            np.where(unknown, REASONS.index("recalled"), 0).astype(np.int8),
            np.where(account % 3 == 0, 0, 2).astype(np.int8),
        )
        ids = pa.array([f"A{code:05d}" for code in account])
        matrix = FeatureMatrix(ids, account, as_of, values, Columns())
        currency = np.where(account % 3 == 0, "CLP", "EUR")
        return cls(matrix, labels, rng.integers(-1, 6, n).astype(np.int8), currency)

    def take(self, rows: NDArray[np.int64]) -> Book:
        return Book(self.matrix.take(rows), self.labels.take(rows), self.bucket[rows], self.currency[rows])

    @property
    def by(self) -> Breakdown:
        return Breakdown(self.bucket, self.currency, np.asarray(self.matrix.account_ids))

    def fit(self, **options) -> RecoveryModel:
        given = {"horizon_days": 30, "options": FAST, "by": self.by}
        return RecoveryModel.fit(self.matrix, self.labels, **(given | options))

    def forecast(self, model: RecoveryModel, **options) -> RecoveryForecast:
        return model.predict(
            self.matrix, self.labels.exposure, bucket=self.bucket, digits=self.labels.digits, **options
        )


@pytest.fixture(scope="module")
def book() -> Book:
    return Book.draw()


@pytest.fixture(scope="module")
def later(book: Book) -> RecoveryModel:
    return book.fit(split=SPLIT)


def test_amounts_lie_within_what_is_due_and_in_order(book: Book, later: RecoveryModel) -> None:
    found = book.forecast(later)
    for name in ("expected", "low", "median", "high"):
        amount = getattr(found, name)
        assert amount.dtype == np.int64
        assert ((amount >= 0) & (amount <= found.exposure)).all()
    assert (found.low <= found.median).all()
    assert (found.median <= found.high).all()
    assert ((found.share.expected >= found.share.full) & (found.share.expected <= found.share.any)).all()


def test_more_margin_means_more_of_everything(book: Book, later: RecoveryModel) -> None:
    found = book.forecast(later)
    order = np.argsort(found.margin)
    for name in ("expected", "low", "median", "high", "any", "full"):
        assert (np.diff(getattr(found.share, name)[order]) >= -1e-15).all()


@pytest.mark.parametrize(("exposure", "amount"), [(MISSING_MONEY, MISSING_MONEY), (0, 0), (-7, 0), (3, 3)])
def test_amounts_of_odd_exposures(exposure: int, amount: int) -> None:
    assert amount_of(np.ones(1), np.array([exposure]))[0] == amount


def test_the_money_expected_is_the_money_recovered_on_a_later_slice(later: RecoveryModel) -> None:
    whole = later.validation.frame().set_index(["currency", "group"]).xs("all", level="group")
    assert list(whole.index) == ["CLP", "EUR"]
    assert (abs(whole["ratio"] - 1) < 3 * whole["ratio_se"]).all()
    assert (whole["rmse"] < whole["baseline_rmse"]).all()
    assert (whole["below"] <= 0.12).all()
    assert (whole["above"] <= 0.12).all()
    assert later.validation.held_out.startswith("test slice")


def test_slices_stay_apart(book: Book, later: RecoveryModel) -> None:
    """What was recovered in the test slice changes nothing; in the calibration slice the chain alone."""

    def shuffled(month: int) -> Book:
        known = book.labels.recovered != MISSING_MONEY
        rows = np.flatnonzero(known & (book.labels.as_of == month))
        recovered = book.labels.recovered.copy()
        recovered[rows] = recovered[rows[::-1]]
        return replace(book, labels=replace(book.labels, recovered=recovered))

    assert shuffled(MONTHS[2]).fit(split=SPLIT).model_id == later.model_id
    other = shuffled(MONTHS[1]).fit(split=SPLIT)
    assert other.booster.text == later.booster.text
    assert other.chain != later.chain


def test_overlapping_slices_are_refused(book: Book) -> None:
    with pytest.raises(ContractError, match="must not overlap"):
        book.fit(split=SPLIT, horizon_days=31)


def test_row_order_and_threads_change_no_byte(book: Book, later: RecoveryModel) -> None:
    mixed = book.take(np.random.default_rng(0).permutation(book.bucket.size))
    threaded = FAST.model_copy(update={"threads": 2})
    assert mixed.fit(options=threaded, split=SPLIT).to_files() == later.to_files()


def test_one_account_gets_the_bits_it_has_in_the_batch(book: Book, later: RecoveryModel) -> None:
    batch = book.forecast(later, threads=2).frame()
    for row in range(0, 60, 7):
        alone = book.take(np.array([row])).forecast(later).frame()
        assert alone.iloc[0].equals(batch.iloc[row])


def test_a_model_read_from_files_is_the_same_model(book: Book, later: RecoveryModel) -> None:
    again = RecoveryModel.from_files(later.to_files(), Columns())
    assert again.model_id == later.model_id
    assert again.to_files() == later.to_files()
    assert book.forecast(again).frame().equals(book.forecast(later).frame())
    assert set(later.to_files()) == {"recovery.txt", "recovery.json"}


def test_files_of_another_kind_are_refused(later: RecoveryModel) -> None:
    files = later.to_files()
    with pytest.raises(BundleError, match=r"needs recovery\.txt"):
        RecoveryModel.from_files({"recovery.json": "{}"}, Columns())
    with pytest.raises(BundleError, match="format 9"):
        RecoveryModel.from_files(files | {"recovery.json": '{"format": 9}'}, Columns())
    with pytest.raises(SchemaMismatch, match="schema aaaa"):
        RecoveryModel.from_files(files, replace(Columns(), hash="b" * 64))


def test_a_matrix_of_another_schema_is_refused(book: Book, later: RecoveryModel) -> None:
    names = (*Columns().names[:-1], "colour")
    other = replace(Columns(), names=names, vocabularies={"colour": ()}, hash="b" * 64)
    with pytest.raises(SchemaMismatch, match="product"):
        replace(book, matrix=replace(book.matrix, schema=other)).forecast(later)


def test_without_a_split_the_chain_is_fitted_out_of_fold_and_named_so(book: Book) -> None:
    model = book.fit()
    assert model.calibration_kind == "out_of_fold"
    assert any("out of fold" in warning for warning in model.warnings)
    assert model.validation.frame().set_index("group").loc["all", "n"].sum() == model.facts.rows


def test_a_split_without_calibration_is_fitted_out_of_fold_on_its_training_rows(book: Book) -> None:
    model = book.fit(split=Split(MONTHS[:2], (), MONTHS[2:], horizon_days=30))
    assert model.calibration_kind == "out_of_fold"
    assert model.validation.held_out.startswith("test slice")


def test_tiny_samples_and_one_outcome_are_refused_with_the_numbers(book: Book) -> None:
    with pytest.raises(NotEnoughData, match="rows with a known amount"):
        book.take(np.arange(50)).fit()
    nothing = replace(book.labels, recovered=np.zeros(book.bucket.size, dtype=np.int64))
    with pytest.raises(NotEnoughData, match="0 of which recovered"):
        replace(book, labels=nothing).fit()


def test_evaluation_warns_of_rows_it_learned_from(book: Book, later: RecoveryModel) -> None:
    fresh = Book.draw(seed=9, months=(20_300 * US_PER_DAY,))
    for other, warned in ((fresh, False), (book, True)):
        report = later.judge(other.matrix, other.labels, by=other.by)
        assert any("learned from" in warning for warning in report.warnings) == warned


def test_frame_shows_major_units_and_flags(book: Book, later: RecoveryModel) -> None:
    found = book.forecast(later)
    frame = found.frame()
    pesos = book.labels.digits == 0
    np.testing.assert_array_equal(frame["expected"][pesos], found.expected[pesos])
    np.testing.assert_array_equal(frame["expected"][~pesos], found.expected[~pesos] / 100)
    np.testing.assert_array_equal(frame["unknown_bucket"], book.bucket == -1)
    assert set(frame["model_id"]) == {later.model_id}


@pytest.mark.slow
def test_expected_shares_are_those_of_the_simulated_truth() -> None:
    scenario = Scenario(span=Span(periods_after=1), behaviour=Behaviour(seasonality=0.0))
    simulation = simulate_portfolio(4_000, seed=2, scenario=scenario)
    options = PortfolioOptions(time_zone=scenario.span.time_zone)
    portfolio = Portfolio.from_frames(dict(simulation.tables), options=options)
    starts = [start for start in simulation.period_starts if start < simulation.as_of]
    model = RecoveryModel.from_portfolio(
        portfolio,
        Timeline(tuple(starts[-8:]), scenario.span.time_zone),
        observed_until=simulation.as_of,
        options=BoosterOptions(trees=100),
    )
    store = portfolio.store
    state = account_state(store, [simulation.as_of])
    matrix = compute(model.booster.schema, store, np.array([simulation.as_of]))
    found = model.predict(matrix, state.exposure, bucket=state.bucket, digits=store.digits)
    due = state.exposure / 10.0**store.digits
    log = simulation.tables["decisions"].to_pandas()
    log = log[log["decided_at"] >= pd.Timestamp(simulation.as_of, unit="us", tz="UTC")]
    drawn = dict(zip(log["account_id"], log["action_id"], strict=True))
    ids = store.account_ids.to_pylist()
    actions = [drawn.get(account, "no_action") for account in ids]
    fine = (state.exposure > 0) & state.placed & np.isin(ids, list(drawn))
    draws = [simulation.outcomes(actions, seed=seed)["recovered"].to_numpy() for seed in range(30)]
    truth = np.mean([np.clip(one[fine] / due[fine], 0, 1) for one in draws], axis=0)
    predicted = found.share.expected[fine]
    slope = np.polyfit(predicted, truth, 1)[0]
    assert 0.85 < slope < 1.15
    assert np.corrcoef(predicted, truth)[0, 1] > 0.65
    assert truth.mean() / predicted.mean() == pytest.approx(1.0, abs=0.08)
