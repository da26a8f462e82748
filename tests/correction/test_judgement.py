"""A corrective model and its parent on hand-made predictions of ten test images."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.catalog.schemas.annotations import ANNOTATIONS
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.correction.judgement import (
    judge,
    read_judgement,
    summarize,
    write_judgement,
)
from cv_pipeline.correction.record import CorrectiveRecord, Selection
from cv_pipeline.errors import CorrectiveError
from cv_pipeline.project import Training
from cv_pipeline.storage import open_store

LABELS = ("orange", "tomato")
TEST = [f"t{n}" for n in range(10)]
TRUTH = {image: "tomato" if n < 7 else "orange" for n, image in enumerate(TEST)}
DIM = pa.array([*TEST[:6], "elsewhere"])


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    ids = [*TEST, "v0"]
    images = {
        "image_id": ids,
        "split": ["test"] * 10 + ["val"],
        "width": pa.array([64] * 11, pa.int32()),
        "height": pa.array([48] * 11, pa.int32()),
    }
    pq.write_table(pa.table(images), folder / "manifest.parquet")
    rows = [
        {
            "annotation_id": f"a{n}",
            "image_id": image,
            "label": TRUTH.get(image, "orange"),
            "kind": "class",
            "attributes": "{}",
            "annotator": "anna",
            "role": "annotator",
            "ontology_version": "1",
            "guideline_version": "1",
            "source": "labels.csv",
            "original_id": str(n),
        }
        for n, image in enumerate(ids)
    ]
    table = pa.Table.from_pylist(rows, schema=ANNOTATIONS)
    pq.write_table(table, folder / "annotations.parquet")
    (folder / "dataset.json").write_text(json.dumps({"digest": "d"}))
    return folder


def predicted(folder: Path, said: dict[str, str], **changes: Any) -> Path:
    """A predictions folder that says these classes."""
    folder.mkdir()
    rows = [
        {"image_id": image, "rank": 1, "label": label, "score": 0.9}
        for image, label in {**said, "v0": "orange"}.items()
    ]
    table = pa.Table.from_pylist(rows, schema=PREDICTIONS)
    pq.write_table(table, folder / "predictions.parquet")
    header = {
        "digest": folder.name,
        "dataset_digest": "d",
        "model_digest": f"model-{folder.name}",
        "splits": ["val", "test"],
    }
    (folder / "predictions.json").write_text(json.dumps(header | changes))
    return folder


def record(**changes: Any) -> CorrectiveRecord:
    chosen = Selection(query="tag = 'dim'", pins={}, digest="e", images=7, weight=3)
    values: dict[str, Any] = {
        "project": "fruit",
        "parent": "p",
        "parent_dataset": "d",
        "selection": chosen,
        "label": "tomato",
        "changes": {},
        "training": Training(model="resnet18_small", input_size=(32, 32)),
        "seed": 0,
        "reason": "",
        "actor": "anna",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "table_versions": {},
    }
    return CorrectiveRecord(**(values | changes)).signed()


def judged(
    dataset: Path,
    before: Path,
    after: Path,
    said: CorrectiveRecord | None = None,
    seen: tuple[str, ...] = (),
) -> Any:
    return judge(
        said or record(),
        task="classification",
        labels=LABELS,
        dataset=dataset,
        before=before,
        after=after,
        split="test",
        selected=DIM,
        seen=pa.array(seen, pa.string()),
    )


def test_six_tomatoes_that_were_oranges_are_found(dataset: Path, tmp_path: Path) -> None:
    before = predicted(tmp_path / "before", dict.fromkeys(TEST, "orange"))
    after = predicted(tmp_path / "after", {**TRUTH, "t9": "tomato"})
    found = judged(dataset, before, after)
    assert (found.parent, found.model, found.images) == ("model-before", "model-after", 10)
    assert (found.before["accuracy"], found.after["accuracy"]) == (0.3, 0.9)
    part = found.selection
    assert (part.label, part.images, part.objects) == ("tomato", 6, 6)
    assert (part.before.value, part.after.value, part.gained, part.lost) == (0, 1, 6, 0)
    assert part.p_value == pytest.approx(2 / 2**6)
    assert part.improved
    assert (found.whole.objects, found.whole.gained, found.whole.lost) == (10, 7, 1)
    told = summarize(found, metric="accuracy")
    assert told == (
        "Recall of tomato on the selection 0.000 before, 1.000 after (6 objects on 6 images,"
        " 6 gained, 0 lost, p = 0.031): significantly better."
        " accuracy 0.300 before, 0.900 after, on 10 images."
    )
    store = open_store(str(tmp_path / "store"))
    write_judgement(store, "fruit", found)
    kept = read_judgement(store, "fruit", corrective=found.corrective, model=found.model)
    assert kept == json.loads(json.dumps(found.to_json()))
    assert read_judgement(store, "fruit", corrective=found.corrective, model="other") is None


def test_a_class_that_is_gone_is_a_clear_error(dataset: Path, tmp_path: Path) -> None:
    same = predicted(tmp_path / "same", TRUTH)
    with pytest.raises(CorrectiveError, match="'apple', which is no class any more"):
        judged(dataset, same, same, record(label="apple"))


def test_the_other_way_round_it_got_worse(dataset: Path, tmp_path: Path) -> None:
    before = predicted(tmp_path / "before", TRUTH)
    after = predicted(tmp_path / "after", dict.fromkeys(TEST, "orange"))
    found = judged(dataset, before, after)
    assert found.selection.worsened
    assert "significantly worse" in summarize(found, metric="accuracy")
    same = judged(dataset, before, before)
    assert (same.selection.gained, same.selection.lost, same.selection.p_value) == (0, 0, 1)
    assert "no significant change" in summarize(same, metric="accuracy")


def test_without_a_selection_or_its_objects_the_whole_is_told(
    dataset: Path, tmp_path: Path
) -> None:
    before = predicted(tmp_path / "before", TRUTH)
    found = judged(dataset, before, before, record(selection=None, label=None))
    assert found.selection is None
    assert "No object of the selection is in test" in summarize(found, metric="accuracy")
    nowhere = judged(dataset, before, before, record(label="orange"))
    assert nowhere.selection is None


def test_what_the_parent_has_seen_is_left_out(dataset: Path, tmp_path: Path) -> None:
    before = predicted(tmp_path / "before", dict.fromkeys(TEST, "orange"))
    after = predicted(tmp_path / "after", TRUTH)
    found = judged(dataset, before, after, seen=("t0", "t1", "t9", "v0"))
    assert (found.images, found.whole.images, found.selection.images) == (7, 7, 4)
    assert found.before["accuracy"] == pytest.approx(2 / 7)


def test_models_that_were_predicted_on_other_images_are_not_compared(
    dataset: Path, tmp_path: Path
) -> None:
    before = predicted(tmp_path / "before", TRUTH)
    rest = {image: label for image, label in TRUTH.items() if image != "t3"}
    after = predicted(tmp_path / "after", rest, taken_out=["t3"])
    with pytest.raises(CorrectiveError, match="predicted on different images"):
        judged(dataset, before, after)
    other = predicted(tmp_path / "other", {}, splits=["val"])
    with pytest.raises(CorrectiveError, match=r"split test was not predicted \(val were\)"):
        judged(dataset, other, other)
