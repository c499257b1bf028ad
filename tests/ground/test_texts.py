"""All languages say the same things; formats follow the place; what is lacking or unsayable is refused."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from string import Formatter

import pytest

from recobro_score.calendars import parse_instant
from recobro_score.errors import ConfigError, TextMissing
from recobro_score.texts import Texts, languages, load_deny, load_texts, loader

ES, EN, PT = load_texts("es"), load_texts("en"), load_texts("pt")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of texts in place of the package's own."""
    caches = (loader.load_texts, loader._read, loader._toml)
    monkeypatch.setattr(loader, "files", lambda _: tmp_path)
    shipped = resources.files("recobro_score.texts").joinpath("formats.toml").read_text(encoding="utf-8")
    (tmp_path / "formats.toml").write_text(shipped, encoding="utf-8")
    _require(tmp_path, '"*" = ["name"]')
    for function in caches:
        function.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    for function in caches:
        function.cache_clear()


def _require(folder: Path, texts: str, lists: str = "") -> None:
    (folder / "required.toml").write_text(f"[lists]\n{lists}\n[texts]\n{texts}\n", encoding="utf-8")


def _write(folder: Path, language: str, area: str, text: str) -> None:
    (folder / language).mkdir(exist_ok=True)
    (folder / language / f"{area}.toml").write_text(text, encoding="utf-8")


def test_there_are_spanish_english_and_portuguese_texts_with_the_same_fields():
    assert set(languages()) >= {"en", "es", "pt"}
    texts = [load_texts(language) for language in languages()]
    assert len({frozenset(one.sentences) for one in texts}) == 1
    for key in texts[0].sentences:
        fields = [_fields(one.sentences[key]) for one in texts]
        assert all(found == fields[0] for found in fields), key


def _fields(template: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(template)} - {None}


def test_fragments_of_a_language_are_read_as_one(package: Path):
    for language in ("en", "es"):
        _write(package, language, "actions", '[action]\ncall = "Call {name}"\n')
        _write(package, language, "concepts", '[reason.payments]\nup = "ñ"\n')
    texts = load_texts("es")
    assert texts.render("action.call", name="A1") == "Call A1"
    assert "reason.payments.up" in texts
    assert "reason.payments" not in texts


def test_a_language_that_lacks_a_sentence_is_refused(package: Path):
    _write(package, "en", "a", 'x = "1"\ny = "2"\n')
    _write(package, "es", "a", 'x = "1"\n')
    with pytest.raises(TextMissing, match=r"the 'es' texts have 1 problems: y of 'en' is missing"):
        load_texts("es")
    assert load_texts("en").render("y") == "2"


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ('x = "{name}, {date}"', r"x asks for \{date\}; it may use \['name'\]"),
        ('x = "{name"', "x cannot be read"),
        ('x = "{}"', r"x asks for \{\}"),
        ('x = "su salud"', "x says 'salud', which is never said"),
        ('x = "irá a JUICIO"', "x says 'juicio', which is never said"),
        ('x = ""', "x is missing"),
        ('y = "1"', "x is missing; y is no known text"),
    ],
)
def test_every_problem_of_an_edited_text_is_told_when_it_is_loaded(package: Path, texts: str, complaint: str):
    _require(package, 'x = ["name"]')
    _write(package, "en", "a", texts)
    with pytest.raises(TextMissing, match=complaint):
        load_texts("en")


def test_a_family_of_texts_is_required_word_by_word(package: Path):
    _require(package, '"{what}.{way}" = []', 'what = ["a", "b"]\nway = ["up", "down"]')
    _write(package, "en", "a", 'a.up = "1"\na.down = "1"\nb.up = "1"\n')
    with pytest.raises(TextMissing, match=r"1 problems: b\.down is missing"):
        load_texts("en")


def test_a_sentence_in_two_files_is_refused(package: Path):
    _write(package, "en", "a", '[r]\nx = "1"\n')
    _write(package, "en", "b", '[r]\nx = "2"\n')
    with pytest.raises(ConfigError, match=r"'r\.x' of b\.toml is also in another file"):
        load_texts("en")


def test_a_language_without_texts_is_refused(package: Path):
    _write(package, "en", "a", 'x = "1"\n')
    with pytest.raises(ConfigError, match="no texts in the language 'fr'; there are en"):
        load_texts("fr")


def test_unknown_sentences_and_missing_fields_are_told():
    texts = Texts("en", {"reason.up": "{count} payments"}, EN.formats)
    assert texts.render("reason.up", count=3) == "3 payments"
    with pytest.raises(TextMissing, match=r"Did you mean 'reason\.up'"):
        texts.render("reason.upp")
    with pytest.raises(TextMissing, match="asks for the field 'count'"):
        texts.render("reason.up", number=3)
    with pytest.raises(KeyError):
        texts.render("nothing like it")


def test_numbers_follow_the_language():
    assert (ES.number(1234567.891, 2), EN.number(1234567.891, 2)) == ("1.234.567,89", "1,234,567.89")
    assert (ES.number(-1234), EN.number(0)) == ("-1.234", "0")
    assert (ES.number(-0.2), EN.number(-0.004, 2)) == ("0", "0.00")
    assert (PT.number(1234.5, 1), PT.money(123450, "BRL")) == ("1.234,5", "1.234,50 BRL")
    assert (ES.signed(-1.25, 1), EN.signed(0.4, 1), EN.signed(0.0), ES.signed(-0.01, 1)) == (
        "\N{MINUS SIGN}1,2",
        "+0.4",
        "0",
        "\N{MINUS SIGN}0,0",
    )
    assert (ES.percent(0.345), EN.percent(0.345, 1)) == ("34 %", "34.5 %")


def test_money_shows_the_decimals_of_its_currency():
    assert ES.money(123456, "EUR") == "1.234,56 EUR"
    assert EN.money(123456, "EUR") == "1,234.56 EUR"
    assert ES.money(123456, "CLP") == "123.456 CLP"
    assert EN.money(-5, "KWD") == "-0.005 KWD"
    assert EN.money(2**51 - 1, "EUR") == "22,517,998,136,852.47 EUR"


def test_dates_are_local_and_follow_the_language():
    us = parse_instant("2025-06-03T03:00Z")
    assert ES.date(us, "America/Bogota") == "02/06/2025"
    assert EN.date(us, "Europe/Madrid") == "2025-06-03"
    assert PT.date(us, "America/Sao_Paulo") == "03/06/2025"


def test_a_country_has_formats_of_its_own_and_the_sentences_of_its_language():
    mexico = load_texts("es-MX")
    assert mexico.money(123456789, "MXN") == "1,234,567.89 MXN"
    assert mexico.sentences == ES.sentences
    assert mexico.language == "es"
    assert load_texts("es-CO").formats == ES.formats
    assert load_texts("pt-BR").formats == PT.formats


def test_denied_words_are_found_whatever_their_accents_and_joints():
    deny = load_deny()
    assert not deny.may_tell("paid_by_health_insurer_30d")
    assert not deny.may_tell("Préstamo MÉDICO")
    assert not deny.may_tell("plain", "vulnerability_flagged")
    assert deny.may_tell("days_since_payment", "skill", "still")
    assert deny.denied_in("Le pondremos una DEMANDA y un embargo") == ("demanda", "embargo")
    assert deny.denied_in("an issue is pursued") == ()


def test_what_is_denied_anywhere_is_denied_where_the_country_is_not_known():
    deny = load_deny()
    for reader in ("agent", "debtor", "auditor"):
        assert "vulnerability" in deny.concepts_for(reader, "ES")
        assert "reason_for_default" in deny.concepts_for(reader, "CO")
        assert "reason_for_default" not in deny.concepts_for(reader, "ES")
        assert "reason_for_default" in deny.concepts_for(reader, None)
    assert "account_profile" in deny.concepts_for("debtor", "CL")
    assert "account_profile" not in deny.concepts_for("agent", "CL")
    assert all(entry.because for entry in deny.concepts)
