"""Best contacts: usable points only, deterministic ranks, other parties, what is allowed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recobro_score.calendars import parse_instant
from recobro_score.data.events import EventStore
from recobro_score.errors import ContractError
from recobro_score.models.contact.attempts import SLOTS
from recobro_score.models.contact.points import BestContacts, best_contacts
from recobro_score.models.contact.rates import ContactForecast
from tests.models.contact_samples import contact, store_of

AS_OF = parse_instant("2025-06-03")
CHANNELS = ("call", "sms")


def point(name: str, debtor: str, channel: str = "call", **more: object) -> dict[str, object]:
    row = {"contact_point_id": name, "debtor_id": debtor, "channel": channel, "known_at": "2025-01-01"}
    return {**row, "wrong_from": None, **more}


def best(store: EventStore, *, rate: np.ndarray | None = None, k: int = 3, **more: object) -> BestContacts:
    n = store.n_accounts
    if rate is None:
        rate = np.broadcast_to(np.linspace(0.1, 0.3, len(SLOTS)), (n, 2, len(SLOTS)))
    own = ContactForecast(
        store.account_ids, CHANNELS, SLOTS, rate.astype(np.float32), np.zeros((n, 2), dtype=np.int32), True
    )
    return best_contacts(store, AS_OF, own, (rate / 2).astype(np.float32), k=k, **more)


def test_the_likeliest_hours_of_the_likeliest_channel_come_first() -> None:
    store = store_of([], 1, points=[point("P1", "DA000"), point("P2", "DA000", "sms")])
    rate = np.full((1, 2, len(SLOTS)), 0.1)
    rate[0, 1, 5], rate[0, 0, 3] = 0.5, 0.4
    frame = best(store, rate=rate).frame()
    assert frame["channel"].tolist() == ["sms", "call", "call"]
    assert frame["hour"].tolist() == [12, 10, 7]
    assert frame["contact_point_id"].tolist() == ["P2", "P1", "P1"]
    assert frame["rank"].tolist() == [1, 2, 3]
    assert frame["probability"].tolist() == pytest.approx([0.5, 0.4, 0.1])


@pytest.mark.parametrize(
    "bad",
    [
        point("PX", "DA000", wrong_from="2025-05-01"),
        point("PX", "DA000", known_at="2025-06-03"),
        "wrong_number",
        "third_party",
    ],
    ids=["known to be wrong", "not known yet", "met a wrong number", "met a third party"],
)
def test_an_unusable_point_is_never_proposed(bad: dict[str, object] | str) -> None:
    contacts: list[dict[str, object]] = []
    if isinstance(bad, str):
        contacts = [contact("A000", outcome=bad, contact_point_id="PX")]
        bad = point("PX", "DA000")
    only = best(store_of(contacts, 1, points=[bad, point("PS", "DA000", "sms")]))
    assert set(only.channel) == {"sms"}
    other = best(store_of(contacts, 1, points=[bad, point("P1", "DA000")]))
    assert set(other.contact_point_id) == {"P1"}


def test_the_point_that_has_answered_is_preferred_then_the_newest() -> None:
    points = [point("P1", "DA000"), point("P2", "DA000", known_at="2025-02-01")]
    assert set(best(store_of([], 1, points=points)).contact_point_id) == {"P2"}
    answered = [contact("A000", outcome="rpc", contact_point_id="P1")]
    assert set(best(store_of(answered, 1, points=points)).contact_point_id) == {"P1"}


def test_a_debtor_of_whom_no_point_is_known_is_proposed_without_one() -> None:
    found = best(store_of([], 2, points=[point("P1", "DA000")])).frame()
    assert found[found["account_id"] == "A001"]["contact_point_id"].isna().all()
    assert set(found[found["account_id"] == "A001"]["channel"]) == {"call", "sms"}
    assert set(found[found["account_id"] == "A000"]["channel"]) == {"call"}


def test_other_parties_are_proposed_on_their_own_points() -> None:
    parties = [
        {"account_id": "A000", "debtor_id": "DA000", "role": "debtor"},
        {"account_id": "A000", "debtor_id": "DX", "role": "guarantor"},
        {"account_id": "A001", "debtor_id": "DY", "role": "co_debtor"},
    ]
    store = store_of([], 2, parties=parties, points=[point("P1", "DA000"), point("PX", "DX")])
    frame = best(store, k=100).frame()
    assert set(frame["party_id"]) == {"DA000", "DX", "DA001"}, "DY has no usable point"
    guarantor = frame[frame["role"] == "guarantor"]
    assert set(guarantor["contact_point_id"]) == {"PX"}
    debtor = frame[(frame["account_id"] == "A000") & (frame["role"] == "debtor")]
    np.testing.assert_allclose(
        guarantor["probability"].to_numpy(), debtor["probability"].to_numpy() / 2, rtol=1e-6
    )


@pytest.mark.parametrize("buckets", [2, 3, 7])
def test_other_parties_are_proposed_in_every_part_of_a_store(buckets: int) -> None:
    parties = [
        {"account_id": "A000", "debtor_id": "DX", "role": "guarantor"},
        {"account_id": "A001", "debtor_id": "DX", "role": "co_debtor"},
        {"account_id": "A002", "debtor_id": "DA003", "role": "co_debtor"},
    ]
    points = [point("P1", "DA001"), point("PX", "DX"), point("PY", "DX", "sms"), point("P3", "DA003")]
    shown = [contact("A003", outcome="third_party", contact_point_id="PY")]
    store = store_of(shown, 6, parties=parties, points=points)
    whole = best(store, k=100).frame()
    assert set(whole.loc[whole["party_id"] == "DX", "contact_point_id"]) == {"PX"}
    found = [best(part, k=100).frame() for part in store.buckets(buckets)]
    together = pd.concat(found).sort_values(["account_id", "rank"], ignore_index=True)
    assert together.fillna("").to_dict("records") == whole.fillna("").to_dict("records")


def test_only_what_is_allowed_and_nobody_who_is_stopped() -> None:
    store = store_of([], 3)
    allowed = np.ones((3, 2, len(SLOTS)), dtype=np.bool_)
    allowed[0], allowed[1, :, 2:] = False, False
    found = best(store, allowed=allowed, k=100)
    assert set(found.account) == {1, 2}
    assert set(found.hour[found.account == 1]) == {7, 8}
    by_channel = best(store, allowed=np.array([[True, False]] * 3))
    assert set(by_channel.channel) == {"call"}
    blocked = EventStore(**{f: getattr(store, f) for f in store.__slots__} | {"blocked": ("stale:holds",)})
    assert len(best(blocked).account) == 0
    stopped = np.array([True, False, False])
    halted = EventStore(**{f: getattr(store, f) for f in store.__slots__} | {"stopped": stopped})
    assert set(best(halted).account) == {1, 2}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 6))
def test_the_first_k_are_the_first_of_all_whatever_the_order_of_the_rows(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points = [
        point(f"P{i}", f"DA00{rng.integers(3)}", str(rng.choice(CHANNELS)), known_at=f"2025-01-0{1 + i % 3}")
        for i in range(8)
    ]
    rate = rng.integers(1, 5, (3, 2, len(SLOTS))) / 10
    everything = best(store_of([], 3, points=points), rate=rate, k=1000).frame()
    shuffled = [points[i] for i in rng.permutation(8)]
    first = best(store_of([], 3, points=shuffled), rate=rate, k=k).frame()
    expected = everything[everything["rank"] <= k].reset_index(drop=True)
    assert first.equals(expected)
    for _, own in everything.groupby("account_id"):
        assert own["probability"].is_monotonic_decreasing


def test_wrong_arguments_are_refused() -> None:
    store = store_of([], 2)
    with pytest.raises(ContractError, match="k=0"):
        best(store, k=0)
    with pytest.raises(ContractError, match=r"\(2, 2\) or \(2, 2, 14\)"):
        best(store, allowed=np.ones((3, 2), dtype=np.bool_))
    assert isinstance(best(store).account_ids, pa.StringArray)
