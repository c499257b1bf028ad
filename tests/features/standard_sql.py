"""The standard and extended features by DuckDB, from the raw tables and the definitions alone.

Instants are microseconds UTC, money whole minor units. Nothing of the library is called. Each part gives
tables to create, one query of aggregates per (account, as-of), and expressions over all of those together.
"""

from __future__ import annotations

import duckdb

from tests.features import (
    standard_sql_agreements,
    standard_sql_arrears,
    standard_sql_contacts,
    standard_sql_instalments,
    standard_sql_payments,
    standard_sql_people,
)
from tests.features.random_tables import LAG_DAYS
from tests.features.sql_words import DAY, EVENTS, Part

PARTS: tuple[Part, ...] = (
    standard_sql_payments.PART,
    standard_sql_contacts.PART,
    standard_sql_agreements.PART,
    standard_sql_arrears.PART,
    standard_sql_instalments.PART,
    standard_sql_people.PART,
)

_PEOPLE = """
CREATE TABLE people AS
SELECT a.account_id, a.debtor_id, a.currency AS own_currency, a.country AS own_country,
       a.subdivision AS own_subdivision, a.product AS own_product, a.creditor AS own_creditor,
       a.annual_rate AS own_rate,
       CASE a.currency WHEN 'CLP' THEN 1.0 WHEN 'KWD' THEN 1000.0 ELSE 100.0 END AS scale,
       round_even(a.principal * scale, 0)::BIGINT AS principal_cents,
       round_even(a.credit_limit * scale, 0)::BIGINT AS credit_limit_cents,
       epoch_us(a.opened_at) AS opened_at, coalesce(epoch_us(a.known_at), epoch_us(a.opened_at)) AS known_at,
       d.language AS own_language, epoch_us(d.known_at) AS debtor_known_at,
       coalesce(d.time_zone, zd.zone, za.zone, getvariable('zone')) AS zone
FROM raw_accounts a LEFT JOIN raw_debtors d USING (debtor_id)
LEFT JOIN zones zd ON zd.country = d.country LEFT JOIN zones za ON za.country = a.country
"""

_SNAPSHOTS = f"""
CREATE TABLE snapshots AS
SELECT *, people.known_at < t AS known, known AND opened_at < t AS is_open,
       {", ".join(f"epoch_us(timezone(here, local_t - INTERVAL {k} MONTH)) AS m{k}" for k in range(8))}
FROM people, (
    SELECT unnest(getvariable('as_ofs'))::BIGINT AS t, getvariable('zone') AS here,
           timezone(here, make_timestamptz(t)) AS local_t
)
"""

_ZONES = {"ES": "Europe/Madrid", "CL": "America/Santiago", "CO": "America/Bogota", "GB": "Europe/London"}


def run_sql(frames, as_ofs, time_zone, holidays):
    """Return one row per account and as-of, in that order, with every feature that the SQL knows.

    `holidays` are triples of country, subdivision (or None) and date.
    """
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = 'UTC'; SET VARIABLE zone = '{time_zone}'")
        connection.execute(f"SET VARIABLE as_ofs = {list(as_ofs)}")
        for name, frame in frames.items():
            connection.register(f"raw_{name}", frame)
        connection.execute("CREATE TABLE zones (country VARCHAR, zone VARCHAR)")
        connection.executemany("INSERT INTO zones VALUES (?, ?)", list(_ZONES.items()))
        connection.execute("CREATE TABLE free_days (country VARCHAR, subdivision VARCHAR, day DATE)")
        connection.executemany("INSERT INTO free_days VALUES (?, ?, ?)", holidays)
        for statement in _statements():
            connection.execute(statement)
        return connection.execute(_whole_query()).df()


def _statements():
    yield _PEOPLE
    yield _SNAPSHOTS
    for table, events in EVENTS.items():
        yield events.format(lag=round(LAG_DAYS.get(table, 0) * DAY))
    yield standard_sql_instalments.INSTALMENTS
    for part in PARTS:
        yield from part.tables


def _whole_query():
    """Every part's aggregates side by side, then what each part makes of all of them, one after the other."""
    queries = [query for part in PARTS for query in part.queries.values()]
    joined = "\n".join(f"JOIN ({query}) q{i} USING (account_id, t)" for i, query in enumerate(queries))
    whole = f"SELECT * FROM snapshots {joined}"
    for part in PARTS:
        if part.final:
            columns = ", ".join(f"{expression} AS {name}" for name, expression in part.final.items())
            whole = f"SELECT *, {columns} FROM ({whole})"
    return f"{whole} ORDER BY account_id, t"


def covered():
    """The features that the SQL computes."""
    return {name for part in PARTS for name in part.features}
