"""Reasons in words: golden sentences in both languages, and what is never told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from recobro_score.data.state import BUCKETS
from recobro_score.errors import TextMissing
from recobro_score.explain.contributions import concept_contributions
from recobro_score.explain.reasons import Reasons, tell_reasons
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.recipes import CONCEPTS, PromiseRule, Recipe, Where
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.standard import standard_recipes
from recobro_score.texts import load_texts

NAMES = (
    "days_since_payment",
    "paid_30d",
    "payments_count_30d",
    "rpc_share_90d",
    "dpd",
    "bucket",
    "product",
    "last_payment",
)
STANDARD = {recipe.name: recipe for recipe in standard_recipes()}


def schema_of(*recipes: Recipe, words: tuple[str, ...] = ("card", "loan")) -> FeatureSchema:
    vocabularies = {recipe.name: words for recipe in recipes if recipe.kind == "category"}
    return FeatureSchema(recipes, PromiseRule(), (), vocabularies)


def told(
    values: list[list[float]],
    contrib: list[list[float]],
    schema: FeatureSchema,
    *,
    language: str = "es",
    currency: str = "EUR",
    k: int = 3,
) -> Reasons:
    n = len(values)
    parts = np.array([[*row, -1.0] for row in contrib])
    matrix = FeatureMatrix(
        pa.array([f"A{i}" for i in range(n)]), np.arange(n), np.zeros(n, np.int64), np.array(values), schema
    )
    reasons = concept_contributions(parts, schema.concepts, margin=parts.sum(axis=1))
    return tell_reasons(reasons, matrix, language=language, currency=np.full(n, currency, object), k=k)


def single(name: str, value: float, contribution: float = -1.0, **more: str) -> str:
    return str(told([[value]], [[contribution]], schema_of(STANDARD[name]), **more).text[0])


@pytest.mark.parametrize(
    ("name", "value", "spanish", "english"),
    [
        (
            "days_since_payment",
            412.3,
            "El tiempo desde su último pago hace menos probable que pague "
            "(días desde el último pago: 412 días).",
            "The time since the last payment makes payment less likely "
            "(days since the last payment: 412 days).",
        ),
        (
            "paid_30d",
            1234.5,
            "Los importes que ha pagado hasta ahora hacen menos probable que pague "
            "(importe cobrado en 30 días: 1.234,50 EUR).",
            "The amounts paid so far make payment less likely (amount recovered in 30 days: 1,234.50 EUR).",
        ),
        (
            "payments_count_30d",
            2.0,
            "El ritmo de sus pagos hace menos probable que pague (pagos en 30 días: 2).",
            "The rhythm of past payments makes payment less likely (payments in 30 days: 2).",
        ),
        (
            "rpc_share_90d",
            0.349,
            "Su respuesta a los contactos anteriores hace menos probable que pague "
            "(parte de intentos con contacto directo: 35 %).",
            "The response to earlier contacts makes payment less likely "
            "(share of attempts with right-party contact: 35 %).",
        ),
        (
            "bucket",
            float(BUCKETS.index("31-60")),
            "El tiempo que la deuda lleva vencida hace menos probable que pague (tramo de mora: 31-60 días).",
            "The time the debt has been overdue makes payment less likely "
            "(bucket of days past due: 31-60 days).",
        ),
        (
            "product",
            3.0,
            "Las características de la cuenta hacen menos probable que pague (producto: loan).",
            "The characteristics of the account make payment less likely (product: loan).",
        ),
        (
            "days_since_payment",
            np.nan,
            "El tiempo desde su último pago hace menos probable que pague.",
            "The time since the last payment makes payment less likely.",
        ),
        (
            "dpd",
            1.0,
            "El tiempo que la deuda lleva vencida hace menos probable que pague (días de mora: 1 día).",
            "The time the debt has been overdue makes payment less likely (days past due: 1 day).",
        ),
    ],
)
def test_golden_sentences(name: str, value: float, spanish: str, english: str) -> None:
    assert single(name, value) == spanish
    assert single(name, value, language="en") == english


def test_the_direction_is_that_of_the_contribution() -> None:
    assert "más probable" in single("dpd", 3.0, +0.5)
    assert "menos probable" in single("dpd", 3.0, -0.5)


def test_money_is_written_in_the_decimals_of_its_currency() -> None:
    assert "(importe cobrado en 30 días: 45.000 CLP)" in single("paid_30d", 45000.0, currency="CLP")


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("concept", CONCEPTS)
def test_every_concept_has_a_name_and_both_sentences(concept: str, language: str) -> None:
    texts = load_texts(language)
    sentences = {texts.render(f"reason.{concept}.{direction}") for direction in ("up", "down")}
    assert len(sentences) == 2
    assert texts.render(f"concept.{concept}")
    assert not any(sentence.endswith(".") for sentence in sentences)


def test_reasons_are_ranked_by_weight_and_rows_stay_in_order() -> None:
    schema = schema_of(*(STANDARD[name] for name in NAMES))
    values = [[30.0, 50.0, 1.0, 0.2, 12.0, 1.0, 2.0, 50.0]] * 3
    contrib = [
        [0.1, 0.2, 0.0, 0.0, -0.9, 0.1, 0.0, 0.4],
        [0.0] * 8,
        [0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
    reasons = told(values, contrib, schema)
    assert reasons.row.tolist() == [0, 0, 0, 2]
    assert reasons.rank.tolist() == [1, 2, 3, 1]
    assert reasons.concept.tolist() == ["arrears", "payment_amounts", "payment_recency", "payment_regularity"]
    assert reasons.direction.tolist() == ["down", "up", "up", "up"]
    assert reasons.feature.tolist() == ["dpd", "last_payment", "days_since_payment", "payments_count_30d"]
    np.testing.assert_allclose(reasons.contribution, [-0.8, 0.6, 0.1, 0.5])
    assert [len(sentences) for sentences in reasons.sentences()] == [3, 0, 1]
    frame = reasons.frame()
    assert frame["account_id"].tolist() == ["A0", "A0", "A0", "A2"]
    assert list(frame.columns) == [
        *("account_id", "as_of", "rank", "concept", "direction"),
        *("contribution", "feature", "value", "text"),
    ]


def test_a_row_alone_is_told_as_in_the_batch() -> None:
    rng = np.random.default_rng(3)
    schema = schema_of(*(STANDARD[name] for name in NAMES))
    values = np.abs(rng.normal(size=(40, 8))) * [100, 900, 3, 0.3, 90, 0, 0, 500]
    contrib = rng.normal(size=(40, 8))
    batch = told(values.tolist(), contrib.tolist(), schema).sentences()
    for row in range(40):
        alone = told([values[row].tolist()], [contrib[row].tolist()], schema).sentences()
        assert alone[0] == batch[row]


@pytest.mark.parametrize(
    "recipe",
    [
        replace(STANDARD["product"], labels=(("es", "tipo de enfermedad"), ("en", "illness"))),
        replace(STANDARD["payments_count_30d"], name="paid_by_health_insurer_30d"),
        replace(STANDARD["rpc_90d"], where=(Where("outcome", ("vulnerability_flagged",)),)),
        replace(STANDARD["product"], table="plans", aggregate="last", value="end_reason", name="last_end"),
    ],
    ids=["label", "name", "filter", "free text of an event"],
)
def test_health_and_free_text_are_never_told(recipe: Recipe) -> None:
    text = told([[2.0]], [[-1.0]], schema_of(recipe)).text[0]
    assert "(" not in text


def test_a_word_that_speaks_of_health_is_not_told() -> None:
    schema = schema_of(STANDARD["product"], words=("medical loan", "plain loan"))
    texts = told([[2.0], [3.0]], [[-1.0], [-1.0]], schema).text
    assert "(" not in texts[0]
    assert "(producto: plain loan)" in texts[1]


def test_an_unsayable_concept_is_no_reason_and_an_unknown_one_is_an_error() -> None:
    secret = replace(STANDARD["dpd"], concept="vulnerability")
    reasons = told([[5.0, 7.0]], [[-3.0, 0.1]], schema_of(secret, STANDARD["days_since_payment"]))
    assert reasons.concept.tolist() == ["payment_recency"]
    with pytest.raises(TextMissing, match=r"reason\.mood\.down"):
        told([[5.0]], [[-3.0]], schema_of(replace(STANDARD["dpd"], concept="mood")))
