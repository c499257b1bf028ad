"""The run file chooses the features: a set of the library, less some, with the user's own."""

from __future__ import annotations

import pytest

from recobro_score import cli
from recobro_score.bundle import Bundle
from recobro_score.errors import ConfigError
from recobro_score.features import FeatureSet, Recipe, Where, Window
from recobro_score.operate.config import RunConfig

OWN = """
[features]
base = "extended"
without = ["days_since_reversal"]
held_to = { days_since_payment = -1 }

[[features.add]]
name = "cash_payments_45d"
table = "payments"
aggregate = "count"
concept = "payment_regularity"
window = { days = [-45, 0] }
where = [{ column = "method", values = ["cash"] }]
labels = { en = "cash payments in 45 days" }
"""


def read(tmp_path, features: str) -> RunConfig:
    path = tmp_path / "run.toml"
    path.write_text(f'[portfolio]\nfolder = "portfolio"\n{features}\n', encoding="utf-8")
    return RunConfig.read(path)


def test_the_section_says_what_the_same_words_say_in_python(tmp_path):
    cash = Recipe(
        "cash_payments_45d",
        "payments",
        "count",
        "payment_regularity",
        window=Window(-45, 0),
        where=(Where("method", ("cash",)),),
        labels=(("en", "cash payments in 45 days"),),
    )
    expected = FeatureSet.extended().without("days_since_reversal").with_recipes(cash)
    assert read(tmp_path, OWN).features.feature_set() == expected.held_to({"days_since_payment": -1})
    assert read(tmp_path, "").features.feature_set() == FeatureSet.standard()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"extended"', '"mine"', "features.base"),
        ("days_since_reversal", "days_since_reversl", "Did you mean 'days_since_reversal'"),
        ("days_since_payment =", "days_since_paymnt =", "Did you mean 'days_since_payment'"),
        ('table = "payments"', 'table = "payment"', "cash_payments_45d: unknown table"),
        ("window =", "windw =", "Did you mean 'window'"),
        ("[-45, 0]", "[0, 45]", "cash_payments_45d: .*payments"),
    ],
)
def test_what_is_wrong_is_told_with_the_run_file(tmp_path, before, after, told):
    assert before in OWN
    with pytest.raises(ConfigError, match=told):
        read(tmp_path, OWN.replace(before, after))


def test_own_features_reach_the_bundle_and_the_night(copied):
    run_file = copied / "run.toml"
    run_file.write_text(run_file.read_text() + OWN)
    assert cli.run(["train", str(run_file)]) == 0
    names = Bundle.load(copied / "bundle").schema.names
    assert names[-1] == "cash_payments_45d"
    assert "days_since_reversal" not in names
    assert cli.run(["nightly", str(run_file), "--as-of", "2025-06-03"]) == 0
