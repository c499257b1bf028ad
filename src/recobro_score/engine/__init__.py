"""The chain that everything calls: features, scores, reasons, candidates, decisions.

Notebook, night and service run the same code: the same account at the same instant gets the same bits for
the same bundle, whatever the batch, the buckets, the threads or the order of rows. Only the allocation under
shared capacities looks at all accounts at once.
"""

from __future__ import annotations

from recobro_score.engine.explained import Explained, Telling, explain, feature_contributions
from recobro_score.engine.outputs import Outputs
from recobro_score.engine.run import RunOptions, run
from recobro_score.engine.scored import SCORES_SCHEMA, SCORES_VERSION, Scored, score

__all__ = [
    "SCORES_SCHEMA",
    "SCORES_VERSION",
    "Explained",
    "Outputs",
    "RunOptions",
    "Scored",
    "Telling",
    "explain",
    "feature_contributions",
    "run",
    "score",
]
