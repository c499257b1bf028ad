"""Every kind of label again, by plain loops over plain rows, reasons included."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_DAY
from recobro_score.data.state import account_state
from recobro_score.features.arrears import arrears_ahead
from recobro_score.features.eligibility import REASONS
from recobro_score.features.label_matrix import compute_labels
from recobro_score.features.label_specs import LabelSpec, standard_labels
from recobro_score.money import MISSING_MONEY
from tests.features.stores import AS_OF, EARLIER, complete, event_rows, order, store_of

DAY = US_PER_DAY
LATER = AS_OF + 90 * DAY
SPECS = (
    *standard_labels((7, 30), (0.1, 0.3333, 1.0)),
    LabelSpec("promise_kept", 30, stake="new", grace_days=0, tolerance=0.5, name="half_kept"),
)


class Ahead:
    """What the rows of one account say of one window."""

    def __init__(self, tables, account, as_of, horizon, observed_until, principal):
        self.rows = {
            name: sorted((complete(name, row) for row in rows if row.get("owner", 0) == account), key=order)
            for name, rows in tables.items()
            if name not in ("complaints", "contact_points")
        }
        self.as_of, self.end, self.until, self.principal = as_of, as_of + horizon, observed_until, principal

    def of(self, table):
        return self.rows.get(table, [])

    def known(self, table, low=-math.inf, high=math.inf):
        return [row for row in self.of(table) if row["known_at"] < self.until and low <= row["at"] < high]

    def inside(self, table):
        return self.known(table, self.as_of, self.end)

    def seen(self, table):
        return [row for row in self.of(table) if row["known_at"] < self.as_of and row["at"] < self.as_of]

    def recovered(self, low, high):
        return sum(row["recovery"] for row in self.known("payments", low, high))

    def stays(self, low, instant):
        """Money taken back is the money that came last."""
        stack, missing = [], 0
        for row in self.known("payments", low, self.end):
            if row["recovery"] >= 0:
                stack.append([row["at"], row["recovery"]])
                continue
            taken = -row["recovery"]
            while taken and stack:
                part = min(taken, stack[-1][1])
                stack[-1][1] -= part
                taken -= part
                if stack[-1][1] == 0:
                    stack.pop()
            missing += taken
        return sum(amount for at, amount in stack if at < instant) - missing

    def dpd(self, instant, money):
        """Days past due at an instant, where `money(low)` was recovered since `low`."""
        schedule = [
            row for row in self.of("instalments") if row["plan_id"] is None and row["known_at"] < instant
        ]
        dated = [row for row in self.of("balances") if row["at"] < instant]
        recorded = max(dated[-1]["dpd"], 0.0) if dated and dated[-1]["dpd"] == dated[-1]["dpd"] else math.nan
        aged = recorded + (instant - dated[-1]["at"]) // DAY if recorded > 0 else recorded
        if schedule:
            total, oldest = 0, None
            for row in schedule:
                if row["at"] < instant:
                    total += row["amount"]
                    fresh = recorded != 0 or row["at"] >= dated[-1]["at"]
                    if oldest is None and fresh and total > money(-math.inf):
                        oldest = row["at"]
            days = 0 if oldest is None else (instant - oldest) // DAY
            days = min(days, aged) if recorded > 0 else days
            return days if total > money(-math.inf) else 0
        if dated:
            return aged if dated[-1]["balance"] > money(dated[-1]["at"]) else 0
        if self.principal == MISSING_MONEY:
            return math.nan
        return math.nan if self.principal > money(-math.inf) else 0

    def instants(self):
        times = [self.as_of, self.end, *range(self.as_of, self.end, DAY)]
        for table, clock in (
            ("payments", "at"),
            ("balances", "at"),
            ("instalments", "at"),
            ("instalments", "known_at"),
        ):
            times += [row[clock] + step for row in self.of(table) for step in (0, 1)]
        return sorted({time for time in times if self.as_of <= time <= self.end})

    def cured(self):
        return any(self.dpd(t, lambda low, t=t: self.stays(low, t)) == 0 for t in self.instants())

    def worst(self):
        days = [self.dpd(t, lambda low, t=t: self.recovered(low, t)) for t in self.instants()]
        return max((number for number in days if number == number), default=math.nan)

    def contacted(self):
        return any(
            row["direction"] == "outbound" and row["outcome"] != "blocked" for row in self.inside("contacts")
        )

    def promises(self, spec):
        """What became of the promises at stake."""
        rows = self.seen("promises") if spec.stake == "open" else self.inside("promises")
        grace, part = round(spec.grace_days * DAY), Fraction(str(spec.tolerance))
        fates = []
        for row in rows:
            deadline = row["due_at"] + grace
            if row["amount"] == MISSING_MONEY:
                continue
            then = sum(
                paid["recovery"] for paid in self.seen("payments") if row["at"] <= paid["at"] < deadline
            )
            if spec.stake == "open" and (then >= row["amount"] * part or deadline <= self.as_of):
                continue
            if self.recovered(row["at"], min(deadline, self.end)) >= row["amount"] * part:
                fates.append("kept")
            else:
                fates.append("broken" if deadline <= self.end else "undecided")
        return fates

    def plans(self, spec):
        """What became of the plans at stake."""
        if spec.stake == "open":
            rows = [row for row in self.seen("plans") if row["accepted_at"] < self.as_of <= row["ended_at"]]
        else:
            rows = [row for row in self.known("plans") if self.as_of <= row["accepted_at"] < self.end]
        ends = {"broken": "broken", "completed": "kept", None: "undecided"}
        return [ends[row["end_reason"]] if row["ended_at"] < self.end else "kept" for row in rows]

    def recalled_at(self):
        running = [row["recalled_at"] for row in self.seen("placements") if row["recalled_at"] > self.as_of]
        return max(running, default=NEVER)

    def placed(self):
        seen = self.seen("placements")
        return not seen or any(row["recalled_at"] > self.as_of for row in seen)


def expected(ahead, spec, exposure, dpd, bucket):
    """Return the reason and the value of a label."""
    before, after, value = [], [], None
    owes = ("nothing_due", exposure != MISSING_MONEY and exposure <= 0)
    if spec.kind in ("pays", "recovered"):
        before = [("exposure_unknown", exposure == MISSING_MONEY), owes]
        value = ahead.recovered(ahead.as_of, ahead.end)
        value = value / 100 if spec.share is None else value >= Fraction(str(spec.share)) * exposure
    elif spec.kind == "rpc":
        before, value = [owes], any(row["outcome"] == "rpc" for row in ahead.inside("contacts"))
    elif spec.kind == "promise_made":
        before, value = [owes], bool(ahead.inside("promises"))
    elif spec.kind in ("cure", "self_cure"):
        before, value = [("dpd_unknown", dpd != dpd), ("not_late", dpd == 0)], ahead.cured()
        after = [("contacted", spec.kind == "self_cure" and ahead.contacted())]
    elif spec.kind == "roll_forward":
        before = [("dpd_unknown", bucket < 0), ("worst_bucket", bucket == 5)]
        value = bucket < sum(ahead.worst() >= start for start in (1, 31, 61, 91, 181))
    else:
        fates = (ahead.promises if spec.kind == "promise_kept" else ahead.plans)(spec)
        none = [("no_promise" if spec.kind == "promise_kept" else "no_plan", not fates)]
        before, after = (none, []) if spec.stake == "open" else ([], none)
        after = [*after, ("censored", "broken" not in fates and "undecided" in fates)]
        value = "broken" not in fates
    window = [("recalled", ahead.recalled_at() < min(ahead.end, ahead.until))]
    window += [("not_matured", ahead.end > ahead.until)]
    checks = [("not_placed", not ahead.placed()), *before, *window, *after]
    reason = next((name for name, holds in checks if holds), "known")
    return reason, float(value) if reason == "known" else math.nan


def _around(*instants):
    return st.sampled_from([instant + step for instant in instants for step in (-DAY, 0, -1, 1, DAY)])


_plans = st.lists(
    st.builds(
        lambda owner, accepted_at, lag, ended_at, end_reason: {
            "owner": owner,
            "at": accepted_at - 2 * DAY,
            "known_at": accepted_at - 2 * DAY + lag,
            "accepted_at": accepted_at,
            "ended_at": ended_at,
            "end_reason": end_reason,
            "terms": "a",
        },
        st.integers(0, 1),
        _around(EARLIER, AS_OF, AS_OF + 7 * DAY),
        st.sampled_from((0, 0, 2 * DAY, 60 * DAY)),
        st.one_of(_around(EARLIER + 7 * DAY, AS_OF, AS_OF + 7 * DAY, AS_OF + 30 * DAY), st.just(NEVER)),
        st.sampled_from(("broken", "completed", None)),
    ),
    max_size=4,
)


@st.composite
def portfolios(draw):
    """Random rows; some attempts were blocked, and a table that decides what is late may be left out."""
    tables = draw(event_rows(2, 1)) | {"plans": draw(_plans)}
    for row in tables["contacts"]:
        row["outcome"] = row["outcome"] or "blocked"
    absent = draw(st.sets(st.sampled_from(("placements", "instalments", "balances"))))
    return {name: rows for name, rows in tables.items() if name not in absent}


@settings(max_examples=35, deadline=None)
@given(
    tables=portfolios(),
    principal=st.sampled_from((MISSING_MONEY, 1000, 1000)),
    observed_until=st.sampled_from((LATER, LATER, AS_OF + 30 * DAY, AS_OF + 10 * DAY)),
)
def test_every_label_agrees_with_plain_loops(tables, principal, observed_until):
    store = store_of(tables, n_accounts=2, debtor_of=[0, 0], principal=principal)
    matrix = compute_labels(store, [EARLIER, AS_OF], SPECS, observed_until=observed_until)
    state = account_state(store, [EARLIER, AS_OF])
    for i in range(len(matrix)):
        for place, spec in enumerate(SPECS):
            ahead = Ahead(
                tables,
                int(matrix.account[i]),
                int(matrix.as_of[i]),
                round(spec.horizon_days * DAY),
                observed_until,
                principal,
            )
            reason, value = expected(ahead, spec, int(state.exposure[i]), state.dpd[i], int(state.bucket[i]))
            found = REASONS[matrix.reason[i, place]], matrix.value[i, place]
            assert found[0] == reason, spec
            np.testing.assert_equal(found[1], value, err_msg=spec.name)


@settings(max_examples=25, deadline=None)
@given(tables=portfolios(), principal=st.sampled_from((MISSING_MONEY, 1000)))
def test_arrears_are_those_of_the_account_state_with_payments_known_at_once(tables, principal):
    horizon = 30 * DAY
    store = store_of(tables, n_accounts=2, debtor_of=[0, 0], principal=principal)
    most = arrears_ahead(store, np.array([AS_OF]), horizon, LATER).most
    payments = store.tables["payments"]
    at_once = np.where(payments.known_at < LATER, payments.at, NEVER)
    later_known = replace(payments, known_at=at_once)
    hindsight = replace(store, tables={**store.tables, "payments": later_known})
    for account in range(2):
        ahead = Ahead(tables, account, AS_OF, horizon, LATER, principal)
        days = account_state(hindsight.take(np.array([account])), ahead.instants()).dpd
        known = days[~np.isnan(days)]
        np.testing.assert_equal(most[account], known.max() if len(known) else np.nan)
