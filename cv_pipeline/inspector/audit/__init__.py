"""The audit log: who changed what, when, from where and why, so that nothing can be taken back."""

from __future__ import annotations

from cv_pipeline.inspector.audit.audit import Audit, CurrentAudit
from cv_pipeline.inspector.audit.entry import Entry, Line
from cv_pipeline.inspector.audit.log import AuditLog, AuditLogError, Head, Wanted
from cv_pipeline.inspector.audit.verification import Fault, Verdict, verify

__all__ = [
    "Audit",
    "AuditLog",
    "AuditLogError",
    "CurrentAudit",
    "Entry",
    "Fault",
    "Head",
    "Line",
    "Verdict",
    "Wanted",
    "verify",
]
