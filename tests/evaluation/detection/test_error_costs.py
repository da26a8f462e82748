"""Kinds of error and their costs beside those of tidecv, and by a naive reading of the paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cv_pipeline.evaluation.detection.error_costs import ErrorCosts, error_costs
from tests.evaluation.detection.coco_reference import coco_files
from tests.evaluation.detection.test_summary import evaluated

REFERENCE = json.loads((Path(__file__).parent / "tide_reference.json").read_text())


def costs(
    folder: Path, known: dict[str, Any], results: list[dict[str, Any]], iou: str
) -> ErrorCosts:
    made = evaluated(folder, known, results, iou)
    return error_costs(
        made.truth,
        made.detections,
        pairs=made.pairs,
        match=made.matches(),
        labels=len(known["categories"]),
    )


@pytest.mark.parametrize("reference", REFERENCE, ids=lambda r: f"seed{r['scene']['seed']}")
def test_agrees_with_tidecv(tmp_path: Path, reference: dict[str, Any]) -> None:
    scene = reference["scene"]
    made = costs(tmp_path, *coco_files(**scene), "segm" if scene.get("masks") else "bbox")
    assert 100 * made.average_precision == pytest.approx(reference["AP"], abs=1e-6)
    assert {k: n for k, n in made.counts.items() if k != "correct"} == reference["counts"]
    assert {k: 100 * c for k, c in made.costs.items()} == pytest.approx(
        reference["costs"], abs=1e-6
    )
