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
from recobro_score.policy.allocation import Allocation, allocate, pool_limits
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
    "check_capacities",
    "decide",
    "policy_version",
]

ONE_CONTACT = "one_contact:debtor"
NO_GAIN = "no_gain"
ROWS_TOGETHER = 16_384
"""Accounts whose records are put together at a time: what memory holds of them beside the records."""


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


def check_capacities(catalogue: Catalogue, capacities: Mapping[str, int]) -> None:
    """Check capacities against the catalogue before anything is scored.

    Raises
    ------
    ConfigError
        For capacities below zero or of pools that no action uses, with the closest name; all in one message.
    """
    pool_limits(catalogue.pools, capacities)


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
    texts, table = load_texts(language), found.table
    order = np.asarray(pc.sort_indices(found.account_ids), dtype=np.int64)
    debtor = np.asarray(found.debtor_ids.take(pa.array(order)).dictionary_encode().indices, dtype=np.int64)
    plan = allocate(_valued(found, order), debtor, table.pool, table.pools, capacities)
    plan = _reviewed(found, order, debtor, plan)
    served = np.zeros(len(found), dtype=bool)
    served[debtor[plan.choice > 0]] = True
    records = []
    for low in range(0, max(len(found), 1), ROWS_TOGETHER):
        rows = slice(low, low + ROWS_TOGETHER)
        some = found.take(order[rows])
        choices = _choices(some, plan.choice[rows], prices=plan.prices, served=served[debtor[rows]])
        sentences = action_sentences(some, choices, texts=texts)
        records.append(record_table(some, choices, sentences=sentences, versions=versions))
    return Decisions(pa.concat_tables(records), plan)


def _valued(found: Candidates, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values, for some rows, of the actions that are chosen for their worth."""
    values = found.table.values[rows]
    values[:, [a for a, action in enumerate(found.catalogue.actions) if action.id == HUMAN_REVIEW]] = -np.inf
    return values


def _reviewed(
    found: Candidates, order: NDArray[np.int64], debtor: NDArray[np.int64], plan: Allocation
) -> Allocation:
    """Hand vulnerable debtors over to a person: one account each, within the capacity of that pool."""
    if HUMAN_REVIEW not in found.catalogue.ids:
        return plan
    review = found.catalogue.ids.index(HUMAN_REVIEW)
    rows = np.flatnonzero(found.table.eligible[order, review])
    late, last = np.nan_to_num(found.dpd[order[rows]], nan=-1.0), found.last_review[order[rows]]
    rows = rows[np.lexsort((rows, -late, last))]
    _, first = np.unique(debtor[rows], return_index=True)
    rows = rows[np.sort(first)]
    pool, usage = found.table.pool[review], plan.usage.copy()
    if pool >= 0:
        if plan.capacities[pool] >= 0:
            rows = rows[: max(int(plan.capacities[pool] - usage[pool]), 0)]
        usage[pool] += len(rows)
    action = plan.choice.copy()
    action[rows] = review
    return replace(plan, choice=action, usage=usage)


def _choices(
    found: Candidates,
    action: NDArray[np.int64],
    *,
    prices: NDArray[np.float64],
    served: NDArray[np.bool_],
) -> Choices:
    """Work out what stood against, and what came second, for accounts whose debtors are served or not."""
    table, row = found.table, np.arange(len(found))
    charge = np.append(prices, 0.0)[table.pool]
    priced = np.where(table.eligible, table.values - charge, -np.inf)
    priced[row, action] = -np.inf
    second = np.argmax(priced, axis=1)
    none = priced[row, second] == -np.inf
    rule, until = _rules(found, action, served)
    return Choices(
        action=action,
        runner_up=np.where(none, -1, second),
        runner_up_value=np.where(none, np.nan, table.values[row, second]),
        rule=rule,
        next_allowed_at=until,
        price=charge[action],
    )


def _rules(
    found: Candidates, action: NDArray[np.int64], served: NDArray[np.bool_]
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Name what stood against (another) action for every account, and when that gives way."""
    table, row = found.table, np.arange(len(found))
    values, idle = _valued(found, row), action == 0
    top = np.argmax(values, axis=1)
    wanted = values[row, top] > 0.0
    rule, until, barred = _bars(found)
    rule[idle & ~barred & ~wanted] = NO_GAIN
    outbid = wanted & (values[row, top] > values[row, action])
    pools = np.array([*(f"capacity:{name}" for name in table.pools), None], dtype=object)
    rule[outbid] = pools[table.pool[top[outbid]]]
    if HUMAN_REVIEW in found.catalogue.ids:
        due = table.eligible[:, found.catalogue.ids.index(HUMAN_REVIEW)]
        rule[due] = np.where(idle[due], f"capacity:{HUMAN_REVIEW}", HUMAN_ONLY)
        wanted |= due
    rule[idle & wanted & served] = ONE_CONTACT
    return rule, until


def _bars(found: Candidates) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.bool_]]:
    """Name the rule that gives way first for accounts that may not be contacted at all.

    Returns
    -------
    rule : object array, shape (n,)
        None where some contact is permitted.
    until : int64 array, shape (n,)
        µs UTC at which it gives way, `NEVER` = not by itself.
    barred : bool array, shape (n,)
        Where no contact is permitted.
    """
    table, row = found.table, np.arange(len(found))
    rule, until = np.full(len(found), None, dtype=object), np.full(len(found), NEVER, dtype=np.int64)
    contacts = [a for a, action in enumerate(found.catalogue.actions) if action.is_contact]
    if not contacts:
        return rule, until, np.zeros(len(found), dtype=bool)
    barred = np.asarray(~table.eligible[:, contacts].any(axis=1))
    first = np.array(contacts)[np.argmin(table.next_allowed_at[:, contacts], axis=1)]
    names = np.array([*table.rules, None], dtype=object)
    rule[barred] = names[table.rule[row, first]][barred]
    until[barred] = table.next_allowed_at[row, first][barred]
    return rule, until, barred
