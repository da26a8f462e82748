from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.catalog.schemas.activations import ACTIVATIONS
from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation import Evaluation, evaluate
from cv_pipeline.evaluation.error_analysis.activation import ACTIVATION_SLICES
from cv_pipeline.evaluation.error_analysis.analysis import (
    ErrorAnalysis,
    analyse_errors,
    error_counts,
    load_error_analysis,
)
from cv_pipeline.evaluation.report.grids import class_grid, error_grid, gap_grid, slice_grid
from cv_pipeline.project import Project

LABELS = ("apple", "orange", "tomato")
BOX, FAR = (10.0, 10.0, 30.0, 30.0), (60.0, 60.0, 80.0, 80.0)
IMAGES = {f"{split}{n:02d}": split for split in ("val", "test") for n in range(12)}


@pytest.fixture(params=["detection", "classification"])
def evaluated(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    annotations_of: Callable[..., pa.Table],
    predictions_of: Callable[..., pa.Table],
) -> tuple[Evaluation, pa.Table]:
    """An apple and a tomato on each image, of which two tomatoes of test are called oranges."""
    confused = {"test00", "test01"}
    named = {i: "orange" if i in confused else "tomato" for i in IMAGES}
    if request.param == "detection":
        annotations = annotations_of(
            *((i, "apple", BOX) for i in IMAGES), *((i, "tomato", FAR) for i in IMAGES)
        )
        predictions = predictions_of(
            *((i, "apple", 0.9, BOX) for i in IMAGES), *((i, named[i], 0.8, FAR) for i in IMAGES)
        )
    else:
        annotations = annotations_of(
            *((i, "apple" if n % 2 else "tomato") for n, i in enumerate(IMAGES))
        )
        predictions = predictions_of(
            *((i, "apple" if n % 2 else named[i], 0.9) for n, i in enumerate(IMAGES))
        )
    project = Project.model_validate(
        {
            "name": "fruit",
            "task": request.param,
            "charter": {"problem": "find fruit"},
            "source": {"images": "images"},
            "annotations": {"source": "labels"},
            "ontology": {"labels": LABELS},
            "training": {"model": "any", "input_size": (32, 32)},
            "evaluation": {"slices": ("lighting",), "min_slice": 2},
        }
    )
    dataset, said = tmp_path / "dataset", tmp_path / "predictions"
    dataset.mkdir()
    said.mkdir()
    sides = pa.array([100] * len(IMAGES), pa.int32())
    manifest = {"image_id": list(IMAGES), "split": list(IMAGES.values())}
    pq.write_table(pa.table({**manifest, "width": sides, "height": sides}),
                   dataset / "manifest.parquet")  # fmt: skip
    pq.write_table(annotations, dataset / "annotations.parquet")
    (dataset / "dataset.json").write_text(json.dumps({"digest": "d" * 64}))
    pq.write_table(predictions, said / "predictions.parquet")
    header: dict[str, Any] = {"digest": "p" * 64, "model_digest": "m" * 64}
    header |= {"dataset_digest": "d" * 64, "splits": ["val", "test"], "images": len(IMAGES)}
    (said / "predictions.json").write_text(json.dumps(header))
    lighting = ["dim" if int(i[-2:]) < 4 else "bright" for i in IMAGES]
    metadata = {"image_id": list(IMAGES), "key": ["lighting"] * len(IMAGES), "value": lighting}
    made = evaluate(
        project=project,
        dataset=dataset,
        predictions=said,
        metadata=pa.table(metadata),
        folder=tmp_path / "evaluation",
    )
    return made, predictions


def analysed(evaluated: tuple[Evaluation, pa.Table], folder: Path) -> ErrorAnalysis:
    return analyse_errors(
        *evaluated,
        activations=ACTIVATIONS.empty_table(),
        activation_slices=ACTIVATION_SLICES.empty_table(),
        notes=("nothing to say",),
        folder=folder,
    )


def test_an_analysis_is_written_and_read(evaluated, tmp_path):
    made = analysed(evaluated, tmp_path / "analysis")
    read = load_error_analysis(tmp_path / "analysis")
    assert read.record == made.record
    assert read.digest == made.digest
    assert read.label_errors.equals(made.label_errors)
    assert made.record.evaluation == evaluated[0].digest
    for name in made.record.charts:
        assert (tmp_path / "analysis" / name).read_bytes().startswith(b"\x89PNG")
    assert {"confusion.png", "correctness.png"} <= set(made.record.charts)
    again = analysed(evaluated, tmp_path / "again")
    assert again.digest == made.digest


def test_a_changed_folder_is_refused(evaluated, tmp_path):
    folder = tmp_path / "analysis"
    analysed(evaluated, folder)
    pq.write_table(
        pa.Table.from_pylist(
            [{"image_id": "a", "label": "b", "score": 1.0, "share": 1.0, "area": 1.0}],
            schema=ACTIVATIONS,
        ),
        folder / "activations.parquet",
    )
    with pytest.raises(EvaluationError, match="was changed after it was written"):
        load_error_analysis(folder)
    (folder / "label_errors.parquet").unlink()
    with pytest.raises(EvaluationError, match="is not an error analysis"):
        load_error_analysis(folder)


def test_the_tables_of_the_report(evaluated):
    made, _ = evaluated
    counts = error_counts(made)
    assert "correct" not in counts
    mistakes = 2 if made.record.task == "detection" else 1
    assert counts["classification"][0] == mistakes
    kinds = error_grid(counts)
    assert [row[0] for row in kinds.rows] == list(counts)
    slices = slice_grid(made)
    assert [row[0] for row in slices.rows] == ["lighting = bright", "lighting = dim"]
    assert all(len(row) == len(slices.heads) for row in slices.rows)
    classes = class_grid(made)
    assert [row[0] for row in classes.rows] == ["apple", "tomato"]
    assert all(len(row) == len(classes.heads) for row in classes.rows)
    assert [row[0] for row in gap_grid(made.record.gap).rows] == ["val", "test"]
