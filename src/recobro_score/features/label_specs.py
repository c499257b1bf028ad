"""What a label is: a small piece of frozen data, like a recipe, but about what came after the as-of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import product
from typing import Any

from recobro_score.calendars import US_PER_DAY
from recobro_score.digest import canonical_json
from recobro_score.errors import ConfigError, hint
from recobro_score.features.recipes import PromiseRule

LABEL_KINDS: Mapping[str, tuple[str, ...]] = {
    "pays": ("payments",),
    "recovered": ("payments",),
    "rpc": ("contacts",),
    "promise_made": ("promises",),
    "promise_kept": ("promises", "payments"),
    "cure": ("payments", "balances"),
    "self_cure": ("payments", "balances", "contacts"),
    "roll_forward": ("payments", "balances"),
    "plan_kept": ("plans",),
}
"""The kinds of label, and the tables whose reporting lag each waits for."""

MONEY_KINDS = ("recovered",)
"""Kinds whose value is an amount; that of all others is 1 or 0."""

OPEN, NEW = "open", "new"
"""Whose keeping is asked: what was running at the as-of, or what was made in the window."""

SHARE_PARTS = 10_000
"""A share is a whole number of ten-thousandths, so that it is compared exactly."""

PERMILLE = 1000
"""The same of a tolerance."""

_STAKE_KINDS = ("promise_kept", "plan_kept")
_RULE = PromiseRule()


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One label.

    Parameters
    ----------
    kind : str
        One of `LABEL_KINDS`, each about the window ``[as_of, as_of + horizon)``:

        - ``pays``: recoveries reach `share` of the exposure; ``recovered``: how much was recovered;
        - ``rpc``: a right-party contact took place; ``promise_made``: a promise was made;
        - ``promise_kept``, ``plan_kept``: every promise (plan) at `stake` was kept;
        - ``cure``: back to 0 days past due, with money that stayed; ``self_cure``: the same where nobody
          contacted the debtor; ``roll_forward``: a worse bucket than that of the as-of was reached.
    horizon_days : float
        Length of the window, in days of 24 hours.
    share : float, optional
        For ``pays``: in (0, 1], to four decimals.
    stake : str, optional
        For ``promise_kept`` and ``plan_kept``: ``open`` (running at the as-of; the default) or ``new`` (made,
        or accepted, in the window).
    grace_days, tolerance : float
        For ``promise_kept``, as in `PromiseRule`.
    name : str
        Name of the column; made from the rest when left out, for example ``pays_50_in_30d``.

    Raises
    ------
    ConfigError
        Listing everything that is wrong.

    Examples
    --------
    >>> LabelSpec("pays", 30, share=0.5).name
    'pays_50_in_30d'
    >>> LabelSpec.from_json(LabelSpec("plan_kept", 90).to_json()).stake
    'open'
    """

    kind: str
    horizon_days: float
    share: float | None = None
    stake: str | None = None
    grace_days: float = _RULE.grace_days
    tolerance: float = _RULE.tolerance
    name: str = ""

    def __post_init__(self) -> None:
        """Check the fields, all at once; fill in the stake and the name."""
        if self.stake is None and self.kind in _STAKE_KINDS:
            object.__setattr__(self, "stake", OPEN)
        problems = self._problems()
        if problems:
            msg = f"label {self.name or self.kind!r}: {'; '.join(problems)}"
            raise ConfigError(msg)
        if not self.name:
            object.__setattr__(self, "name", self._default_name())

    @property
    def horizon(self) -> int:
        """Length of the window in microseconds."""
        return round(self.horizon_days * US_PER_DAY)

    @property
    def share_parts(self) -> int:
        """The share in ten-thousandths."""
        return int(_exact(self.share or 0) * SHARE_PARTS)

    @property
    def is_money(self) -> bool:
        """Whether the value is an amount rather than 1 or 0."""
        return self.kind in MONEY_KINDS

    @property
    def promises(self) -> PromiseRule:
        """When a promise counts as kept."""
        return PromiseRule(self.grace_days, self.tolerance)

    def to_dict(self) -> dict[str, Any]:
        """Return the label as JSON values; what is left at its default is left out."""
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LabelSpec:
        """Return the label written by `to_dict`; a `ConfigError` names unknown fields."""
        known = [field.name for field in fields(cls)]
        unknown = [f"{name!r}.{hint(name, known)}" for name in values if name not in known]
        absent = [name for name in ("kind", "horizon_days") if name not in values]
        if unknown or absent:
            msg = f"a label has no field {', '.join(unknown)}" if unknown else f"a label needs {absent}"
            raise ConfigError(msg)
        return cls(**values)

    def to_json(self) -> str:
        """Return the label as canonical JSON."""
        return canonical_json(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> LabelSpec:
        """Return the label written by `to_json`."""
        return cls.from_dict(json.loads(text))

    def _problems(self) -> list[str]:
        problems = []
        if self.kind not in LABEL_KINDS:
            problems.append(f"no such kind.{hint(self.kind, LABEL_KINDS)}")
        if not 0 < self.horizon_days < float("inf") or self.horizon == 0:
            problems.append(f"horizon_days must be more than 0, got {self.horizon_days}")
        if (self.share is not None) != (self.kind == "pays"):
            problems.append("a share goes with pays, and with nothing else")
        elif self.share is not None and not _is_part(self.share, SHARE_PARTS):
            problems.append(f"share must lie in (0, 1] and have at most four decimals, got {self.share}")
        if self.stake is not None and (self.kind not in _STAKE_KINDS or self.stake not in (OPEN, NEW)):
            problems.append(f"stake is open or new, of promise_kept and plan_kept alone, got {self.stake!r}")
        if not 0 <= self.grace_days < float("inf"):
            problems.append(f"grace_days must be at least 0, got {self.grace_days}")
        if not _is_part(self.tolerance, PERMILLE):
            problems.append(f"tolerance must lie in (0, 1], to three decimals, got {self.tolerance}")
        return problems

    def _default_name(self) -> str:
        asked = {"pays": f"_{_plain(float(_exact(self.share or 0) * 100))}"}.get(self.kind, "")
        stake = "" if self.stake is None else f"_{self.stake}"
        return f"{self.kind}{asked}{stake}_in_{_plain(self.horizon_days)}d"


def standard_labels(
    horizons: Sequence[float] = (30, 60, 90), shares: Sequence[float] = (0.1, 0.5, 1.0)
) -> tuple[LabelSpec, ...]:
    """Return every kind of label for several horizons, and ``pays`` for several shares.

    Parameters
    ----------
    horizons : sequence of float
        Days.
    shares : sequence of float
        Shares of the exposure that count as paying.

    Examples
    --------
    >>> [spec.name for spec in standard_labels([30], [0.5])][:3]
    ['pays_50_in_30d', 'recovered_in_30d', 'rpc_in_30d']
    """
    plain = [kind for kind in LABEL_KINDS if kind not in ("pays", *_STAKE_KINDS)]
    return (
        *(LabelSpec("pays", days, share=share) for days, share in product(horizons, shares)),
        *(LabelSpec(kind, days) for kind, days in product(plain, horizons)),
        *(
            LabelSpec(kind, days, stake=stake)
            for kind, stake, days in product(_STAKE_KINDS, (OPEN, NEW), horizons)
        ),
    )


def _exact(number: float) -> Fraction:
    return Fraction(str(number))


def _is_part(number: float, parts: int) -> bool:
    return 0 < number <= 1 and (_exact(number) * parts).denominator == 1


def _plain(number: float) -> str:
    """Return a number as it may stand in a name: 12.5 as 12p5."""
    return f"{number:g}".replace(".", "p")
