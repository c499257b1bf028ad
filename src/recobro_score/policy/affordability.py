"""What a debtor can pay a month, as far as income and expenses are on record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.policy.views import codes, in_force, last_row


def disposable_income(store: EventStore, as_of: int, *, assumed_expenses: float) -> NDArray[np.float64]:
    """Monthly income less expenses per account's debtor, from the facts in force.

    Parameters
    ----------
    store
        The portfolio.
    as_of
        µs UTC.
    assumed_expenses
        Share of income taken as spent where only the income is stated.

    Returns
    -------
    float64 array, shape (n_accounts,)
        Major units of the account's currency, never below 0; NaN where no income is on record as a number.
    """
    income, expenses = _stated(store, as_of, "income"), _stated(store, as_of, "expenses")
    spent = np.where(np.isnan(expenses), income * assumed_expenses, expenses)
    return np.maximum(income - spent, 0.0)[store.account_debtor]


def _stated(store: EventStore, as_of: int, kind: str) -> NDArray[np.float64]:
    """Last amount on record of one kind, per debtor; NaN where there is none."""
    table = store.tables["facts"]
    amounts = np.array([*map(_number, table.vocabularies["value"]), np.nan], dtype=np.float64)
    rows = in_force(table, as_of) & np.isin(codes(table, "kind"), table.codes("kind", kind))
    last = last_row(table.owner(), np.flatnonzero(rows), len(store.debtor_ids))
    of_row = np.append(codes(table, "value"), -1)
    stated: NDArray[np.float64] = amounts[of_row[last]]
    return stated


def _number(text: str) -> float:
    """Read a plain decimal number; NaN for anything else, below zero included."""
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if 0 <= value < np.inf else np.nan
