"""Small event stores from plain rows, and random rows that crowd around the edges of windows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant
from recobro_score.data.contracts import CONTRACTS, EVENT_TABLES
from recobro_score.data.events import EventStore, EventTable
from recobro_score.money import MISSING_MONEY

AS_OF = parse_instant("2025-03-31")
EARLIER = parse_instant("2025-03-01")
OPENED = parse_instant("2023-01-01")
CLOCKS = {
    "placements": "placed_at",
    "facts": "from_at",
    "holds": "from_at",
    "instalments": "due_at",
    "payments": "paid_at",
    "contacts": "attempted_at",
    "promises": "promised_at",
    "plans": "offered_at",
    "complaints": "made_at",
    "decisions": "decided_at",
}
COMPUTED = {
    "payments": {"recovery": "money"},
    "contacts": {"local_minute": "count", "local_weekday": "count"},
}


def _empty(kind):
    return {"later": NEVER, "time": NEVER, "money": MISSING_MONEY, "number": np.nan, "count": 0}.get(kind)


def columns_of(table):
    contract = {c.name: c.kind for c in CONTRACTS[table].columns}
    owner = {"account_id"} if CONTRACTS[table].owner == "account" else {"account_id", "debtor_id"}
    left_out = {*owner, "known_at", CLOCKS.get(table), CONTRACTS[table].unique}
    kinds = {name: kind for name, kind in contract.items() if name not in left_out}
    return {**kinds, **COMPUTED.get(table, {})}


def complete(table, row):
    """Fill in what a row leaves out, and what the store computes."""
    full = {name: row.get(name, _empty(kind)) for name, kind in columns_of(table).items()}
    full |= {"owner": row.get("owner", 0), "at": row["at"], "known_at": row.get("known_at", row["at"])}
    if table == "payments":
        full["kind"] = row.get("kind", "payment")
        sign = {"payment": 1, "reversal": -1}.get(full["kind"], 0)
        full["recovery"] = sign * abs(full["amount"])
    if table == "contacts":
        full["local_minute"] = full["at"] % US_PER_DAY // 60_000_000
        full["local_weekday"] = (full["at"] // US_PER_DAY + 3) % 7
    return full


def order(row):
    return (row["owner"], row["at"], row["known_at"], repr(sorted(row.items(), key=lambda item: item[0])))


def _table(name, rows, n_owners):
    rows = sorted((complete(name, row) for row in rows), key=order)
    counts = np.bincount([row["owner"] for row in rows], minlength=n_owners)
    columns, vocabularies, ids = {}, {}, {}
    for column, kind in columns_of(name).items():
        values = [row[column] for row in rows]
        if kind == "category":
            words = tuple(sorted({value for value in values if value is not None}))
            codes = [-1 if value is None else words.index(value) for value in values]
            columns[column], vocabularies[column] = np.array(codes, dtype=np.int32), words
        elif kind == "id":
            ids[column] = pa.array(values, pa.string())
        else:
            columns[column] = np.array(values, dtype=np.float64 if kind == "number" else np.int64)
    return EventTable(
        name=name,
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        at=np.array([row["at"] for row in rows], dtype=np.int64),
        known_at=np.array([row["known_at"] for row in rows], dtype=np.int64),
        columns=columns,
        vocabularies=vocabularies,
        ids=ids,
    )


def store_of(tables=None, *, n_accounts=1, debtor_of=None, digits=None, time_zone="UTC", **account):
    """A store of accounts 0 … n − 1; rows name their owner's number under ``owner`` (0 when left out)."""
    tables = tables or {}
    debtor_of = np.arange(n_accounts) if debtor_of is None else np.array(debtor_of)
    n_debtors = int(debtor_of.max()) + 1
    digits = np.full(n_accounts, 2) if digits is None else np.array(digits)
    owners = {name: n_debtors if CONTRACTS[name].owner == "debtor" else n_accounts for name in EVENT_TABLES}
    words = ("alpha", "beta")
    code = np.arange(n_accounts) % 3 - 1
    accounts = {
        "opened_at": np.full(n_accounts, account.get("opened_at", OPENED)),
        "known_at": np.full(n_accounts, account.get("known_at", OPENED)),
        "limitation_at": np.full(n_accounts, NEVER),
        "principal": np.full(n_accounts, account.get("principal", 100_000)),
        "credit_limit": np.full(n_accounts, account.get("credit_limit", 200_000)),
        "annual_rate": np.linspace(0.0, 0.3, n_accounts),
    }
    categories = ("currency", "country", "subdivision", "product", "creditor")
    people = ("country", "subdivision", "language", "time_zone")
    return EventStore(
        account_ids=pa.array([f"A{i:03d}" for i in range(n_accounts)]),
        debtor_ids=pa.array([f"D{i:03d}" for i in range(n_debtors)]),
        account_debtor=debtor_of.astype(np.int64),
        accounts=accounts | {name: code.astype(np.int32) for name in categories},
        debtors={
            "known_at": np.full(n_debtors, OPENED),
            "birth_year": np.full(n_debtors, np.nan),
            **{name: (np.arange(n_debtors) % 3 - 1).astype(np.int32) for name in people},
        },
        vocabularies={
            **{f"accounts.{name}": words for name in categories},
            **{f"debtors.{name}": words for name in people},
        },
        digits=digits.astype(np.int8),
        zone=np.zeros(n_accounts, np.int32),
        zones=(time_zone,),
        tables={name: _table(name, tables.get(name, ()), owners[name]) for name in EVENT_TABLES},
        time_zone=time_zone,
        lags=dict.fromkeys(EVENT_TABLES, 0),
        stopped=np.zeros(n_accounts, dtype=bool),
        blocked=(),
    )


_days = st.sampled_from(
    (-366, -365, -181, -91, -90, -61, -60, -59, -31, -30, -29, -28, -8, -7, -3, -1, 0, 1, 3, 7, 29, 30, 31)
)
instants = st.builds(
    lambda days, hours, edge: AS_OF + days * US_PER_DAY + hours * US_PER_DAY // 24 + edge,
    _days,
    st.sampled_from((0, 0, 0, 9, 13, 20)),
    st.sampled_from((0, 0, -1, 1)),
)
_lags = st.sampled_from((0, 0, 0, 1, US_PER_DAY, 3 * US_PER_DAY, 30 * US_PER_DAY))
_amounts = st.integers(-3, 40).map(lambda units: units * 137)
_numbers = st.sampled_from((0.0, 1.0, 2.5, 30.0, 61.25, np.nan))
_later = st.one_of(st.just(NEVER), instants)


def _rows(n_owners, **columns):
    one = st.fixed_dictionaries(
        {"owner": st.integers(0, n_owners - 1), "at": instants, "lag": _lags, **columns}
    )
    return st.lists(one, max_size=12).map(
        lambda rows: [{**row, "known_at": row["at"] + row["lag"]} for row in rows]
    )


def _words(*words):
    return st.sampled_from((*words, None))


def _due(rows):
    """A schedule is known from some instant that does not depend on its due dates."""
    return [{**row, "known_at": AS_OF - 40 * US_PER_DAY + row["lag"] * 2} for row in rows]


def event_rows(n_accounts, n_debtors):
    """Random rows of every table that recipes read."""
    money = {"amount": _amounts}
    return st.fixed_dictionaries(
        {
            "payments": _rows(
                n_accounts,
                amount=st.integers(0, 40).map(lambda units: units * 137),
                kind=st.sampled_from(("payment", "payment", "payment", "reversal", "write_off")),
                method=_words("card", "cash", "transfer"),
            ),
            "instalments": _rows(n_accounts, **money, plan_id=_words("P1", None, None)).map(_due),
            "balances": _rows(n_accounts, balance=_amounts, dpd=_numbers).map(
                lambda rows: [{**row, "known_at": row["at"]} for row in rows]
            ),
            "contacts": _rows(
                n_accounts,
                channel=_words("call", "sms", "email"),
                direction=st.sampled_from(("outbound", "outbound", "inbound")),
                outcome=_words("rpc", "no_answer", "replied"),
                agent=_words("bot", "human"),
                duration_s=_numbers,
                cost=_amounts,
            ),
            "promises": _rows(
                n_accounts,
                amount=st.one_of(_amounts, st.just(MISSING_MONEY)),
                due_at=_later,
                taken_by=_words("human"),
            ),
            "plans": _rows(
                n_accounts,
                terms=_words("a", '{"discount": 0.25}', '{"discount": true, "instalments": 3}', "[]"),
                accepted_at=_later,
                ended_at=_later,
                end_reason=_words("broken", "completed"),
            ),
            "placements": _rows(n_accounts, recalled_at=_later, stage=_words("early", "late")),
            "decisions": _rows(
                n_accounts,
                action_id=_words("call", "no_action"),
                offer=_words('{"terms": {"discount": 0.5}}', '{"terms": null}', "{"),
            ),
            "parties": _rows(n_accounts, role=_words("guarantor", "debtor")),
            "complaints": _rows(n_debtors, kind=_words("opt_out", "dispute")),
            "contact_points": _rows(n_debtors, channel=_words("call", "sms"), wrong_from=_later),
        }
    )
