"""The audit log: who changed what, when, from where and why, so that nothing can be taken back."""

from __future__ import annotations

from cv_pipeline.inspector.audit.audit import Audit, CurrentAudit

__all__ = ["Audit", "CurrentAudit"]
