"""Checks on a dataset candidate: a registry of functions that each return what they found."""

from __future__ import annotations

from cv_pipeline.datasets.checks.context import CheckContext, load_context
from cv_pipeline.datasets.checks.finding import Finding
from cv_pipeline.datasets.checks.registry import CHECKS, CandidateCheck, run_check

__all__ = ["CHECKS", "CandidateCheck", "CheckContext", "Finding", "load_context", "run_check"]
