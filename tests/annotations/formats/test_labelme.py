from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from cv_pipeline.annotations.formats import labelme
from cv_pipeline.annotations.geometry.parts import whole_mask
from cv_pipeline.annotations.geometry.run_lengths import decode_counts, mask_of_runs


def shape(kind: str = "rectangle", points: object = ((1, 2), (11, 12)), **more: object):
    listed = [list(p) for p in points]  # type: ignore[attr-defined]
    return {"label": "pear", "points": listed, "shape_type": kind, "flags": {}} | more


def document(*shapes: object, **more: object) -> dict[str, object]:
    base = {"version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg"}
    return base | {"imageData": None, "imageHeight": 30, "imageWidth": 40} | more


def parse(*documents: object, **files: bytes):
    listed = {f"{n}.json": json.dumps(d).encode() for n, d in enumerate(documents)}
    return labelme.parse(listed | files)


def png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_rectangles_may_be_drawn_from_any_corner():
    (row,) = parse(
        document(shape(points=[(11, 2), (1, 12)], flags={"ripe": True}))
    ).rows.to_pylist()

    assert [row[e] for e in ("x_min", "y_min", "x_max", "y_max")] == [1, 2, 11, 12]
    assert (row["kind"], row["attributes"]) == ("bbox", '{"ripe":true}')
    assert (row["image_path"], row["width"], row["height"]) == ("a.jpg", 40, 30)


def test_paths_are_those_beside_the_file():
    nested = {
        "x/labels/a.json": json.dumps(document(shape(), imagePath="..\\images\\a.jpg")).encode()
    }
    assert labelme.parse(nested).images == ("x/images/a.jpg",)


def test_polygons_turned_boxes_and_masks():
    corners = [(10, 10), (20, 10), (20, 16), (10, 16)]
    crop = np.array([[0, 255], [255, 255]], np.uint8)
    mask = shape("mask", [(5, 7), (6, 8)], mask=png(crop))
    rows = parse(
        document(shape("polygon", corners[:3]), shape("oriented_rectangle", corners), mask)
    ).rows.to_pylist()

    assert [r["kind"] for r in rows] == ["polygon", "rotated_box", "mask"]
    counts = json.loads(whole_mask(rows[2]["geometry"], size=(30, 40)).text)["counts"]
    whole = np.zeros((30, 40), dtype=bool)
    whole[7:9, 5:7] = crop > 0
    assert_array_equal(mask_of_runs(decode_counts(counts, 1200), (30, 40)), whole)


def test_points_of_a_group_are_of_its_rectangle():
    points = [
        shape(group_id=3),
        shape("point", [(3, 4)], label="top", group_id=3, flags={"occluded": True}),
        shape("point", [(5, 6)], label="end", group_id=3),
        shape("point", [(7, 8)], label="stem"),
    ]
    first, alone = parse(document(*points)).rows.to_pylist()

    assert (first["label"], first["kind"], first["x_max"]) == ("pear", "keypoints", 11)
    assert json.loads(first["geometry"])["points"] == [
        {"name": "end", "visible": 2, "x": 5, "y": 6},
        {"name": "top", "visible": 1, "x": 3, "y": 4},
    ]
    assert (alone["label"], alone["x_min"]) == ("stem", None)


def test_flags_of_an_image_are_its_class_or_its_tags():
    flags = {"ripe": True, "dark": False}
    assert parse(document(flags=flags)).rows.select(["label", "kind"]).to_pylist() == [
        {"label": "ripe", "kind": "class"}
    ]
    kinds = parse(document(shape()), document(flags=flags)).rows["kind"].to_pylist()
    assert kinds == ["bbox", "tag"]


def test_classes_are_listed_beside():
    parsed = parse(document(shape()), **{"labels.txt": b"__ignore__\n_background_\npear\nfig\n"})
    assert parsed.labels == ("pear", "fig")


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (shape("circle"), "shapes[0].shape_type", "unsupported_shape"),
        (shape("linestrip"), "shapes[0].shape_type", "unsupported_shape"),
        (shape(points=[(1, 2)]), "shapes[0].points", "bad_box"),
        (shape(points=[(1, 2, 3), (4, 5, 6)]), "shapes[0].points", "bad_points"),
        (shape("polygon"), "shapes[0].points", "too_few_points"),
        (shape("mask"), "shapes[0].points", "bad_mask"),
        (shape("mask", mask="?"), "shapes[0].points", "bad_mask"),
        (shape("mask", mask=base64.b64encode(b"GIF89a").decode()), "shapes[0].points", "bad_mask"),
        (
            shape("mask", [(39, 0), (40, 1)], mask=png(np.ones((2, 2), np.uint8))),
            "shapes[0].points",
            "out_of_frame_shape",
        ),
        (shape(label=" "), "shapes[0].label", "missing_label"),
        (5, "shapes[0]", "not_an_object"),
    ],
)
def test_one_bad_shape_is_named_and_the_next_one_is_read(bad, field, reason):
    parsed = parse(document(bad, shape()))

    assert [(r.field, r.reason) for r in parsed.quarantine] == [(field, reason)]
    assert parsed.rows["kind"].to_pylist() == ["bbox"]


def test_a_picture_with_too_long_a_note_takes_no_other_shape_down():
    import zlib

    data = base64.b64decode(png(np.ones((2, 2), np.uint8)))
    note = b"zTXtnote\0\0" + zlib.compress(bytes(1 << 21))
    chunk = (len(note) - 4).to_bytes(4) + note + zlib.crc32(note).to_bytes(4)
    bad = shape("mask", mask=base64.b64encode(data[:33] + chunk + data[33:]).decode())
    parsed = parse(document(bad, shape()))
    assert [r.reason for r in parsed.quarantine] == ["bad_mask"]
    assert parsed.rows["kind"].to_pylist() == ["bbox"]


def test_a_picture_that_claims_to_be_huge_is_not_decoded():
    data = bytearray(base64.b64decode(png(np.ones((1, 1), np.uint8))))
    data[16:24] = (60_000).to_bytes(4) * 2
    # with the header's checksum mended, so that nothing but its size is wrong
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    bad = shape("mask", mask=base64.b64encode(bytes(data)).decode())
    parsed = parse(document(bad, shape()))
    assert [r.reason for r in parsed.quarantine] in (["mask_too_large"], ["bad_mask"])
