"""The service: one account from raw events, the same bits as the batch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError

from recobro_score import engine
from recobro_score.bundle import Bundle
from recobro_score.data.options import PortfolioOptions
from recobro_score.data.portfolio import Portfolio
from recobro_score.errors import ConfigError, ContractError
from recobro_score.explain.readers import READERS
from recobro_score.serving import Scorer

AS_OF = "2025-05-01"


@pytest.fixture(scope="module")
def zone(small_simulation) -> str:
    return small_simulation.scenario.span.time_zone


@pytest.fixture(scope="module")
def scorer(small_bundle, zone) -> Scorer:
    return Scorer.load(small_bundle, time_zone=zone, language="es")


@pytest.fixture(scope="module")
def batch(small_simulation, small_bundle, zone):
    portfolio = Portfolio.from_frames(dict(small_simulation.tables), options=PortfolioOptions(time_zone=zone))
    from recobro_score.calendars import parse_instant

    scored = engine.score(
        Bundle.load(small_bundle), portfolio.store, parse_instant(AS_OF, zone), language="es"
    )
    return {row["account_id"]: row for row in scored.table().to_pylist()}


def rows_of(table: pa.Table, column: str, value: str) -> list[dict]:
    return table.filter(pc.equal(table[column], value)).to_pylist() if column in table.column_names else []


def request_of(tables, account_id: str) -> dict:
    account = rows_of(tables["accounts"], "account_id", account_id)[0]
    debtor = account["debtor_id"]
    own = {}
    for name, table in tables.items():
        if name in ("accounts", "debtors"):
            continue
        key = "account_id" if "account_id" in table.column_names and name != "holds" else "debtor_id"
        own[name] = rows_of(table, key, account_id if key == "account_id" else debtor)
    return {
        "as_of": AS_OF,
        "account": account,
        "debtor": rows_of(tables["debtors"], "debtor_id", debtor)[0],
        "tables": own,
    }


@pytest.mark.parametrize("number", range(0, 400, 29))
def test_one_account_from_raw_events_has_the_bits_of_the_batch(number, scorer, small_simulation, batch):
    account_id = small_simulation.tables["accounts"]["account_id"][number].as_py()
    result = scorer.score_one(request_of(small_simulation.tables, account_id))
    row = batch[account_id]
    for name in ("margin", "p_pay", "expected_recovery", "exposure", "dpd", "bucket", "model_id"):
        assert getattr(result, name) == row[name]
    assert [reason.text for reason in result.reasons] == row["reasons"]
    assert [reason.contribution for reason in result.reasons] == row["reason_contributions"]
    assert [reason.points for reason in result.reasons] == row["reason_points"]
    assert ",".join(result.flags) == row["flags"]


def test_the_answer_is_plain_json(scorer, small_simulation):
    account_id = small_simulation.tables["accounts"]["account_id"][0].as_py()
    result = scorer.score_one(request_of(small_simulation.tables, account_id))
    assert type(result).model_validate_json(result.model_dump_json()) == result


def test_an_account_without_any_event_is_a_thin_file(scorer):
    account = {
        "account_id": "A",
        "debtor_id": "D",
        "opened_at": "2025-04-20",
        "currency": "COP",
        "country": "CO",
    }
    result = scorer.score_one({"as_of": AS_OF, "account": account})
    assert "thin_file" in result.flags
    assert result.exposure is None


def test_bad_rows_are_named_all_at_once(scorer, small_simulation):
    request = request_of(
        small_simulation.tables, small_simulation.tables["accounts"]["account_id"][1].as_py()
    )
    bad = [{"account_id": request["account"]["account_id"], "paid_at": "soon", "amount": 5.0}]
    bad.append({**bad[0], "paid_at": "2025-01-01", "account_id": "somebody else"})
    request["tables"]["payments"] = bad
    with pytest.raises(ContractError) as caught:
        scorer.score_one(request)
    assert "payments[0]: unreadable:paid_at" in str(caught.value)
    assert "payments[1]: unknown_account" in str(caught.value)


def test_a_request_with_unknown_fields_is_refused(scorer):
    with pytest.raises(ValidationError):
        scorer.score_one({"as_of": AS_OF, "account": {}, "acount": {}})


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("language", ["es", "en", "pt", "es-MX"])
def test_one_account_is_explained_to_any_reader_as_the_batch_is(
    reader, language, scorer, small_simulation, small_bundle, zone
):
    portfolio = Portfolio.from_frames(dict(small_simulation.tables), options=PortfolioOptions(time_zone=zone))
    few = portfolio.store.take(np.arange(3, 400, 99))
    scored = engine.score(Bundle.load(small_bundle), few, AS_OF, reader=reader, language=language)
    for row in scored.table().to_pylist():
        request = request_of(small_simulation.tables, row["account_id"])
        found = scorer.explain_one(request, reader=reader, language=language)
        assert (found.reader, found.language) == (reader, language)
        assert (found.account_id, found.margin, found.p_pay) == (
            row["account_id"],
            row["margin"],
            row["p_pay"],
        )
        assert [reason.text for reason in found.reasons] == row["reasons"]
        assert [reason.concept for reason in found.reasons] == row["reason_codes"]
        assert [reason.points for reason in found.reasons] == row["reason_points"]
        assert found.average_margin == scored.contributions.bias[0]
        assert type(found).model_validate_json(found.model_dump_json()) == found


def test_the_scorer_s_own_reader_and_language_are_the_default(small_bundle, zone, small_simulation, scorer):
    own = Scorer.load(small_bundle, time_zone=zone, language="pt", reader="debtor")
    request = request_of(
        small_simulation.tables, small_simulation.tables["accounts"]["account_id"][5].as_py()
    )
    found = own.explain_one(request)
    assert found == scorer.explain_one(request, reader="debtor", language="pt")
    assert own.score_one(request).reasons == found.reasons
    assert found.reasons != scorer.score_one(request).reasons


@pytest.mark.parametrize("wrong", [{"reader": "judge"}, {"language": "fr"}])
def test_a_reader_or_language_that_does_not_exist_is_refused_when_the_scorer_is_made(small_bundle, wrong):
    with pytest.raises(ConfigError):
        Scorer.load(small_bundle, **wrong)
