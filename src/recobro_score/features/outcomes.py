"""What happened in the window ahead, and what each kind of label makes of it.

Counts and sums are recipes with their windows turned around, computed by the scan that computes the features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.events import EventStore
from recobro_score.data.state import bucket_of
from recobro_score.features.arrears import Arrears, arrears_ahead
from recobro_score.features.binding import bind
from recobro_score.features.eligibility import Checks, Standing, first_reason
from recobro_score.features.label_specs import NEW, SHARE_PARTS, LabelSpec
from recobro_score.features.program import compile_table
from recobro_score.features.recipes import PromiseRule, Recipe, Where, Window
from recobro_score.features.stakes import Stakes, plan_stakes, promise_stakes

_OUTBOUND = Where("direction", ("outbound",))
_MEASURES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("recovered", "payments", "sum", "payment_amounts", value="recovery"),
        Recipe("rpc", "contacts", "count", "contact_success", where=(Where("outcome", ("rpc",)),)),
        Recipe("promises", "promises", "count", "promises"),
        Recipe("outbound", "contacts", "count", "contact_effort", where=(_OUTBOUND,)),
        Recipe(
            "blocked",
            "contacts",
            "count",
            "contact_effort",
            where=(_OUTBOUND, Where("outcome", ("blocked",))),
        ),
    )
}
"""What the scan measures, in any window."""

_MEASURED: Mapping[str, tuple[str, ...]] = {
    "pays": ("recovered",),
    "recovered": ("recovered",),
    "rpc": ("rpc",),
    "promise_made": ("promises",),
    "self_cure": ("outbound", "blocked"),
}
_ARREARS_KINDS = ("cure", "self_cure", "roll_forward")


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What happened to (account, as-of) pairs in their windows; every array has shape (n,).

    Attributes
    ----------
    standing : Standing
        How the pairs stood at the as-of.
    measured : mapping of (measure, horizon in days) to float64 array
        Sums in minor units, and counts.
    arrears : mapping of horizon in days to Arrears
        Fewest and most days past due.
    stakes : mapping of LabelSpec to Stakes
        What became of promises and plans.
    """

    standing: Standing
    measured: Mapping[tuple[str, float], NDArray[np.float64]]
    arrears: Mapping[float, Arrears]
    stakes: Mapping[LabelSpec, Stakes]

    @classmethod
    def of(
        cls, store: EventStore, as_ofs: NDArray[np.int64], specs: Iterable[LabelSpec], observed_until: int
    ) -> Outcomes:
        """Return what labels of the given specs need, each thing measured once."""
        specs = tuple(specs)
        late = {spec.horizon_days: spec.horizon for spec in specs if spec.kind in _ARREARS_KINDS}
        return cls(
            Standing.of(store, as_ofs),
            _measure(store, as_ofs, specs, observed_until),
            {days: arrears_ahead(store, as_ofs, horizon, observed_until) for days, horizon in late.items()},
            {spec: _stakes(store, as_ofs, spec, observed_until) for spec in specs if spec.stake is not None},
        )

    def recovered(self, spec: LabelSpec) -> NDArray[np.int64]:
        """Return the minor units recovered in the window of a spec."""
        return self.measured["recovered", spec.horizon_days].astype(np.int64)

    def label(
        self, spec: LabelSpec, lag: int, observed_until: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        """Return the values of a label (money in minor units; NaN unknown) and the codes of its reasons."""
        verdict = _VERDICTS[spec.kind](self, spec)
        reason = first_reason(
            {
                **self.standing.in_hands(),
                **verdict.before,
                **self.standing.unfinished(spec.horizon, lag, observed_until),
                **verdict.after,
            }
        )
        return np.where(reason == 0, verdict.value.astype(np.float64), np.nan), reason


@dataclass(frozen=True, slots=True, eq=False)
class _Verdict:
    """A kind's values, the reasons that stand at the as-of, and those that only the window shows."""

    value: NDArray[np.generic]
    before: Checks
    after: Checks


def _pays(seen: Outcomes, spec: LabelSpec) -> _Verdict:
    whole, rest = np.divmod(seen.standing.due, SHARE_PARTS)
    needed = whole * spec.share_parts - (-rest * spec.share_parts // SHARE_PARTS)
    return _Verdict(seen.recovered(spec) >= needed, seen.standing.owes_known_amount(), {})


def _recovered(seen: Outcomes, spec: LabelSpec) -> _Verdict:
    return _Verdict(seen.recovered(spec), seen.standing.owes_known_amount(), {})


def _rpc(seen: Outcomes, spec: LabelSpec) -> _Verdict:
    return _Verdict(seen.measured["rpc", spec.horizon_days] > 0, seen.standing.owes(), {})


def _promise_made(seen: Outcomes, spec: LabelSpec) -> _Verdict:
    return _Verdict(seen.measured["promises", spec.horizon_days] > 0, seen.standing.owes(), {})


def _cure(seen: Outcomes, spec: LabelSpec) -> _Verdict:
    return _Verdict(seen.arrears[spec.horizon_days].fewest == 0, seen.standing.late(), {})


def _self_cure(seen: Outcomes, spec: LabelSpec) -> _Verdict:
    cured = _cure(seen, spec)
    attempts, blocked = (seen.measured[name, spec.horizon_days] for name in _MEASURED["self_cure"])
    return _Verdict(cured.value, cured.before, {"contacted": attempts > blocked})


def _roll_forward(seen: Outcomes, spec: LabelSpec) -> _Verdict:
    rolled = bucket_of(seen.arrears[spec.horizon_days].most) > seen.standing.state.bucket
    return _Verdict(rolled, seen.standing.can_roll(), {})


def _kept(seen: Outcomes, spec: LabelSpec) -> _Verdict:
    stakes = seen.stakes[spec]
    none = {"no_promise" if spec.kind == "promise_kept" else "no_plan": ~stakes.some}
    censored = {"censored": stakes.undecided & ~stakes.broken}
    if spec.stake == NEW:
        return _Verdict(~stakes.broken, {}, none | censored)
    return _Verdict(~stakes.broken, none, censored)


_VERDICTS: Mapping[str, Callable[[Outcomes, LabelSpec], _Verdict]] = {
    "pays": _pays,
    "recovered": _recovered,
    "rpc": _rpc,
    "promise_made": _promise_made,
    "promise_kept": _kept,
    "cure": _cure,
    "self_cure": _self_cure,
    "roll_forward": _roll_forward,
    "plan_kept": _kept,
}


def _measure(
    store: EventStore, as_ofs: NDArray[np.int64], specs: tuple[LabelSpec, ...], observed_until: int
) -> dict[tuple[str, float], NDArray[np.float64]]:
    """Return every measure that the specs need, of rows known before `observed_until`."""
    wanted = dict.fromkeys(
        (name, spec.horizon_days) for spec in specs for name in _MEASURED.get(spec.kind, ())
    )
    by_table: dict[str, list[tuple[int, Recipe]]] = {}
    for dest, (name, days) in enumerate(wanted):
        recipe = _MEASURES[name]
        by_table.setdefault(recipe.table, []).append((dest, replace(recipe, window=Window(0, days))))
    out = np.empty((store.n_accounts * len(as_ofs), len(wanted)))
    known_before = np.full(len(as_ofs), observed_until)
    unscaled = np.ones(store.n_accounts)
    for recipes in by_table.values():
        for program in compile_table(recipes, {}):
            scan = bind(program, store, as_ofs, known_before, PromiseRule())
            scan.run(unscaled, 0, store.n_accounts, out)
    return {key: out[:, dest] for dest, key in enumerate(wanted)}


def _stakes(store: EventStore, as_ofs: NDArray[np.int64], spec: LabelSpec, observed_until: int) -> Stakes:
    stake = str(spec.stake)
    if spec.kind == "plan_kept":
        return plan_stakes(store, as_ofs, spec.horizon, observed_until, stake=stake)
    rule = spec.promises
    return promise_stakes(store, as_ofs, spec.horizon, observed_until, stake=stake, rule=rule)
