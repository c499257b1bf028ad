"""A training asked for several horizons and shares gives a bundle whose model knows them all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from recobro_score.bundle import Bundle
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.engine import score
from recobro_score.errors import ConfigError
from recobro_score.models.booster import BoosterOptions
from recobro_score.timeline import Timeline
from recobro_score.training import TrainingOptions, train


@pytest.fixture(scope="module")
def portfolio(small_simulation) -> Portfolio:
    zone = small_simulation.scenario.span.time_zone
    return Portfolio.from_frames(dict(small_simulation.tables), options=PortfolioOptions(time_zone=zone))


@pytest.fixture(scope="module")
def timeline(small_simulation) -> Timeline:
    return Timeline(tuple(small_simulation.period_starts[-6:-2]), small_simulation.scenario.span.time_zone)


def test_the_bundle_keeps_the_curve_and_scores_by_its_cell(portfolio, timeline, tmp_path) -> None:
    options = TrainingOptions(booster=BoosterOptions(trees=20), horizons=(7, 14), shares=(0.1, 1.0))
    trained = train(portfolio, timeline, options=options)
    bundle = Bundle.load(trained.bundle.save(tmp_path / "bundle"))
    assert bundle.bundle_id == trained.bundle.bundle_id
    curve = bundle.payment.curve
    assert curve is not None
    assert (curve.horizons, curve.shares) == ((7, 14, 30), (0.1, 0.5, 1.0))
    scored = score(bundle, portfolio.store, timeline.as_ofs[-1])
    cells = bundle.payment.curve_of(scored.matrix)
    np.testing.assert_array_equal(cells.probability(horizon_days=30, share=0.5), scored.scores.probability)
    for shorter, longer in pairwise(curve.horizons):
        assert (
            cells.probability(horizon_days=shorter, share=0.5)
            <= cells.probability(horizon_days=longer, share=0.5)
        ).all()
    table = scored.table()
    low, p, high = (table[name].to_numpy() for name in ("p_low", "p_pay", "p_high"))
    assert ((low <= p) & (p <= high)).all()


def test_given_labels_teach_no_other_horizons(portfolio, timeline) -> None:
    given = {"account_id": portfolio.store.account_ids.to_pylist(), "label": [0, 1] * 200}
    with pytest.raises(ConfigError, match="target alone"):
        train(portfolio, timeline, options=TrainingOptions(labels=given, horizons=(7,)))
