"""What holds for every format: what is written is read, and damage stays where it is."""

from __future__ import annotations

import csv as csv_module
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.annotations.formats import FORMATS
from cv_pipeline.annotations.geometry.settle import settle
from cv_pipeline.annotations.raw import RAW_ANNOTATIONS, ParsedExport
from cv_pipeline.errors import AnnotationError

WIDTH, HEIGHT = 640, 480
LABELS = ("pear", "apple", "Kürbis & co")


@dataclass(frozen=True)
class Box:
    label: str
    x: int
    y: int
    width: int
    height: int


boxes = st.builds(
    Box,
    label=st.sampled_from(LABELS),
    x=st.integers(0, 600),
    y=st.integers(0, 440),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
)
images = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.lists(boxes, min_size=1, max_size=4),
    min_size=1,
    max_size=4,
)
Images = Mapping[str, list[Box]]


def write_coco(images: Images) -> dict[str, bytes]:
    listed = [
        {"id": i, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT}
        for i, name in enumerate(images)
    ]
    drawn = [
        {
            "image_id": i,
            "category_id": LABELS.index(b.label),
            "bbox": [b.x, b.y, b.width, b.height],
            "iscrowd": 0,
        }
        for i, name in enumerate(images)
        for b in images[name]
    ]
    document = {
        "images": listed,
        "categories": [{"id": i, "name": label} for i, label in enumerate(LABELS)],
        "annotations": [{"id": i, **d} for i, d in enumerate(drawn)],
    }
    return {"instances.json": json.dumps(document).encode()}


def write_pascal_voc(images: Images) -> dict[str, bytes]:
    def xml(name: str, drawn: list[Box]) -> str:
        objects = "".join(
            f"<object><name>{b.label.replace('&', '&amp;')}</name><bndbox><xmin>{b.x}</xmin>"
            f"<ymin>{b.y}</ymin><xmax>{b.x + b.width}</xmax><ymax>{b.y + b.height}</ymax></bndbox>"
            "</object>"
            for b in drawn
        )
        return f"<annotation><filename>{name}.jpg</filename>{objects}</annotation>"

    return {f"{name}.xml": xml(name, drawn).encode() for name, drawn in images.items()}


def write_yolo(images: Images) -> dict[str, bytes]:
    def line(b: Box) -> str:
        x, y = (b.x + b.width / 2) / WIDTH, (b.y + b.height / 2) / HEIGHT
        return f"{LABELS.index(b.label)} {x!r} {y!r} {b.width / WIDTH!r} {b.height / HEIGHT!r}"

    labels = {f"labels/{n}.txt": "\n".join(map(line, d)).encode() for n, d in images.items()}
    return labels | {"data.yaml": f"names: {json.dumps(LABELS)}".encode()}


def write_csv(images: Images) -> dict[str, bytes]:
    text = io.StringIO()
    writer = csv_module.writer(text)
    writer.writerow(["image", "label", "x_min", "y_min", "x_max", "y_max"])
    for name, drawn in images.items():
        for b in drawn:
            edges = (b.x, b.y, b.x + b.width, b.y + b.height)
            writer.writerow([f"{name}.jpg", b.label, *edges])
    return {"labels.csv": text.getvalue().encode()}


def write_label_studio(images: Images) -> dict[str, bytes]:
    def region(i: int, b: Box) -> dict[str, object]:
        value = {
            "x": b.x / WIDTH * 100,
            "y": b.y / HEIGHT * 100,
            "width": b.width / WIDTH * 100,
            "height": b.height / HEIGHT * 100,
            "rotation": 0,
            "rectanglelabels": [b.label],
        }
        sides = {"original_width": WIDTH, "original_height": HEIGHT}
        return {"id": f"r{i}", "type": "rectanglelabels", "value": value, **sides}

    tasks = [
        {
            "id": t,
            "data": {"image": f"s3://bucket/{name}.jpg"},
            "annotations": [
                {"id": t, "completed_by": 1, "result": [region(i, b) for i, b in enumerate(drawn)]}
            ],
        }
        for t, (name, drawn) in enumerate(images.items())
    ]
    return {"tasks.json": json.dumps(tasks).encode()}


def sample_of(drawn: list[Box]) -> list[dict[str, object]]:
    return [{"category": b.label, "bbox": [b.x, b.y, b.width, b.height]} for b in drawn]


def write_webdataset(images: Images) -> dict[str, bytes]:
    return {
        f"train-0.tar/{name}.json": json.dumps({"annotations": sample_of(drawn)}).encode()
        for name, drawn in images.items()
    }


def write_huggingface(images: Images) -> dict[str, bytes]:
    def line(name: str, drawn: list[Box]) -> str:
        objects = sample_of(drawn)
        columns = {key: [o[key] for o in objects] for key in ("category", "bbox")}
        return json.dumps({"file_name": f"{name}.jpg", "objects": columns}) + "\n"

    return {"metadata.jsonl": "".join(line(n, d) for n, d in images.items()).encode()}


def write_cvat(images: Images) -> dict[str, bytes]:
    def box(b: Box) -> str:
        edges = f'xtl="{b.x}" ytl="{b.y}" xbr="{b.x + b.width}" ybr="{b.y + b.height}"'
        return f'<box label="{b.label.replace("&", "&amp;")}" {edges} occluded="0"/>'

    text = "".join(
        f'<image name="{name}.jpg" width="{WIDTH}" height="{HEIGHT}">{"".join(map(box, drawn))}'
        "</image>"
        for name, drawn in images.items()
    )
    return {"annotations.xml": f"<annotations><version>1.1</version>{text}</annotations>".encode()}


def write_labelme(images: Images) -> dict[str, bytes]:
    def shape(b: Box) -> dict[str, object]:
        points = [[b.x, b.y], [b.x + b.width, b.y + b.height]]
        return {"label": b.label, "points": points, "shape_type": "rectangle", "flags": {}}

    return {
        f"{name}.json": json.dumps(
            {"imagePath": f"{name}.jpg", "shapes": list(map(shape, drawn)), "flags": {}}
        ).encode()
        for name, drawn in images.items()
    }


WRITERS: dict[str, Callable[[Images], dict[str, bytes]]] = {
    "coco": write_coco,
    "csv": write_csv,
    "cvat": write_cvat,
    "huggingface": write_huggingface,
    "label_studio": write_label_studio,
    "labelme": write_labelme,
    "pascal_voc": write_pascal_voc,
    "webdataset": write_webdataset,
    "yolo": write_yolo,
}


def boxes_of(parsed: ParsedExport) -> list[tuple[object, ...]]:
    found = []
    for row in parsed.rows.to_pylist():
        across, down = (WIDTH, HEIGHT) if row["normalized"] else (1, 1)
        sides = {"x_min": across, "y_min": down, "x_max": across, "y_max": down}
        edges = (round(row[edge] * side, 6) for edge, side in sides.items())
        found.append((row["image_path"].split("/")[-1].split(".")[0], row["label"], *edges))
    return sorted(found)


@pytest.mark.parametrize("name", WRITERS)
@settings(deadline=None, max_examples=30)  # the first example pays for imports
@given(drawn=images)
def test_what_is_written_is_read(name, drawn):
    parsed = FORMATS[name].parse(WRITERS[name](drawn))

    assert boxes_of(parsed) == sorted(
        (image, b.label, b.x, b.y, b.x + b.width, b.y + b.height)
        for image, listed in drawn.items()
        for b in listed
    )
    assert parsed.rows.schema.equals(RAW_ANNOTATIONS)
    assert parsed.quarantine == ()


@pytest.mark.parametrize("name", WRITERS)
@settings(deadline=None, max_examples=30)  # the first example pays for imports
@given(drawn=images)
def test_a_format_is_recognised_by_itself_alone(name, drawn):
    files = WRITERS[name](drawn)

    assert [f.name for f in FORMATS.values() if f.sniff(files)] == [name]


@st.composite
def damage(draw, data: bytes) -> bytes:
    """Cut off, overwritten, doubled, or with something put in that parsers stumble over."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 40)))
    snippets = [
        *(b"", b"null", b"NaN", b"-1e999", b"[]", b"{}", b'"', b"<", b"&x;", b"\x00", b"\xff\xfe"),
        *(b"\n", b",", b"9" * 400, b'"\\ud800"', b"<!DOCTYPE a>", b"true", b"\xef\xbb\xbf", b":"),
    ]
    kind = draw(st.sampled_from(["cut", "replace", "repeat", "bytes"]))
    if kind == "cut":
        return data[:start]
    if kind == "repeat":
        return data[:end] + data[start:]
    fill = draw(st.sampled_from(snippets) if kind == "replace" else st.binary(max_size=8))
    return data[:start] + fill + data[end:]


SAMPLE = {"a": [Box("pear", 1, 2, 3, 4), Box("apple", 5, 6, 7, 8)], "b": [Box("pear", 9, 9, 9, 9)]}


@pytest.mark.parametrize("name", WRITERS)
@settings(deadline=None, max_examples=60)  # the first example pays for imports
@given(data=st.data())
def test_damage_is_an_annotation_error_or_a_refusal(name, data):
    files = WRITERS[name](SAMPLE)
    path = data.draw(st.sampled_from(sorted(files)))
    files[path] = data.draw(damage(files[path]))

    try:
        parsed = FORMATS[name].parse(files)
    except AnnotationError as error:
        assert error.what  # noqa: PT017 - either outcome is right
    else:
        assert parsed.rows.schema.equals(RAW_ANNOTATIONS)
        parsed.rows.validate(full=True)


@pytest.mark.parametrize("name", WRITERS)
@settings(deadline=None, max_examples=60)  # the first example pays for imports
@given(data=st.data())
def test_damage_to_one_file_leaves_the_others(name, data):
    good = WRITERS[name](SAMPLE)
    written = WRITERS[name]({"y": SAMPLE["a"], "z": SAMPLE["b"]})
    others = {f"other/{path}": content for path, content in written.items()}
    names = {p for p in (*good, *others) if p.endswith(".yaml")}
    path = data.draw(st.sampled_from(sorted(good.keys() - names)))
    damaged = data.draw(damage(good[path]))

    parsed = FORMATS[name].parse(others | {path: damaged})

    whole = FORMATS[name].parse(others)
    assert [r for r in parsed.rows.to_pylist() if r["source"] in others] == whole.rows.to_pylist()
    assert all(r.file == path for r in parsed.quarantine)


RING = [[10, 10], [50, 10], [50, 40]]
FLAT = [v for place in RING for v in place]
CROP = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACAQAAAABazTCJAAAADElEQVR4nGNoYDgAAAJEAUHooQgHAAAAAElFTkSuQmCC"
)
BRUSH = [0, 0, 0, 16, 57, 27, 252, 127, 241, 128, 79, 254]
SHAPES = {
    "coco": {
        "a.json": json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
                "categories": [{"id": 1, "name": "pear", "keypoints": ["top", "end"]}],
                "annotations": [
                    {"id": n, "image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 30], **shape}
                    for n, shape in enumerate(
                        [
                            {"segmentation": [FLAT]},
                            {"segmentation": {"size": [2, 2], "counts": "22"}, "iscrowd": 1},
                            {"segmentation": {"size": [2, 2], "counts": [2, 2]}},
                            {"keypoints": [11, 12, 2, 0, 0, 0], "num_keypoints": 1},
                        ]
                    )
                ],
            }
        ).encode()
    },
    "cvat": {
        "a.xml": (
            b'<annotations><image name="a.jpg" width="64" height="48">'
            b'<polygon label="pear" points="10,10;50,10;50,40"/>'
            b'<mask label="pear" rle="1, 3" left="1" top="2" width="2" height="2"/>'
            b'<skeleton label="pear"><points label="top" points="3,4"/></skeleton>'
            b'<box label="pear" xtl="1" ytl="1" xbr="9" ybr="9" rotation="30"/>'
            b"</image></annotations>"
        )
    },
    "label_studio": {
        "a.json": json.dumps(
            [
                {
                    "data": {"image": "a.jpg"},
                    "annotations": [
                        {
                            "id": 1,
                            "completed_by": 1,
                            "result": [
                                {
                                    "id": str(n),
                                    "type": kind,
                                    "original_width": 2,
                                    "original_height": 2,
                                    "value": value | {kind: ["pear"]},
                                }
                                for n, (kind, value) in enumerate(
                                    [
                                        ("polygonlabels", {"points": RING}),
                                        ("brushlabels", {"format": "rle", "rle": BRUSH}),
                                        ("keypointlabels", {"x": 10, "y": 10}),
                                    ]
                                )
                            ],
                        }
                    ],
                }
            ]
        ).encode()
    },
    "labelme": {
        "a.json": json.dumps(
            {
                "imagePath": "a.jpg",
                "imageWidth": 64,
                "imageHeight": 48,
                "flags": {"dark": True},
                "shapes": [
                    {"label": "pear", "shape_type": kind, "points": points, "mask": CROP}
                    for kind, points in (
                        ("polygon", RING),
                        ("mask", [[1, 1], [2, 2]]),
                        ("point", [[1, 1]]),
                    )
                ],
            }
        ).encode()
    },
    "yolo": {
        "data.yaml": b"names: [pear]\nkpt_shape: [2, 3]\n",
        "labels/a.txt": b"0 0.5 0.5 0.1 0.1 0.5 0.5 2 0 0 0\n0 0.5 0.5 0.1 0.1\n",
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_shapes_that_are_damaged_are_whole(name):
    parsed = FORMATS[name].parse(SHAPES[name])
    assert parsed.quarantine == ()
    assert pc.any(pc.is_valid(parsed.rows["geometry"])).as_py()


@pytest.mark.parametrize("name", SHAPES)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_damage_to_shapes_is_an_annotation_error_or_a_refusal(name, data):
    path = data.draw(st.sampled_from(sorted(SHAPES[name])))
    files = SHAPES[name] | {path: data.draw(damage(SHAPES[name][path]))}

    try:
        parsed = FORMATS[name].parse(files)
    except AnnotationError as error:
        assert error.what  # noqa: PT017 - either outcome is right
    else:
        sizes = np.array([[64, 48]] * len(parsed.rows), dtype=float)
        rows = parsed.rows.filter(pc.is_valid(parsed.rows["geometry"]))
        settled = settle(
            rows["kind"].to_pylist(),
            rows["geometry"].to_pylist(),
            sizes=sizes[: len(rows)],
            scaled=rows["normalized"].to_numpy(),
        )
        assert settled.refused.keys() == {p for p, t in enumerate(settled.bounds) if t[0] != t[0]}
