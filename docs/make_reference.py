"""Write the reference pages that follow from the code: ``python docs/make_reference.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from recobro_score.features import FeatureSet

FEATURES = Path(__file__).parent / "reference" / "features.md"

HEAD = """# The standard features

*Written by `docs/make_reference.py` from `FeatureSet.standard().describe()`: change recipes, not this page.*

{count} features in {concepts} concepts. A window `[-90, 0) days` holds what happened at `as_of − 90 days` or
later and before the as-of; a feature without one reads everything before it. Money is in major units of the
account's currency. `monotone` is the direction a model may be held to.
"""


def features_page() -> str:
    """Return the page of the standard features as Markdown."""
    features = FeatureSet.standard().describe()
    head = HEAD.format(count=len(features), concepts=features["concept"].nunique())
    return "\n".join([head, *_sections(features)]) + "\n"


def _sections(features: pd.DataFrame) -> Iterator[str]:
    for concept, group in features.groupby("concept", sort=False):
        yield f"## {str(concept).replace('_', ' ').capitalize()}\n"
        yield "| feature | meaning | computed as | window | where | unit | monotone |"
        yield "|---|---|---|---|---|---|---|"
        for row in group.to_dict("records"):
            direction = {1: "↑", -1: "↓"}.get(row["monotone"], "")
            cells = [
                f"`{row['name']}`",
                row["label_en"],
                _computed(row),
                row["window"],
                row["where"],
                row["unit"],
            ]
            yield "| " + " | ".join(_cell(cell) for cell in (*cells, direction)) + " |"
        yield ""


def _computed(row: dict[str, object]) -> str:
    if row["of"]:
        return f"{row['aggregate']} of {row['of']}"
    source = f"{row['table']}.{row['value']}" if row["value"] else str(row["table"])
    return f"{row['aggregate']} of {source}"


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|")


if __name__ == "__main__":
    FEATURES.parent.mkdir(exist_ok=True)
    FEATURES.write_text(features_page(), encoding="utf-8")
