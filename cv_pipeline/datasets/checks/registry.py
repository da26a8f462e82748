"""The checks on a dataset candidate, by name, and how a project's settings apply to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cv_pipeline.datasets.checks.attribute_coverage import check_attribute_coverage
from cv_pipeline.datasets.checks.class_coverage import check_class_coverage
from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.contradictions import check_contradictions
from cv_pipeline.datasets.checks.finding import Finding
from cv_pipeline.datasets.checks.giveaway import check_giveaway
from cv_pipeline.datasets.checks.group_leakage import check_group_leakage
from cv_pipeline.datasets.checks.integrity import check_integrity
from cv_pipeline.datasets.checks.leakage import check_leakage
from cv_pipeline.datasets.checks.preprocessing import check_preprocessing
from cv_pipeline.datasets.checks.representation import check_representation
from cv_pipeline.datasets.checks.split_drift import check_split_drift
from cv_pipeline.datasets.checks.table_schemas import (
    check_annotations_schema,
    check_images_schema,
    check_metadata_schema,
    check_near_duplicates_schema,
)
from cv_pipeline.datasets.checks.time_leakage import check_time_leakage
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.memory import give_back_memory
from cv_pipeline.project import Severity


@dataclass(frozen=True)
class CandidateCheck:
    """A check on a dataset candidate.

    Attributes:
        description: what it looks for, in a sentence.
        severity: what a failure means where the project does not say: ``error`` blocks the
            dataset version, ``warn`` only tells.
        threshold: the limit where the project does not set one; the function says of what.
        function: takes what it looks at and the threshold.
    """

    description: str
    severity: Severity
    threshold: float
    function: Callable[[CheckContext, float], Finding]


CHECKS: dict[str, CandidateCheck] = {
    "integrity": CandidateCheck(
        "Every row leads to a stored image, nothing is there twice, every box is a box.",
        "error",
        0,
        check_integrity,
    ),
    "images_schema": CandidateCheck(
        "The images' table holds what its columns promise.", "error", 0, check_images_schema
    ),
    "annotations_schema": CandidateCheck(
        "The labels' table holds what its columns promise, with classes of the ontology.",
        "error",
        0,
        check_annotations_schema,
    ),
    "metadata_schema": CandidateCheck(
        "The metadata's table holds what its columns promise.", "error", 0, check_metadata_schema
    ),
    "near_duplicates_schema": CandidateCheck(
        "The near-duplicates' table holds what its columns promise.",
        "error",
        0,
        check_near_duplicates_schema,
    ),
    "leakage": CandidateCheck(
        "No picture is in two splits, be it re-encoded, resized, mirrored or cropped.",
        "error",
        0,
        check_leakage,
    ),
    "group_leakage": CandidateCheck(
        "No value of the project's group keys is in two splits.", "error", 0, check_group_leakage
    ),
    "time_leakage": CandidateCheck(
        "Nothing is trained on that is newer than what is tested, or of the same moment.",
        "warn",
        0,
        check_time_leakage,
    ),
    "class_coverage": CandidateCheck(
        "Every class is in every split, where enough images show it.",
        "error",
        1,
        check_class_coverage,
    ),
    "attribute_coverage": CandidateCheck(
        "Every declared attribute value is in every split, where enough images have it.",
        "warn",
        1,
        check_attribute_coverage,
    ),
    "contradictions": CandidateCheck(
        "No picture is labelled in two ways, by near-duplicates or by annotators.",
        "warn",
        0,
        check_contradictions,
    ),
    "giveaway": CandidateCheck(
        "No metadata key or image property alone predicts the label.", "warn", 0.5, check_giveaway
    ),
    "representation": CandidateCheck(
        "Every metadata value and class has about its share of the lake, and none is rare.",
        "warn",
        0.8,
        check_representation,
    ),
    "split_drift": CandidateCheck(
        "Validation and test images look like training images, in all that is known of them.",
        "warn",
        0.25,
        check_split_drift,
    ),
    "preprocessing": CandidateCheck(
        "Statistics that images are scaled by were fitted on training images alone.",
        "error",
        0,
        check_preprocessing,
    ),
}
"""Every check, in the order in which people should read them."""


def run_check(name: str, context: CheckContext) -> tuple[Verdict, Finding]:
    """Run one check with the project's severity and threshold, or else its own.

    Raises:
        KeyError: there is no check called ``name``.
    """
    check, setting = CHECKS[name], context.project.checks.get(name)
    severity, threshold = check.severity, check.threshold
    if setting is not None:
        # a project that only sets a threshold leaves the severity as it is
        severity = setting.severity if "severity" in setting.model_fields_set else severity
        threshold = threshold if setting.threshold is None else setting.threshold
    finding = check.function(context, threshold)
    verdict = Verdict(check=name, passed=finding.passed, severity=severity, summary=finding.summary)
    give_back_memory()
    return verdict, finding
