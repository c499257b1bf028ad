"""What an audit found: findings, what was measured on the way, and one sentence."""

from __future__ import annotations

import html
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
"""An error is proven or forbidden, a warning wants an explanation, a note is only said."""

MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or looks wrong.

    Attributes
    ----------
    feature : str
        The feature, ``table.column``, source or part of the timeline it is about.
    check : str
        ``knows_future``, ``not_reproducible``, ``future_value``, ``single_auc``, ``overlap``, ``undated``,
        ``forbidden``, ``proxy``, ``late_source`` or ``immature_labels``.
    severity : str
        One of `SEVERITIES`.
    evidence : str
        What was seen, in words and numbers.
    value, threshold : float
        The number behind it and what it was held against (NaN where there is none).
    advice : str
        What to do about it.
    """

    feature: str
    check: str
    severity: str
    evidence: str
    value: float
    threshold: float
    advice: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One number that a check looked at, whether or not it told anything.

    Attributes
    ----------
    feature, check : str
        As in `Finding`.
    against : str
        What the feature was compared with: the label, a later value, an attribute.
    value, se : float
        The estimate and its standard error (NaN where there is none).
    rows : int
        Rows it rests on.
    """

    feature: str
    check: str
    against: str
    value: float
    se: float
    rows: int


@dataclass(frozen=True, slots=True, repr=False)
class LeakageAudit:
    """The result of `recobro_score.features.audit.audit_leakage`.

    Attributes
    ----------
    findings : tuple of Finding
        The gravest first.
    measurements : tuple of Measured
        Everything that was measured.
    skipped : tuple of str
        Checks that could not be made, with the reason.
    features, accounts, snapshots : int
        How much was looked at: recipes and columns, accounts, as-ofs.
    """

    findings: tuple[Finding, ...]
    measurements: tuple[Measured, ...]
    skipped: tuple[str, ...]
    features: int
    accounts: int
    snapshots: int

    @property
    def clean(self) -> bool:
        """Whether there is neither an error nor a warning."""
        return all(finding.severity == NOTE for finding in self.findings)

    @property
    def verdict(self) -> str:
        """One sentence."""
        looked_at = (
            f"{self.features:,} features of {self.accounts:,} accounts at {self.snapshots:,} snapshots"
        )
        if self.clean:
            return f"No leak found in {looked_at}."
        counts = [(severity, self._count(severity)) for severity in (ERROR, WARNING)]
        told = " and ".join(f"{n} {word}{'s' if n > 1 else ''}" for word, n in counts if n)
        named = dict.fromkeys(f.feature for f in self.findings if f.severity != NOTE)
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        return f"{told} in {looked_at}: {', '.join(list(named)[:MOST_NAMED])}{more}."

    def _count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    def frame(self) -> pd.DataFrame:
        """Return the findings.

        Returns
        -------
        pandas.DataFrame
            One row per finding, the gravest first: ``feature``, ``check``, ``severity``, ``evidence``,
            ``value``, ``threshold``, ``advice`` (see `Finding`).
        """
        return _frame(Finding, self.findings)

    def measured(self) -> pd.DataFrame:
        """Return what was measured, also where nothing was found.

        Returns
        -------
        pandas.DataFrame
            ``feature``, ``check``, ``against``, ``value``, ``se``, ``rows`` (see `Measured`).
        """
        return _frame(Measured, self.measurements)

    def summary(self) -> str:
        """Return the verdict, every finding and every check that was not made, as text."""
        lines = [self.verdict]
        lines += [f"{f.severity}: {f.feature} ({f.check}): {f.evidence}" for f in self.findings]
        return "\n".join([*lines, *(f"not checked: {reason}" for reason in self.skipped)])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        import pandas as pd

        with pd.option_context("display.max_colwidth", None):
            table = self.frame().to_html(index=False, float_format="%.3g", na_rep="–", border=0)
        items = "".join(f"<li>{html.escape(reason)}</li>" for reason in self.skipped)
        skipped = f"<p>Not checked</p><ul>{items}</ul>" if items else ""
        found = table if self.findings else ""
        return f"<div><p><b>{html.escape(self.verdict)}</b></p>{found}{skipped}</div>"


def _frame(
    kind: type[Finding] | type[Measured], rows: tuple[Finding, ...] | tuple[Measured, ...]
) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([astuple(row) for row in rows], columns=[field.name for field in fields(kind)])
