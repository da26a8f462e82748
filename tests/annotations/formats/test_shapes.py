"""Shapes in COCO, YOLO, Label Studio and CSV: read as they are meant, or refused with a reason."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.annotations.formats import coco, csv, label_studio, yolo
from cv_pipeline.annotations.formats.label_studio import result_of
from cv_pipeline.annotations.geometry import KeyPoint, Mask, keypoints, polygon, rotated_box
from cv_pipeline.annotations.geometry.brush import brush_of_mask
from cv_pipeline.annotations.geometry.parts import whole_mask
from cv_pipeline.annotations.geometry.run_lengths import encode_counts, runs_of_mask

WIDTH, HEIGHT = 40, 30
FLAT = [10, 5, 30, 5, 30, 25]
SQUARE = np.pad(np.ones((4, 6), bool), ((3, HEIGHT - 7), (2, WIDTH - 8)))
COUNTS = encode_counts(runs_of_mask(SQUARE))


def read_coco(*entries: dict[str, object], points: object = ("top", "end")):
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "pear", "keypoints": points}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": [10, 5, 20, 20], **entry}
            for n, entry in enumerate(entries)
        ],
    }
    return coco.parse({"a.json": json.dumps(document).encode()})


def read_yolo(*lines: str, **yaml: object):
    told = {"names": ["pear"], **yaml}
    described = "".join(f"{key}: {json.dumps(value)}\n" for key, value in told.items())
    return yolo.parse({"data.yaml": described.encode(), "labels/a.txt": "\n".join(lines).encode()})


def read_tool(*results: dict[str, object]):
    annotation = {"id": 1, "completed_by": 1, "result": list(results)}
    task = [{"data": {"image": "a.jpg"}, "annotations": [annotation]}]
    return label_studio.parse({"a.json": json.dumps(task).encode()})


def region(kind: str, value: dict[str, object], **more: object) -> dict[str, object]:
    sized = {"original_width": WIDTH, "original_height": HEIGHT, "id": "r", "type": kind}
    return sized | {"from_name": "x", "value": value | {kind: ["pear"]}} | more


class TestCoco:
    def test_compressed_and_uncompressed_run_lengths_are_the_same(self):
        size = [HEIGHT, WIDTH]
        runs = runs_of_mask(SQUARE).tolist()
        rows = read_coco(
            {"segmentation": {"size": size, "counts": COUNTS}},
            {"segmentation": {"size": size, "counts": runs}, "iscrowd": 1},
        ).rows.to_pylist()
        assert [r["kind"] for r in rows] == ["mask", "mask"]
        assert (
            rows[0]["geometry"]
            == rows[1]["geometry"]
            == Mask((HEIGHT, WIDTH), runs_of_mask(SQUARE)).text
        )
        assert [r["attributes"] for r in rows] == ["{}", '{"iscrowd":true}']

    def test_key_points_have_the_names_of_their_category_and_the_box_of_their_object(self):
        parsed = read_coco({"keypoints": [11, 6, 2, 0, 0, 0], "segmentation": [FLAT]})
        (row,) = parsed.rows.to_pylist()
        assert row["geometry"] == keypoints([KeyPoint("top", 11, 6)]).text
        assert [row[e] for e in ("x_min", "y_min", "x_max", "y_max")] == [10, 5, 30, 25]
        assert parsed.not_imported == {"segmentation beside key points": 1}
        unnamed = read_coco({"keypoints": [11, 6, 1]}, points=None).rows.to_pylist()[0]
        assert unnamed["geometry"] == keypoints([KeyPoint("1", 11, 6, 1)]).text

    def test_an_object_without_a_box_has_that_of_its_shape(self):
        parsed = read_coco({"segmentation": [FLAT], "bbox": None}, {"bbox": None})
        assert parsed.rows["kind"].to_pylist() == ["polygon"]
        assert [r.reason for r in parsed.quarantine] == ["bad_box"]

    @pytest.mark.parametrize(
        ("entry", "key", "reason"),
        [
            ({"segmentation": [[1, 2, 3, 4]]}, "segmentation", "too_few_points"),
            ({"segmentation": [[1, 2, 3, 4, 5, "x"]]}, "segmentation", "bad_segmentation"),
            ({"segmentation": [[1, 2, 3, 4, 5]]}, "segmentation", "bad_segmentation"),
            ({"segmentation": "mask.png"}, "segmentation", "bad_segmentation"),
            ({"segmentation": {"size": [2, 2], "counts": "zz"}}, "segmentation", "bad_mask"),
            ({"segmentation": {"size": [1, 1], "counts": [5]}}, "segmentation", "bad_mask"),
            (
                {"segmentation": {"size": [10**6, 10**6], "counts": [10**12]}},
                "segmentation",
                "mask_too_large",
            ),
            ({"keypoints": [1, 2]}, "keypoints", "bad_keypoints"),
            ({"keypoints": [1, 2, 2]}, "keypoints", "bad_keypoints"),
            ({"keypoints": [1, 2, 3, 0, 0, 0]}, "keypoints", "bad_keypoints"),
        ],
    )
    def test_of_a_shape_that_cannot_be_read_the_box_is_kept(self, entry, key, reason):
        parsed = read_coco(entry)
        assert [(r.field, r.reason) for r in parsed.quarantine] == [
            (f"annotations[0].{key}", reason)
        ]
        assert "Its box is kept" in parsed.quarantine[0].detail
        assert parsed.rows["kind"].to_pylist() == ["bbox"]

    def test_our_own_keys_count_as_long_as_they_fit(self):
        box = rotated_box((20, 15), (8, 4), 30)
        told = {"kind": "rotated_box", "geometry": json.loads(box.text)}
        flat = [v for place in box.corners for v in place]
        moved = [v + 1 for v in flat]
        rows = read_coco({**told, "segmentation": [flat]}, {**told, "segmentation": [moved]}).rows
        assert rows["kind"].to_pylist() == ["rotated_box", "polygon"]


class TestYolo:
    LINES = ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5", "0 0.5 0.5 0.1 0.1")

    def test_eight_coordinates_are_a_turned_box_unless_others_are_longer(self):
        assert read_yolo(*self.LINES).rows["kind"].to_pylist() == ["rotated_box", "bbox"]
        longer = "0 0.1 0.1 0.5 0.1 0.5 0.5"
        kinds = read_yolo(*self.LINES, longer).rows["kind"].to_pylist()
        assert kinds == ["polygon", "bbox", "polygon"]
        assert read_yolo(self.LINES[0], task="segment").rows["kind"].to_pylist() == ["polygon"]

    def test_poses_have_a_shape(self):
        line = "0 0.5 0.5 0.2 0.2 0.5 0.5 2 0 0 0"
        (row,) = read_yolo(line, kpt_shape=[2, 3], kpt_names={"0": []}).rows.to_pylist()
        assert row["geometry"] == keypoints([KeyPoint("1", 0.5, 0.5)]).text
        assert row["x_min"] == pytest.approx(0.4)
        (flat,) = read_yolo("0 0.5 0.5 0.2 0.2 0.5 0.6 0 0", kpt_shape=[2, 2]).rows.to_pylist()
        assert flat["geometry"] == keypoints([KeyPoint("1", 0.5, 0.6)]).text
        hidden = read_yolo("0 0.5 0.5 0.2 0.2 0 0 0 0 0 0", kpt_shape=[2, 3])
        assert hidden.rows["kind"].to_pylist() == ["bbox"]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("0 0.5 0.5 0.2 0.2 0.5 0.5 2", "bad_box"),
            ("0 0.5 0.5 0.2 0.2 0.5 0.5 1.5 0 0 0", "bad_keypoints"),
        ],
    )
    def test_poses_that_are_none(self, line, reason):
        parsed = read_yolo(line, "0 0.5 0.5 0.2 0.2", kpt_shape=[2, 3])
        assert [r.reason for r in parsed.quarantine] == [reason]


class TestLabelStudio:
    def test_a_rectangle_is_turned_about_its_corner(self):
        value = {"x": 50, "y": 50, "width": 25, "height": 20, "rotation": 90}
        (row,) = read_tool(region("rectanglelabels", value)).rows.to_pylist()
        # 10 × 6 pixels from (20, 15), turned clockwise: it reaches to the left and down
        box = json.loads(row["geometry"])
        assert (box["size"], box["angle"]) == ([10, 6], 90)
        assert box["center"] == pytest.approx([17, 20])

    def test_brushes_polygons_and_points(self):
        rle = {"format": "rle", "rle": brush_of_mask(SQUARE)}
        ring = {"points": [[25, 20], [75, 20], [75, 80]], "closed": True}
        rows = read_tool(
            region("brushlabels", rle),
            region("polygonlabels", ring, id="p"),
            region("keypointlabels", {"x": 50, "y": 50, "width": 1}, id="k"),
        ).rows.to_pylist()
        assert [r["kind"] for r in rows] == ["mask", "polygon", "keypoints"]
        mask = whole_mask(rows[0]["geometry"], size=(HEIGHT, WIDTH))
        assert mask.text == Mask((HEIGHT, WIDTH), runs_of_mask(SQUARE)).text
        assert rows[1]["geometry"] == polygon([[(10, 6), (30, 6), (30, 24)]]).text
        assert rows[2]["geometry"] == keypoints([KeyPoint("pear", 20, 15)]).text

    def test_taxonomies_of_images_are_tags(self):
        value = {"taxonomy": [["light", "dim"], ["wet"]]}
        result = {"id": "t", "type": "taxonomy", "from_name": "scene", "value": value}
        rows = read_tool(result).rows.to_pylist()
        assert [(r["kind"], r["label"]) for r in rows] == [("tag", "light/dim"), ("tag", "wet")]

    @pytest.mark.parametrize(
        ("bad", "field", "reason"),
        [
            (region("brushlabels", {"format": "rle", "rle": [1, 2]}), "value", "bad_mask"),
            (region("brushlabels", {"rle": "x"}), "value.rle", "bad_mask"),
            (
                region("brushlabels", {"rle": []}, original_width=None),
                "value.rle",
                "missing_size",
            ),
            (region("polygonlabels", {"points": [[1, 2], [3, 4]]}), "value", "too_few_points"),
            (
                region("polygonlabels", {"points": [[1, 2], [3, 400], [3, 5]]}),
                "value.points[1]",
                "percent_over_100",
            ),
            (region("keypointlabels", {"x": 500, "y": 1}), "value", "percent_over_100"),
            (
                region("keypointlabels", {"x": 5, "y": 1}, parentID="gone"),
                "parentID",
                "unknown_parent",
            ),
            (
                region(
                    "rectanglelabels",
                    {"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 5},
                    original_width=None,
                ),
                "value.rotation",
                "missing_size",
            ),
        ],
    )
    def test_one_bad_region_is_named(self, bad, field, reason):
        good = {"x": 1, "y": 1, "width": 5, "height": 5}
        parsed = read_tool(bad, region("rectanglelabels", good, id="good"))
        where = f"[0].annotations[0].result[0].{field}"
        assert [(r.field, r.reason) for r in parsed.quarantine] == [(where, reason)]
        assert parsed.rows["kind"].to_pylist() == ["bbox"]

    @settings(max_examples=40, deadline=None)
    @given(
        st.floats(11, WIDTH - 11),
        st.floats(11, HEIGHT - 11),
        st.floats(0.5, 10),
        st.floats(0.1, 359),
        st.floats(0, 1),
    )
    def test_what_is_suggested_is_what_is_read(self, x, y, side, angle, score):
        ring = [(x - side, y), (x, y - side), (x + side, y)]
        points = keypoints([KeyPoint("top", x, y, 1), KeyPoint("end", x, y - side)])
        texts = {
            "bbox": None,
            "rotated_box": rotated_box((x, y), (side, side / 2), angle).text,
            "polygon": polygon([ring]).text,
            "mask": Mask((HEIGHT, WIDTH), runs_of_mask(SQUARE)).text,
            "keypoints": points.text,
            "tag": None,
        }
        edges = [x - side, y - side, x + side, y + side]
        rows = pa.Table.from_pylist(
            [
                {"object": n, "label": "pear", "kind": kind, "geometry": text, "score": score}
                | dict(zip(("x_min", "y_min", "x_max", "y_max"), edges, strict=True))
                for n, (kind, text) in enumerate(texts.items())
            ]
        )
        results = result_of(rows, width=WIDTH, height=HEIGHT)
        assert json.loads(json.dumps(results)) == results
        assert all(r["score"] == score for r in results if "parentID" not in r)
        parsed = read_tool(*results)
        assert parsed.quarantine == ()
        for row in parsed.rows.to_pylist():
            if row["geometry"] is not None:
                text = row["geometry"]
                if row["kind"] == "mask":
                    text = whole_mask(text, size=(HEIGHT, WIDTH)).text
                found, told = json.loads(text), json.loads(texts[row["kind"]])
                assert found.keys() == told.keys()
                assert numbers(found) == pytest.approx(numbers(told), abs=1e-9)
            if row["kind"] in ("bbox", "keypoints"):
                assert [row[e] for e in ("x_min", "y_min")] == pytest.approx(edges[:2], abs=1e-9)
        assert sorted(parsed.rows["kind"].to_pylist()) == sorted(texts)


def numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [n for key in sorted(value) for n in numbers(value[key])]
    if isinstance(value, list):
        return [n for one in value for n in numbers(one)]
    return [value] if isinstance(value, int | float) else []


class TestCsv:
    HEADER = "image,label,kind,geometry,attributes,role\n"

    def test_shapes_tags_and_attributes(self):
        ring = json.dumps({"rings": [[[1, 2], [3, 4], [5, 2]]]}).replace('"', '""')
        drawn = f'a.jpg,pear,polygon,"{ring}","{{""ripe"":true}}",reviewer'
        text = f"{self.HEADER}{drawn}\na.jpg,dark,tag,,,\n"
        rows = csv.parse({"a.csv": text.encode()}).rows.to_pylist()
        assert [(r["kind"], r["role"]) for r in rows] == [
            ("polygon", "reviewer"),
            ("tag", "annotator"),
        ]
        assert rows[0]["attributes"] == '{"ripe":true}'
        assert rows[0]["geometry"] == polygon([[(1, 2), (3, 4), (5, 2)]]).text

    @pytest.mark.parametrize(
        ("row", "field", "reason", "rows"),
        [
            ("a.jpg,pear,blob,,,", "row 2: kind", "unknown_kind", 1),
            ("a.jpg,pear,polygon,,,", "row 2: geometry", "bad_geometry", 1),
            ("a.jpg,pear,mask,{},,", "row 2: geometry", "bad_geometry", 1),
            ("a.jpg,pear,bbox,,,", "row 2: x_min…y_max", "bad_box", 1),
            ("a.jpg,pear,class,,[],", "row 2: attributes", "bad_attributes", 2),
        ],
    )
    def test_one_bad_row_is_named(self, row, field, reason, rows):
        parsed = csv.parse({"a.csv": f"{self.HEADER}{row}\nb.jpg,pear,,,,gold\n".encode()})
        assert [(r.field, r.reason) for r in parsed.quarantine] == [(field, reason)]
        assert parsed.rows.num_rows == rows
        assert parsed.rows["role"].to_pylist()[-1] == "annotator"  # no file makes truth
