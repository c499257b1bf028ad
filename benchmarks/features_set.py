"""The features of the benchmark: recipes, and the same as plain conditions for the other engines."""

from __future__ import annotations

from dataclasses import dataclass

from recobro_score.features import FeatureSet, Recipe, Where, Window

DAYS = (7, 30, 60, 90, 180, 365)


@dataclass(frozen=True)
class Feature:
    """One feature as every engine can write it; `days` None is everything before the as-of."""

    name: str
    table: str
    aggregate: str
    value: str | None = None
    days: int | None = None
    column: str | None = None
    words: tuple[str, ...] = ()

    def recipe(self) -> Recipe:
        concept = {"payments": "payment_amounts", "contacts": "contact_effort", "promises": "promises"}
        return Recipe(
            self.name,
            self.table,
            self.aggregate,
            concept[self.table],
            value=self.value,
            window=None if self.days is None else Window(-self.days, 0),
            where=() if self.column is None else (Where(self.column, self.words),),
        )


CLOCKS = {"payments": "paid_at", "contacts": "attempted_at", "promises": "promised_at"}
_PAID = {"column": "kind", "words": ("payment",)}


def features() -> tuple[Feature, ...]:
    """Return the features, about sixty."""
    found: list[Feature] = []
    for days in DAYS:
        found += [
            Feature(f"paid_count_{days}d", "payments", "count", days=days, **_PAID),
            Feature(f"paid_sum_{days}d", "payments", "sum", "amount", days, **_PAID),
            Feature(f"contacts_{days}d", "contacts", "count", days=days),
            Feature(f"rpc_{days}d", "contacts", "count", days=days, column="outcome", words=("rpc",)),
            Feature(f"calls_{days}d", "contacts", "count", days=days, column="channel", words=("call",)),
            Feature(
                f"inbound_{days}d", "contacts", "count", days=days, column="direction", words=("inbound",)
            ),
        ]
    for days in (90, 365):
        found += [
            Feature(f"paid_max_{days}d", "payments", "max", "amount", days, **_PAID),
            Feature(f"paid_min_{days}d", "payments", "min", "amount", days, **_PAID),
            Feature(f"paid_mean_{days}d", "payments", "mean", "amount", days, **_PAID),
            Feature(f"talk_mean_{days}d", "contacts", "mean", "duration_s", days, "outcome", ("rpc",)),
            Feature(f"talk_max_{days}d", "contacts", "max", "duration_s", days, "outcome", ("rpc",)),
            Feature(f"promises_{days}d", "promises", "count", days=days),
            Feature(f"promised_{days}d", "promises", "sum", "amount", days),
            Feature(f"channels_{days}d", "contacts", "distinct", "channel", days),
        ]
    found += [
        Feature("since_paid", "payments", "since_last", **_PAID),
        Feature("since_first_paid", "payments", "since_first", **_PAID),
        Feature("since_contact", "contacts", "since_last"),
        Feature("since_rpc", "contacts", "since_last", column="outcome", words=("rpc",)),
        Feature("since_promise", "promises", "since_last"),
        Feature("reversals", "payments", "count", column="kind", words=("reversal",)),
        Feature("by_card", "payments", "count", column="method", words=("card",)),
        Feature("messages_90d", "contacts", "count", None, 90, "channel", ("sms", "whatsapp", "email")),
    ]
    return tuple(found)


def feature_set() -> FeatureSet:
    """Return the same as recipes of the library."""
    return FeatureSet(tuple(feature.recipe() for feature in features()))
