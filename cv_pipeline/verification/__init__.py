"""Verification: what was published, cached or copied still is what its digest says."""

from __future__ import annotations

from cv_pipeline.verification.copies import verify_copy
from cv_pipeline.verification.report import Problem, Report, merged
from cv_pipeline.verification.verify import verify_cache, verify_store, verify_versions

__all__ = [
    "Problem",
    "Report",
    "merged",
    "verify_cache",
    "verify_copy",
    "verify_store",
    "verify_versions",
]
