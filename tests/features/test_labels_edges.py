"""Where windows begin and end, when a label is ripe, and what it does not know: one test per edge."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.errors import ColumnNotFound, ConfigError
from recobro_score.features import payment_labels
from recobro_score.features.eligibility import REASONS
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LABEL_KINDS, LabelSpec, standard_labels
from recobro_score.money import MISSING_MONEY
from tests.features.stores import AS_OF, EARLIER, store_of

DAY = US_PER_DAY
LATER = AS_OF + 365 * DAY
H = 30
END = AS_OF + H * DAY


def label(kind, tables=None, *, observed_until=LATER, lag=None, horizon_days=H, account=None, **fields):
    """Value and reason of one label of one account; unknown values as None."""
    store = store_of(tables, **{"principal": 1000, **(account or {})})
    spec = LabelSpec(kind, horizon_days, **fields)
    matrix = compute_labels(store, [AS_OF], [spec], observed_until=observed_until, lag=lag)
    value = float(matrix.value[0, 0])
    return (None if math.isnan(value) else value), REASONS[matrix.reason[0, 0]]


def contact(at, **fields):
    return {"contacts": [{"at": at, "channel": "call", "direction": "outbound", "outcome": "rpc", **fields}]}


def promise(at, due_at, *payments, amount=100, **fields):
    return {
        "promises": [{"at": at, "due_at": due_at, "amount": amount, **fields}],
        "payments": [{"at": paid_at, "amount": paid} for paid_at, paid in payments],
    }


def plan(accepted_at, ended_at=NEVER, end_reason=None, *, at=AS_OF - 10 * DAY):
    row = {"at": at, "accepted_at": accepted_at, "ended_at": ended_at, "end_reason": end_reason, "terms": "a"}
    return {"plans": [row]}


def late(days, *, instalments=(), **tables):
    """One instalment of 1000, `days` past due at the as-of; later ones as (instant, amount)."""
    rows = [(AS_OF - days * DAY, 1000), *instalments]
    schedule = [{"at": at, "amount": amount, "known_at": EARLIER - 365 * DAY} for at, amount in rows]
    return {"instalments": schedule, **tables}


def paid(*pairs, **fields):
    return [{"at": at, "amount": amount, **fields} for at, amount in pairs]


@pytest.mark.parametrize(("at", "value"), [(AS_OF - 1, 0), (AS_OF, 1), (END - 1, 1), (END, 0)])
def test_the_window_of_every_event_label_is_half_open(at, value):
    assert label("rpc", contact(at)) == (value, "known")
    assert label("promise_made", promise(at, END)) == (value, "known")
    assert label("recovered", {"payments": paid((at, 300))}) == (3.0 * value, "known")
    kept = label("cure", late(10, payments=paid((at, 1000))))
    assert kept == ((None, "not_late") if at < AS_OF else (value, "known"))


@pytest.mark.parametrize(
    ("at", "reason"), [(AS_OF - 1, "known"), (AS_OF, "contacted"), (END - 1, "contacted"), (END, "known")]
)
def test_the_window_of_contacts_that_spoil_a_self_cure_is_half_open(at, reason):
    assert label("self_cure", late(10, **contact(at)))[1] == reason


def test_neither_inbound_nor_blocked_contacts_spoil_a_self_cure():
    cured = late(10, payments=paid((AS_OF + DAY, 1000)))
    assert label("self_cure", cured | contact(AS_OF, direction="inbound")) == (1, "known")
    assert label("self_cure", cured | contact(AS_OF, outcome="blocked")) == (1, "known")
    assert label("self_cure", cured | contact(AS_OF, outcome="no_answer")) == (None, "contacted")


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_every_label_ripens_with_horizon_and_lag(kind):
    tables = {**late(10), **promise(AS_OF - DAY, AS_OF), **plan(AS_OF - DAY)}
    share = {"share": 0.5} if kind == "pays" else {}
    for lag in (0, 3 * DAY):
        assert label(kind, tables, observed_until=END + lag, lag=lag, **share)[1] == "known"
        assert label(kind, tables, observed_until=END + lag - 1, lag=lag, **share) == (None, "not_matured")


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_without_a_lag_a_label_waits_for_the_slowest_table_it_reads(kind):
    lags = {name: days * DAY for days, name in enumerate(("payments", "balances", "contacts"), start=2)}
    store = store_of({**late(10), **promise(AS_OF - DAY, AS_OF), **plan(AS_OF - DAY)}, principal=1000)
    store = replace(store, lags=store.lags | lags)
    spec = LabelSpec(kind, H, share=0.5 if kind == "pays" else None)
    wait = max(lags.get(table, 0) for table in LABEL_KINDS[kind])
    early, ripe = (
        compute_labels(store, [AS_OF], [spec], observed_until=END + wait + more).reason[0, 0]
        for more in (-1, 0)
    )
    assert (REASONS[early], REASONS[ripe]) == ("not_matured", "known")


@pytest.mark.parametrize("kind", LABEL_KINDS)
@pytest.mark.parametrize(("recalled_at", "reason"), [(END - 1, "recalled"), (END, "known")])
def test_an_account_recalled_within_the_window_has_no_label(kind, recalled_at, reason):
    placed = {"placements": [{"at": EARLIER, "recalled_at": recalled_at}]}
    tables = {**late(10), **promise(AS_OF - DAY, AS_OF), **plan(AS_OF - DAY), **placed}
    assert label(kind, tables, share=0.5 if kind == "pays" else None)[1] == reason


def test_what_became_known_after_the_observation_did_not_happen():
    for until, value in ((END, 0), (END + 1, 1)):
        seen = {"observed_until": until}
        assert label("rpc", contact(AS_OF, known_at=END), **seen)[0] == value
        assert label("promise_made", promise(AS_OF, END, known_at=END), **seen)[0] == value
        assert label("cure", late(10, payments=paid((AS_OF, 1000), known_at=END)), **seen)[0] == value


def test_a_payment_that_was_made_before_but_known_after_the_as_of_cures():
    tables = late(10, payments=paid((AS_OF - DAY, 1000), known_at=AS_OF))
    assert label("cure", tables) == (1, "known")
    assert label("recovered", tables) == (0, "known")


def test_a_payment_taken_back_cures_nothing():
    back = paid((AS_OF + 5 * DAY, 1000), kind="reversal")
    once = paid((AS_OF + DAY, 1000))
    assert label("cure", late(10, payments=once + back)) == (0, "known")
    assert label("cure", late(10, payments=once + paid((END, 1000), kind="reversal"))) == (1, "known")
    twice = paid((AS_OF + DAY, 1000), (AS_OF + 4 * DAY, 1000))
    assert label("cure", late(10, payments=twice + back)) == (1, "known")


def test_a_cure_counts_though_the_next_instalment_goes_unpaid():
    tables = late(10, instalments=[(AS_OF + 5 * DAY, 1000)], payments=paid((AS_OF + DAY, 1000)))
    assert label("cure", tables) == (1, "known")


def test_a_cure_may_last_for_hours():
    tables = late(10, instalments=[(AS_OF - DAY // 2, 1000)])
    assert label("cure", tables | {"payments": paid((AS_OF, 1000))}) == (1, "known")
    assert label("cure", tables | {"payments": paid((AS_OF + DAY // 2 - 1, 1000))}) == (0, "known")
    assert label("cure", tables | {"payments": paid((AS_OF + DAY // 2 - 2, 1000))}) == (1, "known")


@pytest.mark.parametrize("kind", ["write_off", "fee", "adjustment"])
def test_what_is_no_recovery_cures_nothing(kind):
    assert label("cure", late(10, payments=paid((AS_OF + DAY, 1000), kind=kind))) == (0, "known")


def test_a_recorded_balance_of_nothing_past_due_is_a_cure():
    balances = [{"at": AS_OF - DAY, "balance": 500, "dpd": 40.0}]
    later = [{"at": AS_OF + DAY, "balance": 400, "dpd": 0.0}]
    assert label("cure", {"balances": balances}) == (0, "known")
    assert label("cure", {"balances": balances + later}) == (1, "known")
    assert label("cure", {"balances": balances, "payments": paid((AS_OF + DAY, 500))}) == (1, "known")


def test_a_recorded_balance_bounds_what_the_schedule_says():
    settled = [{"at": AS_OF + DAY, "balance": 0, "dpd": 0.0}]
    assert label("cure", late(40, balances=settled)) == (1, "known")
    younger = [{"at": AS_OF - DAY, "balance": 1000, "dpd": 1.0}]
    assert label("roll_forward", late(61, balances=younger), horizon_days=28) == (0, "known")
    assert label("roll_forward", late(61, balances=younger), horizon_days=29) == (1, "known")


def test_a_label_of_lateness_needs_an_account_that_is_known_to_be_late():
    assert label("cure") == (None, "dpd_unknown")
    assert label("roll_forward") == (None, "dpd_unknown")
    assert label("cure", late(0)) == (None, "not_late")
    assert label("cure", late(1)) == (0, "known")


@pytest.mark.parametrize(
    ("days", "value"), [(0, 1), (1, 0), (2, 1), (31, 0), (32, 1), (61, 0), (62, 1), (151, 0), (152, 1)]
)
def test_the_last_look_at_a_roll_is_the_state_at_the_end_of_the_window(days, value):
    assert label("roll_forward", late(days), horizon_days=29) == (value, "known")


def test_a_roll_is_missed_by_a_microsecond():
    almost = [{"at": AS_OF - 2 * DAY + 1, "amount": 1000, "known_at": EARLIER}]
    assert label("roll_forward", late(2), horizon_days=29) == (1, "known")
    assert label("roll_forward", {"instalments": almost}, horizon_days=29) == (0, "known")


def test_a_roll_counts_though_all_was_paid_later():
    assert label("roll_forward", late(25, payments=paid((AS_OF + 6 * DAY, 1000)))) == (1, "known")
    assert label("roll_forward", late(25, payments=paid((AS_OF + 6 * DAY - 1, 1000)))) == (0, "known")


def test_from_the_worst_bucket_nothing_rolls():
    assert label("roll_forward", late(181)) == (None, "worst_bucket")
    assert label("roll_forward", late(180)) == (1, "known")


def test_the_deadline_of_a_promise_is_due_date_and_grace_half_open():
    deadline = AS_OF + 5 * DAY
    made, due = AS_OF - DAY, deadline - 3 * DAY
    assert label("promise_kept", promise(made, due, (deadline - 1, 100))) == (1, "known")
    assert label("promise_kept", promise(made, due, (deadline, 100))) == (0, "known")
    assert label("promise_kept", promise(made, due, (made - 1, 100))) == (0, "known")
    assert label("promise_kept", promise(made, due, (made, 50), (deadline - 1, 50))) == (1, "known")


def test_a_promise_is_decided_by_the_end_of_the_window_or_not_at_all():
    made = AS_OF - DAY
    assert label("promise_kept", promise(made, END - 3 * DAY)) == (0, "known")
    assert label("promise_kept", promise(made, END - 3 * DAY + 1)) == (None, "censored")
    assert label("promise_kept", promise(made, END, (END - 1, 100))) == (1, "known")
    assert label("promise_kept", promise(made, END, (END, 100))) == (None, "censored")


@pytest.mark.parametrize(
    ("at", "when_open", "when_new"),
    [(AS_OF - 1, "known", "no_promise"), (AS_OF, "no_promise", "known"), (END, "no_promise", "no_promise")],
)
def test_a_promise_is_either_open_or_new_or_later(at, when_open, when_new):
    tables = promise(at, AS_OF + DAY)
    assert label("promise_kept", tables, stake="open")[1] == when_open
    assert label("promise_kept", tables, stake="new")[1] == when_new


def test_a_promise_kept_or_broken_by_the_as_of_is_no_longer_at_stake():
    made = AS_OF - 10 * DAY
    assert label("promise_kept", promise(made, END, (made, 100)))[1] == "no_promise"
    assert label("promise_kept", promise(made, AS_OF - 3 * DAY))[1] == "no_promise"
    assert label("promise_kept", promise(made, AS_OF - 3 * DAY + 1)) == (0, "known")
    assert label("promise_kept", promise(made, END, amount=MISSING_MONEY))[1] == "no_promise"
    assert label("promise_kept", promise(made, AS_OF + DAY, known_at=AS_OF))[1] == "no_promise"


def test_a_promise_kept_with_money_taken_back_is_broken():
    tables = promise(AS_OF - DAY, AS_OF + DAY, (AS_OF, 100))
    back = paid((AS_OF + 2 * DAY, 100), kind="reversal")
    assert label("promise_kept", {**tables, "payments": tables["payments"] + back}) == (0, "known")


def test_one_broken_promise_decides_and_one_open_leaves_it_undecided():
    kept, broken, open_ = (
        {"at": AS_OF - DAY, "due_at": due_at, "amount": amount}
        for due_at, amount in ((AS_OF + DAY, 50), (AS_OF + DAY, 900), (END, 900))
    )
    money = paid((AS_OF, 50))
    assert label("promise_kept", {"promises": [kept], "payments": money}) == (1, "known")
    assert label("promise_kept", {"promises": [kept, open_], "payments": money}) == (None, "censored")
    assert label("promise_kept", {"promises": [kept, open_, broken], "payments": money}) == (0, "known")


@pytest.mark.parametrize(
    ("ended_at", "end_reason", "expected"),
    [
        (AS_OF - 1, "broken", (None, "no_plan")),
        (AS_OF, "broken", (0, "known")),
        (END - 1, "broken", (0, "known")),
        (END, "broken", (1, "known")),
        (END - 1, "completed", (1, "known")),
        (END - 1, "replaced", (None, "censored")),
        (END - 1, None, (None, "censored")),
        (NEVER, None, (1, "known")),
    ],
)
def test_a_plan_is_kept_until_it_breaks_in_the_window(ended_at, end_reason, expected):
    assert label("plan_kept", plan(AS_OF - DAY, ended_at, end_reason)) == expected


@pytest.mark.parametrize(
    ("accepted_at", "when_open", "when_new"),
    [
        (AS_OF - 1, "known", "no_plan"),
        (AS_OF, "no_plan", "known"),
        (END - 1, "no_plan", "known"),
        (END, "no_plan", "no_plan"),
        (NEVER, "no_plan", "no_plan"),
    ],
)
def test_a_plan_is_either_running_or_new_or_only_offered(accepted_at, when_open, when_new):
    assert label("plan_kept", plan(accepted_at), stake="open")[1] == when_open
    assert label("plan_kept", plan(accepted_at), stake="new")[1] == when_new


def test_a_plan_offered_after_the_window_is_not_new_in_it():
    assert label("plan_kept", plan(END - 1, at=END), stake="new") == (None, "no_plan")


def test_accounts_of_which_nothing_can_be_asked_have_no_label():
    for kind in ("rpc", "promise_made", "recovered"):
        assert label(kind, {"payments": paid((AS_OF - DAY, 1000))})[1] == "nothing_due"
        assert label(kind, account={"opened_at": AS_OF})[1] == "not_open"
        assert label(kind, {"placements": [{"at": EARLIER, "recalled_at": AS_OF}]})[1] == "not_placed"
    without_amount = {"principal": MISSING_MONEY}
    assert label("recovered", account=without_amount)[1] == "exposure_unknown"
    assert label("rpc", contact(AS_OF), account=without_amount) == (1, "known")


def test_payment_labels_are_the_same_labels():
    store = store_of(
        {"payments": paid((AS_OF + DAY, 400), (AS_OF + 2 * DAY, 5))}, n_accounts=2, principal=1000
    )
    one = payment_labels(store, [EARLIER, AS_OF], share=0.4, horizon_days=H, observed_until=END + 1)
    specs = (LabelSpec("pays", H, share=0.4), LabelSpec("recovered", H))
    matrix = compute_labels(store, [EARLIER, AS_OF], specs, observed_until=END + 1)
    np.testing.assert_array_equal(matrix.labels("pays_40_in_30d").value, one.value)
    np.testing.assert_array_equal(matrix.reason[:, 0], one.reason)
    np.testing.assert_array_equal(matrix.column("recovered_in_30d") * 100, one.recovered)
    np.testing.assert_array_equal(matrix.exposure, one.exposure)


def test_the_frame_and_the_counts_tell_every_pair():
    store = store_of({"payments": paid((AS_OF + DAY, 400))}, n_accounts=3, principal=1000)
    specs = standard_labels((10, 20), (0.1, 0.4, 0.5))
    matrix = compute_labels(store, [EARLIER, AS_OF], specs, observed_until=AS_OF + 15 * DAY)
    frame, counts = matrix.frame(), matrix.counts()
    assert list(frame)[:4] == ["account", "as_of", "pays_10_in_10d", "pays_10_in_10d_reason"]
    assert len(frame) == len(matrix) == 6
    assert (counts.groupby("label")["pairs"].sum() == 6).all()
    pays = counts.query("label == 'pays_40_in_10d'").drop(columns=["label", "as_of"])
    assert pays.to_numpy().tolist() == [["known", 3, 0], ["known", 3, 1]]
    late_ones = counts.query("label == 'pays_40_in_20d'").drop(columns=["label", "as_of"])
    assert late_ones.to_numpy().tolist() == [["known", 3, 0], ["not_matured", 3, 0]]
    assert (frame["pays_40_in_20d"].isna() == (frame["pays_40_in_20d_reason"] != "known")).all()
    assert matrix.take(matrix.known[:, 0]).frame().equals(frame[matrix.known[:, 0]].reset_index(drop=True))


def test_a_wrong_question_is_refused():
    store = store_of()
    spec = LabelSpec("rpc", 30)
    with pytest.raises(ConfigError, match="rpc_in_30d occur more than once"):
        compute_labels(store, [AS_OF], [spec, spec], observed_until=LATER)
    for as_ofs, specs in (([], [spec]), ([AS_OF], [])):
        with pytest.raises(ConfigError, match="at least one"):
            compute_labels(store, as_ofs, specs, observed_until=LATER)
    matrix = compute_labels(store, [AS_OF], [spec, LabelSpec("recovered", 30)], observed_until=LATER)
    with pytest.raises(ColumnNotFound, match="Did you mean 'rpc_in_30d'"):
        matrix.column("rpc_in_31d")
    with pytest.raises(ConfigError, match="not an event"):
        matrix.labels("recovered_in_30d")
