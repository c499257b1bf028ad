"""The report on the links of a promise model, and on both: a call that ends in a promise that is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recobro_score.data.state import BUCKETS
from recobro_score.evaluation.metrics import binary_report
from recobro_score.models.promise.link import agent_columns, of_agents
from recobro_score.models.promise.rows import AGENTS
from recobro_score.models.report import Judged, already_learned
from recobro_score.models.rivals import KnownRows, Rivals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recobro_score.models.promise.link import Link
    from recobro_score.models.promise.rows import PromiseRows
    from recobro_score.models.report import ModelReport
    from recobro_score.models.snapshots import Snapshots

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PromiseBook:
    """Snapshots whose events judge a model.

    Parameters
    ----------
    seen : Snapshots
        Those of the events judged, and those that the model learned from.
    first : int
        Events after this snapshot are judged; µs UTC.
    weight : ndarray or None
        How much the rows of the snapshots count, and with each the events that take their features from it.
    """

    seen: Snapshots
    first: int
    weight: Floats | None = None

    def report(self, name: str, rows: PromiseRows, links: Sequence[Link]) -> ModelReport | None:
        """Judge the product of some links on events, per bucket and by who called; None without any event.

        Events with an agent of another kind are left out: the model is not asked of them.

        Parameters
        ----------
        name : str
            What is predicted.
        rows : PromiseRows
            Of the snapshots.
        links : sequence of Link
            Each the probability of a step, given the one before.
        """
        as_of = self.seen.matrix.as_of[rows.row]
        asked = rows.known & (rows.agent >= 0)
        if self.weight is not None:
            asked &= self.weight[rows.row] > 0
        chosen = asked & (as_of >= self.first)
        if not chosen.any():
            return None
        learned_from = sorted({as_of for link in links for as_of in link.learned_from})
        before = asked & np.isin(as_of, learned_from)
        given, learned = (self._known(rows, np.flatnonzero(mask)) for mask in (chosen, before))
        place, agent = rows.row[chosen], rows.agent[chosen]
        p = np.ones(len(given))
        for link in links:
            p = p * link.of_events(self.seen.matrix, self.seen.bucket, place, agent)
        judged = Judged(
            name=name,
            rows=given,
            score=p,
            probability=p,
            rivals=Rivals.of(learned, given, agent_columns(self.seen.matrix.schema)),
            groups=BUCKETS,
            learned=learned,
        )
        again = already_learned(int(np.isin(as_of[chosen], learned_from).sum()), len(given), "as-ofs")
        report = judged.report(judged.evaluation(f"{len(given):,} events, {name}", again))
        callers = binary_report(given.y, p, group=agent, names=AGENTS, weight=given.weight)
        return replace(report, more={"By who calls": callers})

    def _known(self, rows: PromiseRows, chosen: Ints) -> KnownRows:
        place, matrix = rows.row[chosen], self.seen.matrix
        events = of_agents(matrix, place, rows.agent[chosen])
        return KnownRows(
            values=events.values,
            y=rows.value[chosen],
            at=matrix.as_of[place],
            group=self.seen.bucket[place],
            debtor=self.seen.debtor[place],
            weight=None if self.weight is None else self.weight[place],
        )
