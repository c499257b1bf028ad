"""Own history: a plain oracle for the compiled loops, and the laws of shrinkage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.models.contact.attempts import SLOTS
from recobro_score.models.contact.history import OwnHistory, forecast, odds_shift, tally_before
from recobro_score.models.contact.log import HISTORY, SERIES, AttemptLog
from tests.models.contact_samples import World, sigmoid

counts = st.integers(0, 50)
rates = st.floats(0.01, 0.99)
strengths = st.floats(1.0, 400.0)
RULES = OwnHistory((5.0, 13.0), 0.35, 50.0)


def random_log(seed: int, n: int = 120, accounts: int = 8) -> AttemptLog:
    rng = np.random.default_rng(seed)
    account = np.sort(rng.integers(0, accounts, n))
    at = rng.integers(0, 2 * HISTORY, n)
    order = np.lexsort((at, account))
    return AttemptLog(
        channels=("call", "sms"),
        segments=("GB",),
        n_accounts=accounts,
        account=account[order],
        at=at[order],
        known_at=(at + rng.integers(0, HISTORY // 10, n))[order],
        channel=rng.integers(0, 2, n),
        slot=rng.integers(0, len(SLOTS) + 1, n),
        weekday=rng.integers(0, 7, n),
        segment=rng.integers(0, 2, n),
        success=rng.random(n) < 0.4,
        other_party=rng.random(n) < 0.1,
        tried_before=np.zeros(n, dtype=np.int64),
        won_before=np.zeros(n, dtype=np.int64),
        row=np.arange(n),
    )


def plain_tally(log: AttemptLog, odds: np.ndarray, factors: np.ndarray) -> np.ndarray:
    out = np.zeros((len(log), 8))
    for i in range(len(log)):
        for j in range(len(log)):
            before = log.at[j] < log.at[i] and log.known_at[j] < log.at[i]
            recent = log.at[j] >= log.at[i] - HISTORY
            if log.account[j] != log.account[i] or not before or not recent or log.other_party[j]:
                continue
            c = log.channel[j]
            o = odds[i, c] * factors[log.segment[j], c, log.slot[j], log.weekday[j]]
            first = 0 if c == log.channel[i] else 3
            out[i, first : first + 3] += (1.0, log.success[j], o / (1.0 + o))
            if c == log.channel[i] and log.slot[j] == log.slot[i]:
                out[i, 6:] += (1.0, log.success[j])
    return out


def prior(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(-1, 1, (rows, 2))), np.exp(rng.normal(0, 0.5, (2, 2, len(SLOTS) + 1, 7)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_compiled_tally_is_the_plain_one(seed: int) -> None:
    log = random_log(seed)
    odds, factors = prior(seed, len(log))
    np.testing.assert_allclose(
        tally_before(log, odds, factors), plain_tally(log, odds, factors), rtol=1e-12, atol=1e-12
    )


def own_forecast(log: AttemptLog, odds: np.ndarray, factors: np.ndarray, today: int = 2) -> tuple:
    n = log.n_accounts
    attempts, typical = np.zeros((n, 2), dtype=np.int32), np.empty((n, 2))
    slots = np.empty((n, 2, len(SLOTS)))
    channel = np.where(log.other_party, -1, log.channel)
    forecast(
        log.offsets,
        (channel, log.slot, log.weekday, log.success),
        (np.zeros(n, dtype=np.int64), np.full(n, today), odds),
        factors,
        (np.array(RULES.strength), RULES.kinship, RULES.slot_strength),
        (attempts, typical, slots),
    )
    return attempts, typical, slots


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_forecast_says_what_the_history_says_of_a_next_attempt(seed: int) -> None:
    """The forecast of an account equals the posterior of one more attempt after all of its others."""
    log = random_log(seed)
    log = log.take(log.at >= HISTORY)
    same = AttemptLog(**{name: getattr(log, name) for name in log.__slots__} | {"segment": 0 * log.segment})
    odds, factors = prior(seed, log.n_accounts)
    _, _, slots = own_forecast(same, odds, factors)
    rng = np.random.default_rng(seed)
    account, channel, slot = int(rng.integers(log.n_accounts)), int(rng.integers(2)), int(rng.integers(14))
    own = same.take(same.account == account)
    last = {
        "account": account,
        "at": 3 * HISTORY,
        "known_at": 3 * HISTORY,
        "channel": channel,
        "slot": slot,
        "weekday": 2,
        "segment": 0,
        "success": False,
        "other_party": False,
        "tried_before": 0,
        "won_before": 0,
        "row": 0,
    }
    shifted = {"at": own.at + HISTORY, "known_at": own.at + HISTORY}
    fields = {name: shifted.get(name, getattr(own, name)) for name in last}
    longer = AttemptLog(
        own.channels, own.segments, own.n_accounts, **{k: np.append(v, last[k]) for k, v in fields.items()}
    )
    tally = tally_before(longer, np.tile(odds[account], (len(longer), 1)), factors)[-1:]
    mean = odds[account, channel]
    base = mean * factors[0, channel, slot, 2]
    expected = RULES.posterior_odds(tally, np.array([mean]), np.array([base]), np.array([channel]))
    np.testing.assert_allclose(slots[account, channel, slot], expected[0], rtol=1e-9)


def test_no_history_is_the_segments_pattern_to_the_bit() -> None:
    log = random_log(1).take(np.zeros(120, dtype=np.bool_))
    odds, factors = prior(1, log.n_accounts)
    attempts, typical, slots = own_forecast(log, odds, factors)
    assert attempts.sum() == 0
    np.testing.assert_array_equal(typical, odds)
    np.testing.assert_array_equal(slots, odds[:, :, None] * factors[0, :, : len(SLOTS), 2])


@given(mu=rates, k=strengths, n=counts, s=counts)
def test_where_all_slots_are_alike_it_is_the_beta_binomial_posterior(
    mu: float, k: float, n: int, s: int
) -> None:
    s = min(s, n)
    odds = mu / (1 - mu) * odds_shift(n, s, n * mu, mu, k)
    assert odds / (1 + odds) == pytest.approx((s + k * mu) / (n + k), rel=1e-9)


@given(mu=rates, k=strengths, share=rates)
def test_a_history_without_end_is_the_accounts_own_rate(mu: float, k: float, share: float) -> None:
    n = 1e12
    odds = mu / (1 - mu) * odds_shift(n, share * n, mu * n, mu, k)
    assert odds / (1 + odds) == pytest.approx(share, rel=1e-6)


@given(mu=rates, k=strengths, n=st.integers(1, 50), s=counts, e=rates)
def test_one_more_success_never_lowers_the_odds(mu: float, k: float, n: int, s: int, e: float) -> None:
    s = min(s, n - 1)
    assert odds_shift(n, s + 1, e * n, mu, k) > odds_shift(n, s, e * n, mu, k)
    assert odds_shift(n, n * e, n * e, mu, k) == pytest.approx(1.0)


def test_strength_follows_how_much_people_differ() -> None:
    found = []
    for spread in (0.05, 2.0):
        frame, _, _ = World(spread=spread, evening=0.0, level=-1.0).draw(400, 3)
        log = AttemptLog.from_frame(frame, channels=("call",))
        odds = np.full((len(log), 1), np.exp(-1.0))
        tally = tally_before(log, odds, np.ones((1, 1, len(SLOTS) + 1, 7)))
        y = log.success.astype(float)
        mean = odds[:, 0]
        known = {"channel": log.channel, "begins": log.begins_series, "rates": sigmoid(np.array([-1.0]))}
        found.append(OwnHistory.fit(tally, mean, mean, y=y, **known).strength[0])
    assert found[0] >= 35.0
    assert found[1] <= 5.0


def repeated_calls(seed: int = 0) -> tuple[AttemptLog, np.ndarray, np.ndarray]:
    """Calls to people who differ, with the tallies before them and the odds expected."""
    frame, _, _ = World(spread=0.8, evening=0.0, level=-1.0).draw(600, seed)
    log = AttemptLog.from_frame(frame, channels=("call", "email"))
    odds = np.tile(np.exp([-1.0, -4.0]), (len(log), 1))
    return log, tally_before(log, odds, np.ones((1, 2, len(SLOTS) + 1, 7))), odds[:, 0]


def test_a_channel_seldom_answered_takes_the_spread_of_the_others_not_their_number_of_attempts() -> None:
    log, tally, mean = repeated_calls()
    rates = sigmoid(np.array([-1.0, -4.0]))
    known = {"channel": log.channel, "begins": log.begins_series, "rates": rates}
    call, email = OwnHistory.fit(tally, mean, mean, y=log.success * 1.0, **known).strength
    variance = rates * (1.0 - rates)
    assert (email + 1.0) * variance[1] == pytest.approx((call + 1.0) * variance[0])
    assert 1.0 / ((call + 1.0) * variance[0]) == pytest.approx(0.8**2, rel=0.5)


def test_only_attempts_that_begin_a_series_choose() -> None:
    """Later ones are made because of what the log does not show: their outcomes may say anything."""
    log, tally, mean = repeated_calls()
    begins, y, rates = log.begins_series, log.success * 1.0, sigmoid(np.array([-1.0, -4.0]))
    assert 0.3 < begins.mean() < 0.9
    spoilt = np.where(begins, y, np.random.default_rng(0).random(y.size) < 0.5)
    chosen = [
        OwnHistory.fit(tally, mean, mean, y=each, channel=log.channel, begins=begins, rates=rates)
        for each in (y, spoilt)
    ]
    assert chosen[0] == chosen[1]
    few = np.cumsum(begins) < 50
    everybody = {"channel": log.channel, "begins": begins & few, "rates": rates}
    assert OwnHistory.fit(tally, mean, mean, y=spoilt, **everybody) != chosen[0]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_series_begins_where_a_plain_loop_says(seed: int) -> None:
    log = random_log(seed)
    plain = [
        not any(
            log.account[j] == log.account[i]
            and log.channel[j] == log.channel[i]
            and log.at[i] - SERIES < log.at[j] < log.at[i]
            for j in range(len(log))
        )
        for i in range(len(log))
    ]
    np.testing.assert_array_equal(log.begins_series, plain)


def test_too_little_history_keeps_the_assumed_numbers() -> None:
    log = random_log(2, n=20)
    odds, factors = prior(2, len(log))
    tally = tally_before(log, odds, factors)
    mean = odds[np.arange(len(log)), log.channel]
    known = {"channel": log.channel, "begins": log.begins_series, "rates": np.array([0.2, 0.1])}
    fit = OwnHistory.fit(tally, mean, mean, y=log.success * 1.0, **known)
    assert fit == OwnHistory.default(known["rates"])


def test_all_attempts_of_one_account_never_weigh_more_than_a_few() -> None:
    tally = np.zeros((1000, 8))
    tally[:, 0] = np.arange(1000)
    weight = OwnHistory.default(np.array([0.2])).weight(tally)
    assert weight[0] == 1.0
    assert weight.sum() < 8.0
