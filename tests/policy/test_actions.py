from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from recobro_score.errors import ConfigError
from recobro_score.policy.actions import EFFECT_BUCKETS, Catalogue

NOTHING = '[[actions]]\nid = "no_action"\nchannel = ""\nagent = "none"\n'


def _with(action: str) -> str:
    return f'currency = "EUR"\n{NOTHING}[[actions]]\n{action}'


def test_the_shipped_catalogue_has_the_actions_of_the_design():
    catalogue = Catalogue.load()
    assert catalogue.ids == (
        "no_action",
        "email",
        "sms",
        "whatsapp",
        "call_bot",
        "call_agent",
        "plan_message",
        "plan_call",
        "human_review",
    )
    assert all(action.source for action in catalogue.actions[1:])
    assert catalogue.pools == ("call", "call_bot", "email", "human_review", "sms", "whatsapp")


def test_nothing_and_the_hand_over_claim_no_effect():
    effects = Catalogue.load().prior_effects()
    assert effects.shape == (9, len(EFFECT_BUCKETS))
    assert not effects[0].any()
    assert not effects[-1].any()


def test_an_unknown_bucket_gets_the_smallest_effect():
    effects = Catalogue.load().prior_effects()
    assert (effects[:, -1] == effects[:, :-1].min(axis=1)).all()


def test_the_version_follows_the_content_and_not_the_layout():
    catalogue = Catalogue.load()
    assert Catalogue.parse("# a remark\n" + catalogue.text).version == catalogue.version
    assert Catalogue.parse(catalogue.text.replace("0.04", "0.05", 1)).version != catalogue.version


def test_a_catalogue_written_as_toml_reads_back_the_same():
    catalogue = Catalogue.load()
    assert Catalogue.parse(catalogue.to_toml()).version == catalogue.version


def test_pricing_in_another_currency_scales_every_cost_and_survives_its_text():
    catalogue = Catalogue.load()
    priced = catalogue.priced_in("COP", 4_000)
    assert [a.cost for a in priced.actions] == [a.cost * Decimal(4_000) for a in catalogue.actions]
    assert Catalogue.parse(priced.text).version == priced.version


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('currency = "EUR"\nactions = []', "first action"),
        (_with('id = "x"\nchannel = "fax"\nagent = "bot"'), "fax"),
        (_with('id = "x"\nchannel = "sms"\nagent = "bot"\nsource = "s"'), "prior_effect"),
        (_with('id = "x"\nchannel = "internal"\nagent = "human"\ncost = -1'), "cost"),
        (_with('id = "no_action"\nchannel = "internal"\nagent = "human"'), "more than once"),
        (_with('id = "x"\nchannel = "internal"\nagent = "human"\ncolour = "red"'), "colour"),
        (_with('id = "x"\nchannel = "internal"\nagent = "human"\nprior_effect = { "0" = 7 }'), "outside"),
        ("currency =", "not TOML"),
    ],
)
def test_a_broken_catalogue_is_refused_with_its_reason(text, said):
    with pytest.raises(ConfigError, match=said):
        Catalogue.parse(text)


def test_a_missing_catalogue_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no file"):
        Catalogue.load(tmp_path / "none.toml")


def test_pools_and_channels_are_coded_by_name():
    catalogue = Catalogue.load()
    pools = [catalogue.pools[code] if code >= 0 else None for code in catalogue.pool_codes()]
    assert pools == [action.pool for action in catalogue.actions]
    channels = np.array([*catalogue.channels, ""])[catalogue.channel_codes()]
    assert list(channels) == [a.channel if a.is_contact else "" for a in catalogue.actions]
