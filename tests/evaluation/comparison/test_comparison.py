from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.catalog.schemas.compared import COMPARED_IMAGES, COMPARED_SLICES
from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation import evaluate
from cv_pipeline.evaluation.comparison import Comparison, Side, compare
from cv_pipeline.evaluation.resampling import Resampling
from cv_pipeline.project import Project

LABELS = ("apple", "orange", "tomato")
BOX, FAR = (10.0, 10.0, 30.0, 30.0), (60.0, 60.0, 80.0, 80.0)
FEW = Resampling(resamples=200)
IMAGES = tuple(f"i{n:02}" for n in range(60))
DIM = frozenset(IMAGES[:24])


@dataclasses.dataclass
class World:
    """Dataset versions and models of one project, made when asked for."""

    root: Path
    task: str
    annotations_of: Callable[..., pa.Table]
    predictions_of: Callable[..., pa.Table]

    def side(
        self,
        name: str,
        rows: list[tuple[Any, ...]],
        *,
        images: tuple[str, ...] = IMAGES,
        labels: dict[str, str] | None = None,
        folders: bool = True,
        split: str = "test",
        **costs: float,
    ) -> Side:
        """A model, from its predictions on a dataset version of some images."""
        known = labels or {}
        digest = f"{hash((images, tuple(known.items()))) % 2**64:064x}"
        dataset, predictions = self.root / digest, self.root / name
        dataset.mkdir(exist_ok=True)
        predictions.mkdir()
        size = len(images)
        manifest = {
            "image_id": list(images),
            "split": [split] * size,
            "width": pa.array([100] * size, pa.int32()),
            "height": pa.array([100] * size, pa.int32()),
        }
        pq.write_table(pa.table(manifest), dataset / "manifest.parquet")
        truth = [(i, known.get(i, "tomato")) for i in images]
        if self.task == "detection":
            truth = [(i, "apple", BOX) for i in images] + [(*row, FAR) for row in truth]
        pq.write_table(self.annotations_of(*truth), dataset / "annotations.parquet")
        (dataset / "dataset.json").write_text(json.dumps({"digest": digest}))
        pq.write_table(self.predictions_of(*rows), predictions / "predictions.parquet")
        header = {
            "digest": name.ljust(64, "0"),
            "model_digest": f"model-{name}",
            "dataset_digest": digest,
            "splits": [split],
        }
        (predictions / "predictions.json").write_text(json.dumps(header))
        made = evaluate(
            project=self.project,
            dataset=dataset,
            predictions=predictions,
            metadata=lighting(),
            folder=self.root / f"{name}-evaluation",
        )
        return Side(
            made,
            dataset=dataset if folders else None,
            predictions=predictions if folders else None,
            costs=costs,
        )

    @property
    def project(self) -> Project:
        return Project.model_validate(
            {
                "name": "fruit",
                "task": self.task,
                "charter": {"problem": "find fruit"},
                "source": {"images": "images"},
                "annotations": {"source": "labels"},
                "ontology": {"labels": LABELS},
                "training": {"model": "any", "input_size": (32, 32)},
                "evaluation": {"slices": ("lighting",), "min_slice": 5},
            }
        )


def lighting() -> pa.Table:
    values = ["dim" if i in DIM else "bright" for i in IMAGES]
    return pa.table({"image_id": list(IMAGES), "key": ["lighting"] * len(IMAGES), "value": values})


@pytest.fixture(params=["classification", "detection"])
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(tmp_path, annotations_of, predictions_of) -> Callable[[str], World]:
    return lambda task: World(tmp_path, task, annotations_of, predictions_of)


def said(task: str, mistaken: set[str], images: tuple[str, ...] = IMAGES) -> list[tuple[Any, ...]]:
    """Predictions that are right but for the tomatoes of some images, which are oranges."""
    what = {i: "orange" if i in mistaken else "tomato" for i in images}
    if task == "classification":
        return [(i, what[i], 0.9) for i in images]
    return [row for i in images for row in ((i, "apple", 0.9, BOX), (i, what[i], 0.8, FAR))]


def compared(before: Side, after: Side, **options: Any) -> Comparison:
    return compare(before, after, metadata=lighting(), keys=["lighting"], resampling=FEW, **options)


def test_the_better_model_is_told_with_its_slice(make, task):
    world = make(task)
    mended = set(sorted(DIM)[:4])
    before = world.side("old", said(task, set(DIM)), latency_p95_ms=20.0, weights=7.0)
    after = world.side("new", said(task, mended), latency_p95_ms=30.0)
    made = compared(before, after)
    assert (made.before, made.after, made.images) == ("model-old", "model-new", 60)
    assert (made.gained, made.lost) == (20, 0)
    metric = "accuracy" if task == "classification" else "recall"
    found = made.overall[metric]
    of_all = 20 / 60 if task == "classification" else 20 / 120
    assert found.difference == pytest.approx(of_all)
    assert 0 < found.low < found.difference < found.high
    if task == "classification":
        assert found.p_value == pytest.approx(2 * 0.5**20)
    assert made.classes["tomato"]["recall"].difference == pytest.approx(20 / 60)
    slices = {(r["slice_value"], r["label"]): r for r in made.slices.to_pylist()}
    dim = slices["dim", "tomato"]
    assert (dim["before"], dim["after"]) == pytest.approx((0.0, 20 / 24))
    assert dim["significant"]
    assert slices["bright", "tomato"]["difference"] == 0.0
    assert not slices["bright", "tomato"]["significant"]
    assert made.verdict.startswith(f"better on {made.metric} by ")
    assert "20 of 60 images gained, 0 lost" in made.verdict
    assert "lighting dim: recall of tomato +0.83" in made.verdict
    assert made.costs == {"latency_p95_ms": (20.0, 30.0), "weights": (7.0, None)}
    assert made.notes == ()


def test_the_other_way_round_it_is_worse(make, task):
    world = make(task)
    made = compared(world.side("old", said(task, set())), world.side("new", said(task, set(DIM))))
    assert made.verdict.startswith(f"worse on {made.metric} by ")
    assert (made.gained, made.lost) == (0, 24)
    first = made.changed.to_pylist()[0]
    assert (first["change"], first["correct_before"], first["correct_after"]) == (
        "lost",
        True,
        False,
    )
    assert made.changed.schema.equals(COMPARED_IMAGES)
    assert made.slices.schema.equals(COMPARED_SLICES)


def test_a_few_images_prove_nothing(make, task):
    world = make(task)
    made = compared(
        world.side("old", said(task, {"i00", "i01"})), world.side("new", said(task, {"i02"}))
    )
    assert (made.gained, made.lost) == (2, 1)
    assert made.verdict.startswith(f"no significant difference on {made.metric}: ")
    assert made.verdict.endswith("no slice differs significantly.")


def test_a_model_does_not_differ_from_itself(make, task):
    world = make(task)
    one = world.side("old", said(task, set(DIM)))
    made = compared(one, one)
    differences = [*made.overall.values(), *(d for c in made.classes.values() for d in c.values())]
    assert {d.difference for d in differences} <= {0.0, None}
    assert not any(d.significant for d in differences)
    assert made.changed.num_rows == 0
    assert made.notes == ("Both evaluations are of one model.",)


def test_average_precision_is_that_of_the_evaluations(make):
    world = make("detection")
    before = world.side("old", said("detection", set(DIM)))
    after = world.side("new", said("detection", set(sorted(DIM)[:3])))
    made = compared(before, after)
    for metric in ("AP", "AP50", "AP75", "recall", "precision", "f1"):
        found = made.overall[metric]
        assert found.before == pytest.approx(before.evaluation.metrics[metric])
        assert found.after == pytest.approx(after.evaluation.metrics[metric])
        assert found.low < found.difference < found.high
        assert found.significant


def test_means_over_classes_are_those_of_the_evaluations(make):
    world = make("classification")
    labels = {i: LABELS[n % 3] for n, i in enumerate(IMAGES)}
    rng = np.random.default_rng(0)
    sides = [
        world.side(
            name,
            [(i, t if rng.random() < skill else "apple", 0.8) for i, t in labels.items()],
            labels=labels,
        )
        for name, skill in (("old", 0.4), ("new", 0.9))
    ]
    made = compared(*sides)
    for metric in ("accuracy", "macro_f1", "balanced_accuracy"):
        values = [s.evaluation.metrics[metric] for s in sides]
        found = made.overall[metric]
        assert [found.before, found.after] == pytest.approx(values)
        assert found.low <= found.difference <= found.high
        assert found.significant


def test_without_folders_what_the_evaluations_hold_is_compared(make):
    world = make("detection")
    made = compared(
        world.side("old", said("detection", set(DIM)), folders=False),
        world.side("new", said("detection", set())),
    )
    assert set(made.overall) == {"recall", "precision", "f1"}
    assert made.overall["recall"].difference == pytest.approx(24 / 120)
    assert made.classes == {}
    assert "average precision and classes are not compared" in made.notes[0]
    assert made.verdict.startswith("AP50 is not defined for both models")


def test_two_dataset_versions_share_some_images(make, task):
    world = make(task)
    made = compared(
        world.side("old", said(task, set(DIM), IMAGES[:50]), images=IMAGES[:50]),
        world.side("new", said(task, set(), IMAGES[10:]), images=IMAGES[10:]),
    )
    assert made.images == 40
    assert made.gained == 14
    assert "40 images of test are in both, 10 only in the first and 10 only in the" in made.notes[0]


def test_images_that_were_labelled_anew_are_told(make):
    world = make("classification")
    made = compared(
        world.side("old", said("classification", set())),
        world.side("new", said("classification", set()), labels={"i00": "orange"}),
    )
    assert made.notes[1].startswith("1 of the shared images have other labels in the second")
    assert (made.gained, made.lost) == (0, 1)


def test_slices_declared_by_query(make, task):
    world = make(task)
    made = compare(
        world.side("old", said(task, set(DIM))),
        world.side("new", said(task, set())),
        metadata=lighting(),
        declared={"evening": pa.array(sorted(DIM)), "nothing": pa.array(["elsewhere"])},
        resampling=FEW,
    )
    assert set(made.slices["slice_key"].to_pylist()) == {"evening"}
    assert made.slices["images"].to_pylist()[0] == 24


def test_small_slices_are_said_to_be_small_and_not_tested(make, task):
    world = make(task)
    made = compare(
        world.side("old", said(task, set(DIM))),
        world.side("new", said(task, set())),
        metadata=lighting(),
        declared={"few": pa.array(sorted(DIM)[:3])},
        resampling=FEW,
    )
    assert made.slices["small"].to_pylist()[0]
    assert set(made.slices["adjusted_p"].to_pylist()) == {None}
    assert not any(made.slices["significant"].to_pylist())


def test_json_is_complete(make, task):
    world = make(task)
    made = compared(world.side("old", said(task, set(DIM))), world.side("new", said(task, set())))
    told = json.loads(json.dumps(made.to_json(images=2)))
    assert len(told["changed"]) == 2
    assert told["metrics"]["recall" if task == "detection" else "accuracy"]["significant"]
    assert told["verdict"] == made.verdict


def test_what_cannot_be_compared(make):
    world = make("classification")
    one = world.side("old", said("classification", set()))
    other = tuple(f"other{n}" for n in range(9))
    apart = world.side("apart", said("classification", set(), other), images=other)
    with pytest.raises(EvaluationError, match="share no image of test"):
        compare(one, apart)
    val = world.side("val", said("classification", set()), labels={"i00": "apple"}, split="val")
    with pytest.raises(EvaluationError, match="is of the split test, the other of val"):
        compare(one, val)
    world.task = "detection"
    labels = {"i00": "orange"}
    two = world.side("new", said("detection", set()), labels=labels)
    with pytest.raises(EvaluationError, match="One model is for classification, the other for det"):
        compare(one, two)
    three = world.side("third", said("detection", set()), labels=labels)
    with pytest.raises(EvaluationError, match="are not those of the evaluation"):
        compare(two, dataclasses.replace(two, predictions=three.predictions))
