"""Debtors whose rows a rule compares with each other, although nothing in the accounts joins them.

The same account under two debtors, a hold that names somebody else's account, a row id used twice, or an
instalment of another debtor's plan: all are mistakes in the data, or nearly so, and rare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds

from recobro_score.data.contracts import CONTRACTS

if TYPE_CHECKING:
    import duckdb

Sources = Mapping[str, tuple[ds.Dataset, Mapping[str, str]]]
"""Per table: its data, and what the columns of the contract are called there."""

_SPACES = " \\t\\n\\r"


def linked_debtors(accounts: pa.Table, sources: Sources, *, repeated: bool) -> dict[str, str]:
    """Return, for each debtor that is linked to another, the one that stands for all of them.

    Parameters
    ----------
    accounts : pyarrow.Table
        Columns ``account`` and ``debtor``: the rows of the accounts.
    sources : mapping
        The tables.
    repeated : bool
        Whether an account has several rows.

    Returns
    -------
    dict of str to str
        Keys are debtor ids, and ``account:<id>`` for an account that nobody is known to owe.
    """
    if not repeated and "holds" not in sources and next(_shared_ids(sources), None) is None:
        return {}
    import duckdb

    leader: dict[str, str] = {}

    def find(key: str) -> str:
        while leader.get(key, key) != key:
            key = leader[key]
        return key

    with duckdb.connect() as connection:
        connection.register("accounts_given", accounts)
        connection.execute(
            "CREATE TEMP TABLE owners AS SELECT account, min(debtor) AS debtor, max(debtor) AS other "
            "FROM accounts_given WHERE account IS NOT NULL GROUP BY account"
        )
        for one, other in _pairs(connection, sources):
            first, second = sorted((find(one), find(other)))
            leader[second] = leader[first] = first
    return {key: find(key) for key in leader}


def _pairs(connection: duckdb.DuckDBPyConnection, sources: Sources) -> Iterator[tuple[str, str]]:
    yield from connection.execute("SELECT debtor, other FROM owners WHERE debtor <> other").fetchall()
    given = connection.execute(
        "SELECT account, debtor FROM accounts_given WHERE account IN "
        "(SELECT account FROM owners WHERE debtor <> other)"
    ).fetchall()
    named = {account: debtor for account, debtor in given if debtor is not None}
    yield from ((named[account], debtor) for account, debtor in given if debtor is not None)
    if "holds" in sources:
        yield from _of_holds(connection, sources)
    for columns in _shared_ids(sources):
        yield from _of_ids(connection, sources, columns)


def _of_holds(connection: duckdb.DuckDBPyConnection, sources: Sources) -> list[tuple[str, str]]:
    data, names = sources["holds"]
    if not {"account_id", "debtor_id"} <= set(names):
        return []
    connection.register("holds_given", data)
    return connection.execute(  # column names are quoted, values never enter the text
        "SELECT DISTINCT coalesce(debtor, 'account:' || a), d FROM "  # noqa: S608
        f"(SELECT {_text(names['account_id'], data)} AS a, {_text(names['debtor_id'], data)} AS d "
        "FROM holds_given) LEFT JOIN owners ON a = account "
        "WHERE a IS NOT NULL AND d IS NOT NULL AND coalesce(debtor, '') <> d"
    ).fetchall()


def _shared_ids(sources: Sources) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield the (table, column) pairs whose ids are compared with each other."""
    for table, (_, names) in sources.items():
        unique = CONTRACTS[table].unique
        if unique in names and table not in ("accounts", "debtors", "plans"):
            yield ((table, str(unique)),)
    plans = tuple((table, "plan_id") for table in ("plans", "instalments"))
    present = tuple(pair for pair in plans if pair[0] in sources and "plan_id" in sources[pair[0]][1])
    if present and present[0][0] == "plans":
        yield present


def _of_ids(
    connection: duckdb.DuckDBPyConnection, sources: Sources, columns: tuple[tuple[str, str], ...]
) -> Iterator[tuple[str, str]]:
    parts = []
    for table, column in columns:
        data, names = sources[table]
        owner = "debtor_id" if CONTRACTS[table].owner == "debtor" else "account_id"
        if owner not in names:
            return
        connection.register(f"{table}_ids", data)
        kind = "debtor" if owner == "debtor_id" else "account"
        parts.append(
            f"SELECT {_text(names[column], data)} AS id, {_text(names[owner], data)} AS owner, "  # noqa: S608
            f"'{kind}' AS kind FROM {table}_ids"
        )
    rows = " UNION ALL ".join(parts)
    found = connection.execute(
        f"WITH given AS ({rows}), several AS (SELECT hash(id) AS h FROM given WHERE id IS NOT NULL "  # noqa: S608
        "GROUP BY h HAVING min(hash(owner)) <> max(hash(owner))) "
        "SELECT DISTINCT id, CASE WHEN kind = 'debtor' THEN owner "
        "ELSE coalesce(debtor, 'account:' || owner, '') END "
        "FROM (SELECT * FROM given WHERE id IS NOT NULL AND hash(id) IN (SELECT h FROM several)) "
        "LEFT JOIN owners ON kind = 'account' AND owner = account"
    ).fetchall()
    first: dict[str, str] = {}
    for one, key in found:
        if key is not None and first.setdefault(one, key) != key:
            yield first[one], key


def _text(name: str, data: ds.Dataset) -> str:
    """Return SQL that reads an id as `recobro_score.data.parse` does."""
    quoted = '"' + name.replace('"', '""') + '"'
    if pa.types.is_floating(data.schema.field(name).type):
        quoted = f"TRY_CAST({quoted} AS BIGINT)"
    return f"nullif(trim(CAST({quoted} AS VARCHAR), e'{_SPACES}'), '')"
