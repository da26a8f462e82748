"""Formats of annotation exports, one module each, and the registry that recognises them."""

from __future__ import annotations

from cv_pipeline.annotations.formats.registry import (
    FORMATS,
    ExportFiles,
    Format,
    detect_format,
    parse_export,
    read_export,
)

__all__ = [
    "FORMATS",
    "ExportFiles",
    "Format",
    "detect_format",
    "parse_export",
    "read_export",
]
