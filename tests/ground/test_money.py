"""Money is exact: to the minor unit, in any order, split without loss, and never mixed without a rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.errors import ConfigError
from recobro_score.money import MISSING_MONEY, Rates, minor_digits, split_exact, to_major, to_minor

LARGEST = 2**51
digits_of = st.sampled_from((0, 2, 3, 4))


@given(st.lists(st.tuples(st.integers(-LARGEST + 1, LARGEST - 1), digits_of), min_size=1))
def test_minor_to_major_and_back_is_the_identity(pairs: list[tuple[int, int]]):
    minor = np.array([amount for amount, _ in pairs], dtype=np.int64)
    digits = np.array([count for _, count in pairs], dtype=np.int8)
    back, ok = to_minor(to_major(minor, digits), digits)
    assert back.tolist() == minor.tolist()
    assert ok.all()


@given(st.floats(allow_nan=True, allow_infinity=True), digits_of)
def test_every_float_is_an_amount_a_gap_or_refused(value: float, digits: int):
    minor, ok = to_minor(np.array([value]), np.array([digits], dtype=np.int8))
    if np.isnan(value):
        assert (minor[0], ok[0]) == (MISSING_MONEY, True)
    elif np.rint(abs(value) * 10.0**digits) < LARGEST:
        assert ok[0]
        assert abs(minor[0] - value * 10**digits) <= 0.5
    else:
        assert (minor[0], ok[0]) == (MISSING_MONEY, False)


def test_a_missing_amount_is_not_a_number_and_halves_go_to_the_even_unit():
    digits = np.array([2, 0], dtype=np.int8)
    assert np.isnan(to_major(np.array([MISSING_MONEY, MISSING_MONEY]), digits)).all()
    halves = np.array([0.5, 1.5, 2.5, -0.5])
    assert to_minor(halves, np.zeros(4, dtype=np.int8))[0].tolist() == [0, 2, 2, 0]


def test_the_decimals_of_currencies_are_those_of_iso_4217():
    assert [minor_digits(name) for name in ("EUR", "COP", "CLP", "PYG", "KWD", "CLF", "XXX")] == [
        2,
        2,
        0,
        0,
        3,
        4,
        2,
    ]


@given(st.integers(-(10**18), 10**18), st.integers(1, 400))
def test_a_split_adds_up_differs_by_one_unit_at_most_and_falls(total: int, parts: int):
    split = split_exact(total, parts)
    assert len(split) == parts
    assert sum(split) == total
    assert max(split) - min(split) <= 1
    assert split == sorted(split, reverse=True)


@pytest.mark.parametrize("parts", [0, -3])
def test_nothing_is_split_into_no_parts(parts: int):
    with pytest.raises(ValueError, match="cannot be split"):
        split_exact(100, parts)


rates = st.lists(
    st.tuples(st.sampled_from(("USD", "COP")), st.integers(0, 20), st.floats(0.001, 1000)),
    unique_by=lambda row: row[:2],
)


@given(rates, st.sampled_from(("USD", "COP")), st.integers(-1, 21), st.randoms(use_true_random=False))
def test_the_rate_is_the_last_one_dated_at_or_before(
    rows: list[tuple[str, int, float]], currency: str, as_of: int, random
):
    dated = [(from_at, factor) for name, from_at, factor in rows if name == currency and from_at <= as_of]
    table = Rates("EUR", (row for row in random.sample(rows, len(rows))))
    assert table == Rates("EUR", rows)
    assert table.factor("EUR", as_of) == 1.0
    if dated:
        assert table.factor(currency, as_of) == max(dated)[1]
    else:
        with pytest.raises(ConfigError, match=f"no rate from {currency} into EUR"):
            table.factor(currency, as_of)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_is_a_positive_number(factor: float):
    with pytest.raises(ConfigError, match="USD"):
        Rates("EUR", [("USD", 0, factor)])


def test_two_rates_from_the_same_instant_are_refused():
    with pytest.raises(ConfigError, match="two rates"):
        Rates("EUR", [("USD", 5, 1.0), ("USD", 5, 2.0)])
