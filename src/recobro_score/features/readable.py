"""What recipes may read: tables, columns and the statuses judged as of the snapshot.

The columns come from the contracts. Later dates of a row (``accepted_at``, ``due_at`` of a promise …) are
not columns here: they count only through a status that is judged at each as-of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recobro_score.data.contracts import CONTRACTS

MONEY = "money"
NUMBER = "number"
CATEGORY = "category"
DATE = "date"

STATUS = "status"
"""The name under which a filter reads the judged status of a row."""

UNJUDGED = 7
"""Status code of a row that no word fits, for example a promise without an amount."""

FORBIDDEN: Mapping[str, str] = {
    "debtors.birth_year": "age is no feature",
    "facts": "facts hold consent, vulnerability and health",
    "holds": "holds tell of vulnerability, health and the law",
}
"""What no feature may read, and why."""


@dataclass(frozen=True, slots=True)
class ReadableTable:
    """What recipes may read of one event table.

    Attributes
    ----------
    name : str
        The table's name.
    columns : mapping of str to str
        Kind of each column: money, number or category.
    scheduled : bool
        Rows lie ahead by nature: they obey the known clock only, and windows may look ahead.
    by_debtor : bool
        Rows belong to the debtor rather than to the account.
    statuses : mapping of str to tuple of int
        Words of the judged status and the codes they stand for.
    dates : tuple of str
        Later dates that the status is judged from; bit ``i`` of the code is set once ``dates[i] < as_of``.
    revealed_by : mapping of str to str
        Columns that are known only in a status, for example ``end_reason`` once a plan has ended.
    judged : tuple of str
        Number columns judged at each as-of like the status: values to aggregate, not to filter on.
    """

    name: str
    columns: Mapping[str, str]
    scheduled: bool = False
    by_debtor: bool = False
    statuses: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    revealed_by: Mapping[str, str] = field(default_factory=dict)
    judged: tuple[str, ...] = ()


_COMPUTED: Mapping[str, Mapping[str, str]] = {
    "payments": {"recovery": MONEY, "local_minute": NUMBER, "local_weekday": NUMBER, "local_day": NUMBER},
    "contacts": {"local_minute": NUMBER, "local_weekday": NUMBER},
    "promises": {"term": NUMBER},
    "plans": {"discount": NUMBER},
    "decisions": {"discount": NUMBER},
}
_JUDGED: Mapping[str, tuple[str, ...]] = {
    "instalments": ("lateness", "covered"),
    "promises": ("due_in",),
}
_STATUSES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "instalments": {
        "unpaid": (0, 3),
        "paid": (1, 4),
        "plan": (2,),
        "partial": (3,),
        "on_time": (1,),
        "late": (4,),
    },
    "promises": {"open": (0,), "kept": (1,), "broken": (2,)},
    "plans": {"offered": (0,), "accepted": (1,), "ended": (2, 3)},
    "placements": {"running": (0,), "recalled": (1,)},
    "contact_points": {"usable": (0,), "wrong": (1,)},
}
_DATES = {
    "plans": ("accepted_at", "ended_at"),
    "placements": ("recalled_at",),
    "contact_points": ("wrong_from",),
}
_REVEALED_BY = {"plans": {"end_reason": "ended"}}


def _readable(name: str) -> ReadableTable:
    contract = CONTRACTS[name]
    columns = {column.name: column.kind for column in contract.columns}
    kept = {column: kind for column, kind in columns.items() if kind in (MONEY, NUMBER, CATEGORY)}
    return ReadableTable(
        name=name,
        columns={**kept, **_COMPUTED.get(name, {}), **dict.fromkeys(_JUDGED.get(name, ()), NUMBER)},
        scheduled=contract.scheduled,
        by_debtor=contract.owner == "debtor",
        statuses=_STATUSES.get(name, {}),
        dates=_DATES.get(name, ()),
        revealed_by=_REVEALED_BY.get(name, {}),
        judged=_JUDGED.get(name, ()),
    )


EVENT_TABLES: Mapping[str, ReadableTable] = {
    name: _readable(name) for name in CONTRACTS if name not in ("accounts", "debtors", *FORBIDDEN)
}
"""The event tables that recipes may read."""

STATIC: Mapping[str, Mapping[str, str]] = {
    "accounts": {
        "opened_at": DATE,
        "limitation_at": DATE,
        "principal": MONEY,
        "credit_limit": MONEY,
        "annual_rate": NUMBER,
        "currency": CATEGORY,
        "country": CATEGORY,
        "subdivision": CATEGORY,
        "product": CATEGORY,
        "creditor": CATEGORY,
    },
    "debtors": {"country": CATEGORY, "subdivision": CATEGORY, "language": CATEGORY},
}
"""The static attributes of accounts and debtors that recipes may read."""

STATE: Mapping[str, str] = {
    "exposure": MONEY,
    "dpd": NUMBER,
    "bucket": NUMBER,
    "days_in_bucket": NUMBER,
    "debtor_exposure": MONEY,
    "debtor_accounts": NUMBER,
    "others_dpd": NUMBER,
}
"""What recipes may read of the account's state.

``days_in_bucket`` are the days past due since the bucket began. ``debtor_exposure`` adds up the exposure of
the debtor's open accounts in the account's currency; ``debtor_accounts`` counts the debtor's open accounts,
``others_dpd`` is the worst of the others (missing without others).
"""

DEBTOR_STATE = ("debtor_exposure", "debtor_accounts", "others_dpd")
"""What looks at all accounts of the debtor."""

CALENDAR: Mapping[str, str] = {
    "weekday": NUMBER,
    "day_of_month": NUMBER,
    "days_to_month_end": NUMBER,
    "is_holiday": NUMBER,
    "days_to_holiday": NUMBER,
    "days_to_day": NUMBER,
}
"""What recipes may read of the debtor's local date at the as-of.

``is_holiday`` (1 or 0) and ``days_to_holiday`` (from the next day on) are those of the account's country and
subdivision. ``days_to_day`` are the days until the day of the month that another recipe gives, the last day
of a shorter month in its place; 0 on the day itself.
"""


def allowed_words(table: str, column: str) -> tuple[str, ...]:
    """Return the only words a filter on the column may name; empty when any text will do."""
    if column == STATUS:
        return tuple(EVENT_TABLES[table].statuses)
    if column not in CONTRACTS[table].names:
        return ()
    return CONTRACTS[table].column(column).allowed
