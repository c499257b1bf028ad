"""The plan against an exact solver: never above it, the bound never below it, capacities never exceeded."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from recobro_score.errors import ConfigError
from recobro_score.policy.allocation import allocate


def _instance(seed: int, *, rows: int = 25, debtors: int = 18, whole: bool = False, alike: bool = False):
    """Draw values, debtors, pools and capacities; `whole` makes ties, `alike` makes pools rivals."""
    rng = np.random.default_rng(seed)
    n_actions, n_pools = int(rng.integers(2, 8)), int(rng.integers(1, 7))
    values = rng.normal(2.0, 3.0, (rows, n_actions))
    if alike:
        values = rng.exponential(3.0, (rows, 1)) * rng.uniform(0.8, 1.2, (rows, n_actions)) - 0.5
    if whole:
        values = np.round(values)
    values[rng.random(values.shape) < 0.2] = -np.inf
    values[:, 0] = 0.0
    _, debtor = np.unique(rng.integers(0, debtors, rows), return_inverse=True)
    pool = rng.integers(-1, n_pools, n_actions).astype(np.int16)
    pool[0] = -1
    pools = tuple(f"p{p}" for p in range(n_pools))
    capacities = {name: int(rng.integers(0, max(2, debtors // 3))) for name in pools if rng.random() < 0.9}
    return values, debtor.astype(np.int64), pool, pools, capacities


def _optimum(values, debtor, pool, pools, capacities) -> float:
    rows, actions = np.nonzero(values[:, 1:] > 0)
    if len(rows) == 0:
        return 0.0
    actions = actions + 1
    columns, ones = np.arange(len(rows)), np.ones(len(rows))
    limits = [(sp.csr_array((ones, (debtor[rows], columns)), shape=(debtor.max() + 1, len(rows))), 1)]
    for p, name in enumerate(pools):
        if name in capacities:
            limits.append((sp.csr_array((pool[actions] == p).astype(float)[None, :]), capacities[name]))
    solved = milp(
        -values[rows, actions],
        constraints=[LinearConstraint(matrix, -np.inf, upper) for matrix, upper in limits],
        integrality=ones,
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    return float(-solved.fun)


@pytest.mark.parametrize("kind", ["plain", "whole", "alike"])
def test_the_plan_is_as_good_as_an_exact_solver_and_proves_it(kind):
    gaps = []
    for seed in range(60):
        problem = _instance(seed, whole=kind == "whole", alike=kind == "alike")
        plan, best = allocate(*problem), _optimum(*problem)
        assert plan.value <= best + 1e-7 <= plan.bound + 2e-7
        gaps.append(plan.gap)
    assert max(gaps) < 1e-6


@pytest.mark.parametrize(("whole", "alike"), [(False, False), (False, True), (True, False), (True, True)])
def test_a_large_plan_has_a_tiny_gap(whole, alike):
    rng = np.random.default_rng(3)
    values, debtor, *_ = _instance(7, rows=12_000, debtors=9_000, whole=whole, alike=alike)
    values = np.concatenate([values] * 4, axis=1)[:, :9]
    values[:, 1:] *= rng.uniform(0.5, 1.0, values.shape[1] - 1)
    pool = np.array([-1, 0, 1, 2, 3, 4, 2, 4, 3], dtype=np.int16)
    pools = ("a", "b", "c", "d", "e")
    capacities = {"a": 150, "b": 600, "c": 1_200, "d": 300, "e": 150}
    plan = allocate(values, debtor, pool, pools, capacities)
    assert plan.gap < 1e-5
    assert (plan.usage <= plan.capacities).all()


@given(seed=st.integers(0, 10_000), whole=st.booleans(), alike=st.booleans())
def test_capacities_hold_and_each_debtor_is_contacted_at_most_once(seed, whole, alike):
    values, debtor, pool, pools, capacities = _instance(seed, whole=whole, alike=alike)
    plan = allocate(values, debtor, pool, pools, capacities)
    acted = plan.choice > 0
    assert np.bincount(debtor[acted], minlength=1).max() <= 1
    for p, name in enumerate(pools):
        used = int((pool[plan.choice[acted]] == p).sum())
        assert used == plan.usage[p]
        assert used <= capacities.get(name, len(values))
    chosen = values[np.arange(len(values)), plan.choice]
    assert (chosen[acted] > 0).all()
    assert plan.value == pytest.approx(chosen.sum())
    assert plan.bound >= plan.value


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-6, 1.0, 1e9]))
def test_the_unit_of_money_changes_nothing(seed, scale):
    values, debtor, pool, pools, capacities = _instance(seed)
    one = allocate(values, debtor, pool, pools, capacities)
    other = allocate(values * scale, debtor, pool, pools, capacities)
    assert other.value == pytest.approx(one.value * scale, rel=1e-9)


def test_among_equals_the_first_rows_are_served():
    values = np.tile([0.0, 5.0], (6, 1))
    plan = allocate(values, np.arange(6), np.array([-1, 0], dtype=np.int16), ("call",), {"call": 2})
    assert plan.choice.tolist() == [1, 1, 0, 0, 0, 0]
    assert plan.prices == pytest.approx([5.0], abs=1e-5)


def test_without_limits_everybody_gets_their_best():
    values, debtor, pool, pools, _ = _instance(11)
    plan = allocate(values, debtor, pool, pools, {})
    best = np.zeros(debtor.max() + 1)
    np.maximum.at(best, debtor, values.max(axis=1))
    assert plan.value == pytest.approx(best.sum())
    assert plan.gap == pytest.approx(0.0)
    assert not plan.prices.any()


def test_no_account_needs_no_plan():
    plan = allocate(
        np.zeros((0, 2)), np.zeros(0, np.int64), np.array([-1, 0], np.int16), ("call",), {"call": 3}
    )
    assert (plan.value, plan.bound, plan.gap) == (0.0, 0.0, 0.0)


def test_prices_are_the_worth_of_one_more_unit():
    values = np.array([[0.0, 9.0], [0.0, 7.0], [0.0, 4.0]])
    arguments = (values, np.arange(3), np.array([-1, 0], np.int16), ("call",))
    worth = [allocate(*arguments, {"call": calls}).value for calls in (1, 2)]
    assert 4.0 <= allocate(*arguments, {"call": 2}).prices[0] <= worth[1] - worth[0]


@pytest.mark.parametrize(
    ("capacities", "said"), [({"cal": 1}, "Did you mean 'call'"), ({"call": -1}, "below zero")]
)
def test_capacities_that_make_no_sense_are_refused(capacities, said):
    with pytest.raises(ConfigError, match=said):
        allocate(np.zeros((1, 2)), np.zeros(1, np.int64), np.array([-1, 0], np.int16), ("call",), capacities)


def test_the_frame_lists_the_pools():
    plan = allocate(np.zeros((1, 2)), np.zeros(1, np.int64), np.array([-1, 0], np.int16), ("call",), {})
    assert plan.frame().to_dict("records") == [{"pool": "call", "capacity": -1, "used": 0, "price": 0.0}]
