"""Random records of one account: ties, repeated ids, others' rows, two words for one thing, in any form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st


def _day(number):
    return st.integers(-number, number).map(lambda days: datetime(2025, 2, 1) + timedelta(days=days))


def rows_of(**columns):
    return st.lists(st.fixed_dictionaries({"account_id": st.just("A"), **columns}), max_size=5)


ids = st.sampled_from((None, None, None, None, "P1", "P2", "P3", "P4", "P5"))
amounts = st.sampled_from((0.0, 10.0, 10.5, 99.99))
ACCOUNT = st.fixed_dictionaries(
    {
        "account_id": st.just("A"),
        "debtor_id": st.just("D"),
        "opened_at": _day(30),
        "currency": st.sampled_from(("EUR", "CLP", "eur")),
        "country": st.sampled_from(("ES", "CL", "XX")),
        "subdivision": st.sampled_from((None, "ES-MD")),
        "principal": st.sampled_from((None, 1000.0)),
    }
)
TABLES = st.fixed_dictionaries(
    {
        "accounts": ACCOUNT.map(lambda row: [row]),
        "debtors": st.sampled_from(
            ([], [{"debtor_id": "D", "time_zone": "Europe/Madrid", "language": "es"}], [{"debtor_id": "D"}])
        ),
        "payments": rows_of(
            paid_at=_day(40),
            amount=amounts,
            payment_id=ids,
            kind=st.sampled_from((None, "payment", "reversal", "Pago")),
            method=st.sampled_from((None, "card", "cash")),
        ),
        "cuotas": rows_of(vencimiento=_day(60), importe=amounts, plan=st.sampled_from((None, None, "L1"))),
        "balances": rows_of(known_at=_day(40), balance=amounts, dpd=st.sampled_from((None, -1.0, 0.0, 40.0))),
        "promises": rows_of(promised_at=_day(30), due_at=_day(60), amount=amounts),
        "plans": st.lists(
            st.fixed_dictionaries(
                {
                    "plan_id": st.sampled_from(("L1", "L2", "L3")),
                    "account_id": st.just("A"),
                    "offered_at": _day(20),
                    "terms": st.sampled_from(('{"discount": 0.25}', "{}")),
                    "accepted_at": st.one_of(st.none(), _day(20)),
                }
            ),
            max_size=3,
            unique_by=lambda row: row["plan_id"],
        ),
        "parties": st.lists(
            st.fixed_dictionaries(
                {
                    "account_id": st.just("A"),
                    "debtor_id": st.just("D"),
                    "role": st.sampled_from(("guarantor", "debtor")),
                }
            ),
            max_size=3,
        ),
        "contacts": rows_of(
            attempted_at=_day(30),
            channel=st.sampled_from(("call", "SMS")),
            direction=st.just("outbound"),
            outcome=st.sampled_from(("rpc", "no_answer")),
            cost=st.one_of(st.none(), amounts),
        ),
        "placements": rows_of(placed_at=_day(30), recalled_at=st.one_of(st.none(), _day(60))),
        "decisions": rows_of(
            decided_at=_day(30),
            action_id=st.sampled_from(("call", "no_action")),
            propensity=st.sampled_from((None, 0.25, 1)),
            drawn=st.sampled_from((None, "true")),
        ),
        "contact_points": st.lists(
            st.fixed_dictionaries(
                {
                    "contact_point_id": st.sampled_from(("K1", "K2", "K3", "K4", "K5")),
                    "debtor_id": st.sampled_from(("D",) * 9 + ("E",)),
                    "channel": st.sampled_from(("call", "Móvil", "fax")),
                    "wrong_from": st.one_of(st.none(), _day(30)),
                }
            ),
            max_size=3,
            unique_by=lambda row: row["contact_point_id"],
        ),
        "facts": st.lists(
            st.fixed_dictionaries(
                {
                    "debtor_id": st.just("D"),
                    "kind": st.sampled_from(("income", "consent:call")),
                    "value": st.sampled_from(("1000", "no", "two words")),
                    "from_at": _day(5),
                    "until_at": st.one_of(st.none(), _day(30)),
                }
            ),
            max_size=3,
        ),
        "holds": st.lists(
            st.fixed_dictionaries(
                {
                    "account_id": st.sampled_from(("A", "A", None)),
                    "debtor_id": st.sampled_from(("D",) * 7 + (None,)),
                    "kind": st.just("insolvency"),
                    "from_at": _day(5),
                }
            ),
            max_size=2,
        ),
    }
)


def _each(change):
    """Change the cells of all records."""

    def changed(tables):
        return {
            table: [{name: change(cell) for name, cell in row.items()} for row in rows]
            for table, rows in tables.items()
        }

    return changed


def _instants(change):
    return _each(lambda cell: change(cell) if isinstance(cell, datetime) else cell)


def _upside_down(tables):
    return {table: [dict(reversed(row.items())) for row in rows[::-1]] for table, rows in tables.items()}


def _keys_in_any_order(tables):
    return {
        table: [dict(reversed(row.items())) if k % 2 else row for k, row in enumerate(rows)]
        for table, rows in tables.items()
    }


_IDS = ("A", "D", "E", "P1", "P2", "P3", "P4", "P5", "L1", "L2", "L3", "K1", "K2", "K3", "K4", "K5")
_NUMBERS = {name: number for number, name in enumerate(_IDS, 7)}

FORMS = {
    "as they are": lambda tables: tables,
    "texts": _instants(datetime.isoformat),
    "texts with an offset": _instants(lambda moment: moment.replace(tzinfo=None).isoformat() + "+02:00"),
    "instants": _instants(lambda moment: moment.replace(tzinfo=UTC)),
    "dates": _instants(datetime.date),
    "one day": _instants(lambda _: datetime(2025, 2, 1)),
    "whole amounts": _each(lambda cell: int(cell) if isinstance(cell, float) else cell),
    "upside down": _upside_down,
    "keys in any order": _keys_in_any_order,
    "numbers for ids": _each(lambda cell: _NUMBERS.get(cell, cell) if isinstance(cell, str) else cell),
}
"""The same tables told otherwise; dates and whole amounts lose a part, alike for everybody."""
