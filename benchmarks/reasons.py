"""Exact reasons: table contributions beside LightGBM's `pred_contrib` and `predict`, and `shap`'s explainer.

Four models of 60 columns, with missing values and categories (one with numbers only), explained per feature
and per concept, binning included. Rates are rows per CPU second of one process, on one thread where nothing
else is said; every rate is the best of a few rounds, in which the peers take turns with the tables, so that
all of them meet the same machine. `pred_contrib` and `shap` explain fewer rows, since their time per row does
not depend on how many there are.

    python benchmarks/reasons.py [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import shap

sys.path.insert(0, str(Path(__file__).resolve().parent))

from results import Table

from recobro_score.explain.table_shap import TableExplainer
from recobro_score.models.booster import Booster

COLUMNS, CATEGORIES, CONCEPTS = 60, (3, 5, 8, 12, 20, 40) * 2, 16
NAMES = tuple(f"column_{i}" for i in range(COLUMNS))
CONCEPT_OF = tuple(f"concept_{i % CONCEPTS}" for i in range(COLUMNS))
CONTRIB, PREDICT, SHAP = "LightGBM pred_contrib", "LightGBM predict", "shap.TreeExplainer"


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    training: int
    rows: int
    peer_rows: int
    shap_rows: int
    many: int
    singles: int
    rounds: int


FULL = Size(60_000, 100_000, 2_000, 500, 1_000_000, 3_000, 5)
QUICK = Size(10_000, 8_000, 200, 50, 20_000, 300, 3)


@dataclass(frozen=True)
class Model:
    """One of the models that are explained."""

    name: str
    leaves: int
    trees: int
    depth: int = -1
    numeric: bool = False
    least_ratio: int = 40


MODELS = (
    Model("31 leaves × 100 trees", 31, 100),
    Model("31 leaves × 400 trees", 31, 400),
    Model("63 leaves × 300 trees, depth ≤ 8", 63, 300, depth=8),
    Model("31 leaves × 400 trees, numbers only", 31, 400, numeric=True, least_ratio=25),
)


@dataclass(frozen=True)
class Columns:
    """The schema of the columns, as `Booster` asks for it."""

    names: tuple[str, ...] = NAMES
    kinds: tuple[str, ...] = ("number",) * (COLUMNS - len(CATEGORIES)) + ("category",) * len(CATEGORIES)
    hash: str = "benchmark"

    @property
    def vocabularies(self) -> dict[str, tuple[str, ...]]:
        known = zip(NAMES[-len(CATEGORIES) :], CATEGORIES, strict=True)
        return {name: tuple(str(i) for i in range(number)) for name, number in known}

    @property
    def monotone(self) -> tuple[int, ...]:
        return (0,) * COLUMNS


def draw(n: int, seed: int, *, numeric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and outcomes: normal, skewed and counted columns, half with holes, then the categories."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, COLUMNS))
    numbers = COLUMNS if numeric else COLUMNS - len(CATEGORIES)
    for column in range(1, numbers, 3):
        values[:, column] = 100.0 * np.exp(values[:, column])
    for column in range(2, numbers, 3):
        values[:, column] = rng.poisson(3 + column % 7, n)
    if not numeric:
        for column in range(0, numbers, 2):
            values[rng.random(n) < 0.02 * (1 + column % 12), column] = np.nan
        for column, number in enumerate(CATEGORIES, start=numbers):
            values[:, column] = rng.integers(0, number, n)
    known = np.nan_to_num(values)
    scaled = (known - known.mean(axis=0)) / known.std(axis=0)
    margin = 0.3 * scaled @ np.random.default_rng(1).normal(size=COLUMNS)
    margin += 0.6 * scaled[:, 0] * scaled[:, 3] - 0.5 * (scaled[:, 1] > 0.2) * scaled[:, 7]
    margin += 0.4 * np.sin(3 * scaled[:, 9])
    for column in range(numbers, COLUMNS):
        margin += 0.3 * np.sin(2.3 * values[:, column] + column)
    return values, (margin + rng.logistic(size=n) > 0.5).astype(float)


def train(model: Model, rows: int) -> str:
    """Return the text of a trained model."""
    values, y = draw(rows, 0, numeric=model.numeric)
    parameters = {
        "objective": "binary",
        "num_leaves": model.leaves,
        "max_depth": model.depth,
        "learning_rate": 0.05,
        "min_data_in_leaf": 50,
        "feature_fraction": 0.7,
        "seed": 1,
        "verbosity": -1,
    }
    categories = [] if model.numeric else list(range(COLUMNS - len(CATEGORIES), COLUMNS))
    data = lgb.Dataset(values, y, categorical_feature=categories)
    return lgb.train(parameters, data, num_boost_round=model.trees).model_to_string()


def rates(work: dict[str, tuple[Callable[[], object], int]], rounds: int) -> dict[str, float]:
    """Return rows per CPU second of each piece of work, the best of rounds in which all take turns."""
    best = dict.fromkeys(work, np.inf)
    for _ in range(rounds):
        for name, (call, rows) in work.items():
            start = time.process_time()
            call()
            best[name] = min(best[name], (time.process_time() - start) / rows)
    return {name: 1.0 / seconds for name, seconds in best.items()}


def clocks() -> np.ndarray:
    """Return the CPU seconds of this process and those of the clock."""
    return np.array([time.process_time(), time.perf_counter()])


def add_model(table: Table, model: Model, text: str, size: Size) -> None:
    """Measure one model: building, rates, differences, two threads."""
    values, _ = draw(size.rows, 5, numeric=model.numeric)
    few, fewest = values[: size.peer_rows], values[: size.shap_rows]
    booster = lgb.Booster(model_str=text)
    start = time.process_time()
    features = TableExplainer.build(text, NAMES)
    table.add(model.name, "building the tables", time.process_time() - start, unit="CPU s")
    concepts = TableExplainer.build(text, NAMES, groups=CONCEPT_OF)
    for what, explainer in (("features", features), ("concepts", concepts)):
        name = f"memory of the tables: {what}"
        table.add(model.name, name, explainer.memory / 1e6, unit="MB", target="<= 128")
        table.add(model.name, f"leaves without a table: {what}", explainer.walked)
    for explainer in (features, concepts):
        explainer.top(few[:1], 3)
        explainer.contributions(few[:1])
    tree = shap.TreeExplainer(booster)
    measured = rates(
        {
            "features": (lambda: features.contributions(values), len(values)),
            "concepts": (lambda: concepts.contributions(values), len(values)),
            "top 3 concepts": (lambda: concepts.top(values, 3), len(values)),
            CONTRIB: (lambda: booster.predict(few, pred_contrib=True, num_threads=1), len(few)),
            PREDICT: (lambda: booster.predict(values, raw_score=True, num_threads=1), len(values)),
            SHAP: (lambda: tree.shap_values(fewest), len(fewest)),
        },
        size.rounds,
    )
    for what in ("features", "concepts", "top 3 concepts"):
        metric = f"contributions: {what}"
        for peer, target in (
            (CONTRIB, f"ratio >= {model.least_ratio}"),
            (PREDICT, "ratio >= 1"),
            (SHAP, None),
        ):
            fields = {"unit": "rows/CPU s", "peer": peer, "peer_value": measured[peer], "target": target}
            table.add(model.name, metric, measured[what], **fields)
    add_differences(table, model, booster, features, few)
    add_threads(table, model, concepts, values, size)


def add_differences(
    table: Table, model: Model, booster: lgb.Booster, explainer: TableExplainer, values: np.ndarray
) -> None:
    """Add the largest differences from LightGBM, in units of max(1, |margin|)."""
    found = explainer.contributions(values)
    scale = np.maximum(1.0, np.abs(margin := np.asarray(booster.predict(values, raw_score=True))))
    theirs = np.asarray(booster.predict(values, pred_contrib=True))
    difference = (np.abs(found - theirs) / scale[:, None]).max()
    table.add(model.name, "largest difference from pred_contrib", difference, target="<= 1e-6")
    missed = (np.abs(found.sum(axis=1) - margin) / scale).max()
    table.add(model.name, "largest miss of the margin", missed, target="<= 1e-6")


def add_threads(
    table: Table, model: Model, explainer: TableExplainer, values: np.ndarray, size: Size
) -> None:
    """Add the rates of two threads beside one, by both clocks, and whether the bits are equal."""
    best = {1: np.full(2, np.inf), 2: np.full(2, np.inf)}
    found = {}
    for _ in range(size.rounds):
        for threads in best:
            start = clocks()
            found[threads] = explainer.contributions(values, threads=threads)
            best[threads] = np.minimum(best[threads], clocks() - start)
    for unit, one, two in zip(("rows/CPU s", "rows/s"), best[1], best[2], strict=True):
        fields = {"unit": unit, "peer": "one thread", "peer_value": len(values) / one}
        table.add(model.name, "two threads, concepts", len(values) / two, **fields)
    same = np.array_equal(found[1], found[2])
    table.add(model.name, "share of rows with the same bits", float(same), target=">= 1")


def add_many(table: Table, text: str, size: Size) -> None:
    """Add the CPU time of the top three concepts of very many rows."""
    explainer = TableExplainer.build(text, NAMES, groups=CONCEPT_OF)
    values, _ = draw(size.many, 100, numeric=False)
    explainer.top(values[:1], 3)
    for threads in (1, 2):
        start = clocks()
        explainer.top(values, 3, threads=threads)
        cpu, clock = clocks() - start
        name = f"top 3 concepts of {size.many:,} rows, {threads} thread{'s' * (threads > 1)}"
        table.add(MODELS[0].name, name, cpu, unit="CPU s", target="<= 60")
        table.add(MODELS[0].name, f"{name}, by the clock", clock, unit="s")


def add_single(table: Table, text: str, size: Size) -> None:
    """Add the median time of one account, from its feature row to its margin and top three concepts."""
    booster = Booster(text, Columns())
    explainer = TableExplainer.build(text, NAMES, groups=CONCEPT_OF)
    values, _ = draw(size.singles, 9, numeric=False)
    booster.margin(values[:1])
    explainer.top(values[:1], 3)
    spent = np.empty((size.singles, 2))
    for i in range(size.singles):
        row = values[i : i + 1].copy()
        start = time.perf_counter_ns()
        booster.margin(row)
        middle = time.perf_counter_ns()
        explainer.top(row, 3)
        spent[i] = middle - start, time.perf_counter_ns() - middle
    medians = np.median(spent, axis=0) / 1e3
    name = MODELS[1].name
    whole = float(np.median(spent.sum(axis=1)) / 1e3)
    table.add(name, "one account: score and top 3 concepts, median", whole, unit="µs", target="<= 400")
    table.add(name, "of it the score", medians[0], unit="µs")
    table.add(name, "of it the reasons", medians[1], unit="µs", target="<= 200")


def add_interventional(table: Table, text: str, size: Size) -> None:
    """Add interventional contributions against 1,000 rows, with categories, where shap's do not add up."""
    background, _ = draw(1_000, 11, numeric=False)
    values, _ = draw(size.rows, 12, numeric=False)
    name = f"{MODELS[0].name}, interventional"
    start = time.process_time()
    explainer = TableExplainer.build(text, NAMES, background=background)
    table.add(name, "building the tables", time.process_time() - start, unit="CPU s")
    explainer.contributions(values[:1])
    booster = lgb.Booster(model_str=text)
    few = values[: min(50, size.shap_rows)]
    theirs = shap.TreeExplainer(booster, background, feature_perturbation="interventional")
    measured = rates(
        {
            "tables": (lambda: explainer.contributions(values), len(values)),
            SHAP: (lambda: theirs.shap_values(few, check_additivity=False), len(few)),
        },
        size.rounds,
    )
    fields = {"unit": "rows/CPU s", "peer": SHAP, "peer_value": measured[SHAP]}
    table.add(name, "contributions: features", measured["tables"], **fields)
    margin = np.asarray(booster.predict(few, raw_score=True))
    missed = np.abs(explainer.contributions(few).sum(axis=1) - margin) / np.maximum(1.0, np.abs(margin))
    parts = np.asarray(theirs.shap_values(few, check_additivity=False))
    their_miss = np.abs(parts.sum(axis=1) + float(np.ravel(theirs.expected_value)[-1]) - margin)
    fields = {"peer": SHAP, "peer_value": (their_miss / np.maximum(1.0, np.abs(margin))).max()}
    table.add(name, "largest miss of the margin", missed.max(), target="<= 1e-6", **fields)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small models of few rows; proves no target")
    quick = parser.parse_args().quick
    size = QUICK if quick else FULL
    table = Table("reasons_quick" if quick else "reasons")
    texts = {}
    for model in MODELS:
        texts[model] = train(model, size.training)
        print(f"{model.name} trained", file=sys.stderr)
        add_model(table, model, texts[model], size)
    add_many(table, texts[MODELS[0]], size)
    add_single(table, texts[MODELS[1]], size)
    add_interventional(table, texts[MODELS[0]], size)
    table.finish()


if __name__ == "__main__":
    main()
