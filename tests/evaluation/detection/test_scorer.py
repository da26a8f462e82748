from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.scorer import DetectionScorer

LABELS = ("apple", "orange", "tomato")
APPLE, ORANGE, TOMATO = 0, 1, 2
BOX = (10.0, 10.0, 30.0, 30.0)
FAR = (60.0, 60.0, 80.0, 80.0)


def scorer(truth, found, *, images=3, score=0.5) -> DetectionScorer:
    """From rows of (image, label, box) and (image, label, box, score)."""
    image, label, xyxy = zip(*truth, strict=True) if truth else ((), (), ())
    objects = Boxes(
        np.array(image, np.int64), np.array(label, np.int64), np.array(xyxy, float).reshape(-1, 4)
    )
    image, label, xyxy, scores = zip(*found, strict=True) if found else ((), (), (), ())
    detections = Detections(
        np.array(image, np.int64),
        np.array(label, np.int64),
        np.array(xyxy, float).reshape(-1, 4),
        np.array(scores, float),
    )
    return DetectionScorer(objects, detections, images=images, labels=LABELS, score=score)


def measured(measures) -> dict[tuple[str | None, str], float | None]:
    return {(m.label, m.metric): m.value for m in measures}


def cells(confusion: pa.Table) -> dict[tuple[str | None, str | None], int]:
    return {(r["truth"], r["predicted"]): r["count"] for r in confusion.to_pylist()}


class TestMeasure:
    def test_counts_from_the_operating_point(self):
        made = scorer(
            [(0, APPLE, BOX), (1, APPLE, BOX), (1, TOMATO, FAR)],
            [(0, APPLE, BOX, 0.9), (1, APPLE, BOX, 0.4), (1, ORANGE, FAR, 0.8)],
        ).measure(np.arange(3))
        assert measured(made) == {
            (None, "AP"): 0.5,  # apple 1, tomato 0; orange has no ground truth
            (None, "AP50"): 0.5,
            (None, "AP75"): 0.5,
            (None, "recall"): pytest.approx(1 / 3),
            (None, "precision"): 0.5,
            (None, "f1"): pytest.approx(0.4),
            ("apple", "AP"): 1.0,
            ("apple", "AP50"): 1.0,
            ("apple", "AP75"): 1.0,
            ("apple", "recall"): 0.5,
            ("apple", "precision"): 1.0,
            ("apple", "f1"): pytest.approx(2 / 3),
            ("tomato", "AP"): 0.0,
            ("tomato", "AP50"): 0.0,
            ("tomato", "AP75"): 0.0,
            ("tomato", "recall"): 0.0,
            ("tomato", "precision"): None,
            ("tomato", "f1"): 0.0,
        }

    def test_says_how_much_is_behind_a_number(self):
        made = scorer([(0, APPLE, BOX), (0, APPLE, FAR), (1, TOMATO, BOX)], []).measure(
            np.arange(3)
        )
        behind = {m.label: (m.images, m.objects) for m in made}
        assert behind == {None: (3, 3), "apple": (1, 2), "tomato": (1, 1)}

    def test_looks_at_the_chosen_images_alone(self):
        made = scorer(
            [(0, APPLE, BOX), (1, APPLE, BOX)], [(0, APPLE, BOX, 0.9), (2, APPLE, BOX, 0.9)]
        )
        assert measured(made.measure(np.array([0])))[None, "recall"] == 1.0
        assert measured(made.measure(np.array([1])))[None, "recall"] == 0.0
        assert measured(made.measure(np.array([1])))[None, "precision"] is None

    @pytest.mark.parametrize(
        ("truth", "found", "expected"),
        [
            # no detections: everything is missed
            ([(0, APPLE, BOX)], [], {"AP": 0.0, "recall": 0.0, "precision": None}),
            # no objects: only false positives
            ([], [(0, APPLE, BOX, 0.9)], {"AP": None, "recall": None, "precision": 0.0}),
            # neither
            ([], [], {"AP": None, "recall": None, "precision": None}),
            # a box of no area matches nothing
            (
                [(0, APPLE, BOX)],
                [(0, APPLE, (10.0, 10.0, 10.0, 30.0), 0.9)],
                {"AP": 0.0, "recall": 0.0, "precision": 0.0},
            ),
            # a box that reaches outside its image is used as it is
            (
                [(0, APPLE, (0.0, 0.0, 20.0, 20.0))],
                [(0, APPLE, (-20.0, 0.0, 20.0, 20.0), 0.9)],
                {"AP": 0.1, "recall": 1.0, "precision": 1.0},
            ),
        ],
    )
    def test_is_defined_at_the_edges(self, truth, found, expected):
        made = measured(scorer(truth, found).measure(np.arange(3)))
        assert {m: made[None, m] for m in expected} == pytest.approx(expected)


class TestBestScore:
    def test_maximises_f1(self):
        made = scorer(
            [(0, APPLE, BOX), (1, APPLE, BOX)],
            [(0, APPLE, BOX, 0.9), (1, APPLE, BOX, 0.6), (2, APPLE, BOX, 0.3)],
        )
        assert made.best_score() == 0.6

    def test_counts_all_of_one_score_together(self):
        made = scorer(
            [(0, APPLE, BOX)],
            [(0, APPLE, BOX, 0.6), (1, APPLE, BOX, 0.6), (2, APPLE, BOX, 0.6)],
        )
        assert made.best_score() == 0.6

    def test_is_the_highest_of_equals(self):
        made = scorer(
            [(0, APPLE, BOX), (1, APPLE, BOX)],
            # F1 is 2/3 with one of one found, and with two of four
            [
                (0, APPLE, BOX, 0.9),
                (0, APPLE, FAR, 0.5),
                (1, APPLE, FAR, 0.5),
                (1, APPLE, BOX, 0.5),
            ],
        )
        assert made.best_score() == 0.9

    def test_none_without_a_match(self):
        assert scorer([(0, APPLE, BOX)], [(0, ORANGE, BOX, 0.9)]).best_score() is None

    def test_at_keeps_the_original(self):
        made = scorer([(0, APPLE, BOX)], [(0, APPLE, BOX, 0.4)])
        assert measured(made.at(0.4).measure(np.arange(3)))[None, "recall"] == 1.0
        assert measured(made.measure(np.arange(3)))[None, "recall"] == 0.0


def test_per_image():
    rows = (
        scorer(
            [(0, APPLE, BOX), (0, APPLE, FAR), (1, TOMATO, BOX)],
            [(0, APPLE, BOX, 0.9), (1, ORANGE, BOX, 0.9), (1, APPLE, FAR, 0.1)],
        )
        .per_image()
        .select(["objects", "true_positives", "false_positives", "false_negatives", "score"])
    )
    assert rows.to_pydict() == {
        "objects": [2, 1, 0],
        "true_positives": [1, 0, 0],
        "false_positives": [0, 1, 0],
        "false_negatives": [1, 1, 0],
        "score": [pytest.approx(2 / 3), 0.0, 1.0],
    }


class TestConfusion:
    def test_tells_confused_from_missed_and_imagined(self):
        made = scorer(
            [(0, APPLE, BOX), (1, TOMATO, BOX), (2, TOMATO, BOX)],
            [
                (0, APPLE, BOX, 0.9),  # right
                (1, ORANGE, BOX, 0.9),  # a tomato taken for an orange
                (1, APPLE, FAR, 0.9),  # nothing there
                (2, TOMATO, BOX, 0.1),  # below the operating point: missed
            ],
        )
        assert cells(made.confusion()) == {
            ("apple", "apple"): 1,
            ("tomato", "orange"): 1,
            (None, "apple"): 1,
            ("tomato", None): 1,
        }

    def test_prefers_the_right_class_to_the_higher_score(self):
        made = scorer(
            [(0, TOMATO, BOX)], [(0, ORANGE, BOX, 0.9), (0, TOMATO, (10.0, 10.0, 30.0, 26.0), 0.6)]
        )
        assert cells(made.confusion()) == {("tomato", "tomato"): 1, (None, "orange"): 1}

    def test_of_nothing(self):
        assert cells(scorer([], []).confusion()) == {}

    def test_adds_up(self, random_scene):
        truth, found = random_scene(5, images=20, labels=3, objects=80, detections=200)
        made = DetectionScorer(truth, found, images=20, labels=LABELS)
        counts = cells(made.confusion())
        per_image = made.per_image()
        assert sum(n for (t, _), n in counts.items() if t is not None) == 80
        assert sum(n for (_, p), n in counts.items() if p is not None) == (found.score >= 0.5).sum()
        diagonal = sum(n for (t, p), n in counts.items() if t == p)
        assert diagonal == sum(per_image["true_positives"].to_pylist())

    def test_lists_what_it_counts_with_its_image(self, random_scene):
        truth, found = random_scene(6, images=20, labels=3, objects=80, detections=200)
        made = DetectionScorer(truth, found, images=20, labels=LABELS)
        rows = made.confused().to_pylist()
        counts = Counter((r["truth"], r["predicted"]) for r in rows)
        assert counts == cells(made.confusion())
        assert any(t is not None and p not in (None, t) for t, p in counts)
        of_image = Counter(r["image"] for r in rows if r["truth"] is not None)
        assert of_image == Counter(truth.image.tolist())
        assert all((r["score"] is None) == (r["predicted"] is None) for r in rows)


class TestMatches:
    def test_kinds(self):
        half = (10.0, 10.0, 30.0, 19.0)  # 0.45 of BOX
        rows = (
            scorer(
                [(0, APPLE, BOX), (0, TOMATO, FAR), (1, TOMATO, BOX), (2, ORANGE, BOX)],
                [
                    (0, APPLE, BOX, 0.9),  # correct
                    (0, APPLE, BOX, 0.8),  # a duplicate of it
                    (0, ORANGE, FAR, 0.7),  # the tomato, as an orange
                    (1, TOMATO, half, 0.9),  # badly placed
                    (1, APPLE, half, 0.9),  # another class, badly placed
                    (1, APPLE, FAR, 0.9),  # background
                    (2, ORANGE, BOX, 0.1),  # below the operating point: missed
                ],
            )
            .matches()
            .to_pylist()
        )
        assert [tuple(row.values()) for row in rows] == [
            (0, 0, "0", "apple", "apple", 0.9, 1.0, "correct"),
            (0, 1, "0", "apple", "apple", 0.8, 1.0, "duplicate"),
            (0, 2, "1", "tomato", "orange", 0.7, 1.0, "classification"),
            (1, 3, "2", "tomato", "tomato", 0.9, pytest.approx(0.45), "localisation"),
            (1, 4, None, None, "apple", 0.9, pytest.approx(0.45), "both"),
            (1, 5, None, None, "apple", 0.9, None, "background"),
            (2, None, "3", "orange", None, None, None, "missed"),
        ]

    def test_of_nothing(self):
        assert len(scorer([], []).matches()) == 0

    def test_every_object_is_found_meant_or_missed(self, random_scene):
        truth, found = random_scene(6, images=20, labels=3, objects=80, detections=200)
        made = DetectionScorer(truth, found, images=20, labels=LABELS)
        rows = made.matches().to_pylist()
        of_objects = {r["annotation_id"] for r in rows if r["annotation_id"] is not None}
        assert len(of_objects) == 80
        correct = [r for r in rows if r["kind"] == "correct"]
        assert len(correct) == sum(made.per_image()["true_positives"].to_pylist())
        assert sum(r["kind"] != "missed" for r in rows) == (found.score >= 0.5).sum()


class TestIntervals:
    def test_hold_the_value_and_narrow_with_images(self, random_scene):
        truth, found = random_scene(7, images=40, labels=3, objects=160, detections=300)
        once = DetectionScorer(truth, found, images=40, labels=LABELS)
        measured_once = measured(once.measure(np.arange(40)))
        four = [
            Boxes(
                np.concatenate([b.image + 40 * n for n in range(4)]),
                np.tile(b.label, 4),
                np.tile(b.xyxy, (4, 1)),
            )
            for b in (truth, found)
        ]
        many = DetectionScorer(
            four[0],
            Detections(four[1].image, four[1].label, four[1].xyxy, np.tile(found.score, 4)),
            images=160,
            labels=LABELS,
        ).intervals()
        for metric, interval in once.intervals().items():
            value = measured_once.get((None, metric), once.whole().overall.get(metric))
            assert interval.value == pytest.approx(value)
            assert interval.low < interval.value < interval.high
            width = many[metric].high - many[metric].low
            # four times the images: half the width, give or take what 200 resamples leave open
            assert 0.35 < width / (interval.high - interval.low) < 0.7

    def test_of_classes_and_at_another_operating_point(self, random_scene):
        truth, found = random_scene(7, images=40, labels=2, objects=160, detections=300)
        made = DetectionScorer(truth, found, images=40, labels=LABELS)
        values = measured(made.measure(np.arange(40)))
        of_classes = made.class_intervals()
        assert set(of_classes) == {"apple", "orange"}
        for label, intervals in of_classes.items():
            for metric, interval in intervals.items():
                value = values.get((label, metric), made.whole().classes[label].get(metric))
                assert interval.value == pytest.approx(value)
                assert interval.low < interval.value < interval.high
        other = made.at(0.9)
        assert other.intervals()["recall"].value < made.intervals()["recall"].value
        assert other.intervals()["AP"] == made.intervals()["AP"]

    def test_a_class_that_resamples_leave_out_does_not_move_the_mean(self):
        """A third of the resamples have no tomato, whose AP is 0."""
        truth = [(n, APPLE, BOX) for n in range(50)] + [(0, TOMATO, FAR)]
        found = [(n, APPLE, BOX, 0.9) for n in range(50)]
        interval = scorer(truth, found, images=50).intervals()["AP"]
        assert (interval.low, interval.value, interval.high) == pytest.approx((0.5, 0.5, 0.5))

    def test_of_few_images_hold_the_ap_of_all(self, random_scene):
        """Percentiles of the resamples hold it in 21 of forty: AP of few images is too high."""
        truth, found = random_scene(8, images=2000, labels=3, objects=4000, detections=9000)
        whole = measured(
            DetectionScorer(truth, found, images=2000, labels=LABELS).measure(np.arange(2000))
        )
        held = {"AP": 0, "AP50": 0, "recall": 0}
        for n in range(40):
            chosen = np.arange(2000) // 50 == n
            intervals = DetectionScorer(
                truth.of_images(chosen), found.of_images(chosen), images=50, labels=LABELS
            ).intervals()
            for metric in held:
                held[metric] += (
                    intervals[metric].low <= whole[None, metric] <= intervals[metric].high
                )
        # 38 are expected of an exact interval
        assert min(held.values()) >= 30, held

    def test_recall_has_the_width_of_the_normal_approximation(self):
        rng = np.random.default_rng(11)
        truth = [(n, APPLE, BOX) for n in range(300)]
        found = [(n, APPLE, BOX, 0.9) for n in range(300) if rng.random() < 0.7]
        interval = scorer(truth, found, images=300).intervals()["recall"]
        error = np.sqrt(interval.value * (1 - interval.value) / 300)
        assert (interval.high - interval.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.25)

    def test_of_nothing(self):
        assert scorer([], []).intervals() == {}
