"""Records are read as the contracts read them, or left to the contracts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import NEVER, US_PER_DAY, parse_instant
from recobro_score.data.contracts import CONTRACTS
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.parse import Format, UnreadableColumn, parse_column, text_of
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ContractError
from recobro_score.features import FeatureSet, cells, compute, iso, raw
from recobro_score.features.readable import EVENT_TABLES
from recobro_score.features.schema import FeatureSchema
from recobro_score.features.single import AccountFeatures
from recobro_score.money import to_minor
from tests.features.every_recipe import EVERY
from tests.features.random_records import FORMS, TABLES

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
    moments.map(pd.Timestamp),
    st.builds(lambda moment, zone: pd.Timestamp(moment.replace(tzinfo=zone)), moments, offsets),
    st.integers(0, 10**18).map(pd.Timestamp),
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
    st.decimals(-1000, 1000, places=3),
    st.sampled_from((None, np.nan, np.inf, 2**60, 1e18, "1.5", True, 0.005, 1.005, Decimal("1.00005"))),
)


def same_kind(cell):
    """Columns of cells of one type, and sometimes of several."""

    def alike(cells):
        kind = type(next((one for one in cells if one is not None), None))
        return [one for one in cells if type(one) in (kind, type(None))]

    mixed = st.lists(cell, min_size=1, max_size=5)
    return st.one_of(mixed.map(alike), mixed)


def by_contract(column, values, how):
    """What the contract makes of a column; None where a cell is bad or the column unreadable."""
    try:
        parsed = parse_column(column, pa.array(values), how)
    except (UnreadableColumn, pa.ArrowException, TypeError, ValueError, OverflowError):
        return None
    return None if parsed.bad.any() else parsed


@settings(max_examples=400)
@given(values=same_kind(times), zone=st.sampled_from(ZONES))
def test_times(values, zone):
    """Within the years that are read; what lies beyond is the business of whoever lays out the rows."""
    column = CONTRACTS["plans"].column("accepted_at")
    parsed = by_contract(column, values, Format(zone))
    try:
        found = cells.instants([values], zone, text=True)
    except cells.Doubtful:
        return
    if parsed is None:
        assert ((found < iso.EARLIEST) & (found != iso.NOTHING)).any()
        return
    found = np.where(found == iso.NOTHING, NEVER, np.where(found >= iso.FAR, NEVER, found))
    assert found.tolist() == parsed.values.tolist()


@settings(max_examples=200)
@given(
    columns=st.lists(same_kind(st.one_of(times, moments.map(datetime.isoformat))), min_size=1, max_size=4),
    zone=st.sampled_from(ZONES),
)
def test_columns_read_at_once_are_those_read_one_by_one(columns, zone):
    def read(columns):
        try:
            return cells.instants(columns, zone, text=True).tolist()
        except cells.Doubtful:
            return None

    alone = [read([column]) for column in columns]
    whole = None if None in alone else [us for column in alone for us in column]
    assert read(columns) == whole


digits = st.integers(0, 99).map("{:02}".format)
nearly_iso = st.builds(
    "{}-{}-{}{}{}{}".format,
    st.sampled_from(("2024", "2023", "1900", "2000", "0000", "1899", "2200", "20x4")),
    digits,
    digits,
    st.sampled_from(("", "T", " ", "t", "Tx")),
    st.one_of(
        st.just(""),
        st.builds("{}:{}".format, digits, digits),
        st.builds("{}:{}:{}".format, digits, digits, digits),
    ),
    st.sampled_from(
        ("", "Z", "z", ".5", ".000001Z", ".1234567", "+05:30", "-23:59", "+24:00", "+0530", ".Z", "Z\n")
    ),
)


@settings(max_examples=500)
@given(texts=st.lists(nearly_iso, min_size=1, max_size=3))
def test_texts_are_read_as_python_reads_them_or_not_at_all(texts):
    try:
        found = cells.instants([texts], "UTC", text=True)
    except cells.Doubtful:
        return
    read = [datetime.fromisoformat(text) for text in texts]
    aware = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in read]
    spans = [moment - datetime(1970, 1, 1, tzinfo=UTC) for moment in aware]
    assert found.tolist() == [span // timedelta(microseconds=1) for span in spans]


@settings(max_examples=200)
@given(values=same_kind(quantities), digits=st.sampled_from((0, 2, 3)))
def test_figures(values, digits):
    parsed = by_contract(CONTRACTS["balances"].column("dpd"), values, Format())
    try:
        found = cells.figures([values])
    except cells.Doubtful:
        return
    if parsed is None:
        assert (np.abs(found) > raw._LARGEST_NUMBER).any()
        return
    assert np.array_equal(found, parsed.values, equal_nan=True)
    expected, fits = to_minor(parsed.values, np.full(len(values), digits, np.int8))
    scale = 10.0**digits
    minor = [raw._minor.py_func(value, scale) for value in found.tolist()]
    assert [one for one, ok in zip(minor, fits, strict=True) if ok] == expected[fits].tolist()
    assert all(one == raw._UNREADABLE for one, ok in zip(minor, fits, strict=True) if not ok)


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


@settings(max_examples=150)
@given(
    columns=st.lists(
        same_kind(st.sampled_from(("A1", "b 2", " c", "", "é", "\u2003d", 7, 7.0, None, True))),
        min_size=1,
        max_size=3,
    )
)
def test_ids(columns):
    parsed = [by_contract(CONTRACTS["payments"].column("payment_id"), values, Format()) for values in columns]
    for values, one in zip(columns, parsed, strict=True):
        try:
            found = cells.ids(values)
        except cells.Doubtful:
            continue
        assert found == one.values.to_pylist()
    try:
        cells.check_ids(columns)
    except cells.Doubtful:
        return
    for values in columns:
        assert cells.ids(values) == [None if value is None else str(value) for value in values]


@settings(max_examples=100)
@given(values=same_kind(words))
def test_codes_stand_for_the_same_words(values):
    reader = cells.Words(CONTRACTS["contacts"].column("channel"))
    codes = cells.Codes(reader, lambda word: {"call": 0, "sms": 1}.get(word, 2))
    for _ in range(2):
        try:
            found = [codes[value] for value in values]
        except (cells.Doubtful, TypeError):
            return
        assert found == [{"call": 0, "sms": 1}.get(word, 2) for word in reader.read(values)]


def test_plain_cells_are_never_doubtful():
    aware = datetime(2024, 5, 1, 12, tzinfo=UTC)
    madrid = aware.astimezone(ZoneInfo("Europe/Madrid"))
    assert cells.instants([[aware, None], [madrid]], "Europe/Madrid", text=True).tolist() == [
        1714564800000000,
        iso.NOTHING,
        1714564800000000,
    ]
    assert cells.instants([[date(2024, 1, 1)]], "America/Bogota", text=True).tolist() == [1704085200000000]
    assert cells.instants([["2024-01-01T00:00:00.5Z"]], "UTC", text=True).tolist() == [1704067200500000]
    assert cells.figures([[1.005, None, 2], [Decimal("12.34"), None]])[[0, 2, 3]].tolist() == [
        1.005,
        2,
        12.34,
    ]
    assert cells.ids(["A", None]) == ["A", None]


@settings(max_examples=100)
@given(
    tables=TABLES,
    form=st.sampled_from(sorted(FORMS)),
    zone=st.sampled_from(ZONES),
    lag=st.sampled_from((0.0, 1.5)),
)
def test_any_records_give_the_bits_of_the_portfolio_or_its_refusal(tables, form, zone, lag):
    """Ties, repeated ids, other debtors' rows, plans' instalments, two words for one thing, local times."""
    options = PortfolioOptions(time_zone=zone, lag_days={"payments": lag, "instalments": lag, "plans": lag})
    recipes = (*EVERY.recipes, *FeatureSet.extended().recipes)
    tables = FORMS[form](tables)
    portfolio = Portfolio.from_frames(tables, options=options)
    vocabularies = FeatureSet(recipes).schema(portfolio.store).vocabularies
    schema = FeatureSchema(recipes, EVERY.promises, tuple(EVENT_TABLES), vocabularies)
    single = AccountFeatures(schema, options=options)
    if len(portfolio.quarantine):
        with pytest.raises(ContractError):
            single.of_rows(tables, AS_OF)
        return
    for as_of in (AS_OF, AS_OF - 45 * US_PER_DAY):
        batch = compute(schema, portfolio.store, [as_of]).values[0]
        assert single.of_rows(tables, as_of).tobytes() == batch.tobytes()


@settings(max_examples=40)
@given(
    days=st.permutations((0, 0, 0, 1, 1, 2)),
    methods=st.permutations(("card", "cash", None, "card", "x", "y")),
)
def test_rows_of_equal_clocks_are_ordered_by_their_content_without_the_contracts(days, methods):
    account = {
        "account_id": "A",
        "debtor_id": "D",
        "opened_at": "2024-01-01",
        "currency": "EUR",
        "country": "ES",
    }
    payments = [
        {"account_id": "A", "paid_at": f"2025-01-0{1 + day}", "amount": 10.0 + k % 3, "method": method}
        for k, (day, method) in enumerate(zip(days, methods, strict=True))
    ]
    tables = {"accounts": [account], "payments": payments}
    store = Portfolio.from_frames(tables).store
    schema = EVERY.schema(store)
    single = AccountFeatures(schema)
    expected = compute(schema, store, [AS_OF]).values[0]
    assert single._of_records(tables, AS_OF).tobytes() == expected.tobytes()
