from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cv_pipeline.catalog.schemas.confusion import CONFUSION
from cv_pipeline.catalog.schemas.curves import CURVES
from cv_pipeline.catalog.schemas.matches import MATCHES
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.catalog.schemas.slices import SLICES
from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation import Evaluation, evaluate, load_evaluation
from cv_pipeline.project import Project

LABELS = ("apple", "orange", "tomato")
BOX = (10.0, 10.0, 30.0, 30.0)
FAR = (60.0, 60.0, 80.0, 80.0)


def project(task: str = "detection", **evaluation: Any) -> Project:
    return Project.model_validate(
        {
            "name": "fruit",
            "task": task,
            "charter": {"problem": "find fruit"},
            "source": {"images": "images"},
            "annotations": {"source": "labels"},
            "ontology": {"labels": LABELS},
            "training": {"model": "any", "input_size": (32, 32)},
            "evaluation": {"slices": ("lighting",), "min_slice": 2} | evaluation,
        }
    )


@dataclasses.dataclass
class World:
    """What an evaluation reads: change a part, then evaluate."""

    root: Path
    splits: dict[str, str]
    annotations: pa.Table
    predictions: pa.Table
    lighting: dict[str, str]
    predicted_splits: tuple[str, ...] = ("val", "test")
    predicted_dataset: str = "d" * 64
    taken_out: tuple[str, ...] = ()
    project: Project = dataclasses.field(default_factory=project)

    def evaluate(self, name: str = "evaluation") -> Evaluation:
        dataset, predictions = self.root / "dataset", self.root / "predictions"
        dataset.mkdir(exist_ok=True)
        predictions.mkdir(exist_ok=True)
        manifest = pa.table(
            {
                "image_id": list(self.splits),
                "split": pa.array(self.splits.values(), pa.string()),
                "width": pa.array([100] * len(self.splits), pa.int32()),
                "height": pa.array([100] * len(self.splits), pa.int32()),
            }
        )
        pq.write_table(manifest, dataset / "manifest.parquet")
        pq.write_table(self.annotations, dataset / "annotations.parquet")
        (dataset / "dataset.json").write_text(json.dumps({"digest": "d" * 64, "sql": "…"}))
        pq.write_table(self.predictions, predictions / "predictions.parquet")
        header = {
            "digest": "p" * 64,
            "model_digest": "m" * 64,
            "dataset_digest": self.predicted_dataset,
            "splits": self.predicted_splits,
            "images": len(self.splits),
            "taken_out": self.taken_out,
        }
        (predictions / "predictions.json").write_text(json.dumps(header))
        return evaluate(
            project=self.project,
            dataset=dataset,
            predictions=predictions,
            metadata=pa.table(
                {
                    "image_id": list(self.lighting),
                    "key": pa.array(["lighting"] * len(self.lighting), pa.string()),
                    "value": pa.array(self.lighting.values(), pa.string()),
                }
            ),
            folder=self.root / name,
        )


@pytest.fixture
def world(
    tmp_path: Path,
    annotations_of: Callable[..., pa.Table],
    predictions_of: Callable[..., pa.Table],
) -> World:
    """Ten test images, an apple and a tomato on each; dim tomatoes are taken for oranges."""
    splits = {"train0": "train", "val0": "val"} | {f"test{n}": "test" for n in range(10)}
    dim = {f"test{n}" for n in range(4)}
    predicted = [
        row
        for image in list(splits)[1:]
        for row in (
            (image, "apple", 0.9, BOX),
            (image, "orange" if image in dim else "tomato", 0.8, FAR),
            (image, "apple", 0.2, FAR),
        )
    ]
    return World(
        root=tmp_path,
        splits=splits,
        annotations=annotations_of(
            *((i, "apple", BOX) for i in splits), *((i, "tomato", FAR) for i in splits)
        ),
        predictions=predictions_of(*predicted),
        lighting={i: "dim" if i in dim else "bright" for i in splits},
    )


@pytest.fixture
def classified(
    tmp_path: Path,
    annotations_of: Callable[..., pa.Table],
    predictions_of: Callable[..., pa.Table],
) -> World:
    splits = {"a": "test", "b": "test", "c": "test", "d": "val"}
    return World(
        root=tmp_path,
        splits=splits,
        annotations=annotations_of(("a", "apple"), ("b", "tomato"), ("d", "apple")),
        predictions=predictions_of(
            ("a", "apple", 0.9), ("b", "orange", 0.7), ("b", "tomato", 0.2), ("c", "apple", 0.9)
        ),
        lighting={},
        project=project("classification", slices=()),
    )


class TestDetection:
    def test_metrics_are_of_test_and_those_of_val_have_a_prefix(self, world):
        made = world.evaluate()
        assert made.record.split == "test"
        assert made.metrics == pytest.approx(
            {
                "AP": made.metrics["AP"],
                "AP50": made.metrics["AP50"],
                "AP75": made.metrics["AP75"],
                "recall": 0.8,
                "precision": 0.8,
                "f1": 0.8,
                **{m: made.metrics[m] for m in ("APs", "AR1", "AR10", "AR100", "ARs")},
                **{m: made.metrics[m] for m in ("VOC07_AP50", "VOC10_AP50")},
                # 16 of 20 detections are right, of score 0.9 (10 of 10) and 0.8 (6 of 10)
                "ece": (10 * 0.1 + 10 * 0.2) / 20,
                "val/AP": 1.0,
                "val/AP50": 1.0,
                "val/AP75": 1.0,
                "val/recall": 1.0,
                "val/precision": 1.0,
                "val/f1": 1.0,
            }
        )
        # of apple 1, of tomato 61 of 101 recall points
        assert made.metrics["AP50"] == pytest.approx((1 + 61 / 101) / 2)
        assert made.metrics["APs"] == made.metrics["AP"]  # all objects are of 400 square pixels
        assert made.metrics["VOC10_AP50"] == pytest.approx((1 + 0.6) / 2)
        assert made.record.classes["tomato"]["AR100"] == pytest.approx(0.6)
        assert set(made.record.classes) == {"apple", "tomato"}
        assert made.record.images == {"test": 10, "val": 1}
        assert made.record.objects == {"test": 20, "val": 2}

    def test_operating_point_is_chosen_on_val(self, world):
        made = world.evaluate()
        assert made.record.operating_point == 0.8
        assert "0.8000, the best F1 on val" in made.record.conventions["operating_point"]

    def test_metrics_have_intervals_and_errors_have_counts_and_costs(self, world):
        record = world.evaluate().record
        assert {"AP", "AP50", "AP75", "recall", "precision", "f1"} <= set(record.intervals)
        for metric, interval in record.intervals.items():
            assert interval.value == pytest.approx(record.metrics[metric])
            assert interval.low <= interval.value <= interval.high
        counts = {kind: tally.count for kind, tally in record.errors.items() if tally.count}
        assert counts == {"correct": 16, "classification": 4}
        # mending the four gives tomato its whole AP; orange has none and no detection then
        assert record.errors["classification"].cost == pytest.approx(
            1 - (1 + 61 / 101 + 0) / 3, abs=0.01
        )
        assert record.errors["false_negatives"].count is None

    def test_curves_are_of_all_classes_and_of_each_and_of_every_split(self, world):
        made = world.evaluate()
        assert made.curves.schema.equals(CURVES)
        rows = [r for r in made.curves.to_pylist() if r["split"] == "test"]
        assert {r["label"] for r in rows} == {None, "apple", "tomato"}
        at_point = next(r for r in rows if r["label"] is None and r["score"] == 0.8)
        assert at_point["recall"] == made.metrics["recall"]
        assert at_point["precision"] == made.metrics["precision"]
        assert {r["split"] for r in made.curves.to_pylist()} == {"test", "val"}

    def test_the_weak_slice_stands_out(self, world):
        rows = world.evaluate().slices.to_pylist()
        dim = next(
            r
            for r in rows
            if (r["slice_value"], r["label"], r["metric"]) == ("dim", "tomato", "recall")
        )
        assert (dim["value"], dim["rest"], dim["small"]) == (0.0, 1.0, False)
        # 0 of 4 against 6 of 6: Fisher's exact probability is 1 / 210 on each side
        assert dim["p_value"] == pytest.approx(2 / 210)

    def test_per_image_puts_the_worst_first(self, world):
        rows = world.evaluate().per_image
        assert rows.schema.equals(PER_IMAGE)
        assert rows["image_id"].to_pylist() == [f"test{n}" for n in range(10)] + ["val0"]
        first = rows.to_pylist()[0]
        assert (first["true_positives"], first["false_positives"], first["false_negatives"]) == (
            1,
            1,
            1,
        )
        assert first["score"] == 0.5
        assert rows["correct"].to_pylist() == [False] * 4 + [True] * 7

    def test_confusion(self, world):
        rows = world.evaluate().confusion
        assert rows.schema.equals(CONFUSION)
        assert [r for r in rows.to_pylist() if r["truth"] != r["predicted"]] == [
            {"split": "test", "truth": "tomato", "predicted": "orange", "count": 4}
        ]

    def test_matches_name_the_prediction_the_object_and_the_kind(self, world):
        rows = world.evaluate().matches
        assert rows.schema.equals(MATCHES)
        first = [r for r in rows.to_pylist() if r["image_id"] == "test0"]
        assert [(r["truth"], r["predicted"], r["score"], r["kind"]) for r in first] == [
            ("apple", "apple", 0.9, "correct"),
            ("tomato", "orange", 0.8, "classification"),
        ]
        annotation_of = {
            (r["image_id"], r["label"]): r["annotation_id"] for r in world.annotations.to_pylist()
        }
        assert [r["annotation_id"] for r in first] == [
            annotation_of["test0", "apple"],
            annotation_of["test0", "tomato"],
        ]
        rank_of = {
            (r["image_id"], r["label"], r["score"]): r["rank"]
            for r in world.predictions.to_pylist()
        }
        for row in rows.to_pylist():
            assert row["rank"] == rank_of[row["image_id"], row["predicted"], row["score"]]

    def test_a_missed_object_has_a_row(self, world):
        world.predictions = world.predictions.filter(
            pc.not_equal(world.predictions["image_id"], "test9")
        )
        rows = world.evaluate().matches.to_pylist()
        assert [
            (r["truth"], r["predicted"], r["score"], r["iou"], r["kind"])
            for r in rows
            if r["image_id"] == "test9"
        ] == [("apple", None, None, None, "missed"), ("tomato", None, None, None, "missed")]

    def test_a_crowd_is_no_object_and_what_is_found_in_it_no_mistake(self, world):
        annotations = world.annotations.to_pylist()
        for row in annotations:
            if row["image_id"] == "test9" and row["label"] == "tomato":
                row["attributes"] = '{"iscrowd": true}'
        world.annotations = pa.Table.from_pylist(annotations, schema=world.annotations.schema)
        made = world.evaluate()
        assert made.record.objects["test"] == 19
        rows = [r for r in made.matches.to_pylist() if r["image_id"] == "test9"]
        assert [(r["truth"], r["kind"]) for r in rows] == [("apple", "correct")]
        of_image = made.per_image.filter(pc.equal(made.per_image["image_id"], "test9")).to_pylist()
        assert [(r["objects"], r["false_positives"]) for r in of_image] == [(1, 0)]

    def test_notes_say_what_is_left_out(self, world):
        assert world.evaluate().record.notes == (
            "Without ground truth in test, and so left out of the means: orange.",
        )

    def test_images_without_predictions_count(self, world):
        found = world.predictions.to_pylist()
        kept = [r for r in found if r["image_id"] != "test9"]
        world.predictions = pa.Table.from_pylist(kept, schema=world.predictions.schema)
        assert world.evaluate().metrics["recall"] == pytest.approx(14 / 20)

    def test_no_predictions_at_all(self, world):
        world.predictions = world.predictions.slice(0, 0)
        made = world.evaluate()
        assert made.metrics["AP50"] == made.metrics["recall"] == 0.0
        assert "precision" not in made.metrics
        assert "There are no predictions at all." in made.record.notes
        assert any("the default score of 0.5" in n for n in made.record.notes)

    def test_boxes_outside_the_frame_are_noted(self, world):
        rows = world.predictions.to_pylist()
        rows[0]["x_max"] = 150.0
        world.predictions = pa.Table.from_pylist(rows, schema=world.predictions.schema)
        assert "1 of 33 predicted boxes reach outside" in world.evaluate().record.notes[0]

    def test_falls_back_to_val_and_says_so(self, world):
        world.splits = {i: s for i, s in world.splits.items() if s != "test"}
        for name in ("annotations", "predictions"):
            rows = [r for r in getattr(world, name).to_pylist() if r["image_id"] in world.splits]
            setattr(world, name, pa.Table.from_pylist(rows, schema=getattr(world, name).schema))
        made = world.evaluate()
        assert (made.record.split, made.metrics["AP50"]) == ("val", 1.0)
        assert not any("/" in name for name in made.metrics)
        assert (
            "The test split has no ground truth; the headline metrics are of val."
            in made.record.notes
        )

    def test_no_ground_truth_anywhere(self, world):
        world.annotations = world.annotations.slice(0, 0)
        with pytest.raises(EvaluationError, match=r"predicted splits \(val, test\) has ground"):
            world.evaluate()

    def test_unknown_slice_key_is_noted(self, world):
        world.project = project(slices=("lightning",))
        assert (
            "No image has the metadata key 'lightning' of evaluation.slices."
            " Did you mean 'lighting'?" in world.evaluate().record.notes
        )


class TestClassification:
    def test_metrics(self, classified):
        made = classified.evaluate()
        assert made.metrics == {
            "accuracy": 0.5,
            "macro_f1": 0.5,
            "recall": 0.5,
            "precision": 1.0,
            "micro_f1": 0.5,
            "weighted_f1": 0.5,
            "balanced_accuracy": 0.5,
            "AUROC": 1.0,
            "average_precision": 1.0,
            "ece": pytest.approx((0.1 + 0.7) / 2),
            "val/accuracy": 0.0,
            "val/macro_f1": 0.0,
            "val/recall": 0.0,
        }
        assert made.record.operating_point is None
        assert made.record.notes[0] == "1 of 4 images have no label and are left out."

    def test_intervals_and_calibration(self, classified):
        record = classified.evaluate().record
        assert {"accuracy", "macro_f1", "log_loss", "brier", "ece"} < set(record.intervals)
        for metric, interval in record.intervals.items():
            assert interval.low <= interval.value <= interval.high
            if metric in record.metrics:
                assert interval.value == pytest.approx(record.metrics[metric])
        calibration = record.calibration
        assert (calibration.split, calibration.scored) == ("test", 2)
        assert sum(b.count for b in calibration.as_predicted.reliability) == 2
        assert calibration.temperature is None
        assert calibration.note == "No image of val was predicted, to fit a temperature on."
        assert record.notes[1].startswith("The scores of 2 images do not sum to 1")

    def test_a_temperature_is_fitted_on_val_and_tried_on_test(
        self, classified, annotations_of, predictions_of
    ):
        rng = np.random.default_rng(0)
        images = [f"{split}{n}" for split in ("val", "test") for n in range(200)]
        right = (rng.random(len(images)) < 0.7).tolist()
        rows = [
            (image, label, score)
            for image, good in zip(images, right, strict=True)
            for label, score in ((LABELS[not good], 0.96), (LABELS[good], 0.03), ("tomato", 0.01))
        ]
        classified.splits = {image: image.rstrip("0123456789") for image in images}
        classified.annotations = annotations_of(*((image, "apple") for image in images))
        classified.predictions = predictions_of(*rows)
        calibration = classified.evaluate().record.calibration
        before, after = calibration.as_predicted, calibration.tempered
        assert calibration.fitted_on == 200
        assert calibration.temperature > 2
        assert after.ece.value < 0.1 < 0.2 < before.ece.value
        assert after.log_loss < before.log_loss
        assert after.brier < before.brier

    def test_tables(self, classified):
        made = classified.evaluate()
        columns = ["image_id", "correct", "score", "predicted", "confidence"]
        assert [tuple(r.values()) for r in made.per_image.select(columns).to_pylist()] == [
            ("b", False, 0.2, "orange", 0.7),
            ("a", True, 0.9, "apple", 0.9),
            ("d", False, 0.0, None, None),
        ]
        assert [tuple(r.values()) for r in made.confusion.to_pylist()] == [
            ("test", "apple", "apple", 1),
            ("test", "tomato", "orange", 1),
            ("val", "apple", None, 1),
        ]


class TestTakenOut:
    def test_images_that_could_not_be_predicted_do_not_count_as_missed(self, world):
        gone = ("test8", "test9")
        keep = pc.invert(pc.is_in(world.predictions["image_id"], value_set=pa.array(gone)))
        world.predictions = world.predictions.filter(keep)
        missed = world.evaluate("missed").metrics
        world.taken_out = gone
        made = world.evaluate("left-out")
        assert made.metrics["recall"] > missed["recall"]
        assert made.record.images["test"] == 8
        assert not set(gone) & set(made.per_image["image_id"].to_pylist())
        assert "Without 2 images of the dataset version that were taken out." in made.record.notes


class TestPair:
    def test_refuses_predictions_on_another_version(self, world):
        world.predicted_dataset = "e" * 64
        with pytest.raises(EvaluationError, match="were made on the dataset version eeeeeeeeeeee"):
            world.evaluate()

    def test_refuses_predictions_outside_the_named_splits(self, world):
        world.predicted_splits = ("val",)
        with pytest.raises(
            EvaluationError, match=r"30 of 33 predictions are on images outside .*\(val"
        ):
            world.evaluate()

    @pytest.mark.parametrize(
        "file",
        ["predictions/predictions.parquet", "dataset/dataset.json", "dataset/manifest.parquet"],
    )
    @pytest.mark.parametrize("content", [None, b"{half"])
    def test_refuses_a_damaged_folder(self, world, file, content):
        world.evaluate()
        path = world.root / file
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(EvaluationError, match=f"{path.name} cannot be read"):
            evaluate(
                project=world.project,
                dataset=world.root / "dataset",
                predictions=world.root / "predictions",
                metadata=pa.table({"image_id": [], "key": [], "value": []}),
                folder=world.root / "again",
            )


class TestDigest:
    def test_does_not_depend_on_the_order_of_rows(self, world):
        first = world.evaluate()
        rng = np.random.default_rng(0)
        world.annotations = world.annotations.take(rng.permutation(len(world.annotations)))
        world.predictions = world.predictions.take(rng.permutation(len(world.predictions)))
        second = world.evaluate("second")
        assert second.digest == first.digest
        for name in ("evaluation.json", "slices.parquet", "per_image.parquet"):
            assert (second.folder / name).read_bytes() == (first.folder / name).read_bytes()

    def test_covers_the_numbers(self, world):
        first = world.evaluate().digest
        world.predictions = world.predictions.slice(0, 20)
        assert world.evaluate().digest != first

    def test_covers_the_metric(self, world):
        first = world.evaluate().digest
        world.project = project(metric="AP")
        assert world.evaluate().digest != first


class TestLoad:
    def test_reads_what_was_written(self, world):
        made = world.evaluate()
        read = load_evaluation(made.folder)
        assert read.record == made.record
        for name in ("slices", "per_image", "confusion", "matches", "curves"):
            assert getattr(read, name).equals(getattr(made, name))
        assert read.slices.schema.equals(SLICES)

    def test_refuses_changed_content(self, world):
        made = world.evaluate()
        rows = made.per_image.to_pylist()
        rows[0]["score"] = 1.0
        changed = pa.Table.from_pylist(rows, schema=PER_IMAGE)
        pq.write_table(changed, made.folder / "per_image.parquet")
        with pytest.raises(EvaluationError, match="was changed after it was written"):
            load_evaluation(made.folder)

    @pytest.mark.parametrize("part", ["metrics", "intervals", "gap", "notes"])
    def test_refuses_a_changed_record(self, world, part):
        marker = world.evaluate().folder / "evaluation.json"
        said = json.loads(marker.read_text())
        if part == "metrics":
            said[part]["AP"] = 0.99
        elif part == "intervals":
            said[part]["AP"]["high"] = 0.99
        elif part == "gap":
            said[part]["what"] = "fine"
        else:
            said[part] = ["all is well"]
        marker.write_text(json.dumps(said))
        with pytest.raises(EvaluationError, match="was changed after"):
            load_evaluation(marker.parent)

    def test_refuses_other_columns(self, world):
        made = world.evaluate()
        pq.write_table(made.slices.drop_columns("small"), made.folder / "slices.parquet")
        with pytest.raises(EvaluationError, match=r"slices\.parquet has other columns"):
            load_evaluation(made.folder)

    def test_refuses_the_layout_of_an_earlier_release(self, world):
        marker = world.evaluate().folder / "evaluation.json"
        marker.write_text(marker.read_text().replace("evaluation/2", "evaluation/1"))
        with pytest.raises(EvaluationError, match=r"layout evaluation/1.*Evaluate again"):
            load_evaluation(marker.parent)

    def test_refuses_what_is_none(self, tmp_path):
        with pytest.raises(EvaluationError, match="is not an evaluation"):
            load_evaluation(tmp_path)
