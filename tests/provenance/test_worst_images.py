"""From a metric to its worst images, with everything as it was for that evaluation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial

import pytest

from cv_pipeline.errors import DatasetError, EvaluationError, ProvenanceError
from cv_pipeline.provenance import worst_images
from cv_pipeline.storage import Tombstone, Tombstones, open_store
from tests.provenance.recorded_world import RecordedWorld, path_of, sha

IMAGES = [sha("image", n) for n in range(12)]


@pytest.fixture
def world(instance, tmp_path):
    return RecordedWorld(instance, open_store(str(tmp_path / "store")))


@pytest.fixture
def find(world, tmp_path):
    return partial(
        worst_images, instance=world.instance, store=world.store, cache=tmp_path / "cache"
    )


def results(scores: dict[str, tuple[str, float, int, int]]) -> list[dict]:
    return [
        {
            "image_id": image,
            "split": split,
            "score": score,
            "false_positives": false,
            "false_negatives": missed,
            "correct": not (false or missed),
        }
        for image, (split, score, false, missed) in scores.items()
    ]


@pytest.fixture
def evaluation(world):
    """Six images of test, from worst to best by score, and six of val, all bad."""
    splits = {i: "test" if n < 6 else "val" for n, i in enumerate(IMAGES)}
    dataset = world.dataset(splits, world.raw(1))
    model = world.model(dataset, "m")
    mistakes = [(0, 4), (5, 0), (1, 1), (0, 1), (1, 0), (0, 0)]
    of_test = {IMAGES[n]: ("test", n / 10, *mistakes[n]) for n in range(6)}
    of_val = dict.fromkeys(IMAGES[6:], ("val", 0.0, 9, 9))
    return world.evaluation(
        model, dataset, results(of_test | of_val), AP50=0.5, precision=0.4, recall=0.3,
        **{"val/AP50": 0.2},
    )  # fmt: skip


def test_the_lowest_scores_of_the_headline_split_come_first(find, evaluation):
    found = find("p/AP50@latest", n=3)
    assert [i.image_id for i in found.images] == IMAGES[:3]
    assert (found.metric, found.value, found.split) == ("AP50", 0.5, "test")
    assert found.evaluation == evaluation.version
    assert found.dataset == evaluation.metadata["dataset"]
    assert found.model == evaluation.metadata["model"]
    json.dumps(found.to_json())


def test_every_image_comes_with_its_path_labels_and_predictions(find, evaluation):
    for image in find(f"p/AP50@{evaluation.version[:12]}").images:
        assert image.path == path_of(image.image_id)
        assert [(x["label"], x["annotator"], x["x_max"]) for x in image.labels] == [
            ("tomato", "anna", 3.0)
        ]
        assert [(x["rank"], x["label"]) for x in image.predictions] == [(1, "kiwi"), (2, "kiwi")]


def test_from_which_score_upwards_a_detection_counted(world, find, evaluation):
    assert find("p/AP50@latest", n=1).operating_point is None
    key = f"projects/p/evaluations/{evaluation.version}/evaluation.json"
    world.store.write(key, b'{"operating_point": 0.4}')
    assert find("p/AP50@latest", n=1).operating_point == 0.4


def test_an_image_whose_pixels_are_gone_says_so(world, find, evaluation):
    Tombstones(world.store).create(
        Tombstone(
            image_id=IMAGES[1], reason="consent withdrawn", actor="anna", at=datetime.now(UTC),
            paths={}, bytes=None, used_by=(),
        )
    )  # fmt: skip
    assert [i.taken_out for i in find("p/AP50@latest", n=3).images] == [False, True, False]


def test_labels_are_those_of_the_dataset_version_that_was_evaluated(world, find, evaluation):
    world.labels = dict.fromkeys(IMAGES, "lemon")
    newer = world.dataset(dict.fromkeys(IMAGES, "test"), world.raw(2))
    model = world.model(newer, "n")
    world.evaluation(model, newer, results({IMAGES[0]: ("test", 0.1, 1, 1)}), AP50=0.9)
    then, now = find(f"p/AP50@{evaluation.version}", n=1), find("p/AP50@latest", n=1)
    assert then.images[0].labels[0]["label"] == "tomato"
    assert now.images[0].labels[0]["label"] == "lemon"
    assert (then.value, now.value) == (0.5, 0.9)


@pytest.mark.parametrize(
    ("metric", "order"), [("precision", [1, 2, 4, 0, 3, 5]), ("recall", [0, 2, 3, 1, 4, 5])]
)
def test_precision_and_recall_are_spoilt_by_other_images(find, evaluation, metric, order):
    found = find(f"p/{metric}@latest")
    assert [IMAGES.index(i.image_id) for i in found.images] == order


def test_a_metric_of_another_split_gives_the_images_of_that(find, evaluation):
    found = find("p/val/AP50@latest")
    assert found.split == "val"
    assert [i.image_id for i in found.images] == sorted(IMAGES[6:])


def test_mistakes_are_explained(world, find, evaluation):
    with pytest.raises(ProvenanceError, match=r"no metric 'AP5'.*'AP50'"):
        find("p/AP5@latest")
    with pytest.raises(ProvenanceError, match="0 images cannot be listed"):
        find("p/AP50@latest", n=0)
    key = f"projects/p/predictions/{evaluation.input('p/predictions').version}"
    world.store.delete(f"{key}/predictions.parquet")
    with pytest.raises(DatasetError, match=r"predictions\.parquet cannot be read"):
        find("p/AP50@latest")
    world.store.delete(f"projects/p/evaluations/{evaluation.version}/per_image.parquet")
    with pytest.raises(EvaluationError, match=r"per_image\.parquet cannot be read"):
        find("p/AP50@latest")
