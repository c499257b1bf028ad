"""What stands against contacting an account: hard stops, one rule each, and who must reach a human.

Everything fails closed: what cannot be read stops contact, and so does what is already known to begin (a
hold, a refusal, a complaint) or to end (a consent, a placement) within the planned day. The kinds of holds
that a record may name are listed here; any other is written `hold:other`, so that nothing about health leaks
through a rule's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER, US_PER_DAY, as_datetime
from recobro_score.data.events import EventStore, EventTable
from recobro_score.data.names import plain
from recobro_score.data.state import AccountState
from recobro_score.data.words import CHANNEL_WORDS, canonical_channel
from recobro_score.money import MISSING_MONEY
from recobro_score.policy.complaints import CEASE, HARASSMENT, OPT_OUT, OTHER, asked_of
from recobro_score.policy.contact_rules import ContactRules
from recobro_score.policy.views import PLANNING, codes, in_force, last_row, places, times, visible

ADULT = 18
FIRST_BIRTH_YEAR = 1900
"""Earlier birth years, and years to come, are taken as unknown."""
OPEN_COMPLAINT = 30 * US_PER_DAY
"""A complaint counts as open for so long, since no table says when it was settled."""
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
_CONSENT = frozenset(["autorizacao", "autorizacion", "consent", "consentimento", "consentimiento"])
_EVERY_CHANNEL = frozenset(["", "*", "all", "any", "toda", "todas", "todo", "todos"])
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
    machine_until
        i64[n] µs UTC until which no bot may contact the debtor (`complaint:open`); 0 = none.
    vulnerable
        bool[n] only a person may contact the debtor: somebody vulnerable, or who complained of harassment.
    contact_point
        object[n, channels] id of the valid contact point last known, None = none known.
    rules
        Names of the rules.
    """

    account: NDArray[np.int16]
    until: NDArray[np.int64]
    channel: NDArray[np.int16]
    machine_until: NDArray[np.int64]
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
        Contact rules in use. Missing consent stops only where they ask for it (Colombia, not Chile);
        a refusal on record, or a consent that cannot be read, stops everywhere.
    channels
        Channels to look at.

    Returns
    -------
    Stops
        Rules: `blocked:<reason>`, `malformed_safety_row`, `hold:<kind>`, `fact:<kind>`, `complaint:<kind>`,
        `not_open`, `not_placed`, `time_barred`, `exposure_unknown`, `nothing_due`; per channel
        `consent:<rule or channel>`, `complaint:<kind>`, `no_contact_point:<channel>`.

    Notes
    -----
    Opt-outs (`complaint:opt_out`, `complaint:cease`) stop contact for good, through one channel where they
    name one that is known. Complaints of harassment leave the debtor to a person. Any other complaint of the
    last 30 days keeps machines (messages included) away, since what is complained of is not known: people may
    still call.
    """
    n = store.n_accounts
    stops = Stops(
        account=np.full(n, -1, dtype=np.int16),
        until=np.full(n, NEVER, dtype=np.int64),
        channel=np.full((n, len(channels)), -1, dtype=np.int16),
        machine_until=np.zeros(n, dtype=np.int64),
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
    stops.stop(~state.placed | _recalled(store, as_of), "not_placed")
    barred = np.asarray(store.accounts["limitation_at"], dtype=np.int64) <= as_of + PLANNING
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
        kind = plain(table.vocabularies["kind"][code]) if code >= 0 else "other"
        name = kind if kind in NAMED_HOLDS else "other"
        stops.stop((last >= 0) & (kinds[last] == code), f"hold:{name}", ends)


def _facts(stops: Stops, store: EventStore, as_of: int) -> None:
    table = store.tables["facts"]
    for kind in table.vocabularies["kind"]:
        if plain(kind) in STOPPING_FACTS:
            stops.stop(_claimed(table, as_of, (kind,))[store.account_debtor], f"fact:{plain(kind)}")
    stops.stop(_minor(store, as_of)[store.account_debtor], "fact:minor")


def _minor(store: EventStore, as_of: int) -> NDArray[np.bool_]:
    """Whether a debtor may be a minor: only the year is known, so the birthday counts as still to come."""
    born, year = np.asarray(store.debtors["birth_year"], dtype=np.float64), as_datetime(as_of).year
    return (born >= FIRST_BIRTH_YEAR) & (born <= year) & (year - born <= ADULT)


def _recalled(store: EventStore, as_of: int) -> NDArray[np.bool_]:
    """Whether every placement of an account ends within the planned day."""
    table, owner = store.tables["placements"], store.tables["placements"].owner()
    rows = np.flatnonzero(visible(table, as_of))
    until = np.full(store.n_accounts, -1, dtype=np.int64)
    np.maximum.at(until, owner[rows], times(table, "recalled_at")[rows])
    return (until >= 0) & (until <= as_of + PLANNING)


def _complaints(stops: Stops, store: EventStore, as_of: int, channels: tuple[str, ...]) -> None:
    table = store.tables["complaints"]
    owner, kinds = table.owner(), codes(table, "kind")
    seen = (table.known_at < as_of) & (table.at <= as_of + PLANNING)
    for code, kind in enumerate(table.vocabularies["kind"]):
        rows = seen & (kinds == code)
        debtors = np.zeros(len(store.debtor_ids), dtype=bool)
        debtors[owner[rows]] = True
        where = debtors[store.account_debtor]
        request, channel = asked_of(kind)
        if request == HARASSMENT:
            stops.vulnerable |= where
        elif channel in channels:
            stops.stop_channel(channels.index(channel), where, f"complaint:{request}:{channel}")
        elif request in (CEASE, OPT_OUT) and channel not in CHANNEL_WORDS.values():
            stops.stop(where, f"complaint:{request}")
        elif request == OTHER:
            until = np.zeros(len(store.debtor_ids), dtype=np.int64)
            np.maximum.at(until, owner[rows], table.at[rows] + OPEN_COMPLAINT)
            until[until <= as_of] = 0
            stops.machine_until = np.maximum(stops.machine_until, until[store.account_debtor])


def _vulnerable(store: EventStore, as_of: int) -> NDArray[np.bool_]:
    """Whether a fact in force says the debtor is vulnerable; any value but a plain no says so."""
    table = store.tables["facts"]
    debtors = np.zeros(len(store.debtor_ids), dtype=bool)
    for kind in table.vocabularies["kind"]:
        if plain(kind).startswith(_VULNERABLE):
            debtors |= _claimed(table, as_of, (kind,))
    return debtors[store.account_debtor]


def _consent(
    stops: Stops, store: EventStore, as_of: int, rules: ContactRules, channels: tuple[str, ...]
) -> None:
    """Stop channels that the debtor refused, or did not agree to where the rules ask for it.

    Consent must hold now and throughout the planned day. A refusal of a channel that is not known counts for
    every channel.
    """
    table = store.tables["facts"]
    place, pairs = places(store)
    spoken = {kind: _consent_channel(kind) for kind in table.vocabularies["kind"]}
    strange = tuple(k for k, name in spoken.items() if name not in (None, "*", *CHANNEL_WORDS.values()))
    unclear = _claimed(table, as_of, strange, unless=_YES)[store.account_debtor]
    for column, channel in enumerate(channels):
        kinds = tuple(kind for kind, name in spoken.items() if name in (channel, "*"))
        lasting = _says(table, _latest(table, as_of, kinds, ahead=PLANNING, lasting=True), _YES)
        granted = (lasting & _says(table, _latest(table, as_of, kinds), _YES))[store.account_debtor]
        refused = _claimed(table, as_of, kinds, unless=_YES)[store.account_debtor]
        stops.stop_channel(column, refused | unclear, f"consent:{channel}")
        asked = [rules.consent(name, part, channel, as_of // US_PER_DAY) for name, part in pairs]
        for code, rule in enumerate(asked):
            if rule is not None:
                stops.stop_channel(column, (place == code) & ~granted, f"consent:{rule.id}")


def _consent_channel(kind: str) -> str | None:
    """Return the channel a kind of fact gives or refuses consent to; "*" = all, None = it is no consent."""
    head, _, tail = plain(kind).partition(":")
    if head not in _CONSENT:
        return None
    return "*" if tail.strip("_") in _EVERY_CHANNEL else canonical_channel(tail.strip("_"))


def usable_points(store: EventStore, as_of: int) -> NDArray[np.bool_]:
    """Return which contact points are known and, as far as is known, lead to whom they should.

    One value per row of ``contact_points``: false from ``wrong_from`` on, and where an attempt, for whichever
    account, met a wrong number or a third party.
    """
    table = store.tables["contact_points"]
    wrong = (times(table, "wrong_from") <= as_of) | (times(table, "disproved_at") < as_of)
    return visible(table, as_of) & ~wrong


def _contact_points(stops: Stops, store: EventStore, as_of: int, channels: tuple[str, ...]) -> None:
    """Stop channels for which a debtor with known contact points has no valid one."""
    table = store.tables["contact_points"]
    owner, n = table.owner(), len(store.debtor_ids)
    seen = visible(table, as_of)
    valid = usable_points(store, as_of)
    known = np.zeros(n, dtype=bool)
    known[owner[seen]] = True
    ids = np.array([*table.ids["contact_point_id"].to_pylist(), None], dtype=object)
    for column, channel in enumerate(channels):
        of_channel = valid & np.isin(codes(table, "channel"), table.codes("channel", channel))
        last = last_row(owner, np.flatnonzero(of_channel), n)
        missing = known & (last < 0)
        stops.stop_channel(column, missing[store.account_debtor], f"no_contact_point:{channel}")
        stops.contact_point[:, column] = ids[last][store.account_debtor]


def _claimed(
    table: EventTable, as_of: int, kinds: tuple[str, ...], *, unless: frozenset[str] = _NO
) -> NDArray[np.bool_]:
    """Whether anything but `unless` is on record of some kinds, now or within the planned day; per debtor."""
    now, soon = _latest(table, as_of, kinds), _latest(table, as_of, kinds, ahead=PLANNING)
    return ((now >= 0) & ~_says(table, now, unless)) | ((soon >= 0) & ~_says(table, soon, unless))


def _latest(
    table: EventTable, as_of: int, kinds: tuple[str, ...], *, ahead: int = 0, lasting: bool = False
) -> NDArray[np.int64]:
    """Last fact in force of some kinds, row per debtor, -1 = none; `lasting` = that still holds then."""
    rows = in_force(table, as_of, ahead=ahead) & np.isin(codes(table, "kind"), table.codes("kind", *kinds))
    if lasting:
        rows &= times(table, "until_at") > as_of + ahead
    return last_row(table.owner(), np.flatnonzero(rows), len(table.offsets) - 1)


def _says(table: EventTable, rows: NDArray[np.int64], words: frozenset[str]) -> NDArray[np.bool_]:
    """Whether facts say one of `words`; where there is no fact (-1), nothing is said."""
    vocabulary = table.vocabularies["value"]
    spoken = np.array([*(word.strip().lower() in words for word in vocabulary), False], dtype=bool)
    if table.n_rows == 0:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray((rows >= 0) & spoken[codes(table, "value")[rows]])
