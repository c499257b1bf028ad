"""What only compiled functions call works there, and refuses Python instead of ending the process."""

from __future__ import annotations

import numpy as np
import pytest

from recobro_score.data.compiled import called, entered, inlined, lent


@called
def squares(values):
    """Return new numbers."""
    return values * values


@lent
def add_to(values, found):
    """Write into what the caller made."""
    for place in range(len(values)):
        found[place] += values[place]


@inlined
def last_of(values):
    return values[-1]


@entered
def sum_of_squares(values):
    found = np.zeros(len(values))
    add_to(squares(values), found)
    add_to(squares(values), found)
    return found, last_of(values) / 0.0


def test_compiled_functions_call_each_other_and_divide_as_numpy_does():
    values = np.array([1.0, 2.0, 3.0])
    found, infinite = sum_of_squares(values)
    np.testing.assert_array_equal(found, 2 * values**2)
    assert np.isinf(infinite)


@pytest.mark.parametrize("inner", [squares, add_to, last_of])
def test_python_has_no_way_into_inner_functions_but_their_source(inner):
    values = np.ones(3)
    with pytest.raises(TypeError, match=inner.py_func.__name__):
        inner(*[values] * inner.py_func.__code__.co_argcount)
    inner.py_func(*[values] * inner.py_func.__code__.co_argcount)
