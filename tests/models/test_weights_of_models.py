"""Weights of recoveries, attempts, promises and plans: k is the row k times, 0 a row that is not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ContractError
from recobro_score.models.booster import BoosterOptions
from recobro_score.models.contact.log import NO_ROW, AttemptLog
from recobro_score.models.contact.model import ContactModel
from recobro_score.models.plan.model import PlanModel
from recobro_score.models.promise.link import PRIOR_ROWS
from recobro_score.models.promise.model import PRIOR_PROMISES, PromiseModel
from recobro_score.models.recovery.model import RecoveryModel
from recobro_score.models.recovery.share_model import fit_booster
from recobro_score.models.snapshots import Snapshots
from recobro_score.simulate.portfolio import simulate_portfolio
from recobro_score.timeline import Timeline
from tests.models.contact_samples import OneNumber, World
from tests.models.event_samples import FAST, Columns, draw
from tests.models.test_payment import Book as Payments
from tests.models.test_plan import draw_plans
from tests.models.test_recovery import SPLIT, Book
from tests.models.test_weights import whole

SEEDS = st.integers(0, 50)
SMALL = BoosterOptions(trees=12, learning_rate=0.2, leaves=5, min_leaf=30)
CHANNELS = ("call", "sms")


# Recoveries


@pytest.fixture(scope="module")
def book() -> Book:
    return Book.draw(500)


@pytest.fixture(scope="module")
def recovery(book: Book) -> RecoveryModel:
    return book.fit(split=SPLIT)


@pytest.mark.parametrize("split", [SPLIT, None])
def test_a_recovery_of_weight_zero_is_not_there(book: Book, split) -> None:
    rng = np.random.default_rng(2)
    kept = rng.random(book.bucket.size) < 0.8
    weights = np.where(kept, rng.uniform(0.5, 2.0, kept.size), 0.0)
    rows = np.flatnonzero(kept)
    weighted, without = (
        book.fit(split=split, weights=weights),
        book.take(rows).fit(split=split, weights=weights[rows]),
    )
    assert weighted.booster.text == without.booster.text
    assert weighted.chain == without.chain
    assert weighted.baseline == without.baseline
    assert weighted.validation.frame().equals(without.validation.frame())
    assert weighted.validation.deciles.equals(without.validation.deciles)
    assert weighted.chain != book.fit(split=split).chain
    ones = book.fit(split=split, weights=np.ones(kept.size))
    assert ones.to_files() == book.fit(split=split).to_files()


def test_recoveries_are_judged_as_repeated(book: Book, recovery: RecoveryModel) -> None:
    model, weight = recovery, whole(book.bucket.size, 0)
    copies = book.take(np.repeat(np.arange(weight.size), weight))
    weighted = model.judge(book.matrix, book.labels, by=book.by, weights=weight).frame()
    repeated = model.judge(copies.matrix, copies.labels, by=copies.by).frame()
    values = weighted.columns.drop(["currency", "group", "n"])
    np.testing.assert_allclose(weighted[values].to_numpy(float), repeated[values].to_numpy(float), rtol=1e-9)
    rows = np.flatnonzero(weight > 1)
    some, alone = np.where(weight > 1, 1.0, 0.0), book.take(rows)
    absent = model.judge(book.matrix, book.labels, by=book.by, weights=some).frame()
    assert absent.equals(model.judge(alone.matrix, alone.labels, by=alone.by).frame())


def test_to_trees_of_shares_whole_weights_are_nearly_repetitions() -> None:
    """Measured over five seeds: apart by 0.005 to 0.006 on average, and 0.012 to 0.013 from no weights."""
    values, some, margin = draw(3_000, 4)
    share = np.where(some == 1, 1 / (1 + np.exp(-margin)), 0.0)
    weight = whole(share.size, 4)
    given = {"schema": Columns(), "options": FAST.model_copy(update={"min_leaf": 30})}
    many, ones = np.repeat(np.arange(share.size), weight), np.ones(share.size)
    fits = (
        fit_booster(values, share, weight=weight.astype(float), **given),
        fit_booster(np.ascontiguousarray(values[many]), share[many], weight=np.ones(many.size), **given),
        fit_booster(values, share, weight=ones, **given),
    )
    one, copies, plain = (1 / (1 + np.exp(-each.margin(values))) for each in fits)
    assert np.abs(one - copies).mean() < 0.009
    assert np.abs(one - copies).mean() < np.abs(plain - copies).mean()


# Plans


@pytest.mark.parametrize("features", [True, False])
def test_an_offer_of_weight_zero_is_not_there(features: bool) -> None:
    rows = draw_plans(1_500, seed=3, features=features)
    given = {"schema": Columns() if features else None, "options": FAST.model_copy(update={"trees": 5})}
    kept = np.random.default_rng(1).random(len(rows)) < 0.9
    weights = np.where(kept, np.random.default_rng(2).uniform(0.5, 2.0, kept.size), 0.0)
    weighted = PlanModel.fit(rows, weights=weights, **given)
    without = PlanModel.fit(rows.take(kept), weights=weights[kept], **given)
    assert weighted.to_files() == without.to_files()
    assert set(weighted.boosters) == ({"accept"} if features else set())
    assert weighted.validation.frame().equals(without.validation.frame())
    judged, alone = (
        weighted.judge(rows, weights=weights),
        weighted.judge(rows.take(kept), weights=weights[kept]),
    )
    assert judged.frame().equals(alone.frame())
    assert judged.acceptance.frame().equals(alone.acceptance.frame())
    plain, ones = PlanModel.fit(rows, **given), PlanModel.fit(rows, weights=np.ones(len(rows)), **given)
    assert plain.to_files() == ones.to_files() != weighted.to_files()


@given(seed=SEEDS)
@settings(max_examples=5)
def test_whole_weights_are_repetitions_to_both_parts_of_a_plan(seed: int) -> None:
    rows, weight = draw_plans(800, seed=seed, features=False), whole(800, seed)
    weighted = PlanModel.fit(rows, weights=weight)
    repeated = PlanModel.fit(rows.take(np.repeat(np.arange(800), weight)))
    for one, other in ((weighted.accept, repeated.accept), (weighted.breaks, repeated.breaks)):
        np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-6)
        np.testing.assert_allclose(one.se, other.se, rtol=1e-5)
        assert one.rows < other.rows
    columns = ["observed", "predicted", "decided"]
    for table, copies in (
        (weighted.validation.frame(), repeated.validation.frame()),
        (
            weighted.judge(rows, weights=weight).frame(),
            repeated.judge(rows.take(np.repeat(np.arange(800), weight))).frame(),
        ),
    ):
        np.testing.assert_allclose(table[columns], copies[columns], atol=1e-6)


def test_the_margin_of_the_account_follows_the_heavy_offers() -> None:
    """Half of the offers were answered by a coin: who hardly counts them knows the others better."""
    rows = draw_plans(2_000, seed=4)
    rng = np.random.default_rng(0)
    old = rng.random(len(rows)) < 0.5
    answer = np.where(old, (rng.random(len(rows)) < 0.5).astype(float), rows.accepted)
    mixed = replace(rows, accepted=answer)
    weights = np.where(old, 0.02, 1.0)
    fresh = mixed.take(~old & ~np.isnan(answer))
    light, equal = (
        PlanModel.fit(mixed, schema=Columns(), options=FAST, weights=each) for each in (weights, None)
    )
    losses = [
        -np.mean(np.where(fresh.accepted == 1, np.log(p), np.log1p(-p)))
        for p in (light.acceptance(fresh), equal.acceptance(fresh))
    ]
    assert losses[0] < losses[1] - 0.02


# Attempts


def calls(feature: float, seed: int = 0, n: int = 500) -> tuple[pd.DataFrame, np.ndarray, dict[str, int]]:
    """Return calls with a feature, and the instants from which they calibrate and judge."""
    frame, x, _ = World(feature=feature, spread=0.8).draw(n, seed)
    at = np.sort(frame["at"].to_numpy())
    cuts = {"calibrate_from": int(at[6 * len(at) // 10]), "test_from": int(at[8 * len(at) // 10])}
    return frame.assign(account_id=10 * frame["account_id"]), x if feature else np.zeros_like(x), cuts


def fit_calls(frame: pd.DataFrame, x: np.ndarray, cuts: dict[str, int], weights=None) -> ContactModel:
    log = AttemptLog.from_frame(frame, channels=("call",))
    return ContactModel.fit_attempts(log, x, OneNumber(), options=SMALL, weights=weights, **cuts)


def repeated_accounts(frame: pd.DataFrame, weight: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a frame in which every account stands as often as it weighs, and the rows it was made of."""
    rows = np.concatenate([np.flatnonzero(weight > copy) for copy in range(3)])
    copy = np.concatenate([np.full((weight > copy).sum(), copy) for copy in range(3)])
    many = frame.iloc[rows].reset_index(drop=True)
    return many.assign(account_id=many["account_id"] + copy), rows


@pytest.mark.parametrize("seed", range(3))
def test_an_account_of_weight_k_teaches_like_k_accounts(seed: int) -> None:
    """Without features all but the level: how much of it lasts is told from windows that count attempts."""
    frame, x, cuts = calls(0.0, seed)
    weight = whole(500, seed)[frame["account_id"].to_numpy() // 10]
    many, rows = repeated_accounts(frame, weight)
    weighted, copies = fit_calls(frame, x, cuts, weight), fit_calls(many, x[rows], cuts)
    one, other = weighted.parts, copies.parts
    assert one.history == other.history
    np.testing.assert_allclose(one.prior.level, other.prior.level, atol=1e-9)
    np.testing.assert_allclose(one.prior.pattern.weight, other.prior.pattern.weight, atol=1e-9)
    assert one.calibrators[0].a == pytest.approx(other.calibrators[0].a)
    assert one.calibrators[0].c == pytest.approx(other.calibrators[0].c, abs=0.05)
    margin = np.linspace(-3, 1, 50)
    np.testing.assert_allclose(one.intervals[0].pair(margin), other.intervals[0].pair(margin), atol=1e-9)
    told, again = (model.validation.frame().iloc[-1] for model in (weighted, copies))
    columns = ["base_rate", "auc", "baseline_brier"]
    np.testing.assert_allclose(told[columns].to_numpy(float), again[columns].to_numpy(float), rtol=1e-9)
    assert fit_calls(frame, x, cuts).parts.prior.level != pytest.approx(one.prior.level, abs=1e-6)


def test_to_trees_of_attempts_an_account_of_weight_k_is_nearly_k_accounts() -> None:
    """Measured over three seeds: apart by 0.005 to 0.008 on average, and 0.015 to 0.016 from no weights."""
    frame, x, cuts = calls(0.8)
    weight = whole(500, 0)[frame["account_id"].to_numpy() // 10]
    many, rows = repeated_accounts(frame, weight)
    models = fit_calls(frame, x, cuts, weight), fit_calls(many, x[rows], cuts), fit_calls(frame, x, cuts)
    log = AttemptLog.from_frame(frame, channels=("call",))
    one, copies, plain = (model.predict_attempts(log, x) for model in models)
    assert np.abs(one - copies).mean() < 0.012
    assert np.abs(one - copies).mean() < np.abs(plain - copies).mean()


def test_an_attempt_of_weight_zero_is_history_only() -> None:
    frame, x, cuts = calls(0.8, seed=1)
    kept = np.random.default_rng(3).random(len(frame)) < 0.8
    weighted = fit_calls(frame, x, cuts, kept.astype(float))
    log = AttemptLog.from_frame(frame, channels=("call",))
    history = replace(log, row=np.where(kept[log.row], log.row, NO_ROW))
    without = ContactModel.fit_attempts(history, x, OneNumber(), options=SMALL, **cuts)
    assert weighted.to_files() == without.to_files()
    assert weighted.validation.frame().equals(without.validation.frame())
    ones = fit_calls(frame, x, cuts, np.ones(len(frame)))
    assert ones.to_files() == fit_calls(frame, x, cuts).to_files() != weighted.to_files()


# Portfolios: weights of snapshots


@cache
def world() -> tuple[Portfolio, Timeline, Timeline, int]:
    """Return a portfolio, the snapshots to learn from, those to judge on, and the end of observation."""
    simulation = simulate_portfolio(900, seed=3)
    zone = simulation.scenario.span.time_zone
    portfolio = Portfolio.from_frames(dict(simulation.tables), options=PortfolioOptions(time_zone=zone))
    starts = simulation.period_starts
    return (
        portfolio,
        Timeline(starts[5:9], zone),
        Timeline(starts[9:11], zone),
        portfolio.observed_until(None),
    )


def even(seen: Snapshots) -> np.ndarray:
    """Weigh every other debtor by nothing."""
    ids = seen.store.account_ids.to_pylist()
    return np.array([sum(map(ord, ids[code])) % 2 for code in seen.matrix.account], dtype=float)


def halved(portfolio: Portfolio) -> Portfolio:
    """Return the portfolio of the accounts that `even` leaves."""
    ids = portfolio.store.account_ids.to_pylist()
    kept = [place for place, name in enumerate(ids) if sum(map(ord, name)) % 2]
    return replace(portfolio, store=portfolio.store.take(np.array(kept)))


Fit = Callable[..., Any]
FITS: dict[str, Fit] = {
    "recovery": lambda *given, **more: RecoveryModel.from_portfolio(*given, options=SMALL, **more),
    "contact": lambda *given, **more: ContactModel.from_portfolio(
        *given, options=SMALL, channels=CHANNELS, **more
    ),
    "promise": lambda *given, **more: PromiseModel.from_portfolio(*given, options=SMALL, **more),
    "plan": lambda *given, **more: PlanModel.from_portfolio(*given, options=SMALL, **more),
}


@cache
def fitted(name: str, weights: Callable[[Snapshots], np.ndarray] | None = None) -> Any:
    portfolio, past, later, _ = world()
    return FITS[name](portfolio, past, observed_until=later.as_ofs[0], weights=weights)


def learned(model: Any) -> dict[str, str]:
    """Return the files of a model, but for a plan's warnings: they count offers far from any snapshot."""
    if isinstance(model, PlanModel):
        model = replace(model, facts=replace(model.facts, warnings=()))
    return model.to_files()


@pytest.mark.parametrize("name", FITS)
def test_accounts_of_weight_zero_are_not_there_and_ones_change_no_bit(name: str) -> None:
    portfolio, past, later, _ = world()
    weighted = fitted(name, even)
    without = FITS[name](halved(portfolio), past, observed_until=later.as_ofs[0])
    ones = fitted(name, lambda seen: np.ones(len(seen.matrix)))
    assert learned(weighted) == learned(without) != learned(fitted(name))
    assert ones.to_files() == fitted(name).to_files()


@pytest.mark.parametrize("name", FITS)
def test_accounts_of_weight_zero_are_not_judged_by(name: str) -> None:
    portfolio, _, later, until = world()
    model = fitted(name)
    found = model.evaluate(portfolio, later, observed_until=until, weights=even)
    alone = model.evaluate(halved(portfolio), later, observed_until=until)
    whole = model.evaluate(portfolio, later, observed_until=until)
    for one, other in ((found, alone), (found.winners(), alone.winners())):
        told, again = (each if isinstance(each, pd.DataFrame) else each.frame() for each in (one, other))
        pd.testing.assert_frame_equal(told, again, rtol=1e-6)
    assert not found.frame().equals(whole.frame())
    same = model.evaluate(portfolio, later, observed_until=until, weights=lambda seen: 2.0 * even(seen))
    values = [name for name in ("auc", "log_loss", "predicted", "ratio", "ratio_se") if name in found.frame()]
    np.testing.assert_allclose(same.frame()[values], found.frame()[values])


def test_rates_of_a_thin_promise_rest_on_weights() -> None:
    """A rate where nothing else can be learned: three times the weight, as far from what was assumed."""
    portfolio, past, later, _ = world()
    seen = Snapshots.of(portfolio, past, observed_until=later.as_ofs[0])
    few = np.where(np.arange(len(seen.matrix)) % 40 == 0, 1.0, 0.0)
    one, three = (PromiseModel.fit(seen, weights=k * few).promised for k in (1.0, 3.0))
    assert one.scorer is None
    assert one.tried == three.tried
    np.testing.assert_array_equal(three.tried_weight, 3.0 * np.array(one.tried))
    expected = (3.0 * np.array(one.won) + PRIOR_ROWS * np.array(PRIOR_PROMISES)) / (
        3.0 * np.array(one.tried) + PRIOR_ROWS
    )
    np.testing.assert_allclose(three.rates, expected)
    assert three.to_files() != one.to_files()


WRONG = {
    "need as many weights": lambda n: np.ones(n + 1),
    r"1 of [\d,]+ weights are negative or not finite": lambda n: np.where(np.arange(n) == 5, -1.0, 1.0),
    r"2 of [\d,]+ weights are negative or not finite": lambda n: np.where(np.arange(n) < 2, np.nan, 1.0),
    r"none of [\d,]+ weights is above 0": lambda n: np.zeros(n),
}


@pytest.mark.parametrize("words", WRONG)
def test_weights_that_cannot_be_are_refused_by_every_model(
    book: Book, recovery: RecoveryModel, words: str
) -> None:
    wrong, rows, plans = WRONG[words], draw_plans(60, features=False), fitted("plan")
    frame, x, cuts = calls(0.0, n=60)
    pays = Payments.draw(50)
    portfolio, past, later, _ = world()
    for refused in (
        lambda: pays.fit(weights=wrong(pays.bucket.size)),
        lambda: book.fit(weights=wrong(book.bucket.size)),
        lambda: recovery.judge(book.matrix, book.labels, by=book.by, weights=wrong(book.bucket.size)),
        lambda: PlanModel.fit(rows, weights=wrong(60)),
        lambda: plans.judge(rows, weights=wrong(60)),
        lambda: fit_calls(frame, x, cuts, wrong(len(x))),
        *(
            lambda fit=fit: fit(portfolio, past, weights=lambda seen: wrong(len(seen.matrix)))
            for fit in FITS.values()
        ),
        lambda: plans.evaluate(portfolio, later, weights=lambda seen: wrong(len(seen.matrix))),
    ):
        with pytest.raises(ContractError, match=words):
            refused()
