"""The decision: one record per account, capacities kept, every choice with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recobro_score.calendars import NEVER
from recobro_score.digest import canonical_json, sha256_text
from recobro_score.policy.actions import HUMAN_REVIEW, Catalogue
from recobro_score.policy.allocation import Allocation, allocate
from recobro_score.policy.candidates import Candidates, candidates
from recobro_score.policy.contact_rules import ContactRules
from recobro_score.policy.inputs import DecisionInputs
from recobro_score.policy.records import Choices, Versions, record_table
from recobro_score.policy.sentences import action_sentences
from recobro_score.policy.terms import OfferPolicy
from recobro_score.policy.worth import HUMAN_ONLY
from recobro_score.texts import load_texts

__all__ = [
    "Candidates",
    "DecisionInputs",
    "Decisions",
    "Versions",
    "candidates",
    "decide",
    "policy_version",
]

ONE_CONTACT = "one_contact:debtor"
NO_GAIN = "no_gain"


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decision list and the plan behind it.

    Attributes
    ----------
    table
        One record per account, by account id; columns in `recobro_score.policy.records.COLUMNS`.
    allocation
        Value, proven bound, prices and usage; its `choice` follows the rows of `table`.
    """

    table: pa.Table
    allocation: Allocation

    def frame(self) -> pd.DataFrame:
        """Return the records as a pandas frame; columns in `recobro_score.policy.records.COLUMNS`."""
        return self.table.to_pandas()

    def counts(self) -> pd.DataFrame:
        """How often each action was chosen, and each rule stood against one.

        Returns
        -------
        pandas.DataFrame
            `action_id`, `rule` (None = nothing stood against), `accounts`, the most frequent first.
        """
        grouped = self.table.group_by(["action_id", "rule"]).aggregate([("account_id", "count")])
        frame = grouped.to_pandas().rename(columns={"account_id_count": "accounts"})
        order = ["accounts", "action_id", "rule"]
        return frame.sort_values(order, ascending=[False, True, True], ignore_index=True)[
            order[1:] + order[:1]
        ]

    def summary(self) -> str:
        """Return counts per action and the plan's value, as text."""
        counts = self.counts().groupby("action_id", sort=True)["accounts"].sum()
        lines = [f"{name:<14}{count:>12,}" for name, count in counts.items()]
        return "\n".join([*lines, self.allocation.summary()])

    def _repr_html_(self) -> str:
        return f"<pre>{self.summary()}</pre>"


def policy_version(
    catalogue: Catalogue, rules: ContactRules, offers: OfferPolicy, capacities: Mapping[str, int]
) -> str:
    """First 12 hex digits of the SHA-256 of everything that makes the policy."""
    content = {
        "catalogue": catalogue.version,
        "rules": rules.version,
        "offers": offers.model_dump(mode="json"),
        "capacities": dict(capacities),
    }
    return sha256_text(canonical_json(content))[:12]


def decide(
    found: Candidates, *, capacities: Mapping[str, int], language: str, versions: Versions
) -> Decisions:
    """Choose one action per account, at most one contact per debtor, within the capacities.

    Handing vulnerable people over to a person is a duty: it comes before the allocation, those who waited
    longest first, and never for money; where its capacity does not suffice, nobody else contacts them.

    Parameters
    ----------
    found
        Candidates of all accounts of the night (`Candidates.concat` of the buckets).
    capacities
        Units per pool; pools not named are unlimited.
    language
        Language of the sentences, "es" or "en".
    versions
        What the records are made with.

    Raises
    ------
    ConfigError
        For capacities below zero or of unknown pools, and languages without texts.
    """
    found = found.take(np.asarray(pc.sort_indices(found.account_ids), dtype=np.int64))
    debtor = np.asarray(found.debtor_ids.dictionary_encode().indices, dtype=np.int64)
    table = found.table
    plan = allocate(_valued(found), debtor, table.pool, table.pools, capacities)
    action, plan = _reviewed(found, debtor, plan)
    choices = _choices(found, debtor, action, plan)
    sentences = action_sentences(found, choices, texts=load_texts(language))
    return Decisions(record_table(found, choices, sentences=sentences, versions=versions), plan)


def _valued(found: Candidates) -> NDArray[np.float64]:
    """Values of the actions that are chosen for their worth."""
    values = found.table.values.copy()
    values[:, [a for a, action in enumerate(found.catalogue.actions) if action.id == HUMAN_REVIEW]] = -np.inf
    return values


def _reviewed(
    found: Candidates, debtor: NDArray[np.int64], plan: Allocation
) -> tuple[NDArray[np.int64], Allocation]:
    """Hand vulnerable debtors over to a person: one account each, within the capacity of that pool."""
    if HUMAN_REVIEW not in found.catalogue.ids:
        return plan.choice, plan
    review = found.catalogue.ids.index(HUMAN_REVIEW)
    rows = np.flatnonzero(found.table.eligible[:, review])
    late = np.nan_to_num(found.dpd[rows], nan=-1.0)
    rows = rows[np.lexsort((rows, -late, found.last_review[rows]))]
    _, first = np.unique(debtor[rows], return_index=True)
    rows = rows[np.sort(first)]
    pool, usage = found.table.pool[review], plan.usage.copy()
    if pool >= 0:
        if plan.capacities[pool] >= 0:
            rows = rows[: max(int(plan.capacities[pool] - usage[pool]), 0)]
        usage[pool] += len(rows)
    action = plan.choice.copy()
    action[rows] = review
    return action, replace(plan, choice=action, usage=usage)


def _choices(
    found: Candidates, debtor: NDArray[np.int64], action: NDArray[np.int64], plan: Allocation
) -> Choices:
    """Work out what stood against, and what came second, for every account."""
    n, table = len(found), found.table
    row = np.arange(n)
    charge = (
        np.where(table.pool >= 0, plan.prices[table.pool], 0.0)
        if len(plan.prices)
        else np.zeros(len(table.pool))
    )
    priced = np.where(table.eligible, table.values - charge, -np.inf)
    priced[row, action] = -np.inf
    runner_up = np.argmax(priced, axis=1)
    none = priced[row, runner_up] == -np.inf
    runner_up_value = np.where(none, np.nan, table.values[row, runner_up])
    rule, until = _rules(found, debtor, action)
    return Choices(
        action=action,
        runner_up=np.where(none, -1, runner_up),
        runner_up_value=runner_up_value,
        rule=rule,
        next_allowed_at=until,
        price=charge[action],
    )


def _rules(
    found: Candidates, debtor: NDArray[np.int64], action: NDArray[np.int64]
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Name what stood against (another) action for every account, and when that gives way."""
    table, n = found.table, len(found)
    row = np.arange(n)
    rule, until = np.full(n, None, dtype=object), np.full(n, NEVER, dtype=np.int64)
    values = _valued(found)
    top = np.argmax(values[:, 1:], axis=1) + 1 if values.shape[1] > 1 else np.zeros(n, dtype=np.int64)
    best = values[row, top]
    idle = action == 0
    pool_names = np.array([*(f"capacity:{name}" for name in table.pools), None], dtype=object)
    served = np.zeros(int(debtor.max()) + 1 if n else 0, dtype=bool)
    served[debtor[~idle]] = True
    outbid = (best > 0) & (best > values[row, action])
    rule[outbid] = pool_names[table.pool[top[outbid]]]
    barred = best == -np.inf
    earliest = np.where(table.rule >= 0, table.next_allowed_at, NEVER)
    contact = [a for a, act in enumerate(found.catalogue.actions) if act.is_contact]
    if contact:
        first = np.array(contact)[np.argmin(earliest[:, contact], axis=1)]
        names = np.array([*table.rules, None], dtype=object)
        rule[barred], until[barred] = names[table.rule[row, first][barred]], earliest[row, first][barred]
    rule[idle & ~barred & (best <= 0)] = NO_GAIN
    waiting = idle & found.vulnerable & table.eligible[:, _review(found)]
    rule[waiting] = f"capacity:{HUMAN_REVIEW}"
    rule[idle & served[debtor] & (waiting | (best > 0))] = ONE_CONTACT
    rule[~idle & found.vulnerable] = HUMAN_ONLY
    return rule, until


def _review(found: Candidates) -> int:
    """Column of the hand-over to a person; no action where the catalogue has none."""
    return found.catalogue.ids.index(HUMAN_REVIEW) if HUMAN_REVIEW in found.catalogue.ids else 0
