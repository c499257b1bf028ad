"""Write the reference pages that follow from the code: ``python docs/make_reference.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from recobro_score.features import FeatureSet

FEATURES = Path(__file__).parent / "reference" / "features.md"

HEAD = """# The standard features

*Written by `docs/make_reference.py` from `FeatureSet.describe()`: change recipes, not this page.*

{count} features in {concepts} concepts, and {more} more that `FeatureSet.extended()` adds. A window
`[-90, 0) days` holds what happened at `as_of − 90 days` or later and before the as-of; a feature without one
reads everything before it. Only rows visible at the as-of count: see [two clocks](../concepts/as_of.md).
Money is in major units of the account's currency. A share is a ÷ b, a trend (a − b) ÷ (|a| + |b|);
division by zero is missing. Counts, sums and streaks of no rows are 0, all else is missing; everything is
missing of a table that training never saw.

No feature here holds a model to a direction; `FeatureSet.held_to({{"dpd": -1}})` sets one.

## What is judged at each as-of

From nothing but rows visible then; a payment taken back counts against what it paid.

- **recovery**: payments less reversals; write-offs, fees and adjustments are none.
- **promise**: *kept* when recoveries made from the promise on, before its due date + 3 days and before the
  as-of, reach the amount; *broken* when they do not and due date + 3 days have come; else *open*.
- **instalment**: *paid* when all recoveries together reach what fell due up to it, oldest first, *unpaid*
  otherwise, *partial* when begun. Its *lateness* is in whole days from its due instant until recoveries
  covered it for good, or until the as-of; paid with lateness 0 is *on time*, with more *late*. *Covered* is
  the share of its amount that recoveries reach. Instalments of plans (*plan*) stay aside.
- **plan** (*offered, accepted, ended*) and **contact point** (*usable, wrong*): by which of its dates have
  passed.
- **exposure**: contractual instalments due less recoveries; with no known schedule the last balance less
  recoveries since then; without balances the principal less recoveries; never below 0.
- **days past due**: age of the oldest instalment not covered, but at most what the last balance recorded
  plus the days since (where it recorded 0, only what fell due since then counts); without a schedule what
  was recorded plus the days since; 0 without exposure. *Buckets* 0 … 5 are 0, 1–30, 31–60, 61–90, 91–180,
  181+ days; days in the bucket count from where it begins.
- **decayed**: a row weighs half as much with every half-life of its age.
- **local** minute, weekday and day: on the debtor's own clock; weekday 0 is Monday.
"""

FURTHER = """# What `FeatureSet.extended()` adds

The debtor's accounts together, money in the account's currency, and the date itself. A service must pass all
accounts of the debtor to get them.
"""

OPERANDS = """# Operands

Hidden recipes that features above are made of.
"""


def features_page() -> str:
    """Return the page of the standard features as Markdown."""
    standard, extended = FeatureSet.standard().describe(), FeatureSet.extended()
    further = extended.describe().iloc[len(standard) :]
    concepts = standard["concept"].nunique()
    head = HEAD.format(count=len(standard), concepts=concepts, more=len(further))
    parts = [head, *_sections(standard), FURTHER, *_table(further), OPERANDS]
    return "\n".join([*parts, *_table(extended.describe(hidden=True), named=False)])


def _sections(features: pd.DataFrame) -> Iterator[str]:
    for concept, group in features.groupby("concept", sort=False):
        yield f"## {str(concept).replace('_', ' ').capitalize()}\n"
        yield from _table(group)


def _table(features: pd.DataFrame, *, named: bool = True) -> Iterator[str]:
    columns = ["feature", "meaning", "computed as", "window", "where", "unit"]
    kept = [name for name in columns if named or name not in ("meaning", "unit")]
    yield "| " + " | ".join(kept) + " |"
    yield "|" + "---|" * len(kept)
    for row in features.to_dict("records"):
        cells = {
            "feature": f"`{row['name']}`",
            "meaning": row.get("label_en"),
            "computed as": _computed(row),
            "window": row["window"],
            "where": row["where"],
            "unit": row["unit"],
        }
        yield "| " + " | ".join(_cell(cells[name]) for name in kept) + " |"
    yield ""


def _computed(row: dict[str, object]) -> str:
    if row["of"]:
        return f"{row['aggregate']} of {row['of']}"
    source = f"{row['table']}.{row['value']}" if row["value"] else str(row["table"])
    told = f"{row['aggregate']} of {source}"
    if row["run"]:
        told += f" while {row['run']}"
    if pd.notna(row["half_life"]):
        told += f", half-life {row['half_life']:g} days"
    return f"{told}, all accounts of the debtor" if row["by_debtor"] else told


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|")


if __name__ == "__main__":
    FEATURES.parent.mkdir(exist_ok=True)
    FEATURES.write_text(features_page(), encoding="utf-8")
