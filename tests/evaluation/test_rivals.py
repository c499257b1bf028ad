"""Rivals, gain and stability against hand-made definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from recobro_score.errors import ContractError
from recobro_score.evaluation.gain import gain_table
from recobro_score.evaluation.metrics import binary_report
from recobro_score.evaluation.plots import plot_gain, plot_months, plot_rivals
from recobro_score.evaluation.ranking import auc, compare_auc
from recobro_score.evaluation.rivals import compare_rivals, single_rankings, single_score, strongest_rivals
from recobro_score.evaluation.stability import by_month, population_stability


def drawn(n: int = 2_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    margin = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(float)
    return y, margin, margin + rng.normal(size=n)


def test_each_pair_is_delongs_test_within_the_group() -> None:
    y, good, worse = drawn()
    group = np.arange(y.size) % 3
    table = compare_rivals(y, good, {"worse": worse, "same": good}, group=group, names=["a", "b", "c"])
    assert table["group"].tolist() == ["a", "a", "b", "b", "c", "c", "all", "all"]
    row = table[(table["group"] == "b") & (table["rival"] == "worse")].iloc[0]
    test = compare_auc(y[group == 1], good[group == 1], worse[group == 1])
    assert (row["gain"], row["gain_se"], row["p_value"]) == (
        test.difference.value,
        test.difference.se,
        test.p_value,
    )
    assert set(table.loc[table["rival"] == "worse", "winner"]) == {"model"}
    assert set(table.loc[table["rival"] == "same", "winner"]) == {"no difference"}
    turned = compare_rivals(y, worse, {"good": good}, group=group, names=["a", "b", "c"])
    assert set(turned["winner"]) == {"good"}
    assert strongest_rivals(table)["rival"].tolist() == ["same"] * 4


def test_few_events_are_not_judged() -> None:
    y, good, worse = drawn(200)
    few = np.where(np.cumsum(y) > 20, 0.0, y)
    assert compare_rivals(few, good, {"worse": worse})["winner"].tolist() == ["not judged"]
    none = compare_rivals(np.zeros(50), np.arange(50), {"other": np.ones(50)})
    assert none["winner"].tolist() == ["not judged"]
    assert none["auc"].isna().all()


def test_single_columns_rank_in_their_better_direction() -> None:
    y, good, _ = drawn()
    values = np.column_stack([-good, np.ones(y.size), np.where(good > 1, np.nan, good)])
    table = single_rankings(y, values, ["falling", "constant", "holes"]).set_index("feature")
    assert table.index[0] == "falling"
    assert table.loc["falling", "direction"] == -1
    assert table.loc["falling", "auc"] == auc(y, good).value
    assert table.loc["constant", "auc"] == 0.5
    assert single_score(values[:, 2], 1)[good > 1].max() < np.nanmin(values[:, 2])
    assert single_rankings(np.zeros(9), values[:9], ["a", "b", "c"]).empty


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=12))
def test_gain_is_what_the_first_rows_of_the_list_hold(rows: list[tuple[int, int, int]]) -> None:
    y, score, money = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    table = gain_table(y, {"list": score}, money=money, steps=len(rows))
    part = table[table["list"] == "list"].reset_index(drop=True)
    for what, amount in (("events", y), ("money", money)):
        if amount.sum() == 0:
            assert part[what].isna().all()
            continue
        for places in range(len(rows) + 1):
            assert part.loc[places, what] * amount.sum() == pytest.approx(by_hand(score, amount, places))
        perfect = table.loc[table["list"] == "perfect", what].to_numpy()
        assert (perfect + 1e-12 >= part[what].to_numpy()).all()
        assert perfect[-1] == pytest.approx(1.0)


def by_hand(score: np.ndarray, amount: np.ndarray, places: int) -> float:
    """Return what the first places hold, rows tied at the border sharing those that are left."""
    total, left = 0.0, places
    for value in sorted(set(score), reverse=True):
        tied = amount[score == value]
        taken = min(left, tied.size)
        total += tied.sum() * taken / tied.size
        left -= taken
    return total


def test_gain_refuses_what_cannot_be_counted() -> None:
    with pytest.raises(ContractError, match="model is not as long"):
        gain_table([0, 1], {"model": [1.0]})
    with pytest.raises(ContractError, match="at least 0"):
        gain_table([0, 1], {"model": [1.0, 2.0]}, money=[-1.0, 0.0])


def test_months_are_reports_of_their_rows() -> None:
    y, margin, _ = drawn()
    p = 1 / (1 + np.exp(-margin))
    month = np.where(np.arange(y.size) < 800, "2025-01", "2025-02")
    table = by_month(y, p, month)
    assert table["month"].tolist() == ["2025-01", "2025-02"]
    expected = binary_report(y[800:], p[800:]).iloc[0]
    assert table.loc[1, "auc"] == expected["auc"]
    assert table.loc[1, "slope"] == expected["slope"]
    assert table.loc[0, "psi"] == 0
    assert table.loc[1, "psi"] == population_stability(p[:800], p[800:])


def test_stability_index_follows_its_formula() -> None:
    then = np.arange(100.0)
    now = np.concatenate([np.arange(50.0), np.arange(50.0)])
    old, new = np.full(10, 0.1), np.array([0.2] * 5 + [0.005] * 5)
    assert population_stability(then, now) == pytest.approx(float(((new - old) * np.log(new / old)).sum()))
    assert population_stability(then, then[::-1]) == 0
    assert population_stability([1.0, 1.0], [1.0]) == 0
    assert population_stability([1.0, 2.0], [np.nan, np.nan]) > 0.25
    assert np.isnan(population_stability([], [1.0]))


def test_plots_show_every_list_month_and_rival() -> None:
    y, good, worse = drawn()
    gains = plot_gain(gain_table(y, {"model": good, "other": worse}))
    assert [text.get_text() for text in gains.get_legend().get_texts()] == [
        "model",
        "other",
        "perfect",
        "random",
    ]
    month = np.where(np.arange(y.size) < 800, "2025-01", "2025-02")
    p = 1 / (1 + np.exp(-good))
    months = plot_months(by_month(y, p, month), metric="slope")
    assert months.get_ylabel() == "calibration slope"
    rivals = plot_rivals(compare_rivals(y, good, {"worse": worse}, group=month))
    assert [text.get_text() for text in rivals.get_yticklabels()] == ["all", "2025-02", "2025-01"]
    plt.close("all")
