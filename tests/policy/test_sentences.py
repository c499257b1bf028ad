"""Why this action, in words: golden sentences, a text for every rule, and nothing that is never said."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recobro_score.policy
from recobro_score.calendars import NEVER
from recobro_score.policy.actions import Catalogue
from recobro_score.policy.candidates import Candidates, candidates
from recobro_score.policy.contact_rules import load_rules
from recobro_score.policy.decide import Versions, decide
from recobro_score.policy.records import Choices
from recobro_score.policy.sentences import action_sentences, rule_words
from recobro_score.policy.stops import NAMED_HOLDS, STOPPING_FACTS
from recobro_score.policy.terms import OfferPolicy
from recobro_score.texts import languages, load_deny, load_texts
from tests.policy.books import AS_OF, book, instant, priced, scores

LANGUAGES = languages()
RULES = load_rules()
POLICY = Path(recobro_score.policy.__file__).parent
_ID = re.compile(r"[a-z_]+:?")


def found_in(store, as_of: int | None = None, **more) -> Candidates:
    when = instant(AS_OF) if as_of is None else as_of
    inputs = scores(store, when, **more)
    return candidates(inputs, store, when, catalogue=priced(store), rules=RULES, offers=OfferPolicy())


def worth_something(found: Candidates) -> Candidates:
    """Every action with a value, permitted or not."""
    values = np.nan_to_num(found.table.values, neginf=1.0)
    return replace(found, table=replace(found.table, values=values))


FOUND = worth_something(found_in(book({"d1": ("a",), "d2": ("b",)})))
ACTIONS = FOUND.catalogue.ids


def chosen(action: str, **more) -> Choices:
    given_ = {
        "action": np.array([ACTIONS.index(action), 0]),
        "runner_up": np.array([-1, -1]),
        "runner_up_value": np.array([np.nan, np.nan]),
        "rule": np.array([None, "no_gain"], dtype=object),
        "next_allowed_at": np.array([NEVER, NEVER]),
        "price": np.zeros(2),
    }
    return Choices(**{**given_, **more})


def said(language: str, action: str, rule: str | None = None, **more) -> str:
    if rule is not None:
        more["rule"] = np.array([rule, "no_gain"], dtype=object)
    return str(action_sentences(FOUND, chosen(action, **more), texts=load_texts(language))[0])


def test_a_contact_tells_effect_cost_price_rule_and_runner_up_in_one_sentence():
    values = FOUND.table.values.copy()
    values[0, ACTIONS.index("sms")] = 5210.0
    p_with = FOUND.p_with.copy()
    p_with[0, ACTIONS.index("sms")] = 0.3084
    found = replace(FOUND, table=replace(FOUND.table, values=values), p_with=p_with)
    choices = chosen(
        "sms",
        rule=np.array(["capacity:call", "no_gain"], dtype=object),
        price=np.array([1200.0, 0.0]),
        runner_up=np.array([ACTIONS.index("email"), -1]),
        runner_up_value=np.array([1400.0, np.nan]),
    )
    told = {one: action_sentences(found, choices, texts=load_texts(one))[0] for one in LANGUAGES}
    assert told["es"] == (
        "Se propone enviar un SMS: según los supuestos del catálogo, aún sin datos propios, aporta unos "
        "5.210,00 COP netos, con un coste de 160,00 COP; la probabilidad de pago pasa del 30,0 % al 30,8 %; "
        "la capacidad que usa es limitada: hoy cada unidad vale 1.200,00 COP; la capacidad de llamadas de "
        "agentes se dedica hoy a casos en los que se espera que aporte más [capacity:call]; la segunda "
        "opción era enviar un correo electrónico, que aportaría 1.400,00 COP."
    )
    assert told["en"] == (
        "Proposed: send a text message; according to the catalogue's assumptions, with no data of our own "
        "yet, it adds about 5,210.00 COP net at a cost of 160.00 COP; the probability of payment goes from "
        "30.0 % to 30.8 %; the capacity it uses is limited: one unit is worth 1,200.00 COP today; the "
        "capacity for calls by agents goes today to cases where it is expected to add more "
        "[capacity:call]; the second choice was to send an e-mail, worth 1,400.00 COP."
    )
    assert told["pt"] == (
        "Propõe-se enviar um SMS: segundo as premissas do catálogo, ainda sem dados próprios, acrescenta "
        "cerca de 5.210,00 COP líquidos, com um custo de 160,00 COP; a probabilidade de pagamento passa de "
        "30,0 % para 30,8 %; a capacidade que usa é limitada: hoje cada unidade vale 1.200,00 COP; a "
        "capacidade de ligações de agentes vai hoje para casos em que se espera que acrescente mais "
        "[capacity:call]; a segunda opção era enviar um e-mail, que acrescentaria 1.400,00 COP."
    )


@pytest.mark.parametrize(
    ("rule", "spanish", "english", "portuguese"),
    [
        (
            "hours:CO-sunday",
            "No se contacta: la ley colombiana no permite contactar en domingo [hours:CO-sunday].",
            "No contact: Colombian law does not permit contact on Sundays [hours:CO-sunday].",
            "Não se faz contato: a lei colombiana não permite contatar aos domingos [hours:CO-sunday].",
        ),
        (
            "no_contact_point:call",
            "No se contacta: no hay un dato de contacto válido para este canal (llamada) "
            "[no_contact_point:call].",
            "No contact: there is no valid contact point for this channel (call) [no_contact_point:call].",
            "Não se faz contato: não há um dado de contato válido para este canal (ligação) "
            "[no_contact_point:call].",
        ),
        (
            "hours:my-own-rule",
            "No se contacta: las reglas de contacto no lo permiten a esta hora o en este día "
            "[hours:my-own-rule].",
            "No contact: the contact rules do not permit it at this hour or on this day [hours:my-own-rule].",
            "Não se faz contato: as regras de contato não permitem contato a esta hora ou neste dia "
            "[hours:my-own-rule].",
        ),
        (
            "nothing_due",
            "No se hace nada: no hay importe pendiente [nothing_due].",
            "Nothing is done: no amount is due [nothing_due].",
            "Não se faz nada: não há valor em aberto [nothing_due].",
        ),
        (
            "human_only",
            "Hoy no se hace nada: el caso se derivará a una persona en cuanto haya capacidad.",
            "Nothing is done today: the case is handed over to a person as soon as there is capacity.",
            "Hoje não se faz nada: o caso será encaminhado a uma pessoa assim que houver capacidade.",
        ),
    ],
)
def test_golden_sentences_of_rules(rule: str, spanish: str, english: str, portuguese: str):
    assert [said(one, "no_action", rule) for one in ("es", "en", "pt")] == [spanish, english, portuguese]


def test_a_deferral_says_when_in_the_debtors_day():
    monday = instant("2025-06-09T07:00")
    told = said("pt", "no_action", "hours:CO-sunday", next_allowed_at=np.array([monday, NEVER]))
    assert told == (
        "Não se faz contato: a lei colombiana não permite contatar aos domingos [hours:CO-sunday]; "
        "será verificado de novo em 09/06/2025."
    )


def test_whoever_loses_a_scarce_capacity_is_told_what_it_would_have_added():
    lost = {
        "runner_up": np.array([ACTIONS.index("call_agent"), -1]),
        "runner_up_value": np.array([900.0, np.nan]),
    }
    told = said("es", "no_action", "capacity:call", **lost)
    assert told.endswith(
        "[capacity:call]; la segunda opción era pedir a un agente que llame, que aportaría 900,00 COP."
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_free_text_and_health_in_a_rule_are_not_repeated(language: str):
    for rule in ("complaint:stop calling me", "complaint:baja:enfermedad", "blocked:some table, stale"):
        family = rule.partition(":")[0]
        assert said(language, "no_action", rule).endswith(f"[{family}].")
    assert "[fact]" in said(language, "no_action", "fact:deceased")


def _emitted() -> set[str]:
    """Every family that the policy's code names in a string, and every rule of the shipped countries."""
    families: set[str] = set()
    for path in POLICY.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("stop", "stop_channel"):
                families |= {_start(argument) for argument in node.args}
            elif isinstance(node, ast.JoinedStr | ast.Constant) and _start(node).endswith(":"):
                families.add(_start(node))
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                name = getattr(node.targets[0], "id", "")
                families |= {_start(node.value)} if name in ("HUMAN_ONLY", "NOT_NEEDED", "NO_GAIN") else set()
    return {family for family in families if family and family != "schema:"}


def _start(node: ast.expr) -> str:
    """Return the beginning of a string that looks like a rule: a word, a colon behind it if there is more."""
    if isinstance(node, ast.JoinedStr):
        first = node.values[0]
        return _start(first) if isinstance(first, ast.Constant) else ""
    text = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(text, str) or not (start := _ID.match(text)):
        return ""
    rest = text[start.end() :]
    return start.group() if re.fullmatch(r"[\w.-]*", rest) else ""


def test_every_rule_that_the_policy_can_emit_has_a_text_of_its_family():
    families = {start.removesuffix(":") for start in _emitted()}
    assert families >= {"hold", "blocked", "no_score", "plan", "no_rules", "offer", "capacity", "human_only"}
    kinds = {"hours": "hours", "cap": "cap", "one_channel": "channel", "consent": "consent"}
    ids = {f"{kinds[rule.type]}:{rule.id}" for rules in RULES.countries.values() for rule in rules}
    ids |= {f"hold:{kind}" for kind in (*NAMED_HOLDS, "other")} | {f"fact:{kind}" for kind in STOPPING_FACTS}
    ids |= {f"no_contact_point:{channel}" for channel in Catalogue.load().channels}
    ids |= {f"capacity:{pool}" for pool in Catalogue.load().pools}
    for language in LANGUAGES:
        texts = load_texts(language)
        assert {family for family in families if f"rule.{family}.any" not in texts} == set()
        for rule in sorted(ids | families):
            assert f"rule.{rule.partition(':')[0]}.any" in texts, rule
            told = rule_words(rule, basis="prior", texts=texts)
            assert told
            assert told != texts.render("rule.other.any")
            assert load_deny().denied_in(told) == ()


def test_a_rule_by_name_in_the_texts_is_one_that_exists():
    known = {f"{rule.id}" for rules in RULES.countries.values() for rule in rules}
    for key in load_texts("es").sentences:
        family, _, tail = key.removeprefix("rule.").partition(".")
        if key.startswith("rule.") and family in ("hours", "cap", "channel", "consent") and tail != "any":
            assert tail in known, key


def test_every_action_and_pool_of_the_shipped_catalogue_has_a_name():
    catalogue = Catalogue.load()
    for language in LANGUAGES:
        texts = load_texts(language)
        assert all(f"action.name.{action}" in texts for action in catalogue.ids)
        assert all(f"action.pool.{pool}" in texts for pool in catalogue.pools)


AMOUNTS = st.floats(-1e9, 1e9, allow_nan=False)


@given(
    action=st.sampled_from(ACTIONS),
    rule=st.sampled_from(
        [None, "capacity:call", "hold:deceased", "hold:litigation", "plan:kept", "new:thing"]
    ),
    price=st.floats(0, 1e6),
    worth=AMOUNTS,
    second=st.integers(-1, len(ACTIONS) - 1),
    language=st.sampled_from(LANGUAGES),
)
def test_no_sentence_says_what_is_never_said(action, rule, price, worth, second, language):
    told = said(
        language,
        action,
        rule or "no_gain",
        price=np.array([price, 0.0]),
        runner_up=np.array([second, -1]),
        runner_up_value=np.array([worth, np.nan]),
    )
    assert load_deny().denied_in(told) == ()
    assert "{" not in told
    assert told.endswith(".")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_account_alone_is_told_what_the_batch_tells(language: str):
    people = {f"d{i}": (f"a{i}",) for i in range(8)}
    held = [{"debtor_id": "d3", "kind": "dispute", "from_at": "2025-01-01"}]
    fragile = [{"debtor_id": "d4", "kind": "vulnerability", "value": "true", "from_at": "2025-01-01"}]
    found = found_in(book(people, holds=held, facts=fragile), p_pay=np.linspace(0.05, 0.9, 8))
    versions = Versions(policy="p", rules="r", bundle_id="b")
    batch = decide(found, capacities={}, language=language, versions=versions).table.to_pylist()
    for row in range(8):
        alone = decide(found.take(np.array([row])), capacities={}, language=language, versions=versions)
        assert alone.table.to_pylist()[0] == batch[row]
    assert load_deny().denied_in(" ".join(record["action_reason"] for record in batch)) == ()


def test_a_record_carries_the_reasons_and_the_id_of_one_model():
    store = book({"d1": ("a",), "d2": ("b",)})
    reasons = np.array([["one", "two", None], ["three", None, None]], dtype=object)
    found = found_in(store, reason_texts=reasons, reason_codes=reasons, model_id="payment-1234")
    records = decide(
        found, capacities={}, language="es", versions=Versions(policy="p", rules="r")
    ).table.to_pylist()
    assert [[r["reason_1"], r["reason_2"], r["reason_3"]] for r in records] == reasons.tolist()
    assert [r["reason_codes"] for r in records] == ["one,two", "three"]
    assert {r["model_id"] for r in records} == {"payment-1234"}
