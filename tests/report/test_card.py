"""The model card says what the bundle holds, in whole sentences of either language."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from recobro_score.bundle import Bundle
from recobro_score.errors import ConfigError
from recobro_score.features.eligibility import REASONS
from recobro_score.report import model_card
from recobro_score.report.card import LANGUAGES


@pytest.fixture(scope="module")
def bundle(small_bundle) -> Bundle:
    return Bundle.load(small_bundle)


def flat(table: dict, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in table.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def words(language: str) -> dict[str, object]:
    text = files("recobro_score.report").joinpath(f"card.{language}.toml").read_text(encoding="utf-8")
    return flat(tomllib.loads(text))


def test_the_languages_say_the_same_things() -> None:
    english, spanish = words("en"), words("es")
    assert english.keys() == spanish.keys()
    for key, text in english.items():
        fields = [sorted(re.findall(r"\{(\w+)\}", str(each))) for each in (text, spanish[key])]
        assert fields[0] == fields[1], key
    assert {f"reason.{reason}" for reason in REASONS if reason != "known"} <= english.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_section_and_number_is_there(bundle: Bundle, language: str) -> None:
    card = model_card(bundle, language=language)
    titles = [text for key, text in words(language).items() if key.startswith("section.")]
    assert re.findall(r"^## (.*)$", card.markdown, flags=re.M) == titles
    assert not re.search(r"[{}]|None|nan", card.markdown)
    assert bundle.payment.model_id in card.markdown
    assert bundle.bundle_id in card.markdown
    for warning in bundle.card["warnings"]:
        assert f"- {warning}" in card.markdown
    rows = [line for line in card.markdown.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + sum(row["n"] > 0 for row in bundle.card["metrics"].values())
    assert {row.count("|") for row in rows} == {10}


def test_the_data_are_the_bundles_own(bundle: Bundle, tmp_path: Path) -> None:
    card = model_card(bundle)
    _, path = card.write(tmp_path)
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["rows"] == bundle.card["rows"]
    assert told["features"] == list(bundle.schema.names)
    assert told["performance"]["all"]["auc"] == bundle.card["metrics"]["all"]["auc"]
    assert told["forbidden_features"] == []
    assert model_card(bundle).markdown == card.markdown


def test_an_untested_bundle_says_so(bundle: Bundle) -> None:
    untested = replace(bundle, card={**bundle.card, "metrics": {}})
    assert "has not been tested" in model_card(untested).markdown


def test_a_language_without_a_card_is_refused(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="en, es"):
        model_card(bundle, language="fr")
