"""Draw the tables of this package; each function takes what its compute twin returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_reliability(table: pd.DataFrame, *, ax: Axes | None = None, label: str | None = None) -> Axes:
    """Draw observed against predicted shares with 95 % intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        From `metrics.reliability_table`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where absent.
    label : str, optional
        Legend entry, for several tables on one `ax`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = ax if ax is not None else _new_axes()
    top = float(table[["predicted", "observed_high"]].max().max()) if len(table) else 1.0
    axes.plot([0, top], [0, top], color="0.7", linewidth=1, zorder=0)
    below = table["observed"] - table["observed_low"]
    above = table["observed_high"] - table["observed"]
    axes.errorbar(
        table["predicted"],
        table["observed"],
        yerr=[below.clip(lower=0), above.clip(lower=0)],
        marker="o",
        markersize=4,
        linewidth=1,
        capsize=2,
        label=label,
    )
    axes.set(xlabel="predicted probability", ylabel="observed share", title="Reliability")
    if label is not None:
        axes.legend()
    return axes


def plot_lift(table: pd.DataFrame, *, ax: Axes | None = None, label: str | None = None) -> Axes:
    """Draw the lift over the share of the list that is worked.

    Parameters
    ----------
    table : pandas.DataFrame
        From `ranking.lift_table`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where absent.
    label : str, optional
        Legend entry, for several tables on one `ax`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = ax if ax is not None else _new_axes()
    axes.axhline(1.0, color="0.7", linewidth=1, zorder=0)
    axes.plot(table["share"], table["lift"], marker="o", markersize=3, linewidth=1.5, label=label)
    axes.set(xlabel="share of the list worked, best first", ylabel="lift over the base rate", title="Lift")
    axes.set_xlim(0, 1)
    if label is not None:
        axes.legend()
    return axes


def _new_axes() -> Axes:
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    return axes
