"""The leakage audit of features, see `recobro_score.features.audit.leakage`."""

from __future__ import annotations

from recobro_score.features.audit.leakage import audit_leakage as audit_leakage
from recobro_score.features.audit.options import AuditOptions as AuditOptions
from recobro_score.features.audit.result import Finding as Finding
from recobro_score.features.audit.result import LeakageAudit as LeakageAudit
