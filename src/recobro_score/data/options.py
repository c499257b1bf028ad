"""How the tables of a portfolio are read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from recobro_score.calendars import US_PER_DAY, zone_info
from recobro_score.data.contracts import CONTRACTS, EVENT_TABLES
from recobro_score.data.parse import Format
from recobro_score.errors import ConfigError, hint


class PortfolioOptions(BaseModel):
    """How tables are read.

    Attributes
    ----------
    time_zone : str
        IANA zone of dates, of times without an offset, and of ``--as-of``.
    lag_days : dict of str to float
        Declared reporting lag per table: a row without ``known_at`` was known that long after it happened.
    columns : dict of str to dict
        Per table, source column names to the contract's; Spanish names are known without it.
    declared : tuple of str
        Tables that must be there. A declared safety table that is missing blocks contact with everybody.
    max_age_days : dict of str to float
        Per event table, how old its newest row may be at the as-of date before it counts as stale.
    date_format : str, optional
        `strptime` pattern of times given as text; ISO 8601 if absent.
    decimal : str
        Decimal mark of numbers given as text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_zone: str = "UTC"
    lag_days: dict[str, float] = Field(default_factory=dict)
    columns: dict[str, dict[str, str]] = Field(default_factory=dict)
    declared: tuple[str, ...] = ()
    max_age_days: dict[str, float] = Field(default_factory=dict)
    date_format: str | None = None
    decimal: str = Field(default=".", pattern=r"^[.,]$")

    def format(self) -> Format:
        """Return how cells are read."""
        zone_info(self.time_zone)
        return Format(self.time_zone, self.date_format, self.decimal)

    def lag(self, table: str) -> int:
        """Return the declared lag of a table in microseconds."""
        return round(self.lag_days.get(table, 0.0) * US_PER_DAY)

    def check_names(self) -> None:
        """Raise `ConfigError` if a table named here does not exist."""
        named = {*self.lag_days, *self.columns, *self.declared}
        unknown = sorted((named - set(CONTRACTS)) | (set(self.max_age_days) - set(EVENT_TABLES)))
        if unknown:
            msg = (
                f"unknown tables in the portfolio options: {', '.join(unknown)}.{hint(unknown[0], CONTRACTS)}"
            )
            raise ConfigError(msg)
