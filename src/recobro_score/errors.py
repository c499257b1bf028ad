"""The one family of errors.

Every error of the library is a `RecobroError` and also the matching builtin, so that callers may catch
either. The text says what is wrong, how often, up to five examples, and a hint where there is one.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_EXAMPLES = 5


class RecobroError(Exception):
    """Base of every error raised on purpose by this library."""

    def __str__(self) -> str:
        """Return the plain message (`KeyError` would quote it)."""
        return str(self.args[0]) if self.args else ""


class ConfigError(RecobroError, ValueError):
    """A configuration file or option is wrong."""


class ContractError(RecobroError, ValueError):
    """One or more tables are broken as a whole, or too many of their rows are."""


class SafetyTableError(ContractError):
    """A declared safety table (holds, facts, contacts) is missing, stale or cannot be trusted."""


class ColumnNotFound(RecobroError, KeyError):
    """A named column does not exist."""


class SchemaMismatch(RecobroError, ValueError):
    """A model was given features of a schema it was not trained on."""


class NotEnoughData(RecobroError, ValueError):
    """There are too few rows, or only one class, to do what was asked."""


class BundleError(RecobroError, ValueError):
    """A saved bundle is incomplete, altered or of an unknown format."""


class TextMissing(RecobroError, KeyError):
    """A sentence asked for does not exist in the texts of a language."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Parameters
    ----------
    what : str
        Where and what, for example ``payments.paid_at: not a date``.
    count, of : int, optional
        How many rows are concerned, out of how many.
    examples : tuple of str
        Ids or values; at most five are shown.
    hint : str
        A closing sentence that helps.
    """

    what: str
    count: int | None = None
    of: int | None = None
    examples: tuple[str, ...] = ()
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem as one line."""
        text = self.what
        if self.count is not None:
            text += f" ({self.count:,}" + (f" of {self.of:,} rows)" if self.of is not None else " rows)")
        if self.examples:
            text += ", for example " + ", ".join(self.examples[:MAX_EXAMPLES])
        return text + self.hint


def hint(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def report(title: str, problems: Sequence[Problem]) -> str:
    """Return one message that lists every problem, one a line."""
    return "\n".join([title, *(f"  - {problem}" for problem in problems)])
