from __future__ import annotations

import contextlib
import hashlib
import json
import tracemalloc
from datetime import UTC, datetime

import pytest

from cv_pipeline.annotations.formats import json_file, label_studio, label_studio_regions
from cv_pipeline.annotations.formats.label_studio import image_path
from cv_pipeline.errors import AnnotationError


def region(**changes: object) -> dict[str, object]:
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    value |= {"rectanglelabels": ["pear"]} | dict(changes.pop("value", {}))
    base = {"id": "r1", "from_name": "label", "to_name": "image", "type": "rectanglelabels"}
    return base | {"original_width": 200, "original_height": 100, "value": value} | changes


def answer(control: str, region_id: str = "r1", **value: object) -> dict[str, object]:
    kind = "textarea" if "text" in value else next(iter(value))
    return {"id": region_id, "from_name": control, "type": kind, "value": value}


def annotation(*results: object, **changes: object) -> dict[str, object]:
    return {
        "id": 5,
        "completed_by": 3,
        "was_cancelled": False,
        "lead_time": 4.5,
        "created_at": "2025-03-01T10:00:00.250000Z",
        "updated_at": "2025-03-01T12:00:00+01:00",
        "result": list(results),
    } | changes


def task(*annotations: object, image: object = "a.jpg") -> dict[str, object]:
    return {"id": 1, "data": {"image": image}, "annotations": list(annotations)}


def parse(*tasks: object, **files: bytes):
    return label_studio.parse({"export.json": json.dumps(list(tasks)).encode()} | files)


def refusals(parsed) -> list[tuple[str, str]]:
    return [(r.field, r.reason) for r in parsed.quarantine]


def test_percent_become_pixels_of_the_original_size():
    row = parse(task(annotation(region()))).rows.to_pylist()[0]

    edges = [row[e] for e in ("x_min", "y_min", "x_max", "y_max")]
    assert edges == pytest.approx([20, 20, 80, 60])
    assert (row["width"], row["height"], row["normalized"]) == (200, 100, False)
    assert (row["label"], row["annotator"], row["lead_time"]) == ("pear", "annotator-3", 4.5)
    assert row["created_at"] == datetime(2025, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC)
    assert row["updated_at"] == datetime(2025, 3, 1, 11, tzinfo=UTC)
    assert (row["object"], row["original_id"]) == ("[0].annotations[0].result[0]", "5/r1")


def test_without_original_size_the_shares_are_kept():
    row = parse(task(annotation(region(original_width=None)))).rows.to_pylist()[0]

    assert row["normalized"]
    assert (row["x_min"], row["width"]) == (0.1, None)


def test_answers_about_a_region_are_its_attributes():
    parsed = parse(
        task(
            annotation(
                region(meta={"text": ["blurred"]}),
                answer("ripe", choices=["yes"], x=1, y=1, width=1, height=1),
                answer("hidden", choices=["hidden"]),
                answer("marks", choices=["dent", "rot"]),
                answer("stars", rating=3),
                answer("remark", text=["fine"]),
            )
        )
    )

    assert json.loads(parsed.rows["attributes"][0].as_py()) == {
        "hidden": True,
        "marks": ["dent", "rot"],
        "meta.text": "blurred",
        "remark": "fine",
        "ripe": "yes",
        "stars": 3,
    }


def test_rectangle_and_labels_apart_are_one_region():
    shape = region(type="rectangle", value={"rectanglelabels": None})
    labels = region(type="labels", from_name="what", value={"labels": ["apple"]})

    parsed = parse(task(annotation(shape, labels)))

    assert parsed.rows["label"].to_pylist() == ["apple"]
    assert parsed.quarantine == ()


def test_image_level_choices_are_classes():
    parsed = parse(task(annotation(answer("kind", "c1", choices=["pear"]))))

    row = parsed.rows.to_pylist()[0]
    assert (row["kind"], row["label"], row["x_min"]) == ("class", "pear", None)


@pytest.mark.parametrize("control", ["light", "light class"])
def test_image_level_choices_beside_boxes_are_no_labels(control):
    parsed = parse(task(annotation(region(), answer(control, "c1", choices=["dim"]))))

    assert parsed.rows["label"].to_pylist() == ["pear"]
    assert parsed.not_imported == {"image-level choice": 1}


def test_cancelled_and_replaced_annotations_predictions_and_drafts_are_counted():
    shown = task(
        annotation(region(id="old"), id=1, updated_at="2025-01-01T00:00:00Z"),
        annotation(region(id="new"), id=2, updated_at="2025-01-02T00:00:00Z"),
        annotation(region(id="other"), id=3, completed_by=4),
        annotation(region(), id=4, was_cancelled=True),
    )

    parsed = parse(shown | {"predictions": [{}], "drafts": [{}, {}]})

    assert parsed.rows["original_id"].to_pylist() == ["2/new", "3/other"]
    assert parsed.not_imported == {
        "cancelled annotation": 1,
        "drafts": 2,
        "predictions": 1,
        "replaced annotation": 1,
    }


def test_annotations_that_do_not_count_are_named():
    parsed = parse(
        task(
            annotation(region(id="old"), id=1, updated_at="2025-01-01T00:00:00Z"),
            annotation(region(id="new"), id=2, updated_at="2025-01-02T00:00:00Z"),
            annotation(region(), id=4, was_cancelled=True),
            annotation(region(), id=5, completed_by=[]),
            annotation(region(id="whose"), id=6, completed_by=None),
        )
    )

    assert refusals(parsed) == [
        ("[0].annotations[2]", "cancelled_annotation"),
        ("[0].annotations[3].completed_by", "bad_annotator"),
        ("[0].annotations[0]", "second_annotation"),
        ("[0].annotations[4].completed_by", "missing_annotator"),
    ]
    assert parsed.rows["original_id"].to_pylist() == ["2/new", "6/whose"]
    # an export in which everything was skipped is whole
    assert parse(task(annotation(region(), was_cancelled=True))).rows.num_rows == 0


def test_annotation_without_regions_is_an_image_without_objects():
    parsed = parse(task(annotation(region())), task(annotation(), image="b.jpg"))

    assert parsed.empty == ("b.jpg",)


@pytest.mark.parametrize(
    ("who", "name"),
    [
        (3, "annotator-3"),
        ({"id": 3, "email": "ann@example.org"}, "annotator-3"),
        ({"email": "Ann@example.org"}, "annotator-438c4c7afe"),
        ("ann@example.org", "annotator-438c4c7afe"),
        ("ann", "ann"),
        ("gold", "annotator-" + hashlib.sha256(b"gold").hexdigest()[:10]),
        (None, "unknown"),
        ({}, "unknown"),
    ],
)
def test_annotators_have_stable_names_without_addresses(who, name):
    parsed = parse(task(annotation(region(), completed_by=who)))

    assert parsed.rows["annotator"].to_pylist() == [name]


PLACE = "[0].annotations[0].result[0]"


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (region(value={"rotation": "a bit"}), f"{PLACE}.value.rotation", "bad_box"),
        (region(value={"rotation": "Infinity"}), f"{PLACE}.value", "not_finite"),
        (region(value={"rotation": float("nan")}), f"{PLACE}.value", "not_finite"),
        (region(value={"rotation": 1e308}), f"{PLACE}.value", "bad_geometry"),
        (region(image_rotation=90), f"{PLACE}.image_rotation", "rotated_image"),
        (region(value={"x": 320}), f"{PLACE}.value.x", "percent_over_100"),
        (region(value={"width": "wide"}), f"{PLACE}.value.width", "bad_box"),
        (
            region(value={"rectanglelabels": []}),
            f"{PLACE}.value.rectanglelabels",
            "missing_label",
        ),
        (
            region(value={"rectanglelabels": ["pear", "apple"]}),
            f"{PLACE}.value.rectanglelabels",
            "several_labels",
        ),
        (region(type="ellipselabels"), f"{PLACE}.type", "unsupported_shape"),
        (region(type="polygonlabels"), f"{PLACE}.value.points", "bad_box"),
        (region() | {"value": 5}, PLACE, "missing_field"),
        ("nothing", PLACE, "missing_field"),
    ],
)
def test_one_bad_region_is_named_and_the_next_one_is_read(bad, field, reason):
    parsed = parse(task(annotation(bad, region(id="r2"))))

    assert refusals(parsed) == [(field, reason)]
    assert parsed.rows["original_id"].to_pylist() == ["5/r2"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"lead_time": "long"}, "lead_time"), ({"created_at": "2025-13-01"}, "created_at")],
)
def test_a_bad_time_leaves_the_regions(changes, field):
    parsed = parse(task(annotation(region(), **changes)))

    assert refusals(parsed) == [(f"[0].annotations[0].{field}", "bad_value")]
    assert parsed.rows[field].to_pylist() == [None]


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        ({"data": {"image": "a.jpg"}}, "[0].annotations", "missing_field"),
        (task(annotation(region()), image=None), "[0].data", "missing_image"),
        (task(annotation(result=None)), "[0].annotations[0].result", "missing_field"),
        (task(5), "[0].annotations[0].result", "missing_field"),
        (
            task(annotation(region(), was_cancelled="perhaps")),
            "[0].annotations[0].was_cancelled",
            "bad_value",
        ),
        (7, "[0].annotations", "missing_field"),
    ],
)
def test_one_bad_task_is_named_and_the_next_one_is_read(bad, field, reason):
    parsed = parse(bad, task(annotation(region()), image="b.jpg"))

    assert refusals(parsed) == [(field, reason)]
    assert parsed.rows["image_path"].to_pylist() == ["b.jpg"]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("cam 1/a%20b.jpg", "cam 1/a%20b.jpg"),
        ("/data/local-files/?d=fruit/cam%201/a.jpg", "fruit/cam 1/a.jpg"),
        ("/data/upload/3/1a2b3c4d-a.jpg", "a.jpg"),
        ("/storage-data/uploaded/?filepath=upload/3/1a2b3c4d-a.jpg", "a.jpg"),
        ("s3://bucket/some/prefix/a%20b.jpg", "some/prefix/a%20b.jpg"),
        ("/tasks/4/presign/?fileuri=s3%3A%2F%2Fbucket%2Fa.jpg", "a.jpg"),
        ("https://host:8080/x/a%20b.jpg?token=1#top", "x/a b.jpg"),
        ("https://[broken/a.jpg", "https://[broken/a.jpg"),
    ],
)
def test_path_part_of_an_image(value, path):
    assert image_path({"image": value}) == path
    assert image_path({"note": "about fruit", "picture": value}) == path


def test_labels_are_those_that_the_labelling_configuration_declares():
    config = b"""<View><Image name="image" value="$image"/>
    <RectangleLabels name="label" toName="image"><Label value="pear"/><Label value="apple"/>
    </RectangleLabels>
    <Choices name="ripe" toName="image" perRegion="true"><Choice value="yes"/></Choices>
    <Choices name="light" toName="image"><Choice value="dim"/></Choices></View>"""

    parsed = parse(task(annotation(region())), **{"config.xml": config})

    assert parsed.labels == ("pear", "apple")
    assert parsed.files == ("config.xml", "export.json")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (b'<!DOCTYPE View [<!ENTITY a "b">]><View>&a;</View>', "hostile_xml"),
        (b"<View><Choices", "not_xml"),
    ],
)
def test_bad_labelling_configuration_is_quarantined(config, reason):
    parsed = parse(task(annotation(region())), **{"config.xml": config})

    assert [(r.file, r.reason) for r in parsed.quarantine] == [("config.xml", reason)]
    assert len(parsed.rows) == 1


def test_no_readable_file_is_an_error():
    with pytest.raises(AnnotationError, match="Expected a list of tasks"):
        label_studio.parse({"a.json": b"{}"})


class TestText:
    """What an export's bytes may be."""

    TASKS = json.dumps(
        [task(annotation(region(), id=n), image=f"Kürbis {n}.jpg") | {"id": n} for n in range(40)],
        ensure_ascii=False,
        indent=1,
    )

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
    @pytest.mark.parametrize("window", [1, 7, 1000, 1 << 20])
    def test_is_read_a_little_at_a_time_in_any_unicode(self, encoding, window, monkeypatch):
        monkeypatch.setattr(json_file, "_WINDOW", window)
        data = self.TASKS.encode(encoding)
        assert label_studio.sniff({"export.json": data})
        parsed = label_studio.parse({"export.json": data})
        assert parsed.rows["image_path"].to_pylist() == [f"Kürbis {n}.jpg" for n in range(40)]
        assert parsed.rows["original_id"].to_pylist() == [f"{n}/r1" for n in range(40)]

    @pytest.mark.parametrize("window", [1, 7, 1 << 20])
    @pytest.mark.parametrize(
        "bad",
        [
            TASKS[:-200], TASKS[:-1], f"{TASKS}]", f"{TASKS[:-1]},]", TASKS.replace("},", "}", 1),
            TASKS.replace('"id"', "id", 1), "[", "", "[1 2]", "[1,", "nul", '[{"a": "\x01"}]',
        ],
    )  # fmt: skip
    def test_that_is_cut_off_is_refused_whole_with_the_place(self, bad, window, monkeypatch):
        monkeypatch.setattr(json_file, "_WINDOW", window)
        good = json.dumps([task(annotation(region()))]).encode()
        parsed = label_studio.parse({"a.json": bad.encode(), "b.json": good})
        assert parsed.rows["source"].to_pylist() == ["b.json"]
        with pytest.raises(json.JSONDecodeError) as told:
            json.loads(bad)
        place = f"line {told.value.lineno} column {told.value.colno}"
        (refused,) = parsed.quarantine
        assert (refused.file, refused.reason, refused.field) == ("a.json", "not_json", place)

    def test_in_another_encoding_is_refused(self):
        parsed = label_studio.parse(
            {
                "a.json": self.TASKS.encode("latin-1"),
                "b.json": json.dumps([task(annotation(region()))]).encode(),
            }
        )
        (refused,) = parsed.quarantine
        assert (refused.reason, refused.field) == ("not_utf8", f"byte {self.TASKS.index('ü')}")

    def test_that_is_nested_deeply_takes_nothing_else_down(self):
        for depth in (500, 900, 940, 960, 980, 2_000, 100_000):
            nest = "[" * depth + "]" * depth
            text = json.dumps(
                [task(annotation(region(value={"rotation": "NEST"}), region(id="r2")))]
            )
            with contextlib.suppress(AnnotationError):
                label_studio.parse({"a.json": text.replace('"NEST"', nest).encode()})

    def test_takes_little_memory_beside_its_bytes(self, monkeypatch):
        monkeypatch.setattr(json_file, "_WINDOW", 1 << 14)
        monkeypatch.setattr(label_studio_regions, "_ROWS", 500)
        tasks = [
            task(annotation(*(region(id=f"r{k}") for k in range(20)), id=n), image=f"{n}.jpg")
            for n in range(200)
        ]
        data = json.dumps(tasks).encode()
        label_studio.parse({"a.json": data})  # what is imported is not counted
        tracemalloc.start()
        parsed = label_studio.parse({"a.json": data})
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(parsed.rows) == 4_000
        assert peak < 1.5 * len(data), "the whole of it in objects is six times as much"
