"""Effects: recovered under randomised logging, left at their priors wherever the log cannot speak."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.digest import canonical_json
from recobro_score.errors import BundleError, ConfigError
from recobro_score.models.decision_log import DecisionLog
from recobro_score.models.effect import CELLS, EffectTable

ACTIONS = ("no_action", "sms", "call")
PRIOR = np.array([[0.0] * len(CELLS), [0.05] * len(CELLS), [0.1] * len(CELLS)])
TRUE_SHIFT = np.array([0.0, 0.1, 0.4])
POLICY = np.array([[0.3, 0.4, 0.3], [0.6, 0.2, 0.2]])


def simulated(
    n: int, seed: int = 0, *, shift: np.ndarray = TRUE_SHIFT, policy: np.ndarray = POLICY, per_debtor: int = 2
) -> DecisionLog:
    """Decisions drawn by a policy that likes good payers: plain comparisons of its arms are confounded."""
    rng = np.random.default_rng(seed)
    debtor = np.arange(n) // per_debtor
    good = (rng.random(n // per_debtor + 1) < 0.5)[debtor]
    probabilities = policy[good.astype(int)]
    action = (rng.random(n)[:, None] > np.cumsum(probabilities, axis=1)).sum(axis=1)
    margin = np.where(good, 0.2, -1.8) + shift[action]
    return DecisionLog(
        account=np.arange(n),
        debtor=debtor,
        decided_at=np.zeros(n, np.int64),
        action=action,
        propensity=probabilities[np.arange(n), action],
        bucket=rng.integers(-1, 3, n).astype(np.int8),
        outcome=(rng.random(n) < 1.0 / (1.0 + np.exp(-margin))).astype(np.float64),
        left_out={},
    )


def marginal_shift(shift: float) -> float:
    """The log-odds ratio of the rates over both kinds of payer, which is what a table of buckets can know."""
    margin = np.array([-1.8, 0.2])
    rates = [np.mean(1.0 / (1.0 + np.exp(-margin - s))) for s in (0.0, shift)]
    return float(np.log(rates[1] / (1 - rates[1])) - np.log(rates[0] / (1 - rates[0])))


def test_prior_mode_is_the_catalogue_and_says_so() -> None:
    table = EffectTable.prior(ACTIONS, PRIOR)
    np.testing.assert_array_equal(table.shift, PRIOR)
    assert table.mode == "prior"
    assert set(table.source.ravel()) == {"prior"}
    assert table.reason == "no_log"


def test_known_effects_are_recovered_within_their_intervals() -> None:
    truth = np.array([marginal_shift(s) for s in TRUE_SHIFT])
    z = []
    for seed in range(12):
        table = EffectTable.fit(simulated(8000, seed), PRIOR, action_ids=ACTIONS)
        seen = table.from_log[1:]
        assert seen.sum() == 8
        z.append(((table.estimate[1:] - truth[1:, None]) / table.se[1:])[seen])
        assert table.shift[2][table.from_log[2]].mean() > 0.15
    scores = np.concatenate(z)
    assert abs(scores.mean()) < 0.3
    assert 0.75 < scores.std() < 1.25


def test_a_plain_comparison_would_have_been_wrong() -> None:
    log = simulated(20_000, shift=np.zeros(3))
    naive = [log.outcome[log.action == a].mean() for a in range(3)]
    table = EffectTable.fit(log, PRIOR, action_ids=ACTIONS)
    assert naive[0] - naive[1] > 0.1
    assert (np.abs(table.estimate[1:] / table.se[1:])[table.from_log[1:]] < 3.0).all()


def test_without_effects_the_shift_lies_between_zero_and_the_prior() -> None:
    table = EffectTable.fit(
        simulated(60_000, 3, shift=np.zeros(3)), np.zeros_like(PRIOR) + PRIOR * 3, action_ids=ACTIONS
    )
    learned = table.shift[1:][table.from_log[1:]]
    assert np.abs(learned).max() < 0.15
    assert (table.sd[table.from_log] < 0.25).all()


def test_little_data_stays_near_the_prior_and_much_data_leaves_it() -> None:
    few = EffectTable.fit(simulated(1200, 4), PRIOR, action_ids=ACTIONS)
    many = EffectTable.fit(simulated(100_000, 4), PRIOR, action_ids=ACTIONS)
    for table, low, high in ((few, 0.0, 0.6), (many, 0.8, 1.0)):
        seen = table.from_log
        kept = 1.0 - (table.sd[seen] / 0.25) ** 2
        assert low < kept.mean() < high
    assert (few.sd[few.from_log] > many.sd[2, 0]).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(50, 3000))
def test_precision_weighting_never_leaves_the_hull_of_prior_and_log(seed: int, n: int) -> None:
    table = EffectTable.fit(simulated(n, seed), PRIOR, action_ids=ACTIONS)
    assert np.isfinite(table.shift).all()
    np.testing.assert_array_equal(table.shift[~table.from_log], PRIOR[~table.from_log])
    np.testing.assert_array_equal(table.shift[0], PRIOR[0])
    for action in (1, 2):
        seen = table.from_log[action]
        if seen.any():
            surprise = np.abs(table.estimate[action] - PRIOR[action])[seen].max()
            assert np.abs(table.shift[action] - PRIOR[action]).max() <= surprise + 1e-12
    text = canonical_json(table.to_json())
    assert canonical_json(EffectTable.from_json(json.loads(text)).to_json()) == text


def without_propensity(log: DecisionLog, share: float) -> DecisionLog:
    hidden = np.arange(len(log.action)) < share * len(log.action)
    return replace(log, propensity=np.where(hidden, np.nan, log.propensity))


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (simulated(0), "no_log"),
        (without_propensity(simulated(2000), 1.0), "no_propensities"),
        (without_propensity(simulated(2000), 0.1), "no_propensities"),
        (replace(simulated(2000), propensity=np.zeros(2000)), "no_propensities"),
        (replace(simulated(2000), propensity=np.full(2000, 1.5)), "no_propensities"),
        (replace(simulated(2000), propensity=np.ones(2000)), "no_randomisation"),
        (replace(simulated(2000), action=np.full(2000, 2)), "no_baseline"),
        (simulated(60), "no_overlap"),
    ],
    ids=["empty", "hidden", "partly hidden", "zero", "above one", "rule-based", "never nothing", "tiny"],
)
def test_a_log_that_cannot_speak_leaves_prior_mode_and_says_why(log: DecisionLog, reason: str) -> None:
    table = EffectTable.fit(log, PRIOR, action_ids=ACTIONS)
    np.testing.assert_array_equal(table.shift, PRIOR)
    assert table.mode == "prior"
    assert table.reason == reason


def test_a_few_missing_propensities_are_left_out_and_not_fatal() -> None:
    log = simulated(4000)
    table = EffectTable.fit(without_propensity(log, 0.005), PRIOR, action_ids=ACTIONS)
    assert table.mode == "log"
    assert table.n.sum() == 3980


def test_an_action_open_to_part_of_a_bucket_is_not_compared_with_all_of_it() -> None:
    closed = simulated(6000, policy=np.array([[0.5, 0.5, 0.0], [0.4, 0.3, 0.3]]))
    table = EffectTable.fit(closed, PRIOR, action_ids=ACTIONS)
    assert table.from_log[1].any()
    assert not table.from_log[2].any()
    assert table.support[2][table.n[2] > 0].max() < 0.7


def test_certain_decisions_take_no_part() -> None:
    log = simulated(6000)
    certain = replace(log, action=np.zeros(6000, np.int64), propensity=np.ones(6000), outcome=np.zeros(6000))
    joined = DecisionLog(
        **{
            name: np.concatenate([getattr(log, name), getattr(certain, name)])
            for name in ("account", "debtor", "decided_at", "action", "propensity", "bucket", "outcome")
        },
        left_out={},
    )
    alone = EffectTable.fit(log, PRIOR, action_ids=ACTIONS)
    np.testing.assert_array_equal(EffectTable.fit(joined, PRIOR, action_ids=ACTIONS).shift, alone.shift)


def test_repeated_debtors_widen_the_interval() -> None:
    log = simulated(3000, per_debtor=1)
    copies = {name: np.repeat(getattr(log, name), 4) for name in DecisionLog.__slots__ if name != "left_out"}
    once = EffectTable.fit(log, PRIOR, action_ids=ACTIONS)
    again = EffectTable.fit(DecisionLog(**copies, left_out={}), PRIOR, action_ids=ACTIONS)
    seen = once.from_log
    assert (again.se[seen] > 0.9 * once.se[seen]).all()


def test_the_frame_has_one_documented_row_per_cell() -> None:
    frame = EffectTable.fit(simulated(4000), PRIOR, action_ids=ACTIONS).frame()
    assert list(frame.columns) == [
        *("action_id", "bucket", "source", "shift", "sd", "prior_shift", "estimate", "se"),
        *("n", "ess", "support"),
    ]
    assert len(frame) == len(ACTIONS) * len(CELLS)
    assert frame.loc[(frame["action_id"] == "call") & (frame["bucket"] == "unknown"), "n"].item() > 0


def test_wrong_priors_baselines_and_formats_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"shape \(3, 7\)"):
        EffectTable.prior(ACTIONS, PRIOR[:2])
    with pytest.raises(ConfigError, match="lack the baseline 'nothing'"):
        EffectTable.fit(simulated(100), PRIOR, action_ids=ACTIONS, no_action="nothing")
    with pytest.raises(BundleError, match="format 7"):
        EffectTable.from_json({"format": 7})
