"""What every model is saved as: ``<name>.txt`` (LightGBM's text, where there is one) and ``<name>.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from recobro_score.errors import BundleError, SchemaMismatch


def to_lists(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state with lists in the place of tuples, as JSON has them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in state.items()}


def to_tuples(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state that `to_lists` was given."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in state.items()}


def read_state(
    files: Mapping[str, str], name: str, *, format_version: int, schema_hash: str | None, parts: Sequence[str]
) -> dict[str, Any]:
    """Return the state in ``<name>.json`` after checking that it can be read here.

    Parameters
    ----------
    files : mapping of str to str
        Text files by name.
    name : str
        Of the model.
    format_version : int
        The one that this release reads.
    schema_hash : str or None
        Of the columns that the model will be given; None where it needs none.
    parts : sequence of str
        File names that must be there.

    Raises
    ------
    BundleError
        If a file is missing or of an unknown format.
    SchemaMismatch
        If the schema is not that of training.
    """
    missing = [part for part in parts if part not in files]
    if missing:
        msg = f"A {name} model needs {', '.join(missing)}; found {sorted(files)}."
        raise BundleError(msg)
    state: dict[str, Any] = json.loads(files[f"{name}.json"])
    if state.get("format") != format_version:
        msg = f"{name}.json has format {state.get('format')!r}; this release reads {format_version}."
        raise BundleError(msg)
    if state["schema"] != schema_hash:
        msg = f"The model knows schema {str(state['schema'])[:12]}, got {str(schema_hash)[:12]}."
        raise SchemaMismatch(msg)
    return state
