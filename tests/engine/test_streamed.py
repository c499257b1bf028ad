"""A night over a folder split on disk says what a night over the whole folder says, byte for byte."""

from __future__ import annotations

import tempfile
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from recobro_score import engine
from recobro_score.calendars import US_PER_DAY
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.partitions import Partitions
from recobro_score.data.portfolio import MANY_ACCOUNTS
from recobro_score.data.sources import read_portfolio
from recobro_score.data.streamed import StreamedPortfolio, count_rows
from recobro_score.digest import write_parquet
from recobro_score.errors import ContractError, RecobroError

ACCOUNTS = 120
SAFETY = ("holds", "facts", "contacts", "complaints", "placements")


@pytest.fixture(scope="module")
def few(tables):
    """The tables of the first accounts and of all their people."""
    accounts = tables["accounts"].slice(0, ACCOUNTS)
    ids = accounts["account_id"]
    parties = tables["parties"].filter(pc.is_in(tables["parties"]["account_id"], ids.combine_chunks()))
    people = pa.array(sorted({*accounts["debtor_id"].to_pylist(), *parties["debtor_id"].to_pylist()}))
    found = {}
    for name, table in tables.items():
        key, known = ("account_id", ids.combine_chunks()) if "account_id" in table.column_names else (
            "debtor_id", people)  # fmt: skip
        mine = pc.is_in(table[key], known)
        if name == "holds":
            mine = pc.or_(mine, pc.is_in(table["debtor_id"], people))
        found[name] = table.filter(mine)
    return found


def with_cells(table: pa.Table, column: str, rows, values) -> pa.Table:
    """Return a table with some cells of a column changed."""
    cells = table[column].to_pylist()
    for row, value in zip(rows, values, strict=True):
        cells[row] = value
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array(cells, table.schema.field(column).type))


def damaged(tables, rng) -> dict[str, pa.Table]:
    """Break some rows of every kind: unreadable, orphaned, repeated under other owners, of other parties."""
    tables = {name: table.combine_chunks() for name, table in tables.items()}

    def some(name: str, most: int = 4) -> np.ndarray:
        rows = tables[name].num_rows
        return rng.choice(rows, min(rows, int(rng.integers(0, most))), replace=False)

    def spoil(name: str, column: str, value: object, most: int = 4) -> None:
        rows = some(name, most)
        tables[name] = with_cells(tables[name], column, rows, [value] * len(rows))

    spoil("payments", "amount", float("inf"), 14)
    spoil("contacts", "attempted_at", None)
    spoil("facts", "kind", None)
    spoil("holds", "from_at", None, 2)
    spoil("placements", "placed_at", None, 3)
    for name in ("payments", "contacts", "promises"):
        spoil(name, "account_id", "nobody")
        repeated = tables[name].take(some(name))
        owners = rng.choice(tables["accounts"]["account_id"].to_pylist(), repeated.num_rows)
        again = with_cells(repeated, "account_id", range(repeated.num_rows), owners.tolist())
        tables[name] = pa.concat_tables([tables[name], again])
    others = rng.choice(tables["debtors"]["debtor_id"].to_pylist(), 2).tolist()
    doubled = with_cells(
        tables["accounts"].take(rng.choice(ACCOUNTS, 2).tolist()), "debtor_id", (0, 1), others
    )
    tables["accounts"] = pa.concat_tables([tables["accounts"], doubled])
    return called_for_others(tables, rng)


def called_for_others(tables, rng) -> dict[str, pa.Table]:
    """Let attempts for any account meet the wrong person on any contact point."""
    rows = rng.choice(tables["contacts"].num_rows, 30, replace=False).tolist()
    points = rng.choice(tables["contact_points"]["contact_point_id"].to_pylist(), 30).tolist()
    contacts = with_cells(tables["contacts"], "contact_point_id", rows, points)
    contacts = with_cells(contacts, "outcome", rows, ["wrong_number", "third_party", "rpc"] * 10)
    return {**tables, "contacts": contacts}


def write(tables, folder: Path, rng) -> None:
    """Write each table as one file, or as a folder of several."""
    for name, table in tables.items():
        if rng.random() < 0.5:
            pq.write_table(table, folder / f"{name}.parquet", row_group_size=50)
            continue
        (folder / name).mkdir()
        cut = int(rng.integers(0, table.num_rows + 1))
        pq.write_table(table.slice(0, cut), folder / name / "part-1.parquet")
        pq.write_table(table.slice(cut), folder / name / "part-2.parquet")


def told(outputs: engine.Outputs) -> dict[str, object]:
    """Everything a night says, tables as the bytes of their files."""
    said: dict[str, object] = {
        "counts": dict(outputs.counts),
        "warnings": outputs.warnings,
        "plan": outputs.plan(),
        "as_of": outputs.as_of,
        "time_zone": outputs.time_zone,
    }
    tables = {
        "scores": outputs.scores,
        "decisions": outputs.decisions,
        "quarantine": outputs.quarantine.table,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, table in tables.items():
            write_parquet(table, Path(folder) / name, schema_version="1")
            said[name] = (Path(folder) / name).read_bytes()
    return said


def assert_alike(found, whole) -> None:
    """Compare part by part, so that a difference is named."""
    assert type(found) is type(whole)
    if isinstance(whole, tuple):
        assert found == whole
        return
    for name, said in whole.items():
        assert found[name] == said, name


def outcome(source, world, buckets=1):
    """What a night says, or the error that stopped it."""
    options = replace(world.night, buckets=buckets)
    try:
        return told(engine.run(world.bundle, source(), world.as_of, options=options))
    except RecobroError as error:
        return type(error), str(error)


class World:
    """What a night needs, without a long repr."""

    def __init__(self, **parts):
        self.__dict__.update(parts)


@pytest.fixture(scope="module")
def world(few, bundle, as_of, zone, night):
    return World(few=few, bundle=bundle, as_of=as_of, zone=zone, night=night)


@settings(max_examples=10, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    seed=st.integers(0, 2**32 - 1),
    nobody=st.sampled_from([None, None, "holds", "contacts"]),
    missing=st.sampled_from([None, None, None, "holds", "complaints", "balances"]),
    oldest=st.sampled_from([{}, {}, {"contacts": 400.0}, {"contacts": 0.01, "holds": 1.0}]),
    currency=st.sampled_from([None, None, None, "XAF"]),
)
def test_a_night_over_buckets_is_the_night_over_the_whole(seed, nobody, missing, oldest, currency, world):
    rng = np.random.default_rng(seed)
    tables = damaged(world.few, rng)
    if nobody is not None:
        owners = {"holds": ("account_id", "debtor_id"), "contacts": ("account_id",)}[nobody]
        for owner in owners:
            tables[nobody] = with_cells(tables[nobody], owner, [0], [None])
    if currency is not None:
        tables["accounts"] = with_cells(tables["accounts"], "currency", [5], [currency])
    tables.pop(missing, None)
    options = PortfolioOptions(time_zone=world.zone, declared=SAFETY, max_age_days=oldest)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "portfolio"
        folder.mkdir()
        write(tables, folder, rng)
        whole = outcome(lambda: read_portfolio(folder, options=options), world)
        for buckets in (1, 3, 7):
            out = Path(place) / str(buckets)

            def split(out=out, buckets=buckets):
                return StreamedPortfolio.split(folder, out, buckets=buckets, options=options)

            assert_alike(outcome(split, world, buckets=buckets // 3 + 1), whole)


@pytest.fixture(scope="module")
def folder(few, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("portfolio")
    write(few, folder, np.random.default_rng(1))
    return folder


def test_more_buckets_than_debtors_leave_some_empty(folder, bundle, as_of, zone, night, tmp_path):
    options = PortfolioOptions(time_zone=zone)
    streamed = StreamedPortfolio.split(folder, tmp_path / "parts", buckets=130, options=options)
    assert any(part.n_accounts == 0 for part in streamed.parts())
    whole = engine.run(bundle, read_portfolio(folder, options=options), as_of, options=night)
    assert told(engine.run(bundle, streamed, as_of, options=night)) == told(whole)


def test_only_one_bucket_is_in_memory(folder, bundle, as_of, zone, night, tmp_path, monkeypatch):
    options = PortfolioOptions(time_zone=zone)
    streamed = StreamedPortfolio.split(folder, tmp_path / "parts", buckets=4, options=options)
    read, seen = Partitions.read, []

    def reading(self, bucket, *, options):
        assert not any(array() is not None for array in seen)
        part = read(self, bucket, options=options)
        seen.extend(weakref.ref(table.at) for table in part.store.tables.values() if table.n_rows)
        return part

    monkeypatch.setattr(Partitions, "read", reading)
    engine.run(bundle, streamed, as_of, options=night)
    assert len(seen) > 2 * 4 * 5


def test_the_whole_is_known_and_may_be_refused_before_anything_is_scored(
    folder, bundle, as_of, zone, night, tmp_path
):
    class Refused(Exception):
        pass

    surveys, steps = [], []

    def refuse(whole):
        surveys.append(whole)
        raise Refused

    options = PortfolioOptions(time_zone=zone, declared=("holds",), max_age_days={"contacts": 1e-6})
    whole = read_portfolio(folder, options=options)
    streamed = StreamedPortfolio.split(folder, tmp_path / "parts", buckets=5, options=options)
    for source in (whole, streamed):
        with pytest.raises(Refused):
            engine.run(
                bundle, source, as_of, options=night, check=refuse, progress=lambda *step: steps.append(step)
            )
    assert {step for step, _ in steps} == {"reading the portfolio"}
    assert steps[-1][1] == 1.0
    one, other = surveys
    assert one.n_accounts == other.n_accounts == ACCOUNTS
    assert one.counts == other.counts == whole.counts
    assert one.blocked == other.blocked == ("stale:contacts",)
    assert one.newest == other.newest == whole.store.newest(as_of)
    assert one.currencies == other.currencies == ("CLP", "COP")


def test_tables_broken_as_a_whole_are_told_alike(world, tmp_path):
    payments, holds = (world.few[name] for name in ("payments", "holds"))
    tables = {
        **world.few,
        "payments": payments.drop_columns(["paid_at"]),
        "holds": holds.rename_columns([f"{name}_" for name in holds.column_names]),
    }
    folder = tmp_path / "portfolio"
    folder.mkdir()
    write(tables, folder, np.random.default_rng(2))
    whole = outcome(lambda: read_portfolio(folder), world)
    assert whole[0] is ContractError
    streamed = StreamedPortfolio.split(folder, tmp_path / "parts", buckets=3)
    assert outcome(lambda: streamed, world) == whole


def test_a_crowded_debtor_is_warned_of_once(few, bundle, as_of, night, zone, tmp_path, caplog):
    accounts = few["accounts"].combine_chunks()
    rows = range(MANY_ACCOUNTS)
    tables = {**few, "accounts": with_cells(accounts, "debtor_id", rows, ["N/A"] * MANY_ACCOUNTS)}
    folder = tmp_path / "portfolio"
    folder.mkdir()
    write(tables, folder, np.random.default_rng(3))
    options = PortfolioOptions(time_zone=zone)
    for source in (
        lambda: read_portfolio(folder, options=options),
        lambda: StreamedPortfolio.split(folder, tmp_path / "parts", buckets=3, options=options),
    ):
        caplog.clear()
        engine.run(bundle, source(), as_of, options=night)
        assert sum("'N/A' holds 100 accounts" in message for message in caplog.messages) == 1


def test_rows_are_counted_without_reading_them(folder, few, tmp_path):
    assert count_rows(folder) == sum(table.num_rows for table in few.values())
    (tmp_path / "accounts.csv").write_text("account_id,debtor_id\nA,D\nB,D\n")
    assert count_rows(tmp_path) == 3
    for name in ("payments", "contacts"):
        (tmp_path / f"{name}.parquet").write_text("no table")
    with pytest.raises(ContractError, match=r"(?s)contacts\.parquet: not a .*payments\.parquet: not a "):
        count_rows(tmp_path)


def test_the_newest_row_is_the_last_known_before_the_instant(portfolio, as_of):
    newest = portfolio.store.newest(as_of)
    assert set(newest) <= set(CONTRACTS)
    for table, known_at in newest.items():
        rows = portfolio.store.tables[table].known_at
        assert known_at < as_of
        assert not ((rows > known_at) & (rows < as_of)).any()
    assert portfolio.store.newest(as_of - 100_000 * US_PER_DAY).keys() <= {"contact_points", "parties"}
