"""Reasons end to end: one account as the batch, order and sign, readers, countries, files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score import engine
from recobro_score.bundle import Bundle
from recobro_score.engine import explained
from recobro_score.errors import ConfigError
from recobro_score.explain import readers
from recobro_score.explain.readers import READERS
from recobro_score.texts import languages, load_deny
from recobro_score.texts.deny import DeniedConcepts

COLUMNS = ("reason_codes", "reason_contributions", "reason_points", "reasons")
LANGUAGES = (*languages(), "es-MX")


def told(bundle, store, as_of, **options):
    table = engine.score(bundle, store, as_of, **options).table()
    return table.select(["account_id", *COLUMNS]).combine_chunks()


@pytest.fixture(scope="module")
def batches(bundle, portfolio, as_of):
    found = {}

    def of(reader: str, language: str):
        key = reader, language
        if key not in found:
            found[key] = told(bundle, portfolio.store, as_of, reader=reader, language=language)
        return found[key]

    return of


@settings(max_examples=30)
@given(number=st.integers(0, 399), reader=st.sampled_from(READERS), language=st.sampled_from(LANGUAGES))
def test_one_account_is_told_as_in_the_batch_bit_for_bit(
    number, reader, language, bundle, portfolio, as_of, batches
):
    alone = portfolio.store.take(np.array([number]))
    found = told(bundle, alone, as_of, reader=reader, language=language)
    assert found.equals(batches(reader, language).slice(number, 1).combine_chunks())


def test_order_and_sign_of_reasons_survive_the_calibration(batches):
    for row in batches("auditor", "es").to_pylist():
        weight, points = np.array(row["reason_contributions"]), np.array(row["reason_points"])
        assert (np.sign(points) == np.sign(weight)).all()
        assert (np.diff(np.abs(weight)) <= 0.0).all()
        assert (np.diff(np.abs(points)) <= 1e-15).all()


def test_points_start_where_the_contributions_start(bundle, portfolio, as_of):
    scored = engine.score(bundle, portfolio.store, as_of)
    assert np.unique(scored.contributions.bias).size == 1
    average = bundle.payment.event.calibrator.probability(scored.contributions.bias)
    assert scored.points.average.tolist() == average.tolist()
    assert (np.sign(scored.points.values) == np.sign(scored.contributions.values)).all()


def test_a_saved_and_loaded_bundle_tells_the_same(bundle, portfolio, as_of, tmp_path, batches):
    again = Bundle.load(bundle.save(tmp_path / "copy"))
    for reader in READERS:
        assert told(again, portfolio.store, as_of, reader=reader).equals(batches(reader, "es"))


def test_how_many_rows_are_explained_together_changes_nothing(bundle, portfolio, as_of, batches, monkeypatch):
    monkeypatch.setattr(explained, "_ROWS_TOGETHER", 64)
    assert told(bundle, portfolio.store, as_of).equals(batches("agent", "es"))


def test_contributions_of_features_are_those_of_the_concepts(bundle, portfolio, as_of):
    scored = engine.score(bundle, portfolio.store, as_of)
    of_features = scored.feature_contributions(threads=2)
    concepts = np.array(scored.matrix.schema.concepts)
    for place, concept in enumerate(scored.contributions.concepts):
        mine = of_features[:, :-1][:, concepts == concept].sum(axis=1)
        np.testing.assert_allclose(mine, scored.contributions.values[:, place], atol=1e-12)


def test_the_same_reasons_for_readers_who_may_be_told_the_same(batches):
    agent, auditor = batches("agent", "en"), batches("auditor", "en")
    for column in COLUMNS[:3]:
        assert agent[column].equals(auditor[column])
    assert not agent["reasons"].equals(auditor["reasons"])
    debtor = {code for codes in batches("debtor", "en")["reason_codes"].to_pylist() for code in codes}
    assert "account_profile" not in debtor


@pytest.fixture
def deny_in_colombia(monkeypatch):
    """Deny the agent days past due in Colombia, and nothing of it elsewhere."""
    own = DeniedConcepts(("agent",), ("CO",), ("arrears",), "for this test")
    denied = replace(load_deny(), concepts=(*load_deny().concepts, own))
    monkeypatch.setattr(readers, "load_deny", lambda: denied)
    caches = (readers.tellable, readers.require_texts)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("deny_in_colombia")
def test_what_a_country_denies_is_not_told_of_its_accounts(bundle, portfolio, as_of, batches):
    store = portfolio.store
    countries = store.words("accounts.country")
    assert {"CO", "CL"} <= set(countries)
    here = told(bundle, store, as_of)["reason_codes"].to_pylist()
    heard = {"CO": set(), "CL": set()}
    for country, codes in zip(countries, here, strict=True):
        heard[country] |= set(codes)
    assert "arrears" not in heard["CO"]
    assert "arrears" in heard["CL"]
    assert all(len(codes) == 3 for codes in here)


@pytest.mark.parametrize("reader", READERS)
def test_the_decision_carries_the_reasons_of_the_run(bundle, portfolio, as_of, night, reader, batches):
    outputs = engine.run(bundle, portfolio, as_of, options=replace(night, reader=reader, buckets=3))
    expected = {row["account_id"]: row for row in batches(reader, "en").to_pylist()}
    for row in outputs.decisions.to_pylist():
        own = expected[row["account_id"]]
        assert row["reason_codes"].split(",") == own["reason_codes"]
        assert [row[f"reason_{rank}"] for rank in (1, 2, 3)] == own["reasons"]
        assert row["model_id"] == bundle.payment.model_id
    assert outputs.scores.select(["account_id", *COLUMNS]).combine_chunks().equals(batches(reader, "en"))


def test_a_reader_or_language_that_does_not_exist_stops_the_run_first(bundle, portfolio, as_of, night):
    seen = []
    for wrong in ({"reader": "judge"}, {"language": "fr"}):
        with pytest.raises(ConfigError):
            engine.run(
                bundle,
                portfolio,
                as_of,
                options=replace(night, **wrong),
                progress=lambda step, done: seen.append((step, done)),
            )
    assert seen == []
