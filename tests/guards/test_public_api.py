"""The public names and their parameters are a promise: a change to them is made on purpose.

To change it on purpose: ``python tests/guards/test_public_api.py`` writes the file anew; say in CHANGELOG.md
what is new and what is deprecated.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import recobro_score

SNAPSHOT = Path(__file__).with_name("public_api.txt")
PYDANTIC = "model_config"  # on every pydantic class, no name of ours
OPERATORS = {"__call__", "__len__", "__iter__", "__getitem__"}


def _parameters(function: object) -> str:
    """Names, order and kind of the parameters; a default shows as `name=`."""
    parts: list[str] = []
    keyword_only = False
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.VAR_POSITIONAL or (one.kind is one.KEYWORD_ONLY and not keyword_only):
            keyword_only = True
            if one.kind is one.KEYWORD_ONLY:
                parts.append("*")
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        parts.append(f"{stars}{one.name}{'' if one.default is one.empty else '='}")
    return f"({', '.join(parts)})"


def _is_public(name: str) -> bool:
    return name in OPERATORS or not (name.startswith("_") or name == PYDANTIC)


def _members(owner: type) -> list[str]:
    """Public members that this library defines on a class, its own bases included."""
    members: dict[str, str] = {}
    for base in reversed(owner.__mro__):
        if base.__module__.partition(".")[0] != recobro_score.__name__:
            continue
        members |= {name: members.get(name, "") for name in inspect.get_annotations(base)}
        for name, value in vars(base).items():
            raw = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            members[name] = _parameters(raw) if inspect.isfunction(raw) else members.get(name, "")
    return [f".{name}{tail}" for name, tail in sorted(members.items()) if _is_public(name)]


def _described(place: str, value: object) -> list[str]:
    if inspect.isclass(value):
        return [place, *(f"{place}{member}" for member in _members(value))]
    if callable(value):
        return [f"{place}{_parameters(value)}"]
    return [place]


def public_api() -> list[str]:
    """Every name of the façade in full, and the names of every public module that has an `__all__`."""
    lines: list[str] = []
    for name in sorted(recobro_score.__all__):
        lines += _described(f"recobro_score.{name}", getattr(recobro_score, name))
    for found in pkgutil.walk_packages(recobro_score.__path__, "recobro_score."):
        if any(part.startswith("_") for part in found.name.split(".")):
            continue
        module = importlib.import_module(found.name)
        for name in sorted(getattr(module, "__all__", ())):
            lines += _described(f"{found.name}.{name}", getattr(module, name))
    return lines


def test_the_public_api_is_as_promised():
    promised = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    now = public_api()
    gone = sorted(set(promised) - set(now))
    new = sorted(set(now) - set(promised))
    assert promised == now, f"{__doc__}\n\nGone: {gone}\nNew: {new}"


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(public_api()) + "\n", encoding="utf-8")
