"""Suggestions of every shape: by a plug-in, to a real Label Studio, and back, judged by their own
measure."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.annotations.geometry import (
    KeyPoint,
    Mask,
    Shape,
    keypoints,
    polygon,
    read_shape,
    rotated_box,
)
from cv_pipeline.annotations.geometry.run_lengths import runs_of_mask
from cv_pipeline.catalog.schemas import LABELING_TASKS
from cv_pipeline.cli.pull import pull
from cv_pipeline.cli.push import push
from cv_pipeline.labeling.prelabels.acceptance import acceptance
from cv_pipeline.labeling.prelabels.judged_objects import judged_objects
from cv_pipeline.labeling.prelabels.prelabel_rows import drawable, prelabel_rows
from cv_pipeline.labeling.tool.inspector_address import tell_address
from cv_pipeline.ontology import Ontology
from cv_pipeline.plugins.label import Found, Unlabelled, interface, suggest
from cv_pipeline.plugins.label.interface import Suggested

PIXELS = np.zeros((48, 64), bool)
PIXELS[30:40, 5:25] = True
SHAPES: tuple[Shape | None, ...] = (
    None,
    rotated_box((45.0, 12.0), (20.0, 8.0), 30.0),
    polygon([[(4.0, 4.0), (20.0, 6.0), (12.0, 18.0)]]),
    Mask((48, 64), runs_of_mask(PIXELS)),
    keypoints([KeyPoint("stem", 40.0, 30.0), KeyPoint("tip", 56.0, 44.0, visible=1)]),
)
NAN = [np.nan] * 4
BOXES = np.array([[28.0, 2.0, 34.0, 9.0], NAN, NAN, NAN, [38.0, 28.0, 60.0, 46.0]])
ONTOLOGY = {
    "labels": ["red", "blue"],
    "attributes": {"occluded": []},
    "geometry": ["bbox", "rotated_box", "polygon", "mask", "keypoints"],
    "keypoints": {"red": ["stem", "tip"]},
}


class Shapes:
    """Finds one object of each shape on the first image."""

    needs = ()

    def __call__(self, images: Unlabelled, *, seed: int) -> Suggested:
        n = len(SHAPES)
        found = Found(
            np.zeros(n, np.int64), np.zeros(n, np.int64), np.full(n, 0.9), BOXES.copy(), SHAPES
        )
        return Suggested(found, np.zeros(len(images)))


@pytest.fixture
def suggested(monkeypatch):
    """The plug-in's suggestions on images, as rows of prelabels."""

    def make(image_ids: list[str], **more: Any) -> pa.Table:
        monkeypatch.setattr(interface, "load_plugin", lambda *_: Shapes())
        told = {"kinds": tuple(ONTOLOGY["geometry"]), "points": ONTOLOGY["keypoints"]} | more
        images = Unlabelled(
            pa.array(image_ids), labels=("red", "blue"), boxes=True, least_score=0.3,
            sizes=np.array([[64.0, 48.0]] * len(image_ids)), **told,
        )  # fmt: skip
        made = suggest("shapes", images, seed=0)
        objects = drawable(made.objects, images)
        return prelabel_rows(images, objects, made.uncertainty, by="shapes")

    return make


def test_suggestions_of_every_shape_go_to_the_tool_and_come_back(lake, suggested):
    ontology = Ontology.model_validate(ONTOLOGY)
    lake.project = lake.project.model_copy(update={"ontology": ontology})
    rows = suggested(lake.image_ids)
    assert sorted(set(rows["kind"].to_pylist())) == sorted([*ONTOLOGY["geometry"], "none"])
    lake.catalog.table("prelabels").insert(rows, on=["image_id", "model", "object"])
    report = lake.push(prelabel_model="shapes")
    assert (report.pushed, report.prelabelled) == (6, 1)
    task = lake.tasks()[lake.image_ids[0]]
    told = lake.studio.of("ann").send("GET", f"/api/tasks/{task}/", None)
    (prediction,) = told["predictions"]
    shown = prediction["result"]
    assert sorted({r["type"] for r in shown}) == [
        "brushlabels", "keypointlabels", "polygonlabels", "rectanglelabels",
    ]  # fmt: skip

    # ann leaves everything; bob moves the polygon, takes the mask away, moves a key point far off
    # and draws another polygon, with a box to tick
    kept = [r | {"origin": "prediction"} for r in shown]
    lake.studio.label("ann", task, *kept, parent_prediction=prediction["id"])
    changed = [r for r in kept if r["type"] != "brushlabels"]
    for region in changed:
        if region["type"] == "polygonlabels":
            points = [[x + 3, y] for x, y in region["value"]["points"]]
            region.update(value=region["value"] | {"points": points}, origin="prediction-changed")
        if region["value"].get("keypointlabels") == ["tip"]:
            region.update(value=region["value"] | {"x": 62.0, "y": 62.0})
    drawn = {"points": [[50, 50], [60, 50], [60, 60]], "polygonlabels": ["blue"]}
    sizes = {"original_width": 64, "original_height": 48, "image_rotation": 0}
    new = {"id": "new", "type": "polygonlabels", "from_name": "polygon", "to_name": "image"}
    tick = {"id": "new", "type": "choices", "from_name": "occluded", "to_name": "image"}
    changed += [
        new | sizes | {"value": drawn},
        tick | sizes | {"value": drawn | {"choices": ["occluded"]}},
    ]
    lake.studio.label("bob", task, *changed, parent_prediction=prediction["id"])
    lake.pull()

    kinds = dict(zip(rows["object"].to_pylist(), rows["kind"].to_pylist(), strict=True))
    judged = acceptance(lake.catalog).to_pylist()
    who = {f"{lake.studio.id_of(n)}": n for n in ("ann", "bob")}
    found = {
        (who[row["annotator"].rpartition("-")[2]], kinds.get(row["object"], row["label"])): row[
            "outcome"
        ]
        for row in judged
    }
    assert {k[1]: v for k, v in found.items() if k[0] == "ann"} == dict.fromkeys(
        ONTOLOGY["geometry"], "accepted"
    )
    assert {k[1]: v for k, v in found.items() if k[0] == "bob"} == {
        "bbox": "accepted", "rotated_box": "accepted", "polygon": "corrected", "mask": "deleted",
        "keypoints": "corrected", "blue": "added",
    }  # fmt: skip
    assert len(judged) == 11

    # what ann left is what was suggested, to a hundredth of a pixel, and every pixel of the mask
    (whole,) = [s for s in lake.states() if len(json.loads(s["result"])) == len(kept)]
    of_ann = pa.Table.from_pylist([whole]).select(
        ["tool_project", "annotation", "image_id", "result"]
    )
    back = judged_objects(of_ann, lake.catalog.table("images").relation()).to_pylist()
    there = {row["kind"]: row for row in back}
    for row in rows.to_pylist():
        if row["kind"] not in ("bbox", "none"):
            a = read_shape(row["kind"], row["geometry"])
            b = read_shape(row["kind"], there[row["kind"]]["geometry"])
            assert numbers(a) == pytest.approx(numbers(b), abs=0.01)
    assert [there["keypoints"][e] for e in ("x0", "y0", "x1", "y1")] == pytest.approx(BOXES[4])


def numbers(shape: Shape) -> list[float]:
    found: list[float] = []

    def look(value: object) -> None:
        if isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                look(part)
        elif isinstance(value, int | float):
            found.append(float(value))
        elif isinstance(value, str):
            found.extend(map(float, value.encode()))

    look(json.loads(shape.text))
    return found


def test_boxes_are_outlines_where_annotators_draw_outlines_alone(suggested, monkeypatch):
    monkeypatch.setattr("tests.labeling.prelabels.test_shapes_in_the_tool.SHAPES", (None,))
    monkeypatch.setattr("tests.labeling.prelabels.test_shapes_in_the_tool.BOXES", BOXES[:1])
    (row,) = suggested(["a"], kinds=("polygon",)).to_pylist()
    assert row["kind"] == "polygon"
    assert json.loads(row["geometry"])["rings"] == [[[28, 2], [34, 2], [34, 9], [28, 9]]]
    assert [row[e] for e in ("x_min", "y_min", "x_max", "y_max")] == [28, 2, 34, 9]
    # a box that fills a mask would be more work than none
    assert suggested(["a"], kinds=("mask",))["kind"].to_pylist() == ["none"]


def test_a_push_without_pre_labels_says_why(lake, monkeypatch, capsys):
    monkeypatch.setenv("CV_LABEL_STUDIO_TOKEN", lake.studio.token)
    monkeypatch.setenv("CV_STORE", str(lake.folder / "home" / "store"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    told = []
    for model in (None, ""):
        push(lake.name, "first", model=model, as_json=True)
        told.append(json.loads(capsys.readouterr().out))
    # asked for none, nobody wonders
    assert told[0]["no_prelabels"] == (
        f"No pre-label was made yet. Make them: cvp prelabels {lake.name} --make"
    )
    assert told[1]["no_prelabels"] == ""
    push(lake.name, "first", model=None)
    assert "none begins with pre-labels: No pre-label was made yet." in capsys.readouterr().out
    # those that an earlier push made are told as well
    table = lake.catalog.table("labeling_tasks")
    rows = table.read().to_pylist()
    begun = [{**row, "prelabel_model": "earlier"} for row in rows[:2]]
    table.merge(pa.Table.from_pylist(begun, schema=LABELING_TASKS), on=table.key)
    push(lake.name, "first", model=None)
    out = capsys.readouterr().out
    assert "2 begin with pre-labels of earlier" in out
    assert "none of the new ones begins with pre-labels: No pre-label was made yet." in out


def test_a_pull_says_which_batches_show_images_where_the_inspector_is_not(
    lake, monkeypatch, capsys
):
    monkeypatch.setenv("CV_LABEL_STUDIO_TOKEN", lake.studio.token)
    monkeypatch.setenv("CV_STORE", str(lake.folder / "home" / "store"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    lake.push()
    pull(lake.name)
    assert "another address" not in capsys.readouterr().out
    tell_address("127.0.0.1", 9321)
    pull(lake.name)
    assert (
        "1 batch shows images at another address than the inspector's (http://127.0.0.1:9321):"
        f" cvp push {lake.name} --batch NAME renews them: first"
    ) in capsys.readouterr().out
