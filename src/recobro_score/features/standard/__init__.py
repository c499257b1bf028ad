"""The standard set: what is worth knowing about an account, as recipes.

Money is in major units of the account's currency. Slices of a calendar month (``…_month_2`` is the month
before the last one) keep monthly bills, payments and balances apart one by one; lookbacks are in days.
"""

from __future__ import annotations

from recobro_score.features.recipes import Recipe
from recobro_score.features.standard import agreements, arrears, contacts, instalments, payments, people


def standard_recipes() -> tuple[Recipe, ...]:
    """Return the recipes of the standard set, hidden operands included."""
    return (
        *payments.payments(),
        *instalments.instalments(),
        *arrears.balances(),
        *arrears.arrears(),
        *contacts.contacts(),
        *agreements.promises(),
        *agreements.plans(),
        *agreements.decisions(),
        *people.profile(),
        *people.reachability(),
        *people.payday(),
    )


def further_recipes() -> tuple[Recipe, ...]:
    """Return what goes beyond the account and its history.

    The debtor's other accounts (a service must then pass all of them) and the date itself, which with few
    as-ofs tells a model the snapshot rather than the account.
    """
    return (*people.other_accounts(), *people.local_date())
