"""Both languages say the same things; formats follow the language; what is lacking is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from recobro_score.calendars import parse_instant
from recobro_score.errors import ConfigError, TextMissing
from recobro_score.texts import Texts, languages, load_texts, loader

ES, EN = Texts("es", {}), Texts("en", {})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of texts in place of the package's own."""
    caches = (loader.load_texts, loader._read)
    monkeypatch.setattr(loader, "files", lambda _: tmp_path)
    for function in caches:
        function.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    for function in caches:
        function.cache_clear()


def _write(folder: Path, language: str, area: str, text: str) -> None:
    (folder / language).mkdir(exist_ok=True)
    (folder / language / f"{area}.toml").write_text(text, encoding="utf-8")


def test_there_are_spanish_and_english_texts_with_the_same_fields():
    assert set(languages()) >= {"en", "es"}
    texts = [load_texts(language) for language in languages()]
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
    with pytest.raises(TextMissing, match=r"the 'es' texts lack 1 sentences of 'en': y"):
        load_texts("es")
    assert load_texts("en").render("y") == "2"


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
    texts = Texts("en", {"reason.up": "{count} payments"})
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
