"""The leakage audit of features, see `recobro_score.features.audit.leakage`."""

from __future__ import annotations

from recobro_score.features.audit.leakage import audit_leakage
from recobro_score.features.audit.options import AuditOptions
from recobro_score.features.audit.result import Finding, LeakageAudit

__all__ = ["AuditOptions", "Finding", "LeakageAudit", "audit_leakage"]
