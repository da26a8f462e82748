from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cv_pipeline.annotations.formats import cvat
from cv_pipeline.annotations.geometry.parts import whole_mask
from cv_pipeline.annotations.geometry.run_lengths import decode_counts, mask_of_runs
from cv_pipeline.errors import AnnotationError

NAMES = "".join(f"<label><name>{name}</name></label>" for name in ("pear", "fig"))
META = f"<meta><task><labels>{NAMES}</labels></task></meta>"


def image(*shapes: str, name: str = "a.jpg", subset: str = "") -> str:
    told = f'subset="{subset}"' if subset else ""
    return f'<image id="0" name="{name}" {told} width="40" height="30">{"".join(shapes)}</image>'


def parse(*images: str, meta: str = META):
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><annotations>{meta}{"".join(images)}</annotations>'
    )
    return cvat.parse({"annotations.xml": text.encode()})


EDGES = 'xtl="1.5" ytl="2" xbr="11" ybr="12.25"'
BOX = f'<box label="pear" source="manual" occluded="1" {EDGES}{{}}>{{}}</box>'
PLAIN = BOX.format("", "")


def test_boxes_with_attributes():
    inner = '<attribute name="ripe">yes</attribute><attribute name="note"></attribute>'
    parsed = parse(image(BOX.format("", inner), subset="Train"), image(name="b.jpg"))

    (row,) = parsed.rows.to_pylist()
    assert [row[e] for e in ("x_min", "y_min", "x_max", "y_max")] == [1.5, 2, 11, 12.25]
    assert json.loads(row["attributes"]) == {"occluded": True, "ripe": "yes", "note": ""}
    assert (row["label"], row["kind"], row["width"], row["height"]) == ("pear", "bbox", 40, 30)
    assert (parsed.labels, parsed.empty) == (("pear", "fig"), ("b.jpg",))
    assert parsed.facts.to_pylist()[0]["split"] == "train"


def test_a_turned_box_is_turned_about_its_centre():
    (row,) = parse(image(BOX.format(' rotation="30.0"', ""))).rows.to_pylist()

    assert row["kind"] == "rotated_box"
    assert json.loads(row["geometry"]) == {
        "angle": 30,
        "center": [6.25, 7.125],
        "size": [9.5, 10.25],
    }


def test_a_mask_is_run_lengths_of_a_part():
    # two rows of three pixels: the first is outside
    mask = '<mask label="fig" rle="1, 2, 1, 2" left="5" top="7" width="3" height="2"/>'
    (row,) = parse(image(mask)).rows.to_pylist()

    pixels = np.zeros((30, 40), dtype=bool)
    pixels[7:9, 5:8] = [[False, True, True], [False, True, True]]
    text = whole_mask(row["geometry"], size=(30, 40)).text
    found = mask_of_runs(decode_counts(json.loads(text)["counts"], 1200), (30, 40))
    assert_array_equal(found, pixels)


def test_skeletons_and_points():
    skeleton = (
        '<skeleton label="pear"><points label="top" outside="0" occluded="1" points="3,4"/>'
        '<points label="end" outside="1" occluded="0" points="0,0"/></skeleton>'
    )
    rows = parse(image(skeleton, '<points label="fig" points="1,2;3,4"/>')).rows.to_pylist()

    points = [json.loads(r["geometry"])["points"] for r in rows]
    assert points[0] == [{"name": "top", "visible": 1, "x": 3, "y": 4}]
    assert [p["name"] for p in points[1]] == ["1", "2"]


def test_a_tag_is_a_class_where_nothing_is_drawn():
    tag = '<tag label="fig" source="manual"></tag>'
    assert parse(image(tag)).rows["kind"].to_pylist() == ["class"]
    assert parse(image(tag, PLAIN)).rows["kind"].to_pylist() == ["bbox", "tag"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('<polyline label="pear" points="1,2;3,4"/>', "unsupported_shape"),
        ('<ellipse label="pear" cx="1" cy="1" rx="1" ry="1"/>', "unsupported_shape"),
        ('<polygon label="pear" points="1,2;3,4"/>', "too_few_points"),
        ('<polygon label="pear" points="1,2;3"/>', "bad_points"),
        ('<polygon label="pear"/>', "bad_points"),
        ('<box label="pear" xtl="1"/>', "bad_box"),
        ('<box xtl="1" ytl="1" xbr="2" ybr="2"/>', "missing_label"),
        ('<mask label="fig" rle="9" left="0" top="0" width="3" height="2"/>', "bad_mask"),
        (
            '<mask label="fig" rle="6" left="39" top="0" width="3" height="2"/>',
            "out_of_frame_shape",
        ),
        (
            '<mask label="fig" rle="1" left="0" top="0" width="999999" height="999999"/>',
            "mask_too_large",
        ),
        ('<skeleton label="pear"></skeleton>', "no_points"),
    ],
)
def test_one_bad_shape_is_named_and_the_next_one_is_read(bad, reason):
    parsed = parse(image(bad, PLAIN))

    assert [r.reason for r in parsed.quarantine] == [reason]
    assert parsed.rows["kind"].to_pylist() == ["bbox"]


def test_tracks_of_videos_are_refused():
    parsed = parse(image(PLAIN), '<track id="0" label="pear"></track>')
    assert [(r.field, r.reason) for r in parsed.quarantine] == [("track 0", "video_track")]


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE a [<!ENTITY x 'y'>]><annotations>&x;</annotations>",
        "<annotation></annotation>",
        "<annotations><image",
    ],
)
def test_files_that_are_none(text):
    with pytest.raises(AnnotationError):
        cvat.parse({"annotations.xml": text.encode()})


def test_what_stands_before_damage_is_read():
    text = f"<annotations>{META}{image(PLAIN)}<image"
    parsed = cvat.parse({"annotations.xml": text.encode()})
    assert (parsed.rows.num_rows, [r.reason for r in parsed.quarantine]) == (1, ["not_xml"])
