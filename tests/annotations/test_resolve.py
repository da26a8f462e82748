from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from cv_pipeline.annotations.formats import parse_export, read_export
from cv_pipeline.annotations.resolve import resolve as resolve_rows
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.project import Ontology
from cv_pipeline.storage import open_source

WIDTH, HEIGHT = 100, 80
ONTOLOGY = Ontology(
    version="3",
    guideline_version="4",
    labels=("pear", "apple"),
    attributes={"occluded": (), "side": ("left", "right")},
)
FILES = pa.table({"path": ["cam/a.jpg", "cam/b.jpg"], "image_id": ["id-a", "id-b"]})
IMAGES = pa.table(
    {"image_id": ["id-b", "id-a"], "width": [WIDTH, WIDTH], "height": [HEIGHT, HEIGHT]}
)


def resolve(parsed, *, files=FILES, refused_files=None):
    return resolve_rows(
        parsed, files=files, images=IMAGES, ontology=ONTOLOGY, refused_files=refused_files
    )


def refusals(resolved) -> list[tuple[str, str]]:
    return [(r.field, r.reason) for r in resolved.quarantine]


def edges(**changes: object) -> dict[str, object]:
    return {"x_min": 10.0, "y_min": 20.0, "x_max": 30.0, "y_max": 40.0} | changes


def test_good_rows_pass_with_image_and_versions(parsed_of):
    resolved = resolve(parsed_of({}, {"image_path": "b.jpg", "label": "apple"}))

    rows = resolved.rows.to_pylist()
    assert resolved.rows.schema.equals(ANNOTATIONS)
    assert [r["image_id"] for r in rows] == ["id-a", "id-b"]
    assert {(r["ontology_version"], r["guideline_version"]) for r in rows} == {("3", "4")}
    assert resolved.quarantine == ()


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"image_path": "z.jpg"}, ".image_id", "unknown_image"),
        ({"label": "Pear"}, ".category_id", "unknown_label"),
        (edges(x_min=30.0, x_max=10.0), ".bbox", "inverted_box"),
        (edges(y_max=20.0), ".bbox", "zero_area_box"),
        (edges(x_max=math.nan), ".bbox", "not_finite"),
        (edges(x_min=-math.inf), ".bbox", "not_finite"),
        (edges(x_max=WIDTH + 1.01), ".bbox", "out_of_frame_box"),
        (edges(y_min=-1.01), ".bbox", "out_of_frame_box"),
        (edges(x_min=WIDTH + 0.2, x_max=WIDTH + 0.9), ".bbox", "out_of_frame_box"),
        (edges(x_min=-0.9, x_max=-0.2), ".bbox", "out_of_frame_box"),
        ({"width": HEIGHT, "height": WIDTH}, ".bbox", "size_mismatch"),
        (edges(normalized=True, x_max=1e308), ".bbox", "not_finite"),
    ],
)
def test_one_bad_row_is_named_and_the_next_one_passes(parsed_of, change, field, reason):
    resolved = resolve(parsed_of(change, {}))

    assert refusals(resolved) == [(f"annotations[0]{field}", reason)]
    assert resolved.rows["original_id"].to_pylist() == ["1"]


def test_refusal_says_what_is_meant_and_what_was_found(parsed_of):
    label, box = resolve(parsed_of({"label": "peer"}, edges(x_max=500.0))).quarantine

    assert label.detail == "'peer' is not a class of the ontology. Did you mean 'pear'?"
    assert box.detail == "(10, 20, 500, 40) reaches out of the image of 100×80 pixels."


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edges(x_min=-1.0, y_max=HEIGHT + 1.0), (0, 20, 30, HEIGHT)),
        (edges(x_min=0.1, y_min=0.25, x_max=0.5, y_max=1.0, normalized=True), (10, 20, 50, HEIGHT)),
        ({"width": WIDTH, "height": HEIGHT}, (10, 20, 30, 40)),
        ({"width": WIDTH}, (10, 20, 30, 40)),  # half a size is none
    ],
)
def test_boxes_are_pixels_clipped_by_at_most_one(parsed_of, change, expected):
    row = resolve(parsed_of(change)).rows.to_pylist()[0]

    assert (row["x_min"], row["y_min"], row["x_max"], row["y_max"]) == pytest.approx(expected)


def test_image_level_labels_have_no_box(parsed_of):
    nothing = dict.fromkeys(("x_min", "y_min", "x_max", "y_max"))

    row = resolve(parsed_of({"kind": "class", **nothing})).rows.to_pylist()[0]

    assert row["x_min"] is None


def test_equal_ids_and_equal_objects_pass_once(parsed_of):
    resolved = resolve(
        parsed_of(
            {"original_id": "7"},
            {"original_id": "7"},  # another box under the same id
            edges(original_id="8"),  # the first box under another id
            edges(original_id="9", annotator="bob"),
        )
    )

    assert refusals(resolved) == [
        ("annotations[1]", "duplicate_id"),
        ("annotations[2]", "duplicate_object"),
    ]
    assert sorted(resolved.rows["original_id"].to_pylist()) == ["7", "9"]


def test_boxes_on_copies_of_an_image_do_not_add_up(parsed_of):
    files = pa.table({"path": ["a.jpg", "copy.jpg"], "image_id": ["id-a", "id-a"]})
    copy = {"image_path": "copy.jpg"}
    parsed = parsed_of({}, {}, {"image_path": "./a.jpg"}, copy, copy | {"annotator": "bob"})

    resolved = resolve(parsed, files=files)
    later = {"updated_at": datetime(2025, 1, 1, tzinfo=UTC)}
    turned = resolve(parsed_of({}, copy | later), files=files)

    assert refusals(resolved) == [("annotations[3].image_id", "copied_image")]
    assert resolved.rows.num_rows == 4
    assert turned.rows["original_id"].to_pylist() == ["1"]


def test_labels_of_copies_are_all_kept(parsed_of):
    files = pa.table({"path": ["a.jpg", "copy.jpg"], "image_id": ["id-a", "id-a"]})
    whole = {"kind": "class"} | dict.fromkeys(("x_min", "y_min", "x_max", "y_max"))
    parsed = parsed_of(whole, whole | {"image_path": "copy.jpg", "label": "apple"})

    resolved = resolve(parsed, files=files)

    assert sorted(resolved.rows["label"].to_pylist()) == ["apple", "pear"]


def test_annotation_of_a_quarantined_image_goes_to_no_other(parsed_of):
    files = pa.table({"path": ["cam_2/a.jpg"], "image_id": ["id-a"]})
    parsed = parsed_of({"image_path": "cam_1/a.jpg"})

    alone = resolve(parsed, files=files)
    known = resolve(parsed, files=files, refused_files=pa.array(["cam_1/a.jpg"]))

    assert alone.rows["image_id"].to_pylist() == ["id-a"]
    assert refusals(known) == [("annotations[0].image_id", "refused_image")]


def test_file_that_was_repaired_since_is_no_longer_refused(parsed_of):
    resolved = resolve(parsed_of({}), refused_files=pa.array(["cam/a.jpg"]))

    assert resolved.rows["image_id"].to_pylist() == ["id-a"]


@pytest.mark.parametrize(
    ("attributes", "kept", "refused"),
    [
        ({"occluded": "Yes", "side": "left"}, {"occluded": True, "side": "left"}, []),
        ({"occluded": False}, {"occluded": False}, []),
        ({"side": ["left", "right"]}, {"side": ["left", "right"]}, []),
        ({"mood": "good"}, {"mood": "good"}, []),  # not declared, so not judged
        ({"occluded": "partly"}, {}, ["annotations[0]: occluded"]),
        ({"side": "top", "occluded": "no"}, {"occluded": False}, ["annotations[0]: side"]),
        ({"side": ["left", "top"]}, {}, ["annotations[0]: side"]),
    ],
)
def test_attributes_follow_the_ontology_and_the_object_stays(parsed_of, attributes, kept, refused):
    resolved = resolve(parsed_of({"attributes": json.dumps(attributes)}))

    assert json.loads(resolved.rows["attributes"][0].as_py()) == kept
    assert refusals(resolved) == [(field, "unknown_attribute_value") for field in refused]


def test_result_does_not_depend_on_the_order_of_files_and_images(parsed_of):
    parsed = parsed_of({}, {"image_path": "b.jpg"}, {"image_path": "b.jpg"})

    turned = resolve(parsed, files=FILES.take([1, 0]))

    assert turned.rows.equals(resolve(parsed).rows)


def test_nothing_resolves_to_nothing(parsed_of):
    assert resolve(parsed_of()).rows.num_rows == 0


def test_blood_cells_lose_their_two_boxes_without_area(real_data):
    archive = f"{real_data}/bccd.tar.gz!BCCD"
    parsed = parse_export(read_export(open_source(f"{archive}/Annotations")))
    paths = [e.path for e in open_source(f"{archive}/JPEGImages").list()]
    sizes = {"width": [640] * len(paths), "height": [480] * len(paths)}

    resolved = resolve_rows(
        parsed,
        files=pa.table({"path": paths, "image_id": paths}),
        images=pa.table({"image_id": paths, **sizes}),
        ontology=Ontology(labels=("RBC", "WBC", "Platelets")),
    )

    assert resolved.rows.num_rows == 4886
    assert [(r.file, r.field, r.reason) for r in resolved.quarantine] == [
        ("BloodImage_00338.xml", "object[12].bndbox", "zero_area_box"),
        ("BloodImage_00343.xml", "object[3].bndbox", "zero_area_box"),
    ]


def test_shapes_are_settled_in_their_image(parsed_of):
    nothing = dict.fromkeys(("x_min", "y_min", "x_max", "y_max"))
    ring = {"kind": "polygon", "geometry": '{"rings":[[[5,6],[50,6],[50,70]]]}', **nothing}
    out = {"kind": "polygon", "geometry": '{"rings":[[[5,6],[500,6],[50,70]]]}', **nothing}
    points = {"kind": "keypoints", "geometry": '{"points":[{"name":"top","x":12,"y":30}]}'}

    resolved = resolve(parsed_of(ring, out, points, points | nothing, {"kind": "tag", **nothing}))

    assert refusals(resolved) == [
        ("annotations[1].bbox", "out_of_frame_shape"),
        ("annotations[4].category_id", "unknown_tag"),
    ]
    rows = {r["original_id"]: r for r in resolved.rows.to_pylist()}
    bounds = {k: [r[e] for e in ("x_min", "y_min", "x_max", "y_max")] for k, r in rows.items()}
    # of points the box of their object counts, where it is told
    assert bounds == {"0": [5, 6, 50, 70], "2": [12, 20, 32, 40], "3": [12, 30, 13, 31]}
    assert rows["0"]["geometry"] == '{"rings":[[[5.0,6.0],[50.0,6.0],[50.0,70.0]]]}'
    assert {r["role"] for r in rows.values()} == {"annotator"}
