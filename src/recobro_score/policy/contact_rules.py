"""Contact rules: dated, sourced data per country, read from TOML.

A user's own folder may add rules to a shipped country, which can only tighten it (every rule that speaks must
permit), or define a country the library does not ship. Not legal advice.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import ConfigError, hint

HOLIDAY = "holiday"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]
_EPOCH = date(1970, 1, 1)


class Rule(BaseModel):
    """What every rule states.

    Attributes
    ----------
    id
        Name under which the rule refuses contact, unique over all countries.
    subdivision
        ISO 3166-2 subdivision it is limited to; None = the whole country.
    channels
        Channels it speaks for; ("*",) = all.
    scope
        How the rule is read, where that is not obvious.
    kind
        Law, soft law, or a conservative default of the library.
    source
        Where the values come from.
    confidence
        "low" rules apply only when the user adopts them by id.
    valid_from, valid_to
        First local day the rule holds, and the first it no longer does (None = still in force).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    subdivision: str | None = None
    channels: tuple[str, ...] = ("*",)
    scope: str = ""
    kind: Literal["law", "soft law", "conservative default"]
    source: Annotated[str, Field(min_length=1)]
    confidence: Literal["high", "medium", "low"]
    valid_from: date
    valid_to: date | None = None

    def speaks(self, channel: str, subdivision: str | None, day: int) -> bool:
        """Whether the rule is in force for a channel and place on a local day (days since 1970-01-01)."""
        place = self.subdivision is None or self.subdivision == subdivision
        dated = (self.valid_from - _EPOCH).days <= day and (
            self.valid_to is None or day < (self.valid_to - _EPOCH).days
        )
        return place and dated and (channel in self.channels or "*" in self.channels)


class HoursRule(Rule):
    """Hours in which contact is permitted on the days the rule names.

    Attributes
    ----------
    weekdays
        Days it speaks for; "holiday" speaks in addition to the weekday.
    hours
        Permitted half-open interval of the debtor's local time, e.g. ("07:00", "19:00"); () = closed.
    """

    type: Literal["hours"]
    weekdays: Annotated[tuple[Day, ...], Field(min_length=1)]
    hours: tuple[str, ...]

    @field_validator("hours")
    @classmethod
    def _interval(cls, hours: tuple[str, ...]) -> tuple[str, ...]:
        if hours and (len(hours) != 2 or _minute(hours[0]) >= _minute(hours[1])):
            msg = f"hours must be [] or two increasing times of day, got {list(hours)}"
            raise ValueError(msg)
        return hours

    @property
    def minutes(self) -> tuple[int, int]:
        """Permitted minutes of the local day, half-open; (0, 0) = none."""
        return (_minute(self.hours[0]), _minute(self.hours[1])) if self.hours else (0, 0)


class CapRule(Rule):
    """At most `cap` contacts within a window, counted over all its channels together.

    Attributes
    ----------
    cap
        Largest number of outbound contacts.
    window_days
        Window in local calendar days: 1 = the same local day, 7 = any seven consecutive days.
    window_hours
        Window in elapsed hours, instead of `window_days`.
    unit
        Whether contacts of the debtor or of the single account count.
    """

    type: Literal["cap"]
    cap: Annotated[int, Field(ge=1)]
    window_days: Annotated[int, Field(ge=1, le=31)] | None = None
    window_hours: Annotated[int, Field(ge=1, le=31 * 24)] | None = None
    unit: Literal["debtor", "account"] = "debtor"

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if (self.window_days is None) == (self.window_hours is None):
            msg = f"rule {self.id!r} needs either window_days or window_hours"
            raise ValueError(msg)
        return self


class OneChannelRule(Rule):
    """After a contact through one channel, no other channel within `window_days` local days."""

    type: Literal["one_channel"]
    window_days: Annotated[int, Field(ge=1, le=31)]


class ConsentRule(Rule):
    """The channels it names need the debtor's consent on record."""

    type: Literal["consent"]


AnyRule = Annotated[HoursRule | CapRule | OneChannelRule | ConsentRule, Field(discriminator="type")]


class _CountryFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    rules: Annotated[tuple[AnyRule, ...], Field(min_length=1)]


_FILE: TypeAdapter[_CountryFile] = TypeAdapter(_CountryFile)


@dataclass(frozen=True, slots=True)
class ContactRules:
    """The rules in use, per country.

    Attributes
    ----------
    countries
        Country (ISO 3166-1 alpha-2) to its adopted rules, in the order they were read, shipped ones first.
    shipped, own
        Name to TOML text of the files read, kept verbatim; `parse_rules` turns them back into this object.
    adopted
        Ids of the low-confidence rules the user adopted, sorted.
    """

    countries: Mapping[str, tuple[AnyRule, ...]]
    shipped: Mapping[str, str]
    own: Mapping[str, str]
    adopted: tuple[str, ...]

    @property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of all rules in use."""
        content = {
            country: [rule.model_dump(mode="json") for rule in rules]
            for country, rules in self.countries.items()
        }
        return sha256_text(canonical_json(content))[:12]

    def hours(self, country: str) -> tuple[HoursRule, ...]:
        """Hours rules of a country."""
        return tuple(rule for rule in self.countries.get(country, ()) if isinstance(rule, HoursRule))

    def limits(self, country: str) -> tuple[CapRule | OneChannelRule, ...]:
        """Rules of a country that count past contacts."""
        rules = self.countries.get(country, ())
        return tuple(rule for rule in rules if isinstance(rule, CapRule | OneChannelRule))

    def consent(self, country: str, subdivision: str | None, channel: str, day: int) -> ConsentRule | None:
        """Return the rule that asks for consent to a channel on a local day, or None."""
        for rule in self.countries.get(country, ()):
            if isinstance(rule, ConsentRule) and rule.speaks(channel, subdivision, day):
                return rule
        return None


def load_rules(folder: str | Path | None = None, adopt: Iterable[str] = ()) -> ContactRules:
    """Read the shipped rules and the user's own.

    Parameters
    ----------
    folder
        Folder of the user's own `*.toml` files, in the format of `policy/countries/`. They are added to the
        shipped rules, so for a shipped country they can only tighten.
    adopt
        Ids of low-confidence rules to apply.

    Raises
    ------
    ConfigError
        For a missing folder, malformed files, ids used twice, or an id in `adopt` that no rule has; all
        problems in one message.
    """
    here = resources.files(__package__).joinpath("countries")
    shipped = {f.name: f.read_text(encoding="utf-8") for f in here.iterdir() if f.name.endswith(".toml")}
    own: dict[str, str] = {}
    if folder is not None:
        if not Path(folder).is_dir():
            msg = f"contact rules: no folder {folder}"
            raise ConfigError(msg)
        own = {f.name: f.read_text(encoding="utf-8") for f in Path(folder).glob("*.toml")}
    return parse_rules(shipped, own, adopt)


def parse_rules(
    shipped: Mapping[str, str], own: Mapping[str, str] | None = None, adopt: Iterable[str] = ()
) -> ContactRules:
    """Build the rules from the texts of their files, e.g. the copies kept in a bundle.

    Raises
    ------
    ConfigError
        As `load_rules`.
    """
    shipped, own = dict(sorted(shipped.items())), dict(sorted((own or {}).items()))
    files: list[_CountryFile] = []
    problems: list[str] = []
    for name, text in (*shipped.items(), *own.items()):
        try:
            files.append(_FILE.validate_python(tomllib.loads(text)))
        except tomllib.TOMLDecodeError as error:
            problems.append(f"{name}: not TOML: {error}")
        except ValidationError as error:
            problems += [f"{name}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    rules = [(file.country, rule) for file in files for rule in file.rules]
    ids = [rule.id for _, rule in rules]
    adopted = tuple(sorted(set(adopt)))
    problems += [f"two rules have the id {name!r}" for name in sorted({i for i in ids if ids.count(i) > 1})]
    if not problems:
        problems += [f"adopt: no rule {name!r}.{hint(name, ids)}" for name in adopted if name not in ids]
    if problems:
        msg = "contact rules: " + "; ".join(problems)
        raise ConfigError(msg)
    in_use: dict[str, tuple[AnyRule, ...]] = {}
    for country, rule in rules:
        if rule.confidence != "low" or rule.id in adopted:
            in_use[country] = (*in_use.get(country, ()), rule)
    return ContactRules(dict(sorted(in_use.items())), shipped, own, adopted)


def _minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isdigit() and minute.isdigit() and len(minute) == 2):
        msg = f"{text!r} is not a time of day such as '07:00'"
        raise ValueError(msg)
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > 24 * 60:
        msg = f"{text!r} is not a time of day such as '07:00'"
        raise ValueError(msg)
    return value
