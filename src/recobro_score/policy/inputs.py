"""Scores as the policy takes them: plain arrays, whoever made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recobro_score.data.state import AccountState
from recobro_score.errors import SchemaMismatch
from recobro_score.policy.slots import N_SLOTS

N_REASONS = 3


@dataclass(frozen=True, slots=True)
class DecisionInputs:
    """Scores of every account of one store at one instant, in the store's order.

    Attributes
    ----------
    p_pay
        f64[n] P(pays within the horizon) without any action; NaN = no score, no contact.
    paid_share, unpaid_share
        f64[n] mean share of the exposure recovered if it pays, and if not.
    expected_recovery
        f64[n] major units of the account's currency.
    state
        Exposure, days past due, bucket, open, placed at the instant.
    reason_codes, reason_texts
        object[n, 3] reasons for the score, the strongest first; None where there are fewer.
    flags
        object[n] comma-joined flags of the score, "" for none.
    model_id
        Model that scored.
    channels, p_contact
        Names, and [n, channels, 14] P(contact) per hourly slot from 07:00; NaN = no evidence, None = none at
        all.
    typical_contact
        f64[channels] rate that counts as typical for a channel, fixed when the system was trained.
    effects
        f64[actions, 7] log-odds per bucket in the catalogue's order of actions (see `EFFECT_BUCKETS`); None
        takes the catalogue's priors.
    effect_source
        "prior" or "log" per action; None where `effects` is None.
    ability
        f64[n] estimated monthly ability to pay, major units, NaN = no estimate. It only lowers what is asked.
    """

    p_pay: NDArray[np.float64]
    paid_share: NDArray[np.float64]
    unpaid_share: NDArray[np.float64]
    expected_recovery: NDArray[np.float64]
    state: AccountState
    reason_codes: NDArray[np.object_]
    reason_texts: NDArray[np.object_]
    flags: NDArray[np.object_]
    model_id: str
    channels: tuple[str, ...] = ()
    p_contact: NDArray[np.floating[Any]] | None = None
    typical_contact: NDArray[np.float64] | None = None
    effects: NDArray[np.float64] | None = None
    effect_source: tuple[str, ...] | None = None
    ability: NDArray[np.float64] | None = None

    def check(self, n: int, n_actions: int) -> None:
        """Raise `SchemaMismatch` listing every array whose shape does not fit `n` accounts."""
        expected: dict[str, tuple[int, ...]] = dict.fromkeys(
            ("p_pay", "paid_share", "unpaid_share", "expected_recovery", "flags", "ability"), (n,)
        )
        expected |= {"reason_codes": (n, N_REASONS), "reason_texts": (n, N_REASONS)}
        expected |= {"p_contact": (n, len(self.channels), N_SLOTS), "typical_contact": (len(self.channels),)}
        expected |= {"effects": (n_actions, 7)}
        found = {name: getattr(self, name) for name in expected}
        wrong = [
            f"{name} has shape {array.shape}, expected {expected[name]}"
            for name, array in found.items()
            if array is not None and array.shape != expected[name]
        ]
        if len(self.state.exposure) != n:
            wrong.append(f"state has {len(self.state.exposure)} accounts, expected {n}")
        if (self.effects is None) != (self.effect_source is None):
            wrong.append("effects and effect_source come together")
        elif self.effect_source is not None and len(self.effect_source) != n_actions:
            wrong.append(f"effect_source has {len(self.effect_source)} entries, expected {n_actions}")
        if wrong:
            msg = "decision inputs: " + "; ".join(wrong)
            raise SchemaMismatch(msg)
