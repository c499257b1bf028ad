"""The portfolio of the feature benchmark: about 53 events per account over 25 months, in order of time.

Written month by month with vectorised numpy, so memory does not grow with the number of events.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAY = 86_400_000_000
START = int(np.datetime64("2023-05-01", "us").astype(np.int64))
MONTHS = 25
PER_MONTH = {"payments": 0.8, "contacts": 1.2, "promises": 0.12}
TIME = pa.timestamp("us", "UTC")
ROWS_AT_ONCE = 500_000

KINDS = (
    "payment",
    "payment",
    "payment",
    "payment",
    "payment",
    "payment",
    "payment",
    "payment",
    "reversal",
    "fee",
)
METHODS = ("card", "cash", "direct_debit", "transfer")
CHANNELS = ("call", "call", "call", "sms", "sms", "whatsapp", "email", "letter")
OUTCOMES = ("rpc", "no_answer", "no_answer", "voicemail", "delivered", "replied", "third_party", "busy")


def as_ofs(count: int) -> list[int]:
    """Return the last `count` month starts before the events end, as µs UTC."""
    months = np.datetime64("2025-05", "M") - np.arange(count)[::-1]
    return [int(value) for value in months.astype("M8[us]").astype(np.int64)]


def write_portfolio(folder: Path, accounts: int, *, times: int = 1, seed: int = 7) -> dict[str, int]:
    """Write the accounts and the three event tables, with `times` the events; return the rows of each."""
    folder.mkdir(parents=True)
    _write_accounts(folder / "accounts.parquet", accounts)
    return {
        table: _write_events(
            folder / f"{table}.parquet", table, accounts, times, np.random.default_rng([seed, place])
        )
        for place, table in enumerate(PER_MONTH)
    }


def _names(letter: str, numbers: np.ndarray) -> pa.Array:
    known = pa.array([f"{letter}{number:08d}" for number in range(int(numbers.max()) + 1)])
    return known.take(pa.array(numbers))


def _write_accounts(path: Path, accounts: int) -> None:
    number = np.arange(accounts)
    one = np.ones(accounts, np.int64)
    table = {
        "account_id": _names("A", number),
        "debtor_id": _names("D", number - (number % 10 == 9)),
        "opened_at": pa.array(START - DAY * (number % 300)).cast(TIME),
        "currency": pa.array(["EUR"]).take(pa.array(one - 1)),
        "country": pa.array(["ES"]).take(pa.array(one - 1)),
        "principal": (1_000 + number % 5_000).astype(float),
    }
    pq.write_table(pa.table(table), path)


def _write_events(path: Path, table: str, accounts: int, times: int, rng: np.random.Generator) -> int:
    known = pa.array([f"A{number:08d}" for number in range(accounts)])
    written = 0
    writer = None
    for month in range(MONTHS):
        number = round(accounts * times * PER_MONTH[table])
        for low in range(0, number, ROWS_AT_ONCE):
            rows = min(ROWS_AT_ONCE, number - low)
            begin = START + (month * 30.4 + 30.4 * low / number) * DAY
            length = 30.4 * DAY * rows / number
            at = np.sort(begin + rng.random(rows) * length).astype(np.int64)
            owner = known.take(pa.array(rng.integers(0, accounts, rows)))
            part = pa.table({"account_id": owner, **_columns(table, at, rng)})
            writer = writer or pq.ParquetWriter(path, part.schema)
            writer.write_table(part)
            written += rows
    if writer is not None:
        writer.close()
    return written


def _columns(table: str, at: np.ndarray, rng: np.random.Generator) -> dict[str, pa.Array]:
    rows = len(at)
    known_at = at + rng.integers(0, 3, rows) * DAY
    times = {"known_at": pa.array(known_at).cast(TIME)}
    amount = rng.integers(500, 40_000, rows) / 100.0

    def words(choices: tuple[str, ...]) -> pa.Array:
        return pa.array(choices).take(pa.array(rng.integers(0, len(choices), rows)))

    if table == "payments":
        return {
            "paid_at": pa.array(at).cast(TIME),
            "amount": pa.array(amount),
            "kind": words(KINDS),
            "method": words(METHODS),
            **times,
        }
    if table == "contacts":
        return {
            "attempted_at": pa.array(at).cast(TIME),
            "channel": words(CHANNELS),
            "direction": words(("outbound",) * 9 + ("inbound",)),
            "outcome": words(OUTCOMES),
            "duration_s": pa.array(rng.integers(0, 600, rows).astype(float)),
            **times,
        }
    due = at + rng.integers(1, 30, rows) * DAY
    return {
        "promised_at": pa.array(at).cast(TIME),
        "due_at": pa.array(due).cast(TIME),
        "amount": pa.array(amount),
        **times,
    }
