"""The stages of a project as Dagster assets, one thin module each, in pipeline order."""

from __future__ import annotations

from assets import (
    annotation_batches,
    annotation_exports,
    champion,
    corrective,
    dataset_candidate,
    dataset_version,
    error_analysis,
    eval_slices,
    hand_off,
    image_features,
    predictions,
    prelabels,
    raw_images,
    trained_model,
)

STAGES = [
    raw_images,
    image_features,
    prelabels,
    annotation_batches,
    hand_off,
    annotation_exports,
    dataset_candidate,
    dataset_version,
    trained_model,
    predictions,
    eval_slices,
    error_analysis,
    corrective,
    champion,
]

__all__ = ["STAGES"]
