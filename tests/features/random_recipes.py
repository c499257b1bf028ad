"""Recipes drawn at random: any aggregate of any column, in any window, under any filters."""

from __future__ import annotations

from hypothesis import strategies as st

from recobro_score.features import Between, FeatureSet, Months, Recipe, Where, Window
from recobro_score.features.readable import EVENT_TABLES
from recobro_score.features.recipes import COUNTING, DECAYED, STREAKS, VALUED, Present

WORDS = {
    "kind": ("payment", "reversal", "write_off"),
    "method": ("card", "cash"),
    "channel": ("call", "sms"),
    "direction": ("outbound", "inbound"),
    "outcome": ("rpc", "no_answer", "replied"),
    "agent": ("bot", "human"),
    "taken_by": ("human",),
    "stage": ("early", "late"),
    "action_id": ("call", "no_action"),
}
"""Words that filters may name, of the columns that `tests.features.stores` fills."""

NUMBERS = {
    "payments": ("amount", "recovery", "local_minute", "local_weekday", "local_day"),
    "balances": ("balance", "dpd"),
    "contacts": ("cost", "duration_s", "local_minute", "local_weekday"),
    "instalments": ("amount",),
    "promises": ("amount", "term"),
    "plans": ("discount",),
    "decisions": ("discount",),
    "placements": (),
}
_RANGES = st.tuples(
    st.sampled_from((-50.0, 0.0, 1.0, 5.0, 15.0, 540.0)), st.sampled_from((1.0, 10.0, 60.0, 2000.0))
)
_DAYS = st.sampled_from((0.0, 0.25, 1.0, 3.0, 7.0, 30.0, 60.0, 90.0, 365.0))


def _windows(scheduled):
    """None, lookbacks with and without ends, calendar months; ahead where rows lie ahead."""
    backward = st.tuples(_DAYS, _DAYS).filter(lambda days: days[0] != days[1])
    spans = backward.map(lambda days: Window(-max(days), -min(days)))
    months = st.tuples(st.integers(1, 13), st.integers(0, 12)).filter(lambda k: k[0] > k[1])
    drawn = [
        st.none(),
        spans,
        st.sampled_from([Window(None, -0.5), Window(None, 0.0)]),
        months.map(lambda k: Months(-k[0], -k[1])),
    ]
    if scheduled:
        ahead = [Window(0, None), Window(-7, 30), Window(0.25, 60), Months(0, 2), Months(-1, 1)]
        drawn.append(st.sampled_from(ahead))
    return st.one_of(drawn)


def _conditions(table, *, judged, least=0):
    columns = EVENT_TABLES[table].columns
    drawn = [
        st.lists(st.sampled_from(words), min_size=1, max_size=2, unique=True).map(
            lambda chosen, column=column: Where(column, tuple(chosen))
        )
        for column, words in WORDS.items()
        if column in columns
    ]
    drawn += [
        st.just(Present(column)) for column in ("method", "agent", "offer", "stage") if column in columns
    ]
    for column in NUMBERS[table]:
        fits = _RANGES.filter(lambda ends: ends[0] < ends[1])
        drawn.append(fits.map(lambda ends, column=column: Between(column, *ends)))
    statuses = EVENT_TABLES[table].statuses
    if judged and statuses:
        chosen = st.lists(st.sampled_from(sorted(statuses)), min_size=1, max_size=2, unique=True)
        drawn.append(chosen.map(lambda words: Where("status", tuple(words))))
    return st.lists(st.one_of(drawn), min_size=least, max_size=2).map(tuple)


@st.composite
def _one(draw, name):
    table = draw(st.sampled_from(sorted(NUMBERS)))
    readable = EVENT_TABLES[table]
    by_debtor = draw(st.booleans())
    window = draw(_windows(readable.scheduled))
    looks_ahead = window is not None and _end(window) > 0
    left_out = {"until_first", *(DECAYED if looks_ahead else ())}
    numbers = [*NUMBERS[table], *(() if by_debtor else readable.judged)]
    allowed = [a for a in COUNTING if a not in left_out] + [
        a for a in VALUED if numbers and a not in left_out
    ]
    aggregate = draw(st.sampled_from(allowed))
    run = ()
    if aggregate in STREAKS:
        run = draw(_conditions(table, judged=not by_debtor, least=1))
    return Recipe(
        name,
        table,
        aggregate,
        "payment_amounts",
        value=None if aggregate in COUNTING else draw(st.sampled_from(numbers)),
        window=window,
        where=draw(_conditions(table, judged=not by_debtor)),
        run=run,
        half_life=draw(st.sampled_from((0.5, 14.0, 365.0))) if aggregate in DECAYED else None,
        by_debtor=by_debtor,
    )


def _end(window):
    end = window.days_to if isinstance(window, Window) else window.months_to
    return 1.0 if end is None else end


feature_sets = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*(_one(f"f{i}") for i in range(n))).map(FeatureSet)
)
"""Sets of up to a dozen recipes."""
