"""How good a model's predictions are: metrics, slices, and the images behind every number."""

from __future__ import annotations

from cv_pipeline.evaluation.evaluation import Evaluation, evaluate, load_evaluation
from cv_pipeline.evaluation.metrics import Metrics, classification_metrics, detection_metrics
from cv_pipeline.evaluation.slicing.facts import Known

__all__ = [
    "Evaluation",
    "Known",
    "Metrics",
    "classification_metrics",
    "detection_metrics",
    "evaluate",
    "load_evaluation",
]
