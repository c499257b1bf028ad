"""Short ways to write the recipes of the standard set."""

from __future__ import annotations

from typing import Any

from recobro_score.features.recipes import DERIVED, Condition, Months, Recipe, Where, Window

Labels = tuple[str, str, str]
"""Spanish, English, Portuguese."""

PAID: tuple[Condition, ...] = (Where("kind", ("payment",)),)
OUTBOUND: tuple[Condition, ...] = (Where("direction", ("outbound",)),)
MONTHS = (1, 2, 3, 4, 5, 6)
"""Calendar months back, 1 = the month that ends at the as-of."""


def feature(
    name: str,
    source: str,
    concept: str,
    labels: Labels,
    **fields: Any,  # noqa: ANN401 - recipe fields
) -> Recipe:
    """Return a recipe; `source` is ``table.aggregate`` or ``table.aggregate.value``."""
    table, aggregate, *value = source.split(".")
    es, en, pt = labels
    return Recipe(
        name,
        table,
        aggregate,
        concept,
        value=value[0] if value else None,
        labels=(("en", en), ("es", es), ("pt", pt)),
        **fields,
    )


def hidden(name: str, source: str, concept: str, **fields: Any) -> Recipe:  # noqa: ANN401 - recipe fields
    """Return a recipe that other recipes are made of."""
    table, aggregate, *value = source.split(".")
    return Recipe(
        name, table, aggregate, concept, value=value[0] if value else None, hidden=True, **fields
    )  # fmt: skip


def of_two(
    name: str, aggregate: str, concept: str, of: tuple[str, str], labels: Labels, *, unit: str = "ratio"
) -> Recipe:
    """Return a recipe made of two others."""
    return feature(name, f"{DERIVED}.{aggregate}", concept, labels, of=of, unit=unit)


def back(days: int) -> Window:
    """Return the lookback of some days."""
    return Window(-days, 0)


def month(months_back: int) -> Months:
    """Return one calendar month."""
    return Months(-months_back, 1 - months_back)


def month_name(months_back: int) -> Labels:
    """Return when a calendar month was."""
    if months_back == 1:
        return "en el último mes", "in the last month", "no último mês"
    return f"hace {months_back} meses", f"{months_back} months ago", f"há {months_back} meses"


def status(*words: str) -> tuple[Condition, ...]:
    """Return the filter on the status judged as of the snapshot."""
    return (Where("status", words),)
