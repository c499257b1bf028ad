from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.errors import ContractError
from recobro_score.evaluation.plots import plot_survival
from recobro_score.evaluation.survival import kaplan_meier, survival_table

SEEN = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30)


def by_hand(rows: list[tuple[int, bool]]) -> list[tuple[int, Fraction, Fraction | None]]:
    """Time, survival and Greenwood's sum, in exact fractions and straight from the definition."""
    out, alive, spread = [], Fraction(1), Fraction(0)
    for moment in sorted({time for time, _ in rows}):
        at_risk = sum(time >= moment for time, _ in rows)
        ended = sum(time == moment and over for time, over in rows)
        alive *= 1 - Fraction(ended, at_risk)
        if spread is not None:
            spread = spread + Fraction(ended, at_risk * (at_risk - ended)) if ended < at_risk else None
        out.append((moment, alive, spread))
    return out


@given(SEEN)
def test_curve_and_greenwood_equal_the_definition(rows: list[tuple[int, bool]]) -> None:
    curve = kaplan_meier(*zip(*rows, strict=True))
    for place, (moment, alive, spread) in enumerate(by_hand(rows)):
        assert curve.time[place] == moment
        assert curve.survival[place] == pytest.approx(float(alive), abs=1e-12)
        if spread is None:
            assert np.isnan(curve.se[place])
        else:
            assert curve.se[place] == pytest.approx(float(alive) * float(spread) ** 0.5, abs=1e-12)


@given(SEEN)
def test_curve_falls_and_its_interval_holds_it(rows: list[tuple[int, bool]]) -> None:
    curve = kaplan_meier(*zip(*rows, strict=True))
    assert (np.diff(np.concatenate([[1.0], curve.survival])) <= 0).all()
    known = ~np.isnan(curve.low)
    assert (curve.low[known] >= 0).all()
    assert (curve.low[known] <= curve.survival[known]).all()
    assert (curve.survival[known] <= curve.high[known]).all()
    assert (curve.high[known] <= 1).all()


@given(SEEN)
def test_order_of_rows_does_not_matter(rows: list[tuple[int, bool]]) -> None:
    one, other = kaplan_meier(*zip(*rows, strict=True)), kaplan_meier(*zip(*rows[::-1], strict=True))
    assert one.frame().equals(other.frame())


def test_without_censoring_it_is_the_share_left() -> None:
    curve = kaplan_meier([1, 1, 2, 5], [1, 1, 1, 1])
    assert curve.survival.tolist() == [0.5, 0.25, 0.0]
    assert curve.median() == 1.0
    assert curve.at(3).value == 0.25
    assert curve.at(0).value == 1.0
    assert curve.at(9).value == 0.0


def test_nothing_is_said_beyond_the_last_one_seen() -> None:
    curve = kaplan_meier([1, 2, 3], [1, 0, 0])
    assert np.isnan(curve.at(4).value)
    assert curve.median() == float("inf")


def test_running_plans_do_not_count_as_failures_nor_vanish() -> None:
    """A constant hazard of a fifth a month; two thirds are seen for two months only."""
    rng = np.random.default_rng(0)
    ends, seen = rng.geometric(0.2, 20_000), np.where(np.arange(20_000) % 3 == 0, 99, 2)
    curve = kaplan_meier(np.minimum(ends, seen), ends <= seen)
    estimate = curve.at(6)
    assert estimate.value == pytest.approx(0.8**6, abs=4 * estimate.se)
    over = ends <= seen
    assert abs(np.mean(ends[over] > 6) - 0.8**6) > 0.1


@pytest.mark.parametrize(
    ("time", "ended"), [([], []), ([1, 2], [1]), ([-1], [1]), ([np.inf], [0]), ([1], [2])]
)
def test_wrong_input_is_refused(time, ended) -> None:
    with pytest.raises(ContractError):
        kaplan_meier(time, ended)


def test_groups_stand_below_each_other_and_are_drawn() -> None:
    table = survival_table([1, 2, 3, 4], [1, 0, 1, 1], ["b", "b", "a", "a"])
    assert table["group"].tolist() == ["a", "a", "b", "b"]
    axes = plot_survival(table)
    assert len(axes.get_legend().get_texts()) == 2
