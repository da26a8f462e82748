"""Corrective runs: a retraining that differs from its parent in a declared, recorded way."""

from __future__ import annotations

from cv_pipeline.correction.declare import declare, parse_changes
from cv_pipeline.correction.record import CorrectiveRecord, read_corrective, write_corrective
from cv_pipeline.correction.selection import selected_images

__all__ = [
    "CorrectiveRecord",
    "declare",
    "parse_changes",
    "read_corrective",
    "selected_images",
    "write_corrective",
]
