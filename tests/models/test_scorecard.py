"""The scorecard: its table is the whole model, its bins follow the rates, its points mean odds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.errors import NotEnoughData
from recobro_score.evaluation.metrics import recalibrate
from recobro_score.evaluation.ranking import auc
from recobro_score.models.scorecard import EVEN_ODDS, POINTS_TO_DOUBLE_ODDS, Scorecard
from recobro_score.models.woe import ALIKE, MAX_BINS, MIN_SHARE, SMOOTHING, category_bins, number_bins


@dataclass(frozen=True)
class Columns:
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    vocabularies: dict[str, tuple[str, ...]]
    monotone: tuple[int, ...] = ()
    hash: str = "h"


SCHEMA = Columns(
    ("age", "amount", "channel", "noise", "nothing"),
    ("number", "number", "category", "number", "number"),
    {"channel": ("call", "letter", "sms")},
)


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [
            rng.normal(size=n),
            np.where(rng.random(n) < 0.2, np.nan, rng.exponential(size=n)),
            rng.integers(0, 5, size=n),
            rng.normal(size=n),
            np.full(n, np.nan),
        ]
    ).astype(np.float64)
    logit = 1.2 * values[:, 0] - np.nan_to_num(values[:, 1], nan=2.0) + 0.7 * (values[:, 2] == 2) - 0.5
    p = 1 / (1 + np.exp(-logit))
    return values, (rng.random(n) < p).astype(np.float64), p


def test_the_table_alone_gives_every_score() -> None:
    values, y, _ = drawn(3_000, 1)
    card = Scorecard.fit(values, y, schema=SCHEMA)
    table = card.frame()
    base = int(table.loc[table["feature"] == "(base)", "points"].iloc[0])
    expected = np.full(len(values), base)
    for line in card.lines:
        rows = table[table["feature"] == line.name].reset_index(drop=True)
        words = SCHEMA.vocabularies.get(line.name)
        for row, value in enumerate(values[:, line.column]):
            expected[row] += int(rows["points"][read_bin(rows["bin"], value, words)])
    np.testing.assert_array_equal(card.points(values), np.clip(expected, 0, 1000))


def read_bin(labels: pd.Series, value: float, words: tuple[str, ...] | None) -> int:
    """Return the row whose words describe the value, as a reader of the printed card would."""
    if words is not None:
        name = "missing" if value == 0 else words[int(value) - 2] if value > 1 else "any other"
        found = labels[labels == name]
        return int(found.index[0]) if len(found) else int(labels[labels == "any other"].index[0])
    if np.isnan(value):
        return 0
    for row, label in enumerate(labels[1:], start=1):
        low, _, high = label.partition(" to ")
        if label == "any":
            return row
        if label.startswith("< ") and value < float(label[2:]):
            return row
        if high and float(low) <= value < float(high[2:]):
            return row
    return len(labels) - 1


def test_points_are_odds() -> None:
    values, y, _ = drawn(20_000, 2)
    card = Scorecard.fit(values, y, schema=SCHEMA)
    points, p = card.points(values), card.predict(values)
    np.testing.assert_allclose(np.log2(p / (1 - p)), (points - EVEN_ODDS) / POINTS_TO_DOUBLE_ODDS, atol=1e-9)
    fresh, outcomes, truth = drawn(20_000, 3)
    again = recalibrate(outcomes, card.predict(fresh))
    assert abs(again.slope.value - 1) < 4 * again.slope.se
    assert auc(outcomes, card.predict(fresh)).value > auc(outcomes, truth).value - 0.02


def test_columns_that_say_nothing_stay_off_the_card() -> None:
    values, y, _ = drawn(5_000, 4)
    names = {line.name for line in Scorecard.fit(values, y, schema=SCHEMA).lines}
    assert names == {"age", "amount", "channel"}
    blank = Scorecard.fit(values[:, 3:], y, schema=Columns(SCHEMA.names[3:], SCHEMA.kinds[3:], {}))
    assert blank.lines == ()
    assert np.unique(blank.predict(values[:, 3:])).size == 1
    assert blank.predict(values[:1, 3:])[0] == pytest.approx(y.mean(), abs=0.01)


def test_a_copied_column_goes_in_once() -> None:
    values, y, _ = drawn(4_000, 5)
    doubled = np.column_stack([values[:, :2], values[:, 0] * 2])
    card = Scorecard.fit(doubled, y, schema=Columns(("a", "b", "twice a"), ("number",) * 3, {}))
    assert {line.name for line in card.lines} == {"a", "b"}


def test_one_row_scores_as_in_a_batch() -> None:
    values, y, _ = drawn(2_000, 6)
    card = Scorecard.fit(values, y, schema=SCHEMA)
    alone = np.concatenate([card.predict(values[row : row + 1]) for row in range(100)])
    np.testing.assert_array_equal(alone, card.predict(values[:100]))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(100, 600),
    distinct=st.integers(1, 40),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_bins_partition_rows_and_weights_follow_their_definition(
    seed: int, n: int, distinct: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    column = rng.integers(0, distinct, size=n).astype(np.float64)
    y = (rng.random(n) < 0.2 + 0.6 * (column > distinct / 2)).astype(np.float64)
    y[:2] = (0, 1)
    column[rng.random(n) < missing] = np.nan
    bins = number_bins(column, y)
    of = bins.bin_of(column)
    k = len(bins.rows)
    assert k <= MAX_BINS + 1
    np.testing.assert_array_equal(np.bincount(of, minlength=k), bins.rows)
    np.testing.assert_array_equal(np.bincount(of, weights=y, minlength=k), bins.events)
    assert (of == 0).tolist() == np.isnan(column).tolist()
    assert k <= 2 or min(bins.rows[1:]) >= MIN_SHARE * n
    rate = y.mean()
    for events, rows, woe in zip(bins.events, bins.rows, bins.woe, strict=True):
        yes, no = (
            (events + SMOOTHING * rate) / y.sum(),
            (rows - events + SMOOTHING * (1 - rate)) / (n - y.sum()),
        )
        assert woe == pytest.approx(np.log(yes / no), abs=1e-9)
    for i in range(1, k - 1):
        assert chi_square(bins.rows[i : i + 2], bins.events[i : i + 2]) >= ALIKE


def chi_square(rows: tuple[int, ...], events: tuple[int, ...]) -> float:
    rate = sum(events) / sum(rows)
    gaps = [(e - r * rate) ** 2 / (r * rate) for r, e in zip(rows, events, strict=True)]
    gaps += [(e - r * rate) ** 2 / (r * (1 - rate)) for r, e in zip(rows, events, strict=True)]
    return float(sum(gaps))


def test_rare_and_unseen_words_share_the_last_bin() -> None:
    column = np.array([2.0] * 500 + [3.0] * 480 + [4.0] * 10 + [0.0] * 10)
    y = np.tile([0.0, 1.0], 500)
    bins = category_bins(column, y)
    assert bins.codes == ((2,), (3,), ())
    np.testing.assert_array_equal(bins.bin_of(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 99.0])), [0, 3, 1, 2, 3, 3])


def test_too_few_rows_are_refused() -> None:
    values, y, _ = drawn(50, 7)
    with pytest.raises(NotEnoughData, match="50 rows"):
        Scorecard.fit(values, y, schema=SCHEMA)
