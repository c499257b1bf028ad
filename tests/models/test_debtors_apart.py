"""Nobody is both learned from and tested on: debtors, not rows, are what a report must be new to."""

from __future__ import annotations

import numpy as np
import pytest

from recobro_score.calendars import US_PER_DAY
from recobro_score.errors import NotEnoughData
from recobro_score.models.booster import Booster
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.event_model import EventFit, fit_event
from recobro_score.models.objectives import LogLoss
from recobro_score.models.recovery.share_chain import ShareChain
from recobro_score.models.recovery.share_model import fit_shares
from recobro_score.models.selection import LabelledRows
from recobro_score.models.slices import FOLDS, MANY_TEST_ROWS, Slices, folds_of, temporal_slices
from recobro_score.timeline import Split
from tests.models.event_samples import FAST, Columns, draw

N, MONTHS = 1_800, tuple(20_000 * US_PER_DAY + k * 30 * US_PER_DAY for k in range(3))
SPLIT = Split(MONTHS[:1], MONTHS[1:2], MONTHS[2:], horizon_days=30)
NO_CALIBRATION = Split(MONTHS[:2], (), MONTHS[2:], horizon_days=30)
DEBTOR = np.repeat(np.arange(N // 6), 6)
AS_OF = np.tile(np.array(MONTHS), N // 3)


def slices_of(split: Split | None) -> Slices | None:
    return None if split is None else temporal_slices(AS_OF, split, horizon_days=30)


class Seen:
    """Remembers whose rows boosters and calibrators learned from, by a debtor number kept in a column."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.boosters: dict[str, set[float]] = {}
        self.judged: list[tuple[str, set[float], np.ndarray]] = []
        fit, margin = Booster.fit.__func__, Booster.margin

        def watched_fit(cls, values, y, **options):
            found = fit(cls, values, y, **options)
            self.boosters[found.text] = set(values[:, 2])
            return found

        def watched_margin(booster, values, **options):
            found = margin(booster, values, **options)
            self.judged.append((booster.text, set(values[:, 2]), found))
            return found

        monkeypatch.setattr(Booster, "fit", classmethod(watched_fit))
        monkeypatch.setattr(Booster, "margin", watched_margin)

    def unseen(self) -> np.ndarray:
        """Return the margins of debtors that the booster had not learned from."""
        return np.concatenate([m for text, who, m in self.judged if not who & self.boosters[text]])


def fitted(split: Split | None) -> EventFit:
    values, y, _ = draw(N)
    values[:, 2] = DEBTOR
    return fit_event(values, y, schema=Columns(), options=FAST, groups=DEBTOR, slices=slices_of(split))


@pytest.mark.parametrize("split", [SPLIT, NO_CALIBRATION, None], ids=["later", "no calibration", "folds"])
def test_no_debtor_is_on_both_sides(monkeypatch, split) -> None:
    seen = Seen(monkeypatch)
    fit = fitted(split)
    assert len(fit.folds) == FOLDS
    for fold in fit.folds:
        assert not set(DEBTOR[fold.held_out]) & set(DEBTOR[fold.calibration])
        assert np.isin(fold.margin, seen.unseen()).all()
    tested = np.arange(N) if split is None else np.flatnonzero(np.isin(AS_OF, SPLIT.test))
    assert np.array_equal(np.sort(fit.held_out), tested)


@pytest.mark.parametrize("split", [SPLIT, NO_CALIBRATION])
def test_the_folds_are_those_of_the_split(split) -> None:
    fit = fitted(split)
    for k, fold in enumerate(fit.folds):
        part = split.rows(AS_OF, DEBTOR.astype(str).tolist(), fold=k, k=FOLDS)
        assert np.array_equal(fold.held_out, np.flatnonzero(part.test))
        learned = part.calibration if split.calibration else part.train
        assert np.array_equal(fold.calibration, np.flatnonzero(learned))


def test_the_model_itself_learns_from_everybody() -> None:
    fit = fitted(SPLIT)
    known = np.flatnonzero(~np.isin(AS_OF, SPLIT.test))
    assert np.array_equal(np.sort(fit.learned), known)
    assert np.array_equal(fit.calibration, np.flatnonzero(np.isin(AS_OF, SPLIT.calibration)))


def test_a_report_knows_no_debtor_by_heart() -> None:
    """Outcomes are a debtor's own and pure noise: a booster that has met the debtors looks all-knowing."""
    rng = np.random.default_rng(1)
    values = np.column_stack([rng.normal(size=(N // 6, 4))[DEBTOR], np.zeros(N)])
    y = (rng.random(N // 6) < 0.4).astype(float)[DEBTOR]
    options = FAST.model_copy(update={"min_leaf": 3, "leaves": 31})
    fit = fit_event(
        np.ascontiguousarray(values),
        y,
        schema=Columns(),
        options=options,
        groups=DEBTOR,
        slices=slices_of(SPLIT),
    )
    test = np.flatnonzero(np.isin(AS_OF, SPLIT.test))
    met = fit.model.booster.margin(np.ascontiguousarray(values[test]))
    assert np.corrcoef(met, y[test])[0, 1] > 0.6
    assert abs(np.corrcoef(fit.probability, y[fit.held_out])[0, 1]) < 0.25


def test_of_very_many_test_rows_one_group_of_debtors_judges() -> None:
    rows = np.arange(MANY_TEST_ROWS + 1)
    groups = rows % 1_000
    parts = list(Slices(rows[:10], rows[:0], rows).folds(groups))
    assert len(parts) == 1
    assert 0.15 < parts[0].test.size / rows.size < 0.25
    assert not set(groups[parts[0].train]) & set(groups[parts[0].test])


def test_a_calibrator_of_a_fold_is_asked_with_rows_of_other_debtors_alone() -> None:
    fit, asked = fitted(SPLIT), []

    def calibrate(margin: np.ndarray, rows: np.ndarray) -> Calibrator:
        asked.append(rows)
        return Calibrator("platt", 1.0, 1.0, float(len(asked)), rows.size, rows.size // 2)

    again = fit.recalibrated(calibrate)
    assert [set(rows) for rows in asked[:-1]] == [set(fold.calibration) for fold in fit.folds]
    assert np.array_equal(asked[-1], fit.calibration)
    margin = np.concatenate([fold.margin for fold in fit.folds])
    level = np.repeat(np.arange(1, FOLDS + 1), [fold.held_out.size for fold in fit.folds])
    np.testing.assert_allclose(again.probability, 1 / (1 + np.exp(-(margin + level))))


@pytest.mark.parametrize("split", [SPLIT, NO_CALIBRATION, None], ids=["later", "no calibration", "folds"])
def test_amounts_too_are_judged_on_debtors_not_learned_from(monkeypatch, split) -> None:
    values, y, _ = draw(N)
    values[:, 2] = DEBTOR
    share = y * np.random.default_rng(0).uniform(0.05, 1.0, N)
    learned: list[np.ndarray] = []
    fit_chain = ShareChain.fit.__func__

    def watched(cls, margin, share, **options):
        learned.append(share)
        return fit_chain(cls, margin, share, **options)

    monkeypatch.setattr(ShareChain, "fit", classmethod(watched))
    seen = Seen(monkeypatch)
    fit = fit_shares(values, share, schema=Columns(), options=FAST, groups=DEBTOR, slices=slices_of(split))
    assert np.isin(fit.margin, seen.unseen()).all()
    tested = np.arange(N) if split is None else np.flatnonzero(np.isin(AS_OF, SPLIT.test))
    assert np.array_equal(np.sort(fit.held_out), tested)
    assert np.array_equal(np.concatenate([rows for _, rows in fit.chains]), np.arange(tested.size))
    calibrating = np.isin(AS_OF, split.calibration or split.train) if split else np.ones(N, dtype=bool)
    fold = folds_of(DEBTOR)
    expected = [share[calibrating & (fold != k)] for k in range(FOLDS)]
    for wanted in expected:
        assert any(np.array_equal(wanted, given) for given in learned)


def test_candidates_are_judged_on_debtors_they_have_not_learned_from() -> None:
    """Outcomes are a debtor's own and pure noise: more leaves only help who has met the debtors."""
    rng = np.random.default_rng(1)
    values = np.ascontiguousarray(np.column_stack([rng.normal(size=(N // 6, 4))[DEBTOR], np.zeros(N)]))
    y = (rng.random(N // 6) < 0.4).astype(float)[DEBTOR]
    money = np.zeros(N, dtype=np.int64)
    losses = {}
    for groups in (None, DEBTOR):
        rows = LabelledRows(values, y, AS_OF, money, money, Columns(), groups)
        options = FAST.model_copy(update={"min_leaf": 3, "leaves": 31})
        losses[groups is None] = rows.loss(SPLIT, options, LogLoss())
    assert losses[True] < 0.55 < 0.6 < losses[False]


def test_too_few_rows_without_the_judges_are_refused_and_a_split_without_test_needs_none() -> None:
    values, y, _ = draw(330)
    y = (np.arange(330) % 3 > 0).astype(float)
    groups = np.arange(330) // 3
    parts = [np.arange(330)[AS_OF[:330] == month] for month in MONTHS]
    given = {"schema": Columns(), "options": FAST, "groups": groups}
    y = np.random.default_rng(0).permutation(y)
    with pytest.raises(NotEnoughData, match="without the debtors it is judged by"):
        fit_event(values, y, slices=Slices(*parts), **given)
    fit = fit_event(values, y, slices=Slices(*parts[:2], np.zeros(0, dtype=np.int64)), **given)
    assert fit.held_out.size == fit.probability.size == 0
