"""The catalogue of actions, and the table of accounts × actions that the allocation chooses from."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recobro_score.digest import canonical_json, sha256_text
from recobro_score.errors import ConfigError

NO_ACTION = "no_action"
HUMAN_REVIEW = "human_review"
INTERNAL = "internal"
CHANNELS = ("call", "email", "ivr", "letter", "sms", "visit", "whatsapp")
EFFECT_BUCKETS = ("0", "1-30", "31-60", "61-90", "91-180", "181+", "unknown")
MAX_EFFECT = 1.0

BucketEffects = dict[Literal["0", "1-30", "31-60", "61-90", "91-180", "181+"], float]


class Action(BaseModel):
    """One thing that can be done for an account.

    Attributes
    ----------
    id
        Name of the action, unique in the catalogue.
    channel
        One of `CHANNELS`; "" for `no_action`; "internal" where nobody is contacted by a machine or an agent.
    agent
        Who acts: "bot", "human" or "none".
    cost
        Cost of assigning it once, in the catalogue's currency.
    pool
        Name of the shared capacity of which it takes one unit, or None when it is not limited.
    offers
        Whether it carries an offer.
    prior_effect
        Shift of log-odds of payment when the action is *assigned* (intention to treat), per bucket; what an
        offer adds is not in it.
    prior_reach
        Share of assigned contacts that reach the debtor when nothing is known about contact rates.
    source
        Where the prior comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    channel: str
    agent: Literal["bot", "human", "none"]
    cost: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    pool: Annotated[str, Field(min_length=1)] | None = None
    offers: bool = False
    prior_effect: BucketEffects = {}
    prior_reach: Annotated[float, Field(ge=0, le=1)] = 0.0
    source: str = ""

    @field_validator("channel")
    @classmethod
    def _known_channel(cls, channel: str) -> str:
        known = ("", INTERNAL, *CHANNELS)
        if channel not in known:
            msg = f"channel {channel!r} is none of {', '.join(repr(name) for name in known)}"
            raise ValueError(msg)
        return channel

    @model_validator(mode="after")
    def _effects_stated(self) -> Self:
        missing = [bucket for bucket in EFFECT_BUCKETS[:-1] if bucket not in self.prior_effect]
        if self.is_contact and missing:
            msg = f"action {self.id!r} has no prior_effect for the buckets {missing}"
            raise ValueError(msg)
        if self.is_contact and not self.source:
            msg = f"action {self.id!r} has no source for its prior_effect"
            raise ValueError(msg)
        wild = {b: e for b, e in self.prior_effect.items() if not -MAX_EFFECT <= e <= MAX_EFFECT}
        if wild:
            msg = f"action {self.id!r}: prior_effect {wild} lies outside ±{MAX_EFFECT} log-odds"
            raise ValueError(msg)
        return self

    @property
    def is_contact(self) -> bool:
        """Whether the debtor is contacted."""
        return self.channel not in ("", INTERNAL)

    def effects(self) -> tuple[float, ...]:
        """Effects in the order of `EFFECT_BUCKETS`; an unknown bucket gets the smallest of all."""
        known = [self.prior_effect.get(bucket, 0.0) for bucket in EFFECT_BUCKETS[:-1]]  # type: ignore[call-overload]
        return (*known, min(known))


class Catalogue(BaseModel):
    """The actions a policy may choose from, read from TOML.

    Attributes
    ----------
    currency
        Currency of every `cost`.
    actions
        The actions; `no_action` always comes first.
    text
        The TOML the catalogue was read from, kept verbatim.

    Examples
    --------
    >>> Catalogue.load().ids[0]
    'no_action'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    actions: tuple[Action, ...]
    text: str = ""

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        repeated = sorted({name for name in self.ids if self.ids.count(name) > 1})
        if repeated:
            msg = f"actions named more than once: {repeated}"
            raise ValueError(msg)
        if not self.ids or self.ids[0] != NO_ACTION or self.actions[0].channel or self.actions[0].cost:
            msg = f"the first action must be {NO_ACTION!r}, without channel and cost"
            raise ValueError(msg)
        if any(action.channel == "" for action in self.actions[1:]):
            msg = f"only {NO_ACTION!r} may have an empty channel"
            raise ValueError(msg)
        return self

    @classmethod
    def load(cls, path: str | Path | None = None) -> Catalogue:
        """Read a catalogue, or the one the library ships.

        Parameters
        ----------
        path
            A TOML file; None reads the shipped `catalogue.toml`.

        Raises
        ------
        ConfigError
            When the file is missing, is not TOML or breaks a rule of the catalogue.
        """
        if path is None:
            text = resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
            return cls.parse(text)
        if not Path(path).is_file():
            msg = f"catalogue of actions: no file {path}"
            raise ConfigError(msg)
        return cls.parse(Path(path).read_text(encoding="utf-8"))

    @classmethod
    def parse(cls, text: str) -> Catalogue:
        """Read a catalogue from TOML text, e.g. the copy kept in a bundle.

        Raises
        ------
        ConfigError
            When the text is not TOML or breaks a rule of the catalogue; all problems in one message.
        """
        try:
            return cls.model_validate({**tomllib.loads(text, parse_float=Decimal), "text": text})
        except tomllib.TOMLDecodeError as error:
            msg = f"catalogue of actions: not TOML: {error}"
            raise ConfigError(msg) from error
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            msg = f"catalogue of actions: {problems}"
            raise ConfigError(msg) from error

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the actions."""
        return tuple(action.id for action in self.actions)

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of the shared capacities, sorted."""
        return tuple(sorted({action.pool for action in self.actions if action.pool}))

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels through which some action contacts the debtor, sorted."""
        return tuple(sorted({action.channel for action in self.actions if action.is_contact}))

    @property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of the content (comments and layout do not count)."""
        return sha256_text(canonical_json(self.model_dump(mode="json", exclude={"text"})))[:12]

    def pool_codes(self) -> NDArray[np.int16]:
        """Pool of each action as a position in `pools`, -1 where it has none."""
        return np.array([self.pools.index(a.pool) if a.pool else -1 for a in self.actions], dtype=np.int16)

    def channel_codes(self) -> NDArray[np.int16]:
        """Channel of each action as a position in `channels`, -1 where nobody is contacted."""
        codes = [self.channels.index(a.channel) if a.is_contact else -1 for a in self.actions]
        return np.array(codes, dtype=np.int16)

    def prior_effects(self) -> NDArray[np.float64]:
        """Prior effects, log-odds, shape (actions, 7) in the order of `EFFECT_BUCKETS`."""
        return np.array([action.effects() for action in self.actions], dtype=np.float64)

    def priced_in(self, currency: str, factor: Decimal | float) -> Catalogue:
        """Return the same actions with costs in another currency.

        Parameters
        ----------
        currency
            The new currency.
        factor
            Major units of the new currency for one major unit of the present one.
        """
        factor = Decimal(str(factor))
        actions = tuple(action.model_copy(update={"cost": action.cost * factor}) for action in self.actions)
        priced = self.model_copy(update={"currency": currency, "actions": actions})
        return priced.model_copy(update={"text": priced.to_toml()})

    def to_toml(self) -> str:
        """Write the content as TOML that `parse` reads back; the comments of `text` are lost."""
        lines = [f'currency = "{self.currency}"']
        for action in self.actions:
            lines += ["", "[[actions]]"]
            for name, value in action.model_dump(exclude_none=True, exclude={"prior_effect"}).items():
                lines.append(f"{name} = {value if isinstance(value, Decimal | float) else json.dumps(value)}")
            effects = (f'"{bucket}" = {effect!r}' for bucket, effect in action.prior_effect.items())
            lines.append(f"prior_effect = {{ {', '.join(effects)} }}")
        return "\n".join([*lines, ""])


@dataclass(frozen=True, slots=True)
class ActionTable:
    """Accounts × actions: what each action is worth, and which rule forbids it.

    Attributes
    ----------
    action_ids
        Names of the actions; `no_action` is the first column.
    values
        f64[n, A] expected incremental net recovery in the reporting currency; 0 for `no_action`,
        -inf where the action is not eligible.
    eligible
        bool[n, A]; `no_action` always is.
    rule
        i16[n, A] position in `rules` of the rule that forbids the action, -1 where none does.
    rules
        Names of the rules.
    next_allowed_at
        i64[n, A] µs UTC: 0 where eligible; else the earliest instant at which the named rule gives way;
        `NEVER` when it does not by itself.
    slot
        i16[n, A] best lawful slot (0 starts at 07:00 local time), -1 where the action needs none.
    pool
        i16[A] position in `pools`, -1 where the action is not limited.
    pools
        Names of the shared capacities.
    """

    action_ids: tuple[str, ...]
    values: NDArray[np.float64]
    eligible: NDArray[np.bool_]
    rule: NDArray[np.int16]
    rules: tuple[str, ...]
    next_allowed_at: NDArray[np.int64]
    slot: NDArray[np.int16]
    pool: NDArray[np.int16]
    pools: tuple[str, ...]

    def take(self, rows: NDArray[np.int64]) -> ActionTable:
        """Return the given rows in the given order."""
        return replace(
            self,
            values=self.values[rows],
            eligible=self.eligible[rows],
            rule=self.rule[rows],
            next_allowed_at=self.next_allowed_at[rows],
            slot=self.slot[rows],
        )

    def frame(self) -> pd.DataFrame:
        """One row per account row × action.

        Returns
        -------
        pandas.DataFrame
            `row`, `action_id`, `value`, `eligible`, `rule` (None where nothing forbids), `next_allowed_at`,
            `slot`.
        """
        n, width = self.values.shape
        names = np.array([*self.rules, None], dtype=object)
        return pd.DataFrame(
            {
                "row": np.repeat(np.arange(n), width),
                "action_id": np.tile(np.array(self.action_ids, dtype=object), n),
                "value": self.values.ravel(),
                "eligible": self.eligible.ravel(),
                "rule": names[self.rule.ravel()],
                "next_allowed_at": self.next_allowed_at.ravel(),
                "slot": self.slot.ravel(),
            }
        )

    @staticmethod
    def concat(tables: Sequence[ActionTable]) -> ActionTable:
        """Put tables of the same actions below each other; rule names are merged and sorted."""
        rules = tuple(sorted({name for table in tables for name in table.rules}))
        position = {name: code for code, name in enumerate(rules)}
        recoded = []
        for table in tables:
            codes = np.array([*(position[name] for name in table.rules), -1], dtype=np.int16)
            recoded.append(codes[table.rule])
        return replace(
            tables[0],
            values=np.concatenate([table.values for table in tables]),
            eligible=np.concatenate([table.eligible for table in tables]),
            rule=np.concatenate(recoded),
            rules=rules,
            next_allowed_at=np.concatenate([table.next_allowed_at for table in tables]),
            slot=np.concatenate([table.slot for table in tables]),
        )
