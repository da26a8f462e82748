"""Whether statistics that images are scaled by were fitted on training images alone."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.finding import Finding, counted
from cv_pipeline.datasets.statistics import Moments, fit_statistics

FITTED = pa.schema(
    [
        # what is measured of images
        pa.field("measure", pa.string(), nullable=False),
        # mean that the candidate records; null when it records none
        pa.field("mean", pa.float64()),
        # standard deviation that it records
        pa.field("std", pa.float64()),
        # those of the training images
        pa.field("train_mean", pa.float64(), nullable=False),
        pa.field("train_std", pa.float64(), nullable=False),
        # those of all images
        pa.field("all_mean", pa.float64(), nullable=False),
        pa.field("all_std", pa.float64(), nullable=False),
        # what was recorded: train, all (held-out images leak into it), other or none
        pa.field("fitted_on", pa.string(), nullable=False),
    ]
)
SAME = 1e-6
"""Relative difference up to which two numbers are one."""


def check_preprocessing(context: CheckContext, threshold: float) -> Finding:
    """Fit the recorded statistics again, on the training images and on all images.

    What the candidate records must be the former, and name exactly the training images. Where a
    split is everything both are the same, and that passes.

    Args:
        context: the candidate.
        threshold: most measures that may be recorded otherwise.

    Returns:
        Rows of schema :data:`FITTED`, one a measure.
    """
    manifest, recorded = context.manifest, context.record.statistics
    image_ids = manifest["image_id"].combine_chunks()
    train = image_ids.filter(pc.equal(manifest["split"], "train").combine_chunks())
    of_train = fit_statistics(train, context.measures)
    of_all = fit_statistics(image_ids, context.measures)
    found = []
    for name, trained in of_train.measures.items():
        everything = of_all.measures[name]
        kept = recorded.measures.get(name) if recorded else None
        found.append(
            {
                "measure": name,
                "mean": kept.mean if kept else None,
                "std": kept.std if kept else None,
                "train_mean": trained.mean,
                "train_std": trained.std,
                "all_mean": everything.mean,
                "all_std": everything.std,
                "fitted_on": _fitted_on(kept, trained, everything),
            }
        )
    rows = pa.Table.from_pylist(found, schema=FITTED)
    wrong = rows.filter(pc.not_equal(rows["fitted_on"], "train"))
    others = recorded is not None and recorded.images_digest != of_train.images_digest
    metrics = {"measures": len(rows), "not_of_train": len(wrong), "images": of_train.images}
    return Finding(
        len(wrong) <= threshold and not others,
        _summary(rows, wrong, others, metrics),
        metrics,
        rows,
    )


def _summary(rows: pa.Table, wrong: pa.Table, others: bool, metrics: dict[str, int]) -> str:
    train = counted(metrics["images"], "training image")
    if len(wrong):
        named = ", ".join(f"{r['measure']} ({r['fitted_on']})" for r in wrong.to_pylist())
        return f"{len(wrong)} of {len(rows)} statistics were not fitted on the {train}: {named}."
    if others:
        return f"The recorded statistics name other images than the {train}."
    return f"All {len(rows)} recorded statistics were fitted on the {train} alone."


def _fitted_on(kept: Moments | None, train: Moments, everything: Moments) -> str:
    if kept is None:
        return "none"
    for name, fitted in (("train", train), ("all", everything)):
        same = math.isclose(kept.mean, fitted.mean, rel_tol=SAME, abs_tol=SAME)
        if same and math.isclose(kept.std, fitted.std, rel_tol=SAME, abs_tol=SAME):
            return name
    return "other"
