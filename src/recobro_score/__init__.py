"""Scores overdue debts and picks the next best action: lawful, affordable, explained.

The names below are the public face; each is imported from its room when it is first used, so that
``import recobro_score`` costs next to nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recobro_score.bundle import Bundle
    from recobro_score.data.portfolio import Portfolio
    from recobro_score.data.sources import read_portfolio
    from recobro_score.errors import RecobroError
    from recobro_score.features.feature_set import FeatureSet
    from recobro_score.models.payment import PaymentModel
    from recobro_score.timeline import Timeline

_HOMES = {
    "Bundle": "recobro_score.bundle",
    "FeatureSet": "recobro_score.features.feature_set",
    "PaymentModel": "recobro_score.models.payment",
    "Portfolio": "recobro_score.data.portfolio",
    "RecobroError": "recobro_score.errors",
    "Timeline": "recobro_score.timeline",
    "read_portfolio": "recobro_score.data.sources",
}

__all__ = [
    "Bundle",
    "FeatureSet",
    "PaymentModel",
    "Portfolio",
    "RecobroError",
    "Timeline",
    "__version__",
    "read_portfolio",
]

__version__ = version("recobro-score")

# Compiled code is cached with the user, never beside the sources or in a bundle.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - never raises
os.environ.setdefault("NUMBA_CACHE_DIR", str(_CACHE / "recobro_score" / "numba"))


def __getattr__(name: str) -> object:
    """Import a public name where it is first used."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
