"""Random raw tables that crowd around the edges of windows: ties, late reports, duplicates, currencies."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from recobro_score.data.options import PortfolioOptions

DAY = 86_400_000_000
HOUR = DAY // 24
N_ACCOUNTS = 48
N_DEBTORS = 30
N_EMPTY = 3
"""Accounts at the end of the list that have no rows at all."""

ZONES = {
    "Europe/Madrid": ("2025-03-31", "2025-02-28", "2024-10-28"),
    "America/Santiago": ("2024-11-08", "2025-04-06T12:00", "2025-05-01"),
}
"""Portfolio zones and as-ofs: month ends, days when clocks change, a month begun in a gap, holidays."""

LAG_DAYS = {"payments": 1.0, "instalments": 0.5}
_EDGES = (-366, -365, -180, -90, -60, -30, -14, -7, -4, -3, -1, 0, 1, 3, 7, 30, 60, 365)


class RandomTables:
    """The raw tables of one portfolio, as Arrow; `as_ofs` are µs UTC."""

    def __init__(self, seed, time_zone):
        self.rng = np.random.default_rng(seed)
        self.time_zone = time_zone
        self.as_ofs = [_instant(text, time_zone) for text in ZONES[time_zone]]
        self.anchors = [
            _months_back(text, months, time_zone) for text in ZONES[time_zone] for months in range(8)
        ]
        self.options = PortfolioOptions(time_zone=time_zone, lag_days=LAG_DAYS)
        self.accounts = np.array([f"A{i:02d}" for i in range(N_ACCOUNTS)])
        self.debtor_of = self.rng.permutation(np.r_[np.arange(N_DEBTORS), self.pick(np.arange(8), 18)])
        frames = {
            "accounts": self._accounts(),
            "debtors": self._debtors(),
            "payments": self._payments(),
            "balances": self._balances(),
            "contacts": self._contacts(),
            "promises": self._promises(),
            "plans": self._plans(),
            "decisions": self._decisions(),
            **self._people(),
        }
        frames["instalments"] = self._instalments(frames["plans"])
        self.frames = {name: _arrow(frame) for name, frame in frames.items()}

    def pick(self, values, n):
        chosen = np.array(values, dtype=object)
        return chosen[self.rng.integers(0, len(chosen), n)]

    def instants(self, n):
        """Around the edges of windows and months, a third of them shared among rows."""
        anchor = np.where(
            self.rng.random(n) < 0.7, self.pick(self.as_ofs, n), self.pick(self.anchors, n)
        ).astype(np.int64)
        days = self.pick(_EDGES, n).astype(np.int64) * (self.rng.random(n) < 0.8)
        spread = self.rng.integers(-200, 20, n) * (self.rng.random(n) < 0.4)
        hours = self.pick((0, 0, 0, 9, 12, 17, 23), n).astype(np.int64)
        return anchor + (days + spread) * DAY + hours * HOUR + self.pick((0, 0, 0, -1, 1), n).astype(np.int64)

    def times(self, n, *, missing=0.0):
        us = self.instants(n)
        return _timestamps(np.where(self.rng.random(n) < missing, np.iinfo(np.int64).min, us))

    def later(self, n, missing):
        """Later dates, most of them at a snapshot or a microsecond beside it."""
        near = self.pick(self.as_ofs, n).astype(np.int64) + self.pick((-1, 0, 1), n).astype(np.int64)
        us = np.where(self.rng.random(n) < 0.6, near, self.instants(n))
        return _timestamps(np.where(self.rng.random(n) < missing, np.iinfo(np.int64).min, us))

    def reported(self, at, *, missing=0.3):
        """When rows became known: some at once, some late, some before they happened, some not said."""
        lag = self.pick((0, 0, 0, 1, HOUR, DAY, 10 * DAY, 45 * DAY, -DAY), len(at)).astype(np.int64)
        known = at.to_numpy("M8[us]").astype(np.int64) + lag
        return _timestamps(np.where(self.rng.random(len(at)) < missing, np.iinfo(np.int64).min, known))

    def whose(self, n):
        return self.rng.choice(self.accounts[:-N_EMPTY], n)

    def events(self, n, clock, **columns):
        at = self.times(n)
        clocks = pd.DataFrame({"account_id": self.whose(n), clock: at, "known_at": self.reported(at)})
        tied = self.rng.random(n) < 0.15
        tied[0] = False
        clocks[tied] = clocks.shift(1)[tied]
        return clocks.assign(**columns)

    def amounts(self, n, low=0):
        return self.rng.integers(low, 25, n) * 12.5

    def _accounts(self):
        n = N_ACCOUNTS
        opened = np.where(self.rng.random(n) < 0.8, self.as_ofs[0] - 900 * DAY, self.instants(n))
        late = np.where(self.rng.random(n) < 0.2, self.instants(n), np.iinfo(np.int64).min)
        return pd.DataFrame(
            {
                "account_id": self.accounts,
                "debtor_id": [f"D{i:02d}" for i in self.debtor_of],
                "opened_at": _timestamps(opened),
                "known_at": _timestamps(late),
                "currency": self.pick(("EUR", "EUR", "CLP", "KWD"), n),
                "country": self.pick(("ES", "CL", "CO", "ZZ"), n),
                "subdivision": self.pick(("ES-MD", "CT", "AP", None), n),
                "product": self.pick(("card", "loan", None), n),
                "creditor": self.pick(("bank", "shop"), n),
                "principal": np.where(self.rng.random(n) < 0.2, np.nan, self.amounts(n) * 10),
                "credit_limit": self.pick((0.0, 250.0, 1000.0, np.nan), n).astype(float),
                "annual_rate": self.pick((0.0, 0.19, np.nan), n).astype(float),
            }
        )

    def _debtors(self):
        n = N_DEBTORS - 2
        return pd.DataFrame(
            {
                "debtor_id": [f"D{i:02d}" for i in range(n)],
                "time_zone": self.pick(("America/New_York", "Asia/Taipei", "Europe/Madrid", None, None), n),
                "country": self.pick(("CL", "GB", None), n),
                "language": self.pick(("es", "en", None), n),
                "known_at": self.times(n, missing=0.7),
            }
        )

    def _payments(self, n=700):
        kinds = ("payment",) * 6 + ("reversal", "reversal", "fee", "write_off", "adjustment", None)
        kind = self.pick(kinds, n)
        amount = self.amounts(n)
        amount = np.where((kind == "reversal") & (self.rng.random(n) < 0.5), -amount, amount)
        frame = self.events(
            n,
            "paid_at",
            amount=amount,
            kind=kind,
            method=self.pick(("card", "cash", "transfer", None), n),
            payment_id=[None if i % 9 == 0 else f"P{self.rng.integers(10**6)}-{i}" for i in range(n)],
        )
        return pd.concat([frame, self._later_versions(frame)], ignore_index=True)

    def _later_versions(self, frame):
        """Rows that repeat an id with another amount, told later: the first version stands."""
        again = frame[frame["payment_id"].notna() & frame["known_at"].notna()].sample(20, random_state=1)
        return again.assign(amount=again["amount"] + 1000, known_at=again["known_at"] + pd.Timedelta("1h"))

    def _balances(self, n=400):
        return pd.DataFrame(
            {
                "account_id": self.whose(n),
                "known_at": self.times(n),
                "balance": self.amounts(n, low=-2),
                "interest": np.where(self.rng.random(n) < 0.3, np.nan, self.amounts(n)),
                "fees": np.where(self.rng.random(n) < 0.3, np.nan, self.amounts(n)),
                "dpd": self.pick((0.0, 0.0, 0.5, 1.0, 15.0, 45.0, 95.0, 200.0, -3.0, np.nan), n).astype(
                    float
                ),
            }
        )

    def _contacts(self, n=900):
        outcomes = "rpc no_answer busy voicemail third_party wrong_number opened replied failed blocked"
        return self.events(
            n,
            "attempted_at",
            channel=self.pick(("call", "call", "ivr", "sms", "whatsapp", "email", "letter"), n),
            direction=self.pick(("outbound", "outbound", "outbound", "inbound"), n),
            outcome=self.pick(outcomes.split(), n),
            agent=self.pick(("human", "bot", None), n),
            duration_s=self.pick((0.0, 12.5, 61.0, np.nan), n).astype(float),
            cost=np.where(self.rng.random(n) < 0.2, np.nan, self.amounts(n)),
            contact_id=[f"C{i}" for i in self.rng.permutation(n)],
        )

    def _promises(self, n=220):
        frame = self.events(
            n,
            "promised_at",
            due_at=self.times(n),
            amount=self.amounts(n),
            promise_id=[f"R{i}" for i in self.rng.permutation(n)],
        )
        soon = frame["promised_at"] + pd.to_timedelta(self.rng.integers(0, 20, n), unit="D")
        given_up = self.later(n, 0.0) - pd.Timedelta(days=3)
        due = frame["due_at"].where(self.rng.random(n) < 0.5, soon)
        return frame.assign(due_at=due.where(self.rng.random(n) < 0.7, given_up))

    def _plans(self, n=90):
        terms = ('{"discount": 0.25}', '{"terms": {"discount": 0.5}}', '{"instalments": 3}', "[]", "free")
        return self.events(
            n,
            "offered_at",
            plan_id=[f"N{i}" for i in self.rng.permutation(n)],
            terms=self.pick((*terms, '{"discount": true}', '{"discount": "much"}'), n),
            accepted_at=self.later(n, 0.4),
            ended_at=self.later(n, 0.5),
            end_reason=self.pick(("broken", "completed", None), n),
        )

    def _decisions(self, n=260):
        offers = ('{"discount": 0.1}', '{"terms": {"discount": 0.4}}', '{"terms": null}', "none")
        return self.events(
            n,
            "decided_at",
            action_id=self.pick(("no_action", "no_action", "call", "sms"), n),
            offer=self.pick((*offers, None, None), n),
            decision_id=[f"X{i}" for i in self.rng.permutation(n)],
        )

    def _instalments(self, plans, n=500):
        """Contractual ones and those of plans; half of them say when they were known."""
        plans = plans.sample(n // 5, replace=True, random_state=2)
        contractual = pd.DataFrame({"account_id": self.whose(n), "plan_id": None})
        rows = pd.concat([contractual, plans[["account_id", "plan_id"]]], ignore_index=True)
        amount = self.amounts(len(rows))
        return rows.assign(
            due_at=self.times(len(rows)), amount=amount, known_at=self.times(len(rows), missing=0.6)
        )

    def _people(self):
        n = 80
        placed = self.times(n)
        ahead = placed + pd.to_timedelta(self.rng.integers(0, 200, n), unit="D")
        debtors = [f"D{i:02d}" for i in self.rng.integers(0, N_DEBTORS, n)]
        return {
            "placements": pd.DataFrame(
                {
                    "account_id": self.whose(n),
                    "placed_at": placed,
                    "known_at": self.reported(placed),
                    "recalled_at": ahead.where(self.rng.random(n) < 0.6),
                    "stage": self.pick(("early", "late", None), n),
                }
            ),
            "parties": pd.DataFrame(
                {
                    "account_id": self.whose(n),
                    "debtor_id": debtors,
                    "role": self.pick(("debtor", "co_debtor", "guarantor"), n),
                    "known_at": self.times(n),
                }
            ),
            "contact_points": pd.DataFrame(
                {
                    "contact_point_id": [f"T{i}" for i in self.rng.permutation(n)],
                    "debtor_id": debtors,
                    "channel": self.pick(("call", "sms", "whatsapp", "email", "letter"), n),
                    "wrong_from": self.later(n, 0.5),
                    "known_at": self.times(n),
                }
            ),
        }


def _instant(text, time_zone):
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone))
    return round(moment.timestamp()) * 1_000_000


def _months_back(text, months, time_zone):
    wall = pd.Timestamp(text) - pd.DateOffset(months=months)
    return _instant(wall.isoformat(), time_zone)


def _timestamps(us):
    return pd.Series(us.astype("M8[us]"))


def _arrow(frame):
    """The frame as an Arrow table; its times are UTC."""
    aware = pa.timestamp("us", "UTC")
    return pa.table(
        {
            name: pa.array(column, aware if column.dtype.kind == "M" else None, from_pandas=True)
            for name, column in frame.items()
        }
    )
