"""Training and prediction in processes of their own; importing this costs no torch."""

from __future__ import annotations

from cv_pipeline.training.hardware import execution_environment
from cv_pipeline.training.model_folder import ModelCard, read_model_card
from cv_pipeline.training.normalisation_check import check_normalisation
from cv_pipeline.training.process import run_explanation, run_prediction, run_training
from cv_pipeline.training.spec import (
    ActivationSpec,
    Emphasis,
    EpochResult,
    FoldParts,
    PredictionReport,
    PredictionSpec,
    TrainingReport,
    TrainingSpec,
    speed_facts,
)
from cv_pipeline.training.tracking import initialise_tracking

__all__ = [
    "ActivationSpec",
    "Emphasis",
    "EpochResult",
    "FoldParts",
    "ModelCard",
    "PredictionReport",
    "PredictionSpec",
    "TrainingReport",
    "TrainingSpec",
    "check_normalisation",
    "execution_environment",
    "initialise_tracking",
    "read_model_card",
    "run_explanation",
    "run_prediction",
    "run_training",
    "speed_facts",
]
