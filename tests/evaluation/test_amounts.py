from __future__ import annotations

import numpy as np
import pytest

from recobro_score.errors import ContractError
from recobro_score.evaluation.amounts import (
    Amounts,
    amount_report,
    cluster_error,
    decile_table,
    evaluate_amounts,
    money_ratio,
)
from recobro_score.evaluation.plots import plot_amounts


def draw(n: int = 3000, seed: int = 0, *, tilt: float = 1.0) -> Amounts:
    """Recoveries of all or nothing; with `tilt` 1 the expected amounts are right."""
    rng = np.random.default_rng(seed)
    due = rng.integers(100, 100_000, n)
    share = rng.uniform(0.05, 0.5, n)
    paid = rng.random(n) < share
    return Amounts(
        due=due,
        recovered=np.where(paid, due, 0),
        expected=due * np.minimum(share * tilt, 1.0),
        low=np.zeros(n, dtype=np.int64),
        high=due,
        currency=np.where(np.arange(n) % 3 == 0, "CLP", "EUR"),
        debtor=np.arange(n) // 2,
    )


def test_right_amounts_pass_and_wrong_ones_are_told() -> None:
    good, bad = (evaluate_amounts(draw(tilt=tilt), held_out="drawn rows") for tilt in (1.0, 1.5))
    assert good.warnings == ()
    assert len(bad.warnings) == 2
    assert "times the expected amount" in bad.warnings[0]
    assert "! CLP" in bad.summary()
    assert "<li>CLP" in bad._repr_html_()


def test_currencies_are_never_added() -> None:
    amounts = draw()
    table = amount_report(amounts).set_index("currency")
    for currency, unit in (("CLP", 1), ("EUR", 100)):
        own = amounts.currency == currency
        assert table.loc[currency, "recovered"] == amounts.recovered[own].sum() / unit
        assert table.loc[currency, "n"] == own.sum()
    assert set(table["group"]) == {"all"}


def test_groups_and_baseline_stand_in_the_table() -> None:
    amounts = draw(300)
    group = np.arange(300) % 2
    flat = amounts.due * float((amounts.recovered / amounts.due).mean())
    table = amount_report(amounts, baseline=flat, group=group, names=("0", "1-30", "31-60"))
    assert table["group"].tolist() == ["0", "1-30", "31-60", "all"] * 2
    empty = table[table["group"] == "31-60"]
    assert empty["n"].tolist() == [0, 0]
    assert empty["ratio"].isna().all()
    assert (table[table["group"] == "all"]["rmse"] < table[table["group"] == "all"]["baseline_rmse"]).all()


def test_deciles_hold_every_row_once_and_rise() -> None:
    amounts = draw()
    for _, part in decile_table(amounts).groupby("currency"):
        assert part["n"].sum() == (amounts.currency == part["currency"].iloc[0]).sum()
        assert part["expected"].is_monotonic_increasing
        assert (abs(part["ratio"] - 1) < 4 * part["ratio_se"]).all()
    assert plot_amounts(decile_table(amounts)).get_xlabel().startswith("expected")


def test_error_of_a_sum_takes_debtors_as_one() -> None:
    residual = np.array([1.0, 1.0, -2.0, 4.0])
    assert cluster_error(residual, np.array([0, 1, 2, 3])) == pytest.approx(np.sqrt(22 * 4 / 3))
    assert cluster_error(residual, np.array(["a", "a", "b", "b"])) == pytest.approx(np.sqrt(8 * 2))
    assert np.isnan(cluster_error(residual, np.zeros(4)))


def test_standard_error_of_the_ratio_is_the_spread_of_redrawn_samples() -> None:
    drawn = [money_ratio(draw(400, seed)) for seed in range(200)]
    ratios, errors = np.array(drawn).T
    assert np.std(ratios) == pytest.approx(np.mean(errors), rel=0.2)
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * np.std(ratios) / np.sqrt(200))


def test_coverage_counts_rows_below_and_above() -> None:
    amounts = Amounts(
        due=np.full(4, 100),
        recovered=np.array([0, 10, 50, 100]),
        expected=np.full(4, 40.0),
        low=np.full(4, 5),
        high=np.full(4, 60),
        currency=np.full(4, "EUR"),
        debtor=np.arange(4),
    )
    row = amount_report(amounts).iloc[0]
    assert (row["below"], row["covered"], row["above"]) == (0.25, 0.5, 0.25)


@pytest.mark.parametrize("wrong", [{"recovered": 101}, {"recovered": -1}, {"expected": 100.5}, {"due": 0}])
def test_amounts_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    values = {"due": 100, "recovered": 10, "expected": 5.0, "low": 0, "high": 100} | wrong
    with pytest.raises(ContractError, match="1 of 1 rows"):
        Amounts(
            **{name: np.array([value]) for name, value in values.items()},
            currency=np.array(["EUR"]),
            debtor=np.array([0]),
        )


def test_amounts_of_several_lengths_are_refused() -> None:
    amounts = draw(10)
    with pytest.raises(ContractError, match="lengths"):
        Amounts(amounts.due[:5], *(getattr(amounts, name) for name in list(Amounts.__dataclass_fields__)[1:]))
