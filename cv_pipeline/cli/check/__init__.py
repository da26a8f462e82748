"""``cvp check``: checks on plain files, for CI; no project, and nothing is kept."""

from __future__ import annotations

import typer

from cv_pipeline.cli.check.agreement import agreement
from cv_pipeline.cli.check.classification import classification
from cv_pipeline.cli.check.detections import detections
from cv_pipeline.cli.check.leakage import leakage
from cv_pipeline.cli.check.segmentation import segmentation

check = typer.Typer(
    help="Check plain files, without a project: exit status 0 when nothing is found, 1 when"
    " something is, 2 when the check could not be made.",
    no_args_is_help=True,
)
check.command()(leakage)
check.command()(detections)
check.command()(classification)
check.command()(segmentation)
check.command()(agreement)

__all__ = ["check"]
