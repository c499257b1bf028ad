"""Plots of reasons: every label inside the figure, in the language asked for."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from recobro_score.explain.contributions import ConceptReasons, concept_contributions
from recobro_score.explain.plots import plot_concepts, plot_waterfall, to_shap
from recobro_score.features.recipes import CONCEPTS

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


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_waterfall_names_every_concept_and_cuts_no_text(reasons: ConceptReasons, language: str) -> None:
    for row in range(5):
        ax = plot_waterfall(reasons, row, language=language, account_id="ES-0004711")
        assert_nothing_is_cut(ax)
    labels = {label.get_text() for label in ax.get_yticklabels()}
    assert ("Importe pendiente" if language == "es" else "Amount outstanding") in labels
    assert len(labels) == len(CONCEPTS)
    words = " ".join(text.get_text() for text in [*ax.texts, *ax.figure.texts, ax.figure._suptitle])
    assert ("esta cuenta" if language == "es" else "this account") in words
    assert ("," in words) == (language == "es")


def test_arrows_point_the_way_they_weigh(reasons: ConceptReasons) -> None:
    for row in range(5):
        ax = plot_waterfall(reasons, row, language="en", account_id="A")
        arrows = [patch for patch in ax.patches if patch.get_facecolor()[3] > 0.0]
        rightwards = sum(a.get_xy()[0, 0] > a.get_xy()[:, 0].min() for a in arrows)
        assert rightwards == (reasons.values[row] >= 0.0).sum()


@pytest.mark.parametrize("language", ["es", "en"])
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
