"""Records are read as the contracts read them, or left to the contracts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.parse import Format, UnreadableColumn, parse_column, text_of
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ContractError
from recobro_score.features import FeatureSet, cells, compute
from recobro_score.features.readable import EVENT_TABLES
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.single import AccountFeatures
from recobro_score.money import MISSING_MONEY, to_minor
from tests.features.every_recipe import EVERY

AS_OF = parse_instant("2025-04-01")
ZONES = ("UTC", "Europe/Madrid", "America/Santiago", "Australia/Lord_Howe")
CHANGES = ("2025-03-30T02:30", "2024-10-27T02:30", "2024-09-08T00:30", "2024-04-06T23:30", "2025-04-06T02:15")

moments = st.one_of(
    st.sampled_from(CHANGES).map(datetime.fromisoformat),
    st.datetimes(datetime(1971, 1, 1), datetime(2060, 1, 1)),
    st.sampled_from((datetime(1890, 1, 1), datetime(2199, 12, 31), datetime(9999, 12, 31))),
)
offsets = st.sampled_from((UTC, timezone(timedelta(hours=-5)), ZoneInfo("Europe/Madrid")))
times = st.one_of(
    moments,
    st.builds(lambda moment, zone: moment.replace(tzinfo=zone), moments, offsets),
    moments.map(datetime.date),
    moments.map(datetime.isoformat),
    moments.map(lambda moment: moment.date().isoformat()),
    moments.map(lambda moment: moment.isoformat(" ", "seconds") + "Z"),
    st.sampled_from(
        (None, "", " 2024-01-01", "2024-W01-1", "20240101", "soon", "2024-02-30", 20240101, True)
    ),
)
words = st.sampled_from(
    (None, "", " Call ", "call", "WhatsApp", "sms", "pago", "payment", "reversal", "xx", 3)
)
quantities = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-(10**6), 10**6),
    st.decimals(-(10**6), 10**6, places=2),
    st.sampled_from((None, np.nan, np.inf, 2**60, 1e18, "1.5", True, 0.005, 1.005, Decimal("1.00005"))),
)


def same_kind(cell):
    """Columns of cells of one type, and sometimes of several."""
    alike = cell.flatmap(
        lambda one: st.lists(
            cell.filter(lambda other: type(other) in (type(one), type(None))), min_size=1, max_size=5
        )
    )
    return st.one_of(alike, st.lists(cell, min_size=1, max_size=3))


def by_contract(column, values, how):
    """What the contract makes of a column; None where a cell is bad or the column unreadable."""
    try:
        parsed = parse_column(column, pa.array(values), how)
    except (UnreadableColumn, pa.ArrowException, TypeError, ValueError, OverflowError):
        return None
    return None if parsed.bad.any() else parsed


@settings(max_examples=300)
@given(values=same_kind(times), zone=st.sampled_from(ZONES), later=st.booleans())
def test_times(values, zone, later):
    column = CONTRACTS["plans"].column("accepted_at" if later else "offered_at")
    parsed = by_contract(column, values, Format(zone))
    try:
        found = cells.times(values, zone, later=later, text=True)
    except cells.Doubtful:
        return
    assert parsed is not None
    expected = [
        None if missing and not later else int(us)
        for us, missing in zip(parsed.values, parsed.missing, strict=True)
    ]
    assert found == expected


@settings(max_examples=200)
@given(values=same_kind(quantities), digits=st.sampled_from((0, 2, 3)))
def test_numbers_and_money(values, digits):
    parsed = by_contract(CONTRACTS["balances"].column("dpd"), values, Format())
    try:
        found = cells.numbers(values)
    except cells.Doubtful:
        found = None
    if found is not None:
        assert np.array(found).tobytes() == parsed.values.tobytes()
    try:
        minor = cells.money(values, digits)
    except cells.Doubtful:
        return
    expected, fits = to_minor(parsed.values, np.full(len(values), digits, np.int8))
    assert fits.all()
    assert minor == expected.tolist()


@settings(max_examples=150)
@given(
    values=same_kind(words),
    place=st.sampled_from(
        (("payments", "kind"), ("contacts", "channel"), ("contacts", "agent"), ("accounts", "country"))
    ),
)
def test_words(values, place):
    column = CONTRACTS[place[0]].column(place[1])
    parsed = by_contract(column, values, Format())
    reader = cells.Words(column)
    for _ in range(2):
        try:
            found = reader.read(values)
        except cells.Doubtful:
            return
        assert found == text_of(parsed.values).to_pylist()


@settings(max_examples=100)
@given(values=same_kind(st.sampled_from(("A1", "b 2", " c", "", "é", 7, 7.0, None, True))))
def test_ids(values):
    parsed = by_contract(CONTRACTS["payments"].column("payment_id"), values, Format())
    try:
        found = cells.ids(values)
    except cells.Doubtful:
        return
    assert found == parsed.values.to_pylist()


def test_plain_cells_are_never_doubtful():
    aware = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert cells.times([aware, None], "Europe/Madrid", later=True, text=True)[1] == NEVER
    assert cells.times([date(2024, 1, 1)], "America/Bogota", later=False, text=True) == [1704085200000000]
    assert cells.times(["2024-01-01T00:00:00.5Z"], "UTC", later=False, text=True) == [1704067200500000]
    assert cells.money([1.005, None, 2], 2) == [100, MISSING_MONEY, 200]
    assert cells.money([Decimal("12.34"), None], 2) == [1234, MISSING_MONEY]
    assert cells.ids(["A", None]) == ["A", None]


def _day(number):
    return st.integers(-number, number).map(lambda days: datetime(2025, 2, 1) + timedelta(days=days))


def rows_of(**columns):
    return st.lists(st.fixed_dictionaries({"account_id": st.just("A"), **columns}), max_size=5)


ids = st.sampled_from((None, "P1", "P2", "P3", "P4", "P5"))
amounts = st.sampled_from((0.0, 10.0, 10.5, 99.99))
ACCOUNT = st.fixed_dictionaries(
    {
        "account_id": st.just("A"),
        "debtor_id": st.just("D"),
        "opened_at": _day(30),
        "currency": st.sampled_from(("EUR", "CLP", "eur")),
        "country": st.sampled_from(("ES", "CL", "XX")),
        "subdivision": st.sampled_from((None, "ES-MD")),
        "principal": st.sampled_from((None, 1000.0)),
    }
)
TABLES = st.fixed_dictionaries(
    {
        "accounts": ACCOUNT.map(lambda row: [row]),
        "debtors": st.sampled_from(
            ([], [{"debtor_id": "D", "time_zone": "Europe/Madrid", "language": "es"}], [{"debtor_id": "E"}])
        ),
        "payments": rows_of(
            paid_at=_day(40),
            amount=amounts,
            payment_id=ids,
            kind=st.sampled_from((None, "payment", "reversal", "Pago")),
            method=st.sampled_from((None, "card", "cash")),
        ),
        "cuotas": rows_of(vencimiento=_day(60), importe=amounts, plan=st.sampled_from((None, None, "L1"))),
        "balances": rows_of(known_at=_day(40), balance=amounts, dpd=st.sampled_from((None, -1.0, 0.0, 40.0))),
        "promises": rows_of(promised_at=_day(30), due_at=_day(60), amount=amounts),
        "plans": st.lists(
            st.fixed_dictionaries(
                {
                    "plan_id": st.sampled_from(("L1", "L2")),
                    "account_id": st.just("A"),
                    "offered_at": _day(20),
                    "terms": st.sampled_from(('{"discount": 0.25}', "{}")),
                    "accepted_at": st.one_of(st.none(), _day(20)),
                }
            ),
            max_size=2,
        ),
        "parties": st.lists(
            st.fixed_dictionaries(
                {
                    "account_id": st.just("A"),
                    "debtor_id": st.just("D"),
                    "role": st.sampled_from(("guarantor", "debtor")),
                }
            ),
            max_size=3,
        ),
        "contacts": rows_of(
            attempted_at=_day(30),
            channel=st.sampled_from(("call", "SMS")),
            direction=st.just("outbound"),
            outcome=st.sampled_from(("rpc", "no_answer")),
            cost=st.one_of(st.none(), amounts),
        ),
        "placements": rows_of(placed_at=_day(30), recalled_at=st.one_of(st.none(), _day(60))),
    }
)


@settings(max_examples=60)
@given(tables=TABLES, zone=st.sampled_from(ZONES), lag=st.sampled_from((0.0, 1.5)))
def test_any_records_give_the_bits_of_the_portfolio_or_its_refusal(tables, zone, lag):
    """Ties, repeated ids, other debtors' rows, plans' instalments, two words for one thing, local times."""
    options = PortfolioOptions(time_zone=zone, lag_days={"payments": lag, "instalments": lag, "plans": lag})
    recipes = (*EVERY.recipes, *FeatureSet.extended().recipes)
    portfolio = Portfolio.from_frames(tables, options=options)
    vocabularies = FeatureSet(recipes).schema(portfolio.store).vocabularies
    schema = FeatureSchema(recipes, EVERY.promises, tuple(EVENT_TABLES), vocabularies)
    single = AccountFeatures(schema, options=options)
    if len(portfolio.quarantine):
        try:
            single.of_rows(tables, AS_OF)
        except ContractError:
            return
        raise AssertionError
    for as_of in (AS_OF, AS_OF - 45 * US_PER_DAY):
        batch = compute(schema, portfolio.store, [as_of]).values[0]
        assert single.of_rows(tables, as_of).tobytes() == batch.tobytes()
