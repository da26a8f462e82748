"""Annotations: formats of exports, their import, and several annotators made one label."""

from __future__ import annotations

from cv_pipeline.annotations.aggregation import aggregate
from cv_pipeline.annotations.formats import parse_export, read_export
from cv_pipeline.annotations.raw import RAW_ANNOTATIONS, ParsedExport

__all__ = ["RAW_ANNOTATIONS", "ParsedExport", "aggregate", "parse_export", "read_export"]
