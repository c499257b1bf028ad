"""What a simulated portfolio is like: small frozen options with sensible defaults, and named presets."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from recobro_score.calendars import parse_instant, zone_info
from recobro_score.errors import ConfigError, hint

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Weights = tuple[NotNegative, ...]
PerBucket = tuple[float, float, float, float, float, float]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Country(_Part):
    """One country of the market; amounts in major units of its currency."""

    code: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    weight: Positive = 1.0
    zones: tuple[tuple[str, Positive], ...] = Field(min_length=1)
    """IANA time zones of debtors with their weights."""
    subdivisions: tuple[str, ...] = ()
    paydays: tuple[Annotated[int, Field(ge=1, le=28)], ...] = Field(default=(15, 28), min_length=1)
    """Days of the month on which debtors are paid."""
    principal: Positive
    """Median principal of a debt."""
    principal_spread: NotNegative = 0.8
    """Standard deviation of the log principal."""
    income: Positive
    """Median monthly income."""
    sms_cost: Positive

    @field_validator("zones")
    @classmethod
    def _zones_exist(cls, zones: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
        for name, _ in zones:
            zone_info(name)
        return zones


COLOMBIA = Country(
    code="CO",
    currency="COP",
    weight=0.7,
    zones=(("America/Bogota", 1.0),),
    subdivisions=("CO-DC", "CO-ANT", "CO-VAC", "CO-ATL"),
    paydays=(15, 28),
    principal=3_500_000,
    income=1_900_000,
    sms_cost=30,
)
CHILE = Country(
    code="CL",
    currency="CLP",
    weight=0.3,
    zones=(("America/Santiago", 0.95), ("America/Punta_Arenas", 0.05)),
    subdivisions=("CL-RM", "CL-VS", "CL-BI"),
    paydays=(5, 28),
    principal=900_000,
    income=750_000,
    sms_cost=12,
)


class Market(_Part):
    """Where the debtors live."""

    countries: tuple[Country, ...] = Field(default=(COLOMBIA, CHILE), min_length=1)

    @field_validator("countries")
    @classmethod
    def _once_each(cls, countries: tuple[Country, ...]) -> tuple[Country, ...]:
        codes = [country.code for country in countries]
        if len(set(codes)) < len(codes):
            msg = f"a country appears twice: {', '.join(codes)}"
            raise ValueError(msg)
        return countries


class Span(_Part):
    """The clock of the simulation: periods of 30 days counted back from the as-of."""

    as_of: str = "2025-06-03"
    time_zone: str = "America/Bogota"
    """The portfolio's time zone; `as_of` is 00:00 there."""
    periods: Annotated[int, Field(ge=1, le=120)] = 14
    periods_after: Annotated[int, Field(ge=0, le=24)] = 0
    """Periods simulated beyond the as-of, so that its outcomes can be read; they move `observed_until`."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        zone_info(self.time_zone)
        parse_instant(self.as_of, self.time_zone)
        return self


class Structure(_Part):
    """Which debts there are and who answers for them."""

    accounts_per_debtor: Annotated[float, Field(ge=1, le=5)] = 1.25
    co_debtor_share: Share = 0.06
    guarantor_share: Share = 0.04
    card_share: Share = 0.25
    """Debts with balances only; all others have monthly instalments."""
    stock_share: Share = 0.25
    """Debts already placed when the first period begins; the others arrive evenly afterwards."""
    arrears: Weights = (0.2, 0.38, 0.16, 0.1, 0.07, 0.05, 0.04)
    """Weights of 0, 1, 2 … instalments overdue on the day of placement."""
    paid_months: Annotated[int, Field(ge=0, le=36)] = 8
    """Most instalments paid before the first one was missed."""
    all_new: bool = False
    """Every debt is opened, with its arrears, one to ten days before the as-of."""
    recall_share: Share = 0.01
    """Chance per period that the creditor takes a debt back."""

    @field_validator("arrears")
    @classmethod
    def _some_weight(cls, arrears: Weights) -> Weights:
        if not sum(arrears) > 0:
            msg = "at least one weight must be positive"
            raise ValueError(msg)
        return arrears


class Reach(_Part):
    """Chance that one attempt reaches the right party, by part of the day."""

    morning: Annotated[float, Field(gt=0, lt=1)]
    midday: Annotated[float, Field(gt=0, lt=1)]
    afternoon: Annotated[float, Field(gt=0, lt=1)]


class Contactability(_Part):
    """How well debtors can be reached."""

    call: Reach = Reach(morning=0.16, midday=0.2, afternoon=0.26)
    sms: Reach = Reach(morning=0.4, midday=0.42, afternoon=0.45)
    whatsapp: Reach = Reach(morning=0.42, midday=0.46, afternoon=0.5)
    email: Reach = Reach(morning=0.22, midday=0.2, afternoon=0.18)
    spread: NotNegative = 0.7
    """Standard deviation, in log-odds, of debtors and of channels within a debtor."""
    missing_share: Share = 0.06
    """Contact points that are not known, per channel."""
    wrong_share: Share = 0.05
    """Contact points that belong to somebody else."""
    consent_share: Share = 0.95


class Effects(_Part):
    """What an action adds to the log-odds of paying once it has reached the debtor."""

    scale: NotNegative = 1.0
    """Multiplies everything below, and the uptake of offers up to 1; at 0 no action changes anything."""
    sms: float = 0.4
    email: float = 0.35
    whatsapp: float = 0.55
    call_bot: float = 0.6
    call_agent: float = 1.15
    plan_message: float = 0.45
    plan_call: float = 0.95
    by_bucket: PerBucket = (0.7, 1.2, 1.1, 0.9, 0.7, 0.5)
    """Multiplier per bucket 0, 1–30, 31–60, 61–90, 91–180, 181+."""
    heterogeneity: NotNegative = 0.5
    """Spread of the effect over accounts, as a share of its mean."""
    fatigue: NotNegative = 0.02
    """Log-odds lost per recent attempt (attempts of a period ago count half, and so on)."""


class Behaviour(_Part):
    """How debtors pay when left alone."""

    base: float = 0.0
    """Log-odds added to everybody's willingness."""
    self_cure: float = 0.0
    """Log-odds added in buckets 0 and 1–30, where people pay unprompted."""
    willingness: NotNegative = 1.0
    """Spread over debtors, lasting."""
    ability: NotNegative = 0.8
    """Spread over debtors and time."""
    persistence: Annotated[float, Field(ge=0, lt=1)] = 0.85
    """Autocorrelation of the ability from one period to the next."""
    noise: NotNegative = 0.25
    """Standard deviation of a debtor's own passing mood, drawn for every account and period."""
    seasonality: NotNegative = 1.0
    payday_strength: Share = 0.75
    """Payments made within days of a payday; the others fall anywhere."""
    full_share: Annotated[float, Field(gt=0, lt=1)] = 0.6
    """Payments that settle all that is due, for a debtor of average ability."""
    partial_alpha: Positive = 2.0
    partial_beta: Positive = 2.5
    """A partial payment is a Beta(alpha, beta) share of what is due."""


class Legacy(_Part):
    """The policy that made the log."""

    randomised: Share = 0.3
    """Weight of a uniform draw over the eligible actions in the mix with the rule."""
    sharpness: NotNegative = 1.5
    """How strongly the rule follows its own preferences."""
    confounding: NotNegative = 0.0
    """Weight of something the rule sees, the tables do not, and willingness depends on."""
    record_propensities: bool = True
    record_contacts: bool = True
    """False: contacts, promises and decisions leave no trace."""


class Lateness(_Part):
    """How files come in."""

    late_share: Share = 0.05
    """Daily payment files that are late."""
    late_days: Annotated[int, Field(ge=1, le=60)] = 6
    """Most days of delay."""
    reversals: Share = 0.02
    """Payments taken back within three days."""


class Terms(_Part):
    """Terms of one offer."""

    instalments: Annotated[int, Field(ge=1, le=36)] = 6
    down_payment: Share = 0.1
    discount: Annotated[float, Field(ge=0, lt=1)] = 0.0
    valid_days: Annotated[int, Field(ge=1, le=90)] = 30


class Offers(_Part):
    """Payment plans put to debtors."""

    menu: tuple[Terms, ...] = Field(
        default=(
            Terms(),
            Terms(instalments=3, down_payment=0.3),
            Terms(instalments=12, down_payment=0.05),
            Terms(instalments=1, down_payment=0.6, discount=0.1),
        ),
        min_length=1,
    )
    """The first terms are the standard ones, which the truth is about."""
    uptake: float = -1.1
    """Log-odds that a reached debtor, who would not pay otherwise, accepts the standard terms."""
    keep: float = 2.2
    """Log-odds of paying an instalment of an accepted plan."""


class Scenario(_Part):
    """Everything that shapes a simulated portfolio.

    Examples
    --------
    >>> Scenario.preset("no_effect").effects.scale
    0.0
    >>> Scenario(effects=Effects(scale=2.0)).span.periods
    14
    """

    market: Market = Market()
    span: Span = Span()
    structure: Structure = Structure()
    contactability: Contactability = Contactability()
    effects: Effects = Effects()
    behaviour: Behaviour = Behaviour()
    legacy: Legacy = Legacy()
    lateness: Lateness = Lateness()
    offers: Offers = Offers()

    @classmethod
    def preset(cls, name: str) -> Scenario:
        """Return a named scenario of `PRESETS`.

        Raises
        ------
        ConfigError
            If there is none of that name.
        """
        if name not in PRESETS:
            msg = f"no scenario {name!r} (known: {', '.join(PRESETS)}).{hint(name, PRESETS)}"
            raise ConfigError(msg)
        return PRESETS[name]


PRESETS: dict[str, Scenario] = {
    "default": Scenario(),
    "no_effect": Scenario(effects=Effects(scale=0.0)),
    "no_propensities": Scenario(legacy=Legacy(record_propensities=False)),
    "confounded": Scenario(legacy=Legacy(confounding=1.5, randomised=0.1, record_propensities=False)),
    "single_country": Scenario(market=Market(countries=(COLOMBIA,))),
    "no_contacts": Scenario(legacy=Legacy(record_contacts=False)),
    "all_new": Scenario(structure=Structure(all_new=True)),
    "few_payers": Scenario(
        behaviour=Behaviour(base=-4.0),
        offers=Offers(uptake=-6.0),
        structure=Structure(paid_months=0, arrears=(0.0, 0.3, 0.25, 0.15, 0.12, 0.1, 0.08)),
    ),
}
"""Named scenarios: what each one is for is in the package's documentation."""
