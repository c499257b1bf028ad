"""Pictures of reasons: one account's waterfall, the portfolio's overview, the dependence on one feature."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.data.state import BUCKETS
from recobro_score.errors import SchemaMismatch, hint
from recobro_score.explain.wording import wording_in
from recobro_score.features.recipes import STATE_TABLE
from recobro_score.texts import Texts, load_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.patches import FancyArrow
    from numpy.typing import NDArray
    from shap import Explanation

    from recobro_score.explain.contributions import ConceptReasons
    from recobro_score.features.matrix import FeatureMatrix
    from recobro_score.features.schema import FeatureSchema

    Floats = NDArray[np.float64]

RAISES = "#2a7f9e"
LOWERS = "#d1603d"
GREY = "#666666"
TITLE_WIDTH, WORD_WIDTH = 64, 14


def to_shap(contributions: ConceptReasons, *, language: str) -> Explanation:
    """Return the contributions as a `shap.Explanation`, for every plot that shap has.

    Parameters
    ----------
    contributions : ConceptReasons
        n rows by C concepts.
    language : str
        Language of the concept names.
    """
    from shap import Explanation

    return Explanation(
        values=contributions.values,
        base_values=contributions.bias,
        feature_names=_concept_names(contributions, load_texts(language)),
    )


def features_to_shap(contrib: Floats, matrix: FeatureMatrix, *, language: str) -> Explanation:
    """Return the contributions of every feature, with its values, as a `shap.Explanation`.

    Parameters
    ----------
    contrib : float64 array, shape (n, p + 1)
        Contribution of every feature to the margin; the last column is the bias.
    matrix : FeatureMatrix
        The features that were explained.
    language : str
        Language of the feature names.
    """
    from shap import Explanation

    return Explanation(
        values=contrib[:, :-1],
        base_values=contrib[:, -1],
        data=matrix.values,
        feature_names=list(wording_in(language, matrix.schema).labels),
    )


def plot_dependence(
    contrib: Floats,
    matrix: FeatureMatrix,
    feature: str,
    *,
    language: str,
    currency: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw how much one feature weighs in the margin, by its value: one dot per account.

    Parameters
    ----------
    contrib : float64 array, shape (n, p + 1)
        Contribution of every feature to the margin; the last column is the bias.
    matrix : FeatureMatrix
        The features that were explained; rows of one currency where the feature is money.
    feature : str
        Name of the column.
    language : str
        Language of all labels.
    currency : str
        Named beside money.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Above the line what makes payment more likely, below less; accounts without a value stand on the left.

    Raises
    ------
    SchemaMismatch
        If there is no such feature.
    """
    import matplotlib.pyplot as plt

    if feature not in matrix.schema.names:
        msg = f"no feature {feature!r}.{hint(feature, matrix.schema.names)}"
        raise SchemaMismatch(msg)
    texts, position = load_texts(language), matrix.schema.names.index(feature)
    if ax is None:
        ax = plt.figure(figsize=(7.5, 4.6), layout="constrained").add_subplot()
    weight, value = contrib[:, position], matrix.values[:, position]
    places = _places(value, matrix.schema, feature, texts)
    colours = np.where(weight >= 0.0, RAISES, LOWERS)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    ax.scatter(places.x, weight, s=14, alpha=0.55, c=colours.tolist(), linewidths=0)
    for side, key in ((RAISES, "raises"), (LOWERS, "lowers")):
        ax.scatter([], [], s=28, c=side, label=texts.render(f"explain.{key}"))
    label = wording_in(language, matrix.schema).labels[position]
    title = texts.render("explain.dependence_title", label=label)
    ax.set_title(fill(title, TITLE_WIDTH), loc="left", pad=30)
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, borderaxespad=0.2)
    unit = matrix.schema.features[position].unit
    ax.set_xlabel(_with_unit(label, unit, currency, texts))
    ax.set_ylabel(texts.render("explain.dependence_axis"))
    _localise(ax.yaxis, texts)
    _localise(ax.xaxis, texts, scale=100.0 if unit == "ratio" else 1.0)
    if places.words:
        ax.set_xticks(list(places.words), [fill(word, WORD_WIDTH) for word in places.words.values()])
    elif places.missing is not None:
        _name_missing(ax, texts, places.missing)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _with_unit(label: str, unit: str, currency: str, texts: Texts) -> str:
    """Return a label with the unit behind it, where there is one that the label does not begin with."""
    key = f"explain.{unit}_axis"
    days = texts.render("value.days.many", number="").strip()
    if key not in texts or (unit == "money" and not currency) or (unit == "days" and label.startswith(days)):
        return label
    return texts.render(key, label=label, currency=currency)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the dots of a feature stand, what is written below, and where those without a value stand."""

    x: Floats
    words: dict[float, str]
    missing: float | None


def _places(value: Floats, schema: FeatureSchema, feature: str, texts: Texts) -> _Places:
    spread = 0.3 * np.cos(np.arange(len(value)) * 2.399)
    recipe = schema.features[schema.names.index(feature)]
    words: tuple[str, ...] = ()
    if recipe.kind == "category":
        words = (texts.render("value.missing"), texts.render("value.unseen"), *schema.vocabularies[feature])
    elif (recipe.table, recipe.value, recipe.unit) == (STATE_TABLE, "bucket", "number"):
        words = BUCKETS
    missing = np.isnan(value)
    if words and np.isin(value[~missing], np.arange(len(words))).all():
        kept = np.where(missing, -1.0, value)
        names = {
            float(code): words[int(code)] if code >= 0 else texts.render("value.missing")
            for code in np.unique(kept)
        }
        return _Places(kept + spread, names, None)
    if not missing.any():
        return _Places(value, {}, None)
    known = value[~missing] if not missing.all() else np.zeros(1)
    width = float(known.max() - known.min()) or 1.0
    aside = float(known.min()) - 0.12 * width
    return _Places(np.where(missing, aside + 0.08 * width * spread, value), {}, aside)


def _name_missing(ax: Axes, texts: Texts, place: float) -> None:
    """Write "no data" below the dots of the accounts without a value, in place of a number."""
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if place + 0.08 * (high - low) < tick <= high]
    wording = ax.xaxis.get_major_formatter()
    labels = [wording(tick) for tick in ticks]
    ax.set_xticks([place, *ticks], [texts.render("value.missing"), *labels])
    ax.set_xlim(low, high)


def plot_waterfall(contributions: ConceptReasons, row: int, *, language: str, account_id: str) -> Axes:
    """Draw how the concepts lead from the average account's margin to that of one account.

    Parameters
    ----------
    contributions : ConceptReasons
        Contributions of one or more rows.
    row : int
        The row to draw.
    language : str
        Language of all labels.
    account_id : str
        Named in the title.

    Returns
    -------
    matplotlib.axes.Axes
        The axes of a figure of its own (shap sizes the whole figure to the number of bars).
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    from shap.plots import waterfall

    texts = load_texts(language)
    figure = plt.figure()
    ax = figure.add_subplot()
    figure.subplots_adjust(left=0.40, right=0.96)
    interactive = mpl.is_interactive()
    waterfall(
        to_shap(contributions, language=language)[row], max_display=len(contributions.concepts), show=False
    )
    mpl.interactive(interactive)
    for twin in [axes for axes in figure.axes if axes is not ax]:
        twin.remove()
    _restyle_bars(ax, texts)
    _mark_ends(ax, texts, contributions.bias[row], contributions.bias[row] + contributions.values[row].sum())
    title = texts.render("explain.waterfall_title", account_id=account_id)
    figure.suptitle(title, x=0.02, ha="left", fontsize=13)
    margins = 0.55 / figure.get_figheight()
    figure.subplots_adjust(top=1.0 - margins, bottom=1.4 * margins)
    return ax


def plot_concepts(contributions: ConceptReasons, *, language: str, ax: Axes | None = None) -> Axes:
    """Draw how much each concept raises and lowers the margin, averaged over all rows.

    Parameters
    ----------
    contributions : ConceptReasons
        Contributions of many rows.
    language : str
        Language of all labels.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        To the right what makes payment more likely, to the left less; the weightiest concept on top.
    """
    import matplotlib.pyplot as plt

    texts = load_texts(language)
    if ax is None:
        figure = plt.figure(figsize=(8.8, 0.36 * len(contributions.concepts) + 1.6), layout="constrained")
        ax = figure.add_subplot()
    raised = np.maximum(contributions.values, 0.0).mean(axis=0)
    lowered = np.minimum(contributions.values, 0.0).mean(axis=0)
    order = np.argsort(raised - lowered, kind="stable")
    names = _concept_names(contributions, texts)
    ax.barh(np.arange(len(order)), raised[order], color=RAISES, label=texts.render("explain.raises"))
    ax.barh(np.arange(len(order)), lowered[order], color=LOWERS, label=texts.render("explain.lowers"))
    ax.set_yticks(np.arange(len(order)), [names[i] for i in order])
    ax.axvline(0.0, color=GREY, linewidth=0.8)
    ax.set_xlabel(texts.render("explain.concepts_axis"))
    ax.set_title(texts.render("explain.concepts_title"), loc="left", pad=30)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    _localise(ax.xaxis, texts)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def _concept_names(contributions: ConceptReasons, texts: Texts) -> Sequence[str]:
    return [texts.render(f"concept.{name}") for name in contributions.concepts]


def _restyle_bars(ax: Axes, texts: Texts) -> None:
    """Give shap's bars the colours of this module and their numbers the decimal mark of the language."""
    patches: list[Any] = list(ax.patches)
    for patch in patches:
        red, _, blue, opacity = patch.get_facecolor()
        if opacity > 0.0:
            patch.set_color(RAISES if red > blue else LOWERS)
            _point_outwards(patch, rightwards=red > blue)
    for text in ax.texts:
        colour: Any = text.get_color()
        if not isinstance(colour, str):
            text.set_color(RAISES if colour[0] > colour[2] else LOWERS)
        text.set_text(_signed(float(text.get_text().replace("\N{MINUS SIGN}", "-")), texts))
        text.set_fontsize(11)
    _localise(ax.xaxis, texts)
    ax.tick_params(axis="y", labelsize=11)
    ax.tick_params(axis="x", labelsize=10)


def _point_outwards(arrow: FancyArrow, *, rightwards: bool) -> None:
    """Mirror an arrow that shap turned round because it is shorter than its head."""
    corners = arrow.get_xy()
    tip = corners[0, 0]
    tail = corners[np.argmax(np.abs(corners[:, 0] - tip)), 0]
    if (tip > tail) != rightwards:
        arrow.set_xy(np.column_stack([2.0 * tail - corners[:, 0], corners[:, 1]]))


def _mark_ends(ax: Axes, texts: Texts, average: float, account: float) -> None:
    """Name the two dashed lines: where the waterfall starts, below, and where it ends, above."""
    bottom, top = -1.3, len(ax.get_yticks()) / 2 + 0.1
    ax.set_ylim(bottom, top)
    low, high = ax.get_xlim()
    for x, y, key in ((average, -0.65, "average"), (account, top - 0.25, "this_account")):
        side = "left" if x < (low + high) / 2 else "right"
        label = f" {texts.render('explain.' + key)}: {_in_print(x, 2, texts)} "
        ax.text(x, y, label, ha=side, va="top", fontsize=10, color=GREY)
    ax.set_xlabel(texts.render("explain.margin_axis"), fontsize=10)


def _signed(number: float, texts: Texts) -> str:
    return ("+" if number > 0 else "") + _in_print(number, 2, texts)


def _in_print(number: float, decimals: int, texts: Texts) -> str:
    return texts.number(number, decimals).replace("-", "\N{MINUS SIGN}")


def _localise(axis: Axis, texts: Texts, *, scale: float = 1.0) -> None:
    """Write the numbers of an axis, times `scale`, with the marks of the language."""

    def wording(x: float, _: float | None = None) -> str:
        decimals = len(f"{round(scale * x, 9):g}".partition(".")[2])
        return _in_print(scale * x, decimals, texts)

    axis.set_major_formatter(wording)
