"""A contact model as text files: LightGBM's text and JSON, no code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recobro_score.digest import readable_json
from recobro_score.models.booster import Booster
from recobro_score.models.calibration.calibrator import Calibrator
from recobro_score.models.calibration.steps import VennAbers
from recobro_score.models.contact.columns import ContactColumns
from recobro_score.models.contact.fit import ContactFit, ContactPrior
from recobro_score.models.contact.history import OwnHistory
from recobro_score.models.contact.pattern import SlotPattern
from recobro_score.models.files import read_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recobro_score.models.booster import ColumnSchema

NAME = "contact_model"
FORMAT = 1


def contact_files(
    fit: ContactFit, channels: tuple[str, ...], segments: tuple[str, ...], facts: Mapping[str, Any]
) -> dict[str, str]:
    """Return the files of a model by name; the text of the trees is empty where there are none."""
    prior = fit.prior
    state = {
        "format": FORMAT,
        "schema": prior.columns.source.hash,
        "channels": list(channels),
        "segments": list(segments),
        "level": prior.level.tolist(),
        "trust": prior.trust.tolist(),
        "pattern": prior.pattern.to_state(),
        "history": fit.history.to_state(),
        "calibrators": [calibrator.to_state() for calibrator in fit.calibrators],
        "intervals": [interval.to_state() for interval in fit.intervals],
        "other_party": fit.other_party,
        "facts": dict(facts),
    }
    text = "" if prior.booster is None else prior.booster.text
    return {f"{NAME}.txt": text, f"{NAME}.json": readable_json(state)}


def read_contact(
    files: Mapping[str, str], schema: ColumnSchema
) -> tuple[tuple[str, ...], tuple[str, ...], ContactFit, dict[str, Any]]:
    """Return channels, segments, parts and facts of saved files.

    Raises
    ------
    BundleError, SchemaMismatch
        See `models.files.read_state`.
    """
    names = (f"{NAME}.txt", f"{NAME}.json")
    state = read_state(files, NAME, format_version=FORMAT, schema_hash=schema.hash, parts=names)
    channels, text = tuple(state["channels"]), files[f"{NAME}.txt"]
    columns = ContactColumns.of(schema, channels)
    prior = ContactPrior(
        columns=columns,
        level=np.array(state["level"], dtype=np.float64),
        booster=Booster(text, columns) if text else None,
        trust=np.array(state["trust"], dtype=np.float64),
        pattern=SlotPattern.from_state(state["pattern"]),
    )
    fit = ContactFit(
        prior=prior,
        history=OwnHistory.from_state(state["history"]),
        calibrators=tuple(Calibrator.from_state(each) for each in state["calibrators"]),
        intervals=tuple(VennAbers.from_state(each) for each in state["intervals"]),
        other_party=state["other_party"],
    )
    return channels, tuple(state["segments"]), fit, state["facts"]
