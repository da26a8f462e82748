"""The provenance record, read from Dagster's event log: trace up, trace down, gate."""

from __future__ import annotations

from cv_pipeline.provenance.event_log import EventLog, Input, Materialization
from cv_pipeline.provenance.inputs import Inputs
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.references import find_event, trace
from cv_pipeline.provenance.trace import Node, Trace, trace_event
from cv_pipeline.provenance.verdicts import (
    CheckResult,
    pinned,
    require_passing,
    results_on,
    verdicts_on,
)
from cv_pipeline.provenance.worst_images import WorstImages, worst_images

__all__ = [
    "CheckResult",
    "EventLog",
    "Input",
    "Inputs",
    "LineageIndex",
    "Materialization",
    "Node",
    "Trace",
    "WorstImages",
    "find_event",
    "pinned",
    "require_passing",
    "results_on",
    "trace",
    "trace_event",
    "verdicts_on",
    "worst_images",
]
