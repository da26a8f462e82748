from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.classification.answers import unlike_probabilities
from cv_pipeline.evaluation.inputs import classification_inputs, detection_inputs, outside_frame

LABELS = ("apple", "tomato")
BOX = (10.0, 10.0, 30.0, 30.0)


class TestDetection:
    def test_orders_detections_by_image_score_and_rank(
        self, images_of, annotations_of, predictions_of
    ):
        truth, found = detection_inputs(
            images=images_of("a", "b"),
            annotations=annotations_of(("b", "tomato", BOX)),
            predictions=predictions_of(
                ("b", "apple", 0.1, BOX), ("a", "tomato", 0.5, BOX), ("b", "tomato", 0.9, BOX)
            ),
            labels=LABELS,
        )
        assert (truth.image.tolist(), truth.label.tolist()) == ([1], [1])
        assert found.image.tolist() == [0, 1, 1]
        assert found.label.tolist() == [1, 1, 0]
        assert found.score.tolist() == [0.5, 0.9, 0.1]

    def test_nothing_at_all(self, images_of, annotations_of, predictions_of):
        truth, found = detection_inputs(
            images=images_of(),
            annotations=annotations_of(),
            predictions=predictions_of(),
            labels=LABELS,
        )
        assert (len(truth), len(found)) == (0, 0)

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (("a", "apple", math.nan, BOX), "1 of 2 predictions have a score"),
            (("a", "apple", 1.5, BOX), "score that is not between 0 and 1, the first for image a"),
            (("a", "apple", -0.1, BOX), "score that is not between 0 and 1"),
            (("a", "aple", 0.5, BOX), "not among the project's classes: 'aple'. Did you mean 'ap"),
            (("z", "apple", 0.5, BOX), "images that the dataset version does not hold"),
            (("a", "apple", 0.5), "lack a box"),
            (("a", "apple", 0.5, (0.0, 0.0, math.nan, 9.0)), "an edge that is not finite"),
            (("a", "apple", 0.5, (0.0, 0.0, math.inf, 9.0)), "an edge that is not finite"),
            (("a", "apple", 0.5, (30.0, 10.0, 10.0, 30.0)), "inverted box"),
            (("a", "apple", 0.5, (10.0, 30.0, 30.0, 10.0)), "inverted box"),
        ],
    )
    def test_refuses_predictions(self, images_of, annotations_of, predictions_of, row, message):
        with pytest.raises(EvaluationError, match=message):
            detection_inputs(
                images=images_of("a"),
                annotations=annotations_of(("a", "apple", BOX)),
                predictions=predictions_of(("a", "apple", 0.5, BOX), row),
                labels=LABELS,
            )

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (("a", "pear", BOX), "annotations have labels that are not among .*: 'pear'"),
            (("z", "apple", BOX), "annotations are of images"),
            (("a", "apple", (30.0, 10.0, 10.0, 30.0)), "annotations have an inverted box"),
        ],
    )
    def test_refuses_annotations(self, images_of, annotations_of, predictions_of, row, message):
        with pytest.raises(EvaluationError, match=message):
            detection_inputs(
                images=images_of("a"),
                annotations=annotations_of(row),
                predictions=predictions_of(),
                labels=LABELS,
            )

    def test_refuses_a_repeated_rank(self, images_of, annotations_of, predictions_of):
        row = predictions_of(("a", "apple", 0.5, BOX))
        with pytest.raises(EvaluationError, match="1 of 2 predictions repeat the rank"):
            detection_inputs(
                images=images_of("a"),
                annotations=annotations_of(),
                predictions=pa.concat_tables([row, row]),
                labels=LABELS,
            )

    def test_refuses_a_missing_column(self, images_of, annotations_of, predictions_of):
        with pytest.raises(EvaluationError, match="predictions lack the column score"):
            detection_inputs(
                images=images_of("a"),
                annotations=annotations_of(),
                predictions=predictions_of().drop_columns("score"),
                labels=LABELS,
            )

    def test_refuses_a_column_of_another_type(self, images_of, annotations_of, predictions_of):
        rows = predictions_of(("a", "apple", 0.5, BOX)).to_pandas().astype({"score": "str"})
        rows["score"] = "high"
        with pytest.raises(EvaluationError, match="column of the wrong type"):
            detection_inputs(
                images=images_of("a"),
                annotations=annotations_of(),
                predictions=pa.Table.from_pandas(rows, preserve_index=False),
                labels=LABELS,
            )


class TestClassification:
    def test_highest_score_answers(self, images_of, annotations_of, predictions_of):
        answers, labelled = classification_inputs(
            images=images_of("a", "b", "c"),
            annotations=annotations_of(("a", "apple"), ("c", "tomato")),
            predictions=predictions_of(
                ("a", "tomato", 0.7), ("a", "apple", 0.2), ("b", "apple", 0.5)
            ),
            labels=LABELS,
        )
        assert labelled.tolist() == [True, False, True]
        assert answers.truth.tolist() == [0, 1]
        assert answers.predicted.tolist() == [1, 2]  # 2 is none
        np.testing.assert_equal(answers.confidence, [0.7, np.nan])
        assert answers.truth_score.tolist() == [0.2, 0.0]

    def test_lowest_rank_wins_among_equals(self, images_of, annotations_of, predictions_of):
        answers, _ = classification_inputs(
            images=images_of("a"),
            annotations=annotations_of(("a", "apple")),
            predictions=predictions_of(("a", "tomato", 0.5), ("a", "apple", 0.5)),
            labels=LABELS,
        )
        assert answers.predicted.tolist() == [1]

    def test_scores_of_every_class(self, images_of, annotations_of, predictions_of):
        answers, _ = classification_inputs(
            images=images_of("a", "b"),
            annotations=annotations_of(("a", "apple"), ("b", "tomato")),
            predictions=predictions_of(("a", "tomato", 0.7), ("a", "apple", 0.2)),
            labels=LABELS,
        )
        assert answers.scores.tolist() == [[0.2, 0.7], [0.0, 0.0]]
        assert unlike_probabilities(answers) == 1

    def test_refuses_a_class_that_is_scored_twice(self, images_of, annotations_of, predictions_of):
        with pytest.raises(EvaluationError, match="1 of 2 predictions score a class that their"):
            classification_inputs(
                images=images_of("a"),
                annotations=annotations_of(("a", "apple")),
                predictions=predictions_of(("a", "apple", 0.5), ("a", "apple", 0.4)),
                labels=LABELS,
            )

    def test_refuses_several_labels(self, images_of, annotations_of, predictions_of):
        with pytest.raises(EvaluationError, match=r"1 of 1 images have several labels.*image a"):
            classification_inputs(
                images=images_of("a"),
                annotations=annotations_of(("a", "apple"), ("a", "tomato")),
                predictions=predictions_of(),
                labels=LABELS,
            )


def test_outside_frame(images_of, predictions_of):
    rows = predictions_of(
        ("a", "apple", 0.5, (0.0, 0.0, 100.0, 100.0)),
        ("a", "apple", 0.5, (-0.5, 0.0, 100.9, 100.0)),  # within a pixel
        ("a", "apple", 0.5, (-2.0, 0.0, 50.0, 50.0)),
        ("a", "apple", 0.5, (0.0, 0.0, 50.0, 102.0)),
    )
    assert outside_frame(rows, images_of("a")) == 2
