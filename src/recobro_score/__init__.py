"""Scores overdue debts and picks the next best action."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("recobro-score")
