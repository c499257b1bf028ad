"""Plots of reasons: every label inside the figure, in the language asked for."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from recobro_score.errors import SchemaMismatch
from recobro_score.explain.contributions import ConceptReasons, concept_contributions
from recobro_score.explain.plots import (
    features_to_shap,
    plot_concepts,
    plot_dependence,
    plot_waterfall,
    to_shap,
)
from recobro_score.features.matrix import FeatureMatrix
from recobro_score.features.recipes import CONCEPTS, PromiseRule
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.standard import standard_recipes
from recobro_score.texts import languages

LANGUAGES = languages()
# shap itself uses a function of matplotlib that is to be deprecated, when it is imported.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The set_\\w+ function will be deprecated:PendingDeprecationWarning"
)


@pytest.fixture(autouse=True)
def _canvas() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


@pytest.fixture
def reasons() -> ConceptReasons:
    rng = np.random.default_rng(3)
    contrib = rng.normal(0, 0.3, (30, 31)) * np.append(np.tile(rng.gamma(1, 1, 15), 2), 0.0)
    contrib[:, -1] = -1.2
    contrib[0, 0] = 3.0
    contrib[0, 1] = -0.0003
    return concept_contributions(contrib, CONCEPTS * 2, margin=contrib.sum(axis=1))


def assert_nothing_is_cut(ax: Axes) -> None:
    figure = ax.figure
    figure.canvas.draw()
    everything = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert everything.x0 >= 0.0
    assert everything.y0 >= 0.0
    assert everything.x1 <= width
    assert everything.y1 <= height


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_waterfall_names_every_concept_and_cuts_no_text(reasons: ConceptReasons, language: str) -> None:
    for row in range(2):
        ax = plot_waterfall(reasons, row, language=language, account_id="ES-0004711")
        assert_nothing_is_cut(ax)
    labels = {label.get_text() for label in ax.get_yticklabels()}
    names = {"es": "Importe pendiente", "en": "Amount outstanding", "pt": "Valor em aberto"}
    assert names[language] in labels
    assert len(labels) == len(CONCEPTS)
    words = " ".join(text.get_text() for text in [*ax.texts, *ax.figure.texts, ax.figure._suptitle])
    assert {"es": "esta cuenta", "en": "this account", "pt": "esta conta"}[language] in words
    assert ("," in words) == (language != "en")


def test_arrows_point_the_way_they_weigh(reasons: ConceptReasons) -> None:
    for row in range(3):
        ax = plot_waterfall(reasons, row, language="en", account_id="A")
        arrows = [patch for patch in ax.patches if patch.get_facecolor()[3] > 0.0]
        rightwards = sum(a.get_xy()[0, 0] > a.get_xy()[:, 0].min() for a in arrows)
        assert rightwards == (reasons.values[row] >= 0.0).sum()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_overview_cuts_no_text(reasons: ConceptReasons, language: str) -> None:
    ax = plot_concepts(reasons, language=language)
    assert_nothing_is_cut(ax)
    heaviest = np.abs(reasons.values).mean(axis=0)
    drawn = [bar.get_width() for bar in ax.containers[0]]
    lowered = [bar.get_width() for bar in ax.containers[1]]
    np.testing.assert_allclose(np.array(drawn) - np.array(lowered), np.sort(heaviest))


def test_shap_gets_the_same_numbers(reasons: ConceptReasons) -> None:
    explanation = to_shap(reasons, language="en")
    np.testing.assert_array_equal(explanation.values, reasons.values)
    np.testing.assert_array_equal(explanation.base_values, reasons.bias)
    assert explanation.feature_names[0] == "Last payment"


COLUMNS = ("days_since_payment", "paid_365d", "rpc_share_90d", "bucket", "product")


@pytest.fixture
def features() -> tuple[np.ndarray, FeatureMatrix]:
    rng = np.random.default_rng(4)
    recipes = {recipe.name: recipe for recipe in standard_recipes()}
    schema = FeatureSchema(
        tuple(recipes[name] for name in COLUMNS), PromiseRule(), (), {"product": ("card", "loan", "mortgage")}
    )
    n = 300
    values = np.column_stack(
        [
            np.where(rng.random(n) < 0.2, np.nan, rng.gamma(2, 60, n)),
            rng.gamma(2, 90_000, n),
            rng.random(n),
            rng.integers(0, 6, n),
            rng.integers(0, 5, n),
        ]
    )
    contrib = np.column_stack(
        [np.tanh(1.0 - np.nan_to_num(values) / [100, 2e5, 0.5, 2, 2]), np.full(n, -1.0)]
    )
    ids = pa.array([f"A{i}" for i in range(n)])
    return contrib, FeatureMatrix(ids, np.arange(n), np.zeros(n, np.int64), values, schema)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("feature", COLUMNS)
def test_the_dependence_cuts_no_text_and_shows_every_account(features, feature: str, language: str) -> None:
    ax = plot_dependence(*features, feature, language=language, currency="COP")
    assert_nothing_is_cut(ax)
    dots = ax.collections[0].get_offsets()
    np.testing.assert_array_equal(np.asarray(dots)[:, 1], features[0][:, COLUMNS.index(feature)])
    words = {label.get_text() for label in ax.get_xticklabels()}
    missing = {"es": "sin dato", "en": "no data", "pt": "sem dado"}[language]
    assert (missing in words) == (feature in ("days_since_payment", "product"))
    assert ("61-90" in words) == (feature == "bucket")
    assert ("mortgage" in words) == (feature == "product")


def test_a_feature_that_does_not_exist_is_named(features) -> None:
    with pytest.raises(SchemaMismatch, match="Did you mean 'paid_365d'"):
        plot_dependence(*features, "paid_365", language="en")


def test_shap_gets_features_with_their_values(features) -> None:
    contrib, matrix = features
    explanation = features_to_shap(contrib, matrix, language="es")
    np.testing.assert_array_equal(explanation.values, contrib[:, :-1])
    np.testing.assert_array_equal(explanation.data, matrix.values)
    np.testing.assert_array_equal(explanation.base_values, contrib[:, -1])
    assert len(explanation.feature_names) == len(COLUMNS)
