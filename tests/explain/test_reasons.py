"""Reasons in words: golden sentences for the agent in all languages, and what is never told."""

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
from recobro_score.features.recipes import PromiseRule, Recipe, Where
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.standard import standard_recipes

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
LABELS = {
    "days_since_payment": ("desde el último pago", "since the last payment", "desde o último pagamento"),
    "paid_30d": ("importe cobrado en 30 días", "amount recovered in 30 days", "valor recebido em 30 dias"),
    "rpc_share_90d": ("intentos con respuesta", "attempts answered", "tentativas com resposta"),
    "bucket": ("tramo de mora", "bucket of days past due", "faixa de atraso"),
    "product": ("producto", "product", "produto"),
    "dpd": ("en mora", "past due", "em atraso"),
}


def labelled(recipe: Recipe) -> Recipe:
    labels = LABELS.get(recipe.name)
    return (
        recipe
        if labels is None
        else replace(recipe, labels=tuple(zip(("es", "en", "pt"), labels, strict=True)))
    )


STANDARD = {recipe.name: labelled(recipe) for recipe in standard_recipes()}


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
    ("name", "value", "spanish", "english", "portuguese"),
    [
        (
            "days_since_payment",
            412.3,
            "Haber pagado o no, y hace cuánto, hace menos probable que pague (desde el último pago: "
            "412 días). Para la conversación: acordar cuándo puede hacer el próximo pago.",
            "Whether they have paid, and how long ago, makes payment less likely (since the last payment: "
            "412 days). In the conversation: agree when they can make the next payment.",
            "Ter pago ou não, e há quanto tempo, torna o pagamento menos provável "
            "(desde o último pagamento: 412 dias). "
            "Para a conversa: combinar quando a pessoa pode fazer o próximo pagamento.",
        ),
        (
            "paid_30d",
            1234.5,
            "Los importes que ha pagado hasta ahora hacen menos probable que pague "
            "(importe cobrado en 30 días: 1.234,50 EUR). "
            "Para la conversación: acordar un importe que pueda pagar.",
            "The amounts paid so far make payment less likely (amount recovered in 30 days: 1,234.50 EUR). "
            "In the conversation: agree an amount that they can pay.",
            "Os valores pagos até agora tornam o pagamento menos provável "
            "(valor recebido em 30 dias: 1.234,50 EUR). "
            "Para a conversa: combinar um valor que a pessoa possa pagar.",
        ),
        (
            "rpc_share_90d",
            0.349,
            "Cómo ha ido el contacto hasta ahora hace menos probable que pague "
            "(intentos con respuesta: 35 %). "
            "Para la conversación: preguntar por qué canal y a qué hora prefiere que le contacten.",
            "The way contact has gone so far makes payment less likely "
            "(attempts answered: 35 %). "
            "In the conversation: ask which channel and time they prefer.",
            "O andamento dos contatos até agora torna o pagamento menos provável "
            "(tentativas com resposta: 35 %). "
            "Para a conversa: perguntar por qual canal e em que horário a pessoa prefere ser contatada.",
        ),
        (
            "bucket",
            float(BUCKETS.index("31-60")),
            "El importe vencido y el tiempo de atraso hacen menos probable que pague (tramo de mora: "
            "31-60 días). "
            "Para la conversación: explicar con claridad qué importe está pendiente y desde cuándo.",
            "The amount overdue and how long it has been overdue make payment less likely "
            "(bucket of days past due: 31-60 days). "
            "In the conversation: explain clearly which amount is due and since when.",
            "O valor vencido e o tempo de atraso tornam o pagamento menos provável "
            "(faixa de atraso: 31-60 dias). "
            "Para a conversa: explicar com clareza qual valor está em aberto e desde quando.",
        ),
        (
            "product",
            3.0,
            "Las características de la cuenta hacen menos probable que pague (producto: loan). "
            "Para la conversación: resolver sus dudas sobre la cuenta.",
            "The characteristics of the account make payment less likely (product: loan). "
            "In the conversation: answer their questions about the account.",
            "As características da conta tornam o pagamento menos provável (produto: loan). "
            "Para a conversa: esclarecer dúvidas sobre a conta.",
        ),
        (
            "days_since_payment",
            np.nan,
            "Haber pagado o no, y hace cuánto, hace menos probable que pague. "
            "Para la conversación: acordar cuándo puede hacer el próximo pago.",
            "Whether they have paid, and how long ago, makes payment less likely. "
            "In the conversation: agree when they can make the next payment.",
            "Ter pago ou não, e há quanto tempo, torna o pagamento menos provável. "
            "Para a conversa: combinar quando a pessoa pode fazer o próximo pagamento.",
        ),
        (
            "dpd",
            1.0,
            "El importe vencido y el tiempo de atraso hacen menos probable que pague (en mora: 1 día). "
            "Para la conversación: explicar con claridad qué importe está pendiente y desde cuándo.",
            "The amount overdue and how long it has been overdue make payment less likely (past due: 1 day). "
            "In the conversation: explain clearly which amount is due and since when.",
            "O valor vencido e o tempo de atraso tornam o pagamento menos provável (em atraso: 1 dia). "
            "Para a conversa: explicar com clareza qual valor está em aberto e desde quando.",
        ),
    ],
)
def test_golden_sentences_for_the_agent(
    name: str, value: float, spanish: str, english: str, portuguese: str
) -> None:
    assert single(name, value) == spanish
    assert single(name, value, language="en") == english
    assert single(name, value, language="pt") == portuguese


def test_the_direction_is_that_of_the_contribution() -> None:
    assert "más probable" in single("dpd", 3.0, +0.5)
    assert "menos probable" in single("dpd", 3.0, -0.5)


def test_money_is_written_in_the_decimals_of_its_currency() -> None:
    assert "(importe cobrado en 30 días: 45.000 CLP)" in single("paid_30d", 45000.0, currency="CLP")


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
        *("contribution", "points", "feature", "value", "text"),
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
    with pytest.raises(TextMissing, match=r"agent\.mood\.up, agent\.mood\.down, agent\.mood\.talk"):
        told([[5.0]], [[-3.0]], schema_of(replace(STANDARD["dpd"], concept="mood")))
