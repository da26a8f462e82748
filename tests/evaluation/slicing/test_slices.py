from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import fisher_exact

from cv_pipeline.catalog.schemas.slices import SLICES
from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.classification.scorer import ClassificationScorer
from cv_pipeline.evaluation.detection.scorer import DetectionScorer
from cv_pipeline.evaluation.measure import Counts, Measure
from cv_pipeline.evaluation.slicing.facts import CHOSEN, Declared
from cv_pipeline.evaluation.slicing.slices import (
    WHOLE,
    evaluate_slices,
    headline_split,
)


def assert_one_interval(scorer, labels: tuple[str, ...], *, images: int) -> None:
    """Whatever has an interval in the table of slices and in the record has the same in both."""
    made = evaluate_slices(
        scorer,
        split="test",
        image_ids=pa.array([f"{n:02}" for n in range(images)]),
        metadata=metadata(),
        keys=[],
        min_slice=1,
        labels=labels,
    ).to_pylist()
    recorded = {None: scorer.intervals()} | scorer.class_intervals()
    both = [
        ((row["value"], row["low"], row["high"]), known)
        for row in made
        if row["low"] is not None
        and (known := recorded.get(row["label"], {}).get(row["metric"])) is not None
    ]
    assert both
    for in_table, known in both:
        assert (known.value, known.low, known.high) == pytest.approx(in_table, abs=1e-9)


class CountingScorer:
    """A scorer whose metric is the mean index of the images."""

    def measure(self, images):
        return [Measure(None, "AP50", float(images.mean()), len(images), 2 * len(images))]

    def counts(self):
        return Counts(*np.zeros((5, 0), dtype=np.int64))


def metadata(*rows: tuple[str, str, str]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            name: pa.array(values, pa.string())
            for name, values in zip(("image_id", "key", "value"), columns, strict=True)
        }
    )


def slices_of(known: pa.Table, keys: list[str]) -> dict[tuple[str, str | None], tuple]:
    made = evaluate_slices(
        CountingScorer(),
        split="test",
        image_ids=pa.array(["a", "b", "c", "d"]),
        metadata=known,
        keys=keys,
        min_slice=2,
        labels=(),
    )
    assert made.schema.equals(SLICES)
    return {
        (r["slice_key"], r["slice_value"]): (r["value"], r["images"], r["objects"], r["small"])
        for r in made.to_pylist()
    }


class TestEvaluateSlices:
    def test_each_value_and_the_rest_make_up_the_split(self):
        known = metadata(
            ("d", "lighting", "dim"),
            ("a", "lighting", "dim"),
            ("c", "lighting", "bright"),
            ("b", "scene", "yard"),
            ("z", "lighting", "dark"),  # an image of another split
        )
        assert slices_of(known, ["lighting"]) == {
            (WHOLE, WHOLE): (1.5, 4, 8, False),
            ("lighting", "bright"): (2.0, 1, 2, True),
            ("lighting", "dim"): (1.5, 2, 4, False),
            ("lighting", None): (1.0, 1, 2, True),
        }

    def test_a_key_that_no_image_has_gives_no_slices(self):
        assert set(slices_of(metadata(("z", "camera", "1")), ["camera", "line"])) == {
            (WHOLE, WHOLE)
        }

    def test_of_no_metadata(self):
        assert set(slices_of(metadata(), ["camera"])) == {(WHOLE, WHOLE)}

    def test_the_same_as_evaluating_the_images_alone(self, random_scene):
        labels = ("apple", "orange", "tomato")
        truth, found = random_scene(3, images=20, labels=3, objects=80, detections=200)
        ids = [f"{n:02}" for n in range(20)]
        known = metadata(*((i, "camera", str(n % 3)) for n, i in enumerate(ids)))
        made = evaluate_slices(
            DetectionScorer(truth, found, images=20, labels=labels),
            split="test",
            image_ids=pa.array(ids),
            metadata=known,
            keys=["camera"],
            min_slice=1,
            labels=labels,
        ).to_pylist()
        for camera in range(3):
            chosen = np.arange(20) % 3 == camera
            alone = DetectionScorer(
                truth.of_images(chosen),
                found.of_images(chosen),
                images=int(chosen.sum()),
                labels=labels,
            ).measure(np.arange(chosen.sum()))
            of_camera = {
                (r["label"], r["metric"]): r["value"]
                for r in made
                if r["slice_value"] == str(camera)
            }
            expected = {(m.label, m.metric): m.value for m in alone}
            assert of_camera == pytest.approx(expected, abs=1e-12)

    def test_of_the_whole_a_ratio_has_one_interval_only(self, random_scene):
        """That of the table and that which an evaluation records beside AP are the same."""
        labels = ("apple", "orange")
        truth, found = random_scene(3, images=12, labels=2, objects=40, detections=60)
        scorer = DetectionScorer(truth, found, images=12, labels=labels)
        assert_one_interval(scorer, labels, images=12)
        assert {"recall", "precision", "f1", "AP"} <= set(scorer.intervals())

    def test_of_a_class_a_ratio_has_one_interval_only(self):
        labels, rng = ("apple", "orange", "tomato"), np.random.default_rng(5)
        truth, said = rng.integers(0, 3, 60), rng.integers(0, 4, 60)  # 3: no answer
        half = np.full(60, 0.5)
        answers = Answers(truth, said, confidence=half, truth_score=half)
        scorer = ClassificationScorer(answers, labels=labels)
        assert_one_interval(scorer, labels, images=60)
        assert {"recall", "precision", "f1"} <= set(scorer.class_intervals()["apple"])

    def test_all_classes_and_the_whole_come_first(self, random_scene):
        truth, found = random_scene(3, images=4, labels=2, objects=20, detections=20)
        made = evaluate_slices(
            DetectionScorer(truth, found, images=4, labels=("apple", "orange")),
            split="test",
            image_ids=pa.array(["a", "b", "c", "d"]),
            metadata=metadata(("a", "line", "1"), ("b", "line", "2")),
            keys=["line"],
            min_slice=1,
            labels=("apple", "orange"),
        )
        parts = made.select(["label", "slice_key", "slice_value"]).to_pylist()
        assert [tuple(p.values()) for p in parts[:18:6]] == [
            (None, WHOLE, WHOLE),
            (None, "line", None),
            (None, "line", "1"),
        ]


def table(*rows: tuple) -> pa.Table:
    """Rows of key, split and objects."""
    schema = pa.schema([SLICES.field(n) for n in ("slice_key", "split", "objects")])
    return pa.Table.from_pylist(
        [dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema
    )


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ({"train": 5, "val": 5, "test": 5}, "test"),
        ({"train": 5, "val": 5, "test": 0}, "val"),
        ({"train": 5}, "train"),
        ({"test": 0}, None),
        ({}, None),
    ],
)
def test_headline_split(objects, expected):
    rows = [(WHOLE, s, n) for s, n in objects.items()]
    assert headline_split(table(*rows)) == expected


class TestStatistics:
    """40 images with one apple each: 12 of 20 are found by one camera, 19 of 20 by the other."""

    LABELS = ("apple",)

    @pytest.fixture
    def rows(self) -> dict[tuple, dict]:
        right = np.array([1] * 12 + [0] * 8 + [1] * 19 + [0])
        every = np.arange(40)
        answers = Answers(
            truth=0 * every,
            predicted=np.where(right == 1, 0, 1),
            confidence=np.where(right == 1, 0.9, np.nan),
            truth_score=0.9 * right,
        )
        ids = [f"{n:02}" for n in every]
        cameras = metadata(*((i, "camera", "old" if n < 20 else "new") for n, i in enumerate(ids)))
        made = evaluate_slices(
            ClassificationScorer(answers, labels=self.LABELS),
            split="test",
            image_ids=pa.array(ids),
            metadata=cameras,
            keys=["camera"],
            min_slice=10,
            labels=self.LABELS,
            declared={
                "of the first": Declared("tag = 'x'", pa.array(["00", "zz"])),
                "of none": Declared("tag = 'y'", pa.array([], pa.string())),
            },
        )
        return {
            (r["slice_key"], r["slice_value"], r["label"], r["metric"]): r for r in made.to_pylist()
        }

    def test_a_slice_is_compared_with_all_other_images(self, rows):
        old, new = (rows["camera", side, None, "accuracy"] for side in ("old", "new"))
        assert (old["value"], old["rest"]) == (0.6, 0.95)
        assert old["difference"] == pytest.approx(-0.35)
        assert (new["value"], new["rest"]) == (0.95, 0.6)
        assert new["p_value"] == pytest.approx(old["p_value"])
        # Fisher's exact test, twice one tail: 9 are missed, where 4.5 are expected on each side
        tail = fisher_exact([[12, 8], [19, 1]], alternative="less").pvalue
        assert old["p_value"] == pytest.approx(2 * tail)
        assert old["low"] < 0.6 < old["high"]
        # of eight comparisons four have this probability (accuracy and recall of the only class),
        # and those of precision and F1 are larger
        assert old["adjusted_p"] == pytest.approx(old["p_value"] * 8 / 4)
        assert old["significant"]

    def test_the_whole_has_an_interval_and_nothing_beside_it(self, rows):
        whole = rows[WHOLE, WHOLE, None, "accuracy"]
        assert whole["low"] < whole["value"] < whole["high"]
        assert whole["rest"] is whole["p_value"] is None
        assert not whole["significant"]

    def test_a_mean_over_classes_has_its_value_alone(self, rows):
        mean = rows["camera", "old", None, "macro_f1"]
        assert mean["value"] is not None
        assert mean["low"] is mean["rest"] is mean["p_value"] is mean["adjusted_p"] is None
        assert not mean["significant"]

    def test_a_slice_of_one_image_is_measured_and_not_compared(self, rows):
        one = rows["of the first", CHOSEN, None, "accuracy"]
        assert (one["images"], one["value"], one["small"]) == (1, 1.0, True)
        assert one["p_value"] is one["adjusted_p"] is None
        assert not one["significant"]
        assert not any(key[0] == "of none" for key in rows)
