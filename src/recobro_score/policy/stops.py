"""What stands against contacting an account: hard stops, one rule each, and who must reach a human.

Everything fails closed: what cannot be read stops contact. The kinds of holds that a record may name are
listed here; any other is written `hold:other`, so that nothing about health leaks through a rule's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY, as_datetime
from recobro_score.data.events import EventStore, EventTable
from recobro_score.data.state import AccountState
from recobro_score.money import MISSING_MONEY
from recobro_score.policy.contact_rules import ContactRules
from recobro_score.policy.views import PLANNING, codes, in_force, last_row, places, times, visible

ADULT = 18
NAMED_HOLDS = frozenset(
    [
        "bankruptcy",
        "cease",
        "complaint",
        "concurso",
        "deceased",
        "dispute",
        "disputa",
        "fallecido",
        "fraud",
        "fraude",
        "insolvency",
        "legal",
        "legal_representative",
        "litigation",
        "minor",
        "moratorium",
        "opt_out",
        "payment_in_flight",
        "plan",
        "regulator",
    ]
)
STOPPING_FACTS = frozenset(
    [
        "bankruptcy",
        "concurso",
        "deceased",
        "fallecido",
        "insolvency",
        "legal_representative",
        "menor",
        "minor",
    ]
)
_VULNERABLE = "vulnerab"
_CEASE = ("baja", "cease", "opt_out", "optout", "stop")
_YES = frozenset(["1", "1.0", "given", "granted", "opt_in", "s", "si", "sí", "true", "verdadero", "y", "yes"])
_NO = frozenset(
    ["0", "0.0", "denied", "f", "false", "falso", "n", "no", "none", "opt_out", "revoked", "withdrawn"]
)


@dataclass(slots=True)
class Stops:
    """Stops found so far; the first rule that stops an account or channel names it.

    Attributes
    ----------
    account
        i16[n] rule that stops every action for the account, -1 = none.
    until
        i64[n] µs UTC at which that rule ends by itself, else `NEVER`.
    channel
        i16[n, channels] rule that stops a channel, -1 = none.
    no_offer
        i16[n] rule that forbids a new offer, -1 = none.
    vulnerable
        bool[n] only a person may contact the debtor.
    contact_point
        object[n, channels] id of the valid contact point last known, None = none known.
    rules
        Names of the rules.
    """

    account: NDArray[np.int16]
    until: NDArray[np.int64]
    channel: NDArray[np.int16]
    no_offer: NDArray[np.int16]
    vulnerable: NDArray[np.bool_]
    contact_point: NDArray[np.object_]
    rules: list[str] = field(default_factory=list)

    def stop(self, where: NDArray[np.bool_], rule: str, until: NDArray[np.int64] | int = NEVER) -> None:
        """Stop every action for some accounts, unless another rule did before."""
        rows = where & (self.account < 0)
        self.account[rows] = self.code(rule)
        self.until[rows] = np.broadcast_to(until, where.shape)[rows]

    def stop_channel(self, column: int, where: NDArray[np.bool_], rule: str) -> None:
        """Stop one channel for some accounts, unless another rule did before."""
        self.channel[where & (self.channel[:, column] < 0), column] = self.code(rule)

    def code(self, rule: str) -> int:
        """Position of a rule's name in `rules`, added when new."""
        if rule not in self.rules:
            self.rules.append(rule)
        return self.rules.index(rule)


def find_stops(
    store: EventStore, as_of: int, state: AccountState, *, rules: ContactRules, channels: tuple[str, ...]
) -> Stops:
    """Find all stops of a portfolio at an instant.

    Parameters
    ----------
    store
        The portfolio.
    as_of
        µs UTC.
    state
        State of every account of the store at `as_of`, in its order.
    rules
        Contact rules in use (where they ask for consent, missing consent stops).
    channels
        Channels to look at.

    Returns
    -------
    Stops
        Rules: `blocked:<reason>`, `malformed_safety_row`, `hold:<kind>`, `fact:<kind>`, `complaint:<kind>`,
        `not_open`, `not_placed`, `time_barred`, `exposure_unknown`, `nothing_due`; per channel
        `consent:<rule or channel>`, `complaint:<kind>`, `no_contact_point:<channel>`.
    """
    n = store.n_accounts
    stops = Stops(
        account=np.full(n, -1, dtype=np.int16),
        until=np.full(n, NEVER, dtype=np.int64),
        channel=np.full((n, len(channels)), -1, dtype=np.int16),
        no_offer=np.full(n, -1, dtype=np.int16),
        vulnerable=_vulnerable(store, as_of),
        contact_point=np.full((n, len(channels)), None, dtype=object),
    )
    everyone = np.ones(n, dtype=bool)
    for reason in store.blocked:
        stops.stop(everyone, f"blocked:{reason}")
    stops.stop(store.stopped, "malformed_safety_row")
    _holds(stops, store, as_of)
    _facts(stops, store, as_of)
    _complaints(stops, store, as_of, channels)
    stops.stop(~state.open, "not_open")
    stops.stop(~state.placed, "not_placed")
    barred = np.asarray(store.accounts["limitation_at"], dtype=np.int64) <= as_of
    stops.stop(barred, "time_barred")
    stops.stop(state.exposure == MISSING_MONEY, "exposure_unknown")
    stops.stop(state.exposure <= 0, "nothing_due")
    _consent(stops, store, as_of, rules, channels)
    _contact_points(stops, store, as_of, channels)
    return stops


def _holds(stops: Stops, store: EventStore, as_of: int) -> None:
    table = store.tables["holds"]
    kinds, until = codes(table, "kind"), times(table, "until_at")
    rows = np.flatnonzero(in_force(table, as_of, ahead=PLANNING))
    ends = np.full(store.n_accounts, -1, dtype=np.int64)
    owner = table.owner()
    np.maximum.at(ends, owner[rows], until[rows])
    last = last_row(owner, rows, store.n_accounts)
    for code in np.unique(kinds[rows]).tolist():
        kind = table.vocabularies["kind"][code] if code >= 0 else "other"
        name = kind if kind in NAMED_HOLDS else "other"
        stops.stop((last >= 0) & (kinds[last] == code), f"hold:{name}", ends)


def _facts(stops: Stops, store: EventStore, as_of: int) -> None:
    table = store.tables["facts"]
    for kind in table.vocabularies["kind"]:
        if kind.lower() in STOPPING_FACTS:
            stops.stop(_claimed(table, as_of, kind)[store.account_debtor], f"fact:{kind.lower()}")
    minor = as_datetime(as_of).year - np.asarray(store.debtors["birth_year"], dtype=np.float64) < ADULT
    stops.stop(minor[store.account_debtor], "fact:minor")


def _complaints(stops: Stops, store: EventStore, as_of: int, channels: tuple[str, ...]) -> None:
    table = store.tables["complaints"]
    seen, owner, kinds = visible(table, as_of), table.owner(), codes(table, "kind")
    for code, kind in enumerate(table.vocabularies["kind"]):
        name, _, channel = kind.lower().partition(":")
        if not name.startswith(_CEASE):
            continue
        debtors = np.zeros(len(store.debtor_ids), dtype=bool)
        debtors[owner[seen & (kinds == code)]] = True
        where = debtors[store.account_debtor]
        if channel in channels:
            stops.stop_channel(channels.index(channel), where, f"complaint:{kind.lower()}")
        else:
            stops.stop(where, f"complaint:{name}")


def _vulnerable(store: EventStore, as_of: int) -> NDArray[np.bool_]:
    """Whether a fact in force says the debtor is vulnerable; any value but a plain no says so."""
    table = store.tables["facts"]
    debtors = np.zeros(len(store.debtor_ids), dtype=bool)
    for kind in table.vocabularies["kind"]:
        if kind.lower().startswith(_VULNERABLE):
            debtors |= _claimed(table, as_of, kind)
    return debtors[store.account_debtor]


def _consent(
    stops: Stops, store: EventStore, as_of: int, rules: ContactRules, channels: tuple[str, ...]
) -> None:
    table = store.tables["facts"]
    place, pairs = places(store)
    for column, channel in enumerate(channels):
        spoken = tuple(
            kind
            for kind in table.vocabularies["kind"]
            if kind.lower() in (f"consent:{channel}", "consent:all", "consent:*", "consent")
        )
        latest = _latest(table, as_of, spoken)
        granted = _says(table, latest, _YES, when_other=False)[store.account_debtor]
        refused = (latest >= 0)[store.account_debtor] & ~granted
        stops.stop_channel(column, refused, f"consent:{channel}")
        asked = [rules.consent(name, part, channel, as_of // US_PER_DAY) for name, part in pairs]
        for code, rule in enumerate(asked):
            if rule is not None:
                stops.stop_channel(column, (place == code) & ~granted, f"consent:{rule.id}")


def _contact_points(stops: Stops, store: EventStore, as_of: int, channels: tuple[str, ...]) -> None:
    """Stop channels for which a debtor with known contact points has no valid one."""
    table = store.tables["contact_points"]
    owner, n = table.owner(), len(store.debtor_ids)
    seen = visible(table, as_of)
    valid = seen & (times(table, "wrong_from") > as_of) & ~_proved_wrong(store, as_of)
    known = np.zeros(n, dtype=bool)
    known[owner[seen]] = True
    ids = np.array([*table.ids["contact_point_id"].to_pylist(), None], dtype=object)
    for column, channel in enumerate(channels):
        of_channel = valid & np.isin(codes(table, "channel"), table.codes("channel", channel))
        last = last_row(owner, np.flatnonzero(of_channel), n)
        missing = known & (last < 0)
        stops.stop_channel(column, missing[store.account_debtor], f"no_contact_point:{channel}")
        stops.contact_point[:, column] = ids[last][store.account_debtor]


def _proved_wrong(store: EventStore, as_of: int) -> NDArray[np.bool_]:
    """Which contact points an attempt made since they became known has shown to be somebody else's."""
    contacts, points = store.tables["contacts"], store.tables["contact_points"]
    wrong = np.isin(codes(contacts, "outcome"), contacts.codes("outcome", "wrong_number", "third_party"))
    rows = np.flatnonzero(wrong & visible(contacts, as_of))
    named = contacts.ids["contact_point_id"].take(pa.array(rows))
    return np.asarray(pc.is_in(points.ids["contact_point_id"], value_set=named.drop_null()))


def _claimed(table: EventTable, as_of: int, kind: str) -> NDArray[np.bool_]:
    """Whether anything but a plain no is on record of a kind, now or within the planned day; per debtor."""
    now = _says(table, _latest(table, as_of, (kind,)), _NO, when_other=True)
    return now | _says(table, _latest(table, as_of, (kind,), ahead=PLANNING), _NO, when_other=True)


def _latest(table: EventTable, as_of: int, kinds: tuple[str, ...], *, ahead: int = 0) -> NDArray[np.int64]:
    """Last fact in force of some kinds, row per debtor, -1 = none."""
    rows = in_force(table, as_of, ahead=ahead) & np.isin(codes(table, "kind"), table.codes("kind", *kinds))
    return last_row(table.owner(), np.flatnonzero(rows), len(table.offsets) - 1)


def _says(
    table: EventTable, rows: NDArray[np.int64], words: frozenset[str], *, when_other: bool
) -> NDArray[np.bool_]:
    """Whether facts say one of `words` (`when_other` False) or anything else (True); no fact says neither."""
    vocabulary = table.vocabularies["value"]
    spoken = np.array([*(word.strip().lower() in words for word in vocabulary), False], dtype=bool)
    if table.n_rows == 0:
        return np.zeros(len(rows), dtype=bool)
    answer = spoken[codes(table, "value")[rows]]
    return (rows >= 0) & (answer ^ when_other)
