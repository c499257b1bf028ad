"""Why this action, in one plain sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.money import minor_digits
from recobro_score.policy.actions import HUMAN_REVIEW
from recobro_score.policy.candidates import Candidates
from recobro_score.policy.records import Choices, effect_sources
from recobro_score.texts import Texts

_SPOKEN = ("nothing_due", "no_gain", "not_open", "not_placed")


def action_sentences(found: Candidates, choices: Choices, *, texts: Texts) -> NDArray[np.object_]:
    """Say for every account why its action was chosen, object[n].

    Where the effect is a prior, the sentence says that it rests on the catalogue's assumptions.
    """
    said: dict[tuple[object, ...], str] = {}
    out = np.empty(len(found), dtype=object)
    sources = effect_sources(found, choices.action)
    contacts = np.array([a.is_contact for a in found.catalogue.actions])
    for row in range(len(found)):
        if contacts[choices.action[row]]:
            out[row] = _contact(found, choices, row, source=sources[row], texts=texts)
            continue
        day = (
            texts.date(int(choices.next_allowed_at[row]), str(found.zone[row]))
            if _dated(choices, row)
            else None
        )
        key = (choices.action[row], choices.rule[row], day, sources[row])
        if key not in said:
            said[key] = _no_contact(found, choices, row, day=day, source=sources[row], texts=texts)
        out[row] = said[key]
    return out


def _dated(choices: Choices, row: int) -> bool:
    return bool(choices.next_allowed_at[row] != NEVER)


def _contact(found: Candidates, choices: Choices, row: int, *, source: str, texts: Texts) -> str:
    action = int(choices.action[row])
    sentence = texts.render(
        f"action.contact.{source}",
        action=_name(found.catalogue.ids[action], texts),
        value=_money(float(found.table.values[row, action]), found.reporting, texts),
        cost=_money(found.cost[action], found.reporting, texts),
    )
    if choices.price[row] > 0:
        price = _money(float(choices.price[row]), found.reporting, texts)
        sentence += texts.render("action.and.price", price=price)
    if choices.runner_up[row] >= 0:
        sentence += texts.render(
            "action.and.runner_up",
            action=_name(found.catalogue.ids[int(choices.runner_up[row])], texts),
            value=_money(float(choices.runner_up_value[row]), found.reporting, texts),
        )
    return sentence + "."


def _no_contact(
    found: Candidates, choices: Choices, row: int, *, day: str | None, source: str, texts: Texts
) -> str:
    rule = str(choices.rule[row])
    if found.catalogue.ids[int(choices.action[row])] == HUMAN_REVIEW:
        return texts.render("action.human_review")
    if rule in (f"capacity:{HUMAN_REVIEW}", "human_only"):
        return texts.render("action.none.human_review")
    if rule.startswith("capacity:"):
        return texts.render(f"action.none.capacity.{source}", pool=_name(rule.partition(":")[2], texts))
    if rule in _SPOKEN:
        key = f"action.none.{rule}.{source}" if rule == "no_gain" else f"action.none.{rule}"
        return texts.render(key)
    if rule == "one_contact:debtor":
        return texts.render("action.none.one_contact")
    if day is not None:
        return texts.render("action.none.until", rule=rule, date=day)
    return texts.render("action.none.rule", rule=rule)


def _name(action_id: str, texts: Texts) -> str:
    """Name of an action or pool in words; one of the user's own keeps its id."""
    key = f"action.name.{action_id}"
    return texts.render(key) if key in texts else action_id


def _money(amount: float, currency: str, texts: Texts) -> str:
    return texts.money(round(amount * 10 ** minor_digits(currency)), currency)
