"""Why this action, in one plain sentence: effect, cost, price, what stood against another, runner-up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.money import minor_digits
from recobro_score.policy.actions import HUMAN_REVIEW
from recobro_score.policy.candidates import Candidates
from recobro_score.policy.records import Choices, effect_sources
from recobro_score.texts import Texts, load_deny

_IDLE = frozenset(["nothing_due", "no_gain", "not_open", "not_placed", "one_contact", "capacity"])
"""Families that do not forbid contact: nothing is done, though it might be."""
_REVIEW_WAITS = (f"capacity:{HUMAN_REVIEW}", "human_only")
_PLAIN_ID = re.compile(r"[\w.*:\-]+")


def action_sentences(found: Candidates, choices: Choices, *, texts: Texts) -> NDArray[np.object_]:
    """Say for every account why its action was chosen, object[n].

    A contact says what it adds and on which basis (where the effect is a prior: the catalogue's assumptions),
    its cost, how it moves the probability of payment, the price of its scarce capacity, the rule that stood
    against a better one, and the runner-up. Doing nothing says what stood against contact, and until when.
    """
    speech = _Speech(texts, found.reporting, found.catalogue.ids, found.cost)
    contacts = [action.is_contact for action in found.catalogue.actions]
    said = [
        speech.contact(row) if contacts[row.action] else speech.no_contact(row)
        for row in _rows(found, choices)
    ]
    return np.array([*said, None], dtype=object)[:-1]


def rule_words(rule: str, *, basis: str, texts: Texts) -> str:
    """Say in words what a rule that stands against something means.

    A sentence for the rule itself, else for its family (what comes before the colon).

    Parameters
    ----------
    rule
        Id of the rule, e.g. ``hours:CO-sunday``.
    basis
        ``prior`` or ``log``: where the effects come from.
    texts
        The language.
    """
    family, _, tail = rule.partition(":")
    keys = (f"rule.{family}.{tail}", f"rule.{family}.any", "rule.other.any")
    key = next(key for key in keys if key in texts)
    if family == "capacity":
        tail = _worded(f"action.pool.{tail}", tail, texts)
    else:
        tail = _worded(f"channel.{tail}", tail, texts)
    return texts.render(key, what=tail, basis=texts.render(f"action.basis.{basis}"))


@dataclass(frozen=True, slots=True)
class _Row:
    """One account's choice as plain Python values."""

    action: int
    basis: str
    worth: float
    before: float
    after: float
    price: float
    rule: str
    until: int
    zone: str
    alternative: int
    alternative_worth: float


def _rows(found: Candidates, choices: Choices) -> list[_Row]:
    row = np.arange(len(found))
    columns = (
        choices.action.tolist(),
        effect_sources(found, choices.action).tolist(),
        found.table.values[row, choices.action].tolist(),
        found.p_pay.tolist(),
        found.p_with[row, choices.action].tolist(),
        choices.price.tolist(),
        ["" if rule is None else str(rule) for rule in choices.rule],
        choices.next_allowed_at.tolist(),
        found.zone.tolist(),
        choices.runner_up.tolist(),
        choices.runner_up_value.tolist(),
    )
    return [_Row(*values) for values in zip(*columns, strict=True)]


@dataclass(slots=True)
class _Speech:
    """Sentences of one language; what is said of a rule or of an account left alone is worked out once."""

    texts: Texts
    currency: str
    actions: tuple[str, ...]
    cost: tuple[float, ...]
    why: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    idle: dict[tuple[object, ...], str] = field(default_factory=dict)

    def contact(self, row: _Row) -> str:
        """Say why somebody is contacted."""
        texts = self.texts
        said = texts.render(
            "action.contact.what",
            action=self._name(row.action),
            basis=texts.render(f"action.basis.{row.basis}"),
            value=self._money(row.worth),
            cost=self._money(self.cost[row.action]),
        )
        before, after = texts.percent(row.before, 1), texts.percent(row.after, 1)
        said += texts.render("action.contact.effect", before=before, after=after)
        if row.price > 0.0:
            said += texts.render("action.contact.price", price=self._money(row.price))
        if row.rule:
            said += texts.render("action.contact.rule", **self._rule(row))
        return said + self._runner_up(row) + "."

    def no_contact(self, row: _Row) -> str:
        """Say why nobody is contacted."""
        day = None if row.until == NEVER else self.texts.date(row.until, row.zone)
        lost = row.alternative_worth if _family(row.rule) == "capacity" else 0.0
        key = (row.action, row.rule, row.basis, day, row.alternative if lost > 0.0 else -1, lost)
        if key not in self.idle:
            self.idle[key] = self._no_contact(row, day, lost)
        return self.idle[key]

    def _no_contact(self, row: _Row, day: str | None, lost: float) -> str:
        if self.actions[row.action] == HUMAN_REVIEW:
            return self.texts.render("action.human_review")
        if row.rule in _REVIEW_WAITS:
            return self.texts.render("action.none.human_review")
        if _family(row.rule) in _IDLE:
            said = self.texts.render("action.none.idle", **self._rule(row))
            return said + (self._runner_up(row) if lost > 0.0 else "") + "."
        said = self.texts.render("action.none.barred", **self._rule(row))
        return said + ("" if day is None else self.texts.render("action.none.until", date=day)) + "."

    def _rule(self, row: _Row) -> dict[str, str]:
        key = (row.rule, row.basis)
        if key not in self.why:
            why = rule_words(row.rule, basis=row.basis, texts=self.texts)
            self.why[key] = {"why": why, "rule": _shown(row.rule)}
        return self.why[key]

    def _runner_up(self, row: _Row) -> str:
        if row.alternative < 0:
            return ""
        worth = self._money(row.alternative_worth)
        return self.texts.render("action.contact.runner_up", action=self._name(row.alternative), value=worth)

    def _name(self, action: int) -> str:
        """Return the name of an action in words; one of the user's own keeps its id."""
        return _worded(f"action.name.{self.actions[action]}", self.actions[action], self.texts)

    def _money(self, amount: float) -> str:
        return self.texts.money(round(amount * 10 ** minor_digits(self.currency)), self.currency)


def _family(rule: str) -> str:
    return rule.partition(":")[0]


def _shown(rule: str) -> str:
    """Return the id of a rule; only its family where the rest is free text or is never told."""
    return rule if _PLAIN_ID.fullmatch(rule) and load_deny().may_tell(rule) else _family(rule)


def _worded(key: str, otherwise: str, texts: Texts) -> str:
    return texts.render(key) if key in texts else otherwise
