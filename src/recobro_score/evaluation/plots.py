"""Draw the tables of this package; each function takes what its compute twin returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def plot_gain(table: pd.DataFrame, *, what: str = "events", ax: Axes | None = None) -> Axes:
    """Draw how much of the payers, or of the money, stands in the first part of each list.

    Parameters
    ----------
    table : pandas.DataFrame
        From `gain.gain_table`.
    what : {'events', 'money'}
        What is found.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where absent.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = ax if ax is not None else _new_axes()
    quiet = {"perfect": "0.45", "random": "0.75"}
    for name, part in table.groupby("list", sort=False):
        style = {"color": quiet[name], "linestyle": ":"} if name in quiet else {"linewidth": 1.8}
        axes.plot(part["share"], part[what], label=name, **style)
    noun = {"events": "payers", "money": "money"}.get(what, what)
    axes.set(xlabel="share of the list worked, best first", ylabel=f"share of the {noun} found", title="Gain")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False)
    return axes


def plot_months(table: pd.DataFrame, *, metric: str = "auc", ax: Axes | None = None) -> Axes:
    """Draw a metric month by month with 95 % intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        From `stability.by_month`, or months of `amounts.amount_report`: then one line per currency.
    metric : str
        A column that has an ``_se`` beside it: ``auc``, ``brier``, ``log_loss``, ``slope``, ``intercept``;
        of amounts ``ratio``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where absent.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = ax if ax is not None else _new_axes()
    wanted = {"slope": 1.0, "intercept": 0.0, "ratio": 1.0}
    if metric in wanted:
        axes.axhline(wanted[metric], color="0.7", linewidth=1, zorder=0)
    parts = table.groupby("currency") if "currency" in table else [(None, table)]
    for label, part in parts:
        reach = 1.96 * part[f"{metric}_se"].fillna(0.0)
        style: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1, "capsize": 2}
        axes.errorbar(part["month"], part[metric], yerr=reach, label=label, **style)
    if "currency" in table:
        axes.legend(frameon=False, fontsize="small")
    names = {"auc": "AUC", "log_loss": "log loss", "slope": "calibration slope"}
    name = (names | {"ratio": "recovered ÷ expected"}).get(metric, metric)
    axes.set(xlabel="", ylabel=name, title=f"{name} month by month")
    axes.tick_params(axis="x", rotation=45)
    return axes


def plot_rivals(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the gain in AUC over each rival per group, with 95 % intervals; right of 0 the model wins.

    Parameters
    ----------
    table : pandas.DataFrame
        From `rivals.compare_rivals`; groups that are not judged are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where absent.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = ax if ax is not None else _new_axes()
    judged = table[table["winner"] != "not judged"]
    groups = list(dict.fromkeys(judged["group"]))[::-1]
    rivals = list(dict.fromkeys(judged["rival"]))
    axes.axvline(0.0, color="0.7", linewidth=1, zorder=0)
    for place, rival in enumerate(rivals):
        part = judged[judged["rival"] == rival]
        shift = 0.5 * (place - (len(rivals) - 1) / 2) / max(len(rivals), 1)
        height = [groups.index(name) - shift for name in part["group"]]
        axes.errorbar(
            part["gain"], height, xerr=1.96 * part["gain_se"], fmt="o", markersize=4, capsize=2, label=rival
        )
    axes.set_yticks(range(len(groups)), groups)
    axes.set(xlabel="AUC gained over the rival", title="Model and rivals")
    axes.legend(frameon=False, fontsize="small")
    return axes


def plot_survival(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw Kaplan and Meier's curves with their 95 % intervals, one per group.

    Parameters
    ----------
    table : pandas.DataFrame
        From `survival.survival_table`, or the frame of one `survival.SurvivalCurve`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where absent.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = ax if ax is not None else _new_axes()
    groups = table.groupby("group") if "group" in table else [(None, table)]
    for label, part in groups:
        time, survival = [0.0, *part["time"]], [1.0, *part["survival"]]
        (line,) = axes.step(time, survival, where="post", linewidth=1.5, label=label)
        axes.fill_between(
            part["time"], part["low"], part["high"], step="post", color=line.get_color(), alpha=0.15
        )
    axes.set(xlabel="time", ylabel="share not ended", title="Kaplan-Meier")
    axes.set_ylim(0, 1.02)
    if "group" in table:
        axes.legend(frameon=False, fontsize="small")
    return axes


def plot_amounts(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw recovered against expected money per tenth of the rows, with 95 % intervals; log scales.

    Parameters
    ----------
    table : pandas.DataFrame
        From `amounts.decile_table`. Currencies share the axes, each in its own major units.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure where absent.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = ax if ax is not None else _new_axes()
    shown = table[(table["expected"] > 0) & (table["recovered"] > 0)]
    for currency, part in shown.groupby("currency"):
        reach = 1.96 * part["recovered_se"].fillna(0.0)
        below = reach.clip(upper=0.9 * part["recovered"])
        axes.errorbar(
            part["expected"], part["recovered"], yerr=[below, reach], fmt="o", markersize=4, capsize=2,
            label=currency,
        )  # fmt: skip
        ends = [part["expected"].min(), part["expected"].max()]
        axes.plot(ends, ends, color="0.7", linewidth=1, zorder=0)
    axes.set(xscale="log", yscale="log", title="Money by tenths of the list")
    axes.set(xlabel="expected per account", ylabel="recovered per account")
    axes.legend(frameon=False, fontsize="small")
    return axes


def _new_axes() -> Axes:
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    return axes
