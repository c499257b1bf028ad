"""What an audit holds features against."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AuditOptions(BaseModel):
    """What an audit holds features against.

    Attributes
    ----------
    share, horizon_days : float
        The label where none is given: recovers this share of the exposure within so many days.
    observed_until : int or str, optional
        Until when the tables are complete (µs UTC or a date); if absent, the newest known payment, balance,
        contact, promise or decision.
    auc : float
        A single feature whose AUC lies above this, by the lower 95 % bound, is suspicious.
    proxy : float
        An association with a forbidden attribute above this, by the lower 99.9 % bound, is reported.
    accounts : int
        At most about so many accounts are looked at (all those of a debtor or none).
    windows : dict of str to (float, float)
        Days relative to the as-of that the user's own columns read, as far as they are known.
    lifted : dict of str to str
        Forbidden attributes whose ban is lifted, each with its reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = 0.5
    horizon_days: float = Field(default=30.0, gt=0)
    observed_until: int | str | None = None
    auc: float = Field(default=0.85, gt=0.5, lt=1)
    proxy: float = Field(default=0.3, gt=0, lt=1)
    accounts: int = Field(default=20_000, ge=1)
    windows: dict[str, tuple[float, float]] = Field(default_factory=dict)
    lifted: dict[str, str] = Field(default_factory=dict)
