"""What is watched after training: the metrics that evaluations record."""

from __future__ import annotations

from cv_pipeline.monitoring.metric_drift import EvaluationPoint, RetrainDecision, decide

__all__ = ["EvaluationPoint", "RetrainDecision", "decide"]
