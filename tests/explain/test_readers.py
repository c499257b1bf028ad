"""Agent, debtor and auditor: the same reasons told in three ways, and nothing that is never said."""

from __future__ import annotations

import re
from dataclasses import replace
from string import Formatter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recobro_score.errors import ConfigError, TextMissing
from recobro_score.explain.contributions import ConceptReasons, concept_contributions
from recobro_score.explain.points import probability_points
from recobro_score.explain.readers import DIRECTIONS, READERS
from recobro_score.explain.reasons import Reasons, tell_reasons
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.recipes import CONCEPTS, PromiseRule, Recipe
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.standard import standard_recipes
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.texts import languages, load_deny, load_texts
from recobro_score.texts.required import problems

LANGUAGES = languages()
STANDARD = {recipe.name: recipe for recipe in standard_recipes() if not recipe.hidden}
CALIBRATOR = Calibrator("beta", 1.3, 0.7, -0.4, 100, 30)
ORDINARY = Calibrator("identity", 1.0, 1.0, 0.0, 100, 30)
WORDS = ("card", "préstamo médico", "loan")


def schema_of(*recipes: Recipe) -> FeatureSchema:
    vocabularies = {recipe.name: WORDS for recipe in recipes if recipe.kind == "category"}
    return FeatureSchema(recipes, PromiseRule(), (), vocabularies)


def explained(
    values: np.ndarray, contrib: np.ndarray, schema: FeatureSchema
) -> tuple[ConceptReasons, FeatureMatrix]:
    n = len(values)
    parts = np.column_stack([contrib, np.full(n, -1.0)])
    ids = pa.array([f"A{i}" for i in range(n)])
    matrix = FeatureMatrix(ids, np.arange(n), np.zeros(n, np.int64), values, schema)
    return concept_contributions(parts, schema.concepts, margin=parts.sum(axis=1)), matrix


def told(values, contrib, schema: FeatureSchema, *, calibrator: Calibrator = ORDINARY, **more) -> Reasons:
    contributions, matrix = explained(np.asarray(values, float), np.asarray(contrib, float), schema)
    margin = contributions.bias + contributions.values.sum(axis=1)
    points = probability_points(contributions, margin, probability=calibrator.probability)
    currency = np.full(len(margin), "EUR", dtype=object)
    return tell_reasons(
        contributions, matrix, **{"currency": currency, "points": points, "language": "es", **more}
    )


def single(name: str, value: float, contribution: float = -1.0, **more) -> str:
    return str(told([[value]], [[contribution]], schema_of(STANDARD[name]), **more).text[0])


@pytest.mark.parametrize(
    ("name", "value", "weight", "spanish", "english", "portuguese"),
    [
        (
            "days_since_payment",
            412.3,
            -1.0,
            "Hemos valorado de forma menos favorable si ha pagado y hace cuánto (hace 412 días).",
            "We took a less favourable view of whether you have paid, and how long ago (412 days ago).",
            "Avaliamos de forma menos favorável se já pagou e há quanto tempo (há 412 dias).",
        ),
        (
            "paid_30d",
            1234.5,
            0.5,
            "Hemos valorado a su favor los importes que ha pagado hasta ahora "
            "(1.234,50 EUR en los últimos 30 días).",
            "We took a favourable view of the amounts you have paid so far (1,234.50 EUR in the last 30 "
            "days).",
            "Avaliamos a seu favor os valores que você pagou até agora (1.234,50 EUR nos últimos 30 dias).",
        ),
        (
            "promises_broken_365d",
            3.0,
            -0.5,
            "Hemos valorado de forma menos favorable los acuerdos de pago a los que hemos llegado con usted.",
            "We took a less favourable view of the payments we have agreed with you.",
            "Avaliamos de forma menos favorável os acordos de pagamento a que chegamos com você.",
        ),
    ],
)
def test_golden_sentences_for_the_debtor(name, value, weight, spanish, english, portuguese):
    said = [single(name, value, weight, language=one, reader="debtor") for one in ("es", "en", "pt")]
    assert said == [spanish, english, portuguese]


@pytest.mark.parametrize(
    ("name", "value", "weight", "spanish", "english", "portuguese"),
    [
        (
            "days_since_payment",
            412.3,
            -1.0,
            "Último pago: −1,000 en la puntuación, −10,7 puntos de probabilidad de pago; rasgo que más pesa: "
            "days_since_payment = 412 días; frente a la cuenta media del entrenamiento, cuya probabilidad es "
            "26,9 %.",
            "Last payment: −1.000 in the score, −10.7 points of payment probability; heaviest feature: "
            "days_since_payment = 412 days; compared with the average account of training, whose "
            "probability is "
            "26.9 %.",
            "Último pagamento: −1,000 na pontuação, −10,7 pontos de probabilidade de pagamento; variável "
            "que mais "
            "pesa: days_since_payment = 412 dias; em comparação com a conta média do treinamento, cuja "
            "probabilidade é 26,9 %.",
        ),
        (
            "product",
            1.0,
            0.0001,
            "Características de la cuenta: +0,000 en la puntuación, +0,0 puntos de probabilidad de pago; "
            "rasgo que "
            "más pesa: product = no visto en el entrenamiento; frente a la cuenta media del "
            "entrenamiento, cuya "
            "probabilidad es 26,9 %.",
            "Account characteristics: +0.000 in the score, +0.0 points of payment probability; heaviest "
            "feature: "
            "product = not seen in training; compared with the average account of training, whose "
            "probability is "
            "26.9 %.",
            "Características da conta: +0,000 na pontuação, +0,0 pontos de probabilidade de pagamento; "
            "variável que "
            "mais pesa: product = não visto no treinamento; em comparação com a conta média do "
            "treinamento, cuja "
            "probabilidade é 26,9 %.",
        ),
    ],
)
def test_golden_sentences_for_the_auditor(name, value, weight, spanish, english, portuguese):
    said = [single(name, value, weight, language=one, reader="auditor") for one in ("es", "en", "pt")]
    assert said == [spanish, english, portuguese]


def test_what_a_debtor_would_stumble_over_is_not_told():
    for name, value in (("dpd", 0.0), ("days_since_payment", 0.5), ("paid_30d", -12.0)):
        assert "(" not in single(name, value, reader="debtor"), name
        assert "(" in single(name, value, reader="agent"), name
    assert "(hace 1 día)" in single("days_since_payment", 0.6, reader="debtor")
    assert single("paid_30d", 0.0, language="en", reader="debtor").endswith("(0.00 EUR in the last 30 days).")


def test_the_unit_is_said_once():
    assert "(días de mora: 60)" in single("dpd", 60.0, reader="agent")
    assert "(days past due: 1)" in single("dpd", 1.0, language="en", reader="agent")
    assert "(retraso medio de las cuotas en 365 días: 4 días)" in single(
        "lateness_mean_365d", 4.0, reader="agent"
    )


def test_the_auditor_needs_points_and_readers_are_named():
    contributions, matrix = explained(np.ones((1, 1)), np.ones((1, 1)), schema_of(STANDARD["dpd"]))
    currency = np.array(["EUR"], dtype=object)
    with pytest.raises(ConfigError, match="probability_points"):
        tell_reasons(contributions, matrix, language="es", currency=currency, reader="auditor")
    with pytest.raises(ConfigError, match="no reader 'judge'; there are agent, debtor, auditor"):
        tell_reasons(contributions, matrix, language="es", currency=currency, reader="judge")


def test_a_concept_without_a_text_is_an_error_before_anything_is_told():
    own = replace(STANDARD["dpd"], name="mood_index", concept="mood")
    schema = schema_of(own, STANDARD["days_since_payment"])
    for reader in ("agent", "debtor"):
        with pytest.raises(TextMissing, match=rf"{reader}\.mood\.up"):
            told([[1.0, 5.0]], [[0.0, 2.0]], schema, reader=reader)
    with pytest.raises(TextMissing, match=r"concept\.mood"):
        told([[1.0, 5.0]], [[0.0, 2.0]], schema, reader="auditor")


def test_what_must_have_a_text_is_what_there_is_to_tell():
    lists = loader_lists()
    assert tuple(lists["concept"]) == CONCEPTS
    assert tuple(lists["direction"]) == DIRECTIONS
    for language in LANGUAGES:
        texts = load_texts(language)
        facts = [
            key.removeprefix("debtor.fact.") for key in texts.sentences if key.startswith("debtor.fact.")
        ]
        assert [name for name in facts if name not in STANDARD] == []


def loader_lists() -> dict[str, list[str]]:
    from recobro_score.texts import loader

    return loader._toml("required.toml")["lists"]


SHAMING = r"(?i)\b(fail(ed|ure)?|fault|excuse|liar|nunca paga|mentir\w*|excus\w*|fracas\w*|preguiç\w*)\b"
JARGON = re.compile(
    r"(?i)\b(dpd|bucket|tramo|mora|rpc|margin\w*|score|puntuaci\w*|pontua[cç]\w*|model\w*|probab\w*|exposi\w*|shap|likely|"
    r"titular|debtor|deudor|devedor|feature|logit|contribu\w*)\b"
)
FINITE = st.floats(-1e6, 1e7, allow_nan=False)


@given(
    name=st.sampled_from(sorted(STANDARD)),
    value=st.one_of(FINITE, st.just(float("nan"))),
    weight=st.floats(-3, 3).filter(lambda x: abs(x) > 1e-9),
    reader=st.sampled_from(READERS),
    language=st.sampled_from([*LANGUAGES, "es-MX"]),
)
def test_nothing_forbidden_is_said_for_any_template_and_value(name, value, weight, reader, language):
    if name == "bucket":
        value = float("nan") if np.isnan(value) else abs(value) % 6 // 1
    elif STANDARD[name].kind == "category":
        value = 0.0 if np.isnan(value) else abs(value) % 5 // 1
    for text in told([[value]], [[weight]], schema_of(STANDARD[name]), reader=reader, language=language).text:
        assert load_deny().denied_in(text) == ()
        assert not re.search(SHAMING, text)
        assert "{" not in text
        assert text.endswith(".")
        if reader == "debtor":
            assert not JARGON.search(text), text


@given(
    language=st.sampled_from(LANGUAGES),
    data=st.data(),
    words=st.lists(st.text(st.characters(categories=["L", "N", "P"]), max_size=12), min_size=1, max_size=6),
)
def test_no_template_says_what_is_never_said_whatever_is_filled_in(language, data, words):
    texts = load_texts(language)
    key = data.draw(st.sampled_from(sorted(texts.sentences)))
    fields = [name for _, name, _, _ in Formatter().parse(texts.sentences[key]) if name]
    given_words = {name: data.draw(st.sampled_from(words)) for name in fields}
    said = texts.render(key, **given_words)
    assert set(load_deny().denied_in(said)) <= set(load_deny().denied_in(" ".join(given_words.values())))
    assert not re.search(SHAMING, texts.sentences[key])


@pytest.mark.parametrize("word", [word.rstrip("*") for word in (*load_deny().data, *load_deny().texts)])
def test_a_template_that_says_a_denied_word_is_refused(word):
    for said in (f"Hemos visto {word} en su cuenta", f"{word.upper()}, {{value}}"):
        found = problems({"debtor.fact.paid_30d": said}, {"lists": {}, "texts": RULES}, load_deny())
        assert any(f"says {word!r}" in problem for problem in found)


RULES = {"debtor.fact.*": ["value"]}


@pytest.mark.parametrize("reader", READERS)
def test_health_is_told_to_nobody_not_even_its_name(reader: str):
    secret = replace(STANDARD["dpd"], name="paid_by_health_insurer")
    said = told([[2.0]], [[-1.0]], schema_of(secret), reader=reader).text[0]
    assert "health" not in said
    assert "2" not in re.sub(r"cuya probabilidad.*|punto.*?;", "", said)
    words = told([[3.0]], [[-1.0]], schema_of(STANDARD["product"]), reader=reader).text
    assert not any("médico" in text for text in words)


@pytest.mark.parametrize("reader", READERS)
def test_denied_concepts_make_room_for_the_next_heaviest(reader: str):
    schema = schema_of(STANDARD["product"], STANDARD["dpd"], STANDARD["last_payment"])
    heard = told([[2.0, 9.0, 50.0]], [[3.0, 1.0, -0.5]], schema, reader=reader, k=2).concept.tolist()
    heaviest = ["account_profile", "arrears", "payment_amounts"]
    assert heard == (heaviest[1:] if reader == "debtor" else heaviest[:2])


def test_a_concept_is_denied_where_its_country_denies_it():
    asked = replace(STANDARD["last_payment"], concept="reason_for_default")
    schema = schema_of(asked, STANDARD["dpd"])
    rows = [[50.0, 9.0]] * 3
    places = np.array(["CO", "ES", None], dtype=object)
    with pytest.raises(TextMissing, match="reason_for_default"):
        told(rows, [[2.0, 1.0]] * 3, schema, country=places)
    contributions, _ = explained(np.array(rows), np.array([[2.0, 1.0]] * 3), schema)
    from recobro_score.explain.reasons import _heaviest

    index, weight = _heaviest(contributions, 2, "agent", places)
    assert index[:, 0].tolist() == [1, 0, 1]
    assert (weight != 0.0).sum(axis=1).tolist() == [1, 2, 1]


@given(
    weights=st.lists(st.floats(-6, 6), min_size=2, max_size=8),
    bias=st.floats(-4, 4),
    calibrator=st.sampled_from([CALIBRATOR, ORDINARY, Calibrator("platt", 0.6, 0.6, 0.2, 9, 4)]),
)
def test_points_keep_order_and_sign_under_calibration(weights, bias, calibrator):
    values = np.array([weights])
    names = tuple(f"c{i}" for i in range(len(weights)))
    contributions = ConceptReasons(names, values, np.array([bias]), np.zeros(values.shape, np.int64))
    margin = contributions.bias + values.sum(axis=1)
    points = probability_points(contributions, margin, probability=calibrator.probability).values
    assert (np.abs(points) <= 1.0).all()
    assert (np.sign(points) * np.sign(values) >= 0.0).all()
    by_weight = np.abs(points[0])[np.argsort(np.abs(values[0]), kind="stable")]
    assert (np.diff(by_weight) >= -1e-12).all()
    bigger = np.abs(values) > 1e-3
    assert ((points != 0.0) | ~bigger | (np.abs(margin)[:, None] > 8)).all()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_row_alone_is_told_as_in_the_batch(reader: str, language: str):
    rng = np.random.default_rng(5)
    schema = schema_of(
        *(STANDARD[n] for n in ("days_since_payment", "paid_30d", "dpd", "rpc_share_90d", "product"))
    )
    values = np.column_stack([rng.uniform(0, 400, 20), rng.normal(500, 400, 20), rng.uniform(0, 90, 20)])
    values = np.column_stack([values, rng.uniform(0, 1, 20), rng.integers(0, 5, 20)])
    contrib = rng.normal(size=(20, 5))
    places = np.array(["CO", "CL", "ES", None] * 5, dtype=object)
    more = {"reader": reader, "language": language, "calibrator": CALIBRATOR}
    batch = told(values, contrib, schema, country=places, **more)
    for row in range(20):
        alone = told(
            values[row : row + 1], contrib[row : row + 1], schema, country=places[row : row + 1], **more
        )
        assert alone.sentences()[0] == batch.sentences()[row]
        assert alone.points.tolist() == batch.points[batch.row == row].tolist()
