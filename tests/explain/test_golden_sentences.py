"""Every sentence that a reader can be told, written down and read by people.

To change sentences on purpose: ``python -m tests.explain.test_golden_sentences`` writes the files anew; then
read what has changed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recobro_score.explain.contributions import concept_contributions
from recobro_score.explain.points import probability_points
from recobro_score.explain.readers import READERS
from recobro_score.explain.reasons import tell_reasons
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.recipes import CONCEPTS, PromiseRule, Recipe
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.standard import standard_recipes
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.texts import languages, load_texts

FOLDER = Path(__file__).with_name("golden")
TYPICAL = {"days": 18.0, "money": 1234.5, "count": 3.0, "ratio": 0.35, "number": 2.0}
CALIBRATOR = Calibrator("identity", 1.0, 1.0, 0.0, 100, 30)
DENIED = {"debtor": {"account_profile"}}


def leads() -> list[Recipe]:
    """One feature of each concept, of those that the debtor is told if there are any."""
    facts = load_texts("es").sentences
    found = []
    for concept in CONCEPTS:
        own = [recipe for recipe in standard_recipes() if recipe.concept == concept and not recipe.hidden]
        told = [recipe for recipe in own if f"debtor.fact.{recipe.name}" in facts]
        found.append((told or own)[0])
    return found


def sentences(reader: str, language: str) -> list[str]:
    """What a reader is told of every concept, once in favour and once against."""
    recipes = leads()
    vocabularies = {recipe.name: ("card", "loan") for recipe in recipes if recipe.kind == "category"}
    schema = FeatureSchema(tuple(recipes), PromiseRule(), (), vocabularies)
    n = 2 * len(recipes)
    values = np.tile([TYPICAL.get(recipe.unit, 2.0) for recipe in recipes], (n, 1))
    parts = np.zeros((n, len(recipes) + 1))
    for row in range(n):
        parts[row, row // 2] = 0.5 if row % 2 == 0 else -0.5
    parts[:, -1] = -1.0
    margin = parts.sum(axis=1)
    matrix = FeatureMatrix(
        pa.array([str(row) for row in range(n)]), np.arange(n), np.zeros(n, np.int64), values, schema
    )
    contributions = concept_contributions(parts, schema.concepts, margin=margin)
    reasons = tell_reasons(
        contributions,
        matrix,
        language=language,
        reader=reader,
        currency=np.full(n, "EUR", dtype=object),
        country=np.full(n, "ES", dtype=object),
        points=probability_points(contributions, margin, probability=CALIBRATOR.probability),
    )
    return reasons.text.tolist()


def written(language: str) -> str:
    """The file of one language: a block per reader."""
    blocks = [f"# {reader}\n" + "\n".join(sentences(reader, language)) + "\n" for reader in READERS]
    return "\n".join(blocks)


@pytest.mark.parametrize("language", languages())
def test_the_sentences_are_those_that_were_read(language: str) -> None:
    assert written(language) == (FOLDER / f"{language}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", languages())
def test_nothing_that_may_be_told_is_left_out(language: str) -> None:
    for reader in READERS:
        told = sentences(reader, language)
        assert len(told) == 2 * len(set(CONCEPTS) - DENIED.get(reader, set()))
        assert len(set(told)) == len(told)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in languages():
        (FOLDER / f"{one}.txt").write_text(written(one), encoding="utf-8", newline="\n")
