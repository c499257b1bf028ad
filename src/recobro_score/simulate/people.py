"""The debtors: what the tables say of them and what only the simulation knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recobro_score.simulate.arrays import F64, I64, Bool, Streams, logit, pick, sigmoid
from recobro_score.simulate.catalogue import ATTEMPTS_OF, CHANNEL_OF, CHANNELS, DAY_PARTS, NO_CHANNEL
from recobro_score.simulate.scenario import Contactability, Market, Scenario

PART_WEIGHTS: F64 = np.array([0.35, 0.3, 0.35])
"""How attempts spread over the parts of the day."""


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who answers for a debt; arrays of shape (n,) unless said otherwise.

    Attributes
    ----------
    zones, subdivisions : tuple of str
        What `zone` and `subdivision` point into.
    country, zone, subdivision : int64 array
        Positions in the market's countries, in `zones`, in `subdivisions` (-1: none).
    birth_year, payday : int64 array
    income : float64 array
        Monthly, major units of the country's currency.
    dependants : int64 array
    vulnerable : bool array
    has_point, consent, wrong : bool array, shape (n, 4)
        Per channel: a contact point is known, its use is allowed, it belongs to somebody else.
    willingness, ability, hidden : float64 array
        Latent: lasting willingness (log-odds), starting ability (standard normal), and what a confounded
        policy sees.
    reach_offset : float64 array, shape (n, 4)
        Latent: log-odds by which the debtor is easier to reach than others, per channel.
    """

    zones: tuple[str, ...]
    subdivisions: tuple[str, ...]
    country: I64
    zone: I64
    subdivision: I64
    birth_year: I64
    payday: I64
    income: F64
    dependants: I64
    vulnerable: Bool
    has_point: Bool
    consent: Bool
    wrong: Bool
    willingness: F64
    ability: F64
    hidden: F64
    reach_offset: F64

    @property
    def count(self) -> int:
        """Number of people."""
        return len(self.country)


def draw_people(count: int, scenario: Scenario, streams: Streams) -> People:
    """Draw `count` independent debtors."""
    generator = streams.of("people")
    country = pick(generator, np.array([c.weight for c in scenario.market.countries]), count)
    zones, zone = _zones(scenario.market, country, streams.of("zones"))
    behaviour, contactability = scenario.behaviour, scenario.contactability
    mood = generator.standard_normal((count, 4))
    willingness = behaviour.willingness * mood[:, 0]
    shape = (count, len(CHANNELS))
    offset = generator.standard_normal(shape) + generator.standard_normal(count)[:, None]
    medians = np.array([c.income for c in scenario.market.countries])
    return People(
        zones=zones,
        subdivisions=tuple(name for c in scenario.market.countries for name in c.subdivisions),
        country=country,
        zone=zone,
        subdivision=_subdivisions(scenario.market, country, generator),
        birth_year=1950 + (generator.beta(2.2, 1.8, count) * 55).astype(np.int64),
        payday=_paydays(scenario.market, country, generator),
        income=medians[country] * np.exp(0.3 * mood[:, 1] + 0.4 * mood[:, 2]),
        dependants=generator.poisson(1.1, count),
        vulnerable=generator.random(count) < 0.015,
        has_point=generator.random(shape) >= contactability.missing_share,
        consent=generator.random(shape) < contactability.consent_share,
        wrong=generator.random(shape) < contactability.wrong_share,
        willingness=willingness,
        ability=mood[:, 1],
        hidden=0.7 * mood[:, 0] + np.sqrt(1 - 0.7**2) * mood[:, 3],
        reach_offset=contactability.spread * offset / np.sqrt(2.0),
    )


def attempt_reach(people: People, usable: Bool, contactability: Contactability) -> F64:
    """Return the chance that one attempt reaches the debtor, shape (n, channels, day parts).

    It is sigmoid(logit(base of channel and part) + offset of debtor and channel) where the channel is usable
    and the contact point right, else 0.
    """
    parts = [getattr(contactability, channel) for channel in CHANNELS]
    base = np.array([[p.morning, p.midday, p.afternoon] for p in parts])
    chance = sigmoid(logit(base)[None, :, :] + people.reach_offset[:, :, None])
    chance[~(usable & ~people.wrong)] = 0.0
    return chance


def action_reach(attempt: F64) -> F64:
    """Return the chance that an action's attempts reach the debtor, shape (n, actions).

    Attempts draw their day part independently and stop once one succeeds, so that with a mean chance c per
    attempt and k attempts it is 1 - (1 - c)^k.
    """
    mean = np.zeros((len(attempt), len(CHANNELS)))
    for part in range(len(DAY_PARTS)):
        mean += PART_WEIGHTS[part] * attempt[:, :, part]
    reach = np.zeros((len(attempt), len(CHANNEL_OF)))
    for action, channel in enumerate(CHANNEL_OF):
        if channel != NO_CHANNEL:
            reach[:, action] = 1.0 - (1.0 - mean[:, channel]) ** ATTEMPTS_OF[action]
    return reach


def _zones(market: Market, country: I64, streams: np.random.Generator) -> tuple[tuple[str, ...], I64]:
    names = tuple(sorted({name for c in market.countries for name, _ in c.zones}))
    zone = np.zeros(len(country), dtype=np.int64)
    for position, entry in enumerate(market.countries):
        rows = np.flatnonzero(country == position)
        drawn = pick(streams, np.array([weight for _, weight in entry.zones]), len(rows))
        zone[rows] = np.array([names.index(name) for name, _ in entry.zones])[drawn]
    return names, zone


def _subdivisions(market: Market, country: I64, generator: np.random.Generator) -> I64:
    sizes = [len(c.subdivisions) for c in market.countries]
    own = _within(country, sizes, generator)
    return np.where(own >= 0, (np.cumsum(sizes) - sizes)[country] + own, -1)


def _within(country: I64, sizes: list[int], generator: np.random.Generator) -> I64:
    size = np.array(sizes, dtype=np.int64)[country]
    return np.where(size > 0, (generator.random(len(country)) * size).astype(np.int64), -1)


def _paydays(market: Market, country: I64, generator: np.random.Generator) -> I64:
    drawn = _within(country, [len(c.paydays) for c in market.countries], generator)
    longest = max(len(c.paydays) for c in market.countries)
    days = np.array([c.paydays + (0,) * (longest - len(c.paydays)) for c in market.countries])
    return np.asarray(days[country, drawn], dtype=np.int64)
