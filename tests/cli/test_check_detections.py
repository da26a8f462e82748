"""`cvp check detections` on two files: what CI sees, with no project and no state."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cv_pipeline.cli import app
from tests.evaluation.detection.coco_reference import coco_files, pycocotools_numbers

COCO_METRICS = (
    "AP",
    "AP50",
    "AP75",
    "APs",
    "APm",
    "APl",
    "AR1",
    "AR10",
    "AR100",
    "ARs",
    "ARm",
    "ARl",
)
SCENE = coco_files(3, images=20, labels=4, objects=150, detections=600)
MASKS = coco_files(4, images=8, labels=3, objects=50, detections=120, masks=True)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(known: Any, results: Any, *arguments: str) -> Result:
    for name, content in (("truth.json", known), ("found.json", results)):
        text = content if isinstance(content, str) else json.dumps(content)
        Path(name).write_text(text)
    files = ("--ground-truth", "truth.json", "--predictions", "found.json")
    return CliRunner().invoke(app, ["check", "detections", *files, *arguments])


def found(known: Any, results: Any, *arguments: str, status: int = 0) -> dict[str, Any]:
    result = check(known, results, *arguments, "--json")
    assert result.exit_code == status, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize(("scene", "iou_type"), [(SCENE, "bbox"), (MASKS, "segm")])
def test_numbers_are_those_of_pycocotools(scene: tuple[Any, Any], iou_type: str) -> None:
    answer = found(*scene, "--iou-type", iou_type)
    twelve, _ = pycocotools_numbers(*scene, iou_type=iou_type)
    assert [answer[metric] for metric in COCO_METRICS] == pytest.approx(twelve, abs=1e-9)
    assert answer["intervals"]["AP"]["value"] == answer["AP"]
    assert answer["intervals"]["AP"]["low"] < answer["AP"] < answer["intervals"]["AP"]["high"]
    assert answer["conventions"]["iou"].startswith("of boxes" if iou_type == "bbox" else "of masks")


def test_classes_errors_and_operating_points() -> None:
    answer = found(*SCENE)
    assert list(answer["per_class"]) == ["class0", "class1", "class2", "class3"]
    assert answer["per_class"]["class3"]["AP"] is None
    assert "Without ground truth, and so left out of the means: class3." in answer["notes"]
    of_classes = [answer["per_class"][f"class{k}"] for k in range(3)]
    assert sum(c["AP"] for c in of_classes) / 3 == pytest.approx(answer["AP"])
    assert sum(c["objects"] for c in of_classes) == answer["objects"]
    assert all(c["intervals"]["AP"]["value"] == c["AP"] for c in of_classes)
    assert set(answer["error_kinds"]) == {
        "correct",
        "classification",
        "localisation",
        "both",
        "duplicate",
        "background",
        "missed",
        "false_positives",
        "false_negatives",
    }
    assert answer["error_kinds"]["duplicate"]["count"] > 0
    assert answer["error_kinds"]["false_positives"]["dAP"] > 0
    best = answer["operating_points"]["best_f1"]
    assert (best["score"], best["f1"]) == (answer["operating_point"], answer["f1"])
    assert answer["intervals"]["precision"]["value"] == pytest.approx(answer["precision"])


def test_thresholds_set_the_exit_status() -> None:
    answer = found(*SCENE, "--min", "AP50=0.01", "--min", "class0/AP=0.01")
    assert [t["passed"] for t in answer["thresholds"]] == [True, True]
    answer = found(*SCENE, "--min", "AP=0.999", status=1)
    assert answer["passed"] is False
    found(*SCENE, "--max", "error_kinds/background=0", status=1)
    result = check(*SCENE, "--min", "AP=0.999")
    assert result.exit_code == 1
    assert "missed: AP 0." in result.output
    # not defined, and so not passed
    assert check(*SCENE, "--min", "class3/AP=0").exit_code == 1


def test_text_is_for_people() -> None:
    output = check(*SCENE).output
    for words in (
        "AP75",
        "kind of error",
        "localisation",
        "class2",
        "95 %",
        "Without ground truth",
    ):
        assert words in output


def test_no_predictions_is_defined() -> None:
    known, _ = SCENE
    answer = found(known, [])
    assert [answer[metric] for metric in COCO_METRICS] == [0.0] * 12
    assert answer["notes"][0] == "There are no predictions at all."
    assert answer["operating_point"] is None
    assert found(known, [], "--min", "AP=0.5", status=1)["passed"] is False


def test_boxes_outside_the_frame_are_counted_and_used() -> None:
    known, results = copy.deepcopy(SCENE)
    results[0]["bbox"] = [-50.0, -50.0, 900.0, 900.0]
    notes = found(known, results)["notes"]
    assert any("reach outside their image; they are used as they are" in note for note in notes)


def test_predictions_beyond_a_hundred_are_said() -> None:
    known, _ = SCENE
    box = {"image_id": 7, "category_id": 3, "bbox": [1, 1, 5, 5], "score": 0.5}
    notes = found(known, [box] * 103)["notes"]
    assert any("3 of 103 predictions are beyond the 100 highest-scored" in note for note in notes)


def test_categories_of_one_name_are_told_apart() -> None:
    known, results = copy.deepcopy(SCENE)
    for category in known["categories"][:2]:
        category["name"] = "cell"
    assert list(found(known, results)["per_class"])[:2] == ["cell (3)", "cell (4)"]


def test_an_annotation_without_an_area_has_that_of_its_box() -> None:
    known, results = copy.deepcopy(SCENE)
    for row in known["annotations"]:
        row["area"] = row["bbox"][2] * row["bbox"][3]
    with_area = found(known, results)
    for row in known["annotations"]:
        del row["area"]
    assert found(known, results) == with_area


def drop(*path: Any) -> Callable[[Any, Any], None]:
    """Deletes a part of the ground truth (first ``t``) or of the predictions (``p``)."""

    def change(known: Any, results: Any) -> None:
        target = known if path[0] == "t" else results
        for step in path[1:-1]:
            target = target[step]
        del target[path[-1]]

    return change


def put(value: Any, *path: Any) -> Callable[[Any, Any], None]:
    """Sets a part of the ground truth (first ``t``) or of the predictions (``p``)."""

    def change(known: Any, results: Any) -> None:
        target = known if path[0] == "t" else results
        for step in path[1:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


def twice(known: Any, results: Any) -> None:
    for n, row in enumerate(results):
        row["id"] = max(n, 1)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (put([], "t", "annotations"), "truth.json has no annotations"),
        (drop("t", "images"), "truth.json has no images"),
        (drop("t", "categories"), "truth.json has no categories"),
        (put(7, "t", "images"), "images is a int, not a list"),
        (put(["x"], "t", "images"), "images: entry 0 is 'x', not an object"),
        (drop("t", "images", 2, "id"), "images: entry 2 has no id"),
        (put(None, "t", "images", 2, "id"), "images: entry 2 has the id None"),
        (put(8, "t", "images", 2, "id"), "images: the id 8 is there 2 times"),
        (put(3, "t", "categories", 1, "id"), "categories: the id 3 is there 2 times"),
        (put(1, "t", "annotations", 4, "id"), "annotations: the id 1 is there 2 times"),
        (put("wide", "t", "images", 0, "width"), "have a size that is no finite number"),
        (
            put(99, "t", "annotations", 0, "image_id"),
            "truth.json: 1 of 150 entries have an image_id",
        ),
        (put("big", "t", "annotations", 0, "area"), "have an area that is no finite number"),
        (put([1, 2, 3], "t", "annotations", 0, "bbox"), r"entry 0 has the bbox \[1, 2, 3\]"),
        (put(99, "p", 3, "image_id"), r"found.json: 1 of 600 entries.* \(entry 3\) 99"),
        (put([7], "p", 3, "image_id"), r"found.json: 1 of 600 entries.* \(entry 3\) \[7\]"),
        (put("cat", "p", 3, "category_id"), "category_id that is not among the categories"),
        (drop("p", 3, "score"), "found.json: entry 3 has no score"),
        (put(float("nan"), "p", 3, "score"), "a score that is no finite number.*nan"),
        (put("0.5", "p", 3, "score"), "a score that is no finite number.*'0.5'"),
        (put(True, "p", 3, "score"), "a score that is no finite number.*True"),
        (put(1.5, "p", 3, "score"), r"a score outside 0 to 1, the first \(entry 3\) 1.5"),
        (put(-0.1, "p", 3, "score"), "a score outside 0 to 1"),
        (drop("p", 3, "bbox"), "found.json: entry 3 has no bbox"),
        (put("box", "p", 3, "bbox"), "entry 3 has the bbox 'box'"),
        (put([0, 0, float("inf"), 1], "p", 3, "bbox"), "a side of a bbox that is no finite"),
        (put([9, 9, -4, 5], "p", 3, "bbox"), "a bbox of negative width or height"),
        (put(10**400, "p", 3, "score"), "a score that is no finite number"),
        (put([0, 0, 1e300, 1e300], "p", 3, "bbox"), r"a side of over 1e\+09 pixels"),
        (put([], "p", 3), r"found.json: entry 3 is \[\], not an object"),
        (twice, "found.json: the id 1 is there 2 times"),
    ],
)
def test_bad_input_is_a_clear_error(change: Callable[[Any, Any], None], match: str) -> None:
    known, results = copy.deepcopy(SCENE)
    change(known, results)
    result = check(known, results)
    assert result.exit_code == 2, result.output
    line, hint = result.stderr.strip().splitlines()
    assert re.search(match, line), line
    assert hint.startswith("  → ")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (drop("p", 3, "segmentation"), "found.json: entry 3 has no segmentation"),
        (put("x", "p", 3, "segmentation"), "entry 3 has a segmentation that cannot be read"),
        (
            put([[1, 2, 3]], "p", 3, "segmentation"),
            "entry 3 has a segmentation that cannot be read",
        ),
        (put([[1, 2, 10**400, 4, 5, 6]], "p", 3, "segmentation"), "polygons are lists"),
        (put([[1, 2, 1e12, 4, 5, 6]], "p", 3, "segmentation"), "polygons are lists"),
        (put({"size": [320, 320]}, "p", 3, "segmentation"), "segmentation that cannot be read"),
        (put({"size": 7, "counts": [25]}, "p", 3, "segmentation"), "a mask of 7"),
        (put({"size": [5, 5], "counts": [25]}, "p", 3, "segmentation"), r"a mask of \[5, 5\]"),
        (put({"size": [320, 320], "counts": [25]}, "p", 3, "segmentation"), "of 25 pixels"),
        (put({"size": [320, 320], "counts": "[["}, "p", 3, "segmentation"), "malformed"),
        (drop("t", "images", 0, "width"), "has no width and height"),
    ],
)
def test_bad_masks_are_a_clear_error(change: Callable[[Any, Any], None], match: str) -> None:
    known, results = copy.deepcopy(MASKS)
    change(known, results)
    result = check(known, results, "--iou-type", "segm")
    assert result.exit_code == 2, result.output
    assert re.search(match, result.stderr), result.stderr


def test_unreadable_files_are_a_clear_error() -> None:
    known, results = SCENE
    text = json.dumps(results)
    for broken in (text[: len(text) // 2], "", "\x00\x01", "[" * 100_000):
        result = check(known, broken)
        assert result.exit_code == 2
        assert "found.json is not JSON" in result.stderr
    assert "holds a list, not an object" in check([], results).stderr
    assert "is a dict, not a list" in check(known, {"annotations": results}).stderr
    absent = ("--ground-truth", "none.json", "--predictions", "found.json")
    result = CliRunner().invoke(app, ["check", "detections", *absent])
    assert result.exit_code == 2
    assert "none.json cannot be read: No such file or directory." in result.stderr
    unknown = check(known, results, "--min", "APPP=0.5")
    assert (unknown.exit_code, "no metric 'APPP'" in unknown.stderr) == (2, True)


def test_needs_neither_project_nor_dagster(tmp_path: Path) -> None:
    check(*SCENE)  # writes the files
    script = (
        "import sys\n"
        "from cv_pipeline.cli import app\n"
        "try:\n"
        "    app(['check', 'detections', '--ground-truth', 'truth.json',"
        " '--predictions', 'found.json', '--json'])\n"
        "except SystemExit as end:\n"
        "    heavy = {'dagster', 'torch', 'mlflow', 'sklearn', 'lance'} & set(sys.modules)\n"
        "    sys.exit(f'{end.code} {heavy}' if end.code or heavy else 0)\n"
    )
    kept = {name: os.environ[name] for name in ("PATH",)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=kept | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["AP"] > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["found.json", "truth.json"]
